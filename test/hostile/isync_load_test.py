#!/usr/bin/python3
"""Much at once at the port of iSync: many registers, many who come and are of
no use, slow ones. Whoever else uses the daemon notices little of it.

script/nightly runs it with SYNCLINE_WHOLE=1 and MANY=100000 registers."""

import contextlib
import http.client
import json
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))

from isync_raw import Raw, Writer, register, sealed_state, without_long
from isync_scene import Scene, item, shows
from node import main, wait_for
from tap import check, equal

MANY = int(os.environ.get("MANY", "16000"))
POLL = "/socket.io/?EIO=4&transport=polling"


def _port(s):
    return s.nodes["a"].call("isync")["port"]


def _memory(node):
    with open("/proc/%d/statm" % node.process.pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def _all_are_there(node, n):
    told = node.call("isync")
    return told["registers"] >= n and not told["pending"]


def many_registers_stop_nobody_who_writes():
    with Scene() as s, Raw(_port(s)) as peer:
        node = s.nodes["a"]
        peer.stays()
        with Writer(node) as writer:
            for k in range(0, MANY, 4000):
                peer.say(sealed_state({
                    "config.r%d._id.x" % i: register(i)
                    for i in range(k, k + 4000)}))
            wait_for("all are there", lambda: _all_are_there(node, MANY), 300,
                     0.5)
        done = len(writer.times)
        check(done >= 8, "%d writes meanwhile" % done)
        check(_memory(node) < (64 << 20) + MANY * 2000, "memory")


def what_an_item_has_no_room_for_is_tried_seldom():
    """What is beyond 10,000 members stays outside, and that is all."""
    with Scene() as s, Raw(_port(s)) as peer:
        node = s.nodes["a"]
        peer.stays()
        node.put("_id", {"f%d" % i: i for i in range(9990)}, "config")
        peer.say(sealed_state({"config._id.f%d" % i: register(i)
                               for i in range(9990, 10050)}))
        wait_for("all is tried", lambda: _all_are_there(node, 10050), 120, 0.2)
        told = node.call("isync")
        equal((len(item(node)), told["refused"]), (10000, 50), "in and out")
        peer.say(sealed_state({}, deleted=["config._id.f%d" % i
                                           for i in range(10050)]))
        wait_for("all is removed", lambda: not item(node), 120, 0.2)


def who_is_of_no_use_makes_room():
    """Connected, without saying who he is: as many as there is room for."""
    with Scene() as s, contextlib.ExitStack() as stack:
        node = s.nodes["a"]
        here = s.old("here")
        here.do("dial", url=s.url())
        here.put(a=1)
        shows(node, a=1)
        for _ in range(70):
            stack.enter_context(Raw(_port(s), None).stays())
        late = s.old("late")
        late.do("dial", url=s.url())
        late.put(b=2)
        for old in (here, late):
            old.shows(a=1, b=2)
        equal(sorted(x["node_id"] for x in node.call("isync")["links"]
                     if x["node_id"]), ["here", "late"], "who stays")


def who_shows_a_token_finds_room():
    """On the node's own port, however many are at the other one."""
    with Scene() as s, contextlib.ExitStack() as stack:
        node = s.nodes["a"]
        for i in range(64):
            stack.enter_context(Raw(_port(s), "n%d" % i).stays())
        wait_for("they are there", lambda: node.call("isync")[
            "connected"] == 64)
        with open(os.path.join(node.dir, "token")) as f:
            token = f.read().strip()
        host, _, port = node.status()["listen"][0].rpartition(":")
        for _ in range(40):
            with contextlib.closing(http.client.HTTPConnection(
                    host, int(port), timeout=20)) as c:
                c.request("GET", POLL,
                          headers={"Authorization": "Bearer " + token})
                answer = c.getresponse()
                equal((answer.status, answer.read()[:1]), (200, b"0"), "it")
        equal(node.call("isync")["connected"], 64, "the others stay")


def _begin(port, source="127.0.0.1"):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=20,
                                   source_address=(source, 0))
    c.request("GET", POLL)
    body = c.getresponse().read()
    return c, POLL + "&sid=" + json.loads(body[1:])["sid"]


def slow_ones_are_not_waited_for():
    """Bodies that come byte by byte, heads that do not end, polls that nobody
    reads, probes that do not go on: from several addresses."""
    with Scene() as s, contextlib.ExitStack() as stack:
        node, port = s.nodes["a"], _port(s)
        honest = s.old("honest")
        honest.do("dial", url=s.url(), transports=["polling"])
        honest.put(a=0)
        shows(node, a=0)
        before, slow = _memory(node), []
        for k in range(40):
            source = "127.0.0.%d" % (20 + k % 4)
            with contextlib.suppress(OSError, ValueError):
                c, at = _begin(port, source)
                stack.callback(c.close)
                c.request("POST", at, "40")
                c.getresponse().read()
                raw = stack.enter_context(socket.create_connection(
                    ("127.0.0.1", port), 20, (source, 0)))
                raw.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\n"
                            b"Content-Length: 900000\r\n\r\n4"
                            % at.encode())
                slow.append(raw)
                slow.append(stack.enter_context(socket.create_connection(
                    ("127.0.0.1", port), 20, (source, 0))))
                slow[-1].sendall(b"GET /socket.io/?EIO=4 HTTP/1.1\r\nHost")
                # It never reads what it asks for.
                c.sock.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"
                               % at.encode())
                stack.enter_context(Raw(
                    port, None, source, at.replace("polling", "websocket")))
        check(len(slow) > 20, "%d are slow" % len(slow))
        for turn in range(1, 6):
            for one in slow:
                with contextlib.suppress(OSError):
                    one.sendall(b"x")
            honest.put(a=turn)
            wait_for("it came", lambda t=turn: item(node).get("a") == t)
            node.call("patch", space="config", key="_id", patch={"b": turn})
            honest.shows(a=turn, b=turn)
        check(_memory(node) < before + (32 << 20), "memory")


def asking_for_all_all_the_time_costs_little():
    """Whoever may look may have all said at once: once a second, then."""
    with Scene() as s:
        node = s.nodes["a"]
        honest = s.old("honest")
        honest.do("dial", url=s.url())
        honest.put(a="x" * 100000)
        wait_for("it came", lambda: item(node))
        page = s.stack.enter_context(contextlib.closing(
            http.client.HTTPConnection(s.url()[7:], timeout=30)))
        before, began = node.call("isync")["packets"]["sent"], time.monotonic()
        while time.monotonic() < began + 1.5:
            page.request("POST", "/sync_now", "")
            answer = page.getresponse()
            answer.read()
            equal(answer.status, 302, "it is done")
        sent = node.call("isync")["packets"]["sent"] - before
        check(sent <= 4 + 3 * (time.monotonic() - began),
              "%d messages" % sent)


if __name__ == "__main__":
    sys.exit(main(without_long(globals(), "what_an_item_has_no_room_for_is_tried_seldom")))
