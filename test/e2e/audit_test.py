#!/usr/bin/python3
"""The audit log: what is told, by whom, and that tampering is seen."""

import hashlib
import json
import os
import signal
import socket
import ssl
import subprocess

import node
import tap


def _path(n, older=0):
    return os.path.join(n.dir, "audit.log" + (".%d" % older if older else ""))


def _read(n):
    """The records, by an independent look at the chain."""
    with open(_path(n), "rb") as f:
        lines = f.read().splitlines()
    before, records = "0" * 64, []
    for line in lines:
        record = json.loads(line)
        tap.equal(record["prev"], before, "record %d" % record["seq"])
        tap.equal(line.decode(), json.dumps(
            record, sort_keys=True, separators=(",", ":"),
            ensure_ascii=False), "canonical")
        before = hashlib.sha256(line).hexdigest()
        records.append(record)
    return records


def _of_kind(n, kind):
    n.call("audit")  # what waits is written then
    return [r for r in _read(n) if r["kind"] == kind]


def who_did_what_is_told():
    with node.World() as w:
        a, b = w.mesh("a", "b")
        device = b.status()["device"]
        invite, = _of_kind(a, "invite")
        tap.equal(invite["who"]["uid"], os.getuid(), "who asked for the code")
        tap.equal(invite["details"],
                  {"expires_s": 600, "role": "admin", "spaces": "all"}, "the code")
        pair, = _of_kind(a, "pair")
        tap.equal(pair["details"], {"device": device, "name": "b",
                                    "role": "admin", "spaces": "all"}, "who came")
        tap.equal(pair["who"]["device"], device, "by whom")
        join, = _of_kind(b, "join")
        tap.equal(join["details"]["name"], "a", "who let b in")
        a.do("remove", "b")
        remove, = _of_kind(a, "remove")
        tap.equal(remove["details"], {"device": device, "name": "b"}, "gone")
        tap.equal(remove["who"]["uid"], os.getuid(), "who removed it")
        # The removed one knocks again and again, and is counted.
        node.wait_for("b is refused", lambda: _of_kind(a, "stranger"))
        stranger = _of_kind(a, "stranger")[0]["details"]
        tap.equal(stranger, {"device": device, "name": "b", "why":
                             "not a member of this mesh"}, "who knocks")
        tap.equal(os.stat(_path(a)).st_mode & 0o777, 0o600, "mode")
        tap.holds(a.do("audit"), "invite", "pair", "remove", "name=b")
        tap.holds(a.do("audit", "--since", "1h"), "remove")
        tap.equal(a.do("audit", "--since", "0s"), "", "nothing since now")


def what_other_admins_do_is_told():
    with node.World() as w:
        a, b, c = w.mesh("a", "b", "c")
        a.do("grant", "c", "--role", "reader")
        node.wait_for("b has told", lambda: len(_of_kind(b, "member")) == 2)
        a.do("remove", "c")
        node.wait_for("b has told", lambda: len(_of_kind(b, "member")) == 3)
        by, device = a.status()["device"], c.status()["device"]
        same = {"by": by, "device": device, "name": "c"}
        tap.equal([r["details"] for r in _of_kind(b, "member")],
                  [dict(same, role="admin", spaces="all"),
                   dict(same, role="reader", spaces="all"),
                   dict(same, role="none", spaces=[])], "what a did")
        tap.equal(_of_kind(a, "member"), [], "nor is it told twice")
        b.stop()
        b.start()
        tap.equal(len(_of_kind(b, "member")), 3, "nor after a restart")


def refused_codes_are_told_without_them():
    with node.World() as w:
        a, b = w.nodes("a", "b")
        code = a.do("invite").strip()
        a.do("invite")
        b.joins(a)
        c = w.nodes("c")[0]
        # A code that was used by somebody else.
        used = a.do("invite").strip()
        c.do("join", used)
        d = w.nodes("d")[0]
        d.refuses("join", used)
        refused = _of_kind(a, "pair-refused")
        tap.equal(len(refused), 1, "one was refused")
        with open(_path(a), encoding="utf-8") as f:
            text = f.read()
        for secret in (code, used):
            tap.check(secret not in text, "a code stands in the log")


def a_flood_is_counted():
    with node.World() as w:
        a, = w.nodes("a")
        host, port = a.status()["listen"][0].rsplit(":", 1)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["syncline/1"])  # it says it is a device
        for _ in range(30):
            with socket.create_connection((host, int(port))) as s:
                try:
                    context.wrap_socket(s).close()
                except (ssl.SSLError, OSError):
                    pass
        node.wait_for("it is told", lambda: _of_kind(a, "stranger"))
        a.stop()
        strangers = [r for r in _read(a) if r["kind"] == "stranger"]
        tap.check(len(strangers) <= 4, "%d records" % len(strangers))
        tap.equal(sum(r.get("repeated", 1) for r in strangers), 30, "knocks")


