/* serve.h - the control socket: DIR/control.sock, one JSON object a line each
 * way (doc/api.md).
 *
 * Requests go to the engine.
 * A client that reads slowly has its streams held back; while the store has
 * no room, nobody's requests are read. */
#ifndef SYNCLINE_APP_SERVE_H
#define SYNCLINE_APP_SERVE_H

#include "app/engine/engine.h"

struct serve; /* opaque */

struct serve_options {
    uv_loop_t *loop;
    struct engine *engine;
    struct log log;
};

NODISCARD int serve_open(
    struct serve **out, const struct serve_options *opt, struct errmsg *why);
/* The engine's on_turn: many answers leave in one write. */
void serve_flush(struct serve *s);
/* The engine's on_room. */
void serve_room(struct serve *s);
/* Ends all connections once what is queued is sent, and removes the socket.
 * The memory goes when the loop has run the closing. NULL is fine. */
void serve_close(struct serve *s);

#endif
