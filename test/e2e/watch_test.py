#!/usr/bin/python3
"""What the daemon promises besides keeping items the same: cursors, history,
policies, receipts, reload, stops."""

import json
import os
import signal
import sys

import node
from node import (Control, World, conflicts, connections, main, same,
                  wait_for)
from tap import check, equal, holds


def _told(n, start, key=None, **more):
    """Events from a cursor until live, or until a key comes; the cursor."""
    events = []
    with Control(n.dir) as c:
        c.send("watch", space="default", **{"from": start}, **more)
        while True:
            event = c.read()
            check(event.get("more"), event)
            events.append(event)
            if event.get("key") == key if key else event.get("live"):
                return events, event["cursor"]


def _keys(events):
    return [e["key"] for e in events if "key" in e]


# ---- watch ----

def a_cursor_resumes_after_what_was_told():
    with World() as w:
        a, = w.nodes("a")
        for i in range(5):
            a.put("k%d" % i, i)
        a.call("del", space="default", key="k4")
        events, cursor = _told(a, "start")
        equal(sorted(_keys(events)), ["k0", "k1", "k2", "k3"] +
              (["k4"] if "k4" in _keys(events) else []), "the whole state")
        events, same_cursor = _told(a, cursor)
        equal(_keys(events), [], "nothing happened")
        a.put("k1", "again")
        a.put("k1", "and again")
        a.put("k5", 5)
        a.call("del", space="default", key="k0")
        events, after = _told(a, same_cursor)
        equal(sorted(_keys(events)), ["k0", "k1", "k5"], "once each")
        check(not any(e.get("resync") for e in events), "a resync")
        by_key = {e["key"]: e for e in events if "key" in e}
        equal(by_key["k1"]["value"], "and again", "the latest")
        equal(by_key["k0"].get("deleted"), True, "the deletion")
        # Each event's own cursor resumes after that event.
        middle = events[0]["cursor"]
        equal(_keys(_told(a, middle)[0]), _keys(events)[1:])
        equal(_keys(_told(a, after)[0]), [])


def a_cursor_survives_a_clean_stop():
    with World() as w:
        a, = w.nodes("a")
        a.put("one", 1)
        cursor = _told(a, "start")[1]
        a.put("two", 2)
        a.stop()
        a.start()
        events = _told(a, cursor)[0]
        check(not any(e.get("resync") for e in events), "a resync")
        equal(_keys(events), ["two"])


def a_crash_resyncs():
    with World() as w:
        a, = w.nodes("a")
        a.put("one", 1)
        cursor = _told(a, "start")[1]
        a.put("two", 2)
        a.kill()
        a.start()
        events, cursor = _told(a, cursor)
        check(events[0].get("resync"), "no resync: %s" % events)
        equal(sorted(_keys(events)), ["one", "two"], "the whole state")
        equal(_keys(_told(a, cursor)[0]), [], "after it")


def events_of_another_node_come_live():
    with World() as w:
        a, b = w.mesh("a", "b")
        with Control(b.dir) as c:
            c.send("watch", space="default", prefix="lamp")
            check(c.read().get("live"), "live first")
            a.put("other", 0)
            a.put("lamp1", {"on": True})
            event = c.read()
            equal((event["key"], event["value"]), ("lamp1", {"on": True}))
            equal(event["device"], a.status()["device"], "its author")
            a.call("del", space="default", key="lamp1")
            event = c.read()
            equal((event["key"], event.get("deleted")), ("lamp1", True))


def watch_on_the_command_line():
    with World() as w:
        a, = w.nodes("a")
        a.put("one", {"n": 1})
        a.put("two", {"n": 2})
        lines = a.do("watch", "default", "--from", "start", "--count",
                     "2").splitlines()
        events = [json.loads(line) for line in lines]
        equal(_keys(events), ["one", "two"])
        a.put("three", 3)
        lines = a.do("watch", "default", "--from", str(events[1]["cursor"]),
                     "--count", "1").splitlines()
        equal(json.loads(lines[0])["key"], "three")


# ---- history ----

def history_restores():
    with World() as w:
        a, b = w.mesh("a", "b")
        for level in (1, 2):
            a.put("lamp", {"level": level})
        b.waits_for("lamp", {"level": 2})
        b.call("del", space="default", key="lamp")
        wait_for("it is gone", lambda: a.get("lamp") is None)
        versions = a.call("history", space="default", key="lamp")["versions"]
        equal([v["what"] for v in versions], ["put", "put", "delete"])
        equal([v["name"] for v in versions], ["a", "a", "b"])
        equal(versions[0]["value"], {"level": 1}, "the first")
        a.do("restore", "default", "lamp", str(versions[0]["version"]))
        b.waits_for("lamp", {"level": 1})
        equal(len(a.call("history", space="default", key="lamp")["versions"]),
              4, "a restore is a write")
        same([a, b])


# ---- concurrent writes ----

