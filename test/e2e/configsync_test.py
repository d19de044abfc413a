#!/usr/bin/python3
"""Older config-sync instances and Syncline, by the rules of either: instances
that call it, hubs that it calls, and several Synclines behind one item."""

import asyncio
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time

import websockets

import instance
from instance import Client, Hub, md5, message
from node import Refused, World, main, wait_for
from tap import check, equal

CONFIG = {"zeta": 1.0, "alpha": [True, None, 1e-07, "\u00f1", "\U0001f600"],
          "n": {"y": -0.0, "x": 1e+16, "B": 1, "a": 2}}


class Scene:
    """A node that serves instances on a port of its own."""

    def __init__(self, *flags, serves=True, name="a"):
        self.world = World()
        self.flags = list(flags)
        self.loop = instance.Loop()
        self.things = []
        if serves:
            self.flags += ["--configsync.server", "true",
                           "--configsync.port", "0"]
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
        c = come("inst-c", **_bearer(s.node, "--name", "c", "--scope",
                                     "write"))
        wait_for("it is told all", lambda: c.config == big)
        s.node.stop()
        equal(c.closed(), 1001, "the node stops")
        s.node.flags = ["--configsync.server", "false"]
        s.node.start()
        url = "ws://%s/sync" % s.node.status()["listen"][0]
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
        for i in range(4):
            a.put("config", {"i": i}, "config")
            wait_for("it is kept", lambda i=i: '"i": %d' % i in open(
                os.path.join(kept, max(os.listdir(kept)))).read())
        wait_for("they are counted", lambda: count() == 3)
        equal(len(os.listdir(kept)), 3, "in the folder")
        equal(len(a.call("versions", file=path)["versions"]), 3, "told")
        a.stop()
        a.start()
        wait_for("still", lambda: count() == 3)


def _port(node):
    return int(node.status()["listen"][0].rsplit(":", 1)[1])


def _tokens(world, name, text, mode=0o600):
    path = world.path(name)
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


def by_tls_it_calls_only_whom_it_can_verify():
    with Scene() as s:
        a, w = s.node, s.world
        url = "wss://localhost:%d/sync" % _port(a)
        pem = os.path.join(a.dir, "web.pem")
        made = json.loads(a.do("token", "create", "--json", "--name", "b",
                               "--scope", "write", "--space", "config"))
        line = "# of a\n\n%s  %s\n" % (url, made["secret"])
        b = w.node("b", "--configsync.peers", url, "--configsync.ca", pem,
                   "--configsync.server", "false", "--configsync.tokens",
                   _tokens(w, "tokens", line))
        b.start()
        a.put("config", LARGE, "config")
        b.waits_for("config", LARGE, "config")
        b.put("config", {"x": 2}, "config")
        a.waits_for("config", {"x": 2}, "config")
        equal(s.status()["callers"], 1, "who has come")
        check(s.status(b)["peers"][0]["compressed"], "what is large")
        trust = ssl.create_default_context(cafile=pem)
        c = Client(s.loop, url, "inst-c", {"x": 0}, ssl=trust, extra_headers={
            "Authorization": "Bearer " + made["secret"]})
        s.things.append(c)
        c.change({"x": 3})
        b.waits_for("config", {"x": 3}, "config")
        # Another's certificate: nobody is called, and nothing is told.
        other = w.node("other").start()
        for name, ca in (("d", os.path.join(other.dir, "web.pem")),
                         ("e", None)):
            d = w.node(name, "--configsync.peers", url, *(
                ("--configsync.ca", ca) if ca else ()),
                "--configsync.server", "false", "--configsync.tokens",
                w.path("tokens"))
            d.start()
            d.put("config", {"x": "theirs"}, "config")
            why = wait_for("it says why",
                           lambda d=d: s.status(d)["peers"][0]["trouble"])
            check("certificate" in why, why)
            d.stop()
        equal(s.status()["callers"], 2, "nobody else has come")
        equal(s.config(), {"x": 3}, "what stands")
        a.do("token", "revoke", "b")
        wait_for("it is told so", lambda: "401" in (
            s.status(b)["peers"][0]["trouble"] or ""))


