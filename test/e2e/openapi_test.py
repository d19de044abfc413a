#!/usr/bin/python3
"""The OpenAPI document: it is one, by somebody else's judgement, and each of
its operations is carried out by the tests of the HTTP API, which are run here
for that."""

import json
import os
import re
import shutil
import subprocess
import sys

import hub
import hub_test
import operations_test
from node import World, main
from tap import Skip, check, equal, holds

DASHBOARD = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                         "..", "..", "dashboard")


# For people: no operations.
PAGES = ("/", "/docs", "/redoc")


def _judge(text):
    """Status and words of a validator that knows the specification."""
    module = os.path.join(DASHBOARD, "node_modules", "@seriousme")
    if shutil.which("node") is None or not os.path.isdir(module):
        raise Skip("no node, or nothing in dashboard/node_modules")
    r = subprocess.run(
        ["node", os.path.join(DASHBOARD, "test", "openapi_check.mjs")],
        input=text, capture_output=True, timeout=60, check=False)
    return r.returncode, (r.stdout + r.stderr).decode()


def _document(h):
    return h.json("GET", "/openapi.json")


def the_document_is_one():
    with World() as w:
        a, = w.nodes("a")
        with hub.Hub(a) as h:
            doc = _document(h)
            code, said = _judge(json.dumps(doc).encode())
            equal((code, said.strip()), (0, "3.1"), "the judgement")
            # It can say no.
            doc["paths"]["/health"]["get"]["parameters"].append({"in": "air"})
            code, said = _judge(json.dumps(doc).encode())
            equal(code, 1, "a document that is none")
            holds(said, "/paths/~1health/get")


def _operation(paths, method, path):
    """The longest template that fits."""
    best = None
    for template, methods in paths.items():
        rest = template.endswith("{key}")
        pattern = "/".join(
            "(.+)" if s == "{key}" and rest else
            "([^/]+)" if s.startswith("{") else re.escape(s)
            for s in template.split("/"))
        if method.lower() in methods and re.fullmatch(pattern, path) and (
                best is None or "{" not in template):
            best = methods[method.lower()]["operationId"]
    return best


def each_operation_is_carried_out():
    hub.TRAFFIC.clear()
    for module in (hub_test, operations_test):
        for name, test in vars(module).items():
            if callable(test) and getattr(test, "__module__", "") == \
                    module.__name__ and not name.startswith("_") and \
                    not isinstance(test, type):
                test()
    with World() as w:
        a, = w.nodes("a")
        with hub.Hub(a) as h:
            paths = _document(h)["paths"]
    seen = {_operation(paths, method, path) for method, path in hub.TRAFFIC
            if path not in PAGES and method != "HEAD"}
    every = {op["operationId"] for methods in paths.values()
             for op in methods.values()}
    check(seen <= every, "no operation, and answered: %s" % (seen - every))
    equal(sorted(every - seen), [], "operations that no test carries out")


if __name__ == "__main__":
    sys.exit(main(globals()))
