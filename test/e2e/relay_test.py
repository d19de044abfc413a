#!/usr/bin/python3
"""A blind relay between real daemons that never meet each other."""

import base64
import os
import re
import signal
import sqlite3
import sys

from node import PATIENCE, World, conflicts, main, same, wait_for
from tap import Skip, check, equal, holds

# What must not be found at a relay, in any form of it.
CANARIES = ("canary-key-7f3a", "canary-path-c41d", "canary-value-9be2",
            "canary-space-e650", "canary-lost-03d8")


def _members(n, **more):
    return {m["name"]: m for m in n.call("members", **more)["members"]}


def _joins(inviter, joiner, *flags):
    told = joiner.do("join", inviter.do("invite", *flags).strip())
    wait_for("%s knows %s" % (inviter.name, joiner.name),
             lambda: joiner.name in _members(inviter))
    return told


def _apart(w, r, *names):
    """None of these reaches another one of them; all know the relay."""
    wait_for("all have met the relay", lambda: r.connected() >= set(names))
    for i, name in enumerate(names):
        for other in names[i + 1:]:
            w.relay.cut(name, other)


def _meet_over(r, *nodes):
    for n in nodes:
        wait_for("%s is connected with the relay alone" % n.name,
                 lambda n=n: n.connected() == {r.name})


def _scene(w, *flags, prefix=()):
    """A relay, and two members that reach nobody else."""
    a, r, b = (w.node(name, *more, *flags, prefix=prefix) for name, *more in (
        ("a",), ("r", "--role", "relay"), ("b",)))
    for n in (a, r, b):
        n.start()
    holds(_joins(a, r, "--role", "relay"), "a relay there")
    _joins(a, b)
    _apart(w, r, "a", "b")
    _meet_over(r, a, b)
    return a, r, b


def _log(n):
    with open(n.log, encoding="utf-8", errors="replace") as log:
        return log.read()


# ---- looking for canaries ----

SHADOW = 1 << 30  # a sanitizer's own areas are larger, and no heap is

