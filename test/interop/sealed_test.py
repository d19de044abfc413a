#!/usr/bin/python3
"""Items and records of conflicts as a relay keeps them, against another
implementation of doc/protocol.md and doc/store.md that shares nothing with
ours (signed.py, and what is here): both make the same bytes of an item, and
what a relay sees is enough to find the root that was signed.

usage: sealed_test.py ENVELOPE_TOOL [ROUNDS [SEED]]

TAP."""

import hashlib
import os
import random
import re
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from signed import (  # noqa: E402
    REMOVED, TOMBSTONE, VALUE, Commit, Keys, Proof, Tool, leaf, leaf_of,
    mac, make_proof, pre, tag_of, take_varint, tap, varint)
from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: E402

EDENIED = -14
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
DEVICE = ed25519.Ed25519PrivateKey.from_private_bytes(b"\x77" * 32)


# ---- an item and its bytes (doc/store.md) ----

class Change:
    def __init__(self, dot, stamp, wall, ctx=(), birth=(), first=None,
                 originals=(), proof=b""):
        self.dot, self.first, self.stamp = dot, first or dot, stamp
        self.wall, self.ctx, self.birth = wall, list(ctx), list(birth)
        self.originals, self.proof = list(originals), proof

    def but(self, originals, proof):
        return Change(self.dot, self.stamp, self.wall, self.ctx, self.birth,
                      self.first, originals, proof)


class Item:
    """cells: (path, value or None, index of the change)."""

    def __init__(self, length, version, ctx, birth, changes, tomb, cells):
        self.length, self.version = length, version
        self.ctx, self.birth = ctx, birth
        self.changes, self.tomb, self.cells = changes, tomb, cells

    def replica(self, rid):
        names = [name for name, _ in self.ctx]
        return varint(names.index(rid) + 1) if rid in names else b"\0" + rid

    def dot(self, dot):
        return self.replica(dot[0]) + varint(dot[1])

    def vector(self, entries):
        return varint(len(entries)) + b"".join(map(self.dot, entries))

    def stamp(self, stamp):
        epoch, clock, rid = stamp
        return varint(epoch) + struct.pack("<Q", clock) + self.replica(rid)

    def change(self, c):
        told = c.stamp[1] >> 12
        flags = ((c.first != c.dot) | (c.wall != told) << 1 |
                 bool(c.originals) << 2 | bool(c.proof) << 3)
        out = bytes([flags]) + self.dot(c.dot)
        if c.first != c.dot:
            out += self.dot(c.first)
        out += self.stamp(c.stamp)
        if c.wall != told:
            out += struct.pack("<Q", c.wall)
        out += self.vector(c.ctx) + self.vector(c.birth)
        if c.originals:
            out += varint(len(c.originals)) + b"".join(
                self.dot(dot) + self.stamp(stamp) + value_of(value)
                for dot, stamp, value in c.originals)
        return out + (pre(c.proof) if c.proof else b"")

    def bytes(self):
        return (varint(self.length) + varint(self.version) +
                whole_vector(self.ctx) + self.vector(self.birth) +
                varint(len(self.changes)) +
                b"".join(map(self.change, self.changes)) +
                varint(self.tomb + 1) + varint(len(self.cells)) +
                b"".join(pre(path) + varint(ix) + value_of(value)
                         for path, value, ix in self.cells))


def value_of(value):
    return b"\0" if value is None else varint(len(value) + 1) + value


def whole_vector(entries):
    return varint(len(entries)) + b"".join(
        rid + varint(seq) for rid, seq in entries)


def whole_stamp(stamp):
    return varint(stamp[0]) + struct.pack("<Q", stamp[1]) + stamp[2]


def path_key(path):
    """'/' before every other byte; escapes as what they mean."""
    out, at = [], 0
    while at < len(path):
        if path[at:at + 2] in (b"~0", b"~1"):
            out.append(ord("~" if path[at + 1:at + 2] == b"0" else "/") + 1)
            at += 2
            continue
        out.append(0 if path[at:at + 1] == b"/" else path[at] + 1)
        at += 1
    return out


# ---- signing one (doc/protocol.md) ----

