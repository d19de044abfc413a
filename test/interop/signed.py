"""Envelopes, leaves, trees and proofs, from doc/protocol.md: another
implementation, which shares nothing with ours."""

import hashlib
import hmac
import os
import struct
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
HEADER = struct.Struct("<B16s16sQ16s16sQ16sQQQ16sQ32sB32s32sB")


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


# ---- envelopes ----

class Keys:
    def __init__(self, secret, mesh, space, epoch, key):
        self.secret, self.mesh, self.space = secret, mesh, space
        self.epoch, self.key = epoch, key
        self.id = mac(key, b"kid")[:16]
        self.of_space = self.derive(None, key, b"syncline space v1\n")
        self.first = self.derive(None, secret, b"syncline space v1\n")
        self.siv = self.derive(mesh, self.of_space, b"syncline siv v1\n")
        self.seal = self.derive(mesh, self.of_space, b"syncline seal v1\n")
        self.index = self.derive(mesh, self.first, b"syncline index v1\n")

    @classmethod
    def clear(cls, mesh, space):
        """Epoch 0: of cells that nobody seals."""
        self = cls(bytes(32), mesh, space, 0, bytes(32))
        self.id = bytes(16)
        self.of_space = self.first = self.derive(
            mesh, mesh + bytes(16), b"syncline clear v1\n")
        self.siv = self.derive(mesh, self.of_space, b"syncline siv v1\n")
        self.seal = self.derive(mesh, self.of_space, b"syncline seal v1\n")
        self.index = self.derive(mesh, self.first, b"syncline index v1\n")
        return self

    def derive(self, salt, key, what):
        return HKDF(hashes.SHA256(), 32, salt, what + self.space).derive(key)

    def words(self):
        return [self.first.hex(), self.mesh.hex(), self.space.hex(),
                str(self.epoch), (self.id + self.of_space).hex()]


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


def seal(keys, fields, key, path, value):
    """fields: dot, first, stamp, length, context, type."""
    header = HEADER.pack(
        1, keys.mesh, keys.space, keys.epoch, keys.id, *fields,
        mac(keys.index, key), mac(keys.index, pre(key), path), 0)
    plain = pre(key) + pre(path) + value
    tag = mac(keys.siv, header, plain)
    gcm, nonce = xaes(keys.seal, tag[:24])
    return header + tag + gcm.encrypt(nonce, plain, header)


def leaf(keys, fields, key, path, value):
    """Of a cell; fields as above."""
    header = HEADER.pack(
        1, keys.mesh, keys.space, keys.epoch, keys.id, *fields,
        mac(keys.index, key), mac(keys.index, pre(key), path), 0)
    tag = mac(keys.siv, header, pre(key) + pre(path) + value)
    return hashlib.sha256(b"\0" + header + tag).digest()


def open_envelope(keys, data):
    header, tag, sealed = data[:243], data[243:275], data[275:]
    f = HEADER.unpack(header)
    tap.equal(f[:5], (1, keys.mesh, keys.space, keys.epoch, keys.id))
    gcm, nonce = xaes(keys.seal, tag[:24])
    plain = gcm.decrypt(nonce, sealed, header)
    tap.check(hmac.compare_digest(mac(keys.siv, header, plain), tag), "tag")
    n, at = take_varint(plain, 0)
    key, at = plain[at:at + n], at + n
    n, at = take_varint(plain, at)
    path, value = plain[at:at + n], plain[at + n:]
    tap.equal(f[-3:-1], (mac(keys.index, key), mac(keys.index, pre(key), path)))
    return f, key, path, value


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


def make_proof(key, mesh, leaves, lives, epoch=0, key_id=b""):
    sig = key.sign(b"syncline commit v1\n" + mesh + root_of(leaves))
    out = varint(epoch) + key_id + sig + varint(len(leaves))
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
        self.epoch, at = take_varint(data, 0)
        at += 16 if self.epoch else 0
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
