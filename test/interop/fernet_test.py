#!/usr/bin/python3
"""Fernet tokens against Python's cryptography: what C seals Python opens, and
the other way round; the same bytes from the same time and vector.

usage: fernet_test.py FERNET_TOOL [ROUNDS [SEED]]

FERNET_TOOL is built from fernet_tool.c. TAP."""

import base64
import hashlib
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from cryptography.fernet import Fernet, InvalidToken  # noqa: E402

EMALFORMED, EDENIED = -3, -14
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 300
RNG = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
TOOL = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE, text=True)
LETTERS = (b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
           b"0123456789-_=")


def ask(word, *fields):
    """What the tool says: bytes and numbers, or its error."""
    TOOL.stdin.write(" ".join([word] + [
        str(f) if isinstance(f, int) else f.hex() or "-"
        for f in fields]) + "\n")
    TOOL.stdin.flush()
    said = TOOL.stdout.readline().split()
    if said[0] == "!":
        return int(said[1])
    return [b"" if s == "-" else bytes.fromhex(s) for s in said[-1:]] \
        if len(said) == 1 else (int(said[0]), b"" if said[1] == "-" else
                                bytes.fromhex(said[1]))


def key_of(token):
    return base64.urlsafe_b64encode(hashlib.sha256(token).digest())


def draw():
    token = RNG.randbytes(RNG.choice([1, 3, 16, 44, 64, 65, 200]))
    plain = RNG.randbytes(RNG.choice([0, 1, 15, 16, 17, 31, 32, 500, 20000]))
    return token, plain, RNG.randrange(2**33), RNG.randbytes(16)


def keys_are_the_same():
    for _ in range(ROUNDS):
        token = draw()[0]
        assert ask("key", token) == [key_of(token)], token.hex()


def the_same_bytes_are_sealed():
    for _ in range(ROUNDS):
        token, plain, time, iv = draw()
        want = Fernet(key_of(token))._encrypt_from_parts(plain, time, iv)
        assert ask("seal", token, time, iv, plain) == [want]


def what_python_seals_is_opened():
    for _ in range(ROUNDS):
        token, plain, time, _ = draw()
        text = Fernet(key_of(token)).encrypt_at_time(plain, time)
        assert ask("open", token, text) == (time, plain)
        assert ask("open", token + b"x", text) == EDENIED


def python_opens_what_is_sealed():
    for _ in range(ROUNDS):
        token, plain, time, iv = draw()
        text = ask("seal", token, time, iv, plain)[0]
        there = Fernet(key_of(token))
        assert there.decrypt(text) == plain
        assert there.extract_timestamp(text) == time


def what_python_refuses_is_refused():
    opened = 0
    for _ in range(10 * ROUNDS):
        token, plain, time, iv = draw()
        there = Fernet(key_of(token))
        text = bytearray(there._encrypt_from_parts(plain[:100], time, iv))
        how = RNG.randrange(3)
        if how == 0:
            text[RNG.randrange(len(text))] = RNG.choice(LETTERS)
        elif how == 1:
            del text[RNG.randrange(len(text)):]
        else:
            at = RNG.randrange(len(text))
            text[at:at] = bytes([RNG.choice(LETTERS)])
        ours = ask("open", token, bytes(text))
        try:
            want = there.decrypt(bytes(text))
        except InvalidToken:
            assert ours in (EMALFORMED, EDENIED), bytes(text)
            continue
        if isinstance(ours, tuple):
            assert ours == (time, want)
            opened += 1
    assert opened > 0  # a letter was replaced by itself


def main():
    stories = [keys_are_the_same, the_same_bytes_are_sealed,
               what_python_seals_is_opened, python_opens_what_is_sealed,
               what_python_refuses_is_refused]
    print("1..%d" % len(stories))
    bad = 0
    for number, story in enumerate(stories, 1):
        try:
            story()
        except AssertionError as e:
            bad += 1
            print("not ok %d - %s\n# %s" % (number, story.__name__, e))
        else:
            print("ok %d - %s" % (number, story.__name__))
        sys.stdout.flush()
    TOOL.stdin.close()
    TOOL.wait()
    return bad


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
