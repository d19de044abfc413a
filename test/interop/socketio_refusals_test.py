#!/usr/bin/python3
"""What our end of Engine.IO refuses, and how: as a server of the originals does,
which is asked the same.

usage: socketio_refusals_test.py SOCKETIO_TOOL [PATTERN]"""

import contextlib
import http.client
import json
import socket
import sys

from socketio_test import (LIMIT, PATIENCE, Kept, PythonClient, Tool, check,
                           equal, run)

UNSUPPORTED = "The client is using an unsupported version of the Socket.IO " \
    "or Engine.IO protocols"
POLL = "/socket.io/?EIO=4&transport=polling"
ORDER = {"Connection": "Upgrade", "Upgrade": "websocket",
         "Sec-WebSocket-Version": "13",
         "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}


def ask(port, path, method="GET", body=None, **fields):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        c.request(method, path, body=body,
                  headers={k.replace("_", "-"): v for k, v in fields.items()})
        r = c.getresponse()
        return r.status, r.read().decode()
    finally:
        c.close()


def opened(port):
    status, body = ask(port, POLL)
    equal((status, body[:1]), (200, "0"), "open")
    return json.loads(body[1:])


# What is wrong, by polling: method, the query, what is said. "Invalid session"
# is the text of the server that iSync runs on (python-engineio, as Flask and
# eventlet have it); the one for asyncio says the session's id behind it.
SID = "sid=AAAAAAAAAAAAAAAAAAAA"
WRONG = [
    ("GET", "EIO=3&transport=polling", UNSUPPORTED),
    ("GET", "EIO=5&transport=polling", UNSUPPORTED),
    ("GET", "transport=polling", UNSUPPORTED),
    ("POST", "EIO=3&transport=polling", UNSUPPORTED),
    ("GET", "EIO=3&transport=websocket", UNSUPPORTED),
    ("GET", "EIO=4&transport=pigeon", "Invalid transport"),
    ("POST", "EIO=4&transport=pigeon", "Invalid transport"),
    ("GET", "EIO=4&transport=polling&" + SID, "Invalid session"),
    ("POST", "EIO=4&transport=polling&" + SID, "Invalid session"),
    ("POST", "EIO=4&transport=polling", "Invalid session"),
    ("GET", "EIO=4&transport=websocket&" + SID, "Invalid session"),
    ("POST", "EIO=4&transport=websocket&" + SID, "Invalid session"),
    ("GET", "EIO=4&transport=websocket", "Invalid websocket upgrade"),
]
# And where a WebSocket is asked for.
WRONG_SOCKET = [
    ("EIO=3&transport=websocket", UNSUPPORTED),
    ("EIO=4&transport=pigeon", "Invalid transport"),
    ("EIO=4&transport=websocket&" + SID, "Invalid session"),
]


def refuses_as_they_do(port):
    for method, query, text in WRONG:
        status, body = ask(port, "/socket.io/?" + query, method=method,
                           body="40" if method == "POST" else None)
        equal((status, json.loads(body)), (400, text), method + " " + query)
    for query, text in WRONG_SOCKET:
        status, body = ask(port, "/socket.io/?" + query, **{
            k.replace("-", "_"): v for k, v in ORDER.items()})
        equal((status, json.loads(body)), (400, text), "WebSocket " + query)


def what_is_wrong_is_refused_as_by_the_originals():
    """The table is held up to one of theirs, too."""
    with Tool() as tool, Kept() as flask:
        refuses_as_they_do(flask.port)
        port = tool.listen_at()
        refuses_as_they_do(port)

        def no(path, text, **more):
            status, body = ask(port, path, **more)
            equal((status, json.loads(body)), (400, text), path)

        for more in ({}, {k.replace("-", "_"): v for k, v in ORDER.items()}):
            no(POLL, "Not an accepted origin.", Origin="http://evil.example",
               **more)
            no(POLL, "Not an accepted origin.", Sec_Fetch_Site="cross-site",
               **more)
            no(POLL, "Not an accepted host.", Host="evil.example", **more)
        equal(ask(port, POLL, method="PUT"), (405, "Method Not Found"), "PUT")
        equal(ask(port, "/")[0], 404, "another path")
        equal(tool.counts()["sessions"], 0, "sessions")


class Socket:
    """A WebSocket by hand; frames are masked with zeros."""

    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", port), PATIENCE)
        path = POLL.replace("polling", "websocket")
        self.s.sendall(("GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n" % (
            path, "".join("%s: %s\r\n" % f for f in ORDER.items()))).encode())
        self.stream = self.s.makefile("rb")
        equal(self.stream.readline()[:12], b"HTTP/1.1 101", "upgraded")
        while self.stream.readline() not in (b"\r\n", b""):
            pass
        self.frame()  # the session

    def send(self, text):
        n = len(text)
        head = b"\x81" + (bytes([0x80 | n]) if n < 126 else
                          b"\xfe" + n.to_bytes(2, "big") if n < 1 << 16 else
                          b"\xff" + n.to_bytes(8, "big"))
        self.s.sendall(head + b"\0\0\0\0" + text)

    def frame(self):
        """Its opcode and what is in it; None: it is closed."""
        head = self.stream.read(2)
        if len(head) < 2:
            return None
        n = head[1] & 127
        if n > 125:
            n = int.from_bytes(self.stream.read(2 if n == 126 else 8), "big")
        return head[0] & 15, self.stream.read(n)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.s.close()


def a_frame_that_is_too_large_ends_its_session():
    """By the code 1000, as theirs is ended; one byte less is taken."""
    with Tool() as tool:
        port = tool.listen_at()
        for n, is_taken in ((LIMIT, True), (LIMIT + 1, False),
                            (2 * LIMIT, False)):
            with Socket(port) as s:
                s.send(b"40")
                equal(s.frame()[1][:3], b'40{', "let in")
                link = tool.next("connected")["connected"]
                text = b'42["echo","%s"]' % (b"x" * (n - 13))
                equal(len(text), n, "its size")
                with contextlib.suppress(OSError):  # it is not taken in
                    s.send(text)
                if is_taken:
                    equal(s.frame(), (1, text), "what comes back")
                    continue
                equal(s.frame(), (8, (1000).to_bytes(2, "big")), "closed")
                equal(tool.next("closed")["closed"], link, "it is told")
                with Socket(port) as other:  # nobody else notices
                    other.send(b"40")
                    equal(other.frame()[1][:3], b'40{', "let in")


def a_session_opens_as_those_of_the_originals():
    with Tool() as tool:
        port = tool.listen_at()
        said = opened(port)
        sid = said.pop("sid")
        equal(len(sid), 20, "sid")
        equal(said, {"upgrades": ["websocket"], "pingTimeout": 20000,
                     "pingInterval": 25000, "maxPayload": LIMIT}, "open")
        at = POLL + "&sid=" + sid
        equal(ask(port, at, method="POST", body="9what"), (200, "OK"),
              "an unknown digit")
        equal(ask(port, at, method="POST", body="40/x,"), (200, "OK"), "40")
        equal(ask(port, at), (200, '44/x,"Unable to connect"'), "namespace")
        equal(ask(port, at, method="POST", body="40\x1e4" + '27["echo",1]'),
              (200, "OK"), "two")
        body = ask(port, at)[1].split("\x1e")
        equal(body[0][:9], '40{"sid":', "let in")
        equal(body[1:], ['42["echo",1]', "437[]"], "echo and ack")
        equal(ask(port, at, method="POST", body="1"), (200, "OK"), "close")
        tool.next("closed")
        equal(ask(port, at)[0], 400, "it is gone")


def what_is_too_much_is_refused():
    """And the session is over: what was sent is not told to nobody."""
    bodies = [(b"6\x1e" * 300, 413), (b"\xff\xfe", 400)]
    with Tool() as tool:
        port = tool.listen_at()
        for body, status in bodies:
            at = POLL + "&sid=" + opened(port)["sid"]
            equal(ask(port, at, method="POST", body=body)[0], status, "body")
            equal(ask(port, at)[0], 400, "the session is over")
        try:
            equal(ask(port, at, method="POST", body=b"4" * (LIMIT + 1))[0],
                  413, "a byte too much")
        except OSError:
            pass  # it was not taken in
        for packet in ('4' + '51000000-["e"]', '4' + '2["x"', '4x',
                       '42' + "{}"):
            at = POLL + "&sid=" + opened(port)["sid"]
            ask(port, at, method="POST", body="40")
            tool.next("connected")
            equal(ask(port, at, method="POST", body=packet)[0], 200, "packet")
            tool.next("closed")
        at = POLL + "&sid=" + opened(port)["sid"]
        ask(port, at, method="POST", body="40")
        deep = "42[\"echo\"," + "[" * 100000 + "]" * 100000 + "]"
        ask(port, at, method="POST", body=deep)
        ask(port, at, method="POST", body='42["echo","after"]')
        check('42["echo","after"]' in ask(port, at)[1],
              "what is too deep is passed over")


def sessions_that_nobody_keeps_make_room():
    with Tool() as tool:
        port = tool.listen_at()
        with PythonClient(port, "websocket") as client:
            for _ in range(300):
                opened(port)
            check(tool.counts()["sessions"] <= 64, "sessions are bounded")
            client.emit("echo", "still")
            equal(client.event("echo"), ["still"], "who is kept")


def a_second_poll_relieves_the_first():
    with Tool() as tool:
        port = tool.listen_at()
        at = POLL + "&sid=" + opened(port)["sid"]
        first = http.client.HTTPConnection("127.0.0.1", port,
                                           timeout=PATIENCE)
        first.request("GET", at)
        second = http.client.HTTPConnection("127.0.0.1", port,
                                            timeout=PATIENCE)
        second.request("GET", at)
        equal(first.getresponse().read(), b"6", "the first")
        ask(port, at, method="POST", body="40")
        equal(second.getresponse().read()[:2], b"40", "the second")


if __name__ == "__main__":
    tests = [
        what_is_wrong_is_refused_as_by_the_originals,
        a_frame_that_is_too_large_ends_its_session,
        a_session_opens_as_those_of_the_originals,
        what_is_too_much_is_refused,
        sessions_that_nobody_keeps_make_room,
        a_second_poll_relieves_the_first,
    ]
    status = run(tests, sys.argv[2:])
    if Kept.flask is not None:
        Kept.flask.__exit__()
    sys.exit(status)
