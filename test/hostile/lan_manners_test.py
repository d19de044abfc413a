#!/usr/bin/python3
"""What older nodes of LAN sync do, though their pages do not say so: over
sockets, of both generations, in clear and by TLS. Each is served, or told what
its own servers would have told it."""

import contextlib
import json
import socket
import struct
import sys
import time

from lan_sync_test import BOTH, SECRET, WAYS, Peer, Siege, _item
from lan_node import Handler, frame, stamp  # noqa: E402 - by the one before
from lansync_test import Scene
from node import main, wait_for
from tap import check, equal, holds


def _auth(p, payload, **more):
    return p.handler.make("AUTH_REQUEST", dict(payload), **more)


def _bad(payload):
    return {name: payload.get(name) for name in (
        "error", "message", "code", "request_id")}


def _goes_on(p):
    p.say("SYNC_REQUEST")
    equal(p.hear("SYNC_RESPONSE")["payload"]["status"], "success", "goes on")


def heartbeats_come_with_the_first_request():
    """In one piece, before it or behind it, or byte by byte."""
    with Siege("a", flags=BOTH) as s:
        for dialect, tls in WAYS:
            for order in ("before", "behind", "slow"):
                with Peer(s.port(), dialect, tls=tls) as p:
                    beat = p.handler.make(
                        "HEARTBEAT", {} if dialect == "v1" else {
                            "timestamp": 17, "request_id": "h"},
                        sign=dialect == "v1")
                    asks = _auth(p, {"token": SECRET, "request_id": "r"})
                    both = [beat, asks] if order == "before" else [asks, beat]
                    data = b"".join(frame(m) for m in both)
                    if order == "slow":
                        for at in range(0, len(data), 100):
                            p.socket.sendall(data[at:at + 100])
                    else:
                        p.socket.sendall(data)
                    want = {"AUTH_RESPONSE"} | (
                        {"HEARTBEAT"} if dialect == "v2" else set())
                    heard = {}
                    while set(heard) != want:
                        m = p.hear("AUTH_RESPONSE", "HEARTBEAT")
                        check(m["message_type"] not in heard, m)
                        heard[m["message_type"]] = m["payload"]
                    check(heard["AUTH_RESPONSE"]["success"], "in")
                    if dialect == "v2":
                        equal(heard["HEARTBEAT"], {
                            "timestamp": 17, "request_id": "h"}, "the answer")
                    _goes_on(p)


def one_client_looks_for_the_id_of_its_message():
    """It says no request_id, and reads `status`."""
    with Siege("a", flags=BOTH) as s:
        for tls in (False, True):
            for sign in (False, True):
                with Peer(s.port(), "v2", tls=tls) as p:
                    asks = _auth(p, {"token": SECRET}, sign=sign)
                    p.send(asks)
                    answer = p.hear("AUTH_RESPONSE")["payload"]
                    equal((answer["request_id"], answer["status"]),
                          (asks["message_id"], "success"), "the answer")
                    _goes_on(p)


def one_client_says_nothing_but_what_it_must():
    """No id, no time, no nonce: a receiver makes them up. A number stands for
    the name of a type, or its digits."""
    with Siege("a", flags=BOTH) as s:
        for kind in ("AUTH_REQUEST", 3, "3"):
            with Peer(s.port(), "v2") as p:
                p.send({"message_type": kind, "payload": {
                    "token": SECRET, "request_id": "r"}})
                check(p.hear("AUTH_RESPONSE")["payload"]["success"], kind)
                _goes_on(p)


def one_client_adds_an_id_to_what_it_has_signed():
    """And the other does not sign what it waits for."""
    with Siege("a", flags=BOTH) as s:
        for dialect, tls in WAYS:
            code, about = ("validation_failed", "") if dialect == "v1" else (
                "generic_error", "Invalid message: ")
            for what in ("Invalid message signature", "Message not signed"):
                with Peer(s.port(), dialect, tls=tls) as p:
                    check(p.come_in(), "in")
                    m = p.handler.make("SYNC_REQUEST", {"data": "x"},
                                       sign="signature" in what)
                    m["payload"]["request_id"] = "later"
                    p.send(m)
                    why = about + what
                    equal(_bad(p.hear("ERROR")["payload"]), {
                        "error": why, "message": why, "code": code,
                        "request_id": "later"}, dialect)
                    if dialect == "v1" or "signature" in what:
                        check(p.ends(), "%s: %s" % (dialect, what))
                    else:
                        _goes_on(p)


def errors_name_the_request():
    """Where it has named itself, and could be read."""
    with Siege("a", flags=BOTH) as s:
        for dialect, tls in WAYS:
            with Peer(s.port(), dialect, tls=tls) as p:
                check(p.come_in(), "in")
                for kind, payload, code in (
                        ("SYNC_COMPLETE", {}, "unsupported_type"),
                        ("SYNC_DATA", {"items": 7}, "internal_error")):
                    p.say(kind, payload)
                    said = p.hear("ERROR")["payload"]
                    equal((said["code"], said["request_id"]), (code, "r"),
                          dialect)
                p.send(b"")
                said = p.hear("ERROR")["payload"]
                equal((said["code"], "request_id" in said),
                      ("decode_error", False), dialect)
            with Peer(s.port(), dialect, tls=tls) as p:
                p.say("SYNC_DATA")
                said = p.hear("ERROR")["payload"]
                equal((said["code"], said["request_id"]),
                      ("auth_required", "r"), dialect)