def a_certificate_of_another_name_is_refused():
    with Scene() as s:
        w = s.world
        cert, key = w.path("cert.pem"), w.path("key.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
             cert, "-days", "9", "-subj", "/CN=localhost", "-addext",
             "subjectAltName=DNS:elsewhere.example"],
            check=True, capture_output=True)
        s.node.stop()
        s.node.flags += ["--tls.cert", cert, "--tls.key", key]
        s.node.start()
        b = w.node("b", "--configsync.peers",
                   "wss://localhost:%d/sync" % _port(s.node),
                   "--configsync.ca", cert, "--configsync.server", "false")
        b.start()
        why = wait_for("it says why",
                       lambda: s.status(b)["peers"][0]["trouble"])
        check("certificate" in why, why)


def a_token_goes_where_it_may_and_nowhere_else():
    with World() as w:
        url = "ws://192.0.2.7:8765/sync"
        for n, (text, mode, word) in enumerate((
                (url + " secret", 0o600, "wss"),
                ("ws://127.0.0.1:1/sync secret", 0o600, "no URL"),
                (url, 0o600, "no token"),
                (url + " secret", 0o644, "others"))):
            a = w.node("a%d" % n, "--configsync.peers", url,
                       "--configsync.tokens",
                       _tokens(w, "tokens%d" % n, text, mode))
            check(a.launch().ends() in (1, 2), "it starts")
            check(word in a.tail(), a.tail())
            check("secret" not in a.tail(), "the token is in the log")


class FileInstance(Client):
    """One whose configuration is a file, which it writes and looks at."""

    def __init__(self, loop, url, name, path, **options):
        self.path, self.pushed, self.told = path, 0, 0
        with open(path, "rb") as f:
            config = json.load(f)
        super().__init__(loop, url, name, config, **options)
        self.last = md5(config)
        self.watcher = asyncio.run_coroutine_threadsafe(
            self.look(), loop.loop)

    def take(self, said):
        before = self.config
        super().take(said)
        if self.config is not before:
            self.told += 1
            self.last = md5(self.config)
            os.rename(self.path, self.path + ".backup")
            with open(self.path, "w", encoding="ascii") as f:
                f.write(json.dumps(self.config, indent=2))
            os.remove(self.path + ".backup")

    async def look(self):
        while True:
            await asyncio.sleep(0.05)
            try:
                with open(self.path, "rb") as f:
                    config = json.load(f)
            except (OSError, ValueError):
                continue
            if md5(config) != self.last:
                self.last, self.config = md5(config), config
                self.pushed += 1
                await self.socket.send(
                    message("config_update", self.name, config))

    def close(self):
        self.watcher.cancel()
        super().close()


def a_bound_file_and_an_instance_that_has_the_same_file():
    """Both write it and both look at it: whoever edits it, all agree, and
    then it is quiet."""
    with World() as w:
        loop = instance.Loop()
        etc = w.path("etc")
        os.mkdir(etc)
        path = os.path.join(etc, "config.json")
        with open(path, "w", encoding="ascii") as f:
            f.write(json.dumps({"x": 0, "deep": {"list": [1, 2]}}, indent=2))
        a, b = w.mesh("a", "b", flags=[
            "--files.root", etc, "--configsync.server", "true",
            "--configsync.port", "0"])
        a.do("bind", path, "--space", "config", "--key", "config")
        a.waits_for("config", {"x": 0, "deep": {"list": [1, 2]}}, "config")
        url = "ws://127.0.0.1:%d/sync" % a.call("configsync")["server_port"]
        same = FileInstance(loop, url, "inst-same", path)
        other = Client(loop, url, "inst-other", {"x": "old"})

        def all_hold(config):
            for n in (a, b):
                n.waits_for("config", config, "config")
            wait_for("the others hold it", lambda: other.config == config)
            wait_for("the file says it",
                     lambda: _file(path) == config and same.last ==
                     md5(config))
            return quiet()  # what it has yet to read would be an edit of now

        def quiet():
            """What is said and written from here on is what is done."""
            before = None
            while True:
                said = a.call("configsync")
                now = [said["messages"], said["updates"], same.pushed,
                       same.told, os.stat(path).st_mtime_ns,
                       a.call("get", space="config", key="config")["stamp"]]
                if now == before:
                    return now
                before = now
                time.sleep(0.5)  # nothing can be awaited that must not come
        before = all_hold({"x": 0, "deep": {"list": [1, 2]}})
        with open(path + ".new", "w", encoding="ascii") as f:  # by hand
            f.write(json.dumps({"x": 1, "deep": {"list": [1]}}, indent=2))
        os.rename(path + ".new", path)
        all_hold({"x": 1, "deep": {"list": [1]}})
        b.put("config", {"x": 2}, "config")
        all_hold({"x": 2})
        other.change({"x": 3, "y": "\u00f1"})
        after = all_hold({"x": 3, "y": "\u00f1"})
        taken = after[0]["taken"] - before[0]["taken"]
        sent = after[0]["sent"] - before[0]["sent"]
        check(taken <= 4 and sent <= 6, "messages: %s, then %s" % (
            before, after))
        check(after[1]["applied"] - before[1]["applied"] <= 2, after)
        equal(a.call("conflicts", space="config")["conflicts"], [],
              "conflicts")
        for one in (same, other):
            one.close()
        loop.close()


