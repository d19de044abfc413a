#!/usr/bin/python3
"""R18: what is not known yet ends no connection, for what makes it known may be
on its way on that very one: rows and whole states of a device whose certificate
has not come are let be, and asked for again when it has. Nor does it keep anybody
from the certificates to send much."""

import hashlib
import json
import sys
import time

import peer
from peer import serialization, tap

CELLS = [(b"", b'"of the stranger"')]
LARGE = [(b"", b'"' + b"x" * 60000 + b'"')]


def _signed(p, by, key, cells, seq=1, space="default"):
    """A row under a replica of a device that nobody knows."""
    row = peer.Row(by.device[:8] + b"\5" * 8, seq, cells)
    return key, row.sign(p.keys(space), key, by.key).encode()


def _certificate(p, daemon, device):
    """An admin, the peer, lets it in."""
    all_of_them = {k: json.loads(daemon.get(k, "_mesh")[0])
                   for k in daemon.do("ls", "_mesh").split()
                   if k.startswith("cert/")}
    records = {k: r for k, r in all_of_them.items() if r["kind"] != "kx"}
    named = {a for r in records.values() for a in r["after"]}
    public = device.key.public_key().public_bytes(
        serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo)
    payload = json.dumps({
        "after": sorted({k[5:] for k in records} - named),
        "at": int(time.time() * 1e6), "by": p.identity.device.hex(),
        "device": device.device.hex(), "kind": "member",
        "mesh": p.mesh.hex(), "name": "late", "role": "member",
        "spki": public.hex()}, separators=(",", ":"))
    signature = p.identity.key.sign(
        b"syncline membership v1\n" + payload.encode())
    name = hashlib.sha256(payload.encode() + signature).hexdigest()
    return b"cert/" + name.encode(), json.dumps(
        [payload, signature.hex()], separators=(",", ":")).encode()


def _lets_in(p, daemon, device, seq):
    key, value = _certificate(p, daemon, device)
    p.batch([p.row(key, [(b"", value)], seq, space="_mesh")],
            space="_mesh", mark={p.replica: seq})


def _await_subscribe(p, space):
    """The daemon asks for this space once more."""
    while p.await_frame(peer.SUBSCRIBE)[:16] != p.token(space):
        pass


def _meet(p):
    """All that the daemon asks for by itself."""
    for space in ("_mesh", "config", "default"):
        p.subscribe(space)
    p.lives()


def a_whole_state():
    """The one that sends it knows of a device more."""
    scene = peer.scene()
    stranger = peer.Identity.fresh()
    with scene.unharmed(), scene.peer() as p:
        _meet(p)
        key, row = _signed(p, stranger, b"late", CELLS)
        horizon = peer.vector({stranger.device[:8] + b"\5" * 8: 1})
        p.frame(peer.BOOTSTRAP, p.token() + b"\0" + horizon)
        p.batch([(key, row)])
        p.lives()
        tap.equal(scene.victim.get("late"), None, "what came of it")
        _lets_in(p, scene.victim, stranger, 1)
        _await_subscribe(p, "default")
        p.lives()


def rows():
    scene = peer.scene()
    stranger = peer.Identity.fresh()
    with scene.unharmed(), scene.peer() as p:
        _meet(p)
        for seq in range(1, 31):
            p.batch([_signed(p, stranger, b"late-%d" % seq, LARGE, seq)])
        p.lives()
        tap.equal(scene.victim.get("late-1"), None, "what came of it")
        _lets_in(p, scene.victim, stranger, 1)
        _await_subscribe(p, "default")
        p.lives()


def more_of_the_mesh_itself():
    """It goes on, since the certificate may be behind them; but no mark is
    believed before all has come again."""
    scene = peer.scene()
    stranger = peer.Identity.fresh()
    replica = stranger.device[:8] + b"\5" * 8
    with scene.unharmed(), scene.peer() as p:
        _meet(p)
        for seq in range(1, 31):
            p.batch([_signed(p, stranger, b"junk/%d" % seq, LARGE, seq,
                             "_mesh")], space="_mesh")
        p.batch(space="_mesh", mark={replica: 30})
        p.lives()
        tap.check(replica.hex() not in scene.victim.space("_mesh")["vector"],
                  "a mark was believed")
        _lets_in(p, scene.victim, stranger, 1)
        _await_subscribe(p, "_mesh")
        p.lives()
        tap.check(replica.hex() not in scene.victim.space("_mesh")["vector"],
                  "a mark was believed")


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
