#!/usr/bin/python3
"""What a page that shows a node needs, over HTTP and by the command line."""

import json
import os
import re
import sys
import threading
import time
import xml.etree.ElementTree

import zbar

from hub import Hub
from node import World, free_listen, main, wait_for
from tap import check, equal, holds

ITEMS = "/v1/spaces/default/items"
JSON_PATCH = {"Content-Type": "application/json-patch+json"}


def a_list_of_operations_is_carried_out_or_not_at_all():
    with World() as w:
        a, b = w.mesh("a", "b")
        with Hub(a) as h:
            h.ask("PUT", ITEMS + "/x", json={"n": 1, "list": ["a", "c"]})
            h.ask("PATCH", ITEMS + "/x", headers=JSON_PATCH, json=[
                {"op": "test", "path": "/n", "value": 1},
                {"op": "replace", "path": "/n", "value": 2},
                {"op": "add", "path": "/list/1", "value": "b"},
                {"op": "copy", "from": "/list", "path": "/more"},
                {"op": "move", "from": "/n", "path": "/m"},
                {"op": "remove", "path": "/more/0"}])
            now = {"m": 2, "list": ["a", "b", "c"], "more": ["b", "c"]}
            equal(h.json("GET", ITEMS + "/x"), now, "patched")
            b.waits_for("x", now)
            told = h.json("PATCH", ITEMS + "/x", 412, headers=JSON_PATCH, json=[
                {"op": "remove", "path": "/list"},
                {"op": "test", "path": "/m", "value": 3}])
            equal(told["code"], "ECONFLICT", "the code")
            holds(told["detail"], "patch[1] test /m")
            equal(h.json("GET", ITEMS + "/x"), now, "as it was")
            for patch in ([{"op": "add", "path": "x", "value": 1}], {"m": 1},
                          [{"op": "move", "from": "/list", "path": "/list/0"}]):
                h.ask("PATCH", ITEMS + "/x", 400, headers=JSON_PATCH,
                      json=patch)
            h.ask("PATCH", ITEMS + "/nothing", 404, headers=JSON_PATCH,
                  json=[{"op": "add", "path": "/a", "value": 1}])
            h.ask("PUT", ITEMS + "/x", 415, headers=JSON_PATCH, json={})
            tag = h.ask("GET", ITEMS + "/x").headers["ETag"]
            h.ask("PATCH", ITEMS + "/x", headers={"If-Match": tag, **JSON_PATCH},
                  json=[{"op": "add", "path": "/list/-", "value": "d"}])
            h.ask("PATCH", ITEMS + "/x", 412,
                  headers={"If-Match": tag, **JSON_PATCH},
                  json=[{"op": "add", "path": "/list/-", "value": "e"}])
        a.do("patch", "default", "x", json.dumps(
            [{"op": "remove", "path": "/list/3"}]))
        equal(a.get("x"), now, "by the command line")


def _errors(h, code, **params):
    return [e for e in h.json("GET", "/v1/errors", params=params)["errors"]
            if e["code"] == code]


def what_went_wrong_is_told_until_it_is_over():
    """A member that is away: seen by looking; it comes back."""
    quick = ("--heartbeat.interval", "100ms", "--heartbeat.silence", "300ms")
    with World() as w:
        a, b = w.mesh("a", "b", flags=quick, listen=free_listen)
        with Hub(a) as h:
            equal(_errors(h, "peer", all="true"), [], "all is well")
            b.stop()
            wait_for("it is missed", lambda: _errors(h, "peer"))
            one, = _errors(h, "peer")
            equal((one["state"], one["level"], one["where"]["name"]),
                  ("open", "warn", "b"), "the entry")
            holds(one["what"], "b is not connected")
            holds(one["advice"], "firewall")
            check(a.status()["errors"]["open"] >= 1, "status")
            holds(h.ask("GET", "/metrics").text, "syncline_open_errors 1")
            holds(a.do("errors"), one["id"], "b is not connected", "-> is it")
            b.start()
            wait_for("it is over", lambda: not _errors(h, "peer"))
            one, = _errors(h, "peer", all="true")
            equal((one["state"], one["count"]), ("cleared", 1), "the entry")


