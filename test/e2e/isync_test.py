#!/usr/bin/python3
"""iSync nodes and Syncline: python-socketio as client and as server, by the
rules of the older system's pages alone, in processes of their own."""

import json
import os
import re
import subprocess
import sys
import time

from isync_scene import TOKEN, Bridge, Lists, Scene
from isync_scene import item as _item
from isync_scene import shows as _shows
from isync_scene import wait_for
from node import main
from tap import check, equal, holds


def a_client_of_theirs_shares_items():
    """Each kind says what it says; all of it is read, and what we say is read
    by each."""
    for kind in ("union", "sealed"):
        with Scene() as s:
            node, old = s.nodes["a"], s.old("icontrol-1", kind=kind)
            node.put("_id", {"theme": "dark", "n": 1}, "config")
            equal(old.do("dial", url=s.url()), "websocket", "upgraded")
            old.shows(theme="dark", n=1)
            old.put(lang="\u00e9\u2603")
            _shows(node, theme="dark", n=1, lang="\u00e9\u2603")
            node.put("_id", {"theme": "light", "n": 1,
                             "lang": "\u00e9\u2603"}, "config")
            old.shows(theme="light", n=1, lang="\u00e9\u2603")
            old.put(theme="blue", n=[1, {"a": None}])
            _shows(node, theme="blue", n=[1, {"a": None}],
                  lang="\u00e9\u2603")
            old.delete("n")
            _shows(node, theme="blue", lang="\u00e9\u2603")
            node.put("_id", {"theme": "blue"}, "config")
            old.shows(theme="blue")
            status = node.call("isync")
            equal(status["links"][0]["node_id"], "icontrol-1", "its name")
            equal(status["links"][0]["transport"], "websocket", "by what")


def polling_alone_will_do():
    with Scene() as s:
        node, old = s.nodes["a"], s.old("old")
        node.put("_id", {"a": 1}, "config")
        equal(old.do("dial", url=s.url(), transports=["polling"]), "polling",
              "no websocket")
        old.shows(a=1)
        old.put(b=2)
        _shows(node, a=1, b=2)


def servers_of_theirs_are_called():
    with Scene(flags=("--isync.clear", "true")) as s:
        node = s.nodes["a"]
        for kind in ("union", "server"):
            old = s.old("node-" + kind, kind=kind)
            node.do("isync", "connect",
                    "http://127.0.0.1:%d" % old.do("serve"))
            wait_for("it is connected", lambda o=old: o.do("links"))
            old.do("put", values={"config._id." + kind: 1})
            wait_for("it has it", lambda k=kind: k in (_item(node) or {}))
        node.call("patch", space="config", key="_id", patch={"here": 2})
        for old in s.older:
            old.shows(union=1, server=1, here=2)
        out = node.do("isync")
        holds(out, "connected", "node-server", "node-union")
        told = node.do("peers")
        holds(told, "iSync nodes:", "node-server")
        row = next(r for r in told.split("\n") if "node-server" in r)
        check(re.search(r" 0\.0 +0\.0 +[0-9.]+ ?[mu\u00b5]?s ", row), row)
        holds(node.do("status"), "isync", "2 connected")


def who_is_not_reached_is_told_of():
    with Scene(flags=("--isync.peers", "http://127.0.0.1:9",
                      "--heartbeat.interval", "100ms",
                      "--heartbeat.silence", "300ms")) as s:
        node = s.nodes["a"]
        wait_for("it is an error", lambda: [
            e for e in node.call("errors")["errors"]
            if e["code"] == "isync-peer" and "127.0.0.1:9" in e["what"]])
        checks = {c["name"] for c in node.call("doctor")["checks"]}
        check("isync-peer" in checks, checks)
        heads, row = [line.split() for line in node.do("peers").split(
            "iSync nodes:")[1].split("\n")[1:3]]
        equal(heads[3:6], ["FAILURES", "VIOLATIONS", "LATENCY"], "heads")
        check(float(row[3]) > 0.9 and row[4:6] == ["0.0", "-"], row)


