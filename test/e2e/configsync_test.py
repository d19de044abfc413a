#!/usr/bin/python3
"""Older config-sync instances and Syncline, by the rules of either: instances
that call it, hubs that it calls, and several Synclines behind one item."""

import http.client
import json
import os
import sys
import time

import websockets

import instance
from instance import Client, Hub, md5, message
from node import Refused, World, main, wait_for
from tap import check, equal, holds

CONFIG = {"zeta": 1.0, "alpha": [True, None, 1e-07, "\u00f1", "\U0001f600"],
          "n": {"y": -0.0, "x": 1e+16, "B": 1, "a": 2}}


class Scene:
    """A node that serves instances on a port of its own."""

    def __init__(self, *flags, serves=True, name="a"):
        self.world = World()
        self.flags = list(flags)
        self.loop = instance.Loop()
        self.things = []
        self.flags += ["--configsync.port", "0"]  # 8765 may be taken
        if serves:
            self.flags += ["--configsync.server", "true"]
        self.node = self.world.node(name, *self.flags)
        self.name = name

    def __enter__(self):
        self.world.__enter__()
        self.node.start()
        return self

    def __exit__(self, *why):
        for thing in reversed(self.things):
            try:
                thing.close()
            except Exception:  # it may be gone
                pass
        self.world.__exit__(*why)
        self.loop.close()

    def status(self, node=None):
        return (node or self.node).call("configsync")

    def port(self, node=None):
        return self.status(node)["server_port"]

    def url(self, node=None):
        return "ws://127.0.0.1:%d/sync" % self.port(node)

    def client(self, name, config=None, node=None, **options):
        made = Client(self.loop, self.url(node), name, config, **options)
        self.things.append(made)
        return made

    def hub(self, port=0, **options):
        made = Hub(self.loop, port, **options)
        self.things.append(made)
        return made

    def config(self, node=None):
        return (node or self.node).get("config", "config")


def instances_agree_through_it_and_it_keeps_what_they_say():
    with Scene() as s:
        a = s.client("inst-a", {"x": 0})
        b = s.client("inst-b", {"x": 0})
        text = message("config_update", "inst-a", CONFIG, 1795220724.6696308)
        a.say(text)
        equal(b.raw(), text, "what is passed on")
        s.node.waits_for("config", CONFIG, "config")
        equal(s.status()["config_hash"], md5(CONFIG), "the hash")
        wait_for("it is applied",
                 lambda: s.status()["updates"]["applied"] == 1)
        status = s.status()
        check(abs(status["last_sync_time"] - time.time()) < 30, status)
        # Sent with its own time it wins everywhere; nothing comes back.
        a.change({"x": 2})
        b.next()
        equal(b.config, {"x": 2}, "what b holds")
        s.node.waits_for("config", {"x": 2}, "config")
        c = s.client("inst-c", {"x": 9})
        equal(c.next()["config_data"], {"x": 2}, "what a newcomer is told")
        equal(c.config, {"x": 2}, "what it holds then")
        check(a.heard.empty(), "a was sent something back")


def changes_here_are_told_in_one_message():
    with Scene("--configsync.batch", "300ms") as s:
        a = s.client("inst-a", {"x": 0})
        for i in range(10):
            s.node.put("config", {"x": i, "y": "\u00e9"}, "config")
        said = a.next()
        equal(said["config_data"], {"x": 9, "y": "\u00e9"}, "the data")
        equal(said["config_hash"], md5(a.config), "the hash")
        equal(sorted(said), sorted(
            instance.MEMBERS + tuple(instance.DEFAULTS)), "the members")
        check(said["instance_id"].startswith("syncline_"), said)
        s.node.do("patch", "config", "config", '{"x": 10}')
        equal(a.next()["config_data"]["x"], 10, "the next")
        equal(s.status()["messages"]["sent"], 2, "messages")
        check(a.broken is None, a.broken)


def requests_are_answered_and_others_are_not():
    with Scene() as s:
        a = s.client("inst-a")
        b = s.client("inst-b")
        s.node.put("config", {"k": [1, 2.5]}, "config")
        a.next()
        b.next()
        a.say(message("config_request", "inst-a"))
        equal(a.next("config_response")["config_data"], {"k": [1, 2.5]},
              "the answer")
        a.say(message("config_response", "inst-a", {"k": 1}))
        a.say(message("heartbeat", "inst-a"))
        a.say(message("config_update", "inst-a", {"k": 3}))
        equal(b.next()["config_data"], {"k": 3}, "the first that b hears")


