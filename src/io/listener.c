#include "io/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/sockaddr.h"

#define BACKLOG 1024 /* a crowd is not to keep others from being heard */
#define AT_ONCE 64   /* before the loop sees to something else */
#define AGAIN_MS 100 /* after something has run out */
#define TELL_MS 60000

/* ---- letting in ---- */

static void on_readable(uv_poll_t *poll, int status, int events);

static void listen_on(struct listener *l)
{
    (void)uv_poll_start(&l->poll, UV_READABLE, on_readable); /* cannot fail */
}

static void on_again(uv_timer_t *again)
{
    struct listener *l = again->data;

    listen_on(l);
    on_readable(&l->poll, 0, UV_READABLE);
}

static void wait_for_room(struct listener *l, int error)
{
    const uint64_t now_ms = uv_now(l->poll.loop);

    (void)uv_poll_stop(&l->poll);
    (void)uv_timer_start(&l->again, on_again, AGAIN_MS, 0);
    if (l->events.on_full == NULL ||
        (l->has_told && now_ms - l->told_ms < TELL_MS))
        return;
    l->has_told = true;
    l->told_ms = now_ms;
    l->events.on_full(l->events.ctx, error);
}

/* It was of one caller, who is not there any more (accept(2)). */
static bool is_gone(int error)
{
    return error == ECONNABORTED || error == EPROTO || error == ENOPROTOOPT ||
        error == ENETDOWN || error == ENETUNREACH || error == EHOSTDOWN ||
        error == EHOSTUNREACH || error == ENONET || error == EOPNOTSUPP;
}

/* 0, or what errno says: EAGAIN if nobody is there. */
static int fetch_one(struct listener *l)
{
    while (l->come < 0) {
        l->come = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (l->come < 0 && errno != EINTR && !is_gone(errno))
            return errno;
    }
    return 0;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct listener *l = poll->data;
    int error = -status;

    (void)events;
    for (int i = 0; i < AT_ONCE && error == 0 && l->fd >= 0; i++) {
        int come;

        error = fetch_one(l);
        if (error != 0)
            break;
        come = l->come;
        l->come = -1; /* so that closing in on_come leaves it alone */
        if (l->events.on_come(l->events.ctx, come) != SYNCLINE_OK) {
            l->come = come;
            error = ENOMEM;
        }
    }
    if (error != 0 && error != EAGAIN && l->fd >= 0)
        wait_for_room(l, error);
}

/* ---- opening ---- */

static bool prepare(int fd, const struct sockaddr *sa, socklen_t len)
{
    const int on = 1;

    if (sa->sa_family != AF_UNIX &&
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
        return false;
    if (sa->sa_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0)
        return false;
    return bind(fd, sa, len) == 0 && listen(fd, BACKLOG) == 0;
}

static int open_at(struct listener *l, uv_loop_t *loop,
    const struct sockaddr *sa, socklen_t len,
    const struct listener_events *events)
{
    const int fd =
        socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int rc;

    if (fd < 0)
        return uv_translate_sys_error(errno);
    rc = prepare(fd, sa, len) ? 0 : uv_translate_sys_error(errno);
    *l = (struct listener){ .events = *events, .open = 2, .come = -1 };
    if (rc == 0)
        rc = uv_poll_init(loop, &l->poll, fd);
    if (rc != 0) {
        (void)close(fd);
        return rc;
    }
    (void)uv_timer_init(loop, &l->again); /* cannot fail */
    l->poll.data = l->again.data = l;
    l->fd = fd;
    listen_on(l);
    return 0;
}

int listener_open(struct listener *l, uv_loop_t *loop, const struct netaddr *at,
    const struct listener_events *events, struct netaddr *bound)
{
    struct sockaddr_storage sa;
    struct sockaddr *any = (struct sockaddr *)&sa;
    socklen_t len;
    int rc;

    if (!sockaddr_of(&sa, at))
        return UV_EINVAL;
    len = sa.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                   : sizeof(struct sockaddr_in);
    rc = open_at(l, loop, any, len, events);
    if (rc == 0 && bound != NULL && getsockname(l->fd, any, &len) == 0)
        *bound = netaddr_of(any);
    return rc;
}

int listener_open_path(struct listener *l, uv_loop_t *loop, const char *path,
    const struct listener_events *events)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof sa.sun_path)
        return UV_ENAMETOOLONG;
    (void)stpcpy(sa.sun_path, path);
    return open_at(l, loop, (const struct sockaddr *)&sa, sizeof sa, events);
}

/* ---- closing ---- */

static void on_handle_closed(uv_handle_t *h)
{
    struct listener *l = h->data;

    if (--l->open == 0)
        l->events.on_closed(l->events.ctx);
}

void listener_close(struct listener *l)
{
    uv_close((uv_handle_t *)&l->poll, on_handle_closed);
    uv_close((uv_handle_t *)&l->again, on_handle_closed);
    if (l->come >= 0)
        (void)close(l->come);
    /* A child of fork() that has it too does not hold the port. */
    (void)shutdown(l->fd, SHUT_RDWR);
    (void)close(l->fd);
    l->fd = -1;
}
