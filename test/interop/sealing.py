"""Items and records of conflicts, in clear and as a relay keeps them, from
doc/protocol.md and doc/store.md: another implementation, which shares nothing
with ours."""

import hashlib
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from signed import (  # noqa: E402
    REMOVED, TOMBSTONE, VALUE, Proof, leaf, leaf_of, mac, make_proof, pre,
    tag_of, take_varint, varint)


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


class Malformed(Exception):
    pass


class Reading:
    """What put_item could have written, and no other bytes."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if len(self.data) - self.at < n:
            raise Malformed("short")
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, most=(1 << 64) - 1):
        start, out, shift = self.at, 0, 0
        while True:
            b = self.take(1)[0]
            out |= (b & 0x7f) << shift
            shift += 7
            if b < 0x80:
                break
        if varint(out) != self.data[start:self.at] or out > most:
            raise Malformed("a number")
        return out

    def u64(self):
        return struct.unpack("<Q", self.take(8))[0]

    def lot(self):
        return self.take(self.number())

    def many(self, one):
        n = self.number()
        if n > len(self.data):
            raise Malformed("so many")
        return [one() for _ in range(n)]

    def seq(self):
        n = self.number((1 << 62) - 1)
        if n == 0:
            raise Malformed("no change has this number")
        return n

    def whole_vector(self):
        return rising(self.many(lambda: (self.take(16), self.seq())))

    def replica(self):
        n = self.number()
        if n > len(self.ctx):
            raise Malformed("no such replica")
        if n > 0:
            return self.ctx[n - 1][0]
        rid = self.take(16)
        if rid in (name for name, _ in self.ctx):
            raise Malformed("it has a shorter name")
        return rid

    def dot(self):
        return self.replica(), self.seq()

    def vector(self):
        return rising(self.many(self.dot))

    def stamp(self):
        return self.number((1 << 62) - 1), self.u64(), self.replica()

    def value(self):
        n = self.number()
        return None if n == 0 else self.take(n - 1)

    def change(self):
        flags = self.take(1)[0]
        if flags > 15:
            raise Malformed("flags")
        dot = self.dot()
        first = self.dot() if flags & 1 else dot
        stamp = self.stamp()
        wall = self.u64() if flags & 2 else stamp[1] >> 12
        ctx, birth = self.vector(), self.vector()
        originals = self.many(lambda: (
            self.dot(), self.stamp(), self.value())) if flags & 4 else []
        proof = self.lot() if flags & 8 else b""
        return Change(dot, stamp, wall, ctx, birth, first, originals, proof)

    def item(self):
        length, version = self.number((1 << 62) - 1), self.number((1 << 62) - 1)
        self.ctx = self.whole_vector()
        birth = self.vector()
        changes = self.many(self.change)
        tomb = self.number() - 1
        cells = [(path, value, ix) for path, ix, value in self.many(
            lambda: (self.lot(), self.number(), self.value()))]
        return Item(length, version, self.ctx, birth, changes, tomb, cells)


def rising(entries):
    if any(a[0] >= b[0] for a, b in zip(entries, entries[1:])):
        raise Malformed("a vector out of order")
    return entries


def read_item(data):
    """The item, if these are the bytes that it has."""
    r = Reading(data)
    item = r.item()
    order = [(c.dot, c.stamp[0], c.stamp[1], c.stamp[2], c.first)
             for c in item.changes]
    paths = [path_key(path) for path, _, _ in item.cells]
    used = {ix for _, _, ix in item.cells} | {item.tomb} - {-1}
    if (r.at != len(data) or item.bytes() != data or item.length == 0 or
            order != sorted(set(order)) or
            any(a >= b for a, b in zip(paths, paths[1:])) or
            (item.length % 2 == 0) != (item.tomb >= 0) or
            (item.tomb >= 0 and item.cells) or
            used != set(range(len(item.changes)))):
        raise Malformed("no such item")
    return item


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


def sign(rng, by, commit, key, item):
    """By that private key, each change as a commit of its own, amid leaves that
    live no more."""
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
        c.proof = make_proof(by, commit, leaves, lives)


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
