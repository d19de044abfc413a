"""Real daemons in a folder of their own, for tests: started, stopped, killed,
talked to by the command line and by control.sock.

A World holds them and ends every process that it started. With a Relay (see
proxy.py) nodes reach each other only through it; without, directly."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import proxy
import tap

PROGRAM = tap.program()
PATIENCE = 30
PAUSE = 0.02

# Short times, so that what is repeated by the clock is seen soon.
QUICK = ["--dial.max", "500ms", "--heartbeat.interval", "1s",
         "--heartbeat.silence", "5s", "--log.level", "debug"]


def surroundings(env=None):
    """This environment without what would configure a node."""
    clean = {k: v for k, v in os.environ.items()
             if not k.startswith(("SYNCLINE_", "LAN_SYNC_", "AICLEANER_",
                                  "LOG_LEVEL")) or
             k == "SYNCLINE_PLANT"}
    clean["TZ"] = "UTC"
    clean.update(env or {})
    return clean


def wait_for(what, condition, patience=PATIENCE, pause=PAUSE):
    """What condition() returns once it is true; asks until it is."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError("%s: not within %g s" % (what, patience))
        time.sleep(pause)


def free_listen(_name):
    """An address of loopback that stays a node's over restarts."""
    return "127.0.0.1:%d" % proxy.free_port()


class Result:
    def __init__(self, args, code, out, err):
        self.args, self.code, self.out, self.err = args, code, out, err

    def __str__(self):
        return "syncline %s: exit %d\n%s%s" % (
            " ".join(map(str, self.args))[:300], self.code,
            self.out[-2000:], self.err[-2000:])


class Refused(Exception):
    """An answer of the daemon that is not ok."""

    def __init__(self, answer):
        super().__init__("%s: %s" % (answer["code"], answer["error"]))
        self.code, self.text = answer["code"], answer["error"]


