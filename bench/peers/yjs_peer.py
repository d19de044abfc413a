"""Yjs: A is the server of y-websocket and writes, B is its client."""

from machines import Machines


class Yjs(Machines):
    NAME = "Yjs, y-websocket"
    SETTINGS = ("both take writes, into one document, in transactions of "
                "1,000; kept in leveldb at both later, not synced; a write "
                "counts when B has it, not kept; no TLS")
    DRIVER = "yjs.mjs"
    MODULES = ("yjs", "y-websocket", "@y/websocket-server", "y-leveldb")
