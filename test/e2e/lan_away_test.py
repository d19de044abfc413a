#!/usr/bin/python3
"""LAN-sync nodes that were away while something was deleted: for as long as
the records of deletions wait for them, and for longer."""

import json
import os
import sys

from lansync_test import Scene, _shown
from node import conflicts, main, wait_for
from tap import check, equal, holds

DIALECTS = ("v1", "v2")
PATIENCE = 60
SOON = ("--collect.interval", "100ms")


def _deleted(node, space="lan"):
    """Records of deletions that wait."""
    return node.space(space)["deleted"]


def _collects(node):
    """What waits for nobody has gone: it was looked for what may go."""
    node.put("gone", 1)
    node.do("del", "default", "gone")
    wait_for("it is collected", lambda: _deleted(node, "default") == 0,
             PATIENCE)


class Away(Scene):
    """A node that has `keys`, and has left."""

    def __init__(self, dialect, keys, flags=(), **options):
        super().__init__("a", flags=SOON + flags)
        self.dialect, self.keys, self.options = dialect, keys, options

    def __enter__(self):
        super().__enter__()
        self.node = self.nodes["a"]
        self.there = self.old("old", self.dialect, **self.options)
        self.there.do("connect", port=self.port())
        for key in self.keys:
            self.node.put(key, {"n": 0}, "lan")
        self.same({key: {"n": 0} for key in self.keys})
        wait_for("all is acknowledged", self.is_acknowledged, PATIENCE)
        self.there.do("cut")
        wait_for("it has left", lambda: not self.node.call("lansync")[
            "connections"], PATIENCE)
        return self

    def is_acknowledged(self):
        items = self.node.call("lansync")["items"]
        return items["acked"] == items["pushed"]

    def is_kept(self):
        path = os.path.join(self.node.dir, "lansync.json")
        if not os.path.exists(path):
            return False
        with open(path) as file:
            return json.load(file)["nodes"]["old"]["acked"]

    def back(self):
        self.there.do("connect", port=self.port())

    def same(self, what):
        wait_for("both show %r" % sorted(what), lambda: _shown(
            self.node) == what and self.there.do("shown") == what, PATIENCE)


def _deletions_wait(dialect, stops):
    with Away(dialect, ("k", "other"), pushes=False) as s:
        s.node.do("del", "lan", "k")
        _collects(s.node)
        if stops == "clean":
            s.node.stop()
        elif stops == "killed":
            # How far it is was written when it left.
            wait_for("that is kept", s.is_kept, PATIENCE)
            s.node.kill()
        if stops != "no":
            s.node.start()
            _collects(s.node)
        equal(_deleted(s.node), 1, "what waits, stops: " + stops)
        s.back()
        s.same({"other": {"n": 0}})
        wait_for("it waits no longer",
                 lambda: _deleted(s.node) == 0, PATIENCE)


def deletions_wait_for_who_is_away():
    """Though nothing else does. Nobody has to say again what he has."""
    for dialect in DIALECTS:
        _deletions_wait(dialect, "no")


def deletions_wait_over_a_stop_of_ours():
    for dialect in DIALECTS:
        _deletions_wait(dialect, "clean")


def deletions_wait_over_one_that_was_not_clean():
    for dialect in DIALECTS:
        _deletions_wait(dialect, "killed")


def who_is_away_for_longer_than_they_are_kept():
    """What it had not touched is deleted there, too; what it has edited
    meanwhile is, and waits to be rescued; what it has made is there."""
    for dialect in DIALECTS:
        for pushes in (True, False):
            with Away(dialect, ("k", "edited", "other"),
                      ("--retention", "1s"), pushes=pushes) as s:
                for key in ("k", "edited"):
                    s.node.do("del", "lan", key)
                if pushes:
                    s.there.do("put", key="edited", data={"n": "old"})
                    s.there.do("put", key="made", data={"n": "old"})
                wait_for("it waits no longer",
                         lambda: _deleted(s.node) == 0, PATIENCE)
                s.back()
                state = {"other": {"n": 0}}
                if pushes:
                    state["made"] = {"n": "old"}
                s.same(state)
                lost = [(c["key"], c["loser"]["value"])
                        for c in conflicts(s.node, space="lan")]
                equal(lost, [("edited", "old")] if pushes else [], "rescue")
                if pushes:
                    holds(s.node.do("rescue"), "lan/edited", '/n = "old"')
                    s.node.do("rescue", "--apply", "--all")
                    state["edited"] = {"n": "old"}
                    s.same(state)
                wait_for("all is acknowledged", s.is_acknowledged, PATIENCE)
                s.there.do("put", key="k", data={"n": "anew"})
                s.same(dict(state, k={"n": "anew"}))
                equal(s.there.do("heard")["flaws"], [], "what did not count")


