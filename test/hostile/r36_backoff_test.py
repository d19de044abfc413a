#!/usr/bin/python3
"""R36: who breaks a rule is refused for a second, then for two, and so on; it
is told, logged with its device id, and shown."""

import sys

import peer
from peer import node, tap


def _it(scene):
    name = scene.key.device.hex()
    return [p for p in scene.victim.status()["peers"]
            if p["device"] == name][0]


def _breaks(scene):
    with scene.peer() as p:
        p.frame(99, b"")
        tap.equal(p.ends().code, peer.EMALFORMED, "BYE")


def _refused(scene):
    with scene.peer(hello=False) as p:
        how = p.ends()
        tap.equal(how.code, peer.EBUSY, "BYE (%s)" % how.text)
        tap.holds(how.text, "refused for", "broke the protocol")


def pauses_double_and_are_shown():
    with node.World() as world:
        scene = peer.Scene(world, ())
        with scene.unharmed():
            for times in (1, 2):
                _breaks(scene)
                tap.equal(_it(scene)["broke"], times, "how often")
                node.wait_for("it is let in again", lambda:
                              _it(scene)["refused_ms"] == 0)
            _breaks(scene)
            _refused(scene)
            it = _it(scene)
            tap.check(0 < it["refused_ms"] <= 4000, "refused: %r" % it)
            tap.holds(it["broke_last"], "breaks the protocol")
            told = [c for c in scene.victim.call("doctor")["checks"]
                    if c["name"] == "behaviour"]
            tap.check(told and not told[0]["ok"], "doctor: %r" % told)
            tap.holds(told[0]["text"], "refused", "3 times")
        with open(scene.victim.log, encoding="utf-8") as log:
            text = log.read()
        for pause in (1, 2, 4):
            tap.holds(text, "device %s: a frame breaks the protocol" %
                      scene.key.device.hex(), "is refused for %d s" % pause)


def a_frame_that_is_too_long_counts():
    with node.World() as world:
        scene = peer.Scene(world, ())
        with scene.unharmed():
            with scene.peer() as p:
                p.raw(b"\xff" * 100)
                p.ends()
            node.wait_for("it is refused", lambda: _it(scene)["broke"] == 1)
            _refused(scene)


def a_peer_that_keeps_to_the_rules_is_not_refused():
    """However often it comes."""
    with node.World() as world:
        scene = peer.Scene(world, ())
        for _ in range(10):
            with scene.peer() as p:
                p.lives()
        tap.equal(_it(scene)["broke"], 0, "rules broken")


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
