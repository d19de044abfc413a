#!/usr/bin/python3
"""R7 to R12 of the dashboard: who has a link, a cookie or a page of his own may
not do what the one who signed in may."""

import concurrent.futures
import gzip
import http.client
import json
import os
import re
import socket
import ssl
import sys
import time
import types
import urllib.parse

import peer
from peer import node, tap

ITEM = "/v1/spaces/default/items/x"
JSON = "application/json"


class Browser:
    """Says exactly what it is told to, over one connection."""

    def __init__(self, scene):
        self.scene = scene
        self.at = peer.address(scene.victim)
        self.ours = "http://%s:%d" % self.at

    def ask(self, method, path, body=None, source=None, **fields):
        c = http.client.HTTPConnection(
            *self.at, timeout=20,
            source_address=(source, 0) if source else None)
        c.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        fields = {k.replace("_", "-"): v for k, v in fields.items()}
        fields.setdefault("Host", "%s:%d" % self.at)
        if body is not None:
            fields["Content-Length"] = str(len(body))
            fields.setdefault("Content-Type", JSON)
        for name, value in fields.items():
            c.putheader(name, value)
        c.endheaders(body)
        r = c.getresponse()
        r.bytes = r.read()
        c.close()
        return r

    def link(self):
        told = self.scene.victim.call("session_link")
        tap.check(told["url"].startswith(self.ours + "/#"), told["url"])
        return told["url"].split("=")[1]

    def open(self, link, **fields):
        return self.ask("POST", "/v1/session",
                        json.dumps({"link": link}).encode(), **fields)

    def sign_in(self):
        """What a browser and its page hold then."""
        r = self.open(self.link(), Origin=self.ours)
        tap.equal(r.status, 200, "signed in")
        cookie = r.getheader("Set-Cookie")
        for word in ("; HttpOnly", "; SameSite=Strict", "; Path=/;",
                     "Max-Age=43200"):
            tap.check(word in cookie, cookie)
        tap.check(cookie.startswith("syncline-%d=" % self.at[1]),
                  "of this port: " + cookie)
        page = json.loads(r.bytes)["session"]
        tap.check(page not in cookie, "two secrets")
        told = self.scene.victim.do("audit", "--json").splitlines()[-1]
        tap.equal(json.loads(told)["who"], {"address": "127.0.0.1"}, told)
        tap.check(page not in told and cookie not in told, "no secret is told")
        return cookie.split(";")[0], page


def a_link_is_good_once():
    b = Browser(peer.scene())
    with b.scene.unharmed():
        link = b.link()
        tap.equal(b.open(link, Origin=b.ours).status, 200, "the first time")
        r = b.open(link, Origin=b.ours)
        tap.equal(r.status, 403, "the second")
        tap.equal(r.getheader("Set-Cookie"), None, "nor a cookie")


def a_link_is_good_for_one_of_many():
    """Who asks at the same moment is late: one session, and none in the log."""
    b = Browser(peer.scene())
    with b.scene.unharmed(), concurrent.futures.ThreadPoolExecutor(12) as pool:
        link = b.link()
        got = list(pool.map(lambda i: b.open(
            link, source="127.0.1.%d" % (i + 1), Origin=b.ours), range(12)))
        tap.equal(sorted(r.status for r in got), [200] + [403] * 11, "one")
        good = [r for r in got if r.status == 200][0]
        secrets = [link, json.loads(good.bytes)["session"],
                   good.getheader("Set-Cookie").split("=")[1].split(";")[0]]
        victim = b.scene.victim
        for name in [victim.log] + [os.path.join(victim.dir, n)
                                    for n in os.listdir(victim.dir)]:
            if not os.path.isfile(name):
                continue
            with open(name, "rb") as f:
                kept = f.read()
            for secret in secrets:
                tap.check(secret.encode() not in kept, "kept in " + name)


def what_a_browser_brings_becomes_no_session():
    """Nobody chooses the secrets of somebody else's session beforehand."""
    b = Browser(peer.scene())
    name, mine, page = "syncline-%d" % b.at[1], "A" * 43, "B" * 43
    with b.scene.unharmed():
        r = b.open(b.link(), Origin=b.ours, Cookie="%s=%s" % (name, mine),
                   Syncline_Session=page)
        tap.equal(r.status, 200, "signed in")
        cookie = r.getheader("Set-Cookie").split(";")[0]
        tap.check(mine not in cookie and page not in r.bytes.decode(), "new")
        for c, p in ((mine, page), (mine, json.loads(r.bytes)["session"]),
                     (cookie.split("=")[1], page)):
            tap.equal(b.ask("GET", "/v1/status", Syncline_Session=p,
                            Cookie="%s=%s" % (name, c)).status, 401, "mixed")
        tap.equal(b.ask("GET", "/v1/session").status, 405, "no GET signs in")
        r = b.ask("POST", "/v1/session?link=" + b.link(), b"{}", Origin=b.ours)
        tap.equal(r.status, 400, "nor does what stands in an address")


