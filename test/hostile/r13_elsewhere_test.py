#!/usr/bin/python3
"""R13, and R1, R7, R8, R12 where they differ beyond loopback: the hub, asked
from another machine (a network namespace). Needs root."""

import concurrent.futures
import contextlib
import hashlib
import http.client
import os
import socket
import ssl
import subprocess
import sys

import peer
from lan import PORT, Lan
from peer import node, tap

ITEM = "/v1/spaces/default/items/x"


class Scene:
    """Two that are a mesh, each on a machine, and a third machine."""

    def __init__(self):
        self.lan = Lan("victim", "honest", "web")
        self.world = node.World()
        self.n = 0
        self.victim, self.honest = (self.world.node(
            name, "--http.connections", "40", listen="",
            prefix=self.lan.inside(name)) for name in ("victim", "honest"))
        for daemon in (self.victim, self.honest):
            daemon.start()
        self.honest.joins(self.victim)
        self.at = self.lan.address("victim")
        self.host = "%s:%d" % (self.at, PORT)
        self.pem = os.path.join(self.victim.dir, "web.pem")
        with open(os.path.join(self.victim.dir, "token")) as f:
            self.token = f.read().strip()
        others = iter(range(100, 200))
        self.other = lambda: self.lan.add_address("web", next(others))

    def close(self):
        self.world.__exit__()
        self.lan.close()

    def context(self, trusts=True, alpn=("http/1.1",)):
        c = ssl.create_default_context(
            cafile=self.pem) if trusts else ssl.create_default_context()
        if not trusts:
            c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
        if alpn:
            c.set_alpn_protocols(list(alpn))
        return c

    def tcp(self, source=None, machine="web", to=None):
        with self.lan.within(machine):
            return peer.tcp((to or self.at, PORT), source)

    def tls(self, source=None, **more):
        return self.context(**more).wrap_socket(
            self.tcp(source), server_hostname=self.at)

    def ask(self, method, path, token=None, sock=None, body=None, keep=False,
            **fields):
        """By TLS from there, unless it is given a connection."""
        c = http.client.HTTPConnection(self.at, PORT, timeout=peer.PATIENCE)
        c.sock = sock or self.tls()
        c.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        fields = {k.replace("_", "-"): v for k, v in fields.items()}
        fields.setdefault("Host", self.host)
        if token:
            fields["Authorization"] = "Bearer " + token
        if body is not None:
            fields["Content-Length"] = str(len(body))
        for name, value in fields.items():
            c.putheader(name, value)
        c.endheaders(body)
        r = c.getresponse()
        r.text = r.read().decode() if r.status != 101 else ""
        if not keep:
            c.close()
        return r

    @contextlib.contextmanager
    def unharmed(self):
        """The two are in sync afterwards, on the connection that they had."""
        yield
        tap.check(self.victim.process.poll() is None,
                  "the daemon has ended: " + self.victim.tail())
        tap.equal(self.victim.connected(), {"honest"}, "who is connected")
        self.n += 1
        self.victim.put("unharmed", self.n)
        self.honest.waits_for("unharmed", self.n, patience=5)


_made = []


def _scene():
    if not _made:
        _made.append(Scene())
    return _made[0]


def _closed(s, patience=peer.PATIENCE):
    """All that came before the end."""
    s.settimeout(patience)
    try:
        return s.recv(1)
    except ConnectionError:
        return b""


def nobody_is_answered_in_clear():
    scene = _scene()
    with scene.unharmed():
        for host in (scene.host, "localhost:%d" % PORT):
            with scene.tcp() as s:
                s.sendall(b"GET /health HTTP/1.1\r\nHost: %s\r\n\r\n" %
                          host.encode())
                tap.equal(_closed(s), b"", "an answer")


def by_tls_a_token_is_wanted():
    scene = _scene()
    with scene.unharmed():
        for path in ("/v1/status", "/metrics", ITEM, "/v1/audit"):
            tap.equal(scene.ask("GET", path).status, 401, path)
        r = scene.ask("PUT", ITEM, scene.token, body=b'{"a":1}',
                      Content_Type="application/json")
        tap.equal(r.status, 200, r.text)
        r = scene.ask("GET", ITEM, scene.token)
        tap.equal((r.status, r.text), (200, '{"a":1}\n'), "what was written")
        r = scene.ask("GET", "/health")
        tap.equal((r.status, r.text),
                  (200, '{"status":"healthy","live":true,"ready":true}\n'),
                  "no more is told without a token")


def what_is_shown_is_what_status_says():
    """And curl takes it as well, if it is told to trust it."""
    scene = _scene()
    with scene.tls() as s:
        tap.equal(s.version(), "TLSv1.3", "version")
        tap.equal(s.selected_alpn_protocol(), "http/1.1", "protocol")
        digest = hashlib.sha256(s.getpeercert(True)).hexdigest().upper()
        tap.equal(scene.victim.status()["https"]["fingerprint"], ":".join(
            digest[i:i + 2] for i in range(0, 64, 2)), "fingerprint")
    tap.equal(os.stat(scene.pem).st_mode & 0o777, 0o600, "mode of the key")
    for alpn in ("--alpn", "--no-alpn"):
        done = subprocess.run(
            scene.lan.inside("web") + [
                "curl", "-sS", "--noproxy", "*", alpn, "--cacert", scene.pem,
                "-H", "Authorization: Bearer " + scene.token,
                "https://%s/v1/spaces" % scene.host],
            capture_output=True, text=True, timeout=60)
        tap.equal(done.returncode, 0, done.stderr)
        tap.holds(done.stdout, '"name":"default"')
    c = scene.context()
    c.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        with c.wrap_socket(scene.tcp(), server_hostname=scene.at):
            raise AssertionError("TLS 1.2 was spoken")
    except (ssl.SSLError, ConnectionError):
        pass