def what_happened_stays_until_somebody_knows():
    with World() as w:
        a, = w.nodes("a")
        with Hub(a, "wrong") as nobody, Hub(a) as h:
            for _ in range(2):
                nobody.ask("GET", "/v1/status", 401)
            one, = _errors(h, "login")
            equal((one["state"], one["count"], one["where"]),
                  ("open", 2, {"address": "127.0.0.1"}), "the entry")
            before = h.json("GET", "/v1/errors")["open"]
            told = h.json("POST", "/v1/errors/" + one["id"],
                          json={"by": "Anna"})
            equal((told["changed"], told["open"]), (1, before - 1), "answer")
            one, = _errors(h, "login")
            equal(one["state"], "acknowledged", "its state")
            holds(one["by"], "Anna (token ")
            h.ask("POST", "/v1/errors/ffffffff", 404, json={})
            h.ask("POST", "/v1/errors/" + one["id"], 400, json={"ack": 1})
        a.stop()
        a.start()
        with Hub(a, "wrong") as nobody, Hub(a) as h:
            again, = _errors(h, "login")
            equal(again, one, "kept over a restart")
            nobody.ask("GET", "/v1/status", 401)
            again, = _errors(h, "login")
            equal((again["state"], again["count"], again["first"]),
                  ("open", 3, one["first"]), "it came back")
        a.kill()
        a.start()
        entries = json.loads(a.do("errors", "--json"))["errors"]
        holds(str([e["code"] for e in entries]), "replica")
        a.do("errors", "--ack", "all", "--by", "Bert")
        equal(a.status()["errors"]["open"], 0, "somebody knows of all")
        a.do("errors", "--reopen", entries[0]["id"])
        equal(a.status()["errors"]["open"], 1, "but one")
        a.refuses("errors", "--ack", "x", says="no such entry")


def what_is_refused_is_told():
    with World() as w:
        a, = w.nodes("a", flags=("--limits.keys", "2"))
        with Hub(a) as h:
            for i in range(2):
                h.ask("PUT", ITEMS + "/%d" % i, json=1)
            for _ in range(3):
                h.ask("PUT", ITEMS + "/x", 413, json=1)
            one, = _errors(h, "refused-limit")
            equal((one["count"], one["where"]), (3, {"op": "put"}), "counted")
            h.ask("GET", ITEMS + "/nothing", 404)
            h.ask("PUT", "/v1/spaces/nowhere/items/x", 404, json=1)
            equal(len(h.json("GET", "/v1/errors")["errors"]), 1,
                  "an asker's mistake is none of ours")


def _option(h, name):
    one, = [o for o in h.json("GET", "/v1/config")["options"]
            if o["name"] == name]
    return one


