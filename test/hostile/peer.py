"""A peer that keeps to the protocol only as far as a test wants: TLS with a key
of its own, frames of doc/protocol.md byte by byte, and a scene of real daemons
to try it on.

Nothing here is shared with src/: what it says, it says from the page."""

import contextlib
import datetime
import hashlib
import hmac
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))

import node  # noqa: E402
import signed  # noqa: E402
import tap  # noqa: E402

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
except ImportError:
    print("1..0 # SKIP python3-cryptography is not installed")
    sys.exit(0)

ROOT = os.path.join(HERE, "..", "..")
MEMBER, PAIRING = "syncline/1", "syncline-pair/1"
PATIENCE = float(os.environ.get("PATIENCE", node.PATIENCE))
node.PATIENCE = PATIENCE

HELLO, SUBSCRIBE, BATCH, FRAGMENT, CREDIT, ACK, PING, PONG = range(1, 9)
REACH, ASK, TELL, BYE, BOOTSTRAP = range(9, 14)
HEAD = 17

# Codes of BYE, as syncline.h numbers errors.
EMALFORMED, ESHORT, ELIMIT, EVERSION, EBUSY, EDENIED = 3, 4, 5, 12, 13, 14


def defined(name, header):
    """A number of the sources, so that a test follows the version."""
    with open(os.path.join(ROOT, "src", header), encoding="utf-8") as f:
        return int(re.search(r"#define %s (\d+)" % name, f.read()).group(1))


VERSION = defined("PROTOCOL_VERSION", "repl/frames.h")
PAIR = bytes([defined("PAIR_VERSION", "repl/pair.h")])


# ---- bytes ----

def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7f | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def lot(b):
    """bytes: a length and as many."""
    return varint(len(b)) + b


def vector(entries):
    """{replica: seq}, or a list of pairs to be sent as it is."""
    if isinstance(entries, dict):
        entries = sorted(entries.items())
    return varint(len(entries)) + b"".join(
        rid + varint(seq) for rid, seq in entries)


def read_varint(b, at):
    n = shift = 0
    while True:
        n |= (b[at] & 0x7f) << shift
        at += 1
        if b[at - 1] < 0x80:
            return n, at
        shift += 7


class Row:
    """An item with one change, alive."""

    def __init__(self, replica, seq, cells, length=1, wall_us=None,
                 context=None):
        self.replica, self.seq, self.length = replica, seq, length
        self.cells = cells  # [(path, value or None)]
        self.hlc = (wall_us or int(time.time() * 1e6)) << 12
        self.context = context or {replica: seq}
        self.proof = b""

    def places(self):
        return sorted(self.context)

    def name(self, rid):
        """A replica within the item: its place in the context."""
        if rid in self.context:
            return varint(self.places().index(rid) + 1)
        return varint(0) + rid

    def change(self):
        return ((b"\x08" if self.proof else b"\0") +
                self.name(self.replica) + varint(self.seq) +
                varint(0) + struct.pack("<Q", self.hlc) +
                self.name(self.replica) + varint(0) + varint(0) +
                (lot(self.proof) if self.proof else b""))

    def sign(self, keys, key, by):
        """As the author would have, with this private key: a commit of its
        own."""
        context = hashlib.sha256(vector({}) + vector({}) + struct.pack(
            "<Q", self.hlc >> 12)).digest()
        leaves = [signed.leaf(
            keys, [self.replica, self.seq, self.replica, self.seq, 0, self.hlc,
                   self.replica, self.length, context, value is None],
            key, path, value or b"") for path, value in self.cells]
        self.proof = signed.make_proof(
            by, keys, leaves, [True] * len(leaves))
        return self

    def encode(self):
        cells = b"".join(
            lot(path) + varint(0) +
            (varint(0) if value is None else varint(len(value) + 1) + value)
            for path, value in self.cells)
        return (varint(self.length) + varint(1) + vector(self.context) +
                varint(0) + varint(1) + self.change() + varint(0) +
                varint(len(self.cells)) + cells)


# ---- keys ----

