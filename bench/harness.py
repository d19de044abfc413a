"""Nodes that are measured: two of them on loopback, and what counts the bytes
between; with what script/bench and script/peers share beside."""

import contextlib
import json
import os
import platform
import shutil
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATIENCE = 300


class Failed(Exception):
    pass


def wait_for(what, ask, pause=0.002, patience=PATIENCE):
    limit = time.monotonic() + patience
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > limit:
            raise Failed("never: %s" % what)
        time.sleep(pause)


def free_port(host):
    with socket.socket() as s:
        s.bind((host, 0))
        return s.getsockname()[1]


class Control:
    """A control socket: a request, its answer."""

    def __init__(self, folder):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(os.path.join(folder, "control.sock"))
        self.stream = self.socket.makefile("rwb")

    def try_call(self, op, **args):
        self.stream.write(json.dumps(dict(args, op=op)).encode() + b"\n")
        self.stream.flush()
        return json.loads(self.stream.readline())

    def call(self, op, **args):
        answer = self.try_call(op, **args)
        if not answer["ok"]:
            raise Failed("%s: %s" % (op, answer["error"]))
        return answer

    def close(self):
        self.stream.close()
        self.socket.close()


def end(process):
    """One that was started, and may have ended; also if it does not want to."""
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(30)


class Node:
    """Lives at an address of its own; others know it as the proxy's, if one
    counts what they say."""

    def __init__(self, bench, name, host, relayed, *flags):
        self.bench, self.flags = bench, list(flags)
        self.dir = os.path.join(bench.folder, name)
        self.name = name
        port = free_port(host)
        self.lives = "%s:%d" % (host, port)
        self.known = "127.0.0.1:%d" % port if relayed else self.lives
        self.process = None
        self.control = None

    def start(self):
        with open(self.dir + ".log", "ab") as log:
            self.process = subprocess.Popen(
                [self.bench.daemon, "up", "--dir", self.dir, "--name",
                 self.name, "--listen", self.lives, "--advertise", self.known,
                 "--discovery", "false", "--log.level", "warn"] + self.flags,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for("%s starts" % self.name, self.connect)

    def connect(self):
        if self.process.poll() is not None:
            with open(self.dir + ".log", errors="replace") as log:
                raise Failed("%s ended: %s" % (self.name, log.read()[-500:]))
        try:
            self.control = Control(self.dir)
        except OSError:
            return False
        return True

    def stop(self):
        if self.control:
            self.control.close()
            self.control = None
        end(self.process)

    def fingerprint(self):
        for space in self.control.call("status")["spaces"]:
            if space["name"] == "default":
                return space["fingerprint"]
        return None

    def peers(self):
        """The names of those it is connected with."""
        return {p["name"] for p in self.control.call("peers")["peers"]
                if p["state"] == "connected"}

    def value(self, key):
        return self.control.try_call("get", key=key).get("value")

    def cpu_s(self):
        """Of the processor, so far."""
        tasks = "/proc/%d/task" % self.process.pid
        total = 0
        for task in os.listdir(tasks):
            try:
                with open(os.path.join(tasks, task, "schedstat")) as f:
                    total += int(f.read().split()[0])
            except OSError:
                continue  # it has just ended
        return total / 1e9

    def wakes(self):
        """How often its threads have gone from waiting to doing."""
        tasks = "/proc/%d/task" % self.process.pid
        total = 0
        for task in os.listdir(tasks):
            with open(os.path.join(tasks, task, "status")) as f:
                total += sum(int(line.split()[1]) for line in f
                             if line.startswith("voluntary_ctxt_switches"))
        return total

    def rss_mb(self):
        with open("/proc/%d/status" % self.process.pid) as f:
            for line in f:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) / 1024
        return None