def options_are_changed_while_it_runs():
    with World() as w:
        a, = w.nodes("a")
        file = os.path.join(a.dir, "syncline.yaml")
        with open(file, "w", encoding="utf-8") as f:
            f.write("# mine\nlog:\n  format: text # for now\n")
        os.chmod(file, 0o640)
        with Hub(a) as h:
            keep = _option(h, "store.overlay")
            equal({k: keep[k] for k in ("value", "default", "source", "type",
                                        "min", "max", "takes_effect")},
                  {"value": "64MiB", "default": "64MiB", "source": "default",
                   "type": "size", "min": "1MiB", "max": "4GiB",
                   "takes_effect": "restart"}, "as it is described")
            equal({k: _option(h, "history.keep")[k] for k in (
                "value", "type", "max", "takes_effect")},
                  {"value": 50, "type": "integer", "max": 1000000,
                   "takes_effect": "at once"}, "a number")
            equal(_option(h, "log.format")["choices"], ["text", "json"],
                  "its words")
            told = h.json("PATCH", "/v1/config", json={"log.format": "json"})
            equal((told["changed"], told["restart"]), (1, False), "at once")
            one = _option(h, "log.format")
            equal((one["value"], one["source"]),
                  ("json", "file %s:3" % file), "in force")
            with open(a.log, encoding="utf-8") as log:
                last = log.read().splitlines()[-1]
            equal(json.loads(last)["module"], "security", "a line of JSON")
            told = h.json("PATCH", "/v1/config", json={
                "store.overlay": "7MiB", "peer": ["127.0.0.1:9"]})
            equal((told["changed"], told["restart"]), (2, True), "later")
            keep = _option(h, "store.overlay")
            equal((keep["value"], keep["next"]), ("64MiB", "7MiB"), "not yet")
            with open(file, encoding="utf-8") as f:
                equal(f.read(), "# mine\nlog:\n  format: json # for now\n"
                      "store.overlay: 7MiB\npeer: [\"127.0.0.1:9\"]\n",
                      "the file")
            equal(os.stat(file).st_mode & 0o777, 0o640, "its mode")
            for value, code, part in (
                    ({"history.keep": -1}, 400, "history.keep"),
                    ({"nothing": 1}, 400, "no such option"),
                    ({"log.level": "info"}, 403, "flag --log.level"),
                    ({"resolve.command": "/bin/sh"}, 403, "by hand"),
                    ({"dir": "/"}, 403, "by hand"),
                    ({"history.keep": 8, "retention": "soon"}, 400,
                     "retention"),
                    ([], 400, "an object")):
                told = h.json("PATCH", "/v1/config", code, json=value)
                holds(told["detail"], part)
            equal(_option(h, "store.overlay")["next"], "7MiB", "nothing by half")
            a.call("audit")
            with open(os.path.join(a.dir, "audit.log"), encoding="utf-8") as f:
                last = [r for r in map(json.loads, f)
                        if r["kind"] == "setting"][-1]
            equal(last["details"], {"store.overlay": "7MiB",
                                    "peer": "changed"}, "audited")
            holds(a.do("config"), "7MiB)", "from the next start on")
            equal(a.do("config", "get", "history.keep").strip(), str(
                _option(h, "history.keep")["value"]), "one option")
            equal(json.loads(a.do("config", "get", "store.overlay", "--json"))[
                "next"], "7MiB", "with what it will be")
            a.refuses("config", "get", "nothing", says="no such option")
            reader = json.loads(a.do("token", "create", "--name", "r",
                                     "--json"))["secret"]
        with Hub(a, reader) as h:
            h.ask("GET", "/v1/config", 403)
            h.ask("PATCH", "/v1/config", 403, json={"log.format": "text"})
        a.do("config", "unset", "peer")
        a.do("config", "set", "log.format", "text")
        a.stop()
        a.do("config", "set", "store.overlay", "16MiB")
        a.refuses("config", "set", "retention", "soon", says="retention")
        a.refuses("config", "set", "nothing", "1", says="no such option")
        a.refuses("config", "set", "retention", code=2, says="wants")
        with open(file, encoding="utf-8") as f:
            equal(f.read(), "# mine\nlog:\n  format: text # for now\n"
                  "store.overlay: 16MiB\n", "the file")
        a.start()
        with Hub(a) as h:
            equal(_option(h, "store.overlay")["value"], "16MiB", "now it is")
            check("next" not in _option(h, "store.overlay"), "and stays")


def limits_hold_as_soon_as_they_are_set():
    with World() as w:
        a, = w.nodes("a")
        with Hub(a) as h:
            for i in range(5):
                h.ask("PUT", ITEMS + "/x", json=i)
            told = h.json("PATCH", "/v1/config", json={
                "limits.keys": 1, "history.keep": 2})
            equal(told["restart"], False, "nothing waits")
            told = h.json("PUT", ITEMS + "/y", 413, json=1)
            holds(told["detail"], "limits.keys")
            for i in range(64):  # the past is thinned now and then
                h.ask("PUT", ITEMS + "/x", json=i)
            equal(len(h.json("GET", "/v1/spaces/default/history/x")[
                "versions"]), 3, "two, and the present one")
            h.ask("PATCH", "/v1/config", json={"limits.keys": None})
            h.ask("PUT", ITEMS + "/y", json=1)
            equal(_option(h, "limits.keys")["value"], 1000000, "the default")


