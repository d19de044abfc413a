/* http_world.h - a connection of HTTP, what was asked on it and how its end
 * was told. */
#ifndef SYNCLINE_TEST_UNIT_HTTP_WORLD_H
#define SYNCLINE_TEST_UNIT_HTTP_WORLD_H

#include "faces/http/http_conn.h"
#include "unit/check.h"

struct http_world {
    struct http_conn *c;
    uint64_t now;
    unsigned requests, gone;
    /* The last request: "METHOD path?query host", its fields ("name=value;")
     * and its body. */
    struct buf line, fields, body;
    bool is_websocket;
    struct buf messages; /* "t:" or "b:", the message, a line's end */
    /* Called in on_request, if it is not NULL; and in on_head. */
    void (*answer)(struct http_world *w, const struct http_request *r);
    void (*judge)(struct http_world *w, const struct http_request *r);
    unsigned heads;
};

int http_world_open(struct http_world *w, const struct http_limits *limits);
void http_world_close(struct http_world *w);
void http_world_feed(struct http_world *w, const char *text);
/* What is to be sent, which is taken. */
struct slice http_world_sent(struct http_world *w);
/* The status of the answer that is to be sent, which is taken; 0: none. */
unsigned http_world_status(struct http_world *w);

/* An answer of 200 with the text "ok". */
void http_world_ok(struct http_world *w, const struct http_request *r);

#endif
