#!/usr/bin/python3
"""R7 to R12: what a page in somebody's browser, and who has no token, may make
the hub do: nothing."""

import http.client
import json
import os
import socket
import sys

import peer
import tap


class Asker:
    """Says exactly what it is told to, over one connection."""

    def __init__(self, scene):
        self.at = peer.address(scene.victim)
        with open(os.path.join(scene.victim.dir, "token")) as f:
            self.token = f.read().strip()

    def ask(self, method, path, token=None, source=None, body=None, **fields):
        c = http.client.HTTPConnection(
            *self.at, timeout=20, source_address=(source, 0) if source else None)
        c.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        fields = {k.replace("_", "-"): v for k, v in fields.items()}
        fields.setdefault("Host", "%s:%d" % self.at)
        if token:
            fields["Authorization"] = "Bearer " + token
        if body is not None:
            fields["Content-Length"] = str(len(body))
        for name, value in fields.items():
            c.putheader(name, value)
        c.endheaders(body)
        r = c.getresponse()
        r.text = r.read().decode()
        c.close()
        return r


ITEM = "/v1/spaces/default/items/x"
JSON = "application/json"


def a_foreign_host_is_refused():
    """Before routing: pages, metrics and what needs no token, too."""
    scene = peer.scene()
    a = Asker(scene)
    with scene.unharmed():
        for host in ("evil.example", "evil.example:%d" % a.at[1], "127.0.0.1",
                     "127.0.0.1:1", "localhost.evil.example:%d" % a.at[1],
                     "127.0.0.1:%d.evil.example" % a.at[1]):
            for path in ("/", "/health", "/metrics", "/v1/status", "/nowhere"):
                r = a.ask("GET", path, a.token, Host=host)
                tap.equal(r.status, 421, "%s %s" % (host, path))
        tap.equal(a.ask("GET", "/health",
                        Host="LocalHost:%d" % a.at[1]).status, 200, "ours")


def a_page_of_another_site_is_refused():
    scene = peer.scene()
    a = Asker(scene)
    ours = "http://%s:%d" % a.at
    with scene.unharmed():
        for fields in ({"Origin": "http://evil.example"}, {"Origin": "null"},
                       {"Origin": ""}, {"Origin": ours + ".evil.example"},
                       {"Sec_Fetch_Site": "cross-site"},
                       {"Sec_Fetch_Site": "same-site"},
                       {"Origin": ours, "Sec_Fetch_Site": "cross-site"}):
            for method in ("GET", "PUT", "OPTIONS"):
                r = a.ask(method, ITEM, a.token, body=b"1", Content_Type=JSON,
                          **fields)
                tap.equal(r.status, 403, str(fields))
                tap.equal(r.getheader("Access-Control-Allow-Origin"), None,
                          "R11: nothing of CORS")
        r = a.ask("GET", "/v1/status", a.token, Origin=ours,
                  Sec_Fetch_Site="same-origin")
        tap.equal(r.status, 200, "our own page")


def a_write_says_that_it_is_json():
    scene = peer.scene()
    a = Asker(scene)
    with scene.unharmed():
        for kind in ("text/plain", "application/x-www-form-urlencoded",
                     "multipart/form-data; boundary=x", "application/jsonx",
                     ""):
            r = a.ask("PUT", ITEM, a.token, body=b'{"a":1}', Content_Type=kind)
            tap.equal(r.status, 415, kind)
        tap.equal(a.ask("PUT", ITEM, a.token, body=b"1").status, 415, "none")
        tap.equal(a.ask("GET", ITEM, a.token).status, 404, "nothing written")
        r = a.ask("PUT", ITEM, a.token, body=b"1",
                  Content_Type="Application/JSON; charset=utf-8")
        tap.equal(r.status, 200, "that is JSON")
        tap.equal(a.ask("DELETE", ITEM, a.token).status, 200, "gone again")


def without_a_token_nothing_is_told():
    """On loopback, too."""
    scene = peer.scene()
    a = Asker(scene)
    with scene.unharmed():
        for path in ("/v1/status", "/v1/spaces", "/metrics", ITEM,
                     "/v1/spaces/default/watch", "/v1/audit"):
            r = a.ask("GET", path)
            tap.equal(r.status, 401, path)
            tap.check("Bearer" in r.getheader("WWW-Authenticate"), path)
        for method in ("PUT", "DELETE", "PATCH"):
            r = a.ask(method, ITEM, body=b"1", Content_Type=JSON)
            tap.equal(r.status, 401, method)


