#!/usr/bin/python3
"""script/demo shows what it promises and leaves nothing behind; with --keep
it leaves nodes that work."""

import os
import re
import signal
import subprocess
import sys
import tempfile

from node import PROGRAM, main, surroundings, wait_for
from tap import Skip, check, equal, holds

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def _demo(folder, *args):
    if not os.path.exists("/usr/share/iso-codes/json/iso_639-3.json"):
        raise Skip("the package iso-codes is missing")
    p = subprocess.run(
        [os.path.join(ROOT, "script", "demo")] + list(args),
        env=surroundings({"SYNCLINE": PROGRAM, "TMPDIR": folder}),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=120, text=True)
    return p.returncode, p.stdout


def _in(folder):
    """Processes that have it in their arguments."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                if folder.encode() in f.read():
                    yield int(pid)
        except OSError:
            pass


def the_demo_tells_its_story():
    with tempfile.TemporaryDirectory(prefix="syncline-e2e-") as folder:
        status, said = _demo(folder)
        equal(status, 0, "exit status of\n" + said)
        holds(said, "records imported", "cellar joins by",
              '/name = "Elfenbeinküste"', '/name = "Ivory Coast"',
              '"capital":"東京","currency":"JPY"', "no such item",
              "euro since 2023", '"name":"Kuna"')
        equal(said.count(": agrees"), 4, "agreements of two peers, twice")
        check(int(re.search(r"(\d+) records imported", said).group(1)) >
              10000, "records")
        equal(os.listdir(folder), [], "what it leaves behind")
        equal(list(_in(folder)), [], "processes")


def the_demo_can_stay():
    with tempfile.TemporaryDirectory(prefix="syncline-e2e-") as folder:
        status, said = _demo(folder, "--keep")
        equal(status, 0, "exit status of\n" + said)
        pids = [int(p) for p in re.search(
            r"kill ([\d ]+);", said).group(1).split()]
        try:
            held = re.search(r"rm -r (\S+)", said).group(1)
            subprocess.run([PROGRAM, "put", "default", "lamp", "1", "--wait",
                            "all", "--dir", held + "/cellar"], check=True,
                           env=surroundings())
            got = subprocess.run([PROGRAM, "get", "default", "lamp", "--dir",
                                  held + "/attic"], check=True,
                                 env=surroundings(), capture_output=True)
            equal(got.stdout, b"1\n")
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGTERM)
        wait_for("all have ended", lambda: not list(_in(folder)))


def a_wrong_flag_is_told():
    status, said = _demo("/tmp", "--loud")
    equal(status, 2)
    holds(said, "--keep")


if __name__ == "__main__":
    sys.exit(main(globals()))
