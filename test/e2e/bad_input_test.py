#!/usr/bin/python3
"""What wrong input and a hostile surrounding get: a sentence that says what,
where and what to do, an exit status, and nothing lost or half applied."""

import os
import re
import socket
import sqlite3
import ssl
import struct
import subprocess
import sys

import node
from node import World, main, records, wait_for
from tap import Skip, check, equal, holds

MIB = 1 << 20


def _as_root():
    if os.geteuid() != 0:
        raise Skip("needs root")


# ---- what people type ----

def broken_json_is_pointed_at():
    nested = "[" * 65 + "]" * 65
    with World() as w:
        a, = w.nodes("a")
        a.put("lamp", 1)
        for text, says in (
                ('{"on":tru}', "line 1, column 7"),
                ('{"on":true,\n "level":}', "line 2, column 10"),
                ("", "line 1"), ('{"a":1}x', "line 1, column 8"),
                ("'on'", "line 1, column 1"), ("[1,]", "line 1, column 4"),
                (nested, "deep"),
                ('{"a":1,"a":2}', "twice at line 1, column 8"),
                ("1e400", "line 1"), ("18446744073709551616", "line 1"),
                ("0.1000000000000000055511151231257827", "line 1")):
            said = a.refuses("put", "default", "lamp", text, says=says)
            holds(said, "nothing was changed")
        a.do("put", "default", "lamp", "[" * 64 + "]" * 64)
        equal(a.space()["items"], 1, "items")


def invalid_utf8_is_refused():
    with World() as w:
        a, = w.nodes("a")
        a.put("lamp", 1)
        a.refuses("put", "default", "lamp", b'"\xff"', says="UTF-8")
        a.refuses("put", "default", b"la\xc3", "1", says="UTF-8")
        a.refuses("put", "default", "lamp", '"\\ud800"', says="line 1")
        a.refuses("import", "default", stdin=b'{"key":"a","value":"\xc0"}\n',
                  says=["standard input:1", "UTF-8"])
        equal((a.get("lamp"), a.space()["items"]), (1, 1), "what is there")


def keys_and_values_have_limits():
    with World() as w:
        a, = w.nodes("a")
        a.do("put", "default", "k" * 1024, "1")
        a.refuses("put", "default", "k" * 1025, "1", says="1024")
        a.refuses("put", "default", "", "1", says="key")
        a.refuses("put", "default", "a\nb", "1", says="key")
        large = '"%s"' % ("v" * (16 * MIB - 2))
        a.do("put", "default", "large", "-", stdin=large)
        a.refuses("put", "default", "larger", "-", says="16777216",
                  stdin='"%s"' % ("v" * (16 * MIB)))
        a.refuses("put", "default", "wide", "-", says="10000",
                  stdin="{%s}" % ",".join(
                      '"f%d":1' % i for i in range(10001)))
        equal(a.space()["items"], 2, "items")


def an_unknown_space_key_or_version():
    with World() as w:
        a, = w.nodes("a")
        a.put("lamp", 1)
        for args in (["put", "attic", "lamp", "1"], ["get", "attic", "lamp"],
                     ["ls", "attic"], ["history", "attic", "lamp"],
                     ["export", "attic"], ["watch", "attic"]):
            a.refuses(*args, says=["attic", "syncline space"])
        a.refuses("import", "attic", stdin=records(0, 3),
                  says=["attic", "syncline space"])
        a.refuses("get", "default", "fridge", says="default/fridge")
        a.refuses("del", "default", "fridge", says="default/fridge")
        a.refuses("restore", "default", "lamp", "9", says="9")
        a.refuses("history", "default", "fridge", says="default/fridge")
        a.refuses("resolve", "abcdef", "--take", "winner", says="abcdef")
        a.refuses("remove", "nobody", says="nobody")
        a.refuses("policy", "default", "", "best", code=2,
                  says=["best", "lww"])
        a.refuses("policy", "default", "mrege", says=["mrege", "help policy"])
        a.refuses("policy", "default", "mrege", "--json", says="mrege")
        a.do("policy", "default", "lamps/", "merge")
        holds(a.do("policy", "default", "lamps/"), "merge")
        a.refuses("space", "add", "a b", says="a b")
        a.refuses("space", "add", "default", says="already")
        a.refuses("space", "rm", "default", "--yes", says="default")


