#!/usr/bin/python3
"""files/schema against the JSON Schema Test Suite, draft 7.

usage: schema_suite.py SCHEMA_TOOL

SCHEMA_TOOL is built from schema_tool.c; the suite is Debian's package
json-schema-test-suite. Every required case must come out as it says, but that
schemas with remote references must be refused, and no others. The optional
ones that do not are listed. TAP."""

import glob
import json
import os
import subprocess
import sys

SUITE = "/usr/share/json-schema-test-suite/tests/draft7"
# Schemas of the required cases that lead elsewhere.
REMOTE = {
    ("definitions", None), # the metaschema
    ("ref", "remote ref, containing refs itself"),
    ("refRemote", None),
}


def cases(path):
    """(description of the schema, of the case, schema, data, valid)"""
    with open(path, encoding="utf-8") as file:
        for group in json.load(file):
            for case in group["tests"]:
                yield (group["description"], case["description"],
                       group["schema"], case["data"], case["valid"])


def ask(tool, rows):
    lines = "".join(
        json.dumps({"schema": row[2], "data": row[3]}) + "\n" for row in rows)
    done = subprocess.run([tool], input=lines.encode(), timeout=60,
                          stdout=subprocess.PIPE, check=True)
    answers = done.stdout.decode().splitlines()
    if len(answers) != len(rows):
        raise SystemExit("%d answers to %d cases" % (len(answers), len(rows)))
    return answers


def wrong(name, row, answer):
    """What is wrong with an answer, or None."""
    remote = (name, row[0]) in REMOTE or (name, None) in REMOTE
    if remote:
        return None if "leads out of this schema" in answer else \
            "a remote reference was not refused"
    want = "valid" if row[4] else "invalid"
    return None if answer.split(":")[0] == want else "should be " + want


def judge(tool, path):
    name = os.path.basename(path)[:-len(".json")]
    rows = list(cases(path))
    found = []
    for row, answer in zip(rows, ask(tool, rows)):
        what = wrong(name, row, answer)
        if what:
            found.append("%s / %s: %s: %s" % (row[0], row[1], what, answer))
    return name, len(rows), found


def main():
    tool = sys.argv[1]
    if not os.path.isdir(SUITE):
        print("1..0 # SKIP json-schema-test-suite is not installed")
        return 0
    paths = sorted(glob.glob(SUITE + "/*.json"))
    failed = total = 0
    for number, path in enumerate(paths, 1):
        name, n, found = judge(tool, path)
        total += n
        for line in found:
            print("# " + line)
        print("%sok %d - %s, %d cases" % (
            "not " if found else "", number, name, n))
        failed += bool(found)
    optional = sorted(glob.glob(SUITE + "/optional/**/*.json", recursive=True))
    for path in optional:
        name, n, found = judge(tool, path)
        print("# optional %s: %d of %d" % (name, n - len(found), n))
        if "format" not in path:
            for line in found:
                print("#   " + line)
    # The suite that was read is the one that is meant.
    enough = total > 400
    print("%sok %d - %d cases in all\n1..%d" % (
        "" if enough else "not ", len(paths) + 1, total, len(paths) + 1))
    return 1 if failed or not enough else 0


sys.exit(main())
