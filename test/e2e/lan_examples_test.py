#!/usr/bin/python3
"""The examples of LAN sync in C, as applications run them, with nodes of the
older system, of both generations, at the other end, and with each other."""

import json
import os
import sys

import lansync_test
import tap
from config_examples_test import Program, Stage, build_by_pkg_config
from lan import DEVICE, Lan, ip
from lansync_test import Older
from node import free_listen, wait_for
from tap import check, equal, holds

SECRET = "your-32-byte-secret-key"  # as it stands in the examples
DIALECTS = ("v1", "v2")


class Scene(Stage):
    def __init__(self):
        super().__init__()
        self.older = []

    def old(self, dialect, **options):
        made = Older("old-" + dialect, dialect, secret=SECRET, **options)
        self.older.append(made)
        return made

    def server(self, *args, env=None):
        """It, its port and its certificate's SHA-256."""
        made = Program(self, "lan_server", "server", "0", *args, env=env)
        port, _, pin = made.says("listening").partition(" ")
        return made, int(port), pin

    def client(self, port, *args, token=SECRET, env=None):
        return Program(self, "lan_client", "client", "127.0.0.1", str(port),
                       token, *args, env=env)

    def __exit__(self, *why):
        for older in self.older:
            older.close()
        super().__exit__(*why)


def older_clients_come_to_our_server():
    for dialect in DIALECTS:
        with Scene() as s:
            ours, port, _ = s.server()
            old = s.old(dialect)
            answer = old.do("connect", port=port, token="guessed")
            check(not answer["success"], answer)
            equal(answer["error"], "Invalid credentials", "the error")
            old.do("cut")
            answer = old.do("connect", port=port, token="valid-token")
            check(answer["success"], answer)
            equal(answer["auth_data"], {"user_id": "user-123"}, "auth_data")
            answer = old.do("ask", kind="SYNC_REQUEST",
                            payload={"data": "Hello, w\u00f6rld!"})
            equal(answer["message_type"], "SYNC_RESPONSE", "the answer")
            equal([answer["payload"][m] for m in ("status", "data")],
                  ["success", "Processed"], "the answer")
            equal(json.loads(ours.says("received"))["data"],
                  "Hello, w\u00f6rld!", "what came")
            answer = old.do("ask", kind="SYNC_COMPLETE", payload={})
            equal(answer["payload"]["error"],
                  "Unsupported message type: SYNC_COMPLETE", "the error")
            ours.tell('SYNC_DATA {"n":1}')
            equal(ours.says("sent"), "1", "to how many")
            wait_for("it is told", lambda:
                     "SYNC_DATA" in old.do("heard")["heard"])
            equal(old.do("heard")["flaws"], [], "what did not count")
            client, = json.loads(ours.asks("clients"))
            equal([client[m] for m in ("node_id", "dialect", "authenticated")],
                  ["old-" + dialect, dialect, True], "the client")
            equal(ours.end(), 0, "status")


def who_did_not_come_in_is_told_so():
    for dialect, ends in ("v1", True), ("v2", False):
        with Scene() as s:
            _, port, _ = s.server()
            old = s.old(dialect)
            old.do("connect", port=port, asks=False)
            answer = old.do("ask", kind="SYNC_REQUEST", payload={})
            equal([answer["payload"][m] for m in ("error", "code")],
                  ["Authentication required", "auth_required"], "the error")
            if ends:
                wait_for("it is closed", lambda: old.do("links") == 0)
            else:
                equal(old.do("links"), 1, "the connections")


