#!/usr/bin/python3
"""An iSync server as the older one is: Flask-SocketIO on eventlet, the events
of its page and no others, its state in clear and in memory.

usage: isync_flask.py PORT NODE_ID

GET /values tells its registers; POST /put sets some (JSON), POST /del deletes."""

import eventlet

eventlet.monkey_patch()

import sys  # noqa: E402
import time  # noqa: E402

from flask import Flask, jsonify, request  # noqa: E402
from flask_socketio import SocketIO, emit  # noqa: E402

from isync_state import State  # noqa: E402

port, state = int(sys.argv[1]), State(sys.argv[2])
app = Flask(__name__)
server = SocketIO(app, async_mode="eventlet", cors_allowed_origins="*",
                  max_http_buffer_size=1000000)
peers = {}


def push():
    for sid in list(peers):
        server.emit("sync_data", {
            "source_node": state.node_id, "source_type": "iSync",
            "timestamp": time.time(), "data": state.json()}, to=sid)


def push_later():
    server.sleep(1.0)
    push()


@server.on("connect")
def on_connect(auth=None):
    emit("node_info", {"node_id": state.node_id})


@server.on("disconnect")
def on_disconnect():
    peers.pop(request.sid, None)


@server.on("peer_handshake")
def on_handshake(data):
    node = data.get("node_id")
    if not node or node == state.node_id:
        return
    peers[request.sid] = node
    emit("handshake_response", {"node_id": state.node_id,
                                "status": "accepted"})
    server.start_background_task(push_later)


@server.on("sync_data")
def on_data(packet):
    if "data" in packet:
        state.merge(packet["data"])


@server.on("request_sync")
def on_request():
    push()


@app.get("/values")
def values():
    return jsonify({k: r["value"] for k, r in state.registers.items()})


@app.post("/put")
def put():
    for key, value in request.get_json().items():
        state.put(key, value)
    push()
    return ""


@app.post("/del")
def delete():
    for key in request.get_json():
        state.delete(key)
    push()
    return ""


server.run(app, host="127.0.0.1", port=port)
