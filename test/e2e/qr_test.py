#!/usr/bin/python3
"""The code of `syncline invite` as a picture, read by a camera's software
from what a terminal would show."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios

import PIL.Image
import zbar

from node import PROGRAM, World, main, surroundings
from tap import check, equal, holds

MODULE = 6  # pixels of a half block
BLOCKS = {" ": (0, 0), "\u2580": (1, 0), "\u2584": (0, 1), "\u2588": (1, 1)}


def _rows(lines, ink, paper):
    """Pixels of half blocks: a row of characters gives two."""
    for line in lines:
        for half in (0, 1):
            yield [ink if BLOCKS[c][half] else paper for c in line]


def _read(lines, ink, paper):
    """What the picture says."""
    rows = list(_rows(lines, ink, paper))
    image = PIL.Image.new("L", (len(rows[0]), len(rows)))
    image.putdata([pixel for row in rows for pixel in row])
    image = image.resize((image.width * MODULE, image.height * MODULE),
                         PIL.Image.NEAREST)
    scanner = zbar.ImageScanner()
    scanner.parse_config("enable")
    found = zbar.Image(image.width, image.height, "Y800", image.tobytes())
    scanner.scan(found)
    return [symbol.data for symbol in found]


def _on_terminal(node, *args, columns=80):
    """What `syncline` writes to a terminal so wide."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ,
                struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [PROGRAM] + list(args) + ["--dir", node.dir], stdin=slave,
        stdout=slave, stderr=slave, env=surroundings())
    os.close(slave)
    text = b""
    while process.poll() is None or select.select([master], [], [], 0)[0]:
        if not select.select([master], [], [], 0.05)[0]:
            continue
        try:
            text += os.read(master, 65536)
        except OSError:
            break
    os.close(master)
    equal(process.wait(), 0)
    return text.decode().replace("\r\n", "\n")


COLOURED = re.compile("\x1b\\[38;5;16;48;5;231m([^\x1b]*)\x1b\\[0m")


def a_terminal_shows_a_picture_of_the_code():
    with World() as w:
        a, b = w.nodes("a", "b")
        text = _on_terminal(a, "invite")
        lines = COLOURED.findall(text)
        check(lines and len({len(line) for line in lines}) == 1, text)
        check(len(lines[0]) <= 80, "it is %d wide" % len(lines[0]))
        # Black ink on white, by its own colours.
        said = _read(lines, 0, 255)
        equal(said, [text.split("\n")[0]], "what the picture says")
        b.do("join", said[0])


def elsewhere_only_when_asked():
    """Without colours the ink is light: the terminal is dark."""
    with World() as w:
        a, = w.nodes("a")
        quiet = a.cli("invite")
        check("\u2588" not in quiet.err + quiet.out, str(quiet))
        asked = a.cli("invite", "--qr")
        code = asked.out.strip()
        lines = [line for line in asked.err.split("\n") if "\u2588" in line]
        equal(_read(lines, 255, 0), [code], "what the picture says")
        check("\x1b" not in asked.err, "colours in a file")
        plain = _on_terminal(a, "invite", "--no-qr")
        check("\u2588" not in plain, plain)
        a.refuses("invite", "--qr", "--no-qr", code=2)


def a_code_with_all_addresses_fits():
    with World() as w:
        a, = w.nodes("a", flags=(
            "--advertise", "[2001:db8:1:2:3:4:5:6]:4748", "--advertise",
            "[2001:db8:1:2:3:4:5:7]:4748", "--advertise",
            "[2001:db8:1:2:3:4:5:8]:4748"))
        text = _on_terminal(a, "invite")
        code = text.split("\n")[0]
        check(len(code) > 100, code)
        lines = COLOURED.findall(text)
        check(lines and len(lines[0]) <= 80, text)
        equal(_read(lines, 0, 255), [code], "what the picture says")


def a_narrow_terminal_gets_the_code_alone():
    with World() as w:
        a, = w.nodes("a")
        text = _on_terminal(a, "invite", columns=30)
        check(not COLOURED.findall(text), text)
        holds(text, "syncline join")


if __name__ == "__main__":
    sys.exit(main(globals()))
