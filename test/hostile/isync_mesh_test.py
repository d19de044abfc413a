#!/usr/bin/python3
"""iSync nodes that abuse what the mesh of them believes: names, clocks, lists
of those to be called."""

import contextlib
import http.client
import http.server
import os
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))

from isync_raw import Raw, register, sealed, sealed_state, without_long
from isync_scene import Scene, item, shows
from node import main, wait_for
from tap import check, equal


def _port(s):
    return s.nodes["a"].call("isync")["port"]


def a_clock_of_long_names_silences_nobody():
    """It goes with what is said, which must fit."""
    with Scene() as s:
        node, honest = s.nodes["a"], s.old("honest")
        honest.do("dial", url=s.url())
        honest.put(a=1)
        shows(node, a=1)
        with Raw(_port(s)) as peer:
            for turn in range(4):
                peer.say(sealed_state(
                    {"config._id.n": register(turn)},
                    clock={"%02d%03d" % (turn, i) + "\x01" * 240: 1
                           for i in range(250)}))
                wait_for("it came", lambda t=turn: item(node).get("n") == t)
        node.call("patch", space="config", key="_id", patch={"a": 2})
        honest.shows(a=2, n=3)


def who_is_ourselves_is_called_once():
    """Whether it is so, or a server of somebody only says so."""
    with Scene() as s:
        node = s.nodes["a"]
        node.do("isync", "connect", s.url())
        wait_for("it is known", lambda: [
            p for p in node.call("isync")["peers"]
            if p["state"] == "ourselves"])
        with open(node.log) as log:
            equal(log.read().count("it is ourselves"), 1, "how often")


def a_name_of_somebody_else_ends_nobody():
    """Who calls again from where he was takes his own place; others do not."""
    with Scene() as s:
        node, honest = s.nodes["a"], s.old("honest")
        honest.do("dial", url=s.url())
        honest.put(a=1)
        shows(node, a=1)

        def at():
            return sorted(x["address"].split(":")[0]
                          for x in node.call("isync")["links"])

        before = node.call("isync")["links"][0]["address"]
        with Raw(_port(s), "honest", "127.0.0.7").stays():
            wait_for("both are there",
                     lambda: at() == ["127.0.0.1", "127.0.0.7"])
            with Raw(_port(s), "honest", "127.0.0.7").stays():
                wait_for("the last of them is", lambda: at() == [
                    "127.0.0.1", "127.0.0.7"])
            equal([x["address"] for x in node.call("isync")["links"]
                   if x["address"].startswith("127.0.0.1:")], [before],
                  "who was there")
            node.call("patch", space="config", key="_id", patch={"a": 2})
            honest.shows(a=2)


def a_name_of_somebody_else_keeps_nothing_of_his_back():
    """Where nobody can read it: with a later stamp, and all the time."""
    with Scene(token="") as s:
        node = s.nodes["a"]
        honest, other = s.old("honest", kind="sealed"), s.old(
            "other", kind="sealed")
        honest.do("dial", url=s.url())
        other.do("dial", url=s.url())
        honest.put(a=1)
        other.shows(a=1)
        with Raw(_port(s), source="127.0.0.7").stays() as peer:
            for ahead in (1e6, 0, 50):
                peer.say(sealed("x", "honest", "another", time.time() + ahead))
            wait_for("they came", lambda: node.call("isync")["packets"][
                "held"] >= 2)

            def says_a_later_one():
                peer.say(sealed("x", "honest", "another", time.time() + 1.8))

            before = node.call("isync")["packets"]["received"]
            says_a_later_one()
            wait_for("it came", lambda: node.call("isync")["packets"][
                "received"] > before)
            honest.put(a=2)

            def is_passed_on():
                says_a_later_one()
                return other.do("values") == {"config._id.a": 2}

            wait_for("his is passed on all the same", is_passed_on, 30, 0.2)


def many_names_of_one_push_out_nobody_else():
    with Scene(token="") as s:
        node = s.nodes["a"]
        honest = s.old("honest", kind="sealed", interval=1000)
        honest.do("dial", url=s.url())
        honest.put(a=1)
        wait_for("it is held", lambda: node.call("isync")["packets"]["held"])
        honest.do("cut")
        with contextlib.ExitStack() as stack:
            peers = [stack.enter_context(Raw(_port(s), "n%d" % k))
                     for k in range(8)]
            for peer in peers:
                peer.stays()
            for i in range(720):
                peers[i % 8].say(sealed("x", "source-%d" % i, "another"))
            wait_for("they came", lambda: node.call("isync")["packets"][
                "unread"] >= 700)
        late = s.old("late", kind="sealed")
        late.do("dial", url=s.url())
        late.shows(60, a=1)


def lists_that_change_leave_nothing_behind():
    """Of URLs that are not called any more nothing stays; nor does whoever
    may change them fill the audit log."""
    with Scene(flags=["--isync.pages", "admitted"]) as s:
        node = s.nodes["a"]
        page = s.stack.enter_context(contextlib.closing(
            http.client.HTTPConnection(s.url()[7:], timeout=30)))
        for turn in range(40):
            page.request("POST", "/isync/config", urllib.parse.urlencode({
                "peer_urls": ",".join("http://127.0.0.1:9/%d/%d" % (turn, i)
                                      for i in range(32))}))
            answer = page.getresponse()
            answer.read()
            equal(answer.status, 302, "it is taken")
        wait_for("what is left", lambda: len(
            node.call("isync")["peers"]) <= 64)
        told = [r for r in node.call("audit_records", limit=1000)["records"]
                if r["kind"] == "setting"]
        check(len(told) < 20, "%d records" % len(told))


class Answers:
    """A server that answers each request with the same bytes."""

    def __init__(self, stack, status, body):
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.asked += 1
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.asked = 0
        made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % made.server_address[1]
        threading.Thread(target=made.serve_forever, daemon=True).start()
        stack.callback(made.server_close)
        stack.callback(made.shutdown)


def who_is_called_and_is_none_is_left_alone():
    """It is not called again at once, whatever it answers."""
    with Scene(flags=["--isync.max_peers", "10"]) as s:
        node = s.nodes["a"]
        bodies = [(200, b""), (200, b"0{}"), (500, b"x" * 5000),
                  (200, b'0{"sid":"a","upgrades":[]}'), (302, b""),
                  (200, b"\x1e" * 100000), (200, b'0{"sid":"a"}\x1e41'),
                  (200, b'0{"sid":"a"}\x1e40{}\x1e42["x"]\x1e2')]
        answers = [Answers(s.stack, *one) for one in bodies]
        began = time.monotonic()
        for one in answers:
            node.do("isync", "connect", one.url)
        wait_for("some are called", lambda: sum(
            a.asked > 0 for a in answers) >= 7)
        time.sleep(3)
        asked = [a.asked for a in answers]
        # Who always has something to say is polled and answered 50 times a
        # second each, twice as often at first.
        check(max(asked) < 150 + 110 * (time.monotonic() - began), asked)


if __name__ == "__main__":
    sys.exit(main(without_long(globals(), "many_names_of_one_push_out_nobody_else",
                               "who_is_called_and_is_none_is_left_alone")))
