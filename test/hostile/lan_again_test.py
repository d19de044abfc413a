#!/usr/bin/python3
"""LAN-sync nodes that do not acknowledge what they are told, and what is said
again to us."""

import sys
import time

from lan_sync_test import Peer, Siege, stamp
from node import main, wait_for
from tap import check, equal


def what_is_not_acknowledged_is_said_again():
    """Under its id, by new nonces; then it is not said any more."""
    with Siege("a", flags=("--lansync.timeout", "1s")) as s:
        with Peer(s.port()) as p:
            check(p.come_in(), "in")
            p.say("SYNC_ACK", {"data_id": p.hear("SYNC_DATA")["payload"][
                "data_id"]})  # the honest one's
            s.node.put("mine", {"n": 7}, "lan")
            said = [p.hear("SYNC_DATA") for _ in range(3)]
            equal([len({m[k] for m in said}) for k in ("message_id", "nonce")],
                  [1, 3], "ids and nonces")
            p.say("SYNC_ACK", {"status": "processed", "data_id":
                               said[2]["payload"]["data_id"]})
            s.node.put("next", {"n": 8}, "lan")
            later = p.hear("SYNC_DATA")
            equal([i["item_id"] for i in later["payload"]["items"]],
                  ["next"], "what is new")


def what_was_far_ahead_counts_once():
    """Not again when its time has come, either."""
    with Siege("a", flags=("--lansync.ttl", "5s")) as s:
        with Peer(s.port()) as p:
            check(p.come_in(), "in")
            at = time.time() + 7
            said = p.say("SYNC_DATA", {"items": []}, at=stamp(at))
            p.hear("SYNC_ACK")

            def has_come():
                p.send(said)
                answer = p.hear("SYNC_ACK", "ERROR")["payload"]
                check("replay" in answer.get("error", ""), answer)
                return time.time() > at - 4

            wait_for("its time has come", has_come)


if __name__ == "__main__":
    sys.exit(main(globals()))
