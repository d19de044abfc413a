#!/usr/bin/python3
"""Items and records of conflicts as a relay keeps them, against another
implementation of doc/protocol.md and doc/store.md that shares nothing with
ours (signed.py, sealing.py): both make the same bytes of an item, and what a
relay sees is enough to find the root that was signed.

usage: sealed_test.py ENVELOPE_TOOL [ROUNDS [SEED]]

TAP."""

import os
import random
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from signed import (  # noqa: E402
    VALUE, Commit, Keys, Proof, Tool, leaf, make_proof, tap)
from sealing import (  # noqa: E402
    TOLD, Change, Item, cell_value, fields_of, name_of, path_key, path_of,
    record, seal_item, seal_side, seen_root, sign)
from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: E402

EDENIED = -14
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
DEVICE = ed25519.Ed25519PrivateKey.from_private_bytes(b"\x77" * 32)


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
    sign(RNG, DEVICE, commit, key, item)
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
    sign(RNG, DEVICE, commit, b"it", item)
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
