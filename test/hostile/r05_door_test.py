#!/usr/bin/python3
"""R5: at the door stands one stranger at a time, for a short while, and three
wrong proofs void all open codes."""

import os
import ssl
import sys
import time

import peer
from peer import node, tap, varint, lot

REFUSE, NONCE = 3, 5
WRONG, SPOILED, BUSY = 1, 4, 7


def _join(p):
    """A proof that is none: the reason for which it is refused."""
    p.message(b"\1\1" + os.urandom(32) + lot(b"foe") + varint(0))
    p.socket.settimeout(peer.PATIENCE)
    data = p.socket.recv(4096)
    tap.check(len(data) > 6, "no answer")
    tap.equal(data[4], REFUSE, "kind of answer")
    return data[6]


def _stranger(daemon):
    return peer.Peer(daemon, peer.Identity.fresh(), hello=False,
                     alpn=peer.PAIRING)


def three_wrong_proofs_void_a_code():
    with node.World() as world:
        a, b = world.nodes("a", "b")
        code = a.do("invite").strip()
        for last in (False, False, True):
            with _stranger(a) as p:
                tap.check(_join(p) in ((WRONG, SPOILED) if last else (WRONG,)),
                          "another reason")
            node.wait_for("the door is free", lambda:
                          a.status()["half_open"] == 0)
        b.refuses("join", code)
        fresh = a.do("invite").strip()
        b.do("join", fresh)


def _ask(p, name=b"foe"):
    """Without a code: the kind of the answer, and a reason."""
    p.message(b"\4\1" + os.urandom(32) + lot(name) + varint(0))
    p.socket.settimeout(peer.PATIENCE)
    data = p.socket.recv(4096)
    tap.check(len(data) > 6, "no answer")
    return data[4], data[6]


def one_at_a_time():
    """Who has asked stands at the door; others are told so, with a code too,
    and members go on."""
    with node.World() as world:
        a, b = world.nodes("a", "b")
        b.joins(a)
        a.do("invite")
        a.do("pending", "--open", "1m")
        with _stranger(a) as first:
            tap.equal(_ask(first)[0], NONCE, "answer")
            with _stranger(a) as second:
                tap.equal(_ask(second), (REFUSE, BUSY), "answer")
            with _stranger(a) as third:
                tap.equal(_join(third), BUSY, "reason")
            a.put("k", 1)
            b.waits_for("k", 1)
        node.wait_for("the door is free", lambda: not a.call(
            "pending")["pending"])


def three_asks_in_vain_shut_the_door():
    """A nonce that was not fixed before is a try, too."""
    with node.World() as world:
        a = world.node("a").start()
        a.do("pending", "--open", "5m")
        tries = 0

        def asks():
            with _stranger(a) as p:
                kind, reason = _ask(p)
                if kind == REFUSE:
                    return reason
                p.message(b"\6\1" + os.urandom(32))
                p.ends()
                return None
        deadline = time.monotonic() + peer.PATIENCE
        while a.call("pending")["open_s"] > 0:
            tap.check(time.monotonic() < deadline, "the door stays open")
            try:
                tries += asks() is None
            except (ssl.SSLError, ConnectionError):
                pass  # it calls too often
            tap.check(tries <= 3, "a fourth was let ask")
            time.sleep(0.1)
        tap.equal(tries, 3, "who was let ask")


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