def stamps_outlive_a_restart():
    """Bit for bit, of whoever wrote them; and nothing is said again as new."""
    with Scene() as s:
        node, old = s.nodes["a"], s.old("old")
        old.do("dial", url=s.url())
        stamps = {"a": 1728123456.25, "b": 1795220724.6696308, "c": 1700000000}
        for name, stamp in stamps.items():
            old.do("put", values={"config._id." + name: name}, stamp=stamp)
        node.put("native", {"_id.x": "y"}, "config")
        _shows(node, a="a", b="b", c="c")
        wait_for("what is here is told", lambda: "config.native._id.x"
                 in old.do("values"))
        before = old.do("state")["lww_registers"]
        old.do("cut")
        node.stop()
        node.start()
        other = s.old("other")
        other.do("dial", url=s.url())
        wait_for("all is there", lambda: len(other.do("values")) == 4)
        equal(other.do("state")["lww_registers"], before, "the registers")
        _shows(node, a="a", b="b", c="c")
        old.do("dial", url=s.url())
        # Older than what stands: it does not come.
        old.do("put", values={"config._id.b": "old"}, stamp=1795220724.6)
        node.call("patch", space="config", key="_id", patch={"a": "new"})
        for one in (old, other):
            wait_for("the newest", lambda o=one: o.do("values").get(
                "config._id.a") == "new")
            equal(one.do("values")["config._id.b"], "b", "the later stands")
        equal(os.stat(os.path.join(node.dir, "isync.json")).st_mode & 0o777,
              0o600, "nobody else reads it")


def what_is_deleted_does_not_come_back():
    with Scene() as s:
        node, old = s.nodes["a"], s.old("old")
        old.do("dial", url=s.url())
        old.put(a=1, b=2, c=3)
        _shows(node, a=1, b=2, c=3)
        old.delete("a")
        _shows(node, b=2, c=3)
        node.stop()
        node.start()
        old.do("cut")
        old.do("dial", url=s.url())
        wait_for("it is back", lambda: old.do("links"))
        # Deleted while the other was away.
        old.do("cut")
        node.call("patch", space="config", key="_id", patch={"b": None})
        old.put(b=9)
        old.do("dial", url=s.url())
        old.shows(c=3)
        _shows(node, c=3)
        # What is not shared is nobody else's, whatever they delete.
        node.put("lamp", {"level": 3}, "config")
        old.do("del", keys=["config.lamp.level"])
        old.put(last=1)
        _shows(node, c=3, last=1)
        old.delete("last")
        _shows(node, c=3)
        equal(_item(node, "lamp"), {"level": 3}, "what is here alone")
        equal(node.call("isync")["native_only"], [], "nor is it told of")
        # Made anew here, it stays here.
        node.call("patch", space="config", key="_id", patch={"a": 7})
        wait_for("it is told of", lambda: "config._id.a" in node.call(
            "isync")["native_only"])
        holds(node.do("isync"), "config._id.a", "made here after")
        node.call("patch", space="config", key="_id", patch={"d": 4})
        old.shows(c=3, d=4)
        _shows(node, a=7, c=3, d=4)
        node.stop()
        node.start()
        old.do("cut")
        old.do("dial", url=s.url())
        wait_for("it is known still", lambda: node.call("isync")[
            "native_only"] == ["config._id.a"])
        node.do("del", "config", "_id")
        old.shows()


def _kept(node):
    try:
        with open(os.path.join(node.dir, "isync.json")) as file:
            return file.read()
    except FileNotFoundError:
        return ""


