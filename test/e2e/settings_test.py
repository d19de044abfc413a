#!/usr/bin/python3
"""The example that embeds the library, as two machines would run it."""

import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading

import tap

BUILD = os.path.dirname(os.path.dirname(os.environ["SYNCLINE"]))
PATIENCE = 20


class Program:
    """One running copy; its lines."""

    def __init__(self, program, *args, env=None):
        self.process = subprocess.Popen(
            [program] + list(args), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env=env, text=True)
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def says(self, start):
        """The next line that begins so."""
        while True:
            try:
                line = self.lines.get(timeout=PATIENCE)
            except queue.Empty:
                raise AssertionError("never said: %s" % start) from None
            if line.startswith(start):
                return line

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self):
        self.process.stdin.close()
        status = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        self.process.stdout.close()
        return status


def two_machines(program, env=None):
    folder = tempfile.mkdtemp(prefix="syncline-settings-")
    started = []

    def start(name, *args):
        started.append(Program(
            program, os.path.join(folder, name), "127.0.0.1:0", *args,
            env=env))
        return started[-1]

    try:
        a = start("a", "invite")
        code = a.says("code ").split()[1]
        a.says("ready")
        a.tell("volume 7")
        a.says("volume = 7")
        b = start("b", "join", code)
        b.says("volume = 7")
        b.tell('theme {"dark": true}')
        a.says('theme = {"dark":true}')
        a.tell("volume")
        b.says("volume is unset")
        tap.equal(b.end(), 0, "b's status")
        tap.equal(a.end(), 0, "a's status")
    finally:
        for each in started:
            if each.process.poll() is None:
                each.process.kill()
                each.process.wait()
        shutil.rmtree(folder)


def settings_are_the_same_on_two_machines():
    two_machines(os.path.join(BUILD, "examples", "settings"))


def it_builds_with_what_pkg_config_says():
    if shutil.which("pkg-config") is None or shutil.which("cc") is None:
        raise tap.Skip("no pkg-config or cc here")
    env = dict(os.environ,
               PKG_CONFIG_PATH=os.path.join(BUILD, "meson-uninstalled"),
               LD_LIBRARY_PATH=os.path.join(BUILD, "src"))
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "syncline"], env=env, check=True,
        stdout=subprocess.PIPE, text=True).stdout.split()
    with tempfile.TemporaryDirectory(prefix="syncline-cc-") as folder:
        program = os.path.join(folder, "settings")
        subprocess.run(
            ["cc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
             os.path.join("examples", "settings.c")] + flags +
            ["-o", program], check=True)
        two_machines(program, env)


def wrong_use_is_told():
    program = os.path.join(BUILD, "examples", "settings")
    done = subprocess.run([program], stderr=subprocess.PIPE, check=False)
    tap.equal(done.returncode, 2, "status")
    done = subprocess.run([program, "/proc/nowhere", "127.0.0.1:0"],
                          stderr=subprocess.PIPE, check=False)
    tap.equal(done.returncode, 1, "status")
    tap.holds(done.stderr.decode(), "/proc/nowhere")


if __name__ == "__main__":
    sys.exit(tap.run([
        settings_are_the_same_on_two_machines,
        it_builds_with_what_pkg_config_says,
        wrong_use_is_told,
    ], sys.argv[1:]))
