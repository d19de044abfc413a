"""What every peer has: programs of it that run on loopback, with their data
below one folder, and end when they are told to.

A peer is a class with

  NAME, SETTINGS  of the row in the table, and how sure a write is there
  missing()       None, or what to do so that it can be measured
  propagation(n, rate)  n writes at A, rate a second, to who watches at B:
                  {"seen_us": {"p50": .., "p99": ..}}
  writes(n)       None, or as many a second as both have, by its own acknowledgement:
                  {"per_second": ..}
  sync(n)         B comes and is given n items; then it is stopped, 100 of them
                  are changed at A, and it is started again:
                  {"first_s", "first_bytes", "rss_mb": [A, B],
                   "reconnect_s", "reconnect_bytes"}, or None

Values are those of bench.c: JSON of about 200 bytes with the time of the
write. Bytes are what passes bench/proxy.c between the two."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from harness import Failed, end, free_port, wait_for  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
CHANGED = 100  # of those that B has, while it is away


class Program:
    """Runs until it is stopped; what it says goes to a file."""

    def __init__(self, log, *command, cwd=None):
        self.log, self.command, self.cwd = log, list(command), cwd
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd=self.cwd)
        return self

    def answers(self, port, host="127.0.0.1"):
        """Waits until it takes connections there."""
        wait_for("%s answers" % self.command[0],
                 lambda: self.is_up() and takes(host, port), pause=0.01)
        return self

    def is_up(self):
        if self.process.poll() is None:
            return True
        with open(self.log, errors="replace") as log:
            raise Failed("%s ended: %s" % (
                self.command[0], log.read()[-500:]))

    def stop(self):
        end(self.process)

    def rss_mb(self):
        with open("/proc/%d/status" % self.process.pid) as f:
            for line in f:
                if line.startswith("VmRSS:"):
                    return round(int(line.split()[1]) / 1024, 1)
        return None


def takes(host, port):
    with socket.socket() as s:
        return s.connect_ex((host, port)) == 0


def needs(programs=(), modules=(), built=()):
    """What of it is to be installed; None if all is there. programs: what is
    to be on the path, {name: Debian's package}; modules: of npm; built: of our
    own, {path: what it is built with}."""
    lacks = ["apt-get install " + package
             for program, package in dict(programs).items()
             if shutil.which(program) is None]
    lacks += ["apt-get install %s, and build again" % package
              for path, package in dict(built).items()
              if not os.path.exists(path)]
    if any(not os.path.isdir(os.path.join(HERE, "node_modules", m))
           for m in modules):
        lacks.append("npm ci --ignore-scripts --prefix bench/peers")
    return "; ".join(lacks) or None


class Peer:
    NAME = SETTINGS = ""

    def __init__(self, bench):
        self.bench = bench  # of harness.py: .program(), .quick
        self.folder = None

    def missing(self):
        return None

    def writes(self, n):
        return None

    def sync(self, n):
        return None

    def built(self, name):
        return os.path.join(self.bench.programs, name)

    @contextlib.contextmanager
    def scene(self):
        """A folder, and a list of what is to be stopped in the end."""
        self.folder = tempfile.mkdtemp(prefix="syncline-peers-")
        running = []
        try:
            yield running
        finally:
            with contextlib.ExitStack() as ends:  # whatever another one does
                ends.callback(shutil.rmtree, self.folder)
                for each in running:
                    ends.callback(each.stop)

    def memory(self, *programs):
        """Once it has settled, as in two_nodes.py."""
        time.sleep(0.1 if self.bench.quick else 3)
        return [each.rss_mb() for each in programs]

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, running, name, *command):
        """Starts a program of that name, to be stopped in the end."""
        program = Program(self.path(name + ".log"), *command)
        running.append(program)
        return program.start()


__all__ = ["CHANGED", "HERE", "Failed", "Peer", "Program", "free_port",
           "needs", "wait_for"]
