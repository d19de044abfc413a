"""A network made for a test: each machine is a network namespace of its own,
all are joined by a bridge in one more. Links go down, and packets vanish
between any two, one way or both, all of them or a share: then TCP hangs, where
a killed process or a relay would close it. Needs root."""

import contextlib
import ctypes
import itertools
import os
import shutil
import subprocess

from tap import Skip

NET = "10.9.66"
PORT = 4748
DEVICE = "lan"
MADE = itertools.count()  # several of one process live side by side


def ip(*args, check=True):
    return subprocess.run(["ip"] + list(args), check=check,
                          capture_output=True, text=True).stdout


def _enter(namespace):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, 0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Lan:
    def __init__(self, *names):
        if os.geteuid() != 0:
            raise Skip("needs root")
        tag = "sy%d-%d-" % (os.getpid(), next(MADE))
        self.hub = tag + "hub"
        self.spaces = {n: tag + n for n in names}
        self.hosts = {n: i for i, n in enumerate(names, 1)}
        self.lost = {}  # to -> {from: percent}
        try:
            self._build()
        except (OSError, subprocess.CalledProcessError) as why:
            self.close()
            raise Skip("no network namespace can be used here: %s" % (
                getattr(why, "stderr", None) or why))

    def _build(self):
        for space in [self.hub] + list(self.spaces.values()):
            ip("netns", "add", space)
        ip("-n", self.hub, "link", "add", "bridge", "type", "bridge")
        ip("-n", self.hub, "link", "set", "bridge", "up")
        for name, space in self.spaces.items():
            port = "to-" + name
            ip("-n", self.hub, "link", "add", port, "type", "veth", "peer",
               "name", DEVICE, "netns", space)
            ip("-n", self.hub, "link", "set", port, "master", "bridge", "up")
            ip("-n", space, "link", "set", DEVICE, "address", self.mac(name))
            ip("-n", space, "addr", "add", self.address(name) + "/24", "brd",
               "+", "dev", DEVICE)
            ip("-n", space, "link", "set", "lo", "up")
            ip("-n", space, "link", "set", DEVICE, "up")
            self._filter(name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for space in [self.hub] + list(self.spaces.values()):
            ip("netns", "del", space, check=False)

    def address(self, name):
        return "%s.%d" % (NET, self.hosts[name])

    def mac(self, name):
        return "02:00:00:00:66:%02x" % self.hosts[name]

    def listen(self, name):
        return "%s:%d" % (self.address(name), PORT)

    def inside(self, name):
        """What runs a command on that machine."""
        return ["ip", "netns", "exec", self.spaces[name]]

    @contextlib.contextmanager
    def within(self, name):
        """This very thread is on that machine: sockets that it makes stay
        there."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open("/run/netns/" + self.spaces[name], os.O_RDONLY)
        try:
            _enter(there)
            yield
        finally:
            _enter(home)
            os.close(home)
            os.close(there)

    def add_address(self, name, host):
        """One more, for somebody who comes from several."""
        address = "%s.%d" % (NET, host)
        ip("-n", self.spaces[name], "addr", "add", address + "/24", "dev",
           DEVICE)
        return address

    def connections(self, name):
        """Both ends of each TCP connection that is open there."""
        if shutil.which("ss") is None:
            raise Skip("ss is missing")
        lines = subprocess.run(
            self.inside(name) + ["ss", "-Htn", "state", "established"],
            check=True, capture_output=True, text=True).stdout.splitlines()
        return {tuple(line.split()[2:4]) for line in lines}

    # ---- faults ----

    def unplug(self, name):
        ip("-n", self.hub, "link", "set", "to-" + name, "down")

    def plug(self, name):
        ip("-n", self.hub, "link", "set", "to-" + name, "up")

    def lose(self, source, target, percent=100):
        """What goes from one to the other, from now on."""
        self.lost.setdefault(target, {})[source] = percent
        self._filter(target)

    def deafen(self, name, percent=100):
        """It gets nothing, though the others hear it."""
        for other in self.hosts:
            if other != name:
                self.lose(other, name, percent)

    def mute(self, name, percent=100):
        """Nobody gets what it sends."""
        for other in self.hosts:
            if other != name:
                self.lose(name, other, percent)

    def mend(self):
        """All of it."""
        for name in self.hosts:
            if self.lost.pop(name, None):
                self._filter(name)
            self.plug(name)

    def _filter(self, name):
        rules = "".join(
            "  ether saddr %s %s drop\n" % (
                self.mac(source), "" if percent >= 100 else
                "numgen random mod 100 < %d" % percent)
            for source, percent in self.lost.get(name, {}).items())
        subprocess.run(
            self.inside(name) + ["nft", "-f", "-"], check=True, text=True,
            capture_output=True, input="table netdev cut\n"
            "delete table netdev cut\n"
            "table netdev cut {\n chain in {\n"
            "  type filter hook ingress device %s priority 0;\n%s }\n}\n" % (
                DEVICE, rules))
