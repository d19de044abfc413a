#!/usr/bin/python3
"""The HTTP API where something ends, is full or is not as usual: by requests,
curl and websockets."""

import asyncio
import email.utils
import json
import socket
import subprocess
import sys
import threading
import time

import websockets

from hub import Hub, events
from node import World, main, wait_for
from tap import check, equal, holds

ITEMS = "/v1/spaces/default/items"
WATCH = "/v1/spaces/default/watch"


def a_stop_is_told_to_who_waits():
    """A stream ends with an event, a WebSocket with its code, and who waits
    for others is told that there will be nothing."""
    with World() as w:
        a, b = w.mesh("a", "b")
        b.kill()
        wait_for("it is alone", lambda: not a.connected())
        with Hub(a) as h, Hub(a) as g, Hub(a) as f:
            r = h.ask("GET", WATCH, stream=True)
            told = events(r)
            equal(next(told)[0], "live", "the stream")
            late = {}

            def waits():
                r = g.session.put(
                    g.base + ITEMS + "/x?wait=all&wait_ms=60000", json=1,
                    timeout=60)
                late["status"], late["told"] = r.status_code, r.json()
                late["later"] = r.headers.get("Retry-After")

            waiting = threading.Thread(target=waits)
            waiting.start()
            equal(next(told)[2]["value"], 1, "what is waited for is written")

            async def socket():
                async with websockets.connect(
                        a.status()["listen"][0].join(("ws://", "/v1/socket")),
                        extra_headers={"Authorization":
                                       f.session.headers["Authorization"]},
                        subprotocols=["syncline.v1"]) as s:
                    await s.send('{"id":1,"watch":{}}')
                    while "live" not in json.loads(await s.recv()):
                        pass
                    await asyncio.get_running_loop().run_in_executor(
                        None, a.stop)
                    try:
                        while True:
                            await asyncio.wait_for(s.recv(), 20)
                    except websockets.ConnectionClosed as how:
                        return how.rcvd.code

            equal(asyncio.run(socket()), 1001, "how the WebSocket was closed")
            event, _, data = next(told)
            equal((event, data["code"]), ("end", "ECLOSED"), "the stream's end")
            equal(list(told), [], "and nothing after it")
            waiting.join(20)
            equal((late["status"], late["told"]["code"]), (503, "ECLOSED"),
                  "who waited")
            check(int(late["later"]) > 0, "may come again")


def much_is_told_to_who_reads_slowly():
    """More than ever waits for one: it does not end for that."""
    with World() as w:
        a = w.node("a", "--limits.write_bytes", "0").start()
        text = "x" * (4 << 20)
        for i in range(24):
            a.put("k%02d" % i, [i, text])
        with Hub(a) as h:
            r = h.ask("GET", WATCH + "?from=start", stream=True)
            told = bytearray()  # which grows without being copied
            for piece in r.iter_content(None):
                if not told:
                    wait_for("it is given no more than it takes", lambda:
                             a.status()["rss_bytes"] < 200 << 20)
                told += piece
                if b"\nevent: live\n" in told[-300:]:
                    break
            r.close()
            data = [json.loads(line[6:]) for line in told.split(b"\n")
                    if line.startswith(b"data: ")]
            equal([d["value"][0] for d in data[:-1]], list(range(24)),
                  "each of them")
            check(all(d["value"][1] == text for d in data[:-1]), "whole")


def a_quota_says_when_to_come_again():
    with World() as w:
        a = w.node("a", "--limits.writes", "2").start()
        with Hub(a) as h:
            for i in range(50):
                r = h.session.put(h.base + ITEMS + "/k%d" % i, json=i,
                                  timeout=20)
                if r.status_code != 200:
                    break
            equal((r.status_code, r.json()["code"]), (429, "ELIMIT"), "refused")
            check(1 <= int(r.headers["Retry-After"]) <= 60, "when")
            wait_for("it may again", lambda: h.session.put(
                h.base + ITEMS + "/again", json=1, timeout=20).status_code ==
                200)
        told = a.cli("put", "default", "x", "1")
        while told.code == 0:
            told = a.cli("put", "default", "x", "1")
        holds(told.err, "limits.writes")


def conditions_of_a_get_are_lists():
    with World() as w:
        a, = w.nodes("a")
        with Hub(a) as h:
            h.ask("PUT", ITEMS + "/x", json=1)
            tag = h.ask("GET", ITEMS + "/x").headers["ETag"]
            for known, want in ((tag, 304), ('"a", %s' % tag, 304),
                                ('"a",W/%s ,"b"' % tag, 304), ("*", 304),
                                ('"a"', 200), ('"a", "b"', 200),
                                ("a", 400), ('"a" "b"', 400), ('"a', 400),
                                ('*, "a"', 400), ('"a",,', 400)):
                for method in ("GET", "HEAD"):
                    h.ask(method, ITEMS + "/x", want,
                          headers={"If-None-Match": known})
            h.ask("GET", ITEMS + "/none", 404, headers={"If-None-Match": "*"})
            h.ask("PUT", ITEMS + "/x", 400, json=2,
                  headers={"If-None-Match": tag})


