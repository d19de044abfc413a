#!/usr/bin/python3
"""LAN-sync nodes that do not acknowledge what they are told."""

import sys

from lan_sync_test import Peer, Siege
from node import main
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


if __name__ == "__main__":
    sys.exit(main(globals()))
