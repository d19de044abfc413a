#!/usr/bin/python3
"""The HTTP API, by real clients: python3-requests and curl."""

import asyncio
import json
import os
import queue
import socket
import subprocess
import sys
import time

import requests
import websockets

from hub import Hub, PATIENCE, TRAFFIC, events
from node import World, conflicts, main, wait_for
from tap import Skip, check, equal, holds

ITEMS = "/v1/spaces/default/items"


def items_are_written_and_read():
    with World() as w:
        a, = w.nodes("a")
        with Hub(a) as h:
            told = h.json("PUT", ITEMS + "/lamp", json={"on": True, "n": 1})
            equal((told["version"], told["changed"]), (1, True), "written")
            r = h.ask("GET", ITEMS + "/lamp")
            equal(r.json(), {"n": 1, "on": True}, "the document")
            equal(r.headers["Syncline-Version"], "1", "its version")
            h.ask("PATCH", ITEMS + "/lamp", json={"n": None, "x": [1]},
                  headers={"Content-Type": "application/merge-patch+json"})
            equal(a.get("lamp"), {"on": True, "x": [1]}, "patched")
            equal(h.ask("HEAD", ITEMS + "/lamp").text, "", "no body")
            h.ask("DELETE", ITEMS + "/lamp")
            told = h.json("GET", ITEMS + "/lamp", 404)
            equal(told["code"], "ENOTFOUND", "gone")
            holds(told["detail"], "default/lamp: no such item")


def keys_are_whatever_they_are():
    with World() as w:
        a, = w.nodes("a")
        keys = ["a/b c", "ü/%", "history", "a?b=c#d", "..", "x/../y"]
        with Hub(a) as h:
            for key in keys:
                at = ITEMS + "/" + "".join("%%%02x" % b for b in key.encode())
                h.ask("PUT", at, json=key)
                equal(h.json("GET", at), key, "its own")
                equal(a.get(key), key, "in the store")
            h.ask("PUT", ITEMS + "/plain/slash", json=1)
            equal(a.get("plain/slash"), 1, "a slash needs no escape")
            listed = h.json("GET", ITEMS)["items"]
            equal([i["key"] for i in listed],
                  sorted(keys + ["plain/slash"], key=str.encode), "all of them")


def a_page_follows_a_page():
    with World() as w:
        a, = w.nodes("a")
        with Hub(a) as h:
            h.ask("POST", ITEMS, json={"ops": [
                {"key": "k%02d" % i, "value": i} for i in range(25)]})
            seen, after = [], None
            while True:
                page = h.json("GET", ITEMS, params={
                    "prefix": "k", "limit": 10, "values": "true",
                    **({"after": after} if after else {})})
                seen += [(i["key"], i["value"]) for i in page["items"]]
                if not page["more_items"]:
                    break
                after = page["items"][-1]["key"]
            equal(seen, [("k%02d" % i, i) for i in range(25)], "in order")
            told = h.json("GET", ITEMS + "?limit=many", 400)
            holds(told["detail"], "limit:")


def who_read_before_writes_only_then():
    with World() as w:
        a, b = w.mesh("a", "b")
        with Hub(a) as ha, Hub(b) as hb:
            ha.ask("PUT", ITEMS + "/x", json=1, headers={"If-None-Match": "*"})
            told = ha.json("PUT", ITEMS + "/x", 412, json=2,
                           headers={"If-None-Match": "*"})
            equal(told["code"], "ECONFLICT", "it was there")
            tag = ha.ask("GET", ITEMS + "/x").headers["ETag"]
            b.waits_for("x", 1)
            equal(hb.ask("GET", ITEMS + "/x").headers["ETag"], tag,
                  "who has seen the same says the same")
            ha.ask("GET", ITEMS + "/x", 304, headers={"If-None-Match": tag})
            hb.ask("PUT", ITEMS + "/x", json=2, headers={"If-Match": tag})
            a.waits_for("x", 2)
            for method, more in (("PUT", {"json": 3}),
                                 ("PATCH", {"json": {"a": 1}}),
                                 ("DELETE", {})):
                ha.ask(method, ITEMS + "/x", 412, headers={"If-Match": tag},
                       **more)
            equal(a.get("x"), 2, "as it was")
            ha.ask("DELETE", ITEMS + "/x", headers={"If-Match": "*"})
            ha.ask("DELETE", ITEMS + "/x", 412, headers={"If-Match": "*"})
            for condition in ('W/"1"', '"a", "b"', "", '"'):
                ha.ask("PUT", ITEMS + "/x", 400, json=1,
                       headers={"If-Match": condition})
            ha.ask("POST", ITEMS, 400, json={"ops": [{"key": "x", "value": 1}]},
                   headers={"If-Match": tag})
            ha.ask("GET", ITEMS + "/x", 404)


