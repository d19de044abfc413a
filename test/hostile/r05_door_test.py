#!/usr/bin/python3
"""R5: at the door stands one stranger at a time, for a short while, and three
wrong proofs void all open codes."""

import os
import sys

import peer
from peer import node, tap, varint, lot

REFUSE = 3
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


def a_second_stranger_is_sent_away():
    """While the first one says nothing. It does not stand there for ever."""
    with node.World() as world:
        a, b = world.nodes("a", "b")
        code = a.do("invite").strip()
        with _stranger(a) as first, _stranger(a) as second:
            first.message(b"")
            second.message(b"")
            for p in (first, second):
                p.socket.settimeout(peer.PATIENCE)
                p.socket.recv(4096)
        b.do("join", code)
        tap.equal(b.status()["mesh"], a.status()["mesh"], "mesh")


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
