#!/usr/bin/python3
"""Callers who break the rules of Engine.IO and Socket.IO at the port of iSync:
they are refused or closed before much is done, and who keeps the rules notices
nothing."""

import contextlib
import http.client
import json
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))

from lan import Lan
from node import World, main, wait_for
from tap import check, equal

POLL = "/socket.io/?EIO=4&transport=polling"
LIMIT = 1000000
SOCKET = {"Connection": "Upgrade", "Upgrade": "websocket",
          "Sec-WebSocket-Version": "13",
          "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
FLAGS = ["--isync.enabled", "true", "--isync.clear", "true"]


class Scene:
    """A daemon, a caller that keeps the rules, and what it costs."""

    def __enter__(self):
        self.world = World()
        self.world.__enter__()
        self.node = self.world.node("a", *FLAGS, "--isync.port", "0").start()
        self.port = self.node.call("isync")["port"]
        self.open("honest")
        self.is_well()
        self.size = self.memory()
        return self

    def __exit__(self, *why):
        try:
            if why[0] is None:
                self.is_well()
                check(self.memory() < self.size + (32 << 20), "it has grown")
        finally:
            self.world.__exit__(*why)

    def memory(self):
        with open("/proc/%d/statm" % self.node.process.pid) as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def ask(self, path, method="GET", body=None, **fields):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            c.request(method, path, body=body, headers={
                k.replace("_", "-"): v for k, v in fields.items()})
            r = c.getresponse()
            return r.status, r.read().decode()
        finally:
            c.close()

    def begin(self):
        """Opens a session: where it is polled."""
        status, body = self.ask(POLL)
        equal((status, body[:1]), (200, "0"), "a session")
        return POLL + "&sid=" + json.loads(body[1:])["sid"]

    def open(self, node_id):
        self.at = self.begin()
        self.ask(self.at, "POST", "40")
        self.ask(self.at)
        self.ask(self.at, "POST", '42["peer_handshake",{"node_id":"%s"}]'
                 % node_id)
        check("accepted" in self.ask(self.at)[1], "the handshake")

    def is_well(self):
        equal(self.ask(self.at, "POST", '427["peer_handshake",{"node_id":'
                                        '"honest"}]'), (200, "OK"), "said")
        text = ""
        while "437[]" not in text:
            status, more = self.ask(self.at)
            equal(status, 200, "its poll")
            text += more


def a_page_of_somebody_else_gets_nothing():
    with Scene() as s:
        own = "http://127.0.0.1:%d" % s.port
        for fields in ({"Origin": "http://evil.example"},
                       {"Origin": "null"},
                       {"Sec_Fetch_Site": "cross-site"},
                       {"Sec_Fetch_Site": "same-site"},
                       {"Origin": "https://127.0.0.1:%d" % s.port}):
            for path, more in ((POLL, {}), ("/api/stats", {}),
                               (POLL.replace("polling", "websocket"),
                                SOCKET)):
                equal(s.ask(path, **fields, **more),
                      (400, '"Not an accepted origin."'), path)
            equal(s.ask(POLL, "POST", "40", **fields)[0], 400, "a POST")
        for page in ("http://evil.example/", "https://127.0.0.1:%d/" % s.port,
                     own + "1/", own + ".evil.example/", "about:blank"):
            for path, method in ((POLL, "GET"), ("/sync_now", "POST"),
                                 ("/isync/toggle", "POST")):
                equal(s.ask(path, method, Referer=page)[0], 400,
                      "%s from %s" % (path, page))
            equal(s.ask("/peers", Referer=page)[0], 200, "a link to a page")
        equal(s.ask(POLL, Origin=own)[0], 200, "its own")
        equal(s.ask(POLL, Referer=own + "/peers")[0], 200, "its own")
        equal(s.ask(POLL, Referer=own)[0], 200, "its own")
        check(s.node.call("isync")["turned_away"]["page"] >= 20, "counted")


def a_name_that_means_us_is_not_ours():
    """As where a page lets its own name be our address."""
    with Scene() as s:
        for host in ("evil.example", "evil.example:%d" % s.port,
                     "127.0.0.1.evil.example", "localhost.evil.example", ""):
            for more in ({}, {"Origin": "http://" + host}):
                equal(s.ask(POLL, Host=host, **more)[0], 400, host)
        for host in ("localhost", "LOCALHOST:1", "192.0.2.7:5342", "[::1]:1"):
            equal(s.ask(POLL, Host=host)[0], 200, host)


def nobody_of_another_network_is_let_in():
    """From another machine (a network namespace): closed before a word."""
    with Lan("a", "web") as lan, World() as w:
        a = w.node("a", *FLAGS, "--isync.bind", "0.0.0.0", "--isync.port",
                   "5342", "--isync.admit", "192.0.2.0/24", listen="",
                   prefix=lan.inside("a"))
        a.start()

        def asks():
            with lan.within("web"):
                s = socket.create_connection((lan.address("a"), 5342), 10)
            with s:
                try:
                    s.sendall(("GET %s HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n" %
                               POLL).encode())
                    return s.recv(64)
                except ConnectionError:
                    return b""
        for n in (1, 2):
            equal(asks(), b"", "an answer")
            wait_for("it is counted", lambda n=n: a.call("isync")[
                "turned_away"]["network"] >= n)
        a.stop()
        a.start("--isync.admit", "10.9.66.0/24")
        check(asks().startswith(b"HTTP/1.1 200"), "one of its networks")


def a_network_that_is_admitted_no_more_is_gone_at_once():
    """Without a restart, whoever of it is connected."""
    with Lan("a", "web") as lan, World() as w:
        a = w.node("a", *FLAGS, "--isync.bind", "0.0.0.0", "--isync.port",
                   "5342", listen="", prefix=lan.inside("a")).start()
        with lan.within("web"):
            s = socket.create_connection((lan.address("a"), 5342), 10)
        with s:
            ask = ("GET %s HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n" %
                   POLL).encode()
            s.sendall(ask)
            check(s.recv(64).startswith(b"HTTP/1.1 200"), "a private network")
            equal(a.call("config_set", value={
                "isync.admit": ["192.0.2.0/24"]})["restart"], False, "it waits")
            s.settimeout(60)
            with contextlib.suppress(ConnectionError):
                while s.recv(4096):
                    pass
        with lan.within("web"):
            s = socket.create_connection((lan.address("a"), 5342), 10)
        with s, contextlib.suppress(ConnectionError):
            s.sendall(ask)
            equal(s.recv(64), b"", "an answer")


def sessions_that_nobody_keeps_make_room():
    with Scene() as s:
        opened = [s.begin() for _ in range(400)]
        alive = sum(s.ask(at, "POST", "6")[0] == 200 for at in opened)
        check(alive <= 64, "%d sessions stay" % alive)


def what_nobody_asks_for_is_not_kept_for_ever():
    """Each packet has an answer; none is asked for."""
    with Scene() as s:
        at = s.begin()
        s.ask(at, "POST", "40")
        body = "\x1e".join(["40/" + "x" * 126 + ","] * 250)
        for n in range(100):
            status, _ = s.ask(at, "POST", body)
            if status != 200:
                break
        equal(status, 400, "it is gone after %d bodies" % n)


def what_is_too_much_is_not_taken_in():
    deep = '42["sync_data",' + "[" * 400000 + "]" * 400000 + "]"
    many = '4' + '5999999-["sync_data"]'
    with Scene() as s:
        for body in ("6\x1e" * 400000, many, deep, "4" * LIMIT,
                     "b" + "A" * 900000, '42["' + "n" * 900000 + '"]',
                     "40/" + "n" * 900000, "42" + "9" * 900000):
            at = s.begin()
            s.ask(at, "POST", "40")
            started = time.monotonic()
            for _ in range(5):
                with contextlib.suppress(OSError):  # it is not taken in
                    s.ask(at, "POST", body)
            check(time.monotonic() - started < 3, "%s: it is slow" % body[:20])


def bodies_that_do_not_end_are_not_waited_for():
    """A head that says too much is refused by itself."""
    with Scene() as s:
        at = s.begin()
        for length, want in ((LIMIT + 1, b"413"), (1 << 62, b"413")):
            with socket.create_connection(("127.0.0.1", s.port), 20) as c:
                c.sendall(("POST %s HTTP/1.1\r\nHost: localhost\r\n"
                           "Content-Length: %d\r\n\r\n" % (at, length))
                          .encode())
                equal(c.recv(12), b"HTTP/1.1 " + want, "refused")
        with socket.create_connection(("127.0.0.1", s.port), 20) as c:
            c.sendall(("POST %s&sid=AAAAAAAAAAAAAAAAAAAA HTTP/1.1\r\nHost: "
                       "localhost\r\nContent-Length: 9000\r\n\r\n" % POLL)
                      .encode())
            equal(c.recv(12), b"HTTP/1.1 400", "there is no such session")


def many_come_and_say_nothing():
    with Scene() as s:
        some = [socket.create_connection(("127.0.0.1", s.port), 10)
                for _ in range(400)]
        started = time.monotonic()
        s.is_well()
        check(time.monotonic() - started < 5, "it is slow")
        for one in some:
            one.close()


def frames_that_are_no_engine_io_end_their_own_session_alone():
    with Scene() as s:
        for frame in (b"\x82\x81\0\0\0\0\x01",
                      b"\x81\x83\0\0\0\0" + b"42{",
                      b"\x81\xff" + (LIMIT + 1).to_bytes(8, "big") +
                      b"\0\0\0\0x"):
            with socket.create_connection(("127.0.0.1", s.port), 20) as c:
                c.sendall(("GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n" % (
                    POLL.replace("polling", "websocket"), "".join(
                        "%s: %s\r\n" % f for f in SOCKET.items()))).encode())
                c.sendall(b"\x81\x82\0\0\0\0" b"40" + frame)
                said = b""
                end = b"\x88\x02\x03"
                if b"\xff" in frame:  # as theirs, and not 1009
                    end = b"\x88\x02\x03\xe8"
                while end not in said:
                    more = c.recv(4096)
                    check(more, "%r: it is closed in order" % frame)
                    said += more


if __name__ == "__main__":
    sys.exit(main(globals()))
