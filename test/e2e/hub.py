"""A client of the HTTP API: python3-requests, one session a token."""

import json
import os

import requests

PATIENCE = 20

# What was asked and done: (method, path). For who looks whether all was.
TRAFFIC = set()
# And what was answered: (method, path, text).
ANSWERS = []


class Hub:
    def __init__(self, node, token=None):
        self.base = "http://" + node.status()["listen"][0]
        if token is None:
            with open(os.path.join(node.dir, "token")) as f:
                token = f.read().strip()
        self.session = requests.Session()
        self.session.trust_env = False
        if token:
            self.session.headers["Authorization"] = "Bearer " + token

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.session.close()

    def ask(self, method, path, want=200, **more):
        """The response, whose status is as wanted; problems are as RFC 9457
        has them."""
        r = self.session.request(method, self.base + path, timeout=PATIENCE,
                                 **more)
        if r.status_code != want:
            raise AssertionError("%s %s: %d, not %d: %s" % (
                method, path, r.status_code, want, r.text))
        if r.status_code < 400:
            TRAFFIC.add((method, path.split("?")[0]))
            if method != "HEAD" and not more.get("stream") and r.headers.get(
                    "Content-Type") == "application/json":
                ANSWERS.append((method, path.split("?")[0], r.text))
        elif method != "HEAD":
            problem(r)
        return r

    def json(self, method, path, want=200, **more):
        return self.ask(method, path, want, **more).json()


def problem(r):
    told = r.json()
    if (r.headers["Content-Type"] != "application/problem+json" or
            told["status"] != r.status_code or not told["detail"]):
        raise AssertionError("no problem document: %s" % r.text)
    return told


def events(response):
    """Server-Sent Events: (event, id, data)."""
    event = {}
    for line in response.iter_lines(chunk_size=1):
        line = line.decode()
        if line == "" and event:
            yield event.get("event"), event.get("id"), json.loads(event["data"])
            event = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value
