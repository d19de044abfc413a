#!/usr/bin/python3
"""Tokens of the hub on a real daemon: made, listed, revoked; what of them is
on the disk and in the logs."""

import json
import os
import stat

import node
import tap


def _read(n, name):
    with open(os.path.join(n.dir, name), encoding="utf-8") as f:
        return f.read()


def _mode(n, name):
    return stat.S_IMODE(os.stat(os.path.join(n.dir, name)).st_mode)


def _list(n):
    return {k["name"]: k for k in json.loads(n.do("token", "--json"))["tokens"]}


def _kinds(n):
    with node.Control(n.dir) as c:
        c.call("audit")  # all of it is on the disk then
    return [json.loads(line) for line in _read(n, "audit.log").splitlines()]


def _audited(n, kind):
    return [r for r in _kinds(n) if r["kind"] == kind]


def a_token_is_made_listed_and_revoked():
    with node.World() as w:
        a, = w.nodes("a")
        text = a.do("token", "create", "--name", "sensor", "--scope", "write",
                    "--space", "notes", "--space", "lamps",
                    "--expires", "30d").strip()
        tap.check(text.startswith("sync_") and len(text) == 48, "a token")
        one = _list(a)["sensor"]
        tap.equal(one["scope"], "write", "scope")
        tap.equal(one["spaces"], ["notes", "lamps"], "spaces")
        tap.equal(one["expires"] // 1000000 - one["created"] // 1000000,
                  30 * 86400, "expires")
        tap.equal((one["expired"], one["used"]), (False, None), "not used")
        made = json.loads(a.do("token", "create", "--name", "eyes", "--json"))
        tap.check(made["secret"].startswith("sync_"), "what it is")
        made = made["token"]
        tap.equal((made["scope"], made["spaces"], made["expires"]),
                  ("read", None, None), "what nobody says")
        tap.holds(a.do("token", "list"), "eyes")
        a.stop()
        a.start()
        tap.equal(set(_list(a)), {"local", "sensor", "eyes"}, "after a start")
        a.do("token", "revoke", "sensor")
        a.do("token", "revoke", made["id"])
        tap.equal(set(_list(a)), {"local"}, "none is left")
        tap.equal([r["details"]["name"] for r in _audited(a, "token-revoked")],
                  ["sensor", "eyes"], "who was revoked is audited")
        told = _audited(a, "token")
        tap.equal([r["details"]["name"] for r in told], ["sensor", "eyes"],
                  "and who was made")
        tap.equal(told[0]["who"]["uid"], os.getuid(), "by whom")
        tap.equal(told[0]["details"]["spaces"], ["notes", "lamps"], "details")
        a.do("audit", "--verify")


def no_secret_is_kept_or_told():
    with node.World() as w:
        a, = w.nodes("a")
        text = a.do("token", "create", "--name", "one").strip()
        local = _read(a, "token").strip()
        _kinds(a)
        a.stop()
        for secret in text[5:], local[5:]:
            for name in os.listdir(a.dir):
                path = os.path.join(a.dir, name)
                if name == "token" and secret in local:
                    continue
                if not os.path.isfile(path):
                    continue
                with open(path, "rb") as f:
                    tap.check(secret.encode() not in f.read(), name)
            with open(a.log, "rb") as f:
                tap.check(secret.encode() not in f.read(), "the log")


def the_local_token_is_there_from_the_first_start():
    with node.World() as w:
        a, = w.nodes("a")
        first = _read(a, "token")
        tap.check(first.startswith("sync_") and len(first) == 49, "one line")
        tap.equal(_mode(a, "token"), 0o600, "mode")
        tap.equal(_list(a)["local"]["scope"], "admin", "scope")
        a.stop()
        a.start()
        tap.equal(_read(a, "token"), first, "the next start keeps it")
        was = _list(a)["local"]["id"]
        a.do("token", "revoke", "local")
        tap.check(_read(a, "token") != first, "another one is there")
        tap.check(_list(a)["local"]["id"] != was, "and has another id")
        tap.equal(_mode(a, "token"), 0o600, "mode")
        a.stop()
        os.chmod(os.path.join(a.dir, "token"), 0o644)
        a.launch()
        tap.equal(a.ends(), 1, "what others may read is refused")
        tap.holds(a.tail(), "chmod 600")
        os.remove(os.path.join(a.dir, "token"))
        a.start()
        tap.equal(_mode(a, "token"), 0o600, "one is made where there is none")


def what_is_wrong_is_refused_in_words():
    with node.World() as w:
        a, = w.nodes("a")
        a.do("token", "create", "--name", "one")
        for code, args, words in [
                (1, ["create", "--name", "one"], "already"),
                (1, ["create", "--name", "local"], "local"),
                (1, ["create", "--name", "a b"], "letter"),
                (1, ["create", "--name", "b", "--scope", "root"], "read, write"),
                (1, ["create", "--name", "b", "--scope", "admin",
                     "--space", "s"], "all spaces"),
                (1, ["create", "--name", "b", "--expires", "0"], "expires_s"),
                (1, ["revoke", "nobody"], "token list"),
                (2, ["create"], "--name"),
                (2, ["revoke"], "which token"),
                (2, ["list", "--scope", "read"], "create"),
                (2, ["burn"], "none of")]:
            a.refuses("token", *args, code=code, says=[words])
        for op, args in [
                ("token_create", {}),
                ("token_create", {"name": 7}),
                ("token_create", {"name": "b", "scope": 1}),
                ("token_create", {"name": "b", "spaces": "s"}),
                ("token_create", {"name": "b", "spaces": []}),
                ("token_create", {"name": "b", "spaces": [1]}),
                ("token_create", {"name": "b", "expires_s": "1"}),
                ("token_create", {"name": "b", "expires_s": 2 ** 62}),
                ("token_revoke", {})]:
            try:
                a.call(op, **args)
                tap.check(False, "%s %r is taken" % (op, args))
            except node.Refused as e:
                tap.equal(e.code, "EINVAL", "%s %r" % (op, args))
        tap.equal(set(_list(a)), {"local", "one"}, "nothing was made")


if __name__ == "__main__":
    raise SystemExit(node.main(globals()))
