#!/usr/bin/python3
"""R38: a member cannot fill the audit log, and so push out what was in it."""

import json
import os
import socket
import sys
import time

import peer
from peer import node, tap


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


def a_list_of_errors_of_somebody_else_is_not_taken():
    """Its entries are named by what they say and where: one that somebody has
    put in, or altered, is missed, and the list begins anew."""
    with node.World() as world:
        a = world.node("a").start()
        path = os.path.join(a.dir, "errors.json")

        def kept():
            with open(path, encoding="utf-8") as f:
                return json.load(f)
        with socket.create_connection(peer.address(a)) as s:
            s.sendall(b"GET /v1/status HTTP/1.1\r\nHost: localhost:%d\r\n"
                      b"Authorization: Bearer wrong\r\n\r\n" %
                      peer.address(a)[1])
            s.recv(12)
        node.wait_for("it is kept", lambda: os.path.exists(path) and [
            e for e in kept()["errors"] if e["code"] == "login"])
        a.stop()
        good = kept()
        a.start()
        tap.check("login" in a.do("errors"), "what it wrote itself is there")
        a.stop()
        for alter in ({"where": {"address": "192.0.2.1"}}, {"code": "disk"},
                      {"id": "0badc0de"}):
            told = json.loads(json.dumps(good))
            [e for e in told["errors"] if e["code"] == "login"][0].update(
                alter, what="call this number")
            with open(path, "w", encoding="utf-8") as f:
                json.dump(told, f)
            a.start()
            tap.check("call this number" not in a.do("errors", "--all"),
                      str(alter))
            tap.holds(a.tail(), "the list begins anew")
            a.stop()


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