class Identity:
    def __init__(self, key):
        self.key = key
        public = key.public_key().public_bytes(
            serialization.Encoding.DER,
            serialization.PublicFormat.SubjectPublicKeyInfo)
        self.device = hashlib.sha256(public).digest()

    @classmethod
    def fresh(cls):
        return cls(ed25519.Ed25519PrivateKey.generate())

    @classmethod
    def curve(cls):
        """No device: another kind of key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def of(cls, folder):
        with open(os.path.join(folder, "identity.pem"), "rb") as f:
            return cls(serialization.load_pem_private_key(f.read(), None))

    def replica(self):
        return self.device[:8] + os.urandom(8)

    def load(self, context):
        name = x509.Name([x509.NameAttribute(
            x509.oid.NameOID.COMMON_NAME, "hostile")])
        now = datetime.datetime(2020, 1, 1)
        edwards = isinstance(self.key, ed25519.Ed25519PrivateKey)
        cert = x509.CertificateBuilder().subject_name(name).issuer_name(
            name).public_key(self.key.public_key()).serial_number(
                1).not_valid_before(now).not_valid_after(
                    now + datetime.timedelta(days=36500)).sign(
                        self.key, None if edwards else hashes.SHA256())
        with tempfile.NamedTemporaryFile(suffix=".pem") as pem:
            pem.write(self.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption()))
            pem.write(cert.public_bytes(serialization.Encoding.PEM))
            pem.flush()
            context.load_cert_chain(pem.name)


def context(identity, alpn=MEMBER, version=ssl.TLSVersion.TLSv1_3):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    c.minimum_version = c.maximum_version = version
    if alpn is not None:
        c.set_alpn_protocols([alpn])
    if identity is not None:
        identity.load(c)
    return c


# ---- a connection ----

class Gone(Exception):
    """The other side has ended it; with what it said, if it did."""

    def __init__(self, code=None, text=""):
        super().__init__("%s %s" % (code, text))
        self.code, self.text = code, text


def address(daemon):
    host, port = daemon.status()["listen"][0].rsplit(":", 1)
    return host, int(port)


def tcp(to, source=None):
    s = socket.create_connection(
        to, PATIENCE, source_address=source and (source, 0))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


class Peer:
    """Connected and, unless told otherwise, greeted."""

    def __init__(self, daemon, identity, mesh=None, hello=True, alpn=MEMBER,
                 replica=None):
        self.identity, self.no = identity, 0
        self.replica = replica or identity.replica()
        self.mesh = mesh or bytes.fromhex(daemon.status()["mesh"])
        self.socket = context(identity, alpn).wrap_socket(
            tcp(address(daemon)))
        self.buffer = b""
        self.frames = []  # (type, body) that have come
        if hello:
            self.hello()
            self.await_frame(HELLO)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def token(self, space="default"):
        return hmac.new(self.mesh, space.encode(), "sha256").digest()[:16]

    # sending

    def raw(self, data):
        """Bytes as they are, inside TLS. That it was closed shows later."""
        self.socket.settimeout(PATIENCE)  # not what the last reading left
        try:
            self.socket.sendall(data)
        except (OSError, ssl.SSLError):
            pass

    def message(self, body):
        self.raw(struct.pack("<I", len(body)) + body)

    def frame(self, kind, body, no=None):
        self.no = self.no + 1 if no is None else no
        self.message(bytes([kind]) + varint(self.no) + body)

    def hello(self, version=VERSION, mesh=None, replica=None, name=b"hostile"):
        self.frame(HELLO, varint(version) + (mesh or self.mesh) +
                   (replica or self.replica) +
                   struct.pack("<Q", int(time.time() * 1e6)) + varint(0) +
                   lot(name))

    def subscribe(self, space="default", have=None, cursor=None, flags=0):
        self.frame(SUBSCRIBE, self.token(space) + vector(have or {}) +
                   varint(0 if cursor is None else cursor + 1) +
                   bytes([flags]))

    def batch(self, rows=(), mark=None, space="default", flags=0, cursor=0,
              conflicts=()):
        """rows: (key, item) in bytes."""
        if mark is not None:
            flags |= 1
        packed = b"".join(lot(k) + lot(v) for k, v in rows)
        clashes = b"".join(lot(k) + lot(v) for k, v in conflicts)
        self.frame(BATCH, self.token(space) + bytes([flags]) +
                   varint(cursor) + varint(len(rows)) + lot(packed) +
                   varint(len(conflicts)) + lot(clashes) +
                   vector(mark or {}))

    def keys(self, space="default"):
        """What cells of a space are signed with."""
        return signed.Commit(self.mesh, self.token(space))

    def row(self, key, cells, seq, space="default", **more):
        """Signed as it should be."""
        row = Row(self.replica, seq, cells, **more)
        return key, row.sign(
            self.keys(space), key, self.identity.key).encode()

    def fragment(self, transfer, total, offset, data, space="default"):
        self.frame(FRAGMENT, self.token(space) + varint(transfer) +
                   varint(total) + varint(offset) + lot(data))

    def ping(self):
        self.frame(PING, struct.pack("<QQ", 1, 0))

    # receiving

    def _take(self, patience):
        self.socket.settimeout(max(patience, 0.001))
        try:
            data = self.socket.recv(65536)
        except (socket.timeout, TimeoutError):
            raise
        except (OSError, ssl.SSLError):
            data = b""
        if not data:
            raise self.gone()
        self.buffer += data

    def gone(self):
        for kind, body in self.frames:
            if kind == BYE:
                code, at = read_varint(body, 0)
                n, at = read_varint(body, at)
                return Gone(code, body[at:at + n].decode())
        return Gone()

    def _cut(self):
        while len(self.buffer) >= 4:
            n = struct.unpack("<I", self.buffer[:4])[0]
            if len(self.buffer) < 4 + n:
                return
            body, self.buffer = self.buffer[4:4 + n], self.buffer[4 + n:]
            _, at = read_varint(body, 1)
            self.frames.append((body[0], body[at:]))

    def await_frame(self, kind, patience=PATIENCE):
        """The body of the next such frame; answers pings meanwhile."""
        end = time.monotonic() + patience
        while True:
            for i, (what, body) in enumerate(self.frames):
                if what == kind:
                    del self.frames[:i + 1]
                    return body
            try:
                self._take(end - time.monotonic())
            except (socket.timeout, TimeoutError):
                raise AssertionError(
                    "frame %d: not within %g s" % (kind, patience))
            self._cut()

    def ends(self, patience=PATIENCE):
        """Reads on until the daemon has ended it: how it did."""
        end = time.monotonic() + patience
        while True:
            try:
                self._take(end - time.monotonic())
            except Gone as how:
                return how
            except (socket.timeout, TimeoutError):
                raise AssertionError("still connected after %g s" % patience)
            self._cut()

    def lives(self, patience=PATIENCE):
        """A ping is answered: all before it was taken."""
        self.frames = [f for f in self.frames if f[0] != PONG]
        self.ping()
        self.await_frame(PONG, patience)


# ---- the scene ----

NO_PAUSE = ("--limits.backoff", "0")


def certificates(daemon):
    """Their keys in `_mesh`."""
    return [key for key in daemon.do("ls", "_mesh").split()
            if key.startswith("cert/")]


class Scene:
    """A daemon that is attacked, an honest one beside it, and a member whose
    key is ours. `flags` are the first one's."""

    def __init__(self, world, flags=NO_PAUSE, members=1):
        self.world, self.n = world, 0
        self.victim = world.node("victim", *flags)
        self.honest = world.node("honest")
        lost = [world.node("lost%d" % i) for i in range(members)]
        for daemon in [self.victim, self.honest] + lost:
            daemon.launch()
        for daemon in [self.victim, self.honest] + lost:
            node.wait_for("%s starts" % daemon.name, daemon.is_up)
        self.victim.joins(self.honest)  # so no code is open at the victim
        self.keys = []
        for daemon in lost:
            daemon.joins(self.honest)
            self.keys.append(Identity.of(daemon.dir))
            # As a member, and the key that it is sealed to.
            node.wait_for("the victim knows all of it", lambda: len(
                certificates(self.victim)) == 2 * (2 + len(self.keys)))
            daemon.process.kill()
            daemon.process.wait(PATIENCE)
            node.wait_for("%s is gone" % daemon.name, lambda d=daemon:
                          d.name not in self.victim.connected() and
                          d.name not in self.honest.connected())
        self.key = self.keys[0]

    def peer(self, **more):
        return Peer(self.victim, self.key, **more)

    def rss(self):
        return self.victim.status()["rss_bytes"]

    def synced(self, patience=5):
        """Something new goes both ways between the honest two."""
        self.n += 1
        for a, b in ((self.victim, self.honest), (self.honest, self.victim)):
            a.put("unharmed-" + a.name, self.n)
            b.waits_for("unharmed-" + a.name, self.n, patience=patience)

    @contextlib.contextmanager
    def unharmed(self, growth=64 << 20):
        """The same process, little larger, and in sync, after what is done
        within."""
        before = self.rss()
        yield
        tap.check(self.victim.process.poll() is None,
                  "the daemon has ended: " + self.victim.tail())
        after = self.rss()
        tap.check(after < before + growth, "memory grew from %d to %d MiB" % (
            before >> 20, after >> 20))
        self.synced()

    def breaks(self, send, code=EMALFORMED, says=None, growth=64 << 20):
        """send(peer) ends the connection with this code, and harms nobody."""
        with self.unharmed(growth), self.peer() as peer:
            send(peer)
            how = peer.ends()
            tap.equal(how.code, code, "BYE (%s)" % how.text)
            if says:
                tap.holds(how.text, says)


_scene = []


def scene(**more):
    """One for all tests of a file."""
    if not _scene:
        world = node.World()
        _scene.append((world, Scene(world, **more)))
    return _scene[0][1]


def main(names, beside=()):
    """`beside` (tap.run): such as have a scene of their own."""
    try:
        return node.main(names, beside)
    finally:
        for world, _ in _scene:
            world.__exit__()


def processor_us(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        words = f.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) * 1000000 // os.sysconf(
        "SC_CLK_TCK")
