#!/usr/bin/python3
"""The daemon is killed while two LAN-sync nodes push to it and are pushed to:
nothing that it has acknowledged is lost, nothing is there twice, and what was
deleted stays so."""

import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "hostile"))

from lan_node import stamp
from lan_sync_test import Peer
from lansync_test import Scene
from node import conflicts, free_listen, main, wait_for
from tap import check, equal, note

BATCH, BATCHES = 10, 50
PATIENCE = 60


class Writer(threading.Thread):
    """A node: says what it has until that is acknowledged, by as many
    connections as it takes, and acknowledges what it is told."""

    def __init__(self, name, dialect, port):
        super().__init__(daemon=True)
        self.node_id, self.dialect, self.port = name, dialect, port
        self.items, self.told, self.asked = {}, {}, 0
        self.acked = 0  # batches
        self.enough = threading.Event()
        self.trouble = None

    def batch(self, n):
        """Each fifth deletes what the one before the last has made."""
        made = []
        for i in range(BATCH):
            dies = n % 5 == 4 and i < 3
            key = "%s-%d-%d" % (self.node_id, n - 2 if dies else n, i)
            made.append({
                "item_id": key, "item_type": "document",
                "action": "delete" if dies else "create",
                "data": {} if dies else {"key": key}, "created_at": stamp(),
                "node_id": self.node_id, "version": 2 if dies else 1})
        return made

    def run(self):
        begun, made, until = -1, None, time.time() + PATIENCE
        while not self.enough.is_set():
            if self.acked > begun and self.acked < BATCHES:
                begun, made = self.acked, self.batch(self.acked)
            try:
                with Peer(self.port, self.dialect) as p:
                    p.handler.node_id = self.node_id
                    if p.come_in():
                        self.talk(p, made)
            except (OSError, EOFError) as why:  # it has been killed
                if time.time() > until:
                    self.trouble = why
                    return
                time.sleep(0.02)

    def talk(self, p, made):
        """From the batch on that is not acknowledged yet."""
        p.socket.settimeout(1)
        name = self.say(p, made)
        while not self.enough.is_set():
            try:
                message = p.hear("SYNC_ACK", "SYNC_DATA", "SYNC_REQUEST")
            except TimeoutError:
                continue
            kind, payload = message["message_type"], message["payload"]
            if kind == "SYNC_REQUEST":
                self.asked += 1
                p.send(p.handler.make("SYNC_RESPONSE", {
                    "status": "success", "items": [], "next": "0",
                    "more": False, "request_id": payload["request_id"]}))
            elif kind == "SYNC_DATA":
                for item in payload.get("items", []):
                    self.told[item["item_id"]] = item
                p.send(p.handler.make("SYNC_ACK", {
                    "status": "processed", "data_id": payload["data_id"]}))
            elif name is not None and payload.get("data_id") == name:
                check(payload["items"] == BATCH, payload)
                for item in made:
                    self.items[item["item_id"]] = item
                self.acked += 1
                made = self.batch(self.acked) if self.acked < BATCHES else None
                name = self.say(p, made)

    def say(self, p, made):
        if made is None or self.acked >= BATCHES:
            return None
        name = "%s/%d" % (self.node_id, self.acked)
        p.send(p.handler.make("SYNC_DATA", {
            "items": made, "data_id": name, "request_id": name}))
        return name

    def end(self):
        self.enough.set()
        self.join(PATIENCE)


def _all_of(port, name):
    """What it answers to who asks for everything, deletions too."""
    items, since = {}, ""
    with Peer(port) as p:
        p.handler.node_id = name
        check(p.come_in(), "in")
        while True:
            p.say("SYNC_REQUEST", {"since": since, "limit": 100})
            answer = p.hear("SYNC_RESPONSE")["payload"]
            items.update((i["item_id"], i) for i in answer["items"])
            since = answer["next"]
            if not answer["more"]:
                return items


def _shape(items):
    return {key: (item["version"], item["action"] == "delete", item["data"])
            for key, item in items.items()}


def what_was_acknowledged_outlives_kills():
    port = int(free_listen("a").rsplit(":", 1)[1])
    with Scene(flags=("--lansync.port", str(port))) as s:
        node = s.nodes["a"]
        writers = [Writer("one", "v1", port), Writer("two", "v2", port)]
        for w in writers:
            w.start()
        try:
            for kill in range(1, 4):
                wait_for("kill %d is due" % kill, lambda k=kill: any(
                    w.acked >= k * BATCHES // 4 for w in writers), PATIENCE)
                node.kill()
                note("killed at %s" % [w.acked for w in writers])
                node.start()
            wait_for("all is acknowledged", lambda: all(
                w.acked == BATCHES for w in writers), PATIENCE)
            want = {}
            for w in writers:
                want.update(_shape(w.items))
            for w, other in (writers, writers[::-1]):
                wait_for("%s is told all of the other" % w.node_id, lambda w=w,
                         o=other: _shape(o.items).items() <= _shape(
                             w.told).items(), PATIENCE)
        finally:
            for w in writers:
                w.end()
        equal([w.trouble for w in writers], [None, None], "trouble")
        alive = {key: row[0] for key, row in want.items() if not row[1]}
        listed = node.call("ls", space="lan", limit=10000)["items"]
        equal({i["key"]: i["version"] for i in listed}, alive,
              "what is there, and its versions")
        equal(node.call("conflicts", space="lan", all=True)["conflicts"], [],
              "conflicts of what was said twice")
        told = _shape(_all_of(port, "third"))
        equal({k: v for k, v in told.items() if not v[1]},
              {k: v for k, v in want.items() if not v[1]}, "what is answered")
        # Who has missed the deletions does not undo them.
        gone = [w.items[key] for w in writers for key in w.items
                if w.items[key]["action"] == "delete"]
        check(len(gone) >= BATCHES // 5 * 3, gone)
        with Peer(port) as p:
            p.handler.node_id = "late"
            check(p.come_in(), "in")
            p.send(p.handler.make("SYNC_DATA", {
                "items": [dict(i, action="create", version=1, data={"late": 1},
                               created_at="2026-01-01T00:00:00")
                          for i in gone[:50]],
                "data_id": "late", "request_id": "late"}))
            while p.hear("SYNC_ACK")["payload"].get("data_id") != "late":
                pass
        listed = node.call("ls", space="lan", limit=10000)["items"]
        equal({i["key"] for i in listed}, set(alive), "what has come back")


def what_is_written_behind_a_kill_is_the_same_at_both():
    """Stamps are ahead of the clock then, by up to ten seconds: who is told of
    a write by the clock would take his own edit for the newer one."""
    for dialect in ("v1", "v2"):
        with Scene() as s:
            node = s.nodes["a"]
            node.put("before", 1, "lan")
            node.kill()
            node.start()
            old = s.old("old", dialect)
            old.do("connect", port=s.port())
            node.put("k", {"f": "here"}, "lan")
            wait_for("it is there", lambda o=old: o.do("shown").get("k") ==
                     {"f": "here"}, PATIENCE)
            old.do("put", key="k", data={"f": "there"})
            wait_for("both have the same", lambda o=old, n=node: n.get(
                "k", "lan") == o.do("shown")["k"], PATIENCE)
            lost = {c["loser"]["value"] for c in conflicts(node, space="lan")}
            equal(lost | {node.get("k", "lan")["f"]}, {"here", "there"}, lost)


if __name__ == "__main__":
    sys.exit(main(globals()))
