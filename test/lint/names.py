#!/usr/bin/python3
"""Each source says at its top what it is: a header, and a .c that has no
header of its own. And what comments and pages say of sources is of such as
are there."""

import os
import re

import lint

SOURCES = (".c", ".h")
COMMENT = re.compile(r"/\*.*?\*/", re.S)
QUOTED = re.compile(r"`[^`\s]+`")  # a name alone
# Not what stands in a path of another tree, nor a pattern (lib_*.c, .{c,h}).
NAME = re.compile(r"(?<![\w.*/{}<-])((?:[\w-]+/)*[\w-]+\.(?:c|h|py))\b")


def opens(root):
    for name in lint.files(root, *SOURCES):
        if name.startswith("test/"):
            continue
        own = name.endswith(".c") and \
            os.path.exists(os.path.join(root, name[:-2] + ".h"))
        if not own and not (lint.text_of(root, name) or "").startswith("/*"):
            yield "%s:1: does not say what it is" % name


def said(root):
    """(file, where it is said, what is said there of the tree)."""
    for name in lint.files(root, *SOURCES, ".md"):
        text = lint.text_of(root, name) or ""
        part = QUOTED if name.endswith(".md") else COMMENT
        for found in part.finditer(text):
            for known in NAME.finditer(found.group()):
                line = text.count("\n", 0, found.start() + known.start()) + 1
                yield "%s:%d" % (name, line), known.group(1)


def there(root):
    names = ["/" + name for name in lint.files(root)]
    for where, what in said(root):
        if "NAME" not in what and \
                not any(name.endswith("/" + what) for name in names):
            yield "%s: there is no %s" % (where, what)


tap = lint.Tap()
tap.point("each source says what it is", list(opens(lint.ROOT)))
tap.point("what is named is there", list(there(lint.ROOT)))
lint.try_planted(tap, opens, {
    "a header that says nothing": {"src/base/a.h": "#define A\n"},
    "a source that says nothing": {"src/base/a.c": "int a;\n"},
    "fine": {"src/base/a.h": "/* a.h - a. */\n",
             "src/base/a.c": '#include "base/a.h"\n'},
})
lint.try_planted(tap, there, {
    "a comment that names what is gone": {
        "src/base/a.c": "/* As b.c does. */\n"},
    "a page that names what is elsewhere": {
        "doc/a.md": "See `src/core/a.c`.\n", "src/base/a.c": "/* A. */\n"},
    "fine": {"src/base/a.c": "/* a.c - as base/a.c, NAME_b.c, b*.c. */\n",
             "doc/a.md": "See `base/a.c`.\n"},
})
tap.end()
