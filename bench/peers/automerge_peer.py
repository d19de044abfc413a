"""Automerge-repo: A is a server of WebSockets and writes, B is its client."""

from machines import Machines


class Automerge(Machines):
    NAME = "Automerge-repo"
    SETTINGS = ("both take writes, into one document with all its history, in "
                "changes of 100; the other is told every 100 ms, files are "
                "written every 100 ms, not synced; a write counts when B has "
                "it, not kept; no TLS")
    DRIVER = "automerge.mjs"
    BATCH = 100  # who lacks a third of all changes is sent the whole document
    MODULES = ("@automerge/automerge-repo",
               "@automerge/automerge-repo-network-websocket",
               "@automerge/automerge-repo-storage-nodefs")
