/* Who comes while something has run out, on a loop, loopback and a path. */
#include "io/listener.h"

#include "unit/check.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct hall {
    uv_loop_t loop;
    struct listener listener;
    struct netaddr at;
    char path[64];
    int came, asked, told, error;
    bool refuses, closes, closed;
};

static int on_come(void *ctx, int fd)
{
    struct hall *h = ctx;

    h->asked++;
    if (h->refuses)
        return SYNCLINE_ENOMEM;
    h->came++;
    (void)close(fd);
    if (h->closes)
        listener_close(&h->listener);
    return SYNCLINE_OK;
}

static void on_full(void *ctx, int error)
{
    struct hall *h = ctx;

    h->told++;
    h->error = error;
}

static void on_closed(void *ctx)
{
    struct hall *h = ctx;

    CHECK(!h->closed);
    h->closed = true;
}

static struct listener_events events_of(struct hall *h)
{
    return (struct listener_events){ h, on_come, on_full, on_closed };
}

static void hall_open(struct hall *h)
{
    const struct netaddr loopback = { .family = 4, .addr = { 127, 0, 0, 1 } };
    const struct listener_events events = events_of(h);

    *h = (struct hall){ .came = 0 };
    CHECK(uv_loop_init(&h->loop) == 0);
    CHECK_INT(
        listener_open(&h->listener, &h->loop, &loopback, &events, &h->at), 0);
}

static void hall_end(struct hall *h)
{
    CHECK(uv_run(&h->loop, UV_RUN_DEFAULT) == 0);
    CHECK(h->closed);
    CHECK(uv_loop_close(&h->loop) == 0);
}

static void hall_close(struct hall *h)
{
    listener_close(&h->listener);
    hall_end(h);
}

static int call(const struct hall *h)
{
    const struct sockaddr_in to = { .sin_family = AF_INET,
        .sin_port = htons(h->at.port),
        .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(connect(fd, (const struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

/* Until asked for the nth time. */
static void run_to(struct hall *h, int asked)
{
    while (h->asked < asked)
        (void)uv_run(&h->loop, UV_RUN_ONCE);
}

TEST(all_who_have_come_are_let_in)
{
    struct hall h;
    int fds[100];

    hall_open(&h);
    for (size_t i = 0; i < ARRAY_N(fds); i++)
        fds[i] = call(&h);
    run_to(&h, ARRAY_N(fds));
    CHECK_INT(h.came, ARRAY_N(fds));
    CHECK_INT(h.told, 0);
    for (size_t i = 0; i < ARRAY_N(fds); i++)
        (void)close(fds[i]);
    hall_close(&h);
}

TEST(who_is_not_taken_is_asked_for_again_and_then_those_behind_him)
{
    struct hall h;
    int fds[2];

    hall_open(&h);
    h.refuses = true;
    fds[0] = call(&h);
    fds[1] = call(&h);
    run_to(&h, 3);
    CHECK_INT(h.came, 0);
    CHECK_INT(h.told, 1);
    CHECK_INT(h.error, ENOMEM);
    h.refuses = false;
    run_to(&h, 5);
    CHECK_INT(h.came, 2);
    (void)close(fds[0]);
    (void)close(fds[1]);
    hall_close(&h);
}

TEST(a_listener_ends_with_who_was_not_taken)
{
    struct hall h;
    char byte;
    int fd;

    hall_open(&h);
    h.refuses = true;
    fd = call(&h);
    run_to(&h, 1);
    hall_close(&h);
    CHECK(read(fd, &byte, 1) <= 0);
    (void)close(fd);
}

TEST(a_listener_is_closed_by_who_comes)
{
    struct hall h;
    int fds[2];

    hall_open(&h);
    h.closes = true;
    fds[0] = call(&h);
    fds[1] = call(&h);
    run_to(&h, 1);
    hall_end(&h);
    CHECK_INT(h.came, 1);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

/* The loop goes on meanwhile, and does not turn without an end. */
TEST(who_comes_while_descriptors_have_run_out_comes_in_later)
{
    struct rlimit all, none;
    struct hall h;
    int fd;

    hall_open(&h);
    fd = call(&h);
    CHECK(getrlimit(RLIMIT_NOFILE, &all) == 0);
    none = (struct rlimit){ 3, all.rlim_max };
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    while (h.told == 0)
        (void)uv_run(&h.loop, UV_RUN_ONCE);
    (void)uv_run(&h.loop, UV_RUN_NOWAIT);
    (void)uv_run(&h.loop, UV_RUN_ONCE); /* which waits, and tries again */
    CHECK_INT(h.asked, 0);
    CHECK_INT(h.told, 1);
    CHECK_INT(h.error, EMFILE);
    CHECK(setrlimit(RLIMIT_NOFILE, &all) == 0);
    run_to(&h, 1);
    CHECK_INT(h.came, 1);
    CHECK_INT(h.told, 1);
    (void)close(fd);
    hall_close(&h);
}

TEST(a_path_is_heard_and_one_that_is_taken_is_said)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    struct hall h, other = { .came = 0 };
    const struct listener_events events = events_of(&h),
                                 others = events_of(&other);
    int fd;

    h = (struct hall){ .came = 0 };
    (void)snprintf(
        h.path, sizeof h.path, "/tmp/syncline-listener-%ld", (long)getpid());
    CHECK(uv_loop_init(&h.loop) == 0);
    CHECK_INT(listener_open_path(&h.listener, &h.loop, h.path, &events), 0);
    CHECK_INT(listener_open_path(&other.listener, &h.loop, h.path, &others),
        UV_EADDRINUSE);
    (void)stpcpy(to.sun_path, h.path);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(connect(fd, (const struct sockaddr *)&to, sizeof to) == 0);
    run_to(&h, 1);
    CHECK_INT(h.came, 1);
    (void)close(fd);
    (void)unlink(h.path);
    hall_close(&h);
}
