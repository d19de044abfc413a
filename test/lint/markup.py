#!/usr/bin/python3
"""What people and peers write is text in the dashboard, never markup or code."""

import re

import lint

FORBIDDEN = re.compile(
    r"dangerouslySetInnerHTML|\.(inner|outer)HTML\b|insertAdjacentHTML"
    r"|document\.write|\beval\(|new Function\(|\bsrcdoc\b|createPolicy"
    r"|https?://(?!www\.w3\.org/)")


def check(root):
    for name in lint.files(root, ".ts", ".tsx", ".html", ".css", ".svg"):
        if not name.startswith("dashboard/src/"):
            continue
        for number, line in lint.lines_of(root, name):
            for found in FORBIDDEN.finditer(line):
                yield "%s:%d: %s" % (name, number, found.group(0))


lint.main("no text becomes markup, and nothing is fetched from elsewhere",
          check, {
    "markup that is set": {"dashboard/src/a.ts": "e.innerHTML = text;\n"},
    "the framework's way round": {
        "dashboard/src/a.tsx": "<p dangerouslySetInnerHTML={x} />\n"},
    "text that is run": {"dashboard/src/a.ts": "eval(text);\n"},
    "a script from elsewhere": {
        "dashboard/src/a.html": '<script src="https://x.example/a.js">\n'},
    "fine": {
        "dashboard/src/a.tsx": "<p>{text}</p>\n",
        "dashboard/src/a.svg": '<svg xmlns="http://www.w3.org/2000/svg"/>\n'},
})
