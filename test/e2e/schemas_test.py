#!/usr/bin/python3
"""What a space's schema forbids is not written back either: not by `restore`,
`resolve` and `rescue`, nor by a policy. What was refused is where it was."""

import json
import os
import sys

from node import Refused, World, conflicts, connections, main, wait_for
from tap import check, equal, holds

SCHEMA = {"properties": {"n": {"type": "integer", "maximum": 9},
                         "list": {"type": "object"}}}


def _schema(world, schema, *nodes, prefix=""):
    """Given by the first, known to all."""
    path = world.path("schema")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(schema, f)
    nodes[0].do("policy", "default", prefix, "--schema", path)
    for n in nodes:
        wait_for("%s has the schema" % n.name, lambda n=n: any(
            s["schema"] == schema for s in n.call("policies")["schemas"]))


def _apart(world, policy=None, flags=(), **start):
    a, b = world.mesh("a", "b", flags=list(flags))
    if policy:
        a.do("policy", "default", "", policy)
        wait_for("b knows the policy", lambda: any(
            p["policy"] == policy for p in b.call("policies")["policies"]))
    for key, value in start.items():
        a.put(key, value)
        b.waits_for(key, value)
    return a, b


def _split(world, a, b):
    world.relay.cut("a", "b")
    wait_for("they are apart",
             lambda: not a.connected() and not b.connected())


def _meet(world, a, b):
    world.relay.mend("a", "b")
    connections([a, b])
    wait_for("both have met", lambda: conflicts(a) and conflicts(b))


def _refused(node, op, *words, **args):
    try:
        node.call(op, **args)
    except Refused as why:
        equal(why.code, "EINVAL")
        holds(why.text, "the space's schema forbids it", *words)
        return
    raise AssertionError("%s was not refused" % op)


def a_conflict_is_not_resolved_to_what_is_forbidden():
    with World(relayed=True) as w:
        a, b = _apart(w, item={"n": 0, "x": 0})
        _split(w, a, b)
        a.put("item", {"n": 50, "x": 0})
        b.put("item", {"n": 5, "x": 0})
        _meet(w, a, b)
        found, = conflicts(a)
        equal(found["loser"]["value"], 50)
        _schema(w, SCHEMA, a, b)
        _refused(a, "resolve", "/n", "9", id=found["id"], take="loser")
        _refused(b, "resolve", "/n", "integer", id=found["id"], value="text")
        holds(a.refuses("resolve", found["id"], "--take", "loser"), "/n")
        equal([c["id"] for c in conflicts(a)], [found["id"]], "open as before")
        equal((a.get("item"), b.get("item")), ({"n": 5, "x": 0},) * 2)
        a.call("resolve", id=found["id"], value=7)
        b.waits_for("item", {"n": 7, "x": 0})
        wait_for("it is settled", lambda: not conflicts(b))


def a_lost_value_is_not_restored_where_it_is_forbidden():
    with World(relayed=True) as w:
        a, b = _apart(w, item={"n": 0, "x": 0})
        _split(w, a, b)
        a.put("item", {"n": 50, "x": 1})
        b.put("item", {"n": 5, "x": 2})
        _meet(w, a, b)
        _schema(w, SCHEMA, a, b)
        lost = {v["path"]: v["version"]
                for v in b.call("history", key="item")["versions"]
                if v["what"] == "lost"}
        equal(sorted(lost), ["/n", "/x"])
        _refused(b, "restore", "/n", key="item", version=lost["/n"])
        equal(b.get("item"), {"n": 5, "x": 2})
        b.call("restore", key="item", version=lost["/x"])
        a.waits_for("item", {"n": 5, "x": 1})
        # And a whole one, as before.
        whole = [v["version"] for v in a.call("history", key="item")["versions"]
                 if v["what"] == "put" and v["value"]["n"] == 50]
        _refused(a, "restore", "/n", key="item", version=whole[0])


