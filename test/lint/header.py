#!/usr/bin/python3
"""The public headers are C99, C11 and C++; every other one stands alone."""

import os
import shutil
import subprocess

import lint

WARN = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"]


def compiles(root, command, name):
    """What a source that includes nothing but this header is told."""
    done = subprocess.run(
        command + WARN + ["-Iinclude", "-Isrc", "-Itest", "-I.",
                          "-include", name, "-"],
        cwd=root, input=b"extern int not_empty;\n",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        lines = done.stdout.decode().splitlines()
        errors = [line for line in lines if "error" in line]
        yield "%s, %s: %s" % (name, command[-1], (errors or lines)[0])


def check_public(root):
    for name in PUBLIC:
        if not os.path.exists(os.path.join(root, name)):
            continue
        for language in ("c99", "c11"):
            yield from compiles(
                root, ["gcc", "-x", "c", "-std=" + language], name)
        for language in ("c++11", "c++17"):
            yield from compiles(
                root, ["g++", "-x", "c++", "-std=" + language], name)


def check_alone(root):
    for name in lint.files(root, ".h"):
        if name.startswith(("src/", "sim/")):
            yield from compiles(
                root, ["gcc", "-x", "c", "-D_GNU_SOURCE", "-std=c11"], name)


PUBLIC = [os.path.join("include", name)
          for name in ("syncline.h", "syncline_lan.h")]
if shutil.which("g++") is None:
    print("1..0 # SKIP no g++ here")
else:
    tap = lint.Tap()
    tap.point("public headers compile as C and C++",
              list(check_public(lint.ROOT)))
    tap.point("every header stands alone", list(check_alone(lint.ROOT)))
    lint.try_planted(tap, check_public, {
        "a word that C++ keeps for itself": {PUBLIC[0]: "int f(int class);\n"},
        "a header that needs another": {PUBLIC[1]: "size_t f(void);\n"},
    })
    lint.try_planted(tap, check_alone, {
        "an inner header that needs another": {
            "src/base/a.h": "size_t f(void);\n"},
        "fine": {
            "src/base/a.h": "#include <stddef.h>\nsize_t f(void);\n"},
    })
    tap.end()
