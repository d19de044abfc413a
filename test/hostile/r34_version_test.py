#!/usr/bin/python3
"""R34: another version is told so, and nothing of it is half applied."""

import sys

import peer
from peer import tap, varint, lot


def another_version_of_the_protocol():
    scene = peer.scene()
    for version in (0, 1, peer.VERSION - 1, peer.VERSION + 1, 1 << 20):
        with scene.unharmed(), scene.peer(hello=False) as p:
            p.hello(version=version)
            p.batch([p.row(b"half", [(b"/a", b"1")], 1)],
                    mark={p.replica: 1})
            how = p.ends()
            tap.equal(how.code, peer.EVERSION, "BYE")
            tap.holds(how.text, "version", "update")
        tap.equal(scene.victim.get("half"), None, "what came after it")


def an_unknown_flag_of_a_batch():
    """Nor are the rows before it taken."""
    scene = peer.scene()
    scene.breaks(lambda p: p.batch(
        [p.row(b"half", [(b"/a", b"1")], 1)], flags=0x80))
    tap.equal(scene.victim.get("half"), None, "what came with it")


def an_unknown_stage_of_a_bootstrap():
    peer.scene().breaks(lambda p: p.frame(
        peer.BOOTSTRAP, p.token() + b"\7" + varint(0)))


def a_batch_that_is_wrong_at_its_end():
    """All of it or nothing."""
    scene = peer.scene()

    def send(p):
        good = p.row(b"half", [(b"/a", b"1")], 1)
        p.batch([good, (b"other", good[1][:-1])], mark={p.replica: 1})
    scene.breaks(send)
    tap.equal(scene.victim.get("half"), None, "the first row")


def a_joiner_of_another_version():
    """The door says so, too."""
    scene = peer.scene()
    scene.honest.do("invite")
    with scene.unharmed():
        with peer.Peer(scene.honest, peer.Identity.fresh(), hello=False,
                       alpn=peer.PAIRING) as p:
            p.message(b"\1" + varint(99) + lot(b"x") * 8)
            p.socket.settimeout(peer.PATIENCE)
            head = p.socket.recv(4096)
            tap.check(head and head[4] != 2, "a welcome: %r" % head)


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
