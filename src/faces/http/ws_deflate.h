/* ws_deflate.h - messages of a WebSocket, compressed (RFC 7692): who offers
 * what, and the bytes of one message. Each is compressed by itself, so that
 * neither end keeps anything of those before.
 *
 * Pure. The bytes, and the law of what is inflated: faces/deflate.h. */
#ifndef SYNCLINE_FACES_WS_DEFLATE_H
#define SYNCLINE_FACES_WS_DEFLATE_H

#include "base/buf.h"

/* What is shorter is sent as it is. */
#define WS_DEFLATE_MIN 4096

/* A server that would take the name of the standard from anybody may have to
 * be called without being asked that. So a client has another name for the
 * same, which nobody but this program answers. */
enum ws_offer {
    WS_OFFER_NONE,
    WS_OFFER_OWN, /* by the name of our own */
    WS_OFFER_ALL, /* by that of the standard, too */
};

/* What both ends have agreed on; all zero: nothing. */
struct ws_deflate {
    enum ws_offer name;
    uint8_t window_bits; /* of what the server sends */
};

/* The server's: the first offer of a list that can be kept. None can be: what
 * comes out is all zero. */
struct ws_deflate ws_deflate_choose(struct slice offers);
/* The value of the answer's field Sec-WebSocket-Extensions. */
void ws_deflate_put_answer(struct buf *b, const struct ws_deflate *d);

/* The client's: the value of that field; not of WS_OFFER_NONE. */
void ws_deflate_put_offer(struct buf *b, enum ws_offer offer);
/* EMALFORMED: an answer to something that was not offered. */
NODISCARD int ws_deflate_agree(
    struct ws_deflate *out, struct slice answer, enum ws_offer offer);

/* Appends a message as its frame carries it. */
NODISCARD int ws_deflate(
    struct buf *out, struct slice message, uint8_t window_bits);
/* And back. ELIMIT: it is more than it may be. EMALFORMED: it is nothing. */
NODISCARD int ws_inflate(struct buf *out, struct slice in, size_t max);

#endif
