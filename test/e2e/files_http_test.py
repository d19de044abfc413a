#!/usr/bin/python3
"""Files that are bound over HTTP: listed, bound where that may be, shown
without what is none of the asker's business, put back, let go."""

import json
import os
import sys

from bound import TEXT, Site, bind, file_of, read, says, write
from hub import Hub
from node import World, main, wait_for
from tap import check, equal, holds

FILES = "/v1/files"


def _hub(node, *token):
    secret = json.loads(node.do("token", "create", "--json", *token))["secret"]
    return Hub(node, secret)


def _listed(h, state=None):
    def look():
        one, = h.json("GET", FILES)["bindings"]
        return one if state is None or one["state"] == state else None
    return wait_for("the file is %s" % state, look)


def a_bound_file_is_seen_and_seen_to():
    with World() as w:
        a, b = Site(w, "a", "b").nodes
        write(file_of(a), '{"a": 1, "host": "here"}')
        bind(a, "--local", "/host", "--on-change", "echo secret >/dev/null")
        b.waits_for("app", {"a": 1})
        with Hub(a) as h:
            one = _listed(h, "in sync")
            equal((one["file"], one["key"], one["runs"], one["troubles"]),
                  (file_of(a), "app", True, []))
            check("secret" not in json.dumps(one), "a command is told")
            at = FILES + "/" + one["id"]
            write(file_of(a), '{"a": 2, "host": "there"}')
            b.waits_for("app", {"a": 2})
            names = wait_for("two versions", lambda: (
                lambda v: v if len(v) > 1 else None)(
                    h.json("GET", at + "/versions")["versions"]))
            told = h.json("GET", at + "/versions/" + names[0])
            equal((told["version"], told["value"]), (names[0], {"a": 1}),
                  "without what stays here")
            equal(h.json("GET", at + "/versions/latest")["value"], {"a": 2})
            h.ask("GET", at + "/versions/..%2Fbindings.json", 400)
            told = h.json("POST", at + "/rollback", json={
                "version": names[0]})
            equal(told["version"], names[0])
            b.waits_for("app", {"a": 1})
            equal(json.loads(read(file_of(a))), {"a": 1, "host": "here"},
                  "all that it was")
            h.ask("POST", at + "/rollback", 400, json={})
            h.ask("POST", at + "/rollback", 404, json={"to": 1})
            os.unlink(file_of(a))
            holds(_listed(h, "trouble")["troubles"][0]["code"], "file-missing")
            h.json("POST", at + "/restore")
            equal(json.loads(read(file_of(a))), {"a": 1, "host": "here"})
            h.ask("DELETE", FILES + "/0123456789abcdef", 404)
            h.ask("DELETE", at)
            equal(h.json("GET", FILES)["bindings"], [])
        a.call("audit")
        with open(os.path.join(a.dir, "audit.log"), encoding="utf-8") as f:
            kinds = [r["kind"] for r in map(json.loads, f)]
        for kind in ("bind", "rollback", "unbind"):
            check(kind in kinds, "%s is not audited" % kind)


def what_a_schema_forbids_is_told_with_its_place():
    with World() as w:
        a, = Site(w, "a").nodes
        write(w.path("schema"), '{"properties": {"b": {"maximum": 9}}}')
        a.do("policy", "default", "", "--schema", w.path("schema"))
        write(file_of(a), TEXT)
        bind(a)
        write(file_of(a), TEXT.replace("2", "11"))
        with Hub(a) as h:
            trouble, = _listed(h, "trouble")["troubles"]
            equal(trouble["code"], "file-refused")
            holds(trouble["text"], "/b", "maximum")
            error = wait_for("the list of errors has it", lambda: [
                e for e in h.json("GET", "/v1/errors")["errors"]
                if e["code"] == "file-refused"])[0]
            holds(error["what"], file_of(a), "/b", "maximum")
            equal(h.json("GET", "/v1/status")["files"],
                  {"bound": 1, "troubled": 1})
            write(file_of(a), TEXT)
            _listed(h, "in sync")


def nobody_binds_by_a_token_where_that_was_not_said_by_hand():
    with World() as w:
        a, = Site(w, "a").nodes
        write(file_of(a), TEXT)
        with Hub(a) as h:
            told = h.json("POST", FILES, 403, json={
                "file": file_of(a), "key": "app"})
            holds(told["detail"], "files.http", "by hand")
            for name, value in (("files.http", True), ("files.root", ["/"])):
                told = h.json("PATCH", "/v1/config", 403, json={name: value})
                holds(told["detail"], "by hand")
            equal(h.json("GET", FILES)["bindings"], [])
        equal(a.call("ls")["items"], [])


def where_it_may_be_only_what_is_below_the_roots_is_bound():
    with World() as w:
        a, b = Site(w, "a", "b", flags=["--files.http", "true"]).nodes
        outside = w.path("outside.json")
        write(outside, TEXT)
        write(file_of(a), TEXT)
        os.symlink(outside, file_of(a, "link.json"))
        os.symlink(w.folder, file_of(a, "door"))
        with Hub(a) as h:
            for path, part in ((outside, "files.root"),
                               (file_of(a, "../outside.json"), "files.root"),
                               (os.path.join(a.dir, "token"), "files.root"),
                               ("/etc/shadow", "files.root"),
                               (file_of(a, "link.json"), "symbolic link"),
                               (file_of(a, "door/outside.json"),
                                "symbolic link")):
                told = h.json("POST", FILES, 403, json={
                    "file": path, "key": "x"})
                holds(told["detail"], part)
            for name, value in (("on_change", "id > /tmp/x"), ("revert", True),
                                ("versions_at", "/etc"), ("timeout_ms", 5)):
                h.ask("POST", FILES, 400, json={
                    "file": file_of(a), "key": "x", name: value})
            h.ask("POST", FILES, 400, json={"file": "app.json", "key": "x"})
            equal(a.call("ls")["items"], [])
            one = h.json("POST", FILES, json={
                "file": file_of(a), "key": "app", "local": ["/b"],
                "schema": {"properties": {"a": {"maximum": 5}}}})
            equal((one["state"], one["runs"]), ("in sync", False))
            b.waits_for("app", {"a": 1})
            b.put("app", {"a": 4})
            wait_for("it is written",
                     lambda: says(file_of(a), {"a": 4, "b": 2}))
            h.ask("POST", FILES, 409, json={"file": file_of(a), "key": "y"})
            at = FILES + "/" + one["id"]
        for token in (("--name", "w", "--scope", "write"),
                      ("--name", "r", "--scope", "read")):
            with _hub(a, *token) as h:
                for method, path in (
                        ("GET", FILES), ("POST", FILES), ("DELETE", at),
                        ("GET", at + "/versions"), ("POST", at + "/restore"),
                        ("GET", at + "/versions/latest"),
                        ("POST", at + "/rollback")):
                    h.ask(method, path, 403)


if __name__ == "__main__":
    sys.exit(main(globals()))
