#!/usr/bin/python3
"""The certificate for the web: one of the node's own, or one that is given to
it and changes while it runs. By requests and openssl."""

import hashlib
import os
import shutil
import socket
import ssl
import subprocess
import sys

import requests

from hub import events
from node import World, main, wait_for
from tap import Skip, check, equal, holds


def _openssl(*args):
    if shutil.which("openssl") is None:
        raise Skip("openssl is missing")
    done = subprocess.run(["openssl"] + list(args), capture_output=True,
                          text=True, check=False)
    check(done.returncode == 0, done.stderr)
    return done.stdout


def _make(cert, key, name="localhost", days=30):
    """The certificate's fingerprint."""
    _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-keyout", key + ".new",
             "-out", cert + ".new", "-days", str(days), "-subj", "/CN=test",
             "-addext", "subjectAltName=DNS:%s,IP:127.0.0.1" % name)
    os.rename(key + ".new", key)
    os.rename(cert + ".new", cert)
    return _print_of(ssl.PEM_cert_to_DER_cert(open(cert).read()))


def _print_of(der):
    digest = hashlib.sha256(der).hexdigest().upper()
    return ":".join(digest[i:i + 2] for i in range(0, 64, 2))


def _at(n):
    host, port = n.status()["listen"][0].rsplit(":", 1)
    return host, int(port)


def _shown(n):
    return _print_of(ssl.PEM_cert_to_DER_cert(
        ssl.get_server_certificate(_at(n))))


def _shows(n, what, fingerprint):
    """Asked less often than handshakes of one address are limited to."""
    wait_for(what, lambda: _shown(n) == fingerprint, pause=0.2)


def _health(n, trust):
    with requests.Session() as s:
        s.trust_env = False
        return s.get("https://localhost:%d/health" % _at(n)[1], verify=trust,
                     timeout=20).status_code


def the_nodes_own_is_kept_and_trusted():
    with World() as w:
        a = w.node("a").start()
        pem = os.path.join(a.dir, "web.pem")
        first = a.status()["https"]
        equal(_shown(a), first["fingerprint"], "what is shown")
        equal((first["own"], first["trouble"]), (True, None), "it is well")
        equal(_health(a, pem), 200, "by who trusts it")
        try:
            _health(a, True)
            raise AssertionError("by who does not")
        except requests.exceptions.SSLError:
            pass
        a.stop()
        a.start()
        equal(a.status()["https"], first, "after another start")
        holds(a.tail(), first["fingerprint"])


def a_new_name_makes_a_new_one_with_the_same_key():
    with World() as w:
        a = w.node("a").start()
        pem = os.path.join(a.dir, "web.pem")
        first, key = a.status()["https"], _openssl("pkey", "-in", pem)
        a.stop()
        a.flags += ["--http.hosts", "attic.example:443"]
        a.start()
        check(a.status()["https"]["fingerprint"] != first["fingerprint"],
              "it is another one")
        equal(_openssl("pkey", "-in", pem), key, "by the same key")
        holds(_openssl("x509", "-in", pem, "-noout", "-text"),
              "DNS:attic.example,")
        port = _at(a)[1]
        for host, status in (("attic.example:443", 200),
                             ("attic.example", 421),
                             ("attic.example:%d" % port, 421)):
            with requests.Session() as s:
                s.trust_env = False
                r = s.get("https://localhost:%d/health" % port, verify=pem,
                          headers={"Host": host}, timeout=20)
                equal(r.status_code, status, host)


def one_that_nears_its_end_is_made_anew():
    with World() as w:
        a = w.node("a").start()
        pem = os.path.join(a.dir, "web.pem")
        a.stop()
        names = _openssl("x509", "-in", pem, "-noout", "-ext",
                         "subjectAltName").splitlines()[1].replace(
                             "IP Address:", "IP:").replace(" ", "")
        key, old = w.path("key"), w.path("old")
        with open(key, "w") as f:
            f.write(_openssl("pkey", "-in", pem))
        _openssl("req", "-x509", "-key", key, "-out", old, "-days", "29",
                 "-subj", "/CN=old", "-addext", "subjectAltName=" + names)
        with open(pem, "w") as f:
            f.write(open(key).read() + open(old).read())
        a.start()
        fingerprint = a.status()["https"]["fingerprint"]
        check(fingerprint != _print_of(ssl.PEM_cert_to_DER_cert(
            open(old).read())), "it was kept")
        equal(_openssl("pkey", "-in", pem), open(key).read(), "the key")


