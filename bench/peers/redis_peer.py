"""Redis and its replica. Only one of the two takes writes."""

import os
import socket
import time

from harness import Proxy
from peer import CHANGED, Failed, Peer, free_port, needs, wait_for


def ask(port, line):
    """One command, said as to a person; the first line of its answer, or the
    value."""
    with socket.create_connection(("127.0.0.1", port)) as s:
        f = s.makefile("rwb")
        f.write(line.encode() + b"\r\n")
        f.flush()
        answer = f.readline().strip().decode()
        if answer[:1] == "$" and answer != "$-1":
            return f.readline().strip().decode()
        return answer


class Redis(Peer):
    NAME = "Redis replication"
    SETTINGS = ("one takes writes; append-only file, synced once a second; "
                "the replica restarts from a snapshot; no TLS")
    FSYNC = "everysec"

    def missing(self):
        return needs({"redis-server": "redis-server"}, built={
            self.built("peer_redis"): "libhiredis-dev"})

    def server(self, running, name, port):
        folder = self.path(name)
        os.makedirs(folder, exist_ok=True)
        program = self.run(
            running, name, "redis-server", "--port", str(port), "--bind",
            "127.0.0.1", "--dir", folder, "--appendonly", "yes",
            "--appendfsync", self.FSYNC, "--repl-diskless-sync", "yes",
            "--repl-diskless-sync-delay", "0", "--repl-diskless-load",
            "on-empty-db", "--save", "3600 1")
        return program.answers(port)

    def follow(self, b, a):
        ask(b, "REPLICAOF 127.0.0.1 %d" % a)
        wait_for("the replica follows", lambda: self.is_following(b))

    @staticmethod
    def is_following(port):
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.sendall(b"INFO replication\r\n")
            return b"master_link_status:up" in s.recv(65536)

    def two(self, running):
        a, b = free_port("127.0.0.1"), free_port("127.0.0.1")
        self.server(running, "a", a)
        self.server(running, "b", b)
        self.follow(b, a)
        return a, b

    def propagation(self, n, rate):
        with self.scene() as running:
            a, b = self.two(running)
            self.bench.program("peer_redis", "paced", a, b, 100, rate)
            return self.bench.program("peer_redis", "paced", a, b, n, rate)

    def writes(self, n):
        with self.scene() as running:
            a, _ = self.two(running)
            return self.bench.program("peer_redis", "write", a, n)

    def sync(self, n):
        with self.scene() as running:
            a, b, known = (free_port("127.0.0.1") for _ in range(3))
            at_a = self.server(running, "a", a)
            at_b = self.server(running, "b", b)
            proxy = Proxy(self.bench, Lives(known, a))
            running.append(proxy)
            self.bench.program("peer_redis", "fill", a, n)
            started = time.monotonic()
            ask(b, "REPLICAOF 127.0.0.1 %d" % known)
            seen = self.converge(a, b, n - 1)
            result = {"items": n, "first_s": seen - started,
                      "first_bytes": proxy.bytes(),
                      "rss_mb": self.memory(at_a, at_b)}
            result.update(self.reconnect(a, b, known, at_b, proxy, n))
            return result

    def reconnect(self, a, b, known, at_b, proxy, n):
        if ask(b, "SAVE") != "+OK":
            raise Failed("the replica cannot be saved")
        at_b.stop()
        self.bench.program("peer_redis", "touch", a, CHANGED, n)
        proxy.bytes()
        started = time.monotonic()
        # An append-only file does not say how far it was: all would come.
        at_b.command += ["--appendonly", "no",
                         "--replicaof", "127.0.0.1 %d" % known]
        at_b.start()
        seen = self.converge(a, b, n // CHANGED * (CHANGED - 1))
        return {"reconnect_s": seen - started,
                "reconnect_bytes": proxy.bytes()}

    @staticmethod
    def converge(a, b, key):
        want = ask(a, "GET item/%08d" % key)

        def is_there():
            try:
                return ask(b, "GET item/%08d" % key) == want
            except OSError:
                return False
        wait_for("it arrives", is_there)
        return time.monotonic()


class RedisSynced(Redis):
    NAME = "Redis, always synced"
    SETTINGS = ("the same, with a write acknowledged when it is synced to "
                "the first one's disk")
    FSYNC = "always"


class Lives:
    """As the proxy wants it."""

    def __init__(self, known, port):
        self.known, self.lives = ("127.0.0.1:%d" % p for p in (known, port))
