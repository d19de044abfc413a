#!/usr/bin/python3
"""The pages and files of the older iSync and iControl: what they answer, to the
last member; what is changed by them; what is taken of their files."""

import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

from hub import Hub
from isync_scene import TOKEN, Scene
from isync_scene import item as _item
from isync_scene import wait_for
from node import main
from tap import check, equal, holds


def _ask(url, data=None, **fields):
    request = urllib.request.Request(url, headers=fields, data=(
        urllib.parse.urlencode(data).encode() if data is not None else None))

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    try:
        answer = urllib.request.build_opener(Stay).open(request, timeout=10)
    except urllib.error.HTTPError as why:
        answer = why
    return answer.status, answer.read().decode(), answer.headers


def the_older_pages_are_there():
    with Scene(flags=("--isync.pages", "local")) as s:
        node, url = s.nodes["a"], s.url()
        node.put("_id", {"a": 1}, "config")
        wait_for("it is told", lambda: node.call("isync")["registers"] == 1)
        for path in ("/", "/peers", "/config", "/isync", "/isync/config",
                     "/config/edit/max_peers"):
            status, body, fields = _ask(url + path)
            equal(status, 200, path)
            holds(body, "<h1>")
            holds(fields["Content-Security-Policy"], "default-src 'none'")
        status, body, _ = _ask(url + "/api/stats")
        stats = json.loads(body)
        equal(body, json.dumps(stats, sort_keys=True,
                               separators=(",", ":")) + "\n", "its form")
        equal(sorted(stats), ["connected_peers", "database_stats", "node_id",
                              "sync_state"], "its members")
        equal(stats["sync_state"]["lww_registers_count"], 1, "registers")
        equal(stats["sync_state"]["vector_clock"], {stats["node_id"]: 1},
              "its clock")
        status, body, _ = _ask(url + "/api/isync/status")
        told = json.loads(body)
        equal(body, json.dumps(told, sort_keys=True,
                               separators=(",", ":")) + "\n", "its form")
        equal((told["has_token"], told["sync_enabled"], told["peer_urls"]),
              (True, True, []), "what it says")
        for path, data, to in (
                ("/connect_peer", {"peer_url": "http://127.0.0.1:9"},
                 "/peers"),
                ("/sync_now", {}, "/"), ("/isync/sync_now", {}, "/isync"),
                ("/isync/toggle", {}, "/isync"),
                ("/config/edit/max_peers", {"value": "5"}, "/config"),
                ("/config/edit/none", {"value": "5"}, "/config")):
            status, body, fields = _ask(url + path, data)
            equal((status, fields["Location"]), (302, to), path)
        wait_for("it is set", lambda: node.do(
            "config", "get", "isync.max_peers").strip() == "5")
        told = json.loads(_ask(url + "/api/isync/status")[1])
        equal((told["sync_enabled"], told["peer_urls"]),
              (False, ["http://127.0.0.1:9"]), "what it says")
        equal(_ask(url + "/isync/config", {
            "peer_urls": "http://127.0.0.1:7, http://127.0.0.1:8",
            "isync_token": "another"})[0], 302, "settings")
        wait_for("they are", lambda: json.loads(
            _ask(url + "/api/isync/status")[1])["peer_urls"][-2:] == [
                "http://127.0.0.1:7", "http://127.0.0.1:8"])
        with open(os.path.join(node.dir, "isync.token")) as file:
            equal(file.read(), "another\n" + TOKEN + "\n", "the token")
        equal(_ask(url + "/sync_now")[0], 405, "the wrong way")
        equal(_ask(url + "/nothing")[0], 404, "no page")