class Bench:
    def __init__(self, build, quick, programs=None):
        self.daemon = os.path.join(build, "src", "syncline")
        self.programs = os.path.join(programs or build, "bench")
        self.quick = quick
        self.folder = None

    def program(self, *args):
        done = subprocess.run(
            [os.path.join(self.programs, args[0])] + [str(a) for a in args[1:]],
            stdout=subprocess.PIPE, check=False, timeout=PATIENCE)
        if done.returncode != 0:
            raise Failed("%s failed" % " ".join(map(str, args)))
        return json.loads(done.stdout)

    @contextlib.contextmanager
    def nodes(self, relayed=False, flags=()):
        """Two nodes, both running, not paired; and the proxy between."""
        self.folder = tempfile.mkdtemp(prefix="syncline-bench-")
        running = []
        try:
            a = Node(self, "a", "127.0.0.11", relayed, *flags)
            b = Node(self, "b", "127.0.0.12", relayed, *flags)
            proxy = Proxy(self, a, b) if relayed else None
            running = [b, a] + ([proxy] if relayed else [])
            a.start()
            b.start()
            yield a, b, proxy
        finally:
            for each in running:
                each.stop()
            shutil.rmtree(self.folder)

    @contextlib.contextmanager
    def nodes_apart(self):
        """Two members and a relay, all running. The members were let in
        through a proxy that is no more, so they reach nobody but the relay;
        b is not running."""
        self.folder = tempfile.mkdtemp(prefix="syncline-bench-")
        running = []
        try:
            a = Node(self, "a", "127.0.0.11", True)
            b = Node(self, "b", "127.0.0.12", True)
            r = Node(self, "r", "127.0.0.1", False)  # as it is seen
            proxy = Proxy(self, a, b)
            running = [b, a, r]
            try:
                for node in (a, b, r):
                    node.start()
                pair(a, r, "relay")
                pair(a, b)
                wait_for("b is connected with the relay",
                         lambda: "r" in b.peers())
            finally:
                proxy.stop()
            b.stop()
            wait_for("a is connected with the relay alone",
                     lambda: a.peers() == {"r"})
            yield a, r, b
        finally:
            for each in running:
                each.stop()
            shutil.rmtree(self.folder)


class Proxy:
    def __init__(self, bench, *nodes):
        args = [x for n in nodes for x in (n.known, n.lives)]
        self.process = subprocess.Popen(
            [os.path.join(bench.programs, "proxy")] + args,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def bytes(self):
        """Since the last time."""
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())["bytes"]

    def stop(self):
        with contextlib.suppress(OSError):  # it may have ended
            self.process.stdin.close()
        end(self.process)
        self.process.stdout.close()


def pair(a, b, role=None):
    more = {"role": role} if role else {}
    code = a.control.call("invite", **more)["code"]
    b.control.call("join", code=code, peer=a.known)
    wait_for("the two are connected", lambda: a.name in b.peers())


def converge(a, b, key, patience=PATIENCE):
    """Returns when b has what a has; key is what a wrote last."""
    want = a.value(key)
    wait_for("%s arrives" % key, lambda: b.value(key) == want,
             patience=patience)
    seen = time.monotonic()
    wait_for("fingerprints agree",
             lambda: a.fingerprint() == b.fingerprint())
    return seen


def settle(*nodes):
    """Returns when what helper threads are at has ended: checkpoints."""
    def at_rest():
        before = sum(node.cpu_s() for node in nodes)
        time.sleep(0.3)
        return sum(node.cpu_s() for node in nodes) - before < 0.005
    wait_for("rest", at_rest, patience=30)


@contextlib.contextmanager
def cpu_us(result, name, n, *nodes):
    """The processor's time for each of n, in the nodes together."""
    before = sum(node.cpu_s() for node in nodes)
    yield
    settle(*nodes)
    spent = sum(node.cpu_s() for node in nodes) - before
    result[name] = round(spent / n * 1e6, 1)


# ---- where, and of what ----

def machine():
    with open("/proc/cpuinfo") as f:
        models = [l.split(":", 1)[1].strip() for l in f
                  if l.startswith("model name")]
    return {"cores": os.cpu_count(), "cpu": models[0] if models else "?",
            "kernel": platform.release()}


def build():
    folder = os.path.join(ROOT, "build-bench")
    if not os.path.exists(os.path.join(folder, "build.ninja")):
        subprocess.run(["meson", "setup", folder, "--buildtype=release",
                        "-Db_ndebug=false"],
                       cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    subprocess.run(["ninja", "-C", folder], stdout=subprocess.DEVNULL,
                   check=True)
    return folder
