#!/usr/bin/python3
"""LAN sync by TLS: with older nodes, which use it as they always did, and
between Synclines; whom each of the ways to look at certificates lets in."""

import socket
import ssl
import struct
import sys
import time

from certs import Cert
from lansync_test import SECRET, Older, Scene
from node import World, main, wait_for
from tap import check, equal, holds


class Secure(Scene):
    """A node with TLS, and certificates by whom it is to know others."""

    def __init__(self, *flags, tls="true"):
        super().__init__(flags=("--lansync.tls", tls) + flags)

    def __enter__(self):
        self.ca = Cert(self.world.folder, "ca", is_ca=True)
        self.good = Cert(self.world.folder, "good", self.ca)
        self.flags = [flag.format(s=self) for flag in self.flags]
        return super().__enter__()

    @property
    def node(self):
        return self.nodes["a"]

    def trouble(self, says, number=0):
        """What stands in the way of one that is called."""
        def told():
            text = self.node.call("lansync")["peers"][number]["trouble"]
            return text if text and says in text else None
        return wait_for("it says: %s" % says, told)


def _refused(older, says, **how):
    try:
        answer = older.do("connect", **how)
    except AssertionError as why:
        holds(str(why), *says)
    else:
        check(False, "it was let in: %s" % answer)


def _serve(s, dialect="v2", **how):
    """An older server, and where it is."""
    older = s.old("old", dialect)
    return older, "127.0.0.1:%d" % older.do("serve", **how)


def older_clients_come_by_tls():
    """Of either generation, with no certificate: by default they look at
    none."""
    with Secure() as s:
        status = s.node.call("lansync")
        equal(status["tls"], True, "tls")
        check(status["fingerprint"], "what we show")
        for dialect, version in (("v1", "TLSv1_2"), ("v2", "TLSv1_3")):
            old = s.old("old-" + dialect, dialect)
            check(old.do("connect", port=s.port(), tls=True,
                         version=version)["success"], "in")
            old.do("put", key=dialect, data={"n": 1})
            s.node.waits_for(dialect, {"n": 1}, "lan")
        equal([c["tls"] for c in s.node.call("lansync")["connections"]],
              [True, True], "connections")


def older_servers_are_called_by_tls():
    with World() as world:
        cert = Cert(world.folder, "other", hosts=("elsewhere",))
        for dialect in ("v1", "v2"):
            old = Older("old", dialect)
            port = old.do("serve", cert=cert.cert, key=cert.key)
            with Secure("--lansync.peers", "127.0.0.1:%d" % port) as s:
                s.older.append(old)
                wait_for("it is connected", lambda: old.do("links") == 1)
                s.node.put("here", {"n": 2}, "lan")
                old.shows({"here": {"n": 2}})
                link = s.node.call("lansync")["connections"][0]
                equal((link["tls"], link["fingerprint"]), (True, cert.print),
                      "the link")


def who_speaks_no_tls_is_told_so():
    with Secure() as s:
        with socket.create_connection(("127.0.0.1", s.port()), 10) as plain:
            plain.sendall(struct.pack("!I", 2) + b"{}")
            data = b""
            while True:
                some = plain.recv(4096)
                if not some:
                    break
                data += some
        holds(data[4:].decode(), "tls_required", "TLS is needed here")
        equal(s.node.call("lansync")["turned_away"]["tls"], 1, "counted")
        holds(open(s.node.log).read(), "127.0.0.1 is not served: it does not "
              "speak TLS, and lansync.tls is true here")


def who_speaks_tls_where_there_is_none_is_told_so():
    with Scene() as s:
        old = s.old("old", "v2")
        _refused(old, ["protocol version"], port=s.port(), tls=True)
        equal(s.nodes["a"].call("lansync")["turned_away"]["tls"], 1, "counted")
        holds(s.nodes["a"].do("peers"), "refused  -         ", "it speaks TLS")
        check(old.do("connect", port=s.port())["success"], "in clear")


def we_are_told_that_a_server_speaks_the_other():
    with World() as world:
        cert = Cert(world.folder, "other")
        secure, plain = Older("secure", "v2"), Older("plain", "v2")
        try:
            port = secure.do("serve", cert=cert.cert, key=cert.key)
            with Secure("--lansync.peers", "127.0.0.1:%d" % port,
                        tls="false") as s:
                s.trouble("speaks TLS (lansync.tls)")
            port = plain.do("serve")
            with Secure("--lansync.peers", "127.0.0.1:%d" % port,
                        "--lansync.connect_timeout", "1s") as s:
                s.trouble("it has not answered by TLS: it may speak none")
        finally:
            secure.close()
            plain.close()


