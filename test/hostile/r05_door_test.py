#!/usr/bin/python3
"""R5: at the door stands one stranger at a time, for a short while, and three
wrong proofs void all open codes."""

import os
import sys

import peer
from peer import node, tap, varint, lot

REFUSE, NONCE, REVEAL = 3, 5, 6
WRONG, SPOILED, BUSY, BROKEN = 1, 4, 7, 8


def _join(p):
    """A proof that is none: the reason for which it is refused."""
    p.message(b"\1" + peer.PAIR + os.urandom(32) + lot(b"foe") + varint(0))
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


# Without a code, while a person has opened the door.


def _told(p):
    """The next message, without its length; b"" when it is closed."""
    p.socket.settimeout(peer.PATIENCE)
    data = p.socket.recv(4096)
    return data[4:]


def _ask(p):
    """A commitment that is none, which nobody can see yet."""
    p.message(b"\4" + peer.PAIR + os.urandom(32) + lot(b"foe") + varint(0))
    return _told(p)


def _free(daemon):
    """Nobody is at the door, and the pause after the last one is over."""
    def asked():
        with _stranger(daemon) as p:
            return _ask(p)[:1] == bytes([NONCE])
    node.wait_for("the door is free", asked, pause=0.2)


def a_stranger_is_told_a_nonce_and_no_more():
    with node.World() as world:
        a, = world.nodes("a")
        a.put("secret", "of a")
        a.do("pending", "--open", "1m")
        with _stranger(a) as p:
            told = _ask(p)
            tap.equal((told[0], len(told)), (NONCE, 34), "what it is told")
            tap.equal(a.call("pending")["pending"], [], "before it reveals")
            p.message(b"\6" + peer.PAIR + os.urandom(32))
            tap.equal(tuple(_told(p)[:3:2]), (REFUSE, BROKEN),
                      "a nonce that it did not commit to")
        tap.equal(a.call("pending")["pending"], [])


def one_asks_at_a_time():
    with node.World() as world:
        a, = world.nodes("a")
        a.do("pending", "--open", "1m")
        with _stranger(a) as first, _stranger(a) as second:
            tap.equal(_ask(first)[0], NONCE)
            tap.equal(tuple(_ask(second)[:3:2]), (REFUSE, BUSY))


def the_third_who_asks_in_vain_shuts_the_door():
    with node.World() as world:
        a, b = world.nodes("a", "b")
        a.do("pending", "--open", "1m")
        for _ in range(3):
            _free(a)
        node.wait_for("the door is shut",
                      lambda: a.call("pending")["open_s"] == 0)
        # And no stranger is let through the handshake any more.
        try:
            with _stranger(a) as p:
                told = _ask(p)
        except OSError:
            told = b""
        tap.equal(told, b"", "what a stranger is told at a shut door")
        code = a.do("invite").strip()
        b.do("join", code)


def a_flood_of_askers_leaves_one_and_the_daemon_alone():
    with node.World() as world:
        a, = world.nodes("a")
        a.do("pending", "--open", "1m")
        with _stranger(a) as first:
            tap.equal(_ask(first)[0], NONCE)
            for _ in range(50):
                try:
                    with _stranger(a) as p:
                        tap.check(_ask(p)[:1] in (b"", bytes([REFUSE])),
                                  "a second one was heard")
                except OSError:
                    continue
        tap.equal(len(a.status()["peers"]), 0, "members")
        tap.equal(len(a.call("pending")["pending"]) <= 1, True)


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
