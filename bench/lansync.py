"""How many requests a second a LAN-sync server answers: Syncline, and beside it
the same exchange by the least server that plain Python makes."""

import os
import subprocess
import sys

SECRET = "bench-secret"
HERE = os.path.dirname(os.path.abspath(__file__))
KIB = 1024
# (clients, bytes of a request, and of what comes back)
ROWS = [(1, KIB), (10, KIB), (100, KIB), (10, 100 * KIB), (10, KIB * KIB),
        (4, 10 * KIB * KIB)]


class Plain:
    """The server in Python."""

    def __init__(self, size):
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "lan_server.py"), str(size),
             SECRET], stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def cpu_s(self):
        with open("/proc/%d/schedstat" % self.process.pid) as f:
            return int(f.read().split()[0]) / 1e9

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
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
    server = Plain(size)
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
            "--lansync.port", str(port), "--lansync.secret_file", secret]


def ours(bench, node, port, clients, size, seconds):
    node.control.call("put", space="lan", key="one", value={"x": "x" * size})
    return load(bench, node, port, clients, size, seconds)


def name(clients, size):
    return "%d of %s" % (clients, "%d KiB" % (size // KIB) if size < KIB * KIB
                         else "%d MiB" % (size // KIB // KIB))


def rows(result):
    """(what, Python, Syncline)"""
    for clients, size in ROWS:
        each = result.get(name(clients, size))
        if not each:
            continue
        a, b = each["plain"], each["ours"]
        what = "LAN sync, %s at once: requests a second" % name(clients, size)
        yield (what, "%.0f" % a["per_second"], "%.0f (%.1f times)" % (
            b["per_second"], b["per_second"] / max(a["per_second"], 1e-9)))
        yield ("the same, processor of the server, us a request",
               "%.0f" % a["cpu_us"], "%.0f" % b["cpu_us"])