def both_are_served_and_called():
    with World() as world:
        cert = Cert(world.folder, "other")
        secure, plain = Older("secure", "v2"), Older("plain", "v1")
        ports = (secure.do("serve", cert=cert.cert, key=cert.key),
                 plain.do("serve"))
        with Secure("--lansync.peers",
                    ",".join("127.0.0.1:%d" % port for port in ports),
                    "--lansync.connect_timeout", "2s", tls="both") as s:
            s.older += [secure, plain]
            for old in (secure, plain):
                wait_for("it is connected", lambda o=old: o.do("links") == 1)
            one, two = s.old("one", "v1"), s.old("two", "v2")
            check(one.do("connect", port=s.port())["success"], "in clear")
            check(two.do("connect", port=s.port(), tls=True)["success"],
                  "by TLS")
            one.do("put", key="k", data={"n": 1})
            for old in (secure, plain, two):
                old.shows({"k": {"n": 1}})


def an_authority_vouches_for_who_comes():
    """And nobody else does: not another one, nor time that has passed."""
    with Secure("--lansync.tls_ca", "{s.ca.cert}") as s:
        other = Cert(s.world.folder, "other-ca", is_ca=True)
        bad = {
            "no certificate": None,
            "another authority": Cert(s.world.folder, "foreign", other),
            "itself": Cert(s.world.folder, "itself"),
            "expired": Cert(s.world.folder, "old", s.ca, days=(-9, -1)),
            "not yet": Cert(s.world.folder, "new", s.ca, days=(1, 9))}
        for what, cert in bad.items():
            old = s.old(what, "v2")
            show = dict(cert=cert.cert, key=cert.key) if cert else {}
            _refused(old, [], port=s.port(), tls=True, **show)
        old = s.old("good", "v2")
        check(old.do("connect", port=s.port(), tls=True, cert=s.good.cert,
                     key=s.good.key)["success"], "in")
        links = s.node.call("lansync")["connections"]
        equal([c["fingerprint"] for c in links], [s.good.print], "who is in")


def an_authority_vouches_for_who_is_called():
    """Under the name by which it is called."""
    with World() as world:
        ca = Cert(world.folder, "ca", is_ca=True)
        other = Cert(world.folder, "other", is_ca=True)
        rows = [
            (Cert(world.folder, "good", ca), None),
            (Cert(world.folder, "foreign", other), "unable to get local"),
            (Cert(world.folder, "late", ca, days=(-9, -1)),
             "certificate has expired"),
            (Cert(world.folder, "named", ca, hosts=("192.0.2.7",)),
             "IP address mismatch")]
        servers = [Older("s%d" % i, "v2") for i in range(len(rows))]
        ports = [server.do("serve", cert=cert.cert, key=cert.key)
                 for server, (cert, _) in zip(servers, rows)]
        with Secure("--lansync.tls_ca", ca.cert, "--lansync.peers",
                    ",".join("127.0.0.1:%d" % p for p in ports)) as s:
            s.older += servers
            wait_for("it is connected", lambda: servers[0].do("links") == 1)
            peers = {p["port"]: i for i, p in enumerate(
                s.node.call("lansync")["peers"])}
            for port, (cert, says) in zip(ports, rows):
                if says:
                    holds(s.trouble(says, peers[port]), cert.print)
            equal([server.do("links") for server in servers], [1, 0, 0, 0],
                  "who was called")


def a_pin_is_enough_and_no_other_will_do():
    """Neither dates nor names matter for one that is pinned."""
    with World() as world:
        pinned = Cert(world.folder, "pinned", hosts=("x",), days=(-9, -1))
        other = Cert(world.folder, "other")
        one, two = Older("one", "v2"), Older("two", "v2")
        ports = (one.do("serve", cert=pinned.cert, key=pinned.key),
                 two.do("serve", cert=other.cert, key=other.key))
        with Secure("--lansync.tls_pins", pinned.print.replace(":", ""),
                    "--lansync.peers",
                    ",".join("127.0.0.1:%d" % p for p in ports)) as s:
            s.older += [one, two]
            wait_for("it is connected", lambda: one.do("links") == 1)
            number = [p["port"] for p in s.node.call("lansync")[
                "peers"]].index(ports[1])
            holds(s.trouble("not one that is pinned", number), other.print)
            equal(two.do("links"), 0, "the other")
            _refused(s.old("x", "v2"), [], port=s.port(), tls=True,
                     cert=other.cert, key=other.key)
            check(s.old("y", "v2").do(
                "connect", port=s.port(), tls=True, cert=pinned.cert,
                key=pinned.key)["success"], "in by the pin")


