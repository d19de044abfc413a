#!/usr/bin/python3
"""Documents that nest as deep as any may go by LAN sync like others, and what
nests deeper is told, and keeps back nothing else."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "hostile"))

from lan_deflate_test import _peer
from lan_sync_test import Peer, _item
from lansync_test import Scene
from node import main, wait_for
from tap import check, equal, holds

DEEPEST = 64  # of a document


def _nested(levels, leaf=1):
    """Objects, and a list inside: so many levels of them."""
    value = [leaf]
    for _ in range(levels - 1):
        value = {"a": value}
    return value


def _lists(levels):
    value = [1]
    for _ in range(levels - 1):
        value = [value]
    return value


def _fill(node):
    want = {}
    for levels in range(58, DEEPEST + 1):
        want["o%d" % levels] = _nested(levels)
        want["l%d" % levels] = _lists(levels)
    for key, value in want.items():
        node.put(key, value, "lan")
    node.put("last", {"n": 1}, "lan")
    return want


def two_of_ours_tell_each_other_of_the_deepest():
    with Scene("a") as s:
        a = s.nodes["a"]
        want = _fill(a)
        b = _peer(s, "b")
        for key, value in want.items():
            b.waits_for(key, value, "lan")
        b.waits_for("last", {"n": 1}, "lan")
        b.put("back", _nested(DEEPEST, 2), "lan")
        a.waits_for("back", _nested(DEEPEST, 2), "lan")


def older_nodes_tell_and_are_told_of_the_deepest():
    for dialect in ("v1", "v2"):
        with Scene("a") as s:
            a, old = s.nodes["a"], s.old("old", dialect)
            want = _fill(a)
            check(old.do("connect", port=s.port())["success"], "in")
            wait_for("it is told of the last", lambda: "last" in old.do(
                "shown"))
            shown = old.do("shown")
            equal({k for k in want if k[0] == "o"} - set(shown), set(),
                  "what it is not told of")
            equal(shown["o64"], _nested(64), "the deepest")
            equal(shown["l64"], {"value": _lists(64)}, "the deepest list")
            old.do("put", key="theirs", data=_nested(DEEPEST, 3))
            a.waits_for("theirs", _nested(DEEPEST, 3), "lan")


def what_is_deeper_keeps_back_nothing_else():
    """An item that nests deeper than a document may is not taken, and it is
    said which; of a message that cannot be read people are told."""
    with Scene("a") as s:
        node = s.nodes["a"]
        with Peer(s.port()) as p:
            check(p.come_in(), "in")
            items = [dict(_item("k%d" % n), data=_nested(n))
                     for n in (3, 64, 65, 66, 70, 100, 124, 2)]
            p.say("SYNC_DATA", {"items": items, "data_id": "d"})
            told = p.hear("SYNC_ACK")["payload"]
            equal((told["items"], told["refused"]), (3, 5), told)
            holds(told["error"], "nested deeper than 64 levels")
            for n in (2, 3, 64):
                node.waits_for("k%d" % n, _nested(n), "lan")
            p.say("SYNC_DATA", {"items": [dict(
                _item("deep"), data=_nested(140))]})
            equal(p.error()[1], "internal_error", "what it is told")
            trouble = node.call("lansync")["connections"][0]["trouble"]
            holds(trouble, "a message of it cannot be read, and nothing in it "
                  "is taken (nested deeper than 128 levels")
            holds(node.do("peers"), "a message of it cannot be read")
            holds(open(node.log).read(), "raw at 127.0.0.1", trouble)
            p.say("SYNC_DATA", {"items": [_item("after", 7)]})
            p.hear("SYNC_ACK")
            holds(node.call("lansync")["connections"][0]["trouble"],
                  "an item of it is not taken: k66: ")
            p.say("SYNC_DATA", {"items": [_item("k66", 7)]})
            p.hear("SYNC_ACK")
            equal(node.call("lansync")["connections"][0]["trouble"], None,
                  "it is well again")


def people_are_told_of_what_is_not_taken():
    """Who has said it does not look at what it is answered."""
    with Scene("a") as s:
        node = s.nodes["a"]

        def found():
            return [c["text"] for c in node.call("doctor")["checks"]
                    if c["name"] == "lansync-node"]

        with Peer(s.port()) as p:
            check(p.come_in(), "in")

            def says(key, data):
                p.say("SYNC_DATA", {"items": [dict(_item(key), data=data)]})
                return p.hear("SYNC_ACK")["payload"]

            equal(says("n", {"n": 1 << 63})["refused"], 1, "too long")
            told = "an item of it is not taken: n: the integer does not fit"
            holds(node.do("peers"), told)
            holds(found()[0], told, "until it says what can be taken")
            equal(says("other", {"n": 1})["items"], 1, "another")
            holds(node.do("peers"), told)
            equal(says("n", {"n": 1})["items"], 1, "what fits")
            equal(found(), [], "afterwards")


if __name__ == "__main__":
    sys.exit(main(globals()))
