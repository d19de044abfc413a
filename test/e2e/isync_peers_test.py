#!/usr/bin/python3
"""Whom Syncline calls of iSync nodes, by what is known of them; and options that
hold at once."""

import json
import os
import sys
import urllib.error
import urllib.request

from isync_scene import Lists, Scene
from isync_scene import wait_for
from node import main
from tap import check, equal, holds

DEAD = "http://127.0.0.1:9"


def _row(node, url):
    return next((p for p in node.call("isync")["peers"] if p["url"] == url),
                None)


def a_call_in_vain_counts_at_once():
    with Scene(flags=("--isync.peers", DEAD)) as s:
        node = s.nodes["a"]
        row = wait_for("it is told of", lambda: [
            r for r in [_row(node, DEAD)] if r and r["trouble"]])[0]
        check(row["failures"] > 0.9, row)
        wait_for("so is the next one", lambda: _row(node, DEAD)[
            "failures"] > 1.9)


def who_breaks_rules_or_fails_comes_last():
    """Of those that people have named, where one may be called at a time."""
    with Scene(flags=("--isync.max_peers", "1")) as s:
        node = s.nodes["a"]
        olds = [s.old("first"), s.old("second")]
        urls = ["http://127.0.0.1:%d" % o.do("serve") for o in olds]
        for url in [DEAD] + urls:
            node.do("isync", "connect", url)
        wait_for("the first that can be reached", lambda: olds[0].do("links"))
        equal(olds[1].do("links"), [], "one at a time")
        quick = _row(node, urls[0])
        check(0 < quick["latency_us"] < 60e6, "how long its own call took")
        for packet in (3, [], {"source_node": 7}):
            olds[0].do("say", packet=packet)
        bad = wait_for("it is noted", lambda: [
            r for r in [_row(node, urls[0])] if r["violations"] > 2.5])[0]
        equal(bad["state"], "connected", "who is connected stays")
        whole = json.loads(node.do("peers", "--json"))
        equal(whole["peers"], [], "members beside them")
        equal([(r["address"], r["state"]) for r in whole["older"] if
               r["node_id"]], [(urls[0], "connected")], "who is there")
        told = json.loads(node.do("isync", "--json"))
        row = next(p for p in told["peers"] if p["url"] == urls[0])
        equal(sorted(row), ["failures", "from", "latency_us", "node_id",
                            "state", "trouble", "url", "violations"],
              "its members")
        check(row["violations"] > 2.5, "for programs")
        equal([k["url"] for k in told["links"]], [urls[0]], "connections")
        text = next(r for r in node.do("peers").split("\n") if urls[0] in r)
        check(float(text.split()[4]) > 2.5, text)
        # It is cut: the other one has done nothing wrong.
        olds[0].do("cut")
        wait_for("the other", lambda: olds[1].do("links"), 60)
        node.stop()
        node.start()
        wait_for("it is known still", lambda: olds[1].do("links"), 60)
        check(_row(node, urls[0])["violations"] > 2.4, "over a restart")


def _file(node, text):
    os.makedirs(node.dir, mode=0o700, exist_ok=True)
    with open(os.path.join(node.dir, "syncline.yaml"), "w") as file:
        file.write(text)


def _page(url, **fields):
    try:
        return urllib.request.urlopen(urllib.request.Request(
            url, headers=fields), timeout=10).status
    except urllib.error.HTTPError as why:
        return why.code


def options_hold_at_once():
    """By a change that is asked for, and by the file and SIGHUP."""
    s = Scene()
    s.flags = ["--isync.enabled", "true", "--isync.port", "0",
               "--isync.dial_max", "1s"]
    s.names = ()
    with s:
        node = s.node("a")
        _file(node, "isync:\n  interval: 86400\n")
        node.start()
        node.put("_id", {"a": 1}, "config")
        old = s.old("old", eager=False)
        old.do("dial", url=s.url())
        old.shows(a=1)
        old.do("heard")
        equal(old.do("heard"), [], "it is said once a day")
        node.call("config_set", value={"isync.interval": "1"})
        said = wait_for("it is said again and again", lambda: (
            lambda heard: len(heard) > 0 and heard)(old.do("heard")))
        check(not said[-1]["clear"], "sealed")
        changed = node.call("config_set", value={"isync.clear": "true"})
        equal(changed["restart"], False, "it needs none")
        wait_for("readable, too", lambda: any(
            h["clear"] for h in old.do("heard")))
        # Whom it calls.
        there = s.old("there")
        url = "http://127.0.0.1:%d" % there.do("serve")
        _file(node, "isync:\n  interval: 1\n  peers: [\"%s\"]\n" % url)
        node.process.send_signal(1)
        wait_for("it is called", lambda: there.do("links"))
        equal(_row(node, url)["from"], "options", "by whom it is named")
        node.call("config_set", value={"isync.peers": None})
        wait_for("it is called no more", lambda: not there.do("links") and
                 _row(node, url) is None)
        lists = Lists(s.stack)
        lists.pages["/peers.json"] = (200, {}, json.dumps(
            [{"name": "n", "url": url}]).encode())
        node.call("config_set", value={"isync.discovery_url": lists.url()})
        wait_for("the list says so", lambda: there.do("links"))
        equal(_row(node, url)["from"], "list", "by whom it is named")
        node.call("config_set", value={"isync.auto_discover": "false"})
        wait_for("it is not asked", lambda: not there.do("links"))
        equal(node.call("isync")["discovery"]["url"], None, "none is")
        # Who may ask.
        equal(_page(s.url() + "/peers", Host="older.test"), 400, "whose name")
        node.call("config_set", value={"isync.hosts": ["older.test"]})
        equal(_page(s.url() + "/peers", Host="older.test"), 200, "ours")
        # The older pages.
        equal(_page(s.url() + "/peers"), 200, "this machine looks")
        node.call("config_set", value={"isync.pages": "none"})
        equal(_page(s.url() + "/peers"), 404, "nobody does")
        live = {o["name"] for o in node.call("config")["options"]
                if o["takes_effect"] == "at once"}
        for name in ("interval", "max_peers", "clear", "rotate", "overlap",
                     "peers", "auto_discover", "discovery_url", "pages", "admit",
                     "hosts", "dial_max"):
            check("isync." + name in live, name)
        node.stop()
        node.start()
        told = node.do("config", "get", "isync.interval").strip()
        equal(told, "1", "it is kept")
        holds(node.do("config", "get", "isync.pages"), "none")


if __name__ == "__main__":
    sys.exit(main(globals()))
