#!/usr/bin/python3
"""R25, R26: a relay that wants to know, to falsify, to speak for others."""

import base64
import contextlib
import os
import sys
import time

import peer
from peer import node, tap
from sealing import Malformed, read_item
from signed import Proof

KEY, PATH, VALUE = b"canary-key-51", b"canary-path-62", b"canary-value-73"


def _roles(n):
    return {m["name"]: m["role"] for m in n.call("members")["members"]}


@contextlib.contextmanager
def _scene():
    """A victim, an honest member, and a relay whose key is ours."""
    with node.World() as w:
        scene = peer.Scene(w)
        scene.honest.do("grant", "lost0", "--role", "relay")
        for n in (scene.victim, scene.honest):
            node.wait_for("the relay's role", lambda n=n:
                          _roles(n).get("lost0") == "relay")
        yield scene


def _listen(p, seconds):
    """All that comes within that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            p._take(end - time.monotonic())
        except TimeoutError:
            break
        p._cut()
    return b"".join(bytes([kind]) + body for kind, body in p.frames)


def what_a_relay_is_sent_says_nothing():
    with _scene() as scene:
        scene.victim.put(KEY.decode(), {PATH.decode(): VALUE.decode()})
        with scene.unharmed(), scene.peer() as p:
            for space in ("default", "config", "_spaces", "_mesh"):
                p.subscribe(space)
            got = _listen(p, 1)
            tap.check(peer.BATCH in [kind for kind, _ in p.frames],
                      "nothing was sent at all")
            for canary in (KEY, PATH, VALUE):
                tap.check(canary not in got, "%r was told" % canary)


def what_a_relay_asks_about_keys_is_not_answered():
    with _scene() as scene:
        scene.victim.put(KEY.decode(), 1)
        with scene.unharmed(), scene.peer() as p:
            p.frame(peer.ASK, peer.varint(7) + p.token() + peer.lot(b"") +
                    peer.lot(b""))
            got = _listen(p, 1)
            tap.check(peer.TELL not in [kind for kind, _ in p.frames],
                      "it was answered")
            tap.check(KEY not in got, "the key was told")


def a_row_of_a_relay_in_clear_is_not_taken():
    with _scene() as scene:
        with scene.unharmed(), scene.peer() as p:
            p.subscribe()
            p.batch([p.row(b"forged", [(b"", b"1")], 1)],
                    mark={p.replica: 1})
            p.lives()
            tap.equal(scene.victim.get("forged"), None, "what it wrote")


def a_relay_does_not_say_what_others_have():
    with _scene() as scene:
        v, h = scene.victim, scene.honest
        h.stop()
        node.wait_for("the honest one is away",
                      lambda: "honest" not in v.connected())
        with scene.peer() as p:
            p.subscribe()
            p.lives()
            p.frame(peer.ACK, p.token() + bytes.fromhex(
                _device(v, "honest")) + peer.vector(
                    {bytes.fromhex(v.replica()): 1 << 40}))
            p.lives()
            v.refuses("put", "default", "lamp", "1", "--wait", "1",
                      "--timeout", "1", says="confirmed in time")
        h.start()
        scene.synced()


def _device(n, name):
    return {m["name"]: m["device"]
            for m in n.call("members")["members"]}[name]


def _bootstrap(scene, v):
    with scene.peer() as p:
        p.subscribe()
        p.lives()
        horizon = {os.urandom(16): 5, bytes.fromhex(v.replica()): 1 << 20}
        p.frame(peer.BOOTSTRAP, p.token() + b"\0" + peer.vector(horizon))
        p.frame(peer.BOOTSTRAP, p.token() + b"\1" + peer.vector(horizon) +
                peer.varint(2) + peer.varint(9) + peer.varint(0) +
                bytes(8) + bytes(16))
        try:
            p.lives()
        except peer.Gone:
            pass


def a_relay_makes_nobody_forget():
    """By a bootstrap of nothing, which claims to know all."""
    with _scene() as scene:
        v = scene.victim
        v.put("lamp", 1)
        scene.honest.put("of-honest", 2)
        v.waits_for("of-honest", 2)
        _bootstrap(scene, v)
        tap.equal(v.get("lamp"), 1, "what the victim had")
        tap.equal(v.get("of-honest"), 2, "what the honest one had written")
        tap.check("bootstrap: default: complete" not in v.tail(),
                  "it took the bootstrap")
        scene.synced()


def nor_of_what_nobody_else_has_heard_of():
    """It takes one, and has written before it met anybody who has the space."""
    with _scene() as scene:
        v = scene.victim
        v.put("lamp", 1)
        _bootstrap(scene, v)
        node.wait_for("it has what it wrote", lambda: v.get("lamp") == 1)
        scene.synced()


def a_relay_that_goes_back_is_told_of():
    with _scene() as scene:
        v = scene.victim
        v.put("lamp", 1)
        with scene.peer() as p:
            had = {bytes.fromhex(v.replica()): v.space("default")["vector"][
                v.replica()]}
            p.subscribe(have=had)
            p.frame(peer.ACK, p.token() + p.identity.device +
                    peer.vector(had))
            p.lives()
            tap.equal(v.status()["relays_back"], 0, "not yet")
        with scene.unharmed(), scene.peer() as p:
            p.subscribe()
            p.lives()
            node.wait_for("it is told", lambda: (
                p.lives(), v.status()["relays_back"])[1] == 1)
            tap.holds(v.do("audit"), "relay-back")
            tap.holds(str(v.call("doctor")), "less than it once had")


def what_a_relay_has_lost_it_is_sent_again():
    """R29: all of it, though it once said that it has it on its disk."""
    with _scene() as scene:
        v = scene.victim
        for i in range(3):
            v.put("item-%d" % i, i)
        had = {bytes.fromhex(v.replica()): v.space("default")["vector"][
            v.replica()]}
        for lost in (False, True):
            with scene.peer() as p:
                p.subscribe(have={} if lost else had)
                if not lost:
                    p.frame(peer.ACK, p.token() + p.identity.device +
                            peer.vector(had))
                    p.lives()
                    continue
                rows = []
                while len(rows) < 3:
                    body = p.await_frame(peer.BATCH)
                    if body[:16] == p.token():
                        rows += _rows(body)
                tap.equal(len({name for name, _ in rows}), 3, "items")


# ---- R26: what it alters ----

def _rows(body):
    """Of a BATCH without floors and sheaves."""
    tap.equal(body[16] & (16 | 64), 0, "flags of a batch")
    _, at = peer.read_varint(body, 17)
    n, at = peer.read_varint(body, at)
    size, at = peer.read_varint(body, at)
    end, rows = at + size, []
    while at < end:
        size, at = peer.read_varint(body, at)
        key, at = body[at:at + size], at + size
        size, at = peer.read_varint(body, at)
        rows.append((key, body[at:at + size]))
        at += size
    tap.equal(len(rows), n, "rows of a batch")
    return rows


def _sealed(scene, n):
    """What the honest one sends a relay, and only that: each item written by
    itself. The victim has none of it."""
    v, h = scene.victim, scene.honest
    v.stop()
    rows = []
    with peer.Peer(h, scene.key) as p:
        p.subscribe()
        p.lives()
        for i in range(n):
            h.put("item-%d" % i, {"n": i})
            while len(rows) == i:
                body = p.await_frame(peer.BATCH)
                if body[:16] == p.token():
                    rows += _rows(body)
    h.stop()
    v.start()
    return rows


def _brings(scene, row):
    """How the victim takes it: the code of BYE, 0: it goes on."""
    with scene.peer() as p:
        p.subscribe()
        p.batch([row])
        try:
            p.lives()
        except peer.Gone as how:
            return how.code
    return 0


def _due(item, bent):
    """What comes of an item that was made this other one. What is none (see
    doc/store.md) is malformed; of what opens, the signature is looked at. The
    rest does not open as it would have been sealed: it is left out."""
    try:
        was, now = read_item(item), read_item(bent)
    except Malformed:
        return peer.EMALFORMED
    names = [now.cells[0][0][1:]]
    if any(len(name) != 64 or set(name) - set(b"0123456789abcdef")
           for name in names):
        return peer.EMALFORMED
    try:
        a, b = (Proof(x.changes[0].proof).sig for x in (was, now))
    except (AssertionError, IndexError):  # that is no proof
        return 0
    return peer.EDENIED if a != b else 0


def what_it_alters_is_refused():
    """Each item with one bit of it turned over, from the first byte, where the
    life stands (a put becomes a deletion), over context, dot, stamp and proof
    to the sealed values; and two under each other's names. What breaks the
    protocol ends the connection; what only does not open, or whose author is
    not known, is left out."""
    with _scene() as scene:
        v, n = scene.victim, 40
        rows = _sealed(scene, n)
        codes, due = [], []
        for i in range(2, n):
            key, item = rows[i]
            at = 0 if i == 2 else len(item) * (i - 2) // (n - 2)
            bent = bytearray(item)
            bent[at] ^= 1 << (i % 8)
            codes.append(_brings(scene, (key, bytes(bent))))
            due.append(_due(item, bytes(bent)))
        for a, b in ((0, 1), (1, 0)):
            codes.append(_brings(scene, (rows[a][0], rows[b][1])))
            due.append(0)
        tap.equal([i for i in range(n) if v.get("item-%d" % i) is not None],
                  [], "what was taken of it")
        tap.equal(codes, due, "codes of BYE")
        tap.check(v.status()["unopened"] > 0, "what does not open is counted")
        tap.holds(str(v.call("doctor")), "could not be opened")
        for row in rows[:3]:
            tap.equal(_brings(scene, row), 0, "as it was")
        for i in range(3):
            v.waits_for("item-%d" % i, {"n": i})


def what_it_cuts_or_pads_is_refused():
    """Each item short of some of its end, or of a byte within; or with more:
    bytes behind it, a byte within, all of it twice, base64 as older relays had
    it. Seals are as long as they are."""
    with _scene() as scene:
        v, n = scene.victim, 5
        rows = _sealed(scene, n)
        key, item = rows[2]
        size = len(item)
        bent = [item[:size - cut] for cut in (1, 2, 16, 17, 64)]
        bent += [item[:size * i // 12] for i in range(12)]
        bent += [item[:at] + item[at + 1:]
                 for at in range(size // 9, size, size // 9)]
        bent += [item[:at] + b"\0" + item[at:]
                 for at in range(size // 9, size, size // 9)]
        bent += [item + b"\0", item + item, base64.b64encode(item)]
        tap.equal([_brings(scene, (key, b)) for b in bent],
                  [_due(item, b) for b in bent], "codes of BYE")
        tap.equal(v.get("item-2"), None, "what was taken of it")
        for row in rows:
            tap.equal(_brings(scene, row), 0, "as it was")
        for i in range(n):
            v.waits_for("item-%d" % i, {"n": i})


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