def the_audit_log_is_read_by_pages():
    with World() as w:
        a, = w.nodes("a")
        for i in range(7):
            a.do("token", "create", "--name", "t%d" % i)
        a.call("audit")
        with open(os.path.join(a.dir, "audit.log"), encoding="utf-8") as f:
            want = [json.loads(line) for line in f]
        with Hub(a) as h:
            at = "/v1/audit/records"
            told = h.json("GET", at)
            equal(told["records"], want, "all there are")
            equal((told["newest"], told["more_records"]),
                  (want[-1]["seq"], False), "no more")
            equal(h.json("GET", at, params={"limit": 2})["records"],
                  want[-2:], "the last ones")
            seen, after = [], 0
            while True:
                told = h.json("GET", at, params={"after": after, "limit": 3})
                seen += told["records"]
                if not told["more_records"]:
                    break
                after = seen[-1]["seq"]
            equal(seen, want, "page after page")
            equal(h.json("GET", at, params={"after": 10 ** 9})["records"], [],
                  "nothing is that new")
            h.ask("GET", at, 400, params={"limit": 0})
            h.ask("GET", at, 400, params={"limit": 1001})
        reader = json.loads(a.do("token", "create", "--name", "r", "--json"))
        with Hub(a, reader["secret"]) as h:
            h.ask("GET", at, 403)
        a.stop()
        # What was set aside is read, too.
        os.rename(os.path.join(a.dir, "audit.log"),
                  os.path.join(a.dir, "audit.log.1"))
        a.start()
        with Hub(a) as h:
            equal(h.json("GET", at, params={"after": 0})["records"][:7],
                  want[:7], "of the older file")


def who_is_away_is_reached_at_once():
    slow = ("--dial.max", "10m")
    with World() as w:
        a, b = w.mesh("a", "b", flags=slow, listen=free_listen)
        with Hub(a) as h:
            told = h.json("POST", "/v1/sync", json={})
            equal((told["synced"], [p["state"] for p in told["peers"]]),
                  (True, ["synced"]), "it is so")
            b.stop()
            for i in range(50):
                a.put("k%d" % i, i)
            told = h.json("POST", "/v1/sync", json={"wait_ms": 300})
            equal((told["synced"], told["peers"][0]["state"]),
                  (False, "unreachable"), "it is away")
            check(told["peers"][0]["lag"] > 0, told)
            wait_for("it is not dialled for a while", lambda: h.json(
                "GET", "/v1/peers")["peers"][0]["state"] == "waiting")
            b.start()
            told = h.json("POST", "/v1/sync", json={"peer": "b"})
            equal((told["synced"], [p["name"] for p in told["peers"]]),
                  (True, ["b"]), "reached")
            equal(b.get("k49"), 49, "b has it")
            h.ask("POST", "/v1/sync", 404, json={"peer": "nobody"})
            h.ask("POST", "/v1/sync", 400, json={"peer": "a"})
            h.ask("POST", "/v1/sync", 400, json={"wait_ms": 10 ** 9})
        holds(a.do("sync", "--peer", "b", "--wait", "5s"), "b", "synced")
        b.stop()
        result = a.cli("sync", "--wait", "100ms")
        holds(result.err, "away, and not reached: b")
        equal(result.code, 1, "it failed")
        holds(result.out, "unreachable")


def a_page_can_draw_the_mesh():
    with World() as w:
        a, b, c = w.mesh("a", "b", "c")
        with Hub(a) as h:
            told = wait_for("both are measured", lambda: [
                t for t in (h.json("GET", "/v1/mesh"),)
                if all(x["rtt_us"] is not None for x in t["links"])])[0]
            equal(sorted((n["name"], n["self"], n["role"], n["connected"])
                         for n in told["nodes"]),
                  [("a", True, "admin", True), ("b", False, "admin", True),
                   ("c", False, "admin", True)], "nodes")
            ids = {n["name"]: n["device"] for n in told["nodes"]}
            equal(sorted((x["from"], x["to"]) for x in told["links"]),
                  sorted((ids["a"], ids[n]) for n in "bc"), "links")
            for link in told["links"]:
                equal(link["state"], "connected", "its state")
                check(isinstance(link["offset_us"], int), link)
                check("lag" in link and "address" in link, link)
            check(told["clock"]["ok"], told)


