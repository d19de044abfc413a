/* dir_watch.h - tells when something happens to the names in folders.
 *
 * By inotify of our own and not by libuv's: that passes over a queue that has
 * run over, and does not tell when a file was closed. Nothing wakes up while
 * nothing happens. Law: whatever happens in a folder is told, by its name, or
 * by a call without a folder: then anything may have happened anywhere. */
#ifndef SYNCLINE_IO_DIR_WATCH_H
#define SYNCLINE_IO_DIR_WATCH_H

#include <uv.h>

#include "base/error.h"
#include "base/slice.h"

struct dir_watch; /* opaque */

enum dir_change {
    DIR_SOMEHOW,
    DIR_CLOSED, /* by somebody who had it open for writing */
    DIR_MOVED,  /* into the folder, or from another name */
    DIR_GONE    /* the folder itself, which is not watched any more */
};

/* folder: what dir_watch_add gave; -1: all of them. name: of what is in it;
 * empty: the folder itself. */
typedef void dir_watch_fn(
    void *ctx, int folder, struct slice name, enum dir_change change);

NODISCARD int dir_watch_new(
    struct dir_watch **out, uv_loop_t *loop, dir_watch_fn *fn, void *ctx);
/* The memory goes when the loop has run once more. NULL is fine. */
void dir_watch_free(struct dir_watch *w);
/* The same folder gets the same number. fd stays the caller's. Errors: ELIMIT
 * (the system's), EIO. */
NODISCARD int dir_watch_add(struct dir_watch *w, int fd, int *folder);
void dir_watch_remove(struct dir_watch *w, int folder);

#endif
