#!/usr/bin/python3
"""iSync nodes and Synclines in a line whose middle is cut and mended, and one of
which is killed: whatever is done, in the end all say the same. ROUNDS=n for
longer, SEED=n for the same again."""

import os
import random
import sys

from isync_scene import Bridge, Scene
from isync_scene import item as _item
from isync_scene import wait_for
from node import main


def _shared(node):
    """What nodes share of the record: not what was made here too late."""
    alone = {path.split(".", 2)[2] for path in node.call("isync")[
        "native_only"]}
    return {k: v for k, v in (_item(node) or {}).items() if k not in alone}


def whatever_is_done_they_agree():
    """ROUNDS of changes and deletions at all of them, while the line is cut and
    mended; SEED says which."""
    rounds = int(os.environ.get("ROUNDS", "2"))
    seed = int(os.environ.get("SEED", "0")) or random.randrange(1 << 30)
    draw = random.Random(seed)
    print("# SEED=%d" % seed)
    with Scene("a", "b", "c") as s:
        a, b, c = (s.nodes[n] for n in "abc")
        left, right = s.old("left"), s.old("right", kind="sealed")
        bridge = Bridge(s.stack, int(s.url("a").rsplit(":", 1)[1]))
        b.do("isync", "connect", "http://127.0.0.1:%d" % bridge.port)
        c.do("isync", "connect", s.url("b"))
        left.do("dial", url=s.url("a"))
        right.do("dial", url=s.url("c"))
        port = str(b.call("isync")["port"])
        for turn in range(rounds):
            if draw.random() < 0.6:
                bridge.cut()
            for step in range(25):
                key = "k%d" % draw.randrange(40)
                value = draw.choice([step, "v%d" % step, None, {"t": turn},
                                     [turn, step], 1.5])
                who = draw.choice([a, b, c, left, right])
                gone = draw.random() < 0.15
                if who in (left, right):
                    if gone:
                        who.delete(key)
                    else:
                        who.put(**{key: value})
                elif gone:
                    who.call("patch", space="config", key="_id",
                             patch={key: None})
                else:
                    doc = dict(_item(who) or {}, **{key: value})
                    who.put("_id", doc, "config")
                if draw.random() < 0.03:
                    b.kill()
                    b.start("--isync.port", port)
            bridge.mend()

        def all_agree():
            want = left.do("values")
            return right.do("values") == want and all(
                {"config._id." + k: v for k, v in _shared(n).items()} == want
                for n in (a, b, c))

        try:
            wait_for("all agree (SEED=%d)" % seed, all_agree, 60)
        except AssertionError:
            for n in (a, b, c):
                told = n.call("isync")
                print("#", n.name, told["connected"], told["pending"],
                      told["trouble"], told["native_only"], _shared(n))
            for o in (left, right):
                print("#", o.node_id, o.do("links"), o.do("values"))
            raise


if __name__ == "__main__":
    sys.exit(main(globals()))
