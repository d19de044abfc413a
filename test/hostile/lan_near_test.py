#!/usr/bin/python3
"""Somebody near says without end that others are near, wherever he likes: these
are not called as fast as he says so, and the log stays short."""

import contextlib
import json
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))

from lan import Lan
from lan_node import GROUP
from lansync_test import Scene
from node import World, main, wait_for
from tap import check

AT_ONCE, PER_S, LINES = 64, 20, 64  # as the pages say


def _mouths(lan, ends, n):
    """Sockets of so many addresses, of which each is heard for a while."""
    for host in range(20, 20 + n):
        sock = ends.enter_context(
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sock.bind((lan.add_address("b", host), 0))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                        socket.inet_aton(lan.address("b")))
        yield sock


def _accepted(listener):
    """Calls that have come, each of which is ended at once."""
    n = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            n += 1
    return n


def others_are_named_without_end():
    with Lan("a", "b") as lan, World() as world, contextlib.ExitStack() as ends:
        node = world.node("a", "--lansync.enabled", "true", "--lansync.port",
                          "5077", prefix=lan.inside("a"),
                          listen=lan.listen("a"))
        Scene().secret(node)
        node.start()
        with lan.within("b"):
            mouths = list(_mouths(lan, ends, 12))
            listener = ends.enter_context(
                socket.create_server(("0.0.0.0", 9000), backlog=500))
        listener.setblocking(False)
        calls, began = 0, time.monotonic()
        for i in range(40):
            for k, sock in enumerate(mouths):
                sock.sendto(json.dumps({
                    "type": "discovery", "port": 9000,
                    "node_id": "%d-%d" % (k, i)}).encode(), (GROUP, 5000))
            calls += _accepted(listener)
            node.status()  # it has had its turn
        wait_for("it heard the last", lambda: {"11-39"} & {
            d["node_id"] for d in node.call("lansync")["devices"]})
        calls += _accepted(listener)
        most = AT_ONCE + PER_S * (time.monotonic() - began + 1)
        check(AT_ONCE / 2 < calls <= most, "%d calls, not %d" % (calls, most))
        with open(node.log) as log:
            told = [line for line in log if "lansync: " in line and
                    " debug " not in line]
        check(LINES / 2 < len(told) < 2 * LINES, "%d lines" % len(told))


if __name__ == "__main__":
    sys.exit(main(globals()))