def it_is_asked_by_its_own_names_only():
    """R7, R8: by the number that was reached, or a name of this machine."""
    scene = _scene()
    ours = socket.gethostname().partition(".")[0]
    with scene.unharmed():
        for host in (scene.host, "localhost:%d" % PORT, "%s:%d" % (ours, PORT)):
            tap.equal(scene.ask("GET", "/health", Host=host).status, 200, host)
        for host in ("evil.example", "evil.example:%d" % PORT, scene.at,
                     "%s:%d" % (scene.lan.address("honest"), PORT),
                     "%s:1" % scene.at, ours):
            r = scene.ask("GET", "/health", scene.token, Host=host)
            tap.equal(r.status, 421, host)
        for fields in ({"Origin": "http://" + scene.host},
                       {"Origin": "https://evil.example"},
                       {"Origin": "https://" + scene.at},
                       {"Sec_Fetch_Site": "cross-site"}):
            r = scene.ask("GET", "/v1/status", scene.token, **fields)
            tap.equal(r.status, 403, str(fields))
        r = scene.ask("GET", "/v1/status", scene.token,
                      Origin="https://" + scene.host,
                      Sec_Fetch_Site="same-origin")
        tap.equal(r.status, 200, "our own page")


def a_websocket_works_by_tls():
    """R9."""
    scene = _scene()
    asks = {"Connection": "Upgrade", "Upgrade": "websocket",
            "Sec_WebSocket_Version": "13",
            "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    with scene.unharmed():
        for status, token, fields in (
                (401, None, {}), (421, scene.token, {"Host": "evil.example"}),
                (403, scene.token, {"Origin": "http://" + scene.host}),
                (101, scene.token, {"Origin": "https://" + scene.host})):
            r = scene.ask("GET", "/v1/socket", token, **asks, **fields)
            tap.equal(r.status, status, str(fields))


def wrong_tokens_from_elsewhere_are_not_looked_at_for_long():
    """R12: nor is a right one then, from there."""
    scene = _scene()
    source = scene.other()
    with scene.unharmed():
        got = [scene.ask("GET", "/v1/status", "sync_%d" % i,
                         scene.tls(source)).status for i in range(10)]
        tap.equal(got[:5] + got[7:], [401] * 5 + [429] * 3, "wrong ones")
        r = scene.ask("GET", "/v1/status", scene.token, scene.tls(source))
        tap.equal(r.status, 429, "a right one")
        r = scene.ask("GET", "/v1/status", scene.token)
        tap.equal(r.status, 200, "somebody else")


def a_browsers_many_connections_are_all_served():
    """R1: no more than four handshakes of an address at once, but nobody is
    turned away for it, nor for opening connections ahead."""
    scene = _scene()
    source = scene.other()

    def one(_):
        with scene.tls(source) as s:
            return scene.ask("GET", "/health", sock=s).status

    with scene.unharmed():
        ahead = [scene.tcp(source) for _ in range(8)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            tap.equal(list(pool.map(one, range(24))), [200] * 24, "answers")
        for s in ahead:
            s.close()


def who_shows_no_token_keeps_nobody_out():
    """Sixteen of an address; and where all places are taken, such a one makes
    room, whoever comes."""
    scene = _scene()
    with scene.unharmed():
        source = scene.other()
        known = scene.tls(source)
        tap.equal(scene.ask("GET", "/v1/status", scene.token, known,
                            keep=True).status, 200, "one who is known")
        idle = [scene.tls(source) for _ in range(20)]
        for s in idle[:4]:
            tap.equal(_closed(s, 4), b"", "who came first")
        crowd = []
        for _ in range(6):
            source = scene.other()
            crowd += [scene.tls(source) for _ in range(10)]
        tap.equal(scene.ask("GET", "/v1/status", scene.token, known,
                            keep=True).status, 200, "who is known stays")
        tap.equal(scene.ask("GET", "/v1/status", scene.token).status, 200,
                  "one more from elsewhere")
        with scene.tcp(machine="victim", to="127.0.0.1") as near:
            r = scene.ask("GET", "/v1/status", scene.token, near,
                          Host="localhost:%d" % PORT)
            tap.equal(r.status, 200, "one of that machine")
        for s in idle + crowd + [known]:
            s.close()


def a_crowd_at_the_door_keeps_no_member_out():
    """Handshakes that are begun and left, from one machine, while another one
    connects anew."""
    scene = _scene()
    source = scene.other()
    with scene.unharmed():
        left = []
        for _ in range(12):
            s = scene.tcp(source)
            s.sendall(b"\x16\x03\x01")
            left.append(s)
        node.wait_for("they are at the door", lambda:
                      scene.victim.status()["half_open"] >= 12)
        scene.honest.stop()
        node.wait_for("it has gone", lambda: not scene.victim.connected())
        scene.honest.start()
        node.wait_for("it is back", lambda:
                      "honest" in scene.victim.connected(), 4)
        for s in left:
            s.close()


if __name__ == "__main__":
    try:
        code = node.main(globals())
    finally:
        for made in _made:
            made.close()
    sys.exit(code)
