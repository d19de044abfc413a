#!/usr/bin/python3
"""R23: a member deletes everything, and is removed; one command brings it
back, and leaves alone what was made anew."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))

from node import World, main, records, wait_for
from tap import check, equal, holds

N = 10000


def _keys(node):
    return {i["key"] for i in node.call("ls", limit=N)["items"]}


def _delete(node, keys):
    keys = list(keys)
    for at in range(0, len(keys), 1000):
        node.call("batch", ops=[{"key": k, "delete": True}
                                for k in keys[at:at + 1000]])


def ten_thousand_deletions_are_undone_by_one_command():
    with World() as world:
        a, evil = world.mesh("a", "evil",
                             flags=("--collect.interval", "1s"))
        a.do("import", "default", "-", stdin=records(0, N))
        wait_for("evil has them", lambda: len(_keys(evil)) == N, 60)
        a.put("mine", {"n": 1})
        for name in "xyz":  # together more than one batch takes
            a.put("large-" + name, {"text": name * 300000})
            a.do("del", "default", "large-" + name)
        a.do("del", "default", "mine")
        key, other = "key000042", "key000043"
        before = a.get(other)
        _delete(evil, _keys(evil))
        wait_for("all is gone", lambda: not _keys(a), 60)
        wait_for("the records of it, too", lambda: a.space()["deleted"] == 0,
                 60)
        a.do("remove", "evil")
        a.put(key, {"made": "anew"})
        holds(a.do("restore", "default", "--deleted", "--by", "evil",
                   "--dry-run").split("\n")[0], "by evil")
        a.do("restore", "default", "--deleted", "--by", "evil", "--since",
             "1h", "--yes")
        equal(len(_keys(a)), N, "items that are back")
        equal(a.get(key), {"made": "anew"}, "what was made anew")
        check("mine" not in _keys(a), "what somebody else deleted stays so")
        equal(a.get(other), before, "its value")
        a.do("restore", "default", "--deleted", "--prefix", "mi", "--yes")
        equal(a.get("mine"), {"n": 1}, "by its prefix")
        a.do("restore", "default", "--deleted", "--yes")
        equal(a.get("large-z"), {"text": "z" * 300000}, "a large one")


def it_asks_first_and_says_what_goes_together():
    with World() as world:
        a, = world.nodes("a")
        a.refuses("restore", "default", "--deleted", code=2, says=("--yes",))
        a.refuses("restore", "default", "k", "1", "--by", "x", code=2,
                  says=("--deleted",))
        a.refuses("restore", "default", code=2, says=("--deleted",))
        a.refuses("restore", "none", "--deleted", "--yes", says=("none",))


if __name__ == "__main__":
    sys.exit(main(globals()))
