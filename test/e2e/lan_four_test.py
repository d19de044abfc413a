#!/usr/bin/python3
"""Two of ours and a LAN-sync node of either generation at each of them: what
all four do while they are parted comes together."""

import itertools
import sys

from lansync_test import Scene, _shown
from node import conflicts, connections, main, wait_for
from tap import check, equal, holds

PATIENCE = 60


class Four:
    def __init__(self, s):
        self.s, self.a, self.b = s, s.nodes["a"], s.nodes["b"]
        self.b.joins(self.a)
        self.one, self.two = s.old("one", "v1"), s.old("two", "v2")
        self.olds = {"a": self.one, "b": self.two}
        for name in self.olds:
            self.plug(name)

    def plug(self, name):
        self.olds[name].do("connect", port=self.s.port(name))

    def states(self):
        return [self.one.do("shown"), self.two.do("shown"),
                _shown(self.a), _shown(self.b)]

    def show(self, what):
        wait_for("all four show %d items" % len(what), lambda: all(
            state == what for state in self.states()), PATIENCE)

    def agree(self):
        def same():
            states = self.states()
            return all(state == states[0] for state in states) and states[0]
        return wait_for("all four are the same", same, PATIENCE)

    def counts(self):
        """Items that went and came by LAN sync, of both of ours."""
        told = [n.call("lansync")["items"] for n in (self.a, self.b)]
        return [sum(t[name] for t in told) for name in ("pushed", "taken")]

    def part(self):
        """Four islands."""
        self.s.world.relay.cut("a", "b")
        wait_for("ours are parted", lambda: not self.a.connected() and
                 not self.b.connected())
        for old in self.olds.values():
            old.do("cut")
        wait_for("theirs are", lambda: not any(
            n.call("lansync")["connections"] for n in (self.a, self.b)))

    def join(self, order):
        """order: what is plugged first; "m": the cable between ours."""
        for what in order:
            if what == "m":
                self.s.world.relay.mend("a", "b")
                connections((self.a, self.b), PATIENCE)
            else:
                self.plug(what)

    def rest(self):
        """Of four new items each goes where it has to go, once, and nothing
        else is said any more."""
        rounds = itertools.count()

        def is_still():
            before, n = self.counts(), next(rounds)
            for name, put in (
                    ("a", lambda k: self.a.put(k, {"n": n}, "lan")),
                    ("b", lambda k: self.b.put(k, {"n": n}, "lan")),
                    ("one", lambda k: self.one.do("put", key=k,
                                                  data={"n": n})),
                    ("two", lambda k: self.two.do("put", key=k,
                                                  data={"n": n}))):
                key = "rest-%s-%d" % (name, n)
                put(key)
                wait_for("all have " + key, lambda k=key: all(
                    k in state for state in self.states()), PATIENCE)
            # One's goes to two and two's to one; ours go to both.
            return [now - was for was, now in zip(before, self.counts())] \
                == [6, 2]

        wait_for("they are at rest", is_still, PATIENCE)


def _edit(four):
    """On all four, while nobody hears another: what stands then, and what has
    lost. A deletion beats what had not seen it, sooner or later."""
    a, b, one, two = four.a, four.b, four.one, four.two

    def theirs(old, key, **data):
        old.do("put", key=key, data=data)

    theirs(one, "a-1", said="one")
    theirs(two, "a-1", said="two")
    a.put("b-2", {"said": "a"}, "lan")
    b.put("b-2", {"said": "b"}, "lan")
    theirs(two, "a-3", said="two")
    a.put("a-3", {"said": "a"}, "lan")
    for i, who in enumerate("ab"):  # all four, the same one
        four.s.nodes[who].put("one-4", {"said": who}, "lan")
        theirs((one, two)[i], "one-4", said=("one", "two")[i])
    one.do("del", key="b-5")  # deletions, then edits
    theirs(two, "b-5", said="two")
    b.do("del", "lan", "one-6")
    a.put("one-6", {"said": "a"}, "lan")
    two.do("del", key="a-7")
    b.put("a-7", {"said": "b"}, "lan")
    a.put("two-8", {"said": "a"}, "lan")  # and the other way round
    two.do("del", key="two-8")
    theirs(one, "two-9", said="one")
    b.do("del", "lan", "two-9")
    a.do("del", "lan", "b-10")  # both of them
    two.do("del", key="b-10")
    one.do("put", key="a-11", data={"n": 11, "one": 1})  # two fields
    two.do("put", key="a-11", data={"n": 11, "two": 2})
    for name, old in (("one", one), ("two", two)):
        theirs(old, "new-" + name, said=name)
    for name in "ab":
        four.s.nodes[name].put("new-" + name, {"said": name}, "lan")
    stand = {"a-1": "two", "b-2": "b", "a-3": "a", "one-4": "two"}
    stand.update({"new-" + name: name for name in ("a", "b", "one", "two")})
    lost = {("a-1", "one"), ("b-2", "a"), ("a-3", "two"),
            ("one-4", "a"), ("one-4", "b"), ("one-4", "one"),
            ("b-5", "two"), ("one-6", "a"), ("a-7", "b"), ("two-8", "a"),
            ("two-9", "one")}
    return {key: {"said": who} for key, who in stand.items()}, lost


# Theirs do not say what a deletion had seen, where it meets an edit.
SEEN = {("a-7", 7), ("two-8", 8)}
GONE = ("b-5", "one-6", "a-7", "two-8", "two-9", "b-10")


def _lost(node):
    """Who has lost what to a conflict, settled or not."""
    return {(c["key"], c["loser"]["value"])
            for c in conflicts(node, space="lan", all=True)}


def _converge(order, items):
    with Scene("a", "b", relayed=True) as s:
        four = Four(s)
        for i in range(items // 4):
            four.a.put("a-%d" % i, {"n": i}, "lan")
            four.b.put("b-%d" % i, {"n": i}, "lan")
            four.one.do("put", key="one-%d" % i, data={"n": i})
            four.two.do("put", key="two-%d" % i, data={"n": i})
        everything = {"%s-%d" % (name, i): {"n": i}
                      for i in range(items // 4)
                      for name in ("a", "b", "one", "two")}
        four.show(everything)
        four.part()
        stand, lost = _edit(four)
        four.join(order)
        everything.update(stand)
        everything["a-11"] = {"n": 11, "one": 1, "two": 2}
        for key in GONE:
            del everything[key]
        four.show(everything)
        wait_for("the conflicts are on both", lambda: _lost(four.a) ==
                 _lost(four.b) and _lost(four.a) >= lost, PATIENCE)
        more = _lost(four.a) - lost
        check(more <= SEEN, "more has lost: %r" % more)
        said = four.a.do("conflicts", "lan")
        for key in ("a-1", "b-2", "a-3", "b-5", "one-6", "two-9"):
            holds(said, key)
        four.rest()
        state = four.agree()
        equal({k: v for k, v in state.items() if not k.startswith("rest-")},
              everything, "what is there in the end")
        check(four.a.agrees(), "ours differ")
        for old in four.olds.values():
            equal(old.do("heard")["flaws"], [], "what did not count")


def a_thousand_items_that_were_parted():
    """The cable between ours is mended first."""
    _converge("mab", 1000)


def however_the_cables_are_mended():
    """In other orders: what theirs bring is heard before ours meet."""
    for order in ("abm", "bma"):
        _converge(order, 80)


if __name__ == "__main__":
    sys.exit(main(globals()))
