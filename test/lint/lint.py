"""lint.py - what the lints share: the files of the tree, TAP, and planting.

A lint is a function that takes a root directory and yields complaints. It
runs over the tree and then over small planted trees that break its rule, one
at a time, and must complain about each of them: a lint that cannot fail
proves nothing."""

import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
SKIPPED = (".git", "node_modules", "__pycache__")


def walk(root):
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            f for f in folders
            if f not in SKIPPED and not (folder == root and
                                         f.startswith("build")))
        for name in sorted(names):
            yield os.path.relpath(os.path.join(folder, name), root)


def listed(root):
    """Tracked and new files, without what is ignored; None without git."""
    if not os.path.exists(os.path.join(root, ".git")):
        return None
    done = subprocess.run(
        ["git", "-C", root, "-c", "safe.directory=*", "ls-files", "-z", "-co",
         "--exclude-standard"], stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        return None
    return sorted(set(done.stdout.decode().split("\0")) - {""})


def files(root, *endings):
    """Paths under root that end so, relative to it."""
    names = listed(root)
    for name in walk(root) if names is None else names:
        if name.endswith(endings or ("",)) and \
                os.path.isfile(os.path.join(root, name)):
            yield name


def text_of(root, name):
    """A file's text, or None if it is none."""
    with open(os.path.join(root, name), "rb") as file:
        data = file.read()
    if b"\0" in data:
        return None
    return data.decode("utf-8", "replace")


def lines_of(root, name):
    """(number, line) of a file that is text."""
    text = text_of(root, name)
    return enumerate((text or "").splitlines(), 1)


class Tap:
    def __init__(self):
        self.n = 0
        self.bad = 0

    def point(self, name, complaints):
        self.n += 1
        self.bad += bool(complaints)
        print("%sok %d - %s" % ("not " if complaints else "", self.n, name))
        for complaint in complaints:
            print("# " + complaint)

    def skip(self, name, why):
        self.n += 1
        print("ok %d - %s # SKIP %s" % (self.n, name, why))

    def end(self):
        print("1..%d" % self.n)
        sys.exit(1 if self.bad else 0)


def plant(folder, tree):
    for name, text in tree.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def try_planted(tap, check, planted):
    """planted: what is wrong -> {path: text}. "fine" must pass."""
    for what, tree in planted.items():
        with tempfile.TemporaryDirectory(prefix="lint-") as folder:
            plant(folder, tree)
            complaints = list(check(folder))
        if what == "fine":
            tap.point("accepts what is fine", complaints)
        else:
            tap.point("finds " + what,
                      [] if complaints else ["nothing was found"])


def main(rule, check, planted):
    tap = Tap()
    tap.point(rule, list(check(ROOT)))
    try_planted(tap, check, planted)
    tap.end()