def who_guessed_wrong_may_say_it_right():
    """On the same connection: no older server closes it."""
    with Siege("a", flags=BOTH) as s:
        for dialect, tls in WAYS:
            with Peer(s.port(), dialect, tls=tls) as p:
                p.say("AUTH_REQUEST", {"token": "wrong"})
                equal(p.hear("AUTH_RESPONSE")["payload"], {
                    "success": False, "status": "error",
                    "error": "Invalid credentials",
                    "message": "Invalid credentials", "request_id": "r"},
                    dialect)
                check(p.come_in(), "in")
                _goes_on(p)


def what_is_signed_in_the_other_dialect_is_answered_in_that():
    """Whatever it has spoken before."""
    with Siege("a", flags=BOTH) as s:
        for dialect, tls in WAYS:
            with Peer(s.port(), dialect, tls=tls) as p:
                check(p.come_in(), "in")
                p.handler.dialect = "v2" if dialect == "v1" else "v1"
                p.say("SYNC_REQUEST")
                # All that was said before it is signed in the other one.
                while True:
                    n = struct.unpack("!I", p.exactly(4))[0]
                    m = json.loads(p.exactly(n))
                    if m["message_type"] == "SYNC_RESPONSE":
                        break
                equal(m["signature"], p.handler.sign(m), dialect)


def times_count_for_as_long_as_is_said():
    """And whatever the name is that a node was given, it says it."""
    with Siege("a", flags=("--lansync.ttl", "30s", "--lansync.node_id",
                           "Knoten-\u00e9")) as s:
        for dialect in ("v1", "v2"):
            with Peer(s.port(), dialect) as p:
                check(p.come_in(), "in")
                # A clock that is far ahead counts: nobody's may be right.
                p.say("SYNC_DATA", {"items": [_item("ahead-" + dialect)]},
                      at=stamp(time.time() + 86400))
                answer = p.hear("SYNC_ACK")
                equal((answer["payload"]["items"], answer["source"]),
                      (1, {"node_id": "Knoten-\u00e9", "node_name": "a"}),
                      "the answer")
                p.say("SYNC_ACK", at=stamp(time.time() - 31))
                check("Message expired" in p.error()[0], "it counts")


def many_that_push_at_once_are_all_heard():
    """As when they come back to a machine that was away; and one that waits for
    no answer before it says the next."""
    with Siege("a", flags=BOTH) as s:
        with contextlib.ExitStack() as all_of_them:
            peers = []
            for n in range(100):
                p = all_of_them.enter_context(Peer(s.port()))
                p.handler.node_id = "n-%d" % n
                check(p.come_in(), "in")
                peers.append(p)
            for n, p in enumerate(peers):
                p.say("SYNC_DATA", {"items": [
                    _item("%d-%d" % (n, i)) for i in range(20)]})
            for p in peers:
                said = p.hear("SYNC_ACK", "ERROR")
                equal(said["payload"].get("items"), 20, said)
        for dialect, tls in WAYS:
            with Peer(s.port(), dialect, tls=tls) as p:
                check(p.come_in(), "in")
                for n in range(300):
                    p.say("SYNC_DATA", {"data_id": "d-%d" % n, "items": [
                        _item("pipe-%d" % n, dialect)]})
                heard = {p.hear("SYNC_ACK", "ERROR")["payload"].get("data_id")
                         for n in range(300)}
                equal(len(heard - {None}), 300, "acknowledged")


class Server(Peer):
    """The other end: it is called."""

    def __init__(self, listener, dialect):
        self.socket = listener.accept()[0]
        self.socket.settimeout(30)
        self.handler = Handler("raw", SECRET, dialect)

    def answer(self, to, kind, payload):
        self.send(self.handler.make(kind, dict(
            payload, request_id=to["payload"]["request_id"])))


@contextlib.contextmanager
def _calls(*flags):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        with Scene("a", flags=("--lansync.peers", "127.0.0.1:%d" %
                               listener.getsockname()[1]) + flags) as s:
            yield s.nodes["a"], listener


def a_server_whose_answers_have_no_end():
    """It is asked no more for a while, and told of."""
    with _calls() as (node, listener), Server(listener, "v2") as p:
        p.answer(p.hear("AUTH_REQUEST"), "AUTH_RESPONSE", {"success": True})
        for _ in range(2):
            p.answer(p.hear("SYNC_REQUEST"), "SYNC_RESPONSE", {
                "status": "success", "items": [_item("k")], "next": "p",
                "more": True})
        wait_for("it is told of", lambda: "again and again" in str(
            node.call("lansync")["connections"][0]["trouble"]))
        holds(node.cli("peers").out, "again and again")
        holds(node.do("doctor"), "again and again")
        p.say("SYNC_DATA", {"items": [_item("pushed")]})
        kinds = []
        while "SYNC_ACK" not in kinds:
            kinds.append(p.hear()["message_type"])
        check("SYNC_REQUEST" not in kinds, kinds)
        check(node.get("pushed", "lan") is not None, "what it pushes")


def a_server_that_hears_the_first_dialect_only():
    """To all else it says nothing."""
    with _calls("--lansync.auth_timeout", "2s") as (node, listener), \
            Server(listener, "v1") as p:
        passed_over = 0
        while True:
            said = json.loads(p.exactly(struct.unpack("!I", p.exactly(4))[0]))
            if said["message_type"] == "AUTH_REQUEST" and \
                    p.handler.flaw(said) is None:
                break
            passed_over += 1
        equal(passed_over, 1, "what it did not understand")
        p.answer(said, "AUTH_RESPONSE", {"success": True})
        p.hear("SYNC_REQUEST")
        equal(node.call("lansync")["connections"][0]["dialect"], "v1", "how")


if __name__ == "__main__":
    sys.exit(main(globals()))
