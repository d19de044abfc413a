/* LAN sync through syncline_lan.h, roughly: callbacks that meddle, sockets that
 * keep to no rule, many threads. */
#include "unit/lan_world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- callbacks ---- */

static int on_meddling(void *ctx, const char *peer,
    const struct syncline_lan_message *m, char **reply)
{
    struct both *b = ctx;
    char *text;

    (void)m;
    CHECK_INT(syncline_lan_server_request(b->s, peer, "X", NULL, 0, &text),
        SYNCLINE_EBUSY);
    CHECK_INT(syncline_lan_server_stop(b->s), SYNCLINE_EBUSY);
    CHECK_INT(syncline_lan_server_free(b->s), SYNCLINE_EBUSY);
    CHECK_INT(syncline_lan_server_start(b->s), SYNCLINE_EBUSY);
    CHECK_OK(syncline_lan_server_send(b->s, peer, "NEWS", NULL, NULL));
    CHECK_OK(syncline_lan_server_ask(
        b->s, peer, "SYNC_REQUEST", NULL, 0, on_seen_answer, &b->server));
    CHECK_OK(syncline_lan_server_clients(b->s, &text));
    *reply = text; /* an array: no reply */
    return SYNCLINE_OK;
}

static int on_failing(void *ctx, const char *peer,
    const struct syncline_lan_message *m, char **reply)
{
    (void)ctx;
    (void)peer;
    (void)reply;
    return strcmp(m->type, "SYNC_DATA") == 0 ? SYNCLINE_EIO
                                             : SYNCLINE_EUNSUPPORTED;
}

static int on_own(void *ctx, const char *peer,
    const struct syncline_lan_message *m, char **reply)
{
    struct both *b = ctx;

    (void)peer;
    (void)m;
    return syncline_lan_create_message(
        b->h, "OWN_ANSWER", "{\"own\":true}", 1, reply);
}

