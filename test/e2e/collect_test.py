#!/usr/bin/python3
"""What is deleted is collected once every member has it. One that was away for
longer than the retention is parked meanwhile; it comes back with edits made
alone, and what was deleted stays deleted."""

import json
import shutil
import sys
import time

from node import (PATIENCE, Refused, World, connections, free_listen, main,
                  records, same, wait_for)
from tap import check, equal, holds, note

SHORT = ["--retention", "1s", "--collect.interval", "100ms"]
SENDS = "sends its whole state"
COMPLETE = "complete, "


def _mesh(w, *names):
    return w.mesh(*names, flags=SHORT, listen=free_listen)


def _collected(*nodes):
    for n in nodes:
        wait_for("%s has collected" % n.name,
                 lambda n=n: n.space()["deleted"] == 0)


def _parked(n):
    return {p["name"] for p in n.call("peers")["peers"] if p["parked"]}


def _rescue(n, **what):
    return n.call("rescue", **what)["rescue"]


def _items(n, **what):
    """What waits on a node: key -> {path: value}."""
    return {i["key"]: {v["path"]: v["value"] for v in i["values"]}
            for i in _rescue(n, **what)}


def _stop(*nodes):
    for n in nodes:
        n.stop()


def _start(*nodes):
    for n in nodes:
        n.start()


def _everywhere(nodes, key, value):
    for n in nodes:
        n.waits_for(key, value)


def a_member_comes_back_with_edits_of_what_was_deleted():
    with World() as w:
        a, b, c = _mesh(w, "a", "b", "c")
        connections([a, b, c])
        for key in ("edited", "dropped", "untouched", "live"):
            a.put(key, {"level": 1, "on": True})
        same([a, b, c])
        c.stop()
        a.do("del", "default", "edited")
        b.do("del", "default", "dropped")
        a.do("del", "default", "untouched")
        a.do("patch", "default", "live", '{"level":2}')
        for n in (a, b):
            wait_for("%s parks c" % n.name, lambda n=n: _parked(n) == {"c"})
        _collected(a, b)
        holds(a.do("peers"), "parked")
        _stop(a, b)

        c.start()
        c.do("patch", "default", "edited", '{"level":7,"name":"hall"}')
        c.do("patch", "default", "dropped", '{"level":8}')
        c.do("patch", "default", "live", '{"on":false}')
        c.put("made", {"by": "c"})
        _start(a, b)
        connections([a, b, c])

        waits = {"edited": {"/level": 7, "/name": "hall"},
                 "dropped": {"/level": 8}}
        for n in (a, b, c):
            n.waits_for("made", {"by": "c"})
            n.waits_for("live", {"level": 2, "on": False})
            wait_for("%s lists what came back" % n.name,
                     lambda n=n: _items(n) == waits)
            for key in ("edited", "dropped", "untouched"):
                equal(n.get(key), None, "%s on %s" % (key, n.name))
            wait_for("c is back on %s" % n.name, lambda n=n: not _parked(n))
        holds(b.do("rescue", "default", "edited"), "default/edited  now deleted",
              "/level = 7", '/name = "hall"', "by c")

        told = a.do("conflicts", "default", "edited")
        holds(told, "open, returned", "/level = 7", "(deleted)")
        check("by ," not in told, "nobody is named: %s" % told)
        b.do("rescue", "default", "edited", "--apply", "--wait", "all")
        c.do("rescue", "default", "dropped", "--drop")
        _everywhere((a, b, c), "edited", {"level": 7, "name": "hall"})
        for n in (a, b, c):
            wait_for("nothing waits on %s" % n.name, lambda n=n: not _items(n))
            equal(set(_items(n, all=True)), {"edited", "dropped"}, "settled")
            equal(n.get("dropped"), None, "dropped on %s" % n.name)
        same([a, b, c])
        wait_for("verify agrees", a.agrees)


def what_is_asked_of_rescue_must_make_sense():
    with World() as w:
        a, = w.nodes("a")
        a.refuses("rescue", "--apply", code=2, says="--all")
        a.refuses("rescue", "default", "--drop", code=2, says="KEY")
        a.refuses("rescue", "default", "k", "--apply", "--drop", code=2,
                  says="either")
        a.refuses("rescue", "default", "k", "--apply", "--all", code=2,
                  says="leave the KEY out")
        a.refuses("rescue", "--wait", "1", code=2, says="--apply")
        a.refuses("rescue", "nowhere", says="no such space")
        a.refuses("rescue", "default", "k", "--apply",
                  says=["default/k", "nothing of it waits"])
        equal(a.do("rescue"), "")
        equal(json.loads(a.do("rescue", "--json")), [])
        equal(json.loads(a.do("rescue", "--drop", "--all", "--json")),
              {"items": 0, "values": 0})


def the_history_outlives_the_record():
    with World() as w:
        a, b = _mesh(w, "a", "b")
        a.put("lamp", {"on": True})
        a.put("lamp", {"on": False})
        same([a, b])
        b.do("del", "default", "lamp")
        _collected(a, b)
        for n in (a, b):
            n.refuses("get", "default", "lamp", says="no such item")
            n.refuses("del", "default", "lamp", says="no such item")
            equal(n.do("ls", "default"), "")
            versions = n.call("history", key="lamp")["versions"]
            equal([v["what"] for v in versions][-2:], ["put", "delete"])
            equal(versions[-1]["name"], "b", "who deleted it")
        a.refuses("history", "default", "other", says="no such item")
        versions = a.call("history", key="lamp")["versions"]
        equal([v["version"] for v in versions], [1, 2, 3], "versions of a")
        a.do("restore", "default", "lamp", "1")
        _everywhere((a, b), "lamp", {"on": True})
        # It goes on where it was, not at 1 again.
        after = a.call("history", key="lamp")["versions"]
        equal([v["version"] for v in after], [1, 2, 3, 4])
        equal([v.get("value") for v in after],
              [{"on": True}, {"on": False}, None, {"on": True}])
        a.do("restore", "default", "lamp", "2")
        _everywhere((a, b), "lamp", {"on": False})
        equal([v["version"] for v in a.call("history", key="lamp")["versions"]],
              [1, 2, 3, 4, 5])
        a.do("restore", "default", "lamp", "3")
        _everywhere((a, b), "lamp", None)


