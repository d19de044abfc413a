#!/usr/bin/python3
"""script/bench runs and measures everything; how fast is not asked here."""

import json
import os
import subprocess
import sys

import tap

BUILD = os.path.dirname(os.path.dirname(os.environ["SYNCLINE"]))


def run(*args):
    done = subprocess.run(
        [os.path.join("script", "bench"), "--quick", "--build", BUILD] +
        list(args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        check=False)
    tap.equal(done.returncode, 0, "status (%s)" % done.stderr)
    return done.stdout


def every_measurement_gives_its_figures():
    result = json.loads(run("--json"))
    for who in ("floor", "propagation", "relay"):
        tap.equal(result[who]["seen_us"]["n"], 100, "writes seen, %s" % who)
    tap.check(result["floor"]["per_second"] > 0, result["floor"])
    tap.check(result["writes"]["batched_per_second"] > 0, result["writes"])
    tap.check(result["writes"]["single_per_second"] > 0, result["writes"])
    for who in ("floor", "syncline"):
        for style in ("rename", "write"):
            tap.equal(result["files"][who][style]["seen_us"]["n"], 3,
                      "saves that arrived, %s" % who)
    tap.check(result["idle"]["bound"]["wakes_per_s"] < 50, result["idle"])
    for which, stalled in (("none", 0), ("tenth", 5)):
        figures = result["watchers"][which]
        tap.equal((figures["watchers"], figures["stalled"], figures["told"]),
                  (50, stalled, 50), "watchers, and writes they were told")
        tap.equal(figures["seen_us"]["n"], 30 * (50 - stalled), "events")
        tap.check(figures["acked_us"]["n"] == 30, figures)
    for name, items in (("sync10k", 1000), ("sync100k", 2000)):
        figures = result[name]
        tap.equal(figures["items"], items, "items of %s" % name)
        # The items crossed the proxy, and only once.
        tap.check(figures["first_bytes"] > items * 50, figures)
        tap.check(figures["reconnect_bytes"] < figures["first_bytes"],
                  figures)
        tap.check(min(figures["rss_mb"]) > 1, figures)
        over = result["relay" + name[4:]]
        tap.equal(over["items"], items, "items of relay%s" % name[4:])
        tap.check(over["first_s"] > 0, over)


def the_table_names_date_machine_and_command():
    text = run("floor", "propagation")
    tap.holds(text, "cores", "script/bench --quick",
              "| write at A to watcher at B, p50 / p99 |")


if __name__ == "__main__":
    sys.exit(tap.run([
        every_measurement_gives_its_figures,
        the_table_names_date_machine_and_command,
    ], sys.argv[1:]))
