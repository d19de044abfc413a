#!/usr/bin/python3
"""iSync nodes that break the rules: what they say is passed over, and those who
keep the rules notice nothing."""

import base64
import contextlib
import http.client
import json
import math
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))

import socketio

from isync_node import State, cipher_of
from isync_scene import HERE, TOKEN, Scene, item, shows
from lan import Lan
from node import World, main, wait_for
from tap import check, equal


class Peer:
    """A connection that says whatever it is told."""

    def __init__(self, url, node_id="raw", handshake=True):
        self.heard = []
        self.client = socketio.Client(reconnection=False)
        self.client.on("sync_data", self.heard.append)
        self.client.on("handshake_response", self.heard.append)
        self.client.connect(url, transports=["websocket"])
        if handshake:
            self.client.emit("peer_handshake", {"node_id": node_id})

    def say(self, packet):
        self.client.emit("sync_data", packet)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            self.client.disconnect()


def _sealed(text, source="raw", token=TOKEN):
    return {"_encrypted": True, "source_node": source,
            "source_type": "iControl", "timestamp": time.time(),
            "encrypted_data": base64.b64encode(
                cipher_of(token).encrypt(text.encode())).decode()}


def _state(registers, node="raw"):
    return json.dumps({
        "node_id": node, "vector_clock": {node: 1}, "lww_registers": registers,
        "deleted_keys": {"elements": []}})


def _register(value, stamp=None, node="raw"):
    return {"node_id": node, "value": value,
            "timestamp": time.time() if stamp is None else stamp}


def _rss(node):
    with open("/proc/%d/status" % node.process.pid) as file:
        for line in file:
            if line.startswith("VmRSS"):
                return int(line.split()[1]) << 10
    return 0


@contextlib.contextmanager
def _unharmed(s, growth=64 << 20):
    node, honest = s.nodes["a"], s.honest
    before, pid = _rss(node), node.process.pid
    yield
    check(node.process.poll() is None and node.process.pid == pid,
          "the daemon has ended: " + node.tail())
    s.turn += 1
    honest.put(turn=s.turn)
    wait_for("honest nodes agree",
             lambda: (item(node) or {}).get("turn") == s.turn)
    after = _rss(node)
    check(after < before + growth,
          "memory grew from %d to %d MiB" % (before >> 20, after >> 20))


@contextlib.contextmanager
def _scene(*flags):
    with Scene(flags=flags) as s:
        s.turn, s.honest = 0, s.old("honest")
        s.honest.do("dial", url=s.url())
        s.honest.put(turn=0)
        shows(s.nodes["a"], turn=0)
        yield s


def what_is_no_packet_is_passed_over():
    deep = "[" * 2000 + "]" * 2000
    good = {"config._id.x": _register(1)}
    states = [
        "", "{", "[]", "7", deep, _state(good)[:-1], _state([]), _state(7),
        _state({"config._id.x": 3}), _state({"config._id.x": {}}),
        _state({"config._id.x": _register(1, "soon")}),
        _state({"config._id.x": _register(1, [])}),
        _state({"config._id.x": _register(1, True)}),
        _state({"config._id." + "k" * 5000: _register(1)}),
        _state({"config._id.x": dict(_register(1), node_id=3)}),
        _state({"config._id.x": dict(_register(1), node_id="n" * 5000)}),
        _state({"config._id.v": _register("v" * 400000)}),
        _state({"": _register(1), "config": _register(1),
                "config.": _register(1), "config..": _register(1)}),
        json.dumps({"node_id": "raw", "vector_clock": [], "lww_registers": {},
                    "deleted_keys": {"elements": [3, None, {}]}})]
    packets = ["", 3, None, [], [[]], {}, {"data": 3}, {"data": {}},
               {"source_node": 3, "encrypted_data": "x"},
               {"source_node": "", "_encrypted": True, "encrypted_data": "x"},
               {"source_node": "raw", "_encrypted": True,
                "encrypted_data": {"a": 1}},
               dict(_sealed("{}"), encrypted_data="%%%")]
    packets += [_sealed(text) for text in states]
    with _scene() as s:
        with _unharmed(s):
            for packet in packets:
                with Peer(s.url()) as peer:
                    peer.say(packet)
                    peer.client.sleep(0.02)
        equal(sorted(item(s.nodes["a"])), ["turn"], "what has come of it")
        with Peer(s.url()) as peer:  # the same, well made, counts
            peer.say(_sealed(_state(good)))
            wait_for("it counts", lambda: item(s.nodes["a"]).get("x") == 1)


def who_has_not_the_token_changes_nothing():
    """Neither in clear, nor sealed otherwise, nor by saying again what was said
    before."""
    with _scene() as s:
        node, old = s.nodes["a"], State("raw")
        with Peer(s.url()) as peer:
            s.honest.put(a="old")
            shows(node, turn=0, a="old")
            packet = wait_for("it is overheard", lambda: [
                p for p in peer.heard if "encrypted_data" in p])[-1]
            s.honest.put(a="new")
            shows(node, turn=0, a="new")
            with _unharmed(s):
                peer.say(packet)
                peer.say(dict(packet, source_node="somebody"))
                old.put("config._id.a", "forged")
                old.delete("config._id.turn")
                clear = {"_encrypted": True, "source_node": "raw",
                         "source_type": "iSync", "timestamp": time.time(),
                         "data": old.json()}
                peer.say(clear)
                peer.say(dict(clear, data=dict(
                    old.json(), config={"_id": {"a": "forged"}})))
                peer.say(_sealed(json.dumps(old.json()), token="another"))
            equal(item(node)["a"], "new", "what stands")


