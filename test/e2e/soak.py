#!/usr/bin/python3
"""Three daemons under a steady load for hours, restarted, killed and cut off
now and then, and a report of what they used.

A run is rounds. In each clients write at all daemons at a steady rate, one
thing happens to one of them, and when the clients rest all must become the
same and every acknowledged write be proven (ledger.py); the next round goes on
from there, in the same items. Restarts hit one daemon in the first half and
another in the second, so that each lives long enough to be judged. Ends with
kill -9 of all.

Exit status 0: no limit is broken. See script/soak --help."""

import argparse
import array
import json
import os
import random
import sys
import threading
import time

from lan import Lan
from ledger import Ledger, clients, settle, stop_all
from measure import LIMITS, MIB, Account, Sampler, broken, percentiles
from node import PAUSE, PROGRAM, Control, World, conflicts, connections, \
    free_listen, wait_for
from tap import Skip, end_cleanly

NAMES = "abc"
EACH = 2  # clients of a node
KINDS = {"none": 2, "restart": 3, "kill": 2, "link": 2, "silence": 2,
         "deaf": 1, "mute": 1, "pair": 1}
SETTINGS = ["--heartbeat.interval", "1s", "--heartbeat.silence", "5s",
            "--dial.max", "2s", "--log.level", "info"]


class Watcher(threading.Thread):
    """Watches one node, over its restarts, and notes when writes of the
    others get there."""

    def __init__(self, soak, n):
        super().__init__(daemon=True)
        self.soak, self.node, self.cursor = soak, n, None
        self.ending = threading.Event()
        self.start()

    def run(self):
        while not self.ending.is_set():
            try:
                with Control(self.node.dir) as c:
                    self.control = c
                    self.listen(c)
            except (OSError, EOFError, ValueError):
                self.ending.wait(PAUSE)

    def listen(self, c):
        c.socket.settimeout(None)
        c.send("watch", space="default",
               **({"from": self.cursor} if self.cursor else {}))
        while not self.ending.is_set():
            event = c.read()
            if not event.get("more"):
                return
            self.cursor = event.get("cursor", self.cursor)
            if isinstance(event.get("value"), dict):
                self.note(event["value"], time.monotonic())

    def note(self, value, now):
        for token in (value.get("f"), value.get("g")):
            write = self.soak.ledger.by_token.get(token)
            if write and not write.given and write.node != self.node.name \
                    and self.node.name not in write.seen:
                write.seen.add(self.node.name)
                self.soak.arrived(write, now)

    def stop(self):
        self.ending.set()
        self.control.hang_up()
        self.join(60)


