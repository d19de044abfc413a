#!/usr/bin/python3
"""R30: lengths are looked at before memory is taken; what breaks the protocol
ends its own connection and nothing else."""

import os
import struct
import sys

import peer
from peer import tap, varint, lot

SPACE = "default"


def _closed(send):
    """send(peer) ends the connection, before silence would."""
    scene = peer.scene()
    with scene.unharmed(16 << 20), scene.peer() as p:
        send(p)
        p.ends(4)


def a_frame_of_four_gigabytes():
    _closed(lambda p: p.raw(struct.pack("<I", 0xffffffff) + b"x" * 100))


def a_frame_one_byte_too_long():
    _closed(lambda p: p.raw(
        struct.pack("<I", (1 << 20) + 1) + os.urandom(1 << 20)))


def a_frame_of_one_mebibyte_is_read():
    """Its length is fine; what is in it is not."""
    peer.scene().breaks(lambda p: p.message(
        (b"\x03\x02" + b"x" * (1 << 20))[:1 << 20]))


def an_empty_frame():
    peer.scene().breaks(lambda p: p.message(b""), peer.ESHORT)


def an_unknown_type():
    for kind in (0, 99, 255):
        peer.scene().breaks(lambda p, k=kind: p.frame(k, b""))


def a_varint_that_is_too_long():
    peer.scene().breaks(lambda p: p.message(b"\x05" + b"\xff" * 11))


def a_varint_that_is_not_minimal():
    peer.scene().breaks(lambda p: p.frame(peer.CREDIT, b"\x80\x00"))


def a_number_that_lacks_one():
    peer.scene().breaks(lambda p: p.frame(
        peer.PING, bytes(16), no=p.no + 2), says="missing")


def a_number_seen_before_is_passed_over():
    scene = peer.scene()
    with scene.unharmed(), scene.peer() as p:
        p.frame(peer.CREDIT, varint(1 << 30), no=1)  # it would be refused
        p.lives()


def a_frame_before_hello():
    scene = peer.scene()
    with scene.unharmed():
        with scene.peer(hello=False) as p:
            p.subscribe()
            tap.equal(p.ends().code, peer.EMALFORMED, "BYE")


def a_second_hello():
    peer.scene().breaks(lambda p: p.hello())


def another_meshs_hello():
    scene = peer.scene()
    with scene.unharmed(), scene.peer(hello=False) as p:
        p.hello(mesh=os.urandom(16))
        tap.equal(p.ends().code, peer.EDENIED, "BYE")


def a_replica_of_somebody_else():
    scene = peer.scene()
    with scene.unharmed(), scene.peer(hello=False) as p:
        p.hello(replica=os.urandom(16))
        tap.equal(p.ends().code, peer.EMALFORMED, "BYE")


def rows_longer_than_their_frame():
    def send(p):
        p.frame(peer.BATCH, p.token() + b"\0\0" + varint(1) +
                varint(1 << 40) + b"x")
    peer.scene().breaks(send, peer.ESHORT)


def more_rows_than_bytes():
    def send(p):
        p.frame(peer.BATCH, p.token() + b"\0\0" + varint(1 << 20) + lot(b"") +
                varint(0) + lot(b"") + varint(0))
    peer.scene().breaks(send)


def a_vector_longer_than_its_frame():
    peer.scene().breaks(lambda p: p.frame(
        peer.SUBSCRIBE, p.token() + varint(32000) + b"x" * 40), peer.ESHORT)


def a_vector_of_more_than_any():
    peer.scene().breaks(lambda p: p.frame(
        peer.SUBSCRIBE, p.token() + varint(1 << 60) + b"x" * 40))


def a_vector_out_of_order():
    def send(p):
        p.frame(peer.ACK, p.token() + p.identity.device + peer.vector(
            [(b"\2" * 16, 1), (b"\1" * 16, 1)]))
    peer.scene().breaks(send)


def an_item_of_a_million_cells_in_ten_bytes():
    """Counts that the bytes cannot hold take no memory."""
    def send(p):
        item = (varint(1) + varint(1) + peer.vector({p.replica: 1}) +
                varint(0) + varint(1000000))
        p.batch([(b"k", item)])
    peer.scene().breaks(send, growth=8 << 20)