def figures_are_drawn_while_somebody_looks():
    with World() as w:
        a, b = w.mesh("a", "b")
        with Hub(a) as h:
            at = "/v1/metrics/recent"
            told = h.json("GET", at)
            equal((told["time"], told["interval_ms"]), ([], 1000), "it begins")
            b.put("x", 1)
            a.put("y", 1)
            told = wait_for("some samples", lambda: [
                t for t in (h.json("GET", at),)
                if sum(t["items_in"]) and sum(t["changes"])])[0]
            n = len(told["time"])
            for name, column in told.items():
                if isinstance(column, list) and name != "peers":
                    equal(len(column), n, name)
            equal(sum(told["changes"]), 1, "made here")
            check(sum(told["commits"]) and sum(told["bytes_in"]) and
                  sum(told["bytes_out"]), told)
            check(any(p is not None and p > 0
                      for p in told["propagation_p99_us"]), told)
            peer, = told["peers"]
            equal((peer["name"], len(peer["lag"]), len(peer["rtt_us"])),
                  ("b", n, n), "b")
            last = told["time"][-1]
            told = wait_for("another sample", lambda: [
                t for t in (h.json("GET", at, params={"since": last}),)
                if t["time"]])[0]
            check(told["time"][0] > last, "only what is new")


def a_page_lets_a_device_in_by_a_code():
    with World() as w:
        a, b = w.nodes("a", "b")
        with Hub(a) as ha, Hub(b) as hb:
            equal(hb.json("GET", "/v1/join")["state"], "none", "not yet")
            told = ha.json("POST", "/v1/invitations",
                           json={"qr": True, "expires_s": 60})
            check(abs(told["expires"] / 1e6 - time.time() - 60) < 10, told)
            qr = told["qr"]
            equal({len(r) for r in qr["rows"]}, {qr["size"]}, "a square")
            equal(len(qr["rows"]), qr["size"], "of rows")
            equal(_scan(qr), [told["code"]], "as a reader sees it")
            root = xml.etree.ElementTree.fromstring(qr["svg"])
            equal(root.get("viewBox"), "0 0 %d %d" % (qr["size"], qr["size"]),
                  "the drawing")
            equal(_drawn(root, qr["size"]), qr["rows"], "is the same")
            hb.ask("POST", "/v1/join", 400, json={"code": "nonsense"})
            equal(hb.json("GET", "/v1/join")["state"], "failed", "its state")
            joined = hb.json("POST", "/v1/join", json={"code": told["code"]})
            equal(joined["name"], "a", "by whom")
            state = hb.json("GET", "/v1/join")
            equal((state["state"], state["mesh"]),
                  ("joined", joined["mesh"]), "its state")
            members = hb.json("GET", "/v1/members")["members"]
            equal(sorted(m["name"] for m in members), ["a", "b"], "two")
            check("qr" not in ha.json("POST", "/v1/invitations", json={}),
                  "not asked for")


def a_page_lets_a_device_in_by_digits():
    with World() as w:
        a, b = w.nodes("a", "b")
        peer = a.status()["listen"][0]
        with Hub(a) as ha, Hub(b) as hb, Hub(b) as waits:
            ha.ask("POST", "/v1/pending", json={"for_s": 60})
            asks = threading.Thread(target=lambda: told.append(
                waits.json("POST", "/v1/join", json={"peer": peer})))
            told = []
            asks.start()
            state = wait_for("digits", lambda: [
                s for s in (hb.json("GET", "/v1/join"),)
                if s["state"] == "digits"])[0]
            one, = ha.json("GET", "/v1/pending")["pending"]
            equal((one["digits"], one["name"]), (state["digits"], "b"),
                  "the same on both sides")
            hb.ask("POST", "/v1/join", 409, json={"peer": peer})
            equal(hb.json("GET", "/v1/join")["state"], "digits", "as it was")
            hb.ask("POST", "/v1/join/confirm",
                   json={"digits": state["digits"]})
            ha.ask("POST", "/v1/pending/" + one["device"],
                   json={"role": "member"})
            asks.join(20)
            equal([t["name"] for t in told], ["a"], "joined")
            equal(hb.json("GET", "/v1/join")["state"], "joined", "its state")
            ha.ask("POST", "/v1/pending/" + one["device"], 404, json={})