def the_past_comes_back():
    with World() as w:
        a, = w.nodes("a")
        with Hub(a) as h:
            for value in (1, 2):
                h.ask("PUT", ITEMS + "/x", json=value)
            versions = h.json(
                "GET", "/v1/spaces/default/history/x")["versions"]
            equal([v["value"] for v in versions], [1, 2], "both")
            for after, limit, want in (
                    (0, 1, ([1], True)), (0, 2, ([1, 2], False)),
                    (versions[0]["version"], 1, ([2], False)),
                    (versions[1]["version"], 9, ([], False))):
                page = h.json("GET", "/v1/spaces/default/history/x?after=%d"
                              "&limit=%d" % (after, limit))
                equal(([v["value"] for v in page["versions"]],
                       page["more_versions"]), want, "a page")
            first = versions[0]["version"]
            for before, limit, want in (
                    (0, 1, ([first + 1], True)), (0, 9, ([first + 1, first],
                                                         False)),
                    (first + 1, 1, ([first], False)),
                    (first + 9, 1, ([first + 1], True)),
                    (first, 9, ([], False))):
                page = h.json("GET", "/v1/spaces/default/history/x?before=%d"
                              "&limit=%d&values=false" % (before, limit))
                equal(([v["version"] for v in page["versions"]],
                       page["more_versions"]), want, "a page from the end")
                check(all(v["bytes"] == 1 and "value" not in v
                          for v in page["versions"]), "no values")
            for wrong in ("after=-1", "limit=-1", "limit=10001", "limit=x",
                          "before=-1", "before=0&after=0"):
                h.ask("GET", "/v1/spaces/default/history/x?" + wrong, 400)
            h.ask("POST", "/v1/spaces/default/restore/x",
                  json={"version": versions[0]["version"]})
            equal(a.get("x"), 1, "the first")


def changes_are_told_as_they_come():
    with World() as w:
        a, b = w.mesh("a", "b")
        with Hub(a) as h:
            at = "/v1/spaces/default/watch"
            with h.ask("GET", at, stream=True) as r:
                equal(r.headers["Content-Type"], "text/event-stream", "SSE")
                told = events(r)
                equal(next(told)[0], "live", "from now")
                b.put("x", {"from": "b"})
                name, cursor, data = next(told)
                equal((name, data["key"], data["value"]),
                      ("change", "x", {"from": "b"}), "what b wrote")
            b.put("y", 2)
            a.waits_for("y", 2)
            with h.ask("GET", at, stream=True,
                       headers={"Last-Event-ID": cursor}) as r:
                told = events(r)
                name, _, data = next(told)
                equal((name, data["key"]), ("change", "y"), "what came since")
            h.ask("HEAD", at, 405)
            told = h.json("GET", "/v1/spaces/nowhere/watch", 404)
            holds(told["detail"], "nowhere")


class Socket:
    """python3-websockets, a call at a time."""

    def __init__(self, node, token, path="/v1/socket", **more):
        self.loop = asyncio.new_event_loop()

        async def dial():
            return await websockets.connect(
                "ws://%s%s" % (node.status()["listen"][0], path),
                subprotocols=["syncline.v1", "bearer." + token], **more)

        self.ws = self._do(dial())
        TRAFFIC.add(("GET", path))

    def _do(self, what):
        async def bounded():
            return await asyncio.wait_for(what, 20)
        return self.loop.run_until_complete(bounded())

    def send(self, **message):
        self._do(self.ws.send(json.dumps(message)))

    def read(self):
        return json.loads(self._do(self.ws.recv()))

    def ends(self):
        self._do(self.ws.wait_closed())
        return self.ws.close_code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._do(self.ws.close())
        self.loop.close()


