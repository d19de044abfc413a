#!/usr/bin/python3
"""R36: who breaks a rule is refused for a second, then for two, and so on; it
is told, logged with its device id, and shown."""

import sys
import time

import peer
from peer import node, tap


def _it(scene):
    name = scene.key.device.hex()
    return [p for p in scene.victim.status()["peers"]
            if p["device"] == name][0]


def _breaks(scene):
    """One broken rule; how long it is refused, in seconds."""
    with scene.peer() as p:
        p.frame(99, b"")
        tap.equal(p.ends().code, peer.EMALFORMED, "BYE")
    return _it(scene)["refused_ms"] / 1000


def _refused(scene):
    with scene.peer(hello=False) as p:
        how = p.ends()
        tap.equal(how.code, peer.EBUSY, "BYE (%s)" % how.text)
        tap.holds(how.text, "refused for", "broke the protocol")


def pauses_double_and_are_shown():
    with node.World() as world:
        scene = peer.Scene(world, ())
        with scene.unharmed():
            for times, pause in enumerate((1, 2, 4), 1):
                refused = _breaks(scene)
                tap.check(pause / 2 < refused <= pause,
                          "refused for %g s" % refused)
                _refused(scene)
                it = _it(scene)
                tap.equal(it["broke"], times, "how often")
                tap.holds(it["broke_last"], "breaks the protocol")
                told = [c for c in scene.victim.call("doctor")["checks"]
                        if c["name"] == "behaviour"]
                tap.check(told and not told[0]["ok"], "doctor: %r" % told)
                tap.holds(told[0]["text"], "refused")
                scene.synced()
                if times < 3:
                    started = time.monotonic()
                    node.wait_for("it is let in again", lambda:
                                  _it(scene)["refused_ms"] == 0)
                    tap.check(time.monotonic() - started < pause + 1,
                              "it took longer")
        with open(scene.victim.log, encoding="utf-8") as log:
            tap.holds(log.read(), "device %s: a frame breaks the protocol" %
                      scene.key.device.hex())


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
