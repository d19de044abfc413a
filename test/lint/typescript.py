#!/usr/bin/python3
"""The dashboard's types hold, as TypeScript sees them."""

import os
import shutil
import subprocess

import lint

DASHBOARD = os.path.join(lint.ROOT, "dashboard")
COMPILER = os.path.join(DASHBOARD, "node_modules", "typescript", "bin", "tsc")


def check(root):
    folder = os.path.join(root, "dashboard")
    modules = os.path.join(folder, "node_modules")
    if not os.path.exists(modules):  # a planted tree
        os.symlink(os.path.join(DASHBOARD, "node_modules"), modules)
        shutil.copy(os.path.join(DASHBOARD, "tsconfig.json"), folder)
    done = subprocess.run(
        ["node", COMPILER, "--noEmit", "--pretty", "false", "-p", folder],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False)
    if done.returncode != 0:
        yield from done.stdout.splitlines()


if shutil.which("node") and os.path.exists(COMPILER):
    lint.main("the dashboard's types hold", check, {
        "a word where a number belongs": {
            "dashboard/src/a.ts": 'export const n: number = "one";\n'},
        "a value that may be missing": {
            "dashboard/src/a.ts":
                "export const f = (a?: string) => a.length;\n"},
        "markup of a tag that is none": {
            "dashboard/src/a.tsx":
                "export const A = () => <a hreff={1} />;\n"},
        "fine": {
            "dashboard/src/a.tsx":
                "export const A = () => <a href=\"/\">a</a>;\n"},
    })
else:
    tap = lint.Tap()
    tap.skip("the dashboard's types hold", "no node, or no node_modules")
    tap.end()
