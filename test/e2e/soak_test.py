#!/usr/bin/python3
"""The soak, for seconds; and that what is wrong with a daemon breaks one of
its limits."""

import json
import os
import subprocess
import sys

from measure import LIMITS, MIB, broken, percentiles, slope, warm_part
from node import PROGRAM, main, surroundings
from tap import check, equal, holds, note

SCRIPT = os.path.join(os.path.dirname(__file__), "soak.py")


def _soak(*args):
    done = subprocess.run(
        [SCRIPT, "--json", "--seed", "5", *args], check=False,
        env=surroundings({"SYNCLINE": PROGRAM}), capture_output=True,
        text=True, timeout=150)
    check(done.stdout, done.stderr)
    return done.returncode, json.loads(done.stdout)


def twelve_seconds_of_it():
    code, report = _soak("--hours", "0.0033", "--round", "4",
                         "--limit", "lag_p99_s=10")
    equal(report["broken"], [], "broken")
    equal(code, 0, "exit status")
    check(report["acknowledged"] >= report["proven"] > 100, report)
    check(report["rounds"] >= 3, report["rounds"])
    check(report["lag_quiet_s"]["n"] > 20, report["lag_quiet_s"])
    for name, n in report["nodes"].items():
        check(n["rss_max_kib"] > 1000 and n["cpu_s"] > 0, (name, n))
        check(n["fds_max"] >= n["fds_last"] > 10, (name, n))
        check(n["wal_max"] > 0 and n["journal_max"] > 0, (name, n))
    note("%d acknowledged, %s" % (report["acknowledged"],
                                  report["happened"]))


def a_limit_that_cannot_hold():
    code, report = _soak("--hours", "0.0001", "--limit", "wal_mib=0.001")
    equal(code, 1, "exit status")
    holds(" ".join(report["broken"]), "MiB of WAL", "wal_mib")


# ---- what is wrong is found ----

def _fine():
    n = {"rss_slope_kib_h": 100.0, "rss_slope_over_s": 3600, "fds_first": 22,
         "fds_last": 22, "fds_max": 30, "wal_max": 2 * MIB,
         "journal_max": 32 * MIB, "log_errors": 0}
    return {"nodes": {"a": n}, "failures": [], "proven": 1,
            "lag_quiet_s": percentiles([0.01]), "settle_s": percentiles([1])}


def each_limit_can_break():
    equal(broken(_fine(), LIMITS), [], "of what is fine")
    for name, value, says in (
            ("rss_slope_kib_h", 8192.0, "memory"), ("fds_last", 40, "open"),
            ("wal_max", 64 * MIB, "WAL"), ("journal_max", 512 * MIB,
                                           "journal"),
            ("log_errors", 1, "errors")):
        report = _fine()
        report["nodes"]["a"][name] = value
        found = broken(report, LIMITS)
        equal(len(found), 1, "broken by %s" % name)
        holds(found[0], says, "a: ")
    for name, value in (("lag_quiet_s", percentiles([5])), ("proven", 0),
                        ("settle_s", percentiles([90])),
                        ("failures", ["a write is lost"])):
        equal(len(broken(dict(_fine(), **{name: value}), LIMITS)), 1, name)


def a_leak_is_told_from_warming_up():
    """10 MiB within the first minutes are none; 3 MiB an hour for ever are."""
    warming = [(t, 20000 + min(t * 30, 10240)) for t in range(0, 3600, 5)]
    equal(slope(warm_part(warming)), 0.0, "slope of what is warm")
    leaking = [(t, v + t * 3072 / 3600) for t, v in warming]
    check(3000 < slope(warm_part(leaking)) < 3150, slope(warm_part(leaking)))
    burst = [(t, v + (t > 2000) * 9000) for t, v in warming]
    equal(slope(warm_part(burst)), 0.0, "slope of one burst")
    equal(slope(warm_part([(0, 1)])), None, "slope of one sample")
    equal(slope(warm_part([s for s in leaking if s[0] < 800])), None,
          "slope of what is not warm")


if __name__ == "__main__":
    sys.exit(main(globals()))
