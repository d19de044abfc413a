#!/usr/bin/python3
"""LAN-sync nodes whose names are no text: halves of surrogate pairs, NULs,
controls, a character that is cut in two. Anybody near can say one by a
datagram. They are told without harm, and keep nothing from being told."""

import json
import os
import socket
import sys
import unicodedata

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))

from lan import Lan
from lan_node import GROUP, stamp
from lan_sync_test import Peer, Siege
from lansync_test import Scene
from node import World, main, wait_for
from tap import check, equal, holds

NO_TEXT = ("\ud800", "x\udfff", "a\0b")


def _near(lan, **said):
    with lan.within("b"):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                        socket.inet_aton(lan.address("b")))
        sock.sendto(json.dumps(dict(said, type="discovery", port=9)).encode(),
                    (GROUP, 5000))
        sock.close()


def who_is_near_under_a_name_that_is_no_text():
    with Lan("a", "b") as lan, World() as world:
        node = world.node("a", "--lansync.enabled", "true", "--lansync.port",
                          "5077", prefix=lan.inside("a"),
                          listen=lan.listen("a"))
        Scene().secret(node)
        node.start()
        for i, name in enumerate(NO_TEXT):
            _near(lan, node_id=name)
            _near(lan, node_id="named-%d" % i, node_name=name)
        _near(lan, node_id="long", node_name="\u00e9" * 200)
        _near(lan, node_id="esc\x1b[2J\nanother line")
        _near(lan, node_id="last")
        wait_for("it heard the last", lambda: "last" in {
            d["node_id"] for d in node.call("lansync")["devices"]})
        devices = {d["node_id"]: d["node_name"] for d in node.call(
            "lansync")["devices"]}
        equal(sorted(devices), sorted(
            ["esc\x1b[2J\nanother line", "last", "long"] +
            ["named-%d" % i for i in range(len(NO_TEXT))]), "who is near")
        equal(devices["long"], "\u00e9" * 127, "the name of it")
        equal({devices["named-%d" % i] for i in range(len(NO_TEXT))}, {""},
              "names that are none")
        check("lansync" in node.status(), "no status")
        shown = node.cli("peers").out
        check("\x1b" not in shown and "last" in shown, repr(shown))
        with open(node.log, "rb") as log:
            check(b"\x1b[2J" not in log.read(), "a control in the log")


def who_is_in_under_a_name_that_is_no_text():
    """How far the others are is kept all the same."""
    with Siege() as s:
        for i, name in enumerate(NO_TEXT):
            with Peer(s.port(), dialect="v1") as p:
                p.handler.node_id = name
                check(p.come_in(), "refused")
                p.say("SYNC_DATA", {"items": [{
                    "item_id": "by-%d" % i, "created_at": "2026-11-20T12:00",
                    "data": {"n": 1}, "version": 1}]})
                p.hear("SYNC_ACK")
                names = {c["node_id"] for c in s.node.call("lansync")[
                    "connections"]}
                equal(names, {"", "honest"}, "who is connected")
                check("lansync" in s.node.status(), "no status")
                s.is_well()

        def kept():
            try:
                with open(os.path.join(s.node.dir, "lansync.json")) as file:
                    return set(json.load(file)["nodes"]) == {"honest"}
            except FileNotFoundError:
                return False

        wait_for("it is kept", kept)


def who_is_refused_and_says_what_is_no_text():
    """Who, and when; he is told, and so are we."""
    with Siege() as s:
        for name in NO_TEXT:
            with Peer(s.port()) as p:
                p.send({"message_type": "SYNC_DATA", "message_id": name,
                        "nonce": name, "timestamp": name, "payload": {},
                        "source": {"node_id": name, "node_name": name}})
                equal(p.error()[1], "generic_error", "what he is told")
            with Peer(s.port(), dialect="v1") as p:
                p.handler.node_id = name
                check(not p.come_in("wrong"), "let in")
            wait_for("it is told of", lambda: s.node.call("lansync")[
                "refused"])
            equal({r["node_id"] for r in s.node.call("lansync")["refused"]},
                  {""}, "by what name")
            check("lansync" in s.node.status(), "no status")
        s.is_well()


def nobody_names_another_by_what_he_need_not_sign():
    """The name of who is connected stays his own, whoever says a heartbeat in
    his name first."""
    with Siege() as s, Peer(s.port()) as p:
        p.handler.node_id = "honest"
        p.say("HEARTBEAT", sign=False)
        p.hear("HEARTBEAT")
        p.handler.node_id = "itself"
        check(p.come_in(), "refused")
        equal({c["node_id"] for c in s.node.call("lansync")["connections"]},
              {"honest", "itself"}, "who is connected")
        s.is_well()


def who_is_here_is_known_however_many_come():
    """By as many names as are known: none of them takes its place."""
    with Siege() as s:
        path = os.path.join(s.node.dir, "lansync.json")

        def kept():
            with open(path) as file:
                return json.load(file)["nodes"]

        for i in range(260):
            with Peer(s.port()) as p:
                p.handler.node_id = "one-of-many-%d" % i
                check(p.come_in(), "in")
        wait_for("the last is known", lambda: "one-of-many-259" in kept())
        check("honest" in kept(), "it is here, and forgotten")
        check(len(kept()) <= 257, "that many are known: %d" % len(kept()))


def where_to_go_on_that_is_no_text():
    """What asks since then is told all; what names it in an answer is asked
    from the start."""
    with Siege() as s:
        s.node.put("k", {"n": 1}, "lan")
        with Peer(s.port(), dialect="v1") as p:
            check(p.come_in(), "refused")
            for since in NO_TEXT + ("x" * 5000,):
                p.say("SYNC_REQUEST", {"since": since})
                check("k" in {i["item_id"] for i in p.hear("SYNC_RESPONSE")[
                    "payload"]["items"]}, "not all")


STEERS = "e\x1b[31m\x07\r\n\x9b2J\u202e\u2028\u200b\"}<img src=x>"


def _steers(text):
    """What a terminal acts on, or hides by; a table's lines end."""
    return [c for c in text if c != "\n" and (
        unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp"))]


def nothing_that_a_node_says_steers_a_terminal():
    """Its name, what it writes, and why it is refused; as people read it."""
    with Siege() as s, Peer(s.port()) as p:
        p.handler.node_id = STEERS
        check(p.come_in(), "refused")
        for value in ({"a": 1}, {"a": STEERS, "key\u202e": 2}):
            p.say("SYNC_DATA", {"items": [{
                "item_id": "k\u202e", "created_at": stamp(), "data": value,
                "node_id": STEERS, "version": 1}]})
            p.hear("SYNC_ACK")
        with Peer(s.port()) as other:
            other.handler.node_id = STEERS + "2"
            check(not other.come_in("wrong"), "let in")
        wait_for("it is told of", lambda: s.node.call("lansync")["refused"])
        for command in (["peers"], ["doctor"], ["errors"], ["conflicts"],
                        ["history", "lan", "k\u202e"], ["rescue"], ["status"],
                        ["clock"], ["audit"]):
            shown = s.node.cli(*command).out
            equal(_steers(shown), [], command)
        for command in ("peers", "doctor", "conflicts"):
            holds(s.node.cli(command).out, "e\\u001b[31m")


if __name__ == "__main__":
    sys.exit(main(globals()))
