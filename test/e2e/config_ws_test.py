#!/usr/bin/python3
"""Config-sync instances on npm's ws (ws_instance.mjs): clients of ours, on
either port, and a hub that we call; what is large compressed and not."""

import json
import os
import queue
import shutil
import subprocess
import sys
import threading

import instance
from node import PATIENCE, World, main, wait_for
from tap import Skip, check, equal

HERE = os.path.dirname(os.path.abspath(__file__))
LARGE = {"k%d" % i: {"n": i * i, "text": "some text of %d" % i}
         for i in range(4000)}
SERVED = ["--configsync.server", "true", "--configsync.port", "0"]


class Instance:
    """The other program; what it tells, in order."""

    def __init__(self, *args):
        if shutil.which("node") is None or not os.path.isdir(os.path.join(
                HERE, "..", "..", "dashboard", "node_modules", "ws")):
            raise Skip("no node, or no ws in dashboard/node_modules")
        self.config, self.told = None, queue.Queue()
        self.process = subprocess.Popen(
            ["node", os.path.join(HERE, "ws_instance.mjs"), *args],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            said = json.loads(line)
            self.config = said.get("config", self.config)
            self.told.put(said)

    def do(self, **order):
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()

    def next(self, member):
        """What it tells next that has that member."""
        while True:
            try:
                said = self.told.get(timeout=PATIENCE)
            except queue.Empty:
                raise AssertionError("it tells no %s" % member) from None
            check(member == "broken" or "broken" not in said, said)
            if member in said:
                return said[member]

    def holds(self, config):
        wait_for("it holds it", lambda: self.config == config)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def _client(url, name, token="", deflate="no"):
    return Instance("client", url, name, token, deflate)


def clients_on_either_port_agree():
    with World() as w:
        a, = w.nodes("a", flags=SERVED)
        made = json.loads(a.do("token", "create", "--json", "--name", "t",
                               "--scope", "write", "--space", "config"))
        own = "ws://127.0.0.1:%d/sync" % a.call("configsync")["server_port"]
        hub = "ws://%s/sync" % a.status()["listen"][0]
        with _client(hub, "nobody") as refused:
            equal(refused.next("refused"), 401, "without a token")
        with _client(own, "one") as one, \
                _client(own, "two", "", "yes") as two, \
                _client(hub, "three", made["secret"], "yes") as three:
            equal(one.next("open"), "", "of one that offers nothing")
            for other in (two, three):
                check("permessage-deflate" in other.next("open"),
                      "of one that offers")
            for who, config in ((one, {"x": 1, "u": "\u00f1 \U0001f600"}),
                                (two, LARGE), (three, {"x": [2, None]})):
                who.do(change=config)
                a.waits_for("config", config, "config")
                for other in {one, two, three} - {who}:
                    other.holds(config)
            a.put("config", dict(LARGE, x=3), "config")
            for each in (one, two, three):
                each.holds(dict(LARGE, x=3))
            two.do(pieces={"in": "pieces"})
            a.waits_for("config", {"in": "pieces"}, "config")
            two.next("pong")
            one.holds({"in": "pieces"})
            three.do(request=True)
            wait_for("it is answered", lambda: json.loads(
                three.next("heard"))["type"] == "config_response")
            for word in ("{", "[]", '{"type": "config_update"}'):
                one.do(text=word)
            one.do(change={"x": 4})
            two.holds({"x": 4})
            equal(a.call("configsync")["messages"]["dropped"], 3, "no messages")
            one.do(blanks=instance.LIMIT)
            # 1006 where what was sent behind it keeps it from the close
            check(one.next("closed") in (1009, 1006), "one byte too many")
            two.do(close=1000)
            equal(two.next("closed"), 1000, "in order")
            wait_for("they are gone",
                     lambda: a.call("configsync")["callers"] == 1)
            a.stop()
            equal(three.next("closed"), 1001, "the node stops")


def a_hub_of_that_kind_is_called():
    with World() as w, Instance("hub", "yes") as hub:
        url = "ws://127.0.0.1:%d/sync" % hub.next("port")
        a = w.node("a", "--configsync.peers", url, "--configsync.server",
                   "false", "--configsync.compress", "all").start()
        check("permessage-deflate" in hub.next("agreed"), "what is agreed on")
        equal(hub.next("seen"), "config_request", "what is said first")
        b = w.node("b", "--configsync.peers", url, "--configsync.server",
                   "false").start()
        equal(hub.next("agreed"), "", "by our own name it knows nothing")
        with _client(url, "one", "", "yes") as one:
            hub.next("agreed")
            one.do(change=LARGE)
            for n in (a, b):
                n.waits_for("config", LARGE, "config")
            b.put("config", dict(LARGE, x=1), "config")
            a.waits_for("config", dict(LARGE, x=1), "config")
            one.holds(dict(LARGE, x=1))
            a.put("config", {"x": 2}, "config")
            b.waits_for("config", {"x": 2}, "config")
            one.holds({"x": 2})
            hub.do(ping=True)
            hub.do(close=1000)
            for _ in range(3):
                equal(hub.next("left"), 1000, "how it goes")
            # Both come again, and what was done meanwhile is told: a question
            # and an update. The hub keeps nothing, so that only who is there
            # already hears of it.
            sent = a.call("configsync")["messages"]["sent"]
            a.put("config", {"x": 3}, "config")
            for _ in range(2):
                hub.next("come")
            wait_for("it is told", lambda: a.call("configsync")["messages"][
                "sent"] == sent + 2)
            a.put("config", {"x": 4}, "config")
            b.waits_for("config", {"x": 4}, "config")


if __name__ == "__main__":
    sys.exit(main(globals()))