def config_sync_instances_come_there_too():
    with World() as w:
        a, = w.nodes("a", flags=["--configsync.server", "true",
                                 "--configsync.port", "0"])
        made = json.loads(a.do("token", "create", "--name", "s", "--scope",
                               "write", "--space", "config", "--json"))
        with Socket(a, made["secret"], "/sync") as s:
            s.send(type="config_update", timestamp=1795220724.5,
                   instance_id="i", config_hash="", config_data={"x": 1})
            a.waits_for("config", {"x": 1}, "config")
        with Hub(a) as h:
            h.ask("GET", "/sync", 426)
            h.ask("POST", "/sync", 405)


def clients_of_isync_come_there_too():
    try:
        import socketio
    except ImportError:
        raise Skip("no python3-socketio") from None
    with World() as w:
        a, = w.nodes("a", flags=["--isync.enabled", "true", "--isync.port",
                                 "0", "--isync.clear", "true"])
        made = [json.loads(a.do("token", "create", "--name", n, "--scope",
                                scope, "--space", "config", "--json"))
                for n, scope in (("s", "write"), ("r", "read"))]
        url = "http://" + a.status()["listen"][0]
        for how in (["polling"], ["websocket"], None):
            session, told = requests.Session(), queue.Queue()
            token = {"Authorization": "Bearer " + made[0]["secret"]}
            session.headers.update(token)
            client = socketio.Client(reconnection=False, http_session=session)
            client.on("handshake_response", told.put)
            client.connect(url, transports=how, headers=token)
            client.emit("peer_handshake", {"node_id": "older"})
            equal(told.get(timeout=PATIENCE)["status"], "accepted", "handshake")
            equal(a.call("isync")["links"][0]["transport"],
                  "polling" if how == ["polling"] else "websocket", "by what")
            client.eio.queue.join()  # amid a POST it would go without a word
            client.disconnect()
            wait_for("it is gone", lambda: a.call("isync")["links"] == [])
        path = "/socket.io/?EIO=4&transport=polling"
        with Hub(a, "") as h:
            h.ask("GET", path, 401)
        with Hub(a, made[1]["secret"]) as h:
            h.ask("GET", path, 403)


def several_watches_share_a_socket():
    with World() as w:
        a, b = w.mesh("a", "b")
        a.do("space", "add", "notes")
        made = json.loads(a.do("token", "create", "--name", "s", "--space",
                               "notes", "--space", "default", "--json"))
        with Socket(a, made["secret"]) as s:
            equal(s.ws.subprotocol, "syncline.v1", "what is spoken")
            for i, space in enumerate(("default", "notes")):
                s.send(id=i, watch={"space": space})
                told = s.read()
                equal((told["id"], told["live"]), (i, True), "from now")
            b.put("x", 1)
            told = s.read()
            equal((told["id"], told["key"], told["value"]), (0, "x", 1), "x")
            a.put("y", 2, space="notes")
            told = s.read()
            equal((told["id"], told["key"]), (1, "y"), "y")
            s.send(id=0, stop=True)
            equal(s.read(), {"id": 0, "ok": True}, "no more of it")
            b.put("x", 3)
            a.waits_for("x", 3)
            a.put("z", 4, space="notes")
            equal(s.read()["key"], "z", "of the other alone")
            s.send(id=2, watch={"space": "_mesh"})
            equal(s.read()["code"], "EDENIED", "not its space")
            s.send(id=3, watch={"space": "notes", "op": "stop"})
            equal(s.read()["code"], "EINVAL", "nothing else goes through")
            a.do("token", "revoke", "s")
            equal(s.ends(), 1008, "who is let in no longer is shown out")


