"""Files that are bound to items: where they are, how editors save them, and
what is told of them."""

import json
import os
import shutil
import threading
import time

from node import wait_for

TEXT = '{\n    "b": 2,\n    "a": 1\n}\n'


class Site:
    """Machines that are paired, each with a folder that is open to
    bindings."""

    def __init__(self, world, *names, flags=()):
        self.world = world
        self.nodes = [world.node(name, "--files.root", self.folder(world, name),
                                 *flags) for name in names]
        for node in self.nodes:
            node.start()
        for node in self.nodes[1:]:
            node.joins(self.nodes[0])

    @staticmethod
    def folder(world, name):
        path = world.path(name + ".etc")
        os.makedirs(path, exist_ok=True)
        return path


def file_of(node, name="app.json"):
    return os.path.join(Site.folder(node.world, node.name), name)


def write(path, text, mode="w"):
    with open(path, mode, encoding="utf-8") as f:
        f.write(text)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def says(path, doc):
    try:
        return json.loads(read(path)) == doc
    except (OSError, ValueError):
        return False


def bind(node, *flags, name="app.json", key="app"):
    node.do("bind", file_of(node, name), "--key", key, *flags)


def binding(node, name="app.json"):
    for b in node.call("bindings")["bindings"]:
        if b["file"] == file_of(node, name):
            return b
    return None


def trouble(node, code, name="app.json"):
    """What it says of it, once it does."""
    def look():
        for t in binding(node, name)["troubles"]:
            if t["code"] == code:
                return t["text"]
        return None
    return wait_for("%s tells of %s" % (node.name, code), look)


def in_sync(node, name="app.json"):
    wait_for("%s is in sync" % name,
             lambda: binding(node, name)["state"] == "in sync")


# ---- how editors save ----

def _truncate(path, text):
    write(path, text)


def _pause(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text[:len(text) // 2])
        f.flush()
        time.sleep(0.02)
        f.write(text[len(text) // 2:])


def _rename(path, text):
    write(path + ".tmp", text)
    shutil.copymode(path, path + ".tmp")
    os.rename(path + ".tmp", path)


def _synced(path, text):
    write(path + ".tmp", text)
    with open(path + ".tmp", "rb") as f:
        os.fsync(f.fileno())
    os.rename(path + ".tmp", path)


def _recreate(path, text):
    os.unlink(path)
    write(path, text)


def _backup(path, text):
    """As vim does it: the old one is moved away, and goes when the new one
    is there."""
    os.rename(path, path + "~")
    write(path, text)
    os.unlink(path + "~")


def _append(path, text):
    """The last brace is taken away, and what is left comes behind it."""
    old = read(path)
    shared = os.path.commonprefix([old, text])
    with open(path, "r+", encoding="utf-8") as f:
        f.truncate(len(shared.encode()))
        f.seek(0, os.SEEK_END)
        f.write(text[len(shared):])


def _sparse(path, text):
    """Only the bytes that differ, where they are."""
    data = text.encode()
    with open(path, "r+b") as f:
        f.truncate(len(data))
        for at in range(0, len(data), 7):
            f.seek(at)
            f.write(data[at:at + 7])
            f.flush()


def _moved(path, text):
    """Out of another folder."""
    other = path + ".d"
    os.makedirs(other, exist_ok=True)
    write(os.path.join(other, "new"), text)
    shutil.move(os.path.join(other, "new"), path)


STYLES = [_truncate, _pause, _rename, _synced, _recreate, _backup, _append,
          _sparse, _moved]


class Reader(threading.Thread):
    """Opens, reads and parses a file again and again."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.reads, self.torn = path, 0, []
        self.over = threading.Event()

    def run(self):
        while not self.over.is_set():
            text = read(self.path)
            self.reads += 1
            try:
                json.loads(text)
            except ValueError:
                self.torn.append(text)

    def end(self):
        self.over.set()
        self.join(30)