class Control:
    """A connection to control.sock."""

    def __init__(self, folder):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(2 * PATIENCE)
        self.stream = None
        here = os.open(folder, os.O_RDONLY)
        try:
            # Through /proc, since the path of a socket must be short.
            self.socket.connect("/proc/self/fd/%d/control.sock" % here)
            self.stream = self.socket.makefile("rwb")
        except OSError:
            self.socket.close()
            raise
        finally:
            os.close(here)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.stream.close()
        except OSError:
            pass
        self.socket.close()

    def hang_up(self):
        """Whoever reads finds the end of it."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def send(self, op, **args):
        self.send_line(json.dumps(dict(args, op=op)).encode())

    def send_line(self, line):
        self.stream.write(line + b"\n")
        self.stream.flush()

    def read(self):
        line = self.stream.readline()
        if not line:
            raise EOFError("the daemon has closed the connection")
        return json.loads(line)

    def call(self, op, **args):
        self.send(op, **args)
        answer = self.read()
        if not answer["ok"]:
            raise Refused(answer)
        return answer


class Node:
    def __init__(self, world, name, flags=(), prefix=(), listen=None):
        self.world, self.name = world, name
        self.flags, self.prefix = list(flags), list(prefix)
        self.dir = os.path.join(world.folder, name)
        self.log = self.dir + ".log"
        self.process = None
        self.listen = listen
        self.quick = QUICK

    def arguments(self):
        args = ["--dir", self.dir, "--name", self.name] + self.quick
        if self.listen is not None:  # "": where it listens by itself
            args += ["--listen", self.listen] if self.listen else []
        elif self.world.relay:
            at, public = self.world.relay.addresses(self.name)
            args += ["--listen", at, "--advertise", public]
        else:
            args += ["--listen", "127.0.0.1:0"]
        if "--discovery" not in self.flags:
            args += ["--discovery", "false"]
        return args + self.flags

    def launch(self, *more, env=None):
        """Starts the daemon and does not wait for it."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.prefix + [PROGRAM, "up"] + self.arguments() + list(more),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=surroundings(env))
        self.world.started.append(self.process)
        if self.world.relay:
            self.world.relay.lives(self.name, self.process.pid)
        return self

    def start(self, *more, env=None):
        self.launch(*more, env=env)
        wait_for("%s starts" % self.name, self.is_up)
        return self

    def is_up(self):
        if self.process.poll() is not None:
            raise AssertionError("%s ended with status %s: %s" % (
                self.name, self.process.returncode, self.tail()))
        try:
            with Control(self.dir):
                return True
        except OSError:
            return False

    def tail(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()[-1500:]

    def ends(self, patience=PATIENCE):
        """Its exit status."""
        return self.process.wait(patience)

    def stop(self):
        self.process.terminate()
        tap.equal(self.ends(), 0, "%s stops on SIGTERM" % self.name)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

    # ---- talking ----

    def spawn(self, *args, prefix=None, **more):
        return subprocess.Popen(
            (self.prefix if prefix is None else prefix) + [PROGRAM] +
            list(args) + ["--dir", self.dir], env=surroundings(), **more)

    def cli(self, *args, stdin=b""):
        if isinstance(stdin, str):
            stdin = stdin.encode()
        p = self.spawn(*args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE)
        try:
            out, err = p.communicate(stdin, 2 * PATIENCE)
        except subprocess.TimeoutExpired:
            p.kill()
            p.communicate()
            raise
        return Result(args, p.returncode, out.decode(), err.decode())

    def do(self, *args, stdin=b""):
        """What the command prints; it must work."""
        result = self.cli(*args, stdin=stdin)
        tap.check(result.code == 0, str(result))
        return result.out

    def refuses(self, *args, code=1, says=(), stdin=b""):
        """The command's message; it must fail."""
        result = self.cli(*args, stdin=stdin)
        tap.check(result.code == code, "not %d: %s" % (code, result))
        tap.check(not result.out, "a failure printed a result: %s" % result)
        tap.holds(result.err, *([says] if isinstance(says, str) else says))
        return result.err

    def call(self, op, **args):
        with Control(self.dir) as control:
            return control.call(op, **args)

    def get(self, key, space="default"):
        """The value, or None."""
        try:
            return self.call("get", space=space, key=key)["value"]
        except Refused as why:
            if why.code != "ENOTFOUND":
                raise
            return None

    def put(self, key, value, space="default", **more):
        return self.call("put", space=space, key=key, value=value, **more)

    def status(self):
        return self.call("status")

    def space(self, name="default"):
        for space in self.status()["spaces"]:
            if space["name"] == name:
                return space
        return None

    def replica(self):
        return self.status()["replica"]

    def connected(self):
        """The names of the peers it is connected with."""
        return {p["name"] for p in self.status()["peers"]
                if p["state"] == "connected"}

    def agrees(self):
        return self.cli("verify").code == 0

    # ---- awaiting ----

    def waits_for(self, key, value, space="default", patience=PATIENCE):
        wait_for("%s has %s/%s = %r" % (self.name, space, key, value),
                 lambda: self.get(key, space) == value, patience)

    def joins(self, other, *flags):
        """By a code of the other."""
        self.do("join", other.do("invite").strip(), *flags)
        wait_for("%s and %s are connected" % (self.name, other.name),
                 lambda: other.name in self.connected() and
                 self.name in other.connected())


class World:
    def __init__(self, relayed=False):
        self.folder = tempfile.mkdtemp(prefix="syncline-e2e-")
        self.started = []
        self.relay = proxy.Relay() if relayed else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait(PATIENCE)
        if self.relay:
            self.relay.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def node(self, name, *flags, **more):
        """One that does not run yet."""
        return Node(self, name, flags, **more)

    def nodes(self, *names, flags=(), listen=None):
        """Running, each alone. listen: gives a name its address."""
        made = [self.node(name, *flags, listen=listen and listen(name))
                for name in names]
        for node in made:
            node.launch()
        for node in made:
            wait_for("%s starts" % node.name, node.is_up)
        return made

    def mesh(self, *names, flags=(), listen=None):
        """Running and paired, each by a code of the first."""
        made = self.nodes(*names, flags=flags, listen=listen)
        for node in made[1:]:
            node.joins(made[0])
        return made


def same(nodes, space="default", patience=PATIENCE, pause=PAUSE):
    """Waits until all show the same of a space."""
    def prints():
        return {n.space(space)["fingerprint"] for n in nodes}
    wait_for("%s agree" % ", ".join(n.name for n in nodes),
             lambda: len(prints()) == 1, patience, pause)


def connections(nodes, patience=PATIENCE):
    """Waits until each is connected with all the others."""
    names = {n.name for n in nodes}
    for n in nodes:
        wait_for("%s is connected with all" % n.name,
                 lambda n=n: n.connected() >= names - {n.name}, patience)


def conflicts(n, **what):
    return n.call("conflicts", **what)["conflicts"]


def records(first, beyond, size=100):
    """Lines for `import`: key000000 and so on, values of about so many
    bytes."""
    return "".join(
        '{"key":"key%06d","value":{"n":%d,"text":"%s"}}\n' % (
            i, i, ("text of %d " % i * (size // 10))[:size])
        for i in range(first, beyond)).encode()


def main(names, beside=(), at_once=1):
    """Runs the tests of a module: globals() of it. For `beside`, see tap.run."""
    import sys
    if not PROGRAM:
        print("1..0 # SKIP no binary: SYNCLINE names none")
        return 0
    tests = [v for v in names.values() if callable(v) and
             getattr(v, "__module__", "") == "__main__" and
             not isinstance(v, type) and not v.__name__.startswith("_") and
             v not in beside]
    return tap.run(tests, sys.argv[1:], beside, at_once)