def many_that_it_has_missed():
    """In batches of at most 100; told once more if it leaves amid them."""
    keys = ["k-%d" % i for i in range(350)]
    with Away("v2", keys, ("--retention", "1s"), pushes=False) as s:
        for key in keys[:-1]:
            s.node.call("del", space="lan", key=key)
        wait_for("they wait no longer", lambda: _deleted(s.node) == 0,
                 PATIENCE)
        s.there.do("leave_after", items=150)
        s.back()
        wait_for("it has left", lambda: s.there.do("links") == 0, PATIENCE)
        check(len(s.there.do("shown")) > 100, "it has all of it")
        s.back()
        s.same({keys[-1]: {"n": 0}})
        check(max(s.there.do("heard")["sizes"]) <= 100, "a batch is longer")


def a_short_history_is_enough():
    """What it had not touched is told as lost, too, where the history has not
    what it was."""
    with Away("v2", ("k",), ("--retention", "1s", "--history.keep", "1")) as s:
        s.node.do("del", "lan", "k")
        wait_for("it waits no longer", lambda: _deleted(s.node) == 0,
                 PATIENCE)
        s.back()
        s.same({})
        equal([(c["key"], c["loser"]["value"]) for c in conflicts(
            s.node, space="lan")], [("k", 0)], "rescue")


def who_comes_to_another_of_ours():
    """Which has never met it, but knows what was deleted."""
    with Scene("a", "b", flags=SOON) as s:
        a, b = s.nodes["a"], s.nodes["b"]
        b.joins(a)
        old = s.old("old", "v1")
        old.do("connect", port=s.port("a"))
        for key in ("k", "edited"):
            a.put(key, {"n": 0}, "lan")
            b.waits_for(key, {"n": 0}, "lan", PATIENCE)
        old.shows({"k": {"n": 0}, "edited": {"n": 0}}, PATIENCE)
        old.do("cut")
        for key in ("k", "edited"):
            b.do("del", "lan", key)
        old.do("put", key="edited", data={"n": "old"})
        wait_for("it waits for it at a alone", lambda: (
            _deleted(a), _deleted(b)) == (2, 0), PATIENCE)
        old.do("connect", port=s.port("b"))
        old.shows({}, PATIENCE)
        equal((_shown(a), _shown(b)), ({}, {}), "what is there")
        wait_for("it waits to be rescued", lambda: [
            (c["key"], c["loser"]["value"]) for c in conflicts(
                b, space="lan")] == [("edited", "old")], PATIENCE)
        old.do("put", key="k", data={"n": "anew"})
        for node in (a, b):
            node.waits_for("k", {"n": "anew"}, "lan", PATIENCE)


def who_comes_to_another_while_records_wait():
    """Records of deletions that it was told of nowhere: whether it says what
    it has, or only listens."""
    with Scene("a", "b") as s:
        a, b = s.nodes["a"], s.nodes["b"]
        b.joins(a)
        keeper = s.old("keeper", "v2")  # for it the records wait at a
        keeper.do("connect", port=s.port())
        old = [s.old("says", "v1"), s.old("listens", "v2", pushes=False)]
        what = {"k": {"n": 0}, "stays": {"n": 0}}
        for o in old:
            o.do("connect", port=s.port("b"))
        for key, value in what.items():
            a.put(key, value, "lan")
        for o in [keeper] + old:
            o.shows(what, PATIENCE)
            o.do("cut")
        wait_for("it has left", lambda: not a.call("lansync")["connections"],
                 PATIENCE)
        b.do("del", "lan", "k")
        wait_for("a knows", lambda: a.get("k", "lan") is None, PATIENCE)
        for o in old:
            o.do("connect", port=s.port())
            o.shows({"stays": {"n": 0}}, PATIENCE)
        equal(_shown(a), {"stays": {"n": 0}}, "what is there")
        equal(_deleted(a), 1, "records that wait for who has left")


if __name__ == "__main__":
    sys.exit(main(globals(), beside=[
        deletions_wait_for_who_is_away, deletions_wait_over_a_stop_of_ours,
        deletions_wait_over_one_that_was_not_clean], at_once=2))