def the_last_write_wins():
    with Scene() as s:
        a = s.client("inst-a", {"v": 0})
        now = time.time()
        a.change({"v": 1}, now - 10)
        s.node.waits_for("config", {"v": 1}, "config")
        a.change({"v": 2}, now - 20)
        a.change({"v": 3}, now - 9)
        s.node.waits_for("config", {"v": 3}, "config")
        equal(s.status()["updates"]["older"], 1, "older")
        s.node.put("config", {"v": 4}, "config")
        a.change({"v": 5}, now - 8)  # before ours
        wait_for("it is older", lambda: s.status()["updates"]["older"] == 2)
        equal(s.config(), {"v": 4}, "what stands")
        a.change({"v": 6}, now + 1e6)  # as if it were now
        s.node.waits_for("config", {"v": 6}, "config")
        s.node.put("config", {"v": 7}, "config")
        wait_for("a holds ours", lambda: a.config == {"v": 7})


def what_no_item_can_hold_is_passed_on_and_refused():
    with Scene() as s:
        a = s.client("inst-a", {"v": 0})
        b = s.client("inst-b", {"v": 0})
        a.change({"v": 1})
        s.node.waits_for("config", {"v": 1}, "config")
        b.next()
        a.change({"v": 10 ** 30})
        equal(b.next()["config_data"], {"v": 10 ** 30}, "what b hears")
        wait_for("it is refused", lambda: s.status()["trouble"])
        equal(s.config(), {"v": 1}, "what stands")
        a.change({"v": 2})
        s.node.waits_for("config", {"v": 2}, "config")
        wait_for("it is over", lambda: s.status()["trouble"] is None)


def what_is_told_to_none_and_who_is_not_reached_is_said():
    with Scene("--heartbeat.interval", "300ms", "--heartbeat.silence",
               "900ms") as s:
        hub = s.hub()
        s.node.stop()
        s.node.flags += ["--configsync.peers", hub.url]
        s.node.start()
        hub.next("config_request")
        holds(s.node.do("status"), "  configsync config/config, served on port "
              "%d, 0 connected\n" % s.port(), "             %s: connected\n" % hub.url)
        s.node.put("config", [1, 2], "config")
        wait_for("it says why", lambda: s.status()["trouble"])
        holds(s.status()["trouble"], "no JSON object", "none is told")
        holds(s.node.do("status"), "none is told")
        wait_for("the list has it", lambda: "configsync: the configuration"
                 in s.node.do("errors"))
        s.node.put("config", {"x": 1}, "config")
        equal(hub.next("config_update")["config_data"], {"x": 1}, "the next")
        equal(s.status()["trouble"], None, "the trouble is over")
        hub.close()
        wait_for("the list has that nobody answers", lambda:
                 "configsync-peer: " + hub.url in s.node.do("errors"))
        holds(s.node.do("status"), hub.url + ": connection refused")


def by_hand_all_are_told_what_stands():
    with Scene() as s:
        a = s.client("inst-a", {"x": 0})
        a.change({"x": 1})
        s.node.waits_for("config", {"x": 1}, "config")
        shown = s.node.do("configsync")
        holds(shown, "config/config, served on port %d, 1 connected" % s.port())
        before = s.status()["messages"]["sent"]
        s.node.do("configsync")
        equal(s.status()["messages"]["sent"], before, "to look says nothing")
        equal(s.node.do("configsync", "force"), shown)
        equal(a.next("config_update")["config_data"], {"x": 1}, "it is told")
        s.node.refuses("configsync", "farce", code=2, says="force")
        off = s.world.node("off").start()
        off.refuses("configsync", "force", says="not spoken with")


def a_port_that_is_taken_is_named_with_its_option():
    with Scene() as s:
        other = s.world.node("b", "--configsync.server", "true",
                             "--configsync.port", str(s.port()))
        other.launch()
        equal(other.ends(), 1, "the status")
        holds(other.tail(), "127.0.0.1:%d" % s.port(), "already in use",
              "configsync.port")


