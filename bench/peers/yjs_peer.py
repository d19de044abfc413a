"""Yjs: A is the server of y-websocket and writes, B is its client."""

from machines import Machines


class Yjs(Machines):
    NAME = "Yjs, y-websocket"
    SETTINGS = ("both take writes, into one document; kept in leveldb at both "
                "after the fact, not synced; no acknowledgement: when B has "
                "it; no TLS")
    DRIVER = "yjs.mjs"
    MODULES = ("yjs", "y-websocket", "@y/websocket-server", "y-leveldb")
