/* Connections of other systems, on a loop and loopback. */
#include "io/stream.h"

#include "unit/check.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

struct door {
    uv_loop_t loop;
    struct stream_listener *listener;
    struct stream *come;
    struct netaddr at;
    int came;
};

static void on_bytes(void *ctx, struct slice bytes)
{
    (void)ctx;
    (void)bytes;
}

static bool on_come(void *ctx, struct stream *s, const struct netaddr *remote,
    struct stream_events *events)
{
    struct door *d = ctx;

    (void)remote;
    *events = (struct stream_events){ .ctx = d, .on_bytes = on_bytes };
    d->come = s;
    d->came++;
    return true;
}

static void door_open(struct door *d)
{
    const struct netaddr loopback = { .family = 4, .addr = { 127, 0, 0, 1 } };
    struct errmsg why = { "" };

    *d = (struct door){ .came = 0 };
    CHECK(uv_loop_init(&d->loop) == 0);
    CHECK_OK(stream_listen(
        &d->listener, &d->loop, &loopback, on_come, d, &d->at, &why));
}

static int call(const struct door *d)
{
    const struct sockaddr_in to = { .sin_family = AF_INET,
        .sin_port = htons(d->at.port),
        .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(connect(fd, (const struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

static void door_close(struct door *d)
{
    if (d->come != NULL)
        stream_drop(d->come);
    stream_listener_close(d->listener);
    CHECK(uv_run(&d->loop, UV_RUN_DEFAULT) == 0);
    CHECK(uv_loop_close(&d->loop) == 0);
}

/* Who comes while memory is refused is let in later, and so are all others. */
TEST(who_comes_while_memory_runs_out_comes_in_later)
{
    struct door d;
    int fds[2];

    door_open(&d);
    fds[0] = call(&d);
    check_alloc_fail_from(0);
    (void)uv_run(&d.loop, UV_RUN_ONCE);
    CHECK(check_alloc_failed());
    check_alloc_fail_from(-1);
    CHECK_INT(d.came, 0);
    while (d.came == 0)
        (void)uv_run(&d.loop, UV_RUN_ONCE);
    stream_drop(d.come);
    d.come = NULL;
    fds[1] = call(&d);
    while (d.came == 1)
        (void)uv_run(&d.loop, UV_RUN_ONCE);
    door_close(&d);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

TEST(a_listener_ends_while_somebody_waits_for_memory)
{
    struct door d;
    int fd;

    door_open(&d);
    fd = call(&d);
    check_alloc_fail_from(0);
    (void)uv_run(&d.loop, UV_RUN_ONCE);
    CHECK(check_alloc_failed());
    check_alloc_fail_from(-1);
    door_close(&d);
    CHECK_INT(d.came, 0);
    (void)close(fd);
}
