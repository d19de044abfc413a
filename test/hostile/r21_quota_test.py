#!/usr/bin/python3
"""R21: how much a member may bring, and a local writer write."""

import os
import sys

import peer
from peer import node, tap

CELL = b'"0123456789"'


def a_vector_takes_no_names_made_up():
    """Of devices that nobody knows, and of its own, no member brings so many
    that no room is left for others."""
    scene = peer.scene()

    def strange(p):
        p.batch(mark={os.urandom(16): 1 for _ in range(5000)})

    def own(p):
        p.batch(mark={p.identity.device[:8] + os.urandom(8): 1
                      for _ in range(5000)})

    def as_many_as_fit(p):
        p.batch(mark={os.urandom(16): 1 for _ in range(30000)})
    for lie in (strange, own, as_many_as_fit):
        scene.breaks(lie, peer.ELIMIT, "more than is allowed")
    tap.check(len(scene.victim.space()["vector"]) < 100, "they are in")


def some_of_unknown_devices_are_taken():
    """Its membership may be on its way still; but not again and again."""
    scene = peer.scene()
    with scene.unharmed():
        taken = 0
        for _ in range(6):
            with scene.peer() as p:
                p.batch(mark={os.urandom(16): 1 for _ in range(1000)})
                try:
                    p.lives()
                except peer.Gone as how:
                    tap.equal(how.code, peer.ELIMIT, "BYE")
                else:
                    taken += 1
        tap.equal(taken, 4, "thousands taken")


def who_has_no_room_can_still_write():
    """After all that a new space can be written to at once."""
    scene = peer.scene()
    scene.victim.call("space_add", name="after")
    scene.victim.put("k", 1, space="after")
    scene.honest.waits_for("k", 1, space="after")


def a_change_of_too_many_cells():
    """As it is for a writer, so for a row."""
    scene = peer.scene()

    def row(p, n):
        cells = sorted((b"/%06d" % i, b"1") for i in range(n))
        return p.row(b"cells-%d" % n, cells, 1)
    scene.breaks(lambda p: p.batch([row(p, 10001)]))
    with scene.unharmed(), scene.peer() as p:
        p.batch([row(p, 10000)], mark={p.replica: 1})
        p.lives()
    tap.equal(len(scene.victim.get("cells-10000")), 10000, "cells")


def a_value_of_too_many_bytes():
    """16 MiB for a value, and for all that one change puts into an item."""
    scene = peer.scene()

    def send(p, values):
        cells = [(b"/%d" % i, b'"' + b"x" * n + b'"')
                 for i, n in enumerate(values)]
        row = peer.Row(p.replica, 1, cells).encode()
        whole = b"\0" + peer.lot(b"large") + peer.lot(row)
        for at in range(0, len(whole), 1 << 19):
            p.fragment(1, len(whole), at, whole[at:at + (1 << 19)])
    scene.breaks(lambda p: send(p, [(16 << 20) + 10]), growth=160 << 20)
    scene.breaks(lambda p: send(p, [9 << 20, 9 << 20]), growth=160 << 20)
    tap.equal(scene.victim.get("large"), None, "what came of it")


def spaces_made_up_are_not_opened():
    """Names that are none, and more than a thousand."""
    scene = peer.scene()
    with scene.unharmed(96 << 20), scene.peer() as p:
        p.await_frame(peer.SUBSCRIBE)
        names = [b"space/-odd name", b"space/" + b"x" * 900, b"space/"]
        names += [b"space/made-%04d" % i for i in range(1500)]
        for first in range(0, len(names), 100):
            p.batch([p.row(name, [(b"", b"true")], 1, space="_spaces")
                     for name in names[first:first + 100]],
                    space="_spaces")
        p.batch(mark={p.replica: 1}, space="_spaces")
        p.lives()
        spaces = {s["name"] for s in scene.victim.call("spaces")["spaces"]}
    tap.check(500 < len(spaces) <= 1024, "%d spaces" % len(spaces))
    tap.check("x" * 900 not in spaces and "" not in spaces, "odd names")
    scene.victim.refuses("space", "add", "one-more", says="as many as")


def a_local_writer_is_told_its_quota():
    """Changes and bytes a second, and items; the mesh's own writes go on."""
    with node.World() as world:
        a = world.node("a", "--limits.writes", "2", "--limits.keys", "3",
                       "--limits.write_bytes", "2MiB").start()

        def writes(key, value):
            try:
                a.put(key, value)
            except node.Refused as why:
                tap.equal(why.code, "ELIMIT", "code")
                return why.text
            return None

        # Two seconds' worth at once, then one every half second.
        said = [writes("same", i) for i in range(60)]
        tap.holds(next(filter(None, said)), "limits.writes")
        tap.check(4 <= said.count(None) < 60, "%d went in" %
                  said.count(None))
        a.do("invite")
        node.wait_for("a write goes in again", lambda: not writes("same", 0))

        def fills():
            text = writes("k" + os.urandom(4).hex(), 1)
            return text and "limits.keys" in text
        node.wait_for("the space is full of keys", fills)
        node.wait_for("an old one can be written",
                      lambda: not writes("same", 1))

        def brims():
            text = writes("same", os.urandom(1 << 20).hex())
            return text and "limits.write_bytes" in text
        node.wait_for("there is a quota of bytes", brims)


def what_is_too_fast_waits():
    """Nothing is lost nor refused: it is read more slowly."""
    with node.World() as world:
        scene = peer.Scene(world, peer.NO_PAUSE + (
            "--limits.rows", "200", "--limits.frames", "2000"))
        with scene.unharmed(), scene.peer() as p:
            rows = [p.row(b"fast-%d" % i, [(b"/a", b"1")], i + 1)
                    for i in range(2400)]  # signing them takes a while
            for i, row in enumerate(rows):
                p.batch([row], mark={p.replica: i + 1})
            p.lives()
        name = scene.keys[0].device.hex()
        it = [x for x in scene.victim.status()["peers"]
              if x["device"] == name][0]
        tap.check(it["delays"] > 0, "it was never made to wait: %r" % it)
        tap.equal(scene.victim.get("fast-2399"), {"a": 1}, "the last")
        tap.equal(it["broke"], 0, "rules broken")


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