def pages_are_safe():
    """What others say is text; pages of others do nothing; nobody else looks."""
    with Scene(flags=("--isync.pages", "local")) as s:
        url = s.url()
        bad = "http://127.0.0.1:9/<script>alert(1)</script>"
        _ask(url + "/connect_peer", {"peer_url": "http://x\"><script>"})
        _ask(url + "/connect_peer", {"peer_url": bad})
        check("<script>" not in _ask(url + "/peers")[1], "markup")
        before = json.loads(_ask(url + "/api/isync/status")[1])
        for fields in ({"Origin": "http://evil.example"},
                       {"Host": "evil.example"},
                       {"Origin": "null"},
                       {"Sec-Fetch-Site": "cross-site"}):
            status, _, _ = _ask(url + "/isync/toggle", {}, **fields)
            check(status in (400, 403, 421), "%s: %d" % (fields, status))
        equal(json.loads(_ask(url + "/api/isync/status")[1])["sync_enabled"],
              before["sync_enabled"], "nothing has changed")
        told = [c["text"] for c in s.nodes["a"].call("doctor")["checks"]
                if c["name"] == "isync-name"]
        holds(told[0], "4 requests", "isync.hosts")
    with Scene() as s:
        equal(_ask(s.url() + "/")[0], 200, "this machine looks")
        equal(_ask(s.url() + "/isync/toggle", {})[0], 403, "and no more")
    with Scene(flags=("--isync.pages", "none")) as s:
        equal(_ask(s.url() + "/")[0], 404, "there is none")


# ---- what is answered, exactly ----

STATS = {
    "connected_peers": int,
    "database_stats": {
        "file_size_bytes": int, "file_size_mb": float,
        "tables": {"config": int, "peers": int, "sync_history": int},
        "total_records": int, "total_tables": int},
    "node_id": str,
    "sync_state": {"deleted_keys_count": int, "lww_registers_count": int,
                   "vector_clock": {"": int}}}
STATUS = {
    "connected_peers": int, "connected_to": [str], "encryption_ready": bool,
    "has_token": bool, "last_sync_time": (int, float), "node_id": str,
    "peer_urls": [str], "sync_enabled": bool}


def _fits(value, shape, at):
    """The same members, and no others, of the same types."""
    if isinstance(shape, dict):
        equal(type(value), dict, at)
        if list(shape) != [""]:
            equal(sorted(value), sorted(shape), "members of " + at)
        for name, member in value.items():
            _fits(member, shape[name if name in shape else ""],
                  at + "." + name)
    elif isinstance(shape, list):
        equal(type(value), list, at)
        for member in value:
            _fits(member, shape[0], at + "[]")
    else:
        kinds = shape if isinstance(shape, tuple) else (shape,)
        check(type(value) in kinds, "%s: %r" % (at, value))


def _free(*flags):
    """A scene whose options come from the file, so that they can be set."""
    s = Scene()
    s.flags = ["--isync.enabled", "true", "--isync.port", "0",
               "--isync.dial_max", "1s"] + list(flags)
    return s


