/* tls_end.h - an end of TLS with others than members of the mesh (those:
 * tls.h): one that calls a server by its name, or is called. Bytes in, bytes
 * out, no socket.
 *
 * TLS 1.2 or 1.3. Whom to trust is said once, for many connections: whoever an
 * authority vouches for (who is called: under the name by which he was called),
 * whoever shows a certificate that is pinned, or, if that is said, anybody.
 * Law: no plaintext passes in either direction before that was seen. */
#ifndef SYNCLINE_IO_TLS_END_H
#define SYNCLINE_IO_TLS_END_H

#include "base/buf.h"

#define TLS_PRINT 96 /* "AB:CD:..." of a SHA-256, with its NUL */
#define TLS_BINDING 32

struct tls_rules; /* what is shown, and whom to trust */
struct tls_end;   /* one connection */

struct tls_pin {
    uint8_t sha256[32]; /* of a certificate as DER */
};

/* "AB:CD:...", also without colons, or with "sha256:" in front. */
NODISCARD int tls_pin_parse(struct tls_pin *out, struct slice text);

struct tls_rules_options {
    struct slice cert, key; /* PEM of what we show; empty: nothing */
    bool anybody;           /* no one is looked at; who comes need not show any
                               certificate */
    bool authorities;       /* whoever they vouch for; else pins alone count */
    const char *ca;         /* PEM of authorities; NULL: those of the system */
    const struct tls_pin *pins; /* copied. Their dates and names do not count */
    size_t pins_n;
};

/* EINVAL, EMALFORMED: why says what is wrong, with which file. */
NODISCARD int tls_rules_new(struct tls_rules **out,
    const struct tls_rules_options *opt, struct errmsg *why);
/* Connections have it as long as they need it. NULL is fine. */
void tls_rules_free(struct tls_rules *r);

/* host: a name, or an address without brackets. Call tls_end_feed with
 * nothing to begin. */
NODISCARD int tls_end_call(
    struct tls_end **out, struct tls_rules *r, const char *host);
NODISCARD int tls_end_accept(struct tls_end **out, struct tls_rules *r);
void tls_end_free(struct tls_end *t); /* NULL is fine */

/* As tls_feed: takes bytes from the network, appends plaintext and what must
 * be sent. ECLOSED: the other end has ended in order. */
NODISCARD int tls_end_feed(struct tls_end *t, struct slice in,
    struct buf *plain, struct buf *wire, struct errmsg *why);
/* Appends the records that carry plain. Only when tls_end_is_up. */
NODISCARD int tls_end_write(
    struct tls_end *t, struct slice plain, struct buf *wire);
/* Appends the closing alert. */
void tls_end_shut(struct tls_end *t, struct buf *wire);
bool tls_end_is_up(const struct tls_end *t);
/* What both ends of this connection know, and those of no other (tls-exporter
 * of RFC 9266). Only when it is up; EUNSUPPORTED: it has none. */
NODISCARD int tls_end_binding(struct tls_end *t, uint8_t out[TLS_BINDING]);
/* Of the certificate that the other end has shown; "" if none. */
const char *tls_end_print(const struct tls_end *t);

#endif
