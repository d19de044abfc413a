#!/usr/bin/python3
"""R20: a member that signs two different changes under one dot is found out by
whoever meets both; the evidence goes to all, and convinces each by itself. From
that dot on nothing of that replica counts anywhere, and what was there is written
again, the same on all."""

import hashlib
import json
import sys

import peer
from peer import node, signed, tap

ONE, TWO = [(b"/a", b"1")], [(b"/a", b"2")]


def _forks(daemon, replica):
    return [f for f in daemon.status()["forks"]
            if f["replica"] == replica.hex()]


def _frozen(replica, change=1):
    """Both know, and say so."""
    scene = peer.scene()
    for daemon in (scene.victim, scene.honest):
        node.wait_for("%s knows" % daemon.name,
                      lambda d=daemon: _forks(d, replica))
        found = _forks(daemon, replica)[0]
        tap.equal((found["space"], found["change"]), ("default", change))
    scene.synced()


def _logged(daemon, kind, **details):
    with open(daemon.dir + "/audit.log", encoding="utf-8") as f:
        tap.check(any(
            r["kind"] == kind and details.items() <= r["details"].items()
            for r in map(json.loads, f)), "%s: %s" % (daemon.name, kind))


def _agree(*keys):
    """On what is there now, whatever it is; no replica that is frozen left."""
    scene = peer.scene()
    for key in keys:
        node.wait_for("they agree on " + key, lambda k=key: scene.victim.get(
            k) == scene.honest.get(k))
        tap.check(scene.victim.get(key) is not None, key + " is there")


def two_values_of_one_field():
    scene = peer.scene()
    with scene.unharmed(), scene.peer() as p:
        p.batch([p.row(b"field", ONE, 1)], mark={p.replica: 1})
        p.lives()
        scene.honest.waits_for("field", {"a": 1})
        p.batch([p.row(b"field", TWO, 1)])
        p.lives()
        _frozen(p.replica)
        _agree("field")
        for daemon in (scene.victim, scene.honest):
            _logged(daemon, "equivocation", replica=p.replica.hex(),
                    space="default", change=1)
        # And of what it writes after that nothing is taken.
        p.batch([p.row(b"later", ONE, 2)], mark={p.replica: 2})
        p.lives()
    tap.equal(scene.victim.get("later"), None, "what came later")


def before_a_mark_covers_either():
    scene = peer.scene()
    with scene.unharmed(), scene.peer() as p:
        p.batch([p.row(b"early", ONE, 1)])
        p.batch([p.row(b"early", TWO, 1)])
        p.lives()
        _frozen(p.replica)
        _agree("early")


def two_items():
    scene = peer.scene()
    with scene.unharmed(), scene.peer() as p:
        p.batch([p.row(b"this", ONE, 1)], mark={p.replica: 1})
        p.batch([p.row(b"that", ONE, 1)], mark={p.replica: 1})
        p.lives()
        _frozen(p.replica)
        _agree("this")


def one_for_each_half():
    """By their vectors neither lacks anything, and who sends it says that it
    reaches both, so that neither passes it on: a heartbeat tells."""
    scene = peer.scene()
    replica = scene.key.replica()
    both = peer.varint(2) + b"".join(
        bytes.fromhex(d.status()["device"]) + b"\0"
        for d in (scene.victim, scene.honest))
    with scene.unharmed(), scene.peer(replica=replica) as p, \
            peer.Peer(scene.honest, scene.key, replica=replica) as q:
        for one in (p, q):
            one.frame(peer.REACH, both)
            one.lives()
        p.batch([p.row(b"half", ONE, 1)], mark={replica: 1})
        q.batch([q.row(b"half", TWO, 1)], mark={replica: 1})
        p.lives()
        q.lives()
        _frozen(replica)
        _agree("half")