def our_client_comes_to_older_servers():
    for dialect in DIALECTS:
        with Scene() as s:
            old = s.old(dialect)
            port = old.do("serve")
            ours = s.client(port)
            equal(json.loads(ours.says("authenticated")), None, "auth_data")
            answer = json.loads(ours.says("answer"))
            equal([answer["status"], answer["items"]], ["success", []],
                  "the answer")
            old.do("put", key="there", data={"n": 1})
            kind, _, payload = ours.says("pushed").partition(" ")
            equal([kind, json.loads(payload)["items"][0]["item_id"]],
                  ["SYNC_DATA", "there"], "what is pushed")
            ours.tell('SYNC_DATA {"items":[{"item_id":"here","item_type":'
                      '"document","action":"create","data":{"n":2},'
                      '"created_at":"2026-11-20T12:34:56.5","node_id":"c",'
                      '"version":1}]}')
            equal(json.loads(ours.says("answer"))["status"], "processed",
                  "the answer")
            old.shows({"there": {"n": 1}, "here": {"n": 2}})
            equal(old.do("heard")["flaws"], [], "what did not count")
            # It comes back, and in, by itself.
            old.do("cut")
            ours.says("gone")
            ours.says("open")
            wait_for("it is in", lambda: old.do("links") == 1)
            ours.tell("SYNC_REQUEST {}")
            equal(json.loads(ours.says("answer"))["status"], "success",
                  "the answer")
            equal(ours.end(), 0, "status")
            refused = s.client(port, token="guessed")
            equal(refused.says("error"), "authenticate: Invalid credentials",
                  "the error")
            equal(refused.end(), 1, "status")


def an_older_server_that_says_nothing_keeps_nobody():
    with Scene() as s:
        old = s.old("v1", answers=False)
        ours = s.client(old.do("serve"))
        ours.says("authenticated")
        wait_for("it is asked", lambda:
                 "SYNC_REQUEST" in old.do("heard")["heard"])
        old.close()
        s.older.remove(old)
        equal(ours.says("error"),
              "SYNC_REQUEST: the connection was closed: it has closed",
              "the error")
        equal(ours.end(), 1, "status")


def ours_talk_by_tls():
    with Scene() as s:
        server, port, pin = s.server(
            "{folder}/node.pem", env={"LAN_SYNC_NODE_ID": "hub",
                                      "LAN_SYNC_NODE_NAME": "H\u00fcb"})
        client = s.client(port, pin, token="valid-token",
                          env={"LAN_SYNC_NODE_ID": "child"})
        equal(json.loads(client.says("authenticated")),
              {"user_id": "user-123"}, "auth_data")
        equal(json.loads(client.says("answer"))["data"], "Processed",
              "the answer")
        known, = json.loads(server.asks("clients"))
        equal([known["node_id"], known["tls"]], ["child", True], "the client")
        server.tell('NEWS {"n":[1,2]}')
        equal(client.says("pushed"), 'NEWS {"n":[1,2]}', "what is pushed")
        old = s.old("v2")
        answer = old.do("connect", port=port, token="valid-token", tls=True,
                        host="localhost",
                        ca=os.path.join(server.folder, "node.pem"))
        check(answer["success"], answer)
        wrong = s.client(port, "00" * 32, token="valid-token")
        holds(wrong.says("error"), "not one that is pinned")
        plain = s.client(port, token="valid-token")
        holds(plain.says("error"), "TLS is needed here")
        equal([wrong.end(), plain.end(), client.end(), server.end()],
              [1, 1, 0, 0], "status")


class Daemon(lansync_test.Scene):
    def secret(self, node, text=SECRET, mode=0o600):
        super().secret(node, text, mode)


def our_client_comes_to_the_daemon():
    """The items of its space, by the library's client."""
    with Daemon() as d, Scene() as s:
        node = d.nodes["a"]
        node.put("there", {"n": 1}, "lan")
        ours = s.client(d.port())
        ours.says("authenticated")
        answer = json.loads(ours.says("answer"))
        equal([answer["status"], answer["items"][0]["data"]],
              ["success", {"n": 1}], "the answer")
        ours.tell('SYNC_DATA {"items":[{"item_id":"here","item_type":'
                  '"document","action":"create","data":{"n":2},'
                  '"created_at":"2026-11-20T12:34:56.5","node_id":"c",'
                  '"version":1}]}')
        equal(json.loads(ours.says("answer"))["items"], 1, "how many it took")
        node.waits_for("here", {"n": 2}, "lan")
        node.put("here", {"n": 3}, "lan")
        while '"data":{"n":3}' not in ours.says("pushed"):
            pass
        equal(ours.end(), 0, "status")


