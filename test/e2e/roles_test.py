#!/usr/bin/python3
"""Who may what, with real daemons: roles, spaces, removal, keys."""

import json
import sys
import time

from node import World, main, same, wait_for
from tap import check, equal, holds, note


def _members(n, **more):
    return {m["name"]: m for m in n.call("members", **more)["members"]}


def _joins(inviter, joiner, *flags):
    told = joiner.do("join", inviter.do("invite", *flags).strip())
    wait_for("%s knows %s" % (inviter.name, joiner.name),
             lambda: joiner.name in _members(inviter))
    return told


def a_reader_reads_and_does_not_write():
    with World() as w:
        a, b = w.nodes("a", "b")
        a.put("lamp", {"on": True})
        told = _joins(a, b, "--role", "reader")
        holds(told, "a reader there")
        b.waits_for("lamp", {"on": True})
        b.refuses("put", "default", "lamp", "1", says="reader")
        b.refuses("del", "default", "lamp", says="reader")
        b.refuses("patch", "default", "lamp", "{}", says="reader")
        b.refuses("invite", says="admin")
        b.refuses("remove", "a", says="admin")
        b.refuses("grant", "b", "--role", "admin", says="admin")
        b.refuses("rotate", says="admin")
        b.refuses("space", "add", "shed", says="admin")
        b.refuses("policy", "default", "merge", says="admin")
        equal(a.get("lamp"), {"on": True}, "what b could not change")
        equal(_members(a)["b"]["role"], "reader", "the role")
        equal(_members(b)["b"]["self"], True, "self")
        # Nobody waits for its word less, nor more.
        a.do("put", "default", "lamp", "2", "--wait=all")
        b.waits_for("lamp", 2)


def a_grant_takes_effect_at_once_and_a_demotion_too():
    with World() as w:
        a, b = w.nodes("a", "b")
        _joins(a, b, "--role", "reader")
        a.do("grant", "b", "--role", "member")
        wait_for("b is a member",
                 lambda: _members(b)["b"]["role"] == "member")
        b.put("of-b", 1)
        a.waits_for("of-b", 1)
        a.do("grant", "b", "--role", "reader")
        wait_for("b is a reader",
                 lambda: _members(b)["b"]["role"] == "reader")
        b.refuses("put", "default", "of-b", "2", says="reader")
        equal((a.get("of-b"), b.get("of-b")), (1, 1), "what counted before")
        same([a, b])


def a_space_that_is_not_granted_is_not_there():
    with World() as w:
        a, b = w.nodes("a", "b")
        a.do("space", "add", "shed")
        a.put("seed", 1, space="shed")
        a.put("lamp", 1)
        told = _joins(a, b, "--role", "member", "--space", "default")
        holds(told, "spaces: default")
        b.waits_for("lamp", 1)
        b.put("of-b", 1)
        a.waits_for("of-b", 1)
        b.refuses("get", "shed", "seed", says="no such space")
        b.refuses("put", "config", "x", "1", says="no such space")
        equal([s["name"] for s in b.call("spaces")["spaces"]
               if s["name"][0] != "_"], ["default"], "spaces of b")
        a.do("grant", "b", "--space", "shed")
        b.waits_for("seed", 1, space="shed")
        a.do("revoke", "b", "--space", "shed")
        wait_for("b has the one space again",
                 lambda: _members(b)["b"]["spaces"] == ["default"])
        b.refuses("get", "shed", "seed", says="no such space")
        a.put("seed", 2, space="shed")
        a.do("put", "shed", "seed", "3", "--wait=all")


def a_space_that_is_made_later_is_not_there_either():
    with World() as w:
        a, b = w.nodes("a", "b")
        _joins(a, b, "--role", "member", "--space", "default")
        for name in ("barn", "attic", "loft"):  # the last long after joining
            a.do("space", "add", name)
            b.waits_for("space/" + name, True, space="_spaces")
        b.refuses("get", "loft", "seed", says="no such space")
        b.stop()
        b.start()
        b.refuses("get", "loft", "seed", says="no such space")
        a.do("grant", "b", "--space", "loft")
        a.put("seed", 1, space="loft")
        b.waits_for("seed", 1, space="loft")


