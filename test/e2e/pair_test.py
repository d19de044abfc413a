#!/usr/bin/python3
"""Pairing by code: what it takes, how fast it is, and every refusal."""

import subprocess
import sys
import time

from node import Control, World, Refused, connections, main, same, wait_for
from tap import check, equal, holds, note


def the_first_item_is_across_within_three_seconds():
    with World() as w:
        a, b = w.nodes("a", "b")
        a.put("lamp", {"on": True})
        started = time.monotonic()
        b.do("join", a.do("invite").strip())
        b.waits_for("lamp", {"on": True}, patience=3)
        took = time.monotonic() - started
        note("invite, join and the first item: %.0f ms" % (took * 1000))
        check(took < 3, "it took %.1f s" % took)
        equal(a.status()["mesh"], b.status()["mesh"], "the mesh")


def items_of_both_sides_are_kept():
    with World() as w:
        a, b = w.nodes("a", "b")
        a.put("of-a", 1)
        b.put("of-b", 2)
        b.put("of-both", {"by": "b", "only-b": True})
        a.put("of-both", {"by": "a", "only-a": True})
        told = b.do("join", a.do("invite").strip())
        holds(told, "2 items of this machine came along")
        for n in (a, b):
            n.waits_for("of-a", 1)
            n.waits_for("of-b", 2)
        same([a, b])
        # Neither had seen the other: one value stands, one is told.
        merged = a.get("of-both")
        check(merged["by"] in ("a", "b"), merged)
        check(merged["only-a"] and merged["only-b"], merged)
        for n in (a, b):
            found = wait_for("a conflict on %s" % n.name, lambda n=n: n.call(
                "conflicts", space="default")["conflicts"])
            equal([(c["key"], c["path"]) for c in found],
                  [("of-both", "/by")])
            equal({found[0]["winner"]["value"], found[0]["loser"]["value"]},
                  {"a", "b"}, "both values")
        check(a.agrees(), "verify")


def discard_drops_what_the_joiner_had():
    with World() as w:
        a, b = w.nodes("a", "b")
        a.put("of-a", 1)
        b.put("of-b", 2)
        b.do("join", a.do("invite").strip(), "--discard")
        b.waits_for("of-a", 1)
        same([a, b])
        equal((a.get("of-b"), b.get("of-b")), (None, None), "of-b")
        equal(a.call("conflicts")["conflicts"], [], "conflicts")


def a_code_is_good_once():
    with World() as w:
        a, b, c = w.nodes("a", "b", "c")
        code = a.do("invite").strip()
        b.do("join", code)
        mesh = c.status()["mesh"]
        c.refuses("join", code, says="used")
        equal(c.status()["mesh"], mesh, "the refused one stays where it was")
        equal(len(a.status()["peers"]), 1, "members")


def a_used_code_undoes_no_demotion():
    with World() as w:
        a, b = w.nodes("a", "b")
        code = a.do("invite").strip()
        b.do("join", code)
        a.do("grant", "b", "--role", "reader")

        def role(n):
            return {m["name"]: m["role"]
                    for m in n.call("members")["members"]}.get("b")

        wait_for("the demotion", lambda: role(b) == "reader")
        b.refuses("join", code, "--leave", says="")
        equal(role(a), "reader", "what b is at a")


def a_code_expires():
    with World() as w:
        a, b = w.nodes("a", "b")
        answer = a.call("invite", expires_s=1)
        wait_for("the code is old",
                 lambda: time.time() * 1e6 > answer["expires"] + 50000)
        b.refuses("join", answer["code"], says="expired")
        equal(a.status()["peers"], [], "members")


def a_mistyped_code_is_told_from_a_wrong_one():
    with World() as w:
        a, b = w.nodes("a", "b")
        code = a.do("invite").strip()
        other = "B" if code[7] != "B" else "C"
        b.refuses("join", code[:7] + other + code[8:], says="mistyped")
        b.refuses("join", code[:-3], says="code")
        b.refuses("join", "lamp", says="code")
        b.refuses("join", code, "twice", code=2)
        equal(b.status()["peers"], [], "members")
        b.do("join", code.lower().replace("-", " "))


