#!/usr/bin/python3
"""What iSync must not be made to reach, show or lose: lists of nodes that lead
inwards or do not end, secrets in whatever is told, markup in pages, files when
the program is killed or the disk is full."""

import contextlib
import gzip
import http.client
import http.server
import json
import os
import random
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))

from full_test import Disk
from isync_raw import Raw, register, sealed_state, without_long
from isync_scene import TOKEN, Lists, Scene, item, shows
from lan import Lan
from node import World, main, wait_for
from tap import check, equal, holds


def _port(s):
    return s.nodes["a"].call("isync")["port"]


class Server:
    """Counts who asks; answers by its path."""

    def __init__(self, stack, address, pages):
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.asked.append(self.path)
                status, fields, body = server.pages.get(
                    self.path, (404, {}, b""))
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):
                    for piece in [body] if isinstance(body, bytes) else body:
                        self.wfile.write(piece)

            def log_message(self, *_):
                pass

        self.asked, self.pages = [], pages
        made = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.url = "http://%s:%d" % (address, made.server_address[1])
        threading.Thread(target=made.serve_forever, daemon=True).start()
        stack.callback(made.server_close)
        stack.callback(made.shutdown)


def lists_from_elsewhere_lead_to_nothing_of_this_machine():
    with Lan("a", "web") as lan, World() as w, contextlib.ExitStack() as stack:
        with lan.within("a"):
            inner = Server(stack, "127.0.0.1", {"/": (200, {}, b"[]")})
        with lan.within("web"):
            web = Server(stack, lan.address("web"), {})
        port = int(inner.url.rsplit(":", 1)[1])
        hosts = ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1",
                 "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254",
                 lan.address("web")]
        web.pages = {
            "/in": (302, {"Location": inner.url + "/"}, b""),
            "/list": (200, {}, json.dumps([
                {"name": str(i), "verified": True,
                 "url": "http://%s:%d" % (host, port)}
                for i, host in enumerate(hosts)]).encode())}
        for path in ("/in", "/list"):
            node = w.node("a" + path[1:], "--isync.enabled", "true",
                          "--isync.server", "false", "--isync.max_peers", "16",
                          "--isync.discovery_url", web.url + path,
                          prefix=lan.inside("a"), listen=lan.listen("a"))
            node.start()
            told = wait_for("it is fetched", lambda n=node: [
                d for d in [n.call("isync")["discovery"]]
                if d["trouble"] or d["fetched"]])[0]
            if path == "/in":
                holds(told["trouble"], "further inside")
            else:
                wait_for("the one that may be is called", lambda n=node: [
                    p for p in n.call("isync")["peers"] if p["trouble"]])
                equal([p["url"] for p in node.call("isync")["peers"]],
                      ["http://%s:%d" % (lan.address("web"), port)], "called")
            node.stop()
        equal(inner.asked, [], "asked of what is inside")


def _hosts(w, lines):
    """What runs a command where names mean that."""
    path = w.path("hosts")
    with open(path, "w") as f:
        f.write("127.0.0.1 localhost\n" + "\n".join(lines) + "\n")
    return ["unshare", "-m", "sh", "-c",
            'mount --bind "$0" /etc/hosts && exec "$@"', path]


def names_of_a_list_lead_to_nothing_of_this_machine():
    """Whatever they mean when they are called."""
    with Lan("a", "web") as lan, World() as w, contextlib.ExitStack() as stack:
        with lan.within("a"):
            inner = Server(stack, "127.0.0.1", {"/": (200, {}, b"[]")})
        with lan.within("web"):
            web = Server(stack, lan.address("web"), {})
        port = int(inner.url.rsplit(":", 1)[1])
        web.pages = {"/list": (200, {}, json.dumps([
            {"name": name, "url": "http://%s.test:%d" % (name, port)}
            for name in ("four", "six", "link", "both", "web")]).encode())}
        node = w.node(
            "a", "--isync.enabled", "true", "--isync.server", "false",
            "--isync.max_peers", "16", "--isync.dial_max", "1s",
            "--isync.discovery_url", web.url + "/list",
            prefix=lan.inside("a") + _hosts(w, [
                "127.0.0.1 four.test", "::1 six.test",
                "169.254.169.254 link.test", "127.0.0.9 both.test",
                "0.0.0.0 both.test", lan.address("web") + " web.test"]),
            listen=lan.listen("a"))
        node.start()
        told = wait_for("all were tried", lambda: (
            lambda peers: len(peers) == 5 and
            all(p["trouble"] for p in peers) and peers)(
                node.call("isync")["peers"]))
        for p in told:
            equal("nothing of this machine" in p["trouble"],
                  "web.test" not in p["url"], p)
        node.do("isync", "connect", "http://four.test:%d" % port)
        wait_for("who is named is called", lambda: inner.asked)
        node.stop()