def nothing_is_lost_by_a_crash_or_another_mesh():
    """Where it is not known any more how far the space was, what is missing in
    it is not taken for deleted."""
    with Scene("a", "b") as s:
        a, b, old = s.nodes["a"], s.nodes["b"], s.old("old")
        old.do("dial", url=s.url("a"))
        values = {"k%d" % i: i for i in range(50)}
        old.put(**values)
        _shows(a, **values)
        wait_for("it is kept", lambda: "k49" in _kept(a))
        old.put(k0="last")
        values["k0"] = "last"
        _shows(a, **values)
        a.kill()
        a.start()
        old.do("cut")
        old.do("dial", url=s.url("a"))
        a.call("patch", space="config", key="_id", patch={"new": 1})
        values["new"] = 1
        old.shows(**values)
        _shows(a, **values)
        b.put("other", {"_id.x": 1}, "config")
        a.joins(b)
        wait_for("it has theirs", lambda: _item(a, "other"))
        wait_for("so have they", lambda: _item(b) == values)
        wait_for("and the older one", lambda: old.do("values") == dict(
            {"config._id." + k: v for k, v in values.items()},
            **{"config.other._id.x": 1}))
        equal(old.do("state")["deleted_keys"]["elements"], [], "deleted")


def a_clock_that_is_wrong_stops_nobody():
    with Scene() as s:
        node, old = s.nodes["a"], s.old("old")
        old.do("dial", url=s.url())
        far = time.time() + 365 * 86400
        old.do("put", values={"config._id.a": "from far ahead"}, stamp=far)
        _shows(node, a="from far ahead")
        check(node.call("isync")["changes"]["far_ahead"] >= 1, "it is told")
        check(node.call("clock")["clock"]["ahead_us"] < 60000000, "our own is not moved")
        node.call("patch", space="config", key="_id", patch={"a": "here"})
        old.shows(a="here")
        check(old.do("state")["lww_registers"]["config._id.a"][
            "timestamp"] > far, "it is later than what it had seen")
        old.do("put", values={"config._id.b": "long ago"}, stamp=1.5)
        _shows(node, a="here", b="long ago")


def what_cannot_be_held_is_passed_on():
    with Scene() as s:
        node, old, other = s.nodes["a"], s.old("old"), s.old("other")
        old.do("dial", url=s.url())
        other.do("dial", url=s.url())
        big = 1 << 70
        old.put(big=big, good=1)
        _shows(node, good=1)
        other.shows(big=big, good=1)
        holds(wait_for("it is told", lambda: node.call("isync")["trouble"]),
              "config._id.big")
        equal(node.call("isync")["refused"], 1, "how many")
        old.put(big=3)
        _shows(node, good=1, big=3)
        equal(node.call("isync")["refused"], 0, "it is over")
        node.put("word", "no object", "config")
        old.do("put", values={"config.word._id.x": 1})
        wait_for("it is told", lambda: node.call("isync")["refused"] == 1)
        equal(node.get("word", "config"), "no object", "it stays")
        node.call("patch", space="config", key="_id", patch={
            "large": "x" * 300000, "small": 1})
        wait_for("what can be told is", lambda: other.do("values").get(
            "config._id.small") == 1)
        wait_for("it is told", lambda: "_id.large" in (
            node.call("isync")["trouble"] or ""))
        node.call("patch", space="config", key="_id", patch={"large": None})
        node.put("word", {"a": 1}, "config")
        wait_for("it is tried again", lambda: node.get(
            "word", "config") == {"a": 1, "_id.x": 1})
        wait_for("all is well", lambda: not node.call("isync")["trouble"])


def keys_turn_by_themselves():
    """Of Synclines that say so, at the same moment; nothing is lost meanwhile."""
    turns = ("--isync.rotate", "3s", "--isync.overlap", "1s")
    with Scene("a", "b", flags=turns) as s:
        a, b = s.nodes["a"], s.nodes["b"]
        b.do("isync", "connect", s.url("a"))
        wait_for("they are connected", lambda: b.call("isync")["connected"])
        first = a.call("isync")["turns"]
        n = 0
        while a.call("isync")["turns"] < first + 6:
            n += 1
            a.call("put", space="config", key="_id", value={"n": n})
            _shows(b, n=n)
        stranger = s.old("stranger", kind="sealed")
        stranger.do("dial", url=s.url("a"))
        wait_for("it hears", lambda: stranger.do("heard"))
        equal(stranger.do("values"), {}, "by the token alone")


