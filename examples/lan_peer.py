#!/usr/bin/python3
"""A LAN-sync node with nothing but Python's standard library: it joins a
Syncline (or a server of the older system's second generation), keeps its items
in a file, and is told and tells what changes. What it says is in
doc/lansync.md, "On the wire".

    lan_peer.py HOST[:PORT] SECRET_FILE NODE_ID ITEMS_FILE

It reads commands from standard input, also while nothing is connected:
`put KEY {...}`, `del KEY`, `get KEY`, `ls`. What others change is printed.
Without TLS whoever listens reads all of it, and the secret, too.
"""

import datetime
import hashlib
import hmac
import json
import os
import queue
import secrets
import socket
import struct
import sys
import threading
import time
import uuid

HEARTBEAT_S = 30  # who says nothing for 90 s is closed
PAUSE_S = 1
LONGEST = 16 << 20


def now():
    return datetime.datetime.now(datetime.timezone.utc).replace(
        tzinfo=None).isoformat(timespec="microseconds")


def rank(item):
    return (item["version"], item["created_at"]) if item else (0, "")


class Items:
    """What this node knows, deletions too, and what it has not told yet."""

    def __init__(self, path):
        self.path = path
        self.kept, self.untold = {}, {}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                self.kept, self.untold = json.load(f)

    def save(self):
        with open(self.path + ".new", "w", encoding="utf-8") as f:
            json.dump([self.kept, self.untold], f)
            f.flush()
            os.fsync(f.fileno())
        os.replace(self.path + ".new", self.path)

    def change(self, key, data, node_id):
        """Made here: data None deletes. Its version goes on counting."""
        old = self.kept.get(key, {})
        version = old.get("version", 0) + 1
        self.kept[key] = {
            "item_id": key, "data": data or {},
            "item_type": old.get("item_type", "document"),
            "action": "update" if data is not None else "delete",
            "created_at": now(), "node_id": node_id, "version": version}
        self.untold[key] = version
        self.save()
        return self.kept[key]

    def take(self, items):
        """What others say: the higher version counts, and of equals the newer
        time. What is untold here they know not yet: they will say again what
        has become of it."""
        new = [i for i in items if i["item_id"] not in self.untold and
               rank(i) > rank(self.kept.get(i["item_id"]))]
        self.kept.update((i["item_id"], i) for i in new)
        if new:
            self.save()
        return new

    def told(self, items):
        """Acknowledged: what was changed again meanwhile is still untold."""
        for i in items:
            if self.untold.get(i["item_id"]) == i["version"]:
                del self.untold[i["item_id"]]
        self.save()


