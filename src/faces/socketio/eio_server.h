/* eio_server.h - the server's end of Engine.IO, protocol 4: sessions that are
 * polled, are a WebSocket, or become one.
 *
 * Pure: no socket, no clock; requests and messages of connections, which have
 * numbers, go in, what is to be answered comes out by the port.
 *
 *     GET --> POLLING --WebSocket, probe, 5--> WEBSOCKET     either --> gone
 *     WebSocket ---------------------------------^
 *
 * Laws: each request is answered exactly once, in its call or later; at most
 * one of a session waits, and an older one is answered when another comes; a
 * session that nobody keeps goes after a while, and so does one that does not
 * answer a ping; sessions are bounded, in all and of one place, what waits for
 * one is too, and it is refused by its head what is more than may come.
 * on_close once for each session that had an on_message, or was kept; nothing
 * after it. Callbacks may call send, keep and end, and none of the others. */
#ifndef SYNCLINE_FACES_SOCKETIO_EIO_SERVER_H
#define SYNCLINE_FACES_SOCKETIO_EIO_SERVER_H

#include "core/netaddr.h"
#include "faces/http/http_conn.h"
#include "faces/socketio/engineio.h"

struct eio_server; /* opaque */

/* What a server does to connections. */
struct eio_port {
    void *ctx;
    /* n bytes that nobody can foresee. */
    int (*random)(void *ctx, uint8_t *out, size_t n);
    void (*respond)(void *ctx, uint64_t conn, unsigned status, const char *type,
        struct slice body);
    /* The request becomes a WebSocket. */
    void (*upgrade)(void *ctx, uint64_t conn);
    void (*send)(void *ctx, uint64_t conn, bool text, struct slice message);
    void (*close)(void *ctx, uint64_t conn, uint16_t code);
};

struct eio_server_options {
    struct eio_port port;
    void *ctx;
    void (*on_message)(
        void *ctx, uint64_t session, bool text, struct slice data);
    void (*on_close)(void *ctx, uint64_t session, const char *why);
    /* 0 takes the default in brackets. */
    size_t sessions_max;   /* [64] */
    size_t of_a_place_max; /* from one address elsewhere (IPv6: a /64) [16] */
    size_t known_max;      /* beside them, of those that are known [32] */
    size_t payload_max;    /* [1,000,000] */
    size_t queue_max;      /* that waits to be polled, of one [2 MiB] */
    uint64_t ping_us;      /* [25 s] */
    uint64_t pong_us;      /* [20 s] */
    uint64_t keep_us;      /* until somebody keeps it [20 s] */
    uint64_t probe_us;     /* of a WebSocket that would be one [10 s] */
};

NODISCARD int eio_server_new(
    struct eio_server **out, const struct eio_server_options *opt);
/* Nobody is told. NULL is fine. */
void eio_server_free(struct eio_server *e);

/* A request below EIO_PATH, of whoever may ask. */
void eio_server_request(struct eio_server *e, uint64_t conn,
    const struct http_request *r, const struct netaddr *from, uint64_t now_us);
/* The same of one that has shown who he is: others do not take his room. */
void eio_server_let_in(struct eio_server *e, uint64_t conn,
    const struct http_request *r, const struct netaddr *from, uint64_t now_us);
/* The same before its body has come. True: it has been answered. */
bool eio_server_head(
    struct eio_server *e, uint64_t conn, const struct http_request *r);
void eio_server_message(struct eio_server *e, uint64_t conn, bool text,
    struct slice message, uint64_t now_us);
/* The connection, or who asked by it, has gone. */
void eio_server_gone(struct eio_server *e, uint64_t conn, uint64_t now_us);
void eio_server_tick(struct eio_server *e, uint64_t now_us);
uint64_t eio_server_deadline(const struct eio_server *e); /* 0: none */

/* Who has no such session is passed over. */
void eio_server_send(
    struct eio_server *e, uint64_t session, bool text, struct slice data);
void eio_server_keep(struct eio_server *e, uint64_t session, bool kept);
/* It is of use, and makes no room for others any more. */
void eio_server_settle(struct eio_server *e, uint64_t session);
/* It is told so, and on_close is not called. */
void eio_server_end(struct eio_server *e, uint64_t session);
/* All are told so, and on_close is not called. */
void eio_server_stop(struct eio_server *e);
/* Where it was opened from; NULL: there is no such. */
const struct netaddr *eio_server_from(
    const struct eio_server *e, uint64_t session);
/* How it is told something. */
struct eio_reach {
    uint64_t ws;    /* the connection; 0: it is polled, */
    size_t waiting; /* and so many bytes have not been */
};
struct eio_reach eio_server_reach(const struct eio_server *e, uint64_t session);
size_t eio_server_n(const struct eio_server *e);
/* Sessions that there was no room for. */
uint64_t eio_server_refused(const struct eio_server *e);

/* A refusal as the originals have it: a JSON string. */
void eio_refuse(const struct eio_port *port, uint64_t conn, unsigned status,
    const char *text);

#endif
