#!/usr/bin/python3
"""What people are told: who wrote, why a start makes a new replica, what
waits for them, and what `doctor` makes of it."""

import json
import sys

from node import World, connections, main, same, wait_for
from tap import check, equal, holds


def _log(n):
    with open(n.log, encoding="utf-8", errors="replace") as f:
        return f.read()


def _checks(n, name):
    """What doctor says under that name: [(level, text)]."""
    answer = n.call("doctor")
    return [(c["level"], c["text"]) for c in answer["checks"]
            if c["name"] == name]


def _conflict(a, b, key):
    """b writes without having seen what a wrote, and loses or wins."""
    b.stop()
    a.do("put", "default", key, '"by a"')
    a.stop()
    b.start()
    b.do("put", "default", key, '"by b"')
    a.start()


def a_removed_member_keeps_its_name():
    with World() as w:
        a, b = w.mesh("a", "b")
        b.put("lamp", {"on": True})
        same([a, b])
        a.do("remove", "b")
        answer = a.call("get", space="default", key="lamp")
        equal((answer["name"], answer.get("removed")), ("b", True), "get")
        equal(len(answer["device"]), 64, "the whole id")
        holds(a.do("history", "default", "lamp"), "b (removed)")
        a.put("lamp", {"on": False})
        answer = a.call("get", space="default", key="lamp")
        equal((answer["name"], answer.get("removed")), ("a", None), "get")


if __name__ == "__main__":
    sys.exit(main(globals()))
