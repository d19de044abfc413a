/* tls.h - TLS between devices, over memory: bytes in, bytes out, no socket.
 *
 * TLS 1.3 only, TLS_AES_256_GCM_SHA384 only, both ends with a self-signed
 * certificate whose key is what counts: admit() is asked for the key's device
 * id while the peer's certificate is verified, and once more when the
 * handshake is over. No tickets, no resumption, no early data. A client
 * certificate is asked for once one of our two ALPN names has won, so that a
 * browser is never prompted.
 * Whoever offers neither of these names, but HTTP/1.1 or no name at all, is
 * on the web, if tls_set_web has given a certificate to show him (browsers take
 * no Ed25519): he shows none, and who he is, is not this module's business.
 * Law: no plaintext passes in either direction before the peer is admitted; on
 * the web none before the handshake is over.
 * Mind: a client's handshake is over before the server has judged it; that it
 * was refused shows as a failure after tls_is_up. */
#ifndef SYNCLINE_IO_TLS_H
#define SYNCLINE_IO_TLS_H

#include "base/buf.h"
#include "core/id.h"
#include "crypto/identity.h"

#define TLS_EXPORTER_LEN 32
#define TLS_ALPN "syncline/1"
#define TLS_ALPN_PAIR "syncline-pair/1"
#define TLS_ALPN_WEB "http/1.1"

/* May the device connect, and for what? */
typedef bool tls_admit_fn(
    void *ctx, const struct device_id *device, bool pairing);

struct tls;      /* what all sessions of a node have in common */
struct tls_sess; /* one connection */

/* identity is borrowed and outlives it. wall_us dates the certificate. */
NODISCARD int tls_new(struct tls **out, const struct identity *identity,
    uint64_t wall_us, tls_admit_fn *admit, void *admit_ctx);
void tls_free(struct tls *t); /* after its sessions; NULL is fine */
/* From now on the web is shown this: PEM, the key's without a passphrase, the
 * certificate's followed by those that vouch for it. EMALFORMED: why says what
 * is wrong with them, and what was there before stays in force. */
NODISCARD int tls_set_web(
    struct tls *t, struct slice cert, struct slice key, struct errmsg *why);

NODISCARD int tls_accept(struct tls_sess **out, struct tls *t);
/* pairing chooses the ALPN name. Call tls_feed with nothing to begin. */
NODISCARD int tls_connect(struct tls_sess **out, struct tls *t, bool pairing);
void tls_sess_free(struct tls_sess *s); /* NULL is fine */

/* Takes bytes from the network, appends plaintext to plain and what must be
 * sent (handshake, alerts) to wire. ECLOSED: the peer has ended in order, and
 * what came before is in plain. Any other failure ends the session and why
 * says so; send what is in wire all the same, it is the alert. */
NODISCARD int tls_feed(struct tls_sess *s, struct slice in, struct buf *plain,
    struct buf *wire, struct errmsg *why);
/* Appends the records that carry plain. Only when tls_is_up. */
NODISCARD int tls_write(
    struct tls_sess *s, struct slice plain, struct buf *wire);
/* Appends the closing alert. */
void tls_shut(struct tls_sess *s, struct buf *wire);

/* Whose key the peer has shown, admitted or not; zeros: none yet. */
const struct device_id *tls_device(const struct tls_sess *s);
/* Was he taken for somebody on the web? */
bool tls_is_web(const struct tls_sess *s);
/* The handshake is over and the peer was admitted, or is on the web. What
 * follows is defined only then, and of a peer. */
bool tls_is_up(const struct tls_sess *s);
bool tls_is_pairing(const struct tls_sess *s);
struct slice tls_spki(const struct tls_sess *s);
/* The same 32 bytes on both ends and on no other connection. */
const uint8_t *tls_exporter(const struct tls_sess *s);

#endif
