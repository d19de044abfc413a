#!/usr/bin/python3
"""Nodes that break the rules of LAN sync: they are told so as the older
servers do, passed over or closed, and those who keep the rules notice
nothing."""

import contextlib
import json
import os
import resource
import socket
import ssl
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))

from lan import Lan
from lan_node import GROUP, Handler, frame, stamp
from lansync_test import SECRET, Older, Scene
from node import World, main, wait_for
from tap import check, equal


# What is told is the same in clear and by TLS: a node that takes both.
BOTH = ("--lansync.tls", "both")
WAYS = [(dialect, tls) for dialect in ("v1", "v2") for tls in (False, True)]


def _trusting():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Peer:
    """A socket, and a hand that can sign."""

    def __init__(self, port, dialect="v2", address="127.0.0.1", key=SECRET,
                 tls=False):
        self.socket = socket.create_connection((address, port), 10)
        if tls:
            self.socket = _trusting().wrap_socket(self.socket)
        self.handler = Handler("raw", key, dialect)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, body):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.socket.sendall(struct.pack("!I", len(body)) + body)
        return body

    def say(self, kind, payload=None, **more):
        own = {"own": more.pop("own")} if "own" in more else {}
        return self.send(dict(self.handler.make(
            kind, dict(payload or {}, request_id="r"), **more), **own))

    def exactly(self, n):
        data = b""
        while len(data) < n:
            some = self.socket.recv(n - len(data))
            if not some:
                raise EOFError
            data += some
        return data

    def hear(self, *kinds):
        """The next message, of those kinds if any are named."""
        while True:
            n = struct.unpack("!I", self.exactly(4))[0]
            message = json.loads(self.exactly(n))
            check(self.handler.flaw(message) is None, message)
            if not kinds or message["message_type"] in kinds:
                return message

    def error(self):
        payload = self.hear("ERROR")["payload"]
        equal(payload["message"], payload["error"], "both words for it")
        return payload["error"], payload["code"]

    def ends(self):
        try:
            while True:
                self.hear()
        except (EOFError, ConnectionError):
            return True

    def come_in(self, token=SECRET):
        self.say("AUTH_REQUEST", {"token": token})
        return self.hear("AUTH_RESPONSE")["payload"]["success"]


class Siege(Scene):
    """With a node that keeps the rules, which must notice nothing."""

    def __enter__(self):
        super().__enter__()
        self.node, self.honest = self.nodes["a"], self.old("honest", "v2")
        self.honest.do("connect", port=self.port())
        self.count = 0
        self.is_well()
        return self

    def __exit__(self, *why):
        try:
            if why[0] is None:
                self.is_well()
        finally:
            super().__exit__(*why)

    def memory(self):
        with open("/proc/%d/status" % self.node.process.pid) as file:
            return int([line for line in file if line.startswith(
                "VmRSS")][0].split()[1]) * 1024

    def is_well(self):
        self.count += 1
        self.honest.do("put", key="honest", data={"n": self.count})
        self.node.waits_for("honest", {"n": self.count}, "lan")


def _item(key, n=1):
    return {"item_id": key, "item_type": "document", "action": "create",
            "data": {"n": n}, "created_at": stamp(), "node_id": "raw",
            "version": 1}


def what_is_wrong_is_told_in_either_manner():
    """The table of the older servers, by whoever was not let in."""
    first = {
        b"": ("Invalid message format", "decode_error", False),
        b"[]": ("Invalid message format", "decode_error", False),
        b"{}": ("Internal server error", "internal_error", False),
        "SYNC_DATA unsigned": ("Message not signed", "validation_failed",
                               True),
        "SYNC_DATA": ("Authentication required", "auth_required", True),
        "NONSENSE": ("Internal server error", "internal_error", False),
    }
    second = dict(first, **{
        "SYNC_DATA unsigned": ("Invalid message: Message not signed",
                               "generic_error", False),
        "SYNC_DATA": ("Authentication required", "auth_required", False),
        "NONSENSE": ("Invalid message format", "decode_error", False)})
    with Siege("a", flags=BOTH) as s:
        for dialect, tls in WAYS:
            rows = first if dialect == "v1" else second
            for what, (text, code, ends) in rows.items():
                with Peer(s.port(), dialect, tls=tls) as p:
                    p.say("HEARTBEAT")  # it tells the dialect
                    if isinstance(what, bytes):
                        p.send(what)
                    else:
                        kind, _, how = what.partition(" ")
                        p.say(kind, sign=not how)
                    equal(p.error(), (text, code), "%s %r" % (dialect, what))
                    if ends:
                        check(p.ends(), "%s %r" % (dialect, what))
                    else:
                        p.say("AUTH_REQUEST", {"token": SECRET})
                        check(p.hear("AUTH_RESPONSE")["payload"]["success"],
                              "it goes on")


