#!/usr/bin/python3
"""What is shared with iSync nodes and what is not, when it is said, and whom
Syncline calls if nothing is said: against nodes of the older system, one of
which is a Flask-SocketIO server on eventlet."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import socketio

from isync_scene import HERE, Lists, Scene
from isync_scene import item as _item
from isync_scene import wait_for
from node import main
from proxy import free_port
from tap import Skip, check, equal


def only_what_the_rules_name_is_shared():
    """Paths with `._id.`, records some value of which has `_id`, and what the
    patterns say; of both sides."""
    with Scene(flags=("--isync.patterns", "config.app.*")) as s:
        node, old, other = s.nodes["a"], s.old("old"), s.old("other")
        old.do("dial", url=s.url())
        node.put("_id", {"theme": "dark"}, "config")
        node.put("lamp", {"level": 1, "_id.level": 2}, "config")
        node.put("prefs", {"id": "prefs", "key": "x_id", "n": 1}, "config")
        node.put("app", {"a": 1, "b": {"c": 2}}, "config")
        node.put("plain", {"a": 1}, "config")
        node.put("dotted.name", {"_id.a": 1}, "config")
        node.put("list", ["_id"], "config")
        want = {"config._id.theme": "dark", "config.lamp._id.level": 2,
                "config.prefs.id": "prefs", "config.prefs.key": "x_id",
                "config.prefs.n": 1, "config.app.a": 1,
                "config.app.b": {"c": 2}}
        wait_for("what the rules name", lambda: old.do("values") == want)
        old.do("put", values={"config.app.c": 3, "config.plain.a": 2,
                              "config.new._id.x": 4, "config.bare.y": 5,
                              "other.table._id.z": 6})
        wait_for("what the rules name", lambda: (
            _item(node, "app") or {}).get("c") == 3 and _item(node, "new"))
        equal(_item(node, "new"), {"_id.x": 4}, "by its path")
        equal(_item(node, "plain"), {"a": 1}, "it is here alone")
        equal(_item(node, "bare"), None, "it is theirs alone")
        equal(sorted(node.do("ls", "config").split()), [
            "_id", "app", "dotted.name", "lamp", "list", "new", "plain",
            "prefs"], "and no more")
        # Other nodes have it all the same.
        other.do("dial", url=s.url())
        wait_for("it is passed on", lambda: other.do("values").get(
            "config.bare.y") == 5)
        equal(other.do("values")["config.plain.a"], 2, "so is that")


def who_asks_is_told_and_whoever_comes():
    """Without a word all of it is said once a day here."""
    s = Scene()
    s.flags = ["--isync.enabled", "true", "--isync.port", "0",
               "--isync.interval", "86400"]
    with s:
        node, old = s.nodes["a"], s.old("old", eager=False, interval=3600)
        node.put("_id", {"a": 1}, "config")
        old.do("dial", url=s.url())
        old.shows(a=1)  # it has come
        wait_for("it is quiet", lambda: not old.do("heard"), pause=1.5)
        old.do("ask")
        wait_for("it is told", lambda: old.do("heard"))
        wait_for("it is quiet", lambda: not old.do("heard"), pause=0.3)
        node.call("patch", space="config", key="_id", patch={"a": 2})
        old.shows(a=2)  # it has changed
        wait_for("it is quiet", lambda: not old.do("heard"), pause=0.3)
        node.do("isync", "sync")
        heard = wait_for("it is told", lambda: (
            lambda h: h and h[-1])(old.do("heard")))
        equal((heard["sealed"], heard["clear"], heard["read"]),
              (True, False, True), "sealed, and nothing else")
    with Scene(flags=("--isync.clear", "true")) as s:
        old = s.old("old")
        s.nodes["a"].put("_id", {"a": 1}, "config")
        old.do("dial", url=s.url())
        old.shows(a=1)
        heard = old.do("heard")
        check(all(h["sealed"] and h["clear"] for h in heard), heard)


def three_are_called_if_nothing_is_said():
    """And no list is asked for."""
    with Scene() as s:
        node = s.nodes["a"]
        told = node.call("isync")["discovery"]
        equal((told["url"], told["fetched"]), (None, 0), "no list")
        lists = Lists(s.stack)
        olds = [s.old("node-%d" % i) for i in range(4)]
        urls = ["http://127.0.0.1:%d" % o.do("serve") for o in olds]
        lists.pages["/peers.json"] = (200, {}, json.dumps(
            [{"name": "n%d" % i, "url": url}
             for i, url in enumerate(urls)]).encode())
        listed = s.node("b", "--isync.discovery_url", lists.url())
        listed.start()
        wait_for("three are", lambda: listed.call("isync")["connected"] == 3)
        for url in urls:
            node.do("isync", "connect", url)
        wait_for("three are", lambda: node.call("isync")["connected"] == 3)
        # It looks again and again, and stays at that.
        listed.put("_id", {"a": 1}, "config")
        olds[0].shows(a=1)
        for one in (node, listed):
            equal(one.call("isync")["connected"], 3, "and no more")
        equal([len(o.do("links")) for o in olds], [2, 2, 2, 0], "who")


def echoes_and_who_disappears_change_nothing():
    with Scene() as s:
        node, old = s.nodes["a"], s.old("old")
        echo = socketio.Client(reconnection=False)
        said = []

        @echo.on("sync_data")
        def sync_data(packet):
            said.append(packet["source_node"])
            with contextlib.suppress(socketio.exceptions.SocketIOError):
                echo.emit("sync_data", packet)
                echo.emit("sync_data", dict(packet, source_node="echo"))

        echo.connect(s.url(), transports=["websocket"])
        s.stack.callback(echo.disconnect)
        echo.emit("peer_handshake", {"node_id": "echo"})
        old.do("dial", url=s.url())
        old.put(a=1)
        wait_for("it came", lambda: _item(node) == {"a": 1})
        wait_for("it is echoed", lambda: said.count(
            node.call("isync")["node_id"]) >= 3)
        wait_for("it is known as such", lambda: node.call("isync")[
            "packets"]["echoes"] >= 3)
        equal(node.call("get", space="config", key="_id")["version"], 1,
              "one write")
        # Callers that go in the middle of a word.
        port = int(s.url().rsplit(":", 1)[1])
        for piece in (b"", b"GET /socket.io/?EIO=4&transp",
                      b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n"
                      b"Host: localhost\r\n\r\n",
                      b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
                      b"Host: localhost\r\nConnection: Upgrade\r\nUpgrade: "
                      b"websocket\r\nSec-WebSocket-Version: 13\r\n"
                      b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                      b"\x81\x82\0\0\0\0" b"40" b"\x81\xfe\x10"):
            for _ in range(20):
                with socket.create_connection(("127.0.0.1", port), 10) as c:
                    c.sendall(piece)
        gone = s.old("gone")
        gone.do("dial", url=s.url())
        wait_for("it is there", lambda: gone.do("links"))
        gone.process.kill()
        old.put(b=2)
        wait_for("all goes on", lambda: _item(node) == {"a": 1, "b": 2})
        wait_for("it is seen to have gone", lambda: "gone" not in [
            k["node_id"] for k in node.call("isync")["links"]])


class Flask:
    """A server of the older kind."""

    def __init__(self, stack, node_id):
        try:
            import eventlet  # noqa: F401
            import flask_socketio  # noqa: F401
        except ImportError:
            raise Skip("no Flask-SocketIO, or no eventlet") from None
        self.url = "http://127.0.0.1:%d" % free_port()
        process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "isync_flask.py"),
             self.url.rsplit(":", 1)[1], node_id],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(process.wait)
        stack.callback(process.kill)
        wait_for("it is up", lambda: self.values() is not None, 120)

    def values(self):
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(self.url + "/values", timeout=10) as r:
                return json.load(r)
        return None

    def tell(self, what, body):
        urllib.request.urlopen(urllib.request.Request(
            self.url + what, json.dumps(body).encode(),
            {"Content-Type": "application/json"}), timeout=10).close()


def a_server_of_flask_on_eventlet_is_one_of_them():
    """It says and reads what is clear; a Python client calls it as we do, and
    has what is written here."""
    with Scene(flags=("--isync.clear", "true")) as s:
        node, flask = s.nodes["a"], Flask(s.stack, "flask")
        client = s.old("client", kind="server", token="")
        node.do("isync", "connect", flask.url)
        client.do("dial", url=flask.url)
        wait_for("it is connected", lambda: [
            k["node_id"] for k in node.call("isync")["links"]] == ["flask"])
        node.put("_id", {"a": 1}, "config")
        wait_for("it has it", lambda: flask.values() == {"config._id.a": 1})
        flask.tell("/put", {"config._id.b": "\u00f1\u2603"})
        wait_for("so have we", lambda: _item(node) == {
            "a": 1, "b": "\u00f1\u2603"})
        client.put(c=[1, {"d": None}])
        wait_for("and what others told it", lambda: (
            _item(node) or {}).get("c") == [1, {"d": None}])
        flask.tell("/del", ["config._id.a"])
        wait_for("it is gone", lambda: "a" not in _item(node))
        node.call("patch", space="config", key="_id", patch={"b": None})
        wait_for("it is gone there", lambda: flask.values() == {
            "config._id.c": [1, {"d": None}]})
        equal(node.call("isync")["links"][0]["transport"], "websocket", "how")
        check(time.time() * 1e6 >= node.call("isync")["last_sync"] > 0, "when")


if __name__ == "__main__":
    sys.exit(main(globals(), beside=[
        who_asks_is_told_and_whoever_comes]))