def wrong_usage_is_exit_2_and_no_daemon_3():
    with World() as w:
        a = w.node("a")
        os.mkdir(a.dir)
        a.refuses("get", "default", "lamp", code=3, says=["no daemon", a.dir])
        a.start()
        a.refuses("get", code=2, says="usage")
        a.refuses("frobnicate", code=2, says="frobnicate")
        a.refuses("statsu", code=2, says="perhaps: syncline status\n")
        a.refuses("get", "default", "lamp", "--loud", code=2, says="--loud")
        a.refuses("put", "default", "lamp", "1", "--wait", "some", code=2,
                  says="some")
        a.refuses("patch", "default", "lamp", "on",
                  says=["read as JSON", "'\"on\"'"])
        a.refuses("patch", "default", "lamp", "1", code=2,
                  says=["a patch is an object", "`syncline put`"])
        a.put("lamp", {})
        a.refuses("patch", "default", "lamp", "[1]", says="patch[0]: an op")


def import_stops_at_a_bad_line():
    with World() as w:
        a, = w.nodes("a")
        lines = records(0, 500) + b'{"key":"x","value":}\n' + records(600, 700)
        said = a.refuses("import", "default", stdin=lines,
                         says="standard input:501")
        holds(said, "500 records")
        equal(a.space()["items"], 500, "items")
        a.refuses("import", "default", "/nowhere.ndjson",
                  says="/nowhere.ndjson")


def the_socket_survives_nonsense():
    with World() as w:
        a, = w.nodes("a")
        with node.Control(a.dir) as c:
            for line in (b"nonsense", b"[]", b"{}", b'{"op":1}',
                         b'{"op":"fly"}', b'{"op":"get"}', b'{"op":"get","key":1}',
                         b'{"op":"put","key":"k"}', b'{"op":"batch","ops":7}',
                         b'{"op":"batch","ops":[{"key":"k"}]}', b"\xff\xfe",
                         b'{"op":"invite","expires_s":0}',
                         b'{"op":"watch","from":"yesterday"}',
                         b'{"op":"put","key":"k","value":1,"wait":"some"}'):
                try:
                    c.send_line(line)
                    answer = c.read()
                except (EOFError, OSError):
                    raise AssertionError("%r closed the socket" % line)
                check(not answer["ok"] and answer["error"], (line, answer))
            equal(c.call("spaces")["ok"], True)
        equal(a.space()["items"], 0, "items")


def a_batch_is_all_or_nothing():
    with World() as w:
        a, = w.nodes("a")
        try:
            a.call("batch", space="default", ops=[
                {"key": "one", "value": 1}, {"key": "k" * 2000, "value": 2}])
            check(False, "it was taken")
        except node.Refused as why:
            check(why.code in ("ELIMIT", "EINVAL"), why)
        equal(a.get("one"), None, "the first of the batch")


def wrong_options_name_their_place():
    with World() as w:
        a = w.node("a")
        os.mkdir(a.dir)
        with open(os.path.join(a.dir, "syncline.yaml"), "w",
                  encoding="utf-8") as f:
            f.write("log:\n  levle: warn\n")
        equal(a.launch().ends(), 1, "exit status")
        holds(a.tail(), "syncline.yaml:2:3", "log.levle")
        os.remove(os.path.join(a.dir, "syncline.yaml"))
        check(a.launch("--beacon.interval", "soon").ends() in (1, 2), "status")
        holds(a.tail(), "beacon.interval", "soon")
        b = w.node("b", listen="no.such.host.invalid:1")
        equal(b.launch().ends(), 1, "exit status")
        holds(b.tail(), "listen", "no.such.host.invalid")


# ---- who connects ----

