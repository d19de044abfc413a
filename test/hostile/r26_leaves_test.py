#!/usr/bin/python3
"""R26 at both ends of a relay, seal by seal: leaves out of order and twice,
counts that lie, seals of another epoch or written as text. What it comes to is
exact: who breaks the form of an item is closed as malformed, who brings what
its author did not sign is closed as denied, and what only does not open is left
out, counted, and ends nothing."""

import base64
import contextlib
import os
import struct
import sys
import time

import peer
from key_test import _secret
from peer import EDENIED, EMALFORMED, node, tap, varint
from sealing import (
    Change, Item, cells_of, fields_of, seal_item, without_salt)
from signed import Commit, Keys, leaf, make_proof, tag_of

LEFT_OUT = 0
PATHS = (b"/a", b"/b", b"/c")


def _roles(n):
    return {m["name"]: m["role"] for m in n.call("members")["members"]}


class Forger:
    """A member that knows how items are sealed, and signs what it likes."""

    def __init__(self, identity, mesh, secret):
        self.identity, self.mesh = identity, mesh
        self.replica, self.seq = identity.replica(), 0
        self.keys = Keys(secret, mesh, peer.Peer.token(self), 0, secret)

    def item(self, key):
        """Three cells of one change."""
        self.seq += 1
        clock = int(time.time() * 1e6) << 12
        change = Change((self.replica, self.seq), (0, clock, self.replica),
                        clock >> 12)
        cells = [(path, b"%d" % i, 0) for i, path in enumerate(PATHS)]
        return Item(1, 1, [(self.replica, self.seq)], [], [change], -1, cells)

    def leaves(self, commit, key, item):
        return [leaf(commit, fields_of(item, item.changes[0], b"", kind), key,
                     path, value)
                for kind, path, value in cells_of(item, 0)]

    def make(self, key, order=(0, 1, 2), lives=None, told=None, twist=None,
             epoch=0):
        """As a relay has it. order: the leaves of the tree; lives: which of
        them are there; told: which are said to be; twist(sealed item): what
        becomes of it."""
        commit = Commit(self.mesh, self.keys.space, os.urandom(16), epoch,
                        os.urandom(16) if epoch else b"")
        item = self.item(key)
        leaves = self.leaves(commit, key, item)
        item.changes[0].proof = make_proof(
            self.identity.key, commit, [leaves[i] for i in order],
            lives or [True] * len(order))
        there = {i for i, alive in zip(order, lives or order) if
                 alive is not False}
        item.cells = [item.cells[i] for i in sorted(there)]
        name, sealed = seal_item(self.keys, commit, key, item)
        if order != (0, 1, 2) and len(order) == 3:
            # each cell says where its leaf is
            tags = [self.tag_at(commit, key, item, i) for i in range(3)]
            sealed.cells = [
                (path, _placed(value, order.index(_index(value, tags))), ix)
                for path, value, ix in sealed.cells]
        if told:
            sealed.changes[0].proof = without_salt(make_proof(
                self.identity.key, commit, leaves, told))
        if twist:
            twist(sealed)
        return name, sealed.bytes()

    @staticmethod
    def tag_at(commit, key, item, i):
        kind, path, value = cells_of(item, 0)[i]
        header = commit.header(fields_of(item, item.changes[0], b"", kind))
        return tag_of(commit.salt, header, key, path, value)


def _placed(value, place):
    return value[:1] + place.to_bytes(3, "big") + value[4:]


def _index(value, tags):
    return next(i for i, tag in enumerate(tags) if tag in value)


def _places(*places):
    """By the order that they have in the tree."""
    def twist(sealed):
        now = sorted(range(3), key=lambda i: sealed.cells[i][1][1:4])
        for at, place in zip(now, places):
            path, value, ix = sealed.cells[at]
            sealed.cells[at] = path, _placed(value, place), ix
    return twist


def _cells(change):
    """Of each the value, as change(value) makes it."""
    def twist(sealed):
        sealed.cells = [(path, change(value), ix)
                        for path, value, ix in sealed.cells]
    return twist


def _rest(change):
    """Of the change what stands in the place of its originals."""
    def twist(sealed):
        c = sealed.changes[0]
        c.originals = [(dot, stamp, change(value))
                       for dot, stamp, value in c.originals]
    return twist


def _proof(change):
    def twist(sealed):
        sealed.changes[0].proof = change(sealed.changes[0].proof)
    return twist


def _counts(n, *runs):
    """The proof says so many leaves, living and dead; as many hashes follow
    as did."""
    def change(proof):
        tap.equal(proof[82:], b"\3\0\3", "three leaves, all living")
        return proof[:82] + varint(n) + b"".join(map(varint, runs))
    return _proof(change)


