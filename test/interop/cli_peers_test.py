#!/usr/bin/python3
"""`syncline peers` against a stand-in for the daemon."""

import json
import sys

from cli_client_test import Case, equal, holds, main


def who_is_alone_is_told_how_to_pair():
    """As doctor and status say it; programs are told what there is."""
    for alone, words in ((False, "make a code with: syncline invite"),
                         (True, "syncline invite --role relay")):
        with Case(lambda r, alone=alone: {
                "ok": True, "peers": [], "only_relay": alone}
                if r["op"] in ("peers", "status") else
                {"ok": False, "code": "EUNSUPPORTED", "error": "no"}) as c:
            code, out, _ = c.run("peers")
            equal((code, out.count("\n")), (0, 1), out)
            holds(out, "no other member yet")
            holds(out, words)
            equal(json.loads(c.run("peers", "--json")[1])["peers"], [])


if __name__ == "__main__":
    sys.exit(main([who_is_alone_is_told_how_to_pair]))
