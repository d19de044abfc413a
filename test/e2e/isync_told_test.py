#!/usr/bin/python3
"""What a person is told of iSync nodes, and what he does about it: another
token, a name that two have, a list that cannot be had, whom to call no more."""

import os
import subprocess
import sys

from isync_scene import TOKEN, Lists, Scene, shows
from node import PROGRAM, main, wait_for
from tap import check, equal, holds


def _checks(node):
    return {c["name"]: c for c in node.call("doctor")["checks"]}


def _take(folder, token, *flags):
    return subprocess.run(
        [PROGRAM, "isync", "key", "--take", "--dir", folder, *flags],
        input=token, capture_output=True, text=True, timeout=60)


def who_has_another_token_is_told_of():
    with Scene(token="wrong") as s:
        node, old = s.nodes["a"], s.old("old", kind="sealed")
        old.do("dial", url=s.url())
        old.put(a=1)
        wait_for("it is known", lambda: node.call("isync")["links"][0]["unread"])
        holds(node.tail(), "what old says cannot be read")
        holds(node.do("isync"), "another token", "sealed by the token",
              "of 1 node\n  old")
        holds(_checks(node)["isync-token"]["text"], "old has another token",
              "isync key --take --force")
        check(_take(node.dir, TOKEN + "\n").returncode == 1, "without --force")
        equal(_take(node.dir, TOKEN + "\n", "--force").returncode, 0, "taken")
        shows(node, a=1)
        old.put(b=2)
        shows(node, a=1, b=2)
        wait_for("it is over", lambda: not node.call("isync")["links"][0][
            "unread"])
        check("isync-token" not in _checks(node), "it is told no more")
        equal(node.call("isync")["unread_of"], [], "nothing is unread")
        check(node.call("isync")["links"][0]["heard"] > 0, "when it was heard")


def figures_are_told_to_prometheus():
    with Scene() as s:
        node, old = s.nodes["a"], s.old("old")
        old.do("dial", url=s.url())
        old.put(a=1)
        shows(node, a=1)

        def told():
            lines = node.do("metrics").splitlines()
            return dict(line.rsplit(" ", 1) for line in lines
                        if line.startswith("syncline_isync"))

        found = told()
        equal((found["syncline_isync_connected"],
               found["syncline_isync_registers"]), ("1", "1"), "how many")
        check(float(found["syncline_isync_last_sync_timestamp_seconds"]) > 1e9, "when")
        check(int(found['syncline_isync_packets_total{what="merged"}']) > 0,
              "packets")
        equal(found["syncline_isync_unread_nodes"], "0", "all can be read")
        holds(node.do("metrics", "--openmetrics"),
              "# TYPE syncline_isync_packets counter", "# EOF")
        equal(s.world.node("b").start().do("metrics").count("isync"), 0,
              "where none are spoken with")


def a_token_comes_before_the_daemon():
    with Scene() as s:
        folder = s.world.path("new")
        equal(_take(folder, "").returncode, 1, "no token")
        result = _take(folder, "first\n")
        equal((result.returncode, result.stdout), (0, ""), "it is kept")
        check("first" not in result.stderr, "and not shown")
        equal(_take(folder, "first").returncode, 0, "the same is no news")
        path = os.path.join(folder, "isync.token")
        with open(path) as file:
            equal(file.read(), "first\n", "the file")
        equal([os.stat(p).st_mode & 0o777 for p in (folder, path)],
              [0o700, 0o600], "nobody else reads it")


def two_that_have_one_name_are_told_of():
    """They do not call each other over and over."""
    with Scene(flags=("--isync.node_id", "same")) as s:
        a = s.nodes["a"]
        b = s.node("b", "--isync.peers", s.url("a")).start()

        def peer():
            return b.call("isync")["peers"][0]

        wait_for("it is known", lambda: peer()["state"] == "ourselves")
        for i in range(20):
            a.put("_id", {"a": i}, "config")
            b.put("_id", {"a": i}, "config")
        check(peer()["failures"] < 2, peer())
        holds(peer()["trouble"], "isync.node_id")
        with open(b.log) as file:
            equal(file.read().count("it is ourselves"), 1, "it is said once")
        holds(_checks(b)["isync-peer"]["text"], "isync.node_id")


def a_list_that_cannot_be_had_is_told_of():
    """Another one is asked at once, without a restart."""
    with Scene() as s:
        lists = Lists(s.stack)
        lists.pages["/peers.json"] = (200, {}, (
            '[{"name": "one", "url": "%s"}]' % s.url()).encode())
        node = s.world.node("b", "--isync.enabled", "true", "--isync.port",
                            "0").start()
        node.do("config", "set", "isync.discovery_url", lists.url("/none"))
        wait_for("it is tried", lambda: node.call("isync")["discovery"][
            "trouble"])
        holds(node.do("isync"), "list of nodes at", "/none: ",
              "no node is connected")
        holds(_checks(node)["isync-list"]["text"], "cannot be had")
        node.do("config", "set", "isync.discovery_url", lists.url())
        wait_for("it is called", lambda: node.call("isync")["connected"])
        check("isync-list" not in _checks(node), "it is told no more")
        holds(node.do("isync"), "/peers.json: 1\n")
        node.do("config", "set", "isync.auto_discover", "false")
        equal(node.call("isync")["discovery"]["url"], None, "no list")


def who_is_called_no_more():
    with Scene("a", "b") as s:
        a, b = s.nodes["a"], s.nodes["b"]
        url = s.url("b")
        a.refuses("isync", "disconnect", url, says="no node was saved")
        a.do("isync", "connect", url)
        wait_for("they are connected", lambda: a.call("isync")["connected"])
        a.do("isync", "disconnect", url)
        equal((a.call("isync")["connected"], a.call("isync")["peers"]),
              (0, []), "nobody is called")
        wait_for("it is heard", lambda: not b.call("isync")["connected"])
        a.stop()
        a.start()
        equal(a.call("isync")["peers"], [], "nor after a restart")
        a.do("isync", "connect", url)
        wait_for("again", lambda: a.call("isync")["connected"])
        a.do("isync", "pause")
        equal(a.call("isync")["peers"][0]["failures"], 0, "no failure")
        a.do("isync", "resume")
        wait_for("at once", lambda: a.call("isync")["connected"], 4)
        c = s.node("c", "--isync.peers", url).start()
        c.refuses("isync", "disconnect", url, says="isync.peers names it")


if __name__ == "__main__":
    sys.exit(main(globals()))