def documents_written_apart_are_merged():
    """As the older page's engine does, on either machine to the same."""
    with Scene() as s:
        at = {name: free_listen(name) for name in "ab"}

        def start(name, *args):
            return Program(s, "document_merge", name, "{folder}/node", at[name],
                           *args)

        a = start("a", "invite")
        b = start("b", "join", a.says("code"))
        a.tell('plan {"content":"old","by":"all"}')
        equal(b.says("plan"), '= {"by":"all","content":"old"}', "the document")
        equal(a.end(), 0, "status")
        b.tell('plan {"content":"of \\"b\\"","by":"all"}')
        b.tell('task {"item_type":"task","data":{"content":"of b"}}')
        b.says("task")
        equal(b.end(), 0, "status")
        a = start("a")
        a.says("ready")
        a.tell('plan {"content":"of a","by":"all"}')
        a.tell('task {"item_type":"task","data":{"content":"of a"}}')
        a.says("task")
        b = start("b")
        said = []
        for each in a, b:
            said.append("")
            while "---" not in said[-1]:
                said[-1] = each.says("plan")
        equal(said[0], said[1], "what they make of it")
        text = json.loads(said[0][2:])
        equal([sorted(text["content"].split("\n---\n")), text["by"]],
              [["of \"b\"", "of a"], "all"], "the document")
        equal([a.end(), b.end()], [0, 0], "status")


def nodes_that_are_near_are_told():
    with Lan("a", "p") as lan, Scene() as s:
        def near(name, *args):
            return Program(s, "lan_near", name, *args,
                           prefix=lan.inside(name),
                           env={"LAN_SYNC_NODE_ID": name,
                                "LAN_SYNC_DISCOVERY_INTERVAL": "1",
                                "LAN_SYNC_DEVICE_TIMEOUT": "2"})

        a, p = near("a", "5077"), near("p")
        equal(p.says("near"), "a %s 5077" % lan.address("a"), "who is near")
        ip("-n", lan.spaces["p"], "route", "add", "default", "dev", DEVICE)
        old = s.old("v2", prefix=lan.inside("p"))
        old.do("discover", port=6001)
        equal(a.says("near"), "old-v2 %s 6001" % lan.address("p"),
              "who is near")
        _, port, said = wait_for("it hears us", lambda: old.do("near"))[0]
        equal([port, said["node_id"], said["port"]], [5000, "a", 5077],
              "what it hears")
        equal(a.says("gone").split()[0], "old-v2", "who is not any more")
        p.process.stdin.close()
        online = {d["node_id"]: d["online"]
                  for d in json.loads(p.says("devices"))}
        equal(online["a"], True, "is it near")
        equal([p.process.wait(20), a.end()], [0, 0], "status")


def they_say_how_they_are_called():
    with Scene() as s:
        for name in "document_merge", "lan_client", "lan_server":
            program = Program(s, name, name)
            equal(program.end(), 2, "status")
            check("usage: " + name in program.errors(), program.errors())
        wrong = Program(s, "lan_server", "wrong", "0",
                        env={"LAN_SYNC_PORT": "many"})
        equal(wrong.end(), 1, "status")
        check("LAN_SYNC_PORT: many" in wrong.errors(), wrong.errors())


def they_build_with_what_pkg_config_says():
    build_by_pkg_config("lan_", "document_")


if __name__ == "__main__":
    sys.exit(tap.run([
        older_clients_come_to_our_server,
        who_did_not_come_in_is_told_so,
        our_client_comes_to_older_servers,
        an_older_server_that_says_nothing_keeps_nobody,
        ours_talk_by_tls,
        our_client_comes_to_the_daemon,
        documents_written_apart_are_merged,
        nodes_that_are_near_are_told,
        they_say_how_they_are_called,
        they_build_with_what_pkg_config_says,
    ], sys.argv[1:]))
