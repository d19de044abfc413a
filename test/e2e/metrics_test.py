#!/usr/bin/python3
"""What `metrics` tells: Prometheus' own programs find nothing wrong with it,
its numbers follow what happens, and the alerts and the dashboard of
packaging/monitoring ask for nothing that is not told."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from hub import Hub
from lansync_test import Scene
from node import (Refused, World, conflicts, connections, free_listen, main,
                  same, wait_for)
from tap import Skip, check, equal, holds

MONITORING = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "..", "..", "packaging", "monitoring")
# What others tell: Prometheus itself, node_exporter.
OTHERS = {"up", "node_textfile_mtime_seconds"}


def _promtool(*args, text=None, folder=None):
    if shutil.which("promtool") is None:
        raise Skip("there is no promtool here: apt-get install prometheus")
    done = subprocess.run(["promtool", *args], input=text, text=True,
                          cwd=folder, capture_output=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def _parsers():
    try:
        from prometheus_client import parser
        from prometheus_client.openmetrics import parser as strict
    except ImportError:
        raise Skip("there is no prometheus_client for this Python here: "
                   "apt-get install python3-prometheus-client") from None
    return parser, strict


def _samples(n):
    """{(name, labels as a sorted tuple): value}"""
    parser, _ = _parsers()
    found = {}
    for family in parser.text_string_to_metric_families(n.do("metrics")):
        for s in family.samples:
            at = s.name, tuple(sorted(s.labels.items()))
            check(at not in found, "told twice: %r" % (at,))
            found[at] = s.value
    return found


def _value(n, metric, /, **labels):
    """The sum of all samples of that name that bear these labels."""
    return sum(v for (at, have), v in _samples(n).items()
               if at == metric and set(labels.items()) <= set(have))


def prometheus_finds_nothing_wrong():
    with World() as w:
        a, b = w.mesh("a", "b")
        a.put("lamp", 1)
        same([a, b])
        text = a.do("metrics")
        equal(_promtool("check", "metrics", text=text), (0, ""), "promtool")
        answer = json.loads(a.do("metrics", "--json"))
        holds(answer["content_type"], "text/plain; version=0.0.4")
        holds(answer["text"], "syncline_build_info")


def the_strict_reader_of_openmetrics_reads_the_same():
    _, strict = _parsers()
    with World() as w:
        (a,) = w.nodes("a")
        a.put("lamp", 1)
        text = a.do("metrics", "--openmetrics")
        told = {s.name for f in strict.text_string_to_metric_families(text)
                for s in f.samples}
        equal(told, {name for name, _ in _samples(a)}, "names")
        holds(a.call("metrics", format="openmetrics")["content_type"],
              "application/openmetrics-text")
        try:
            a.call("metrics", format="xml")
        except Refused as why:
            equal(why.code, "EINVAL")
            holds(why.text, "prometheus", "openmetrics")
        else:
            raise AssertionError("a format that there is none of was told")


def numbers_follow_what_happens():
    with World() as w:
        a, b = w.mesh("a", "b")
        connections([a, b])
        same([a, b])
        before = _value(b, "syncline_propagation_seconds_count")
        syncs = _value(a, "syncline_journal_sync_seconds_count")
        for i in range(20):
            a.put("k%d" % i, i)
        same([a, b])
        check(_value(b, "syncline_propagation_seconds_count") >= before + 20,
              "arrivals")
        equal(_value(b, "syncline_propagation_seconds_bucket", le="300.0"),
              _value(b, "syncline_propagation_seconds_count"),
              "arrivals within five minutes")
        check(_value(a, "syncline_journal_sync_seconds_count") > syncs, "syncs")
        equal(_value(a, "syncline_items", space="default"), 20, "items")
        check(_value(a, "syncline_rows_total", direction="sent") >= 20, "rows")
        equal(_value(a, "syncline_peer_connected", name="b"), 1, "connected")
        wait_for("that b says it has all", lambda: _value(
            a, "syncline_peer_lag_changes", name="b") == 0)
        check(_value(a, "syncline_sent_bytes_total") > 1000, "bytes")
        # What is asked by HTTP is nothing that peers were sent.
        sent = _value(a, "syncline_sent_bytes_total")
        by_http = _value(a, "syncline_http_sent_bytes_total")
        with Hub(a) as h:
            asked = sum(len(h.ask("GET", "/openapi.json").content)
                        for _ in range(20))
        check(asked > 500000, "so much was asked for")
        check(_value(a, "syncline_http_sent_bytes_total") >= by_http + asked,
              "of HTTP")
        check(_value(a, "syncline_sent_bytes_total") < sent + asked / 2,
              "of peers")
        equal(_value(a, "syncline_trouble"), 0, "trouble")


def who_is_away_lags_and_what_it_missed_is_no_slow_arrival():
    with World() as w:
        a, b = w.mesh("a", "b")
        same([a, b])
        wait_for("that b says it has all", lambda: _value(
            a, "syncline_peer_lag_changes", name="b") == 0)
        b.stop()
        wait_for("that b is gone", lambda: _value(
            a, "syncline_peer_connected", name="b") == 0)
        for i in range(7):
            a.put("k%d" % i, i)
        equal(_value(a, "syncline_peer_lag_changes", name="b"), 7, "lag")
        b.start()
        connections([a, b])
        same([a, b])
        check(_value(b, "syncline_changes_late_total") >= 7, "late changes")
        equal(_value(b, "syncline_propagation_seconds_count"), 0, "arrivals")
        wait_for("that b has all", lambda: _value(
            a, "syncline_peer_lag_changes", name="b") == 0)


def lan_sync_is_counted():
    """Both ways, and who does not come in; without it nothing is told."""
    with Scene(flags=("--lansync.peers", "127.0.0.1:9")) as s:
        node = s.nodes["a"]
        for i, dialect in enumerate(("v1", "v2")):
            old = s.old("old-" + dialect, dialect)
            old.do("connect", port=s.port())
            old.do("put", key="from-" + dialect, data={"n": 1})
            node.waits_for("from-" + dialect, {"n": 1}, "lan")
            node.put("to-" + dialect, {"n": 2}, "lan")
            wait_for("it is in", lambda: _value(
                node, "syncline_lansync_connections", dialect=dialect,
                direction="in") == 1)
            wait_for("all is acknowledged", lambda i=i: _value(
                node, "syncline_lansync_items_total", what="acked") == (
                    1, 6)[i])
        guest = s.old("guest", "v2")
        check(not guest.do("connect", port=s.port(), token="x").get(
            "success"), "it was let in")
        long = "\u00f6" * (3 << 20)
        node.put("long", {"t": long}, "lan")
        for name, labels, wanted in (
                ("connections", {}, 2),
                ("connections", {"direction": "out"}, 0),
                ("items_total", {"what": "taken"}, 2),
                ("items_total", {"what": "refused"}, 0),
                ("turned_away_total", {"reason": "failures"}, 1),
                ("peers_unreachable", {}, 1),
                ("lacking_nodes", {}, 2),
                ("lacking_items", {}, 2),
                ("untold_nodes", {}, 0)):
            wait_for("%s %r is %d" % (name, labels, wanted), lambda: _value(
                node, "syncline_lansync_" + name, **labels) == wanted)
        equal(_promtool("check", "metrics", text=node.do("metrics")), (0, ""))
        plain = s.world.node("b").start()
        equal(plain.do("metrics").count("lansync"), 0, "where it is off")
    with Scene("a", "b") as s:  # of two meshes: they compress
        a, b = s.nodes["a"], s.nodes["b"]
        a.put("even", {"t": "x" * 50000}, "lan")
        b.stop()
        b.flags += ["--lansync.peers", "127.0.0.1:%d" % s.port()]
        b.start()
        b.waits_for("even", {"t": "x" * 50000}, "lan")
        for node, way, call in ((a, "sent", "in"), (b, "received", "out")):
            clear, packed = (_value(
                node, "syncline_lansync_compressed_bytes_total",
                direction=way, form=form) for form in ("clear", "packed"))
            check(clear > 50000 > 10 * packed > 0, (clear, packed))
            equal(_value(node, "syncline_lansync_connections",
                         direction=call), 1, call)


def conflicts_are_counted_now_and_then():
    with World() as w:
        a, b = w.mesh("a", "b", listen=free_listen)
        same([a, b])
        b.stop()
        for i in range(3):
            a.put("k%d" % i, "by a")
        a.stop()
        b.start()
        for i in range(3):
            b.put("k%d" % i, "by b")
        a.start()
        connections([a, b])
        same([a, b])

        def _open():
            return _value(a, "syncline_open_conflicts", space="default")
        wait_for("three conflicts", lambda: _open() == 3)
        found = sum(_value(n, "syncline_conflicts_total") for n in (a, b))
        check(found >= 3, "found: %d" % found)
        a.do("resolve", conflicts(a)[0]["id"], "--take", "loser")
        wait_for("that one less is counted", lambda: _open() == 2)
        (space,) = [s for s in a.call("status", brief=True)["spaces"]
                    if s["name"] == "default"]
        check("vector" not in space, "brief: %r" % space)


def a_name_is_only_a_name():
    name = 'b"} 1\nsyncline_items{space="x\\'
    with World() as w:
        a = w.node("a").start()
        b = w.node("b", "--name", name).start()
        b.name = name
        b.joins(a)
        equal(_promtool("check", "metrics", text=a.do("metrics")), (0, ""))
        told = [dict(labels).get("name") for (at, labels) in _samples(a)
                if at == "syncline_peer_connected"]
        equal(told, [name], "names of peers")


def alerts_come_when_they_should():
    code, text = _promtool("check", "rules", "alerts.yml", folder=MONITORING)
    equal(code, 0, text)
    code, text = _promtool("test", "rules", "alerts_test.yml",
                          folder=MONITORING)
    equal(code, 0, text)


def _dashboard():
    """Each question that a panel asks, as Prometheus gets it."""
    with open(os.path.join(MONITORING, "dashboard.json")) as f:
        panels = json.load(f)["panels"]
    equal(len({p["id"] for p in panels}), len(panels), "ids of panels")
    return [t["expr"].replace("$__rate_interval", "5m")
            .replace("$instance", ".*") for p in panels for t in p["targets"]]


def the_dashboard_asks_what_can_be_asked():
    with tempfile.TemporaryDirectory() as folder:
        rules = [{"record": "asked:%d" % i, "expr": expr}
                 for i, expr in enumerate(_dashboard())]
        with open(os.path.join(folder, "asked.yml"), "w") as f:
            json.dump({"groups": [{"name": "asked", "rules": rules}]}, f)
        code, text = _promtool("check", "rules", "asked.yml", folder=folder)
        equal(code, 0, text)


def nothing_is_asked_that_is_not_told():
    with open(os.path.join(MONITORING, "alerts.yml")) as f:
        asked = re.findall(r"^ +expr: (.*(?:\n {10,}.*)*)", f.read(), re.M)
    check(len(asked) > 10, "alerts: %d" % len(asked))
    asked += _dashboard()
    names = {n for expr in asked for n in re.findall(
        r"\b(?:syncline|process|node)_[a-z0-9_]+", expr)}
    for older in ("syncline_isync_", "syncline_lansync_"):
        check(sum(n.startswith(older) for n in names) > 3, older)
    # With all that there is to be told of.
    with Scene(flags=("--isync.enabled", "true", "--isync.port", "0")) as s:
        a, b = s.nodes["a"], s.world.node("b").start()
        b.joins(a)
        wait_for("a round trip", lambda: _value(
            a, "syncline_peer_round_trip_seconds", name="b") > 0)
        told = {name for name, _ in _samples(a)} | OTHERS
    equal(sorted(names - told), [], "names that nobody tells")


if __name__ == "__main__":
    sys.exit(main(globals()))