static int on_no_type(void *ctx, const char *peer,
    const struct syncline_lan_message *m, char **reply)
{
    (void)ctx;
    (void)peer;
    (void)m;
    *reply = strdup("{\"message_type\":\"no type\",\"payload\":{}}");
    return *reply != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

TEST(a_callback_may_call_what_does_not_wait)
{
    struct both b;
    char *answer;

    both_init(&b);
    both_serve(&b, NULL);
    b.config.auth = SYNCLINE_LAN_AUTH_TOKEN;
    both_client(&b);
    both_connect(&b);
    CHECK_OK(syncline_lan_server_handle(b.s, "MEDDLE", on_meddling, &b));
    CHECK_OK(syncline_lan_server_handle(b.s, "SYNC_DATA", on_failing, &b));
    CHECK_OK(syncline_lan_server_handle(b.s, "FAIL", on_failing, &b));
    CHECK_OK(syncline_lan_server_handle(b.s, "OWN", on_own, &b));
    check_fails(syncline_lan_client_request(b.c, "MEDDLE", NULL, 0, &answer),
        SYNCLINE_EDENIED, "Internal server error");
    seen_await(&b.client, "NEWS {};");
    seen_await(&b.server, "answer 0 ");
    check_fails(syncline_lan_client_request(b.c, "SYNC_DATA", NULL, 0, &answer),
        SYNCLINE_EDENIED, "Internal server error");
    check_fails(syncline_lan_client_request(b.c, "FAIL", NULL, 0, &answer),
        SYNCLINE_EDENIED, "Unsupported message type: FAIL");
    check_request(&b, "OWN", NULL, "\"own\":true");
    CHECK_OK(syncline_lan_server_handle(b.s, "NO_TYPE", on_no_type, &b));
    check_fails(syncline_lan_client_request(b.c, "NO_TYPE", NULL, 0, &answer),
        SYNCLINE_EDENIED, "Internal server error");
    CHECK_OK(syncline_lan_server_handle(b.s, "OWN", NULL, NULL));
    CHECK_OK(syncline_lan_server_handle(b.s, NULL, NULL, NULL));
    check_fails(syncline_lan_client_request(b.c, "OWN", NULL, 0, &answer),
        SYNCLINE_EDENIED, "");
    both_free(&b);
}

/* ---- who keeps to no rule ---- */

static int raw_connect(int port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr = { htonl(INADDR_LOOPBACK) } };
    const struct timeval limit = { .tv_sec = PATIENCE_S };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(fd >= 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    CHECK(connect(fd, (const struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

static void raw_send(int fd, const void *bytes, size_t n)
{
    CHECK(send(fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n);
}

/* All that it says until it says words, or closes (NULL). */
static void raw_await(int fd, const char *words)
{
    char text[16384];
    size_t n = 0;
    ssize_t got;

    while ((got = recv(fd, text + n, sizeof text - 1 - n, 0)) > 0) {
        for (ssize_t i = 0; i < got; i++, n++)
            text[n] = text[n] == 0 ? ' ' : text[n];
        text[n] = 0;
        if (words != NULL && strstr(text, words) != NULL)
            return;
    }
    /* Closed while something of ours was not read, it is reset. */
    CHECK_SAYING(words == NULL && (got == 0 || errno == ECONNRESET),
        "never said: %s", words != NULL ? words : "an end");
}

TEST(garbage_is_refused_and_a_huge_length_closes)
{
    static const char *const bodies[] = { "", "no json", "[]", "\xff\xfe{",
        "{\"message_type\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[" };
    struct both b;
    int fd;

    both_init(&b);
    b.config.message_max = 4096;
    both_serve(&b, NULL);
    b.config.auth = SYNCLINE_LAN_AUTH_TOKEN;
    both_client(&b);
    both_connect(&b);
    for (size_t i = 0; i < ARRAY_N(bodies); i++) {
        uint32_t len = htonl((uint32_t)strlen(bodies[i]));

        fd = raw_connect(b.port);
        raw_send(fd, &len, 4);
        raw_send(fd, bodies[i], strlen(bodies[i]));
        raw_await(fd, "decode_error");
        (void)close(fd);
    }
    fd = raw_connect(b.port);
    raw_send(fd, "\xff\xff\xff\xff{", 5);
    raw_await(fd, NULL);
    (void)close(fd);
    fd = raw_connect(b.port);
    raw_send(fd, "\0\0\x10\x01", 4); /* one more than is allowed */
    raw_await(fd, NULL);
    (void)close(fd);
    fd = raw_connect(b.port); /* a piece, and nothing more */
    raw_send(fd, "\0\0\0", 3);
    (void)close(fd);
    check_request(&b, "SYNC_REQUEST", NULL, "success");
    both_free(&b);
}

/* A peer that is told too much: it is not sent, and the caller hears of it. */
TEST(what_is_too_long_is_not_sent)
{
    struct both b;
    char big[6000];
    char *answer;

    both_init(&b);
    b.config.message_max = 4096;
    both_serve(&b, NULL);
    b.config.auth = SYNCLINE_LAN_AUTH_TOKEN;
    both_client(&b);
    both_connect(&b);
    (void)snprintf(big, sizeof big, "{\"x\":\"%5000d\"}", 1);
    check_fails(syncline_lan_client_send(b.c, "NEWS", big), SYNCLINE_ELIMIT,
        "too long");
    check_fails(syncline_lan_client_request(b.c, "NEWS", big, 0, &answer),
        SYNCLINE_ELIMIT, "too long");
    check_fails(syncline_lan_client_request(
                    b.c, "NEWS", "{\"request_id\":7}", 0, &answer),
        SYNCLINE_EINVAL, "request_id");
    check_request(&b, "SYNC_REQUEST", NULL, "success");
    both_free(&b);
}

/* A server that is none. */
static void *answer_garbage(void *arg)
{
    const int *listener = arg;
    int fd = accept(*listener, NULL, NULL);
    char sink[4096];

    while (fd >= 0 && recv(fd, sink, sizeof sink, 0) > 0) {
        raw_send(fd, "\0\0\0\3abc\0\0\0\2{}\0\0\0\2[]", 19);
        raw_send(fd, "\x7f\xff\xff\xff", 4);
    }
    (void)close(fd);
    return NULL;
}

TEST(a_server_that_talks_garbage_is_left)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
        .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof at;
    pthread_t thread;
    struct both b;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(bind(listener, (const struct sockaddr *)&at, sizeof at) == 0);
    CHECK(listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&at, &len) == 0);
    CHECK(pthread_create(&thread, NULL, answer_garbage, &listener) == 0);
    both_init(&b);
    b.config.auth = SYNCLINE_LAN_AUTH_TOKEN;
    both_client(&b);
    check_fails(
        syncline_lan_client_connect(b.c, "127.0.0.1", ntohs(at.sin_port)),
        SYNCLINE_EDENIED, "longer than is allowed");
    CHECK(pthread_join(thread, NULL) == 0);
    (void)close(listener);
    both_free(&b);
}

/* The time between two calls is doubled, up to the longest. Without that the
 * last of these would be minutes apart. */
TEST(a_server_that_is_gone_is_called_less_and_less)
{
    struct both b;
    uint64_t pause_us = 20000, before_us = 0;
    struct sockaddr_in at = { .sin_family = AF_INET,
        .sin_addr = { htonl(INADDR_LOOPBACK) } };
    const struct timeval limit = { .tv_sec = PATIENCE_S };
    const int on = 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    both_init(&b);
    both_serve(&b, NULL);
    b.config.auth = SYNCLINE_LAN_AUTH_TOKEN;
    b.config.reconnect_ms = 20;
    b.config.reconnect_max_ms = 150;
    both_client(&b);
    both_connect(&b);
    CHECK_OK(syncline_lan_server_stop(b.s));
    at.sin_port = htons((uint16_t)b.port);
    CHECK(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    CHECK(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) ==
        0);
    CHECK(bind(listener, (const struct sockaddr *)&at, sizeof at) == 0);
    CHECK(listen(listener, 1) == 0);
    for (int i = 0; i < 15; i++) {
        int fd = accept(listener, NULL, NULL);
        struct timespec now;
        uint64_t now_us;

        CHECK_SAYING(fd >= 0, "it does not call any more");
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        now_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
        CHECK_SAYING(i == 0 || now_us - before_us >= pause_us / 4 * 3,
            "call %d comes %llu us after the last", i,
            (unsigned long long)(now_us - before_us));
        before_us = now_us;
        pause_us = i == 0           ? 40000
            : 2 * pause_us < 150000 ? 2 * pause_us
                                    : 150000;
        (void)close(fd);
    }
    (void)close(listener);
    both_free(&b);
}

static void raw_read(int fd, char *text, size_t room)
{
    uint8_t head[4];
    size_t len;

    CHECK(recv(fd, head, sizeof head, MSG_WAITALL) == (ssize_t)sizeof head);
    len = (size_t)head[2] << 8 | head[3];
    CHECK(head[0] == 0 && head[1] == 0 && len < room);
    CHECK(recv(fd, text, len, MSG_WAITALL) == (ssize_t)len);
    text[len] = 0;
}

/* It understands the first dialect alone: says so, in that, and closes. */
static void *refuse_dialect(void *arg)
{
    struct both *b = arg;
    char text[4096], *no;
    uint32_t len;
    int fd = accept(b->port, NULL, NULL);

    raw_read(fd, text, sizeof text);
    CHECK(strstr(text, "\"destination\": null") == NULL);
    CHECK_OK(syncline_lan_create_message(b->h, "ERROR",
        "{\"error\":\"Invalid message signature\",\"code\":"
        "\"validation_failed\"}",
        1, &no));
    len = htonl((uint32_t)strlen(no));
    raw_send(fd, &len, 4);
    raw_send(fd, no, strlen(no));
    syncline_free(no);
    (void)close(fd);
    fd = accept(b->port, NULL, NULL);
    raw_read(fd, text, sizeof text);
    seen_note(&b->server, "",
        strstr(text, "\"destination\": null") != NULL ? "first" : "second");
    raw_await(fd, NULL); /* until it closes */
    (void)close(fd);
    return NULL;
}

TEST(a_server_that_understands_the_other_dialect)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
        .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof at;
    pthread_t thread;
    struct both b, server;
    char *answer;

    both_init(&b);
    both_init(&server);
    syncline_lan_handler_free(server.h);
    server.config.node_id = "server";
    server.config.dialect = SYNCLINE_LAN_FIRST;
    CHECK_OK(syncline_lan_handler_new(
        &server.h, &server.config, SECRET, sizeof SECRET - 1));
    server.port = socket(AF_INET, SOCK_STREAM, 0); /* where it listens */
    CHECK(bind(server.port, (const struct sockaddr *)&at, sizeof at) == 0);
    CHECK(listen(server.port, 1) == 0);
    CHECK(getsockname(server.port, (struct sockaddr *)&at, &len) == 0);
    CHECK(pthread_create(&thread, NULL, refuse_dialect, &server) == 0);
    b.port = ntohs(at.sin_port);
    both_client(&b);
    both_connect(&b);
    check_fails(
        syncline_lan_client_request(b.c, "SYNC_REQUEST", NULL, 0, &answer),
        SYNCLINE_ECLOSED, "Invalid message signature");
    seen_await(&b.client, "gone ");
    seen_await(&b.client, "open ;gone it says: Invalid message signature;open");
    CHECK_OK(syncline_lan_client_send(b.c, "SYNC_REQUEST", NULL));
    seen_await(&server.server, "first;");
    CHECK_OK(syncline_lan_client_close(b.c));
    CHECK(pthread_join(thread, NULL) == 0);
    (void)close(server.port);
    both_free(&b);
    both_free(&server);
}

TEST(a_silent_server_is_not_waited_for_for_ever)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
        .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof at;
    struct both b;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(bind(listener, (const struct sockaddr *)&at, sizeof at) == 0);
    CHECK(listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&at, &len) == 0);
    both_init(&b);
    b.config.auth = SYNCLINE_LAN_AUTH_TOKEN;
    b.config.connect_timeout_ms = 100;
    both_client(&b);
    check_fails(
        syncline_lan_client_connect(b.c, "127.0.0.1", ntohs(at.sin_port)),
        SYNCLINE_ETIMEOUT, "in time");
    (void)close(listener);
    both_free(&b);
}

TEST(who_does_not_come_in_does_not_stay_and_guesses_five_times)
{
    struct both b;
    char *data;
    int fd, rc = SYNCLINE_OK;

    both_init(&b);
    b.config.connect_timeout_ms = 100;
    b.config.clients_max = 2;
    both_serve(&b, on_auth);
    fd = raw_connect(b.port);
    raw_await(fd, NULL);
    (void)close(fd);
    b.config.connect_timeout_ms = 10000;
    CHECK_OK(syncline_lan_server_free(b.s));
    both_serve(&b, on_auth);
    both_client(&b);
    both_connect(&b);
    for (int i = 0; i < 5; i++)
        rc = syncline_lan_authenticate(b.c, "{\"token\":\"no\"}", &data);
    CHECK_INT(rc, SYNCLINE_EDENIED);
    seen_await(&b.client, "gone ");
    /* The right one does not help within the minute. */
    CHECK_OK(syncline_lan_client_close(b.c));
    both_connect(&b);
    check_fails(
        syncline_lan_authenticate(b.c, "{\"token\":\"valid-token\"}", &data),
        SYNCLINE_EDENIED, "Invalid credentials");
    both_free(&b);
}

/* Those who only stand there are turned away, the oldest first. */
TEST(who_stands_at_the_door_keeps_nobody_out)
{
    struct both b;
    int fds[12];

    both_init(&b);
    b.config.clients_max = 8;
    both_serve(&b, NULL);
    b.config.auth = SYNCLINE_LAN_AUTH_TOKEN;
    for (int i = 0; i < 12; i++)
        fds[i] = raw_connect(b.port);
    for (int i = 0; i < 9; i++)
        raw_await(fds[i], NULL); /* they were closed */
    both_client(&b);
    both_connect(&b);
    check_request(&b, "SYNC_REQUEST", NULL, "success");
    for (int i = 0; i < 12; i++)
        (void)close(fds[i]);
    both_free(&b);
}

TEST(who_says_nothing_or_too_much_is_noticed)
{
    struct both b;
    char body[256];
    uint32_t len;
    int fd;

    both_init(&b);
    b.config.client_timeout_ms = 200;
    b.config.require_authentication = 0;
    both_serve(&b, NULL);
    fd = raw_connect(b.port);
    raw_await(fd, NULL);
    (void)close(fd);
    CHECK_OK(syncline_lan_server_free(b.s));
    b.config.client_timeout_ms = 0;
    b.config.require_authentication = 1;
    both_serve(&b, NULL);
    fd = raw_connect(b.port);
    (void)snprintf(body, sizeof body, "{\"message_type\":\"HEARTBEAT\"}");
    len = htonl((uint32_t)strlen(body));
    for (int i = 0; i < 100; i++)
        if (send(fd, &len, 4, MSG_NOSIGNAL) != 4 ||
            send(fd, body, strlen(body), MSG_NOSIGNAL) < 0)
            break;
    raw_await(fd, NULL);
    (void)close(fd);
    both_free(&b);
}

/* More than a second's messages wait, and all of them are answered. */
TEST(who_says_much_waits)
{
    struct both b;

    both_init(&b);
    b.config.messages_per_s = 50;
    both_serve(&b, NULL);
    b.config.auth = SYNCLINE_LAN_AUTH_TOKEN;
    b.config.messages_per_s = 0;
    both_client(&b);
    both_connect(&b);
    for (int i = 0; i < 220; i++)
        check_request(&b, "SYNC_REQUEST", NULL, "success");
    both_free(&b);
}

/* ---- two that call each other ---- */

struct cross {
    struct both *b, *other;
    atomic_int done, busy;
    bool waits;
};

static int on_cross(void *ctx, const char *peer,
    const struct syncline_lan_message *m, char **reply)
{
    struct cross *x = ctx;
    char *text = NULL;
    int rc = x->waits ? syncline_lan_client_request(
                            x->other->c, "SYNC_REQUEST", NULL, 300, &text)
                      : syncline_lan_server_clients(x->other->s, &text);

    (void)peer;
    (void)m;
    (void)reply;
    atomic_fetch_add(rc == SYNCLINE_EBUSY ? &x->busy : &x->done, 1);
    syncline_free(text);
    return SYNCLINE_OK;
}

static void *cross_over(void *arg)
{
    struct cross *x = arg;

    for (int i = 0; i < 200; i++) {
        char *answer = NULL;

        if (syncline_lan_client_request(
                x->b->c, "SYNC_DATA", NULL, 0, &answer) != SYNCLINE_OK)
            return x;
        syncline_free(answer);
    }
    return NULL;
}

/* Neither waits for ever: who comes second is told that the first is busy. */
TEST(callbacks_of_two_that_call_each_other)
{
    struct both b[2];
    struct cross x[2] = { { &b[0], &b[1], 0, 0, false },
        { &b[1], &b[0], 0, 0, false } };
    pthread_t threads[2];

    for (int i = 0; i < 2; i++) {
        both_init(&b[i]);
        both_serve(&b[i], NULL);
        b[i].config.auth = SYNCLINE_LAN_AUTH_TOKEN;
        both_client(&b[i]);
        both_connect(&b[i]);
        CHECK_OK(
            syncline_lan_server_handle(b[i].s, "SYNC_DATA", on_cross, &x[i]));
    }
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, cross_over, &x[i]) == 0);
    for (int i = 0; i < 2; i++) {
        void *wrong = NULL;

        CHECK(pthread_join(threads[i], &wrong) == 0);
        CHECK(wrong == NULL);
        CHECK_INT(x[i].done + x[i].busy, 200);
        CHECK(x[i].done > 0);
    }
    for (int i = 0; i < 2; i++)
        both_free(&b[i]);
}

