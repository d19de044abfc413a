#!/usr/bin/python3
"""The daemon's log: formats, levels of modules, what matters to security."""

import json
import signal
import socket

import node
import tap


def _lines(n):
    """What was logged as JSON; every line must be."""
    with open(n.log, encoding="utf-8") as log:
        return [json.loads(line) for line in log.read().splitlines()]


def _events(n, *kinds):
    return [r for r in _lines(n) if r.get("event") in kinds]


def _address(n):
    host, _, port = n.status()["listen"][0].rpartition(":")
    return host, int(port)


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


def levels_change_while_it_runs():
    with node.World() as w:
        a, = w.nodes("a", flags=["--log.format", "json",
                                 "--log.level", "warn"])
        tap.equal(_lines(a), [], "nothing to warn of")
        tap.equal(a.do("log", "level", "net", "DEBUG").strip(),
                  "warn,net=debug", "levels")
        with socket.create_connection(_address(a)) as s:
            s.sendall(b"\0" * 64)
        _soon(a, "what net debugs", lambda r: r["module"] == "net" and
              r["level"] == "debug")
        tap.equal(a.call("log")["configured"], "warn", "as it began")
        a.do("log", "level", "info")
        tap.check(any("log.level is info,net=debug" in r["text"]
                      for r in _lines(a)), "the change is logged")
        tap.holds(a.do("log"), "warn after the next start", "of its own")
        a.refuses("log", "level", "nte", "debug", says="no module of the log")
        a.refuses("log", "level", "loud", says="is none of error|warn")
        a.refuses("log", "levle", code=2, says="is not level")
        tap.equal(a.do("log", "level", "net", "default").strip(), "info",
                  "as the others")
        tap.equal(a.do("log", "level", "default").strip(), "warn",
                  "as the configuration says")
        tap.equal(json.loads(a.do("log", "level", "error", "--json"))
                  ["levels"], "error", "JSON")
        a.process.send_signal(signal.SIGHUP)
        node.wait_for("SIGHUP sets the levels anew",
                      lambda: a.call("log")["levels"] == "warn")


if __name__ == "__main__":
    raise SystemExit(node.main(globals()))