def names_that_mean_us_are_ourselves():
    """Nothing is said to ourselves to find it out."""
    with Lan("a") as lan, World() as w:
        node = w.node(
            "a", "--isync.enabled", "true", "--isync.port", "0",
            "--isync.bind", "0.0.0.0", "--isync.clear", "true",
            "--isync.max_peers", "8",
            prefix=lan.inside("a") + _hosts(w, [
                "127.0.0.5 one.test", lan.address("a") + " two.test"]),
            listen=lan.listen("a")).start()
        port = node.call("isync")["port"]
        urls = ["http://%s:%d" % (host, port) for host in (
            "one.test", "two.test", "localhost", lan.address("a"), "0.0.0.0")]
        other = "http://one.test:%d" % (port - 1 if port > 2000 else port + 1)
        for url in urls + [other]:
            node.do("isync", "connect", url)
        wait_for("they are known", lambda: sorted(
            p["url"] for p in node.call("isync")["peers"]
            if (p["state"], p["trouble"]) == ("ourselves", "it is ourselves")
        ) == sorted(urls))
        wait_for("another port is called", lambda: [
            p for p in node.call("isync")["peers"]
            if p["url"] == other and "refused" in (p["trouble"] or "")])
        with open(node.log) as log:
            text = log.read()
        for url in urls:
            equal(text.count(url + ": it is ourselves"), 1, "said once")
        check("connected:" not in text, "it has spoken with itself")
        node.stop()


def lists_have_an_end():
    """Of their bytes, whatever they are packed in, and of their entries."""
    def endless():
        while True:
            yield b" " * 65536

    one = {"name": "\x1b[2J\n\x07", "url": "http://127.0.0.1:9/\x1b"}
    packed = gzip.compress(b"[" + b" " * (64 << 20) + b"]")
    with Scene() as s:
        lists = Lists(s.stack)
        server = Server(s.stack, "127.0.0.1", {
            "/endless": (200, {}, endless()),
            "/packed": (200, {"Content-Encoding": "gzip"}, packed),
            "/long": (200, {"Content-Length": str(1 << 40)}, b"[]"),
            "/many": (200, {}, json.dumps([one] * 10000 + [
                dict(one, url="http://127.0.0.1:9", name="\u202e")]).encode()),
            "/loop": (302, {"Location": "/loop"}, b""),
            "/deep": (200, {}, b"[" * 100000 + b"]" * 100000)})
        del lists
        for i, path in enumerate(sorted(server.pages)):
            node = s.node("n%d" % i, "--isync.discovery_url",
                          server.url + path)
            node.start()
            told = wait_for("it is over", lambda n=node: [
                d for d in [n.call("isync")["discovery"]]
                if d["trouble"] or d["fetched"]])[0]
            equal(bool(told["trouble"]), path != "/many", path)
            check(server.asked.count(path) <= 4, "asked again and again")
            with open(node.log) as log:
                check(not re.search("[\x00-\x08\x0b-\x1f\u202e]", log.read()),
                      "what others say is in the log as it is")
            node.stop()


def a_password_in_a_list_s_url_is_not_shown():
    with Scene() as s:
        for name, flag, url in (
                ("b", "--isync.discovery_url", "http://u:hunter2@h/l.json"),
                ("c", "--isync.peers", "http://u:hunter2@h:1"),
                ("d", "--isync.peers", "ftp://u:hunter2@h:1")):
            node = s.node(name, flag, url)
            check(node.launch().ends() != 0, "it is refused")
            holds(node.tail(), flag[2:])
            check("hunter2" not in node.tail(), "it is said again")


def secrets_are_told_nobody():
    """Neither the token, nor its key, nor values: in no log, status, figure,
    page or file but its own, and these are nobody else's."""
    with Scene(flags=["--isync.pages", "local", "--isync.clear", "true",
                      "--log.level", "debug"]) as s:
        node, old = s.nodes["a"], s.old("old")
        old.do("dial", url=s.url())
        old.put(treasure="v4lue-of-it")
        shows(node, treasure="v4lue-of-it")
        wait_for("it is kept", lambda: os.path.exists(
            os.path.join(node.dir, "isync.json")))
        told = [node.do(*args) for args in (
            ["isync"], ["peers"], ["status"], ["status", "--json"], ["doctor"],
            ["config"], ["audit"])]
        told.append(json.dumps(node.call("isync")))
        told.append(json.dumps(node.call("errors")))
        page = s.stack.enter_context(contextlib.closing(
            http.client.HTTPConnection(s.url()[7:], timeout=30)))
        for path in ("/", "/peers", "/config", "/isync", "/isync/config",
                     "/api/stats", "/api/isync/status",
                     "/config/edit/max_peers"):
            page.request("GET", path)
            answer = page.getresponse()
            equal(answer.status, 200, path)
            told.append(answer.read().decode())
        with open(os.path.join(node.dir, "token")) as f:
            token = f.read().strip()
        host, _, port = node.status()["listen"][0].rpartition(":")
        with contextlib.closing(http.client.HTTPConnection(
                host, int(port), timeout=20)) as c:
            c.request("GET", "/metrics",
                      headers={"Authorization": "Bearer " + token})
            told.append(c.getresponse().read().decode())
        with open(node.log) as log:
            told.append(log.read())
        key = "6lrdV0N8vyCvWQNNftF5aNzFZ2e0GWX8xbN21F24tKM"
        for secret in (TOKEN, key, "v4lue-of-it", token):
            for text in told:
                check(secret not in text, "%s is in: %.300s" % (secret, text))
        for name in os.listdir(node.dir):
            path = os.path.join(node.dir, name)
            mode = os.lstat(path).st_mode
            check(mode & 0o077 == 0, "%s: mode %o" % (name, mode))
            if os.path.isfile(path) and name != "isync.token":
                with open(path, "rb") as f:
                    data = f.read()
                check(TOKEN.encode() not in data and key.encode() not in data,
                      "the token is in " + name)


