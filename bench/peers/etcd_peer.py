"""etcd: three servers that all have a vote, since two agree on nothing if one
is away; for a first sync a second one that learns from the first and has none.
Servers are asked by their JSON gateway, and loaded by npm's client."""

import base64
import json
import os
import subprocess
import time
import urllib.request
from types import SimpleNamespace

from harness import PATIENCE, Proxy
from peer import CHANGED, HERE, Failed, Peer, free_port, needs, wait_for

URL = "http://127.0.0.1:%d"
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(port, path, **body):
    request = urllib.request.Request(
        URL % port + "/v3/" + path, json.dumps(body).encode(),
        {"Content-Type": "application/json"})
    with OPENER.open(request, timeout=PATIENCE) as answer:
        return json.load(answer)


def try_ask(port, path, **body):
    try:
        return ask(port, path, **body)
    except OSError:
        return {}


def text(key):
    return base64.b64encode(key.encode()).decode()


def drive(*args):
    done = subprocess.run(
        ["node", os.path.join(HERE, "etcd.mjs")] + [str(a) for a in args],
        stdout=subprocess.PIPE, check=False, timeout=PATIENCE)
    if done.returncode != 0:
        raise Failed("etcd.mjs %s failed" % " ".join(map(str, args)))
    return json.loads(done.stdout)


class Server:
    """The others know it as the proxy's, where one is between."""

    def __init__(self, name, relayed=False):
        self.name, self.program = name, None
        self.port, lives = free_port("127.0.0.1"), free_port("127.0.0.1")
        known = free_port("127.0.0.1") if relayed else lives
        self.lives, self.known = URL % lives, URL % known
        self.route = SimpleNamespace(known=self.known[7:],
                                     lives=self.lives[7:])

    def leads(self):
        status = try_ask(self.port, "maintenance/status")
        return status and status.get("leader") == \
            status["header"]["member_id"]


class Etcd(Peer):
    NAME = "etcd"
    SETTINGS = ("three servers, one leads and is written to, in transactions "
                "of 100; a write is synced to disk at two of them; first "
                "sync: a server that learns from one; no TLS; npm's client")

    def missing(self):
        return needs({"etcd": "etcd-server", "node": "nodejs"}, ("etcd3",))

    def start(self, running, server, members, state="new"):
        server.program = self.run(
            running, server.name, "etcd", "--name", server.name,
            "--data-dir", self.path(server.name),
            "--listen-client-urls", URL % server.port,
            "--advertise-client-urls", URL % server.port,
            "--listen-peer-urls", server.lives,
            "--initial-advertise-peer-urls", server.known,
            "--initial-cluster",
            ",".join("%s=%s" % (m.name, m.known) for m in members),
            "--initial-cluster-state", state,
            "--logger", "zap", "--log-level", "error")

    def cluster(self, running):
        """The port of who leads, and one of the others'."""
        servers = [Server("n%d" % i) for i in range(3)]
        for server in servers:
            self.start(running, server, servers)
        for server in servers:
            server.program.answers(server.port)
        leader = wait_for("one leads", lambda: next(
            (s for s in servers if s.leads()), None), pause=0.05)
        other = next(s for s in servers if s is not leader)
        wait_for("another takes part", lambda: try_ask(
            other.port, "kv/range", key=text("nothing")), pause=0.05)
        return leader.port, other.port

    def propagation(self, n, rate):
        with self.scene() as running:
            return drive("paced", *self.cluster(running), n, rate)

    def writes(self, n):
        with self.scene() as running:
            return drive("write", self.cluster(running)[0], n)

    def sync(self, n):
        with self.scene() as running:
            a = Server("a", relayed=True)
            before_a = self.between(running, a)
            self.start(running, a, [a])
            a.program.answers(a.port)
            wait_for("it leads", a.leads, pause=0.05)
            drive("write", a.port, n)
            b = Server("b", relayed=True)
            before_b = self.between(running, b)
            started = time.monotonic()
            ask(a.port, "cluster/member/add", peerURLs=[b.known],
                isLearner=True)
            self.start(running, b, [a, b], "existing")
            seen = self.converge(a, b, n - 1, n)
            result = {"items": n, "first_s": seen - started,
                      "first_bytes": before_a.bytes() + before_b.bytes(),
                      "rss_mb": self.memory(a.program, b.program)}
            result.update(self.reconnect(a, b, before_a, before_b, n))
            return result

    def between(self, running, server):
        """What counts the bytes that come to it, and what it answers."""
        proxy = Proxy(self.bench, server.route)
        running.append(proxy)
        return proxy

    def reconnect(self, a, b, before_a, before_b, n):
        b.program.stop()
        drive("touch", a.port, CHANGED, n)
        for proxy in (before_a, before_b):
            proxy.bytes()
        started = time.monotonic()
        b.program.start()
        seen = self.converge(a, b, n // CHANGED * (CHANGED - 1), n)
        return {"reconnect_s": seen - started,
                "reconnect_bytes": before_a.bytes() + before_b.bytes()}

    @staticmethod
    def converge(a, b, key, n):
        """Returns when b has, of itself, what a has in that item."""
        wanted = {"key": text("item/%08d" % key), "serializable": True}
        want = ask(a.port, "kv/range", **wanted)["kvs"][0]["value"]

        def is_there():
            b.program.is_up()
            found = try_ask(b.port, "kv/range", **wanted).get("kvs", [{}])
            return found[0].get("value") == want
        wait_for("it arrives", is_there, pause=0.005)
        seen = time.monotonic()
        count = ask(b.port, "kv/range", key=text("item/"),
                    range_end=text("item0"), count_only=True,
                    serializable=True)["count"]
        if int(count) != n:
            raise Failed("it has %s items, not %d" % (count, n))
        return seen