def a_code_that_nobody_made_is_refused():
    """It has the right form and the right device, and another secret: one
    that the device made before it forgot everything by a restart."""
    with World() as w:
        a, b = w.nodes("a", "b")
        listens = a.status()["listen"][0]
        code = a.do("invite").strip()
        a.stop()
        a.listen = listens
        a.start()
        a.do("invite")
        b.refuses("join", code, says="code")
        equal(a.status()["peers"], [], "members")


def guessing_spoils_the_code():
    with World() as w:
        a, b = w.nodes("a", "b")
        listens = a.status()["listen"][0]
        old = a.do("invite").strip()
        a.stop()
        a.listen = listens
        a.start()
        code = a.do("invite").strip()
        for _ in range(20):
            b.refuses("join", old)
        b.refuses("join", code, says="wrong")
        b.do("join", a.do("invite").strip())


def ones_own_code_is_refused():
    with World() as w:
        a, = w.nodes("a")
        a.refuses("join", a.do("invite").strip(), says="this very device")


def a_device_with_others_needs_leave():
    with World() as w:
        a, b, c = w.nodes("a", "b", "c")
        b.joins(a)
        a.put("first", 1)
        b.waits_for("first", 1)
        c.put("second", 2)
        code = c.do("invite").strip()
        b.refuses("join", code, says="--leave")
        equal(b.status()["mesh"], a.status()["mesh"], "the mesh")
        b.do("join", code, "--leave")
        b.waits_for("second", 2)
        equal(b.status()["mesh"], c.status()["mesh"], "the new mesh")
        c.waits_for("first", 1)
        equal(a.get("second"), None, "what the old mesh has of the new one")


def _waits(b, a):
    """b is in the mesh of a, where it may write nothing: what it brought
    along waits."""
    b.put("of-b", 1)
    b.put("of-both", {"by": "b"})
    a.put("of-both", {"by": "a"})
    a.put("of-a", 2)
    b.do("join", a.do("invite", "--role", "reader").strip())
    b.waits_for("of-a", 2)
    check(b.status()["joining"], "b waits no more")
    equal(b.get("of-b"), None, "what may not be written")


def what_waits_comes_along_into_the_next_mesh():
    with World() as w:
        a, b, c = w.nodes("a", "b", "c")
        _waits(b, a)
        code = c.do("invite").strip()
        b.refuses("join", code, says=["still wait", "--leave", "come along"])
        equal(b.status()["mesh"], a.status()["mesh"], "the mesh")
        b.kill()
        b.start()
        # Two of its own, and two of the mesh that it leaves.
        equal(b.call("join", code=code, leave=True)["kept"], 4, "kept")
        b.kill()
        b.start()
        for n in (b, c):
            n.waits_for("of-b", 1)
            n.waits_for("of-a", 2)
        wait_for("nothing waits", lambda: not b.status()["joining"])
        same([b, c])
        # What it was about when it was killed it may have written twice.
        found = c.call("conflicts", space="default")["conflicts"]
        equal({(f["key"], f["path"]) for f in found}, {("of-both", "/by")})
        for f in found:
            equal({f["winner"]["value"], f["loser"]["value"]}, {"a", "b"},
                  "both values")
        wait_for("they agree", c.agrees)
        equal(a.get("of-b"), None, "what the old mesh has of it")


def what_waits_is_written_once_it_may_be():
    with World() as w:
        a, b = w.nodes("a", "b")
        _waits(b, a)
        a.do("grant", "b", "--role", "member")
        a.waits_for("of-b", 1)
        wait_for("nothing waits", lambda: not b.status()["joining"])


