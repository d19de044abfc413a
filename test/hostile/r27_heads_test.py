#!/usr/bin/python3
"""R27: a relay that keeps back what it says to others that it has, that brings
something else, that makes up what others say. The author whose rows it should
bring is never there: only his signed heads are."""

import contextlib
import os
import select
import struct
import sys
import threading
import time

import peer
from peer import node, tap

ABOUT = b"syncline head v1\n"
BEATS = 3  # and a heartbeat of the daemons here is a second


def _roles(n):
    return {m["name"]: m["role"] for m in n.call("members")["members"]}


@contextlib.contextmanager
def _scene():
    """A victim, an honest member, a relay whose key is ours, and the author's
    key, whose device is not connected."""
    with node.World() as w:
        scene = peer.Scene(w, members=2)
        scene.honest.do("grant", "lost0", "--role", "relay")
        for n in (scene.victim, scene.honest):
            node.wait_for("the relay's role", lambda n=n:
                          _roles(n).get("lost0") == "relay")
        scene.author = scene.keys[1]
        scene.replica = scene.author.replica()
        yield scene


def _head(p, author, number, durable, key=None, shown=bytes(16),
          space="default"):
    """By doc/protocol.md, of the author, signed by that key."""
    vector = peer.vector(durable)
    text = (ABOUT + p.mesh + p.token(space) + author.device +
            struct.pack("<Q", number) + shown + vector)
    return (p.token(space) + author.device + peer.varint(number) + shown +
            (key or author.key).sign(text) + vector)


@contextlib.contextmanager
def _relay(scene):
    """Connected, subscribed, and answering pings as long as this lasts. What
    OpenSSL holds of a connection is for one thread at a time: a lock for both
    ways."""
    over = threading.Event()
    lock = threading.RLock()
    with scene.peer() as p:
        p.subscribe()
        p.lives()
        plain, seen = p.frame, [0]

        def frame(*args, **more):
            with lock:
                plain(*args, **more)

        def serve():
            while not over.is_set():
                if not select.select([p.socket], [], [], 0.1)[0]:
                    continue
                with lock:
                    try:
                        p._take(0)
                    except TimeoutError:
                        continue
                    except peer.Gone:
                        return
                    p._cut()
                    for kind, body in p.frames[seen[0]:]:
                        if kind == peer.PING:
                            p.frame(peer.PONG, body[:8] + struct.pack(
                                "<Q", int(time.time() * 1e6)))
                    seen[0] = len(p.frames)

        p.frame = frame
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield p
        finally:
            over.set()
            thread.join()


def _withheld(v):
    return {(e["whose"], e["what"]) for e in v.status()["withheld"]}


def _comes(p, scene, seq):
    """A mark says that all of the author's is here."""
    p.batch(mark={scene.replica: seq})


def rows_kept_back_are_told_within_three_heartbeats():
    with _scene() as scene, _relay(scene) as p:
        v = scene.victim
        with scene.unharmed():
            began = time.monotonic()
            p.frame(peer.HEAD, _head(p, scene.author, 1, {scene.replica: 3}))
            node.wait_for("it is told", lambda: _withheld(v) == {
                ("lost1", "missing")}, patience=BEATS + 2)
            tap.check(time.monotonic() - began > BEATS - 2, "too soon")
            tap.equal(v.status()["relays_withhold"], 1, "how often")
            tap.holds(v.do("audit"), "relay-withholds")
            tap.holds(str(v.call("doctor")), "keeps back")
            tap.holds(str(v.call("doctor")), "lost1")
        _comes(p, scene, 3)
        node.wait_for("all is here", lambda: not _withheld(v))


def newer_heads_do_not_put_it_off():
    with _scene() as scene, _relay(scene) as p:
        v = scene.victim
        for number in range(1, 20):
            p.frame(peer.HEAD, _head(p, scene.author, number,
                                     {scene.replica: number}))
            if _withheld(v):
                break
            time.sleep(0.5)
        tap.equal(_withheld(v), {("lost1", "missing")}, "what is told")


def who_brings_all_is_not_accused():
    with _scene() as scene, _relay(scene) as p:
        v = scene.victim
        p.frame(peer.HEAD, _head(p, scene.author, 1, {scene.replica: 3}))
        _comes(p, scene, 3)
        node.wait_for("some heartbeats", lambda: sum(
            kind == peer.PING for kind, _ in p.frames) > BEATS + 2)
        tap.equal(v.status()["relays_withhold"], 0, "how often it was told")


