#!/usr/bin/python3
"""The man page, as it was built: it has all commands and options of the
program, and groff finds nothing wrong with it.

usage: man_page_test.py PAGE"""

import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))

import tap  # noqa: E402
from tap import Skip, check, equal  # noqa: E402

PROGRAM = tap.program()


def _says(*args):
    return subprocess.run([PROGRAM, *args], check=True, capture_output=True,
                          text=True).stdout


def _page():
    """As people read it, in one line."""
    if shutil.which("groff") is None:
        raise Skip("there is no groff here: apt-get install groff-base")
    done = subprocess.run(["groff", "-man", "-Tascii", "-ww", "-P-cbou",
                           "-rLL=1000n", sys.argv[1]], capture_output=True,
                          text=True, check=True)
    equal(done.stderr, "", "groff says")
    return re.sub(r"\s+", " ", done.stdout)


def it_has_all_options():
    page = _page()
    options = json.loads(_says("config", "--json", "--dir", "/nowhere"))
    check(len(options["options"]) > 100, "options")
    for o in options["options"]:
        wanted = " %s [^ ]+%s %s" % (
            re.escape(o["name"]),
            r" \[%s\]" % re.escape(o["default"]) if o.get("default") else "",
            re.escape(o["help"]))
        check(re.search(wanted, page), "%s: %s" % (o["name"], wanted))


def it_has_all_commands():
    page = _page()
    commands = re.findall(r"^  ([a-z]+) ", _says("--help"), re.M)
    check(len(commands) > 30, "commands: %r" % commands)
    equal([c for c in commands if " %s " % c not in page], [], "missing")


if __name__ == "__main__":
    sys.exit(tap.run([it_has_all_options, it_has_all_commands]))
