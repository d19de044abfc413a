#!/usr/bin/python3
"""What people are told of LAN-sync nodes with which something is wrong."""

import json
import os
import signal
import sys

from lan import Lan
from lansync_test import Older, Scene
from node import World, main, wait_for
from tap import check, equal, holds


def _found(node, name):
    return [c for c in node.call("doctor")["checks"] if c["name"] == name]


def _refused(node):
    """Who is not served, and why, as the node tells it."""
    return {r["node_id"]: r["trouble"]
            for r in node.call("lansync")["refused"]}


OLDER = ["address", "called", "heard", "name", "node_id", "speaks", "state",
         "system", "trouble"]


def _older(node):
    return json.loads(node.do("peers", "--json"))["older"]


def programs_are_told_of_all_systems_alike():
    """Whether a node is called or calls, is there or is not."""
    with Scene(flags=("--lansync.peers", "127.0.0.1:9", "--isync.enabled",
                      "true", "--isync.port", "0", "--isync.peers",
                      "http://127.0.0.1:9", "--configsync.peers",
                      "ws://127.0.0.1:9/sync")) as s:
        node, old = s.nodes["a"], s.old("old", "v1")
        check(old.do("connect", port=s.port())["success"], "in")
        rows = wait_for("all four, and why three are not there", lambda: [
            r for r in [_older(node)] if len(r) == 4 and
            sum(bool(n["trouble"]) for n in r) == 3])[0]
        equal([sorted(r) for r in rows], [OLDER] * 4, "members of each")
        said = {(r["system"], r["node_id"]): r for r in rows}
        here = said["lansync", "old"]
        equal([here[k] for k in ("name", "called", "state", "speaks",
                                 "trouble")],
              ["old", False, "connected", "v1", None], "who is connected")
        check(here["heard"] > 1.7e15 and here["address"].startswith(
            "127.0.0.1:"), here)
        for system, at in (("isync", "http://127.0.0.1:9"),
                           ("lansync", "127.0.0.1:9"),
                           ("configsync", "ws://127.0.0.1:9/sync")):
            away = said[system, None]
            equal([away[k] for k in ("address", "called", "state", "heard")],
                  [at, True, "waiting", None], system)
            holds(away["trouble"].lower(), "refused")
        text = node.do("peers")
        holds(text, "iSync nodes:\n", "LAN-sync nodes:\n",
              "config-sync instances:\n", "ws://127.0.0.1:9/sync  waiting")
        node.stop()
        node.flags = []
        node.start()
        equal(_older(node), [], "where none is spoken with")


def people_are_told_who_has_written_in_the_older_system():
    """And not only by way of whom it has come; of what is ours, as ever."""
    with Scene() as s:
        node, old = s.nodes["a"], s.old("kitchen", "v2")
        node.put("k", {"n": 1}, "lan")
        old.do("put", key="k", data={"n": 2})  # neither had seen the other
        check(old.do("connect", port=s.port())["success"], "in")
        wait_for("both are told", lambda: len(node.call(
            "conflicts", space="lan")["conflicts"]) == 1)
        told = node.do("conflicts")
        holds(told, "by kitchen (by way of a), ", "by a, ")
        old.do("put", key="p", data={"n": 3})
        node.waits_for("p", {"n": 3}, "lan")
        old.do("del", key="p")
        wait_for("it is gone", lambda: node.get("p", "lan") is None)
        rows = node.do("history", "lan", "p").split("\n")[1:3]
        for row, what in zip(rows, ("put", "delete")):
            holds(row, what, "kitchen (by way of a)")
        holds(node.do("restore", "lan", "--deleted", "--dry-run", "--by",
                      "kitchen"), "p  by kitchen (by way of a)")


