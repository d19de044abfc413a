#!/usr/bin/python3
"""Two machines joined by a cable, as two network namespaces: they find each
other by multicast, the cable is cut, and what goes over it is looked at.
Needs root."""

import base64
import os
import re
import shutil
import subprocess
import sys

import pcap
from node import Control, World, main, records, same, wait_for
from tap import Skip, check, equal, note

PORT = 4748
ADDRESS = re.compile(rb"\d+\.\d+\.\d+\.\d+|[0-9a-f]*:[0-9a-f]*:[0-9a-f]+")


def _ip(*args, check=True):
    return subprocess.run(["ip"] + list(args), check=check,
                          capture_output=True, text=True).stdout


class Cable:
    """Two namespaces, each with one end of it."""

    def __init__(self):
        if os.geteuid() != 0:
            raise Skip("needs root")
        self.ends = {}
        tag = "sy%d" % os.getpid()
        self.spaces = {n: tag + n for n in "ab"}
        try:
            for space in self.spaces.values():
                _ip("netns", "add", space)
            _ip("link", "add", "cable", "netns", self.spaces["a"], "type",
                "veth", "peer", "name", "cable", "netns", self.spaces["b"])
            self.number(66)
        except (OSError, subprocess.CalledProcessError) as why:
            self.close()
            raise Skip("no network namespace can be used here: %s" % why)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for space in self.spaces.values():
            _ip("netns", "del", space, check=False)

    def inside(self, name):
        return ["ip", "netns", "exec", self.spaces[name]]

    def number(self, net):
        """Gives both ends addresses, in place of those that they have."""
        for host, (name, space) in enumerate(self.spaces.items(), 1):
            _ip("-n", space, "addr", "flush", "dev", "cable")
            _ip("-n", space, "addr", "add", "10.9.%d.%d/24" % (net, host),
                "brd", "+", "dev", "cable")
            _ip("-n", space, "link", "set", "lo", "up")
            _ip("-n", space, "link", "set", "cable", "up")

    def cut(self):
        _ip("-n", self.spaces["a"], "link", "set", "cable", "down")

    def mend(self):
        _ip("-n", self.spaces["a"], "link", "set", "cable", "up")


class Capture:
    def __init__(self, cable, path):
        if shutil.which("tcpdump") is None:
            raise Skip("tcpdump is missing")
        self.path = path
        self.process = subprocess.Popen(
            cable.inside("a") + [
                "tcpdump", "-i", "cable", "-n", "-U", "-B", "16384", "-Z",
                "root", "-w", path], stderr=subprocess.PIPE)
        line = b""
        while b"listening on" not in line:
            line = self.process.stderr.readline()
            if not line:
                raise AssertionError("tcpdump does not work")

    def beacons(self):
        return [d for port, d in pcap.datagrams(self.path) if port == PORT]

    def end(self):
        self.process.terminate()
        self.process.communicate()


def _machines(w, cable):
    """Nodes of whom nobody was told where anything is."""
    made = []
    for name in "ab":
        n = w.node(name, "--discovery", "true", listen="",
                   prefix=cable.inside(name))
        n.quick = ["--heartbeat.interval", "500ms", "--heartbeat.silence",
                   "2s", "--beacon.interval", "1s", "--log.level", "debug"]
        n.start()
        _no_address(n)
        made.append(n)
    return made


def _no_address(n):
    """In its arguments, environment or configuration."""
    for what in ("cmdline", "environ"):
        with open("/proc/%d/%s" % (n.process.pid, what), "rb") as f:
            for word in f.read().split(b"\0"):
                if what == "cmdline" or word.startswith(b"SYNCLINE"):
                    found = ADDRESS.search(word)
                    check(not found, "%s of %s: %r" % (what, n.name, word))
    files = [f for f in os.listdir(n.dir) if f.endswith((".yaml", ".yml"))]
    equal(files, [], "configuration files")


def _pair(a, b):
    """By a code that holds no address."""
    code = a.call("invite", addresses=[])["code"]
    long = a.call("invite")["code"]
    check(len(code) < len(long), "the code holds addresses: " + code)
    b.do("join", code)
    wait_for("they are connected", lambda: "b" in a.connected() and
             "a" in b.connected())
    return code


def an_open_door_is_found():
    """Without a code, and without being told where."""
    with Cable() as cable, World() as w:
        a, b = _machines(w, cable)
        with Control(b.dir) as join:
            join.send("join")
            a.do("pending", "--open", "1m")
            digits = join.read()["digits"]
            there = a.call("pending")["pending"][0]
            equal(there["digits"], digits)
            check(there["address"].startswith("10.9.") or
                  ":" in there["address"], there)
            b.do("join", "--yes-digits", digits)
            a.do("approve", digits)
            equal(join.read()["name"], "a")
        a.put("lamp", 1)
        b.waits_for("lamp", 1)


