#!/usr/bin/python3
"""100 changed items after an offline spell and a restart of both nodes cost
the same however many items there are. Bytes are counted outside, by the relay
between the two."""

import sys
import time

from node import World, main, records, same, wait_for
from tap import check, equal, note

CHANGED = 100
SIZES = (10000, 100000)
# Nothing but the delta on the wire while it is measured.
STILL = ["--heartbeat.interval", "60s", "--heartbeat.silence", "300s",
         "--dial.max", "250ms"]


def _measure(size):
    """Bytes, rows scanned and seconds of catching up."""
    with World(relayed=True) as w:
        a, b = w.mesh("a", "b", flags=STILL)
        a.do("import", "default", stdin=records(0, size))
        same([a, b], patience=90)
        b.stop()
        step = size // CHANGED
        a.call("batch", space="default", ops=[
            {"key": "key%06d" % i, "value": {"n": -i, "text": "changed"}}
            for i in range(0, size, step)])
        a.stop()
        w.relay.cut("b")
        a.start()
        b.start()
        before = b.space()["fingerprint"]
        w.relay.forget()
        w.relay.mend("b")
        wait_for("b catches up", lambda: b.get("key%06d" % (size - step)) ==
                 {"n": step - size, "text": "changed"})
        same([a, b])
        took = time.monotonic() - w.relay.latest
        wait_for("all is acknowledged", lambda: not any(
            p["behind"] for n in (a, b) for p in n.status()["peers"]))
        count = w.relay.bytes()
        check(before != b.space()["fingerprint"], "nothing had changed")
        equal(b.space()["items"], size, "items")
        check(b.agrees(), "verify")
        rows = [n.status()["rows"] for n in (a, b)]
        walked = sum(r["walked"] for r in rows)
        equal(rows[0]["sent"], rows[1]["received"], "rows that crossed")
        note("%6d items, %d changed: %d bytes, %d rows scanned, %d sent, "
             "%.0f ms from the connection on" % (size, CHANGED, count, walked,
             rows[0]["sent"], took * 1000))
        return count, walked, took


def a_delta_costs_the_same_in_any_size():
    (small, few, small_s), (large, many, large_s) = [
        _measure(n) for n in SIZES]
    check(large < 2 * small, "%d bytes among %d items, %d among %d" % (
        small, SIZES[0], large, SIZES[1]))
    check(large_s < 2 * small_s + 0.5, "%.3f s and %.3f s" % (
        small_s, large_s))
    # What passed since a cursor was last told is walked again.
    check(many < few + 2500, "%d rows scanned, and %d" % (few, many))
    # Both hellos, certificates and 100 items; all items are 12 MB.
    check(large < 100000, "%d bytes" % large)


if __name__ == "__main__":
    sys.exit(main(globals()))