def what_is_wrong_with_a_parameter_is_said():
    with World() as w:
        a, = w.nodes("a")
        with Hub(a) as h:
            for query, detail in (
                    ("prefix=%ff", "prefix: not UTF-8"),
                    ("prefix=a&prefix=b", "prefix: there twice, or not"),
                    ("prefx=a", "prefx: there is no such parameter here; there "
                     "are prefix, after, limit, values, preview"),
                    ("%70%ff=1", "the query is not percent-encoded"),
                    ("limit=x", "limit: not as /openapi.json")):
                told = h.json("GET", ITEMS + "?" + query, 400)
                holds(told["detail"], detail)
            holds(h.json("GET", "/v1/status?x", 400)["detail"],
                  "x: there is no such parameter here; there are none")
            equal(h.json("GET", ITEMS + "?&limit=1&")["items"], [], "empty")
            for ms in ("3600001", "99999999999"):
                told = h.json("PUT", ITEMS + "/x?wait=0&wait_ms=" + ms, 400,
                              json=1)
                holds(told["detail"], "wait_ms: a number of milliseconds up "
                      "to 3600000", "nothing was written")
            equal(a.get("x"), None, "nothing was written")
            h.ask("PUT", ITEMS + "/x?wait=0&wait_ms=3600000", json=1)


def a_list_shows_how_documents_begin():
    with World() as w:
        a, = w.nodes("a")
        a.put("x", "\u00e4" * 100000)
        a.put("y", 1)
        with Hub(a) as h:
            x, y = h.json("GET", ITEMS + "?preview=10")["items"]
            equal((x["preview"], x["bytes"], "value" in x),
                  ('"' + "\u00e4" * 9, 200002, False), "a large one")
            equal((y["preview"], y["bytes"]), ("1", 1), "a small one")
            h.ask("GET", ITEMS + "?preview=10001", 400)


def a_refusal_has_a_code_and_fits_what_is_missing():
    """Whoever refuses: the operation, the hub, or the protocol before it."""
    with World() as w:
        a, = w.nodes("a")
        with Hub(a) as h:
            for method, path, status, code, more in (
                    ("GET", "/v1/status", 421, "EDENIED",
                     {"headers": {"Host": "elsewhere.example"}}),
                    ("GET", "/v1/socket", 426, "EUNSUPPORTED", {}),
                    ("PUT", ITEMS + "/x", 413, "ELIMIT",
                     {"data": b" " * (17 << 20), "headers": {
                         "Content-Type": "application/json"}}),
                    ("PUT", ITEMS + "/x", 415, "EUNSUPPORTED", {"data": b"1"}),
                    ("PUT", ITEMS + "/x", 400, "EINVAL", {}),
                    ("PATCH", ITEMS + "/x", 400, "EINVAL", {}),
                    ("POST", "/v1/tokens", 400, "EINVAL", {})):
                told = h.json(method, path, status, **more)
                equal((told["status"], told["code"]), (status, code),
                      "%s %s" % (method, path))
            h.ask("POST", "/v1/invitations")  # all of its body is optional


def there_may_be_more_callers_than_files_by_default():
    """The limit that a system starts programs with is raised as far as it
    may be; where that is not enough, it is said."""
    with World() as w:
        a = w.node("a", "--http.connections", "400",
                   prefix=["sh", "-c", 'ulimit -Sn 200; exec "$@"', "sh"])
        a.start()
        host, port = a.status()["listen"][0].rsplit(":", 1)
        ask = ("GET /health HTTP/1.1\r\nHost: %s:%s\r\n\r\n" % (
            host, port)).encode()
        callers = []
        for _ in range(300):
            s = socket.create_connection((host, int(port)), 20)
            callers.append(s)
            s.sendall(ask)
            holds(s.recv(4096).decode(), "200 OK")
        for s in callers:
            s.close()
        b = w.node("b", "--http.connections", "400",
                   prefix=["sh", "-c", 'ulimit -n 500; exec "$@"', "sh"])
        b.start()
        holds(b.tail(), "lets it open 500 files")


def each_answer_is_dated():
    with World() as w:
        a, = w.nodes("a")
        with Hub(a) as h:
            for path, status in (("/health", 200), ("/nowhere", 404),
                                 (ITEMS, 200), (WATCH, 200)):
                r = h.ask("GET", path, status, stream=True)
                at = email.utils.parsedate_to_datetime(r.headers["Date"])
                check(abs(at.timestamp() - time.time()) < 10, r.headers["Date"])
                check(r.headers["Date"].endswith(" GMT"), r.headers["Date"])
                r.close()


def a_head_is_answered_before_its_body():
    """So curl, which waits for a word before it sends much, does not send it
    in vain."""
    with World() as w:
        a, = w.nodes("a")
        with Hub(a) as h:
            big = w.path("big")
            with open(big, "w", encoding="ascii") as f:
                f.write('"%s"' % ("x" * (12 << 20)))
            for token, want, sent in (("wrong", "401", False),
                                      (None, "200", True)):
                done = subprocess.run(
                    ["curl", "-sS", "-o", w.path("out"), "-T", big,
                     "-H", "Expect: 100-continue", "--expect100-timeout", "60",
                     "-H", "Content-Type: application/json", "-H",
                     "Authorization: " + ("Bearer wrong" if token else
                                          h.session.headers["Authorization"]),
                     "-w", "%{http_code} %{size_upload}", h.base + ITEMS +
                     "/big"], capture_output=True, text=True, timeout=60,
                    check=False)
                code, size = done.stdout.split()
                equal(code, want, done.stderr)
                equal(int(size) > 0, sent, "bytes of the body: " + size)


if __name__ == "__main__":
    sys.exit(main(globals()))
