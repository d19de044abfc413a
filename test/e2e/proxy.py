#!/usr/bin/python3
"""A network in one process: TCP relays between nodes of one machine, which
count the bytes of each pair and direction and can be cut.

Node k lives at 127.0.0.(10+k):P; others know it as 127.0.0.1:P, which is the
relay. Whatever connects comes from 127.0.0.1, so a node's address as others
observe it is its relay's, too, and none ever goes around it. Who is calling
is found in /proc, by the socket's inode.

As a program: `proxy.py NAME...` prints `NAME LIVES-AT KNOWN-AS` for each, then
obeys lines on standard input with a line each, until it ends:
  lives NAME PID   its process (again after a restart)
  cut NAME         nobody reaches it and it reaches nobody
  mend NAME
  bytes            all that was relayed so far
"""

import asyncio
import contextlib
import os
import random
import socket
import sys
import threading
import time

CHUNK = 1 << 16


def inode_of(port, towards):
    """Of the socket bound to 127.0.0.1:port and connected to the other."""
    local, remote = "0100007F:%04X" % port, "0100007F:%04X" % towards
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in table:
            column = line.split()
            if column[1] == local and column[2] == remote:
                return column[9]
    return None


def has_socket(pid, inode):
    folder = "/proc/%d/fd" % pid
    try:
        for fd in os.listdir(folder):
            try:
                if os.readlink("%s/%s" % (folder, fd)) == \
                        "socket:[%s]" % inode:
                    return True
            except OSError:
                pass
    except OSError:
        pass
    return False


class Relay:
    def __init__(self):
        self.at = {}  # name -> (host, port)
        self.pids = {}  # name -> pid
        self.closed = set()  # frozensets of two names
        self.cut_off = set()  # names
        self.counts = {}  # (from, to) -> bytes
        self.latest = None  # when the last connection began
        self.open = {}  # frozenset -> set of writers
        self.servers = []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever,
                                       daemon=True)
        self.thread.start()

    def _do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(
            coroutine, self.loop).result(20)

    # ---- what tests call ----

    def addresses(self, name):
        """Where it is to listen, and what it is to tell others."""
        if name not in self.at:
            self._do(self._listen(name))
        host, port = self.at[name]
        return "%s:%d" % (host, port), "127.0.0.1:%d" % port

    def lives(self, name, pid):
        self.pids[name] = pid

    def cut(self, name, other=None):
        """Between two nodes, or of one with all."""
        if other:
            self.closed.add(frozenset((name, other)))
        else:
            self.cut_off.add(name)
        self._do(self._drop())

    def mend(self, name, other=None):
        if other:
            self.closed.discard(frozenset((name, other)))
        else:
            self.cut_off.discard(name)

    def bytes(self, source=None, target=None):
        return sum(n for (a, b), n in self.counts.items()
                   if source in (None, a) and target in (None, b))

    def forget(self):
        self.counts.clear()

    def close(self):
        self._do(self._close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(20)
        self.loop.close()

    # ---- in the loop ----

    async def _listen(self, name):
        async def caller(reader, writer):
            await self._serve(name, reader, writer)
        server = await asyncio.start_server(caller, "127.0.0.1", 0)
        self.servers.append(server)
        self.at[name] = ("127.0.0.%d" % (11 + len(self.at)),
                         server.sockets[0].getsockname()[1])

    def _caller(self, port, towards):
        inode = inode_of(port, towards)
        for name, pid in list(self.pids.items()):
            if inode and has_socket(pid, inode):
                return name
        return "?"

    def _is_closed(self, pair):
        return pair in self.closed or bool(pair & self.cut_off)

    async def _serve(self, name, reader, writer):
        caller = self._caller(writer.get_extra_info("peername")[1],
                              self.at[name][1])
        pair = frozenset((caller, name))
        try:
            if self._is_closed(pair):
                return
            back, forth = await asyncio.open_connection(*self.at[name])
        except OSError:
            return
        else:
            if self._is_closed(pair):  # since it was looked at
                forth.close()
                return
            self.latest = time.monotonic()
            both = self.open.setdefault(pair, set())
            both |= {writer, forth}
            await asyncio.gather(
                self._pump(reader, forth, (caller, name)),
                self._pump(back, writer, (name, caller)))
            both -= {writer, forth}
        finally:
            writer.close()

    async def _pump(self, reader, writer, way):
        try:
            while True:
                chunk = await reader.read(CHUNK)
                if not chunk:
                    break
                self.counts[way] = self.counts.get(way, 0) + len(chunk)
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def _drop(self):
        for pair, writers in self.open.items():
            if self._is_closed(pair):
                for writer in list(writers):
                    writer.transport.abort()

    async def _close(self):
        for server in self.servers:
            server.close()
        for writers in self.open.values():
            for writer in list(writers):
                writer.transport.abort()
        others = [t for t in asyncio.all_tasks()
                  if t is not asyncio.current_task()]
        await asyncio.wait(others, timeout=5) if others else None


_claims = []  # of this process, until it ends


def free_port():
    """That stays somebody's over restarts: below the ports that the system
    gives to those who connect, and no other test's that runs at the time."""
    while True:
        port = random.randrange(12000, 32000)
        claim = socket.socket(socket.AF_UNIX)
        with socket.socket() as s, contextlib.suppress(OSError):
            claim.bind("\0syncline-test-port-%d" % port)
            _claims.append(claim)
            s.bind(("127.0.0.1", port))
            return port


def obey(relay, words):
    if words[0] == "lives":
        relay.lives(words[1], int(words[2]))
    elif words[0] == "cut":
        relay.cut(words[1])
    elif words[0] == "mend":
        relay.mend(words[1])
    elif words[0] == "bytes":
        return str(relay.bytes())
    return "ok"


def main():
    relay = Relay()
    for name in sys.argv[1:]:
        print(name, *relay.addresses(name), flush=True)
    for line in sys.stdin:
        print(obey(relay, line.split()), flush=True)
    relay.close()


if __name__ == "__main__":
    main()
