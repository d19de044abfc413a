#include "app/control.h"

#include "app/answer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CHUNK ((size_t)64 << 10)

struct control {
    int fd;
    int out;              /* whose reader may go away; -1: nobody's */
    const sigset_t *mask; /* while waiting; NULL: as it is */
    struct buf in;
    size_t taken;   /* of in: the line lent last, with its newline */
    size_t scanned; /* of in: known to hold no newline, beyond taken */
};

static int nobody(const char *dir, struct errmsg *why)
{
    return errmsg_set(why, SYNCLINE_ENOTFOUND,
        "no daemon runs in %s; start it with: syncline up --dir %s", dir, dir);
}

static int connect_failed(const char *dir, struct errmsg *why)
{
    if (errno == ENOENT || errno == ENOTDIR || errno == ECONNREFUSED)
        return nobody(dir, why);
    if (errno == EACCES || errno == EPERM)
        return errmsg_set(why, SYNCLINE_EDENIED,
            "%s/control.sock: permission denied; use the account that the "
            "daemon runs as",
            dir);
    return errmsg_set(
        why, SYNCLINE_EIO, "%s/control.sock: %s", dir, strerror(errno));
}

/* A path may be longer than an address holds, so it goes by a descriptor of
 * the folder. */
static int connect_in(int fd, const char *dir)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int rc, saved;

    if (at < 0)
        return -1;
    (void)snprintf(
        sa.sun_path, sizeof sa.sun_path, "/proc/self/fd/%d/control.sock", at);
    rc = connect(fd, (const struct sockaddr *)&sa, sizeof sa);
    saved = errno;
    (void)close(at);
    errno = saved;
    return rc;
}

int control_open(struct control **out, const char *dir, struct errmsg *why)
{
    struct control *c = calloc(1, sizeof *c);
    int rc;

    if (c == NULL)
        return errmsg_set(why, SYNCLINE_ENOMEM, "out of memory");
    c->in.max = CONTROL_LINE_MAX + CHUNK;
    c->out = -1;
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect_in(c->fd, dir) < 0) {
        rc = connect_failed(dir, why);
        control_close(c);
        return rc;
    }
    *out = c;
    return SYNCLINE_OK;
}

void control_close(struct control *c)
{
    if (c == NULL)
        return;
    if (c->fd >= 0)
        (void)close(c->fd);
    buf_free(&c->in);
    free(c);
}

void control_interrupt(struct control *c, const sigset_t *mask, int fd)
{
    c->mask = mask;
    c->out = fd;
}

static int gone(struct errmsg *why)
{
    return errmsg_set(why, SYNCLINE_ECLOSED,
        "the daemon closed the connection before it answered; see its log");
}

static int send_all(struct control *c, struct slice s, struct errmsg *why)
{
    while (s.len > 0) {
        ssize_t n = send(c->fd, s.ptr, s.len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
            return gone(why);
        if (n < 0)
            return errmsg_set(
                why, SYNCLINE_EIO, "control.sock: %s", strerror(errno));
        s = slice_from(s, (size_t)n);
    }
    return SYNCLINE_OK;
}

int control_send(struct control *c, struct slice line, struct errmsg *why)
{
    int rc;

    if (line.len >= CONTROL_LINE_MAX)
        return errmsg_set(
            why, SYNCLINE_ELIMIT, "the request is larger than 64 MiB");
    rc = send_all(c, line, why);
    return rc == SYNCLINE_OK ? send_all(c, SLICE_LIT("\n"), why) : rc;
}

int control_send_json(
    struct control *c, const struct json *request, struct errmsg *why)
{
    struct buf b = { .max = CONTROL_LINE_MAX };
    int rc;

    json_print(&b, request, JSON_CANONICAL);
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = control_send(c, buf_slice(&b), why);
    else
        errmsg_set(why, rc,
            rc == SYNCLINE_ENOMEM ? "out of memory"
                                  : "the request cannot be written as JSON");
    buf_free(&b);
    return rc;
}

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int timed_out(struct errmsg *why)
{
    return errmsg_set(
        why, SYNCLINE_ETIMEOUT, "the daemon did not answer in time");
}

/* Waits for something to read until a time, -1 for ever. */
static int wait_readable(
    struct control *c, int64_t until_ms, struct errmsg *why)
{
    struct pollfd p[2] = { { .fd = c->fd, .events = POLLIN },
        { .fd = c->out } };

    for (;;) {
        int64_t left = until_ms < 0 ? -1 : until_ms - now_ms();
        struct timespec t = { .tv_sec = left / 1000,
            .tv_nsec = left % 1000 * 1000000 };
        int n;

        if (until_ms >= 0 && left <= 0)
            t = (struct timespec){ 0 };
        n = ppoll(p, 2, until_ms < 0 ? NULL : &t, c->mask);
        if (n < 0 && errno == EINTR && c->mask == NULL)
            continue;
        if (n < 0 && errno != EINTR)
            return errmsg_set(
                why, SYNCLINE_EIO, "control.sock: %s", strerror(errno));
        if (n <= 0 || (p[1].revents & (POLLERR | POLLHUP | POLLNVAL)))
            return timed_out(why);
        return SYNCLINE_OK;
    }
}

static int receive(struct control *c, struct errmsg *why)
{
    uint8_t *room = buf_reserve(&c->in, CHUNK);
    ssize_t n;

    if (room == NULL)
        return errmsg_set(why, buf_status(&c->in),
            "the daemon's answer is too large (64 MiB)");
    do
        n = recv(c->fd, room, CHUNK, 0);
    while (n < 0 && errno == EINTR);
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return gone(why);
    if (n < 0)
        return errmsg_set(
            why, SYNCLINE_EIO, "control.sock: %s", strerror(errno));
    c->in.len += (size_t)n;
    return SYNCLINE_OK;
}

/* The next whole line that is in the buffer already, if any. */
static bool take_line(struct control *c, struct slice *line)
{
    const struct slice rest = slice_from(buf_slice(&c->in), c->taken);
    const struct slice fresh = slice_from(rest, c->scanned);
    const uint8_t *end =
        fresh.len == 0 ? NULL : memchr(fresh.ptr, '\n', fresh.len);

    if (end == NULL) {
        c->scanned = rest.len;
        return false;
    }
    *line = SLICE(rest.ptr, (size_t)(end - rest.ptr));
    c->taken += line->len + 1;
    c->scanned = 0;
    return true;
}

int control_read(
    struct control *c, struct slice *line, int timeout_ms, struct errmsg *why)
{
    const int64_t until = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;

    while (!take_line(c, line)) {
        int rc;

        buf_consume(&c->in, c->taken);
        c->taken = 0;
        rc = wait_readable(c, until, why);
        if (rc == SYNCLINE_OK)
            rc = receive(c, why);
        if (rc != SYNCLINE_OK)
            return rc;
    }
    return SYNCLINE_OK;
}

int control_read_json(struct control *c, struct json **answer, struct arena *a,
    int timeout_ms, struct errmsg *why)
{
    struct errmsg what = { "" };
    struct slice line;
    int rc = control_read(c, &line, timeout_ms, why);

    if (rc != SYNCLINE_OK)
        return rc;
    rc = json_parse(answer, line, JSON_TOLERANT, a, &what);
    if (rc != SYNCLINE_OK)
        return errmsg_set(why, rc,
            "the daemon's answer is not JSON (%.300s); is it of another "
            "version?",
            what.text);
    return SYNCLINE_OK;
}

int control_status(const struct json *answer, struct errmsg *why)
{
    return answer_status(answer, why);
}
