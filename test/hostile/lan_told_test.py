#!/usr/bin/python3
"""The secret of LAN sync is said to whom lansync.say_secret names: whoever says
by a datagram that he is near, under whatever name, hears it of nobody, nor
does who passes on what others have signed."""

import concurrent.futures
import contextlib
import hashlib
import hmac
import json
import os
import select
import socket
import ssl
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))

from certs import Cert
from lan import DEVICE, Lan, ip
from lan_node import GROUP
from lan_sync_test import Peer
from lansync_test import SECRET, Older, Scene
from node import World, main, wait_for
from tap import check, equal, holds


class Called:
    """The other end of a call, which has not the secret; or has it, and
    signs."""

    def __init__(self, sock):
        sock.settimeout(30)
        self.socket = sock

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def exactly(self, n):
        data = b""
        while len(data) < n:
            some = self.socket.recv(n - len(data))
            if not some:
                raise EOFError
            data += some
        return data

    def hear(self):
        """A frame, as it is, and what it says."""
        head = self.exactly(4)
        body = self.exactly(struct.unpack("!I", head)[0])
        return head + body, json.loads(body)

    def asked(self):
        return self.hear()[1]["payload"]

    def ends_without(self, *kinds):
        """Nothing of these kinds is heard until it ends."""
        try:
            while True:
                said = self.hear()[1]["message_type"]
                check(said not in kinds, "it says " + said)
        except (EOFError, ConnectionError):
            pass


class Rogue:
    """Listens, and says by datagrams that he is somebody."""

    def __init__(self, lan, name):
        self.lan, self.name = lan, name
        with lan.within(name):
            self.listener = socket.create_server(("0.0.0.0", 0))
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.sock.bind((lan.address(name), 0))
            self.sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                                 socket.inet_aton(lan.address(name)))
        self.listener.settimeout(0.3)
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.sock.close()

    def is_near(self, node_id):
        self.sock.sendto(json.dumps({
            "type": "discovery", "node_id": node_id, "node_name": node_id,
            "port": self.port}).encode(), (GROUP, 5000))

    def is_called(self, node_id):
        """Says who he is until he is called there."""
        def called():
            self.is_near(node_id)
            with contextlib.suppress(socket.timeout):
                return Called(self.listener.accept()[0])

        return wait_for("it is called", called, 60)


def _near(lan, world, *flags):
    node = world.node("a", "--lansync.enabled", "true", "--lansync.port",
                      "5077", "--lansync.discovery_interval", "1",
                      "--lansync.dial_max", "1s", *flags,
                      prefix=lan.inside("a"), listen=lan.listen("a"))
    Scene().secret(node)
    return node.start()


def who_says_that_he_is_near_hears_no_secret():
    """Only always says it to him; the others ask for a challenge."""
    for how in (None, "never", "always"):
        flags = ("--lansync.say_secret", how) if how else ()
        with Lan("a", "b") as lan, World() as world, Rogue(lan, "b") as rogue:
            _near(lan, world, *flags)
            for turn in range(2):
                with rogue.is_called("somebody-%d" % turn) as c:
                    asked = c.asked()
                equal(asked.get("token"), SECRET if how == "always" else None,
                      how)
                check(SECRET not in json.dumps(asked) or how == "always", how)


def never_is_never():
    """Not to who was named either."""
    for how, told in (("never", None), ("known", SECRET), ("always", SECRET)):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(30)
            with Scene(flags=("--lansync.say_secret", how, "--lansync.peers",
                              "127.0.0.1:%d" % listener.getsockname()[1])):
                with Called(listener.accept()[0]) as c:
                    equal(c.asked().get("token"), told, how)