def what_peers_say_is_text_in_pages():
    bad = '"><script>alert(1)</script>\'&'
    with Scene(flags=["--isync.pages", "local"]) as s:
        node = s.nodes["a"]
        named = s.old(bad)
        node.do("isync", "connect", "http://127.0.0.1:%d" % named.do("serve"))
        angry = Server(s.stack, "127.0.0.1", {})
        node.do("isync", "connect", angry.url + "/%22><script>x</script>/")
        angry.pages["/%22><script>x</script>/"] = (200, {}, bad.encode())
        with Raw(_port(s), bad).stays():
            wait_for("they are known", lambda: sum(
                p["node_id"] == bad or bool(p["trouble"])
                for p in node.call("isync")["peers"]) >= 2 and [
                    x for x in node.call("isync")["links"]
                    if x["node_id"] == bad])
            page = s.stack.enter_context(contextlib.closing(
                http.client.HTTPConnection(s.url()[7:], timeout=30)))
            for path in ("/", "/peers", "/config", "/isync", "/isync/config",
                         "/" + bad.replace(" ", ""), "/config/edit/<script>"):
                page.request("GET", path)
                answer = page.getresponse()
                text = answer.read().decode()
                check("<script" not in text, "%s: %s" % (path, text))
                if answer.status == 200:
                    holds(answer.getheader("Content-Security-Policy"),
                          "default-src 'none'", "frame-ancestors 'none'")


def what_is_kept_outlives_any_kill():
    """At any moment of a save: it starts again, and knows who wrote what."""
    draw = random.Random(int(os.environ.get("SYNCLINE_SEED", "1")))
    turns = int(os.environ.get("KILLS", "2"))
    with Scene() as s:
        node = s.nodes["a"]
        filler = {"config.fill._id.f%d" % i: register("x" * 500)
                  for i in range(200)}
        for turn in range(1, turns + 1):
            with Raw(_port(s)).stays() as peer:
                stamp = time.time()
                peer.say(sealed_state(dict(filler, **{
                    "config._id.turn": register(turn, stamp)})))
                wait_for("it came",
                         lambda t=turn: (item(node) or {}).get("turn") == t)
                time.sleep(draw.random() * 1.3)
            node.kill()
            node.start()
            equal(item(node)["turn"], turn, "what was written")
        late = s.old("late")
        late.do("dial", url=s.url())
        wait_for("it has all", lambda: len(late.do("values")) == 201)
        equal(late.do("state")["lww_registers"]["config._id.turn"],
              register(turns, stamp), "who wrote it, and when")


def a_full_disk_loses_nothing_that_is_there():
    """It is told of; what comes meanwhile is kept once there is room."""
    with Scene(token="") as s:
        s.nodes["a"].stop()
        node = s.world.node("full", *s.flags, "--isync.token", TOKEN)
        with Disk(node) as disk:
            s.nodes["a"] = node.start()
            old = s.old("old", eager=True)
            old.do("dial", url=s.url())
            old.put(a=1)
            shows(node, a=1)
            path = os.path.join(node.dir, "isync.json")
            wait_for("it is kept", lambda: os.path.exists(path) and
                     '"config._id.a"' in open(path).read())
            disk.fill(0)
            old.put(b="x" * 200000)
            wait_for("it is told", lambda: "kept" in (
                node.call("isync")["trouble"] or ""))
            check('"config._id.a"' in open(path).read(), "what was kept is")
            disk.empty()
            node.stop()
            node.start()
            late = s.old("late")
            late.do("dial", url=s.url())
            wait_for("all of it is there",
                     lambda: len(late.do("values")) == 2)
            shows(node, 60, a=1, b="x" * 200000)
            node.stop()


if __name__ == "__main__":
    sys.exit(main(without_long(globals(), "lists_have_an_end",
                               "a_full_disk_loses_nothing_that_is_there")))
