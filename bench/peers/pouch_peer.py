"""PouchDB: A answers over HTTP and writes, B replicates from it, live."""

from machines import Machines


class Pouch(Machines):
    NAME = "PouchDB, live replication"
    SETTINGS = ("both may take writes, A's are replicated, 1,000 at a time; "
                "leveldb at both, not synced; a write counts when B has it; "
                "HTTP with gzip, no TLS")
    DRIVER = "pouch.mjs"
    MODULES = ("pouchdb-node", "express-pouchdb")
