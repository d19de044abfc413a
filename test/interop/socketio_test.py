#!/usr/bin/python3
"""Socket.IO against others, both ways: Python's client, Flask-SocketIO on
eventlet, npm's client and server; by polling, by WebSocket, and from the one to
the other.

usage: socketio_test.py SOCKETIO_TOOL [PATTERN]

SOCKETIO_TOOL is built from socketio_tool.c. TAP."""

import contextlib
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

from proxy import free_port  # noqa: E402
from tap import Skip, check, equal, run  # noqa: E402

TOOL = os.path.abspath(sys.argv[1])
PATIENCE = float(os.environ.get("PATIENCE", 20))
LIMIT = 1000000
VALUES = [{"a": 1, "b": [1.5, None, True]}, "ñ☃ \U0001F600", -7, [], {}]
HOWS = ["polling", "websocket", "upgrade"]


class Program:
    """Another process that tells what happens by lines of JSON."""

    def __init__(self, *args, told=None):
        self.told = queue.Queue()
        self.kept = []
        self.process = subprocess.Popen(
            args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=told or subprocess.DEVNULL)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            self.told.put(json.loads(line))

    def say(self, text):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def next(self, member, patience=PATIENCE):
        """What it tells next that has that member; the rest is passed over."""
        until = time.monotonic() + patience
        while True:
            try:
                said = self.told.get(
                    timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                raise AssertionError("it tells no %s" % member) from None
            if member in said:
                return said

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.process.stdin.close()
            self.process.wait(timeout=5)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()


class Tool(Program):
    def __init__(self, *args):
        super().__init__(TOOL, *args, told=sys.stderr)

    def listen_at(self):
        self.say("listen")
        return self.next("listening")["listening"]

    def emit(self, link, name, *values):
        self.say("emit %d %s %s" % (link, name, ",".join(
            json.dumps(v, separators=(",", ":")) for v in values)))
        return self.next("emitted")["emitted"]

    def event(self, name):
        while True:
            args = self.next("event")["args"]
            if args[0] == name:
                return args[1:]

    def counts(self):
        self.say("counts")
        return self.next("callers")

    def __exit__(self, *_):
        super().__exit__()
        equal(self.process.returncode, 0, "how the tool has ended")


def node(*args):
    module = os.path.join(HERE, "..", "..", "dashboard", "node_modules",
                          "socket.io-client")
    if shutil.which("node") is None or not os.path.isdir(module):
        raise Skip("no node, or no socket.io in dashboard/node_modules")
    return Program("node", os.path.join(HERE, "socketio_node.mjs"), *args,
                   told=sys.stderr)


class Flask(Program):
    def __init__(self, upgrades="1"):
        try:
            import eventlet  # noqa: F401
            import flask_socketio  # noqa: F401
        except ImportError:
            raise Skip("no Flask-SocketIO, or no eventlet") from None
        self.port = free_port()
        super().__init__("/usr/bin/python3",
                         os.path.join(HERE, "socketio_flask.py"),
                         str(self.port), upgrades)
        until = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                check(time.monotonic() < until, "the server is up")
                time.sleep(0.05)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Npm(Program):
    def __init__(self, upgrades="1", ping="25", port=0, pem=""):
        program = node("server", upgrades, str(int(float(ping) * 1000)),
                       str(port), pem)
        self.__dict__.update(program.__dict__)
        self.port = self.next("listening")["listening"]

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Kept:
    """It takes its time to start: one is for all that need no other."""
    flask = None

    def __enter__(self):
        if Kept.flask is None:
            Kept.flask = Flask()
        return Kept.flask

    def __exit__(self, *_):
        pass


def server(kind):
    return Kept() if kind == "flask" else Npm()


# ---- who calls us ----

class PythonClient:
    def __init__(self, port, how):
        import socketio
        self.io = socketio.Client(reconnection=False)
        self.events = queue.Queue()
        for name in ("echo", "pushed", "news"):
            self.io.on(name, lambda *a, name=name: self.events.put((name, a)))
        self.io.connect("http://127.0.0.1:%d" % port,
                        transports=None if how == "upgrade" else [how])

    def event(self, name):
        got = self.events.get(timeout=PATIENCE)
        equal(got[0], name, "event")
        return list(got[1])

    def emit(self, name, *values):
        self.io.emit(name, values)

    def close(self):
        """Amid a POST it would go without a word."""
        if self.io.connected:
            self.io.eio.queue.join()
            self.io.disconnect()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def sizes(most):
    return [1, 100, 1000, 70000, most]


def python_client(how):
    with Tool() as tool, PythonClient(tool.listen_at(), how) as client:
        link = tool.next("connected")["connected"]
        client.emit("echo", *VALUES)
        equal(client.event("echo"), VALUES, "what comes back")
        equal(tool.event("echo"), VALUES, "what came")
        # The packet is 42["echo","..."]: thirteen bytes beside the text.
        for n in sizes(LIMIT - 13):
            client.emit("echo", "x" * n)
            equal(client.event("echo"), ["x" * n], "%d bytes" % n)
        equal(client.io.call("request_sync"), None, "an ack")
        equal(tool.emit(link, "news", {"n": 1}), 0, "emit")
        equal(client.event("news"), [{"n": 1}], "news")
        equal(tool.counts()["callers"], 1, "callers")
        client.close()
        equal(tool.next("closed")["closed"], link, "who has left")


def a_client_in_python_polls():
    python_client("polling")


def a_client_in_python_uses_a_websocket():
    python_client("websocket")


def a_client_in_python_upgrades():
    python_client("upgrade")


def npm_client(how):
    transports = "polling,websocket" if how == "upgrade" else how
    with Tool() as tool, node("client", "http://127.0.0.1:%d" %
                              tool.listen_at(), transports) as client:
        link = tool.next("connected")["connected"]
        now = client.next("connected")["transport"]
        if how == "upgrade" and now == "polling":
            now = client.next("upgraded")["upgraded"]
        equal(now, "polling" if how == "polling" else "websocket", "transport")

        def do(**order):
            client.say(json.dumps(order))

        do(emit="echo", args=VALUES)
        equal(client.next("event"), {"event": "echo", "args": VALUES}, "echo")
        for n in sizes(LIMIT - 13):
            do(emit="echo", args=["x" * n])
            equal(client.next("event")["args"], ["x" * n], "%d bytes" % n)
        do(ask="request_sync", args=[])
        equal(client.next("acked")["acked"], [], "an ack")
        do(emit="echo", args=["many"], times=100)
        for _ in range(100):
            equal(client.next("event")["args"], ["many"], "of many")
        equal(tool.emit(link, "news", {"n": 1}), 0, "emit")
        equal(client.next("event"), {"event": "news", "args": [{"n": 1}]},
              "news")
        tool.say("hangup %d" % link)
        check("closed" in client.next("closed"), "it is told")
        client.say('{"quit": true}')


def a_client_of_npm_polls():
    npm_client("polling")


def a_client_of_npm_uses_a_websocket():
    npm_client("websocket")


def a_client_of_npm_upgrades():
    npm_client("upgrade")


def our_pings_are_answered():
    """Whoever calls us says nothing for 80 s, and three pings find him."""
    if "PINGS" not in os.environ:
        raise Skip("takes 80 s; PINGS=1 for it")
    with contextlib.ExitStack() as all, Tool() as tool:
        port = tool.listen_at()
        python = [all.enter_context(PythonClient(port, how)) for how in HOWS]
        npm = [all.enter_context(node(
            "client", "http://127.0.0.1:%d" % port, transports))
            for transports in ("polling", "websocket", "polling,websocket")]
        for client in npm:
            client.next("connected")
        time.sleep(80)
        equal(tool.counts()["callers"], 6, "callers")
        for client in python:
            client.emit("echo", 1)
            equal(client.event("echo"), [1], "echo")
        for client in npm:
            client.say('{"emit": "echo", "args": [2]}')
            equal(client.next("event")["args"], [2], "echo")
            client.say('{"quit": true}')


def a_hundred_times_again():
    """Each is seen to come and to go, and leaves nothing behind."""
    with Tool() as tool:
        port = tool.listen_at()
        for i in range(50):
            with PythonClient(port, HOWS[i % 2]) as client:
                link = tool.next("connected")["connected"]
                client.emit("echo", i)
                equal(client.event("echo"), [i], "echo")
            equal(tool.next("closed")["closed"], link, "who has left")
        with node("client", "http://127.0.0.1:%d" % port,
                  "polling,websocket") as client:
            for _ in range(50):
                link = tool.next("connected")["connected"]
                client.next("connected")
                client.say('{"again": true}')
                equal(tool.next("closed")["closed"], link, "who has left")
            client.say('{"quit": true}')
            client.process.wait(timeout=PATIENCE)
        # A client in Python may go without ending its session.
        equal(tool.counts()["callers"], 0, "callers")


# ---- whom we call ----

def call(kind, how):
    with server(kind) as other, Tool() as tool:
        tool.say("dial http://127.0.0.1:%d %s" % (other.port, how))
        link = tool.next("dialling")["dialling"]
        said = tool.next("connected")
        equal(said["connected"], link, "link")
        equal(said["transport"],
              "polling" if how == "polling" else "websocket", "transport")
        equal(tool.event("node_info"), [{"node_id": kind}], "greeting")
        equal(tool.emit(link, "want_ack"), 0, "emit")
        equal(tool.event("ask"), [{"q": 1}], "what wants an ack")
        check(tool.event("acked") in ([], [[]]), "the ack")
        for n in sizes(LIMIT - 13):
            equal(tool.emit(link, "push", n), 0, "emit")
            equal(tool.event("pushed"), ["x" * n], "%d bytes" % n)
        equal(tool.emit(link, "push", 3000000), 0, "emit")
        equal(tool.event("pushed"), ["x" * 3000000], "3 MB")
        equal(tool.emit(link, "heavy", "x" * (LIMIT - 14)), 0, "emit")
        equal(tool.emit(link, "heavy", "x" * LIMIT), -5, "beyond the limit")
        for i in range(100):
            tool.say("emit %d push %d" % (link, i))
        # Flask has each event of a body on a thread of its own.
        came = [len(tool.event("pushed")[0]) for _ in range(100)]
        equal(sorted(came) if kind == "flask" else came, list(range(100)),
              "many")
        equal(tool.emit(link, "leave"), 0, "emit")
        equal(tool.next("closed")["closed"], link, "thrown out")
        equal(tool.next("connected")["connected"], link, "called again")
        tool.say("hangup %d" % link)
        tool.counts()


def we_poll_flask():
    call("flask", "polling")


def we_upgrade_to_flask():
    call("flask", "upgrade")


def we_use_a_websocket_of_flask():
    call("flask", "websocket")


def we_poll_npm():
    call("npm", "polling")


def we_upgrade_to_npm():
    call("npm", "upgrade")


def we_use_a_websocket_of_npm():
    call("npm", "websocket")


def servers_without_websockets_are_polled():
    with Flask(upgrades="0") as flask, Npm(upgrades="0") as npm, \
            Tool() as tool:
        for kind, other in (("flask", flask), ("npm", npm)):
            tool.say("dial http://127.0.0.1:%d upgrade" % other.port)
            equal(tool.next("connected")["transport"], "polling", kind)
            equal(tool.event("node_info"), [{"node_id": kind}], kind)


def pings_are_answered():
    """The server's are 0.3 s apart; it throws out who does not answer."""
    with Npm(ping="0.3") as other, Tool() as tool:
        links = []
        for how in HOWS:
            tool.say("dial http://127.0.0.1:%d %s" % (other.port, how))
            links.append(tool.next("connected")["connected"])
        time.sleep(1.5)  # five pings, and nothing else
        for n, link in enumerate(links):
            equal(tool.emit(link, "push", n), 0, "still there")
            equal(tool.event("pushed"), ["x" * n], "answer")


def a_server_that_goes_and_comes_is_found_again():
    port = free_port()
    with Tool() as tool:
        with Npm(port=port):
            tool.say("dial http://127.0.0.1:%d upgrade" % port)
            link = tool.next("connected")["connected"]
        equal(tool.next("closed")["closed"], link, "gone")
        with Npm(port=port):
            equal(tool.next("connected")["connected"], link, "there again")


def made_pem(folder, name):
    """A certificate of its own for that address, and its key, in one file."""
    key, pem = (os.path.join(folder, name + e) for e in (".key", ".pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=x",
         "-addext", "subjectAltName=IP:" + name, "-keyout", key, "-out", pem],
        check=True, stderr=subprocess.DEVNULL)
    with open(key) as f, open(pem, "a") as out:
        out.write(f.read())
    return pem


def whom_we_call_by_https_is_verified():
    with tempfile.TemporaryDirectory() as d:
        good, other = made_pem(d, "127.0.0.1"), made_pem(d, "127.0.0.2")
        with Tool(good) as tool, Npm(pem=good) as npm, \
                Npm(pem=other) as unknown:
            for url, how in (("https", "polling"), ("https", "upgrade"),
                             ("https", "websocket"), ("wss", "")):
                tool.say("dial %s://127.0.0.1:%d %s" % (url, npm.port, how))
                link = tool.next("connected")["connected"]
                equal(tool.emit(link, "push", 70000), 0, "emit")
                equal(tool.event("pushed"), ["x" * 70000], url + " " + how)
                tool.say("hangup %d" % link)
            for url in ("https", "wss"):
                tool.say("dial %s://127.0.0.1:%d" % (url, unknown.port))
                link = tool.next("dialling")["dialling"]
                until, why = time.monotonic() + PATIENCE, ""
                while "certificate" not in why:
                    check(time.monotonic() < until, "it says why: " + why)
                    time.sleep(0.05)
                    tool.say("trouble %d" % link)
                    why = tool.next("trouble")["trouble"]
            equal(tool.counts()["called"], 0, "connected")


def a_hundred_calls():
    with Npm() as other, Tool() as tool:
        for i in range(100):
            tool.say("dial http://127.0.0.1:%d %s" %
                     (other.port, HOWS[i % 3]))
            link = tool.next("connected")["connected"]
            tool.say("hangup %d" % link)
            other.next("closed")


if __name__ == "__main__":
    tests = [
        a_client_in_python_polls,
        a_client_in_python_uses_a_websocket,
        a_client_in_python_upgrades,
        a_client_of_npm_polls,
        a_client_of_npm_uses_a_websocket,
        a_client_of_npm_upgrades,
        our_pings_are_answered,
        a_hundred_times_again,
        we_poll_flask,
        we_use_a_websocket_of_flask,
        we_upgrade_to_flask,
        we_poll_npm,
        we_use_a_websocket_of_npm,
        we_upgrade_to_npm,
        servers_without_websockets_are_polled,
        pings_are_answered,
        a_server_that_goes_and_comes_is_found_again,
        whom_we_call_by_https_is_verified,
        a_hundred_calls,
    ]
    status = run(tests, sys.argv[2:])
    if Kept.flask is not None:
        Kept.flask.__exit__()
    sys.exit(status)
