"""Leaves, trees, proofs and seals, from doc/protocol.md: another
implementation, which shares nothing with ours."""

import hashlib
import hmac
import os
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))

import tap  # noqa: E402

try:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.ciphers import (
        Cipher, algorithms, modes)
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF
except ImportError:
    print("1..0 # SKIP no python3-cryptography")
    sys.exit(0)

VALUE, REMOVED, TOMBSTONE = range(3)
HEADER = struct.Struct("<B16s16sQ16s16sQ16sQQQ16sQ32sBB")


def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def take_varint(data, at):
    n = shift = 0
    while True:
        n |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return n, at


def pre(data):
    return varint(len(data)) + data


# ---- what is signed ----

class Commit:
    """What the leaves of a commit in a space are made with."""

    def __init__(self, mesh, space, salt=b"\7" * 16, epoch=0, key_id=b""):
        self.mesh, self.space, self.salt = mesh, space, salt
        self.epoch, self.key_id = epoch, key_id

    def header(self, fields):
        """fields: dot, first, stamp, length, context, type."""
        return HEADER.pack(1, self.mesh, self.space, self.epoch, self.key_id,
                           *fields, 0)


def tag_of(salt, header, key, path, value):
    return mac(salt, header, pre(key), pre(path), value)


def leaf_of(header, tag):
    return hashlib.sha256(b"\0" + header + tag).digest()


def leaf(commit, fields, key, path, value):
    """Of a cell; fields as above."""
    header = commit.header(fields)
    return leaf_of(header, tag_of(commit.salt, header, key, path, value))


# ---- what is sealed ----

class Keys:
    def __init__(self, secret, mesh, space, epoch, key):
        self.secret, self.mesh, self.space = secret, mesh, space
        self.epoch = epoch
        self.id = mac(key, b"kid")[:16]
        self.of_space = self.derive(None, key, b"syncline space v1\n")
        self.first = self.derive(None, secret, b"syncline space v1\n")
        self.siv = self.derive(mesh, self.of_space, b"syncline siv v1\n")
        self.key = self.derive(mesh, self.of_space, b"syncline seal v1\n")
        self.index = self.derive(mesh, self.first, b"syncline index v1\n")

    def derive(self, salt, key, what):
        return HKDF(hashes.SHA256(), 32, salt, what + self.space).derive(key)

    def words(self):
        return [self.first.hex(), self.mesh.hex(), self.space.hex(),
                str(self.epoch), (self.id + self.of_space).hex()]

    def tokens(self, key, path):
        return mac(self.index, key), mac(self.index, pre(key), path)

    def clear(self, tag):
        return (b"\1" + varint(self.epoch) + (self.id if self.epoch else b"") +
                tag)

    def seal(self, plain, tag=None):
        """tag: None for the keys' own."""
        clear = self.clear(tag or mac(self.siv, plain))
        gcm, nonce = xaes(self.key, clear[-32:][:24])
        return clear + gcm.encrypt(nonce, plain, clear)

    def open(self, data):
        """Tag and plain bytes."""
        clear = self.clear(b"")
        if not data.startswith(clear):
            raise ValueError("another key")
        n = len(clear)
        gcm, nonce = xaes(self.key, data[n:n + 24])
        return data[n:n + 32], gcm.decrypt(nonce, data[n + 32:], data[:n + 32])


def aes(key, block):
    e = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return e.update(block) + e.finalize()


def xaes_key(key, nonce):
    """C2SP, XAES-256-GCM, from its text: the steps of CMAC spelled out."""
    ell = int.from_bytes(aes(key, bytes(16)), "big")
    k1 = ell << 1 & (1 << 128) - 1
    if ell >> 127:
        k1 ^= 0x87
    out = b""
    for i in (1, 2):
        m = int.from_bytes(bytes([0, i]) + b"X\0" + nonce[:12], "big")
        out += aes(key, (m ^ k1).to_bytes(16, "big"))
    return out


def xaes(key, nonce):
    return AESGCM(xaes_key(key, nonce)), nonce[12:]


# ---- trees ----

def split(n):
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def root_of(leaves):
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node(root_of(leaves[:k]), root_of(leaves[k:]))


def dead_hashes(leaves, lives):
    if not any(lives):
        return root_of(leaves)
    if len(leaves) == 1:
        return b""
    k = split(len(leaves))
    return dead_hashes(leaves[:k], lives[:k]) + dead_hashes(
        leaves[k:], lives[k:])


def make_proof(key, commit, leaves, lives):
    sig = key.sign(b"syncline commit v1\n" + commit.mesh + root_of(leaves))
    out = (b"\1" + varint(commit.epoch) + commit.key_id + commit.salt + sig +
           varint(len(leaves)))
    at, want = 0, False
    while at < len(leaves):
        n = 0
        while at + n < len(leaves) and lives[at + n] == want:
            n += 1
        out += varint(n)
        at, want = at + n, not want
    return out + dead_hashes(leaves, lives)


def part(lives, at):
    """What stands for the proof of a change whose leaves these are, among all
    of the tree, where it shares a sheaf; at: where the part before it ended.
    That, and where this one does."""
    end = max(i for i, alive in enumerate(lives) if alive) + 1
    out, want = b"", False
    while at < end:
        n = 0
        while at + n < end and lives[at + n] == want:
            n += 1
        out += varint(n)
        at, want = at + n, not want
    return out, end


class Proof:
    def __init__(self, data):
        tap.equal(data[0], 1, "version")
        self.epoch, at = take_varint(data, 1)
        at += 16 if self.epoch else 0
        self.salt, at = data[at:at + 16], at + 16
        self.sig, at = data[at:at + 64], at + 64
        self.n, at = take_varint(data, at)
        self.lives, want = [], False
        while len(self.lives) < self.n:
            n, at = take_varint(data, at)
            self.lives += [want] * n
            want = not want
        self.hashes = data[at:]

    def root(self, living):
        living, self.at = iter(living), 0

        def walk(lo, hi):
            if not any(self.lives[lo:hi]):
                self.at += 32
                return self.hashes[self.at - 32:self.at]
            if hi - lo == 1:
                return next(living)
            k = split(hi - lo)
            left = walk(lo, lo + k)
            return node(left, walk(lo + k, hi))

        out = walk(0, self.n)
        tap.equal(self.at, len(self.hashes))
        return out


# ---- ours ----

class Tool:
    """envelope_tool.c."""

    def __init__(self, path):
        self.child = subprocess.Popen(
            [path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, *words):
        line = " ".join(w.hex() or "-" if isinstance(w, bytes) else w
                        for w in words)
        self.child.stdin.write(line.encode() + b"\n")
        self.child.stdin.flush()
        answer = self.child.stdout.readline().decode().split()
        if answer and answer[0] == "!":
            return int(answer[1])
        tap.check(answer, "the tool ended at: " + line[:200])
        return [b"" if w == "-" else w if w == "ok" else bytes.fromhex(w)
                for w in answer]

    def close(self):
        self.child.stdin.close()
        tap.equal(self.child.wait(), 0)
