#!/usr/bin/python3
"""R13: the connections of the hub are for all who may use it. One token does
not take them all, an admin always gets in, and whoever is let in no longer
keeps no place."""

import concurrent.futures
import http.client
import json
import os
import socket
import ssl
import sys
import time

import peer
from peer import node, tap

PLACES = 16


class Caller:
    """One connection, which asks by one token."""

    def __init__(self, at, token):
        self.at, self.token, self.stream = at, token, None
        self.c = http.client.HTTPConnection(*at, timeout=peer.PATIENCE)

    def get(self, path, read=True):
        headers = {"Authorization": "Bearer " + self.token}
        self.c.request("GET", path, headers=headers)
        r = self.c.getresponse()
        if read or r.status != 200:
            r.text = r.read().decode()
        return r

    def watch(self):
        """It stays open."""
        self.stream = self.get("/v1/spaces/default/watch", read=False)
        return self.stream.status

    def close(self):
        if self.stream is not None:
            self.stream.close()
        self.c.close()


class Scene:
    def __init__(self, world):
        self.node = world.node("a", "--http.connections", str(PLACES))
        self.node.start()
        at = self.node.status()["listen"][0].rsplit(":", 1)
        self.at = (at[0], int(at[1]))
        with open(os.path.join(self.node.dir, "token")) as f:
            self.admin = f.read().strip()
        self.callers = []

    def token(self, name):
        return json.loads(self.node.do(
            "token", "create", "--name", name, "--scope", "read",
            "--json"))["secret"]

    def caller(self, token):
        self.callers.append(Caller(self.at, token))
        return self.callers[-1]

    def watches(self, token, n):
        for _ in range(n):
            tap.equal(self.caller(token).watch(), 200, "a watch")

    def close(self):
        for caller in self.callers:
            caller.close()


def one_token_takes_half_of_the_places():
    """Two take all, a third is told, and an admin is served for all that."""
    with node.World() as world:
        scene = Scene(world)
        one, two, three = (scene.token(name) for name in "xyz")
        scene.watches(one, PLACES // 2)
        r = scene.caller(one).get("/v1/status")
        tap.equal((r.status, json.loads(r.text)["code"]), (429, "ELIMIT"),
                  "beyond a token's half")
        scene.watches(two, PLACES // 2)
        r = scene.caller(three).get("/v1/status")
        tap.equal((r.status, json.loads(r.text)["code"]), (503, "EBUSY"),
                  "beyond all")
        for _ in range(3):
            tap.equal(scene.caller(scene.admin).get("/v1/tokens").status, 200,
                      "an admin")
        # Who has a place goes on with it.
        scene.callers[0].close()
        tap.equal(node.wait_for("a place", lambda: scene.caller(
            three).get("/v1/status").status == 200), True, "a place")
        scene.close()


def a_token_that_is_revoked_gives_its_places_back():
    """Its streams are told their end, then their connections are closed."""
    with node.World() as world:
        scene = Scene(world)
        one, two = scene.token("x"), scene.token("y")
        scene.watches(one, PLACES // 2 - 1)
        idle = scene.caller(one)
        tap.equal(idle.get("/v1/status").status, 200, "one that is idle")
        scene.node.do("token", "revoke", "x")
        for caller in scene.callers[:PLACES // 2 - 1]:
            told = caller.stream.read().decode()
            tap.holds(told, "event: end", "good no longer")
            tap.equal(caller.c.sock.recv(1) if caller.c.sock else b"", b"",
                      "the connection's end")
        three = scene.token("z")
        scene.watches(two, PLACES // 2)
        scene.watches(three, PLACES // 2)
        scene.close()


def who_has_gone_waits_for_nothing():
    """A request that waits for members is given up when its caller goes, and
    its place is free."""
    with node.World() as world:
        scene = Scene(world)
        other = world.node("b")
        other.start()
        other.joins(scene.node)
        other.kill()
        node.wait_for("it is alone", lambda: not scene.node.connected())
        token = json.loads(scene.node.do(
            "token", "create", "--name", "w", "--scope", "write",
            "--json"))["secret"]
        for i in range(PLACES // 2):
            c = scene.caller(token).c
            c.request("PUT", "/v1/spaces/default/items/%d"
                      "?wait=all&wait_ms=60000" % i, body="1", headers={
                          "Authorization": "Bearer " + token,
                          "Content-Type": "application/json"})
        node.wait_for("all are written", lambda: scene.node.get(
            str(PLACES // 2 - 1)))
        tap.equal(scene.caller(token).get("/v1/status").status, 429, "full")
        scene.close()
        node.wait_for("a place", lambda: scene.caller(token).get(
            "/v1/status").status == 200, patience=10)
        scene.close()


def _hello():
    """What a client says first by TLS."""
    out = ssl.MemoryBIO()
    context = ssl.create_default_context()
    tls = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def _dribble(s, data, most):
    """A byte now and then until it is closed: after how long."""
    began = time.monotonic()
    s.settimeout(0.25)
    for byte in data:
        if time.monotonic() - began > most:
            break
        try:
            s.sendall(bytes([byte]))
            if s.recv(1) == b"":
                return time.monotonic() - began
        except TimeoutError:
            pass
        except (ConnectionError, ssl.SSLError):
            return time.monotonic() - began
    raise AssertionError("it was borne for more than %d s" % most)


def who_dribbles_is_sent_away():
    """Half a handshake, or a head of a request by TLS, a byte at a time; who
    asks in one go meanwhile is answered."""
    with node.World() as world:
        scene = Scene(world)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

        def handshake(_):
            with socket.create_connection(scene.at) as s:
                return _dribble(s, _hello()[:-1], 10)

        def head(_):
            with context.wrap_socket(socket.create_connection(scene.at)) as s:
                s.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
                          b"X-Long: ")
                return _dribble(s, b"x" * 1000, 16)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            slow = [pool.submit(handshake, i) for i in range(4)]
            slow += [pool.submit(head, i) for i in range(4)]
            while not all(f.done() for f in slow):
                tap.equal(scene.caller(scene.admin).get(
                    "/v1/status").status, 200, "who asks at once")
                concurrent.futures.wait(slow, timeout=0.5)
            for f in slow:
                f.result()
        scene.close()


if __name__ == "__main__":
    sys.exit(peer.main(globals(), beside=[who_dribbles_is_sent_away]))
