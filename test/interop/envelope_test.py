#!/usr/bin/python3
"""Leaves, seals and proofs against an implementation of doc/protocol.md that
shares nothing with ours (signed.py): what C seals Python opens, and the other
way round.

usage: envelope_test.py ENVELOPE_TOOL [ROUNDS [SEED]]

ENVELOPE_TOOL is built from envelope_tool.c. TAP."""

import hashlib
import os
import random
import re
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from signed import (  # noqa: E402
    TOMBSTONE, VALUE, Commit, Keys, Proof, Tool, leaf, make_proof, part,
    root_of, tag_of, tap, xaes)
from cryptography.exceptions import InvalidTag  # noqa: E402
from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: E402

ENOTFOUND, EMALFORMED, EDENIED = -6, -3, -14
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


# ---- what is drawn ----

def draw_keys(rng):
    epoch = rng.choice([0, 0, 1, 7, 2**64 - 1])
    secret = rng.randbytes(32)
    return Keys(secret, rng.randbytes(16), rng.randbytes(16), epoch,
                rng.randbytes(32) if epoch else secret)


def draw_cell(rng):
    kind = rng.randrange(3)
    number = lambda: rng.choice([1, 5, 2**32, 2**62, rng.randrange(1, 2**40)])
    length = 2 * rng.randrange(1, 1000) - (kind != TOMBSTONE)
    fields = [rng.randbytes(16), number(), rng.randbytes(16), number(),
              rng.randrange(9), number(), rng.randbytes(16), length,
              rng.randbytes(32), kind]
    size = rng.choice([1, 20, 127, 128, 300])
    return (fields, rng.randbytes(size),
            b"" if kind == TOMBSTONE else rng.randbytes(rng.randrange(200)),
            rng.randbytes(rng.choice([1, 16, 900])) if kind == VALUE else b"")


TOOL = Tool(sys.argv[1])
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 60
RNG = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)