def a_clean_stop_is_no_trouble():
    with Scene() as s:
        s.node.stop()
        secret = s.world.path("secret")
        with open(secret, "w", encoding="utf-8",
                  opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write("a secret that all of them share\n")
        s.node.flags += ["--lansync.enabled", "true", "--lansync.port", "0",
                         "--lansync.bind", "127.0.0.1", "--lansync.discovery",
                         "false", "--lansync.secret_file", secret]
        s.node.start()
        a = s.client("inst-a", {"x": 0})
        a.change({"x": 1})
        s.node.waits_for("config", {"x": 1}, "config")
        s.node.stop()
        check("warn" not in s.node.tail(), s.node.tail())


def health_and_what_else_is_asked_by_http():
    with Scene("--configsync.instance", "hub") as s:
        s.client("inst-a")
        http_ = http.client.HTTPConnection("127.0.0.1", s.port(), timeout=10)

        def ask(method, path, **headers):
            http_.request(method, path, headers=headers)
            answer = http_.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        status, fields, body = ask("GET", "/health")
        equal(status, 200, "the status")
        health = json.loads(body)
        equal(list(health), ["status", "instance_id", "connected_clients",
                             "timestamp"], "the members")
        equal([health["status"], health["instance_id"],
               health["connected_clients"]], ["healthy", "hub", 1], "health")
        equal(dict(fields)["Content-Type"], "application/json; charset=utf-8",
              "the type")
        equal(ask("HEAD", "/health")[::2], (200, b""), "HEAD")
        equal(ask("GET", "/sync")[0], 400, "no upgrade")
        equal(ask("POST", "/sync")[0], 405, "POST")
        equal(ask("GET", "/x")[::2], (404, b"404: Not Found"), "elsewhere")
        equal(ask("GET", "/health", Origin="http://127.0.0.1")[0], 403,
              "a page of the web")
        http_.close()


def _bearer(node, *flags):
    made = json.loads(node.do("token", "create", "--json", *flags))
    return {"extra_headers": {"Authorization": "Bearer " + made["secret"]}}


def the_nodes_own_port_serves_instances_under_its_protection():
    with Scene("--configsync.instance", "hub") as s:
        at = s.node.status()["listen"][0]
        url = "ws://%s/sync" % at

        def come(name, **options):
            made = Client(s.loop, url, name, {"x": 0}, **options)
            s.things.append(made)
            return made

        def refused(**options):
            try:
                come("nobody", **options)
            except websockets.InvalidStatusCode as why:
                return why.status_code
            raise AssertionError("it was let in: %s" % options)
        s.node.do("space", "add", "notes")
        good = _bearer(s.node, "--name", "w", "--scope", "write", "--space",
                       "config")
        equal(refused(), 401, "without a token")
        equal(refused(extra_headers={"Authorization": "Bearer x"}), 401,
              "a wrong one")
        equal(refused(**_bearer(s.node, "--name", "r", "--scope", "read")),
              403, "one that may only read")
        equal(refused(**_bearer(s.node, "--name", "n", "--scope", "write",
                                "--space", "notes")), 403, "another space's")
        equal(refused(origin="http://elsewhere.example", **good), 403,
              "a page of another site")
        equal(s.status()["callers"], 0, "who has come")
        a, b = come("inst-a", **good), s.client("inst-b", {"x": 0})
        text = message("config_update", "inst-a", CONFIG, 1795220724.6696308)
        a.say(text)
        equal(b.raw(), text, "what is passed on to the other port")
        s.node.waits_for("config", CONFIG, "config")
        b.say(text.replace("inst-a", "inst-b").replace("724", "725"))
        equal(a.next()["instance_id"], "inst-b", "and from there")
        s.node.put("config", {"x": 1}, "config")
        wait_for("both hold it",
                 lambda: a.config == b.config == {"x": 1})
        a.say(message("config_request", "inst-a"))
        equal(a.next("config_response")["config_data"], {"x": 1}, "answered")
        big = {"k": "v" * (3 << 20)}  # more than other WebSockets may there
        a.change(big)
        wait_for("b holds it", lambda: b.config == big)
        http_ = http.client.HTTPConnection(at, timeout=10)
        http_.request("GET", "/health")
        health = json.load(http_.getresponse())
        http_.close()
        equal((health["status"], health["instance_id"],
               health["connected_clients"]), ("healthy", "hub", 2), "health")
        s.node.do("token", "revoke", "w")
        a.say(message("config_update", "inst-a", {"x": 9}))
        equal(a.closed(), 1008, "its token is good no longer")
        wait_for("it is gone", lambda: s.status()["callers"] == 1)
        equal(s.config(), big, "what stands")
        good = _bearer(s.node, "--name", "c", "--scope", "write")
        c = come("inst-c", **good)
        wait_for("it is told all", lambda: c.config == big)
        s.node.stop()
        equal(c.closed(), 1001, "the node stops")
        s.node.flags = ["--configsync.server", "false"]
        s.node.start()
        url = "ws://%s/sync" % s.node.status()["listen"][0]
        equal(refused(), 401, "without a token")
        equal(refused(**good), 404, "none are served")


def it_calls_a_hub_again_and_again():
    with Scene(serves=False) as s:
        hub = s.hub()
        s.node.stop()
        s.node.flags += ["--configsync.peers", hub.url]
        s.node.start()
        equal(s.status()["peer_urls"], [hub.url], "the URLs")
        hub.next("config_request")
        a = Client(s.loop, hub.url, "inst-a", {"x": 0})
        a.change({"x": 1})
        s.node.waits_for("config", {"x": 1}, "config")
        s.node.put("config", {"x": 2}, "config")
        wait_for("a holds ours", lambda: a.config == {"x": 2})
        a.close()
        hub.close()
        wait_for("it is gone",
                 lambda: not s.status()["peers"][0]["connected"])
        s.node.put("config", {"x": 3}, "config")
        hub = s.hub(hub.port)
        wait_for("it is back", lambda: s.status()["peers"][0]["connected"])
        equal(hub.next("config_update")["config_data"], {"x": 3},
              "what was done meanwhile")
        b = Client(s.loop, hub.url, "inst-b", {"x": 0})
        s.things.append(b)
        b.change({"x": 4})
        s.node.waits_for("config", {"x": 4}, "config")


def native_members_get_it_all_and_two_gateways_do_not_echo():
    with World() as w:
        loop = instance.Loop()
        flags = ["--configsync.server", "true", "--configsync.port", "0"]
        a, b, c = w.mesh("a", "b", "c", flags=flags)
        clients = [Client(loop, "ws://127.0.0.1:%d/sync" %
                          n.call("configsync")["server_port"],
                          "inst-" + n.name, {"x": 0}) for n in (a, b)]
        said = message("config_update", "inst-a", {"x": 1, "y": [1]})
        for client in clients:  # the same news comes by both
            client.say(said)
        for n in (a, b, c):
            n.waits_for("config", {"x": 1, "y": [1]}, "config")
        wait_for("they agree", lambda: a.agrees() and b.agrees())
        stamps = {n.call("get", space="config", key="config")["stamp"]
                  for n in (a, b, c)}
        equal(len(stamps), 1, "stamps: %s" % stamps)
        at = json.loads(said)["timestamp"]
        hlc = int(stamps.pop().split(".")[1], 16)
        check(abs((hlc >> 12) / 1e6 - at) < 1e-5, "the time of the stamp")
        equal(c.call("conflicts", space="config")["conflicts"], [],
              "conflicts")
        c.put("config", {"x": 2, "y": [1]}, "config")
        for client in clients:
            wait_for("the instances hold it",
                     lambda client=client: client.config["x"] == 2)
        clients[1].change({"x": 3})
        for n in (a, b, c):
            n.waits_for("config", {"x": 3}, "config")
        wait_for("the other gateway's instance holds it",
                 lambda: clients[0].config == {"x": 3})
        for client in clients:
            client.close()
        loop.close()


def two_synclines_that_meet_here_are_harmless_and_say_so():
    with Scene(name="a") as s:
        b = s.world.node("b", "--configsync.peers", s.url(),
                         "--configsync.server", "false")
        b.start()
        wait_for("b has called",
                 lambda: s.status(b)["peers"][0]["connected"])
        check(s.status(b)["peers"][0]["syncline"], "b does not notice")
        wait_for("a says so", lambda: "is a Syncline, too" in s.node.tail())
        s.node.put("config", {"x": 1}, "config")
        b.waits_for("config", {"x": 1}, "config")
        b.put("config", {"x": 2}, "config")
        s.node.waits_for("config", {"x": 2}, "config")
        for i in range(5):
            (s.node if i % 2 else b).put("config", {"x": i + 3}, "config")
            (b if i % 2 else s.node).waits_for(
                "config", {"x": i + 3}, "config")
        sent = [s.status(n)["messages"]["sent"] for n in (s.node, b)]
        check(sum(sent) <= 12, "messages: %s" % sent)


def what_is_offered_and_what_the_older_names_set():
    with World() as w:
        a = w.node("a")
        a.start(env={"AICLEANER_SYNC_PORT": "0",
                     "AICLEANER_SYNC_ENABLE_SERVER": "true",
                     "AICLEANER_SYNC_PEERS":
                         "ws://127.0.0.1:9/sync,ws://127.0.0.1:10/sync",
                     "AICLEANER_INSTANCE_ID": "instance_001"})
        status = a.call("configsync")
        equal(status["instance_id"], "instance_001", "the id")
        equal(status["peer_count"], 2, "peers")
        equal(status["server_enabled"], True, "the server")
        check(status["server_port"] > 0, status)
        equal([status["running"], status["last_sync_time"]], [True, 0.0],
              "running, last sync")
        wait_for("it says why", lambda: all(
            p["trouble"] for p in a.call("configsync")["peers"]))
        equal(a.status()["configsync"]["instance_id"], "instance_001",
              "in status")
        a.stop()
        a.start()
        a.do("status")
        check("configsync" not in a.status(), "it is off by default")


def the_file_of_the_item_is_as_theirs_and_its_versions_are_counted():
    with World() as w:
        etc, base = w.path("etc"), w.path("base")
        os.mkdir(etc)
        os.mkdir(base)
        a = w.node("a", "--files.root", "%s,%s" % (etc, base),
                   "--configsync.server", "true", "--configsync.port", "0")
        a.start()
        path = os.path.join(etc, "config.json")
        kept = os.path.join(base, "config_versions")

        def count():
            return a.call("configsync")["config_versions"]

        def newest():
            try:
                with open(os.path.join(kept, max(os.listdir(kept)))) as f:
                    return f.read()
            except FileNotFoundError:  # it got its name just then
                return ""
        try:
            a.call("bind", file=path, space="config", key="config",
                   versions_at="/etc/config_versions")
        except Refused as why:
            equal(why.code, "EDENIED", "elsewhere")
        a.call("bind", file=path, space="config", key="config", versions=3,
               ascii=True, versions_at=kept)
        equal(count(), 0, "before there is one")
        a.put("config", {"a": {}, "b": [1, "\u00f1"]}, "config")
        wait_for("the file is written", lambda: os.path.exists(path))
        with open(path, "rb") as f:
            equal(f.read(), json.dumps(
                {"a": {}, "b": [1, "\u00f1"]}, indent=2).encode(), "the file")
        wait_for("that is kept", lambda: count() == 1)
        for i in range(4):
            a.put("config", {"i": i}, "config")
            wait_for("it is kept", lambda i=i: '"i": %d' % i in newest())
        wait_for("they are counted", lambda: count() == 3)
        equal(len(os.listdir(kept)), 3, "in the folder")
        equal(len(a.call("versions", file=path)["versions"]), 3, "told")
        a.stop()
        a.start()
        wait_for("still", lambda: count() == 3)


def a_large_configuration():
    with Scene() as s:
        big = {"k%d" % i: "v" * 1000 for i in range(3000)}
        a = s.client("inst-a", {"x": 0})
        b = s.client("inst-b", {"x": 0})
        a.change(big)
        wait_for("b holds it", lambda: b.config == big)
        s.node.waits_for("config", big, "config")
        s.node.put("config", {"k": "v" * (4 << 20)}, "config")  # too large
        s.node.put("config", {"k": 1}, "config")
        wait_for("they go on", lambda: a.config == {"k": 1})


if __name__ == "__main__":
    sys.exit(main(globals(), beside=[
        what_is_told_to_none_and_who_is_not_reached_is_said]))