def what_it_says_it_sent_and_did_not_is_told():
    with _scene() as scene, _relay(scene) as p:
        v = scene.victim
        v.put("lamp", 1)
        _comes(p, scene, 1)  # and no row
        node.wait_for("it is believed", lambda: scene.replica.hex() in
                      v.space("default")["vector"])
        have = {bytes.fromhex(r): seq for r, seq in
                v.space("default")["vector"].items()}
        p.frame(peer.HEAD, _head(p, scene.author, 1, have,
                                 shown=os.urandom(16)))
        node.wait_for("it is told", lambda: _withheld(v) == {
            ("lost1", "differs")}, patience=BEATS + 2)
        tap.holds(v.do("audit"), "head-differs")
        tap.holds(str(v.call("doctor")), "differs")


def a_head_that_another_key_has_signed_breaks_the_protocol():
    with _scene() as scene:
        with scene.unharmed(), scene.peer() as p:
            p.subscribe()
            p.lives()
            p.frame(peer.HEAD, _head(p, scene.author, 1, {scene.replica: 3},
                                     key=scene.key.key))
            how = p.ends()
            tap.equal(how.code, peer.EMALFORMED, "the code of BYE")
        tap.equal(scene.victim.status()["withheld"], [], "what it believed")


def a_head_counts_for_who_waits_and_an_old_one_does_not():
    with _scene() as scene:
        v, h = scene.victim, scene.honest
        h.stop()
        node.wait_for("the honest one is away",
                      lambda: "honest" not in v.connected())
        with _relay(scene) as p:
            v.put("lamp", 0)
            own = bytes.fromhex(v.replica())
            p.frame(peer.HEAD, _head(p, scene.author, 5, {own: 1}))
            p.frame(peer.HEAD, _head(p, scene.author, 4, {own: 1 << 40}))
            v.refuses("put", "default", "lamp", "1", "--wait", "1",
                      "--timeout", "1", says="confirmed in time")
            p.frame(peer.HEAD, _head(p, scene.author, 6, {own: 1 << 40}))
            tap.holds(v.do("put", "default", "lamp", "2", "--wait", "1",
                           "--timeout", "5", "--json"), '"acks":1')
        h.start()
        scene.synced()


def what_a_member_says_is_signed_as_the_page_says():
    """And only what the relay says that it has, too."""
    with _scene() as scene:
        v = scene.victim
        v.put("lamp", 1)
        v.put("lamp", 2)
        own = bytes.fromhex(v.replica())
        with scene.peer() as p:
            key = peer.x509.load_der_x509_certificate(
                p.socket.getpeercert(binary_form=True)).public_key()
            p.subscribe(have={own: 1})
            while True:
                body = p.await_frame(peer.HEAD)
                if body[:16] == p.token():
                    break
            number, at = peer.read_varint(body, 48)
            shown, sig, vector = (body[at:at + 16], body[at + 16:at + 80],
                                  body[at + 80:])
            tap.equal(vector, peer.vector({own: 1}), "what it says")
            tap.equal(shown, bytes(16), "a print of what the relay lacks")
            key.verify(sig, ABOUT + p.mesh + body[:48] +
                       struct.pack("<Q", number) + shown + vector)


def nor_one_of_another_space_or_mesh():
    with _scene() as scene:
        with scene.unharmed(), scene.peer() as p:
            p.subscribe()
            p.lives()
            head = _head(p, scene.author, 1, {scene.replica: 3},
                         space="config")
            p.frame(peer.HEAD, p.token() + head[16:])
            tap.equal(p.ends().code, peer.EMALFORMED, "of another space")
        with scene.unharmed(), scene.peer() as p:
            p.subscribe()
            p.lives()
            mesh, p.mesh = p.mesh, os.urandom(len(p.mesh))
            head = _head(p, scene.author, 1, {scene.replica: 3})
            p.mesh = mesh
            p.frame(peer.HEAD, p.token() + head[16:])
            tap.equal(p.ends().code, peer.EMALFORMED, "of another mesh")


def what_is_cut_short_breaks_the_protocol():
    with _scene() as scene:
        with scene.unharmed(), scene.peer() as p:
            whole = _head(p, scene.author, 1, {scene.replica: 3})
        for n in (0, 15, 47, 60, 100, len(whole) - 1):
            with scene.unharmed(), scene.peer() as p:
                p.frame(peer.HEAD, whole[:n])
                tap.check(p.ends().code in (peer.ESHORT, peer.EMALFORMED),
                          "cut at %d" % n)


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