def in_clear_only_if_it_is_said_so():
    with Scene() as s:
        node, plain = s.nodes["a"], s.old("plain", kind="plain", token="")
        union = s.old("union")
        node.put("_id", {"secret": "s3cr3t"}, "config")
        plain.do("dial", url=s.url())
        union.do("dial", url=s.url())
        union.shows(secret="s3cr3t")
        heard = union.do("heard") + plain.do("heard")
        heard = [h for h in heard if h["source"] != "union"]
        check(heard and all(h["sealed"] and not h["clear"] for h in heard),
              heard)
        plain.put(bad=1)
        union.put(good=1)
        wait_for("it came", lambda: "good" in _item(node))
        check("bad" not in _item(node), "what anybody says is not taken")
    with Scene(flags=("--isync.clear", "true")) as s:
        node, plain = s.nodes["a"], s.old("plain", kind="plain", token="")
        server = s.old("server", kind="server", token="")
        record = {"id": "prefs_id", "key": "theme", "value": "dark"}
        node.put("prefs_id", record, "config")  # as a plain client takes them
        plain.do("dial", url=s.url())
        server.do("dial", url=s.url())
        want = {"config.prefs_id." + k: v for k, v in record.items()}
        for old in (plain, server):
            wait_for("%s has it" % old.node_id,
                     lambda o=old: o.do("values") == want)
        plain.do("put", values={"config.prefs_id.value": "light"})
        record["value"] = want["config.prefs_id.value"] = "light"
        wait_for("it came", lambda: _item(node, "prefs_id") == record)
        wait_for("and goes on", lambda: server.do("values") == want)


def who_has_no_token_keeps_and_passes_on():
    with Scene(token="") as s:
        node = s.nodes["a"]
        one, other = s.old("one", kind="sealed"), s.old("other", kind="sealed")
        node.put("_id", {"mine": "stays"}, "config")
        one.do("dial", url=s.url())
        one.put(secret="tr3asure")
        wait_for("it is held", lambda: node.call("isync")["packets"]["held"])
        one.do("cut")
        node.stop()
        held = b""
        for folder, _, files in os.walk(node.dir):
            for name in files:
                with open(os.path.join(folder, name), "rb") as file:
                    held += file.read()
        check(b"tr3asure" not in held, "it is in clear in the folder")
        node.start()
        other.do("dial", url=s.url())
        other.shows(secret="tr3asure")
        equal(_item(node), {"mine": "stays"}, "what is here")
        holds(node.call("isync")["trouble"], "no token")


def a_token_that_is_replaced():
    with Scene(token="") as s:
        node, old = s.nodes["a"], s.old("old", kind="sealed", token="first")
        result = node.cli("isync", "key")
        equal(result.code, 0, "it is made")
        made = result.out.strip()
        check(re.fullmatch(r"[A-Za-z0-9_=+/-]{44}", made), made)
        path = os.path.join(node.dir, "isync.token")
        equal(os.stat(path).st_mode & 0o777, 0o600, "nobody else reads it")
        check(node.call("isync")["token"], "it is in force at once")
        node.refuses("isync", "key", says="there is a token already")
        with open(path, "w") as file:
            file.write("first\n")
        node.process.send_signal(1)  # SIGHUP
        old.do("dial", url=s.url())
        old.put(a=1)
        _shows(node, a=1)
        node.do("isync", "key", "--force")
        old.put(b=2)  # by the one before
        _shows(node, a=1, b=2)
        check(made not in node.do("config"), "it is told")


