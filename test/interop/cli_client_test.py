#!/usr/bin/python3
"""What the command line sends, prints and exits with, against a stand-in for
the daemon that answers by script. The real daemon is met in test/e2e."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

PROGRAM = os.environ.get("SYNCLINE", "")
PATIENCE = 20


class Daemon:
    """Answers each request with what `answer(request)` returns: an object or
    a list of them; None says nothing, Daemon.HANG_UP closes."""

    HANG_UP = object()

    def __init__(self, folder, answer):
        self.requests = []
        self.answer = answer
        self.server = socket.socket(socket.AF_UNIX)
        here = os.open(folder, os.O_RDONLY)
        self.server.bind("/proc/self/fd/%d/control.sock" % here)
        os.close(here)
        self.server.listen()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            try:
                with connection, connection.makefile("rwb") as stream:
                    self.talk(stream)
            except (BrokenPipeError, ConnectionResetError):
                pass

    def talk(self, stream):
        for line in stream:
            request = json.loads(line)
            self.requests.append(request)
            answers = self.answer(request)
            if answers is Daemon.HANG_UP:
                return
            if not isinstance(answers, list):
                answers = [answers]
            for one in answers:
                if one is Daemon.HANG_UP:
                    return
                if one is None:
                    continue
                if "id" in request and "id" not in one:
                    one = dict(one, id=request["id"])
                stream.write(json.dumps(one).encode() + b"\n")
            stream.flush()

    def close(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        self.thread.join(PATIENCE)


class Case:
    """A folder, a stand-in in it if `answer` is given, and runs."""

    def __init__(self, answer=None):
        self.folder = tempfile.mkdtemp(prefix="syncline-cli-")
        self.daemon = Daemon(self.folder, answer) if answer else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.daemon:
            self.daemon.close()
        shutil.rmtree(self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as f:
            return f.read()

    def start(self, *args, env=None):
        surroundings = {k: v for k, v in os.environ.items()
                        if not k.startswith(("SYNCLINE_", "LAN_SYNC_",
                                             "AICLEANER_"))}
        surroundings.update({"SYNCLINE_DIR": self.folder, "TZ": "UTC"})
        surroundings.update(env or {})
        return subprocess.Popen(
            [PROGRAM] + list(args), env=surroundings, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *args, stdin="", env=None):
        process = self.start(*args, env=env)
        out, err = process.communicate(
            stdin.encode() if isinstance(stdin, str) else stdin, PATIENCE)
        return process.returncode, out.decode(), err.decode()

    def sent(self):
        return self.daemon.requests


def equal(got, want, what="value"):
    if got != want:
        raise AssertionError("%s: got %r, not %r" % (what, got, want))


def holds(text, part):
    if part not in text:
        raise AssertionError("%r does not say %r" % (text, part))


def ok(_request):
    return {"ok": True, "version": 1}


def no_daemon_is_exit_3():
    with Case() as c:
        for args in (["status"], ["get", "default", "k"], ["watch"],
                     ["put", "default", "k", "1"], ["stop"]):
            code, out, err = c.run(*args)
            equal((code, out), (3, ""), args)
            holds(err, "no daemon runs in %s; start it with: syncline up "
                  "--dir %s" % (c.folder, c.folder))
        code, _, err = c.run("import", "default", stdin='{"key":"a"}\n')
        equal(code, 3)


def a_socket_that_nobody_serves_is_exit_3():
    with Case() as c:
        dead = socket.socket(socket.AF_UNIX)
        dead.bind(c.path("control.sock"))
        dead.close()
        equal(c.run("status")[0], 3)


def wrong_usage_is_exit_2():
    with Case(ok) as c:
        for args in ([], ["fly"], ["put"], ["put", "s"], ["put", "s", "k"],
                     ["put", "s", "k", "1", "2"], ["get", "s"],
                     ["get", "s", "k", "--fast"], ["get", "--dir"],
                     ["put", "s", "k", "1", "--wait", "some"],
                     ["put", "s", "k", "1", "--wait", "-1"],
                     ["put", "s", "k", "1", "--timeout", "1s"],
                     ["put", "s", "k", "1", "--wait", "1", "--timeout", "1y"],
                     ["put", "s", "k", "1", "--file", "f"],
                     ["watch", "--count", "0"], ["space", "paint", "s"],
                     ["space", "add"], ["policy", "s", "p", "best"],
                     ["resolve", "7"], ["resolve", "7", "--take", "both"],
                     ["restore", "s", "k", "first"], ["invite", "me"],
                     ["up", "--history.keep", "many"], ["help", "fly"]):
            code, out, err = c.run(*args)
            equal((code, out), (2, ""), args)
            assert err, args
        equal(c.sent(), [])


def every_command_has_help():
    with Case() as c:
        code, out, _ = c.run("--help")
        equal(code, 0)
        names = re.findall(r"^  ([a-z]+) ", out, re.M)
        assert len(names) > 20, names
        for name in names:
            code, out, err = c.run(name, "--help")
            equal((code, err), (0, ""), name)
            holds(out, "usage: syncline " + name)
            equal(c.run("help", name)[1], out, name)
        equal(c.run("--version")[0], 0)


def put_sends_what_was_written():
    with Case(ok) as c:
        equal(c.run("put", "default", "lamp", ' {"on": true} '), (0, "", ""))
        equal(c.run("put", "s", "k", "-5")[0], 0)
        equal(c.run("put", "s", "k", "-", stdin='"\u00e4"\n')[0], 0)
        name = c.write("v.json", "[1,\n2]\n")
        equal(c.run("put", "s", "k", "--file", name)[0], 0)
        equal(c.run("put", "s", "k", "1", "--wait", "all", "--timeout",
                    "2m")[0], 0)
        equal(c.run("put", "s", "k", "1", "--wait=2")[0], 0)
        equal(c.sent(), [
            {"op": "put", "space": "default", "key": "lamp",
             "value": {"on": True}},
            {"op": "put", "space": "s", "key": "k", "value": -5},
            {"op": "put", "space": "s", "key": "k", "value": "\u00e4"},
            {"op": "put", "space": "s", "key": "k", "value": [1, 2]},
            {"op": "put", "space": "s", "key": "k", "value": 1,
             "wait": "all", "wait_ms": 120000},
            {"op": "put", "space": "s", "key": "k", "value": 1, "wait": 2}])


def broken_json_is_told_with_its_place():
    with Case(ok) as c:
        for args in (["put", "s", "k", '{"a":\n 01}'],
                     ["patch", "s", "k", '{"a":\n 01}'],
                     ["resolve", "7", "--value", '{"a":\n 01}']):
            code, out, err = c.run(*args)
            equal((code, out), (1, ""), args)
            holds(err, "line 2")
            holds(err, "column")
        code, _, err = c.run("put", "s", "k", "-", stdin=b'"\xff"')
        equal(code, 1)
        holds(err, "s/k: standard input: ")
        code, _, err = c.run("put", "s", "k", "--file", "/nonexistent")
        equal(code, 1)
        holds(err, "/nonexistent: No such file")
        equal(c.sent(), [])


def an_argument_that_is_not_utf8_is_refused():
    with Case(ok) as c:
        code, _, err = c.run("get", "default", b"\xff")
        equal(code, 1)
        holds(err, "argument 2 is not valid UTF-8")
        equal(c.sent(), [])


def a_refusal_is_exit_1_and_says_why():
    said = "default/fridge: no such item"
    with Case(lambda _: {"ok": False, "code": "ENOTFOUND",
                         "error": said}) as c:
        for args in (["get", "default", "fridge"], ["del", "default", "x"],
                     ["ls"], ["watch"], ["verify"], ["stop"], ["invite"]):
            equal(c.run(*args), (1, "", "syncline %s: %s\n" % (args[0], said)),
                  args)


def a_daemon_that_goes_away_is_exit_1():
    with Case(lambda _: Daemon.HANG_UP) as c:
        for args in (["get", "default", "k"], ["watch"], ["export"]):
            code, out, err = c.run(*args)
            equal((code, out), (1, ""), args)
            holds(err, "closed the connection")


def get_prints_one_line():
    value = {"b": [1, 2.5], "a": "\u00e4"}
    with Case(lambda _: {"ok": True, "value": value, "version": 3}) as c:
        equal(c.run("get", "s", "k")[:2], (0, '{"a":"\u00e4","b":[1,2.5]}\n'))
        pretty = c.run("get", "s", "k", "--pretty")[1]
        assert pretty.count("\n") > 3, pretty
        equal(json.loads(pretty), value)
        equal(json.loads(c.run("get", "s", "k", "--json")[1]),
              {"value": value, "version": 3})


def pages(request):
    keys = ["k%04d" % n for n in range(2500)]
    rest = [k for k in keys if k > request.get("after", "")]
    items = [{"key": k, "version": 1} for k in rest[:request["limit"]]]
    if request.get("values"):
        items = [dict(i, value={"n": int(i["key"][1:])}) for i in items]
    return {"ok": True, "items": items, "more_items": len(rest) > len(items)}


def ls_and_export_walk_all_pages():
    with Case(pages) as c:
        out = c.run("ls", "s", "--prefix", "k")[1]
        equal(out.split(), ["k%04d" % n for n in range(2500)])
        equal([r["prefix"] for r in c.sent()], ["k"] * 3)
        lines = c.run("export", "s")[1].splitlines()
        equal(len(lines), 2500)
        equal(lines[7], '{"key":"k0007","value":{"n":7}}')
        out = c.run("ls", "s", "--after", "k0003", "--limit", "1200")[1]
        equal(out.split(), ["k%04d" % n for n in range(4, 1204)])
        equal(c.run("ls", "--values", "--limit", "1")[1], 'k0000\t{"n":0}\n')
        equal(json.loads(c.run("ls", "--json", "--limit", "1")[1]),
              {"key": "k0000", "version": 1})


def records(n):
    return "".join('{"key":"k%d","value":{"n":%d}}\n' % (i, i)
                   for i in range(n))


def import_sends_batches_and_notes_what_is_acknowledged():
    with Case(ok) as c:
        name = c.write("in", records(1000) + '\n{"key":"last","value":null}')
        code, _, err = c.run("import", "s", name, "--acks", c.path("acks"))
        equal(code, 0)
        holds(err, "1001 records imported")
        equal([len(r["ops"]) for r in c.sent()], [256, 256, 256, 233])
        equal(c.sent()[3]["ops"][-1], {"key": "last", "value": None})
        equal({r["space"] for r in c.sent()}, {"s"})
        equal(c.read("acks").split(),
              ["k%d" % i for i in range(1000)] + ["last"])
        equal(c.run("import", "s", "--json", stdin=records(3))[1],
              '{"imported":3}\n')


def import_waits_for_answers_in_any_order():
    held = []

    def last_first(request):
        held.append({"ok": True, "id": request["id"]})
        return list(reversed(held)) if len(held) == 4 else None

    with Case(last_first) as c:
        code, _, _ = c.run("import", "s", "--acks", c.path("acks"), "--wait",
                           "1", stdin=records(1024))
        equal(code, 0)
        acks = c.read("acks").split()
        equal(acks[0], "k768")
        equal(len(set(acks)), 1024)
        equal(c.sent()[0]["wait"], 1)


def import_stops_at_a_bad_line():
    for bad, said in (('{"key":"x","value":}', "in:301: "),
                      ("[]", "not a record"),
                      ('{"key":"x"}', "not a record"),
                      ('{"key":7,"value":1}', "not a record"),
                      ('{"key":"","value":1}', "in:301: "),
                      ('{"key":"a\\u0001","value":1}', "in:301: "),
                      ('{"key":"x","value":1,"v":2}', "nothing else"),
                      ('{"key":"x","value":1,"value":2}', "in:301: ")):
        with Case(ok) as c:
            name = c.write("in", records(300) + bad + "\n" + records(9))
            code, out, err = c.run("import", "s", name, "--acks",
                                   c.path("acks"))
            equal((code, out), (1, ""), bad)
            holds(err, said)
            holds(err, "300 records of the lines up to 300 are stored")
            equal(len(c.read("acks").split()), 300)
            equal(sum(len(r["ops"]) for r in c.sent()), 300)


def import_tells_which_lines_were_refused():
    def refuse_second(request):
        if request["ops"][0]["key"] == "k256":
            return {"ok": False, "code": "EFULL", "error": "the disk is full"}
        return ok(request)

    with Case(refuse_second) as c:
        code, _, err = c.run("import", "s", "--acks", c.path("acks"),
                             stdin=records(600))
        equal(code, 1)
        holds(err, "standard input:257 to 512: the disk is full")
        stored = {"k%d" % i for i in range(600)} - {
            "k%d" % i for i in range(256, 512)}
        acks = set(c.read("acks").split())
        assert acks <= stored, acks - stored
        holds(err, "%d records of the lines up to " % len(acks))


def import_from_a_daemon_that_dies():
    def die_at_third(request):
        return Daemon.HANG_UP if request["id"] == 3 else ok(request)

    with Case(die_at_third) as c:
        code, _, err = c.run("import", "s", "--acks", c.path("acks"),
                             stdin=records(5000))
        equal(code, 1)
        equal(err.count("what was sent and not acknowledged may be stored or "
                        "not"), 1)
        answered = c.sent()[0]["ops"] + c.sent()[1]["ops"]
        equal(c.read("acks").split(), [op["key"] for op in answered])


def a_large_record_goes_alone():
    big = {"key": "big", "value": "x" * 500000}
    with Case(ok) as c:
        code, _, _ = c.run("import", "s", "--acks", c.path("acks"), stdin=(
            records(2) + json.dumps(big) + "\n" + records(1)))
        equal(code, 0)
        equal([r["op"] for r in c.sent()], ["batch", "put", "batch"])
        equal(c.sent()[1], dict(big, op="put", id=2, space="s"))
        equal(c.read("acks").split(), ["k0", "k1", "big", "k0"])


def batches_are_small_in_bytes_too():
    lines = "".join(json.dumps({"key": "k%d" % i, "value": "x" * 30000}) + "\n"
                    for i in range(40))
    with Case(ok) as c:
        equal(c.run("import", "s", stdin=lines)[0], 0)
        for request in c.sent():
            size = len(json.dumps(request["ops"], separators=(",", ":")))
            assert size <= 400 * 1024 + 2, size
        equal(sum(len(r["ops"]) for r in c.sent()), 40)


def a_slow_source_does_not_wait_for_a_batch():
    with Case(ok) as c:
        process = c.start("import", "s")
        process.stdin.write(records(1).encode())
        process.stdin.flush()
        until = time.monotonic() + PATIENCE
        while not c.sent() and time.monotonic() < until:
            time.sleep(0.01)
        equal([len(r["ops"]) for r in c.sent()], [1])
        _, err = process.communicate(b"", PATIENCE)
        equal(process.returncode, 0)
        holds(err.decode(), "1 records imported")


def event(n, **more):
    return dict({"more": True, "cursor": "c%d" % n, "space": "s",
                 "key": "k%d" % n, "value": n, "version": 1}, **more)


def watch_prints_events_and_counts():
    stream = [{"more": True, "resync": True, "cursor": "c0"}, event(1),
              {"more": True, "live": True, "cursor": "c1"}, event(2)]
    with Case(lambda _: stream) as c:
        code, out, err = c.run("watch", "s", "--count", "2", "--from", "c9",
                               "--prefix", "k")
        equal((code, err), (0, ""))
        equal(c.sent()[0], {"op": "watch", "space": "s", "prefix": "k",
                            "from": "c9"})
        lines = [json.loads(line) for line in out.splitlines()]
        equal([line["cursor"] for line in lines], ["c0", "c1", "c2"])
        equal([line.get("more") for line in lines], [None] * 3)
        out = c.run("watch", "--live", "--count", "2")[1]
        equal(len(out.splitlines()), 4)


def watch_ends_on_a_signal():
    for number in (signal.SIGINT, signal.SIGTERM):
        with Case(lambda _: [event(1)]) as c:
            process = c.start("watch", "s")
            equal(json.loads(process.stdout.readline())["key"], "k1")
            process.send_signal(number)
            out, err = process.communicate(b"", PATIENCE)
            equal((process.returncode, out, err), (0, b"", b""))


def watch_ends_when_its_reader_has_gone():
    with Case(lambda _: [event(1)]) as c:
        process = c.start("watch", "s")
        process.stdout.readline()
        process.stdout.close()
        process.stdin.close()
        equal(process.wait(PATIENCE), 0)
        equal(process.stderr.read(), b"")
        process.stderr.close()


def a_reader_that_has_enough_is_no_noise():
    with Case(pages) as c:
        process = c.start("ls", "s", "--values")
        process.stdout.readline()
        process.stdout.close()
        process.stdin.close()
        process.wait(PATIENCE)
        equal(process.stderr.read(), b"")
        process.stderr.close()


def verify_is_0_only_if_all_agree():
    def answer(agree):
        differ = [] if agree else [{"space": "s", "key": "lamp"}]
        return {"ok": True, "agree": agree,
                "spaces": [{"name": "s", "fingerprint": "ab12"}],
                "members": [{"device": "d" * 64, "name": "pi",
                             "reachable": True, "agree": agree,
                             "differ": differ}]}

    with Case(lambda _: answer(True)) as c:
        code, out, _ = c.run("verify")
        equal(code, 0)
        holds(out, "pi (dddddddddddd): agrees")
    with Case(lambda _: answer(False)) as c:
        code, out, _ = c.run("verify", "s")
        equal(code, 1)
        holds(out, "s/lamp")
        code, out, _ = c.run("verify", "--json")
        equal((code, json.loads(out)["agree"]), (1, False))


def doctor_fails_on_errors_only():
    for level, want in (("warn", 0), ("error", 1)):
        checks = [{"name": "port", "ok": True, "level": "info", "text": "4748"},
                  {"name": "clock", "ok": False, "level": level,
                   "text": "3 s off"}]
        with Case(lambda _, k=checks: {"ok": True, "checks": k}) as c:
            code, out, _ = c.run("doctor")
            equal(code, want)
            holds(out, "3 s off")
            equal(c.run("doctor", "--json")[0], want)


def invite_prints_the_code_alone():
    with Case(lambda _: {"ok": True, "code": "ABCD-EFGH",
                         "expires": 1700000000000000}) as c:
        code, out, err = c.run("invite", "--expires", "5m")
        equal((code, out), (0, "ABCD-EFGH\n"))
        holds(err, "2023-11-14 22:13:20")
        holds(err, "syncline join ABCD-EFGH")
        equal(c.sent()[0]["expires_s"], 300)


def join_says_what_was_joined():
    with Case(lambda _: {"ok": True, "mesh": "m1", "device": "d1",
                         "name": "pi", "kept": 12000}) as c:
        code, out, _ = c.run("join", "ABCD", "--peer", "10.0.0.1:4748",
                             "--leave", "--discard")
        equal(code, 0)
        holds(out, "joined the mesh m1 through pi (d1)\n12,000 items")
        equal(c.sent()[0], {"op": "join", "code": "ABCD", "leave": True,
                            "peer": "10.0.0.1:4748", "discard": True})


def stop_waits_until_the_daemon_has_gone():
    with Case(lambda _: [{"ok": True}, Daemon.HANG_UP]) as c:
        equal(c.run("stop"), (0, "", ""))


def people_can_read_the_tables():
    who = {"device": "d" * 64, "name": "pi"}
    answers = {
        "status": dict(who, replica="r", mesh="m", listen=["0.0.0.0:4748"],
                       uptime_s=11520, store_bytes=1536, rss_bytes=0,
                       spaces=[{"name": "s", "items": 14000, "deleted": 1,
                                "conflicts": 2, "fingerprint": "ab"}],
                       peers=[dict(who, address="10.0.0.2:1", state="up",
                                   rtt_us=1250, offset_us=-3, behind=True,
                                   parked=True)]),
        "history": {"versions": [dict(who, version=1, what="put",
                                      time=1700000000000000, value={"a": 1})]},
        "conflicts": {"conflicts": [
            {"id": "c7", "space": "s", "key": "k", "path": "/a",
             "state": "open",
             "winner": dict(who, path="/a", value=1, time=1700000000000000),
             "loser": {"path": "/a", "value": 2, "device": "e", "name": "nas",
                       "time": 1}}]},
        "rescue": {"rescue": [
            {"space": "s", "key": "k", "now": "deleted", "values": [
                dict(who, id="c7", path="/a", value=[1], state="open",
                     time=1700000000000000),
                {"id": "c8", "path": "", "value": 2, "device": "e",
                 "name": None, "state": "resolved", "time": 1}]}]},
        "spaces": {"spaces": [{"name": "s", "items": 1}]},
        "policies": {"policies": [{"space": "s", "prefix": "",
                                   "policy": "lww"}]},
    }
    with Case(lambda r: dict(answers[r["op"]], ok=True)) as c:
        for args, wants in (
                (["status"], ["pi, up 3 h 12 min", "14,000", "1.2 ms", "-3 us",
                              "1.5 KiB", "up, parked", " yes\n"]),
                (["history", "s", "k"], ["2023-11-14 22:13:20.000", '{"a":1}']),
                (["conflicts"], ["c7  s/k /a", "winner  /a = 1",
                                 "loser   /a = 2", "by nas"]),
                (["rescue"], ["s/k  now deleted", "  c7  /a = [1]\n", "by pi, 20",
                              "  c8  2  (settled)\n", "by e, "]),
                (["space"], ["SPACE"]), (["policy", "s"], ["(all keys)"])):
            code, out, _ = c.run(*args)
            equal(code, 0, args)
            for want in wants:
                holds(out, want)
        equal(json.loads(c.run("conflicts", "--json")[1])[0]["id"], "c7")


def rescue_goes_on_until_all_is_settled():
    left = [3, 2, 1]
    with Case(lambda _: {"ok": True, "items": left.pop(), "values": 10,
                         "more_items": len(left) > 0}) as c:
        code, out, err = c.run("rescue", "s", "--all", "--drop", "--wait", "2")
        equal((code, out), (0, ""))
        holds(err, "30 values of 6 items let go")
        equal(c.sent(), 3 * [{"op": "rescue_apply", "space": "s", "all": True,
                              "take": "drop", "wait": 2}])


def a_name_cannot_steer_the_terminal():
    peer = {"name": "a\x1b[2J\u009bb\u00e9", "device": "d", "behind": 0}
    with Case(lambda _: {"ok": True, "peers": [peer]}) as c:
        holds(c.run("peers")[1], "a\\u001b[2J\\u009bb\u00e9 ")


def watch_can_be_stopped_while_its_reader_stands_still():
    flood = [event(n, value="x" * 1000) for n in range(500)]
    with Case(lambda _: flood) as c:
        process = c.start("watch", "s")
        process.stdout.read(1)
        time.sleep(0.2)  # for the pipe to fill; if it does not, no harm
        process.send_signal(signal.SIGINT)
        equal(process.wait(PATIENCE), 0)
        process.communicate(b"", PATIENCE)


def what_the_small_commands_send():
    with Case(lambda _: {"ok": True, "device": "d", "name": "n"}) as c:
        for args, want in (
                (["del", "s", "k"], {"op": "del", "space": "s", "key": "k"}),
                (["patch", "s", "k", '{"a":null}'],
                 {"op": "patch", "space": "s", "key": "k",
                  "patch": {"a": None}}),
                (["restore", "s", "k", "3"],
                 {"op": "restore", "space": "s", "key": "k", "version": 3}),
                (["resolve", "c7", "--take", "loser"],
                 {"op": "resolve", "id": "c7", "take": "loser"}),
                (["resolve", "c7", "--value", "[]"],
                 {"op": "resolve", "id": "c7", "value": []}),
                (["space", "add", "x"], {"op": "space_add", "name": "x"}),
                (["space", "rm", "x", "--yes"], {"op": "space_rm", "name": "x"}),
                (["policy", "s", "manual"],
                 {"op": "policy_set", "space": "s", "prefix": "",
                  "policy": "manual"}),
                (["policy", "s", "lamp/", "merge"],
                 {"op": "policy_set", "space": "s", "prefix": "lamp/",
                  "policy": "merge"}),
                (["remove", "abcdefg"], {"op": "remove",
                                         "device": "abcdefg"})):
            equal(c.run(*args)[0], 0, args)
            equal(c.sent()[-1], want, args)


def config_needs_no_daemon():
    with Case() as c:
        c.write("syncline.yaml", "log:\n  level: warn\nhistory.keep: 7\n")
        env = {"SYNCLINE_HISTORY_KEEP": "8", "SYNCLINE_BEACON_INTERVAL": "1s"}
        code, out, _ = c.run("config", "--json", "--beacon.interval", "2s",
                             env=env)
        equal(code, 0)
        found = {o["name"]: (o["value"], o["source"])
                 for o in json.loads(out)["options"]}
        equal(found["log.level"],
              ("warn", "file %s:2" % c.path("syncline.yaml")))
        equal(found["history.keep"],
              (8, "environment SYNCLINE_HISTORY_KEEP"))
        equal(found["beacon.interval"], ("2s", "flag --beacon.interval"))
        equal(found["dir"], (c.folder, "environment SYNCLINE_DIR"))
        c.write("syncline.yaml", "log:\n  levle: warn\n")
        code, _, err = c.run("config")
        equal(code, 1)
        holds(err, "%s:2:3: log.levle" % c.path("syncline.yaml"))
        c.write("syncline.yaml", "dir: /elsewhere\n")
        code, _, err = c.run("config")
        equal(code, 1)
        holds(err, "syncline.yaml:1:1: dir: cannot be set in the file that lies in it")


def the_folder_may_have_a_long_name():
    with Case() as c:
        folder = os.path.join(c.folder, "x" * 120)
        os.mkdir(folder)
        daemon = Daemon(folder, lambda _: {"ok": True, "value": 1})
        equal(c.run("get", "s", "k", "--dir", folder)[:2], (0, "1\n"))
        daemon.close()


def where_the_folder_is():
    with Case() as c:
        for env, want in (({"XDG_STATE_HOME": c.folder},
                           os.path.join(c.folder, "syncline")),
                          ({"XDG_STATE_HOME": "relative"},
                           "/var/lib/syncline" if os.geteuid() == 0 else
                           os.path.expanduser("~/.local/state/syncline"))):
            out = c.run("config", "--json",
                        env=dict(env, SYNCLINE_DIR=""))[1]
            equal(json.loads(out)["options"][0]["value"], want)


TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__module__", "") == "__main__"
         and not isinstance(value, type)
         and name not in ("equal", "holds", "ok", "pages", "records", "event")]


def main(tests=TESTS):
    if not PROGRAM:
        print("1..0 # SKIP no binary: SYNCLINE names none")
        return 0
    failed = 0
    print("1..%d" % len(tests))
    for number, test in enumerate(tests, 1):
        try:
            test()
            print("ok %d - %s" % (number, test.__name__))
        except (AssertionError, subprocess.TimeoutExpired, OSError,
                ValueError, KeyError) as wrong:
            failed += 1
            print("not ok %d - %s" % (number, test.__name__))
            print("# %s" % wrong)
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
