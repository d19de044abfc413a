"""How many requests a second a LAN-sync server answers: a node, which looks the
item up, a program by syncline_lan.h, and beside them the least server that
plain Python makes, which both have their answer at hand."""

import os
import subprocess
import sys

SECRET = "bench-secret"
HERE = os.path.dirname(os.path.abspath(__file__))
KIB = 1024
# (clients, bytes of a request, and of what comes back)
ROWS = [(1, KIB), (10, KIB), (100, KIB), (10, 100 * KIB), (10, KIB * KIB),
        (4, 10 * KIB * KIB)]


class Server:
    """A program that says at which port it serves."""

    def __init__(self, *command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def cpu_s(self):
        total, tasks = 0, "/proc/%d/task" % self.process.pid
        for task in os.listdir(tasks):
            with open(os.path.join(tasks, task, "schedstat")) as f:
                total += int(f.read().split()[0])
        return total / 1e9

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdin.close()
        self.process.stdout.close()


def load(bench, server, port, clients, size, seconds):
    before = server.cpu_s()
    said = bench.program("lan", "127.0.0.1", port, SECRET, clients, size,
                         seconds)
    # Of all, and what is counted leaves out the first half second.
    whole = (seconds + 0.5) / seconds * max(said["answers"], 1)
    said["cpu_us"] = round((server.cpu_s() - before) / whole * 1e6, 1)
    return said


def plain(bench, clients, size, seconds):
    return by(Server(sys.executable, os.path.join(HERE, "lan_server.py"),
                     str(size), SECRET), bench, clients, size, seconds)


def library(bench, clients, size, seconds):
    return by(Server(os.path.join(bench.programs, "lan_library"), str(size),
                     SECRET), bench, clients, size, seconds)


def by(server, bench, clients, size, seconds):
    try:
        return load(bench, server, server.port, clients, size, seconds)
    finally:
        server.stop()


def flags(folder, port):
    """Of a node that is such a server."""
    secret = os.path.join(folder, "secret")
    with open(os.open(secret, os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
        f.write(SECRET)
    return ["--lansync.enabled", "true", "--lansync.discovery", "false",
            "--lansync.port", str(port), "--lansync.secret_file", secret,
            "--lansync.rate", "0"]


def by_node(bench, node, port, clients, size, seconds):
    node.control.call("put", space="lan", key="one", value={"x": "x" * size})
    return load(bench, node, port, clients, size, seconds)


def name(clients, size):
    return "%d of %s" % (clients, "%d KiB" % (size // KIB) if size < KIB * KIB
                         else "%d MiB" % (size // KIB // KIB))


def rows(result):
    """(what, Python, ours)"""
    for clients, size in ROWS:
        each = result.get(name(clients, size))
        if not each:
            continue
        for which in ("library", "node"):
            yield from compared(
                "LAN sync, %s at once, %s" % (name(clients, size), which),
                each["plain"], each[which])


def compared(what, a, b):
    yield (what + ": requests a second", "%.0f" % a["per_second"],
           "%.0f (%.1f times)" % (
               b["per_second"], b["per_second"] / max(a["per_second"], 1e-9)))
    yield ("processor of the server, us a request",
           "%.0f" % a["cpu_us"], "%.0f (%.2f)" % (
               b["cpu_us"], b["cpu_us"] / max(a["cpu_us"], 1e-9)))
