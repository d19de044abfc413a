#!/usr/bin/python3
"""Daemons whose time of day is wrong: who is refused, what is told, and the
way back. libfaketime shifts CLOCK_REALTIME of a daemon, by a file that can be
changed while it runs; the monotonic clock stays."""

import glob
import json
import os
import sys
import time

from node import World, free_listen, main, wait_for
from tap import check, equal, holds

FAKETIME = (glob.glob("/usr/lib/*/faketime/libfaketime.so.1") or [None])[0]
YEAR = 365 * 86400


class Clock:
    """That of one node."""

    def __init__(self, world, name, shift="+0"):
        self.path = world.path(name + ".clock")
        self.set(shift)
        self.env = {"LD_PRELOAD": FAKETIME, "NO_FAKE_STAT": "1",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                    "DONT_FAKE_MONOTONIC": "1", "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_TIMESTAMP_FILE": self.path}

    def set(self, shift):
        with open(self.path + ".new", "w", encoding="utf-8") as f:
            f.write(shift + "\n")
        os.rename(self.path + ".new", self.path)


def _node(world, name, shift="+0", *flags):
    n = world.node(name, *flags, listen=free_listen(name))
    n.clock = Clock(world, name, shift)
    n.start(env=n.clock.env)
    return n


def _clock(n):
    return n.call("clock")["clock"]


def _measured(n, others):
    wait_for("%s has compared clocks" % n.name,
             lambda: len(_clock(n)["peers"]) == others)


def _until(n, what, condition):
    return wait_for("%s: %s" % (n.name, what), lambda: condition(_clock(n)))


def _doctor(n):
    result = n.cli("doctor", "--json")
    return result.code, [c for c in json.loads(result.out)["checks"]
                         if c["name"] in ("clock", "stamps")]


def _ten_years_ahead(world, *flags):
    """c is; a and b are right. Paired, and all have compared clocks."""
    a, b = _node(world, "a"), _node(world, "b")
    c = _node(world, "c", "+%ds" % (10 * YEAR + 3600), *flags)
    b.joins(a)
    c.joins(a)
    wait_for("b and c are connected", lambda: "c" in b.connected() and
             "b" in c.connected())
    for n in (a, b, c):
        _measured(n, 2)
    return a, b, c


def one_that_is_far_ahead_may_not_write():
    with World() as w:
        a, b, c = _ten_years_ahead(w)
        text = c.refuses("put", "default", "k", "1")
        holds(text, "ahead of", "2 of 2 connected members", "NTP",
              "syncline clock")
        check("3650 days" in text, "the offset is named: %s" % text)
        for how in (["del", "default", "k"], ["patch", "default", "k", "{}"],
                    ["policy", "default", "manual"], ["space", "add", "x"],
                    ["clock", "reset", "--yes"]):
            holds(c.refuses(*how), "ahead of")
        equal(a.get("k"), None, "nothing was written")
        a.put("k", 2)
        c.waits_for("k", 2)
        # The one who is wrong is named on every machine, also on itself.
        for n in (a, b, c):
            clock = _clock(n)
            equal([x["name"] for x in clock["wrong"]], ["c"], n.name)
            check(not clock["ok"], "it is told")
            code, checks = _doctor(n)
            equal(code, 1, "doctor says that something is wrong")
            holds(checks[0]["text"], "set it right")
            holds(n.do("status"), "set it right")
            holds(n.do("clock"), "set it right")
        # Set right, it may write at once; nobody restarts anything.
        c.clock.set("+0")
        c.do("put", "default", "k", "3")
        a.waits_for("k", 3)
        _until(a, "hears of it", lambda k: not k["wrong"])


def of_two_the_one_ahead_is_asked_to_see():
    with World() as w:
        a, b = _node(w, "a"), _node(w, "b", "+1h")
        b.joins(a)
        _measured(a, 1)
        _measured(b, 1)
        text = b.refuses("put", "default", "k", "1")
        holds(text, "ahead of a's", "1 of 1", "set the other one if")
        holds(_clock(a)["verdict"], "nobody else is here to say")
        equal(_clock(a)["wrong"], [], "nobody is accused")
        a.do("put", "default", "k", "2")
        b.waits_for("k", 2)
        # One that was never set is no witness: this one boots in 1970.
        a.stop()
        a.clock.set("@1970-01-02 00:00:00")
        a.start(env=a.clock.env)
        wait_for("they meet", lambda: "a" in b.connected())
        _measured(b, 1)
        b.do("put", "default", "k", "3")
        # Alone nobody can say.
        a.stop()
        wait_for("b is alone", lambda: not b.connected())
        b.do("put", "default", "k", "4")


def a_bound_of_its_own_and_none():
    with World() as w:
        a = _node(w, "a")
        b = _node(w, "b", "+90s", "--clock.bound", "10m")
        b.joins(a)
        _measured(b, 1)
        b.do("put", "default", "k", "1")
        b.clock.set("+11m")
        holds(b.refuses("put", "default", "k", "2"), "ahead of")
        b.stop()
        b.flags[-1] = "0"
        b.start(env=b.clock.env)
        wait_for("they meet", lambda: "a" in b.connected())
        _measured(b, 1)
        b.do("put", "default", "k", "2")
        a.waits_for("k", 2)


