#!/usr/bin/python3
"""A small mesh's story against a golden text.

usage: story.py SIMULATOR GOLDEN [--write] OPTION...

Runs one seed with its trace, keeps who says what to whom in which order (not
when, and not the bytes) and compares that with the golden text. When a change
of the protocol is meant, --write makes the text anew: read the difference.
"""
import difflib
import re
import subprocess
import sys

FRAMES = ["?", "hello", "subscribe", "batch", "fragment", "credit", "ack",
          "ping", "pong", "reach", "ask", "tell", "bye", "bootstrap",
          "epoch", "check", "show"]
PAIRING = ["?", "join", "welcome", "refuse"]
LINES = 200  # pairing, the first sync and some writes
PAIRED = (b"paired".hex(), b"pairing is over".hex())
DATAGRAMS = ["?", "announce", "find", "here"]
LINE = re.compile(r"\s*[\d.]+ (\S+) (->|<-) (\S+(?: up| down)?)\s*(.*)")


def pairing_connections(lines):
    found = set()
    for line in lines:
        m = LINE.match(line)
        if m and m.group(3) == "close":
            conn, why = m.group(4).split(" ", 1)
            if why in PAIRED:
                found.add((m.group(1), conn))
    return found


def name_of(table, byte):
    number = int(byte, 16)
    return table[number] if number < len(table) else "?"


def tell(line, pairing):
    m = LINE.match(line)
    if not m:
        return line.split("*", 1)[1].strip() if " * " in line else None
    who, way, what, rest = m.groups()
    if what in ("send", "frame") and way == "->":
        conn, data = rest.split(" ", 1)
        table = PAIRING if (who, conn) in pairing else FRAMES
        return "%s says %s" % (who, name_of(table, data[:2]))
    if what == "datagram" and way == "->":
        return "%s shouts %s" % (who, name_of(DATAGRAMS, rest[:2]))
    if what == "request":
        op = re.search(r'"op":"(\w+)"', rest).group(1)
        key = re.search(r'"key":"([^"]*)"', rest)
        return "%s is asked to %s%s" % (
            who, op, " " + key.group(1) if key else "")
    if what == "reply":
        return "%s answers %s" % (
            who, "yes" if '"ok":true' in rest else "no")
    if what in ("dial", "commit", "conn up", "conn down"):
        return "%s: %s" % (who, what)
    return None


def main():
    simulator, golden, *options = sys.argv[1:]
    write = "--write" in options
    options = [o for o in options if o != "--write"]
    run = subprocess.run([simulator, "--trace", *options],
                         capture_output=True, text=True, timeout=120)
    lines = run.stdout.splitlines()
    pairing = pairing_connections(lines)
    story = [t for t in (tell(line, pairing) for line in lines) if t][:LINES]
    if write:
        with open(golden, "w", encoding="utf-8") as f:
            f.write("\n".join(story) + "\n")
        return 0
    with open(golden, encoding="utf-8") as f:
        wanted = f.read().splitlines()
    print("1..2")
    print("ok 1 - the seed passes" if run.returncode == 0
          else "not ok 1 - the seed passes\n# " + run.stdout[-300:])
    same = story == wanted
    print(("ok" if same else "not ok") + " 2 - the story is as told before")
    if not same:
        for d in difflib.unified_diff(wanted, story, "golden", "now",
                                      lineterm="", n=2):
            print("# " + d)
    return 0 if same and run.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
