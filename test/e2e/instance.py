"""Config-sync instances as the older system has them, on Debian's
python3-websockets: a hub, which passes on, and a client, which keeps a
configuration. They follow the rules of the older programs: the hub answers
nobody, the client takes what is newer than its last sync, and either is strict
about the six members of a message."""

import asyncio
import hashlib
import json
import queue
import threading
import time

import websockets

MEMBERS = ("type", "timestamp", "instance_id", "config_hash")
DEFAULTS = {"config_data": None, "conflict_resolution": "last_write_wins"}
PATIENCE = 20
LIMIT = 4 << 20


def md5(config):
    return hashlib.md5(
        json.dumps(config, sort_keys=True).encode()).hexdigest()


def message(kind, who, config=None, at=None, digest=None):
    """One as they print it."""
    return json.dumps({
        "type": kind,
        "timestamp": time.time() if at is None else at,
        "instance_id": who,
        "config_hash": (md5(config) if config is not None else "")
        if digest is None else digest,
        "config_data": config,
        "conflict_resolution": "last_write_wins"})


def read(text):
    """What an original makes of a message; raises as it would."""
    if not isinstance(text, str):
        raise ValueError("not text")
    said = json.loads(text)
    strange = set(said) - set(MEMBERS) - set(DEFAULTS)
    if strange:
        raise TypeError("unexpected members: %s" % strange)
    for name in MEMBERS:
        if name not in said:
            raise TypeError("missing: %s" % name)
    return {name: said.get(name, DEFAULTS.get(name))
            for name in MEMBERS + tuple(DEFAULTS)}


class Loop:
    """An event loop on a thread of its own."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever,
                                       daemon=True)
        self.thread.start()

    def run(self, work, patience=PATIENCE):
        return asyncio.run_coroutine_threadsafe(
            work, self.loop).result(patience)

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE)
        self.loop.close()


class Client:
    """One that has connected. What it was sent waits in `heard`, in the words
    of the wire."""

    def __init__(self, loop, url, name, config=None, **options):
        self.loop, self.name, self.config = loop, name, config
        self.heard = queue.Queue()
        self.last_sync = 0
        self.broken = None
        self.socket = loop.run(self.connect(url, options))

    async def connect(self, url, options):
        socket = await websockets.connect(
            url, max_size=LIMIT, ping_interval=None,
            **dict({"compression": None}, **options))
        self.reader = asyncio.ensure_future(self.listen(socket))
        return socket

    async def listen(self, socket):
        try:
            async for text in socket:
                said = read(text)
                self.take(said)
                self.heard.put(text)
        except websockets.ConnectionClosed:
            pass
        except Exception as why:  # an original drops the connection
            self.broken = why
            await socket.close()

    def take(self, said):
        if said["type"] != "config_update" or not said["config_data"]:
            return
        if said["instance_id"] == self.name or not self.config:
            return
        if said["timestamp"] <= self.last_sync:
            return
        if md5(self.config) == said["config_hash"]:
            return
        self.config = said["config_data"]
        self.last_sync = time.time()

    def say(self, text):
        self.loop.run(self.socket.send(text))

    def change(self, config, at=None):
        """Somebody edits its file."""
        self.config = config
        self.say(message("config_update", self.name, config, at))

    def next(self, kind="config_update", patience=PATIENCE):
        """The next message of that kind, read."""
        end = time.monotonic() + patience
        while True:
            left = end - time.monotonic()
            try:
                said = json.loads(self.heard.get(timeout=max(left, 0.01)))
            except queue.Empty:
                raise AssertionError("%s was sent no %s (%r)" % (
                    self.name, kind, self.broken)) from None
            if said["type"] == kind:
                return said

    def raw(self, patience=PATIENCE):
        return self.heard.get(timeout=patience)

    def closed(self):
        """The code that the other has closed with, once it has."""
        self.loop.run(self.socket.wait_closed())
        return self.socket.close_code

    def close(self):
        self.loop.run(self.socket.close())


class Hub:
    """A server: it passes updates on to all other clients and says nothing
    itself."""

    def __init__(self, loop, port=0, **options):
        self.loop, self.options = loop, options
        self.greetings = []  # fields of those who came
        self.clients = set()
        self.seen = queue.Queue()
        self.server = loop.run(self.listen(port))
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = "ws://127.0.0.1:%d/sync" % self.port

    async def listen(self, port):
        return await websockets.serve(
            self.serve, "127.0.0.1", port, max_size=LIMIT,
            ping_interval=None, **dict({"compression": None}, **self.options))

    async def serve(self, socket, path):
        if path != "/sync":
            await socket.close(1008)
            return
        self.greetings.append(socket.request_headers)
        self.clients.add(socket)
        try:
            async for text in socket:
                try:
                    said = read(text)
                except (ValueError, TypeError):
                    continue
                self.seen.put(text)
                if said["type"] == "config_update":
                    for other in self.clients - {socket}:
                        await other.send(json.dumps(said))
        except websockets.ConnectionClosed:
            pass
        finally:
            self.clients.discard(socket)

    def next(self, kind, patience=PATIENCE):
        while True:
            try:
                said = json.loads(self.seen.get(timeout=patience))
            except queue.Empty:
                raise AssertionError("the hub heard no %s" % kind) from None
            if said["type"] == kind:
                return said

    def close(self):
        async def end():
            self.server.close()
            await self.server.wait_closed()
        self.loop.run(end())
