#!/usr/bin/python3
"""What the program tells people to do can be done: options, commands and flags
that its texts name are there."""

import re

import lint

TABLE = "src/app/options/options_table.c"
OPTION = re.compile(r'\.name = "([a-z_.]+)"')
COMMAND = re.compile(r'^\s+\.name = "([a-z]+)"', re.M)
FLAG = re.compile(r'\{ "([a-z][a-z-]*)", (?:NULL|")')
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
NAMED = re.compile(r"`syncline ([a-z]+)((?: [a-zA-Z0-9.|-]+)*)`")
# A file of that name is none.
FILES = re.compile(r"\.(md|pem|db|log|json|yaml|sock|html|svg|new|so|h|c)$")


def texts(root, name):
    """The strings of a file, those that follow each other as one."""
    with open(lint.os.path.join(root, name), encoding="utf-8") as f:
        text = re.sub(r'"\s*\n?\s*"', "", f.read())
    for found in LITERAL.finditer(text):
        yield text.count("\n", 0, found.start()) + 1, found.group(1)


def sources(root):
    return [n for n in lint.files(root, ".c") if n.startswith("src/")]


def names_of(root, pattern, wanted):
    found = set()
    for name in sources(root):
        if wanted(name):
            with open(lint.os.path.join(root, name), encoding="utf-8") as f:
                found |= set(pattern.findall(f.read()))
    return found


def check(root):
    options = names_of(root, OPTION, lambda n: n == TABLE)
    commands = names_of(root, COMMAND, lambda n: "/cmd_" in n or
                        n.endswith("cli_help.c"))
    flags = names_of(root, FLAG, lambda n: "/cmd_" in n) | options | {
        "dir", "json", "help"}
    groups = {o.partition(".")[0] for o in options if "." in o}
    option = re.compile(r"(?<![\w./-])(%s)\.([a-z_]+)\b(?![/(])" % "|".join(
        sorted(groups) or ["-"]))
    for name in sources(root):
        for line, text in texts(root, name):
            for found in option.finditer(text):
                said = found.group(0)
                if said not in options and not FILES.search(said):
                    yield "%s (about line %d): no option: %s" % (
                        name, line, said)
            for found in NAMED.finditer(text):
                if found.group(1) not in commands:
                    yield "%s (about line %d): no command: syncline %s" % (
                        name, line, found.group(1))
                for word in found.group(2).split():
                    if word.startswith("--") and word[2:] not in flags:
                        yield "%s (about line %d): no flag: %s" % (
                            name, line, word)


ROW = {TABLE: '{ .name = "limits.writes",\n',
       "src/app/cmd/cmd_get.c": '    .name = "get",\n{ "version", "N", ""},\n'}
lint.main("advice names what there is", check, {
    "an option that is none": dict(
        ROW, **{"src/repl/a.c": 'say("raise limits.wri" "tings");\n'}),
    "a command that is none": dict(
        ROW, **{"src/repl/a.c": 'say("see `syncline got`");\n'}),
    "a flag that is none": dict(
        ROW, **{"src/repl/a.c": 'say("`syncline get --old`");\n'}),
    "fine": dict(
        ROW, **{"src/repl/a.c": 'say("raise limits.writes; `syncline get '
                                '--version`; limits.md");\n'}),
})