def who_has_proved_it_is_not_told():
    """Whoever says the secret knows it, and may be told at his address. A proof
    can be passed on by who does not know it."""
    for by, told in (("proof", None), ("token", SECRET)):
        with Lan("a", "b") as lan, World() as world, Rogue(lan, "b") as rogue:
            _near(lan, world)
            with lan.within("b"):
                p = Peer(5077, address=lan.address("a"))
            with p:
                if by == "token":
                    check(p.come_in(), "in")
                else:
                    _prove(p)
            with rogue.is_called("somebody") as c:
                equal(c.asked().get("token"), told, by)


def a_session_token_is_for_its_server():
    """Who is given it, or hears it there, comes in with it nowhere else."""
    with Scene("a", "b") as s:
        with Peer(s.port("a")) as p:
            token = _prove(p)
        for name, is_in in (("b", False), ("a", True)):
            with Peer(s.port(name)) as p:
                equal(p.come_in(token), is_in, "in at " + name)


def _prove(p):
    """The token that it gives for that."""
    p.say("AUTH_REQUEST", {"method": "challenge"})
    challenge = p.hear("AUTH_CHALLENGE")["payload"]["challenge"]
    p.say("AUTH_REQUEST", {"challenge": challenge, "response": hmac.new(
        SECRET.encode(), b"lan-sync challenge\0" + bytes.fromhex(challenge) +
        b"raw", hashlib.sha256).hexdigest()})
    answer = p.hear("AUTH_RESPONSE")["payload"]
    check(answer["success"], "in")
    return answer["auth_data"]["session_token"]


def who_takes_the_name_of_another_hears_no_secret():
    """Even where it is said to all: a node that has shown that it needs not
    hear it is not told at another address either, until it has signed that it
    cannot do without."""
    with Lan("a", "p", "b") as lan, World() as world, \
            Rogue(lan, "b") as rogue:
        node = _near(lan, world, "--lansync.say_secret", "always")
        ip("-n", lan.spaces["p"], "route", "add", "default", "dev", DEVICE)
        old = Older("old", "v2", prefix=lan.inside("p"), challenges=True)
        try:
            old.do("serve", port=5001, host="0.0.0.0")
            old.do("discover", port=5001)
            wait_for("it is in", lambda: old.do("links") == 1, 30)
            equal(old.do("asked"), [["token"]], "it was told once")
        finally:
            old.close()
        wait_for("it is gone", lambda: not node.call(
            "lansync")["connections"])
        with rogue.is_called("old") as c:
            asked = c.asked()
            equal((asked.get("token"), asked.get("method")),
                  (None, "challenge"), "by what")
        # What it says itself to who has no secret is no such word.
        with rogue.is_called("old") as c:
            asked = c.asked()
            c.socket.sendall(_signed_refusal(lan, asked["request_id"]))
            c.ends_without("SYNC_DATA")
        with rogue.is_called("old") as c:
            equal(c.asked().get("token"), None, "its own refusal counts")


def _signed_refusal(lan, request_id):
    """The node's own answer to who says a wrong token."""
    with lan.within("b"):
        p = Peer(5077, address=lan.address("a"), key="wrong")
    with p:
        return _relayed(p, "AUTH_RESPONSE", request_id, {"token": "wrong"})


def _relayed(p, kind, request_id, payload):
    """What it signs for us, under an id that we choose, as a frame."""
    p.send(dict(p.handler.make("AUTH_REQUEST", {}, sign=False),
                payload=dict(payload, request_id=request_id)))
    while True:
        n = struct.unpack("!I", p.exactly(4))[0]
        body = p.exactly(n)
        said = json.loads(body)
        if said["message_type"] == kind and \
                said["payload"]["request_id"] == request_id:
            return struct.pack("!I", n) + body


