"""NATS KV: three servers that all keep the bucket, since two agree on nothing;
for a first sync a second server that holds a copy, a leaf of the first."""

import time

from harness import Proxy
from peer import CHANGED, Peer, free_port, needs
from redis_peer import Lives

CLUSTER = """listen: "127.0.0.1:%(port)d"
server_name: n%(port)d
jetstream { store_dir: "%(folder)s" }
cluster { name: bench, listen: "127.0.0.1:%(route)d", routes: [%(routes)s] }
"""
HUB = """listen: "127.0.0.1:%(port)d"
server_name: hub
jetstream { store_dir: "%(folder)s", domain: hub }
leafnodes { listen: "127.0.0.1:%(leaf)d", advertise: "127.0.0.1:%(known)d" }
"""
LEAF = """listen: "127.0.0.1:%(port)d"
server_name: leaf
jetstream { store_dir: "%(folder)s", domain: leaf }
leafnodes { remotes: [ { url: "nats-leaf://127.0.0.1:%(known)d" } ] }
"""


class Nats(Peer):
    NAME = "NATS KV"
    SETTINGS = ("three servers, a write is with two; files, synced every two "
                "minutes; first sync: a mirror")

    def missing(self):
        return needs({"nats-server": "nats-server"}, built={
            self.built("peer_nats"): "libnats-dev"})

    def server(self, running, name, text, port):
        with open(self.path(name + ".conf"), "w") as f:
            f.write(text)
        program = self.run(running, name, "nats-server", "-c",
                           self.path(name + ".conf"))
        return program.answers(port)

    def cluster(self, running):
        ports = [free_port("127.0.0.1") for _ in range(6)]
        routes = ", ".join('"nats-route://127.0.0.1:%d"' % p
                           for p in ports[3:])
        for i in range(3):
            self.server(running, "n%d" % i, CLUSTER % {
                "port": ports[i], "route": ports[3 + i], "routes": routes,
                "folder": self.path("n%d" % i)}, ports[i])
        self.bench.program("peer_nats", "make", ports[0], 3)
        return ports[:2]

    def propagation(self, n, rate):
        with self.scene() as running:
            a, b = self.cluster(running)
            self.bench.program("peer_nats", "paced", a, b, 100, rate)
            return self.bench.program("peer_nats", "paced", a, b, n, rate)

    def writes(self, n):
        with self.scene() as running:
            a, _ = self.cluster(running)
            return self.bench.program("peer_nats", "write", a, n)

    def sync(self, n):
        with self.scene() as running:
            a, b, leaf, known = (free_port("127.0.0.1") for _ in range(4))
            at_a = self.server(running, "a", HUB % {
                "port": a, "leaf": leaf, "known": known,
                "folder": self.path("a")}, a)
            proxy = Proxy(self.bench, Lives(known, leaf))
            running.append(proxy)
            at_b = self.server(running, "b", LEAF % {
                "port": b, "known": known, "folder": self.path("b")}, b)
            self.bench.program("peer_nats", "make", a, 1)
            self.bench.program("peer_nats", "write", a, n)
            proxy.bytes()
            started = time.monotonic()
            self.bench.program("peer_nats", "mirror", b, "hub")
            self.bench.program("peer_nats", "has", b, n)
            result = {"items": n, "first_s": time.monotonic() - started,
                      "first_bytes": proxy.bytes(),
                      "rss_mb": self.memory(at_a, at_b)}
            at_b.stop()
            self.bench.program("peer_nats", "touch", a, CHANGED, n)
            last = self.bench.program("peer_nats", "last", a)["last"]
            proxy.bytes()
            started = time.monotonic()
            at_b.start().answers(b)
            self.bench.program("peer_nats", "has", b, n, last)
            result.update(reconnect_s=time.monotonic() - started,
                          reconnect_bytes=proxy.bytes())
            return result
