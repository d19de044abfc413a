#!/usr/bin/python3
"""Pairing without a code: six digits on two terminals, and every no."""

import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import threading

from node import PROGRAM, World, main, surroundings, wait_for
from tap import check, equal, holds

PATIENCE = 30


class Terminal:
    """A command with a terminal of its own."""

    def __init__(self, node, *args):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [PROGRAM] + list(args) + ["--dir", node.dir], stdin=slave,
            stdout=slave, stderr=slave, env=surroundings(),
            start_new_session=True)
        node.world.started.append(self.process)
        os.close(slave)
        self.text = ""

    def read(self):
        while select.select([self.master], [], [], 0.05)[0]:
            try:
                more = os.read(self.master, 4096)
            except OSError:  # the other end is closed
                return
            if not more:
                return
            self.text += more.decode(errors="replace")

    def shows(self, pattern):
        def found():
            self.read()
            return re.search(pattern, self.text)
        try:
            return wait_for("the terminal shows %r" % pattern, found, PATIENCE)
        except AssertionError as e:
            raise AssertionError("%s: %r" % (e, self.text)) from e

    def types(self, text):
        os.write(self.master, text.encode())

    def ends(self):
        """Its exit status, when it has read all."""
        def over():
            self.read()
            return self.process.poll() is not None
        wait_for("the command ends", over, PATIENCE)
        self.read()
        os.close(self.master)
        return self.process.returncode


def _pending(n):
    return n.call("pending")["pending"]


def _at(n):
    return n.status()["listen"][0]


def _asks(joiner, member, window="1m"):
    """A terminal with digits, which are those that the member shows."""
    member.do("pending", "--open", window)
    t = Terminal(joiner, "join", "--peer", _at(member))
    digits = "".join(t.shows(r"(\d{3}) (\d{3})\s").groups())
    t.shows(r"match\? \[y/N\]")
    shown = wait_for("it is pending", lambda: _pending(member))
    equal([p["digits"] for p in shown], [digits], "digits")
    return t, digits


def two_people_say_yes():
    with World() as w:
        a, b = w.nodes("a", "b")
        b.put("of-b", 1)
        t, digits = _asks(b, a)
        who = _pending(a)[0]
        equal((who["name"], who["device"], who["confirmed"]),
              ("b", b.status()["device"], False))
        listed = a.do("pending")
        holds(listed, digits[:3] + " " + digits[3:], "b", "127.0.0.1",
              "not yet confirmed")
        approve = a.spawn("approve", digits, stdout=subprocess.PIPE)
        wait_for("approved", lambda: _pending(a)[0]["approved"])
        equal(a.status()["peers"], [], "members before both have said yes")
        t.types("y\n")
        t.shows("joined the mesh")
        equal(t.ends(), 0)
        holds(approve.communicate(timeout=PATIENCE)[0].decode(), "let in")
        equal(approve.returncode, 0)
        wait_for("connected", lambda: "b" in a.connected())
        a.waits_for("of-b", 1)
        equal(_pending(a), [])
        a.refuses("approve", digits, says="nobody is at the door")


def the_joiner_says_yes_first():
    with World() as w:
        a, b = w.nodes("a", "b")
        t, digits = _asks(b, a)
        t.types("y\n")
        wait_for("confirmed", lambda: _pending(a)[0]["confirmed"])
        holds(a.do("pending"), "confirmed there")
        a.refuses("approve", digits[:3], digits[:3], says="other digits")
        a.refuses("approve", digits[:3] + " " + digits[:3],
                  says="other digits")
        a.do("approve", digits[:3] + " " + digits[3:])
        equal(t.ends(), 0)
        wait_for("connected", lambda: "b" in a.connected())