def originals_bytes(c):
    return varint(len(c.originals)) + b"".join(
        dot[0] + varint(dot[1]) + whole_stamp(stamp) + value_of(value)
        for dot, stamp, value in c.originals)


def originals_tag(salt, c):
    if not c.originals:
        return b""
    return mac(salt, b"syncline originals v1\n", originals_bytes(c))


def fields_of(item, c, tag, kind):
    context = (whole_vector(c.ctx) + whole_vector(c.birth) +
               struct.pack("<Q", c.wall) + tag)
    return [*c.dot, *c.first, *c.stamp, item.length,
            hashlib.sha256(context).digest(), kind]


def cells_of(item, ix):
    """As tags are made of them: of a change's leaves, in order."""
    if item.tomb == ix:
        return [(TOMBSTONE, b"", b"")]
    mine = sorted((c for c in item.cells if c[2] == ix),
                  key=lambda c: path_key(c[0]))
    return [(REMOVED if value is None else VALUE, path, value or b"")
            for path, value, _ in mine]


def sign(rng, commit, key, item):
    for ix, c in enumerate(item.changes):
        tag = originals_tag(commit.salt, c)
        living = [leaf(commit, fields_of(item, c, tag, kind), key, path, value)
                  for kind, path, value in cells_of(item, ix)]
        leaves, lives = [], []
        for made in living + [None]:
            while rng.random() < 0.3:
                leaves.append(rng.randbytes(32))
                lives.append(False)
            if made:
                leaves.append(made)
                lives.append(True)
        c.proof = make_proof(DEVICE, commit, leaves, lives)


# ---- sealing one ----

def name_of(keys, key):
    return keys.tokens(key, b"")[0].hex().encode()


def path_of(keys, key, path):
    return b"/" + keys.tokens(key, path)[1].hex().encode()


def cell_value(keys, key, path, value, place, tag=None):
    seal = keys.seal(pre(key) + pre(path) + (value or b""), tag)
    return bytes([value is None]) + place.to_bytes(3, "big") + seal


def without_salt(proof):
    at = 1
    epoch, at = take_varint(proof, at)
    at += 16 if epoch else 0
    return proof[:at] + bytes(16) + proof[at + 16:]


def seal_change(keys, commit, key, item, ix, cells):
    c = item.changes[ix]
    places = [i for i, alive in enumerate(Proof(c.proof).lives) if alive]
    told, tomb = originals_tag(commit.salt, c), b""
    for place, (kind, path, value) in zip(places, cells_of(item, ix)):
        header = commit.header(fields_of(item, c, told, kind))
        tag = tag_of(commit.salt, header, key, path, value)
        if kind == TOMBSTONE:
            tomb = tag
            continue
        cells.append((path_of(keys, key, path), cell_value(
            keys, key, path, None if kind == REMOVED else value, place, tag),
            ix))
    rest = commit.salt + pre(key) + (originals_bytes(c) if told else b"")
    rest = bytes([bool(told) | bool(tomb) << 1]) + told + tomb + keys.seal(rest)
    return c.but([(c.dot, c.stamp, rest)], without_salt(c.proof))


def seal_item(keys, commit, key, item):
    cells = []
    changes = [seal_change(keys, commit, key, item, ix, cells)
               for ix in range(len(item.changes))]
    return name_of(keys, key), Item(
        item.length, item.version, item.ctx, item.birth, changes, item.tomb,
        sorted(cells))


# ---- what a relay sees ----

def seen_root(keys, commit, sealed, ix):
    """No key is used: of keys only how long what stands before a tag is."""
    c = sealed.changes[ix]
    rest = c.originals[0][2]
    tags = [rest[1 + 32 * i:33 + 32 * i] for i in range(2)]
    told = tags.pop(0) if rest[0] & 1 else b""
    before = len(keys.clear(b""))
    seen = sorted((value[1:4], value[0], value[4 + before:36 + before])
                  for _, value, at in sealed.cells if at == ix)
    if rest[0] & 2:
        seen = [(None, TOMBSTONE, tags[0])]
    return Proof(c.proof).root(
        [leaf_of(commit.header(fields_of(sealed, c, told, kind)), tag)
         for _, kind, tag in seen])


