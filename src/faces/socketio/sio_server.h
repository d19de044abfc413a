/* sio_server.h - the server's end of Socket.IO, protocol 5, of the namespace
 * "/": who has connected, what he says, what is said to him.
 *
 * Pure; requests and messages go in by its eio_server. Laws: on_connected and
 * on_closed once each for a link, and on_event only between them; a number
 * never comes back. An event that asks for an ack gets it when on_event has
 * returned. Of binary data nothing is told. Callbacks may call emit and
 * hang_up. */
#ifndef SYNCLINE_FACES_SOCKETIO_SIO_SERVER_H
#define SYNCLINE_FACES_SOCKETIO_SIO_SERVER_H

#include "faces/socketio/eio_server.h"
#include "faces/socketio/socketio.h"

struct sio_server; /* opaque */

struct sio_server_options {
    struct eio_server_options eio; /* but for its three callbacks */
    void *ctx;
    void (*on_connected)(void *ctx, uint64_t link, const struct netaddr *from);
    void (*on_event)(void *ctx, uint64_t link, const struct sio_event *ev);
    void (*on_closed)(void *ctx, uint64_t link, const char *why);
};

NODISCARD int sio_server_new(
    struct sio_server **out, const struct sio_server_options *opt);
/* Nobody is told. NULL is fine. */
void sio_server_free(struct sio_server *s);

/* What connections bring, and time, goes in there. */
struct eio_server *sio_server_eio(struct sio_server *s);

/* args: JSON values with commas between, or NONE. ECLOSED: there is no such
 * link. ENOMEM. */
NODISCARD int sio_server_emit(
    struct sio_server *s, uint64_t link, struct slice name, struct slice args);
/* Who it is is known: see eio_server_settle. */
void sio_server_settle(struct sio_server *s, uint64_t link);
/* It is told so, and on_closed is not called. */
void sio_server_hang_up(struct sio_server *s, uint64_t link);
/* All are told so, and nothing is called back. */
void sio_server_stop(struct sio_server *s);
bool sio_server_is_websocket(const struct sio_server *s, uint64_t link);
struct eio_reach sio_server_reach(const struct sio_server *s, uint64_t link);
size_t sio_server_n(const struct sio_server *s); /* links */

#endif
