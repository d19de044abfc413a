#!/usr/bin/python3
"""A device key under a passphrase, by another implementation: Argon2id by the
argon2 command, AES-256-GCM by its definition over the openssl command."""

import base64
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
import node
import tap

NAME = "SYNCLINE SEALED KEY"


def _aes_block(key, block):
    return subprocess.run(
        ["openssl", "enc", "-aes-256-ecb", "-nopad", "-K", key.hex()],
        input=block, stdout=subprocess.PIPE, check=True).stdout


def _mul(x, y):
    """In GCM's field (SP 800-38D, 6.3)."""
    z = 0
    for i in range(127, -1, -1):
        if x >> i & 1:
            z ^= y
        y = y >> 1 ^ (0xE1 << 120 if y & 1 else 0)
    return z


def _ghash(h, data):
    y = 0
    for i in range(0, len(data), 16):
        y = _mul(y ^ int.from_bytes(data[i:i + 16], "big"), h)
    return y


def _pad(b):
    return b + bytes(-len(b) % 16)


def gcm(key, nonce, aad, text):
    """The other text, and a tag that is right if `text` is the sealed one
    (first) or the open one (second)."""
    n = (len(text) + 15) // 16
    blocks = _aes_block(key, b"".join(
        nonce + (i + 1).to_bytes(4, "big") for i in range(n + 1)))
    other = bytes(a ^ b for a, b in zip(text, blocks[16:]))
    h = int.from_bytes(_aes_block(key, bytes(16)), "big")

    def tag(sealed):
        sizes = (8 * len(aad)).to_bytes(8, "big") + \
            (8 * len(sealed)).to_bytes(8, "big")
        s = _ghash(h, _pad(aad) + _pad(sealed) + sizes)
        return bytes(a ^ b for a, b in zip(
            s.to_bytes(16, "big"), blocks[:16]))
    return other, tag(text), tag(other)


def stretch(passphrase, salt, kib, passes, lanes):
    """argon2 takes a salt without a zero byte as its argument."""
    out = subprocess.run(
        ["argon2", salt, "-id", "-v", "13", "-k", str(kib), "-t", str(passes),
         "-p", str(lanes), "-l", "32", "-r"],
        input=passphrase, stdout=subprocess.PIPE, check=True).stdout
    return bytes.fromhex(out.decode().strip())


def unseal(pem, passphrase):
    """The seed of the key."""
    match = re.fullmatch("-----BEGIN %s-----\n(.*)-----END %s-----\n" % (
        NAME, NAME), pem, re.S)
    b = base64.b64decode(match.group(1))
    tap.equal((b[0], len(b)), (1, 86), "version and length")
    kib, passes = (int.from_bytes(b[i:i + 4], "little") for i in (1, 5))
    key = stretch(passphrase, b[10:26], kib, passes, b[9])
    seed, tag, _ = gcm(key, b[26:38], b[:38], b[38:70])
    tap.equal(b[70:], tag, "the tag")
    return seed, (kib, passes, b[9])


def seal(seed, passphrase, salt, nonce, kib, passes, lanes):
    head = b"\x01" + kib.to_bytes(4, "little") + \
        passes.to_bytes(4, "little") + bytes([lanes]) + salt + nonce
    key = stretch(passphrase, salt, kib, passes, lanes)
    sealed, _, tag = gcm(key, nonce, head, seed)
    text = base64.b64encode(head + sealed + tag).decode()
    lines = "".join(text[i:i + 64] + "\n" for i in range(0, len(text), 64))
    return "-----BEGIN %s-----\n%s-----END %s-----\n" % (NAME, lines, NAME)


def seed_of(path):
    """Of a key without a passphrase: the last bytes of its PKCS#8."""
    der = subprocess.run(["openssl", "pkey", "-in", path, "-outform", "DER"],
                         stdout=subprocess.PIPE, check=True).stdout
    return der[-32:]


def the_vector_is_made_anew():
    made = seal(bytes([1, 2, 3]) + bytes(29), b"correct horse",
                b"salt of sixteen.", bytes(range(1, 13)), 64, 1, 1)
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "../unit/sealed_key_test.c"),
              encoding="utf-8") as f:
        text = f.read()
    for line in made.splitlines():
        tap.holds(text, '"%s\\n"' % line)
    with open(os.path.join(here, "../../doc/security.md"),
              encoding="utf-8") as f:
        tap.holds(f.read(), made)


def what_we_seal_opens_elsewhere():
    with tempfile.TemporaryDirectory() as folder, node.World() as w:
        a, = w.nodes("a")
        a.stop()
        path = os.path.join(a.dir, "identity.pem")
        seed = seed_of(path)
        file = os.path.join(folder, "pass")
        for _ in range(100):
            with open(file, "wb") as f:
                f.write("größer als nichts\n".encode())
            a.do("key", "passphrase", "--passphrase-file", file,
                 *(["--old-passphrase-file", file] if _ else []))
            with open(path, encoding="ascii") as f:
                pem = f.read()
            salt = base64.b64decode(pem.splitlines()[1])[10:26]
            if 0 not in salt:  # or the command could not be given it
                break
        got, cost = unseal(pem, "größer als nichts".encode())
        tap.equal(got, seed, "the seed")
        tap.equal(cost, (65536, 3, 1), "the cost")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "--vector":
        print(seal(bytes([1, 2, 3]) + bytes(29), b"correct horse",
                   b"salt of sixteen.", bytes(range(1, 13)), 64, 1, 1))
    else:
        raise SystemExit(tap.run([the_vector_is_made_anew,
                                  what_we_seal_opens_elsewhere],
                                 sys.argv[1:]))
