#include "faces/http/ws_client.h"

#include <stdio.h>

#include "faces/http/http_conn.h"
#include "unit/check.h"

/* A client and our own server, face to face. */
struct pair {
    struct ws_client *client;
    struct http_conn *server;
    uint64_t now;
    unsigned opens, gone;
    bool refuses;
    struct buf at_client, at_server; /* messages, a line each */
    struct buf greeting;
};

static void on_open(void *ctx, struct slice server)
{
    struct pair *p = ctx;

    p->opens++;
    buf_put_str(&p->at_client, "server ");
    buf_put_slice(&p->at_client, server);
    buf_put_u8(&p->at_client, '\n');
}

static void on_client_message(void *ctx, bool text, struct slice message)
{
    struct pair *p = ctx;

    CHECK(text);
    buf_put_slice(&p->at_client, message);
    buf_put_u8(&p->at_client, '\n');
}

static int on_random(void *ctx, uint8_t *out, size_t n)
{
    static uint8_t next = 1;

    (void)ctx;
    while (n-- > 0)
        *out++ = next++;
    return SYNCLINE_OK;
}

static void on_request(
    void *ctx, struct http_conn *c, const struct http_request *r)
{
    struct pair *p = ctx;

    CHECK(r->is_websocket);
    CHECK_SLICE(r->path, "/sync");
    CHECK_SLICE(r->host, "example:8765");
    CHECK_SLICE(http_field(r, "user-agent"), "Syncline/9");
    if (p->refuses)
        http_respond(c, 404, NULL, SLICE_NONE, SLICE_NONE);
    else
        http_upgrade(c, NULL);
}

static void on_server_message(
    void *ctx, struct http_conn *c, bool text, struct slice message)
{
    struct pair *p = ctx;

    CHECK(text);
    buf_put_slice(&p->at_server, message);
    buf_put_u8(&p->at_server, '\n');
    http_send_message(c, true, message);
}

static void on_gone(void *ctx, struct http_conn *c)
{
    struct pair *p = ctx;

    (void)c;
    p->gone++;
}

static void put_fields(void *ctx, struct buf *head)
{
    (void)ctx;
    buf_put_str(head, "Server: us\r\n");
}

static void open_pair(struct pair *p, bool refuses)
{
    const struct ws_client_options opt = { .host = "example:8765",
        .path = "/sync",
        .agent = "Syncline/9",
        .message_max = 1 << 20,
        .greeting_ms = 5000,
        .ping_ms = 30000,
        .ctx = p,
        .on_open = on_open,
        .on_message = on_client_message,
        .random = on_random };
    const struct http_events events = { .ctx = p,
        .on_request = on_request,
        .on_message = on_server_message,
        .on_gone = on_gone,
        .put_fields = put_fields };

    *p = (struct pair){ .now = 1000, .refuses = refuses };
    CHECK_OK(ws_client_new(&p->client, &opt, p->now));
    CHECK_OK(http_conn_new(&p->server, &events, NULL, p->now));
}

static void close_pair(struct pair *p)
{
    ws_client_free(p->client);
    http_conn_free(p->server);
    buf_free(&p->at_client);
    buf_free(&p->at_server);
}

/* Carries bytes, some at a time, until there are none. */
static void carry(struct pair *p, size_t step)
{
    struct buf *up = ws_client_out(p->client), *down;

    down = http_conn_out(p->server);
    while (up->len > 0 || down->len > 0) {
        size_t n = up->len < step ? up->len : step;

        http_conn_feed(p->server, SLICE(up->ptr, n), p->now);
        buf_consume(up, n);
        n = down->len < step ? down->len : step;
        ws_client_feed(p->client, SLICE(down->ptr, n), p->now);
        buf_consume(down, n);
    }
}

TEST(a_greeting_messages_both_ways_and_an_end)
{
    for (size_t step = 1; step < 400; step += 7) {
        struct pair p;

        open_pair(&p, false);
        CHECK(!ws_client_is_open(p.client));
        carry(&p, step);
        CHECK(ws_client_is_open(p.client) && p.opens == 1);
        ws_client_send(p.client, SLICE_LIT("hello"));
        ws_client_send(p.client, SLICE_LIT(""));
        carry(&p, step);
        CHECK_SLICE(buf_slice(&p.at_server), "hello\n\n");
        CHECK_SLICE(buf_slice(&p.at_client), "server us\nhello\n\n");
        ws_client_close(p.client);
        carry(&p, step);
        CHECK(ws_client_is_over(p.client) && p.gone == 1);
        CHECK(http_conn_is_over(p.server));
        close_pair(&p);
    }
}

