/* hub_face.h - the HTTP API on a daemon's own port: hub.h with a loop and an
 * engine.
 *
 * Made before the engine, which brings its callers; started when that is open.
 * On the loop's thread. */
#ifndef SYNCLINE_APP_HUB_FACE_H
#define SYNCLINE_APP_HUB_FACE_H

#include "app/engine/engine.h"
#include "faces/http/hub.h"

struct hub_face; /* opaque */

struct hub_face_options {
    uv_loop_t *loop;
    const struct slice *hosts; /* borrowed; that it answers as, too */
    size_t hosts_n;
    size_t connections;           /* that there may be at once */
    uint64_t stall_us;            /* who reads nothing for so long, is ended */
    const struct hub_page *pages; /* the dashboard; borrowed */
    size_t pages_n;
    struct hub_instances instances;
    struct hub_socketio_port socketio;
};

NODISCARD int hub_face_new(
    struct hub_face **out, const struct hub_face_options *opt);
/* For engine_options. */
struct net_guests hub_face_guests(struct hub_face *f);
NODISCARD int hub_face_start(struct hub_face *f, struct engine *e);
/* The end of a turn: what gathered is sent. */
void hub_face_turn(struct hub_face *f);
/* The engine closes: what is open is told so, while that can still be sent. */
void hub_face_stop(struct hub_face *f);
/* Nobody is answered any more; after engine_close. The memory goes when the
 * loop has run the closing. NULL is fine. */
void hub_face_close(struct hub_face *f);

#endif
