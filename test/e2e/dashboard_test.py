#!/usr/bin/python3
"""The dashboard's command and files; what a browser shows is dashboard/test."""

import gzip
import os
import re
import sys

import requests

from node import World, main
from tap import Skip, check, equal, holds


def _page(node, path="/", **headers):
    """As it is on the wire: gzip is not undone."""
    headers.setdefault("Accept-Encoding", "gzip")
    r = requests.get("http://" + node.status()["listen"][0] + path,
                     headers=headers, stream=True, timeout=20)
    r.bytes = r.raw.read(decode_content=False)
    return r


def _built(node):
    if _page(node).status_code == 404:
        raise Skip("this build has no dashboard")


def a_link_is_printed_alone():
    with World() as w:
        a, = w.nodes("a")
        _built(a)
        told = a.cli("dashboard")
        equal(told.code, 0, str(told))
        check(re.fullmatch(r"http://127\.0\.0\.1:\d+/#sign-in=[\w-]{43}\n",
                           told.out), told.out)
        holds(told.err, "good once, for 5 min", "SHA-256",
              a.status()["https"]["fingerprint"])
        check(told.out.split("=")[1].strip() not in a.tail(),
              "the log has the secret")
        for name in ("DISPLAY", "WAYLAND_DISPLAY"):
            os.environ.pop(name, None)
        a.refuses("dashboard", "--open", says="no desktop")
        a.do("dashboard", "--sign-out")
        a.refuses("dashboard", "--open", "--sign-out", code=2)


def without_http_there_is_none():
    with World() as w:
        a, = w.nodes("a", flags=["--http.enabled", "false"])
        if "built without" in a.cli("dashboard").err:
            raise Skip("this build has no dashboard")
        a.refuses("dashboard", says="http.enabled")
        a.stop()
        a.refuses("dashboard", code=3)


def files_are_whole_and_kept_by_browsers():
    with World() as w:
        a, = w.nodes("a")
        _built(a)
        r = _page(a)
        equal(r.headers["Content-Type"], "text/html; charset=utf-8", "a page")
        equal(r.headers["Cache-Control"], "no-cache", "looked at each time")
        equal(r.headers["Vary"], "Accept-Encoding", "by what is taken")
        text = gzip.decompress(r.bytes).decode()
        names = re.findall(r'(?:src|href)="([^"]+)"', text)
        equal(len(names), 3, names)
        for name in names:
            check(re.fullmatch(r"/[\w.-]+", name), "of this node: " + name)
            r = _page(a, name)
            equal(r.status_code, 200, name)
            check(len(gzip.decompress(r.bytes)) > 100, name)
            if re.search(r"-[0-9a-f]{16}\.", name):
                holds(r.headers["Cache-Control"], "immutable")
            equal(_page(a, name, **{"If-None-Match": r.headers["ETag"]})
                  .status_code, 304, name)
            equal(_page(a, name, **{"If-None-Match": '"other"'}).status_code,
                  200, name)
            equal(_page(a, name, **{"Accept-Encoding": "identity"})
                  .status_code, 406, name)
        check("<script>" not in text and "style=" not in text, "nothing inline")


if __name__ == "__main__":
    sys.exit(main(globals()))