def a_cookie_of_another_port_signs_nobody_out():
    """What listens on another port of the machine may set cookies of our name,
    and those of a longer path come first."""
    b = Browser(peer.scene())
    with b.scene.unharmed():
        cookie, page = b.sign_in()
        name = cookie.split("=")[0]
        tossed = "; ".join("%s=%s" % (name, v) for v in
                           ("x", "", "A" * 43, '"' + "B" * 43 + '"'))
        for cookies in (tossed + "; " + cookie, cookie + "; " + tossed):
            tap.equal(b.ask("GET", "/v1/status", Cookie=cookies,
                            Syncline_Session=page).status, 200, cookies)
        tap.equal(b.ask("GET", "/v1/status", Cookie=tossed,
                        Syncline_Session=page).status, 401, "those alone")
        many = "; ".join([name + "=x"] * 300 + [cookie])
        tap.equal(b.ask("GET", "/v1/status", Cookie=many,
                        Syncline_Session=page).status, 401, "a bound of it")


def by_tls_a_cookie_stays_with_tls():
    b = Browser(peer.scene())
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with b.scene.unharmed():
        c = http.client.HTTPSConnection(*b.at, timeout=20, context=context)
        c.request("POST", "/v1/session", json.dumps({"link": b.link()}), {
            "Content-Type": JSON, "Origin": "https://%s:%d" % b.at})
        r = c.getresponse()
        tap.equal(r.status, 200, "signed in")
        tap.check("; Secure" in r.getheader("Set-Cookie"), "Secure")
        c.close()


def a_page_of_another_site_signs_nobody_in():
    b = Browser(peer.scene())
    with b.scene.unharmed():
        link = b.link()
        for fields in ({"Origin": "http://evil.example"}, {"Origin": "null"},
                       {"Origin": "http://127.0.0.1:1"},
                       {"Origin": b.ours, "Sec_Fetch_Site": "same-site"},
                       {"Origin": b.ours, "Sec_Fetch_Site": "cross-site"}):
            tap.equal(b.open(link, **fields).status, 403, str(fields))
        r = b.open(link, Host="evil.example", Origin="http://evil.example")
        tap.equal(r.status, 421, "nor by another name")
        r = b.open(link, Origin=b.ours, Content_Type="text/plain")
        tap.equal(r.status, 415, "nor as a form could")
        tap.equal(b.open(link, Origin=b.ours).status, 200, "it is good still")


def links_cannot_be_guessed_quickly():
    b = Browser(peer.scene())
    wrong = "A" * 43
    with b.scene.unharmed():
        got = [b.open(wrong, source="127.0.0.11").status for _ in range(8)]
        tap.equal(got[:5], [403] * 5, "wrong")
        tap.equal(got[5:], [429] * 3, "enough of it")
        link = b.link()
        tap.equal(b.open(link, source="127.0.0.11").status, 200,
                  "who shares the address is not shut out")
        tap.equal(b.open(wrong, source="127.0.0.12").status, 403,
                  "nor is another one told to wait")


def a_cookie_alone_lets_nobody_in():
    """It goes to every port of the machine, and with what a page of another
    port of it asks: it takes what only our own page has."""
    b = Browser(peer.scene())
    with b.scene.unharmed():
        cookie, page = b.sign_in()
        _, other = b.sign_in()
        for secret in (None, "", "x", other, cookie.split("=")[1]):
            more = {} if secret is None else {"Syncline_Session": secret}
            r = b.ask("GET", "/v1/status", Cookie=cookie, **more)
            tap.equal(r.status, 401, "secret %s" % secret)
            r = b.ask("PUT", ITEM, b"1", Cookie=cookie, Origin=b.ours, **more)
            tap.equal(r.status, 401, "secret %s" % secret)
        tap.equal(b.ask("GET", "/v1/status", Syncline_Session=page).status,
                  401, "nor does the page's alone")
        name, _, value = cookie.partition("=")
        for wrong in (name + "x=" + value, "a=b; %s=" % name,
                      name + "=" + value[:-1], name + "= " + value):
            r = b.ask("GET", "/v1/status", Cookie=wrong, Syncline_Session=page)
            tap.equal(r.status, 401, wrong)
        r = b.ask("GET", "/v1/status", Cookie="a=b; " + cookie + "; c=d",
                  Syncline_Session=page)
        tap.equal(r.status, 200, "both")


