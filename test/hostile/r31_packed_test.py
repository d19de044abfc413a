#!/usr/bin/python3
"""R31: what a few bytes could make large is refused, by HTTP and by WebSocket:
nothing that comes from others is decompressed but messages of config-sync
(config_sync_test.py), and nothing else in the program knows how."""

import base64
import os
import shutil
import socket
import struct
import subprocess
import sys
import zlib

import peer
import tap
from node import PROGRAM
from r07_web_test import ITEM, JSON, Asker

BOMB = zlib.compress(b'"' + b"x" * (64 << 20) + b'"', 9)
DEFLATE = "permessage-deflate; client_max_window_bits"


def a_body_that_is_packed_is_refused():
    """Before it is read, whatever it is packed with."""
    scene = peer.scene()
    a = Asker(scene)
    with scene.unharmed(8 << 20):
        for coding in ("gzip", "deflate", "br", "zstd", "x-gzip", "GZIP",
                       "identity, gzip", "gzip, gzip", "none-such"):
            r = a.ask("PUT", ITEM, a.token, body=BOMB, Content_Type=JSON,
                      Content_Encoding=coding)
            tap.equal(r.status, 415, coding)
            tap.equal(r.getheader("Accept-Encoding"), "identity",
                      "what may be sent")
        r = a.ask("PUT", ITEM, a.token, body=BOMB, Content_Type=JSON,
                  Transfer_Encoding="gzip, chunked")
        tap.check(r.status in (400, 501), "it is transferred so: %d" % r.status)
        tap.equal(a.ask("GET", ITEM, a.token).status, 404, "nothing written")
        r = a.ask("PUT", ITEM, a.token, body=b"1", Content_Type=JSON,
                  Content_Encoding="identity")
        tap.equal(r.status, 200, "as it is")
        tap.equal(a.ask("DELETE", ITEM, a.token).status, 200, "gone again")


def a_message_that_is_packed_is_refused():
    """No extension is agreed on; the bit that says packed ends it."""
    scene = peer.scene()
    a = Asker(scene)
    with scene.unharmed(8 << 20), socket.create_connection(a.at, 20) as s:
        s.sendall(("GET /v1/socket HTTP/1.1\r\nHost: %s:%d\r\n"
                   "Authorization: Bearer %s\r\nConnection: Upgrade\r\n"
                   "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Extensions: %s\r\nSec-WebSocket-Key: %s\r\n"
                   "\r\n" % (*a.at, a.token, DEFLATE,
                             base64.b64encode(os.urandom(16)).decode())
                   ).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += s.recv(1)
        tap.check(head.startswith(b"HTTP/1.1 101"), "it is one: %r" % head)
        tap.check(b"extensions" not in head.lower(), "nothing is agreed on")
        packed = BOMB[2:-4]
        s.sendall(struct.pack(">BBQ", 0xc1, 0x80 | 127, len(packed)) +
                  bytes(4) + packed)
        said = b""
        while True:
            try:
                piece = s.recv(65536)
            except ConnectionError:  # what it did not read
                break
            if not piece:
                break
            said += piece
        tap.equal(said[:4], b"\x88\x02" + struct.pack(">H", 1002),
                  "how it is closed")


def one_place_here_unpacks():
    """No other such function is called from a library."""
    if shutil.which("nm") is None:
        raise tap.Skip("nm is missing")
    names = subprocess.run(
        ["nm", "-D", "--undefined-only", PROGRAM], check=True,
        capture_output=True, text=True).stdout.lower()
    tap.check("ssl_read" in names, "it lists what is called: %r" % names[:99])
    calls = {line.split()[-1].split("@")[0] for line in names.splitlines()}
    tap.equal(sorted(c for c in calls if "inflate" in c),
              ["inflate", "inflateend", "inflateinit2_", "inflatereset"],
              "what bounded messages take (ws_deflate.c)")
    for word in ("uncompress", "decompress", "brotli", "zstd",
                 "lzma", "lz4", "bz2"):
        tap.check(word not in names, "it calls %s" % word)


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
