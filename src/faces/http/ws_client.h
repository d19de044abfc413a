/* ws_client.h - the client's end of one WebSocket: the greeting over HTTP/1.1
 * (RFC 6455, 4.1), then messages. Bytes in, bytes out, no socket and no clock
 * of its own.
 *
 * Laws: on_open at most once, before any on_message; nothing is called back but
 * from feed, end and tick; when it is over, ws_client_why says why. */
#ifndef SYNCLINE_FACES_WS_CLIENT_H
#define SYNCLINE_FACES_WS_CLIENT_H

#include "faces/http/ws_deflate.h"

struct ws_client; /* opaque */

struct ws_client_options {
    const char *host; /* as it is named in the URL, with its port if that is
                         not the scheme's own */
    const char *path; /* begins with '/' */
    const char *agent;
    const char *token;   /* NULL: none is shown */
    enum ws_offer offer; /* to compress what is large */
    size_t message_max;
    uint64_t greeting_ms; /* until the WebSocket is open */
    uint64_t ping_ms;     /* of silence; as long again without an answer ends
                             it */
    void *ctx;
    /* server: what it calls itself, or NONE; lent. */
    void (*on_open)(void *ctx, struct slice server);
    void (*on_message)(void *ctx, bool text, struct slice message);
    /* n bytes that nobody can foresee. */
    int (*random)(void *ctx, uint8_t *out, size_t n);
};

/* Strings of the options are lent until it returns. */
NODISCARD int ws_client_new(struct ws_client **out,
    const struct ws_client_options *opt, uint64_t now_ms);
void ws_client_free(struct ws_client *c); /* NULL is fine */

void ws_client_feed(struct ws_client *c, struct slice in, uint64_t now_ms);
/* The other has ended, or the network has. */
void ws_client_end(struct ws_client *c, const char *why);
void ws_client_tick(struct ws_client *c, uint64_t now_ms);
uint64_t ws_client_deadline_ms(const struct ws_client *c); /* 0: none */
void ws_client_send(struct ws_client *c, struct slice text);
/* In order; nothing that comes is told any more. */
void ws_client_close(struct ws_client *c);

/* What is to be sent; whoever has sent some of it consumes it. */
struct buf *ws_client_out(struct ws_client *c);
/* What the two have agreed on. */
const struct ws_deflate *ws_client_deflate(const struct ws_client *c);
bool ws_client_is_open(const struct ws_client *c);
/* Nothing more comes: close when all is sent. */
bool ws_client_is_over(const struct ws_client *c);
const char *ws_client_why(const struct ws_client *c);

#endif