def what_nobody_asked_for_is_told():
    with Siege("a", flags=BOTH) as s:
        for dialect, tls in WAYS:
            with Peer(s.port(), dialect, tls=tls) as p:
                check(p.come_in(), "in")
                for kind in ("AUTH_CHALLENGE", "SYNC_COMPLETE",
                             "DISCOVERY_BROADCAST", "DISCOVERY_RESPONSE"):
                    p.say(kind)
                    equal(p.error(), ("Unsupported message type: " + kind,
                                      "unsupported_type"), dialect)
                p.say("SYNC_DATA", {"items": "none"})
                equal(p.error(), ("Internal server error", "internal_error"),
                      dialect)
                p.say("HEARTBEAT", own=1)
                if dialect == "v1":
                    equal(p.error(), ("Internal server error",
                                      "internal_error"), "a member of its own")
                p.say("SYNC_REQUEST")
                p.hear("SYNC_RESPONSE")


def what_is_wrong_of_who_is_in():
    """The same table, where signatures and times count."""
    late = stamp(time.time() - 61)
    with Siege("a", flags=BOTH) as s:
        for dialect, tls in WAYS:
            for what in ("unsigned", "changed", "late", "again", "no nonce",
                         "zone"):
                with Peer(s.port(), dialect, tls=tls) as p:
                    check(p.come_in(), "in")
                    body = None
                    if what == "again":
                        body = p.say("SYNC_ACK")
                        p.send(body)
                        why = "Possible replay attack detected"
                        if dialect == "v2":
                            why += " (nonce: %s)" % json.loads(body)["nonce"]
                    elif what == "unsigned":
                        p.say("SYNC_ACK", sign=False)
                        why = "Message not signed"
                    elif what == "changed":
                        m = p.handler.make("SYNC_ACK", {})
                        p.send(dict(m, payload={"data_id": "other"}))
                        why = "Invalid message signature"
                    elif what == "no nonce":
                        m = p.handler.make("SYNC_ACK", {})
                        p.send(dict(m, nonce=""))
                        why = "Missing nonce" if dialect == "v1" else \
                            "Missing required fields: nonce"
                    else:
                        at = late if what == "late" else stamp() + "Z"
                        p.say("SYNC_ACK", at=at)
                        why = "Message expired (timestamp: %s)" % at \
                            if dialect == "v2" else "Message expired" \
                            if what == "late" else "Invalid timestamp format"
                    if dialect == "v1":
                        equal(p.error(), (why, "validation_failed"), what)
                        check(p.ends(), "v1 %s" % what)
                    else:
                        equal(p.error(), ("Invalid message: " + why,
                                          "generic_error"), what)
                        if what == "changed":
                            check(p.ends(), "v2 changed")
                            continue
                        p.say("SYNC_REQUEST")
                        p.hear("SYNC_RESPONSE")


def what_is_no_json():
    """In either dialect, before and after it was let in: it is told, and the
    connection goes on."""
    rows = (b"{", b"\xff\xfe{}", b"\xef\xbb\xbf{}", b"\0" * 1000, b"nonsense",
            b"[" * 60000, b'{"a":' * 10000, b'{"payload":"\xed\xa0\x80"}',
            b"1" * 5000, b'"' + b"x" * 50000)
    with Siege() as s:
        for dialect in ("v1", "v2"):
            for is_in in (False, True):
                with Peer(s.port(), dialect) as p:
                    if is_in:
                        check(p.come_in(), "in")
                    else:
                        p.say("HEARTBEAT")  # it tells the dialect
                    for body in rows:
                        p.send(body)
                        check(p.error() in (
                            ("Invalid message format", "decode_error"),
                            ("Internal server error", "internal_error")),
                            body[:20])  # the second: deeper than is read
                    p.say("AUTH_REQUEST", {"token": SECRET})
                    check(p.hear("AUTH_RESPONSE")["payload"]["success"],
                          "it goes on")


