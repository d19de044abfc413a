#!/usr/bin/python3
"""R14: what is made up of a device does not keep it from being removed, nor
does what it said of itself count when it may write no more."""

import json
import os
import sys

import peer
from peer import node, tap


def _roles(n):
    return {m["name"]: m["role"] for m in n.call("members")["members"]}


def _is(w, role, name="lost0"):
    for n in w:
        node.wait_for("the role", lambda n=n: _roles(n).get(name) == role)


def _cuts(n):
    keys = [k for k in n.do("ls", "_mesh").split() if k.startswith("cert/")]
    certs = [json.loads(n.get(k, "_mesh")[0]) for k in keys]
    return [c["cut"] for c in certs if "cut" in c]


def replicas_that_a_reader_made_up():
    """Of another member: so many that no record could tell of them all."""
    with node.World() as w:
        scene = peer.Scene(w, members=2)
        v, h = scene.victim, scene.honest
        target, evil = scene.keys
        h.do("grant", "lost1", "--role", "reader")
        h.do("grant", "lost0", "--role", "member")
        _is((v, h), "reader", "lost1")
        _is((v, h), "member")
        for space in ("default", "config"):
            with peer.Peer(v, evil) as p:
                p.batch(space=space, mark={
                    target.device[:8] + os.urandom(8): (1 << 61) + 1
                    for _ in range(15000)})
                p.lives()
        for space in ("default", "config"):
            node.wait_for("the vector", lambda s=space: len(
                h.space(s)["vector"]) >= 15000)
        h.do("remove", "lost0")
        _is((v, h), None)
        h.put("after", 1)
        v.waits_for("after", 1)


def what_it_said_that_it_wrote():
    """Its mark goes far beyond its rows; then it becomes a reader."""
    with node.World() as w:
        scene = peer.Scene(w)
        v, h = scene.victim, scene.honest
        h.do("grant", "lost0", "--role", "member")
        _is((v, h), "member")
        with scene.peer() as p:
            replica = p.replica
            p.batch([p.row(b"base", [(b"", b"1")], 3)],
                    mark={replica: 1 << 40})
            p.lives()
        h.waits_for("base", 1)
        h.do("grant", "lost0", "--role", "reader")
        _is((v, h), "reader")
        tap.equal([list(of.values()) for c in _cuts(h) for of in c.values()],
                  [[3]], "what counts of it")


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
