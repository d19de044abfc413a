#!/usr/bin/python3
"""No notes to self, and no paths of the machine it was written on."""

import re

import lint

# Taken apart, so that this file does not accuse itself.
NOTES = re.compile(r"\b(" + "TO" r"DO|FIX" r"ME|XX" r"X)\b")
PLACES = re.compile(
    r"(?<![\w.-])/wo" r"rk/|\.\./sha" r"red\b|(?<![\w/])sha" r"red/\w+\.md"
    r"|\.lib" r"rary/")
LICENCES = ("package-lock.json",)


def check(root):
    for name in lint.files(root):
        if name.endswith(LICENCES) or name.startswith("fuzz/corpus/"):
            continue
        for number, line in lint.lines_of(root, name):
            for found in NOTES.finditer(line):
                yield "%s:%d: a note to self: %s" % (
                    name, number, found.group(0))
            for found in PLACES.finditer(line):
                yield "%s:%d: a path of some machine: %s" % (
                    name, number, found.group(0))


lint.main("nothing is left lying about", check, {
    "a note to self": {"src/base/a.c": "/* TO" "DO: later */\n"},
    "a note in a script": {"script/a": "# FIX" "ME\n"},
    "a path of a machine": {"doc/a.md": "see /wo" "rk/main/doc\n"},
    "a path beside the tree": {"doc/a.md": "see ../sha" "red/a\n"},
    "fine": {"src/a.c": 'mkdtemp("/tmp/syncline-XXXXXX"); /* network/ */\n'},
})