def a_damaged_list_of_nodes_is_kept_aside():
    """And told of; the nodes are told everything once more."""
    for text, says in (('{"nodes":{"old":{"acked":"', "at line 1"),
                       ("[]", "no list of nodes")):
        with Scene() as s:
            node, old = s.nodes["a"], s.old("old", "v1")
            node.put("k", {"n": 1}, "lan")
            old.do("connect", port=s.port())
            old.shows({"k": {"n": 1}})
            old.do("cut")
            node.stop()
            path = os.path.join(node.dir, "lansync.json")
            holds(open(path).read(), '"old"')
            with open(path, "w") as file:
                file.write(text)
            node.start()
            holds(open(node.log).read(), "%s is damaged (" % path, says,
                  "kept as %s.damaged" % path)
            equal(open(path + ".damaged").read(), text, "what is kept")
            told = len(old.do("heard")["sizes"])
            check(old.do("connect", port=s.port())["success"], "in")
            wait_for("it is told once more", lambda: len(
                old.do("heard")["sizes"]) > told)
            node.stop()
            holds(open(path).read(), '"old"')


def who_is_not_served_is_told_of():
    """By status, peers, the doctor and the log; until he is."""
    with Scene() as s:
        node = s.nodes["a"]
        wrong = s.old("wrong", "v1", secret="another-secret-123")
        wrong.do("connect", port=s.port(), asks=False)
        wrong.do("say", kind="AUTH_REQUEST", payload={"token": "another"})
        late = s.old("late", "v1")
        late.do("connect", port=s.port())
        late.do("say", kind="SYNC_REQUEST", payload={}, at="2020-01-01T00:00:00")
        wrong.do("cut")
        told = wait_for("both are told of", lambda: len(_refused(node)) == 2
                        and _refused(node))
        holds(told["wrong"], "the secret that we have")
        holds(told["late"], "too old for lansync.ttl", "Message expired")
        holds(node.do("status"), "127.0.0.1 is not served: what it says is too")
        row, = [r for r in node.do("peers").split("\n") if "wrong" in r]
        equal(row.split()[:4], ["wrong", "from", "127.0.0.1", "refused"], row)
        rows = {r["node_id"]: r for r in _older(node)}
        equal(sorted(rows["wrong"]), OLDER, "what a program is told of each")
        equal([rows[n][k] for n in ("late", "wrong") for k in (
            "system", "address", "called", "state")],
              ["lansync", "127.0.0.1", False, "refused"] * 2, "by --json")
        check(rows["wrong"]["heard"] > 1.7e15, rows["wrong"])
        holds(rows["wrong"]["trouble"], "the secret that we have")
        found = _found(node, "lansync-refused")
        holds(" ".join(f["text"] for f in found),
              "LAN-sync node wrong (127.0.0.1) is not served: ")
        holds(open(node.log).read(), "late at 127.0.0.1 is not served: ")
        again = s.old("late", "v1")
        check(again.do("connect", port=s.port())["success"], "in")
        again.do("put", key="k", data={"n": 1})
        node.waits_for("k", {"n": 1}, "lan")
        equal(list(_refused(node)), ["wrong"], "who is served is not")


def who_pays_for_others_at_its_address_is_told_of():
    """Not that its secret is wrong: it is not looked at."""
    with Scene() as s:
        for _ in range(5):
            s.old("wrong", "v1").do(
                "connect", port=s.port(), token="guessed")
            s.older.pop().close()
        s.old("right", "v2").do("connect", port=s.port())
        s.older.pop().close()
        told = wait_for("both are", lambda: len(_refused(
            s.nodes["a"])) == 2 and _refused(s.nodes["a"]))
        holds(told["wrong"], "it does not say the secret that we have")
        holds(told["right"], "its address has failed five times")


def two_machines_of_one_name_are_told_of():
    """The second is never served: else nobody knows why."""
    with Lan("a", "b", "c") as lan, World() as world:
        node = world.node("a", "--lansync.enabled", "true", "--lansync.port",
                          "5077", prefix=lan.inside("a"),
                          listen=lan.listen("a"))
        Scene().secret(node)
        node.start()
        olds = []
        try:
            for name in "bc":
                olds.append(Older("same", "v1", prefix=lan.inside(name)))
                olds[-1].do("connect", port=5077, host=lan.address("a"))
            told = wait_for("it is told of", lambda: _refused(node))
            holds(told["same"], "of the same node_id is connected from " +
                  lan.address("b"))
        finally:
            for old in olds:
                old.close()