def what_came_before_stays():
    scene = peer.scene()
    with scene.unharmed(), scene.peer() as p:
        p.batch([p.row(b"first", ONE, 1)], mark={p.replica: 1})
        p.batch([p.row(b"second", ONE, 2)], mark={p.replica: 2})
        p.batch([p.row(b"second", TWO, 2)])
        p.lives()
        _frozen(p.replica, 2)
        _agree("first", "second")
        vector = scene.victim.status()["spaces"]
        tap.check(any(p.replica.hex() in json.dumps(s) for s in vector),
                  "the first change is still that replica's")


def an_honest_device_whose_folder_was_copied():
    """It hears that somebody else writes as itself."""
    scene = peer.scene()
    honest = scene.honest
    honest.put("copied", 1)
    scene.victim.waits_for("copied", 1)
    was = bytes.fromhex(honest.status()["replica"])
    seq = [s for s in honest.status()["spaces"] if s["name"] == "default"][
        0]["vector"][was.hex()]
    with scene.unharmed(), scene.peer() as p:
        row = peer.Row(was, seq, ONE)
        row.sign(p.keys(), b"copied", peer.Identity.of(honest.dir).key)
        p.batch([(b"copied", row.encode())])
        p.lives()
        _frozen(was, seq)
        tap.check(honest.status()["replica"] != was.hex(), "a new replica")
        _agree("copied")
    _logged(honest, "replica", why="forked")


def _half(p, key, cells, seq, by, replica=None):
    row = peer.Row(replica or p.replica, seq, cells)
    keys = p.keys()
    context = hashlib.sha256(
        peer.vector({}) + peer.vector({}) +
        (row.hlc >> 12).to_bytes(8, "little")).digest()
    path, value = cells[0]
    fields = [row.replica, seq, row.replica, seq, 0, row.hlc, row.replica, 1,
              context, False]
    header = keys.header(fields)
    row.sign(keys, key, by)
    return (header + signed.tag_of(keys.salt, header, key, path, value) +
            row.proof[:2] + bytes(16) + row.proof[18:])


def _record(halves):
    value = json.dumps(sorted(h.hex() for h in halves),
                       separators=(",", ":")).encode()
    return b"fork/" + hashlib.sha256(value).hexdigest().encode(), value


def _send(p, record, key=None):
    p.batch([p.row(key or record[0], [(b"", record[1])], 1, space="_mesh")],
            space="_mesh", mark={p.replica: 1})


def evidence_convinces_by_itself():
    scene = peer.scene()
    with scene.unharmed(), scene.peer() as p:
        own = p.identity.key
        other = p.identity.replica()
        _send(p, _record([_half(p, b"x", ONE, 7, own, other),
                          _half(p, b"x", TWO, 7, own, other)]))
        p.lives()
        _frozen(other, 7)


def evidence_that_is_made_up():
    """Signed by somebody else than whose replica it is."""
    scene = peer.scene()
    was = bytes.fromhex(scene.honest.status()["replica"])
    with scene.unharmed(), scene.peer() as p:
        _send(p, _record([_half(p, b"x", ONE, 7, p.identity.key, was),
                          _half(p, b"x", TWO, 7, p.identity.key, was)]))
        p.lives()
    tap.equal(_forks(scene.victim, was), [], "it")


def evidence_that_is_none():
    scene = peer.scene()

    def twice_the_same(p):
        half = _half(p, b"x", ONE, 7, p.identity.key)
        _send(p, _record([half, half]))

    def of_two_dots(p):
        _send(p, _record([_half(p, b"x", ONE, 7, p.identity.key),
                          _half(p, b"x", TWO, 8, p.identity.key)]))

    def under_another_name(p):
        _send(p, _record([_half(p, b"x", ONE, 7, p.identity.key),
                          _half(p, b"x", TWO, 7, p.identity.key)]),
              b"fork/" + b"0" * 64)
    for send in (twice_the_same, of_two_dots, under_another_name):
        scene.breaks(send)


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