def a_grant_restricts_and_says_what_is_so():
    with World() as w:
        a, b = w.nodes("a", "b")
        for name in ("shed", "loft"):
            a.do("space", "add", name)
        a.put("lamp", 1)
        a.put("seed", 1, space="shed")
        _joins(a, b)
        b.waits_for("seed", 1, space="shed")
        # Of one who has all spaces: these only, or none more.
        for how in (["--space", "default"],
                    ["--role", "reader", "--space", "default"],
                    ["--role", "relay", "--space", "default"]):
            a.refuses("grant", "b", *how, says="nothing was changed")
        equal(_members(a)["b"]["spaces"], None, "spaces after a refusal")
        a.refuses("grant", "b", "--role", "reader", "--only", says="--only")
        a.refuses("grant", "b", "--role", "reader", "--all-spaces",
                  "--space", "shed", says="not both")
        a.do("invite")
        told = a.cli("grant", "b", "--role", "reader", "--only", "--space",
                     "default")
        holds(told.out, "is now a reader", "spaces: default")
        holds(told.err, "1 open code", "void")
        wait_for("b has the one", lambda: (
            _members(b)["b"]["role"], _members(b)["b"]["spaces"]) ==
            ("reader", ["default"]))
        wait_for("b has no shed", lambda: "no such space" in b.cli(
            "get", "shed", "seed").err)
        b.waits_for("lamp", 1)
        # The same again; a space more; and another list.
        holds(a.do("grant", "b", "--role", "reader", "--only", "--space",
                   "default"), "nothing was changed")
        holds(a.do("grant", "b", "--space", "loft"), "spaces: ", "loft",
              "default")
        holds(a.do("grant", "b", "--only", "--space", "shed"), "spaces: shed")
        holds(a.do("grant", "b", "--all-spaces"), "of all spaces")
        holds(a.do("revoke", "b", "--space", "loft"), "default", "shed")
        answer = json.loads(a.do("grant", "b", "--role", "member", "--json"))
        most = ["config", "default", "shed"]
        equal((answer["role"], sorted(answer["spaces"]), answer["changed"]),
              ("member", most, True), "the answer")
        told = [r["details"]["spaces"] for r in map(
            json.loads, a.do("audit", "--json").splitlines())
            if r["kind"] == "role"]
        equal([s if s == "all" else sorted(s) for s in told],
              [["default"], ["default", "loft"], ["shed"], "all", most, most],
              "audited")


def a_removed_device_is_told_and_closed_within_five_seconds():
    with World() as w:
        a, b, c = w.mesh("a", "b", "c")
        epoch = a.status()["epoch"]
        b.put("of-b", 1)
        c.waits_for("of-b", 1)
        started = time.monotonic()
        a.do("remove", "b")
        wait_for("nobody is connected to b", lambda: not any(
            p["name"] == "b" and p["state"] == "connected"
            for n in (a, c) for p in n.status()["peers"]), patience=5)
        took = time.monotonic() - started
        note("closed after %.0f ms" % (took * 1000))
        check(took < 5, "it took %.1f s" % took)
        wait_for("b knows", lambda: "removed" in b.status())
        holds(b.do("status"), "removed")
        holds(str(b.call("doctor")), "removed from the mesh")
        equal((a.get("of-b"), c.get("of-b")), (1, 1), "what counted before")
        equal(_members(a, all=True)["b"]["removed"], True, "removed")
        check("b" not in _members(a), "a member still")
        wait_for("a new key", lambda: all(
            n.status()["epoch"] > epoch for n in (a, c)))
        equal(b.status()["epoch"], epoch, "the key of the removed")
        for how in (["invite"], ["grant", "c", "--role", "reader"],
                    ["revoke", "c", "--space", "default"], ["remove", "c"],
                    ["rotate"], ["clock", "reset", "--yes"],
                    ["pending", "--open", "1m"]):
            b.refuses(*how, says=["was removed", "--force"])
        b.do("invite", "--force")
        b.do("rotate", "--force")
        holds(b.cli("remove", "c", "--force").err, "on this device only")
        b.stop()
        b.start()
        check("removed" in b.status(), "it forgot that it was removed")


def keys_are_made_by_hand_and_reach_all():
    with World() as w:
        a, b = w.nodes("a", "b")
        _joins(a, b)
        was = a.status()["epoch"]
        a.do("rotate")
        wait_for("both have it", lambda: all(
            n.status()["epoch"] == was + 1 for n in (a, b)))


def the_last_admin_stays_unless_forced():
    with World() as w:
        a, b = w.nodes("a", "b")
        _joins(a, b, "--role", "member")
        a.refuses("grant", "a", "--role", "member", says="last admin")
        a.refuses("remove", "a", says="itself")
        a.do("grant", "a", "--role", "member", "--force")
        wait_for("a is no admin", lambda: _members(a)["a"]["role"] == "member")
        a.refuses("invite", says="admin")
        a.put("still", 1)
        b.waits_for("still", 1)


def an_admin_does_not_demote_itself():
    """Or two might at once, and none were left."""
    with World() as w:
        a, b = w.nodes("a", "b")
        _joins(a, b)
        for n in (a, b):
            n.refuses("grant", n.name, "--role", "member",
                      says="demote itself")
        a.do("grant", "b", "--role", "member")
        wait_for("b is no admin", lambda: _members(b)["b"]["role"] == "member")


def what_is_wrong_is_said():
    with World() as w:
        (a,) = w.nodes("a")
        a.refuses("invite", "--role", "king", says="role")
        a.refuses("invite", "--role", "admin", "--space", "default",
                  says="all spaces")
        a.refuses("invite", "--space", "nowhere", says="no such space")
        a.refuses("grant", "nobody", "--role", "reader", says="no such device")
        a.refuses("grant", "a", says="say what is granted")
        a.refuses("grant", "a", "--space", "default",
                  says=["an admin and has all spaces", "nothing was changed"])
        a.refuses("revoke", "a", code=2, says="--space")
        a.refuses("revoke", "a", "--space", "default", says="admin")


if __name__ == "__main__":
    sys.exit(main(globals()))
