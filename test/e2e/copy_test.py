#!/usr/bin/python3
"""A folder that is copied, or put back, holds a replica that has gone on
elsewhere: it becomes a new one at its start, before it writes anything."""

import os
import shutil
import sys

from node import World, main
from tap import check, equal, holds

SAYS = "these files are not those that the last stop left"


def _replicas(n):
    return set(n.space()["vector"])


def _log(n):
    with open(n.log, encoding="utf-8") as f:
        return f.read()


def a_clean_restart_goes_on():
    with World() as w:
        a = w.node("a")
        a.start()
        a.put("k", 1)
        before = _replicas(a)
        a.stop()
        a.start()
        a.put("k", 2)
        equal(_replicas(a), before, "the same replica writes")
        check(SAYS not in _log(a), "nothing is said of copies")


def an_old_copy_is_another():
    with World() as w:
        a = w.node("a")
        a.start()
        a.put("k", 1)
        a.stop()
        copy = a.dir + ".copy"
        shutil.copytree(a.dir, copy, copy_function=shutil.copy2)
        a.start()
        a.put("k", "told that it is safe")
        before = _replicas(a)
        a.stop()
        shutil.rmtree(a.dir)
        os.rename(copy, a.dir)
        a.start()
        a.put("k", 3)
        equal(len(_replicas(a) - before), 1, "a new replica writes")
        holds(_log(a), SAYS)


if __name__ == "__main__":
    sys.exit(main(globals()))
