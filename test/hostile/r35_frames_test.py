#!/usr/bin/python3
"""R35: a message of a WebSocket is of at most 64 frames, whatever they hold,
and of at most 1 MiB; who goes beyond is closed, and costs no more."""

import base64
import json
import os
import socket
import struct
import sys

import peer
import tap
from r07_web_test import Asker

TEXT, MORE, PING, PONG, CLOSE = 1, 0, 9, 10, 8
WATCH = json.dumps({"id": 7, "watch": {"space": "default", "from": "now"}})
FRAMES, BYTES = 64, 1 << 20
POLICY, LARGE = 1008, 1009


class Socket:
    """Frame by frame, and as many as one likes."""

    def __init__(self, scene):
        a = Asker(scene)
        self.s = socket.create_connection(a.at, 20)
        self.s.sendall(("GET /v1/socket HTTP/1.1\r\nHost: %s:%d\r\n"
                        "Authorization: Bearer %s\r\nConnection: Upgrade\r\n"
                        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: %s\r\n\r\n" % (
                            *a.at, a.token,
                            base64.b64encode(os.urandom(16)).decode())
                        ).encode())
        self.buffer = b""
        head = self._until(lambda: b"\r\n\r\n" in self.buffer)
        tap.check(head.startswith(b"HTTP/1.1 101"), "it is one: %r" % head)
        self.buffer = self.buffer.partition(b"\r\n\r\n")[2]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()

    def _until(self, there):
        while not there():
            try:
                piece = self.s.recv(65536)
            except ConnectionError:
                piece = b""
            if not piece:
                raise AssertionError("closed without a word: %r" % self.buffer)
            self.buffer += piece
        return self.buffer

    @staticmethod
    def frame(kind, data=b"", last=True):
        size = (bytes([0x80 | len(data)]) if len(data) < 126 else
                struct.pack(">BH", 0x80 | 126, len(data))
                if len(data) < 65536 else
                struct.pack(">BQ", 0x80 | 127, len(data)))
        return bytes([(0x80 if last else 0) | kind]) + size + bytes(4) + data

    def send(self, *frames):
        try:
            self.s.sendall(b"".join(frames))
        except ConnectionError:
            pass  # it is closed: what it said comes

    def read(self):
        """The next frame that comes: (kind, bytes)."""
        self._until(lambda: len(self.buffer) >= 2)
        n, at = self.buffer[1], 2
        if n == 126:
            self._until(lambda: len(self.buffer) >= 4)
            n, at = struct.unpack(">H", self.buffer[2:4])[0], 4
        self._until(lambda: len(self.buffer) >= at + n)
        kind, data = self.buffer[0] & 15, self.buffer[at:at + n]
        self.buffer = self.buffer[at + n:]
        return kind, data

    def answer(self):
        """Of the watch that was asked for."""
        kind, data = self.read()
        tap.equal(kind, TEXT, "a message: %r" % data)
        return json.loads(data)

    def closed(self):
        kind, data = self.read()
        while kind in (PONG, TEXT):
            kind, data = self.read()
        tap.equal(kind, CLOSE, "how it ends")
        return struct.unpack(">H", data[:2])[0]


def _pieces(text, n):
    """The message in n frames, all but the last of one byte or none."""
    text = text.encode()
    parts = [text[i:i + 1] for i in range(n - 1)]
    parts.append(text[n - 1:])
    return [Socket.frame(TEXT if i == 0 else MORE, part, i == n - 1)
            for i, part in enumerate(parts)]


def sixty_four_frames_are_a_message():
    scene = peer.scene()
    with scene.unharmed(), Socket(scene) as s:
        for again in range(3):  # it is counted for each message
            s.send(*_pieces(WATCH.replace("7", str(again)), FRAMES))
            tap.equal(s.answer()["id"], again, "the answer")


def one_more_is_too_many():
    scene = peer.scene()
    with scene.unharmed(), Socket(scene) as s:
        s.send(*_pieces(WATCH + " ", FRAMES + 1))
        tap.equal(s.closed(), POLICY, "the code")


def frames_of_nothing_are_counted_too():
    """They bring no byte, and cost their overhead all the same."""
    scene = peer.scene()
    with scene.unharmed(8 << 20), Socket(scene) as s:
        s.send(Socket.frame(TEXT, b"", False),
               *[Socket.frame(MORE, b"", False)] * 100000)
        tap.equal(s.closed(), POLICY, "the code")


def pings_between_them_are_none_of_them():
    scene = peer.scene()
    with scene.unharmed(), Socket(scene) as s:
        for part in _pieces(WATCH, FRAMES):
            s.send(part, Socket.frame(PING, b"p"))
        kinds = [s.read()[0] for _ in range(FRAMES)]
        tap.check(set(kinds) <= {PONG, TEXT}, "what comes: %r" % kinds)


def a_message_larger_than_a_mebibyte():
    """In one frame that says so, of which no more is read; or little by
    little."""
    scene = peer.scene()
    with scene.unharmed(8 << 20):
        with Socket(scene) as s:
            s.send(Socket.frame(TEXT, b" " * (BYTES + 1))[:20])
            tap.equal(s.closed(), LARGE, "at its head")
        with Socket(scene) as s:
            s.send(Socket.frame(TEXT, b" " * (BYTES // 2), False),
                   Socket.frame(MORE, b" " * (BYTES // 2), False),
                   Socket.frame(MORE, b" "))
            tap.equal(s.closed(), LARGE, "in pieces")
        with Socket(scene) as s:
            s.send(Socket.frame(TEXT, WATCH.encode() +
                                b" " * (BYTES - len(WATCH))))
            tap.equal(s.answer()["id"], 7, "exactly as large")


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
