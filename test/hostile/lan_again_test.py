#!/usr/bin/python3
"""LAN-sync nodes that do not acknowledge what they are told, and what is said
again to us."""

import hashlib
import hmac
import sys
import time

from lan_sync_test import SECRET, Peer, Scene, Siege, stamp
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


class _Clocked(Peer):
    """Its clock is so many seconds ahead."""

    def __init__(self, port, ahead, name="raw", dialect="v2"):
        super().__init__(port, dialect)
        self.ahead, self.handler.node_id = ahead, name

    def says(self, kind, payload=None, since=0):
        return self.say(kind, payload, at=stamp(
            time.time() + self.ahead - since))

    def proves(self):
        self.says("AUTH_REQUEST", {"method": "challenge"})
        challenge = self.hear("AUTH_CHALLENGE")["payload"]["challenge"]
        self.says("AUTH_REQUEST", {
            "challenge": challenge, "response": hmac.new(
                SECRET.encode(), b"lan-sync challenge\0" +
                bytes.fromhex(challenge) + self.handler.node_id.encode(),
                hashlib.sha256).hexdigest()})
        answer = self.hear("AUTH_RESPONSE")["payload"]
        check(answer["success"], "in")
        return answer["auth_data"]["session_token"]

    def is_taken(self):
        self.says("SYNC_DATA", {"items": []})
        self.hear("SYNC_ACK")


def what_was_said_before_a_restart_does_not_count():
    """However the clock is of who said it, and by whomever it was: who comes
    in by a proof that another has made, and passes it on, or by a token of a
    session, can say nothing again that he has heard."""
    with Scene() as s:
        node, said = s.nodes["a"], {}
        for ahead in (0, -20, 3600):
            with _Clocked(s.port(), ahead, "n%d" % ahead) as p:
                token = p.proves()
                said[ahead] = p.says("SYNC_DATA", {"items": []})
                p.hear("SYNC_ACK")
        for ahead in said:
            node.kill()
            node.start()
            for whose, body in said.items():
                with _Clocked(s.port(), ahead, "n%d" % ahead) as p:
                    p.proves()
                    p.send(body)
                    check("expired" in p.error()[0], (ahead, whose))
                    p.is_taken()
        node.kill()
        node.start()
        with _Clocked(s.port(), 3600, "n3600") as p:
            p.says("AUTH_REQUEST", {"token": token})
            check(p.hear("AUTH_RESPONSE")["payload"]["success"], "in")
            p.send(said[0])
            check("expired" in p.error()[0], "by a session")
            p.is_taken()


def slow_clocks_of_older_nodes_count_after_a_restart():
    """Who says the secret can sign what he likes."""
    with Scene() as s:
        for dialect in ("v1", "v2"):
            with _Clocked(s.port(), -40, "slow", dialect) as p:
                p.says("AUTH_REQUEST", {"token": SECRET})
                check(p.hear("AUTH_RESPONSE")["payload"]["success"], "in")
                p.is_taken()


if __name__ == "__main__":
    sys.exit(main(globals()))
