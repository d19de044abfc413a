#!/usr/bin/python3
"""What becomes of two changes that had not seen each other, ours and one of a
LAN-sync node of either generation: by each strategy and policy, on both
sides."""

import itertools
import os
import sys

from lansync_test import Scene, _shown
from node import conflicts, main, wait_for
from tap import check, equal, holds

RESOLVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..",
                        "examples", "merge_documents.py")
LATER = ("a", "old")
DIALECTS = ("v1", "v2")
PATIENCE = 60


class Fight:
    """Both change `k` while the cable is out."""

    def __init__(self, s, dialect, policy=None):
        self.s, self.node = s, s.nodes["a"]
        self.old = s.old("old", dialect)
        if policy:
            self.node.call("policy_set", space="lan", policy=policy)
        self.old.do("connect", port=s.port())

    def put(self, who, value, key="k"):
        """None: it is deleted."""
        if who == "a" and value is None:
            self.node.do("del", "lan", key)
        elif who == "a":
            self.node.put(key, value, "lan")
        elif value is None:
            self.old.do("del", key=key)
        else:
            self.old.do("put", key=key, data=value)

    def begin(self, value, who="old"):
        self.put(who, value)
        self.same({"k": value})
        wait_for("all is acknowledged", lambda: self.node.call("lansync")[
            "items"]["acked"] == self.node.call("lansync")["items"]["pushed"])
        self.old.do("cut")

    def end(self, *edits):
        """The edits, in their order; what both show once nothing more is
        said."""
        for who, value in edits:
            self.put(who, value)
        self.old.do("connect", port=self.s.port())
        return self.rest()

    def same(self, what):
        wait_for("both show %r" % what, lambda: _shown(self.node) == what and
                 self.old.do("shown") == what, PATIENCE)

    def rest(self):
        rounds = itertools.count()

        def is_still():
            """Of two new items each is said once, and nothing else."""
            before = self.node.call("lansync")["items"]
            for who, n in itertools.product(("a", "old"), [next(rounds)]):
                key = "rest-%s-%d" % (who, n)
                self.put(who, {"n": n}, key)
                wait_for("both have " + key, lambda k=key: k in _shown(
                    self.node) and k in self.old.do("shown"), PATIENCE)
            now = self.node.call("lansync")["items"]
            return (now["pushed"] - before["pushed"],
                    now["taken"] - before["taken"]) == (1, 1)

        wait_for("both are at rest", is_still, PATIENCE)
        here, there = [{k: v for k, v in state.items()
                        if not k.startswith("rest-")}
                       for state in (_shown(self.node), self.old.do("shown"))]
        equal(here, there, "the two")
        equal(self.old.do("heard")["flaws"], [], "what did not count")
        return here

    def lost(self, **more):
        return sorted((c["key"], c["path"], c["loser"].get("value"))
                      for c in conflicts(self.node, space="lan", **more))

    def past(self):
        return self.node.do("history", "lan", "k")


def _fights(policy=None, strategy=None):
    """Of each dialect, whoever is the later one."""
    for dialect in DIALECTS:
        for later in LATER:
            flags = ("--lansync.strategy", strategy) if strategy else ()
            with Scene(flags=flags) as s:
                yield Fight(s, dialect, policy), later


def _both(later, one=None, two=None):
    """Ours and theirs, in the order that makes that one the later."""
    edits = [("a", {"n": "a"} if one is None else one),
             ("old", {"n": "old"} if two is None else two)]
    return edits if later == "old" else edits[::-1]


def the_newer_of_two_wins():
    for policy in (None, "lww"):
        for fight, later in _fights(policy):
            fight.begin({"n": 0})
            equal(fight.end(*_both(later)), {"k": {"n": later}}, later)
            other = "old" if later == "a" else "a"
            equal(fight.lost(), [("k", "/n", other)], "what lost")
            holds(fight.node.do("conflicts", "lan"), 'loser   /n = "%s"' %
                  other, 'winner  /n = "%s"' % later)


def fields_of_both_are_merged():
    """And one value that both have changed is the newer, with a conflict."""
    for fight, later in _fights("merge"):
        fight.begin({"n": 0, "s": 0})
        state = fight.end(*_both(
            later, {"n": 0, "s": "a", "a": 1}, {"n": 0, "s": "old", "b": 2}))
        equal(state, {"k": {"n": 0, "s": later, "a": 1, "b": 2}}, later)
        equal(fight.lost(), [("k", "/s", "old" if later == "a" else "a")],
              "what lost")


def of_two_whole_values_a_person_chooses():
    for fight, later in _fights("merge"):
        fight.node.put("k", 0, "lan")
        fight.old.shows({"k": {"value": 0}})
        fight.old.do("cut")
        for who in ("a", "old") if later == "old" else ("old", "a"):
            fight.put(who, who if who == "a" else {"value": "old"})
        fight.old.do("connect", port=fight.s.port())
        wait_for("both show the later", lambda: fight.node.get("k", "lan") ==
                 later and fight.old.do("shown") == {"k": {"value": later}})
        other = "old" if later == "a" else "a"
        told = fight.node.call("get", space="lan", key="k")
        equal([s["value"] for s in told["siblings"]], [other], "siblings")
        conflict, = conflicts(fight.node, space="lan")
        fight.node.do("resolve", conflict["id"], "--take", "loser")
        wait_for("both show the other", lambda: fight.node.get("k", "lan") ==
                 other and fight.old.do("shown") == {"k": {"value": other}})
        equal(fight.lost(), [], "what is open")


