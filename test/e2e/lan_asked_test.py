#!/usr/bin/python3
"""What a LAN-sync node of either generation asks, and what we ask it: since
nothing, since a point, since a time; in parts, until there is no more."""

import sys

from lan_node import stamp
from lansync_test import Older, Scene, _shown
from node import main, wait_for
from tap import check, equal, holds

DIALECTS = ("v1", "v2")
PATIENCE = 60


def _ask(old, **payload):
    answer = old.do("ask", kind="SYNC_REQUEST", payload=payload)
    equal(answer["message_type"], "SYNC_RESPONSE", "the answer")
    said = answer["payload"]
    equal((said["status"], said["data"]), (
        "success", {"items": len(said["items"])}), "how it went")
    return said


def _all(old, **payload):
    """All parts of the answer, and the point behind them."""
    items, more, parts = {}, True, []
    while more:
        said = _ask(old, **payload)
        for item in said["items"]:
            check(item["item_id"] not in items, "twice: %s" % item)
            items[item["item_id"]] = item
        parts.append(len(said["items"]))
        payload["since"], more = said["next"], said["more"]
    return items, payload["since"], parts


def what_it_asks_is_answered():
    for dialect in DIALECTS:
        with Scene() as s:
            node = s.nodes["a"]
            for i in range(230):
                node.call("put", space="lan", key="k-%03d" % i,
                          value={"n": i})
            between = stamp()
            node.put("later", 7, "lan")
            # What it says once more, or answers us, it is not told again.
            old = s.old("old", dialect, pushes=False, answers=False)
            check(old.do("connect", port=s.port())["success"], "in")
            items, point, parts = _all(old)
            equal((len(items), max(parts)), (231, 100), "all, in batches")
            equal([items["k-007"][name] for name in (
                "item_type", "action", "data", "version")],
                ["document", "create", {"n": 7}, 1], "an item")
            equal(items["later"]["data"], {"value": 7}, "what is no object")
            equal(_all(old, limit=7)[2][:-1], [7] * 33, "so many at a time")
            equal(_all(old, since="no point of ours")[0], items, "from where")
            equal(list(_all(old, since=between)[0]), ["later"], "a time")
            equal(_all(old, since=stamp(4e9))[0], {}, "none yet")
            # A point brings what is new since, deletions too; a time does not.
            node.put("k-001", {"n": "new"}, "lan")
            node.do("del", "lan", "k-002")
            news = _all(old, since=point)[0]
            equal({key: (item["action"], item["version"])
                   for key, item in news.items()},
                  {"k-001": ("update", 2), "k-002": ("delete", 2)}, "news")
            equal(sorted(_all(old, since=between)[0]), ["k-001", "later"],
                  "a time")
            # What it has said itself is none.
            old.do("put", key="its own", data={"n": 1})
            node.waits_for("its own", {"n": 1}, "lan")
            equal(list(_all(old, since=point)[0]), list(news), "its own")
            # Points are good over a stop of ours.
            node.stop()
            node.start()
            old.do("connect", port=s.port())
            equal({key: item["version"] for key, item in _all(
                old, since=point)[0].items()},
                {"k-001": 2, "k-002": 2, "its own": 1}, "afterwards")
            equal(old.do("heard")["flaws"], [], "what did not count")


def whoever_asks_the_same_is_told_what_is_there():
    """What was answered is kept no longer than it is so: who asks after a
    write was acknowledged is told of it."""
    with Scene("a", "b") as s:
        a, b = s.nodes["a"], s.nodes["b"]
        b.joins(a)
        older = [s.old(dialect, dialect, pushes=False, answers=False)
                 for dialect in DIALECTS]
        for old in older:
            check(old.do("connect", port=s.port())["success"], "in")

        def data():
            told = [_all(old)[0] for old in older for _ in range(2)]
            equal(told[1:], told[:1] * 3, "what each is told")
            return {key: item["data"] for key, item in told[0].items()}

        equal(data(), {}, "nothing yet")
        for n in range(10):
            a.put("k", {"n": n}, "lan")
            equal(data(), {"k": {"n": n}}, "after a write")
            a.do("del", "lan", "k")
            equal(data(), {}, "after a deletion")
            b.put("from b", {"n": n}, "lan")
            a.waits_for("from b", {"n": n}, "lan")
            equal(data(), {"from b": {"n": n}}, "after a member's write")
            b.do("del", "lan", "from b")
            wait_for("it is gone here",
                     lambda: "from b" not in _shown(a), PATIENCE)
            equal(data(), {}, "after a member's deletion")


def what_we_ask_we_ask_once():
    """In parts; when it comes again, behind what it has answered."""
    for dialect in DIALECTS:
        with Scene() as s:
            node = s.nodes["a"]
            old = s.old("old", dialect, pushes=False)
            for i in range(230):
                old.do("put", key="k-%03d" % i, data={"n": i})
            check(old.do("connect", port=s.port())["success"], "in")
            # Then it is known, too, how far we have asked.
            wait_for("all is here", lambda: node.call("lansync")["items"][
                "taken"] == 230, PATIENCE)

            def asked():
                return old.do("heard")["sinces"]

            equal(asked(), [None, "100", "200"], "what we ask")
            old.do("cut")
            wait_for("it has left", lambda: not node.call("lansync")[
                "connections"], PATIENCE)
            old.do("put", key="later", data={"n": 1})
            old.do("connect", port=s.port())
            node.waits_for("later", {"n": 1}, "lan", PATIENCE)
            equal(asked(), [None, "100", "200", "230"], "what we ask")
            equal(max(old.do("heard")["sizes"], default=0), 0, "an echo")


