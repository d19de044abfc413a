#!/usr/bin/python3
"""R15: nobody voids a certificate: not by another signature under the same
words, nor by deleting it."""

import json
import sys

import peer
from peer import tap


def _roles(daemon):
    return {m["name"]: m["role"] for m in daemon.call("members")["members"]}


def _certificates(daemon):
    keys = peer.certificates(daemon)
    tap.equal(len(keys), 6, "how many there are")
    return {key: daemon.get(key, "_mesh") for key in keys}


def _breaks(key, value):
    scene = peer.scene()
    before = _roles(scene.victim)

    def send(p):
        row = p.row(key.encode(), [(b"", value)], 1, space="_mesh")
        p.batch(rows=[row], space="_mesh")
    scene.breaks(send)
    tap.equal(_roles(scene.victim), before, "who is what")


def another_signature():
    for key, (payload, _) in _certificates(peer.scene().victim).items():
        _breaks(key, json.dumps([payload, "00" * 64],
                                separators=(",", ":")).encode())


def nothing():
    for key in _certificates(peer.scene().victim):
        _breaks(key, None)


def what_is_of_format_2():
    """Its key is no hash; it is neither deleted nor overwritten."""
    device = peer.scene().key.device.hex()
    for key in ("removed/" + device, "member/" + device):
        _breaks(key, None)
        _breaks(key, b'"nothing"')


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
