#!/usr/bin/python3
"""No function is longer than 70 lines, no file longer than 700."""

import lint

FUNCTION_MAX = 70
FILE_MAX = 700
SOURCES = (".c", ".h", ".py", ".sh", ".js")


def functions(root, name):
    """(line, length) of what stands between '{' and '}' at column one."""
    start = None
    for number, line in lint.lines_of(root, name):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start is not None:
            yield start, number - start + 1
            start = None


def check(root):
    for name in lint.files(root, *SOURCES):
        length = sum(1 for _ in lint.lines_of(root, name))
        if length > FILE_MAX:
            yield "%s: %d lines, %d are allowed" % (name, length, FILE_MAX)
        if not name.endswith((".c", ".h")):
            continue
        for start, lines in functions(root, name):
            if lines > FUNCTION_MAX:
                yield "%s:%d: a function of %d lines, %d are allowed" % (
                    name, start, lines, FUNCTION_MAX)


def function(lines):
    return "int f(void)\n{\n" + "    g();\n" * (lines - 2) + "}\n"


lint.main("functions and files are short", check, {
    "a function of 71 lines": {"src/base/a.c": function(71)},
    "a file of 701 lines": {"src/base/a.c": "int a;\n" * 701},
    "fine": {"src/base/a.c": function(70)},
})
