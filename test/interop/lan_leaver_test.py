#!/usr/bin/python3
"""A program that returns from main while the library calls again ends as it
says, at whatever moment.

usage: lan_leaver_test.py LAN_LEAVER

LAN_LEAVER is built from lan_leaver.c. TAP."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "e2e"))

import tap  # noqa: E402
from tap import equal  # noqa: E402

TIMES = 25


def a_program_ends_while_its_clients_call():
    for i in range(TIMES):
        wait_us = i * 100
        done = subprocess.run([sys.argv[1], str(wait_us)], text=True,
                              capture_output=True, timeout=60)
        equal((done.returncode, done.stderr), (0, ""),
              "after %d us" % wait_us)


if __name__ == "__main__":
    sys.exit(tap.run([a_program_ends_while_its_clients_call], []))
