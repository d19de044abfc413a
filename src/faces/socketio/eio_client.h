/* eio_client.h - the client's end of one session of Engine.IO, protocol 4, by
 * polling, by a WebSocket, or first the one and then the other.
 *
 * Pure: no socket, no clock; answers and messages go in, what is to be asked
 * and sent comes out by the events.
 *
 *     OPENING --answer--> PROBING --3probe--> OPEN     any --> OVER
 *              `--no upgrade------------------^
 *
 * Laws: at most one request of each kind is under way, and each is answered by
 * eio_client_answer or eio_client_failed; a server that is silent for longer
 * than its pings are apart, and an answer takes, is given up; any traffic
 * counts. on_open once, before any on_message; on_over once and nothing after
 * it, but not after eio_client_close. Callbacks may call send; none may free or
 * close it. */
#ifndef SYNCLINE_FACES_SOCKETIO_EIO_CLIENT_H
#define SYNCLINE_FACES_SOCKETIO_EIO_CLIENT_H

#include "faces/socketio/engineio.h"

struct eio_client; /* opaque */

enum eio_how { EIO_UPGRADING, EIO_WEBSOCKET, EIO_POLLING };

enum eio_ask { EIO_GET, EIO_POST };

struct eio_client_events {
    void *ctx;
    /* path has its query; body: of a POST. Both are lent. */
    void (*request)(
        void *ctx, enum eio_ask which, const char *path, struct slice body);
    void (*open_ws)(void *ctx, const char *path);
    void (*send)(void *ctx, bool text, struct slice message);
    /* The WebSocket goes, and nothing more is told of it. */
    void (*close_ws)(void *ctx);
    void (*on_open)(void *ctx);
    void (*on_message)(void *ctx, bool text, struct slice data);
    void (*on_over)(void *ctx, const char *why);
};

struct eio_client_options {
    struct eio_client_events events;
    const char *path; /* lent; NULL: EIO_PATH */
    enum eio_how how;
    uint64_t open_us;  /* for a session to open; 0: 10 s */
    uint64_t probe_us; /* for a WebSocket to take over; 0: 5 s */
    size_t queue_max;  /* that waits to be posted; 0: 8 MiB */
};

NODISCARD int eio_client_new(
    struct eio_client **out, const struct eio_client_options *opt);
void eio_client_free(struct eio_client *c); /* NULL is fine */

void eio_client_begin(struct eio_client *c, uint64_t now_us);
void eio_client_answer(struct eio_client *c, enum eio_ask which,
    unsigned status, struct slice body, uint64_t now_us);
void eio_client_failed(
    struct eio_client *c, enum eio_ask which, const char *why, uint64_t now_us);
void eio_client_ws_open(struct eio_client *c, uint64_t now_us);
void eio_client_ws_message(
    struct eio_client *c, bool text, struct slice message, uint64_t now_us);
void eio_client_ws_end(struct eio_client *c, const char *why, uint64_t now_us);
void eio_client_tick(struct eio_client *c, uint64_t now_us);
uint64_t eio_client_deadline(const struct eio_client *c); /* 0: none */

/* ECLOSED: it is not open. ELIMIT: larger than the server takes. */
NODISCARD int eio_client_send(struct eio_client *c, struct slice text);
/* Says so, where it is open; nothing is called back any more, but what that
 * takes. */
void eio_client_close(struct eio_client *c);
bool eio_client_is_websocket(const struct eio_client *c);
size_t eio_client_waiting(const struct eio_client *c); /* bytes to be posted */

#endif