def no_space_named_is_the_default_one():
    with World() as w:
        a, = w.nodes("a")
        a.do("space", "add", "notes")
        made = json.loads(a.do("token", "create", "--name", "s", "--space",
                               "notes", "--json"))
        a.put("secret", 1)
        with Socket(a, made["secret"]) as s:
            for i, watch in enumerate(({"from": "start"}, {"space": ""},
                                       {"space": None}, {"space": ["notes"]},
                                       {"space": "default"})):
                s.send(id=i, watch=watch)
                told = s.read()
                check(told["code"] in ("EDENIED", "EINVAL"), told)


def who_does_not_read_is_not_answered():
    """Pipelined requests wait, rather than their answers."""
    with World() as w:
        a, = w.nodes("a")
        host, port = a.status()["listen"][0].rsplit(":", 1)
        n = 2000
        request = ("GET /openapi.json HTTP/1.1\r\nHost: %s:%s\r\n\r\n" % (
            host, port)).encode()
        before = a.status()["rss_bytes"]
        with socket.create_connection((host, int(port)), 20) as s:
            s.sendall(request * n)
            with Hub(a) as h:
                h.ask("GET", "/health")
            grown = a.status()["rss_bytes"] - before
            check(grown < 16 << 20, "it grew by %d MiB" % (grown >> 20))
            seen = 0
            with s.makefile("rb") as answers:
                while seen < n:
                    length = 0
                    equal(answers.readline(), b"HTTP/1.1 200 OK\r\n", "status")
                    for line in iter(answers.readline, b"\r\n"):
                        if line.lower().startswith(b"content-length:"):
                            length = int(line.split(b":")[1])
                    answers.read(length)
                    seen += 1
            equal(seen, n, "all of them in the end")


def who_may_not_gets_no_socket():
    with World() as w:
        a, = w.nodes("a")
        at = a.status()["listen"][0]
        with open(os.path.join(a.dir, "token")) as f:
            token = f.read().strip()
        for status, more, presented in (
                (401, {}, "wrong"),
                (403, {"origin": "http://evil.example"}, token)):
            try:
                Socket(a, presented, **more)
                check(False, "it was let in: %s" % more)
            except websockets.exceptions.InvalidStatusCode as e:
                equal(e.status_code, status, str(more))
        with Socket(a, token, origin="http://" + at) as s:
            s._do(s.ws.send(b"bytes"))
            equal(s.ends(), 1003, "text is wanted")
        with Hub(a) as h:
            h.ask("GET", "/v1/socket", 426)


def a_stream_ends_with_its_token():
    with World() as w:
        a, = w.nodes("a")
        made = json.loads(a.do("token", "create", "--name", "s", "--json"))
        with Hub(a, made["secret"]) as h:
            with h.ask("GET", "/v1/spaces/default/watch", stream=True) as r:
                told = events(r)
                equal(next(told)[0], "live", "from now")
                a.do("token", "revoke", "s")
                name, _, data = next(told)
                equal((name, data["code"]), ("end", "EDENIED"), "the end")


def a_conflict_is_settled():
    with World(relayed=True) as w:
        a, b = w.mesh("a", "b")
        a.put("x", 0)
        b.waits_for("x", 0)
        w.relay.cut("a")
        wait_for("they are apart", lambda: not a.connected())
        a.put("x", "a")
        b.put("x", "b")
        w.relay.mend("a")
        wait_for("a conflict", lambda: conflicts(a))
        with Hub(a) as h:
            one, = h.json("GET", "/v1/conflicts")["conflicts"]
            h.ask("POST", "/v1/conflicts/" + one["id"], json={"take": "loser"})
            equal(h.json("GET", "/v1/conflicts")["conflicts"], [], "settled")
            equal(a.get("x"), one["loser"]["value"], "as was chosen")
            told, = h.json("GET", "/v1/conflicts?all=true")["conflicts"]
            equal((told["state"], told["now"]["value"], told["now"]["name"]),
                  ("resolved", one["loser"]["value"], "a"), "what is now")
        a.call("audit")
        with open(os.path.join(a.dir, "audit.log")) as log:
            record = [r for r in map(json.loads, log)
                      if r["kind"] == "resolve"][-1]
        equal(record["details"], {"id": one["id"], "space": "default",
                                  "take": "loser"}, "how it was settled")
        check("token" in record["who"], "by whom")
        holds(a.do("conflicts", "default", "--all"), "(the loser's)",
              "by a,")


