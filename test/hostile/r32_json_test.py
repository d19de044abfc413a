#!/usr/bin/python3
"""R32: what is no JSON as we mean it comes in by no door: requests, imports,
rows and conflict records of members."""

import json
import sys

import peer
from peer import tap

# As text of a value; each door refuses all of them.
BAD = [
    ("65 deep", b"[" * 65 + b"]" * 65),
    ("1,000,000 deep", b"[" * 1000000),
    ("a key twice", b'{"a":1,"a":2}'),
    ("a key twice, escaped", b'{"a":1,"\\u0061":2}'),
    ("a lone high surrogate", b'"\\ud800"'),
    ("a lone low surrogate", b'"\\udc00"'),
    ("surrogates the wrong way", b'"\\udc00\\ud800"'),
    ("broken UTF-8", b'"\xff"'),
    ("UTF-8 longer than needed", b'"\xc0\xaf"'),
    ("a surrogate in UTF-8", b'"\xed\xa0\x80"'),
    ("beyond Unicode", b'"\xf4\x90\x80\x80"'),
    ("an integer beyond 64 bits", b"123456789012345678901234567890"),
    ("a number beyond doubles", b"1e400"),
    ("not a number", b"NaN"),
    ("a control character", b'"\x01"'),
    ("a zero in front", b"01"),
    ("a comma at the end", b"[1,]"),
    ("nothing", b""),
]
GOOD = [b"1", b"1.5", b'"\\ud83d\\ude00"', b"[" * 64 + b"]" * 64,
        b"9223372036854775807", b"1e300", b'{"a":{"b":[1,2,{}]}}']


def the_control_socket():
    scene = peer.scene()
    with scene.unharmed():
        for what, text in BAD:
            with peer.node.Control(scene.victim.dir) as control:
                control.send_line(b'{"op":"put","key":"bad","value":' + text +
                                  b"}")
                answer = control.read()
                tap.check(not answer["ok"], "%s was taken" % what)
                tap.check(answer["code"] in ("EMALFORMED", "ELIMIT"),
                          "%s: %r" % (what, answer))
                tap.check(control.call("status"), "it answers no more")
        tap.equal(scene.victim.get("bad"), None, "what came of it")


def the_control_socket_takes_the_rest():
    scene = peer.scene()
    for i, text in enumerate(GOOD[:-4] + GOOD[4:]):
        with peer.node.Control(scene.victim.dir) as control:
            control.send_line(b'{"op":"put","key":"good","value":' + text +
                              b"}")
            tap.check(control.read()["ok"], "%d was refused" % i)


def an_import():
    scene = peer.scene()
    with scene.unharmed():
        for what, text in BAD:
            result = scene.victim.cli(
                "import", stdin=b'{"key":"bad","value":' + text + b"}\n")
            tap.check(result.code != 0, "%s was taken" % what)
        tap.equal(scene.victim.get("bad"), None, "what came of it")


def a_row_of_a_member():
    scene = peer.scene()
    with scene.unharmed():
        for what, text in BAD:
            with scene.peer() as p:
                p.batch([p.row(b"bad", [(b"/a", text)], 1)])
                how = p.ends()
                tap.check(how.code in (peer.EMALFORMED, peer.ESHORT),
                          "%s: %s" % (what, how))
    tap.equal(scene.victim.get("bad"), None, "what came of it")


def a_row_that_is_no_leaf_or_not_canonical():
    """Or members would print different documents."""
    scene = peer.scene()
    for text in (b'{"a":1}', b" 1", b"10e0", b"[1, 2]", b'"\\u0061"'):
        with scene.peer() as p:
            p.batch([p.row(b"bad", [(b"/a", text)], 1)])
            try:
                p.lives()
            except peer.Gone as how:
                tap.equal(how.code, peer.EMALFORMED, "BYE")
            else:
                raise AssertionError("%r was taken" % text)


def a_conflict_record_of_a_member():
    """Its values, too, and its name."""
    scene = peer.scene()
    with scene.unharmed():
        for what, text in BAD[:8]:
            with scene.peer() as p:
                name = (b"bad\0" + (2).to_bytes(4, "big") + b"/a" +
                        p.replica + (1).to_bytes(8, "big"))
                p.batch(conflicts=[(name, b"\0\1" + text)])
                tap.check(p.ends().code in (peer.EMALFORMED, peer.ESHORT),
                          what)


def numbers_come_back_as_they_went():
    scene = peer.scene()
    for text in ("9007199254740993", "-9223372036854775808", "0.1", "1e300",
                 "5e-324"):
        with peer.node.Control(scene.victim.dir) as control:
            control.send_line(
                b'{"op":"put","key":"n","value":' + text.encode() + b"}")
            tap.check(control.read()["ok"], "%s was refused" % text)
            control.send("get", key="n")
            answer = control.stream.readline()
        value = json.loads(answer)["value"]
        tap.equal(value, json.loads(text), text)


def a_patch_of_moves_stops_nobody():
    """A list of a million values that is moved a thousand times is refused
    after some of it, and nobody waits meanwhile."""
    scene = peer.scene()
    doc = b"[[" + b"1," * 999999 + b"1],0]"
    moves = [{"op": "move", "from": "/%d" % (i % 2), "path": "/%d" % (1 - i % 2)}
             for i in range(1024)]
    with scene.unharmed(400 << 20), peer.node.Control(
            scene.victim.dir) as control:
        control.send_line(b'{"op":"put","key":"wide","value":' + doc + b"}")
        tap.check(control.read()["ok"], "the document")
        began = peer.processor_us(scene.victim.process.pid)
        control.send_line(json.dumps({"op": "patch", "key": "wide",
                                      "json_patch": moves}).encode())
        answer = control.read()
        took = peer.processor_us(scene.victim.process.pid) - began
        tap.equal(answer.get("code"), "ELIMIT", "refusal")
        tap.holds(answer["error"], "more work")
        tap.check(took < 3000000, "it took %d us" % took)


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