/* The answer is to come from the thread that waits for it: it does not, and
 * that is told in time. */
TEST(a_callback_that_waits_for_its_own_thread_by_another)
{
    struct both b;
    struct cross x = { &b, &b, 0, 0, true };
    char *answer;

    both_init(&b);
    both_serve(&b, NULL);
    b.config.auth = SYNCLINE_LAN_AUTH_TOKEN;
    both_client(&b);
    both_connect(&b);
    CHECK_OK(syncline_lan_server_handle(b.s, "SYNC_DATA", on_cross, &x));
    CHECK_OK(syncline_lan_client_request(b.c, "SYNC_DATA", NULL, 0, &answer));
    syncline_free(answer);
    CHECK_INT(x.done, 1);
    both_free(&b);
}

/* ---- too much ---- */

TEST(only_so_many_answers_are_waited_for)
{
    struct both b;
    int n = 0;

    both_init(&b);
    b.config.messages_per_s = 0;
    both_serve(&b, NULL);
    b.config.auth = SYNCLINE_LAN_AUTH_TOKEN;
    both_client(&b);
    both_connect(&b);
    while (n < 2000 &&
        syncline_lan_client_ask(
            b.c, "NEWS", NULL, 0, on_seen_answer, &b.client) == SYNCLINE_OK)
        n++;
    CHECK_INT(n, 1024);
    check_fails(syncline_lan_client_ask(
                    b.c, "NEWS", NULL, 0, on_seen_answer, &b.client),
        SYNCLINE_ELIMIT, "too many");
    CHECK_OK(syncline_lan_client_close(b.c));
    seen_await(&b.client, "answer -15 none;");
    both_free(&b);
}