def _file(path):
    try:
        with open(path, "rb") as f:
            return json.load(f)
    except (OSError, ValueError):
        return None


LARGE = {"k%d" % i: {"n": i * i, "text": "some text of %d" % i}
         for i in range(4000)}


class Counting:
    """Passes bytes on to a port and counts them."""

    def __init__(self, port):
        self.port, self.bytes = port, 0
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = "ws://127.0.0.1:%d/sync" % self.server.getsockname()[1]
        threading.Thread(target=self.come, daemon=True).start()

    def come(self):
        while True:
            try:
                near = self.server.accept()[0]
                far = socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                return
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self.carry, args=pair,
                                 daemon=True).start()

    def carry(self, source, to):
        try:
            while True:
                data = source.recv(65536)
                self.bytes += len(data)
                if not data:
                    break
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.server.close()


def between_synclines_what_is_large_goes_compressed():
    with Scene() as s:
        size = len(json.dumps(LARGE))
        s.node.put("config", LARGE, "config")
        sizes = []
        for name, flag in (("b", "synclines"), ("c", "none")):
            count = Counting(s.port())
            s.things.append(count)
            b = s.world.node(name, "--configsync.peers", count.url,
                             "--configsync.server", "false",
                             "--configsync.compress", flag)
            b.start()
            b.waits_for("config", LARGE, "config")
            equal(s.status(b)["peers"][0]["compressed"], flag != "none",
                  "what the status says")
            sizes.append(count.bytes)
            LARGE["k1"] = name
            b.put("config", LARGE, "config")
            s.node.waits_for("config", LARGE, "config")
            b.stop()
        check(sizes[0] < size / 2 and sizes[1] >= size,
              "bytes: %s of %d" % (sizes, size))


def who_offers_to_compress_is_answered_so():
    with Scene() as s:
        s.node.put("config", LARGE, "config")
        plain = s.client("inst-a", {"x": 0})
        equal(plain.socket.extensions, [], "of one that offers nothing")
        packed = s.client("inst-b", {"x": 0}, compression="deflate")
        check(packed.socket.extensions, "of one that offers")
        for one in (plain, packed):
            wait_for("it holds it", lambda one=one: one.config == LARGE)
        packed.change(dict(LARGE, by="b"))
        wait_for("the other, too", lambda: plain.config.get("by") == "b")
        s.node.waits_for("config", dict(LARGE, by="b"), "config")


def a_hub_is_offered_it_by_our_own_name_unless_told():
    with Scene(serves=False) as s:
        hub = s.hub(compression="deflate")
        for flag, offer, agreed in (
                ("synclines", "x-syncline-deflate", False),
                ("all", "x-syncline-deflate, permessage-deflate; "
                 "server_no_context_takeover; client_no_context_takeover",
                 True), ("none", None, False)):
            s.node.stop()
            s.node.flags = ["--configsync.peers", hub.url,
                            "--configsync.compress", flag]
            s.node.start()
            wait_for("it has come",
                     lambda: s.status()["peers"][0]["connected"])
            hub.next("config_request")
            equal(hub.greetings[-1].get("Sec-WebSocket-Extensions"), offer,
                  "what is offered")
            equal(s.status()["peers"][0]["compressed"], agreed, flag)
            a = Client(s.loop, hub.url, "inst-a", {"x": 0})
            s.node.put("config", dict(LARGE, flag=flag), "config")
            wait_for("it is told", lambda a=a, flag=flag:
                     a.config.get("flag") == flag)
            a.change(dict(LARGE, flag=flag + " back"))
            s.node.waits_for("config", dict(LARGE, flag=flag + " back"),
                             "config")
            a.close()


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
    sys.exit(main(globals()))