def rows_of_the_wrong_shape():
    """Each differs from a good one in a point."""
    scene = peer.scene()

    def good(p):
        return peer.Row(p.replica, 1, [(b"/a", b"1")])

    def cut(p):
        return good(p).encode()[:-1]

    def longer(p):
        return good(p).encode() + b"\0"

    def of_length_zero(p):
        row = good(p)
        row.length = 0
        return row.encode()

    def dead_with_cells(p):
        row = good(p)
        row.length = 2
        return row.encode()

    def unsorted(p):
        return peer.Row(p.replica, 1, [(b"/b", b"1"), (b"/a", b"1")]).encode()

    def no_pointer(p):
        return peer.Row(p.replica, 1, [(b"a", b"1")]).encode()

    def no_utf8(p):
        return peer.Row(p.replica, 1, [(b"/\xff", b"1")]).encode()

    def too_deep(p):
        return peer.Row(p.replica, 1, [(b"/a" * 65, b"1")]).encode()

    def too_far(p):
        return peer.Row(p.replica, 1 << 63, [(b"/a", b"1")],
                        context={p.replica: 1 << 63}).encode()

    with scene.unharmed():
        for shape in (cut, longer, of_length_zero, dead_with_cells, unsorted,
                      no_pointer, no_utf8, too_deep, too_far):
            with scene.peer() as p:
                p.batch([(b"shape", shape(p))])
                how = p.ends()
                tap.check(how.code in (peer.EMALFORMED, peer.ESHORT),
                          "%s: %s" % (shape.__name__, how))
    tap.equal(scene.victim.get("shape"), None, "what came of it")


def a_key_that_is_too_long_or_empty():
    for key in (b"k" * 1025, b"", b"\xff"):
        peer.scene().breaks(lambda p, k=key: p.batch([p.row(
            k, [(b"/a", b"1")], 1)]))


def fragments_of_more_than_is_allowed():
    peer.scene().breaks(lambda p: p.fragment(1, (384 << 20) + 1, 0, b"x"))


def fragments_that_do_not_follow():
    def send(p):
        p.fragment(1, 1000, 0, b"x" * 10)
        p.fragment(1, 1000, 20, b"x" * 10)
    peer.scene().breaks(send)


def fragments_of_nothing():
    def send(p):
        p.fragment(1, 1000, 0, b"")
    peer.scene().breaks(send)


def fragments_without_end():
    """A transfer after the other, none complete: one is kept at a time, and
    none of a space that is not there."""
    scene = peer.scene()
    with scene.unharmed(24 << 20), scene.peer() as p:
        data = os.urandom(512 << 10)
        for transfer in range(1, 60):
            p.fragment(transfer, 60 << 20, 0, data)
        for i in range(60):
            p.fragment(1000, 60 << 20, i * len(data), data, "nowhere")
        p.lives()


def credit_for_what_was_not_sent():
    peer.scene().breaks(lambda p: p.frame(peer.CREDIT, varint(1 << 30)))


def questions_without_end():
    """An honest asker waits for answers, and asks with keys."""
    def send(p):
        for i in range(200):
            p.frame(peer.ASK, varint(i) + p.token() + lot(b"") + lot(b""))
    scene = peer.scene()
    with scene.unharmed(), scene.peer() as p:
        send(p)
        try:
            p.lives()
        except peer.Gone as how:
            tap.equal(how.code, peer.ELIMIT, "BYE")
    peer.scene().breaks(lambda p: p.frame(
        peer.ASK, varint(1) + p.token() + lot(b"") + lot(b"x" * 5000)))


def subscriptions_without_end():
    """To spaces that are not there: a mebibyte of them is kept."""
    def send(p):
        have = {b"%016d" % i: 1 for i in range(3000)}
        for i in range(100):
            p.subscribe("made-up-%d" % i, have)
    peer.scene().breaks(send, peer.ELIMIT, growth=16 << 20)


def vectors_in_every_space_are_counted():
    """Memory for one peer has a ceiling."""
    with peer.node.World() as world:
        scene = peer.Scene(world, peer.NO_PAUSE + (
            "--limits.memory", "4MiB"))
        have = {b"%016d" % i: 1 for i in range(30000)}
        scene.breaks(lambda p: [p.subscribe(s, have) for s in (
            "default", "config", "_mesh")], peer.ELIMIT)


def a_cursor_beyond_the_end_is_not_believed_twice():
    """Whoever knows more of us than we do makes us a new replica, once."""
    with peer.node.World() as world:
        scene = peer.Scene(world)
        before = scene.victim.replica()
        with scene.peer() as p:
            p.subscribe(cursor=1 << 40)
            p.ends()
        peer.node.wait_for("a new replica",
                           lambda: scene.victim.replica() != before)
        after = scene.victim.replica()
        scene.synced(20)
        for lie in ({"cursor": 1 << 40},
                    {"have": {bytes.fromhex(after): 1 << 40}}):
            scene.breaks(lambda p, x=lie: p.subscribe(**x), peer.EDENIED)
        scene.breaks(lambda p: p.batch(mark={bytes.fromhex(after): 1 << 40}),
                     peer.EDENIED)
        tap.equal(scene.victim.replica(), after, "replica")


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
