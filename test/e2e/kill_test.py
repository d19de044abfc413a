#!/usr/bin/python3
"""kill -9 of the sender and of the receiver during an import of 20,000
records: whatever was acknowledged is there afterwards, the replica is a new
one, and both sides agree.

kill_test.py [KILLS], or KILLS in the environment; 4 without. Every second one
hits the receiver; each side's are spread evenly over the import."""

import os
import subprocess
import sys

import tap
from node import PROGRAM, World, records, same, wait_for
from tap import check, equal, note

RECORDS = 20000
LINE = len("key000000\n")
IN_FLIGHT = 1500


def acknowledged(path):
    """Keys in the list; a line that a crash cut short does not count."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as f:
        return [line[:-1] for line in f if line.endswith("\n")]


def count(path):
    return os.stat(path).st_size // LINE if os.path.exists(path) else 0


def keys_of(n):
    found, after = set(), ""
    while True:
        answer = n.call("ls", space="default", after=after, limit=5000)
        found.update(i["key"] for i in answer["items"])
        if not answer["more_items"]:
            return found
        after = answer["items"][-1]["key"]


def feed(importing, lines, share, acks):
    """So much of it, and when that is acknowledged a little more, which is
    on its way when this returns."""
    at = int(share * RECORDS)
    importing.stdin.write(b"".join(lines[:at]))
    importing.stdin.flush()
    wait_for("%d are acknowledged" % at, lambda: count(acks) >= at)
    importing.stdin.write(b"".join(lines[at:at + IN_FLIGHT]))
    importing.stdin.flush()
    return lines[at + IN_FLIGHT:]


def finish(importing, lines):
    """Exit status. A failed import does not read to the end."""
    try:
        importing.stdin.write(b"".join(lines))
        importing.stdin.close()
    except BrokenPipeError:
        pass
    return importing.wait(60)


def kill_at(share, receiver):
    with World(relayed=True) as w:
        a, b = w.mesh("a", "b")
        source, acks = records(0, RECORDS), w.path("acks")
        importing = a.spawn("import", "default", "--acks", acks,
                            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
        victim = b if receiver else a
        old = victim.replica()
        rest = feed(importing, source.splitlines(True), share, acks)
        victim.kill()
        at = count(acks)
        status = finish(importing, rest)
        victim.start()
        check(victim.replica() != old, "the replica id is the old one")
        equal(status, 0 if receiver else 1, "exit status of the import")
        known = acknowledged(acks)
        lost = set(known) - keys_of(a)
        check(not lost, "%d acknowledged keys are lost, as %s" % (
            len(lost), sorted(lost)[:3]))
        if not receiver:
            a.do("import", "default", stdin=source)
        same([a, b])
        equal(keys_of(b), keys_of(a), "keys of both")
        equal(len(keys_of(b)), RECORDS, "keys")
        wait_for("verify agrees", lambda: a.agrees() and b.agrees())
        note("killed at %d, acknowledged in all %d" % (at, len(known)))


def story(number, kills):
    def test():
        kill_at((number // 2 + 0.5) / ((kills + 1) // 2), number % 2 == 1)
    test.__name__ = "kill %d of %d, of the %s" % (
        number + 1, kills, "receiver" if number % 2 else "sender")
    return test


if __name__ == "__main__":
    kills = int(sys.argv[1] if len(sys.argv) > 1
                else os.environ.get("KILLS", "4"))
    if not PROGRAM:
        print("1..0 # SKIP no binary: SYNCLINE names none")
        sys.exit(0)
    sys.exit(tap.run([story(n, kills) for n in range(kills)]))
