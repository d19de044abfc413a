#!/usr/bin/python3
"""symbols.py ARCHIVE... [--beside ARCHIVE...] - the pure archives call only
what pure_symbols.txt lists, and hold no data that can change.

The archives after --beside are not judged; the judged ones may call what
they define."""

import os
import re
import subprocess
import sys
import tempfile

import lint

LIST = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                    "pure_symbols.txt")
# The checked twin of a libc call that _FORTIFY_SOURCE puts in its place.
CHECKED = re.compile(r"^__(\w+)_chk$")
MUTABLE = re.compile(r"^(\.(t?data|t?bss)(\.(?!rel\.ro).*)?|\*COM\*)$")


def allowed():
    """symbol -> the objects that may call it; None is all of them."""
    table = {}
    with open(LIST, encoding="utf-8") as file:
        for line in file:
            words = line.split("#")[0].split()
            if words:
                table[words[0]] = words[1:] or None
    return table


def symbols(archive):
    """(object, flags, section, size, name) of an archive's symbols."""
    done = subprocess.run(
        ["objdump", "-t", archive], stdout=subprocess.PIPE, check=True)
    obj = None
    for line in done.stdout.decode().splitlines():
        head = re.match(r"^(\S+):\s+file format", line)
        if head:
            obj = re.sub(r"\.o$", "", os.path.basename(head.group(1)))
        row = re.match(
            r"^[0-9a-f]+ (.{7}) (\S+)\s+([0-9a-f]+)\s+(?:\.hidden )?(\S+)$",
            line)
        if row:
            flags, section, size, name = row.groups()
            yield obj, flags, section, int(size, 16), name


def defined(archives):
    return {name for archive in archives
            for _, _, section, _, name in symbols(archive)
            if section != "*UND*"}


def plain(name):
    found = CHECKED.match(name)
    return found.group(1) if found else name


def may_call(table, obj, name):
    if name not in table:
        return False
    return table[name] is None or any(
        obj == o or obj.endswith("_" + o) for o in table[name])


def check(archives, beside=()):
    table = allowed()
    own = defined(list(archives) + list(beside))
    for archive in archives:
        for obj, flags, section, size, name in symbols(archive):
            if section == "*UND*":
                if name not in own and not may_call(table, obj, plain(name)):
                    yield "%s calls %s" % (obj, name)
            elif MUTABLE.match(section) and size > 0 and "d" not in flags:
                yield "%s holds %s, which can change" % (obj, name)


def planted(name, source):
    with tempfile.TemporaryDirectory(prefix="lint-") as folder:
        obj = os.path.join(folder, name + ".o")
        archive = os.path.join(folder, "lib.a")
        subprocess.run(
            ["gcc", "-O1", "-fPIC", "-c", "-x", "c", "-", "-o", obj],
            input=source.encode(), check=True)
        subprocess.run(["ar", "rcs", archive, obj], check=True)
        return list(check([archive]))


BAD = {
    "a call for the time":
        "#include <time.h>\nlong f(void) { return time(0); }",
    "a call for a file":
        "#include <unistd.h>\nint f(void) { return close(3); }",
    "a printed line outside base/error":
        '#include <stdio.h>\nvoid f(void) { fprintf(stderr, "%d", 1); }',
    "a counter": "static int n; int f(void) { return n++; }",
    "a table that can change":
        "int t[2] = { 1, 2 }; int f(int i) { return t[i]; }",
    "a static in a function":
        "int f(void) { static int n = 7; return n *= 3; }",
}
FINE = """#include <string.h>
static const char *const names[] = { "a", "b" };
unsigned long f(int i) { return strlen(names[i]); }
"""

arguments = sys.argv[1:]
cut = arguments.index("--beside") if "--beside" in arguments else \
    len(arguments)
tap = lint.Tap()
tap.point("the pure archives are pure",
          list(check(arguments[:cut], arguments[cut + 1:])))
for what, source in BAD.items():
    tap.point("finds " + what,
              [] if planted("a.c", source) else ["nothing was found"])
tap.point("accepts what is fine", planted("a.c", FINE))
tap.end()
