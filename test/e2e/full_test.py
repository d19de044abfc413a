#!/usr/bin/python3
"""A disk that is full, as a small tmpfs: of a machine by itself, and of one in
a mesh whose others go on. Writes are refused with what to do, reading goes
on, nothing acknowledged is lost, and once there is room all is well again
without a restart. Needs root.

full_test.py [--seed N], or SYNCLINE_SEED in the environment: what the
clients of the mesh write."""

import argparse
import errno
import os
import random
import subprocess
import sys
import time

import node
import tap
from ledger import Ledger, clients, settle, stop_all
from node import Control, Refused, World, conflicts, wait_for
from tap import Skip, check, equal, holds, note

SIZE = 160 << 20
LARGE = 256 << 10
FLAGS = ("--store.overlay", "4MiB", "--history.keep", "1000000")


class Disk:
    """A file system of SIZE bytes in place of a node's folder."""

    def __init__(self, n):
        self.node, self.path = n, n.dir
        self.filler = os.path.join(n.dir, "filler")
        if os.geteuid() != 0:
            raise Skip("needs root")
        os.mkdir(n.dir, 0o700)
        try:
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=%d,mode=700" % SIZE,
                 "syncline-e2e", n.dir], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as why:
            raise Skip("no file system can be mounted here: %s" % why)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        process = self.node.process
        if process and process.poll() is None:
            self.node.kill()
        subprocess.run(["umount", "-l", self.path], check=True)

    def fill(self, leave):
        """Takes all room but so many bytes. A node that writes meanwhile
        may be quicker."""
        with open(self.filler, "wb") as f:
            wait_for("the disk is filled", lambda: self.take(f, leave))

    def take(self, f, leave):
        v = os.statvfs(self.path)
        try:
            os.posix_fallocate(f.fileno(), 0, max(
                1, v.f_bavail * v.f_frsize - leave))
        except OSError as why:
            if why.errno != errno.ENOSPC:
                raise
            return False
        return True

    def empty(self):
        os.remove(self.filler)


def write_until_refused(n, name):
    """How many large writes went in, and why no more did."""
    for i in range(2000):
        try:
            n.put("%s/%04d" % (name, i), "%04d" % i + "x" * LARGE)
        except Refused as why:
            return i, why
    raise AssertionError("a full disk was never noticed")


def are_there(n, name, count):
    for i in range(count):
        value = n.get("%s/%04d" % (name, i))
        check(value and value.startswith("%04d" % i),
              "%s/%04d is lost on %s" % (name, i, n.name))


def refuses_and_reads_on(n, why):
    """It says what to do, and does what needs no room."""
    equal(why.code, "EFULL")
    holds(why.text, "room")
    n.refuses("put", "default", "more", "-", says="room",
              stdin='"%s"' % ("y" * 2 * LARGE))
    equal(n.get("more"), None, "the refused one")
    equal(n.get("lamp"), 1, "reading goes on")
    with Control(n.dir) as c:
        check(c.call("ls", space="default", limit=10)["items"], "ls")
        check(c.call("history", space="default", key="lamp"), "history")
    conflicts(n)
    checks = {c["name"]: c for c in n.call("doctor")["checks"]}
    disk = checks.get("disk", checks.get("store"))
    equal(disk["level"], "error", checks)
    equal(n.cli("doctor").code, 1)


def writes_again(n):
    def takes():
        try:
            return n.put("after", 2)
        except Refused as why:
            equal(why.code, "EFULL")
            return None
    wait_for("%s takes writes again" % n.name, takes)


def one_by_itself():
    with World() as w:
        a = w.node("a", *FLAGS)
        with Disk(a) as disk:
            a.start()
            a.put("lamp", 1)
            disk.fill(1 << 20)
            count, why = write_until_refused(a, "large")
            refuses_and_reads_on(a, why)
            disk.empty()
            writes_again(a)
            a.kill()
            a.start()
            equal((a.get("lamp"), a.get("after")), (1, 2), "after a crash")
            are_there(a, "large", count)