def answers_have_the_members_that_they_had():
    """On the port of its own and on the node's own one, empty and not."""
    with _free("--isync.pages", "local") as s:
        node, hub = s.nodes["a"], s.stack.enter_context(Hub(s.nodes["a"]))

        def answers():
            for path, shape in (("/api/stats", STATS),
                                ("/api/isync/status", STATUS)):
                status, text, fields = _ask(s.url() + path)
                other = hub.ask("GET", path)
                equal(status, 200, path)
                for body, kind in ((text, fields["Content-Type"]),
                                   (other.text,
                                    other.headers["Content-Type"])):
                    holds(kind, "application/json")
                    value = json.loads(body)
                    equal(body, json.dumps(
                        value, sort_keys=True, separators=(",", ":")) + "\n",
                          "as Flask prints it")
                    _fits(value, shape, path)
                yield value

        stats, told = answers()
        equal(stats["database_stats"]["tables"],
              {"config": 4, "peers": 0, "sync_history": 0}, "empty tables")
        equal(told["last_sync_time"], 0, "never")
        equal(type(told["last_sync_time"]), int, "as it was: no fraction")
        old = s.old("old")
        url = "http://127.0.0.1:%d" % old.do("serve")
        node.do("isync", "connect", url)
        old.put(a=1, b=2)
        wait_for("it has come", lambda: (_item(node) or {}).get("b") == 2)
        old.delete("b")
        wait_for("it is gone", lambda: (_item(node) or {}) == {"a": 1})
        wait_for("its file is there", lambda: os.path.exists(
            os.path.join(node.dir, "isync.json")))
        stats, told = answers()
        tables = stats["database_stats"]["tables"]
        equal((tables["config"], tables["peers"]), (4, 1), "rows")
        check(tables["sync_history"] >= 1, "one a packet that was merged")
        equal(stats["database_stats"]["total_records"], sum(tables.values()),
              "all of them")
        check(stats["database_stats"]["file_size_bytes"] > 0, "its file")
        equal(stats["connected_peers"], 1, "peers")
        equal(stats["sync_state"]["lww_registers_count"], 1, "registers")
        equal(stats["sync_state"]["deleted_keys_count"], 1, "deletions")
        check("old" in stats["sync_state"]["vector_clock"], "its clock")
        equal((told["connected_to"], told["peer_urls"]), ([url], [url]),
              "whom it calls")
        equal((told["has_token"], told["encryption_ready"]), (True, True), "")
        check(abs(told["last_sync_time"] - time.time()) < 600, "when")
        equal(told["node_id"], stats["node_id"], "one name")
        for path, words in (
                ("/peers", [url, "peer_url", "/connect_peer"]),
                ("/config", ["node_id", told["node_id"], "peer_discovery_url",
                             "auto_sync_interval", ">30<", "max_peers",
                             ">3<"]),
                ("/config/edit/max_peers", ["value", "description"]),
                ("/isync/config", ["auto_discover", "checked", "peer_urls",
                                   url, "isync_token"]),
                ("/isync", [url, "/isync/toggle"])):
            status, text, fields = _ask(s.url() + path)
            other = hub.ask("GET", path)
            for body, kind in ((text, fields["Content-Type"]),
                               (other.text, other.headers["Content-Type"])):
                holds(kind, "text/html")
                holds(body, *words)
                check(TOKEN not in body, "the token is shown")
            equal(status, 200, path)


def what_is_posted_holds_and_is_kept():
    """Over a restart, from either port."""
    with _free("--isync.pages", "local") as s:
        node = s.nodes["a"]

        def own(path, **form):
            status, _, fields = _ask(s.url() + path, form)
            equal(status, 302, path)
            return fields["Location"]

        def by_hub(path, **form):
            if "auto_discover" in form:
                form["auto_discover"] = form["auto_discover"] == "on"
            with Hub(node) as hub:
                return hub.ask("POST", path, 302, json=form,
                               allow_redirects=False).headers["Location"]

        def option(name):
            return node.do("config", "get", "isync." + name).strip()

        def is_set(**want):
            for name, value in want.items():
                wait_for("%s is %s" % (name, value),
                         lambda n=name, v=value: option(n) == v)

        for post, n in ((own, 1), (by_hub, 2)):
            there = "http://127.0.0.1:%d/list.json" % n
            post("/isync/config", auto_discover="on")
            is_set(auto_discover="true")
            for key, value in (("max_peers", str(n)),
                               ("auto_sync_interval", str(40 + n)),
                               ("peer_discovery_url", there)):
                equal(post("/config/edit/" + key, value=value,
                           description="x"), "/config", key)
            is_set(max_peers=str(n), interval=str(40 + n),
                   discovery_url=there)
            equal(node.call("isync")["discovery"]["url"], there, "at once")
            holds(_ask(s.url() + "/config")[1], ">%d<" % (40 + n), there)
            for bad in ("many", "-1", "99999"):
                post("/config/edit/max_peers", value=bad)
            urls = ["http://127.0.0.1:%d" % (7 + n), "http://127.0.0.1:3"]
            equal(post("/isync/config", peer_urls=", ".join(urls),
                       auto_discover="", isync_token="t%d" % n)
                  if post is by_hub else
                  post("/isync/config", peer_urls=", ".join(urls),
                       isync_token="t%d" % n), "/isync/config", "settings")
            is_set(auto_discover="false", max_peers=str(n))
            equal(node.call("isync")["discovery"]["url"], None, "at once")
            was = node.call("isync")["paused"]
            equal(post("/isync/toggle"), "/isync", "on or off")
            equal(node.call("isync")["paused"], not was, "it is")
            for again in (False, True):
                if again:
                    node.stop()
                    node.start()
                told = json.loads(_ask(s.url() + "/api/isync/status")[1])
                equal((sorted(told["peer_urls"]), told["sync_enabled"]),
                      (sorted(urls), was), "again: %s" % again)
                is_set(auto_discover="false", max_peers=str(n),
                       interval=str(40 + n), discovery_url=there)
                check("checked" not in _ask(s.url() + "/isync/config")[1],
                      "the box")
            with open(os.path.join(node.dir, "isync.token")) as file:
                equal(file.read().split("\n")[0], "t%d" % n, "the token")
            # What is left out is as it was, but for a box of a form.
            post("/isync/config", auto_discover="on")
            is_set(auto_discover="true")
            told = json.loads(_ask(s.url() + "/api/isync/status")[1])
            equal(sorted(told["peer_urls"]), sorted(urls), "as they were")
            holds(_ask(s.url() + "/isync/config")[1], "checked")
            post("/isync/config", peer_urls="")
            told = json.loads(_ask(s.url() + "/api/isync/status")[1])
            equal(told["peer_urls"], [], "none")
            is_set(auto_discover="false" if post is own else "true")