def policies_are_told_of_all_that_a_token_has():
    with World() as w:
        a, = w.nodes("a")
        for space in ("notes", "other"):
            a.do("space", "add", space)
        a.do("policy", "notes", "manual")
        made = json.loads(a.do("token", "create", "--name", "s", "--space",
                               "notes", "--json"))

        def told(hub, query=""):
            return {(p["space"], p["policy"]) for p in hub.json(
                "GET", "/v1/policies" + query)["policies"]}
        with Hub(a) as h, Hub(a, made["secret"]) as one:
            equal(told(h), {("config", "lww"), ("default", "lww"), ("notes", "manual"),
                            ("other", "lww")}, "of all")
            equal(told(h, "?space=other"), {("other", "lww")}, "of one")
            equal(told(one), {("notes", "manual")}, "of its own")
            one.ask("GET", "/v1/policies?space=other", 403)
            one.ask("GET", "/v1/spaces", 403)


def a_space_goes_if_that_is_meant():
    with World() as w:
        a, = w.nodes("a")
        a.do("space", "add", "notes")
        for i in range(3):
            a.put("k%d" % i, i, space="notes")
        a.refuses("space", "rm", "notes", code=2, says="--yes")
        equal(a.get("k0", space="notes"), 0, "it is still there")
        holds(a.do("space", "rm", "notes", "--yes"), "notes", "deleted: 3")
        a.call("audit")
        with open(os.path.join(a.dir, "audit.log")) as log:
            told = {r["kind"]: r["details"] for r in map(json.loads, log)}
        equal((told["space"], told["space-removed"]),
              ({"space": "notes"}, {"space": "notes", "items": 3}),
              "the audit log")


def the_mesh_is_shown_and_changed():
    with World() as w:
        a, b = w.mesh("a", "b")
        with Hub(a) as h:
            peer, = h.json("GET", "/v1/peers")["peers"]
            equal((peer["name"], peer["state"]), ("b", "connected"), "b")
            h.ask("PUT", "/v1/spaces/notes")
            h.ask("PUT", "/v1/spaces/notes", 409)
            names = [s["name"] for s in h.json("GET", "/v1/spaces")["spaces"]]
            check("notes" in names, names)
            check(h.json("GET", "/v1/verify")["agree"], "they agree")
            code = h.json("POST", "/v1/invitations",
                          json={"role": "reader"})["code"]
            c, = w.nodes("c")
            c.do("join", code)
            members = h.json("GET", "/v1/members")["members"]
            equal(sorted(m["role"] for m in members),
                  ["admin", "admin", "reader"], "three")
            a.call("audit")
            with open(os.path.join(a.dir, "audit.log")) as log:
                invited = [r for r in map(json.loads, log)
                           if r["kind"] == "invite"][-1]
            equal(sorted(invited["who"]), ["address", "token"], "by whom")
            equal(invited["who"]["address"], "127.0.0.1", "where from")
            for path, body in (("/v1/pending", {"for_s": "x"}),
                               ("/v1/invitations", {"expires_s": 1.5}),
                               ("/v1/invitations", {"spaces": "notes"}),
                               ("/v1/invitations", {"unknown": 1})):
                told = h.json("POST", path, 400, json=body)
                holds(told["detail"], list(body)[0])
            h.ask("DELETE", "/v1/members/c")
            equal(len(h.json("GET", "/v1/members")["members"]), 2, "two")
            h.ask("DELETE", "/v1/spaces/notes")
            health = h.json("GET", "/health")
            equal((health["status"], health["ready"]), ("healthy", True),
                  "well")
            equal(health["connected_clients"], 1, "b alone")
            check(abs(health["timestamp"] - time.time()) < 60, health)


