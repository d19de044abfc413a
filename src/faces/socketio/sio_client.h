/* sio_client.h - the client's end of Socket.IO, protocol 5, of the namespace
 * "/": a server that is called again and again, after pauses that grow.
 *
 * Pure; what eio_client.h asks for comes out here, and its answers go in.
 *
 *     WAITING --call--> OPENING --session, 40--> CONNECTED
 *        ^----------failure, 44, 41, end----------'
 *
 * Laws: on_connected and on_closed take turns, and on_event only between them,
 * although servers send events before they accept: those wait. reset is called
 * before each pause: connections of that session go, but what was given them to
 * send may leave. Callbacks may call emit, and none may free it. */
#ifndef SYNCLINE_FACES_SOCKETIO_SIO_CLIENT_H
#define SYNCLINE_FACES_SOCKETIO_SIO_CLIENT_H

#include "faces/configsync/where.h"
#include "faces/socketio/eio_client.h"
#include "faces/socketio/socketio.h"

struct sio_client; /* opaque */

struct sio_client_options {
    void *ctx;
    /* As those of eio_client_events. */
    void (*request)(
        void *ctx, enum eio_ask which, const char *path, struct slice body);
    void (*open_ws)(void *ctx, const char *path);
    void (*send)(void *ctx, bool text, struct slice message);
    void (*close_ws)(void *ctx);
    void (*reset)(void *ctx);
    void (*on_connected)(void *ctx);
    void (*on_event)(void *ctx, const struct sio_event *ev);
    void (*on_closed)(void *ctx, const char *why);
    /* A call has ended before it was connected; it is tried again. Or NULL. */
    void (*on_failed)(void *ctx, const char *why);
    const char *path; /* lent; NULL: EIO_PATH */
    enum eio_how how;
    uint64_t seed;        /* of the pauses */
    uint64_t pause_us;    /* the first one; 0: 1 s */
    uint64_t dial_max_us; /* the longest; 0: 5 s */
};

/* It is called by the first tick. */
NODISCARD int sio_client_new(
    struct sio_client **out, const struct sio_client_options *opt);
/* Nobody is told. NULL is fine. */
void sio_client_free(struct sio_client *c);

void sio_client_answer(struct sio_client *c, enum eio_ask which,
    unsigned status, struct slice body, uint64_t now_us);
void sio_client_failed(
    struct sio_client *c, enum eio_ask which, const char *why, uint64_t now_us);
void sio_client_ws_open(struct sio_client *c, uint64_t now_us);
void sio_client_ws_message(
    struct sio_client *c, bool text, struct slice message, uint64_t now_us);
void sio_client_ws_end(struct sio_client *c, const char *why, uint64_t now_us);
void sio_client_tick(struct sio_client *c, uint64_t now_us);
uint64_t sio_client_deadline(const struct sio_client *c);

/* As sio_server_emit; ELIMIT: larger than the server takes. */
NODISCARD int sio_client_emit(
    struct sio_client *c, struct slice name, struct slice args);
/* The longest pause from now on, of the one that is under way, too. */
void sio_client_set_dial_max(
    struct sio_client *c, uint64_t dial_max_us, uint64_t now_us);
/* Says so; nothing is called back any more, but send and request for that. */
void sio_client_close(struct sio_client *c);
bool sio_client_is_connected(const struct sio_client *c);
bool sio_client_is_websocket(const struct sio_client *c);
/* When the call that is under way, or connected, was begun. */
uint64_t sio_client_began_us(const struct sio_client *c);
size_t sio_client_waiting(const struct sio_client *c);  /* bytes to be posted */
const char *sio_client_why(const struct sio_client *c); /* it is not; or "" */

/* "http://host:5342", https, ws or wss; a path but "/" stands for EIO_PATH, and
 * *how is EIO_WEBSOCKET where the URL says so, else it stays. EINVAL: why says
 * what a good one is like. */
NODISCARD int sio_url_parse(struct ws_url *out, enum eio_how *how,
    struct slice text, struct errmsg *why);

#endif
