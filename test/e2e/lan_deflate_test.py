#!/usr/bin/python3
"""LAN sync compresses what is long between nodes that both offer it, ours or
another program's, and for nobody else."""

import sys

from lansync_test import Scene
from node import main, wait_for
from tap import check, equal

TEXT = {"text": " ".join("line %d of a text" % i for i in range(2000))}


def _peer(s, name, *flags):
    """One more Syncline, of another mesh, that calls the first."""
    node = s.nodes[name] = s.world.node(
        name, *s.flags, "--lansync.peers", "127.0.0.1:%d" % s.port(), *flags)
    s.secret(node)
    return node.start()


def _compressed(node):
    told = node.call("lansync")
    return ([c["compressed"] for c in told["connections"]],
            told["compressed"])


def two_of_ours_compress():
    with Scene("a") as s:
        a, b = s.nodes["a"], _peer(s, "b")
        a.put("k", TEXT, "lan")
        b.waits_for("k", TEXT, "lan")
        b.put("back", TEXT, "lan")
        a.waits_for("back", TEXT, "lan")
        for node, other in ((a, b), (b, a)):
            wait_for("what was sent was heard", lambda: (
                _compressed(node)[1]["sent"] ==
                _compressed(other)[1]["heard"] > 0))
            each, bytes_ = _compressed(node)
            equal(each, [True], "connections")
            check(bytes_["sent_as"] < bytes_["sent"] // 4, bytes_)
            check(bytes_["heard_as"] < bytes_["heard"] // 4, bytes_)


def where_one_of_them_does_not_nobody_does():
    with Scene("a") as s:
        a, b = s.nodes["a"], _peer(s, "b", "--lansync.compress", "false")
        a.put("k", TEXT, "lan")
        b.waits_for("k", TEXT, "lan")
        for node in (a, b):
            equal(_compressed(node), ([False], dict.fromkeys(
                ("sent", "sent_as", "heard", "heard_as"), 0)), node.name)


def _both_ways(s, old):
    a = s.nodes["a"]
    a.put("ours", TEXT, "lan")
    wait_for("ours is there", lambda: old.do("shown").get("ours") == TEXT)
    old.do("put", key="theirs", data=TEXT)
    a.waits_for("theirs", TEXT, "lan")
    equal(old.do("heard")["flaws"], [], "flaws")
    return old.do("packed")


def an_older_node_is_sent_nothing_compressed():
    """Of either generation, as a client and as a server."""
    for dialect in ("v1", "v2"):
        with Scene("a") as s:
            client = s.old("client", dialect)
            check(client.do("connect", port=s.port())["success"], "in")
            packed, offers = _both_ways(s, client)
            equal((packed, [o.get("deflate") for o in offers]), (0, [True]),
                  "what it got, and was offered")
            equal(_compressed(s.nodes["a"])[0], [False], dialect)
        with Scene("a") as s:
            server = s.old("server", dialect)
            node = _calls(s, server)
            packed, offers = _both_ways(s, server)
            equal((packed, [o.get("deflate") for o in offers]), (0, [True]),
                  "what it got, and was offered")
            equal(_compressed(node), ([False], dict.fromkeys(
                ("sent", "sent_as", "heard", "heard_as"), 0)), dialect)


def _calls(s, server, *flags):
    """The first, started anew so that it calls the server."""
    a = s.nodes["a"]
    a.stop()
    a.flags += ["--lansync.peers", "127.0.0.1:%d" % server.do("serve")]
    a.flags += flags
    return a.start()


def a_node_that_offers_it_is_sent_it_and_may_send_it():
    """By zlib as it comes with Python, at the port of the mesh, too."""
    for dialect in ("v1", "v2"):
        for mesh in (False, True):
            with Scene("a") as s:
                a, client = s.nodes["a"], s.old(
                    "client", dialect, deflates=True)
                port = int(a.status()["listen"][0].rsplit(":", 1)[1]) \
                    if mesh else s.port()
                check(client.do("connect", port=port)["success"], "in")
                check(_both_ways(s, client)[0] > 0, "nothing was")
                each, bytes_ = _compressed(a)
                equal(each, [True], "connections")
                equal(a.call("lansync")["connections"][0]["syncline"], False,
                      "it could be paired with")
                check(bytes_["heard_as"] < bytes_["heard"] // 4, bytes_)
        with Scene("a") as s:
            server = s.old("server", dialect, deflates=True)
            node = _calls(s, server)
            check(_both_ways(s, server)[0] > 0, "nothing was")
            check(_compressed(node)[1]["heard"] > 0, "nothing was heard")


def where_it_is_switched_off_it_is_not_offered():
    with Scene("a", flags=("--lansync.compress", "false")) as s:
        client = s.old("client", "v2", deflates=True)
        check(client.do("connect", port=s.port())["success"], "in")
        packed, offers = _both_ways(s, client)
        equal((packed, ["deflate" in o for o in offers]), (0, [False]),
              "what it got, and was offered")


if __name__ == "__main__":
    sys.exit(main(globals()))