# ---- their files ----

def _row(**fields):
    ident = str(uuid.uuid4())
    return ident, dict(fields, id=ident)


def _table(*rows):
    return dict(rows)


def _write(path, tables):
    with open(path, "w") as file:
        json.dump(tables, file, indent=2)


def a_file_of_isync_is_imported():
    """As the older program writes it: an object of tables, of records by ids
    that are in them, too."""
    with Scene() as s:
        node, path = s.nodes["a"], s.world.path("iSync.iax")
        key, setting = _row(key="banner_id", value="hello",
                            description="what is shown")
        tables = {
            "config": _table(
                _row(key="node_id", value="b9b3f2a0-1", description="Node"),
                _row(key="peer_discovery_url", description="List",
                     value="https://tech.eus/isyncpeers.json"),
                _row(key="auto_sync_interval", value="30", description=""),
                _row(key="max_peers", value="3", description=""),
                (key, setting)),
            "peers": _table(
                _row(url="http://192.0.2.1:5342", status="saved",
                     added_at="2026-11-20T12:34:56.789012"),
                _row(url="http://192.0.2.2:5342", status="saved",
                     added_at="2026-11-21T12:34:56")),
            "sync_history": _table(*[
                _row(peer_node_id="p%d" % i, status="success",
                     timestamp="2026-11-20T12:34:56.789012")
                for i in range(5)])}
        _write(path, tables)
        for dry in (True, False):
            result = node.cli("import", "--isync", path,
                              *(["--dry-run"] if dry else []))
            equal(result.code, 0, str(result))
            holds(result.err, 'isync.node_id: "b9b3f2a0-1"',
                  'isync.discovery_url: "https://tech.eus/isyncpeers.json"',
                  'isync.interval: "30"', 'isync.max_peers: "3"',
                  "syncline isync connect http://192.0.2.1:5342",
                  "syncline isync connect http://192.0.2.2:5342",
                  "sync_history: 5 rows", "not stored")
            if dry:
                holds(result.out, "config: 1 records", "peers: 0 records",
                      "sync_history: 0 records")
                equal(_item(node, key), None, "nothing yet")
        equal(_item(node, key), setting, "the record")
        listed = node.do("ls", "config").split()
        equal([k for k in listed if "/" in k], [], "none of another table")
        wait_for("and it is shared", lambda: node.call("isync")[
            "registers"] >= 1)