def a_write_says_of_which_page_it_is():
    b = Browser(peer.scene())
    with b.scene.unharmed():
        cookie, page = b.sign_in()
        ours = {"Cookie": cookie, "Syncline_Session": page}
        for fields, status in (({}, 403),
                               ({"Origin": "http://evil.example"}, 403),
                               ({"Origin": "http://127.0.0.1:1"}, 403),
                               ({"Origin": "null"}, 403),
                               ({"Origin": b.ours,
                                 "Sec_Fetch_Site": "same-site"}, 403),
                               ({"Origin": b.ours,
                                 "Sec_Fetch_Site": "same-origin"}, 200)):
            for method, path, body in (("PUT", ITEM, b"1"),
                                       ("DELETE", ITEM, None),
                                       ("POST", "/v1/invitations", b"{}")):
                r = b.ask(method, path, body, **ours, **fields)
                tap.equal(r.status, status, "%s %s" % (method, fields))


def a_websocket_obeys_as_well():
    b = Browser(peer.scene())
    asks = {"Connection": "Upgrade", "Upgrade": "websocket",
            "Sec_WebSocket_Version": "13",
            "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    with b.scene.unharmed():
        cookie, page = b.sign_in()
        for status, fields in (
                (401, {}),
                (401, {"Sec_WebSocket_Protocol": "syncline.v1"}),
                (401, {"Sec_WebSocket_Protocol":
                       "syncline.v1, session.wrong"}),
                (403, {"Sec_WebSocket_Protocol":
                       "syncline.v1, session." + page,
                       "Origin": "http://127.0.0.1:1"}),
                (101, {"Sec_WebSocket_Protocol":
                       "syncline.v1, session." + page, "Origin": b.ours})):
            r = b.ask("GET", "/v1/socket", Cookie=cookie, **asks, **fields)
            tap.equal(r.status, status, str(fields))


def who_signs_out_is_out():
    b = Browser(peer.scene())
    with b.scene.unharmed():
        cookie, page = b.sign_in()
        ours = {"Cookie": cookie, "Syncline_Session": page, "Origin": b.ours}
        r = b.ask("DELETE", "/v1/session", **ours)
        tap.equal(r.status, 200, "out")
        tap.check("Max-Age=0" in r.getheader("Set-Cookie"), "the cookie goes")
        tap.equal(b.ask("GET", "/v1/status", **ours).status, 401, "out")


class Stream:
    """What goes on by a session: a WebSocket, or a stream of events."""

    def __init__(self, b, cookie, page, head):
        self.s = socket.create_connection(b.at, peer.PATIENCE)
        self.s.sendall((head + "Host: %s:%d\r\nCookie: %s\r\nOrigin: %s\r\n"
                        "\r\n" % (*b.at, cookie, b.ours)).encode())
        self.told = b""
        self.until(b"101" if b"Upgrade" in head.encode() else b"event: live")

    def until(self, mark):
        """mark b"": its end."""
        while not mark or mark not in self.told:
            data = self.s.recv(65536)
            if not data:
                tap.equal(mark, b"", "the end")
                self.s.close()
                return
            self.told += data


def _streams(b, cookie, page):
    return [
        Stream(b, cookie, page, "GET /v1/spaces/default/watch HTTP/1.1\r\n"
               "Syncline-Session: %s\r\n" % page),
        Stream(b, cookie, page, "GET /v1/socket HTTP/1.1\r\n"
               "Connection: Upgrade\r\nUpgrade: websocket\r\n"
               "Sec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
               "Sec-WebSocket-Protocol: syncline.v1, session.%s\r\n" % page)]


def what_runs_ends_with_its_session():
    """Within seconds, by whichever way it ends; and nothing of it is there
    after a restart."""
    with node.World() as world:
        a = world.node("a", listen=node.free_listen("a")).start()
        scene = types.SimpleNamespace(victim=a)
        b = Browser(scene)

        def sign_out(cookie, page):
            tap.equal(b.ask("DELETE", "/v1/session", Cookie=cookie,
                            Syncline_Session=page, Origin=b.ours).status, 200,
                      "out")
        for end in (sign_out, lambda *_: a.do("dashboard", "--sign-out")):
            cookie, page = b.sign_in()
            other = b.sign_in()
            link = b.link()
            streams = _streams(b, cookie, page)
            end(cookie, page)
            for stream, mark in zip(streams, (b"event: end", b"\x88")):
                stream.until(mark)
            tap.equal(b.ask("GET", "/v1/status", Cookie=cookie,
                            Syncline_Session=page).status, 401, "over")
            tap.equal(b.ask("GET", "/v1/status", Cookie=other[0],
                            Syncline_Session=other[1]).status,
                      200 if end == sign_out else 401, "the other one's")
            tap.equal(b.open(link, Origin=b.ours).status,
                      200 if end == sign_out else 403, "a link")
        cookie, page = b.sign_in()
        link = b.link()
        streams = _streams(b, cookie, page)
        a.stop()
        for stream, mark in zip(streams, (b"event: end", b"\x03\xe9")):
            stream.until(mark)
        a.start()
        tap.equal(b.ask("GET", "/v1/status", Cookie=cookie,
                        Syncline_Session=page).status, 401, "after a restart")
        tap.equal(b.open(link, Origin=b.ours).status, 403, "nor a link")


def names_of_others_are_text():
    """R11: what somebody has named so is sent as JSON that no browser takes for
    a page, and makes no field of a head."""
    bad = "<script>alert(1)</script>\r\nSet-Cookie: x=y"
    with node.World() as world:
        a = world.node("a", "--name", "</title><b>").start()
        b = Browser(types.SimpleNamespace(victim=a))
        name = bad.partition("\r")[0]
        a.put(name, {bad: bad})
        a.put(name, bad)
        with open(os.path.join(a.dir, "token"), encoding="utf-8") as f:
            admin = {"Authorization": "Bearer " + f.read().strip()}
        key = urllib.parse.quote(name, safe="")
        b.ask("POST", "/v1/tokens", b'{"name":"<b>"}', **admin)
        b.ask("GET", "/v1/status", Authorization="Bearer <b>")
        for path in ("/v1/spaces/default/items/" + key,
                     "/v1/spaces/default/items?values=true",
                     "/v1/spaces/default/items?preview=9",
                     "/v1/spaces/default/history/" + key,
                     "/v1/spaces/" + key + "/items", "/v1/errors/" + urllib.parse.quote(bad),
                     "/v1/status", "/v1/mesh", "/v1/peers", "/v1/members",
                     "/v1/errors?all=true", "/v1/audit/records", "/v1/tokens",
                     "/v1/config", "/v1/doctor", "/v1/conflicts",
                     "/v1/spaces/default/items?" + key + "=1", "/" + key,
                     "/v1/tokens/" + key, "/health", "/openapi.json"):
            r = b.ask("GET", path, **admin)
            tap.check(r.getheader("Content-Type") in (
                JSON, "application/problem+json"), path)
            tap.equal(r.getheader("X-Content-Type-Options"), "nosniff", path)
            tap.holds(r.getheader("Content-Security-Policy"),
                      "default-src 'none'", "frame-ancestors 'none'")
            tap.equal(r.getheader("Set-Cookie"), None, path)
            tap.equal(r.getheader("Cache-Control"), "no-store", path)
            json.loads(r.bytes)
        r = b.ask("GET", "/v1/spaces/default/items/" + key, **admin)
        tap.equal(json.loads(r.bytes), bad, "as it was written")
        tap.check(re.fullmatch("[0-9a-f]+", r.getheader("Syncline-Device")),
                  "an id, and no name")
        tap.equal(r.getheader("Syncline-Version"), "2", "of which version")
        tap.check(abs(int(r.getheader("Syncline-Time")) / 1e6 - time.time()) <
                  600, "when")


def pages_run_nothing_of_others():
    """R11: what the dashboard is made of, and what it may do."""
    b = Browser(peer.scene())
    with b.scene.unharmed():
        r = b.ask("GET", "/", Accept_Encoding="gzip")
        if r.status == 404:
            raise tap.Skip("this build has no dashboard")
        tap.equal(r.status, 200, "the page")
        for page in ("/docs", "/redoc"):
            tap.equal(b.ask("GET", page, Accept_Encoding="gzip").getheader(
                "Content-Security-Policy"),
                r.getheader("Content-Security-Policy"), page)
            tap.check(b"<script>" not in gzip.decompress(b.ask(
                "GET", page, Accept_Encoding="gzip").bytes), page)
        policy = r.getheader("Content-Security-Policy")
        for rule in ("default-src 'none'", "script-src 'self'",
                     "style-src 'self'", "connect-src 'self'",
                     "frame-ancestors 'none'", "base-uri 'none'",
                     "form-action 'none'",
                     "require-trusted-types-for 'script'"):
            tap.check(rule in policy, policy)
        tap.check("unsafe" not in policy and "*" not in policy, policy)
        tap.equal(r.getheader("X-Content-Type-Options"), "nosniff", "a type")
        tap.equal(r.getheader("Content-Encoding"), "gzip", "as it is kept")
        tag = r.getheader("ETag")
        tap.equal(b.ask("GET", "/", Accept_Encoding="gzip",
                        If_None_Match=tag).status, 304, "the same")
        tap.equal(b.ask("GET", "/").status, 406, "gzip only")
        tap.equal(b.ask("GET", "/", Host="evil.example",
                        Accept_Encoding="gzip").status, 421, "a foreign host")
        tap.equal(b.ask("GET", "/", Accept_Encoding="gzip",
                        Sec_Fetch_Site="cross-site").status, 403,
                  "another site")
        tap.equal(b.ask("POST", "/", b"{}").status, 404, "nor anything else")


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