def where_a_token_may_be():
    with Scene(token="") as s:
        node, old = s.nodes["a"], s.old("old", kind="sealed")
        path = os.path.join(node.dir, "isync.token")
        with open(path, "w") as file:
            file.write(TOKEN)
        os.chmod(path, 0o644)
        node.refuses("isync", "key", says="isync.token")
        node.process.send_signal(1)
        wait_for("it is refused", lambda: "isync.token" in node.tail())
        check(not node.call("isync")["token"], "what others can read")
        node.stop()
        node.launch()
        check(node.ends() != 0, "it started")
        os.unlink(path)
        folder = s.world.path("credentials")
        os.mkdir(folder)
        with open(folder + "/syncline.isync-token", "w") as file:
            file.write(TOKEN + "\n")
        node.start(env={"CREDENTIALS_DIRECTORY": folder})
        old.do("dial", url=s.url())
        old.put(a=1)
        _shows(node, a=1)
        port = str(node.call("isync")["port"])
        other = s.world.node("b", *s.flags, "--isync.port", port)
        other.launch()
        check(other.ends() != 0, "it started")
        holds(other.tail(), port, "isync.port")
        os.unlink(folder + "/syncline.isync-token")
        os.mkdir(folder + "/syncline.isync-token")
        node.process.send_signal(1)
        wait_for("it is told", lambda: "ERROR" in node.tail() or
                 "error" in node.tail())
        check(node.call("isync")["token"], "the one before stays")


def two_in_one_mesh_do_not_echo():
    """Both have the same peers; nothing is written again because of that."""
    with Scene("a", "b") as s:
        a, b = s.nodes["a"], s.nodes["b"]
        b.joins(a)
        wait_for("the space is theirs", lambda: b.space("config"))
        old, far = s.old("old"), s.old("far")
        old.do("dial", url=s.url("a"))
        old.do("dial", url=s.url("b"))
        far.do("dial", url=s.url("b"))
        values = {"k%d" % i: i for i in range(40)}
        old.put(**values)
        for node in (a, b):
            _shows(node, **values)
        far.shows(**values)
        a.call("patch", space="config", key="_id", patch={"k1": "new"})
        values["k1"] = "new"
        old.shows(**values)
        far.shows(**values)
        _shows(b, **values)
        far.delete("k2")
        del values["k2"]
        for node in (a, b):
            _shows(node, **values)
        old.shows(**values)
        wait_for("all is said", lambda: not a.call("isync")["pending"] and
                 not b.call("isync")["pending"])
        version = a.call("get", space="config", key="_id")["version"]
        for _ in range(3):
            a.do("isync", "sync")
            b.do("isync", "sync")
            old.do("push")
            far.do("push")
        a.call("patch", space="config", key="_id", patch={"end": 1})
        values["end"] = 1
        for one in (old, far):
            one.shows(**values)
        for node in (a, b):
            _shows(node, **values)
            equal(node.call("get", space="config", key="_id")["version"],
                  version + 1, "one write since")
            equal(node.call("isync")["native_only"], [], "nothing is native")


# ---- the list of peers ----

def _certificate(folder):
    key, cert = folder + "/key.pem", folder + "/cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out",
         cert, "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    return cert, key


def _listed(s, name, url, *flags):
    node = s.node(name, "--isync.discovery_url", url, *flags)
    node.start()
    return node


def a_list_says_whom_to_call():
    with Scene() as s:
        lists = Lists(s.stack)
        olds = [s.old("node-%d" % i) for i in range(4)]
        ports = [old.do("serve") for old in olds]
        names = ["d", "b", "c", "a"]
        lists.pages["/peers.json"] = (200, {}, json.dumps([
            {"name": names[i], "url": "http://127.0.0.1:%d" % ports[i],
             "verified": i == 0} for i in range(4)]).encode())
        node = _listed(s, "x", lists.url(), "--isync.max_peers", "2")
        wait_for("two are called", lambda: node.call("isync")["connected"] == 2)
        equal([len(old.do("links")) for old in olds], [1, 0, 0, 1],
              "the verified one, then by name")
        # One goes: the next one takes its place.
        olds[3].do("cut")
        wait_for("another is called", lambda: olds[1].do("links"), 60)