def one_that_answers_nothing_is_told_all_the_same():
    """Servers and clients of the first generation do not answer; what they say
    and are told goes on meanwhile."""
    for dialect in DIALECTS:
        with Scene() as s:
            node = s.nodes["a"]
            old = s.old("old", dialect, answers=False)
            check(old.do("connect", port=s.port())["success"], "in")
            node.put("here", {"n": 1}, "lan")
            old.do("put", key="there", data={"n": 2})
            node.waits_for("there", {"n": 2}, "lan")
            old.shows({"here": {"n": 1}, "there": {"n": 2}}, PATIENCE)
            equal(old.do("heard")["sinces"], [None], "what we ask")


def servers_as_they_ship_are_heard():
    """Without what an application adds they acknowledge nothing, or say that
    they have failed, whatever they are told: they are told no more. What they
    say is taken all the same."""
    for dialect, says in (("v1", "a node that has not said its name: it takes "
                           "no items: it answers nothing"),
                          ("v2", "old: it takes no items: it refuses them")):
        old = Older("old", dialect, ships="bare")
        port = old.do("serve")
        with Scene(flags=("--lansync.auth_timeout", "1s", "--lansync.timeout",
                          "1s", "--lansync.peers", "127.0.0.1:%d" %
                          port)) as s:
            s.older.append(old)
            node = s.nodes["a"]
            wait_for("it is called", lambda: old.do("links") == 1, PATIENCE)
            node.put("here", {"n": 1}, "lan")

            def is_told_no_more():
                with open(node.log) as log:
                    return says in log.read()

            wait_for(says, is_told_no_more, PATIENCE)
            holds(node.call("lansync")["connections"][0]["trouble"],
                  "it takes no items: " + says.rsplit(": ", 1)[1])
            holds(node.do("doctor"), "is connected, but: it takes no items")
            equal(old.do("heard")["heard"].count("SYNC_DATA"), 3, "how often")
            old.do("put", key="there", data={"n": 2})
            node.waits_for("there", {"n": 2}, "lan", PATIENCE)
            equal((old.do("links"), old.do("heard")["flaws"]), (1, []),
                  "it goes on")


def a_server_that_does_not_say_who_it_is_at_once():
    """One of the first generation that lets all in says nothing to who asks it
    to: it is known by what it says later, and is told what was deleted while
    it was away."""
    old = Older("old", "v1", ships="open", pushes=False)
    port = old.do("serve")
    with Scene(flags=("--lansync.auth_timeout", "1s", "--lansync.peers",
                      "127.0.0.1:%d" % port)) as s:
        s.older.append(old)
        node = s.nodes["a"]
        for key in ("k", "other"):
            node.put(key, {"n": 1}, "lan")
        old.shows({"k": {"n": 1}, "other": {"n": 1}}, PATIENCE)
        wait_for("it is known", lambda: [c["node_id"] for c in node.call(
            "lansync")["connections"]] == ["old"], PATIENCE)
        node.put("other", {"n": 2}, "lan")
        old.shows({"k": {"n": 1}, "other": {"n": 2}}, PATIENCE)
        node.stop()
        old.do("leave_after", items=0)  # it is called, and closes
        node.start()
        wait_for("it has left", lambda: old.do("links") == 0, PATIENCE)
        node.do("del", "lan", "k")
        old.shows({"other": {"n": 2}}, PATIENCE)
        equal(old.do("heard")["flaws"], [], "what did not count")


def _doctor(node):
    return {c["name"]: c["text"] for c in node.call("doctor")["checks"]}


def what_no_space_can_hold_is_refused():
    """Nothing is acknowledged that is not on the disk; once the space is made
    again, it is taken."""
    for dialect in DIALECTS:
        with Scene() as s:
            node = s.nodes["a"]
            old = s.old("old", dialect, pushes=False, answers=False)
            check(old.do("connect", port=s.port())["success"], "in")

            def pushes(key, version, action="update"):
                item = {"item_id": key, "item_type": "document",
                        "action": action, "data": {"n": version},
                        "created_at": stamp(), "node_id": "old",
                        "version": version}
                said = old.do("ask", kind="SYNC_DATA", payload={
                    "data_id": "%s-%d" % (key, version), "items": [item]})
                equal(said["message_type"], "SYNC_ACK", "the answer")
                return said["payload"]

            equal(pushes("k", 1)["items"], 1, "taken")
            node.do("space", "rm", "lan", "--yes")
            for action in ("update", "delete"):
                said = pushes("k", 2, action)
                equal((said["items"], said["refused"]), (0, 1), action)
                holds(said["error"], "k: lan: no such space")
            said = old.do("ask", kind="SYNC_REQUEST", payload={})["payload"]
            equal(said["status"], "error", "what is there")
            log = open(node.log).read()
            holds(log, "old: an item is not taken: k: lan: ")
            equal(log.count("the space lan cannot be watched"), 1, "in the log")
            holds(_doctor(node)["lansync-space"],
                  "the space lan is not there (lansync.space)")
            node.do("space", "add", "lan")
            check("lansync-space" not in _doctor(node), "it is there")
            equal(pushes("k", 3)["items"], 1, "taken again")
            equal(_shown(node), {"k": {"n": 3}}, "what is there")
            said = pushes("none", 1, "delete")
            check((said["items"], "refused" in said) == (1, False),
                  "what is not there is deleted: %s" % said)


if __name__ == "__main__":
    sys.exit(main(globals(), beside=[
        servers_as_they_ship_are_heard,
        a_server_that_does_not_say_who_it_is_at_once], at_once=2))
