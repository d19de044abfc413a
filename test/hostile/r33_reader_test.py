#!/usr/bin/python3
"""R33: who does not read what he asked for is held back or dropped, with a
place to go on from; whoever writes does not wait for him."""

import http.client
import json
import os
import socket
import sys
import threading
import time

import peer
from hub import Hub
from peer import PATIENCE, node, tap
import hub  # peer has said where it is


def a_peer_that_does_not_read_is_dropped():
    """At 4 MiB that wait for it. It comes again and goes on where it was."""
    with node.World() as world:
        scene = peer.Scene(world)
        for i in range(50):  # so that an answer to ASK is long
            scene.victim.put("%02d" % i + "k" * 1000, i)

        def dropped():
            with open(scene.victim.log, encoding="utf-8") as log:
                return "reads too slowly" in log.read()
        with scene.unharmed():
            p = scene.peer()
            p.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            for _ in range(100):
                for i in range(20):
                    p.frame(peer.ASK, peer.varint(i) + p.token() +
                            peer.lot(b"") + peer.lot(b""))
                for _ in range(25):  # a turn of its loop each
                    scene.victim.status()
                if dropped():
                    break
            tap.check(dropped(), "never dropped")
            p.close()
            scene.victim.put("while-away", 1)
            with scene.peer() as again:
                again.subscribe(cursor=0)
                again.await_frame(peer.BATCH)


def what_is_written_at_once_is_sent_at_once():
    """Before the disk has it, in one batch with its mark."""
    scene = peer.scene()
    with scene.unharmed(), scene.peer() as p:
        p.subscribe()
        p.lives()
        scene.victim.call("batch", ops=[
            {"key": "once-%03d" % i, "value": i} for i in range(400)])
        sheaves = 0
        while not sheaves:  # what is there already comes first
            body = p.await_frame(peer.BATCH)
            _, at = peer.read_varint(body, 17)  # the cursor
            sheaves = body[16] & 64
        _, at = peer.read_varint(body, at)
        size, at = peer.read_varint(body, at)
        rows, _ = peer.read_varint(body, at + size)
        tap.equal((rows, body[16] & 1), (400, 1), "rows, and the mark")


def a_peer_without_credit_is_sent_a_window():
    """4 MiB of rows and not more; the honest one gets them all meanwhile."""
    scene = peer.scene()
    text = os.urandom(30000).hex()
    with scene.unharmed(96 << 20), scene.peer() as p:
        p.subscribe()
        for i in range(160):
            scene.victim.put("big-%d" % i, "%d%s" % (i, text))
        scene.honest.waits_for("big-159", "159" + text)
        got, end = 0, time.monotonic() + 3
        p.socket.settimeout(0.5)
        try:
            while time.monotonic() < end:  # a ping may come all the time
                data = p.socket.recv(65536)
                got += len(data)
                tap.check(got < 6 << 20, "more than a window: %d" % got)
                if not data:
                    break
        except socket.timeout:
            pass
        tap.check(got > 3 << 20, "less than a window: %d" % got)


def a_stream_that_nobody_reads_is_ended():
    """By HTTP: after http.stall. Who reads, and has nothing to read, stays."""
    with node.World() as world:
        a = world.node("a", "--http.stall", "1s").start()
        with open(os.path.join(a.dir, "token"), encoding="ascii") as f:
            token = f.read().strip()
        at = peer.address(a)

        def stream():
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(at)
            s.sendall((
                "GET /v1/spaces/default/watch?from=start HTTP/1.1\r\n"
                "Host: %s:%d\r\nAuthorization: Bearer %s\r\n\r\n" % (
                    *at, token)).encode())
            s.settimeout(PATIENCE)
            tap.holds(s.recv(4096).decode(), "200 OK")
            return s

        def ended():
            with open(a.log, encoding="utf-8") as log:
                return "it has stopped reading" in log.read()

        deaf, awake = stream(), stream()
        reading = threading.Thread(target=lambda: _drain(awake, "last"))
        reading.start()
        text = os.urandom(30000).hex()
        for i in range(150):
            a.put("key-%d" % i, [i, text])
        node.wait_for("it is ended", ended)
        a.put("last", "last")
        reading.join(PATIENCE)
        tap.check(not reading.is_alive(), "who reads was told all of it")
        deaf.close()
        awake.close()