def history_outlives_the_tombstone():
    """Once everybody has the deletion nothing is left of the item but its
    past, which can be read and brought back."""
    with World() as w:
        a, b = w.mesh("a", "b", flags=["--collect.interval", "100ms"])
        for i in (1, 2):
            a.put("lamp", {"on": i})
        b.waits_for("lamp", {"on": 2})
        a.do("del", "default", "lamp")
        for n in (a, b):
            wait_for("%s has collected it" % n.name,
                     lambda n=n: n.space()["deleted"] == 0 and
                     n.space()["items"] == 0, 60)
        past = a.call("history", key="lamp")["versions"]
        equal([(v["what"], v.get("value")) for v in past], [
            ("put", {"on": 1}), ("put", {"on": 2}), ("delete", None)])
        a.do("restore", "default", "lamp", str(past[1]["version"]))
        b.waits_for("lamp", {"on": 2})
        past = a.call("history", key="lamp")["versions"]
        equal([v["version"] for v in past], [1, 2, 3, 4])
        a.do("restore", "default", "lamp", "1")
        equal(a.get("lamp"), {"on": 1}, "the first")
        a.refuses("history", "default", "never", says="no such item")


def _apart(w, *names, flags=(), policy=None, start=None):
    """A mesh with a policy and an item, then the first one cut off."""
    made = w.mesh(*names, flags=flags)
    connections(made)
    if policy:
        made[0].do("policy", "default", policy)
        for n in made[1:]:
            wait_for("the policy is known", lambda n=n: any(
                p["policy"] == policy for p in n.call(
                    "policies", space="default")["policies"]))
    if start is not None:
        made[0].put("item", start)
        for n in made:
            n.waits_for("item", start)
    w.relay.cut("a")
    for n in made[1:]:
        wait_for("a is away", lambda n=n: "a" not in n.connected())
    return made


def _together(w, made):
    w.relay.mend("a")
    connections(made)
    same(made)


def lww_keeps_one_and_tells_the_other():
    with World(relayed=True) as w:
        a, b, c = _apart(w, "a", "b", "c", start={"x": 0, "y": 0, "z": 0})
        a.put("item", {"x": 1, "y": 0, "z": 0})
        b.put("item", {"x": 2, "y": 3, "z": 0})
        c.waits_for("item", {"x": 2, "y": 3, "z": 0})
        _together(w, [a, b, c])
        equal(a.get("item"), {"x": 2, "y": 3, "z": 0}, "the later x, and y")
        for n in (a, b, c):
            found = wait_for("a conflict", lambda n=n: conflicts(n))
            equal(len(found), 1, "conflicts")
            equal((found[0]["path"], found[0]["winner"]["value"],
                   found[0]["loser"]["value"]), ("/x", 2, 1))
            equal((found[0]["winner"]["name"], found[0]["loser"]["name"]),
                  ("b", "a"))
        c.do("resolve", conflicts(c)[0]["id"], "--take", "loser")
        for n in (a, b, c):
            n.waits_for("item", {"x": 1, "y": 3, "z": 0})
            wait_for("no conflict is open", lambda n=n: not conflicts(n))
        equal(len(conflicts(a, all=True)), 1, "remembered")


def a_delete_beats_an_edit_which_is_told():
    with World(relayed=True) as w:
        a, b = _apart(w, "a", "b", start={"x": 0})
        a.call("del", space="default", key="item")
        b.put("item", {"x": 1})
        _together(w, [a, b])
        equal((a.get("item"), b.get("item")), (None, None), "the item")
        for n in (a, b):
            found = wait_for("a conflict", lambda n=n: conflicts(n))
            equal(found[0]["loser"]["value"], 1, "the edit")
            check(found[0]["winner"].get("deleted"), found)
        versions = b.call("history", space="default", key="item")["versions"]
        equal([v["what"] for v in versions], ["put", "put", "delete"])
        equal(versions[1]["value"], {"x": 1}, "the edit")


def manual_stays_open_until_resolved():
    with World(relayed=True) as w:
        a, b = _apart(w, "a", "b", policy="manual", start={"x": 0})
        a.put("item", {"x": 1})
        b.put("item", {"x": 2})
        _together(w, [a, b])
        found, = wait_for("a conflict", lambda: conflicts(a))
        a.put("item", {"x": 3})
        b.waits_for("item", {"x": 3})
        equal(len(conflicts(a)), 1, "open still, though overwritten")
        b.do("resolve", found["id"], "--value", "7")
        a.waits_for("item", {"x": 7})
        wait_for("it is closed", lambda: not conflicts(a))


def keep_both_makes_an_item_of_the_loser():
    with World(relayed=True) as w:
        a, b = _apart(w, "a", "b", policy="keep-both", start={"x": 0})
        a.put("item", {"x": 1})
        b.put("item", {"x": 2})
        _together(w, [a, b])
        wait_for("two items", lambda: all(
            n.space()["items"] == 2 for n in (a, b)))
        same([a, b])
        items = a.call("ls", space="default", values=True)["items"]
        equal([i["value"] for i in items], [{"x": 2}, {"x": 1}])
        check(items[1]["key"].startswith("item~"), items[1]["key"])
        equal(conflicts(a), [], "conflicts")


SUM = """#!/usr/bin/python3
import json, sys
asked = json.load(sys.stdin)
print(sum(asked["siblings"]) - (asked["ancestor"] or 0))
"""


