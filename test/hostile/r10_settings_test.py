#!/usr/bin/python3
"""R10 of the settings: who has a token, an admin's even, makes the daemon run
no command and read no file by PATCH /v1/config, and always leaves it a file
with which it starts."""

import os
import random
import signal
import sys
import threading
import time

import requests

import peer
from hub import Hub
from peer import node, tap

PATH = "/v1/config"


def _file(daemon):
    return os.path.join(daemon.dir, "syncline.yaml")


def _read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def what_is_by_hand_stays_so():
    """What runs something, reads a file or says where one is; and what sets
    one of these by the way: the profile ha-addon has a folder and roots."""
    with node.World() as world:
        a = world.node("a").start()
        with Hub(a) as hub:
            told = {o["name"]: o for o in hub.json("GET", PATH)["options"]}
            for name in ("dir", "profile", "resolve.command",
                         "passphrase.file", "tls.cert", "tls.key",
                         "configsync.ca", "configsync.tokens", "files.root", "log.socket"):
                value = told[name]["type"] == "names" and ["/etc"] or (
                    "ha-addon" if name == "profile" else "/bin/sh")
                for v in (value, None):
                    hub.ask("PATCH", PATH, 403, json={name: v})
                    hub.ask("PATCH", PATH, 403, json={
                        "history.keep": 7, name: v})
                tap.check(told[name]["by_hand"], name + " says so")
            for wrong in ({"resolve": {"command": "/bin/sh"}},
                          {"resolve.command ": "x"}, {"Dir": "/"},
                          {"resolve/command": "x"}, {"": "x"}, {}, [], "x"):
                hub.ask("PATCH", PATH, 400, json=wrong)
        tap.check(not os.path.exists(_file(a)), "nothing was written")


def a_value_says_nothing_else():
    """Neither another line, nor another kind of value, nor a part that a
    reader of YAML would take for something."""
    with node.World() as world:
        a = world.node("a").start()
        values = ["x\nresolve.command: /bin/sh", "x\r\ntls.key: /etc/shadow",
                  "x\u0085dir: /", "x\u2028dir: /", "'", '"', '"\n"', "a: b",
                  "*a", "&a", "!!x", "#", "- x", "{", "[", "%x", "@", "`",
                  "null", "true", "1", "~", "\\n", "\t", "\ufeff", "---",
                  "..."]
        with Hub(a) as hub:
            for value in values:
                hub.ask("PATCH", PATH, json={"configsync.key": value})
                told = {o["name"]: o for o in hub.json("GET", PATH)["options"]}
                tap.equal(told["configsync.key"]["next"], value, repr(value))
                for name in ("resolve.command", "tls.key", "dir"):
                    tap.check("next" not in told[name], name)
            hub.ask("PATCH", PATH, 400, json={"configsync.key": "a\0b"})
            hub.ask("PATCH", PATH, 400, json={"http.hosts": ["a\0b"]})
        for line in _read(_file(a)).splitlines():
            tap.check(line.startswith("configsync.key: "), line)


def what_was_taken_starts():
    """What a start would refuse is refused at once."""
    with node.World() as world:
        a = world.node("a").start()
        with Hub(a) as hub:
            for wrong in (
                    {"peer": ["192.0.2.1:1\nresolve.command: x"]},
                    {"peer": ["a/b:1"]}, {"peer": ["a b;c:1"]},
                    {"advertise": ["no.such.host.invalid:1"]},
                    {"interface": ["../x"]},
                    {"http.hosts": ["a;b"]}, {"http.hosts": ["http://a"]},
                    {"configsync.peers": ["http://a/sync"]},
                    {"configsync.peers": ["ws://a/sync\n"]},
                    {"configsync.bind": ["nowhere"]},
                    {"configsync.admit": ["192.0.2.0/33"]},
                    {"http.connections": 1}, {"configsync.port": 65536}):
                hub.ask("PATCH", PATH, 400, json=wrong)
            for many in ({"interface": ["eth0", "eth1"]},
                         {"http.hosts": ["h%d" % i for i in range(17)]},
                         {"peer": ["192.0.2.1:%d" % i for i in range(1, 66)]},
                         {"configsync.peers": ["ws://a/%d" % i
                                               for i in range(33)]}):
                hub.ask("PATCH", PATH, 413, json=many)
            hub.ask("PATCH", PATH, json={
                "peer": ["192.0.2.1:1", "[2001:db8::7]:4748"],
                "advertise": ["192.0.2.1:1"], "interface": ["lo"],
                "configsync.enabled": "true", "configsync.port": 0,
                "configsync.peers": ["ws://127.0.0.1:1/sync"],
                "configsync.admit": ["192.0.2.0/24"]})
        a.stop()
        a.start()
        tap.holds(a.do("config", "get", "configsync.peers"), "127.0.0.1:1")


class Patcher(threading.Thread):
    """Changes one number up and up, until nobody answers."""

    def __init__(self, hub):
        super().__init__()
        self.hub, self.n, self.done = hub, 0, 0

    def run(self):
        try:
            while True:
                self.n += 1
                self.hub.ask("PATCH", PATH, json={"history.keep": self.n})
                self.done = self.n
        except requests.ConnectionError:
            pass


def a_kill_leaves_one_file_or_the_other():
    """SIGKILL amid changes of a large file: it is what it was or what it was
    to be, for whoever reads at any moment, with the mode that it had."""
    filler = "".join("# line %d %s\n" % (i, "x" * 80) for i in range(8000))
    rng = random.Random(1)
    with node.World() as world:
        a = world.node("a")
        os.mkdir(a.dir, 0o700)
        with open(_file(a), "w", encoding="utf-8") as f:
            f.write(filler + "history.keep: 1\n")
        os.chmod(_file(a), 0o640)
        for _ in range(8):
            a.start()
            with Hub(a) as hub:
                patcher = Patcher(hub)
                patcher.start()
                node.wait_for("changes", lambda: patcher.done > 2)
                end = time.monotonic() + rng.uniform(0.01, 0.1)
                while time.monotonic() < end:
                    text = _read(_file(a))
                    tap.check(text.startswith(filler) and
                              text.endswith("\n"), "torn, for a reader")
                a.process.send_signal(signal.SIGKILL)
                a.process.wait(peer.PATIENCE)
                patcher.join(peer.PATIENCE)
            text = _read(_file(a))
            tap.check(text.startswith(filler), "all else is there")
            tap.check(text[len(filler):] in (
                "history.keep: %d\n" % patcher.done,
                "history.keep: %d\n" % patcher.n),
                "%d: %s" % (patcher.done, text[len(filler):]))
            tap.equal(os.stat(_file(a)).st_mode & 0o777, 0o640, "its mode")
        a.start()
        with Hub(a) as hub:
            hub.ask("PATCH", PATH, json={"history.keep": 5})
        tap.check(not [n for n in os.listdir(a.dir) if n.endswith(".new")],
                  "nothing is left behind")


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
