#!/usr/bin/python3
"""The daemon's log: formats, levels of modules, what matters to security."""

import json
import os
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


class _Journal:
    """Where systemd's would be."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.entries = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def has(self, **fields):
        """What has come so far and is so."""
        while True:
            try:
                entry = self.socket.recv(1 << 16, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            tap.check(entry.endswith(b"\n"), "the last field ends")
            self.entries.append(dict(
                line.split("=", 1) for line in entry.decode().splitlines()))
        return [e for e in self.entries
                if all(e.get(k) == v for k, v in fields.items())]


def the_journal_gets_fields():
    with node.World() as w, _Journal(w.path("journal")) as journal:
        a, = w.nodes("a", flags=["--log.to", "journal",
                                 "--log.socket", journal.path])
        a.do("invite")
        invite, = node.wait_for("an invite is told", lambda: journal.has(
            SYNCLINE_MODULE="security", SYNCLINE_EVENT="invite"))
        tap.equal(invite["PRIORITY"], "6", "priority")
        tap.equal(invite["SYSLOG_IDENTIFIER"], "syncline", "identifier")
        tap.check(json.loads(invite["SYNCLINE_DETAILS"])["expires_s"] > 0,
                  "details")
        tap.equal(set(json.loads(invite["SYNCLINE_WHO"])), {"pid", "uid"},
                  "who asked")
        tap.check(journal.has(SYNCLINE_MODULE="daemon"), "of others, too")
        tap.equal(a.tail(), "", "standard error")


def a_journal_that_is_gone_loses_nothing():
    with node.World() as w:
        with _Journal(w.path("journal")) as journal:
            a, = w.nodes("a", flags=["--log.to", "journal", "--log.format",
                                     "json", "--log.socket", journal.path])
        a.do("log", "level", "net", "error")
        a.do("log", "level", "net", "warn")
        told = [r["text"] for r in _lines(a)]
        tap.equal(len([t for t in told if "does not take the log" in t]), 1,
                  "told once")
        tap.equal(len([t for t in told if t.startswith("log.level is")]), 2,
                  "nothing is lost")


def who_writes_to_the_journal_is_found_out():
    with node.World() as w, _Journal(w.path("journal")) as journal:
        a, b = (w.node(name, "--log.socket", journal.path) for name in "ab")
        for n in (a, b):
            with open(n.log, "wb"):
                pass
        st = os.stat(a.log)
        theirs = {"JOURNAL_STREAM": "%d:%d" % (st.st_dev, st.st_ino)}
        a.start(env=theirs)
        tap.check(journal.has(SYNCLINE_MODULE="daemon"), "a's stream is it")
        tap.equal(a.tail(), "", "standard error of a")
        b.start(env=theirs)
        tap.holds(b.tail(), "daemon: ready in ")  # it is another file


def _key_of(n):
    """The lines of the device's private key."""
    with open(os.path.join(n.dir, "identity.pem"), encoding="ascii") as pem:
        return [line.strip() for line in pem
                if "-" not in line and len(line) > 20]


def _file(w, name, text):
    with open(w.path(name), "w", encoding="utf-8") as f:
        f.write(text)
    return w.path(name)


def _write_apart(a, b, key, ours, theirs):
    """A conflict; both are there again."""
    b.stop()
    a.put(key, ours)
    a.stop()
    b.start("--peer", "127.0.0.1:1")
    b.put(key, theirs)
    a.start("--peer", b.status()["listen"][0])
    node.wait_for("the conflict is there", lambda: node.conflicts(a))


def _use(w, a, b):
    """What people do with secrets and values; all of these."""
    code = a.do("invite").strip()
    wrong = code[:-1] + ("A" if code[-1] != "A" else "B")
    b.cli("join", wrong)
    b.do("join", code)
    secret = a.call("token_create", name="canary", scope="admin")["secret"]
    values = ["canary-%s-9b1d" % what for what in
              ("put", "patch", "a", "b", "file", "broken", "gone")]
    a.put("lamp", {"v": values[0]})
    a.do("patch", "default", "lamp", json.dumps({"p": values[1]}))
    b.waits_for("lamp", {"v": values[0], "p": values[1]})
    _write_apart(a, b, "apart", values[2], values[3])
    a.do("import", "default",
         _file(w, "lines", json.dumps({"key": "f", "value": values[4]})))
    a.cli("put", "default", "lamp", '{"v":"%s"' % values[5])
    a.put("gone", values[6])
    a.do("del", "default", "gone")
    a.do("history", "default", "gone")
    node.same([a, b])
    b.refuses("put", "nospace", "k", '"%s"' % values[5])
    return [code, wrong, secret] + values


def no_secret_is_logged_and_no_value():
    with node.World() as w:
        a, b = w.nodes("a", "b", flags=["--log.format", "json",
                                        "--log.level", "debug"])
        secrets = _key_of(a) + _key_of(b)
        secrets += _use(w, a, b)
        words = "canary passphrase 1f"
        a.do("key", "passphrase", "--passphrase-file",
             _file(w, "pass", words + "\n"))
        a.do("rotate")
        a.stop()
        a.launch("--passphrase-file", _file(w, "bad", words + "x\n"))
        tap.equal(a.ends(), 1, "a wrong passphrase")
        a.start("--passphrase-file", w.path("pass"))
        a.stop()
        b.stop()
        logs = ""
        for n in (a, b):
            with open(n.log, encoding="utf-8") as log:
                logs += log.read()
        tap.check(any(r["level"] == "debug" for r in _lines(b)),
                  "everything is logged that can be")
        for secret in secrets + [words, words + "x"]:
            tap.check(len(secret) > 8 and secret not in logs,
                      "%r is logged" % secret)


if __name__ == "__main__":
    raise SystemExit(node.main(globals()))
