#!/usr/bin/python3
"""A LAN-sync node, by the rules of the older system and nothing else: a
process of its own that is told what to do by lines of JSON on its standard
input and answers with lines of JSON. It speaks either generation's dialect, is
client or server, over TCP or TLS, and keeps items as that system's pages say:
the newest time wins, versions count up, a deletion beats what had not seen
it."""

import asyncio
import datetime
import hashlib
import hmac
import json
import os
import socket
import ssl
import struct
import sys
import time
import uuid
import zlib

GROUP = "239.255.43.21"
MEMBERS = ("message_type", "payload", "message_id", "timestamp", "nonce",
           "signature", "source", "destination")


def stamp(seconds=None):
    at = datetime.datetime.utcfromtimestamp(
        time.time() if seconds is None else seconds)
    return at.isoformat()


def signed_bytes(message, dialect):
    if dialect == "v1":
        names = [name for name in MEMBERS if name != "signature"]
        return json.dumps({name: message.get(name) for name in names},
                          sort_keys=True).encode()
    kept = {name: value for name, value in message.items()
            if name != "signature" and value is not None}
    return json.dumps(kept, sort_keys=True, ensure_ascii=False,
                      separators=(",", ":")).encode()


class Handler:
    """Makes, signs and judges messages."""

    def __init__(self, node_id, key, dialect):
        self.node_id, self.key, self.dialect = node_id, key.encode(), dialect
        self.nonces = set()

    def sign(self, message):
        return hmac.new(self.key, signed_bytes(message, self.dialect),
                        hashlib.sha256).hexdigest()

    def make(self, kind, payload, sign=True, at=None, message_id=None):
        message = {
            "message_type": kind, "payload": payload,
            "message_id": message_id or str(uuid.uuid4()),
            "timestamp": at or stamp(), "nonce": os.urandom(16).hex(),
            "signature": None,
            "source": {"node_id": self.node_id, "node_name": self.node_id},
            "destination": None}
        if sign:
            message["signature"] = self.sign(message)
        if self.dialect == "v2":
            message = {k: v for k, v in message.items() if v is not None}
        return message

    def flaw(self, message):
        said = message.get("signature")
        if not said:
            return "Message not signed"
        if not hmac.compare_digest(said, self.sign(message)):
            return "Invalid message signature"
        age = datetime.datetime.utcnow() - datetime.datetime.fromisoformat(
            message["timestamp"])
        if age.total_seconds() > 60:
            return "Message expired"
        if message["nonce"] in self.nonces:
            return "Possible replay attack detected"
        self.nonces.add(message["nonce"])
        return None


def frame(message):
    body = json.dumps(message).encode() if not isinstance(
        message, bytes) else message
    return struct.pack("!I", len(body)) + body


async def read_frame(reader):
    head = await reader.readexactly(4)
    return await reader.readexactly(struct.unpack("!I", head)[0])


class Items:
    """id -> item. `put` and `del` are the person's, `take` the wire's."""

    def __init__(self, node_id):
        self.node_id, self.items = node_id, {}

    def change(self, key, data, kind="document"):
        old = self.items.get(key)
        item = {
            "item_id": key, "item_type": old["item_type"] if old else kind,
            "action": "delete" if data is None else
                      "update" if old else "create",
            "data": data if data is not None else {},
            "created_at": stamp(), "node_id": self.node_id,
            "version": old["version"] + 1 if old else 1}
        self.items[key] = item
        return item

    @staticmethod
    def rank(item):
        at = datetime.datetime.fromisoformat(item["created_at"])
        return (at, item["version"], item["node_id"])

    def take(self, item):
        """Does the item win over what is here?"""
        old = self.items.get(item["item_id"])
        if old is None:
            self.items[item["item_id"]] = item
            return True
        gone, was = item["action"] == "delete", old["action"] == "delete"
        if gone != was:
            later = self.rank(item) > self.rank(old) and \
                item["version"] > old["version"]
            earlier = self.rank(old) > self.rank(item) and \
                old["version"] > item["version"]
            wins = later if was else not earlier
        else:
            wins = self.rank(item) > self.rank(old)
        if wins:
            self.items[item["item_id"]] = item
        return wins

    def shown(self):
        return {key: item["data"] for key, item in self.items.items()
                if item["action"] != "delete"}