def every_operation_is_described():
    """What the document says is answered, and by nothing but what it says."""
    with World() as w:
        a, = w.nodes("a")
        with Hub(a) as h, Hub(a, "") as nobody:
            doc = h.json("GET", "/openapi.json")
            equal(doc["openapi"], "3.1.0", "its version")
            seen = set()
            for path, methods in doc["paths"].items():
                for method, op in methods.items():
                    check(op["operationId"] not in seen, op["operationId"])
                    seen.add(op["operationId"])
                    equal({p["name"] for p in op["parameters"]
                           if p["in"] == "path"},
                          {s[1:-1] for s in path.split("/")
                           if s.startswith("{")}, path)
                    at = path.replace("{", "").replace("}", "")
                    r = nobody.session.request(
                        method, nobody.base + at, timeout=20)
                    equal(r.status_code,
                          401 if op.get("security") != [] else
                          200 if method == "get" else 403,
                          "%s %s" % (method, path))
                options = h.ask("OPTIONS", at, 405).headers["Allow"]
                named = {m.upper() for m in methods}
                if "GET" in named and path != "/sync" and not path.endswith((
                        "/watch", "/socket")):
                    named.add("HEAD")
                equal(set(options.split(", ")), named, path)
            check(len(seen) > 30, sorted(seen))


def figures_are_told_in_both_formats():
    with World() as w:
        a, = w.nodes("a")
        with Hub(a) as h:
            r = h.ask("GET", "/metrics")
            holds(r.headers["Content-Type"], "text/plain; version=0.0.4")
            holds(r.text, "# TYPE syncline_")
            r = h.ask("GET", "/metrics",
                      headers={"Accept": "application/openmetrics-text"})
            holds(r.headers["Content-Type"], "application/openmetrics-text")
            check(r.text.endswith("# EOF\n"), "its end")


def a_token_is_good_for_what_it_says():
    with World() as w:
        a, = w.nodes("a")
        a.do("space", "add", "notes")

        def token(name, *more):
            return json.loads(a.do("token", "create", "--name", name, *more,
                                   "--json"))["secret"]

        reader = token("r", "--scope", "read")
        noter = token("n", "--scope", "write", "--space", "notes")
        with Hub(a, reader) as h:
            h.ask("GET", ITEMS)
            told = h.json("PUT", ITEMS + "/x", 403, json=1)
            holds(told["detail"], "write")
            h.ask("GET", "/metrics")
            h.ask("POST", "/v1/invitations", 403, json={})
        with Hub(a, noter) as h:
            h.ask("PUT", "/v1/spaces/notes/items/x", json=1)
            h.ask("GET", "/v1/spaces/notes/watch", stream=True).close()
            h.ask("GET", ITEMS, 403)
            h.ask("GET", "/v1/status", 403)
            h.ask("GET", "/v1/conflicts", 403)
            h.ask("GET", "/v1/conflicts?space=notes")
            h.ask("POST", "/v1/rescue", 403,
                  json={"space": "notes", "take": "drop", "all": True})
        a.do("token", "revoke", "r")
        with Hub(a, reader) as h:
            h.ask("GET", ITEMS, 401)


def curl_gets_along():
    with World() as w:
        a, = w.nodes("a")
        token = os.path.join(a.dir, "token")
        with open(token) as f:
            head = "Authorization: Bearer " + f.read().strip()

        def curl(*args):
            r = subprocess.run(
                ["curl", "-sS", "--noproxy", "*", "--max-time", "20", "-H",
                 head, *args], capture_output=True, check=True)
            return r.stdout.decode()

        at = "http://%s%s/x" % (a.status()["listen"][0], ITEMS)
        curl("-X", "PUT", "-H", "Content-Type: application/json", "-d",
             json.dumps({"big": "x" * 100000}), at)
        equal(json.loads(curl(at)), {"big": "x" * 100000}, "a large one")
        equal(curl("-o", "/dev/null", "-w", "%{http_code} %{num_connects}",
                   at, "-o", "/dev/null", at), "200 1200 0", "kept alive")


def many_callers_come_and_go():
    """Each connection anew: HTTP from here costs no handshake, so nobody is
    told to slow down."""
    with World() as w:
        a, = w.nodes("a")
        with Hub(a) as h:
            h.session.headers["Connection"] = "close"
            for _ in range(150):
                h.ask("GET", "/health")
            equal(a.status()["hasty"], 0, "nobody was too hasty")


if __name__ == "__main__":
    sys.exit(main(globals()))
