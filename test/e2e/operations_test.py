#!/usr/bin/python3
"""What a page that shows a node needs, over HTTP and by the command line."""

import json
import sys

from hub import Hub
from node import World, main
from tap import equal, holds

ITEMS = "/v1/spaces/default/items"
JSON_PATCH = {"Content-Type": "application/json-patch+json"}


def a_list_of_operations_is_carried_out_or_not_at_all():
    with World() as w:
        a, b = w.mesh("a", "b")
        with Hub(a) as h:
            h.ask("PUT", ITEMS + "/x", json={"n": 1, "list": ["a", "c"]})
            h.ask("PATCH", ITEMS + "/x", headers=JSON_PATCH, json=[
                {"op": "test", "path": "/n", "value": 1},
                {"op": "replace", "path": "/n", "value": 2},
                {"op": "add", "path": "/list/1", "value": "b"},
                {"op": "copy", "from": "/list", "path": "/more"},
                {"op": "move", "from": "/n", "path": "/m"},
                {"op": "remove", "path": "/more/0"}])
            now = {"m": 2, "list": ["a", "b", "c"], "more": ["b", "c"]}
            equal(h.json("GET", ITEMS + "/x"), now, "patched")
            b.waits_for("x", now)
            told = h.json("PATCH", ITEMS + "/x", 412, headers=JSON_PATCH, json=[
                {"op": "remove", "path": "/list"},
                {"op": "test", "path": "/m", "value": 3}])
            equal(told["code"], "ECONFLICT", "the code")
            holds(told["detail"], "patch[1] test /m")
            equal(h.json("GET", ITEMS + "/x"), now, "as it was")
            for patch in ([{"op": "add", "path": "x", "value": 1}], {"m": 1},
                          [{"op": "move", "from": "/list", "path": "/list/0"}]):
                h.ask("PATCH", ITEMS + "/x", 400, headers=JSON_PATCH,
                      json=patch)
            h.ask("PATCH", ITEMS + "/nothing", 404, headers=JSON_PATCH,
                  json=[{"op": "add", "path": "/a", "value": 1}])
            h.ask("PUT", ITEMS + "/x", 415, headers=JSON_PATCH, json={})
            tag = h.ask("GET", ITEMS + "/x").headers["ETag"]
            h.ask("PATCH", ITEMS + "/x", headers={"If-Match": tag, **JSON_PATCH},
                  json=[{"op": "add", "path": "/list/-", "value": "d"}])
            h.ask("PATCH", ITEMS + "/x", 412,
                  headers={"If-Match": tag, **JSON_PATCH},
                  json=[{"op": "add", "path": "/list/-", "value": "e"}])
        a.do("patch", "default", "x", json.dumps(
            [{"op": "remove", "path": "/list/3"}]))
        equal(a.get("x"), now, "by the command line")


if __name__ == "__main__":
    sys.exit(main(globals()))
