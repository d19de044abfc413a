#!/usr/bin/python3
"""R38: a member cannot fill the audit log, and so push out what was in it."""

import json
import sys
import time

import peer
from peer import tap


def parked_and_back_again():
    scene = peer.scene()
    victim = scene.victim
    of = {m["name"]: m["device"] for m in victim.call("members")["members"]}
    key = ("parked/" + of["honest"]).encode()
    before = victim.status()["audit"]
    with scene.unharmed(), scene.peer() as p:
        for i in range(100):
            row = p.row(key, [(b"", b"false" if i % 2 else b"true")], i + 1,
                        space="_mesh", wall_us=int(time.time() * 1e6) + i)
            p.batch(rows=[row], space="_mesh")
            p.lives()
    print("#", before, victim.status()["audit"])
    with open(victim.dir + "/audit.log", encoding="utf-8") as f:
        kinds = [json.loads(line)["kind"] for line in f]
    n = kinds.count("parked") + kinds.count("unparked")
    tap.check(0 < n < 10, "%d records of 100 changes" % n)


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
