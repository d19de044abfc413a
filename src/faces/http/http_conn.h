/* http_conn.h - the server's end of one connection that speaks HTTP/1.1 (RFC
 * 9112) and, once it has been asked to, WebSocket (RFC 6455). Bytes in, bytes
 * out, no socket and no clock of its own.
 *
 * One request at a time: what a client sends behind it waits, unparsed, until
 * it is answered. Bodies are whole before on_request, and at most body_max; of
 * one that is not there yet the head is shown first, and whoever is refused
 * for that is not asked for the body, nor is it taken. Every refusal of the
 * protocol itself (malformed, too large, too slow, an encoding or a version
 * that is not spoken, whatever two readers could understand differently) is an
 * answer with a problem document (RFC 9457) and the end of the connection.
 * Laws: on_request at most once between answers; every request is answered
 * exactly once, by http_respond, or http_stream ... http_end, or http_upgrade,
 * during on_request or later, or by http_respond during on_head; on_gone once,
 * if a request is not answered or a stream or a WebSocket is open, and after it
 * no call but http_conn_free (an answer that comes too late is dropped). Only
 * feed, end and tick call back: what waited behind a request that is answered
 * elsewhere, and the end of a connection that failed there, come with the next
 * tick, which is due at once then. Nobody frees a connection from within a call
 * back. */
#ifndef SYNCLINE_FACES_HTTP_CONN_H
#define SYNCLINE_FACES_HTTP_CONN_H

#include "base/buf.h"
#include "faces/http/http_field.h"
#include "faces/http/ws_deflate.h"

struct http_conn; /* opaque */

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_PUT,
    HTTP_POST,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_OTHER,
};

/* Lent until on_request returns. */
struct http_request {
    enum http_method method;
    struct slice path;  /* as it came, percent signs and all, without query;
                           begins with '/', or is the '*' of OPTIONS */
    struct slice query; /* behind the '?'; ptr NULL: there is none */
    struct slice host;  /* the one Host field, in its own words; ptr NULL:
                           HTTP/1.0, which need not say it */
    struct slice body;
    bool has_body;
    bool is_websocket; /* asks for it, in every particular of RFC 6455 */
    const struct http_field *fields;
    size_t fields_n;
};

/* The value of the only field of that name; SLICE_NONE: there is none, or more
 * than one. */
struct slice http_field(const struct http_request *r, const char *name);
/* Is the token, in letters of either size, in the list that all fields of that
 * name make? */
bool http_list_has(
    const struct http_request *r, const char *name, const char *token);
/* The decoded value of a parameter of the query (`name=value`, '+' is a blank),
 * appended. ENOTFOUND, or EMALFORMED: it is not as percent-encoding has it, or
 * there twice. */
NODISCARD int http_query(
    const struct http_request *r, const char *name, struct buf *out);

/* The decoded name of the next parameter, in place of what out had; rest begins
 * as the query. False: there is no other. One that is not percent-encoded gives
 * what is no UTF-8. */
bool http_query_next(struct slice *rest, struct buf *out);

struct http_events {
    void *ctx;
    void (*on_request)(
        void *ctx, struct http_conn *c, const struct http_request *r);
    /* The same before its body has come. Answered here, it is over, and so is
     * the connection; else on_request follows. May be NULL. */
    void (*on_head)(
        void *ctx, struct http_conn *c, const struct http_request *r);
    /* A whole message of a WebSocket, lent. */
    void (*on_message)(
        void *ctx, struct http_conn *c, bool text, struct slice message);
    void (*on_gone)(void *ctx, struct http_conn *c);
    /* Adds lines to the head of each answer, refusals too. May be NULL. */
    void (*put_fields)(void *ctx, struct buf *head);
};

struct http_limits {    /* 0 takes the default in brackets */
    size_t head_max;    /* request line and fields [16 KiB] */
    size_t fields_max;  /* so many of them [64] */
    size_t body_max;    /* [16 MiB] */
    size_t message_max; /* of a WebSocket [1 MiB] */
    uint64_t head_ms;   /* for a head, from its first byte [10,000] */
    uint64_t body_ms;   /* for a body [60,000] */
    uint64_t idle_ms;   /* between requests [60,000] */
    size_t queue_max;   /* of a stream or WebSocket that is not read: what is
                           sent beyond it ends the connection [4 MiB] */
    uint64_t send_ms;   /* so long may nothing of what is to be sent be taken
                           [60,000] */
    uint64_t ping_ms;   /* of a WebSocket that says nothing; as long again
                           without an answer ends it [30,000] */
};

NODISCARD int http_conn_new(struct http_conn **out,
    const struct http_events *events, const struct http_limits *limits,
    uint64_t now_ms);
void http_conn_free(struct http_conn *c); /* NULL is fine */
void http_conn_set_user(struct http_conn *c, void *user);
void *http_conn_user(const struct http_conn *c);

/* Takes bytes from the network; while a request waits, or a stream is open, no
 * more than a MiB of them are kept. */
void http_conn_feed(struct http_conn *c, struct slice in, uint64_t now_ms);
/* The peer has ended, or the network has. */
void http_conn_end(struct http_conn *c);
void http_conn_tick(struct http_conn *c, uint64_t now_ms);
uint64_t http_conn_deadline_ms(const struct http_conn *c); /* 0: none */
/* What is to be sent; whoever has sent some of it consumes it. */
struct buf *http_conn_out(struct http_conn *c);
/* Bytes of memory that its traffic takes at the moment. */
size_t http_conn_held(const struct http_conn *c);
/* It is over, and nothing of what waits is sent. */
void http_conn_drop(struct http_conn *c);
/* Nothing more comes, close when all is sent (and tell http_conn_end). */
bool http_conn_is_over(const struct http_conn *c);
/* A request waits for its answer. */
bool http_conn_is_busy(const struct http_conn *c);
/* And so much has come behind it that nothing more need be read. Until then it
 * is read, so that it is seen when the peer goes. */
bool http_conn_has_enough(const struct http_conn *c);

/* Fields are lines as they are sent, "name: value\r\n" each, or empty. The
 * length is set here; to HEAD the body is left out. type NULL: no body. */
void http_respond(struct http_conn *c, unsigned status, const char *type,
    struct slice fields, struct slice body);
/* An answer of unknown length, in pieces. */
void http_stream(struct http_conn *c, unsigned status, const char *type,
    struct slice fields);
void http_send(struct http_conn *c, struct slice piece);
void http_end(struct http_conn *c);
/* The answer under way is the last one: then it is over. */
void http_close_after(struct http_conn *c);

struct http_socket {
    const char *protocol; /* chosen of those in Sec-WebSocket-Protocol; NULL:
                             none was */
    size_t message_max;   /* 0: that of the limits */
    uint16_t large_code;  /* closes it for a larger one; 0: 1009 */
    struct ws_deflate deflate;
};

/* What of its extensions can be accepted. */
struct ws_deflate http_deflate(const struct http_request *r);

/* Accepts a WebSocket, if the request is_websocket; as NULL: as it comes. */
void http_upgrade(struct http_conn *c, const struct http_socket *as);
void http_send_message(struct http_conn *c, bool text, struct slice message);
/* Ends it in order, with a code of RFC 6455, 7.4, that is not reserved, and a
 * reason below 123 bytes, or NULL. Nothing of it is told after that. */
void http_close_websocket(
    struct http_conn *c, uint16_t code, const char *reason);

#endif