class Link:
    """A connection, at either end."""

    def __init__(self, node, reader, writer, is_server):
        self.node, self.reader, self.writer = node, reader, writer
        self.is_server, self.waiting, self.is_in = is_server, {}, False
        self.told, self.deflates = {}, False

    def send(self, message):
        body = json.dumps(message).encode()
        if self.deflates and len(body) >= 1024:
            body = zlib.compress(body)
        self.writer.write(frame(body))

    def read(self, body):
        """Nobody but who has offered it is sent what is compressed."""
        if self.deflates and body[:1] == b"x":
            self.node.packed += 1
            body = zlib.decompress(body)
        return json.loads(body)

    def offered(self, payload):
        offer = payload.get("syncline") or {}
        self.node.offers.append(offer)
        if self.node.deflates and offer.get("deflate"):
            self.deflates = True

    def say(self, kind, payload, **more):
        message = self.node.handler.make(kind, payload, **more)
        self.send(message)
        return message

    async def ask(self, kind, payload, timeout=10):
        rid = str(uuid.uuid4())
        payload = dict(payload, request_id=rid)
        if kind == "SYNC_DATA":
            payload["data_id"] = rid
        future = asyncio.get_running_loop().create_future()
        self.waiting[rid] = future
        self.say(kind, payload, message_id=rid)
        try:
            return await asyncio.wait_for(future, timeout)
        finally:
            self.waiting.pop(rid, None)

    async def come_in(self, token):
        payload = {"token": token}
        if self.node.deflates:
            payload["syncline"] = {"deflate": True}
        answer = await self.ask("AUTH_REQUEST", payload)
        self.is_in = answer["message_type"] == "AUTH_RESPONSE" and \
            answer["payload"].get("success", False)
        return answer["payload"]

    async def run(self):
        try:
            while True:
                self.hear(self.read(await read_frame(self.reader)))
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            for future in self.waiting.values():
                if not future.done():
                    future.set_exception(ConnectionError("closed"))
            self.writer.close()
            self.node.links.discard(self)

    def hear(self, message):
        kind, payload = message["message_type"], message.get("payload", {})
        self.node.heard.append(kind)
        if kind == "HEARTBEAT":
            if self.node.echoes and not self.is_server:
                self.say("HEARTBEAT", {})  # as the first generation does
            return
        if kind != "AUTH_REQUEST" and not self.lets_all_in():
            flaw = self.node.handler.flaw(message)
            if flaw:
                self.node.flaws.append("%s: %s" % (kind, flaw))
                return
        self.is_in = self.is_in or bool(self.lets_all_in())
        if self.is_server and not self.is_in and kind != "AUTH_REQUEST":
            self.say("ERROR", {"error": "Authentication required",
                               "code": "auth_required",
                               "request_id": payload.get("request_id")})
            return
        for name in ("request_id", "data_id", "ack_id", "sync_id"):
            future = self.waiting.get(payload.get(name))
            if future and kind in ("AUTH_RESPONSE", "SYNC_RESPONSE",
                                   "SYNC_ACK", "ERROR"):
                if kind == "AUTH_RESPONSE":
                    self.offered(payload)  # what comes next may be packed
                if not future.done():
                    future.set_result(message)
                return
        if self.lets_all_in() and (
                kind == "AUTH_REQUEST" or self.node.ships == "bare"):
            self.as_it_ships(kind, payload)
        elif kind == "AUTH_REQUEST":
            self.on_auth_request(
                payload, (message.get("source") or {}).get("node_id", ""))
        else:
            getattr(self, "on_" + kind.lower(), lambda p: None)(payload)

    def lets_all_in(self):
        """Then nothing need be signed."""
        return self.is_server and self.node.ships

    def as_it_ships(self, kind, payload):
        """One generation then does nothing, the other fails."""
        if self.node.handler.dialect == "v2" and kind != "SYNC_ACK":
            self.say("ERROR", {"error": "Internal server error",
                               "code": "internal_error",
                               "request_id": payload.get("request_id")})

    def on_auth_request(self, payload, source):
        self.node.asked.append(sorted(set(payload) & {
            "token", "method", "response"}))
        if self.node.challenges and payload.get("method") == "challenge":
            self.challenge = os.urandom(32)
            self.say("AUTH_CHALLENGE", {
                "challenge": self.challenge.hex(),
                "request_id": payload["request_id"]})
            return
        good = payload.get("token") == self.node.token
        if "response" in payload:
            good = self.node.challenges and payload["response"] == hmac.new(
                self.node.handler.key, b"lan-sync challenge\0" +
                self.challenge + source.encode(), hashlib.sha256).hexdigest()
        self.is_in = self.is_in or good
        if self.node.fails:  # a server of the second generation, always
            self.say("ERROR", {"error": "Internal server error",
                               "code": "internal_error",
                               "request_id": payload.get("request_id")})
            return
        answer = {"success": good, "request_id": payload.get("request_id")}
        offer = {name: True for name, on in (
            ("challenge", self.node.challenges),
            ("deflate", self.node.deflates)) if on}
        if offer:
            answer["syncline"] = offer
        if not good:
            answer["error"] = "Invalid credentials"
        self.say("AUTH_RESPONSE", self.node.lets_in_by or answer)
        if good:
            self.offered(payload)
            asyncio.ensure_future(self.push_all(
                list(self.node.items.items.values())))

    def on_sync_data(self, payload):
        self.node.sizes.append(len(payload.get("items", [])))
        if sum(self.node.sizes) > self.node.leaves_at:
            self.node.leaves_at = float("inf")
            self.writer.close()
            return
        for item in payload.get("items", []):
            self.told[item["item_id"]] = item
            if self.node.items.take(item):
                self.node.tell_others(item, self)
        self.say("SYNC_ACK", {"status": "processed",
                              "data_id": payload.get("data_id")})

    def on_sync_request(self, payload):
        self.node.sinces.append(payload.get("since"))
        if not self.node.answers:
            return  # as the first generation does
        items = list(self.node.items.items.values())
        at = int(payload.get("since") or 0)
        some = items[at:at + payload.get("limit", 100)]
        self.say("SYNC_RESPONSE", {
            "status": "success", "items": some,
            "request_id": payload.get("request_id"),
            "next": str(at + len(some)), "more": at + len(some) < len(items)})

    async def push(self, items):
        items = [item for item in items
                 if self.told.get(item["item_id"]) != item]
        for at in range(0, len(items), 100):
            try:
                await self.ask("SYNC_DATA", {"items": items[at:at + 100]})
            except (ConnectionError, asyncio.TimeoutError):
                return

    async def push_all(self, items):
        """What it had before it was told of anything."""
        if self.node.pushes:
            await self.push(items)


