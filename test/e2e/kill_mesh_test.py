#!/usr/bin/python3
"""SIGKILL at random moments among three daemons that clients write to: amid
writes, two at once, while starting, during a checkpoint, while a large item
travels, while a fourth machine joins. Whatever was acknowledged is on every
node afterwards (ledger.py), all agree, and no process is left.

kill_mesh_test.py [--seed N] [KILLS], or SYNCLINE_SEED and KILLS in the
environment; 10 without. Ten kills a mesh. A seed draws the plan: who is hit
when; the moments themselves are the machine's."""

import argparse
import os
import random
import sys
import threading
import time

import tap
from ledger import Ledger, View, Write, clients, prove, settle, stop_all
from node import PAUSE, PROGRAM, Control, Refused, World, free_listen, wait_for
from tap import check, equal, note

A_MESH = 10
LARGE = 6 << 20
FLAGS = ("--store.checkpoint_age", "300ms", "--history.keep", "1000000")
KINDS = {"one": 4, "two": 2, "start": 3, "checkpoint": 3, "large": 2,
         "join": 2}


class Story:
    """A mesh, its clients, and who is hit."""

    def __init__(self, w, seed):
        self.w, self.rng = w, random.Random(seed)
        self.nodes = w.mesh("a", "b", "c", flags=FLAGS, listen=free_listen)
        self.ledger = Ledger()
        self.clients = clients(self.ledger, self.nodes, seed)
        self.large, self.kept = {}, {}
        self.guests = 0

    def goes_on(self, more=20):
        at = self.ledger.acked + more
        wait_for("clients write on", lambda: self.ledger.acked >= at, 120)

    def moment(self, most=0.3):
        time.sleep(self.rng.random() * most)  # the moment is what is drawn

    def kill(self, *victims):
        for n in victims:
            n.process.kill()
        for n in victims:
            equal(n.ends(), -9, "%s was killed" % n.name)

    def again(self, *victims):
        for n in victims:
            n.launch()
        for n in victims:
            wait_for("%s starts" % n.name, n.is_up, 60)

    # ---- kinds of a kill ----

    def one(self):
        victim = self.rng.choice(self.nodes)
        self.moment()
        self.kill(victim)
        self.goes_on()
        self.again(victim)

    def two(self):
        victims = self.rng.sample(self.nodes, 2)
        self.moment()
        self.kill(*victims)
        self.goes_on()
        self.again(*victims)

    def start(self):
        """Killed, and killed again while it starts."""
        victim = self.rng.choice(self.nodes)
        self.kill(victim)
        for _ in range(self.rng.randint(1, 3)):
            victim.launch()
            self.moment(0.08)
            self.kill(victim)
        self.again(victim)

    def checkpoint(self):
        """When its write-ahead log has just been touched."""
        victim = self.rng.choice(self.nodes)
        wal = os.path.join(victim.dir, "state.db-wal")
        before = look(wal)
        wait_for("a checkpoint of %s" % victim.name,
                 lambda: look(wal) != before, 60, pause=0.0002)
        self.moment(0.01)
        self.kill(victim)
        self.again(victim)

    def large_item(self):
        """Its sender, or one who is getting it."""
        sender = self.rng.choice(self.nodes)
        victim = self.rng.choice(self.nodes)
        key = "large/%d" % len(self.large)
        value = self.rng.randbytes(LARGE // 2).hex()
        self.large[key] = value, False
        writing = threading.Thread(
            target=self.put_large, args=(sender, key, value))
        writing.start()
        self.moment(0.25)
        self.kill(victim)
        writing.join(60)
        check(not writing.is_alive(), "the large item is stuck")
        self.again(victim)

    def put_large(self, sender, key, value):
        try:
            sender.put(key, value)
            self.large[key] = value, True
        except (OSError, EOFError):
            pass

    def join(self):
        """Killed while a machine with items of its own comes in: that one,
        who lets it in, or both."""
        self.guests += 1
        guest = self.w.node("guest%d" % self.guests, *FLAGS,
                            listen=free_listen("guest")).start()
        host = self.rng.choice(self.nodes)
        for i in range(20):
            key = "%s/%d" % (guest.name, i)
            guest.put(key, self.kept.setdefault(key, i))
        victims = self.rng.choice(((guest,), (host,), (guest, host)))
        with Joining(guest, host):
            self.moment(0.15)
            self.kill(*victims)
            self.again(*victims)
        comes_in(guest, host)
        for n in self.nodes:
            wait_for("the items of %s are on %s" % (guest.name, n.name),
                     lambda n=n: n.get(key) == self.kept[key], 120)
        wait_for("its items are taken along",
                 lambda: not guest.status()["joining"], 120)
        self.leaves(guest)

    def leaves(self, guest):
        settle_guest(guest, self.nodes)
        guest.stop()
        self.nodes[0].call("remove", device=guest_device(guest, self.nodes[0]))

    # ---- the end ----

    def check(self):
        stop_all(self.clients)
        settle(self.nodes)
        found = self.ledger.check(self.nodes)
        for n in self.nodes:
            for key, (value, acked) in self.large.items():
                got = n.get(key)
                check(got == value or got is None and not acked,
                      "%s on %s is not what was put" % (key, n.name))
            for key, value in self.kept.items():
                equal(n.get(key), value, "%s on %s" % (key, n.name))
        for n in self.nodes:
            n.stop()
        equal(left_over(self.w.folder), [], "processes left")
        return found


def look(path):
    try:
        s = os.stat(path)
        return s.st_ino, s.st_size, s.st_mtime_ns
    except OSError:
        return None


def is_in(guest, host):
    return guest.status()["mesh"] == host.status()["mesh"]


def comes_in(guest, host, patience=120):
    """By one code, for as many tries as it takes."""
    end, why = time.monotonic() + patience, set()
    code = host.call("invite")["code"]
    while not is_in(guest, host):
        check(time.monotonic() < end,
              "%s does not come in: %s" % (guest.name, sorted(why)))
        try:
            guest.call("join", code=code)
        except Refused as refused:
            why.add(str(refused))
            time.sleep(PAUSE)


class Joining(threading.Thread):
    """A join on its way, given up at the end: the code died with its host,
    whom the guest would look for as long as it may."""

    def __init__(self, guest, host):
        super().__init__(daemon=True)
        self.code = host.call("invite")["code"]
        self.control = Control(guest.dir)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.control.hang_up()
        self.join(60)
        self.control.close()
        check(not self.is_alive(), "the join is stuck")

    def run(self):
        try:
            self.control.call("join", code=self.code)
        except (OSError, EOFError, ValueError, Refused):
            pass


def guest_device(guest, host):
    return [p["device"] for p in host.status()["peers"]
            if p["name"] == guest.name][0]


def settle_guest(guest, nodes):
    """It has all that the others had when this began."""
    for n in nodes:
        wanted = n.space()["vector"]
        wait_for("%s catches up" % guest.name, lambda: all(
            guest.space()["vector"].get(r, 0) >= seq
            for r, seq in wanted.items()), 120)


def left_over(folder):
    """Command lines of processes that name it."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                line = f.read().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if folder in line:
            found.append(line)
    return found


def plan(seed, kills):
    rng = random.Random("plan %d" % seed)
    names, weights = zip(*KINDS.items())
    return rng.choices(names, weights, k=kills)


def story(seed, kills):
    def test():
        with World() as w:
            s = Story(w, seed)
            kinds = plan(seed, kills)
            for kind in kinds:
                s.goes_on()
                {"large": s.large_item}.get(kind, getattr(s, kind, None))()
            found = s.check()
            note("%s; %d acknowledged, %d tokens proven" % (
                ", ".join(kinds), s.ledger.acked, found))
    test.__name__ = "%d kills, --seed %d" % (kills, seed)
    return test


def the_ledger_finds_what_is_lost():
    """It is held against a mesh that lacks something each time."""
    with World() as w:
        nodes = w.mesh("a", "b")
        a = nodes[0]
        a.put("own/a0/0", {"f": "a0.1"})
        a.put("shared/0", {"f": "a0.2"})
        settle(nodes)
        good = [("own/a0/0", "put", {"f": "a0.1", "g": None}),
                ("shared/0", "put", {"f": "a0.2"})]
        equal(told(a, good).check(nodes), 2, "tokens found")
        for key, op, sets in (
                ("shared/0", "patch", {"g": "a0.3"}),
                ("own/a0/0", "patch", {"f": "a0.3"}),
                ("own/a0/1", "put", {"f": "a0.3", "g": None}),
                ("own/a0/0", "del", {"f": None, "g": None})):
            ledger = told(a, good + [(key, op, sets)])
            try:
                ledger.check(nodes)
            except AssertionError:
                continue
            raise AssertionError("nobody missed %s of %s" % (op, key))


def seen(name, *past, recorded=()):
    """What a node would show: its versions of one key, (who, value) each."""
    v = View.__new__(View)
    v.name = v.device = name
    v.items, v.recorded = {"k": past[-1][1]}, {"k": set(recorded)}
    v.past = {"k": [{
        "stamp": str(i), "what": "put" if value else "delete", "device": who,
        "name": who, "value": value} for i, (who, value) in enumerate(past)]}
    return v


def the_ledger_asks_who_saw_what():
    old, new, gone = ("b", {"f": "old"}), ("a", {"f": "new"}), ("c", None)
    fine = (
        ("its heir had seen it", (seen("a", old, new), seen("b", old, new)),
         ()),
        ("a record everywhere", (seen("a", new, recorded=["old"]),
                                 seen("b", old, new, recorded=["old"])), ()),
        ("an heir whom a crash took", (seen("a", new), seen("b", old, new)),
         ("a", "put", {"f": "new"}, False)),
        ("it was deleted there, too", (seen("a", new), seen("b", old, gone)),
         ("b", "del", {"f": None}, True)))
    lost = (
        ("its heir had not", (seen("a", new), seen("b", old, new)), ()),
        ("one record", (seen("a", new, recorded=["old"]),
                        seen("b", old, new)), ()),
        ("an heir who is sure", (seen("a", new), seen("b", old, new)),
         ("a", "put", {"f": "new"}, True)),
        ("deleted by others", (seen("a", gone), seen("b", old, gone)),
         ("a", "del", {"f": None}, True)))
    for cases, bad in (fine, False), (lost, True):
        for what, views, other in cases:
            writes = [Write("b", "k", "put", {"f": "old"})]
            writes[0].acked = True
            if other:
                writes.append(Write(other[0], "k", *other[1:3]))
                writes[-1].acked = other[3]
            try:
                prove(views, "k", "f", writes[0], writes)
            except AssertionError:
                check(bad, what)
            else:
                check(not bad, what)


def told(n, writes):
    ledger = Ledger()
    for key, op, sets in writes:
        ledger.ack(ledger.try_to(n.name, key, op, sets))
    return ledger


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--seed", type=int, default=int(
        os.environ.get("SYNCLINE_SEED", random.randrange(1 << 31))))
    parse.add_argument("kills", type=int, nargs="?",
                       default=int(os.environ.get("KILLS", "10")))
    args = parse.parse_args()
    if not PROGRAM:
        print("1..0 # SKIP no binary: SYNCLINE names none")
        return 0
    stories = [story(args.seed + i, min(A_MESH, args.kills - i * A_MESH))
               for i in range((args.kills + A_MESH - 1) // A_MESH)]
    return tap.run([the_ledger_finds_what_is_lost,
                    the_ledger_asks_who_saw_what, *stories])


if __name__ == "__main__":
    sys.exit(main())