def we_show_a_certificate_to_who_asks():
    """That which is named; without one, ours, which nobody vouches for."""
    with World() as world:
        ca = Cert(world.folder, "ca", is_ca=True)
        good = Cert(world.folder, "good", ca)
        old = Older("old", "v2")
        port = old.do("serve", cert=good.cert, key=good.key, ca=ca.cert)
        peer = ("--lansync.peers", "127.0.0.1:%d" % port)
        try:
            with Secure(*peer) as s:
                s.trouble("wants another certificate")
            with Secure("--lansync.tls_cert", good.cert, "--lansync.tls_key",
                        good.key, *peer) as s:
                wait_for("it is connected", lambda: old.do("links") == 1)
        finally:
            old.close()


def a_node_finds_another_by_its_pin():
    """Two Synclines by the fingerprints that their status shows, and their
    own certificates."""
    with Secure() as one:
        shown = one.node.call("lansync")["fingerprint"]
        with Secure("--lansync.peers", "127.0.0.1:%d" % one.port(),
                    "--lansync.tls_pins", shown) as two:
            two.node.put("k", {"n": 1}, "lan")
            one.node.waits_for("k", {"n": 1}, "lan")
            link = two.node.call("lansync")["connections"][0]
            equal((link["tls"], link["fingerprint"]), (True, shown), "link")


def bad_files_are_told():
    """What, where, and what to do."""
    with World() as world:
        ca = Cert(world.folder, "ca", is_ca=True)
        good, other = Cert(world.folder, "good", ca), Cert(world.folder, "x")
        empty = world.path("empty")
        open(empty, "w").close()
        open_key = world.path("open.key")
        with open(good.key) as key, open(open_key, "w") as out:
            out.write(key.read())
        chain = world.path("chain")
        with open(good.cert) as cert, open(chain, "w") as out:
            out.write(cert.read() + "-----BEGIN CERTIFICATE-----\nMIG\n"
                      "-----END CERTIFICATE-----\n")
        rows = [
            (["--lansync.tls_cert", chain, "--lansync.tls_key", good.key],
             ["lansync.tls_cert", "chain", "a block after it is damaged"]),
            (["--lansync.tls_cert", world.path("none")],
             ["lansync.tls_cert", "none", "No such file"]),
            (["--lansync.tls_cert", empty, "--lansync.tls_key", good.key],
             ["lansync.tls_cert", "empty", "no PEM of a certificate"]),
            (["--lansync.tls_cert", good.cert], ["holds no private key"]),
            (["--lansync.tls_cert", good.cert, "--lansync.tls_key",
              other.key], ["not the certificate's"]),
            (["--lansync.tls_cert", good.cert, "--lansync.tls_key", open_key],
             ["open.key", "everybody may read this key"]),
            (["--lansync.tls_key", good.key], ["without lansync.tls_cert"]),
            (["--lansync.tls_ca", empty], ["lansync.tls_ca", "no PEM"]),
            (["--lansync.tls_pins", "12:34"], ["tls_pins", "12:34"]),
            (["--lansync.tls", "false", "--lansync.tls_ca", ca.cert],
             ["lansync.tls is false", "set it to true"])]
        scene = Secure()
        for i, (flags, says) in enumerate(rows):
            node = world.node("n%d" % i, *(scene.flags + flags))
            scene.secret(node)
            node.launch()
            check(node.ends() != 0, "%s: it started" % flags)
            holds(node.tail(), *says)


def a_slow_handshake_is_in_nobodys_way():
    """And ends in time."""
    with Secure("--lansync.timeout", "2s") as s:
        slow = []
        for _ in range(20):
            sock = socket.create_connection(("127.0.0.1", s.port()), 10)
            sock.sendall(b"\x16\x03\x01\x02")  # the rest never comes
            slow.append(sock)
        begin = time.monotonic()
        old = s.old("old", "v2")
        check(old.do("connect", port=s.port(), tls=True)["success"], "in")
        check(time.monotonic() - begin < 1.9, "it waited for them")
        for sock in slow:
            equal(sock.recv(1), b"", "it is ended")
            sock.close()


if __name__ == "__main__":
    sys.exit(main(globals(), beside=[
        a_slow_handshake_is_in_nobodys_way]))