def what_waits_comes_back_with_who_was_removed():
    with World() as w:
        a, b = w.nodes("a", "b")
        _waits(b, a)
        a.do("remove", "b")
        wait_for("b is alone", lambda: not b.connected())
        b.do("join", a.do("invite").strip(), "--leave")
        a.waits_for("of-b", 1)
        wait_for("nothing waits", lambda: not b.status()["joining"])
        same([a, b])
        equal(len(a.call("conflicts", space="default")["conflicts"]), 1)


def what_waits_is_dropped_if_one_says_so():
    with World() as w:
        a, b, c = w.nodes("a", "b", "c")
        _waits(b, a)
        c.put("of-c", 3)
        b.do("join", c.do("invite").strip(), "--leave", "--discard")
        b.waits_for("of-c", 3)
        wait_for("nothing waits", lambda: not b.status()["joining"])
        b.put("last", 4)
        c.waits_for("last", 4)
        for n in (b, c):
            equal((n.get("of-b"), n.get("of-a")), (None, None), "the dropped")


def who_met_nobody_can_go_on():
    """The one who let it in is gone before they met, or just then."""
    with World() as w:
        a, b, c = w.nodes("a", "b", "c")
        for i in range(200):
            b.put("of-b%d" % i, i)
        b.do("join", a.do("invite").strip())
        a.kill()
        c.put("of-c", 3)
        b.joins(c, "--leave")
        b.waits_for("of-c", 3)
        for i in range(200):
            c.waits_for("of-b%d" % i, i)
        wait_for("nothing waits", lambda: not b.status()["joining"])
        equal(c.call("conflicts", space="default")["conflicts"], [])


def the_third_is_trusted_by_all():
    with World() as w:
        a, b, c = w.nodes("a", "b", "c")
        b.joins(a)
        c.joins(b)
        connections([a, b, c])
        a.stop()
        c.put("lamp", 1)
        b.waits_for("lamp", 1)
        b.stop()
        a.start()
        wait_for("c finds a", lambda: "a" in c.connected())
        a.waits_for("lamp", 1)


def the_inviter_is_away():
    with World() as w:
        a, b = w.nodes("a", "b")
        code = a.do("invite").strip()
        a.kill()
        started = time.monotonic()
        b.refuses("join", code, says=["not found", "--peer"])
        check(time.monotonic() - started < 40, "it took too long")


def a_long_search_is_told():
    with World() as w:
        a, b = w.nodes("a", "b")
        code = a.do("invite").strip()
        a.stop()
        p = b.spawn("join", code, stderr=subprocess.PIPE)
        holds(p.stderr.readline().decode(), "looking for the machine")
        p.terminate()
        p.wait()
        p.stderr.close()


def a_join_that_was_given_up():
    """The caller goes away: another code can be tried at once."""
    with World() as w:
        a, b, c = w.nodes("a", "b", "c")
        code = c.do("invite").strip()
        c.kill()
        with Control(b.dir) as waiting:
            waiting.send("join", code=code)
            waiting.call("status")  # it has been taken, then
            code = a.call("invite")["code"]
            holds(_refusal(b, code), "EBUSY")
        wait_for("it has ended", lambda: not _refusal(b, code), 10)
        wait_for("b is in", lambda: "a" in b.connected())


def _refusal(n, code):
    try:
        n.call("join", code=code)
        return ""
    except Refused as why:
        return str(why)


def removing_a_member():
    with World() as w:
        a, b, c = w.mesh("a", "b", "c")
        connections([a, b, c])
        try:
            a.call("remove", device="nobody")
            check(False, "a stranger was removed")
        except Refused as why:
            equal(why.code, "ENOTFOUND")
        a.do("remove", "b")
        wait_for("b is alone", lambda: not b.connected())
        a.put("secret", 1)
        c.waits_for("secret", 1)
        equal(b.get("secret"), None, "what b gets after its removal")
        equal({p["name"] for p in a.status()["peers"]}, {"c"}, "members")


if __name__ == "__main__":
    # These wait for as long as a join may take.
    sys.exit(main(globals(), beside=[
        a_used_code_undoes_no_demotion, the_inviter_is_away], at_once=2))
