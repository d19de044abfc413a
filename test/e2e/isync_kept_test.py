#!/usr/bin/python3
"""What a daemon that speaks with iSync nodes knows after it was stopped in the
middle of something."""

import json
import os
import time

from isync_scene import Scene
from isync_scene import item as _item
from isync_scene import shows as _shows
from isync_scene import wait_for
from node import main
from tap import equal


def _restart(node, **kept):
    """With what it kept changed so; what that was."""
    path = os.path.join(node.dir, "isync.json")
    node.stop()
    with open(path) as file:
        state = json.load(file)
    with open(path, "w") as file:
        json.dump(dict(state, **kept), file)
    node.start()
    return state


def _natives(node):
    return node.call("isync")["native_only"]


def _is_done(node):
    wait_for("nothing is left to do",
             lambda: node.call("isync")["pending"] == 0)


def a_removal_is_carried_out_after_a_stop():
    """Who stops does not hear whether it was. Both are tried."""
    remove = {"remove": ["config._id.a"], "native": []}
    with Scene() as s:
        node, old = s.nodes["a"], s.old("old")
        old.do("dial", url=s.url())
        old.put(a=1, b=2)
        _shows(node, a=1, b=2)
        old.delete("a")
        _shows(node, b=2)
        # It was. What is made anew then stays, whatever else comes.
        first = _restart(node, **remove)
        _is_done(node)
        node.call("patch", space="config", key="_id", patch={"a": 7})
        wait_for("it is known as such",
                 lambda: _natives(node) == ["config._id.a"])
        old.do("cut")
        old.do("dial", url=s.url())
        old.put(b=3)
        _shows(node, a=7, b=3)
        # Nor is what others have made anew meanwhile removed.
        _restart(node, cursor=first["cursor"], saved=first["saved"], **remove)
        equal(_item(node), {"a": 7, "b": 3}, "it stays")
        wait_for("it is known", lambda: _natives(node) == ["config._id.a"])
        # It was not.
        _restart(node, saved=int(time.time() * 1e6), **remove)
        _shows(node, b=3)
        _is_done(node)
        equal(_natives(node), [], "none")


def who_wrote_what_came_last_is_known_after_a_crash():
    """Not the program, which wrote it into the space: nothing is stamped anew,
    and nothing told in another name."""
    with Scene() as s:
        node, old = s.nodes["a"], s.old("old")
        for turn in range(2):
            old.do("cut")
            old.do("dial", url=s.url())
            old.do("put", values={"config._id.k%d" % turn: turn},
                   stamp=1728123456.25 + turn / 7)
            old.do("put", values={"config._id.n": turn})
            want = old.do("state")["lww_registers"]
            wait_for("it is in the space", lambda t=turn: _item(node) and
                     _item(node).get("n") == t and
                     _item(node).get("k%d" % t) == t, pause=0.001)
            node.kill()
            node.start()
            other = s.old("other%d" % turn)
            other.do("dial", url=s.url())
            wait_for("it is told", lambda o=other, w=want: len(
                o.do("values")) == len(w))
            equal(other.do("state")["lww_registers"], want, "as it was")
        node.stop()
        equal([name for name in os.listdir(node.dir) if "heard" in name], [],
              "it is kept with the rest")


if __name__ == "__main__":
    raise SystemExit(main(globals()))
