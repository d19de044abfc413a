/* control_server.h - the daemon's end of the control socket, DIR/control.sock:
 * one JSON object a line each way (doc/api.md). control.h is the other end.
 *
 * On the loop's thread. Requests go to the engine. A client that reads slowly
 * has its streams held back; while the store has no room, nobody's requests
 * are read. */
#ifndef SYNCLINE_APP_CONTROL_SERVER_H
#define SYNCLINE_APP_CONTROL_SERVER_H

#include "app/engine/engine.h"

struct control_server; /* opaque */

struct control_server_options {
    uv_loop_t *loop;
    struct engine *engine;
    struct log log;
};

NODISCARD int control_server_open(struct control_server **out,
    const struct control_server_options *opt, struct errmsg *why);
/* The engine's on_turn: many answers leave in one write. */
void control_server_flush(struct control_server *s);
/* The engine's on_room. */
void control_server_room(struct control_server *s);
/* Ends all connections once what is queued is sent, and removes the socket.
 * The memory goes when the loop has run the closing. NULL is fine. */
void control_server_close(struct control_server *s);

#endif