def a_copy_that_is_forbidden_is_not_made():
    with World(relayed=True) as w:
        a, b = _apart(w, policy="keep-both", item={"id": 1, "n": 0},
                      free={"n": 0})
        _schema(w, {"required": ["id"]}, a, b, prefix="item")
        _split(w, a, b)
        for key, more in (("item", {"id": 1}), ("free", {})):
            a.put(key, dict(more, n=1))
            b.put(key, dict(more, n=2))
        _meet(w, a, b)
        wait_for("the free one is kept", lambda: any(
            i["key"].startswith("free~") for i in a.call("ls")["items"]))
        for n in (a, b):
            wait_for("only the other is open", lambda n=n: [
                c["key"] for c in conflicts(n)] == ["item"])
            equal(conflicts(n)[0]["loser"]["value"], 1)
            check(not any(i["key"].startswith("item~")
                          for i in n.call("ls")["items"]), "a copy was made")


SUM = """#!/usr/bin/python3
import json, sys
print(sum(json.load(sys.stdin)["siblings"]))
"""


def what_a_program_merges_may_be_forbidden():
    with World(relayed=True) as w:
        program = w.path("resolver")
        with open(program, "w", encoding="utf-8") as f:
            f.write(SUM)
        os.chmod(program, 0o755)
        a, b = _apart(w, "custom", ["--resolve.command", program],
                      much={"n": 0}, little={"n": 0})
        _schema(w, SCHEMA, a, b)
        _split(w, a, b)
        for key, n, m in (("much", 5, 6), ("little", 3, 4)):
            a.put(key, {"n": n})
            b.put(key, {"n": m})
        w.relay.mend("a", "b")
        for n in (a, b):
            n.waits_for("little", {"n": 7})
        for n in (a, b):
            wait_for("only the other is open", lambda n=n: [
                c["key"] for c in conflicts(n)] == ["much"])
            equal(n.get("much"), {"n": 6})


def what_came_back_is_taken_if_it_may_be():
    """By all, what is forbidden stays in the list and is told; by its key it
    is refused."""
    with World() as w:
        a, b = w.nodes("a", "b")
        for key in ("good", "bad", "worse"):
            a.put(key, {"n": 0})
            a.call("del", key=key)
        b.put("good", {"n": 4})
        b.put("bad", {"n": 40, "x": 1})
        b.put("worse", {"n": 41})
        _schema(w, SCHEMA, a)
        b.joins(a)
        wait_for("they wait", lambda: len(a.call("rescue")["rescue"]) == 3)
        _refused(a, "rescue_apply", "default/bad", "/n", key="bad",
                 take="apply")
        equal(len(a.call("rescue")["rescue"]), 3, "items that wait")
        done = a.cli("rescue", "--apply", "--all")
        equal(done.code, 1)
        holds(done.err, "1 value of 1 item written back", "2 items stayed",
              "the space's schema forbids it", "/n")
        b.waits_for("good", {"n": 4})
        for n in (a, b):
            wait_for("two wait", lambda n=n: {
                i["key"] for i in n.call("rescue")["rescue"]} ==
                {"bad", "worse"})
            equal(n.get("bad"), None)
        answer = a.call("rescue_apply", all=True, take="apply")
        equal((answer["items"], answer["refused"], answer["more_items"]),
              (0, 2, False))
        a.put("bad", {"n": 3})  # what is forbidden can be put right first
        values = {v["path"]: v["id"] for v in a.call(
            "rescue", key="bad")["rescue"][0]["values"]}
        a.call("resolve", id=values["/x"], take="loser")
        a.call("resolve", id=values["/n"], take="winner")
        b.waits_for("bad", {"n": 3, "x": 1})
        a.do("rescue", "default", "worse", "--drop")
        wait_for("nothing waits", lambda: not b.call("rescue")["rescue"])


if __name__ == "__main__":
    sys.exit(main(globals()))