# ---- records ----

def side_bytes(side):
    dot, stamp, wall, path, value = side
    return (dot[0] + varint(dot[1]) + whole_stamp(stamp) +
            struct.pack("<Q", wall) + pre(path) +
            bytes([value is not None]) + pre(value or b""))


TOLD = 4  # by who could read both values


def record(key, length, loser, winner, state=0):
    (rid, seq), path = loser[0], loser[3]
    tail = (key + b"\0" + struct.pack(">I", len(path)) + path + rid +
            struct.pack(">Q", seq))
    return tail, (bytes([state]) + varint(length) + side_bytes(loser) +
                  side_bytes(winner))


def seal_side(keys, key, side):
    dot, stamp, wall, path, value = side
    if path == b"" and value is None:
        return side
    return (dot, stamp, wall, path_of(keys, key, path),
            cell_value(keys, key, path, value, 0))


# ---- what is drawn ----

TOOL = Tool(sys.argv[1])
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 60
RNG = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)


def draw_keys():
    epoch = RNG.choice([0, 1, 300])
    secret = RNG.randbytes(32)
    return Keys(secret, RNG.randbytes(16), RNG.randbytes(16), epoch,
                RNG.randbytes(32) if epoch else secret)


def commit_of(keys):
    return Commit(keys.mesh, keys.space, b"\1" + RNG.randbytes(15),
                  keys.epoch, keys.id if keys.epoch else b"")


def draw_dot():
    return bytes([RNG.randrange(5)]) * 16, RNG.randrange(1, 400)


def draw_vector():
    entries = dict(draw_dot() for _ in range(RNG.randrange(4)))
    return sorted(entries.items())


def draw_stamp():
    return RNG.randrange(3), RNG.randrange(1 << 60), draw_dot()[0]


def draw_value():
    return RNG.choice([b"true", b"7", b"{}", b'"' + b"x" *
                       RNG.randrange(300) + b'"'])


def draw_change(dot):
    c = Change(dot, draw_stamp(), 0, draw_vector(), draw_vector(),
               RNG.choice([None, draw_dot()]))
    c.wall = RNG.choice([c.stamp[1] >> 12, RNG.randrange(1 << 50)])
    if RNG.random() < 0.4:
        dots = sorted({draw_dot() for _ in range(RNG.randrange(1, 4))})
        c.originals = [(d, draw_stamp(), RNG.choice([None, draw_value()]))
                       for d in dots]
    return c


PATHS = [b"", b"/a", b"/a/b", b"/a-b", b"/a~0", b"/a~1b", b"/on",
         "/\u00fc".encode(), b"/" + b"long" * 40]


def draw_item(keys, key):
    alive = RNG.random() < 0.8
    changes = [draw_change(dot) for dot in sorted(
        {draw_dot() for _ in range(RNG.randrange(1, 4) if alive else 1)})]
    cells = []
    if alive:
        paths = sorted(RNG.sample(PATHS, RNG.randrange(len(changes), 9)),
                       key=path_key)
        owners = list(range(len(changes))) + [
            RNG.randrange(len(changes)) for _ in paths[len(changes):]]
        RNG.shuffle(owners)
        cells = [(path, RNG.choice([None, draw_value(), draw_value()]), ix)
                 for path, ix in zip(paths, owners)]
    item = Item(2 * RNG.randrange(1, 9) - alive, RNG.randrange(9),
                draw_vector(), draw_vector(), changes, -1 if alive else 0,
                cells)
    commit = commit_of(keys)
    sign(RNG, commit, key, item)
    return commit, item


# ---- tests ----

def both_seal_the_same_items_and_open_them():
    for _ in range(ROUNDS):
        keys, key = draw_keys(), RNG.choice([b"it", b"k" * 200])
        commit, item = draw_item(keys, key)
        name, sealed = seal_item(keys, commit, key, item)
        tap.equal(TOOL.ask("relay", *keys.words(), key, item.bytes()),
                  [name, sealed.bytes()])
        tap.equal(TOOL.ask("member", *keys.words(), name, sealed.bytes()),
                  [key, item.bytes()])


