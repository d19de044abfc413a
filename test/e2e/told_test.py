#!/usr/bin/python3
"""What people are told: who wrote, why a start makes a new replica, what
waits for them, and what `doctor` makes of it."""

import json
import os
import shutil
import sys

from node import (World, conflicts, connections, free_listen, main, same,
                  wait_for)
from tap import check, equal, holds


def _log(n):
    with open(n.log, encoding="utf-8", errors="replace") as f:
        return f.read()


def _checks(n, name):
    """What doctor says under that name: [(level, text)]."""
    answer = n.call("doctor")
    return [(c["level"], c["text"]) for c in answer["checks"]
            if c["name"] == name]


def a_folder_that_is_open_to_others():
    with World() as w:
        (a,) = w.nodes("a")
        equal(_checks(a, "folder"), [], "a folder that is closed")
        os.chmod(a.dir, 0o755)
        ((level, text),) = _checks(a, "folder")
        equal(level, "warn", "its level")
        check("755" in text and "chmod 700" in text, text)
        a.stop()
        a.start()
        check("chmod 700" in _log(a), "the log: " + _log(a))


def a_removed_member_keeps_its_name():
    with World() as w:
        a, b = w.mesh("a", "b", listen=free_listen)
        b.stop()
        a.put("radio", "by a")
        a.stop()
        b.start()
        b.put("radio", "by b")
        b.put("lamp", {"on": True})
        a.start()
        connections([a, b])
        same([a, b])
        equal(len(conflicts(a)), 1, "conflicts")
        a.do("remove", "b")
        answer = a.call("get", space="default", key="lamp")
        equal((answer["name"], answer.get("removed")), ("b", True), "get")
        equal(len(answer["device"]), 64, "the whole id")
        holds(a.do("history", "default", "lamp"), "b (removed)")
        holds(a.do("conflicts"), "by b (removed), 20", "by a, 20")
        told = [json.loads(line) for line in a.do(
            "watch", "default", "--from", "start", "--count",
            "2").splitlines()]
        equal([t.get("name") for t in told if t["key"] == "lamp"], ["b"])
        a.put("lamp", {"on": False})
        answer = a.call("get", space="default", key="lamp")
        equal((answer["name"], answer.get("removed")), ("a", None), "get")


def a_start_says_why_it_is_a_new_replica():
    with World() as w:
        a = w.node("a").start()
        a.put("k", 1)
        a.kill()
        a.start()
        holds(_log(a), "the last stop was not clean")
        check("these files are not those" not in _log(a), _log(a))
        a.stop()
        os.remove(os.path.join(a.dir, "stopped"))
        a.start()
        holds(_log(a), "these files are not those that the last stop left")


def a_store_without_its_key_gets_no_other():
    with World() as w:
        a = w.node("a").start()
        a.put("k", 1)
        a.stop()
        key = os.path.join(a.dir, "identity.pem")
        os.rename(key, w.path("kept"))
        for _ in range(2):
            a.launch()
            equal(a.ends(), 1, "the exit status")
            check(not os.path.exists(key), "nothing is in its place")
        holds(_log(a), "identity.pem: this key is not there", "put it back")
        os.rename(w.path("kept"), key)
        a.start()
        equal(a.get("k"), 1)


def what_is_switched_off_is_no_fault():
    with World() as w:
        a = w.node("a").start()
        (level, text), = _checks(a, "multicast")
        equal(level, "ok")
        holds(text, "switched off")


def what_came_back_is_announced():
    with World() as w:
        a, b = w.mesh("a", "b", flags=[
            "--retention", "1s", "--collect.interval", "100ms"],
            listen=free_listen)
        c = w.node("c", "--retention", "1s", "--collect.interval", "100ms")
        c.start()
        c.joins(a)
        connections([a, b, c])
        a.put("lamp", {"level": 1})
        same([a, b, c])
        equal(_checks(a, "rescue"), [])
        a.stop()
        b.stop()
        c.do("patch", "default", "lamp", '{"level":7}')
        c.stop()
        a.start()
        b.start()
        a.do("del", "default", "lamp")
        wait_for("it is collected", lambda: a.space()["deleted"] == 0)
        c.start()
        for n in (a, c):
            wait_for("%s tells of it" % n.name,
                     lambda n=n: "1 edit of deleted items came" in _log(n))
            (level, text), = _checks(n, "rescue")
            equal(level, "warn")
            holds(text, "1 edit of deleted items waits", "syncline rescue")
            holds(n.do("status"), "to rescue  1")
        listed = a.cli("conflicts")
        holds(listed.out, "open, returned")
        holds(listed.err, "returned:", "syncline rescue")
        a.do("rescue", "--drop", "--all")
        equal(_checks(a, "rescue"), [])
        check("to rescue" not in a.do("status"), "nothing is left")


def two_copies_of_one_folder():
    """Each is told, so are the others, and they do not drive each other out
    all the time."""
    said, of_self = "b runs twice", "this device runs twice"
    with World() as w:
        a, b = w.mesh("a", "b", listen=free_listen)
        a.put("k", 1)
        same([a, b])
        b.stop()
        twin = w.node("b2", listen=free_listen("b2"))
        shutil.copytree(b.dir, twin.dir, copy_function=shutil.copy2)
        twin.name = "b"
        b.start()
        twin.start()
        wait_for("a notices", lambda: said in _log(a))
        (level, text), = _checks(a, "copies")
        equal(level, "error")
        holds(text, "b runs twice", "identity.pem")
        equal(a.cli("doctor").code, 1)
        holds(a.do("peers"), "twice")
        for n in (b, twin):
            wait_for("a copy is told", lambda n=n: of_self in _log(n))
            equal(len(_checks(n, "copies")), 1)
            equal(_checks(n, "peer"), [], "no firewall is to blame")
            holds(n.do("status"), of_self)
        before = _log(a).count("connected to b")
        refused = _log(a).count("two copies of this device")
        wait_for("one is refused again and again", lambda: _log(a).count(
            "two copies of this device") >= refused + 4)
        # Once, or twice if both dial; four times if each drove out the other.
        check(_log(a).count("connected to b") <= before + 2,
              "the other one stays")
        equal(_log(a).count(said), 1, "a says it once")
        twin.stop()
        wait_for("b is back", lambda: a.name in b.connected())
        b.put("k", 2)
        a.waits_for("k", 2)


if __name__ == "__main__":
    sys.exit(main(globals()))
