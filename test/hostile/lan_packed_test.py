#!/usr/bin/python3
"""Nodes of LAN sync that compress what they may not, or more than they may."""

import json
import sys
import time
import zlib

from lan_sync_test import Peer, Siege
from node import main
from tap import check, equal


def _in(p, offer):
    p.say("AUTH_REQUEST", {"token": p.handler.key.decode(), "syncline": offer})
    check(p.hear("AUTH_RESPONSE")["payload"]["success"], "in")


def _message(p, kind="SYNC_REQUEST"):
    return json.dumps(p.handler.make(kind, {"request_id": "r"})).encode()


def who_has_not_offered_it_is_told_that_it_is_no_message():
    """Before he is let in, too, though he will offer it."""
    with Siege() as s:
        for offer in (None, {}, {"deflate": False}, {"deflate": "true"},
                      {"challenge": True}, "deflate"):
            with Peer(s.port()) as p:
                p.send(zlib.compress(_message(p, "HEARTBEAT")))
                equal(p.error()[1], "decode_error", "before")
                _in(p, offer)
                p.send(zlib.compress(_message(p)))
                equal(p.error()[1], "decode_error", repr(offer))
                p.say("SYNC_REQUEST")
                p.hear("SYNC_RESPONSE")


def what_is_damaged_ends_it():
    with Siege() as s:
        for damage in (lambda z: z[:-1], lambda z: z + b"\0", lambda z: z + z,
                       lambda z: z[:-1] + bytes([z[-1] ^ 1]),
                       lambda z: b"x", lambda z: b"x\xbb" + z[2:]):
            with Peer(s.port()) as p:
                _in(p, {"deflate": True})
                p.send(zlib.compress(_message(p)))
                p.send(damage(zlib.compress(_message(p))))
                p.socket.settimeout(10)
                check(p.ends(), "it goes on")
        s.is_well()


def a_bomb_costs_nothing():
    """10,000 times as much as it is: neither memory nor time."""
    with Siege() as s:
        squeezer = zlib.compressobj(9)
        bomb = b"".join(squeezer.compress(b"\0" * (1 << 20))
                        for _ in range(1024)) + squeezer.flush()
        check(len(bomb) < 2 << 20, len(bomb))
        before, began = s.memory(), time.monotonic()
        for _ in range(20):
            with Peer(s.port()) as p:
                _in(p, {"deflate": True})
                p.send(bomb)
                p.socket.settimeout(10)
                check(p.ends(), "it goes on")
        s.is_well()
        check(s.memory() - before < 64 << 20, s.memory() - before)
        check(time.monotonic() - began < 30, "it takes long")


if __name__ == "__main__":
    sys.exit(main(globals()))
