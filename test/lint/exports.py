#!/usr/bin/python3
"""exports.py [LIBRARY] - libsyncline shows syncline_* and nothing else."""

import os
import subprocess
import sys
import tempfile

import lint


def check(library):
    done = subprocess.run(
        ["nm", "-D", "--defined-only", library],
        stdout=subprocess.PIPE, check=True)
    names = [line.split()[-1] for line in done.stdout.decode().splitlines()]
    if not names:
        yield "%s shows nothing at all" % library
    for name in names:
        if not name.startswith("syncline_"):
            yield "%s is visible" % name


def planted(source):
    with tempfile.TemporaryDirectory(prefix="lint-") as folder:
        library = os.path.join(folder, "liba.so")
        subprocess.run(
            ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", library],
            input=source.encode(), check=True)
        return list(check(library))


RULE = "libsyncline shows syncline_* only"
tap = lint.Tap()
if len(sys.argv) > 1:
    tap.point(RULE, list(check(sys.argv[1])))
else:
    tap.skip(RULE, "there is no library yet")
tap.point("finds a name of ours",
          [] if planted("int vv_join;int syncline_a;") else ["it did not"])
tap.point("finds an empty library",
          [] if planted("static int a;") else ["it did not"])
tap.point("accepts what is fine", planted("int syncline_a;"))
tap.end()