def by_scripts():
    """Without a terminal: one process waits, another says yes."""
    with World() as w:
        a, b = w.nodes("a", "b")
        a.do("pending", "--open", "1m")
        join = b.spawn("join", "--peer", _at(a), "--json",
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        first = json.loads(join.stdout.readline())
        equal(first["device"], a.status()["device"])
        equal(_pending(a)[0]["digits"], first["digits"])
        b.do("join", "--yes-digits", first["digits"])
        told = json.loads(a.do("approve", _pending(a)[0]["device"], "--json"))
        equal(told["device"], b.status()["device"])
        told = json.loads(join.communicate(timeout=PATIENCE)[0])
        equal((join.returncode, told["name"]), (0, "a"))


def other_digits_end_it():
    with World() as w:
        a, b = w.nodes("a", "b")
        t, digits = _asks(b, a)
        other = "%06d" % ((int(digits) + 1) % 1000000)
        a.refuses("approve", other, says=["other digits", "deny"])
        b.refuses("join", "--yes-digits", other, says="not confirmed")
        check(t.ends() == 1, t.text)
        holds(t.text, "not confirmed")
        wait_for("nobody is at the door", lambda: not _pending(a))
        equal(a.status()["peers"], [])
        b.refuses("join", "--yes-digits", digits, says="no digits wait")


def no_at_the_joiner():
    with World() as w:
        a, b = w.nodes("a", "b")
        t, digits = _asks(b, a)
        approve = a.spawn("approve", digits, stderr=subprocess.PIPE)
        wait_for("approved", lambda: _pending(a)[0]["approved"])
        t.types("\n")
        equal(t.ends(), 1)
        holds(approve.communicate(timeout=PATIENCE)[1].decode(),
              "not confirmed")
        equal(approve.returncode, 1)
        holds(a.do("audit"), "pair-asked", "pair-ended", "name=b",
              "not confirmed")
        equal(a.status()["peers"], [])


def no_at_the_member():
    with World() as w:
        a, b = w.nodes("a", "b")
        t, digits = _asks(b, a)
        holds(a.do("deny", digits), "turned away")
        equal(t.ends(), 1)
        holds(t.text, "denied")
        equal(b.status()["peers"], [])


def ctrl_c_at_the_joiner():
    with World() as w:
        a, b = w.nodes("a", "b")
        t, _digits = _asks(b, a)
        t.process.send_signal(signal.SIGINT)
        t.ends()
        wait_for("nobody is at the door", lambda: not _pending(a))
        b.refuses("join", "--yes-digits", "123456", says="no digits wait")
        wait_for("the pause is over", lambda: not _busy(b, a))


def _busy(joiner, member):
    """Asks once more, and goes as soon as there are digits."""
    t = Terminal(joiner, "join", "--peer", _at(member))
    try:
        t.shows(r"\d{3} \d{3}|another machine")
        return "another machine" in t.text
    finally:
        t.process.kill()
        t.ends()


def ctrl_c_at_the_member():
    """The approval is taken back; another one counts."""
    with World() as w:
        a, b = w.nodes("a", "b")
        t, digits = _asks(b, a)
        approve = a.spawn("approve", digits)
        wait_for("approved", lambda: _pending(a)[0]["approved"])
        approve.send_signal(signal.SIGINT)
        approve.wait(PATIENCE)
        wait_for("taken back", lambda: not _pending(a)[0]["approved"])
        t.types("y\n")
        wait_for("confirmed", lambda: _pending(a)[0]["confirmed"])
        equal(a.status()["peers"], [])
        a.do("approve", digits)
        equal(t.ends(), 0)


def nobody_decides():
    with World() as w:
        a, b = w.nodes("a", "b")
        a.do("pending", "--open", "2s")
        t = Terminal(b, "join", "--peer", _at(a))
        t.shows(r"match\?")
        watch = a.do("pending", "--watch")  # ends by itself
        equal(t.ends(), 1)
        holds(t.text, "too long")
        holds(watch, "b")
        equal(_pending(a), [])


def the_door_is_shut():
    with World() as w:
        a, b = w.nodes("a", "b")
        t = Terminal(b, "join", "--peer", _at(a))
        t.shows("looking")
        a.do("pending", "--open", "1m")  # it tries again by itself
        t.shows(r"match\?")
        a.do("pending", "--open", "0")
        holds(a.cli("pending").out, "b")  # who is at the door, stays
        t.process.kill()
        t.ends()


def those_who_need_not_ask():
    with World() as w:
        a, b, c = w.nodes("a", "b", "c")
        b.joins(a)
        b.refuses("join", "--peer", _at(a), says="--leave")
        c.refuses("join", "--peer", _at(c), says="this very device")
        c.refuses("join", "--peer", "lamp:lamp")
        c.refuses("join", "--peer", _at(a), "--yes-digits", "123456", code=2)
        a.refuses("pending", "--open", "2h", says="up to 3600 s")
        a.refuses("deny", "123456", says="nobody is at the door")


def strangers_that_flood():
    """Strangers from one address at an open door: who comes from another one
    gets in all the same."""
    with World() as w:
        a, b = w.nodes("a", "b")
        host, port = _at(a).rsplit(":", 1)
        over = threading.Event()

        def flood():
            while not over.is_set():
                try:
                    with socket.create_connection((host, int(port)), 1,
                                                  ("127.0.0.2", 0)) as s:
                        s.settimeout(0.05)
                        s.sendall(b"\x16\x03\x01\x00\x05hello" * 20)
                        s.recv(100)
                except OSError:
                    continue

        threads = [threading.Thread(target=flood) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            a.do("pending", "--open", "1m")
            t = Terminal(b, "join", "--peer", _at(a))
            digits = "".join(t.shows(r"(\d{3}) (\d{3})\s").groups())
            t.types("y\n")
            a.do("approve", digits)
            equal(t.ends(), 0)
        finally:
            over.set()
            for thread in threads:
                thread.join()
        wait_for("connected", lambda: "b" in a.connected())


def three_machines_that_ask_in_vain():
    with World() as w:
        a, b = w.nodes("a", "b")
        a.do("pending", "--open", "1m")
        for _ in range(3):
            wait_for("somebody asks", lambda: not _busy(b, a), pause=0.2)
        wait_for("the door is shut",
                 lambda: a.call("pending")["open_s"] == 0)
        equal(_pending(a), [])


def a_name_that_is_no_name():
    """Shown with nothing in it that a terminal would act on."""
    with World() as w:
        a, b = w.nodes("a", "b")
        b.stop()
        b.name = "x\x1b[2J\u202ey\x07"
        b.start()
        t, digits = _asks(b, a)
        shown = a.do("pending")
        check("\x1b" not in shown and "\u202e" not in shown and
              "\x07" not in shown, repr(shown))
        holds(shown, "x\\u001b[2J\\u202ey\\u0007")
        equal(_pending(a)[0]["name"], "x\x1b[2J\u202ey\x07")
        a.do("deny", digits)
        equal(t.ends(), 1)


if __name__ == "__main__":
    sys.exit(main(globals()))