def a_file_that_is_none_is_told_of():
    """Half written, empty, of somebody else; of a good one a part is stored."""
    with Scene() as s:
        node, path = s.nodes["a"], s.world.path("iControl.iax")
        whole = json.dumps({"config": _table(_row(key="a_id", value="1"))},
                           indent=2)
        for text, says in (("", "it is empty"), (whole[:40], "line "),
                           ("<html>", "a value was expected"),
                           ("[]", "no tables")):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            result = node.cli("import", "--isync", path)
            equal(result.code, 1, text)
            holds(result.err, path, says, "0 records are stored")
            check("lines up to" not in result.err, result.err)
        equal(node.do("ls", "config"), "", "nothing is stored")
        _write(path, {"config": dict([_row(key="a_id", value="1")] +
                                     [("k" * 2000, {"v": 1})])})
        holds(node.cli("import", "--isync", path).err, "record 2",
              "1 records are stored")


def a_file_of_icontrol_is_imported():
    with Scene() as s:
        node, path = s.nodes["a"], s.world.path("iControl.iax")
        device = _row(name="lamp", ip="192.0.2.9", on=True)
        menu = _row(name="home", items=["a", {"b": 1.5}])
        note = _row(text="milk", when="2026-11-20T12:34:56")
        theme = ("user_id", {"id": "user_id", "key": "theme",
                             "value": "dark", "description": ""})
        tables = {
            "devices": _table(device), "menus": _table(menu),
            "recordatorios": _table(note),
            "config": _table(
                _row(key="isync_enabled", value="false", description=""),
                _row(key="isync_auto_discover", value="true"),
                _row(key="isync_peer_urls",
                     value="http://192.0.2.1:5342,http://192.0.2.2:5342"),
                _row(key="isync_token", value="t0p"), theme)}
        _write(path, tables)
        result = node.cli("import", "--isync", path)
        equal(result.code, 0, str(result))
        holds(result.err, 'isync.enabled: "false"',
              'isync.auto_discover: "true"', "isync_token is not stored",
              'isync.peers: "http://192.0.2.1:5342,http://192.0.2.2:5342"')
        check("t0p" not in result.err + result.out, "the token is shown")
        for name, (ident, record) in (("devices", device), ("menus", menu),
                                      ("recordatorios", note)):
            equal(_item(node, name + "/" + ident), record, name)
        equal(_item(node, "user_id"), theme[1], "its record of config")
        equal(len(node.do("ls", "config").split()), 4, "and no more")
        for value in node.call("isync"), node.status():
            check("t0p" not in json.dumps(value), "it is nobody's item")


def their_files_are_imported():
    with Scene() as s:
        node = s.nodes["a"]
        path = s.world.path("iControl.iax")
        tables = {
            "config": {
                "c1": {"id": "c1", "key": "isync_token", "value": "t0p"},
                "c2": {"id": "c2", "key": "max_peers", "value": "3"},
                "user_id": {"id": "user_id", "key": "theme", "value": "dark"},
                "_id": {"id": "_id", "lang": "eu"}},
            "devices": {"d.1": {"id": "d.1", "name": "lamp"}},
            "menus": [{"name": "one"}, {"id": "m2", "name": "two"}]}
        with open(path, "w") as file:
            json.dump(tables, file, indent=2)
        result = node.cli("import", "--isync", path, "--dry-run")
        equal(result.code, 0, str(result))
        holds(result.out, "config: 2 records", "devices: 1 records",
              "menus: 2 records (an old list)")
        holds(result.err, "isync.max_peers", "isync key --take")
        check("t0p" not in result.err + result.out, "the token is shown")
        equal(node.get("user_id", "config"), None, "nothing is stored")
        node.do("import", "--isync", path)
        equal(node.get("user_id", "config"), tables["config"]["user_id"], "it")
        equal(node.get("devices/d.1", "config"), {"id": "d.1", "name": "lamp"},
              "of another table")
        equal(node.get("menus/row-1", "config"), {"name": "one"}, "of a list")
        equal(node.get("menus/m2", "config")["name"], "two", "with its id")
        equal(node.get("c1", "config"), None, "the token is nobody's item")
        for text, says in (("[1]", "no tables"), ("{", "line 1"),
                           ('{"config":{"a":3}}', "record 1: it is no object"),
                           ('{"config":7}', "no table")):
            with open(path, "w") as file:
                file.write(text)
            holds(node.cli("import", "--isync", path).err, says)


if __name__ == "__main__":
    sys.exit(main(globals()))