TEST(a_client_that_does_not_read_is_told_no_more)
{
    static char big[(4 << 20) + 64];
    struct both b;
    int fd, rc = SYNCLINE_OK, n = 0;

    both_init(&b);
    b.config.require_authentication = 0;
    both_serve(&b, NULL);
    fd = raw_connect(b.port);
    seen_await(&b.server, "connected ");
    (void)snprintf(big, sizeof big, "{\"x\":\"%*d\"}", 4 << 20, 1);
    while (n < 100 && rc == SYNCLINE_OK) {
        rc = syncline_lan_server_send(
            b.s, b.server.peer, "SYNC_DATA", big, NULL);
        n++;
    }
    check_fails(rc, SYNCLINE_EBUSY, "does not read");
    CHECK(n > 16);
    (void)close(fd);
    both_free(&b);
}

/* ---- many threads ---- */

static void *ask_often(void *arg)
{
    struct both *b = arg;
    void *wrong = NULL;

    for (int i = 0; i < 100 && wrong == NULL; i++) {
        char *answer = NULL;
        int rc =
            syncline_lan_client_request(b->c, "SYNC_REQUEST", NULL, 0, &answer);

        if (rc != SYNCLINE_OK && rc != SYNCLINE_ECLOSED)
            wrong = b;
        syncline_free(answer);
        answer = NULL;
        rc = syncline_lan_server_clients(b->s, &answer);
        if (rc != SYNCLINE_OK && rc != SYNCLINE_ECLOSED)
            wrong = b;
        syncline_free(answer);
    }
    return wrong;
}

TEST(many_threads_ask_while_it_stops_and_starts)
{
    pthread_t threads[4];
    struct both b;

    both_init(&b);
    both_serve(&b, NULL);
    b.config.auth = SYNCLINE_LAN_AUTH_TOKEN;
    both_client(&b);
    both_connect(&b);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, ask_often, &b) == 0);
    for (int i = 0; i < 5; i++) {
        CHECK_OK(syncline_lan_client_close(b.c));
        both_connect(&b);
    }
    for (int i = 0; i < 4; i++) {
        void *wrong = NULL;

        CHECK(pthread_join(threads[i], &wrong) == 0);
        CHECK(wrong == NULL);
    }
    both_free(&b);
}