def the_published_vectors_of_xaes():
    """C2SP, XAES-256-GCM, test vectors."""
    nonce, text = b"ABCDEFGHIJKLMNOPQRSTUVWX", b"XAES-256-GCM"
    for key, aad, want in (
            (b"\1" * 32, b"",
             "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
            (b"\3" * 32, b"c2sp.org/XAES-256-GCM",
             "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d")):
        gcm, n = xaes(key, nonce)
        tap.equal(gcm.encrypt(n, text, aad).hex(), want)


def draw_mark(rng):
    """What a commit is made with."""
    epoch = rng.choice([0, 0, 1, 300, 2**64 - 1])
    return Commit(rng.randbytes(16), rng.randbytes(16), rng.randbytes(16),
                  epoch, rng.randbytes(16) if epoch else b"")


def both_make_the_same_leaves():
    for _ in range(ROUNDS):
        commit = draw_mark(RNG)
        fields, *cell = draw_cell(RNG)
        tap.equal(TOOL.ask("leaf", commit.salt, commit.header(fields), *cell),
                  [leaf(commit, fields, *cell)])


def both_name_items_and_cells_alike():
    for _ in range(ROUNDS):
        keys = draw_keys(RNG)
        _, key, path, _ = draw_cell(RNG)
        tap.equal(TOOL.ask("tokens", *keys.words(), key, path),
                  list(keys.tokens(key, path)))


def both_seal_the_same_bytes_and_open_them():
    for _ in range(ROUNDS):
        keys = draw_keys(RNG)
        plain = RNG.randbytes(RNG.choice([1, 20, 900]))
        tag = RNG.choice([b"", RNG.randbytes(32)])
        ours = keys.seal(plain, tag)
        tap.equal(TOOL.ask("seal", *keys.words(), tag, plain), [ours])
        got = TOOL.ask("open", *keys.words(), ours)
        tap.equal(tuple(got), keys.open(ours))
        tap.equal(got[1], plain)


def what_is_bent_opens_for_nobody():
    keys = draw_keys(RNG)
    whole = keys.seal(RNG.randbytes(100))
    for at in range(len(whole)):
        bent = bytearray(whole)
        bent[at] ^= 1 << RNG.randrange(8)
        got = TOOL.ask("open", *keys.words(), bytes(bent))
        tap.check(got in (ENOTFOUND, EMALFORMED, EDENIED),
                  "byte %d: %r" % (at, got))
        try:
            keys.open(bytes(bent))
        except (InvalidTag, ValueError):
            continue
        raise AssertionError("Python opened what is bent at %d" % at)


def other_keys_are_known_by_their_id():
    keys, others = draw_keys(RNG), draw_keys(RNG)
    others.epoch, others.id = keys.epoch + 1 & 7, b"\0" * 16
    tap.equal(TOOL.ask("open", *others.words(), keys.seal(b"x")), ENOTFOUND)


def draw_commit():
    n = RNG.choice([1, 2, 3, RNG.randrange(1, 300)])
    leaves = [RNG.randbytes(32) for _ in range(n)]
    lives = [RNG.random() < RNG.choice([0.1, 0.9]) for _ in leaves]
    lives[RNG.randrange(n)] = True
    return leaves, lives


def both_prove_the_same_and_believe_it():
    for _ in range(ROUNDS):
        seed, commit = RNG.randbytes(32), draw_mark(RNG)
        commit.epoch, commit.key_id, mesh = 0, b"", commit.mesh
        leaves, lives = draw_commit()
        living = [leaf for leaf, alive in zip(leaves, lives) if alive]
        key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
        keep = "".join("01"[alive] for alive in lives)
        spki, proof = TOOL.ask(
            "commit", seed, mesh, keep, commit.salt, *leaves)
        tap.equal(spki, key.public_key().public_bytes(
            serialization.Encoding.DER,
            serialization.PublicFormat.SubjectPublicKeyInfo))
        tap.equal(proof, make_proof(key, commit, leaves, lives))
        read = Proof(proof)
        tap.equal((read.lives, read.salt), (lives, commit.salt))
        root = read.root(living)
        key.public_key().verify(
            read.sig, b"syncline commit v1\n" + mesh + root)
        tap.equal(TOOL.ask("root", proof, *living), [root])
        tap.equal(TOOL.ask("verify", spki, mesh, proof, root), ["ok"])
        tap.equal(TOOL.ask("verify", spki, mesh[::-1], proof, root), EDENIED)


def shares_of(lives):
    """The living, dealt out to changes one after another."""
    shares, now = [], [False] * len(lives)
    for i, alive in enumerate(lives):
        now[i] = alive
        if any(now) and RNG.random() < 0.2:
            shares.append(now)
            now = [False] * len(lives)
    return shares + ([now] if any(now) else [])


def both_bind_the_same_sheaf_and_cut_it_apart():
    key = ed25519.Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
    commit = Commit(RNG.randbytes(16), b"", RNG.randbytes(16))
    for _ in range(ROUNDS):
        leaves, lives = draw_commit()
        shares = shares_of(lives)[:100]
        lives = [any(column) for column in zip(*shares)]
        living = [leaf for leaf, alive in zip(leaves, lives) if alive]
        proofs = [make_proof(key, commit, leaves, share) for share in shares]
        at, parts = 0, []
        for share in shares:
            made, at = part(share, at)
            parts.append(made)
        sheaf = make_proof(key, commit, leaves, lives)
        tap.equal(TOOL.ask("bind", *proofs), [sheaf] + parts)
        if len(parts) + len(living) < 390:
            tap.equal(TOOL.ask("cut", sheaf, b"", b"", str(len(parts)), *parts,
                               *living), proofs)


def a_proof_of_a_later_epoch_names_its_key():
    seed, mesh = RNG.randbytes(32), RNG.randbytes(16)
    commit = Commit(mesh, b"", RNG.randbytes(16), 300, RNG.randbytes(16))
    key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    leaves, lives = draw_commit()
    living = [leaf for leaf, alive in zip(leaves, lives) if alive]
    proof = make_proof(key, commit, leaves, lives)
    tap.equal(TOOL.ask("root", proof, *living), [root_of(leaves)])
    tap.equal(TOOL.ask("root", proof[:3] + proof[19:], *living), EMALFORMED)
    tap.equal(TOOL.ask("root", b"\0" + proof[1:], *living), EMALFORMED)


def shown(page, after):
    found = re.search(re.escape(after) + r"\n\n```\n(.*?)```", page, re.S)
    return bytes.fromhex(re.sub(r"#.*", "", found.group(1)))


def the_example_of_the_page_holds():
    """The bytes that doc/protocol.md shows."""
    with open(os.path.join(ROOT, "doc", "protocol.md"), encoding="utf-8") as f:
        page = f.read()
    mesh, space = b"\xaa" * 16, b"\x55" * 16
    commit = Commit(mesh, space, b"\x99" * 16)
    fields = [b"\x11" * 16, 5, b"\x11" * 16, 5, 0, 1000000 << 12, b"\x11" * 16,
              1, hashlib.sha256(b"\0\0" + struct.pack("<Q", 1000000)).digest(),
              VALUE]
    header = commit.header(fields)
    tap.equal(shown(page, "The header of a cell, whole:"), header)
    tag = tag_of(commit.salt, header, b"it", b"/on", b"true")
    made = leaf(commit, fields, b"it", b"/on", b"true")
    tap.check(tag.hex() in page, "the page shows the tag %s" % tag.hex())
    tap.check(made.hex() in page, "the page shows the leaf %s" % made.hex())
    tap.equal(TOOL.ask("leaf", commit.salt, header, b"it", b"/on", b"true"),
              [made])
    key = ed25519.Ed25519PrivateKey.from_private_bytes(b"\x77" * 32)
    tap.equal(shown(page, "Its proof:"),
              make_proof(key, commit, [made], [True]))
    keys = Keys(b"\x66" * 32, mesh, space, 0, b"\x66" * 32)
    plain = b"\2it\3/ontrue"
    tap.equal(shown(page, "The same cell, sealed:"), keys.seal(plain, tag))
    for token in keys.tokens(b"it", b"/on"):
        tap.check(token.hex() in page, "the page shows %s" % token.hex())


def the_sheaf_of_the_page_holds():
    with open(os.path.join(ROOT, "doc", "protocol.md"), encoding="utf-8") as f:
        page = f.read()
    first = re.search(r"The leaf is\n\n`([0-9a-f]{64})`", page).group(1)
    leaves = [bytes.fromhex(first)] + [
        hashlib.sha256(b).digest() for b in (b"b", b"c")]
    key = ed25519.Ed25519PrivateKey.from_private_bytes(b"\x77" * 32)
    sheaf = make_proof(key, Commit(b"\xaa" * 16, b"", b"\x99" * 16), leaves, [True, False, True])
    shown = re.search(r"Their sheaf:\n\n```\n(.*?)```", page, re.S)
    tap.equal(bytes.fromhex(re.sub(r"#.*", "", shown.group(1))), sheaf)
    one, at = part([True, False, False], 0)
    two, _ = part([False, False, True], at)
    shown = "`01 %s` and `01 %s`" % (one.hex(), two.hex())
    tap.check(re.sub(" ", "", shown) in re.sub(" ", "", page), shown)


def the_head_of_the_page_holds():
    with open(os.path.join(ROOT, "doc", "protocol.md"), encoding="utf-8") as f:
        page = f.read()
    text = (b"syncline head v1\n" + b"\xaa" * 16 + b"\x55" * 16 + b"\xdd" * 32 +
            struct.pack("<Q", 300) + b"\x11" * 16 + b"\2" + b"\x11" * 16 +
            b"\5" + b"\x22" * 16 + b"\xac\2")
    key = ed25519.Ed25519PrivateKey.from_private_bytes(b"\x77" * 32)
    tap.equal(shown(page, "by the key `77*32`:"), key.sign(text))


TESTS = [the_published_vectors_of_xaes, both_make_the_same_leaves,
         both_name_items_and_cells_alike,
         both_seal_the_same_bytes_and_open_them,
         what_is_bent_opens_for_nobody, other_keys_are_known_by_their_id,
         both_prove_the_same_and_believe_it,
         both_bind_the_same_sheaf_and_cut_it_apart,
         a_proof_of_a_later_epoch_names_its_key, the_example_of_the_page_holds,
         the_sheaf_of_the_page_holds, the_head_of_the_page_holds]

if __name__ == "__main__":
    status = tap.run(TESTS)
    TOOL.close()
    sys.exit(status)