def both_of_two_are_kept():
    """The older "duplicate": what lost is an item beside the other, of the same
    name on both, and that is all."""
    for fight, later in _fights("keep-both"):
        fight.begin({"n": 0})
        state = fight.end(*_both(later))
        equal(state.pop("k"), {"n": later}, "what won")
        (name, value), = state.items()
        check(name.startswith("k~"), name)
        other = "old" if later == "a" else "a"
        equal(value, {"n": other}, "what lost")
        equal(fight.lost(), [], "what is open")
        equal(fight.lost(all=True), [("k", "/n", other)], "what lost")


def documents_are_merged_by_a_program_of_ones_own():
    """What it does not want to merge waits for a person."""
    for later in LATER:
        with Scene(flags=("--resolve.command", RESOLVER)) as s:
            fight = Fight(s, "v2", "custom")
            fight.begin({"content": "", "n": 0})
            fight.end(*_both(later, {"content": "ours", "n": 0},
                             {"content": "theirs", "n": 0}))
            wait_for("the program has answered", lambda: not fight.lost())
            state = fight.rest()
            equal(sorted(state["k"]["content"].split("\n---\n")),
                  ["ours", "theirs"], "what both have")
            equal(fight.lost(), [], "what is open")
            fight.old.do("cut")
            fight.end(*_both(later, {"content": "", "n": 1},
                                     {"content": "", "n": 2}))
            equal(len(fight.lost()), 1, "what is open")


def ours_wins_if_it_is_said_so():
    """On both sides; theirs is in the history."""
    for fight, later in _fights(strategy="local"):
        fight.begin({"n": 0})
        equal(fight.end(*_both(later)), {"k": {"n": "a"}}, later)
        equal(fight.lost(), [], "what is open")
        holds(fight.past(), '"old"')
        version = fight.old.do("items")["k"]["version"]
        fight.put("old", {"n": "again"})  # it has seen what stands
        fight.same(dict(_shown(fight.node), k={"n": "again"}))
        equal(fight.old.do("items")["k"]["version"], version + 1, "versions")


def theirs_wins_if_it_is_said_so():
    for fight, later in _fights(strategy="remote"):
        fight.begin({"n": 0})
        equal(fight.end(*_both(later)), {"k": {"n": "old"}}, later)
        equal(fight.lost(), [], "what is open")
        holds(fight.past(), '"a"')


def _deletions(strategy, ours, theirs):
    """Who has deleted it, the other has edited it: what stands then."""
    for who, stands in (("a", ours), ("old", theirs)):
        for fight, later in _fights(strategy=strategy):
            fight.begin({"n": 0})
            edits = [(w, None if w == who else {"n": w})
                     for w in (("a", "old") if later == "old"
                               else ("old", "a"))]
            equal(fight.end(*edits), stands, (strategy, who, later))
            yield fight, who


def a_deletion_wins_unless_it_is_said_otherwise():
    for fight, who in _deletions("join", {}, {}):
        other = "old" if who == "a" else "a"
        check(("k", "/n", other) in fight.lost(), fight.lost())
        holds(fight.node.do("conflicts", "lan"), "winner  (deleted)")


def our_deletion_or_edit_wins():
    for fight, who in _deletions("local", {}, {"k": {"n": "a"}}):
        equal(fight.lost(), [("k", "/n", "old")] if who == "a" else [],
              "what waits to be rescued")


def their_deletion_or_edit_wins():
    for fight, _ in _deletions("remote", {"k": {"n": "old"}}, {}):
        equal(fight.lost(), [], "what is open")


def two_that_both_insist_are_joined():
    """Synclines of two meshes: each would write its own again for ever."""
    for strategy in ("local", "remote"):
        with Scene("a", "b", flags=("--lansync.strategy", strategy)) as s:
            a, b = s.nodes["a"], s.nodes["b"]
            for node in (a, b):
                node.put("k", {"n": node.name}, "lan")
            b.stop()
            b.start("--lansync.peers", "127.0.0.1:%d" % s.port())
            for node in (a, b):
                node.waits_for("k", {"n": "b"}, "lan", PATIENCE)
            wait_for("one of them tells it", lambda: {
                c["loser"]["value"] for n in (a, b) for c in conflicts(
                    n, space="lan", all=True)} == {"a"}, PATIENCE)
            rounds = itertools.count()

            def is_still():
                before = [n.call("lansync")["items"]["taken"] for n in (a, b)]
                for here, there in ((a, b), (b, a)):
                    key = "%s-%d" % (here.name, next(rounds))
                    here.put(key, {"n": 1}, "lan")
                    there.waits_for(key, {"n": 1}, "lan", PATIENCE)
                return [n.call("lansync")["items"]["taken"] - was
                        for n, was in zip((a, b), before)] == [1, 1]

            wait_for("they are at rest", is_still, PATIENCE)


if __name__ == "__main__":
    sys.exit(main(globals()))
