/* listener.h - a socket that others come to, on a caller's loop.
 *
 * Not libuv's own listening: that turns its loop for ever once descriptors
 * have run out and another thread has taken the one that it keeps for this,
 * and tells of nobody else before who has come was taken.
 *
 * Law: whoever comes while memory or descriptors have run out waits, and is
 * let in when there is room again, and so are all behind him. All on the
 * loop's thread. */
#ifndef SYNCLINE_IO_LISTENER_H
#define SYNCLINE_IO_LISTENER_H

#include <uv.h>

#include "core/netaddr.h"

struct listener_events {
    void *ctx;
    /* Somebody has come, and fd is now whose who answers OK; ENOMEM: ask again
     * in a while. Who closes the listener in it answers OK. */
    int (*on_come)(void *ctx, int fd);
    /* Somebody waits outside, as errno says: at most once a minute. Or NULL. */
    void (*on_full)(void *ctx, int error);
    /* After listener_close: its memory is free again. */
    void (*on_closed)(void *ctx);
};

/* The caller's memory, from a successful open until on_closed. */
struct listener {
    uv_poll_t poll;
    uv_timer_t again;
    struct listener_events events;
    unsigned open; /* of these two handles */
    int fd;
    int come; /* who has come, and is not taken yet; -1 if nobody is */
    bool has_told;
    uint64_t told_ms;
};

/* Port 0 takes a free one; *bound, if not NULL, is where it really listens.
 * Returns 0 or what uv_strerror tells; then there is nothing to close. */
NODISCARD int listener_open(struct listener *l, uv_loop_t *loop,
    const struct netaddr *at, const struct listener_events *events,
    struct netaddr *bound);
/* The same for a path of the file system, where nothing may be. */
NODISCARD int listener_open_path(struct listener *l, uv_loop_t *loop,
    const char *path, const struct listener_events *events);
void listener_close(struct listener *l);

#endif
