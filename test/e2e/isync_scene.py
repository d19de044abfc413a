"""What tests of iSync stand on: nodes of the older system in processes of their
own, daemons that speak with them, servers of lists, and a cable to be cut."""

import contextlib
import http.server
import json
import os
import socket
import ssl
import subprocess
import sys
import threading

from node import World
from node import wait_for as _wait_for

TOKEN = "my-secret-token"
PATIENCE = 60  # other tests run beside these
HERE = os.path.dirname(os.path.abspath(__file__))


def wait_for(what, condition, patience=PATIENCE, **more):
    return _wait_for(what, condition, patience, **more)


class Older:
    """An iSync node, in its own process."""

    def __init__(self, node_id, **options):
        options.setdefault("token", TOKEN)
        self.node_id = node_id
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "isync_node.py"),
             json.dumps(dict(options, node_id=node_id))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def do(self, what, **args):
        self.process.stdin.write(json.dumps(dict(args, do=what)) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise AssertionError("%s: %s" % (what, answer["error"]))
        return answer["ok"]

    def put(self, **values):
        self.do("put", values={"config._id." + k: v
                               for k, v in values.items()})

    def delete(self, *names):
        self.do("del", keys=["config._id." + n for n in names])

    def shows(self, patience=PATIENCE, **values):
        want = {"config._id." + k: v for k, v in values.items()}
        wait_for("%s has %s" % (self.node_id, want),
                 lambda: self.do("values") == want, patience)

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class Scene:
    def __init__(self, *names, flags=(), token=TOKEN):
        self.world = World()
        self.flags = ["--isync.enabled", "true", "--isync.port", "0",
                      "--isync.interval", "1", "--isync.dial_max", "1s"]
        self.flags += list(flags)
        self.names, self.token = names or ("a",), token
        self.older, self.nodes, self.stack = [], {}, contextlib.ExitStack()

    def node(self, name, *flags, token=None):
        node = self.nodes[name] = self.world.node(
            name, *self.flags, *flags)
        token = self.token if token is None else token
        os.makedirs(node.dir, mode=0o700, exist_ok=True)
        if token:
            path = os.path.join(node.dir, "isync.token")
            with open(path, "w") as file:
                file.write(token + "\n")
            os.chmod(path, 0o600)
        return node

    def __enter__(self):
        self.world.__enter__()
        for name in self.names:
            self.node(name).start()
        return self

    def __exit__(self, *why):
        self.stack.close()
        for older in self.older:
            older.close()
        self.world.__exit__(*why)

    def old(self, name, **options):
        made = Older(name, **options)
        self.older.append(made)
        return made

    def url(self, name="a"):
        return "http://127.0.0.1:%d" % self.nodes[name].call("isync")["port"]


def item(node, key="_id", space="config"):
    return node.get(key, space)


def shows(node, patience=PATIENCE, **values):
    wait_for("%s has %s" % (node.name, values),
             lambda: item(node) == values, patience)


class Lists:
    """A server of lists, by HTTP or HTTPS."""

    def __init__(self, stack, tls=None):
        lists = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                lists.asked.append(self.path)
                status, fields, body = lists.pages.get(
                    self.path, (404, {}, b""))
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.pages, self.asked = {}, []
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.scheme = "http"
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            server.socket = context.wrap_socket(server.socket,
                                                server_side=True)
            self.scheme = "https"
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.server_close)
        stack.callback(server.shutdown)

    def url(self, path="/peers.json", host="localhost"):
        return "%s://%s:%d%s" % (self.scheme, host, self.port, path)


class Bridge:
    """A TCP relay to one port, which can be cut."""

    def __init__(self, stack, port):
        self.target, self.is_cut, self.open = port, False, set()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        stack.callback(self.close)

    def _accept(self):
        while True:
            try:
                near, _ = self.server.accept()
            except OSError:
                return
            if self.is_cut:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self.target))
            self.open |= {near, far}
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=pair,
                                 daemon=True).start()

    @staticmethod
    def _copy(source, to):
        with contextlib.suppress(OSError):
            while True:
                piece = source.recv(1 << 16)
                if not piece:
                    break
                to.sendall(piece)
        for end in (source, to):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self):
        self.is_cut = True
        for end in self.open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self):
        self.is_cut = False

    def close(self):
        self.server.close()
        self.cut()
        for end in self.open:
            end.close()