def a_relay_finds_the_root_without_a_key():
    for _ in range(ROUNDS):
        keys = draw_keys()
        commit, item = draw_item(keys, b"it")
        _, sealed = seal_item(keys, commit, b"it", item)
        for ix, c in enumerate(sealed.changes):
            tap.equal(Proof(c.proof).salt, bytes(16))
            DEVICE.public_key().verify(
                Proof(c.proof).sig, b"syncline commit v1\n" + keys.mesh +
                seen_root(keys, commit, sealed, ix))


def what_an_insider_seals_otherwise_is_refused():
    """He has the keys, and puts a right cell under a wrong tag or name."""
    keys = draw_keys()
    commit = commit_of(keys)
    dot, stamp = (b"\3" * 16, 5), (0, 9 << 12, b"\3" * 16)
    item = Item(1, 1, [dot], [], [Change(dot, stamp, 9)], -1,
                [(b"/on", b"true", 0)])
    sign(RNG, commit, b"it", item)
    name, sealed = seal_item(keys, commit, b"it", item)
    (path, value, _), = sealed.cells
    place = int.from_bytes(value[1:4], "big")
    for bent in ((path, cell_value(keys, b"it", b"/on", b"true", place)),
                 (path_of(keys, b"it", b"/x"), value),
                 (path, value[:1] + (place + 1).to_bytes(3, "big") + value[4:]),
                 (path, cell_value(keys, b"it", b"/on", b"false", place))):
        sealed.cells = [(*bent, 0)]
        tap.equal(TOOL.ask("member", *keys.words(), name, sealed.bytes()),
                  EDENIED)


def draw_side():
    return (draw_dot(), draw_stamp(), RNG.randrange(1 << 50),
            RNG.choice(PATHS), draw_value())


def both_seal_the_same_records_and_open_them():
    for _ in range(ROUNDS):
        keys, key = draw_keys(), RNG.choice([b"it", b"k" * 200])
        loser, winner = draw_side(), draw_side()
        kind = RNG.randrange(3)
        if kind == 0:
            winner = winner[:3] + (b"", None)
        elif kind == 1:
            winner = winner[:4] + (None,)
        if loser[3:] == winner[3:]:
            continue
        clear = record(key, 3, loser, winner)
        sealed = record(name_of(keys, key), 3, seal_side(keys, key, loser),
                        seal_side(keys, key, winner), TOLD)
        tap.equal(TOOL.ask("relay-record", *keys.words(), *clear),
                  list(sealed))
        tap.equal(TOOL.ask("member-record", *keys.words(), *sealed),
                  list(clear))


def the_example_of_the_page_holds():
    with open(os.path.join(ROOT, "doc", "protocol.md"), encoding="utf-8") as f:
        page = f.read()
    rid, clock = b"\x11" * 16, 1000000 << 12
    keys = Keys(b"\x66" * 32, b"\xaa" * 16, b"\x55" * 16, 0, b"\x66" * 32)
    commit = Commit(keys.mesh, keys.space, b"\x99" * 16)
    item = Item(1, 1, [(rid, 5)], [],
                [Change((rid, 5), (0, clock, rid), 1000000)], -1,
                [(b"/on", b"true", 0)])
    change = item.changes[0]
    made = leaf(commit, fields_of(item, change, b"", VALUE), b"it", b"/on",
                b"true")
    change.proof = make_proof(DEVICE, commit, [made], [True])
    name, sealed = seal_item(keys, commit, b"it", item)
    tap.check(name.decode() in page, "the page shows the name")
    shown = re.search(r"as a relay keeps it:\n\n```\n(.*?)```", page, re.S)
    tap.equal(bytes.fromhex(re.sub(r"#.*", "", shown.group(1))),
              sealed.bytes())
    tap.equal(TOOL.ask("relay", *keys.words(), b"it", item.bytes()),
              [name, sealed.bytes()])


TESTS = [both_seal_the_same_items_and_open_them,
         a_relay_finds_the_root_without_a_key,
         what_an_insider_seals_otherwise_is_refused,
         both_seal_the_same_records_and_open_them,
         the_example_of_the_page_holds]

if __name__ == "__main__":
    status = tap.run(TESTS)
    TOOL.close()
    sys.exit(status)