def a_list_that_cannot_be_had_is_empty():
    with Scene() as s:
        cert, key = _certificate(s.world.folder)
        plain, secure = Lists(s.stack), Lists(s.stack, (cert, key))
        secret = s.world.path("list")
        with open(secret, "w") as file:
            file.write('[{"name":"x","url":"http://127.0.0.1:1"}]')
        one = json.dumps([{"name": "n", "url": "http://127.0.0.1:1"}]).encode()
        redirect = {"Location": "file://" + secret}
        plain.pages = {"/to-file": (302, redirect, b""),
                       "/large": (200, {}, b"[" + b" " * (2 << 20) + b"]"),
                       "/text": (200, {}, b"hello"),
                       "/object": (200, {}, b"{}"), "/good": (200, {}, one)}
        secure.pages = {"/good": (200, {}, one), "/down": (
            302, {"Location": plain.url("/good")}, b"")}
        bad = [(plain.url("/none"), "404"), (plain.url("/large"), "larger"),
               (plain.url("/to-file"), "file"), (plain.url("/text"), ""),
               (plain.url("/object"), "no list"),
               (secure.url("/good"), "certificate"),
               ("http://127.0.0.1:9/", "")]
        for i, (url, says) in enumerate(bad):
            node = _listed(s, "n%d" % i, url)
            told = wait_for("it is told", lambda n=node: n.call("isync")[
                "discovery"]["trouble"])
            holds(told, says)
            equal(node.call("isync")["discovery"]["listed"], 0, url)
            node.put("_id", {"works": 1}, "config")
            node.stop()
        for i, (url, well) in enumerate([
                (secure.url("/good"), True), (secure.url("/down"), False),
                (secure.url("/good", "127.0.0.1"), False)]):
            node = _listed(s, "s%d" % i, url, "--isync.ca", cert)
            wait_for("it is over", lambda n=node, w=well: n.call("isync")[
                "discovery"]["fetched" if w else "trouble"])
            equal(node.call("isync")["discovery"]["listed"], int(well), url)
            node.stop()


# ---- many, and a partition ----

def a_mesh_of_both_converges():
    """Three Synclines that are no members of each other and two older nodes, in
    a line with a cut in its middle: a thousand registers, changes on both sides,
    deletions."""
    with Scene("a", "b", "c") as s:
        a, b, c = (s.nodes[n] for n in "abc")
        left, right = s.old("left"), s.old("right")
        bridge = Bridge(s.stack, int(s.url("a").rsplit(":", 1)[1]))
        b.do("isync", "connect", "http://127.0.0.1:%d" % bridge.port)
        c.do("isync", "connect", s.url("b"))
        left.do("dial", url=s.url("a"))
        right.do("dial", url=s.url("c"))
        wait_for("all are connected", lambda: all(
            n.call("isync")["connected"] == k
            for n, k in ((a, 2), (b, 2), (c, 2))))
        left.put(**{"l%d" % i: i for i in range(300)})
        right.put(**{"r%d" % i: i for i in range(300)})
        b.call("put", space="config", key="_id",
               value={"b%d" % i: i for i in range(400)})
        want = {"%s%d" % (k, i): i for k, n in (
            ("l", 300), ("r", 300), ("b", 400)) for i in range(n)}

        def all_agree():
            return all(_item(n) == want for n in (a, b, c)) and all(
                o.do("values") == {"config._id." + k: v
                                   for k, v in want.items()}
                for o in (left, right))

        wait_for("a thousand are everywhere", all_agree, 60)
        bridge.cut()
        wait_for("they are parted", lambda: a.call("isync")["connected"] == 1)
        left.put(**{"l%d" % i: "left" for i in range(100)})
        right.put(**{"l%d" % i: "right" for i in range(50, 150)})
        left.delete(*["b%d" % i for i in range(50)])
        c.call("patch", space="config", key="_id", patch={
            "r%d" % i: None for i in range(50)})
        a.call("patch", space="config", key="_id", patch={"mine": "a"})
        want.update({"l%d" % i: "left" for i in range(50)})
        want.update({"l%d" % i: "right" for i in range(50, 150)}, mine="a")
        for i in range(50):
            del want["b%d" % i], want["r%d" % i]
        bridge.mend()
        wait_for("all is everywhere again", all_agree, 60)
        for node in (a, b, c):
            equal(node.call("isync")["native_only"], [], "nothing is native")


if __name__ == "__main__":
    sys.exit(main(globals(), beside=[
        keys_turn_by_themselves, in_clear_only_if_it_is_said_so,
        a_client_of_theirs_shares_items, a_list_that_cannot_be_had_is_empty]))