def they_find_each_other_by_multicast():
    with Cable() as cable, World() as w:
        a, b = _machines(w, cable)
        _pair(a, b)
        a.put("lamp", 1)
        b.waits_for("lamp", 1, patience=3)
        # Nor does an address that was learned help: both get new ones.
        a.stop()
        b.stop()
        cable.number(77)
        a.start()
        b.start()
        wait_for("they find each other again", lambda: "b" in a.connected() and
                 "a" in b.connected())
        a.put("lamp", 2)
        b.waits_for("lamp", 2)
        check(a.status()["peers"][0]["address"].startswith(
            ("10.9.77.", "[fe80:")), a.status()["peers"])


def a_cut_cable_amid_an_import():
    with Cable() as cable, World() as w:
        a, b = _machines(w, cable)
        _pair(a, b)
        lines = records(0, 20000).splitlines(True)
        importing = a.spawn("import", "default", stdin=subprocess.PIPE,
                            stderr=subprocess.DEVNULL)
        importing.stdin.write(b"".join(lines[:9000]))
        importing.stdin.flush()
        wait_for("it is under way", lambda: b.space()["items"] > 4000)
        importing.stdin.write(b"".join(lines[9000:12000]))
        cable.cut()
        importing.stdin.write(b"".join(lines[12000:]))
        importing.stdin.close()
        equal(importing.wait(60), 0, "the import")
        equal(a.space()["items"], 20000, "items here")
        b.put("key000000", {"n": "changed there"})
        wait_for("they lost each other", lambda: not a.connected() and
                 not b.connected())
        check(b.space()["items"] < 20000, "the cable was cut too late")
        cable.mend()
        wait_for("they are connected again", lambda: "b" in a.connected())
        same([a, b])
        equal(b.space()["items"], 20000, "items there")
        equal(a.get("key000000"), {"n": "changed there"})
        wait_for("verify agrees", a.agrees)


def _forms(secret):
    """How it might stand in bytes."""
    raw = secret if isinstance(secret, bytes) else secret.encode()
    yield raw
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    # Each way that six bits or five could fall on it, without the digits
    # that it has only a part of.
    for skip, cut in ((0, 0), (1, 2), (2, 3)):
        yield base64.b64encode(b"\0" * skip + raw).rstrip(b"=")[cut:-1]
    for skip, cut in ((0, 0), (1, 2), (2, 4), (3, 5), (4, 7)):
        yield base64.b32encode(b"\0" * skip + raw).rstrip(b"=")[cut:-1]


def _search(capture, secrets):
    with open(capture.path, "rb") as f:
        raw = f.read()
    everything = [raw] + [s for _, s in pcap.streams(capture.path)]
    for what, secret in secrets.items():
        for form in _forms(secret):
            check(len(form) >= 5, "too short to be searched: %r" % form)
            for data in everything:
                check(form not in data, "%s shows as %r" % (what, form))


def the_wire_shows_nothing():
    with Cable() as cable, World() as w:
        capture = Capture(cable, w.path("wire"))
        a = w.node("aardvark-name", "--discovery", "true", listen="",
                   prefix=cable.inside("a"))
        b = w.node("badger-name", "--discovery", "true", listen="",
                   prefix=cable.inside("b"))
        for n in (a, b):
            n.quick = ["--beacon.interval", "200ms", "--heartbeat.interval",
                       "200ms", "--heartbeat.silence", "5s"]
            n.start()
        code = a.call("invite", addresses=[])["code"]
        b.do("join", code)
        a.do("space", "add", "secret-space")
        wait_for("the space is there", lambda: b.space("secret-space"))
        a.put("the-secret-key", {"the-secret-field": "the secret value"},
              space="secret-space", wait="all")
        a.do("import", "default", stdin=records(0, 2000))
        same([a, b])
        ids = {"%s of %s" % (what, n.name): bytes.fromhex(n.status()[what])
               for n in (a, b) for what in ("device", "replica", "mesh")}
        b.stop()
        b.start()
        wait_for("they are connected again",
                 lambda: b.name in a.connected())
        a.put("the-second-key", "the secret value", wait="all")
        wait_for("beacons pass", lambda: len(capture.beacons()) > 8)
        capture.end()
        _search(capture, dict(ids, **{
            "the start of the device of a": bytes.fromhex(
                a.status()["device"])[:8],
            "the code": code.replace("-", ""), "the code as it is": code,
            "a key": "the-secret-key", "a field": "the-secret-field",
            "a value": "the secret value", "a space": "secret-space",
            "an imported key": "key001999", "an imported value": "text of 17",
            "a name": "aardvark-name", "the other name": "badger-name"}))
        count = 0
        for way, stream in pcap.streams(capture.path):
            check(PORT in (way[1], way[3]), "a connection on %s" % (way,))
            count += len(pcap.tls_records(stream))
        beacons = capture.beacons()
        check(count > 20, "only %d records were captured" % count)
        # Nobody can be told by what is the same in two of them.
        equal(len({d[4:] for d in beacons}), len(beacons), "unlike beacons")
        note("%d TLS records, %d datagrams" % (count, len(beacons)))


if __name__ == "__main__":
    sys.exit(main(globals()))
