#!/usr/bin/python3
"""Each line of the log names a module of the list in src/base/log.c, so that
`syncline log level` knows it; and the list is in the alphabet's order."""

import re

import lint

LIST = re.compile(r"log_modules\[\] = \{(.*?)NULL \}", re.S)
NAME = re.compile(r'"([^"]*)"|(LOG_SECURITY)')
# The third argument, if it is a literal.
CALL = re.compile(
    r'\blog_line\(\s*[^;"]*?,\s*(?:[^;"]*?)LOG_LEVEL_\w+,\s*"([^"]*)"', re.S)


def known(root):
    found = LIST.search(lint.text_of(root, "src/base/log.c") or "")
    return [m.group(1) or "security"
            for m in NAME.finditer(found.group(1))] if found else []


def check(root):
    names = None
    for name in lint.files(root, ".c", ".h"):
        if not name.startswith("src/"):
            continue
        if names is None:
            names = known(root)
            if names != sorted(names):
                yield "src/base/log.c: log_modules is not in order"
        text = lint.text_of(root, name) or ""
        for call in CALL.finditer(text):
            if call.group(1) not in names:
                yield '%s:%d: "%s" is not in log_modules (src/base/log.c)' % (
                    name, text.count("\n", 0, call.start()) + 1, call.group(1))


MODULES = 'const char *const log_modules[] = { %s, NULL };\n'
CALLS = 'void f(void)\n{\n    log_line(&n->log, LOG_LEVEL_WARN,\n' \
    '        "%s", "text %%d", 7);\n}\n'

lint.main("the log's modules are known", check, {
    "a module of no list": {
        "src/base/log.c": MODULES % '"net"',
        "src/io/a.c": CALLS % "nte"},
    "a list out of order": {"src/base/log.c": MODULES % '"b", "a"'},
    "fine": {
        "src/base/log.c": MODULES % '"net", LOG_SECURITY, "store"',
        "src/io/a.c": CALLS % "net"},
})