def _client(w, name, key=None, alpn="syncline/1"):
    """A TLS context with an Ed25519 key of its own, or the one given."""
    cert, made = w.path(name + ".crt"), w.path(name + ".key")
    if key is None:
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out",
                        made], check=True, capture_output=True)
    subprocess.run(["openssl", "req", "-new", "-x509", "-key", key or made,
                    "-subj", "/CN=x", "-days", "2", "-out", cert],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(cert, key or made)
    context.set_alpn_protocols([alpn])
    return context


def _port(a):
    host, port = a.status()["listen"][0].rsplit(":", 1)
    return host, int(port)


def _talk(context, at, send=b""):
    """What the node says until it hangs up."""
    got = b""
    with socket.create_connection(at, 10) as raw:
        with context.wrap_socket(raw) as tls:
            tls.sendall(send)
            while True:
                chunk = tls.recv(65536)
                if not chunk:
                    return got
                got += chunk


def _frame(body):
    return struct.pack("<I", len(body)) + body


def a_peer_with_a_wrong_key_is_refused():
    with World() as w:
        a, = w.nodes("a")
        stranger = _client(w, "stranger")
        for data in (b"", _frame(b"\x01\x01\x01" + b"x" * 60)):
            try:
                said = _talk(stranger, _port(a), data)
            except OSError:
                said = b""
            equal(said, b"", "what a stranger is told inside TLS")
        pair = _client(w, "pairer", alpn="syncline-pair/1")
        try:
            equal(_talk(pair, _port(a), _frame(b"x" * 40)), b"")
        except OSError:
            pass
        equal(a.status()["peers"], [], "members")


def a_peer_of_an_unknown_version_is_told():
    with World() as w:
        a, b = w.mesh("a", "b")
        b.stop()
        key = os.path.join(b.dir, "device.pem")
        if not os.path.exists(key):
            key = [os.path.join(b.dir, f) for f in os.listdir(b.dir)
                   if "key" in f or f.endswith(".pem")][0]
        member = _client(w, "member", key)
        hello = b"\x01\x01" + b"\x63" + b"m" * 16 + b"r" * 16 + b"\0" * 8 + \
            b"\0" + b"\x01b"
        said = _talk(member, _port(a), _frame(hello))
        holds(said, b"version")
        wait_for("the log tells", lambda: "version" in a.tail())
        # Frames that break the rules end that connection and nothing else.
        for junk in (b"", b"\xff", b"\x03\x01", os.urandom(300),
                     b"\x0c" + b"\xff" * 20):
            _talk(member, _port(a), _frame(junk))
        try:
            _talk(member, _port(a), struct.pack("<I", 1 << 31))
        except OSError:
            pass
        b.start()
        a.put("lamp", 1)
        b.waits_for("lamp", 1)


def what_is_no_tls_is_closed():
    with World() as w:
        a, = w.nodes("a")
        for first in (b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\x02{}", b"\xff" * 99,
                      b"\x16\x03\x01\x02\0\x01" + b"\0" * 600):
            with socket.create_connection(_port(a), 10) as s:
                s.sendall(first)
                try:
                    s.settimeout(15)
                    while s.recv(4096):
                        pass
                except ConnectionResetError:
                    pass
        equal(a.call("spaces")["ok"], True)


# ---- where it runs ----

def a_port_in_use_is_named():
    with World() as w:
        a, = w.nodes("a")
        at = "%s:%d" % _port(a)
        b = w.node("b", listen=at)
        equal(b.launch().ends(), 1, "exit status")
        holds(b.tail(), at, "in use", "choose another")


def a_store_that_another_process_holds():
    with World() as w:
        a, = w.nodes("a")
        second = node.Node(w, "a")
        equal(second.launch().ends(), 1, "exit status")
        holds(second.tail(), a.dir, "in use", str(a.process.pid))
        a.put("lamp", 1)


def a_store_of_a_newer_version():
    with World() as w:
        a, = w.nodes("a")
        a.put("lamp", 1)
        a.stop()
        file = os.path.join(a.dir, "state.db")
        with sqlite3.connect(file) as db:
            format, = db.execute("PRAGMA user_version").fetchone()
            db.execute("PRAGMA user_version=99")
        db.close()
        before = open(file, "rb").read()
        equal(a.launch().ends(), 1, "exit status")
        holds(a.tail(), "state.db", "99", "newer version")
        equal(open(file, "rb").read(), before, "the refused file")
        with sqlite3.connect(file) as db:
            db.execute("PRAGMA user_version=%d" % format)
        db.close()
        a.start()
        equal(a.get("lamp"), 1)


def records_of_a_newer_format():
    """In a store of ours: what a newer version has written in it."""
    with World() as w:
        a, = w.nodes("a")
        a.put("lamp", 1)
        a.stop()
        file = os.path.join(a.dir, "state.db")

        def format(new=None):
            with sqlite3.connect(file) as db:
                was, = db.execute("SELECT v FROM meta WHERE k = ?",
                                  (b"format",)).fetchone()
                if new:
                    db.execute("UPDATE meta SET v = ? WHERE k = ?",
                               (new, b"format"))
            db.close()
            return was
        ours = format()
        equal(len(ours), 1, "a number of one digit")
        for newer, said in ((bytes([ours[0] + 1]), str(ours[0] + 1)),
                            (b"\xe8\x07", "1000")):
            format(newer)
            equal(a.launch().ends(), 1, "exit status")
            holds(a.tail(), "newer version (format %s, this one" % said,
                  "reads up to %d)" % ours[0], "update syncline")
            equal(format(), newer, "the format that it has")
        format(b"\x05\x05")
        equal(a.launch().ends(), 1, "exit status")
        holds(a.tail(), "format record is damaged")
        format(ours)
        a.start()
        equal(a.get("lamp"), 1)


def _flip(path, offset, n=16):
    with open(path, "r+b") as f:
        f.seek(offset)
        old = f.read(n)
        f.seek(offset)
        f.write(bytes(b ^ 0x5A for b in old))


def a_damaged_state_is_refused_and_named():
    with World() as w:
        a, = w.nodes("a")
        a.do("import", "default", stdin=records(0, 3000))
        a.stop()
        file = os.path.join(a.dir, "state.db")
        with open(file, "rb") as f:
            page = int.from_bytes(f.read(18)[16:], "big")
        for offset, n in ((0, 16), (16, 40), (page, 64)):
            _flip(file, offset, n)
            equal(a.launch().ends(), 1, "exit status, damage at %d" % offset)
            holds(a.tail(), "state.db", "backup")
            _flip(file, offset, n)
        a.start()
        equal(a.space()["items"], 3000, "items")


def a_state_that_is_missing_is_not_begun_anew():
    with World() as w:
        a, = w.nodes("a", flags=["--store.checkpoint_age", "1h"])
        a.put("lamp", 1)
        a.kill()
        for f in ("state.db", "state.db-wal", "state.db-shm"):
            if os.path.exists(os.path.join(a.dir, f)):
                os.rename(os.path.join(a.dir, f), w.path(f))
        process = a.launch().process
        try:
            status = process.wait(3)
        except subprocess.TimeoutExpired:
            wait_for("it is up", a.is_up)
            equal(a.get("lamp"), 1, "the acknowledged item")
        else:
            equal(status, 1, "exit status")
            holds(a.tail(), "state.db")


def a_damaged_journal_is_refused_and_named():
    with World() as w:
        a, = w.nodes("a", flags=["--store.checkpoint_age", "1h"])
        for first in range(0, 2000, 200):
            a.do("import", "default", stdin=records(first, first + 200))
        a.kill()
        name, = [f for f in os.listdir(a.dir) if f.startswith("journal-")]
        file = os.path.join(a.dir, name)
        with open(file, "rb") as f:
            end = len(f.read().rstrip(b"\0"))
        _flip(file, end // 2)
        equal(a.launch().ends(), 1, "exit status")
        holds(a.tail(), name, "backup")
        _flip(file, end // 2)
        a.start()
        equal(a.space()["items"], 2000, "items")


def a_damaged_key_is_refused_and_named():
    with World() as w:
        a, = w.nodes("a")
        a.stop()
        file = os.path.join(a.dir, "identity.pem")
        kept = open(file, "rb").read()
        with open(file, "wb") as f:
            f.write(b"nonsense\n")
        equal(a.launch().ends(), 1, "exit status")
        holds(a.tail(), file)
        with open(file, "wb") as f:
            f.write(kept)
        os.chmod(file, 0o644)
        equal(a.launch().ends(), 1, "exit status")
        holds(a.tail(), file, "chmod 600")
        os.chmod(file, 0o600)
        a.start()


def a_folder_without_permission():
    _as_root()
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534",
              "--clear-groups"]
    with World() as w:
        os.chmod(w.folder, 0o755)
        a = w.node("a", prefix=nobody)
        equal(a.launch().ends(), 1, "exit status")
        holds(a.tail(), a.dir, "Permission denied", "--dir")
        os.mkdir(a.dir, 0o755)
        equal(a.launch().ends(), 1, "exit status")
        holds(a.tail(), a.dir)
        b, = w.nodes("b")
        os.chmod(b.dir, 0o755)
        theirs = node.Node(w, "b", prefix=nobody)
        theirs.refuses("get", "default", "lamp",
                       says=["control.sock", "permission", "account"])


def every_command_takes_a_folder():
    """Each of those that --help lists, and says so."""
    listed = subprocess.run([node.PROGRAM, "--help"], capture_output=True,
                            text=True, check=True).stdout
    names = re.findall(r"(?m)^  ([a-z]+) ", listed)
    check(len(names) > 40, names)
    with World() as w:
        for name in names:
            told = subprocess.run([node.PROGRAM, "help", name],
                                  capture_output=True, text=True, check=True)
            holds(told.stdout, "--dir D", "--json")
            # Of what no command has it is told that it has it not.
            for flag, known in ("--dir", True), ("--folder", False):
                done = subprocess.run(
                    [node.PROGRAM, name, flag, w.folder + "/none", "a", "b",
                     "c", "d", "e", "f"], capture_output=True, text=True,
                    stdin=subprocess.DEVNULL, check=False, timeout=20,
                    env=node.surroundings())
                check(done.returncode in (1, 2, 3), name)
                equal(flag in done.stderr, not known, "%s: %s" % (
                    name, done.stderr))


def a_machine_without_multicast():
    _as_root()
    alone = ["unshare", "-n"]
    with World() as w:
        a = w.node("a", "--discovery", "true", prefix=alone,
                   listen="0.0.0.0:0")
        a.start()
        a.put("lamp", 1)
        check(" WARN " in a.tail() or " warn " in a.tail(),
              "nothing was said: " + a.tail())
        checks = {c["name"]: c for c in a.call("doctor")["checks"]}
        check(not checks["multicast"]["ok"], checks["multicast"])
        holds(checks["multicast"]["text"], "--peer")
        a.stop()


if __name__ == "__main__":
    sys.exit(main(globals()))
