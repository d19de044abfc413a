#!/usr/bin/python3
"""The device's key under a passphrase, and what the store holds of secrets."""

import hashlib
import hmac
import json
import os
import pty
import random
import select
import signal
import subprocess
import sys
import time

import node
import tap

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "interop"))
import sealed_key  # noqa: E402

PASS = "correct horse battery"


def _file(w, name, text):
    path = w.path(name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def _pem(n):
    return os.path.join(n.dir, "identity.pem")


def _sealed(n):
    with open(_pem(n), "rb") as f:
        return b"SEALED" in f.read()


def _fails(n, *more, says, env=None):
    """A start that comes to nothing, without a terminal."""
    n.launch(*more, env=env)
    tap.equal(n.ends(), 1, "the start fails")
    tap.holds(n.tail(), says)


def a_passphrase_comes_and_goes():
    with node.World() as w:
        a, = w.nodes("a")
        a.put("lamp", 1)
        replica = a.replica()
        good, bad = _file(w, "good", PASS + "\n"), _file(w, "bad", "wrong one")
        tap.holds(a.do("key"), "no passphrase")
        a.do("key", "passphrase", "--passphrase-file", good)
        tap.check(_sealed(a), "it is sealed")
        tap.equal(os.stat(_pem(a)).st_mode & 0o777, 0o600, "mode")
        tap.equal(a.get("lamp"), 1, "who runs goes on")
        a.stop()
        with open(_pem(a), "rb") as f:
            before = f.read()
        _fails(a, says="no terminal")
        _fails(a, "--passphrase-file", bad, says="does not open")
        _fails(a, "--passphrase-file", w.path("none"), says="cannot be read")
        with open(_pem(a), "rb") as f:
            tap.equal(f.read(), before, "the key's file")
        a.start("--passphrase-file", good)
        tap.equal(a.replica(), replica, "failed starts are no unclean stops")
        tap.equal(a.get("lamp"), 1, "all is there")
        a.stop()
        a.start(env={"SYNCLINE_PASSPHRASE_FILE": good})
        a.stop()
        # Without a terminal: it is the present one that cannot be asked for.
        p = a.spawn("key", "passphrase", "--passphrase-file", good,
                    stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                    start_new_session=True)
        tap.holds(p.communicate()[1].decode(), "--old-passphrase-file")
        # What a passphrase must be, and that a wrong one changes nothing.
        short = _file(w, "short", "short\n")
        a.refuses("key", "passphrase", "--old-passphrase-file", good,
                  "--passphrase-file", short, says="fewer than 8")
        a.refuses("key", "passphrase", "--old-passphrase-file", bad,
                  "--passphrase-file", good, says="does not open")
        a.refuses("key", "passphrase", "--remove", "--passphrase-file", bad,
                  says="does not open")
        tap.check(_sealed(a), "still sealed")
        with open(_pem(a), "rb") as f:
            tap.equal(f.read(), before, "the key's file, still")
        a.do("key", "passphrase", "--remove", "--passphrase-file", good)
        tap.check(not _sealed(a), "no more")
        a.start()
        tap.equal(a.replica(), replica, "the same replica all the time")
        # Who did it is told, whether a daemon ran or not.
        told = [json.loads(line) for line in a.do("audit", "--json").split("\n")
                if '"key"' in line]
        tap.equal([r["details"] for r in told],
                  [{"passphrase": True}, {"passphrase": False}], "told")
        tap.equal({r["who"]["uid"] for r in told}, {os.getuid()}, "by whom")
        a.do("audit", "--verify")


def a_credential_of_systemd_is_found():
    with node.World() as w:
        a, = w.nodes("a")
        device = a.status()["device"]
        a.stop()
        good = _file(w, "good", PASS)
        a.do("key", "passphrase", "--passphrase-file", good)
        os.mkdir(w.path("creds"))
        _file(w, "creds/syncline.passphrase", PASS)
        env = {"CREDENTIALS_DIRECTORY": w.path("creds")}
        a.start(env=env)
        a.stop()
        # The flag counts more.
        bad = _file(w, "bad", "wrong one")
        _fails(a, "--passphrase-file", bad, says="does not open", env=env)
        # The key itself as a credential.
        os.rename(_pem(a), w.path("creds/syncline.identity"))
        os.chmod(w.path("creds/syncline.identity"), 0o440)
        a.start(env=env)
        tap.equal(a.status()["device"], device, "the device")
        tap.check(not os.path.exists(_pem(a)), "no other key was made")


class _Terminal:
    """A program on a terminal of its own."""

    def __init__(self, args):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(args[0], args, node.surroundings())
        self.seen = b""

    def awaits(self, text):
        end = time.monotonic() + node.PATIENCE
        while text.encode() not in self.seen:
            ready, _, _ = select.select([self.fd], [], [], 0.2)
            try:
                self.seen += os.read(self.fd, 4096) if ready else b""
            except OSError:  # it has ended
                tap.check(text.encode() in self.seen, repr(self.seen))
            tap.check(time.monotonic() < end, repr(self.seen))

    def types(self, text):
        os.write(self.fd, text.encode())

    def ends(self):
        while True:
            try:
                more = os.read(self.fd, 4096)
            except OSError:
                break
            if not more:
                break
            self.seen += more
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        return code


def a_person_is_asked_without_echo():
    with node.World() as w:
        a, = w.nodes("a")
        a.stop()
        ask = [node.PROGRAM, "key", "passphrase", "--dir", a.dir]
        for again, code in ((PASS + "!", 1), (PASS, 0)):
            t = _Terminal(ask)
            t.awaits("New passphrase: ")
            t.types(PASS + "\n")
            t.awaits("The same again: ")
            t.types(again + "\n")
            tap.equal(t.ends(), code, repr(t.seen))
            tap.check(PASS.encode() not in t.seen, "it was echoed")
        tap.check(_sealed(a), "sealed")
        t = _Terminal(ask)
        t.awaits("Present passphrase: ")
        t.types("\x03")
        tap.equal(t.ends(), 1, "Ctrl-C ends it")
        t = _Terminal([node.PROGRAM, "up"] + a.arguments())
        t.awaits("Passphrase of the device's key: ")
        t.types(PASS + "\n")
        t.awaits("ready in")
        tap.check(PASS.encode() not in t.seen, "it was echoed")
        os.kill(t.pid, signal.SIGTERM)
        tap.equal(t.ends(), 0, "it stops")


def kill_9_loses_no_key():
    with node.World() as w:
        a, = w.nodes("a")
        a.stop()
        seed = sealed_key.seed_of(_pem(a))
        good = _file(w, "good", PASS)
        done = 0
        for i in range(20):
            args = ["key", "passphrase", "--passphrase-file", good]
            if _sealed(a):
                args.append("--remove")
            p = a.spawn(*args, stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL)
            try:
                p.wait(random.uniform(0, 0.6))
                done += 1
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait(node.PATIENCE)
        if _sealed(a):
            a.do("key", "passphrase", "--remove", "--passphrase-file", good)
        tap.equal(sealed_key.seed_of(_pem(a)), seed, "the key")
        a.start()


def _hkdf(secret, info):
    prk = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    return hmac.new(prk, info + b"\x01", hashlib.sha256).digest()


def _sql(n, statement):
    return subprocess.run(
        ["sqlite3", os.path.join(n.dir, "state.db"), statement], check=True,
        stdout=subprocess.PIPE).stdout.decode().strip()


def _mesh(n):
    return bytes.fromhex(_sql(
        n, "SELECT hex(v) FROM meta WHERE k = CAST('mesh' AS BLOB)"))


def _secret(n):
    """The mesh's secret, as who has the key's file may know it."""
    record = _mesh(n)
    key = _hkdf(sealed_key.seed_of(_pem(n)), b"syncline store v1\n")
    secret, tag, _ = sealed_key.gcm(
        key, record[16:28], b"syncline mesh secret v1\n" + record[:16],
        record[28:60])
    tap.equal(record[60:], tag, "the tag")
    return secret


def the_store_alone_tells_no_secret():
    with node.World() as w:
        a, b = w.mesh("a", "b")
        a.stop()
        b.stop()
        secret = _secret(a)
        tap.equal(_secret(b), secret, "both hold the mesh's secret")
        tap.check(_mesh(a) != _mesh(b), "each under its own key")
        for name in os.listdir(a.dir):
            with open(os.path.join(a.dir, name), "rb") as f:
                tap.check(secret not in f.read(), "%s holds it" % name)


def an_older_store_is_sealed_at_its_start():
    with node.World() as w:
        a, = w.nodes("a")
        a.put("lamp", 1)
        mesh = a.status()["mesh"]
        a.stop()
        secret = _secret(a)
        old = _mesh(a)[:16] + secret
        _sql(a, "UPDATE meta SET v = x'%s' WHERE k = CAST('mesh' AS BLOB);"
             "UPDATE meta SET v = x'02' WHERE k = CAST('format' AS BLOB);"
             "PRAGMA wal_checkpoint(TRUNCATE)" % old.hex())
        tap.equal(_mesh(a), old, "as format 2 has it")
        a.start()
        tap.equal(a.status()["mesh"], mesh, "the same mesh")
        tap.equal(a.get("lamp"), 1, "with all in it")
        a.stop()
        tap.equal(_secret(a), secret, "the same secret, sealed")
        with open(os.path.join(a.dir, "state.db"), "rb") as f:
            tap.check(secret not in f.read(), "state.db holds the old one")


def no_core_is_left_unless_wanted():
    with node.World() as w:
        a, = w.nodes("a")
        for flags, dumpable in ((), False), (("--allow-core-dumps",), True):
            a.stop()
            a.start(*flags)
            owner = os.stat("/proc/%d/mem" % a.process.pid).st_uid
            status = os.stat("/proc/%d" % a.process.pid)
            if os.getuid() != 0:
                tap.equal(owner == os.getuid(), dumpable, "dumpable")
            tap.check(status is not None, "it runs")
        settings = [r for r in a.do("audit", "--json").splitlines()
                    if '"kind":"setting"' in r]
        tap.equal(len(settings), 1, "the audit log tells of cores")


if __name__ == "__main__":
    raise SystemExit(node.main(globals()))