# ---- one of a mesh ----

def spent(n):
    """Processor time of a daemon, in seconds."""
    with open("/proc/%d/stat" % n.process.pid, encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def goes_on(ledger, n, more=20):
    """Writes of its clients are acknowledged."""
    def count():
        return ledger.acked_at(n.name)
    at = count() + more
    wait_for("clients of %s write on" % n.name, lambda: count() >= at)


def others_do_not_mind(ledger, a, b, c):
    """They write, and are the same; nobody runs in circles over it."""
    for n in (b, c):
        goes_on(ledger, n)
    b.put("there", "from b", wait=1)
    c.waits_for("there", "from b")
    before = [(spent(n), os.stat(n.log).st_size) for n in (a, b, c)]
    time.sleep(2)  # what is measured is what they do in this time
    for n, (busy, said) in zip((a, b, c), before):
        busy, said = spent(n) - busy, os.stat(n.log).st_size - said
        note("%s: %.2f s of 2 s busy, %d bytes of log" % (n.name, busy, said))
        check(busy < 1.2, "%s is busy with a full disk" % n.name)
        check(said < 15000, "the log of %s grows by %d bytes" % (n.name, said))


def killed(a):
    """It does not start where it cannot keep what it must, and says so."""
    a.kill()
    equal(a.launch().ends(), 1, "exit status of a start on a full disk")
    holds(a.tail(), "make room")


def in_a_mesh(leave, seed, meanwhile=None):
    with World() as w:
        a = w.node("a", *FLAGS)
        with Disk(a) as disk:
            a.start()
            b, c = w.nodes("b", "c", flags=FLAGS)
            for n in (b, c):
                n.joins(a)
            a.put("lamp", 1)
            ledger = Ledger()
            writers = clients(ledger, (a, b, c), seed)
            for n in (a, b, c):
                goes_on(ledger, n)
            disk.fill(leave)
            count, why = write_until_refused(a, "large")
            refuses_and_reads_on(a, why)
            others_do_not_mind(ledger, a, b, c)
            for i in range(40):
                b.put("of-b/%04d" % i, "%04d" % i + "z" * LARGE)
            check(a.process.poll() is None, "a has ended: " + a.tail())
            if meanwhile:
                meanwhile(a)
            disk.empty()
            started = time.monotonic()
            if meanwhile:
                a.start()
            writes_again(a)
            goes_on(ledger, a)
            a.waits_for("there", "from b")
            note("%d large writes, then refused; wrote again after %.1f s" % (
                count, time.monotonic() - started))
            stop_all(writers)
            settle([a, b, c])
            held(ledger, (a, b, c), count)
            a.kill()
            a.start()
            settle([a, b, c])
            held(ledger, (a, b, c), count)


def held(ledger, nodes, count):
    found = ledger.check(nodes)
    for n in nodes:
        are_there(n, "large", count)
        are_there(n, "of-b", 40)
    note("%d acknowledged, %d refused, %d tokens proven" % (
        ledger.acked, len(ledger.refusals), found))


def one_of_a_mesh(seed):
    def none_left():
        in_a_mesh(0, seed)

    def a_little_left():
        in_a_mesh(1 << 20, seed + 1)

    def killed_while_full():
        in_a_mesh(0, seed + 2, killed)

    for i, test in enumerate((none_left, a_little_left, killed_while_full)):
        test.__name__ = "one of a mesh, %s, --seed %d" % (
            test.__name__, seed + i)
        yield test


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--seed", type=int, default=int(
        os.environ.get("SYNCLINE_SEED", random.randrange(1 << 31))))
    args = parse.parse_args()
    if not node.PROGRAM:
        print("1..0 # SKIP no binary: SYNCLINE names none")
        return 0
    return tap.run(
        [one_by_itself], beside=one_of_a_mesh(args.seed), at_once=2)


if __name__ == "__main__":
    sys.exit(main())