def a_page_turns_a_device_away():
    with World() as w:
        a, b = w.nodes("a", "b")
        peer = a.status()["listen"][0]
        with Hub(a) as ha, Hub(b) as hb:
            hb.ask("DELETE", "/v1/join", 404)
            for give_up, code in ((False, 403), (True, 503)):
                ha.ask("POST", "/v1/pending", json={"for_s": 60})
                with Hub(b) as waits:
                    told = []
                    asks = threading.Thread(target=lambda: told.append(
                        waits.ask("POST", "/v1/join", code,
                                  json={"peer": peer})))
                    asks.start()
                    one, = wait_for("it asks", lambda: ha.json(
                        "GET", "/v1/pending")["pending"])
                    if give_up:
                        hb.ask("DELETE", "/v1/join")
                    else:
                        ha.ask("DELETE", "/v1/pending/" + one["device"])
                    asks.join(20)
                    equal(len(told), 1, "answered")
                equal(hb.json("GET", "/v1/join")["state"], "failed", "state")
                wait_for("nobody is there", lambda: not ha.json(
                    "GET", "/v1/pending")["pending"])


def _drawn(root, size):
    """The rows that an SVG of runs shows."""
    rows = [["0"] * size for _ in range(size)]
    path = root[1].get("d")
    for x, y, n in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", path):
        for i in range(int(n)):
            rows[int(y)][int(x) + i] = "1"
    return ["".join(r) for r in rows]


def _scan(qr):
    """What a reader of such pictures sees."""
    scale, size = 4, qr["size"] * 4
    pixels = b"".join(bytes(0 if m == "1" else 255 for m in row
                            for _ in range(scale)) * scale
                      for row in qr["rows"])
    found = zbar.Image(size, size, "Y800", pixels)
    zbar.ImageScanner().scan(found)
    return [symbol.data for symbol in found]


def tokens_logs_and_clocks_are_seen_to():
    with World() as w:
        a, b = w.mesh("a", "b")
        with Hub(a) as h:
            made = h.json("POST", "/v1/tokens", json={
                "name": "app", "scope": "write", "spaces": ["default"]})
            with Hub(a, made["secret"]) as app:
                app.ask("PUT", ITEMS + "/x", json=1)
                app.ask("GET", "/v1/tokens", 403)
                listed = h.json("GET", "/v1/tokens")["tokens"]
                equal([t["name"] for t in listed], ["local", "app"], "both")
                check("secret" not in str(listed), listed)
                h.ask("DELETE", "/v1/tokens/app")
                app.ask("GET", ITEMS + "/x", 401)
            h.ask("DELETE", "/v1/tokens/app", 404)
            told = h.json("PATCH", "/v1/log", json={"level": "warn",
                                                    "module": "net"})
            equal([m["level"] for m in told["modules"]
                   if m["name"] == "net"], ["warn"], "of a module")
            equal(h.json("GET", "/v1/log")["levels"], told["levels"], "levels")
            h.ask("PATCH", "/v1/log", 400, json={"level": "loud"})
            clock = h.json("GET", "/v1/clock")["clock"]
            check(clock["ok"], clock)
            epoch = clock["epoch"]
            equal(h.json("POST", "/v1/clock/reset", json={})["epoch"],
                  epoch + 1, "a new epoch")


