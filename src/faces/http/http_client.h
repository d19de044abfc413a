/* http_client.h - one request to a server of others, and its answer (RFC 9112),
 * on a connection that is for nothing else. Bytes in, bytes out, no socket and
 * no clock of its own.
 *
 * Laws: once it is over it stays so, with an answer or a reason why there is
 * none; what is larger than is taken, too late, encoded or malformed is no
 * answer. The connection is closed afterwards. */
#ifndef SYNCLINE_FACES_HTTP_CLIENT_H
#define SYNCLINE_FACES_HTTP_CLIENT_H

#include "base/buf.h"

struct http_client; /* opaque */

struct http_client_options {
    const char *host; /* as it is named in the URL */
    const char *path; /* with its query */
    const char *agent;
    bool is_post;
    const char *type;  /* of the body */
    struct slice body; /* of a POST */
    size_t body_max;   /* of the answer */
    uint64_t time_ms;  /* until it is whole */
};

/* Strings and the body are lent until it returns. */
NODISCARD int http_client_new(struct http_client **out,
    const struct http_client_options *opt, uint64_t now_ms);
void http_client_free(struct http_client *c); /* NULL is fine */

void http_client_feed(struct http_client *c, struct slice in);
/* The server has ended, or the network has. */
void http_client_end(struct http_client *c, const char *why);
void http_client_tick(struct http_client *c, uint64_t now_ms);
uint64_t http_client_deadline_ms(const struct http_client *c); /* 0: none */
/* What is to be sent; whoever has sent some of it consumes it. */
struct buf *http_client_out(struct http_client *c);
bool http_client_is_over(const struct http_client *c);
/* 0: there is none, and why says so. */
unsigned http_client_status(const struct http_client *c);
struct slice http_client_body(const struct http_client *c);
const char *http_client_why(const struct http_client *c);

#endif
