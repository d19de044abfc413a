#!/usr/bin/python3
"""Instances that break the rules of config-sync: they are passed over or
closed, the daemon goes on, and those who keep the rules notice nothing."""

import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))

import instance
from instance import Client, message
from lan import Lan
from node import World, main, wait_for
from tap import check, equal

GREETING = ("GET /sync HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n")


class Scene:
    """A daemon, an instance that keeps the rules, and what it costs."""

    def __init__(self, *flags):
        self.world, self.loop = World(), instance.Loop()
        self.node = self.world.node(
            "a", "--configsync.server", "true", "--configsync.port", "0",
            *flags)

    def __enter__(self):
        self.world.__enter__()
        self.node.start()
        self.port = self.status()["server_port"]
        self.url = "ws://127.0.0.1:%d/sync" % self.port
        self.honest = Client(self.loop, self.url, "honest", {"x": 0})
        self.count = 0
        self.is_well()
        self.size = self.memory()
        return self

    def __exit__(self, *why):
        try:
            if why[0] is None:
                self.is_well()
                check(self.memory() < self.size + (64 << 20), "it has grown")
        finally:
            self.world.__exit__(*why)
            self.loop.close()

    def status(self):
        return self.node.call("configsync")

    def memory(self):
        with open("/proc/%d/statm" % self.node.process.pid,
                  encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def is_well(self):
        """A change of the honest one arrives, and one of ours comes back."""
        self.count += 1
        self.honest.change({"x": self.count})
        self.node.waits_for("config", {"x": self.count}, "config")
        self.count += 1
        self.node.put("config", {"x": self.count}, "config")
        wait_for("the honest one holds it",
                 lambda: self.honest.config == {"x": self.count})

    def raw(self, fields=""):
        s = socket.create_connection(("127.0.0.1", self.port), 10)
        s.sendall((GREETING % fields).encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += s.recv(1)
        return s, answer

    def client(self, name="bad"):
        return Client(self.loop, self.url, name)


def what_is_no_message_is_passed_over():
    with Scene() as s:
        bad = s.client()
        words = [b"bytes", "", "{", "[]", "null", "7", '"x"', "\ufeff{}",
                 '{"type": "config_update"}',
                 message("config_update", "bad", {"x": 1})[:-1] +
                 ', "more": 1}',
                 message("config_update", "bad", {"x": 1})
                 .replace('"config_hash"', '"hash"'),
                 "[" * 100000, '{"a":' * 100000, "x" * 100000]
        for word in words:
            bad.say(word)
        # of any type, with nothing to apply
        for member in ("type", "timestamp", "instance_id", "config_hash"):
            for value in (None, 7, [], {}, "", 1e300, -1):
                said = json.loads(message("config_update", "bad", {"y": 1}))
                said[member] = value
                if member in ("timestamp", "config_hash"):
                    said["config_data"] = None
                if member == "instance_id" and value == "":
                    continue
                bad.say(json.dumps(said))
        wait_for("they are counted",
                 lambda: s.status()["messages"]["dropped"] == len(words))
        s.honest.heard.queue.clear()


def frames_that_break_the_rules_end_it():
    def frame(first, second, rest=b""):
        return bytes([first, second]) + rest
    for bad, code in [
            (frame(0x81, 0x05, b"plain"), 1002),  # not masked
            (frame(0x83, 0x80, b"\0\0\0\0"), 1002),
            (frame(0xc1, 0x80, b"\0\0\0\0"), 1002),
            (frame(0x81, 0x82, b"\0\0\0\0\xc3\x28"), 1007),
            (frame(0x81, 0xff, b"\0\0\0\0\x40\0\0\x01\0\0\0\0x"), 1009)]:
        with Scene() as s:
            raw, _ = s.raw()
            raw.sendall(bad)
            said = b""
            while True:
                piece = raw.recv(65536)
                if not piece:
                    break
                said += piece
            check(said[-4:-2] == b"\x88\x02" and
                  said[-2:] == code.to_bytes(2, "big") or
                  code.to_bytes(2, "big") in said, (bad, said[-16:]))
            raw.close()


def one_byte_more_than_is_taken():
    with Scene() as s:
        bad = s.client()
        text = message("config_update", "bad", {"x": ""})
        room = instance.LIMIT - len(text)
        bad.say(text.replace('"x": ""', '"x": "%s"' % ("a" * room)))
        wait_for("it is taken", lambda: s.status()["updates"]["applied"] >= 2)
        wait_for("it stands", lambda: len(s.node.get("config", "config")
                                          ["x"]) == room)
        try:
            bad.say(text.replace('"x": ""', '"x": "%s"' % ("a" * (room + 1))))
        except Exception:  # closed while it was sent
            pass
        equal(bad.closed(), 1009, "the code")
        s.honest.config = {"x": 0}
        s.size = s.memory()


def _packed(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def _frame(first, data):
    n = len(data)
    size = (bytes([0xfe]) + n.to_bytes(2, "big") if n < 65536 else
            bytes([0xff]) + n.to_bytes(8, "big"))
    return bytes([first]) + size + bytes(4) + data


def what_would_become_too_long_is_refused():
    offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
    spaces = message("config_update", "bad", {"x": 1}).encode()
    for size, head, code in [
            (200 << 20, offer, 1009),   # 200 MiB of 200 KiB
            (3 << 20, offer, 1009),     # less than 4 MiB, but a thousandfold
            (3 << 20, "", 1002)]:       # that was not agreed on
        with Scene() as s:
            raw, greeting = s.raw(head)
            equal(b"permessage-deflate" in greeting, head != "", greeting)
            raw.sendall(_frame(0xc1, _packed(spaces + b" " * size)))
            said = raw.recv(65536)
            while b"\x88\x02" + code.to_bytes(2, "big") not in said:
                piece = raw.recv(65536)
                check(piece, ("no close of %d" % code, said[-16:]))
                said += piece
            raw.close()
            equal(s.status()["updates"]["applied"], 1, "applied")


def a_flood_of_updates():
    with Scene() as s:
        bad = s.client()
        for i in range(3000):
            bad.say(message("config_update", "bad", {"x": i, "y": "z" * 500}))
        s.node.waits_for("config", {"x": 2999, "y": "z" * 500}, "config")
        check(s.status()["updates"]["applied"] < 3000, "each was written")


def who_reads_nothing_is_ended():
    with Scene() as s:
        raw, _ = s.raw()
        talker = s.client("talker")
        big = {"x": "v" * (1 << 20)}
        for i in range(24):
            big["n"] = i
            talker.say(message("config_update", "talker", big))
            s.honest.heard.queue.clear()
        wait_for("the one that does not read is gone",
                 lambda: s.status()["callers"] == 2)
        raw.close()
        wait_for("the last stands",
                 lambda: s.node.get("config", "config").get("n") == 23)
        s.size = s.memory()


def many_hold_what_they_have_begun_or_do_not_read():
    """The memory for all of them has an end; the honest one goes on."""
    most = 256 << 20  # 128 MiB, and what the system's allocator keeps
    with Scene() as s:
        idle = []
        for _ in range(80):
            idle.append(s.raw()[0])
            head = bytes([0x81, 0xff]) + (4 << 20).to_bytes(8, "big")
            try:
                idle[-1].sendall(head + bytes(4) + b"x" * ((4 << 20) - 9))
            except OSError:
                pass  # it was closed, since it has most
        wait_for("some are closed", lambda: s.status()["callers"] < 40)
        wait_for("begun messages are not held",
                 lambda: s.memory() < s.size + most)
        s.is_well()
        for one in idle:
            one.close()
        wait_for("they are gone", lambda: s.status()["callers"] == 1)
        idle = [s.raw()[0] for _ in range(60)]
        talker = s.client("talker")
        for i in range(4):
            talker.say(message("config_update", "talker",
                               {"x": i, "v": "v" * (2 << 20)}))
            s.honest.heard.queue.clear()
        wait_for("the last stands",
                 lambda: s.node.get("config", "config").get("x") == 3)
        wait_for("what nobody reads is not held",
                 lambda: s.memory() < s.size + most)
        for one in idle:
            one.close()
        talker.close()
        wait_for("they are gone", lambda: s.status()["callers"] == 1)
        s.is_well()
        s.size = s.memory()


def a_page_of_the_web_is_refused():
    with Scene() as s:
        for field in ("Origin: http://127.0.0.1:%d\r\n" % s.port,
                      "Origin: null\r\n", "Sec-Fetch-Site: same-origin\r\n"):
            raw, answer = s.raw(field)
            check(answer.startswith(b"HTTP/1.1 403"), answer)
            raw.close()
        equal(s.status()["turned_away"]["page"], 3, "pages")


def nobody_of_another_network_is_let_in():
    """From another machine (a network namespace): closed before a word."""
    with Lan("a", "web") as lan, World() as w:
        a = w.node("a", "--configsync.server", "true", "--configsync.port",
                   "8765", "--configsync.bind", "0.0.0.0",
                   "--configsync.admit", "192.0.2.0/24", listen="",
                   prefix=lan.inside("a"))
        a.start()

        def asks():
            with lan.within("web"):
                s = socket.create_connection((lan.address("a"), 8765), 10)
            with s:
                try:
                    s.sendall((GREETING % "").encode())
                    return s.recv(64)
                except ConnectionError:
                    return b""
        for n in (1, 2):
            equal(asks(), b"", "an answer")
            wait_for("it is counted", lambda n=n: a.call("configsync")[
                "turned_away"]["network"] >= n)
        equal(a.call("configsync")["callers"], 0, "callers")
        a.stop()
        a.start("--configsync.admit", "10.9.66.0/24")
        check(asks().startswith(b"HTTP/1.1 101"), "one of its networks")


def who_asks_too_often_waits():
    with Scene("--configsync.local_exempt", "false") as s:
        for _ in range(80):
            h = http.client.HTTPConnection("127.0.0.1", s.port, timeout=10)
            h.request("GET", "/sync")
            status = h.getresponse().status
            h.close()
            if status == 429:
                break
        equal(status, 429, "the last status")
        wait_for("it is counted",
                 lambda: s.status()["turned_away"]["rate"] >= 1)
        h = http.client.HTTPConnection("127.0.0.1", s.port, timeout=10)
        h.request("GET", "/health")  # is exempt
        equal(h.getresponse().status, 200, "health")
        h.close()


def a_token_that_went_says_nothing_more():
    with Scene() as s:
        made = json.loads(s.node.do("token", "create", "--json", "--name", "t",
                                    "--scope", "write"))
        bad = Client(s.loop, "ws://%s/sync" % s.node.status()["listen"][0],
                     "bad", extra_headers={
                         "Authorization": "Bearer " + made["secret"]})
        bad.say(message("config_update", "bad", {"x": -1}))
        s.node.waits_for("config", {"x": -1}, "config")
        s.node.call("token_revoke", who="t")
        bad.say(message("config_update", "bad", {"x": -2}))
        equal(bad.closed(), 1008, "the code")
        equal(s.node.get("config", "config"), {"x": -1}, "what stands")


def _certificate(folder, name):
    cert, key = (os.path.join(folder, name + end) for end in (".pem", ".key"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert,
         "-days", "9", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    return cert, key


def whom_it_cannot_verify_hears_nothing():
    """A server with a certificate of the same name by somebody else."""
    with World() as w, socket.create_server(("127.0.0.1", 0)) as server:
        good, _ = _certificate(w.folder, "good")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*_certificate(w.folder, "bad"))
        server.settimeout(20)
        url = "wss://localhost:%d/sync" % server.getsockname()[1]
        tokens = w.path("tokens")
        with open(os.open(tokens, os.O_CREAT | os.O_WRONLY, 0o600), "w",
                  encoding="ascii") as f:
            f.write(url + " secret\n")
        a = w.node("a", "--configsync.peers", url, "--configsync.ca", good,
                   "--configsync.server", "false",
                   "--configsync.tokens", tokens).start()
        for _ in range(2):
            caller, _ = server.accept()
            caller.settimeout(20)
            try:
                with context.wrap_socket(caller, server_side=True) as s:
                    equal(s.recv(4096), b"", "what is said to it")
            except (ssl.SSLError, ConnectionError):
                pass  # told that its certificate is not good
        why = wait_for("it says why", lambda: a.call(
            "configsync")["peers"][0]["trouble"])
        check("certificate" in why, why)


def many_come_and_say_nothing():
    with Scene() as s:
        some = [socket.create_connection(("127.0.0.1", s.port), 10)
                for _ in range(300)]
        start = time.monotonic()
        s.is_well()
        check(time.monotonic() - start < 5, "it is slow")
        for one in some:
            one.close()


if __name__ == "__main__":
    sys.exit(main(globals()))
