#!/usr/bin/python3
"""No honest mesh is stuck for the size of what its people wrote: whatever a
step has to write is parted, or fits."""

import sys
import time

from node import World, free_listen, main
from node import same as _same
from tap import check, equal, note

KIB, MIB = 1 << 10, 1 << 20
PATIENCE = 90
FLAGS = ["--dial.max", "500ms"]


def _agree(nodes):
    """To count conflicts the node reads them whole: it is not kept from its
    work by being asked all the time."""
    _same(nodes, patience=PATIENCE, pause=0.3)


def _healthy(*nodes):
    for n in nodes:
        equal(n.status()["oversize"], None, "oversize")
        check("ELIMIT" not in open(n.log).read(), "a step was refused")


def _apart(w, names, size, field, policy=None):
    """Each writes so many bytes into one item while it is alone; they meet."""
    listen = {n: free_listen(n) for n in names}
    nodes = w.mesh(*names, listen=lambda n: listen[n], flags=FLAGS)
    if policy is not None:
        nodes[0].call("policy_set", space="default", prefix="",
                      policy=policy)
    nodes[0].put("seed", 1)
    for n in nodes:
        n.waits_for("seed", 1)
    _agree(nodes)
    for n in nodes:
        n.stop()
    for n in nodes:
        n.start()
        n.put("x", {field(n.name): n.name * int(size)})
        n.stop()
    for n in nodes:
        n.start()
    begun = time.monotonic()
    _agree(nodes)
    note("the same after %.1f s" % (time.monotonic() - begun))
    nodes[0].put("later", "hello")
    _agree(nodes)
    _healthy(*nodes)
    return nodes


def small_edits_of_large_items_are_caught_up_with():
    """The rows are small; what each writes here is a whole item, twice."""
    many, size = 24, 1500 * KIB
    with World() as w:
        a, b = w.mesh("a", "b", flags=FLAGS)
        for i in range(many):
            a.put("k%02d" % i, {"big": "x" * size, "n": 0})
        _agree([a, b])
        b.stop()
        for i in range(many):
            a.do("patch", "default", "k%02d" % i, '{"n":1}')
        b.start()
        _agree([a, b])
        equal(sum(b.get("k%02d" % i)["n"] for i in range(many)), many, "edits")
        _healthy(a, b)


def a_joiner_brings_its_large_items_along():
    """All are there again, on both."""
    many, size = 60, 1150 * KIB
    with World() as w:
        a, b = w.nodes("a", "b", flags=FLAGS)
        for i in range(many):
            b.put("k%02d" % i, {"big": "x" * size})
        a.put("seed", 1)
        b.joins(a)
        b.waits_for("seed", 1)
        _agree([a, b])
        equal([n.space()["items"] for n in (a, b)], [many + 1] * 2, "items")
        _healthy(a, b)


def both_of_two_large_values_are_kept():
    """keep-both: the winner, the loser's record, and its copy."""
    with World() as w:
        nodes = _apart(w, "ab", 15.9 * MIB, lambda n: "v", "keep-both")
        for n in nodes:
            keys = [i["key"] for i in n.call("ls", space="default")["items"]]
            equal(len([k for k in keys if k.startswith("x")]), 2, "items")


def three_write_more_together_than_one_could():
    """Each its own field; the item is larger than any of them may write."""
    with World() as w:
        for n in _apart(w, "abc", 13.4 * MIB, lambda n: n):
            equal(sorted(n.get("x")), list("abc"), "fields")


def what_is_larger_than_one_may_write_can_be_made_smaller():
    with World() as w:
        a, b = _apart(w, "ab", 12 * MIB, lambda n: n)
        a.refuses("patch", "default", "x", '{"more":1}', says=["at most"])
        a.do("patch", "default", "x", '{"b":"short"}')
        _agree([a, b])
        equal(b.get("x")["b"], "short", "field")


if __name__ == "__main__":
    sys.exit(main(globals()))