def roles_and_keys_are_changed():
    with World() as w:
        a, b = w.mesh("a", "b")
        with Hub(a) as h:
            h.ask("PUT", "/v1/spaces/notes")
            told = h.json("POST", "/v1/members/b/grant",
                          json={"role": "member"})
            equal((told["name"], told["role"]), ("b", "member"), "demoted")
            told = h.json("POST", "/v1/members/b/grant", json={
                "spaces": ["default", "notes"], "only": True})
            equal(sorted(told["spaces"]), ["default", "notes"], "of two")
            told = h.json("POST", "/v1/members/b/revoke",
                          json={"spaces": ["notes"]})
            equal(told["spaces"], ["default"], "of one")
            epoch = h.json("GET", "/v1/status")["epoch"]
            equal(h.json("POST", "/v1/rotate", json={})["epoch"], epoch + 1,
                  "another key")
            h.ask("PUT", "/v1/spaces/default/policy",
                  json={"prefix": "p/", "policy": "manual"})
            equal([(p["prefix"], p["policy"]) for p in h.json(
                "GET", "/v1/policies?space=default")["policies"]][0],
                  ("p/", "manual"), "the policy")
            wait_for("b has heard", lambda: b.status()["epoch"] == epoch + 1)


def a_page_looks_after_the_node():
    with World() as w:
        a, = w.nodes("a")
        with Hub(a) as h:
            checks = {c["name"]: c for c in h.json(
                "GET", "/v1/doctor")["checks"]}
            check(checks["disk"]["ok"], checks)
            a.do("token", "create", "--name", "t")
            told = h.json("GET", "/v1/audit")
            equal((told["seq"], told["trouble"]), (1, None), "one record")
            equal(h.json("GET", "/v1/rescue")["rescue"], [], "nothing waits")
            equal(h.json("POST", "/v1/rescue", json={
                "take": "drop", "all": True})["items"], 0, "of nothing")
            h.ask("POST", "/v1/rescue", 404, json={
                "take": "drop", "space": "default", "key": "x"})


def a_browser_signs_in_and_out():
    with World() as w:
        a, = w.nodes("a")
        link = a.call("session_link")["url"].split("=")[1]
        with Hub(a, "") as h:
            h.session.headers["Origin"] = h.base
            told = h.json("POST", "/v1/session", json={"link": link})
            h.session.headers["Syncline-Session"] = told["session"]
            h.ask("GET", "/v1/config")
            h.ask("DELETE", "/v1/session")
            h.ask("GET", "/v1/config", 401)


def pages_of_isync_want_a_token_here():
    flags = ("--isync.enabled", "true", "--isync.port", "0",
             "--isync.pages", "none", "--isync.clear", "true")
    with World() as w:
        a, = w.nodes("a", flags=flags)
        with Hub(a) as h:
            for path in ("/isync", "/peers", "/config", "/isync/config",
                         "/config/edit/max_peers"):
                r = h.ask("GET", path)
                holds(r.text, "<h1>")
                holds(r.headers["Content-Security-Policy"],
                      "default-src 'none'")
                with Hub(a, "") as stranger:
                    stranger.ask("GET", path, 401)
            for path, body, to in (
                    ("/connect_peer", {"peer_url": "http://127.0.0.1:9"},
                     "/peers"),
                    ("/sync_now", {}, "/"), ("/isync/sync_now", {}, "/isync"),
                    ("/isync/toggle", {}, "/isync"),
                    ("/config/edit/max_peers", {"value": "2"}, "/config"),
                    ("/isync/config", {"auto_discover": False},
                     "/isync/config")):
                r = h.ask("POST", path, 302, json=body, allow_redirects=False)
                equal(r.headers["Location"], to, path)
            h.ask("POST", "/isync/toggle", 415, data="a=b", headers={
                "Content-Type": "application/x-www-form-urlencoded"})
            equal(h.json("GET", "/api/stats")["connected_peers"], 0, "stats")
            told = h.json("GET", "/api/isync/status")
            equal((told["sync_enabled"], told["peer_urls"]),
                  (False, ["http://127.0.0.1:9"]), "the state")
            wait_for("it is set", lambda: a.do(
                "config", "get", "isync.max_peers").strip() == "2")
            a.do("token", "create", "--name", "r", "--scope", "read")
    with World() as w:
        a, = w.nodes("a")
        with Hub(a) as h:
            h.ask("GET", "/isync", 404)
            h.ask("GET", "/api/stats", 404)


if __name__ == "__main__":
    sys.exit(main(globals()))
