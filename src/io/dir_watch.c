#include "io/dir_watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#define WANTED                                                              \
    (IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | \
        IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define ENDS (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)

struct dir_watch {
    uv_poll_t poll;
    int fd;
    dir_watch_fn *fn;
    void *ctx;
    bool closing;
};

static void tell(struct dir_watch *w, const struct inotify_event *ev)
{
    const struct slice name = ev->len > 0 ? slice_str(ev->name) : SLICE_NONE;

    if ((ev->mask & IN_Q_OVERFLOW) != 0)
        w->fn(w->ctx, -1, SLICE_NONE, DIR_SOMEHOW);
    else if ((ev->mask & ENDS) != 0)
        w->fn(w->ctx, ev->wd, SLICE_NONE, DIR_GONE);
    else
        w->fn(w->ctx, ev->wd, name,
            (ev->mask & IN_MOVED_TO) != 0          ? DIR_MOVED
                : (ev->mask & IN_CLOSE_WRITE) != 0 ? DIR_CLOSED
                                                   : DIR_SOMEHOW);
}

static void on_readable(uv_poll_t *p, int status, int events)
{
    struct dir_watch *w = p->data;
    _Alignas(struct inotify_event) char buf[16384];
    ssize_t n;

    (void)status;
    (void)events;
    while (!w->closing && (n = read(w->fd, buf, sizeof buf)) > 0)
        for (char *at = buf; at < buf + n && !w->closing;) {
            const struct inotify_event *ev = (const void *)at;

            at += sizeof *ev + ev->len;
            tell(w, ev);
        }
}

static void on_closed(uv_handle_t *h)
{
    struct dir_watch *w = h->data;

    (void)close(w->fd);
    free(w);
}

int dir_watch_new(
    struct dir_watch **out, uv_loop_t *loop, dir_watch_fn *fn, void *ctx)
{
    struct dir_watch *w = calloc(1, sizeof *w);

    if (w == NULL)
        return SYNCLINE_ENOMEM;
    w->fn = fn;
    w->ctx = ctx;
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd < 0 || uv_poll_init(loop, &w->poll, w->fd) != 0) {
        if (w->fd >= 0)
            (void)close(w->fd);
        free(w);
        return SYNCLINE_ELIMIT;
    }
    w->poll.data = w;
    if (uv_poll_start(&w->poll, UV_READABLE, on_readable) != 0) {
        dir_watch_free(w);
        return SYNCLINE_EIO;
    }
    *out = w;
    return SYNCLINE_OK;
}

void dir_watch_free(struct dir_watch *w)
{
    if (w == NULL || w->closing)
        return;
    w->closing = true;
    uv_close((uv_handle_t *)&w->poll, on_closed);
}

/* By the open folder and not by its path, which may lead elsewhere by now. */
int dir_watch_add(struct dir_watch *w, int fd, int *folder)
{
    char path[64];
    int wd;

    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    wd = inotify_add_watch(w->fd, path, WANTED);
    if (wd < 0)
        return errno == ENOSPC || errno == ENOMEM ? SYNCLINE_ELIMIT
                                                  : SYNCLINE_EIO;
    *folder = wd;
    return SYNCLINE_OK;
}

void dir_watch_remove(struct dir_watch *w, int folder)
{
    (void)inotify_rm_watch(w->fd, folder);
}
