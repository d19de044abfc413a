#!/usr/bin/python3
"""`syncline up --profile`: what each of them changes, on a running daemon."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time

import instance
from node import PROGRAM, Refused, World, main, surroundings, wait_for
from tap import Skip, check, equal, holds

NONE = ["--discovery", "false"]


def _start(world, profile, *flags, listen=None, env=None):
    """By the profile alone, as far as several can run here: in a folder and on
    a port of its own."""
    node = world.node(profile, "--profile", profile, *flags)
    node.quick, node.listen = [], listen
    return node.start(env=env)


def _options(node):
    return {o["name"]: o for o in node.call("config")["options"]}


def _of_profile(node, profile):
    return {name: o["value"] for name, o in _options(node).items()
            if o["source"] == "profile " + profile}


def _asked_often(node, most):
    """How many requests of this machine pass; what is said to the next."""
    port = node.call("configsync")["server_port"]
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for n in range(most):
        conn.request("GET", "/sync")
        answer = conn.getresponse()
        body = answer.read()
        if answer.status == 429:
            conn.request("GET", "/sync")
            later = conn.getresponse().read()
            conn.close()
            return n, json.loads(body)["message"], json.loads(later)["message"]
    raise AssertionError("%d requests passed" % most)


def _blocked(said, seconds):
    left = int(re.fullmatch(
        r"IP temporarily blocked for (\d+) seconds", said).group(1))
    check(seconds - 10 <= left <= seconds, said)


RATED = ["--configsync.server", "true", "--configsync.port", "0",
         "--configsync.local_exempt", "false"]


def single_is_what_holds_if_nothing_is_said():
    with World() as w:
        a = _start(w, "single", *RATED)
        equal(_of_profile(a, "single"), {}, "what it changes")
        b = w.node("b", *NONE)
        b.quick = []
        b.start()
        mine, other = _options(a), _options(b)
        differ = {n for n in mine if mine[n]["value"] != other[n]["value"]}
        equal(differ - {"dir", "name", "listen"},
              {f[2:] for f in RATED if f.startswith("--")},
              "what differs from a daemon of which nothing was said")
        n, first, then = _asked_often(a, 200)
        equal(n, 70, "requests that pass")
        holds(first, "Rate limit exceeded")
        _blocked(then, 120)
        check('"level":"debug"' not in json.dumps(a.call("log")), "the log")


def ha_addon_spares_the_card_and_reads_the_addons_options():
    with World() as w:
        told = subprocess.run(
            [PROGRAM, "status"], check=False, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
            env=surroundings({"SYNCLINE_PROFILE": "ha-addon"}))
        if told.returncode == 0:
            raise Skip("an add-on runs here")
        holds(told.stderr, "/data/syncline")
        path = w.path("options.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"sync_port": 0, "peer_urls": [],
                       "enable_sync_server": True,
                       "rate_limit_requests_per_minute": 30,
                       "rate_limit_block_duration": 60,
                       "rate_limit_whitelist_local": False}, f)
        a = _start(w, "ha-addon", "--config", path)
        equal(_of_profile(a, "ha-addon"),
              {"files.root": ["/config", "/data"],
               "store.overlay": _options(a)["store.overlay"]["value"],
               "store.checkpoint_age": _options(a)[
                   "store.checkpoint_age"]["value"],
               "history.keep": 20}, "what it changes")
        holds(str(_options(a)["store.overlay"]["value"]), "16")
        # Few versions are kept of an item.
        for i in range(30):
            a.put("k", i)
        check(len(a.call("history", space="default",
                         key="k")["versions"]) <= 21, "the history")
        # What Home Assistant keeps may be bound, and nothing else.
        nowhere = "/nowhere-%d/y.json" % os.getpid()
        for root in "/config", "/data":
            a.call("bind", file=root + nowhere, key="y")
            a.call("unbind", file=root + nowhere)
        try:
            a.call("bind", file="/share" + nowhere, key="y")
            raise AssertionError("it is bound")
        except Refused as why:
            equal(why.code, "EDENIED", str(why))
        # The options are those of the add-on.
        n, _, then = _asked_often(a, 200)
        equal(n, 40, "requests that pass")
        _blocked(then, 60)


def development_stays_here_looks_often_and_says_all():
    with World() as w:
        a = _start(w, "development", *RATED)
        b = w.node("b", "--profile", "development", *NONE)
        b.quick = []
        b.start()
        b.joins(a)
        changed = _of_profile(a, "development")
        mine = [name for name in changed
                if not name.startswith(("lansync.", "isync."))]
        equal(sorted(mine), [
            "beacon.interval", "configsync.block", "configsync.dial_max",
            "configsync.heartbeat", "configsync.rate", "dial.max",
            "heartbeat.interval", "heartbeat.silence", "log.level"],
              "what it changes beside where it listens")
        holds(a.tail(), "debug")
        # A member that is gone without a word is noticed within seconds.
        b.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        wait_for("it is missed", lambda: a.call("peers")["peers"][0][
            "state"] != "connected")
        took = time.monotonic() - began
        b.process.send_signal(signal.SIGCONT)
        check(took < 8, "it took %g s" % took)
        wait_for("it is back", lambda: a.call("peers")["peers"][0][
            "state"] == "connected")
        n, _, then = _asked_often(a, 300)
        equal(n, 130, "requests that pass")
        _blocked(then, 30)


def development_listens_on_this_machine_only():
    with World() as w:
        node = w.node("alone", "--profile", "development")
        node.quick, node.listen = [], ""
        node.launch()
        try:
            wait_for("it starts", node.is_up)
        except AssertionError as why:
            if "in use" in str(why):
                raise Skip("port 4748 is somebody else's") from None
            raise
        equal(sorted(node.status()["listen"]),
              ["127.0.0.1:4748", "[::1]:4748"], "where it listens")


def an_instance_calls_an_addon():
    with World() as w:
        a = _start(w, "ha-addon", env={"AICLEANER_SYNC_PORT": "0",
                                       "AICLEANER_SYNC_ENABLE_SERVER": "true"})
        loop = instance.Loop()
        client = instance.Client(
            loop, "ws://127.0.0.1:%d/sync" %
            a.call("configsync")["server_port"], "inst-a", {"x": 0})
        client.change({"x": 1})
        a.waits_for("config", {"x": 1}, "config")
        a.put("config", {"x": 2}, "config")
        wait_for("it holds ours", lambda: client.config == {"x": 2})
        client.close()
        loop.close()


if __name__ == "__main__":
    sys.exit(main(globals()))