@contextlib.contextmanager
def _calls_us(*more, tls=False):
    """A node that calls us, and would prove the secret to us."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        with Scene("a", *more, flags=(
                "--lansync.say_secret", "never", "--lansync.auth_timeout",
                "3s", "--lansync.tls", str(tls).lower())) as s:
            s.nodes["a"].put("ours", {"n": 1}, "lan")
            a = s.nodes["a"]
            a.stop()
            a.flags += ["--lansync.peers", "127.0.0.1:%d" %
                        listener.getsockname()[1]]
            a.start()
            yield s, listener


def nobody_proves_it_to_himself():
    """What a node asks of who comes, passed on to the same node where it has
    called: it would come in there by its own proof, under its own name."""
    with _calls_us() as (s, listener):
        with Called(listener.accept()[0]) as c, Peer(s.port()) as p:
            asked = c.asked()
            equal(asked.get("method"), "challenge", "how it asks")
            c.socket.sendall(_relayed(p, "AUTH_CHALLENGE", asked["request_id"],
                                      {"method": "challenge"}))
            c.ends_without("AUTH_REQUEST", "SYNC_DATA", "SYNC_REQUEST")
        wait_for("it says why", lambda: "what we have said" in (s.nodes[
            "a"].call("lansync")["peers"][0]["trouble"] or ""))


def _pass_on(a, b, until):
    """What each of the two says, to the other, until it is enough or one has
    ended; all of it."""
    seen = b""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while until not in seen:
            for source, target in ((a, b), (b, a)):
                waits = getattr(source, "pending", int)()
                if waits or select.select([source], [], [], 0.02)[0]:
                    data = source.recv(65536)
                    if not data:
                        return seen
                    seen += data
                    target.sendall(data)
    return seen


def _secured(called, calls, cert):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert.cert, cert.key)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    return (server.wrap_socket(called, server_side=True),
            client.wrap_socket(calls))


def who_stands_between_two_that_speak_tls_is_in_at_neither():
    """By certificates that nobody looks at, with either of them: he passes on
    all that they say, and the proof is of another connection. Who passes on
    the bytes of TLS is in nobody's way."""
    with _calls_us("b", tls=True) as (s, listener):
        cert = Cert(s.world.folder, "between")
        for is_between in (True, False):
            called, calls = listener.accept()[0], socket.create_connection(
                ("127.0.0.1", s.port("b")))
            for sock in (called, calls):
                sock.settimeout(30)
            if is_between:
                called, calls = _secured(called, calls, cert)
                seen = _pass_on(called, calls, b"SYNC_")
                check(b"AUTH_CHALLENGE" in seen, "nothing was asked")
                check(b"SYNC_" not in seen, "one of them let it in")
                check(b'"success":true' not in seen.replace(b" ", b""),
                      "it was let in")
            else:
                with concurrent.futures.ThreadPoolExecutor(1) as pool:
                    passing = pool.submit(_pass_on, called, calls, b"never")
                    s.nodes["b"].waits_for("ours", {"n": 1}, "lan")
                    calls.shutdown(socket.SHUT_RDWR)
                    passing.result(30)
            called.close()
            calls.close()


def nobody_is_let_in_by_the_error_of_another():
    """Older servers answer so when they mean yes. Who proves the secret does not
    call one of those: anybody gets that signed, about whatever he names."""
    with _calls_us("b") as (s, listener):
        for name in ("b", "a"):
            with Called(listener.accept()[0]) as c, \
                    Peer(s.port(name), "v1") as p:
                asked = c.asked()
                p.send(dict(p.handler.make("NONSENSE", {}, sign=False),
                            payload={"request_id": asked["request_id"]}))
                n = struct.unpack("!I", p.exactly(4))[0]
                body = p.exactly(n)
                equal(json.loads(body)["payload"]["code"], "internal_error",
                      "what it signs")
                c.socket.settimeout(15)
                c.socket.sendall(struct.pack("!I", n) + body)
                c.ends_without("SYNC_DATA", "SYNC_REQUEST")


if __name__ == "__main__":
    sys.exit(main(globals(), beside=[
        who_takes_the_name_of_another_hears_no_secret,
        nobody_is_let_in_by_the_error_of_another], at_once=2))
