#!/usr/bin/python3
"""A server as those of iSync are: Flask-SocketIO on eventlet, patched.

usage: socketio_flask.py PORT [UPGRADES]

UPGRADES 0: polling is all there is. It greets before it lets in (its handler of
`connect` emits), sends back `echo`, sends `n` bytes for `push`, answers `ask`
by an ack and throws out who says `leave`."""

import eventlet

eventlet.monkey_patch()

import sys  # noqa: E402

from flask import Flask, request  # noqa: E402
from flask_socketio import SocketIO, disconnect, emit  # noqa: E402

port = int(sys.argv[1])
upgrades = sys.argv[2:3] != ["0"]
app = Flask(__name__)
server = SocketIO(app, async_mode="eventlet", cors_allowed_origins="*",
                  allow_upgrades=upgrades, max_http_buffer_size=1000000)


@server.on("connect")
def on_connect(auth=None):
    emit("node_info", {"node_id": "flask"})


@server.on("echo")
def on_echo(*args):
    emit("echo", args)


@server.on("push")
def on_push(n):
    emit("pushed", "x" * n)


@server.on("want_ack")
def on_want_ack():
    emit("ask", {"q": 1}, callback=lambda *args: server.emit(
        "acked", list(args), to=request.sid))


@server.on("leave")
def on_leave():
    disconnect()


server.run(app, host="127.0.0.1", port=port)
