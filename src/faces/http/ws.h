/* ws.h - the frames of one WebSocket (RFC 6455), either end, by wslay.
 *
 * Pure. Messages come whole and are at most message_max, in at most
 * WS_FRAGMENTS_MAX frames; pings are answered; what breaks the protocol is
 * answered by a close. One extension: messages that are compressed. */
#ifndef SYNCLINE_FACES_WS_H
#define SYNCLINE_FACES_WS_H

#include "faces/http/ws_deflate.h"

#define WS_FRAGMENTS_MAX 64

struct ws; /* opaque */

struct ws_events {
    void *ctx;
    /* Bytes to be sent. What is not 0 ends it, and comes out again. */
    int (*send)(void *ctx, struct slice bytes);
    /* The client's end, whose frames are masked: n bytes that nobody can
     * foresee. NULL: it is the server's. */
    int (*mask)(void *ctx, uint8_t *out, size_t n);
    /* A whole message, lent; may send and close. */
    void (*on_message)(void *ctx, bool text, struct slice message);
};

/* The greeting's answer to a key, appended as text. */
NODISCARD int ws_accept(struct buf *out, struct slice key);

NODISCARD int ws_new(
    struct ws **out, const struct ws_events *events, size_t message_max);
/* It was agreed on, before anything came or was sent. */
void ws_compress(struct ws *w, const struct ws_deflate *as);
/* By which code it is closed for a message that is too large [1009]. */
void ws_close_large(struct ws *w, uint16_t code);
void ws_free(struct ws *w); /* NULL is fine */
/* Bytes of a message that has begun. */
size_t ws_held(const struct ws *w);

/* An error of any of these means that it cannot go on. */
NODISCARD int ws_feed(struct ws *w, struct slice in);
NODISCARD int ws_send(struct ws *w, bool text, struct slice message);
NODISCARD int ws_ping(struct ws *w);
/* code: of RFC 6455, 7.4, and no reserved one; reason: UTF-8, below 123
 * bytes. */
NODISCARD int ws_close(struct ws *w, uint16_t code, const char *reason);
/* Both have said that they close, or the other broke the protocol. */
bool ws_is_over(const struct ws *w);

#endif