def _verify(n, code, *says):
    result = n.cli("audit", "--verify")
    tap.equal(result.code, code, str(result))
    if says:
        tap.holds(result.err, *says)


def _write(n, lines):
    with open(_path(n), "wb") as f:
        f.writelines(lines)


def every_way_of_tampering_is_seen():
    with node.World() as w:
        a, = w.nodes("a")
        for _ in range(6):
            a.do("invite")
        _verify(a, 0)
        a.stop()
        _verify(a, 0)
        with open(_path(a), "rb") as f:
            lines = f.read().splitlines(keepends=True)
        cases = {
            "an edit": [lines[0], lines[1].replace(b"600", b"601")] +
            lines[2:],
            "a last edit": lines[:-1] + [lines[-1].replace(b"600", b"601")],
            "a line taken out": lines[:2] + lines[3:],
            "the first taken out": lines[1:],
            "two swapped": lines[:2] + [lines[3], lines[2]] + lines[4:],
            "one twice": lines[:3] + lines[2:],
            "a cut": lines[:-1],
            "all gone": [],
            "a cut within a line": lines[:-1] + [lines[-1][:40] + b"\n"],
            "rubbish between": lines[:3] + [b"rubbish\n"] + lines[3:],
        }
        for what, bad in cases.items():
            _write(a, bad)
            result = a.cli("audit", "--verify")
            tap.equal(result.code, 1, "%s: %s" % (what, result))
            tap.check(not result.out, what)
        _write(a, cases["a line taken out"])
        _verify(a, 1, "audit.log line 3", "record 4 follows record 2")
        _write(a, lines)
        _verify(a, 0)


def a_start_tells_of_it():
    with node.World() as w:
        a, = w.nodes("a")
        for _ in range(3):
            a.do("invite")
        a.stop()
        with open(_path(a), "rb") as f:
            lines = f.read().splitlines(keepends=True)
        _write(a, lines[:2])
        a.start()
        tap.holds(a.cli("audit").out, "log-broken", "cut short")
        _verify(a, 1, "record 4 follows record 2")
        tap.holds(a.tail(), "the audit log is not what it was")


def the_doctor_reads_it():
    with node.World() as w:
        a, = w.nodes("a")
        for _ in range(3):
            a.do("invite")
        tap.equal(a.cli("doctor").code, 0, "whole")
        with open(_path(a), "rb") as f:
            lines = f.read().splitlines(keepends=True)
        _write(a, [lines[0].replace(b"600", b"601")] + lines[1:])
        result = a.cli("doctor")
        tap.equal(result.code, 1, str(result))
        tap.holds(result.out, "audit.log line 2: record 2 does not follow",
                  "keep a copy")
        told = json.loads(a.cli("doctor", "--json").out)["checks"][-1]
        tap.equal((told["name"], told["ok"]), ("audit", False), "for programs")


def a_kill_breaks_nothing():
    with node.World() as w:
        a, = w.nodes("a")
        for i in range(8):
            a.do("invite", "--expires", "1s")
            a.call("audit")
            a.kill()
            _verify(a, 0)
            if i % 2:  # as if it had been amid a line
                with open(_path(a), "ab") as f:
                    f.write(b'{"details":{"expires_s')
                _verify(a, 0, "torn")
            a.start()
            _verify(a, 0)
        tap.equal(len(_of_kind_torn(a, "invite")), 8, "each is told")
        unclean = [r for r in _of_kind_torn(a, "replica")
                   if r["details"]["why"] == "unclean-stop"]
        tap.equal(len(unclean), 8, "each new replica, too")
        tap.equal(len(_of_kind_torn(a, "log-torn")), 4, "and torn lines")


def _of_kind_torn(n, kind):
    return [r for r in map(json.loads, n.do("audit", "--json").splitlines())
            if r["kind"] == kind]


def it_is_followed():
    with node.World() as w:
        a, = w.nodes("a")
        p = a.spawn("audit", "--follow", stdout=subprocess.PIPE)
        a.do("invite")
        tap.holds(p.stdout.readline().decode(), "invite")
        p.send_signal(signal.SIGINT)
        tap.equal(p.wait(node.PATIENCE), 0, "it ends on SIGINT")
        p.stdout.close()


def no_room_for_it_stops_nothing():
    with node.World() as w:
        a, = w.nodes("a")
        a.stop()
        if os.path.exists(_path(a)):
            os.unlink(_path(a))
        os.mkdir(_path(a))  # nothing can be appended to that
        a.start()
        a.do("invite")
        a.put("lamp", 1)
        node.wait_for("status tells",
                      lambda: a.status()["audit"]["trouble"])
        tap.equal(a.cli("doctor").code, 1, "doctor says so")
        os.rmdir(_path(a))
        node.wait_for("it is written again",
                      lambda: a.status()["audit"]["trouble"] is None)
        tap.equal(len(_of_kind(a, "invite")), 1, "what waited is there")


if __name__ == "__main__":
    raise SystemExit(node.main(
        globals(), beside=[no_room_for_it_stops_nothing]))