def little_before_it_is_let_in():
    """Nobody's memory is taken by a stranger who sends almost all of a long
    message."""
    with Siege() as s:
        with Peer(s.port()) as p:
            p.socket.settimeout(5)
            p.socket.sendall(struct.pack("!I", 1 << 20))
            check(p.ends(), "it waits for it")
        with Peer(s.port()) as p:
            check(p.come_in(), "in")
            p.say("SYNC_DATA", {"items": [_item("long", "x" * (1 << 20))]})
            p.hear("SYNC_ACK")
        s.node.do("del", "lan", "long")


def echoes_end():
    """Clients of the first generation answer each heartbeat; whoever answers
    that makes an endless loop."""
    with Siege("a", flags=("--lansync.heartbeat", "1s") + BOTH) as s:
        for tls in (False, True):
            with Peer(s.port(), "v1", tls=tls) as p:
                check(p.come_in(), "in")
                began, beats = time.monotonic(), 0
                while beats < 3:
                    equal(p.hear("HEARTBEAT")["payload"], {}, "what it says")
                    p.handler.nonces.clear()  # one heartbeat for all
                    p.send(p.handler.make("HEARTBEAT", {}))
                    beats += 1
                check(time.monotonic() - began > 1.5, "it is answered")


def what_was_not_signed_is_not_heard():
    """Nor what was signed by another, or changed."""
    with Siege() as s:
        with Peer(s.port()) as p:
            check(p.come_in(), "in")
            p.say("SYNC_DATA", {"items": [_item("unsigned")]}, sign=False)
            equal(p.error()[0], "Invalid message: Message not signed", "why")
            changed = p.handler.make("SYNC_DATA", {"items": [_item("k")]})
            changed["payload"]["items"][0]["data"] = {"n": 2}
            p.send(changed)
            equal(p.error()[0], "Invalid message: Invalid message signature",
                  "why")
            check(p.ends(), "it goes on")
        with Peer(s.port(), key="another") as p:
            p.say("SYNC_DATA", {"items": [_item("forged")]})
            p.handler.key = SECRET.encode()
            equal(p.error()[0], "Invalid message: Invalid message signature",
                  "why")
        for key in ("unsigned", "k", "forged"):
            equal(s.node.get(key, "lan"), None, key)


def nothing_counts_twice_or_too_late():
    with Siege("a", flags=("--lansync.ahead", "60s")) as s:
        with Peer(s.port()) as p:
            check(p.come_in(), "in")
            body = p.say("SYNC_DATA", {"items": [_item("once")]})
            p.hear("SYNC_ACK")
            s.node.do("del", "lan", "once")
            p.send(body)
            check(p.error()[0].startswith(
                "Invalid message: Possible replay attack detected"), "twice")
            for seconds in (-61, 90):
                p.say("SYNC_DATA", {"items": [_item("late")]},
                      at=stamp(time.time() + seconds))
                check(p.error()[0].startswith(
                    "Invalid message: Message expired"), seconds)
        with Peer(s.port()) as p:  # on another connection, too
            check(p.come_in(), "in")
            p.send(body)
            check("replay" in p.error()[0], "elsewhere")
        equal(s.node.get("late", "lan"), None, "late")


def what_we_said_ourselves_is_no_answer():
    """Who has no secret, but stands between, could acknowledge by our own
    words what nobody has got."""
    for dialect, says in (("v2", "Invalid message: Possible replay attack"),
                          ("v1", "Possible replay attack detected")):
        with Siege() as s:
            s.node.put("mine", {"n": 7}, "lan")
            with Peer(s.port(), dialect) as p:
                check(p.come_in(), "in")
                n = struct.unpack("!I", p.exactly(4))[0]
                said = p.exactly(n)
                while json.loads(said)["message_type"] != "SYNC_DATA":
                    said = p.exactly(struct.unpack("!I", p.exactly(4))[0])
                p.send(said)
                check(p.hear("ERROR", "SYNC_ACK")["payload"].get(
                    "error", "").startswith(says), "it counts")
            s.is_well()
            equal(s.node.call("lansync")["items"]["refused"], 0, "refused")


