/* tls_client.h - the end of TLS that calls a server of the web by its name:
 * bytes in, bytes out, no socket.
 *
 * TLS 1.2 or 1.3. The server's certificate must be good for the name and
 * vouched for by an authority that this machine trusts, or one that the file
 * names; there is no way to go without. Not for peers of the mesh (tls.h).
 * Law: no plaintext passes in either direction before that was seen. */
#ifndef SYNCLINE_IO_TLS_CLIENT_H
#define SYNCLINE_IO_TLS_CLIENT_H

#include "base/buf.h"

struct tls_roots;  /* whom to trust */
struct tls_client; /* one connection */

/* file: PEM of authorities; NULL: those of the system. EINVAL: why says what
 * is wrong with it. */
NODISCARD int tls_roots_new(
    struct tls_roots **out, const char *file, struct errmsg *why);
void tls_roots_free(struct tls_roots *r); /* NULL is fine */

/* host: a name, or an address without brackets. Call tls_client_feed with
 * nothing to begin. */
NODISCARD int tls_client_new(
    struct tls_client **out, struct tls_roots *r, const char *host);
void tls_client_free(struct tls_client *c); /* NULL is fine */

/* As tls_feed: takes bytes from the network, appends plaintext and what must
 * be sent. ECLOSED: the server has ended in order. */
NODISCARD int tls_client_feed(struct tls_client *c, struct slice in,
    struct buf *plain, struct buf *wire, struct errmsg *why);
/* Appends the records that carry plain. Only when tls_client_is_up. */
NODISCARD int tls_client_write(
    struct tls_client *c, struct slice plain, struct buf *wire);
bool tls_client_is_up(const struct tls_client *c);

#endif
