"""How many requests a second a LAN-sync server answers: a node, which looks the
item up, a program by syncline_lan.h, and beside them the least server that
plain Python makes, which both have their answer at hand.

The server has one core to itself, with all its threads, and who asks another
one, which does not sleep, so that it is the server that is measured and not who
asks it, nor what it costs to wake him. The three take turns, ROUNDS times; what
is told are medians, and the least and largest of the rounds' ratios."""

import os
import statistics
import subprocess
import sys
import time

from harness import end

SECRET = "bench-secret"
HERE = os.path.dirname(os.path.abspath(__file__))
KIB = 1024
# (clients, bytes of a request, and of what comes back)
ROWS = [(1, KIB), (10, KIB), (100, KIB), (10, 100 * KIB), (100, 100 * KIB),
        (10, KIB * KIB), (100, KIB * KIB), (10, 10 * KIB * KIB)]
ROUNDS = 3
CORES = sorted(os.sched_getaffinity(0))


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
        end(self.process)
        self.process.stdin.close()
        self.process.stdout.close()


def run_on(pid, cores):
    """All threads of pid, if there are two cores."""
    if len(CORES) > 1:
        for task in os.listdir("/proc/%d/task" % pid):
            os.sched_setaffinity(int(task), cores)


def load(bench, server, port, clients, size, seconds):
    run_on(server.process.pid, CORES[:1])
    run_on(os.getpid(), CORES[1:2])  # and who is started now
    begun, cpu_s = time.monotonic(), server.cpu_s()
    try:
        said = bench.program("lan", "127.0.0.1", port, SECRET, clients, size,
                             seconds)
    finally:
        run_on(os.getpid(), CORES)
    took_s, cpu_s = time.monotonic() - begun, server.cpu_s() - cpu_s
    # Of all, and what is counted leaves out the first half second.
    whole = (seconds + 0.5) / seconds * max(said["answers"], 1)
    said["cpu_us"] = round(cpu_s / whole * 1e6, 1)
    said["load_busy"] = said["busy"]
    said["busy"] = round(cpu_s / took_s, 2)
    return said


def each_by_turns(measures, turns):
    """{name: measure} -> {name: medians, and the ratios to "plain"}"""
    rounds = {name: [] for name in measures}
    for _ in range(turns):
        for name, measure in measures.items():
            rounds[name].append(measure())
    return {name: medians(said, rounds["plain"])
            for name, said in rounds.items()}


def medians(said, plain):
    out = {key: statistics.median(s[key] for s in said)
           for key in ("per_second", "cpu_us", "busy", "load_busy")}
    ratios = [s["per_second"] / max(p["per_second"], 1e-9)
              for s, p in zip(said, plain)]
    out["ratio"] = statistics.median(ratios)
    out["ratios"] = [min(ratios), max(ratios)]
    return out


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


def by_node(node, port, bench, clients, size, seconds):
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
           "%.0f (%.2f times, %.2f to %.2f)" % (
               b["per_second"], b["ratio"], *b["ratios"]))
    yield ("processor of the server, us a request; its core's part, of who asks",
           "%.0f; %.2f, %.2f" % (a["cpu_us"], a["busy"], a["load_busy"]),
           "%.0f; %.2f, %.2f" % (b["cpu_us"], b["busy"], b["load_busy"]))
