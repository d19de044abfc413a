#!/usr/bin/python3
"""An iSync node, by the rules of the older system and nothing else: a process
of its own that is told what to do by lines of JSON on its standard input and
answers with lines of JSON. It is a Flask-SocketIO-like server, a client of
others, or both, over python-socketio; it merges registers of which the last
write wins and deletions that never go away, and seals by Fernet as the pages of
that system say. kind: `server` says its state in clear, `sealed` (the client
that iControl has) says it sealed and reads nothing else, `plain` says and reads
records, `union` says and reads all of it."""

import asyncio
import base64
import hashlib
import json
import os
import sys
import time

import socketio
from aiohttp import web
from cryptography.fernet import Fernet, InvalidToken

from isync_state import State


def cipher_of(token):
    return Fernet(base64.urlsafe_b64encode(
        hashlib.sha256(token.encode()).digest()))


class Node:
    def __init__(self, options):
        self.node_id = options["node_id"]
        self.kind = options.get("kind", "union")
        self.token = options.get("token") or ""
        self.interval = options.get("interval", 1.0)
        self.eager = options.get("eager", True)
        self.state = State(self.node_id)
        self.peers = {}     # of callers: sid -> node
        self.clients = []   # those that we have made
        self.servers = {}   # client -> who the other side is
        self.heard = []     # what came, in few words
        self.held = {}      # what cannot be read, by its source
        self.runner = None
        self.sio = None

    # ---- packets ----

    def packet(self):
        now = time.time()
        out = {"source_node": self.node_id, "source_type": "iSync",
               "timestamp": now}
        if self.kind in ("sealed", "plain"):
            out["source_type"] = "iControl"
        if self.kind != "server":
            out["_encrypted"] = True
        if self.kind in ("sealed", "union") and self.token:
            plain = json.dumps(self.state.json(), ensure_ascii=False)
            sealed = cipher_of(self.token).encrypt(plain.encode())
            out["encrypted_data"] = base64.b64encode(sealed).decode()
        if self.kind in ("server", "union"):
            out["data"] = self.state.json()
        if self.kind == "union":
            out["data"] = dict(out["data"], config=self.state.records())
        if self.kind == "plain":
            out["data"] = {"config": self.state.records()}
        return out

    def take(self, packet):
        words = {"source": packet.get("source_node"),
                 "clear": "data" in packet,
                 "sealed": "encrypted_data" in packet, "read": False}
        self.heard.append(words)
        if packet.get("source_node") == self.node_id:
            return False
        changed = False
        data = packet.get("data")
        if self.kind in ("server", "union") and isinstance(data, dict) and \
                "lww_registers" in data:
            words["read"] = True
            changed = self.state.merge(data)
        elif self.kind in ("plain", "union") and isinstance(data, dict) and \
                packet.get("_encrypted") and "config" in data:
            words["read"] = True
            for record, fields in data["config"].items():
                for field, value in fields.items():
                    changed = self.state.take(
                        "config.%s.%s" % (record, field),
                        {"node_id": packet["source_node"], "value": value,
                         "timestamp": packet["timestamp"]}) or changed
        if self.kind in ("sealed", "union") and packet.get("_encrypted") and \
                packet.get("encrypted_data"):
            try:
                plain = cipher_of(self.token).decrypt(
                    base64.b64decode(packet["encrypted_data"]))
            except InvalidToken:
                self.held[packet["source_node"]] = packet
                return changed
            words["read"] = True
            changed = self.state.merge(json.loads(plain)) or changed
        return changed

    # ---- saying ----

    async def push(self):
        packet = self.packet()
        for sid in list(self.peers):
            await self.sio.emit("sync_data", packet, to=sid)
        for client in self.clients:
            if client.connected and client in self.servers:
                await client.emit("sync_data", packet)

    async def push_later(self, seconds):
        await asyncio.sleep(seconds)
        await self.push()

    async def every_interval(self):
        while True:
            await asyncio.sleep(self.interval)
            await self.push()

    def later(self, seconds):
        asyncio.ensure_future(self.push_later(seconds))

    # ---- as a server ----

    def make_server(self):
        sio = self.sio = socketio.AsyncServer(
            async_mode="aiohttp", cors_allowed_origins="*")

        @sio.event
        async def connect(sid, _environ):
            await sio.emit("node_info", {"node_id": self.node_id}, to=sid)

        @sio.event
        async def disconnect(sid):
            self.peers.pop(sid, None)

        @sio.on("peer_handshake")
        async def peer_handshake(sid, data):
            node = data.get("node_id")
            if not node or node == self.node_id:
                return
            self.peers = {k: v for k, v in self.peers.items() if v != node}
            self.peers[sid] = node
            await sio.emit("handshake_response", {
                "node_id": self.node_id, "status": "accepted"}, to=sid)
            self.later(1.0)

        @sio.on("sync_data")
        async def sync_data(_sid, packet):
            if self.take(packet) and self.eager:
                await self.push()

        @sio.on("request_sync")
        async def request_sync(_sid):
            await self.push()

    async def serve(self, port=0):
        self.make_server()
        app = web.Application()
        self.sio.attach(app)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        site = web.TCPSite(
            self.runner, "127.0.0.1", port, shutdown_timeout=0.2)
        await site.start()
        return self.runner.addresses[0][1]

    # ---- as a client ----

    async def dial(self, url, transports=None):
        client = socketio.AsyncClient(
            reconnection=True, reconnection_delay=0.2,
            reconnection_delay_max=1)

        @client.event
        async def connect():
            await client.emit("peer_handshake", {"node_id": self.node_id})

        @client.on("handshake_response")
        async def handshake_response(data):
            if data["status"] == "accepted":
                self.servers[client] = data["node_id"]
                self.later(0.1 if self.eager else 2.0)

        @client.on("sync_data")
        async def sync_data(packet):
            if self.take(packet) and self.eager:
                await self.push()

        @client.event
        async def disconnect():
            self.servers.pop(client, None)

        await client.connect(url, transports=transports)
        self.clients.append(client)
        return client.transport()

    async def cut(self):
        for client in self.clients:
            await client.disconnect()
        self.clients, self.servers = [], {}
        if self.runner is not None:
            for sid in list(self.peers):
                await self.sio.disconnect(sid)
            await self.runner.cleanup()
            self.runner, self.peers = None, {}

    # ---- what it is told ----

    async def do(self, what, args):
        if what == "serve":
            return await self.serve(**args)
        if what == "dial":
            return await self.dial(**args)
        if what == "ask":
            for client in self.clients:
                await client.emit("request_sync")
            return True
        if what == "cut":
            return await self.cut()
        if what == "push":
            return await self.push()
        if what == "put":
            done = [self.state.put(key, value, args.get("stamp"))
                    for key, value in args["values"].items()]
            if self.eager:
                await self.push()
            return done
        if what == "del":
            for key in args["keys"]:
                self.state.delete(key)
            if self.eager:
                await self.push()
            return True
        if what == "values":
            return {key: r["value"] for key, r in self.state.registers.items()}
        if what == "state":
            return self.state.json()
        if what == "links":
            return sorted(list(self.peers.values()) +
                          list(self.servers.values()))
        if what == "token":
            self.token = args["token"]
            return True
        if what == "say":
            for sid in list(self.peers):
                await self.sio.emit("sync_data", args["packet"], to=sid)
            return len(self.peers)
        if what == "held":
            return self.held
        if what == "heard":
            heard, self.heard = self.heard, []
            return heard
        raise ValueError("%s: what is that?" % what)


async def main():
    node = Node(json.loads(sys.argv[1]))
    loop = asyncio.get_running_loop()
    asyncio.ensure_future(node.every_interval())
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line:
            break
        args = json.loads(line)
        what = args.pop("do")
        try:
            answer = {"ok": await node.do(what, args)}
        except Exception as why:  # the test tells of it
            answer = {"error": "%s: %s" % (type(why).__name__, why)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    sys.stdout.flush()
    os._exit(0)  # whoever hangs on a connection is not waited for


if __name__ == "__main__":
    asyncio.run(main())
