"""A caller at the port of iSync that says whatever it is told, by a WebSocket
that is made by hand; and what others wait for meanwhile."""

import base64
import json
import os
import socket
import struct
import sys
import threading
import time

from isync_node import cipher_of
from isync_scene import TOKEN
from node import Control

PATH = "/socket.io/?EIO=4&transport=websocket"
HEAD = ("GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


def without_long(names, *long):
    """Tests of a module; those that take long only by night, or by name."""
    if os.environ.get("SYNCLINE_WHOLE") == "1":
        long = ()
    return {k: v for k, v in names.items()
            if k not in long or any(part in k for part in sys.argv[1:])}


def sealed(text, source="raw", token=TOKEN, stamp=None):
    return {"_encrypted": True, "source_node": source,
            "source_type": "iControl",
            "timestamp": time.time() if stamp is None else stamp,
            "encrypted_data": base64.b64encode(
                cipher_of(token).encrypt(text.encode())).decode()}


def state(registers, node="raw", clock=None, deleted=()):
    return {"node_id": node, "vector_clock": clock or {node: 1},
            "lww_registers": registers,
            "deleted_keys": {"elements": list(deleted)}}


def sealed_state(registers, **more):
    return sealed(json.dumps(state(registers, **more)))


def register(value, stamp=None, node="raw"):
    return {"node_id": node, "value": value,
            "timestamp": time.time() if stamp is None else stamp}


class Raw:
    """Connected, and a peer if it has a name."""

    def __init__(self, port, node_id="raw", source="127.0.0.1", path=PATH):
        self.socket = socket.create_connection(
            ("127.0.0.1", port), 30, (source, 0))
        try:
            self.socket.sendall((HEAD % path).encode())
            head = b""
            while b"\r\n\r\n" not in head:
                more = self.socket.recv(1)
                if not more:
                    raise ConnectionError("no answer: %r" % head)
                head += more
            if b" 101" not in head[:20]:
                raise ConnectionError(head.decode())
            self.send("40")
            if node_id:
                self.event("peer_handshake", {"node_id": node_id})
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, text, op=1):
        data = text if isinstance(text, bytes) else text.encode()
        head = bytes([0x80 | op])
        if len(data) < 126:
            head += bytes([0x80 | len(data)])
        elif len(data) < 1 << 16:
            head += b"\xfe" + struct.pack(">H", len(data))
        else:
            head += b"\xff" + struct.pack(">Q", len(data))
        self.socket.sendall(head + b"\0\0\0\0" + data)

    def event(self, name, *args):
        self.send("42" + json.dumps([name] + list(args),
                                    separators=(",", ":")))

    def say(self, packet):
        self.event("sync_data", packet)

    def _take(self, n):
        data = b""
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            if not more:
                raise ConnectionError("it is closed")
            data += more
        return data

    def hear(self):
        """The next frame: its kind and what is in it."""
        head = self._take(2)
        n = head[1] & 127
        if n >= 126:
            n = int.from_bytes(self._take(2 if n == 126 else 8), "big")
        return head[0] & 15, self._take(n)

    def stays(self):
        """Answers pings, and passes over all else, beside the test."""
        def run():
            try:
                while True:
                    op, data = self.hear()
                    if data == b"2":
                        self.send("3")
                    elif op == 9:
                        self.send(data, 10)
            except OSError:
                pass
        threading.Thread(target=run, daemon=True).start()
        return self


class Writer:
    """Somebody who writes here, all the while; and how long it took him."""

    def __init__(self, node):
        self.node, self.is_over, self.times = node, False, []
        self.why = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        try:
            with Control(self.node.dir) as control:
                while not self.is_over:
                    began = time.monotonic()
                    control.call("put", space="default", key="written",
                                 value=len(self.times))
                    self.times.append(time.monotonic() - began)
                    time.sleep(0.01)
        except Exception as why:  # the test tells of it
            self.why = why

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.thread.join(60)
        if self.why is not None:
            raise self.why

    def worst(self):
        return max(self.times)
