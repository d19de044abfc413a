#!/usr/bin/python3
"""bench/lan_server.py BYTES SECRET - the least server of LAN sync that plain
Python makes: asyncio streams, json, hmac. It lets in who says SECRET, checks
what is signed as nodes of the second generation do, and answers each request
with its one item, which carries BYTES bytes. Prints its port."""

import asyncio
import datetime
import hashlib
import hmac
import json
import os
import struct
import sys
import uuid

BYTES, SECRET = int(sys.argv[1]), sys.argv[2]
KEY = SECRET.encode()
NODE = {"node_id": "plain", "node_name": "plain"}
ITEM = {"item_id": "one", "item_type": "document", "action": "create",
        "data": {"x": "x" * BYTES}, "created_at": "2026-11-20T12:34:56",
        "node_id": "plain", "version": 1}
nonces = set()


def signature(message):
    kept = {name: value for name, value in message.items()
            if name != "signature" and value is not None}
    text = json.dumps(kept, sort_keys=True, ensure_ascii=False,
                      separators=(",", ":"))
    return hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()


def counts(message):
    if not hmac.compare_digest(message["signature"], signature(message)):
        return False
    age = datetime.datetime.utcnow() - datetime.datetime.fromisoformat(
        message["timestamp"])
    if age.total_seconds() > 60 or message["nonce"] in nonces:
        return False
    nonces.add(message["nonce"])
    return True


def answer_to(message):
    asked = message["payload"]
    if message["message_type"] == "AUTH_REQUEST":
        ok = hmac.compare_digest(asked["token"], SECRET)
        return "AUTH_RESPONSE", {"success": ok}
    if message["message_type"] == "SYNC_REQUEST":
        return "SYNC_RESPONSE", {"status": "success", "items": [ITEM],
                                 "next": "1", "more": False}
    return None, None


def frame(kind, payload):
    message = {"message_type": kind, "payload": payload,
               "message_id": str(uuid.uuid4()),
               "timestamp": datetime.datetime.utcnow().isoformat(),
               "nonce": os.urandom(16).hex(), "source": NODE}
    message["signature"] = signature(message)
    body = json.dumps(message).encode()
    return struct.pack("!I", len(body)) + body


async def serve(reader, writer):
    try:
        while True:
            head = await reader.readexactly(4)
            message = json.loads(
                await reader.readexactly(struct.unpack("!I", head)[0]))
            if not counts(message):
                break
            kind, payload = answer_to(message)
            if kind:
                payload["request_id"] = message["payload"]["request_id"]
                writer.write(frame(kind, payload))
                await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