def a_named_node_has_the_older_port():
    with World() as world:
        node = world.node("a", "--lansync.peers", "127.0.0.1,[::1]")
        os.makedirs(node.dir, mode=0o700)
        node.start()
        holds(node.do("config", "get", "lansync.peers"), "127.0.0.1:5000",
              "[::1]:5000")


def an_address_that_is_connected_is_not_away():
    """Another program has taken the place of the one that was named there."""
    old = Older("old", "v1")
    port = old.do("serve")
    with Scene(flags=("--lansync.peers", "127.0.0.1:%d,127.0.0.1:%d" % (
            port, port))) as s:
        node = s.nodes["a"]

        def states():
            return {p["state"] for p in node.call("lansync")["peers"]}

        wait_for("both are", lambda: states() == {"connected"})
        old.close()
        s.older.append(Older("new", "v1"))
        s.older[0].do("serve", port=port)
        seen = wait_for("one is here", lambda: s.older[0].do("links") == 1 and
                        "connected" in states() and states())
        equal(seen, {"connected"}, "both, at once")
        equal(_found(node, "lansync-peer"), [], "nobody is away")


def the_doctor_says_what_to_do():
    """Of a wrong secret, or of TLS, it is not that the other might be down."""
    old = Older("old", "v1", secret="another-secret-123")
    try:
        with Scene(flags=("--lansync.peers", "127.0.0.1:%d" %
                          old.do("serve"))) as s:
            found, = wait_for("it is found", lambda: _found(
                s.nodes["a"], "lansync-peer"))
            holds(found["text"] + found.get("advice", ""),
                  "do both have the same secret (lansync.secret_file)?")
    finally:
        old.close()
    old = Older("old", "v2")
    try:
        with Scene(flags=("--lansync.peers", "127.0.0.1:%d" %
                          old.do("serve", rude=True))) as s:
            found, = wait_for("it is found", lambda: [
                f for f in _found(s.nodes["a"], "lansync-peer")
                if "without a word" in f["text"]])
            holds(found["text"], "it is up: is TLS there as it is here")
    finally:
        old.close()


def a_secret_that_waits_for_a_restart_is_told():
    """Whoever has put it right looks for it in vain until then."""
    old = Older("old", "v1", secret="another-secret-123")
    try:
        with Scene(flags=("--lansync.peers", "127.0.0.1:%d" %
                          old.do("serve"))) as s:
            node = s.nodes["a"]

            def reloads(says):
                node.process.send_signal(signal.SIGHUP)
                wait_for(says, lambda: says in open(node.log).read())

            reloads("configuration read again, and all of it is in force")
            s.secret(node, "another-secret-123")
            reloads("lansync.secret holds another secret than at the start")
            s.secret(node, "another-secret-123", mode=0o644)
            reloads("others may read this secret of LAN sync")
            s.secret(node, "another-secret-123")
            equal(open(node.log).read().count("all of it is in force"), 1,
                  "what was in force")
            node.stop()
            node.start()
            wait_for("it is reached", lambda: node.call(
                "lansync")["peers"][0]["state"] == "connected")
    finally:
        old.close()


def an_answer_that_says_neither_yes_nor_no_is_told():
    """And not an empty reason."""
    old = Older("old", "v1", lets_in_by={"status": "success"})
    try:
        with Scene(flags=("--lansync.peers", "127.0.0.1:%d" %
                          old.do("serve"))) as s:
            node = s.nodes["a"]
            why = wait_for("it says why", lambda: node.call(
                "lansync")["peers"][0]["trouble"])
            holds(why, "it does not let us in: its AUTH_RESPONSE says no")
    finally:
        old.close()


if __name__ == "__main__":
    sys.exit(main(globals()))
