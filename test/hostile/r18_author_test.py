#!/usr/bin/python3
"""R18: nobody writes as another device, nor alters what another wrote: what a
member sends without its author's signature is refused, all of the batch, and
the log says whose it claims to be and who sent it."""

import sys

import peer
from peer import node, tap

CELLS = [(b"/a", b"1"), (b"/b", b'"two"')]


def _refused(send, says="not as its author signed it"):
    scene = peer.scene()
    scene.breaks(send, peer.EDENIED, says)
    tap.equal(scene.victim.get("forged"), None, "what came of it")


def _made(p, by=None, **more):
    """A row under our own replica, and what signs it."""
    row = peer.Row(p.replica, 1, CELLS, **more)
    return row.sign(p.keys(), b"forged", by or p.identity.key)


def _send(p, row, key=b"forged"):
    good = p.row(b"good", CELLS, 2)
    p.batch([good, (key, row.encode())], mark={p.replica: 2})


def what_is_signed_is_taken():
    scene = peer.scene()
    with scene.unharmed(), scene.peer() as p:
        p.batch([p.row(b"signed", CELLS, 1)], mark={p.replica: 1})
        p.lives()
    tap.equal(scene.victim.get("signed"), {"a": 1, "b": "two"}, "it")
    scene.honest.waits_for("signed", {"a": 1, "b": "two"})


def what_bears_no_signature():
    _refused(lambda p: _send(p, peer.Row(p.replica, 1, CELLS)),
            "it is not signed")
    tap.equal(peer.scene().victim.get("good"), None, "the row before it")


def somebody_elses_key():
    _refused(lambda p: _send(p, _made(p, peer.Identity.fresh().key)))


def another_device():
    """A member writes as the daemon itself, or as the honest one."""
    scene = peer.scene()

    def forge(p, daemon):
        other = peer.Identity.of(daemon.dir)
        row = peer.Row(other.device[:8] + b"\7" * 8, 1, CELLS)
        _send(p, row.sign(p.keys(), b"forged", p.identity.key))
    for daemon in (scene.victim, scene.honest):
        _refused(lambda p, d=daemon: forge(p, d))


def what_was_altered_on_the_way():
    def altered(p, **changes):
        row = _made(p)
        for name, value in changes.items():
            setattr(row, name, value)
        _send(p, row)
    _refused(lambda p: altered(p, cells=[(b"/a", b"2"), CELLS[1]]))
    _refused(lambda p: altered(p, cells=[(b"/a", None), CELLS[1]]))
    _refused(lambda p: altered(p, cells=CELLS[:1]))
    _refused(lambda p: altered(p, cells=CELLS + [(b"/c", b"3")]))
    _refused(lambda p: altered(p, length=3))
    _refused(lambda p: altered(p, hlc=_made(p).hlc + 1))
    _refused(lambda p: altered(p, seq=2, context={p.replica: 2}))


def under_another_key():
    _refused(lambda p: _send(p, _made(p), b"forged-too"))


def in_another_space():
    def move(p):
        row = peer.Row(p.replica, 1, CELLS)
        _send(p, row.sign(p.keys("config"), b"forged", p.identity.key))
    _refused(move)


def a_device_that_nobody_has_let_in():
    """It may be that its certificate is still to come: nothing is taken, and
    the mark is not believed either."""
    scene = peer.scene()
    stranger = peer.Identity.fresh()
    with scene.unharmed(), scene.peer() as p:
        row = peer.Row(stranger.replica(), 1, CELLS)
        row.sign(p.keys(), b"forged", stranger.key)
        p.batch([(b"forged", row.encode())], mark={row.replica: 1})
        p.lives()
    tap.equal(scene.victim.get("forged"), None, "what came of it")


def an_end_that_nobody_has_signed():
    """A header alone."""
    scene = peer.scene()
    scene.victim.put("stays", 1)
    with scene.unharmed(), scene.peer() as p:
        context = {p.replica: 9}
        bare = (peer.varint(2) + peer.varint(9) + peer.vector(context) +
                peer.varint(0) * 4)
        p.batch([(b"stays", bare)], mark={p.replica: 9})
        p.lives()
    tap.equal(scene.victim.get("stays"), 1, "what was there")


def spaces_that_a_member_makes():
    """Who is no admin: neither in `_spaces`, nor where older versions had
    them."""
    with node.World() as w:
        scene = peer.Scene(w)
        v, h = scene.victim, scene.honest
        h.do("grant", "lost0", "--role", "member")
        node.wait_for("the role", lambda: {
            m["name"]: m["role"] for m in v.call("members")["members"]}.get(
                "lost0") == "member")
        with scene.peer() as p:
            p.await_frame(peer.SUBSCRIBE)
            for space in ("_spaces", "_mesh"):
                p.batch([p.row(b"space/bad", [(b"", b"true")], 1, space=space)],
                        mark={p.replica: 1}, space=space)
            p.lives()
        tap.equal(v.get("space/bad", "_spaces"), None, "what came of it")
        h.do("space", "add", "good")
        node.wait_for("the admin's", lambda: "good" in {
            s["name"] for s in v.call("spaces")["spaces"]})
        tap.check("bad" not in {s["name"] for s in v.call("spaces")["spaces"]},
                  "the member's")


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
