#!/usr/bin/python3
"""R2: TLS 1.3, both keys, our two names, no resumption."""

import ssl
import sys

import peer
from peer import tap


def _refused(context):
    """No handshake, or no byte after it."""
    scene = peer.scene()
    with scene.unharmed():
        try:
            with context.wrap_socket(
                    peer.tcp(peer.address(scene.victim))) as s:
                s.settimeout(peer.PATIENCE)
                got = s.recv(1)
        except (ssl.SSLError, ConnectionError):
            return
        tap.equal(got, b"", "what came")


def tls_1_2_is_refused():
    scene = peer.scene()
    context = peer.context(scene.key, version=ssl.TLSVersion.TLSv1_2)
    with scene.unharmed():
        try:
            with context.wrap_socket(
                    peer.tcp(peer.address(scene.victim))) as s:
                raise AssertionError("%s was spoken" % s.version())
        except (ssl.SSLError, ConnectionError) as why:
            text = str(why).lower().replace("_", " ")
            tap.holds(text, "protocol version")


def another_cipher_is_refused():
    """Of TLS 1.3's, only AES-256-GCM is spoken."""
    scene = peer.scene()
    with scene.peer() as p:
        tap.equal(p.socket.cipher()[0], "TLS_AES_256_GCM_SHA384", "cipher")
        tap.equal(p.socket.version(), "TLSv1.3", "version")


def another_name_is_refused():
    scene = peer.scene()
    with scene.unharmed():
        try:
            with peer.context(scene.key, "h2").wrap_socket(
                    peer.tcp(peer.address(scene.victim))):
                raise AssertionError("the handshake ended well")
        except (ssl.SSLError, ConnectionError):
            pass


def _web(context, ask):
    """What the web gets, of whoever comes there."""
    scene = peer.scene()
    with scene.unharmed(), context.wrap_socket(
            peer.tcp(peer.address(scene.victim))) as s:
        s.settimeout(peer.PATIENCE)
        s.sendall(ask)
        got = s.recv(4096).decode()
        return got.splitlines()[0]


def a_members_key_opens_nothing_on_the_web():
    """Without one of our names he is asked for none, and gets no frame."""
    key = peer.scene().key
    hello = b"\x20\0\0\0\x01\x01\x08"
    for alpn in (None, "http/1.1"):
        context = peer.context(key, alpn)
        tap.equal(_web(context, b"GET /v1/status HTTP/1.1\r\nHost: localhost:"
                       b"%d\r\n\r\n" % peer.address(peer.scene().victim)[1]),
                  "HTTP/1.1 401 Unauthorized", "a request")
        tap.equal(_web(context, hello), "HTTP/1.1 400 Bad Request", "a frame")


def no_certificate_is_refused():
    _refused(peer.context(None))


def a_session_is_not_resumed():
    """No ticket comes, and one of an earlier connection counts for nothing."""
    scene = peer.scene()
    with scene.unharmed():
        context = peer.context(scene.key)
        first = context.wrap_socket(peer.tcp(peer.address(scene.victim)))
        first.settimeout(peer.PATIENCE)
        first.recv(1)
        session = first.session
        tap.check(session is None or not session.has_ticket, "a ticket came")
        first.close()
        second = context.wrap_socket(
            peer.tcp(peer.address(scene.victim)), session=session)
        second.settimeout(peer.PATIENCE)
        second.recv(1)
        tap.check(not second.session_reused, "the session was resumed")
        second.close()


def a_members_pairing_name_opens_nothing():
    """A member's key at the pairing door, while no code is open."""
    _refused(peer.context(peer.scene().key, peer.PAIRING))


if __name__ == "__main__":
    sys.exit(peer.main(globals()))
