/* http_head.h - a request's head, judged: what it asks for and where its body
 * ends, or with what it is refused. Whatever two readers could understand
 * differently is refused (RFC 9112, 11.2).
 *
 * Pure. */
#ifndef SYNCLINE_FACES_HTTP_HEAD_H
#define SYNCLINE_FACES_HTTP_HEAD_H

#include "faces/http/http_conn.h"
#include "faces/http/http_parse.h"

struct http_refusal {
    unsigned status;    /* 0: none */
    const char *detail; /* a sentence that can stand in a JSON string */
};

/* Looks for the end of a head, going on at *at: 1 and its length there, or 0
 * if more is needed. EMALFORMED: CR and LF that do not stand together, control
 * characters, a folded line. */
NODISCARD int http_head_scan(struct slice in, size_t *at);

struct http_head {
    struct http_request request; /* but for the body */
    bool is_old;                 /* HTTP/1.0 */
    bool closes;                 /* nothing comes after it */
    bool awaits_continue;
    struct slice key; /* of a WebSocket */
};

/* Reads a whole head by p, whose fields out lends; names are made lower case
 * in place. */
NODISCARD struct http_refusal http_head_read(struct http_head *out,
    struct http_parse *p, struct buf *head, size_t body_max);

#endif
