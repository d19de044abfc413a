#!/usr/bin/python3
"""LAN-sync nodes of both generations and Syncline, as clients and as servers,
by the rules of either."""

import contextlib
import http.client
import json
import os
import subprocess
import sys

from lan import DEVICE, Lan, ip
from node import World, free_listen, main, wait_for
from tap import check, equal, holds

SECRET = "test-secret-key-1234567890123456"
HERE = os.path.dirname(os.path.abspath(__file__))


class Older:
    """A node of the older system, in its own process."""

    def __init__(self, node_id, dialect, secret=SECRET, prefix=(), **options):
        options.update(node_id=node_id, secret=secret, dialect=dialect)
        self.process = subprocess.Popen(
            list(prefix) + [sys.executable, os.path.join(HERE, "lan_node.py"),
             json.dumps(options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def do(self, what, **args):
        self.process.stdin.write(json.dumps(dict(args, do=what)) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise AssertionError("%s: %s" % (what, answer["error"]))
        return answer["ok"]

    def shows(self, what, patience=20):
        wait_for("it shows %d items" % len(what),
                 lambda: self.do("shown") == what, patience)

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class Scene:
    def __init__(self, *names, flags=(), relayed=False):
        self.world = World(relayed)
        self.flags = ["--lansync.enabled", "true", "--lansync.bind",
                      "127.0.0.1", "--lansync.port", "0",
                      "--lansync.discovery", "false",
                      "--lansync.dial_max", "1s"] + list(flags)
        self.names = names or ("a",)
        self.older = []
        self.nodes = {}

    def secret(self, node, text=SECRET + "\n", mode=0o600):
        os.makedirs(node.dir, mode=0o700, exist_ok=True)
        path = os.path.join(node.dir, "lansync.secret")
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)

    def __enter__(self):
        self.world.__enter__()
        for name in self.names:
            node = self.nodes[name] = self.world.node(name, *self.flags)
            self.secret(node)
            node.start()
        return self

    def __exit__(self, *why):
        for older in self.older:
            older.close()
        self.world.__exit__(*why)

    def old(self, name, dialect, **options):
        made = Older(name, dialect, **options)
        self.older.append(made)
        return made

    def port(self, name="a"):
        return self.nodes[name].call("lansync")["port"]


def _shown(node):
    answer = node.call("ls", space="lan", values=True, limit=10000)
    return {item["key"]: item["value"] for item in answer["items"]}


def a_client_of_either_generation_shares_items():
    for dialect in ("v1", "v2"):
        with Scene() as s:
            node, old = s.nodes["a"], s.old("old", dialect)
            node.put("here", {"title": "w\u00f6rld \u2603"}, "lan")
            old.do("put", key="there", data={"n": [1, 2.5, None]})
            answer = old.do("connect", port=s.port())
            check(answer["success"] and answer["status"] == "success", answer)
            node.waits_for("there", {"n": [1, 2.5, None]}, "lan")
            both = {"here": {"title": "w\u00f6rld \u2603"},
                    "there": {"n": [1, 2.5, None]}}
            old.shows(both)
            node.put("there", {"n": 2}, "lan")
            old.shows(dict(both, there={"n": 2}))
            equal(old.do("items")["there"]["version"], 2, "the version")
            old.do("del", key="here")
            wait_for("it is deleted", lambda: _shown(node) == {
                "there": {"n": 2}})
            node.do("del", "lan", "there")
            old.shows({})
            old.do("put", key="there", data={"n": 3})
            node.waits_for("there", {"n": 3}, "lan")
            equal(old.do("heard")["flaws"], [], "what did not count")
            status = node.call("lansync")
            equal(status["connections"][0]["dialect"], dialect, "dialect")
            equal(status["connections"][0]["node_id"], "old", "its name")


def the_port_of_the_mesh_serves_them_too():
    """Beside members, HTTP and HTTPS, which notice nothing."""
    with Scene("a", "b") as s:
        a, b = s.nodes["a"], s.nodes["b"]
        b.joins(a)
        at = a.status()["listen"][0].rsplit(":", 1)
        port = int(at[1])
        for i in range(40):  # more than may wait for a member
            a.put("large-%d" % i, {"text": "x" * 200000}, "lan")
        for dialect in ("v1", "v2"):
            old = s.old("old-" + dialect, dialect)
            check(old.do("connect", port=port)["success"], "in")
            old.do("put", key=dialect, data={"n": 1})
            b.waits_for(dialect, {"n": 1}, "lan")
            a.put("back-" + dialect, {"n": 2}, "lan")
            wait_for("it shows it", lambda o=old: "back-" + dialect in o.do(
                "shown"))
        equal(len(a.call("lansync")["connections"]), 2, "connections")
        with contextlib.closing(http.client.HTTPConnection(
                "127.0.0.1", port, timeout=10)) as web:
            web.request("GET", "/v1/status")
            equal(web.getresponse().status, 401, "HTTP without a token")
        equal(b.connected(), {"a"}, "members")
        old.do("cut")
        wait_for("it has left", lambda: len(a.call("lansync")[
            "connections"]) == 1)


def a_server_of_either_generation_is_called():
    for dialect in ("v1", "v2"):
        old = Older("old", dialect)
        port = old.do("serve")
        with Scene(flags=("--lansync.peers", "127.0.0.1:%d" % port)) as s:
            s.older.append(old)
            node = s.nodes["a"]
            wait_for("it is connected", lambda: old.do("links") == 1)
            old.do("put", key="there", data={"n": 1})
            node.waits_for("there", {"n": 1}, "lan")
            node.put("here", {"n": 2}, "lan")
            old.shows({"here": {"n": 2}, "there": {"n": 1}})
            old.do("cut")
            wait_for("it is called again", lambda: old.do("links") == 1)
            node.put("here", {"n": 3}, "lan")
            old.shows({"here": {"n": 3}, "there": {"n": 1}})
            check("AUTH_REQUEST" in old.do("heard")["heard"], "it came in")


def a_deletion_while_a_node_was_away():
    """Also over a restart of ours: what it has acknowledged is kept."""
    with Scene() as s:
        node, old = s.nodes["a"], s.old("old", "v2")
        old.do("connect", port=s.port())
        old.do("put", key="gone", data={"n": 1})
        old.do("put", key="fought", data={"n": 1})
        node.waits_for("fought", {"n": 1}, "lan")
        node.waits_for("gone", {"n": 1}, "lan")
        wait_for("all is acknowledged", lambda: old.do("links") == 1)
        old.do("cut")
        node.do("del", "lan", "gone")
        node.stop()
        node.start()
        old.do("put", key="fought", data={"n": 2})
        node.do("del", "lan", "fought")
        old.do("connect", port=s.port())
        old.shows({})
        equal(_shown(node), {}, "what is there")


def who_can_be_challenged_hears_the_secret_once():
    """Of a server that offers it; older ones are never asked for one. Whoever
    no longer knows how, and signs that, hears the secret again."""
    for challenges in (True, False):
        old = Older("old", "v2", challenges=challenges)
        port = old.do("serve")
        with Scene(flags=("--lansync.peers", "127.0.0.1:%d" % port)) as s:
            s.older.append(old)
            for n in range(2):
                wait_for("it is in", lambda: old.do("links") == 1)
                s.nodes["a"].put("k", {"n": n}, "lan")
                old.shows({"k": {"n": n}})
                old.do("cut")
            wait_for("it is in", lambda: old.do("links") == 1)
            by = [["method"], ["response"]] if challenges else [["token"]]
            equal(old.do("asked"), [["token"]] + 2 * by, challenges)
            if challenges:
                old.do("forget")
                old.do("cut")
                wait_for("it is in", lambda: old.do("links") == 1)
                equal(old.do("asked")[-2:], [["method"], ["token"]], "by what")


def an_item_that_is_too_long():
    """It is passed over and told of, also after a restart; all others go on,
    and it does as well, once it is shorter."""
    with Scene() as s:
        node, old = s.nodes["a"], s.old("old", "v2")
        old.do("connect", port=s.port())
        node.put("before", {"n": 1}, "lan")
        node.put("long", {"t": "\u00f6" * (3 << 20)}, "lan")
        node.put("behind", {"n": 2}, "lan")
        old.shows({"before": {"n": 1}, "behind": {"n": 2}})

        def told():
            return [e for e in node.call("errors")["errors"]
                    if e["code"] == "lansync-item"]

        def is_told():
            found = wait_for("it is told", told)[0]
            holds(found["what"], "old is not told of long: ", "18.0 MiB")
            equal(found["where"], {"key": "long", "node_id": "old"}, "where")
            checks = [c for c in node.call("doctor")["checks"]
                      if c["name"] == "lansync-item"]
            equal(len(checks), 1, "what the doctor says")

        is_told()
        old.do("cut")
        node.stop()
        node.start()
        is_told()
        old.do("connect", port=s.port())
        node.put("long", {"t": "short"}, "lan")
        old.shows({"before": {"n": 1}, "behind": {"n": 2},
                   "long": {"t": "short"}})
        equal(node.call("lansync")["lacking"], [], "what it lacks")
        wait_for("it is over", lambda: not [
            e for e in told() if e["state"] == "open"])


def two_that_call_each_other_keep_one():
    """Whichever was there first, both keep the call of the lesser."""
    with Scene("a", "b", flags=("--lansync.timeout", "3s")) as s:
        ports = {name: s.port(name) for name in "ab"}
        for turn, order in enumerate(("ab", "ba")):
            for name in order:
                s.nodes[name].stop()
            for name, other in (order, order[::-1]):
                s.nodes[name].start(
                    "--lansync.port", str(ports[name]), "--lansync.peers",
                    "127.0.0.1:%d" % ports[other])

            def agreed():
                said = [s.nodes[name].call("lansync") for name in order]
                less = min(node["node_id"] for node in said)
                return all([c["called"] for c in node["connections"]] == [
                    node["node_id"] == less] for node in said)

            wait_for("one is kept", agreed)
            s.nodes[order[0]].put("k", {"n": turn}, "lan")
            s.nodes[order[1]].waits_for("k", {"n": turn}, "lan")
            check(agreed(), "another one came")


def nodes_that_are_near_find_each_other(serves=5001):
    """It is told our true port; we call it where it says, though it listens
    elsewhere, at the port where its kind does."""
    with Lan("a", "p") as lan, World() as world:
        node = world.node("a", "--lansync.enabled", "true", "--lansync.port",
                          "5077", "--lansync.discovery_interval", "1",
                          "--lansync.dial_max", "1s", "--lansync.say_secret",
                          "always", prefix=lan.inside("a"),
                          listen=lan.listen("a"))
        Scene().secret(node)
        node.start()
        ip("-n", lan.spaces["p"], "route", "add", "default", "dev", DEVICE)
        old = Older("old", "v1", prefix=lan.inside("p"))
        try:
            old.do("serve", port=serves, host="0.0.0.0")
            old.do("discover", port=6001)
            wait_for("it is called", lambda: old.do("links") == 1, 30)
            source, port, said = wait_for(
                "it hears us", lambda: old.do("near"))[0]
            equal((source, port, said["type"], said["port"]),
                  (lan.address("a"), 5000, "discovery", 5077), "what it hears")
            equal(said["node_id"], node.call("lansync")["node_id"], "who")
            device = node.call("lansync")["devices"][0]
            equal((device["node_id"], device["address"], device["online"]),
                  ("old", lan.address("p") + ":6001", True), "the device")
            old.do("put", key="k", data={"n": 1})
            node.waits_for("k", {"n": 1}, "lan")
        finally:
            old.close()


def who_is_silent_is_offline():
    """After lansync.device_timeout, until it is heard again."""
    with Lan("a", "p") as lan, World() as world:
        node = world.node("a", "--lansync.enabled", "true", "--lansync.port",
                          "5077", "--lansync.device_timeout", "2",
                          "--lansync.discovery_interval", "3600",
                          prefix=lan.inside("a"), listen=lan.listen("a"))
        Scene().secret(node)
        node.start()
        ip("-n", lan.spaces["p"], "route", "add", "default", "dev", DEVICE)
        old = Older("old", "v2", prefix=lan.inside("p"))

        def logs(*lines):
            """All of them, in that order."""
            with open(node.log) as log:
                text = log.read()
            at = [text.find("old (old) is " + line) for line in lines]
            return -1 not in at and at == sorted(at)

        try:
            for lines in (["near", "offline"],
                          ["near", "offline", "near again"]):
                old.do("discover", port=6001)
                wait_for("it is " + lines[-1], lambda: logs(*lines), 60)
            wait_for("it is gone", lambda: [
                (d["node_id"], d["online"]) for d in node.call("lansync")[
                    "devices"]] == [("old", False)], 60)
        finally:
            old.close()


def who_is_only_near_is_told_once_he_has_told_us():
    """It is said why he is not; he has to call once, or be named."""
    with Lan("a", "p") as lan, World() as world:
        node = _paired(lan, world, "a")[0]
        ip("-n", lan.spaces["p"], "route", "add", "default", "dev", DEVICE)
        old = Older("old", "v2", prefix=lan.inside("p"))
        try:
            old.do("serve", port=5001, host="0.0.0.0")
            old.do("discover", port=5001)
            says = "name it in lansync.peers (lansync.say_secret)"
            wait_for("it is told why", lambda: any(
                says in (p["trouble"] or "")
                for p in node.call("lansync")["peers"]), 30)
            holds(open(node.log).read(), says)
            found, = wait_for("the doctor finds it", lambda: _found(
                node, "lansync-untold"))
            holds(found["text"], "old is near, at %s," % lan.address("p"),
                  "wants to be told the secret", "name it in lansync.peers")
            equal(found["where"], {"node_id": "old", "host":
                                   lan.address("p")}, "where")
            row, = [r for r in node.do("peers").split("\n") if says in r]
            holds(row, "old", " near ")
            holds(node.do("metrics"), "syncline_lansync_untold_nodes 1\n")
            check(["token"] not in old.do("asked"), "it was told")
            old.do("connect", host=lan.address("a"), port=5077)
            old.do("put", key="k", data={"n": 1})
            node.waits_for("k", {"n": 1}, "lan")
            old.do("cut")
            wait_for("it is called", lambda: old.do("links") == 1, 30)
            equal(old.do("asked")[-1], ["token"], "by what")
            equal(_found(node, "lansync-untold"), [], "it is over")
        finally:
            old.close()


def _found(node, name):
    return [c for c in node.call("doctor")["checks"] if c["name"] == name]


def people_see_who_is_connected_and_who_is_not():
    """By status, peers and the doctor; and where there is nobody."""
    with Scene() as s:
        node = s.nodes["a"]
        holds(node.do("status"), "lansync    lan, served on port %d, "
              "0 connected, see: syncline peers\n" % s.port())
        holds(node.do("peers"), "LAN-sync nodes:\nno node is connected or "
              "near, and none is named: lansync.peers\n")
    with Scene(flags=("--lansync.peers", "127.0.0.1:9")) as s:
        node, old = s.nodes["a"], s.old("old", "v1")
        old.do("connect", port=s.port())
        found, = wait_for("it is found", lambda: _found(node, "lansync-peer"))
        holds(found["text"], "127.0.0.1:9 is not connected: connection refused",
              "lansync.peers")
        equal(found["where"], {"host": "127.0.0.1", "port": 9}, "where")
        told = wait_for("it is in", lambda: " 1 connected, see" in node.do(
            "status") and node.do("status"))
        holds(told, "\n             127.0.0.1:9: connection refused\n")
        rows = node.do("peers").split("LAN-sync nodes:\n")[1].split("\n")
        equal(rows[0].split(), ["NODE", "ADDRESS", "STATE", "SPEAKS", "HEARD",
                                "TROUBLE"], "heads")
        equal([r.split()[i] for r in rows[1:2] for i in (0, 1, 3, 4, 6)],
              ["old", "from", "connected", "v1", "s"], rows[1])
        equal(rows[2].split(None, 5), [
            "-", "127.0.0.1:9", "waiting", "-", "-", "connection refused"],
              rows[2])


def the_last_port_that_is_tried_is_5000():
    nodes_that_are_near_find_each_other(serves=5000)


def the_interface_that_is_named_is_used():
    """Of two: who is at it hears us, who is at the other does not."""
    with Lan("a", "p", "q") as lan, World() as world:
        a, q = lan.spaces["a"], lan.spaces["q"]
        ip("-n", a, "link", "add", "second", "type", "veth", "peer", "name",
           "far", "netns", q)
        for space, device, host in ((a, "second", "1"), (q, "far", "2")):
            ip("-n", space, "addr", "add", "10.93.7.%s/24" % host, "dev",
               device)
            ip("-n", space, "link", "set", device, "up")
        ip("-n", q, "route", "add", "default", "dev", "far")
        ip("-n", lan.spaces["p"], "route", "add", "default", "dev", DEVICE)
        olds = [Older(n, "v2", prefix=lan.inside(n)) for n in ("p", "q")]
        try:
            for old in olds:
                old.do("serve", port=5001, host="0.0.0.0")
            node = world.node("a", "--lansync.enabled", "true", "--interface",
                              "second", "--lansync.discovery_interval", "1",
                              prefix=lan.inside("a"), listen=lan.listen("a"))
            Scene().secret(node)
            node.start()
            for old in olds:  # they say where they are, too
                old.do("discover", port=5001)
            heard = wait_for("q hears us thrice", lambda:
                             olds[1].do("near")[2:], 30)
            equal(heard[0][0], "10.93.7.1", "where we are")
            equal(olds[0].do("near"), [], "who is elsewhere hears us")
            equal([d["node_id"] for d in node.call("lansync")["devices"]],
                  ["q"], "whom we hear")
        finally:
            for old in olds:
                old.close()


def a_server_that_never_says_whether():
    """It answers internal_error to whoever asks to come in: who is in can go
    on, who is not is told so by what comes next."""
    for secret, key in ((SECRET, SECRET), ("another", SECRET)):
        old = Older("old", "v2", secret=key, token=secret, fails=True)
        port = old.do("serve")
        with Scene(flags=("--lansync.peers", "127.0.0.1:%d" % port)) as s:
            s.older.append(old)
            node = s.nodes["a"]
            node.put("here", {"n": 1}, "lan")
            if secret == SECRET:
                old.shows({"here": {"n": 1}})
                continue
            wait_for("it is told", lambda: node.call("lansync")["peers"][0][
                "trouble"] == "it does not let us in: "
                "Authentication required")
            equal(old.do("shown"), {}, "what it took")


def a_server_that_cannot_be_used():
    old = Older("old", "v2")
    port = old.do("serve", rude=True)
    with Scene(flags=("--lansync.peers", "127.0.0.1:%d" % port)) as s:
        s.older.append(old)
        wait_for("it is told", lambda: "cannot be used" in (s.nodes["a"].call(
            "lansync")["peers"][0]["trouble"] or ""))


def where_nobody_has_to_say_who_he_is():
    """The first generation does not, then; the second does all the same."""
    with Scene(flags=("--lansync.auth", "false")) as s:
        node, one = s.nodes["a"], s.old("one", "v1")
        node.put("here", {"n": 1}, "lan")
        one.do("connect", port=s.port(), asks=False)
        one.do("put", key="there", data={"n": 2})
        node.waits_for("there", {"n": 2}, "lan")
        one.shows({"here": {"n": 1}, "there": {"n": 2}})
        two = s.old("two", "v2")
        two.do("connect", port=s.port(), asks=False)
        answer = two.do("ask", kind="SYNC_REQUEST", payload={})
        equal((answer["message_type"], answer["payload"]["code"]),
              ("ERROR", "unauthorized"), "the second")


def ipv6_is_spoken_as_well():
    """As server and as client."""
    old = Older("server", "v2")
    port = old.do("serve", host="::1")
    with Scene(flags=("--lansync.bind", "::1", "--lansync.peers",
                      "[::1]:%d" % port)) as s:
        s.older.append(old)
        node = s.nodes["a"]
        wait_for("it is connected", lambda: old.do("links") == 1)
        for host in ("::1", "127.0.0.1"):  # one port for both
            one = s.old("old" + host, "v1")
            check(one.do("connect", port=s.port(), host=host)["success"], host)
            one.do("put", key=host, data={"n": 1})
            node.waits_for(host, {"n": 1}, "lan")
        wait_for("the server has both", lambda: len(old.do("shown")) == 2)


def a_link_without_ipv4():
    """They find each other there all the same, or are named with a zone."""
    with Lan("a", "b", "c") as lan, World() as world:
        nodes = {}
        for name in "abc":
            ip("-n", lan.spaces[name], "-4", "addr", "flush", "dev", DEVICE)
            how = ["--lansync.discovery_interval", "1"]
            if name == "c":
                how = ["--lansync.discovery", "false", "--lansync.dial_max",
                       "1s", "--lansync.peers",
                       "[fe80::ff:fe00:6601%%%s]:5077" % DEVICE]
            nodes[name] = world.node(
                name, "--lansync.enabled", "true", "--lansync.port", "5077",
                *how, prefix=lan.inside(name), listen="")
            Scene().secret(nodes[name])
            nodes[name].start()
        for name in "abc":
            nodes[name].put(name, {"n": 1}, "lan")
        for node in nodes.values():
            for name in "abc":
                node.waits_for(name, {"n": 1}, "lan")
        device = wait_for("b is heard", lambda: nodes["a"].call("lansync")[
            "devices"])[0]
        check(device["address"].startswith("[fe80::ff:fe00:6602%"), device)


def _paired(lan, world, *names, listen="0.0.0.0:4748"):
    """Synclines with LAN sync, each on a machine, found by multicast; all of
    one mesh."""
    nodes = []
    for name in names:
        node = world.node(
            name, "--lansync.enabled", "true", "--lansync.port", "5077",
            "--lansync.discovery_interval", "1", "--lansync.dial_max", "1s",
            prefix=lan.inside(name), listen=listen)
        Scene().secret(node)
        nodes.append(node.start())
    return nodes


def two_synclines_of_two_meshes_use_it():
    """And are advised to pair; once they have, they do not any more."""
    with Lan("a", "b") as lan, World() as world:
        a, b = _paired(lan, world, "a", "b")
        a.put("one", {"n": 1}, "lan")
        b.put("two", {"n": 2}, "lan")
        a.waits_for("two", {"n": 2}, "lan")
        b.waits_for("one", {"n": 1}, "lan")
        equal([c["syncline"] for c in a.call("lansync")["connections"]],
              [True], "it is known")
        holds(open(a.log).read(), "is a Syncline of another mesh")
        holds(a.cli("doctor").out, "syncline invite")
        b.joins(a)
        wait_for("LAN sync is over between them", lambda: not a.call(
            "lansync")["connections"] + b.call("lansync")["connections"])
        a.put("three", {"n": 3}, "lan")
        b.waits_for("three", {"n": 3}, "lan")
        wait_for("it is told why", lambda: any(
            "of this mesh" in (p["trouble"] or "") and p["state"] == "mesh"
            for p in a.call("lansync")["peers"]))
        check("another mesh" not in a.cli("doctor").out, "it is advised still")


def what_is_a_member_now_is_left_at_once():
    """Also where nothing else is due for an hour."""
    slow = ("--lansync.heartbeat", "1h", "--lansync.idle", "3h")
    with Scene("b", flags=slow) as s:
        b = s.nodes["b"]
        a = s.world.node("a", *s.flags, "--lansync.peers",
                         "127.0.0.1:%d" % s.port("b"))
        s.secret(a)
        a.start()

        def links():
            return a.call("lansync")["connections"] + b.call("lansync")[
                "connections"]

        a.put("one", {"n": 1}, "lan")
        b.waits_for("one", {"n": 1}, "lan")
        equal(len(links()), 2, "it goes by LAN sync")
        b.joins(a)
        wait_for("it is over", lambda: not links())
        wait_for("no row is left but who is a member now", lambda: [
            (r["state"], r["called"]) for node in (a, b) for r in json.loads(
                node.do("peers", "--json"))["older"]] == [("member", True)])


def two_synclines_of_one_mesh_use_that():
    """Also when neither knows where the other is: they meet by LAN sync."""
    with Lan("a", "b", "p") as lan, World() as world:
        a, b = _paired(lan, world, "a", "b")
        b.joins(a)
        for node in (a, b):
            node.stop()
            node.listen = "0.0.0.0:4749"
        for node in (a, b):
            node.start()
        wait_for("they are connected", lambda: a.connected() == {"b"})
        old = Older("old", "v1", prefix=lan.inside("p"))
        try:
            check(old.do("connect", host=lan.address("a"), port=5077)[
                "success"], "in")
            old.do("put", key="k", data={"n": 1})
            b.waits_for("k", {"n": 1}, "lan")
            b.put("k", {"n": 2}, "lan")
            old.shows({"k": {"n": 2}})
            equal(old.do("items")["k"]["version"], 2, "nothing came twice")
            for node, pushed in ((a, 1), (b, 0)):
                told = node.call("lansync")
                equal([c["node_id"] for c in told["connections"]],
                      ["old"] if node is a else [], "connections")
                equal(told["items"]["pushed"], pushed, "what was pushed")
        finally:
            old.close()


def who_has_another_secret_stays_out():
    with Scene() as s:
        old = s.old("old", "v2")
        answer = old.do("connect", port=s.port(), token="wrong")
        equal((answer["success"], answer["error"]),
              (False, "Invalid credentials"), "the answer")
        answer = old.do("ask", kind="SYNC_REQUEST", payload={})
        equal((answer["message_type"], answer["payload"]["code"]),
              ("ERROR", "auth_required"), "without being let in")
        equal(s.nodes["a"].call("lansync")["turned_away"]["failures"], 1,
              "failures")


def the_older_names_are_honoured():
    """Of the environment; where both are said ours counts."""
    with World() as world:
        node = world.node("a", "--lansync.bind", "127.0.0.1",
                          "--lansync.discovery", "false")
        Scene().secret(node)
        port = int(free_listen("a").rsplit(":", 1)[1])
        node.start(env={"LAN_SYNC_ENABLED": "true", "LAN_SYNC_PORT": str(port),
                        "LAN_SYNC_NODE_ID": "n-1",
                        "LAN_SYNC_DISCOVERY_INTERVAL": "7",
                        "LAN_SYNC_DEVICE_TIMEOUT": "21",
                        "SYNCLINE_LANSYNC_SPACE": "docs"})
        told = node.call("lansync")
        equal((told["running"], told["port"], told["node_id"], told["space"]),
              (True, port, "n-1", "docs"), "what it tells")
        old = Older("old", "v1")
        try:
            check(old.do("connect", port=port)["success"], "in")
        finally:
            old.close()
        node.stop()
        node.start(env={"LAN_SYNC_ENABLED": "true",
                        "SYNCLINE_LANSYNC_ENABLED": "false"})
        check("lansync" not in node.status(), "it runs")


def a_secret_is_needed_and_nobody_elses():
    with World() as world:
        scene = Scene()
        node = world.node("a", *scene.flags)
        os.makedirs(node.dir, mode=0o700)
        for text, mode, says in (
                (None, 0, "shared secret is missing"),
                ("\n", 0o600, "shared secret is missing"),
                (SECRET, 0o644, "lansync.secret")):
            if text is not None:
                scene.secret(node, text, mode)
            node.launch()
            check(node.ends() != 0, "it started")
            holds(node.tail(), says)
        scene.secret(node, SECRET + "\n" + SECRET + "\n")
        node.start()
        holds(open(node.log).read(), "there is more than one line in it")
        node.stop()
        os.remove(node.log)
        for secret, is_short in ((SECRET[:15], True), (SECRET[:16], False)):
            scene.secret(node, secret)
            node.start()
            said = open(node.log).read().rsplit("LAN-sync nodes are served")[0]
            equal("the secret is short" in said, is_short, len(secret))
            check(secret not in said, "the secret is in the log")
            node.stop()
            os.remove(node.log)


if __name__ == "__main__":
    sys.exit(main(globals(), beside=[
        who_can_be_challenged_hears_the_secret_once,
        who_is_silent_is_offline, an_item_that_is_too_long,
        the_interface_that_is_named_is_used]))