TEST(the_server_closes)
{
    struct pair p;

    open_pair(&p, false);
    carry(&p, 100);
    http_close_websocket(p.server, 1001, "done");
    carry(&p, 100);
    CHECK(ws_client_is_over(p.client));
    CHECK_SLICE(slice_str(ws_client_why(p.client)), "the other has closed it");
    close_pair(&p);
}

TEST(silence_is_asked_and_then_ended)
{
    struct pair p;

    open_pair(&p, false);
    carry(&p, 100);
    p.now += 30000;
    ws_client_tick(p.client, p.now);
    CHECK(ws_client_out(p.client)->len > 0);
    carry(&p, 100); /* it answers */
    p.now += 30000;
    ws_client_tick(p.client, p.now);
    CHECK(!ws_client_is_over(p.client));
    p.now += 30000;
    CHECK_UINT(ws_client_deadline_ms(p.client), p.now);
    ws_client_tick(p.client, p.now);
    CHECK(ws_client_is_over(p.client));
    CHECK_SLICE(slice_str(ws_client_why(p.client)), "it is silent");
    close_pair(&p);
}

static void check_refused(const char *answer, const char *why)
{
    struct pair p;

    open_pair(&p, false);
    ws_client_feed(p.client, slice_str(answer), p.now);
    CHECK_SAYING(ws_client_is_over(p.client) && p.opens == 0, "%s", answer);
    CHECK_SLICE(slice_str(ws_client_why(p.client)), why);
    close_pair(&p);
}

TEST(answers_that_are_none)
{
    struct pair p;

    open_pair(&p, true);
    carry(&p, 100);
    CHECK_SLICE(slice_str(ws_client_why(p.client)),
        "answered with HTTP/1.1 404 Not Found");
    close_pair(&p);
    check_refused("HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n"
                  "Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
        "its answer is not that of a WebSocket");
    check_refused(
        "HTTP/1.1 101 Yes\r\n\r\n", "its answer is not that of a WebSocket");
    check_refused("SSH-2.0-x\n", "what it answers is not HTTP");
    check_refused("\r\n\r\n", "answered with ");
    open_pair(&p, false);
    p.now += 5000;
    ws_client_tick(p.client, p.now);
    CHECK_SLICE(slice_str(ws_client_why(p.client)), "it does not answer");
    close_pair(&p);
}

/* A frame of a server that is masked, or cut, or too large. */
TEST(frames_that_break_the_rules)
{
    static const struct slice frames[] = {
        { (const uint8_t *)"\x81\x81\0\0\0\0x", 7 },
        { (const uint8_t *)"\x83\x00", 2 },
        { (const uint8_t *)"\x81\x7f\0\0\0\0\xff\0\0\0x", 11 },
        { (const uint8_t *)"\xc1\x00", 2 },
        { (const uint8_t *)"\x81\x01\xff", 3 },
    };

    for (size_t i = 0; i < ARRAY_N(frames); i++) {
        struct pair p;

        open_pair(&p, false);
        carry(&p, 100);
        ws_client_feed(p.client, frames[i], p.now);
        CHECK_SAYING(ws_client_is_over(p.client), "frame %zu", i);
        CHECK_SLICE(buf_slice(&p.at_client), "server us\n");
        close_pair(&p);
    }
}

TEST(memory_that_runs_out)
{
    for (long n = 0;; n++) {
        struct pair p = { .now = 1 };
        const struct ws_client_options opt = { .host = "a",
            .path = "/",
            .agent = "b",
            .message_max = 100,
            .ctx = &p,
            .on_open = on_open,
            .on_message = on_client_message,
            .random = on_random };
        int rc;

        check_alloc_fail_from(n);
        rc = ws_client_new(&p.client, &opt, p.now);
        if (!check_alloc_failed()) {
            CHECK_OK(rc);
            ws_client_free(p.client);
            break;
        }
        CHECK_INT(rc, SYNCLINE_ENOMEM);
    }
    check_alloc_fail_from(-1);
}
