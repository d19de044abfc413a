#!/usr/bin/python3
"""C sources look as clang-format leaves them."""

import os
import shutil
import subprocess

import lint

STYLE = "file:" + os.path.join(lint.ROOT, ".clang-format")


def check(root):
    names = list(lint.files(root, ".c", ".h"))
    done = subprocess.run(
        ["clang-format", "--style=" + STYLE, "--dry-run",
         "--ferror-limit=1"] + names,
        cwd=root, stderr=subprocess.PIPE, check=False)
    for line in done.stderr.decode().splitlines():
        if "clang-format-violations" in line:
            yield line


if shutil.which("clang-format") is None:
    print("1..0 # SKIP no clang-format here")
else:
    lint.main("every source is formatted", check, {
        "a line that is indented wrongly": {
            "src/base/a.c": "int a(void)\n{\n  return 1;\n}\n"},
        "fine": {"src/base/a.c": "int a(void)\n{\n    return 1;\n}\n"},
    })
