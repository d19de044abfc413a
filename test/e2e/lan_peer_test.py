#!/usr/bin/python3
"""examples/lan_peer.py, which knows no more of LAN sync than its page says,
beside a daemon."""

import os
import queue
import subprocess
import sys
import threading

from lansync_test import SECRET, Scene
from node import main, wait_for
from proxy import free_port
from tap import equal, holds

EXAMPLE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))), "examples", "lan_peer.py")
PATIENCE = 20
NOBODY = "127.0.0.1:1"  # where nothing listens


class Peer:
    def __init__(self, scene, address, secret=SECRET):
        path = scene.world.path("peer.secret")
        with open(path, "w", encoding="utf-8") as f:
            f.write(secret + "\n")
        self.process = subprocess.Popen(
            [sys.executable, EXAMPLE, address, path, "peer",
             scene.world.path("peer.json")], text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def line(self):
        try:
            return self.lines.get(timeout=PATIENCE)
        except queue.Empty:
            self.process.kill()
            raise AssertionError("it says nothing more: %s" %
                                 self.process.stderr.read()) from None

    def tell(self, line):
        self.process.stdin.write(line + "\n")

    def says(self, line):
        """Waits until it has said that."""
        while self.line() != line:
            pass

    def asks(self, line):
        self.tell(line)
        return self.line()

    def close(self):
        """Standard input ends: its message and its status."""
        self.process.stdin.close()
        status = self.process.wait(PATIENCE)
        self.reader.join()
        self.process.stdout.close()
        with self.process.stderr as errors:
            return errors.read(), status


def _address(scene):
    return "127.0.0.1:%d" % scene.port()


def items_and_deletions_go_both_ways():
    with Scene() as s:
        node = s.nodes["a"]
        node.put("old", {"n": 0}, "lan")
        p = Peer(s, _address(s))
        p.says("connected to a")
        p.says('create old {"n": 0}')
        p.tell('put there {"title": "w\u00f6rld"}')
        node.waits_for("there", {"title": "w\u00f6rld"}, "lan")
        node.put("here", {"n": 1}, "lan")
        p.says('create here {"n": 1}')
        p.tell('put here {"n": 2}')
        node.waits_for("here", {"n": 2}, "lan")
        node.do("del", "lan", "there")
        p.says("delete there {}")
        p.tell("del here")
        node.waits_for("here", None, "lan")
        equal(node.call("conflicts")["conflicts"], [], "conflicts")
        p.tell("put here 5")
        p.says("wrong: the data of an item is an object")
        equal(p.close(), ("", 0), "its end")


def what_both_have_edited_apart_is_one_conflict():
    for peer_is_later in (False, True):
        with Scene() as s:
            node = s.nodes["a"]
            node.put("doc", {"a": 1, "b": 1}, "lan")
            p = Peer(s, _address(s))
            p.says('create doc {"a": 1, "b": 1}')
            p.close()
            if not peer_is_later:
                _edit_alone(s)
            node.put("doc", {"a": 3, "b": 1}, "lan")
            if peer_is_later:
                _edit_alone(s)
            p = Peer(s, _address(s))
            p.says("connected to a")
            stands, lost = (2, 3) if peer_is_later else (3, 2)
            wait_for("both are told", lambda: [
                (c["winner"]["value"], c["loser"]["value"])
                for c in node.call("conflicts")["conflicts"]] ==
                [(stands, lost)])
            equal(node.get("doc", "lan"), {"a": stands, "b": 1}, "here")
            wait_for("and there", lambda: _last(p, "get doc") ==
                     '{"a": %d, "b": 1}' % stands)
            equal(p.close(), ("", 0), "its end")


def a_deletion_beats_an_edit_and_both_say_so():
    with Scene() as s:
        node = s.nodes["a"]
        node.put("doc", {"a": 1}, "lan")
        p = Peer(s, _address(s))
        p.says('create doc {"a": 1}')
        p.close()
        node.do("del", "lan", "doc")
        _edit_alone(s)  # later than the deletion
        p = Peer(s, _address(s))
        p.says("delete doc {}")
        equal(p.asks("get doc"), "no such item", "there")
        equal(node.get("doc", "lan"), None, "here")
        p.close()


def _edit_alone(scene):
    p = Peer(scene, NOBODY)
    p.tell('put doc {"a": 2, "b": 1}')
    equal(p.close(), ("", 0), "alone")


def _last(p, line):
    """The answer to a question, behind what it may tell by itself."""
    answer = p.asks(line)
    while not answer.startswith("{"):
        answer = p.line()
    return answer


def it_comes_back_by_itself():
    port = free_port()
    with Scene(flags=["--lansync.port", str(port)]) as s:
        node = s.nodes["a"]
        p = Peer(s, "127.0.0.1:%d" % port)
        p.says("connected to a")
        node.stop()
        p.says("disconnected")
        p.tell('put meanwhile {"n": 1}')
        node.start()
        p.says("connected to a")
        node.waits_for("meanwhile", {"n": 1}, "lan")
        equal(p.close(), ("", 0), "its end")


def another_secret_ends_it():
    with Scene() as s:
        p = Peer(s, _address(s), secret="another secret of 32 characters.")
        equal(p.process.wait(PATIENCE), 1, "its status")
        said, _ = p.close()
        holds(said, "not let in: Invalid credentials")


if __name__ == "__main__":
    sys.exit(main(globals()))
