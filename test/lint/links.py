#!/usr/bin/python3
"""Local links of the Markdown pages lead somewhere."""

import os
import re
import urllib.parse

import lint

LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
REFERENCE = re.compile(r"^\s{0,3}\[[^\]^]+\]:\s*<?(\S+?)>?(?:\s|$)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*\s*$")
CODE_SPAN = re.compile(r"`[^`]*`")
FENCE = re.compile(r"^\s*(```|~~~)")


def prose(root, name):
    """(number, line) outside fenced code."""
    fenced = False
    for number, line in lint.lines_of(root, name):
        if FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            yield number, line


def anchors(root, name):
    """What a heading can be reached as, the way GitHub names it."""
    found = set()
    for _, line in prose(root, name):
        heading = HEADING.match(line)
        if not heading:
            continue
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.group(1))
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        n, unique = 0, slug
        while unique in found:
            n += 1
            unique = "%s-%d" % (slug, n)
        found.add(unique)
    return found


def wrong(root, name, target):
    if re.match(r"[a-z][a-z0-9+.-]*:", target):
        return None
    path, _, anchor = urllib.parse.unquote(target).partition("#")
    if path.startswith("/"):
        return "%s begins at the root of some disk" % target
    full = os.path.normpath(os.path.join(os.path.dirname(name), path)) \
        if path else name
    if full.startswith("..") or not os.path.exists(os.path.join(root, full)):
        return "%s does not exist" % target
    if anchor and full.endswith(".md") and anchor not in anchors(root, full):
        return "%s has no such heading" % target
    return None


def check(root):
    for name in lint.files(root, ".md"):
        for number, line in prose(root, name):
            line = CODE_SPAN.sub("``", line)
            targets = LINK.findall(line) + REFERENCE.findall(line)
            for target in targets:
                complaint = wrong(root, name, target)
                if complaint:
                    yield "%s:%d: %s" % (name, number, complaint)


lint.main("every local link leads somewhere", check, {
    "a missing page": {"a.md": "see [b](doc/b.md)\n"},
    "a missing heading": {"a.md": "# One\n[two](#two)\n"},
    "a missing heading elsewhere": {
        "a.md": "[c](doc/b.md#two)\n", "doc/b.md": "# One\n"},
    "a missing picture": {"a.md": "![x](x.png)\n"},
    "a reference to nowhere": {"a.md": "see [b]\n\n[b]: doc/b.md\n"},
    "fine": {
        "a.md": "[b](doc/b.md#the-one-port) [w](https://example.org/a)\n"
                "```\n[x](nowhere)\n```\n`[x](y)`\n",
        "doc/b.md": "## The one port\n[up](../a.md)\n"},
})
