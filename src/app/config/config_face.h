/* config_face.h - config-sync instances and one item, kept the same: sync.h
 * with a loop, sockets and an engine.
 *
 * It serves WebSockets at /sync on a port of its own, and by the hub on the
 * node's, and calls the URLs that
 * it was given, again and again. The item is watched, and written for whoever
 * wrote it there, by his time. On the loop's thread. Law: whoever comes is of
 * a network that is admitted, does not come out of a web page, and does not
 * ask too often. */
#ifndef SYNCLINE_APP_CONFIG_FACE_H
#define SYNCLINE_APP_CONFIG_FACE_H

#include "app/engine/engine.h"
#include "faces/configsync/rate.h"
#include "faces/configsync/where.h"
#include "faces/http/hub.h"

struct config_face; /* opaque */

/* All is copied but the callbacks' ctx. */
struct config_face_options {
    uv_loop_t *loop;
    struct log log;
    const char *space, *key; /* of the item */
    const char *instance;    /* our id there; NULL: one of the device's */
    bool serves;
    const struct netaddr *listen; /* where, if it serves */
    size_t listen_n;
    const struct network *admit;
    size_t admit_n;
    const struct ws_url *peers;
    const char *const *peer_texts;  /* the same, as they were written */
    const char *const *peer_tokens; /* shown to them; NULL: to none */
    size_t peers_n;
    const char *roots; /* file of authorities for wss; NULL: the system's */
    struct rate_options rate;
    uint64_t batch_us, heartbeat_us, dial_max_us;
    enum ws_offer compress; /* to whom we call; NONE: nor for who asks */
    bool adopts;            /* sync.h */
};

NODISCARD int config_face_new(
    struct config_face **out, const struct config_face_options *opt);
/* For the node's own port; f NULL: none are served. It ends before f does. */
struct hub_instances config_face_instances(struct config_face *f);
/* The engine is open. EBUSY: somebody else has the port. */
NODISCARD int config_face_start(
    struct config_face *f, struct engine *e, struct errmsg *why);
/* The engine closes: all are told, while that can be sent. */
void config_face_stop(struct config_face *f);
/* After engine_close. The memory goes when the loop has run the closing. NULL
 * is fine. */
void config_face_close(struct config_face *f);

/* Answers the ops configsync and configsync_force; false: it is another. */
bool config_face_answer(
    struct config_face *f, const struct json *request, struct buf *out);
/* A member of `status`, with its comma; NULL is fine. */
void config_face_put_status(const struct config_face *f, struct buf *b);

#endif
