#!/usr/bin/python3
"""R15: an admin that is removed leaves nothing behind that keeps the mesh from
having a key that it does not know."""

import hashlib
import hmac
import json
import os
import struct
import sys
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

import peer
from peer import node, tap


def _text(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _items(n, prefix):
    return {k[len(prefix):]: n.get(k, "_mesh")
            for k in n.do("ls", "_mesh").split() if k.startswith(prefix)}


def _hkdf(key, info):
    return HKDF(hashes.SHA256(), 32, None, info).derive(key)


def _wraps(n, identity, epoch, key, key_id):
    """For everybody, as they should be."""
    raw = serialization.Encoding.Raw
    seed = identity.key.private_bytes(raw, serialization.PrivateFormat.Raw,
                                      serialization.NoEncryption())
    mine = x25519.X25519PrivateKey.from_private_bytes(
        _hkdf(seed, b"syncline x25519 v1\n"))
    wraps = {}
    for word, _ in _items(n, "cert/").values():
        word = json.loads(word)
        if word["kind"] != "kx":
            continue
        to = word["device"]
        theirs = x25519.X25519PublicKey.from_public_bytes(
            bytes.fromhex(word["x25519"]))
        info = (b"syncline wrap v1\n" + identity.device + bytes.fromhex(to) +
                struct.pack("<Q", epoch) + key_id)
        nonce = os.urandom(12)
        sealed = AESGCM(_hkdf(mine.exchange(theirs), info)).encrypt(
            nonce, b"\0" + key, info)
        wraps[to] = {"for": "*", "sealed": (nonce + sealed).hex()}
    return wraps


def _certificate(n, identity, **says):
    after = sorted(name for name, (word, _) in _items(n, "cert/").items()
                   if json.loads(word)["kind"] != "kx")
    payload = _text(dict(
        says, after=after, at=int(time.time() * 1e6), by=identity.device.hex(),
        mesh=n.status()["mesh"])).encode()
    sig = identity.key.sign(b"syncline membership v1\n" + payload)
    key = "cert/" + hashlib.sha256(payload + sig).hexdigest()
    return key.encode(), _text([payload.decode(), sig.hex()]).encode()


def _epochs(scene):
    return [n.status()["epoch"] for n in (scene.victim, scene.honest)]


def _goes_on_after(kind, epoch, given):
    """What it signs; then it is removed, and somebody rotates by hand."""
    with node.World() as w:
        scene = peer.Scene(w)
        v, h = scene.victim, scene.honest
        key = os.urandom(32)
        key_id = hmac.new(key, b"kid", "sha256").digest()[:16]
        wraps = _wraps(v, scene.key, epoch, key, key_id) if given else {}
        name, value = _certificate(v, scene.key, kind=kind, epoch=epoch,
                                   key=key_id.hex(), wraps=wraps)
        with scene.peer() as p:
            p.batch([p.row(name, [(b"", value)], 700, space="_mesh")],
                    space="_mesh")
            p.lives()
        for n in (v, h):
            node.wait_for("its record", lambda n=n: n.get(
                name.decode(), "_mesh"))
        least = 2 if kind == "rotate" else 1
        h.do("remove", "lost0")
        node.wait_for("a new key", lambda: min(_epochs(scene)) >= least)
        before = max(_epochs(scene))
        v.do("rotate")
        node.wait_for("another", lambda: min(_epochs(scene)) > before)
        tap.check(max(_epochs(scene)) < 10, "epochs: %s" % _epochs(scene))


def a_key_that_it_gave_to_nobody():
    _goes_on_after("rotate", 1, given=False)


def a_key_that_no_record_made():
    _goes_on_after("wrap", 1 << 30, given=True)


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