class Peer:
    def __init__(self, address, secret, node_id, items):
        host, _, port = address.partition(":")
        self.address = host, int(port or 5000)
        self.secret, self.node_id, self.items = secret, node_id, items
        self.events = queue.Queue()  # commands, messages, ends
        self.socket = None
        self.is_in = False
        self.waiting = {}  # data_id -> the items that wait for it
        self.heartbeat_at = self.dial_at = 0

    # ---- messages ----

    def sign(self, message):
        kept = {k: v for k, v in message.items()
                if k != "signature" and v is not None}
        text = json.dumps(kept, sort_keys=True, separators=(",", ":"),
                          ensure_ascii=False)
        return hmac.new(self.secret, text.encode(),
                        hashlib.sha256).hexdigest()

    def say(self, kind, payload):
        message = {
            "message_type": kind, "payload": payload,
            "message_id": str(uuid.uuid4()), "timestamp": now(),
            "nonce": secrets.token_hex(16),
            "source": {"node_id": self.node_id, "node_name": self.node_id}}
        message["signature"] = self.sign(message)
        text = json.dumps(message, ensure_ascii=False).encode()
        self.socket.sendall(struct.pack(">I", len(text)) + text)

    def push(self, items):
        for at in range(0, len(items), 100):
            data_id = str(uuid.uuid4())
            self.waiting[data_id] = items[at:at + 100]
            self.say("SYNC_DATA", {"data_id": data_id,
                                   "items": self.waiting[data_id]})

    # ---- what is said to us ----

    def hear(self, message):
        kind, payload = message["message_type"], message["payload"]
        # An answer to a wrong secret is signed by a key that we do not have.
        is_true = hmac.compare_digest(message.get("signature") or "",
                                      self.sign(message))
        if kind == "AUTH_RESPONSE" and not (is_true and payload["success"]):
            sys.exit("not let in: %s" % payload.get(
                "error", "it signs with another secret"))
        if not is_true:
            return
        if kind == "AUTH_RESPONSE":
            self.is_in = True
            print("connected to", message["source"]["node_name"], flush=True)
            self.push([self.items.kept[key] for key in self.items.untold])
            if not self.items.kept:
                self.say("SYNC_REQUEST", {"request_id": str(uuid.uuid4())})
        elif kind == "SYNC_DATA":
            self.show(payload.get("items", []))
            self.say("SYNC_ACK", {"data_id": payload["data_id"],
                                  "status": "processed"})
        elif kind == "SYNC_RESPONSE":
            self.show(payload.get("items", []))
            if payload.get("more"):
                self.say("SYNC_REQUEST", {"request_id": str(uuid.uuid4()),
                                          "since": payload["next"]})
        elif kind == "SYNC_ACK":
            # What was refused would be refused again: it is told, and dropped.
            if payload.get("error"):
                print("refused", payload["error"], flush=True)
            self.items.told(self.waiting.pop(payload["data_id"], []))
        elif kind == "SYNC_REQUEST":  # it is pushed all that it has to know
            self.say("SYNC_RESPONSE", {
                "request_id": payload.get("request_id"), "status": "success",
                "items": [], "more": False})
        elif kind == "ERROR":
            print("error", payload.get("error"), flush=True)

    def show(self, items):
        for i in self.items.take(items):
            print(i["action"], i["item_id"], json.dumps(i["data"]), flush=True)

    # ---- the connection ----

    def listen(self, sock):
        try:
            with sock.makefile("rb") as stream:
                while True:
                    length, = struct.unpack(">I", stream.read(4))
                    if length > LONGEST:
                        break
                    self.events.put(
                        ("message", sock, json.loads(stream.read(length))))
        except (OSError, ValueError, struct.error):
            pass
        self.events.put(("end", sock, None))

    def dial(self):
        self.dial_at = time.monotonic() + PAUSE_S
        try:
            self.socket = socket.create_connection(self.address, timeout=10)
        except OSError:
            return
        self.socket.settimeout(None)
        # So that a cut cable is noticed by the next heartbeat.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT,
                               20000)
        threading.Thread(target=self.listen, args=(self.socket,),
                         daemon=True).start()
        self.heartbeat_at = time.monotonic() + HEARTBEAT_S
        self.say("AUTH_REQUEST", {"token": self.secret.decode(),
                                  "request_id": str(uuid.uuid4())})

    def ended(self):
        if self.socket is None:
            return
        self.socket.close()
        self.socket, self.is_in, self.waiting = None, False, {}
        print("disconnected", flush=True)

    def obey(self, line):
        word, _, rest = line.strip().partition(" ")
        key, _, text = rest.partition(" ")
        known = self.items.kept.get(key)
        if word == "ls":
            for i in self.items.kept.values():
                if i["action"] != "delete":
                    print(i["item_id"], json.dumps(i["data"]), flush=True)
        elif word == "get" and known and known["action"] != "delete":
            print(json.dumps(known["data"]), flush=True)
        elif word == "get":
            print("no such item", flush=True)
        elif word in ("put", "del"):
            data = json.loads(text) if word == "put" else None
            if word == "put" and not isinstance(data, dict):
                raise ValueError("the data of an item is an object")
            item = self.items.change(key, data, self.node_id)
            if self.is_in:
                self.push([item])

    def turn(self):
        """One event, or none for a while. False: standard input has ended."""
        if self.socket is None and time.monotonic() >= self.dial_at:
            self.dial()
        elif self.is_in and time.monotonic() >= self.heartbeat_at:
            self.heartbeat_at = time.monotonic() + HEARTBEAT_S
            self.say("HEARTBEAT", {})
        try:
            what, sock, said = self.events.get(timeout=PAUSE_S)
        except queue.Empty:
            what = sock = said = None
        if what == "line" and said is None:
            return False
        if what == "line":
            try:
                self.obey(said)
            except ValueError as why:
                print("wrong:", why, flush=True)
        elif sock is self.socket and what == "message":
            self.hear(said)
        elif sock is self.socket and what == "end":
            self.ended()
        return True

    def read_commands(self):
        for line in sys.stdin:
            self.events.put(("line", None, line))
        self.events.put(("line", None, None))

    def run(self):
        threading.Thread(target=self.read_commands, daemon=True).start()
        while True:
            try:
                if not self.turn():
                    return
            except OSError:
                self.ended()


def main():
    if len(sys.argv) != 5:
        sys.exit("usage: lan_peer.py HOST[:PORT] SECRET_FILE NODE_ID "
                 "ITEMS_FILE")
    with open(sys.argv[2], "rb") as f:
        secret = f.read().rstrip(b"\r\n")
    Peer(sys.argv[1], secret, sys.argv[3], Items(sys.argv[4])).run()


if __name__ == "__main__":
    main()