def a_body_is_not_taken_of_just_anybody():
    """Who is refused for what his head says is told so before he has sent it."""
    scene = peer.scene()
    a = Asker(scene)
    with scene.unharmed():
        for status, token, path, kind in (
                (401, None, ITEM, JSON), (401, "sync_wrong", ITEM, JSON),
                (415, a.token, ITEM, "text/plain"),
                (404, a.token, "/nowhere", JSON),
                (405, a.token, "/v1/status", JSON)):
            c = http.client.HTTPConnection(*a.at, timeout=peer.PATIENCE)
            c.putrequest("PUT", path)
            if token:
                c.putheader("Authorization", "Bearer " + token)
            c.putheader("Content-Type", kind)
            c.putheader("Content-Length", str(16 << 20))
            c.endheaders(b"[")
            r = c.getresponse()
            tap.equal(r.status, status, path)
            tap.equal(r.getheader("Connection"), "close", "nothing follows")
            r.read()
            c.close()


def a_websocket_obeys_as_well():
    """R9: host, origin and token are looked at before it is one."""
    scene = peer.scene()
    a = Asker(scene)
    asks = {"Connection": "Upgrade", "Upgrade": "websocket",
            "Sec_WebSocket_Version": "13",
            "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    with scene.unharmed():
        for status, token, fields in (
                (421, a.token, {"Host": "evil.example"}),
                (403, a.token, {"Origin": "http://evil.example"}),
                (403, a.token, {"Sec_Fetch_Site": "cross-site"}),
                (401, None, {}),
                (401, None, {"Sec_WebSocket_Protocol": "bearer.wrong"}),
                (101, None, {"Sec_WebSocket_Protocol":
                             "syncline.v1, bearer." + a.token}),
                (101, a.token, {})):
            r = a.ask("GET", "/v1/socket", token, **asks, **fields)
            tap.equal(r.status, status, str(fields))


def tokens_cannot_be_guessed_quickly():
    """Five a minute of one address; others are not hindered."""
    scene = peer.scene()
    a = Asker(scene)
    with scene.unharmed():
        got = [a.ask("GET", "/v1/status", "sync_%d" % i,
                     source="127.0.0.9").status for i in range(12)]
        tap.equal(got[:5], [401] * 5, "wrong")
        tap.equal(got[7:], [429] * 5, "enough of it")
        r = a.ask("GET", "/v1/status", "sync_", source="127.0.0.9")
        tap.check(int(r.getheader("Retry-After")) <= 61, "when to come again")
        for source in ("127.0.0.9", "127.0.0.10"):
            r = a.ask("GET", "/v1/status", a.token, source=source)
            tap.equal(r.status, 200, "a right one: all here share an address")


def every_answer_is_inert():
    """R11: names that people or peers choose are text, and nothing is run."""
    scene = peer.scene()
    a = Asker(scene)
    with scene.unharmed():
        for path in ("/health", "/nowhere", "/v1/status", "/<script>"):
            r = a.ask("GET", path, a.token)
            tap.check("default-src 'none'" in
                      r.getheader("Content-Security-Policy"), path)
            tap.equal(r.getheader("X-Content-Type-Options"), "nosniff", path)
            tap.check(r.getheader("Content-Type").startswith("application/"),
                      path)
            json.loads(r.text)


def from_elsewhere_nothing_is_said_in_clear():
    """R13: without TLS only loopback is answered."""
    scene = peer.scene()
    own = [i[4][0] for i in socket.getaddrinfo(
        socket.gethostname(), None, socket.AF_INET)]
    own = [ip for ip in own if not ip.startswith("127.")]
    if not own:
        raise tap.Skip("this machine has no address but loopback's")
    with scene.unharmed(), socket.socket() as s:
        s.settimeout(20)
        s.bind((own[0], 0))
        try:
            s.connect(peer.address(scene.victim))
            s.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            tap.equal(s.recv(1), b"", "an answer")
        except OSError:
            pass


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
