"""What daemons use over time, read from /proc and their folders, and what may
be said against it.

A Life is one process of a node. Its memory is judged by how steadily it rises
once it is warm; what it holds open, by what it held when all was at rest."""

import os
import threading
import time

MIB = 1 << 20
SHORTEST = 300  # seconds, of what can be told a slope from
PARTS = 6
TICKS = os.sysconf("SC_CLK_TCK")

# Each can be set: script/soak --limit NAME=N.
LIMITS = {
    "memory_mib_h": 4.0,  # the slope of resident memory, once warm
    "memory_noise_mib": 2.0,  # growth that is no slope yet
    "fds_more": 4,  # at rest, at the end beyond the beginning
    "wal_mib": 32.0,
    "journal_mib": 128.0,
    "lag_p99_s": 1.0,  # while nothing is disturbed
    "settle_s": 30.0,  # from the last write until all are the same
    "log_errors": 0,
}


class Life:
    def __init__(self, pid):
        self.pid, self.began = pid, time.monotonic()
        self.samples = []  # (seconds since it began, KiB)
        self.cpu = 0.0

    def look(self):
        """Its resident KiB and open files, or None once it is gone."""
        try:
            with open("/proc/%d/stat" % self.pid, encoding="ascii") as f:
                fields = f.read().rpartition(")")[2].split()
            files = len(os.listdir("/proc/%d/fd" % self.pid))
        except OSError:
            return None
        rss = int(fields[21]) * os.sysconf("SC_PAGE_SIZE") >> 10
        if fields[0] == "Z" or rss == 0:
            return None
        self.cpu = (int(fields[11]) + int(fields[12])) / TICKS
        self.samples.append((time.monotonic() - self.began, rss))
        return rss, files


class Account:
    """Of one node, over all its lives."""

    def __init__(self, n):
        self.node, self.lives = n, []
        self.fds, self.rest = [], []
        self.wal = self.journal = self.state = 0
        self.rss = 0

    def look(self, at_rest=False):
        pid = self.node.process.pid
        if not self.lives or self.lives[-1].pid != pid:
            self.lives.append(Life(pid))
        seen = self.lives[-1].look()
        if seen is None:
            return
        rss, files = seen
        self.rss = max(self.rss, rss)
        self.fds.append(files)
        if at_rest:
            self.rest.append(files)
        self.look_at_files()

    def look_at_files(self):
        journal = 0
        try:
            with os.scandir(self.node.dir) as entries:
                for e in entries:
                    size = e.stat().st_size
                    if e.name == "state.db-wal":
                        self.wal = max(self.wal, size)
                    elif e.name == "state.db":
                        self.state = size
                    elif e.name.startswith("journal-"):
                        journal += size
        except FileNotFoundError:
            return  # one went while we looked
        self.journal = max(self.journal, journal)

    def report(self):
        life = max(self.lives, key=lambda e: len(e.samples))
        warm = warm_part(life.samples)
        return {
            "lives": len(self.lives),
            "rss_max_kib": self.rss,
            "rss_warm_kib": warm[0][1] if warm else None,
            "rss_last_kib": life.samples[-1][1] if life.samples else None,
            "rss_slope_kib_h": slope(warm),
            "rss_slope_over_s": warm[-1][0] - warm[0][0] if warm else 0.0,
            "fds_first": self.rest[0] if self.rest else None,
            "fds_last": self.rest[-1] if self.rest else None,
            "fds_max": max(self.fds, default=None),
            "wal_max": self.wal, "journal_max": self.journal,
            "state_last": self.state,
            "cpu_s": round(sum(e.cpu for e in self.lives), 2),
            "log_errors": log_errors(self.node.log),
        }


def warm_part(samples):
    """Without its first third, but ten to thirty minutes."""
    if not samples:
        return []
    start = max(600, min(samples[-1][0] / 3, 1800))
    return [s for s in samples if s[0] >= start]


def slope(samples):
    """KiB an hour, or None of too short a time. A leak is steady; what an
    allocator keeps after a burst is not. So the time is cut into parts, and
    it is the middle one of the steps from the least of one to that of the
    next."""
    if not samples or samples[-1][0] - samples[0][0] < SHORTEST:
        return None
    part = (samples[-1][0] - samples[0][0]) / PARTS
    least = [None] * PARTS
    for t, v in samples:
        at = min(PARTS - 1, int((t - samples[0][0]) / part))
        least[at] = v if least[at] is None else min(v, least[at])
    if None in least:
        return None
    steps = sorted(b - a for a, b in zip(least, least[1:]))
    return round(steps[len(steps) // 2] / part * 3600, 1)


def log_errors(path):
    with open(path, encoding="utf-8", errors="replace") as log:
        return sum(" error " in line for line in log)


class Sampler(threading.Thread):
    def __init__(self, accounts, every):
        super().__init__(daemon=True)
        self.accounts, self.every = accounts, every
        self.lock, self.ending = threading.Lock(), threading.Event()
        self.start()

    def run(self):
        while not self.ending.wait(self.every):
            self.look()

    def look(self, at_rest=False):
        with self.lock:
            for account in self.accounts:
                account.look(at_rest)

    def stop(self):
        self.ending.set()
        self.join(60)


def percentiles(values):
    if not values:
        return None
    values = sorted(values)
    at = {p: values[min(len(values) - 1, len(values) * p // 100)]
          for p in (50, 90, 99)}
    return {"n": len(values), "p50": round(at[50], 4), "p90": round(at[90], 4),
            "p99": round(at[99], 4), "max": round(values[-1], 4)}


def broken(report, limits):
    """A sentence for each limit that does not hold."""
    found = list(report["failures"])

    def above(value, limit, what):
        if value is not None and value > limits[limit]:
            found.append("%s: %g, and %s is %g" % (
                what, value, limit, limits[limit]))

    for name, n in report["nodes"].items():
        rises = (n["rss_slope_kib_h"] or 0) / 1024
        if rises * n["rss_slope_over_s"] / 3600 > limits["memory_noise_mib"]:
            above(rises, "memory_mib_h", "%s: memory, MiB an hour" % name)
        if n["fds_first"] is not None:
            above(n["fds_last"] - n["fds_first"], "fds_more",
                  "%s: more files open than at first" % name)
        above(n["wal_max"] / MIB, "wal_mib", "%s: MiB of WAL" % name)
        above(n["journal_max"] / MIB, "journal_mib",
              "%s: MiB of journal" % name)
        above(n["log_errors"], "log_errors", "%s: errors in its log" % name)
    for lag, limit, part in (("lag_quiet_s", "lag_p99_s", "p99"),
                             ("settle_s", "settle_s", "max")):
        if report[lag]:
            above(report[lag][part], limit, "%s %s" % (lag, part))
    if not report["proven"]:
        found.append("nothing was proven")
    return found