def _forms(text):
    """As it is, in hex, and in base64 however it is aligned."""
    raw = text.encode()
    yield raw
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + raw)
        yield coded[4 if shift else 0:len(coded) // 4 * 4 - 4]
    yield text.encode("utf-16-le")


def _found_in(data):
    return {c for c in CANARIES for f in _forms(c) if f in data}


def _folder(path):
    for folder, _, names in os.walk(path):
        for name in names:
            at = os.path.join(folder, name)
            if os.path.isfile(at):
                with open(at, "rb") as file:
                    yield file.read()


def _found_on_disk(n):
    found = set()
    for data in _folder(n.dir):
        found |= _found_in(data)
    with open(n.log, "rb") as log:
        return found | _found_in(log.read())


def _found_in_memory(n):
    found = set()
    pid = n.process.pid
    with open("/proc/%d/maps" % pid, encoding="ascii") as maps, \
            open("/proc/%d/mem" % pid, "rb", 0) as memory:
        for line in maps:
            area = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if not area:
                continue
            start, end = (int(x, 16) for x in area.groups())
            if end - start > SHADOW:
                continue
            try:
                memory.seek(start)
                found |= _found_in(memory.read(end - start))
            except (OSError, OverflowError):
                pass
    return found


def _write_canaries(a, b, w):
    a.do("space", "add", "canary-space-e650")
    wait_for("b has the space", lambda: b.space("canary-space-e650"))
    for n, space in ((a, "default"), (a, "canary-space-e650")):
        n.put("canary-key-7f3a/%s" % n.name,
              {"canary-path-c41d": "canary-value-9be2", "n": 1}, space=space)
        b.waits_for("canary-key-7f3a/%s" % n.name,
                    {"canary-path-c41d": "canary-value-9be2", "n": 1},
                    space=space)
    # Two that do not know of each other: one is lost, and told of.
    w.relay.cut("r")
    a.put("canary-key-7f3a/both", {"f": "canary-lost-03d8"})
    b.put("canary-key-7f3a/both", {"f": "canary-value-9be2"})
    w.relay.mend("r")


# ---- ----

def members_that_never_meet_converge():
    with World(relayed=True) as w:
        a, r, b = _scene(w)
        a.put("lamp", {"on": True, "level": 3})
        b.waits_for("lamp", {"on": True, "level": 3})
        b.call("patch", space="default", key="lamp", patch={"level": 4})
        a.waits_for("lamp", {"on": True, "level": 4})
        b.call("del", space="default", key="lamp")
        wait_for("it is deleted", lambda: a.get("lamp") is None)
        a.put("lamp", "again")
        b.waits_for("lamp", "again")
        a.put("large", "x" * (2 << 20))
        b.waits_for("large", "x" * (2 << 20))
        same([a, b])
        equal(a.status()["unopened"], 0, "rows that a cannot open")
        equal(b.status()["unopened"], 0, "rows that b cannot open")


def a_write_waits_for_who_is_never_met():
    with World(relayed=True) as w:
        a, r, b = _scene(w)
        a.put("lamp", 1)
        b.waits_for("lamp", 1)
        holds(a.do("put", "default", "lamp", "2", "--wait", "all", "--json"),
              '"acks":1')
        holds(b.do("put", "default", "lamp", "3", "--wait", "1", "--json"),
              '"acks":1')
        w.relay.cut("b")
        a.refuses("put", "default", "lamp", "4", "--wait", "all",
                  "--timeout", "1", says="confirmed in time")
        for n in (a, b):
            equal(n.status()["relays_withhold"], 0, "rows kept back")
            equal(n.status()["heads_differ"], 0, "what differs")


def what_conflicts_is_told_on_both_sides():
    with World(relayed=True) as w:
        a, r, b = _scene(w)
        a.put("lamp", {"level": 0})
        b.waits_for("lamp", {"level": 0})
        w.relay.cut("r")
        a.put("lamp", {"level": 1})
        b.put("lamp", {"level": 2})
        w.relay.mend("r")
        for n in (a, b):
            wait_for("%s is told of it" % n.name,
                     lambda n=n: len(conflicts(n)) == 1)
        same([a, b])
        equal(a.get("lamp"), b.get("lamp"), "the winner")
        told = conflicts(a)[0]
        equal(told["key"], "lamp", "its key")
        a.do("resolve", told["id"], "--take", "loser")
        wait_for("b hears that it is resolved", lambda: not conflicts(b))
        same([a, b])


def a_relay_shows_nothing_and_says_so():
    with World(relayed=True) as w:
        a, r, b = _scene(w)
        a.put("lamp", 1)
        b.waits_for("lamp", 1)
        r.refuses("get", "default", "lamp", says="relay")
        r.refuses("put", "default", "lamp", "1", says="relay")
        r.refuses("ls", "default", says="relay")
        r.refuses("invite", says="relay")
        r.refuses("space", "add", "shed", says="relay")
        equal([s["name"] for s in r.status()["spaces"]], ["_mesh"],
              "spaces that it shows")
        wait_for("it carries what there is", lambda: sum(
            s["items"] for s in r.status()["carries"]) >= 1)
        holds(r.do("status"), "CARRIES")
        equal(_members(a)["r"]["role"], "relay", "its role")
        # Nobody waits for its word.
        a.refuses("put", "default", "lamp", "2", "--wait", "2",
                  says="the mesh has 1")
        check(not a.agrees(), "verify asks a relay")
        w.relay.mend("a", "b")
        wait_for("a and b meet", lambda: "b" in a.connected())
        check(a.agrees() and b.agrees(), "verify compares with a relay")


def a_new_member_gets_all_from_a_relay():
    with World(relayed=True) as w:
        a, r, b = _scene(w)
        a.do("space", "add", "shed")
        for i in range(40):
            a.put("k%d" % i, {"i": i, "t": "text"})
        a.put("seed", 1, space="shed")
        for i in range(0, 40, 2):
            a.call("del", space="default", key="k%d" % i)
        wait_for("the relay has it", lambda: not [
            p for p in a.status()["peers"] if p["name"] == "r"][0]["behind"])
        c = w.node("c").start()
        code = a.do("invite", "--role", "member").strip()
        w.relay.cut("b", "c")
        c.do("join", code)
        _apart(w, r, "a", "b", "c")
        a.stop()
        _meet_over(r, c)
        c.waits_for("k39", {"i": 39, "t": "text"})
        c.waits_for("seed", 1, space="shed")
        c.put("of-c", 1)
        b.waits_for("of-c", 1)
        same([b, c])
        a.start()
        a.waits_for("of-c", 1)
        same([a, b, c])


def a_rotation_and_a_removal_pass_through_it():
    with World(relayed=True) as w:
        a, r, b = _scene(w)
        c = w.node("c").start()
        _joins(a, c, "--role", "member")
        _apart(w, r, "a", "b", "c")
        _meet_over(r, a, b, c)
        c.put("of-c", 1)
        b.waits_for("of-c", 1)
        epoch = a.status()["epoch"]
        a.do("rotate")
        wait_for("all have the key", lambda: all(
            n.status()["epoch"] > epoch for n in (a, b, c)))
        a.put("after", {"rotated": True})
        b.waits_for("after", {"rotated": True})
        c.waits_for("after", {"rotated": True})
        epoch = a.status()["epoch"]
        a.do("remove", "c")
        wait_for("b knows, and has the new key", lambda: "c" not in
                 _members(b) and b.status()["epoch"] > epoch)
        wait_for("c is told", lambda: "removed" in c.status())
        b.put("without-c", 1)
        a.waits_for("without-c", 1)
        equal(a.get("of-c"), 1, "what counted before")
        c.refuses("get", "default", "without-c")
        same([a, b])


def some_spaces_are_carried_and_read_by_some():
    with World(relayed=True) as w:
        a, r = w.node("a"), w.node("r", "--role", "relay")
        b = w.node("b")
        for n in (a, r, b):
            n.start()
        a.do("space", "add", "shed")
        a.do("space", "add", "attic")
        _joins(a, r, "--role", "relay", "--space", "shed,default")
        _joins(a, b, "--role", "member", "--space", "shed,attic")
        _apart(w, r, "a", "b")
        _meet_over(r, a, b)
        a.put("seed", 1, space="shed")
        b.waits_for("seed", 1, space="shed")
        b.put("of-b", 2, space="shed")
        a.waits_for("of-b", 2, space="shed")
        a.put("trunk", 1, space="attic")
        a.put("seed", 3, space="shed")
        b.waits_for("seed", 3, space="shed")
        equal(b.get("trunk", space="attic"), None, "what r does not carry")
        a.do("grant", "r", "--space", "attic")
        b.waits_for("trunk", 1, space="attic")


def a_killed_relay_goes_on():
    with World(relayed=True) as w:
        a, r, b = _scene(w)
        for i in range(50):
            a.put("before%d" % i, i)
        b.waits_for("before49", 49)
        b.stop()
        for i in range(50):
            a.put("k%d" % i, {"i": i})
        r.kill()
        r.start()
        for i in range(50, 100):
            a.put("k%d" % i, {"i": i})
        wait_for("the relay has it", lambda: not [
            p for p in a.status()["peers"] if p["name"] == "r"][0]["behind"])
        a.stop()
        r.kill()
        r.start()
        b.start()
        b.waits_for("k99", {"i": 99})
        for i in range(100):
            equal(b.get("k%d" % i), {"i": i}, "k%d" % i)
        a.start()
        same([a, b])


def a_relay_that_loses_its_disk_loses_nothing():
    with World(relayed=True) as w:
        a, r, b = _scene(w)
        a.put("lamp", {"on": True})
        b.waits_for("lamp", {"on": True})
        b.stop()
        a.put("late", 1)
        r.kill()
        for name in os.listdir(r.dir):
            if name != "identity.pem" and \
                    os.path.isfile(os.path.join(r.dir, name)):
                os.remove(os.path.join(r.dir, name))
        a.do("remove", "r")
        r.start()
        _joins(a, r, "--role", "relay")
        b.start()
        b.waits_for("late", 1)
        b.put("of-b", 1)
        a.waits_for("of-b", 1)
        same([a, b])


def a_relay_that_comes_back_is_not_accused():
    with World(relayed=True) as w:
        a, r, b = _scene(w)
        a.put("lamp", 1)
        b.waits_for("lamp", 1)
        a.do("remove", "r")
        wait_for("r knows", lambda: "removed" in r.status())
        r.do("join", a.do("invite", "--role", "relay").strip(), "--leave")
        a.put("lamp", 2)
        b.waits_for("lamp", 2)
        wait_for("r has all", lambda: not [
            p for p in a.status()["peers"] if p["name"] == "r"][0]["behind"])
        for n in (a, b):
            equal(n.status()["relays_back"], 0, "%s accuses" % n.name)


def nothing_of_it_is_found_at_a_relay():
    with World(relayed=True) as w:
        a, r, b = _scene(w)
        _write_canaries(a, b, w)
        for n in (a, b):
            wait_for("%s is told of the conflict" % n.name,
                     lambda n=n: conflicts(n))
        same([a, b])
        if os.geteuid() == 0:
            equal(_found_in_memory(r), set(), "found in its memory")
            check("canary-value-9be2" in _found_in_memory(a),
                  "a search that finds nothing anywhere")
        for n in (a, b, r):
            n.stop()
        equal(_found_on_disk(r), set(), "found on its disk")
        equal(_found_on_disk(a), set(CANARIES), "found on a's disk")


def _core_of(n, folder):
    """What the system keeps of the process that dies here and now."""
    n.process.send_signal(signal.SIGABRT)
    n.process.wait(PATIENCE)
    made = os.listdir(folder)
    equal(len(made), 1, "cores: %r" % made)
    path = os.path.join(folder, made[0])
    with open(path, "rb") as core:
        data = core.read()
    os.remove(path)
    check(data.startswith(b"\x7fELF"), "no core: %r" % data[:16])
    return data


def nor_in_a_core_of_it():
    with open("/proc/sys/kernel/core_pattern", encoding="ascii") as f:
        if not re.match("[^|/]", f.read()):
            raise Skip("cores do not go where the program runs")
    with World(relayed=True) as w:
        folder = w.path("cores")
        os.mkdir(folder)
        a, r, b = _scene(w, "--allow-core-dumps", prefix=[
            "sh", "-c", 'ulimit -c unlimited && cd "$0" && exec "$@"', folder])
        _write_canaries(a, b, w)
        same([a, b])
        equal(_found_in(_core_of(r, folder)), set(), "found in its core")
        check("canary-value-9be2" in _found_in(_core_of(a, folder)),
              "a search that finds nothing anywhere")


def who_becomes_a_relay_forgets_and_back():
    with World(relayed=True) as w:
        a, b, r = w.mesh("a", "b", "r")
        a.do("space", "add", "shed")
        a.put("lamp", {"on": 1})
        a.put("seed", 1, space="shed")
        r.waits_for("lamp", {"on": 1})
        r.waits_for("seed", 1, space="shed")
        a.do("grant", "r", "--role", "relay")
        wait_for("it is a relay", lambda: len(
            r.status().get("carries", [])) >= 4)
        _apart(w, r, "a", "b")
        _meet_over(r, a, b)
        b.put("of-b", 1)
        a.waits_for("of-b", 1)
        r.refuses("get", "default", "lamp", says="relay")
        for n in (a, b):  # it forgot since it was told to
            equal(n.status()["relays_back"], 0, "%s accuses" % n.name)
        a.do("grant", "r", "--role", "member")
        wait_for("it is none any more", lambda: r.space("shed"))
        r.waits_for("of-b", 1)
        r.waits_for("lamp", {"on": 1})
        r.waits_for("seed", 1, space="shed")
        r.put("of-r", 1)
        a.waits_for("of-r", 1)
        b.waits_for("of-r", 1)
        same([a, b, r])


def who_becomes_a_relay_with_nothing_yet_says_what_it_has():
    """The connection is older than what makes it a relay."""
    with World() as w:
        a, r = w.mesh("a", "r")
        a.stop()
        a.start()
        a.do("grant", "r", "--role", "relay")
        a.put("lamp", 1)
        wait_for("a knows that r has it", lambda: not [
            p for p in a.status()["peers"] if p["name"] == "r"][0]["behind"])


def what_an_older_version_kept_is_fetched_anew():
    """In its form: all that tells of it here is what its spaces say."""
    with World(relayed=True) as w:
        a, r, b = _scene(w)
        a.put("lamp", {"on": 1})
        b.waits_for("lamp", {"on": 1})
        b.stop()
        r.stop()
        with sqlite3.connect(os.path.join(r.dir, "state.db")) as db:
            changed = db.execute(
                "UPDATE meta SET v = x'' WHERE CAST(k AS TEXT) LIKE 'sealed/%'")
        db.close()
        check(changed.rowcount > 0, "there are such")
        r.start()
        wait_for("it asks for all anew", lambda: (
            "carries it as a relay from now on" in _log(r)))
        _meet_over(r, a)
        b.start()
        _meet_over(r, b)
        a.put("lamp", {"on": 2})
        b.waits_for("lamp", {"on": 2})


if __name__ == "__main__":
    sys.exit(main(globals()))
