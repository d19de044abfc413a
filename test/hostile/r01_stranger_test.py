#!/usr/bin/python3
"""R1: who is no member gets no byte of the protocol, and little else."""

import socket
import ssl
import sys
import time

import peer
from peer import node, tap


def _ends(sock, patience=peer.PATIENCE):
    """All that came before the end of a bare connection."""
    sock.settimeout(patience)
    got = b""
    try:
        while True:
            data = sock.recv(65536)
            if not data:
                return got
            got += data
    except (ConnectionError, ssl.SSLError):
        return got


def _gets_nothing(identity, alpn=peer.MEMBER):
    victim = peer.scene().victim
    try:
        s = peer.context(identity, alpn).wrap_socket(
            peer.tcp(peer.address(victim)))
    except (ssl.SSLError, ConnectionError):
        return
    # A client of TLS 1.3 is done before the server has judged it.
    tap.equal(_ends(s), b"", "what a stranger was sent")


def a_stranger_with_a_key_gets_no_byte():
    with peer.scene().unharmed():
        _gets_nothing(peer.Identity.fresh())


def a_stranger_without_a_key_gets_no_byte():
    with peer.scene().unharmed():
        _gets_nothing(None)


def another_kind_of_key_is_no_device():
    with peer.scene().unharmed():
        _gets_nothing(peer.Identity.curve())


def nobody_is_at_the_door_while_no_code_is_open():
    with peer.scene().unharmed():
        _gets_nothing(peer.Identity.fresh(), peer.PAIRING)


def plain_text_is_closed():
    """What begins as HTTP does is told that it is none."""
    with peer.scene().unharmed():
        for first, answer in ((b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 400 "),
                              (b"SSH-2.0\r\n\r\n", b"HTTP/1.1 400 "),
                              (b"\0\0\0\2{}", b"")):
            with peer.tcp(peer.address(peer.scene().victim)) as s:
                s.sendall(first)
                told = _ends(s)
                tap.equal(told[:len(answer)], answer, "to %r" % first)
                tap.equal(bool(told), bool(answer), "to %r" % first)


def silent_ones_are_few_and_wait_five_seconds():
    """The members' connections stay."""
    scene = peer.scene()
    at = peer.address(scene.victim)
    with scene.unharmed():
        started = time.monotonic()
        idle = [peer.tcp(at, "127.0.0.2") for _ in range(16)]
        node.wait_for("sixteen are at the door",
                      lambda: scene.victim.status()["half_open"] == 16)
        scene.synced()
        for s in idle:
            tap.equal(_ends(s, 15), b"", "what the silent get")
            s.close()
        took = time.monotonic() - started
        tap.check(4 < took < 15, "they were closed after %.1f s" % took)


def silent_ones_make_room_for_the_next():
    """Sixteen of an address, sixty-four in all: who was first goes, so that
    who has something to say is not kept out."""
    scene = peer.scene()
    at = peer.address(scene.victim)
    with scene.unharmed():
        started = time.monotonic()
        idle = [peer.tcp(at, "127.0.0.2") for _ in range(20)]
        for s in idle[:4]:
            tap.equal(_ends(s, 3), b"", "what the first get")
        others = [peer.tcp(at, "127.0.2.%d" % (i // 8 + 1)) for i in range(80)]
        for s in idle[4:12]:
            tap.equal(_ends(s, 3), b"", "what the next get")
        tap.check(time.monotonic() < started + 4, "they were let wait")
        tap.check(scene.victim.status()["half_open"] <= 64, "too many")
        for s in idle + others:
            s.close()


def a_door_holds_thirty_two():
    """And as many wait for their places: twelve of an address, if there are
    so many."""
    scene = peer.scene()
    at = peer.address(scene.victim)

    def begins(host):
        s = peer.tcp(at, host)
        s.sendall(b"\x16\x03\x01")
        return s

    def half_open(n):
        node.wait_for("%d are at the door" % n,
                      lambda: scene.victim.status()["half_open"] == n, 4)

    with scene.unharmed():
        same = [begins("127.0.0.4") for _ in range(20)]
        half_open(12)
        for s in same:
            s.close()
        half_open(0)
        crowd = [begins("127.0.1.%d" % (i // 4 + 1)) for i in range(100)]
        half_open(64)
        scene.synced()
        for s in crowd:
            s.close()


def a_handshake_takes_no_more_than_64_kib():
    scene = peer.scene()
    with scene.unharmed(), peer.tcp(peer.address(scene.victim)) as s:
        sent = 0
        # A hello that is as long as TLS allows, a byte a record.
        begin = b"\x16\x03\x01\x00\x04" + b"\x01\x00\xff\xff"
        rest = b"\x16\x03\x01\x00\x01x" * 1000
        s.sendall(begin)
        try:
            while sent < 300000:
                s.sendall(rest)
                sent += len(rest)
                time.sleep(0.01)
        except ConnectionError:
            pass
        tap.check(sent <= 128 << 10, "it took %d KiB" % (sent >> 10))


def many_calls_are_slowed_down():
    """Beyond twenty a second of one address, none gets to a handshake."""
    scene = peer.scene()
    at = peer.address(scene.victim)
    with scene.unharmed():
        before = scene.victim.status()["hasty"]
        for _ in range(15):
            calls = [peer.tcp(at, "127.0.0.3") for _ in range(10)]
            for s in calls:
                s.sendall(b"x")
            for s in calls:
                _ends(s)
                s.close()
        hasty = scene.victim.status()["hasty"] - before
        tap.check(hasty > 30, "only %d of 150 were turned away" % hasty)


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