def what_cannot_be_read_has_an_end():
    """Of thousands of sources, each with as much as it may say."""
    with _scene() as s:
        node = s.nodes["a"]
        with _unharmed(s, 96 << 20), Peer(s.url()) as peer:
            began = time.monotonic()
            for i in range(600):
                peer.say(dict(_sealed("x" * 20000, token="theirs"),
                              source_node="source-%d" % i))
            said = wait_for("it was heard", lambda: [
                p for p in [node.call("isync")["packets"]]
                if p["received"] + p["dropped"] >= 600])[0]
            # A hundred at once and thirty a second are.
            may = 110 + 30 * (time.monotonic() - began)
            check(said["dropped"] >= 600 - may, "who says too much is not")
        check(node.call("isync")["packets"]["held"] <= 512, "it is held")


def what_was_said_can_be_read_from_disk_again():
    """As deep as any event may be, by somebody without the token; and stamped
    so that nothing comes after it, by somebody with it."""
    with _scene() as s:
        node = s.nodes["a"]
        last = math.nextafter(sys.float_info.max, 0)
        with _unharmed(s), Peer(s.url()) as peer:
            for depth in range(45, 66):
                peer.say(dict(_sealed("x", token="theirs"),
                              source_node="source-%d" % depth,
                              x=json.loads("[" * depth + "]" * depth)))
            peer.say(_sealed(_state({"config._id.m": _register(1, last)})))
            wait_for("it came", lambda: item(node).get("m") == 1)
            node.put("_id", dict(item(node), m=2), "config")
            wait_for("it is told of", lambda: node.call("isync")[
                "changes"]["refused"] > 0)
            wait_for("what always wins stands",
                     lambda: item(node).get("m") == 1)
        check(node.call("isync")["packets"]["held"] >= 10, "some are kept")
        node.stop()
        node.start()
        equal(item(node)["m"], 1, "what stands")


def a_file_that_cannot_be_read_is_told_of():
    """And nothing else happens: it ends in order."""
    with Scene() as s:
        node = s.nodes["a"]
        node.stop()
        path = os.path.join(node.dir, "isync.json")
        with open(path, "w") as file:
            file.write("{")
        os.chmod(path, 0o600)
        check(node.launch().ends() > 0, "it fails, and is not killed")
        check("isync.json" in node.tail(), "it says which file")
        os.unlink(path)
        node.start()


def a_password_in_a_url_is_not_logged():
    with Scene(flags=["--isync.pages", "local"]) as s:
        node = s.nodes["a"]
        said = node.refuses("isync", "connect", "http://u:hunter2@h:1/")
        check("hunter2" not in said and "hunter2" not in
              node.tail(), "it is said again")
        page = s.stack.enter_context(contextlib.closing(
            http.client.HTTPConnection(s.url()[7:], timeout=10)))
        page.request("POST", "/connect_peer", "peer_url=http://u:hunter2@h/")
        r = page.getresponse()
        equal((r.status, r.read()), (302, b""), "the page")
        page.request("GET", "/peers")
        told = page.getresponse().read().decode()
        check("Not added" in told and "hunter2" not in told +
              node.tail(), "it is told or logged")


def many_who_come_keep_nobody_out():
    with _scene() as s:
        node = s.nodes["a"]
        with _unharmed(s), contextlib.ExitStack() as stack:
            for i in range(80):
                with contextlib.suppress(Exception):
                    stack.enter_context(Peer(s.url(), "n%d" % i, i % 2 == 0))
            check(node.call("isync")["connected"] >= 1, "who was there stays")


def only_networks_that_are_named_come():
    """From another machine; this one may always."""
    with Lan("a", "b") as lan, World() as w:
        flags = ["--isync.enabled", "true", "--isync.bind", "0.0.0.0",
                 "--isync.clear", "true", "--isync.pages", "admitted"]
        node = w.node("a", *flags, prefix=lan.inside("a"),
                      listen=lan.listen("a"))
        url = "http://%s:5342/api/stats" % lan.address("a")

        def ask(name, target):
            return subprocess.run(
                lan.inside(name) + ["curl", "-s", "-m", "5", "-o", "/dev/null",
                                    "-w", "%{http_code}", target],
                capture_output=True, text=True).stdout

        node.start("--isync.admit", "192.0.2.0/24")
        equal(ask("b", url), "000", "of no network that is named")
        equal(ask("a", "http://127.0.0.1:5342/api/stats"), "200", "from here")
        equal(node.call("isync")["turned_away"]["network"], 1, "it is told")
        node.stop()
        node.start()
        equal(ask("b", url), "200", "of a private network")


if __name__ == "__main__":
    check(os.path.isdir(HERE), HERE)
    sys.exit(main(globals()))