def _epoch(value, at):
    """The seal that stands there is said to be of another epoch."""
    tap.equal(value[at:at + 2], b"\1\0", "a seal of epoch 0")
    return value[:at + 1] + varint(7) + os.urandom(16) + value[at + 2:]


def _as_text(seal):
    return base64.b64encode(seal)


PART = {"lives": [True, False, True]}

# What, how it is made, what comes of it at a member and at a relay. A relay
# sees places, tags and proofs; that a seal is of the wrong key, or holds
# something else, it cannot see.
FORGED = [
    ("as it should be", {}, None, None),
    ("places exchanged", {"twist": _places(1, 0, 2)}, LEFT_OUT, EDENIED),
    ("places turned round", {"twist": _places(2, 1, 0)}, LEFT_OUT, EDENIED),
    ("a place twice", {"twist": _places(0, 0, 2)}, LEFT_OUT, EDENIED),
    ("one place for all", {"twist": _places(0, 0, 0)}, LEFT_OUT, EDENIED),
    ("a place beyond the tree", {"twist": _places(0, 1, 3)},
     LEFT_OUT, EDENIED),
    ("the largest place", {"twist": _places(0, 1, 0xffffff)},
     LEFT_OUT, EDENIED),
    ("signed out of order", {"order": (2, 0, 1)}, LEFT_OUT, None),
    ("a leaf twice in the tree", {"order": (0, 0, 1, 2)}, LEFT_OUT, EDENIED),
    ("a dead leaf twice", {"order": (0, 0, 1, 2),
                           "lives": [False, True, True, True],
                           "twist": _places(1, 2, 3)}, None, None),
    ("part of what was signed", PART, None, None),
    ("fewer living than cells", {"told": [True, True, False]},
     LEFT_OUT, EDENIED),
    ("more leaves than there are", {"twist": _counts(4, 0, 4)},
     LEFT_OUT, EDENIED),
    ("fewer leaves", {"twist": _counts(2, 0, 2)}, LEFT_OUT, EDENIED),
    ("no leaf", {"twist": _counts(0)}, LEFT_OUT, EDENIED),
    ("a run of none", {"twist": _counts(3, 0, 1, 0, 2)}, LEFT_OUT, EDENIED),
    ("runs beyond the leaves", {"twist": _counts(3, 0, 4)},
     LEFT_OUT, EDENIED),
    ("as many leaves as may be, and one", {"twist": _counts(
        (1 << 21) + 1, 0, (1 << 21) + 1)}, LEFT_OUT, EDENIED),
    ("a count of leaves beyond all", {"twist": _counts(1 << 60, 0, 1 << 60)},
     LEFT_OUT, EDENIED),
    ("a proof with a salt", {"twist": _proof(
        lambda p: p[:2] + b"\5" * 16 + p[18:])}, LEFT_OUT, EDENIED),
    ("no proof", {"twist": _proof(lambda p: b"")}, LEFT_OUT, EDENIED),
    ("seals of cells of another epoch", {"twist": _cells(
        lambda v: _epoch(v, 4))}, LEFT_OUT, None),
    ("the change's seal of another epoch", {"twist": _rest(
        lambda v: _epoch(v, 1))}, LEFT_OUT, None),
    ("signed for another epoch than sealed", {"epoch": 9}, LEFT_OUT, None),
    ("seals of cells as text", {"twist": _cells(
        lambda v: v[:4] + _as_text(v[4:]))}, LEFT_OUT, EMALFORMED),
    ("cells as text, as wire 5 had them", {"twist": _cells(
        lambda v: b'"' + _as_text(v) + b'"')}, LEFT_OUT, EMALFORMED),
    ("the change's seal as text", {"twist": _rest(
        lambda v: v[:1] + _as_text(v[1:]))}, LEFT_OUT, EMALFORMED),
    ("the change as text", {"twist": _rest(
        lambda v: b'"' + _as_text(v) + b'"')}, LEFT_OUT, EMALFORMED),
    ("seals without an end", {"twist": _cells(lambda v: v[:51])},
     LEFT_OUT, EMALFORMED),
    ("cells of nothing", {"twist": _cells(lambda v: b"\0")},
     LEFT_OUT, EMALFORMED),
    ("a cell of a third kind", {"twist": _cells(lambda v: b"\2" + v[1:])},
     LEFT_OUT, EMALFORMED),
    ("flags that there are not", {"twist": _rest(lambda v: b"\4" + v[1:])},
     LEFT_OUT, EMALFORMED),
    ("more originals than are told", {"twist": _rest(
        lambda v: b"\1" + v[1:])}, LEFT_OUT, EMALFORMED),
]


