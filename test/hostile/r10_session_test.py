#!/usr/bin/python3
"""R7 to R12 of the dashboard: who has a link, a cookie or a page of his own may
not do what the one who signed in may."""

import http.client
import json
import sys

import peer
import tap

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
        tap.equal(got[5:], [409] * 3, "enough of it")
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


def pages_run_nothing_of_others():
    """R11: what the dashboard is made of, and what it may do."""
    b = Browser(peer.scene())
    with b.scene.unharmed():
        r = b.ask("GET", "/", Accept_Encoding="gzip")
        if r.status == 404:
            raise tap.Skip("this build has no dashboard")
        tap.equal(r.status, 200, "the page")
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