class Node:
    def __init__(self, node_id, secret, dialect, answers=True, echoes=True,
                 fails=False, token=None, challenges=False, deflates=False,
                 pushes=True, ships=None, lets_in_by=None):
        self.lets_in_by = lets_in_by  # an answer in place of the right one
        self.handler = Handler(node_id, secret, dialect)
        self.secret, self.answers, self.echoes = secret, answers, echoes
        self.fails, self.challenges = fails, challenges
        self.deflates, self.packed, self.offers = deflates, 0, []
        self.pushes = pushes  # all that it has, when it has come in
        # A server without what an application adds: "bare", or "open", where
        # it adds all but whom to let in.
        self.ships = ships
        self.leaves_at = float("inf")  # items that were pushed to it
        self.sizes = []  # of what was pushed, in items
        self.sinces = []  # the points since which it was asked
        self.asked = []  # by what those who came in did so
        self.token = token or secret  # what a server wants to hear
        self.items, self.links, self.server = Items(node_id), set(), None
        self.heard, self.flaws, self.near = [], [], []

    def tell_others(self, item, source=None):
        for link in self.links:
            if link is not source and link.is_in:
                asyncio.ensure_future(link.push([item]))

    # What it is told to do.

    async def do_serve(self, port=0, cert=None, key=None, host="127.0.0.1",
                       ca=None, rude=False):
        """ca: who comes must show a certificate that it vouches for."""
        context = None
        if cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key)
            if ca:
                context.load_verify_locations(ca)
                context.verify_mode = ssl.CERT_REQUIRED

        async def come(reader, writer):
            if rude:  # as one version does, always
                writer.close()
                return
            link = Link(self, reader, writer, True)
            self.links.add(link)
            await link.run()

        self.server = await asyncio.start_server(
            come, host, port, ssl=context)
        return self.server.sockets[0].getsockname()[1]

    async def do_discover(self, port):
        """Listens as the older system does, and says where it is, once."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("", 5000))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                        struct.pack("4sL", socket.inet_aton(GROUP),
                                    socket.INADDR_ANY))
        sock.setblocking(False)

        def hear():
            bytes_, source = sock.recvfrom(4096)
            said = json.loads(bytes_)
            if said["node_id"] != self.handler.node_id:
                self.near.append([source[0], source[1], said])

        asyncio.get_running_loop().add_reader(sock, hear)
        sock.sendto(json.dumps({
            "type": "discovery", "node_id": self.handler.node_id,
            "node_name": self.handler.node_id, "timestamp": time.time(),
            "port": port, "capabilities": ["sync"]}).encode(), (GROUP, 5000))

    async def do_near(self):
        return self.near

    async def do_connect(self, port, token=None, tls=False, asks=True,
                         host="127.0.0.1", ca=None, cert=None, key=None,
                         version=None):
        """ca: the server must show a certificate that it vouches for. cert:
        what we show."""
        context, mine = None, list(self.items.items.values())
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if ca:
                context.load_verify_locations(ca)
            else:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if cert:
                context.load_cert_chain(cert, key)
            if version:
                context.maximum_version = ssl.TLSVersion[version]
        reader, writer = await asyncio.open_connection(
            host, port, ssl=context)
        link = Link(self, reader, writer, False)
        self.links.add(link)
        asyncio.ensure_future(link.run())
        answer = None
        if asks:
            answer = await link.come_in(
                self.secret if token is None else token)
        link.is_in = link.is_in or not asks
        if link.is_in:
            asyncio.ensure_future(link.push_all(mine))
        return answer

    async def do_ask(self, kind, payload):
        link = next(iter(self.links))
        answer = await link.ask(kind, payload)
        return {"message_type": answer["message_type"],
                "payload": answer["payload"]}

    async def do_say(self, kind, payload, sign=True, at=None):
        for link in self.links:
            link.say(kind, payload, sign=sign, at=at)

    async def do_put(self, key, data, kind="document"):
        self.tell_others(self.items.change(key, data, kind))

    async def do_del(self, key):
        self.tell_others(self.items.change(key, None))

    async def do_items(self):
        return self.items.items

    async def do_leave_after(self, items):
        self.leaves_at = sum(self.sizes) + items

    async def do_forget(self):
        self.challenges = False

    async def do_packed(self):
        return [self.packed, self.offers]

    async def do_asked(self):
        return self.asked

    async def do_shown(self):
        return self.items.shown()

    async def do_cut(self):
        for link in list(self.links):
            link.writer.close()
        while self.links:
            await asyncio.sleep(0.01)

    async def do_links(self):
        return sum(link.is_in for link in self.links)

    async def do_heard(self):
        return {"heard": self.heard, "flaws": self.flaws,
                "sizes": self.sizes, "sinces": self.sinces}


async def main():
    options = json.loads(sys.argv[1])
    node = Node(**options)
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=1 << 26)
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while True:
        line = await lines.readline()
        if not line:
            return
        order = json.loads(line)
        try:
            answer = {"ok": await getattr(
                node, "do_" + order.pop("do"))(**order)}
        except Exception as why:
            answer = {"error": "%s: %s" % (type(why).__name__, why)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