class Soak:
    def __init__(self, w, lan, args):
        self.w, self.lan, self.args = w, lan, args
        self.rng = random.Random("soak %d" % args.seed)
        self.ledger, self.nodes = Ledger(), self.machines()
        self.accounts = {n.name: Account(n) for n in self.nodes}
        self.sampler = Sampler(self.accounts.values(),
                               max(0.5, min(10, args.hours * 3.6)))
        self.disturbed = []  # [from, until] by the monotonic clock
        self.quiet, self.other = array.array("f"), array.array("f")
        self.settled, self.happened, self.failures = [], {}, []
        self.rounds = self.acked = self.proven = self.resolved = 0

    def machines(self):
        made = []
        for name in NAMES:
            n = self.w.node(name, "--history.keep", "100",
                            listen=self.lan.listen(name) if self.lan
                            else free_listen(name),
                            prefix=self.lan.inside(name) if self.lan else ())
            n.quick = SETTINGS
            made.append(n.start())
        for n in made[1:]:
            n.joins(made[0])
        connections(made)
        return made

    def arrived(self, write, now):
        lag = now - write.began
        quiet = not any(write.began < until and begins < now
                        for begins, until in self.disturbed[-2:])
        (self.quiet if quiet else self.other).append(lag)

    # ---- what happens to them ----

    def kinds(self):
        return {k: v for k, v in KINDS.items()
                if self.lan or k in ("none", "restart", "kill")}

    def disturb(self, share):
        kinds = self.kinds()
        kind, = self.rng.choices(list(kinds), list(kinds.values()))
        self.happened[kind] = self.happened.get(kind, 0) + 1
        if kind == "none":
            return
        span = [time.monotonic(), float("inf")]
        self.disturbed.append(span)
        if kind in ("restart", "kill"):
            self.restart(self.nodes[2 if share < 0.5 else 1], kind)
        else:
            self.cut(kind, self.rng.choice(NAMES))
        connections(self.nodes, 60)
        self.catch_up()
        span[1] = time.monotonic()

    def restart(self, n, kind):
        n.kill() if kind == "kill" else n.stop()
        self.last(5)
        n.start()

    def cut(self, kind, one):
        if kind == "link":
            self.lan.unplug(one)
        if kind in ("silence", "deaf"):
            self.lan.deafen(one)
        if kind in ("silence", "mute"):
            self.lan.mute(one)
        if kind == "pair":
            other = self.rng.choice([n for n in NAMES if n != one])
            self.lan.lose(one, other)
            self.lan.lose(other, one)
        self.last(12)
        self.lan.mend()

    def last(self, most):
        time.sleep(self.rng.random() * most * min(1, self.args.round / 30))

    def catch_up(self):
        """What each has now, all have."""
        wanted = {}
        for n in self.nodes:
            for replica, seq in n.space()["vector"].items():
                wanted[replica] = max(seq, wanted.get(replica, 0))
        for n in self.nodes:
            wait_for("%s catches up" % n.name, lambda n=n: all(
                n.space()["vector"].get(r, 0) >= seq
                for r, seq in wanted.items()), 60)

    # ---- a round ----

    def round(self, share):
        end = time.monotonic() + self.args.round
        writing = clients(
            self.ledger, self.nodes, self.rng.random(), EACH, shared=32,
            pad=256, pause=2 * len(self.nodes) * EACH / self.args.rate)
        try:
            self.wait_until(end - self.args.round * 0.7)
            self.disturb(share)
            self.wait_until(end)
        finally:
            stop_all(writing)
        stopped = time.monotonic()
        settle(self.nodes)
        self.settled.append(time.monotonic() - stopped)
        self.prove()
        self.resolve()
        self.sampler.look(at_rest=True)
        self.rounds += 1

    def wait_until(self, when):
        time.sleep(max(0, when - time.monotonic()))  # the load's own time

    def prove(self):
        self.acked += self.ledger.acked
        self.proven += self.ledger.check(self.nodes)
        self.ledger = self.ledger.follow(self.nodes[0])

    def resolve(self):
        """As somebody would who looks after it, by what stands."""
        at = self.rng.choice(self.nodes)
        for record in conflicts(at):
            at.call("resolve", id=record["id"], take="winner")
            self.resolved += 1
        settle(self.nodes)

    def run(self):
        started = time.monotonic()
        whole = self.args.hours * 3600
        watchers = [Watcher(self, n) for n in self.nodes]
        try:
            while time.monotonic() - started < whole:
                self.round((time.monotonic() - started) / whole)
                self.say(time.monotonic() - started)
            for n in self.nodes:
                n.process.kill()
            for n in self.nodes:
                n.ends()
                n.start()
            settle(self.nodes)
            self.ledger.check_standing(self.nodes)
        except Exception as wrong:  # what there is is reported all the same
            self.failures.append("%s: %s" % (type(wrong).__name__, wrong))
        self.sampler.stop()
        for watcher in watchers:
            watcher.stop()
        return self.report(time.monotonic() - started)

    def say(self, seconds):
        print("%6.0f s: %d rounds, %d acknowledged, %s" % (
            seconds, self.rounds, self.acked, ", ".join(
                "%s %d KiB" % (name, a.lives[-1].samples[-1][1])
                for name, a in self.accounts.items()
                if a.lives and a.lives[-1].samples)),
            file=sys.stderr, flush=True)

    def report(self, seconds):
        return {
            "seed": self.args.seed, "hours": round(seconds / 3600, 4),
            "rounds": self.rounds, "happened": self.happened,
            "cuts": "drawn" if self.lan else "none: no namespaces here",
            "acknowledged": self.acked, "proven": self.proven,
            "acknowledged_a_s": round(self.acked / max(seconds, 1), 1),
            "rate_asked": self.args.rate,
            "conflicts_resolved": self.resolved,
            "lag_quiet_s": percentiles(self.quiet),
            "lag_disturbed_s": percentiles(self.other),
            "settle_s": percentiles(self.settled),
            "nodes": {k: a.report() for k, a in self.accounts.items()},
            "failures": self.failures,
        }


# ---- the report ----

