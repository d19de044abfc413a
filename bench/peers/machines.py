"""Two node programs that are the two machines, where the system is a library
of such: they do what bench/peers/common.mjs says."""

import json
import os
import select
import subprocess
import time
from types import SimpleNamespace

from harness import PATIENCE, Proxy
from peer import CHANGED, HERE, Failed, Peer, Program, free_port, needs

ITEM = "item/%08d"


class Machine(Program):
    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=log, bufsize=0)
        return self

    def tell(self, op, **args):
        line = json.dumps(dict(args, op=op)) + "\n"
        self.process.stdin.write(line.encode())

    def hear(self):
        if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
            raise Failed("%s does not answer" % self.command[1])
        line = self.process.stdout.readline()
        if not line:
            self.process.wait(30)
            self.is_up()
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def ask(self, op, **args):
        self.tell(op, **args)
        return self.hear()

    def stop(self):
        super().stop()
        self.process.stdin.close()
        self.process.stdout.close()


class Machines(Peer):
    DRIVER = ""  # of this folder
    MODULES = ()
    BATCH = 1000  # writes at a time

    def missing(self):
        return needs({"node": "nodejs"}, self.MODULES)

    def machine(self, running, name):
        os.makedirs(self.path(name))
        m = Machine(self.path(name + ".log"), "node",
                    os.path.join(HERE, self.DRIVER), self.path(name))
        running.append(m)
        m.start().ask("rest")
        return m

    def two(self, running):
        a, b = self.machine(running, "a"), self.machine(running, "b")
        b.ask("join", **a.ask("listen"))
        self.paced(a, b, 0, 100, 200)  # warm
        return a, b

    @staticmethod
    def paced(a, b, first, n, rate):
        b.ask("watch")
        b.tell("seen", n=n)
        a.ask("paced", **{"from": first, "n": n, "rate": rate})
        return b.hear()

    def propagation(self, n, rate):
        with self.scene() as running:
            a, b = self.two(running)
            return self.paced(a, b, 100, n, rate)

    def writes(self, n):
        with self.scene() as running:
            a, b = self.two(running)
            b.tell("has", key=ITEM % (n + 99))
            wrote = a.ask("write", first=100, n=n, step=1, batch=self.BATCH)
            seen = b.hear()
            self.check(seen, n + 100)
            return {"per_second": n / (seen["seen_s"] - wrote["started_s"])}

    def sync(self, n):
        with self.scene() as running:
            a, b = self.machine(running, "a"), self.machine(running, "b")
            at, proxy = self.between(a.ask("listen"))
            running.append(proxy)
            a.ask("write", first=0, n=n, step=1, batch=self.BATCH)
            a.ask("rest")
            started = time.monotonic()
            seen = self.converge(a, b, at, n - 1, n)
            result = {"items": n, "first_s": seen - started,
                      "first_bytes": proxy.bytes()}
            b.ask("rest")
            result["rss_mb"] = self.memory(a, b)
            result.update(self.reconnect(a, b, at, proxy, n))
            return result

    def between(self, at):
        """Where who joins is to go, and what counts the bytes there."""
        known = free_port("127.0.0.1")
        proxy = Proxy(self.bench, SimpleNamespace(
            known="127.0.0.1:%d" % known,
            lives="127.0.0.1:%d" % at["port"]))
        return dict(at, port=known), proxy

    def reconnect(self, a, b, at, proxy, n):
        b.stop()
        step = n // CHANGED
        a.ask("write", first=0, n=CHANGED, step=step, batch=1, again=True)
        a.ask("rest")
        proxy.bytes()
        started = time.monotonic()
        b.start()
        seen = self.converge(a, b, at, step * (CHANGED - 1), n)
        return {"reconnect_s": seen - started,
                "reconnect_bytes": proxy.bytes()}

    def converge(self, a, b, at, key, n):
        """Returns when b has what a has in that item."""
        b.tell("join", **at)
        want = a.ask("at", key=ITEM % key)["at"]
        b.hear()
        seen = b.ask("has", key=ITEM % key, at=want)
        self.check(seen, n)
        return seen["seen_s"]

    @staticmethod
    def check(seen, n):
        if seen["items"] != n:
            raise Failed("it has %d items, not %d" % (seen["items"], n))