def answers_that_nobody_reads_fill_no_memory():
    """A token that may read asks for pages of 8 MiB on all connections that it
    has, again and again, and reads none; another one asks for the same and gets
    it, and nobody's place is lost."""
    with node.World() as world:
        a = world.node("a").start()
        for i in range(170):
            a.put("big-%d" % i, "x" * 50000)
        tokens = [json.loads(a.do("token", "create", "--name", name, "--scope",
                                  "read", "--json"))["secret"]
                  for name in ("bad", "good")]
        before = a.status()["rss_bytes"]
        highest, mute = 0, []

        def ask(token):
            c = http.client.HTTPConnection(
                *peer.address(a), timeout=peer.PATIENCE)
            c.request("GET", "/v1/spaces/default/items?values=true&limit=500",
                      headers={"Authorization": "Bearer " + token})
            return c
        for _ in range(2):
            mute += [ask(tokens[0]) for _ in range(60)]
            good = ask(tokens[1])
            highest = max(highest, a.status()["rss_bytes"])
            r = good.getresponse()
            tap.equal((r.status, len(json.loads(r.read())["items"]) > 100),
                      (200, True), "who reads")
            good.close()
            highest = max(highest, a.status()["rss_bytes"])
        tap.check(highest - before < 400 << 20, "it took %d MiB" % (
            (highest - before) >> 20))
        for c in mute:
            c.close()


def an_answer_has_an_end():
    """A past of 70 MiB is not told at once by HTTP, and that is said; pages of
    it are, and by hand all of it is."""
    with node.World() as world:
        a = world.node("a", "--limits.write_bytes", "0").start()
        for i in range(5):
            a.put("x", "%d" % i + "x" * (14 << 20))
        with Hub(a) as h:
            tap.holds(h.ask("GET", "/v1/spaces/default/history/x", 413).text,
                      "64 are told by HTTP", "ELIMIT")
            past, after = [], 0
            while True:
                page = json.loads(h.ask(
                    "GET", "/v1/spaces/default/history/x?limit=3&after=%d" %
                    after).text)
                past += [v["value"][:1] for v in page["versions"]]
                if not page["more_versions"]:
                    break
                after = page["versions"][-1]["version"]
            tap.equal("".join(past), "01234", "all pages")
            told = json.loads(a.do("history", "default", "x", "--json"))
            tap.equal("".join(v["value"][0] for v in told["versions"]),
                      "01234", "all of it")
            tap.equal(told["more_versions"], False, "there is no more")
            h.ask("GET", "/v1/spaces/default/items/x")


def _drain(s, until):
    seen = b""
    while until.encode() not in seen:
        data = s.recv(65536)
        if not data:
            raise AssertionError("it was ended as well")
        seen = seen[-100:] + data


def a_watch_that_is_not_read_is_held_back():
    """Writers go on, memory stays; once it reads, nothing is missing."""
    scene = peer.scene()
    text = os.urandom(30000).hex()
    with scene.unharmed(160 << 20):  # the store's own, mostly
        control = node.Control(scene.victim.dir)
        control.send("watch", prefix="seen-")
        control.read()
        for i in range(150):
            scene.victim.put("seen-%d" % i, [i, text])
        told = {}
        while len(told) < 150:
            event = control.read()
            if "key" in event:
                told[event["key"]] = event["value"][0]
        tap.equal(told, {"seen-%d" % i: i for i in range(150)}, "events")
        control.close()


def a_watch_goes_on_from_its_cursor():
    """Cut off amid its events, it misses none."""
    scene = peer.scene()
    with node.Control(scene.victim.dir) as control:
        control.send("watch", prefix="cut-")
        control.read()
        scene.victim.put("cut-1", 1)
        cursor = control.read()["cursor"]
    scene.victim.put("cut-2", 2)
    with node.Control(scene.victim.dir) as control:
        control.send("watch", prefix="cut-", **{"from": cursor})
        tap.equal(control.read()["key"], "cut-2", "the next event")


def a_caller_that_asks_much_and_reads_late():
    """Its requests wait unread, so that answers do not pile up; others are
    answered; and when it reads, every answer comes."""
    scene = peer.scene()
    for i in range(20):
        scene.victim.put("ls-%d" % i, "x" * 2000)
    with scene.unharmed(48 << 20), node.Control(scene.victim.dir) as control:
        n = 8000
        line = b'{"op":"ls","prefix":"ls-","values":true}\n'
        asks = threading.Thread(
            target=lambda: control.socket.sendall(line * n))
        asks.start()
        before, most = scene.rss(), 0
        for _ in range(50):
            most = max(most, scene.rss())
        for i in range(n):
            answer = control.stream.readline()
            tap.check(answer.startswith(b'{"ok":true'), "answer %d" % i)
        asks.join()
        tap.equal(control.call("get", key="ls-1")["value"], "x" * 2000,
                  "one more")
        tap.check(most < before + (48 << 20), "%d MiB" % (most >> 20))


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
