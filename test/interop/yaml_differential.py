#!/usr/bin/python3
"""files/yaml against PyYAML, which Home Assistant reads its files with.

usage: yaml_differential.py YAML_TOOL [COUNT [SEED]]

YAML_TOOL is built from yaml_tool.c. Random plain words, and random documents as
PyYAML writes them, must be read as the same values. TAP."""

import datetime
import json
import math
import random
import subprocess
import sys

import yaml

WORDS = ["on", "Off", "yes", "No", "y", "n", "true", "False", "tRue", "null",
         "~", "Null", ".inf", "-.INF", ".nan", "0x1f", "0b1_0", "017", "08",
         "1e3", "1.0e+3", "1.5E-2", "1_000", "12:30", "1:30:15.5", "-0", "+7",
         "2024-01-01", "192.168.1.1", "a:b", "<", "=", "- x"]
CHARS = "0123456789" * 2 + "+-._:eExXb~onafly "


def ask(tool, texts):
    data = b"".join(b"%d\n%s" % (len(t), t) for t in texts)
    done = subprocess.run([tool], input=data, timeout=100,
                          stdout=subprocess.PIPE, check=True)
    answers = done.stdout.decode().splitlines()
    if len(answers) != len(texts):
        raise SystemExit("%d answers to %d texts" % (
            len(answers), len(texts)))
    return answers


def same(a, b):
    """Equal in type too, all the way down."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return a == b and math.copysign(1, a) == math.copysign(1, b)
    return a == b


def fits(value):
    """Is there a value of our JSON for it?"""
    if isinstance(value, int):
        return -2 ** 63 <= value < 2 ** 63
    return not isinstance(value, float) or math.isfinite(value)


def judge_word(word, answer):
    try:
        want = yaml.load("a: " + word + "\n", yaml.CSafeLoader)["a"]
    except (yaml.YAMLError, ValueError):
        return None  # no word, or one that PyYAML stumbles over
    if isinstance(want, (datetime.date, datetime.datetime)):
        want = word.strip()
    if isinstance(want, (dict, list)):
        return None
    if not fits(want):
        return None if answer.startswith("! ") else "has no value"
    if answer.startswith("! "):
        return None if "digits than are kept" in answer else "is refused"
    got = json.loads(answer)["a"]
    return None if same(got, want) else "should be %r" % (want,)


def words(rng, tool, count):
    rows = WORDS + ["".join(rng.choice(CHARS) for _ in range(
        rng.randint(1, 9))) for _ in range(count)]
    answers = ask(tool, [("a: " + row + "\n").encode() for row in rows])
    for row, answer in zip(rows, answers):
        what = judge_word(row, answer)
        if what:
            yield "%r %s: %s" % (row, what, answer)


def value(rng, depth):
    kind = rng.randrange(8 if depth else 6)
    if kind == 6:
        return [value(rng, depth - 1) for _ in range(rng.randrange(4))]
    if kind == 7:
        return {rng.choice("abc \u00e9:#") * rng.randint(1, 3):
                value(rng, depth - 1) for _ in range(rng.randrange(4))}
    return rng.choice([
        None, True, False, rng.randint(-2 ** 63, 2 ** 63 - 1),
        rng.random() * 10 ** rng.randint(-9, 20), rng.choice(WORDS),
        "".join(rng.choice("ab '\"\\\n\t#:-\u00e9\U0001f600")
                for _ in range(rng.randrange(12)))])


def documents(rng, tool, count):
    docs = [value(rng, 4) for _ in range(count)]
    texts = [yaml.safe_dump(
        doc, allow_unicode=rng.random() < 0.5,
        default_flow_style=rng.choice([True, False, None]),
        width=rng.choice([20, 80, 1000])).encode() for doc in docs]
    for doc, text, answer in zip(docs, texts, ask(tool, texts)):
        if answer.startswith("! ") or not same(json.loads(answer), doc):
            yield "%r: %s" % (text, answer)


def main():
    tool = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 4000
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    failed = 0
    for number, (name, found) in enumerate([
            ("words mean the same", list(words(rng, tool, count))),
            ("documents are the same", list(documents(rng, tool, count)))], 1):
        for line in found[:10]:
            print("# " + line)
        print("%sok %d - %s, %d of them" % (
            "not " if found else "", number, name, count))
        failed += bool(found)
    print("1..2")
    return 1 if failed else 0


sys.exit(main())
