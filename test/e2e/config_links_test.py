#!/usr/bin/python3
"""How config-sync reaches others: by TLS, with a token, compressed; and an
instance beside a bound file."""

import asyncio
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time

import instance
from configsync_test import Scene
from instance import Client, md5, message
from node import World, main, wait_for
from tap import check, equal


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
                            "--configsync.server", "false",
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


if __name__ == "__main__":
    sys.exit(main(globals()))
