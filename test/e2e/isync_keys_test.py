#!/usr/bin/python3
"""Tokens that turn, and a node of the older system that has the token of one
period only: it is heard in that period and within the overlap, and after that
what it says is passed on, and told of as what cannot be read. Time stands where
it is: the length of the periods says how far one is from a turn."""

import base64
import hashlib
import hmac
import json
import sys
import time

from isync_scene import TOKEN, Scene
from isync_scene import item as _item
from isync_scene import shows as _shows
from isync_scene import wait_for
from node import main
from tap import check, equal, holds

HOUR = 3600


def _token_of(period):
    """By the rule that doc/isync.md and the source say, and nothing else."""
    sum_ = hmac.new(TOKEN.encode(), b"syncline isync token of period %d" %
                    period, hashlib.sha256)
    return base64.b64encode(sum_.digest()).decode()


def _set_period(node, number, overlap, since=None, ahead=None):
    """It is period `number`, which began some `since` seconds ago, or ends in
    some `ahead` seconds: less than two minutes more, in either case."""
    now = int(time.time())
    if since is not None:
        period = (now - since) // number
    else:
        period = -(-(now + ahead) // (number + 1))
    equal(now // period, number, "the period")
    node.call("config_set", value={"isync.rotate": "%ds" % period,
                                   "isync.overlap": "%ds" % overlap})
    told = node.call("isync_token")
    equal(told["period"], number, "as the daemon sees it")
    equal(told["until"] - told["from"], period, "its length")


def who_has_the_token_of_a_period_follows_as_far_as_that():
    with Scene() as s:
        node = s.nodes["a"]
        _set_period(node, 50, HOUR, since=2 * HOUR)
        given = node.do("isync", "token").strip()
        equal(given, _token_of(50), "what an older node is given")
        old = s.old("old", kind="sealed", token=given)
        old.do("dial", url=s.url())
        old.put(a=1)
        _shows(node, a=1)
        node.call("patch", space="config", key="_id", patch={"here": "h"})
        old.shows(a=1, here="h")
        # The next one, before the turn and within the overlap: it is heard.
        _set_period(node, 50, HOUR, ahead=HOUR // 2)
        early = s.old("early", kind="sealed", token=_token_of(51))
        early.do("dial", url=s.url())
        early.put(b=2)
        _shows(node, a=1, here="h", b=2)
        equal(early.do("values"), {"config._id.b": 2}, "not yet")
        # The turn has been: both are heard, and the new one hears.
        _set_period(node, 51, HOUR, since=HOUR // 2)
        old.put(c=3)
        _shows(node, a=1, here="h", b=2, c=3)
        early.shows(a=1, here="h", b=2, c=3)
        equal([k["unread"] for k in node.call("isync")["links"]],
              [False, False], "all is read")
        # The overlap is over.
        other = s.old("other", kind="sealed", token=given)
        other.do("dial", url=s.url())
        wait_for("it is there", lambda: other.do("links"))
        _set_period(node, 51, 60, since=HOUR // 2)
        unread = node.call("isync")["packets"]["unread"]
        old.put(d=4)
        wait_for("it is counted", lambda: node.call("isync")["packets"][
            "unread"] > unread)
        wait_for("it is passed on to who can read it", lambda: other.do(
            "values").get("config._id.d") == 4)
        check("d" not in _item(node), "it is not read here")
        told = node.call("isync")
        check({k["node_id"]: k["unread"] for k in told["links"]}["old"],
              "it is told of")
        check(told["packets"]["held"] >= 1, "it is kept")
        holds(node.do("isync"), "another token")
        with open(node.log, encoding="utf-8") as log:
            text = log.read()
        holds(text, "what old says cannot be read")
        for n in (50, 51, 52):
            check(_token_of(n) not in text, "a token is in the log")
        check(TOKEN not in text, "the token is in the log")
        # Given the one of this period, all of it comes.
        old.do("token", token=node.do("isync", "token").strip())
        old.do("push")
        _shows(node, a=1, here="h", b=2, c=3, d=4)
        early.shows(a=1, here="h", b=2, c=3, d=4)


def a_token_is_shown_to_whoever_asks_for_it_here():
    with Scene() as s:
        node = s.nodes["a"]
        node.refuses("isync", "token", says="isync.rotate is 0")
        _set_period(node, 50, HOUR, since=2 * HOUR)
        for args, period in (((), 50), (("--period", "7"), 7),
                             (("--period", "next"), 51)):
            result = node.cli("isync", "token", *args)
            equal(result.code, 0, str(result))
            equal(result.out, _token_of(period) + "\n", "it alone")
            holds(result.err, "period %d" % period, "isync.rotate")
            check(_token_of(period) not in result.err, "it is said twice")
            told = json.loads(node.do("isync", "token", *args, "--json"))
            equal((told["period"], told["token"]),
                  (period, _token_of(period)), "for programs")
        node.refuses("isync", "token", "--period", "soon", code=2)
        node.refuses("isync", "token", "--period", str(1 << 62),
                     says="no period")
        for op in ("isync", "status", "config"):
            text = json.dumps(node.call(op))
            check(_token_of(50) not in text and TOKEN not in text, op)
    with Scene(token="") as s:
        _set = s.nodes["a"].call
        _set("config_set", value={"isync.rotate": "30d"})
        s.nodes["a"].refuses("isync", "token", says="syncline isync key")


if __name__ == "__main__":
    sys.exit(main(globals()))
