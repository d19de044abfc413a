#!/usr/bin/python3
"""The daemon's log: formats, levels of modules, what matters to security."""

import json

import node
import tap


def _lines(n):
    """What was logged as JSON; every line must be."""
    with open(n.log, encoding="utf-8") as log:
        return [json.loads(line) for line in log.read().splitlines()]


def _events(n, *kinds):
    return [r for r in _lines(n) if r.get("event") in kinds]


def _soon(n, what, condition):
    return node.wait_for("%s logs %s" % (n.name, what),
                         lambda: [r for r in _lines(n) if condition(r)])


def each_line_is_an_object():
    with node.World() as w:
        a, = w.nodes("a", flags=["--log.format", "json"])
        a.put("lamp", 1)
        a.stop()
        lines = _lines(a)
        tap.check(len(lines) >= 3, "it has something to say")
        for r in lines:
            tap.check({"time", "level", "module", "text"} <= set(r), str(r))
            tap.check("\n" not in r["text"], "one line: %r" % r["text"])
        tap.check(any(r["module"] == "daemon" and r["text"] == "stopping"
                      for r in lines), "it says that it stops")


def a_module_has_its_own_level():
    with node.World() as w:
        a, b = w.nodes("a", "b", flags=[
            "--log.format", "json", "--log.level", "error,daemon=info,"
            "security=WARNING"])
        b.joins(a)
        a.stop()
        tap.equal({r["module"] for r in _lines(a)}, {"daemon"}, "modules")


def what_matters_to_security_is_told_apart():
    with node.World() as w:
        a, b = w.nodes("a", "b", flags=["--log.format", "json"])
        b.joins(a)
        _soon(a, "who came in", lambda r: r.get("event") == "pair-approved" or
              r.get("event") == "pair")
        invite, = _events(a, "invite")
        tap.equal(invite["module"], "security", "module")
        tap.equal(set(invite["who"]), {"pid", "uid"}, "who asked")
        tap.check(invite["details"]["expires_s"] > 0, "the audit log's details")
        tap.check(not [r for r in _lines(a)
                       if r["module"] == "security" and "event" not in r],
                  "nothing else is in that module")


if __name__ == "__main__":
    raise SystemExit(node.main(globals()))