def both_sides_had_collected():
    """Two and two were apart for long, and each took the others for lost: what
    either side deleted stays deleted on both."""
    with World() as w:
        nodes = _mesh(w, "a", "b", "c", "d")
        a, b, c, d = nodes
        connections(nodes)
        for key in ("by-a", "by-c", "live"):
            a.put(key, 1)
        same(nodes)
        _stop(c, d)
        a.do("del", "default", "by-a")
        _collected(a, b)
        _stop(a, b)
        _start(c, d)
        connections([c, d])
        c.do("del", "default", "by-c")
        _collected(c, d)
        d.put("made", 3)
        _start(a, b)
        connections(nodes)
        _everywhere(nodes, "made", 3)
        for n in nodes:
            wait_for("nobody is parked on %s" % n.name,
                     lambda n=n: not _parked(n))
        check(any(SENDS in _log(n) for n in nodes), "nobody was behind")
        same(nodes)
        for n in nodes:
            for key in ("by-a", "by-c"):
                n.waits_for(key, None)
            n.waits_for("live", 1)
        wait_for("verify agrees", a.agrees)


def one_that_is_alone_parks_nobody():
    with World() as w:
        a, b = _mesh(w, "a", "b")
        a.put("gone", 1)
        same([a, b])
        b.stop()
        a.do("del", "default", "gone")
        time.sleep(2.5)  # more than twice the retention
        equal((_parked(a), a.space()["deleted"]), (set(), 1))
        a.do("remove", "b")
        _collected(a)


def an_old_copy_of_the_folder_does_not_bring_it_back():
    with World() as w:
        a, b, c = _mesh(w, "a", "b", "c")
        connections([a, b, c])
        a.put("gone", {"level": 1})
        a.put("live", 1)
        same([a, b, c])
        c.stop()
        shutil.copytree(c.dir, w.path("copy"))
        c.start()
        connections([a, b, c])
        c.put("later", 1)
        a.do("del", "default", "gone")
        b.put("live", 2)
        _collected(a, b, c)
        same([a, b, c])
        c.stop()
        shutil.rmtree(c.dir)
        shutil.copytree(w.path("copy"), c.dir)
        c.start()
        connections([a, b, c])
        c.waits_for("gone", None)
        c.waits_for("live", 2)
        c.waits_for("later", 1)
        same([a, b, c])
        holds(_log(c), SENDS)
        for n in (a, b, c):
            equal(n.get("gone"), None, "gone on %s" % n.name)
            equal(_rescue(n), [], "nobody had edited it")
        wait_for("verify agrees", a.agrees)


def _log(n):
    with open(n.log, encoding="utf-8", errors="replace") as log:
        return log.read()


def _kill_amid_bootstraps(c, tries):
    """Returns how many were cut off: each later than the one before. Stops
    once one is complete."""
    cut = 0
    for step in range(tries):
        begun, done = _log(c).count(SENDS), _log(c).count(COMPLETE)
        c.launch()
        wait_for("c is sent the whole state",
                 lambda n=begun: _log(c).count(SENDS) > n, pause=0.001)
        time.sleep(0.004 * step)  # how far it comes, not a wait
        c.kill()
        if _log(c).count(COMPLETE) > done:
            break
        cut += 1
    return cut


def a_bootstrap_is_killed_many_times():
    count, edits = 6000, 200
    with World() as w:
        a, b, c = _mesh(w, "a", "b", "c")
        connections([a, b, c])
        a.do("import", "default", stdin=records(0, count))
        same([a, b, c])
        c.stop()
        a.call("batch", ops=[{"key": "key%06d" % i, "delete": True}
                             for i in range(edits)])
        _collected(a, b)
        _stop(a, b)
        c.start()
        c.call("batch", ops=[{"key": "key%06d" % i, "value": {"mine": i}}
                             for i in range(edits)] +
               [{"key": "new%06d" % i, "value": i} for i in range(edits)])
        c.kill()
        _start(a, b)
        cut = _kill_amid_bootstraps(c, 12)
        note("%d bootstraps were cut off by kill -9" % cut)
        check(cut > 0, "none was cut off")
        c.start()
        connections([a, b, c], 2 * PATIENCE)
        for n in (a, b, c):
            wait_for("%s lists all that came back" % n.name,
                     lambda n=n: len(_rescue(n)) == edits)
            equal({k: v.get("/mine") for k, v in _items(n).items()},
                  {"key%06d" % i: i for i in range(edits)})
            wait_for("%s has the rest" % n.name,
                     lambda n=n: n.space()["items"] == count)
        same([a, b, c])
        for i in range(edits):
            equal(c.get("key%06d" % i), None, "what was deleted")
            equal(b.get("new%06d" % i), i, "what was made")
        equal(json.loads(b.do("rescue", "--apply", "--all", "--json")),
              {"items": edits, "values": edits})
        for n in (a, b, c):
            n.waits_for("key000007", {"mine": 7})
        same([a, b, c])
        wait_for("nothing waits", lambda: not any(map(_rescue, (a, b, c))))
        wait_for("verify agrees", a.agrees)


if __name__ == "__main__":
    sys.exit(main(globals(), beside=[
        a_bootstrap_is_killed_many_times]))