def _longer(row, by):
    """The item says that it has so many more cells than come."""
    name, item = row
    at = item.rindex(b"\0\3A/") + 1
    return name, item[:at] + varint(3 + by) + item[at + 1:]


# These are no items, whoever reads them.
NO_ITEMS = [
    ("one cell more", lambda row: _longer(row, 1)),
    ("one cell less", lambda row: _longer(row, -1)),
    ("a great many cells", lambda row: _longer(row, 1 << 40)),
    ("a name of a key", lambda row: (b"lamp", row[1])),
    ("a name in capitals", lambda row: (row[0].upper(), row[1])),
    ("a name that is short", lambda row: (row[0][:-1], row[1])),
    ("all of it as text", lambda row: (row[0], _as_text(row[1]))),
    ("twice", lambda row: (row[0], row[1] * 2)),
    ("a life of nothing", lambda row: (row[0], b"\0" + row[1][1:])),
    ("dead, with cells", lambda row: (row[0], b"\2" + row[1][1:])),
]


def _secret_of(n):
    n.stop()
    secret = _secret(n)
    n.start()
    return secret


@contextlib.contextmanager
def _scene(*relays):
    """The victim, an honest one, a relay's key, a member that forges."""
    with node.World() as w:
        scene = peer.Scene(w, members=2)
        secret = _secret_of(scene.honest)
        for name in relays:
            scene.honest.do("grant", name, "--role", "relay")
        for n in (scene.victim, scene.honest):
            node.wait_for("roles", lambda n=n: all(
                _roles(n).get(name) == "relay" for name in relays))
        mesh = bytes.fromhex(scene.honest.status()["mesh"])
        yield scene, Forger(scene.keys[1], mesh, secret)


def _told(how):
    """What it says to who may read it."""
    return {"a": 0, "c": 2} if how == PART else {"a": 0, "b": 1, "c": 2}


def _brings(victim, key, row):
    """What comes of it: the code of BYE; 0 if it goes on."""
    with peer.Peer(victim, key) as p:
        p.subscribe()
        p.batch([row])
        try:
            p.lives()
        except peer.Gone as how:
            return how.code
    return 0


def a_member_takes_of_a_relay_what_was_signed():
    with _scene("lost0") as (scene, forger):
        v = scene.victim
        for i, (what, how, at_member, _) in enumerate(FORGED):
            key, before = b"forged-%d" % i, v.status()["unopened"]
            code = _brings(v, scene.keys[0], forger.make(key, **how))
            tap.equal(code, 0, "%s: how it ends" % what)
            tap.equal(v.status()["unopened"] - before,
                      int(at_member == LEFT_OUT), "%s: left out" % what)
            tap.equal(v.get(key.decode()),
                      None if at_member == LEFT_OUT else _told(how), what)
        for what, change in NO_ITEMS:
            code = _brings(v, scene.keys[0], change(forger.make(b"no-item")))
            tap.equal(code, EMALFORMED, "%s: how it ends" % what)
            tap.equal(v.get("no-item"), None, what)
        scene.synced()


def _carried(relay, token):
    return [s["items"] for s in relay.status()["carries"]
            if s["token"] == token.hex()][0]


def a_relay_takes_of_a_member_what_was_signed():
    """It has no key: leaves, places and proofs are what it goes by."""
    with _scene("victim") as (scene, forger):
        r, h = scene.victim, scene.honest
        node.wait_for("it is a relay", lambda: len(
            r.status().get("carries", [])) >= 2)
        h.put("first", 1)
        node.wait_for("it carries that", lambda: _carried(
            r, forger.keys.space) >= 1)
        for i, (what, how, _, at_relay) in enumerate(FORGED):
            before = _carried(r, forger.keys.space)
            code = _brings(r, scene.keys[1],
                           forger.make(b"forged-%d" % i, **how))
            tap.equal(code, at_relay or 0, "%s: how it ends" % what)
            tap.equal(_carried(r, forger.keys.space) - before,
                      int(at_relay is None), "%s: is kept" % what)
        before = _carried(r, forger.keys.space)
        for what, change in NO_ITEMS:
            code = _brings(r, scene.keys[1], change(forger.make(b"no-item")))
            tap.equal(code, EMALFORMED, "%s: how it ends" % what)
        tap.equal(_carried(r, forger.keys.space), before, "what is kept")
        h.put("last", 1)
        node.wait_for("it goes on", lambda: _carried(
            r, forger.keys.space) > before)
        for i, (what, how, at_member, at_relay) in enumerate(FORGED):
            if at_member is None and at_relay is None:
                h.waits_for("forged-%d" % i, _told(how))
            else:
                tap.equal(h.get("forged-%d" % i), None,
                          "%s: what the honest one takes" % what)
        tap.check(r.process.poll() is None, "the relay has ended")


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