def custom_asks_a_program():
    """Both counted up from 10: the sum of what they added is right."""
    with World(relayed=True) as w:
        program = w.path("resolver")
        with open(program, "w", encoding="utf-8") as f:
            f.write(SUM)
        os.chmod(program, 0o755)
        a, b = _apart(w, "a", "b", flags=["--resolve.command", program],
                      policy="custom", start={"n": 10})
        a.put("item", {"n": 13})
        b.put("item", {"n": 14})
        _together(w, [a, b])
        for n in (a, b):
            n.waits_for("item", {"n": 17})
        wait_for("no conflict is open",
                 lambda: not conflicts(a) and not conflicts(b))


def a_resolver_that_fails_leaves_it_open():
    with World(relayed=True) as w:
        a, b = _apart(w, "a", "b", flags=["--resolve.command", "/bin/false"],
                      policy="custom", start={"n": 10})
        a.put("item", {"n": 13})
        b.put("item", {"n": 14})
        _together(w, [a, b])
        wait_for("a conflict on both",
                 lambda: conflicts(a) and conflicts(b))
        equal(a.get("item"), b.get("item"), "the item")


# ---- receipts ----

def _line(w):
    """a - b - c, with nothing between the ends."""
    w.relay.cut("a", "c")
    a, b, c = w.mesh("a", "b") + w.nodes("c")
    c.joins(b)
    wait_for("a knows c", lambda: len(a.status()["peers"]) == 2)
    return a, b, c


def wait_all_reaches_beyond_the_neighbour():
    with World(relayed=True) as w:
        a, b, c = _line(w)
        answer = a.put("lamp", 1, wait="all")
        equal(answer["acks"], 2, "acks")
        equal(c.get("lamp"), 1, "at the far end")
        c.do("put", "default", "lamp", "2", "--wait", "all")
        equal(a.get("lamp"), 2, "and back")
        equal((a.connected(), c.connected()), ({"b"}, {"b"}), "links")
        check(a.agrees(), "verify: %s" % a.cli("verify"))


def wait_says_how_far_it_came():
    with World(relayed=True) as w:
        a, b, c = _line(w)
        c.stop()
        wait_for("b lost c", lambda: "c" not in b.connected())
        said = a.refuses("put", "default", "lamp", "1", "--wait", "all",
                         "--timeout", "500ms")
        holds(said, "1")
        a.do("put", "default", "lamp", "2", "--wait", "1")
        equal((a.get("lamp"), b.get("lamp")), (2, 2), "the write stands")
        c.start()
        c.waits_for("lamp", 2)


# ---- the process ----

def sighup_reads_the_configuration_again():
    with World() as w:
        a = w.node("a")
        a.quick = []
        os.mkdir(a.dir, 0o700)
        file = os.path.join(a.dir, "syncline.yaml")

        def configure(text):
            with open(file, "w", encoding="utf-8") as f:
                f.write(text)
            a.process and a.process.send_signal(signal.SIGHUP)

        def option(name):
            return {o["name"]: o["value"] for o in a.call(
                "config")["options"]}[name]
        configure("log:\n  level: warn\n")
        a.start()
        equal(option("log.level"), "warn")
        configure("log:\n  level: debug\n")
        wait_for("it is read", lambda: option("log.level") == "debug")
        holds(a.tail(), "read again")
        configure("log:\n  level: loud\n")
        wait_for("it is refused", lambda: "stays in force" in a.tail())
        holds(a.tail(), "syncline.yaml:2:", "loud")
        equal(option("log.level"), "debug", "the old one")


def a_clean_stop_keeps_the_replica():
    with World() as w:
        a, = w.nodes("a")
        old = a.replica()
        a.put("lamp", 1)
        a.stop()
        a.start()
        equal(a.replica(), old, "after SIGTERM")
        a.process.send_signal(signal.SIGINT)
        equal(a.ends(), 0, "exit status")
        a.start()
        equal(a.replica(), old, "after SIGINT")
        a.do("stop")
        equal(a.ends(), 0, "exit status")
        a.start()
        equal(a.replica(), old, "after `stop`")
        a.kill()
        a.start()
        check(a.replica() != old, "the same replica after a crash")
        equal(a.get("lamp"), 1)


def a_write_of_what_is_there_answers_after_a_restart():
    with World() as w:
        a, = w.nodes("a")
        a.put("lamp", 1)
        for end in (a.stop, a.kill):
            end()
            a.start()
            equal(a.put("lamp", 1)["changed"], False)


def it_stops_amid_work():
    with World(relayed=True) as w:
        a, b = w.mesh("a", "b")
        importing = a.spawn("import", "default", stdin=node.subprocess.PIPE,
                            stderr=node.subprocess.DEVNULL)
        importing.stdin.write(node.records(0, 20000))
        importing.stdin.flush()
        wait_for("it is under way", lambda: a.space()["items"] > 1000)
        a.stop()
        importing.communicate()
        old = b.replica()
        b.stop()
        a.start()
        b.start()
        equal(b.replica(), old, "the replica")
        same([a, b])


if __name__ == "__main__":
    sys.exit(main(globals()))
