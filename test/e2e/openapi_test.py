#!/usr/bin/python3
"""The OpenAPI document: it is one, by somebody else's judgement, and each of
its operations is carried out by the tests of the HTTP API, which are run here
for that, and answers as it says."""

import json
import os
import re
import shutil
import subprocess
import sys

import jsonschema

import files_http_test
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


def _check_answers(doc):
    """Each answer is as the document says; how many operations had one."""
    resolver = jsonschema.RefResolver.from_schema(doc)
    told, schemas = set(), {
        op["operationId"]: op["responses"]["200"]["content"][
            "application/json"]["schema"]
        for methods in doc["paths"].values() for op in methods.values()
        if "application/json" in op["responses"].get("200", {}).get(
            "content", ())}
    for method, path, text in hub.ANSWERS:
        name = _operation(doc["paths"], method, path)
        if name == "getItem":
            continue
        check("$ref" in schemas[name], "%s: no schema" % name)
        told.add(name)
        judge = jsonschema.Draft202012Validator(
            schemas[name], resolver=resolver)
        for wrong in judge.iter_errors(json.loads(text)):
            raise AssertionError("%s at %s: %s" % (
                name, list(wrong.absolute_path), wrong.message[:300]))
        known = doc["components"]["schemas"][
            schemas[name]["$ref"].rpartition("/")[2]]["properties"]
        more = set(json.loads(text)) - set(known)
        check(name in ("status", "openapi") or not more,
              "%s: not described: %s" % (name, more))
    return told


def each_operation_is_carried_out():
    hub.TRAFFIC.clear()
    hub.ANSWERS.clear()
    for module in (hub_test, operations_test, files_http_test):
        for name, test in vars(module).items():
            if callable(test) and getattr(test, "__module__", "") == \
                    module.__name__ and not name.startswith("_") and \
                    not isinstance(test, type):
                test()
    with World() as w:
        a, = w.nodes("a")
        with hub.Hub(a) as h:
            doc = _document(h)
            paths = doc["paths"]
    seen = {_operation(paths, method, path) for method, path in hub.TRAFFIC
            if path not in PAGES and method != "HEAD"}
    every = {op["operationId"] for methods in paths.values()
             for op in methods.values()}
    check(seen <= every, "no operation, and answered: %s" % (seen - every))
    equal(sorted(every - seen), [], "operations that no test carries out")
    told = _check_answers(doc)
    check(len(told) > 45, "so few answers: %s" % sorted(told))
    # It can say no.
    hub.ANSWERS.append(("GET", "/v1/spaces", '{"spaces":[{"name":1}]}'))
    try:
        _check_answers(doc)
    except AssertionError as wrong:
        holds(str(wrong), "listSpaces")
    else:
        raise AssertionError("whatever is answered fits")


if __name__ == "__main__":
    sys.exit(main(globals()))