def far_stamps_are_told_and_freeze_nothing():
    with World() as w:
        a, b, c = _ten_years_ahead(w, "--clock.bound", "0")
        began = time.monotonic()
        c.put("k", "from the future")
        a.waits_for("k", "from the future")
        # At once, before any heartbeat: who, how far, and where.
        told = _clock(a)["stamped"]
        equal([(t["name"], t["item"]) for t in told], [("c", "default/k")])
        check(abs(told[0]["ahead_us"] / 1e6 - 10 * YEAR) < 7200,
              "ten years: %s" % told)
        check(time.monotonic() - began < 5, "within a heartbeat")
        code, checks = _doctor(a)
        equal(code, 1)
        check(any(x["name"] == "stamps" and "c at default/k" in x["text"]
                  for x in checks), "doctor names it: %s" % checks)
        check(_clock(b)["far"], "b knows, too")
        with open(a.log, encoding="utf-8") as log:
            holds(log.read(), "a change of c is stamped 3650 days")
        # What has seen it beats it, whatever its clock says.
        a.put("k", "later")
        for n in (b, c):
            n.waits_for("k", "later")
        equal(a.do("conflicts"), "", "that is no conflict")
        # Times that people see are those of the author's clock.
        versions = a.call("history", space="default", key="k")["versions"]
        equal([v["value"] for v in versions], ["from the future", "later"])
        check(abs(versions[1]["time"] / 1e6 - time.time()) < 60,
              "a's time is a's")
        check(versions[0]["time"] / 1e6 > time.time() + 9 * YEAR,
              "c's time is c's")


def what_it_beats_unseen_is_a_conflict():
    with World() as w:
        a, b, c = _ten_years_ahead(w, "--clock.bound", "0")
        a.put("k", {"v": 0})
        for n in (b, c):
            n.waits_for("k", {"v": 0})
        a.stop()
        b.stop()
        c.put("k", {"v": "future"})
        c.stop()
        a.start(env=a.clock.env)
        a.put("k", {"v": "unseen"})
        c.start(env=c.clock.env)
        for n in (a, c):
            n.waits_for("k", {"v": "future"})
            wait_for("a conflict is told", lambda n=n: [
                (x["loser"]["value"], x["winner"]["value"])
                for x in n.call("conflicts", space="default")["conflicts"]]
                == [("unseen", "future")])


def a_reset_restores_the_order():
    with World() as w:
        a, b, c = _ten_years_ahead(w, "--clock.bound", "0")
        c.put("k", "from the future")
        for n in (a, b):
            n.waits_for("k", "from the future")
            check(_clock(n)["far"], "stamps are far ahead")
        b.stop()
        c.clock.set("+0")
        result = a.cli("clock", "reset")
        equal(result.code, 1, "without --yes nothing is done")
        holds(result.err, "every change beats every change made before",
              "cannot be taken back")
        equal(_clock(a)["epoch"], 0)
        holds(_clock(c)["verdict"], "syncline clock reset")
        equal(c.do("clock", "reset", "--yes"), "epoch 1\n")
        _until(a, "is in the new epoch", lambda k: k["epoch"] == 1)
        a.put("k", "now")
        c.waits_for("k", "now")
        for n in (a, c):
            check(not _clock(n)["far"], "stamps are those of the time of day")
            _until(n, "all is well", lambda k: k["ok"])
        # One that was away writes in the old epoch: it loses to what it has
        # not seen, as a conflict; then it knows.
        c.stop()
        a.stop()
        b.start(env=b.clock.env)
        b.put("k", "unaware")
        equal(_clock(b)["epoch"], 0)
        a.start(env=a.clock.env)
        for n in (a, b):
            n.waits_for("k", "now")
        _until(b, "is in the new epoch", lambda k: k["epoch"] == 1)
        wait_for("a conflict is told", lambda: [
            x["loser"]["value"]
            for x in a.call("conflicts", space="default")["conflicts"]]
            == ["unaware"])
        b.put("k", "aware")
        a.waits_for("k", "aware")
        # It is kept over a start and over a kill; a new member learns it.
        a.kill()
        a.start(env=a.clock.env)
        equal(_clock(a)["epoch"], 1)
        d = _node(w, "d")
        d.put("mine", 1)
        d.joins(a)
        _until(d, "is in the new epoch", lambda k: k["epoch"] == 1)
        a.waits_for("mine", 1)
        d.put("k", "new")
        a.waits_for("k", "new")
        b.waits_for("k", "new")


def two_resets_at_once_are_one():
    with World() as w:
        a, b = _node(w, "a"), _node(w, "b")
        b.joins(a)
        a.stop()
        b.do("clock", "reset", "--yes")
        b.stop()
        a.start(env=a.clock.env)
        a.do("clock", "reset", "--yes")
        b.start(env=b.clock.env)
        wait_for("they meet", lambda: "a" in b.connected())
        a.put("k", 1)
        b.waits_for("k", 1)
        b.put("k", 2)
        a.waits_for("k", 2)
        equal([_clock(n)["epoch"] for n in (a, b)], [1, 1])
        wait_for("they agree", a.agrees)
        b.do("clock", "reset", "--yes")
        _until(a, "follows", lambda k: k["epoch"] == 2)


if __name__ == "__main__":
    if FAKETIME is None:
        print("1..0 # SKIP libfaketime is not installed")
        sys.exit(0)
    sys.exit(main(globals()))