def one_that_others_may_read_is_not_used():
    with World() as w:
        a = w.node("a").start()
        pem = os.path.join(a.dir, "web.pem")
        a.stop()
        os.chmod(pem, 0o640)
        a.start()
        told = a.status()["https"]
        equal(told["fingerprint"], None, "what is shown")
        holds(told["trouble"], "web.pem: others may read this", "chmod 600")
        holds(a.cli("doctor").out, "HTTPS: ", "web.pem: others may read this")
        a.put("x", 1)  # and nothing else minds


def a_given_one_is_read_again_when_it_changes():
    with World() as w:
        cert, key = w.path("cert.pem"), w.path("key.pem")
        first = _make(cert, key)
        a = w.node("a", "--tls.cert", cert, "--tls.key", key).start()
        check(not os.path.exists(os.path.join(a.dir, "web.pem")), "no other")
        equal(_shown(a), first, "it is shown")
        equal(a.status()["https"]["own"], False, "and is not its own")
        pid = a.process.pid
        # A session gives its one free connection to the stream: two of them.
        with requests.Session() as s, requests.Session() as other:
            s.trust_env = other.trust_env = False
            url = "https://localhost:%d/health" % _at(a)[1]
            s.verify = other.verify = w.path("first")
            shutil.copy(cert, s.verify)
            equal(s.get(url, timeout=20).status_code, 200, "before")
            with open(os.path.join(a.dir, "token")) as f:
                token = f.read().strip()
            stream = other.get(
                "https://localhost:%d/v1/spaces/default/watch" % _at(a)[1],
                headers={"Authorization": "Bearer " + token}, stream=True,
                timeout=20)
            told = events(stream)
            equal(next(told)[0], "live", "a stream")
            second = _make(cert, key)
            _shows(a, "the next is shown", second)
            equal(s.get(url, timeout=20).status_code, 200,
                  "whoever is connected stays so")
            a.put("x", 1)
            equal(next(told)[2]["value"], 1, "and a stream goes on")
            stream.close()
        equal(_health(a, cert), 200, "by who trusts the next")
        check("HTTPS" not in a.cli("doctor").out, "nothing is wrong")
        soon = _make(cert, key, days=5)
        _shows(a, "one that ends soon is shown", soon)
        holds(a.cli("doctor").out, "the certificate of HTTPS expires in 4 days")
        second = _make(cert, key)
        _shows(a, "and one that does not", second)
        equal(a.process.pid, pid, "without another start")

        # What is wrong stays out, and is told.
        other, other_key = w.path("other"), w.path("other-key")
        third = _make(other, other_key)
        os.rename(other_key, key)
        wait_for("it is told", lambda: a.status()["https"]["trouble"])
        holds(a.status()["https"]["trouble"], "not the certificate's")
        equal(_shown(a), second, "while the last good one is shown")
        os.rename(other, cert)
        _shows(a, "both fit again", third)
        equal(a.status()["https"]["trouble"], None, "nothing is wrong")
        os.chmod(key, 0o644)
        with open(cert, "a") as f:
            f.write("\n")
        wait_for("a key for everybody is told",
                 lambda: a.status()["https"]["trouble"])
        equal(_shown(a), third, "what is shown")


def one_without_the_other_is_refused():
    with World() as w:
        n = w.node("a", "--tls.cert", w.path("cert.pem")).launch()
        equal(n.ends(), 1, "exit status")
        holds(n.tail(), "tls.cert is named without tls.key")


def without_http_there_is_none():
    with World() as w:
        a = w.node("a", "--http.enabled", "false").start()
        equal(a.status()["https"], None, "status")
        check(not os.path.exists(os.path.join(a.dir, "web.pem")), "a key")
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(_at(a), 20) as bare:
            try:
                with c.wrap_socket(bare) as s:
                    s.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
                    equal(s.recv(1), b"", "an answer")
            except (ssl.SSLError, ConnectionError):
                pass


if __name__ == "__main__":
    sys.exit(main(globals()))
