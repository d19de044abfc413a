#!/usr/bin/python3
"""Descriptors that have run out: who has come is served, who comes waits, and
nothing that could not be opened is called absent or broken."""

import resource
import socket

import node
import tap
from node import wait_for


class Without:
    """A running node that may open nothing."""

    def __init__(self, n):
        self.pid = n.process.pid
        self.before = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)

    def __enter__(self):
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE,
                         (3, self.before[1]))

    def __exit__(self, *_):
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, self.before)


def _waits(n, what):
    wait_for(what, lambda: "has to wait: Too many open files" in n.tail())


# libuv loses the descriptor that it keeps to turn callers away with, and would
# then do nothing but accept in vain.
def who_comes_to_the_control_socket_waits_and_others_are_served():
    with node.World() as w:
        a, = w.nodes("a")
        with node.Control(a.dir) as early:
            early.call("status")  # it has been let in
            with Without(a):
                late = [node.Control(a.dir) for _ in range(3)]
                _waits(a, "it is told")
                tap.check(early.call("status")["ok"], "who was there")
            for one in late:
                with one:
                    tap.check(one.call("status")["ok"], "who came meanwhile")
        a.stop()


def who_calls_waits_and_others_are_served():
    with node.World() as w:
        a, = w.nodes("a", listen=node.free_listen)
        host, port = a.listen.split(":")
        with node.Control(a.dir) as early:
            early.call("status")
            with Without(a):
                late = [socket.create_connection((host, int(port)))
                        for _ in range(3)]
                _waits(a, "it is told")
                tap.check(early.call("status")["ok"], "who was there")
        for one in late:
            one.settimeout(node.PATIENCE)
            one.sendall(b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            tap.holds(one.recv(4096).decode(), "HTTP/1.1 ")
            one.close()
        a.stop()


if __name__ == "__main__":
    raise SystemExit(node.main(globals()))
