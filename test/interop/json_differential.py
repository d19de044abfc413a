#!/usr/bin/python3
"""core/json against Python's json: the same documents, the same bytes.

usage: json_differential.py JSON_TOOL [COUNT [SEED]]

JSON_TOOL is built from json_tool.c. Every document is random, from a seed,
and a failure prints what is needed to see it again. TAP."""

import json
import random
import struct
import subprocess
import sys
import threading

STYLES = {
    "C": dict(sort_keys=True, separators=(",", ":"), ensure_ascii=False),
    "S": dict(sort_keys=True),
    "P": dict(),
    "K": dict(separators=(",", ":")),
    "U": dict(ensure_ascii=False),
    "R": dict(indent=2, ensure_ascii=False),
}
RAW = "CUR"
CHARS = ('abcdefgh  "\\/\b\f\n\r\t\x00\x01\x1f\x7f\x80\xa0\xff\u0100\u07ff'
         "\u0800\u2028\u2029\ud7ff\ue000\ufeff\uffff\U00010000\U0001f600"
         "\U0010ffff")
HALVES = "\ud800\udbff\udc00\udfff"


def ask(tool, requests):
    """The answers to [(mode, style, bytes)] as [(kind, bytes)]."""
    with subprocess.Popen(
            [tool], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        def feed():
            for mode, style, text in requests:
                child.stdin.write(b"%s %s %d\n" % (
                    mode.encode(), style.encode(), len(text)))
                child.stdin.write(text)
            child.stdin.close()

        writer = threading.Thread(target=feed)
        writer.start()
        answers = []
        for _ in requests:
            head = child.stdout.readline().split()
            if len(head) != 2:
                break
            answers.append((head[0].decode(), child.stdout.read(int(head[1]))))
        writer.join()
    if len(answers) != len(requests) or child.returncode != 0:
        raise SystemExit("json_tool ended with %s after %d of %d answers" % (
            child.returncode, len(answers), len(requests)))
    return answers


class Documents:
    def __init__(self, seed, tolerant):
        self.rng = random.Random(seed)
        self.tolerant = tolerant

    def string(self):
        chars = CHARS
        if self.tolerant and self.rng.random() < 0.02:
            chars += HALVES
        return "".join(self.rng.choice(chars)
                       for _ in range(self.rng.choice((0, 1, 3, 9, 40))))

    def integer(self):
        if self.tolerant and self.rng.random() < 0.2:
            return self.rng.randrange(-10 ** 40, 10 ** 40)
        bits = self.rng.randrange(1, 64)
        return self.rng.randrange(-2 ** bits, 2 ** bits)

    def double(self):
        kind = self.rng.randrange(6)
        if kind == 0:
            return round(self.rng.uniform(-1e6, 1e6), self.rng.randrange(8))
        if kind == 1:
            return self.rng.uniform(1.7e9, 1.8e9)
        if kind == 2:
            return 2.0 ** self.rng.randrange(-1074, 1024)
        if kind == 3:
            return float(self.rng.randrange(2 ** 60))
        if kind == 4 and self.tolerant:
            return self.rng.choice((float("nan"), 1e999, -1e999, -0.0))
        while True:
            bits = struct.pack("<Q", self.rng.getrandbits(64))
            value = struct.unpack("<d", bits)[0]
            if value - value == 0:
                return value

    def value(self, depth=0):
        kind = self.rng.randrange(9 if depth < 4 else 6)
        if kind < 3:
            return self.rng.choice((None, True, False))
        if kind == 3:
            return self.string()
        if kind == 4:
            return self.integer()
        if kind == 5:
            return self.double()
        n = self.rng.choice((0, 1, 2, 5, 12, 40))
        n = min(n, 40 >> 2 * depth)
        if kind == 6:
            return [self.value(depth + 1) for _ in range(n)]
        return {self.string(): self.value(depth + 1) for _ in range(n)}

    def text(self, value):
        """One of the ways to write value; tolerant: doubled keys as well."""
        style = self.rng.choice("CSPKUR")
        text = json.dumps(value, **STYLES[style])
        if self.tolerant and isinstance(value, dict) and value:
            twice = [json.dumps(key) + ":" + json.dumps(self.value(3))
                     for key in value if self.rng.random() < 0.3]
            self.rng.shuffle(twice)
            text = "".join((text[:-1], *("," + pair for pair in twice), "}"))
        try:
            return text.encode()
        except UnicodeEncodeError:
            return json.dumps(value).encode()


def expected(text, style):
    try:
        value = json.loads(text.decode())
    except ValueError:
        return "!", None
    try:
        return "=", json.dumps(value, **STYLES[style]).encode()
    except UnicodeEncodeError:
        return "!", None


def compare(requests, answers):
    for (mode, style, text), (kind, got) in zip(requests, answers):
        want_kind, want = expected(text, style)
        if kind != want_kind or (kind == "=" and got != want):
            yield "%s %s %r: got %s %r, Python has %s %r" % (
                mode, style, text, kind, got, want_kind, want)


def whole(tool, mode, style, count, seed):
    """Random documents in one style."""
    docs = Documents("%s %s %d" % (mode, style, seed), mode == "t")
    requests = [(mode, style, docs.text(docs.value())) for _ in range(count)]
    return compare(requests, ask(tool, requests))


def broken(tool, count, seed):
    """Documents with a byte changed, dropped or doubled: the same verdict."""
    docs = Documents("broken %d" % seed, True)
    rng = docs.rng
    requests = []
    for _ in range(count):
        text = bytearray(docs.text(docs.value(2)))
        for _ in range(rng.randrange(1, 3)):
            at = rng.randrange(len(text) + 1)
            text[at:at + rng.randrange(2)] = rng.choice(
                (b"", b'"', b"\\", b",", b":", b"{", b"}", b"[", b"]", b"0",
                 b"-", b".", b"e", b" ", b"\n", b"\x80", b"\\ud83d", b"NaN",
                 b"Infinity", b"\xc3\xa9", bytes((rng.randrange(256),))))
        requests.append(("t", "P", bytes(text)))
    return compare(requests, ask(tool, requests))


def doubles(tool, count, seed):
    """Every power of two with its neighbours, and random ones."""
    docs = Documents("doubles %d" % seed, False)
    numbers = []
    for exponent in range(-1074, 1024):
        bits = struct.unpack("<q", struct.pack("<d", 2.0 ** exponent))[0]
        for near in (bits - 1, bits, bits + 1):
            numbers.append(struct.unpack("<d", struct.pack("<q", near))[0])
    for exponent in range(-323, 309):
        for digits in ("1", "9", "123456789012345", "8.98846567431158"):
            numbers.append(float(digits + "e" + str(min(exponent, 290))))
    numbers += [docs.double() for _ in range(count)]
    numbers = [x for x in numbers if x - x == 0]
    requests = [("t", "C", ("%.40e" % x).encode()) for x in numbers]
    yield from compare(requests, ask(tool, requests))
    requests = [("s", "C", repr(x).encode()) for x in numbers]
    yield from compare(requests, ask(tool, requests))


def literals(tool, count, seed):
    """Number literals of any shape: what strict takes keeps its value
    exactly, what it refuses would have changed."""
    from decimal import Decimal
    rng = random.Random("literals %d" % seed)
    requests = []
    for _ in range(count):
        digits = [str(rng.randrange(10 ** rng.randrange(1, 21)))
                  for _ in range(2)]
        text = rng.choice(("", "-")) + digits[0]
        if rng.random() < 0.6:
            text += "." + "0" * rng.randrange(4) + digits[1]
        if rng.random() < 0.6 or "." not in text:
            text += rng.choice("eE") + rng.choice(("", "+", "-"))
            text += str(rng.choice((rng.randrange(25), rng.randrange(400))))
        requests.append(("s", "C", text.encode()))
    for (_, _, text), (kind, got) in zip(requests, ask(tool, requests)):
        short = repr(float(text))
        keeps = "inf" not in short and Decimal(short) == Decimal(text.decode())
        if (kind == "=") != keeps or (keeps and got != short.encode()):
            yield "%r: got %s %r" % (text, kind, got)


def main():
    tool = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1500
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    points = [("%s, style %s" % (name, style),
               whole(tool, mode, style, count, seed))
              for mode, name in (("t", "tolerant"), ("s", "strict"))
              for style in STYLES]
    points += [
        ("broken documents are refused alike", broken(tool, 4 * count, seed)),
        ("doubles", doubles(tool, 4 * count, seed)),
        ("strict number literals", literals(tool, 4 * count, seed)),
    ]
    print("1..%d" % len(points))
    failed = 0
    for number, (name, found) in enumerate(points, 1):
        wrong = list(found)
        failed += bool(wrong)
        print("%sok %d - %s" % ("not " if wrong else "", number, name))
        for line in wrong[:5]:
            print("# seed %d: %s" % (seed, line))
    return 1 if failed else 0


sys.exit(main())