def table(nodes):
    rows = [("", *nodes)]

    def row(what, text):
        rows.append((what, *(text(n) for n in nodes.values())))

    row("lives", lambda n: "%d" % n["lives"])
    row("memory, most, KiB", lambda n: "%d" % n["rss_max_kib"])
    row("memory, warm and last, KiB", lambda n: "%s %s" % (
        n["rss_warm_kib"] or "-", n["rss_last_kib"]))
    row("memory, KiB an hour", lambda n: "too short to tell" if
        n["rss_slope_kib_h"] is None else "%s (over %d s)" % (
            n["rss_slope_kib_h"], n["rss_slope_over_s"]))
    row("open files, first last most", lambda n: "%s %s %s" % (
        n["fds_first"], n["fds_last"], n["fds_max"]))
    row("WAL, most, MiB", lambda n: "%.2f" % (n["wal_max"] / MIB))
    row("journal, most, MiB", lambda n: "%.1f" % (n["journal_max"] / MIB))
    row("state.db, MiB", lambda n: "%.2f" % (n["state_last"] / MIB))
    row("processor, s", lambda n: "%.1f" % n["cpu_s"])
    row("errors in the log", lambda n: "%d" % n["log_errors"])
    return "\n".join("%-30s" % r[0] + "".join("%-22s" % c for c in r[1:])
                     for r in rows)


def spread(p):
    return "of %(n)d: p50 %(p50).3f, p90 %(p90).3f, p99 %(p99).3f, " \
        "most %(max).3f s" % p if p else "none"


def text(report):
    return "\n".join((
        "soak of %.2f h, --seed %d: %d rounds" % (
            report["hours"], report["seed"], report["rounds"]),
        "happened: %s (cuts: %s)" % (", ".join(
            "%s %d" % e for e in sorted(report["happened"].items())),
            report["cuts"]),
        "writes: %d acknowledged (%g a second with all pauses, %g asked "
        "while they write)" % (
            report["acknowledged"], report["acknowledged_a_s"],
            report["rate_asked"]),
        "%d tokens proven (values of fields; deletions have none), "
        "%d conflicts resolved" % (
            report["proven"], report["conflicts_resolved"]),
        "lag, undisturbed " + spread(report["lag_quiet_s"]),
        "lag, disturbed " + spread(report["lag_disturbed_s"]),
        "the same after the last write, " + spread(report["settle_s"]),
        "", table(report["nodes"]), "",
        *("BROKEN " + b for b in report["broken"]),
        "%s" % ("broken: %d" % len(report["broken"]) if report["broken"]
                else "all limits hold")))


def limit(word):
    name, _, value = word.partition("=")
    if name not in LIMITS:
        raise argparse.ArgumentTypeError("no such limit: %s" % name)
    return name, float(value)


def arguments(words):
    parse = argparse.ArgumentParser(
        prog="script/soak", description="Three daemons under a steady load, "
        "restarted and cut off now and then; a report; exit 1 if a limit is "
        "broken. Limits: " + ", ".join(
            "%s=%g" % e for e in LIMITS.items()))
    parse.add_argument("--hours", type=float, default=1, help="may be a "
                       "fraction (default 1)")
    parse.add_argument("--seed", type=int, default=int(
        os.environ.get("SYNCLINE_SEED", random.randrange(1 << 31))))
    parse.add_argument("--rate", type=float, default=60,
                       help="writes a second, of all together (default 60)")
    parse.add_argument("--round", type=float, default=0,
                       help="seconds of one (default: 30, or a tenth)")
    parse.add_argument("--limit", type=limit, action="append", default=[],
                       metavar="NAME=N")
    parse.add_argument("--json", action="store_true",
                       help="the report as JSON")
    args = parse.parse_args(words)
    if args.hours <= 0 or args.rate <= 0 or args.round < 0:
        parse.error("--hours, --rate: more than 0; --round: not less")
    args.round = args.round or max(3, min(30, args.hours * 360))
    return args


def soak(args):
    try:
        lan = Lan(*NAMES)
    except Skip:
        lan = None
    try:
        with World() as w:
            report = Soak(w, lan, args).run()
    finally:
        if lan:
            lan.close()
    report["limits"] = dict(LIMITS, **dict(args.limit))
    report["broken"] = broken(report, report["limits"])
    return report


def main():
    args = arguments(sys.argv[1:])
    if not PROGRAM:
        sys.exit("soak: SYNCLINE names no binary")
    end_cleanly()
    report = soak(args)
    print(json.dumps(report, indent=1) if args.json else text(report))
    return 1 if report["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
