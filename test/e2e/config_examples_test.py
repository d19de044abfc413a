#!/usr/bin/python3
"""The examples of configuration sync in C, as applications run them: processes
of their own, which come to say the same, and an older instance among them."""

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading

import instance
import tap
from node import World, surroundings, wait_for
from proxy import free_port
from tap import check, equal

BUILD = os.path.dirname(os.path.dirname(os.environ["SYNCLINE"]))
PATIENCE = 20
STATUS = ["running", "instance_id", "server_enabled", "server_port",
          "peer_count", "peer_urls", "last_sync_time", "config_versions"]


class Program:
    """One running copy, in a folder of its own; its lines."""

    def __init__(self, stage, name, folder, *args, config=None, options=None,
                 env=None, prefix=()):
        self.folder = stage.world.path(folder)
        self.file = os.path.join(self.folder, "config.json")
        os.makedirs(self.folder, exist_ok=True)
        if config is not None:
            self.write(config)
        if options is not None:
            self.write(options, "options.json")
        with open(os.path.join(self.folder, "errors"), "wb") as errors:
            self.process = subprocess.Popen(
                list(prefix) + [os.path.join(BUILD, "examples", name)] +
                [a.format(file=self.file, folder=self.folder) for a in args],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                env=surroundings(env), text=True)
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=self.read_all, daemon=True)
        self.reader.start()
        stage.programs.append(self)

    def write(self, doc, name="config.json"):
        """As an editor saves."""
        path = os.path.join(self.folder, name)
        with open(path + ".new", "w", encoding="utf-8") as f:
            json.dump(doc, f)
        os.rename(path + ".new", path)

    def read(self):
        try:
            with open(self.file, encoding="utf-8") as f:
                return json.load(f)
        except (OSError, ValueError):
            return None

    def errors(self):
        with open(os.path.join(self.folder, "errors"),
                  encoding="utf-8") as f:
            return f.read()

    def read_all(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def says(self, word):
        """What stands behind it in the next line that begins so."""
        while True:
            try:
                line = self.lines.get(timeout=PATIENCE)
            except queue.Empty:
                raise AssertionError("never said: %s\n%s" % (
                    word, self.errors()[-1000:])) from None
            if line.split(" ", 1)[0] == word:
                return line[len(word) + 1:]

    def is_told(self, doc, word="config"):
        while json.loads(self.says(word)) != doc:
            pass
        equal(self.read(), doc, "the file by then")

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def asks(self, line, word=None):
        self.tell(line)
        return self.says(word or line)

    def status(self):
        return json.loads(self.asks("status"))

    def end(self, signum=None):
        if signum is not None:
            self.process.send_signal(signum)
        self.process.stdin.close()
        status = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        self.process.stdout.close()
        return status


class Stage:
    def __init__(self):
        self.world, self.programs = World(), []

    def __enter__(self):
        self.world.__enter__()
        return self

    def __exit__(self, *why):
        for each in self.programs:
            if each.process.poll() is None:
                each.process.kill()
                each.process.wait()
        self.world.__exit__(*why)


def one_alone():
    with Stage() as s:
        a = Program(s, "config_single", "a", "{file}", "{folder}",
                    config={"x": 1})
        a.is_told({"x": 1})
        a.write({"x": 2})
        a.is_told({"x": 2})
        a.process.stdin.close()
        names = json.loads(a.says("versions"))
        equal(len(names), 2, "versions")
        equal(sorted(os.listdir(a.folder + "/config_versions")), names,
              "in the folder")
        equal(a.process.wait(PATIENCE), 0, "status")


def a_server_a_client_and_an_older_instance_say_the_same():
    with Stage() as s:
        a = Program(s, "config_manual", "a", "{file}", "{folder}", "hub",
                    "serve", "0", config={"x": 1})
        a.is_told({"x": 1})
        status = a.status()
        equal(list(status), STATUS, "the members")
        port = status["server_port"]
        url = "ws://127.0.0.1:%d/sync" % port
        equal(status, {"running": True, "instance_id": "hub",
                       "server_enabled": True, "server_port": port,
                       "peer_count": 0, "peer_urls": [],
                       "last_sync_time": 0.0, "config_versions": 1},
              "the status")
        b = Program(s, "config_manual", "b", "{file}", "{folder}", "client",
                    "call", url)
        b.is_told({"x": 1})
        b.write({"x": 2, "y": [1]})
        b.is_told({"x": 2, "y": [1]})
        a.is_told({"x": 2, "y": [1]})
        loop = instance.Loop()
        older = instance.Client(loop, url, "older", {"x": 0})
        equal(older.next()["config_data"], {"x": 2, "y": [1]}, "a newcomer")
        older.change({"x": 3})
        a.is_told({"x": 3})
        b.is_told({"x": 3})
        a.tell("force")
        equal(older.next()["config_data"], {"x": 3}, "what it is told again")
        status = b.status()
        equal(list(status), STATUS, "the members")
        check(status["last_sync_time"] > 1.7e9, status)
        equal([status["peer_count"], status["peer_urls"],
               status["config_versions"], status["server_port"]],
              [1, [url], 3, None], "the client's status")
        names = json.loads(b.asks("versions"))
        equal([json.loads(b.asks("version " + n, "version")) for n in names],
              [{"x": 1}, {"x": 2, "y": [1]}, {"x": 3}], "versions")
        equal(json.loads(b.asks("version latest", "version")), {"x": 3},
              "the latest")
        check("no name of a version" in b.asks("version ../x", "error"), "../x")
        older.close()
        loop.close()
        # Each may be away: what was said meanwhile is told at its return.
        b.tell("stop")
        check(not b.status()["running"], "it runs")
        a.write({"x": 4})
        a.is_told({"x": 4})
        b.tell("start")
        b.is_told({"x": 4})
        equal([b.end(), a.end()], [0, 0], "status")


def addons_by_their_options():
    with Stage() as s:
        port = free_port()
        hub = Program(s, "config_addon", "hub", "{folder}", config={"x": 1},
                      options={"sync_port": port, "peer_urls": [],
                               "enable_sync_server": True, "theme": "dark"})
        hub.is_told({"x": 1}, "reload")
        other = Program(s, "config_addon", "other", "{folder}",
                        options={"peer_urls":
                                 ["ws://127.0.0.1:%d/sync" % port],
                                 "enable_sync_server": False})
        other.is_told({"x": 1}, "reload")
        other.write({"x": 2})
        hub.is_told({"x": 2}, "reload")
        wait_for("both files say so",
                 lambda: hub.read() == other.read() == {"x": 2})
        alone = Program(s, "config_addon", "alone", "{folder}")
        alone.says("started")
        equal([p.end(signal.SIGTERM) for p in (alone, other, hub)], [0, 0, 0],
              "status")
        wrong = Program(s, "config_addon", "wrong", "{folder}",
                        options={"sync_port": "8765"})
        equal(wrong.process.wait(PATIENCE), 1, "status")


def a_server_for_developers():
    with Stage() as s:
        a = Program(s, "config_development", "a", "{file}", "{folder}",
                    config={"x": 1})
        wait_for("it is there, or has ended", lambda:
                 a.process.poll() is not None or not a.lines.empty())
        if a.process.poll() == 1 and "in use" in a.errors():
            raise tap.Skip("port 8765 is somebody else's")
        status = json.loads(a.says("status"))
        equal([status["server_enabled"], status["server_port"]], [True, 8765],
              "the server")
        b = Program(s, "config_manual", "b", "{file}", "{folder}", "b", "call",
                    "ws://127.0.0.1:8765/sync")
        b.is_told({"x": 1})
        b.write({"x": 2})
        a.is_told({"x": 2})
        equal([b.end(), a.end()], [0, 0], "status")


def one_that_is_called_wrongly_says_how_it_is_to_be_called():
    with Stage() as s:
        for args in ["x"], ["call"]:
            a = Program(s, "config_manual", "a", "{file}", "{folder}", "id",
                        *args)
            equal(a.end(), 2, "the status")
            check("usage: config_manual" in a.errors(), a.errors())


def build_by_pkg_config(*prefixes):
    """All examples whose names begin so, as an application builds."""
    if shutil.which("pkg-config") is None or shutil.which("cc") is None:
        raise tap.Skip("no pkg-config or cc here")
    env = dict(os.environ,
               PKG_CONFIG_PATH=os.path.join(BUILD, "meson-uninstalled"))
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "syncline"], env=env, check=True,
        stdout=subprocess.PIPE, text=True).stdout.split()
    built = 0
    with World() as w:
        for name in sorted(os.listdir("examples")):
            if name.startswith(prefixes) and name.endswith(".c"):
                subprocess.run(
                    ["cc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic",
                     "-Werror", os.path.join("examples", name)] + flags +
                    ["-o", w.path(name[:-2])], check=True)
                built += 1
    check(built > 0, "there is none")


def they_build_with_what_pkg_config_says():
    build_by_pkg_config("config_")


if __name__ == "__main__":
    sys.exit(tap.run([
        one_alone,
        a_server_a_client_and_an_older_instance_say_the_same,
        addons_by_their_options,
        a_server_for_developers,
        one_that_is_called_wrongly_says_how_it_is_to_be_called,
        they_build_with_what_pkg_config_says,
    ], sys.argv[1:]))