def what_cannot_be_an_item_is_named():
    """In an answer that can be said, whatever its name; nothing is left to be
    tried for ever."""
    nan, half = float("nan"), "\ud800"
    rows = (("nan", {"data": {"x": nan}}, "nan: NaN and Infinity are not JSON"),
            ("half", {"data": {"x": half}}, "half: half of a surrogate pair"),
            ("far", {"data": {"x": 10 ** 100}}, "far: the integer does not fit"),
            ("node", {"node_id": "n" * 5000}, "node: as: needs a face"),
            ("k" * 5000, {}, "k" * 40 + ": a key of 5000 bytes"),
            ("x" * 39 + "\u00e9", {"data": [1]}, "x" * 39 + ": data: no object"),
            (half, {"data": [1]}, "data: no object"))
    with Siege() as s, Peer(s.port(), "v1") as p:
        check(p.come_in(), "in")
        for key, more, says in rows:
            p.say("SYNC_DATA", {"items": [dict(_item(key), **more)]})
            answer = p.hear("SYNC_ACK")["payload"]
            equal(answer["refused"], 1, key[:20])
            check(answer["error"].startswith(says), answer["error"])
            check("at line" not in answer["error"], answer["error"])


def four_gigabytes_are_not_waited_for():
    with Siege() as s:
        for head in (b"\xff\xff\xff\xff", struct.pack("!I", (16 << 20) + 1)):
            with Peer(s.port()) as p:
                p.socket.settimeout(5)  # before who says nothing goes
                p.socket.sendall(head)
                check(p.ends(), "it waits")


def tokens_cannot_be_guessed():
    with Siege() as s:
        for i in range(5):
            with Peer(s.port()) as p:
                check(not p.come_in("guess %d" % i), "in by a guess")
        with Peer(s.port()) as p:
            check(not p.come_in(), "heard at once after five failures")
        with Peer(s.port()) as p:
            for i in range(5):
                check(not p.come_in("again %d" % i), "in by a guess")
            check(p.ends(), "five times on one connection")


def who_never_asks_to_come_in_goes():
    """And takes no room from others: half-open ones are few."""
    with Siege("a", flags=("--lansync.auth_timeout", "2s")) as s:
        many = [Peer(s.port()) for _ in range(200)]
        s.is_well()
        for p in many:
            check(p.ends(), "it stays")
            p.socket.close()


