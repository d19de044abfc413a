#!/usr/bin/python3
"""LAN-sync nodes that read nothing and say much: what they take is bounded,
and it is given back."""

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))

from lan import Lan
from lan_sync_test import Peer, Siege, _item
from lansync_test import Scene
from node import World, main, wait_for
from tap import check, equal, holds


def _deaf(port):
    """It has room for little, and reads none of it."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    sock.settimeout(0.2)
    sock.connect(("127.0.0.1", port))
    return sock


def _memory(node):
    with open("/proc/%d/status" % node.process.pid) as file:
        return int([line for line in file if line.startswith(
            "VmRSS")][0].split()[1]) * 1024


def _sockets(node):
    """What else it has open may come later."""
    folder, n = "/proc/%d/fd" % node.process.pid, 0
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):  # it has gone meanwhile
            n += os.readlink(os.path.join(folder, name)).startswith("socket:")
    return n


def who_reads_nothing_of_what_he_is_told_goes():
    """Before he is let in: what he asks is said again in the answer, and he
    asks as much as he may."""
    with Lan("a") as lan, World() as world:
        subprocess.run(lan.inside("a") + [
            "sysctl", "-qw", "net.ipv4.tcp_wmem=4096 16384 65536"], check=True)
        node = world.node("a", "--lansync.enabled", "true", "--lansync.port",
                          "5077", "--lansync.discovery", "false",
                          "--lansync.auth_timeout", "2s",
                          prefix=lan.inside("a"), listen=lan.listen("a"))
        Scene().secret(node)
        node.start()
        before, memory = _sockets(node), _memory(node)
        body = json.dumps({"message_type": "X", "payload": {
            "request_id": "r" * 60000}}).encode()
        with lan.within("a"), contextlib.ExitStack() as ends:
            deaf = [ends.enter_context(_deaf(5077)) for _ in range(40)]
            for sock in deaf:
                with contextlib.suppress(OSError):  # not heard any more
                    for _ in range(20):
                        sock.sendall(struct.pack("!I", len(body)) + body)
            with Peer(5077) as p:
                check(p.come_in(), "others are kept out")
            grown = _memory(node) - memory
            check(grown < 16 << 20, "it grew by %d bytes" % grown)
            wait_for("they have gone", lambda: _sockets(node) <= before)


def _fill(node, n, length):
    """So many items, each of them so long."""
    for at in range(0, n, 200):
        node.call("batch", space="lan", ops=[
            {"key": "k%05d" % i, "value": {"t": "x" * length}}
            for i in range(at, min(n, at + 200))])


def many_that_ask_and_do_not_read():
    """They are in, and of different names. What waits for each is bounded, and
    what waits for all: who has most of it goes, and who reads stays."""
    with Siege("a") as s, contextlib.ExitStack() as ends:
        _fill(s.node, 2000, 2000)
        wait_for("the honest one has all", lambda: len(
            s.honest.do("shown")) == 2001)
        memory, deaf = s.memory(), []
        for i in range(24):
            p = ends.enter_context(Peer(s.port()))
            p.handler.node_id = "deaf%d" % i
            check(p.come_in(), "in")
            deaf.append(p)
        for p in deaf:
            p.socket.settimeout(1)
            with contextlib.suppress(OSError):  # not heard any more
                for _ in range(400):
                    p.say("SYNC_REQUEST", {"limit": 1000})
        s.is_well()
        grown = s.memory() - memory
        check(grown < 640 << 20, "it grew by %d bytes" % grown)
        wait_for("they have gone", lambda: [c["node_id"] for c in s.node.call(
            "lansync")["connections"]] == ["honest"])
        holds(open(s.node.log).read(), "it does not read, and of what waits "
              "for all to be read it has most")


class _Reader(Peer):
    """A node that is pushed to, and says what it has had."""

    def __init__(self, port, name, keys):
        super().__init__(port)
        self.handler.node_id, self.keys = name, keys
        check(self.come_in(), "in")

    def take(self, enough):
        """Until it has so many, it acknowledges all but the last message."""
        while True:
            message = self.hear("SYNC_DATA")
            items = message["payload"].get("items", [])
            self.keys.update(i["item_id"] for i in items)
            if len(self.keys) >= enough:
                return len(items)
            self.say("SYNC_ACK", {"status": "processed", "data_id":
                                  message["payload"]["data_id"]})


def who_stops_reading_in_the_middle_of_ten_thousand():
    """Twenty of them: nothing piles up for them, however much there is, others
    are served, and who comes again gets all that it lacks."""
    many, some = 10000, 20
    with Siege("a") as s, contextlib.ExitStack() as ends:
        _fill(s.node, many, 1000)
        wait_for("the honest one has all", lambda: len(
            s.honest.do("shown")) == many + 1, 60)
        memory, had = s.memory(), [set() for _ in range(some)]
        last = [ends.enter_context(_Reader(s.port(), "slow%d" % i, keys)).take(
            3000) for i, keys in enumerate(had)]
        s.is_well()
        for n in range(0, many, 200):  # all of it is another once more
            s.node.call("batch", space="lan", ops=[
                {"key": "k%05d" % i, "value": {"t": "y" * 1000, "n": i}}
                for i in range(n, n + 200)])
        wait_for("the honest one has them", lambda: all(
            "n" in v for v in s.honest.do("shown").values()), 60)
        grown = s.memory() - memory
        check(grown < 96 << 20, "it grew by %d bytes" % grown)
        check(all(len(keys) >= 3000 for keys in had) and max(last) <= 100,
              "what they had")
        ends.close()
        keys = set()
        with _Reader(s.port(), "slow0", keys) as p:
            p.socket.settimeout(60)
            p.take(many + 1)  # and the honest one's
        equal(len(keys), many + 1, "all of them")
        s.is_well()


def _begins(ends, port, name):
    """Almost all of a message; whoever has gone meanwhile cannot say it."""
    p = ends.enter_context(Peer(port))
    if name:
        p.handler.node_id = name
        check(p.come_in(), name)
    with contextlib.suppress(OSError):
        p.socket.sendall(struct.pack("!I", 16 << 20) + bytes(15 << 20))
    return p


def _goes(p):
    p.socket.settimeout(10)
    with contextlib.suppress(OSError):
        while p.socket.recv(65536):
            pass
    return True


def _asks_without_end(p, stop):
    """For all that there is, whatever was answered; and reads it."""
    def read():
        with contextlib.suppress(OSError):
            while p.socket.recv(1 << 20):
                pass

    def ask():
        with contextlib.suppress(OSError):
            while not stop.is_set():
                p.say("SYNC_REQUEST", {"since": ""})

    for each in (read, ask):
        threading.Thread(target=each, daemon=True).start()


def _served_beside(s, p, stop):
    memory = s.memory()
    asked = s.node.call("lansync")["items"]["asked"]
    _asks_without_end(p, stop)
    try:
        wait_for("it asks", lambda: s.node.call(
            "lansync")["items"]["asked"] > asked + 8)
        for i in range(5):
            began = time.monotonic()
            s.node.put("mine", {"n": i}, "lan")
            s.is_well()
            took = time.monotonic() - began
            check(took < 8, "others wait for %.1f s" % took)
        grown = s.memory() - memory
        check(grown < 256 << 20, "it grew by %d bytes" % grown)
    finally:
        stop.set()


def who_asks_without_end_keeps_nobody_waiting():
    """A few questions are answered at a time; whoever asks one more is heard
    on afterwards, and others have their turn meanwhile."""
    stop = threading.Event()
    with Siege("a") as s:
        _fill(s.node, 3000, 9000)
        wait_for("the honest one has all", lambda: len(
            s.honest.do("shown")) == 3001)
        with Peer(s.port()) as p:
            check(p.come_in(), "in")
            # so that no answer is kept for it
            p.say("SYNC_DATA", {"items": [_item("of-its-own")]})
            p.hear("SYNC_ACK")
            _served_beside(s, p, stop)


def who_begins_messages_and_does_not_end_them():
    """Forty of them, who were let in or need not be: they take 128 MiB, the
    first of them go, and who ends what he begins is served."""
    for names, flags in ((True, ()), (False, ("--lansync.auth", "false"))):
        with Siege("a", flags=flags) as s, contextlib.ExitStack() as ends:
            busy = ends.enter_context(Peer(s.port()))
            busy.handler.node_id = "busy"
            check(busy.come_in(), "in")
            busy.socket.settimeout(60)
            memory, at = s.memory(), []
            for i in range(40):
                at.append(_begins(ends, s.port(), names and "half%d" % i))
                if i % 8 == 7:  # there would be no room for this one, too
                    busy.say("SYNC_DATA", {"items": [],
                                           "more": "x" * (8 << 20)})
                    busy.hear("SYNC_ACK")
            grown = s.memory() - memory
            s.is_well()
            check(grown < 224 << 20, "it grew by %d bytes" % grown)
            check(all(_goes(p) for p in at[:30]), "the first have gone")
            at[-1].socket.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                while True:
                    check(at[-1].socket.recv(65536), "the last one, too")
            holds(json.dumps(s.node.call("lansync")["refused"]),
                  "it begins messages and does not end them: others "
                  "needed the room")


def what_no_space_takes_is_not_kept():
    """Ids and authors of a megabyte each: they are refused, and forgotten."""
    with Siege() as s:
        with Peer(s.port()) as p:
            p.socket.settimeout(60)
            check(p.come_in(), "refused")
            memory = _memory(s.node)
            for i in range(12):
                p.say("SYNC_DATA", {"items": [{
                    "item_id": "%d-%d" % (i, n) + "k" * (700000 * (n % 2)),
                    "node_id": "n" * 700000, "data": {}, "version": 1,
                    "created_at": "2026-11-20T12:00:00"} for n in range(8)]})
                equal(p.hear("SYNC_ACK")["payload"]["refused"], 8, "refused")
            grown = _memory(s.node) - memory
            check(grown < 48 << 20, "it grew by %d bytes" % grown)
        s.is_well()


if __name__ == "__main__":
    sys.exit(main(globals()))
