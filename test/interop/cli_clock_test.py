#!/usr/bin/python3
"""`syncline clock` against a stand-in for the daemon."""

import json
import sys

from cli_client_test import Case, equal, holds, main

CLOCK = {"time": 1700000000000000, "stamps": 2015360000000000, "ahead_us":
         315360000000000, "epoch": 2, "bound_us": 60000000, "writes": False,
         "far": True, "ok": False, "wrong": [], "verdict": "look at both",
         "peers": [{"device": "d" * 64, "name": "nas", "offset_us":
                    -315360000000000, "rtt_us": 400, "wrong": True}],
         "stamped": [{"device": "d" * 64, "name": "nas", "item": "s/lamp",
                      "ahead_us": 315360000000000}]}


def clocks_are_compared():
    with Case(lambda r: {"ok": True, "clock": CLOCK}) as c:
        code, out, _ = c.run("clock")
        equal(code, 0)
        equal(c.sent(), [{"op": "clock"}])
        for part in ("far ahead", "refused until", "nas", "-3650 d", "wrong",
                     "a change of nas at s/lamp is stamped +3650 d",
                     "look at both"):
            holds(out, part)
        code, out, _ = c.run("clock", "--json")
        equal(json.loads(out), CLOCK)


def a_reset_of_clocks_wants_a_yes():
    with Case(lambda r: {"ok": True, "version": 0, "epoch": 3}) as c:
        code, out, err = c.run("clock", "reset")
        equal((code, out, c.sent()), (1, "", []))
        holds(err, "--yes")
        holds(err, "It cannot be taken back")
        equal(c.run("clock", "--yes")[0], 2)
        equal(c.run("clock", "rest")[0], 2)
        code, out, _ = c.run("clock", "reset", "--yes")
        equal((code, out), (0, "epoch 3\n"))
        equal(c.sent(), [{"op": "clock_reset"}])


if __name__ == "__main__":
    sys.exit(main([clocks_are_compared, a_reset_of_clocks_wants_a_yes]))