def _half_open(port, n, address):
    """So many, from many addresses; each has sent part of a frame."""
    made = []
    for i in range(n):
        p = socket.socket()
        p.bind(("127.0.%d.%d" % (1 + i // 250 % 250, 1 + i % 250), 0))
        p.settimeout(10)
        p.connect((address, port))
        try:
            p.sendall(struct.pack("!I", 60000) + b"{" * 1000)
        except OSError:
            pass  # others wanted its place
        made.append(p)
    return made


def thousands_that_never_come_in():
    """1,000 at once, and by night 10,000: whoever is in goes on, whoever asks
    to come in is let in, and what they take is bounded."""
    n = 10000 if os.environ.get("SYNCLINE_WHOLE") else 1000
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    n = min(n, most - 200)
    with Siege("a", flags=("--lansync.auth_timeout", "60s")) as s:
        before = s.memory()
        many = []
        try:
            for i in range(0, n, 250):
                many += _half_open(s.port(), 250, "127.0.0.1")
                s.is_well()
                with Peer(s.port()) as p:
                    p.socket.settimeout(5)
                    check(p.come_in(), "%d keep others out" % len(many))
            check(s.memory() - before < 64 << 20, "it grew by %d bytes" % (
                s.memory() - before))
            check(s.node.call("lansync")["turned_away"]["room"] >= n - 256,
                  "they all stay")
            files = len(os.listdir("/proc/%d/fd" % s.node.process.pid))
            check(files < 400, "%d are open" % files)
        finally:
            for p in many:
                p.close()


def a_flood_of_who_was_not_let_in():
    with Siege() as s:
        for dialect in ("v1", "v2"):
            with Peer(s.port(), dialect) as p:
                p.socket.sendall(b"".join(
                    frame(p.handler.make("HEARTBEAT", {}))
                    for _ in range(30)))
                equal(p.error(), ("Too many messages", "validation_failed")
                      if dialect == "v1" else
                      ("Invalid message: Too many messages", "generic_error"),
                      dialect)
                check(p.ends(), "it is heard on")


def a_flood_of_who_is_in():
    """It is heard as fast as was said, nothing of it is lost, and others do not
    wait for it."""
    with Siege("a", flags=("--lansync.rate", "100")) as s:
        with Peer(s.port()) as p:
            check(p.come_in(), "in")
            began = time.monotonic()
            for i in range(600):
                p.say("SYNC_DATA", {"data_id": "d%d" % i})
            s.is_well()
            for i in range(600):
                equal(p.hear("SYNC_ACK")["payload"]["data_id"], "d%d" % i,
                      "an answer")
            took = time.monotonic() - began
            check(took > 1.5, "600 in %.1f s" % took)


def a_flood_before_anybody_is_in():
    """Of who need not come in, and of a server that we call: the shortest
    messages there are, which are heard as fast as was said."""
    rate = ("--lansync.rate", "100")
    with Scene("a", flags=rate + ("--lansync.auth", "false")) as s:
        with Peer(s.port()) as p:
            began = time.monotonic()
            p.socket.sendall(b"\0\0\0\0" * 600)
            for _ in range(600):
                equal(p.error()[1], "decode_error", "what it says")
            took = time.monotonic() - began
            check(took > 1.5, "600 in %.1f s" % took)
    with socket.create_server(("127.0.0.1", 0)) as rogue:
        rogue.settimeout(30)
        with Scene("a", flags=rate + (
                "--lansync.auth_timeout", "60s", "--lansync.peers",
                "127.0.0.1:%d" % rogue.getsockname()[1])) as s:
            with rogue.accept()[0] as called:
                called.settimeout(2)
                sent = 0
                with contextlib.suppress(socket.timeout):
                    while sent < 256 << 20:
                        sent += called.send(b"\0" * (1 << 20))
                check(sent < 256 << 20, "all of it is heard")
            s.nodes["a"].put("k", {"n": 1}, "lan")


def many_calls_of_one_address():
    with Lan("a", "b") as lan, World() as world:
        node = world.node("a", "--lansync.enabled", "true", "--lansync.port",
                          "5077", "--lansync.discovery", "false",
                          "--lansync.admit", "any", prefix=lan.inside("a"),
                          listen=lan.listen("a"))
        Scene().secret(node)
        node.start()
        with lan.within("b"):
            came, at = 0, (lan.address("a"), 5077)
            for i in range(30):
                for _ in range(10 if i else 60):  # faster than is given
                    socket.create_connection(at, 10).close()
                with Peer(5077, address=at[0]) as p, \
                        contextlib.suppress(EOFError, ConnectionError):
                    came += bool(p.come_in())
            check(came < 10, "%d of 30 were let in" % came)
            time.sleep(1)  # what it is given in a second
            with Peer(5077, address=lan.address("a")) as p:
                check(p.come_in(), "refused for ever")


def many_say_that_they_are_near():
    """A list of them is kept, and it is bounded."""
    with Lan("a", "b") as lan, World() as world:
        node = world.node("a", "--lansync.enabled", "true", "--lansync.port",
                          "5077", prefix=lan.inside("a"),
                          listen=lan.listen("a"))
        Scene().secret(node)
        node.start()
        with lan.within("b"):
            for host in range(20, 32):
                sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                sock.bind((lan.add_address("b", host), 0))
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                                socket.inet_aton(lan.address("b")))
                for i in range(15):
                    sock.sendto(json.dumps({
                        "type": "discovery", "port": 9,
                        "node_id": "%d-%d" % (host, i)}).encode(),
                        (GROUP, 5000))
                sock.close()

        def heard():
            return len(node.call("lansync")["devices"]) > 100

        wait_for("it heard them", heard)
        n = len(node.call("lansync")["peers"])
        check(n <= 64, "%d are called" % n)


def nobody_of_another_network():
    with Lan("a", "b") as lan, World() as world:
        node = world.node("a", "--lansync.enabled", "true", "--lansync.port",
                          "5077", "--lansync.discovery", "false",
                          "--lansync.admit", "192.0.2.0/24",
                          prefix=lan.inside("a"), listen=lan.listen("a"))
        Scene().secret(node)
        node.start()
        with lan.within("b"), Peer(5077, address=lan.address("a")) as p:
            check(p.ends(), "it was let in")
        wait_for("it is counted", lambda: node.call(
            "lansync")["turned_away"]["network"] == 1)


def _mesh_port(node):
    return int(node.status()["listen"][0].rsplit(":", 1)[1])


def _ends(sock):
    try:
        return sock.recv(1) == b""
    except ConnectionError:
        return True


def the_port_of_the_mesh_tells_them_by_five_bytes():
    """However slowly these come; what only looks like it is closed."""
    with Siege() as s:
        port = _mesh_port(s.node)
        with Peer(port) as p:
            body = json.dumps(p.handler.make("AUTH_REQUEST", {
                "token": SECRET, "request_id": "r"})).encode()
            for byte in struct.pack("!I", len(body)) + body[:40]:
                p.socket.sendall(bytes([byte]))
                s.node.status()  # it has had its turn
            p.socket.sendall(body[40:])
            check(p.hear("AUTH_RESPONSE")["payload"]["success"], "in")
        for first in (b"\0\0\0\x09[1,2,3,4]", b"\0\0\0\0{",
                      b"\x01\0\0\x01{", b"\0\0\0\x08GET / HTTP"):
            with socket.create_connection(("127.0.0.1", port), 10) as sock:
                sock.sendall(first)
                check(_ends(sock), first)
        s.is_well()


def half_a_length_and_silence_are_ended():
    """In time, and they keep nobody out meanwhile."""
    with Siege("a", flags=("--lansync.timeout", "2s")) as s:
        port = _mesh_port(s.node)
        with contextlib.ExitStack() as all_of_them:
            silent = []
            for first in [b"\0\0"] * 12 + [b"\0\0\1\0{"] * 12:
                sock = all_of_them.enter_context(
                    socket.create_connection(("127.0.0.1", port), 10))
                sock.sendall(first)
                silent.append(sock)
            with Peer(port) as p:
                check(p.come_in(), "in")
            s.is_well()
            for sock in silent:
                check(_ends(sock), "it stays")


def the_port_of_the_mesh_has_the_same_rules():
    """Who was not let in is not heard; where LAN sync is off, nobody is."""
    with Siege() as s:
        port = _mesh_port(s.node)
        with Peer(port) as p:
            p.say("SYNC_DATA", {"items": [_item("forged")]})
            equal(p.error()[1], "auth_required", "why")
        for i in range(5):
            with Peer(port) as p:
                check(not p.come_in("guess %d" % i), "in by a guess")
        with Peer(port) as p:
            check(not p.come_in(), "heard at once after five failures")
        equal(s.node.get("forged", "lan"), None, "an item")
    with World() as world:
        node = world.node("off").start()
        with socket.create_connection(
                ("127.0.0.1", _mesh_port(node)), 10) as sock:
            sock.sendall(struct.pack("!I", 2) + b"{}")
            check(_ends(sock), "it is heard")
    with Scene(flags=("--lansync.tls", "true")) as s:
        with Peer(_mesh_port(s.nodes["a"])) as p:
            p.say("HEARTBEAT")
            equal(p.error()[1], "tls_required", "in clear")


def who_claims_to_be_of_the_mesh():
    """Without proof he is served as any older node is; he is not looked for
    where he says either."""
    with Siege() as s:
        for i, offer in enumerate((
                {}, {"kin": "00" * 32, "beacon": "01" * 64}, {"kin": "x"},
                "yes", {"kin": "00" * 31}, {"kin": None, "beacon": []})):
            with Peer(s.port()) as p:
                p.handler.node_id = "raw-%d" % i
                p.say("AUTH_REQUEST", {"token": SECRET, "syncline": offer})
                check(p.hear("AUTH_RESPONSE")["payload"]["success"], "in")
                p.say("SYNC_DATA", {"items": [_item("claim-%d" % i)]})
                p.hear("SYNC_ACK")
                s.node.waits_for("claim-%d" % i, {"n": 1}, "lan")


def a_proof_of_another_is_of_no_use_to_his_name():
    """What a member has said to one node, said again to another."""
    with Siege() as s:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(30)
        flags = s.flags + ["--lansync.peers", "127.0.0.1:%d" %
                           listener.getsockname()[1]]
        kin = s.world.node("kin", *flags)
        s.secret(kin)
        kin.start()
        kin.joins(s.node)
        with listener, listener.accept()[0] as heard:
            heard.settimeout(30)
            stream = heard.makefile("rb")
            n = struct.unpack("!I", stream.read(4))[0]
            said = json.loads(stream.read(n))["payload"]
        check(said["syncline"]["kin"], "no proof")
        for name, kept in (("thief", said["request_id"]), ("kin", "other")):
            with Peer(s.port()) as p:
                p.handler.node_id = name
                p.send(p.handler.make("AUTH_REQUEST", dict(
                    said, request_id=kept)))
                check(p.hear("AUTH_RESPONSE")["payload"]["success"], "in")
                p.say("SYNC_DATA", {"items": [_item("by-" + name)]})
                p.hear("SYNC_ACK")
                s.node.waits_for("by-" + name, {"n": 1}, "lan")


if __name__ == "__main__":
    sys.exit(main(globals(), beside=[
        half_a_length_and_silence_are_ended, echoes_end,
        who_never_asks_to_come_in_goes], at_once=2))
