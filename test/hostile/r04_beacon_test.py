#!/usr/bin/python3
"""R3 and R4: what strangers and a removed device can do with datagrams.

Three machines in network namespaces (needs root): two members that find each
other by multicast, and a foe. The foe has the mesh's secret, as somebody has
who was removed, so that what it makes up can be read."""

import os
import random
import socket
import sqlite3
import subprocess
import sys
import time

import peer
from peer import node, tap
from lan import Lan

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ANNOUNCE = 1
FLAGS = ("--discovery", "true", "--beacon.interval", "500ms")


def _secret(daemon):
    def look():
        try:
            with sqlite3.connect("file:%s/state.db?mode=ro" % daemon.dir,
                                 uri=True) as db:
                row = db.execute("SELECT v FROM meta WHERE k = ?",
                                 (b"mesh",)).fetchone()
                return row and bytes(row[0])
        except sqlite3.Error:
            return None
    row = node.wait_for("the mesh's secret is in the database", look)
    mesh, nonce, sealed = row[:16], row[16:28], row[28:]
    own = peer.Identity.of(daemon.dir).key.private_bytes(
        serialization.Encoding.Raw, serialization.PrivateFormat.Raw,
        serialization.NoEncryption())
    key = HKDF(hashes.SHA256(), 32, None, b"syncline store v1\n").derive(own)
    return AESGCM(key).decrypt(
        nonce, sealed, b"syncline mesh secret v1\n" + mesh)


def _announce(key, device, port):
    nonce = os.urandom(12)
    body = device + port.to_bytes(2, "little") + b"\0"
    return bytes([ANNOUNCE]) + nonce + AESGCM(key).encrypt(
        nonce, body, bytes([ANNOUNCE]))


class Foe:
    """A listener in the foe's namespace, which notes who dials."""

    def __init__(self, lan):
        self.process = subprocess.Popen(
            lan.inside("foe") + [sys.executable, "-c", (
                "import socket\n"
                "s = socket.create_server(('0.0.0.0', 5555))\n"
                "while True:\n"
                "    s.accept()\n"
                "    print('dialled', flush=True)\n")],
            stdout=subprocess.PIPE, text=True)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.n = 0

    def dialled(self):
        try:
            self.n += self.process.stdout.read().count("dialled")
        except TypeError:
            pass
        return self.n

    def close(self):
        self.process.kill()
        self.process.wait(peer.PATIENCE)
        self.process.stdout.close()


class Link:
    def __init__(self, lan, world):
        self.lan, self.world = lan, world
        self.a, self.b, lost = [
            node.Node(world, n, FLAGS, lan.inside(n), lan.listen(n))
            for n in ("a", "b", "lost")]
        for daemon in (self.a, self.b, lost):
            daemon.start()
        self.b.joins(self.a)
        lost.joins(self.a)
        self.key = HKDF(hashes.SHA256(), 32, None,
                        b"syncline beacon v1\n").derive(_secret(self.a))
        self.lost = peer.Identity.of(lost.dir).device
        lost.process.kill()
        lost.process.wait(peer.PATIENCE)
        node.wait_for("the third is gone", lambda:
                      "lost" not in self.a.connected())

    def flood(self, packets, rate, seconds, ttl=1, to=None):
        path = self.world.path("packets")
        with open(path, "wb") as f:
            f.write(b"".join(packets))
        return subprocess.Popen(
            self.lan.inside("foe") + [
                sys.executable, os.path.join(peer.HERE, "flood.py"), path,
                to or self.lan.address("a"), str(rate), str(seconds),
                str(ttl)],
            stdout=subprocess.PIPE, text=True)

    def synced(self, n):
        self.a.put("n", n)
        self.b.waits_for("n", n, patience=5)


_open = []  # the network, its daemons and the foe, once a test needs them


def _link():
    if not _open:
        _open.append(Lan("a", "b", "lost", "foe"))
        _open.append(node.World())
        _open.append(Foe(_open[0]))
        _open.append(Link(_open[0], _open[1]))
    return _open[3], _open[2]


def _close():
    for made in (_open[2:3] + _open[1:2] + _open[:1]):
        made.close() if hasattr(made, "close") else made.__exit__()


def ten_thousand_announces_a_second():
    """Forged by nobody, and by one who has the secret: nobody is dialled, the
    members' sync goes on, and less than a fifth of a processor is spent."""
    link, foe = _link()
    forged = [bytes([ANNOUNCE]) + os.urandom(63) for _ in range(500)]
    forged += [_announce(link.key, os.urandom(32), 5555)
               for _ in range(500)]
    random.shuffle(forged)
    pid = subprocess.run(
        ["pgrep", "-P", str(link.a.process.pid)], text=True,
        capture_output=True).stdout.split()
    pid = int(pid[0]) if pid else link.a.process.pid
    used, began = peer.processor_us(pid), time.monotonic()
    flood = link.flood(forged, 10000, 4)
    link.synced(1)
    link.synced(2)
    sent = int(flood.communicate(timeout=60)[0])
    took = time.monotonic() - began
    used = peer.processor_us(pid) - used
    share = used / 1e6 / took
    tap.note("%d datagrams a second, %.1f %% of a processor" % (
        sent / took, 100 * share))
    tap.check(sent > 8000, "only %d were sent" % sent)
    tap.check(share < 0.2, "%.0f %% of a processor" % (100 * share))
    status = link.a.status()
    # Where the machine is slow the system drops the most of them.
    tap.check(status["datagrams_dropped"] > sent // 10,
              "only %d of %d were passed over" % (
                  status["datagrams_dropped"], sent))
    tap.equal(len(status["peers"]), 2, "peers")
    tap.equal(foe.dialled(), 0, "strangers dialled")
    link.synced(3)


def strangers_are_not_dialled_and_nobody_from_afar_is_believed():
    link, foe = _link()
    # Made up, under the mesh's own key, slowly enough to be looked at.
    made_up = [_announce(link.key, os.urandom(32), 5555)
               for _ in range(30)]
    link.flood(made_up, 10, 2).wait(60)
    link.synced(1)
    tap.equal(foe.dialled(), 0, "strangers dialled")
    # Of a member, but not from this link.
    member = [_announce(link.key, link.lost, 5555)]
    link.flood(member, 10, 2, ttl=64).wait(60)
    link.synced(2)
    tap.equal(foe.dialled(), 0, "dials because of beacons from afar")
    # From this link it is believed to the extent of a dial.
    link.flood(member, 10, 1).wait(60)
    node.wait_for("the member is dialled", lambda: foe.dialled() > 0)
    link.synced(3)


def nothing_is_answered():
    """Neither noise, nor questions of nobody, nor what is too long."""
    link, _ = _link()
    probe = subprocess.run(
        link.lan.inside("foe") + [sys.executable, "-c", (
            "import os, socket, time\n"
            "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)\n"
            "s.settimeout(0.5)\n"
            "to = (%r, 4748)\n"
            "for n in (1, 63, 64, 65, 512, 1400):\n"
            "    for kind in (1, 2, 3, 4, 255):\n"
            "        s.sendto(bytes([kind]) + os.urandom(n - 1), to)\n"
            "        time.sleep(0.06)\n"
            "try:\n"
            "    print(len(s.recv(2048)))\n"
            "except socket.timeout:\n"
            "    print('nothing')\n") % link.lan.address("a")],
        capture_output=True, text=True, timeout=60)
    tap.equal(probe.stdout.strip(), "nothing", "the answer")
    link.synced(1)


if __name__ == "__main__":
    try:
        status = peer.main(globals())
    finally:
        _close()
    sys.exit(status)
