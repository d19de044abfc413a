"""Automerge-repo: A is a server of WebSockets and writes, B is its client."""

from machines import Machines


class Automerge(Machines):
    NAME = "Automerge-repo"
    SETTINGS = ("both take writes, into one document that keeps its history; "
                "kept in files at both every 100 ms, not synced, and said to "
                "the other every 100 ms; no acknowledgement: when B has it; "
                "no TLS")
    DRIVER = "automerge.mjs"
    MODULES = ("@automerge/automerge-repo",
               "@automerge/automerge-repo-network-websocket",
               "@automerge/automerge-repo-storage-nodefs")
