#include "unit/http_world.h"

#include <stdio.h>

#define HOST "Host: a\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST "\r\n"
#define POST(n) "POST / HTTP/1.1\r\n" HOST "Content-Length: " #n "\r\n\r\n"
#define CHUNKED "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
#define OK_TEXT                                       \
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" \
    "Content-Length: 2\r\n\r\nok"
#define OK_CLOSE                                      \
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" \
    "Connection: close\r\nContent-Length: 2\r\n\r\nok"

static void open_world(struct http_world *w)
{
    CHECK_OK(http_world_open(w, NULL));
}

static void open_answering(struct http_world *w)
{
    open_world(w);
    w->answer = http_world_ok;
}

TEST(one_request_after_the_other)
{
    struct http_world w;

    open_answering(&w);
    http_world_feed(&w, GET);
    CHECK_SLICE(http_world_sent(&w), OK_TEXT);
    http_world_feed(&w, POST(3) "ab");
    CHECK_UINT(w.requests, 1);
    http_world_feed(&w, "c");
    CHECK_UINT(w.requests, 2);
    CHECK_SLICE(buf_slice(&w.body), "abc");
    CHECK_SLICE(http_world_sent(&w), OK_TEXT);
    CHECK(!http_conn_is_over(w.c) && !http_conn_is_busy(w.c));
    http_world_close(&w);
}

TEST(many_at_once_are_asked_in_turn)
{
    struct http_world w;

    open_answering(&w);
    http_world_feed(&w, POST(3) "abc" GET CHUNKED "2\r\nde\r\n0\r\n\r\n" GET);
    CHECK_UINT(w.requests, 4);
    CHECK_SLICE(http_world_sent(&w), OK_TEXT OK_TEXT OK_TEXT OK_TEXT);
    http_world_close(&w);
}

/* What waits behind a request comes with the tick that is due then. */
TEST(what_follows_waits_until_the_answer)
{
    struct http_world w;

    open_world(&w);
    http_world_feed(&w, POST(1) "a" GET);
    CHECK_UINT(w.requests, 1);
    CHECK(http_conn_is_busy(w.c));
    CHECK_UINT(http_conn_deadline_ms(w.c), 0);
    w.now += 500000;
    http_world_ok(&w, NULL);
    CHECK_UINT(w.requests, 1);
    CHECK(http_conn_deadline_ms(w.c) - 1 < w.now);
    http_conn_tick(w.c, w.now);
    CHECK_UINT(w.requests, 2);
    CHECK_UINT(w.gone, 0);
    http_world_ok(&w, NULL);
    CHECK_SLICE(http_world_sent(&w), OK_TEXT OK_TEXT);
    http_world_close(&w);
}

TEST(chunks_make_one_body)
{
    static const char request[] =
        CHUNKED "3;name=\"a value\"\r\nabc\r\n0A\r\n0123456789\r\n"
                "0\r\nX-Trailer: nobody wants it\r\n\r\n" GET;

    for (size_t step = 1; step < sizeof request; step++) {
        struct slice in = SLICE(request, sizeof request - 1);
        struct http_world w;

        open_world(&w);
        for (; in.len > 0; in = slice_from(in, step)) {
            http_conn_feed(
                w.c, SLICE(in.ptr, in.len < step ? in.len : step), w.now);
            if (!http_conn_is_busy(w.c) || w.requests != 1)
                continue;
            CHECK_SLICE(buf_slice(&w.body), "abc0123456789");
            CHECK_SLICE(
                buf_slice(&w.fields), "host=a;transfer-encoding=chunked;");
            http_world_ok(&w, NULL);
        }
        http_conn_tick(w.c, w.now);
        CHECK_UINT(w.requests, 2);
        http_world_close(&w);
    }
}

TEST(a_connection_is_closed_when_asked)
{
    static const char *const asks[] = {
        "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n" GET,
        "GET / HTTP/1.1\r\n" HOST "Connection: x, Close\r\n\r\n" GET,
        "GET / HTTP/1.0\r\n\r\n" GET,
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" GET,
    };

    for (size_t i = 0; i < ARRAY_N(asks); i++) {
        struct http_world w;

        open_answering(&w);
        http_world_feed(&w, asks[i]);
        CHECK_UINT(w.requests, 1);
        CHECK_SLICE(http_world_sent(&w), OK_CLOSE);
        CHECK(http_conn_is_over(w.c));
        http_world_feed(&w, GET);
        CHECK_UINT(w.requests, 1);
        CHECK_UINT(w.gone, 0);
        http_world_close(&w);
    }
}

TEST(an_answer_without_a_body)
{
    static const struct {
        const char *ask, *type, *answer;
        unsigned status;
    } rows[] = {
        { GET, NULL, "HTTP/1.1 204 No Content\r\nA: b\r\n\r\n", 204 },
        { GET, "text/plain", "HTTP/1.1 304 Not Modified\r\nA: b\r\n\r\n", 304 },
        { GET, NULL, "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 0\r\n\r\n",
            200 },
        { GET, NULL, "HTTP/1.1 299 \r\nA: b\r\nContent-Length: 0\r\n\r\n",
            299 },
        { "HEAD / HTTP/1.1\r\n" HOST "\r\n", "text/plain",
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nA: b\r\n"
            "Content-Length: 4\r\n\r\n",
            200 },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct http_world w;

        open_world(&w);
        http_world_feed(&w, rows[i].ask);
        http_respond(w.c, rows[i].status, rows[i].type, SLICE_LIT("A: b\r\n"),
            SLICE_LIT("body"));
        CHECK_SLICE(http_world_sent(&w), rows[i].answer);
        CHECK(!http_conn_is_over(w.c));
        http_world_feed(&w, GET);
        http_world_ok(&w, NULL);
        CHECK_SLICE(http_world_sent(&w), OK_TEXT);
        http_world_close(&w);
    }
}

TEST(a_body_may_wait_to_be_asked_for)
{
    struct http_world w;

    open_answering(&w);
    http_world_feed(&w,
        "PUT / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\n"
        "Content-Length: 2\r\n\r\n");
    CHECK_SLICE(http_world_sent(&w), "HTTP/1.1 100 Continue\r\n\r\n");
    http_world_feed(&w, "ab");
    CHECK_SLICE(http_world_sent(&w), OK_TEXT);
    http_world_feed(&w,
        "PUT / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
        "Content-Length: 2\r\n\r\nab"); /* it did not wait */
    CHECK_SLICE(http_world_sent(&w), OK_TEXT);
    http_world_feed(
        &w, "GET / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n\r\n");
    CHECK_SLICE(http_world_sent(&w), OK_TEXT);
    http_world_close(&w);
}

static void refuse_head(struct http_world *w, const struct http_request *r)
{
    (void)r;
    http_respond(w->c, 403, NULL, SLICE_NONE, SLICE_NONE);
}

/* Who is refused for what his head says is not asked for the body, and what he
 * sends of it is not kept. */
TEST(a_body_is_not_taken_of_who_is_refused)
{
    static const char *const heads[] = { "Content-Length: 9\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Expect: 100-continue\r\nContent-Length: 9\r\n" };

    for (size_t i = 0; i < ARRAY_N(heads); i++) {
        struct http_world w;
        char text[200];

        open_answering(&w);
        w.judge = refuse_head;
        (void)snprintf(
            text, sizeof text, "PUT / HTTP/1.1\r\n" HOST "%s\r\n", heads[i]);
        http_world_feed(&w, text);
        CHECK_UINT(w.heads, 1);
        CHECK_SLICE(http_world_sent(&w),
            "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n"
            "Content-Length: 0\r\n\r\n");
        CHECK(http_conn_is_over(w.c));
        http_world_feed(&w, "123456789" GET);
        CHECK_UINT(w.requests, 0);
        CHECK_UINT(http_conn_out(w.c)->len, 0);
        http_world_close(&w);
    }
}

/* It is shown once, while there is something to decide. */
TEST(a_head_is_shown_before_its_body)
{
    struct http_world w;

    open_answering(&w);
    http_world_feed(&w, POST(3));
    CHECK_UINT(w.heads, 1);
    http_world_feed(&w, "ab");
    http_world_feed(&w, "c" GET);
    CHECK_UINT(w.heads, 1);
    CHECK_UINT(w.requests, 2);
    CHECK_SLICE(http_world_sent(&w), OK_TEXT OK_TEXT);
    w.judge = refuse_head; /* a body that is there already costs nothing */
    http_world_feed(&w, POST(3) "abc");
    CHECK_UINT(w.heads, 1);
    CHECK_SLICE(http_world_sent(&w), OK_TEXT);
    http_world_close(&w);
}

TEST(a_stream_in_chunks)
{
    struct http_world w;

    open_world(&w);
    http_world_feed(&w, GET);
    http_stream(w.c, 200, "text/event-stream",
        SLICE_LIT("Cache-Control: no-store\r\n"));
    CHECK(!http_conn_is_busy(w.c));
    CHECK_SLICE(http_world_sent(&w),
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        "Cache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n");
    http_send(w.c, SLICE_LIT("data: 0123456789\n\n"));
    http_send(w.c, SLICE_NONE);
    CHECK_SLICE(http_world_sent(&w), "12\r\ndata: 0123456789\n\n\r\n");
    http_world_feed(&w, GET);
    CHECK_UINT(w.requests, 1);
    http_end(w.c);
    CHECK_SLICE(http_world_sent(&w), "0\r\n\r\n");
    http_conn_tick(w.c, w.now);
    CHECK_UINT(w.requests, 2);
    CHECK_UINT(w.gone, 0);
    http_world_close(&w);
}

TEST(a_stream_that_the_close_ends)
{
    struct http_world w;

    open_world(&w);
    http_world_feed(&w, "GET / HTTP/1.0\r\n\r\n");
    http_stream(w.c, 200, "text/plain", SLICE_NONE);
    http_send(w.c, SLICE_LIT("one "));
    http_send(w.c, SLICE_LIT("two"));
    http_end(w.c);
    CHECK_SLICE(http_world_sent(&w),
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
        "Connection: close\r\n\r\none two");
    CHECK(http_conn_is_over(w.c));
    CHECK_UINT(w.gone, 0);
    http_world_close(&w);
}

TEST(a_stream_that_only_its_head_was_asked_of)
{
    struct http_world w;

    open_world(&w);
    http_world_feed(&w, "HEAD / HTTP/1.1\r\n" HOST "\r\n");
    http_stream(w.c, 200, NULL, SLICE_NONE);
    http_send(w.c, SLICE_LIT("one"));
    http_end(w.c);
    CHECK_SLICE(http_world_sent(&w),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    CHECK(!http_conn_is_over(w.c));
    http_world_close(&w);
}

TEST(a_refusal_is_a_problem_document)
{
    struct http_world w;

    open_world(&w);
    http_world_feed(
        &w, "PUT / HTTP/1.1\r\n" HOST "Content-Encoding: gzip\r\n\r\n");
    CHECK_SLICE(http_world_sent(&w),
        "HTTP/1.1 415 Unsupported Media Type\r\n"
        "Content-Type: application/problem+json\r\n"
        "Accept-Encoding: identity\r\nConnection: close\r\n"
        "Content-Length: 144\r\n\r\n"
        "{\"type\":\"about:blank\",\"title\":\"Unsupported Media Type\","
        "\"status\":415,\"detail\":\"The body is compressed; send it as it is."
        "\",\"code\":\"EUNSUPPORTED\"}\n");
    http_world_close(&w);
}

static void feed_many(struct http_world *w, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        http_world_feed(w, text);
}

TEST(what_is_too_large)
{
    static const struct {
        const char *first, *again;
        size_t times;
        unsigned status;
    } rows[] = {
        { "GET /", "a", 200, 414 },
        { "GET / HTTP/1.1\r\n" HOST, "A: 0123456789\r\n", 20, 431 },
        { "GET / HTTP/1.1\r\n" HOST, "A:\r\n", 8, 0 },
        { POST(101), "", 0, 413 },
        { CHUNKED, "a\r\n0123456789\r\n", 10, 0 },
        { CHUNKED, "a\r\n0123456789\r\n", 11, 413 },
        { CHUNKED "65\r\n", "a", 101, 413 },
        { CHUNKED "1;", "0123456789abcdef", 5000, 413 },
        { CHUNKED "0\r\n", "Trailer: 789abcdef\r\n", 5000, 413 },
    };
    const struct http_limits limits = { .head_max = 200, .body_max = 100 };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct http_world w;

        CHECK_OK(http_world_open(&w, &limits));
        http_world_feed(&w, rows[i].first);
        feed_many(&w, rows[i].again, rows[i].times);
        CHECK_SAYING(http_world_status(&w) == rows[i].status, "row %zu", i);
        CHECK(http_conn_is_over(w.c) == (rows[i].status != 0));
        CHECK_UINT(w.requests, 0);
        http_world_close(&w);
    }
}

TEST(as_many_fields_as_are_taken)
{
    const struct http_limits limits = { .fields_max = 3 };

    for (size_t n = 1; n <= 4; n++) {
        struct http_world w;

        CHECK_OK(http_world_open(&w, &limits));
        http_world_feed(&w, "GET / HTTP/1.1\r\n" HOST);
        feed_many(&w, "A: b\r\n", n - 1);
        http_world_feed(&w, "\r\n");
        CHECK_UINT(w.requests, n <= 3);
        CHECK_UINT(http_world_status(&w), n <= 3 ? 0 : 431);
        http_world_close(&w);
    }
}

/* Feeds, lets the deadline pass, and wants that status. */
static void check_late(const char *text, uint64_t after, unsigned status)
{
    struct http_world w;
    uint64_t began;

    open_world(&w);
    w.now += 5000;
    began = w.now;
    http_world_feed(&w, text);
    CHECK_UINT(http_conn_deadline_ms(w.c), began + after);
    http_conn_tick(w.c, began + after - 1);
    CHECK(!http_conn_is_over(w.c));
    http_conn_tick(w.c, began + after);
    CHECK(http_conn_is_over(w.c));
    CHECK_UINT(http_world_status(&w), status);
    CHECK_UINT(w.gone, 0);
    http_world_close(&w);
}

TEST(what_is_too_slow)
{
    struct http_world w;

    check_late("G", 10000, 408);
    check_late(POST(3) "a", 60000, 408);
    check_late(CHUNKED "3\r\na", 60000, 408);
    open_world(&w);
    CHECK_UINT(http_conn_deadline_ms(w.c), w.now + 60000);
    http_conn_tick(w.c, w.now + 60000);
    CHECK(http_conn_is_over(w.c));
    CHECK_UINT(http_conn_out(w.c)->len, 0); /* nobody is waiting for it */
    http_world_close(&w);
}

/* A head that comes byte by byte has no longer than another. */
TEST(a_head_in_drops)
{
    struct http_world w;

    open_world(&w);
    for (unsigned i = 0; i < 10; i++, w.now += 1000)
        http_world_feed(&w, i == 0 ? "G" : "E");
    http_conn_tick(w.c, w.now);
    CHECK_UINT(http_world_status(&w), 408);
    http_world_close(&w);
}

TEST(a_new_head_has_its_own_time)
{
    struct http_world w;

    open_world(&w);
    http_world_feed(&w, GET "G");
    w.now += 100000;
    http_world_ok(&w, NULL);
    http_conn_tick(w.c, w.now);
    CHECK(!http_conn_is_over(w.c));
    (void)http_world_sent(&w);
    CHECK_UINT(http_conn_deadline_ms(w.c), w.now + 10000);
    http_world_close(&w);
}

TEST(who_takes_nothing_is_left)
{
    struct http_world w;

    open_world(&w);
    http_world_feed(&w, GET);
    http_stream(w.c, 200, NULL, SLICE_NONE);
    http_send(w.c, SLICE_LIT("abc"));
    CHECK_UINT(http_conn_deadline_ms(w.c), w.now + 60000);
    http_conn_tick(w.c, w.now += 30000);
    buf_consume(http_conn_out(w.c), 1); /* it takes a little */
    http_conn_tick(w.c, w.now += 30000);
    CHECK_UINT(http_conn_deadline_ms(w.c), w.now + 60000);
    http_send(w.c, SLICE_LIT("def")); /* which is no sign of life */
    http_conn_tick(w.c, w.now + 59999);
    CHECK_UINT(w.gone, 0);
    http_conn_tick(w.c, w.now + 60000);
    CHECK_UINT(w.gone, 1);
    CHECK_UINT(http_conn_out(w.c)->len, 0);
    http_world_close(&w);
}

/* A reader that stalls costs so much and no more. */
TEST(a_stream_that_is_not_read_ends)
{
    static const char large[300];
    const struct http_limits limits = { .queue_max = 200 };
    struct http_world w;

    CHECK_OK(http_world_open(&w, &limits));
    http_world_feed(&w, GET);
    http_stream(w.c, 200, NULL, SLICE_NONE);
    (void)http_world_sent(&w);
    http_send(w.c, SLICE_LIT("0123456789"));
    http_send(w.c, SLICE(large, sizeof large)); /* one may be larger */
    CHECK(!http_conn_is_over(w.c));
    http_send(w.c, SLICE_LIT("a"));
    CHECK(http_conn_is_over(w.c));
    CHECK_UINT(w.gone, 0);
    CHECK(http_conn_deadline_ms(w.c) - 1 < w.now);
    http_send(w.c, SLICE_LIT("a"));
    http_conn_tick(w.c, w.now);
    CHECK_UINT(w.gone, 1);
    CHECK_UINT(http_conn_deadline_ms(w.c), 0);
    http_world_close(&w);
}

TEST(who_asks_on_and_on_is_left)
{
    struct http_world w;
    static char many[1 << 16];

    memset(many, 'a', sizeof many - 1);
    open_world(&w);
    http_world_feed(&w, GET);
    feed_many(&w, many, 16);
    CHECK_UINT(w.gone, 0);
    feed_many(&w, many, 2);
    CHECK_UINT(w.gone, 1);
    http_world_close(&w);
}

TEST(whoever_waits_hears_that_the_peer_has_gone)
{
    struct http_world w;

    open_world(&w);
    http_world_feed(&w, "GET / HT");
    http_conn_end(w.c);
    CHECK(http_conn_is_over(w.c));
    CHECK_UINT(w.gone, 0); /* nothing had been asked */
    http_world_close(&w);

    open_world(&w);
    http_world_feed(&w, GET);
    http_conn_end(w.c);
    http_conn_end(w.c);
    CHECK_UINT(w.gone, 1);
    http_world_ok(&w, NULL); /* too late */
    CHECK_UINT(http_conn_out(w.c)->len, 0);
    http_world_close(&w);

    open_world(&w);
    http_world_feed(&w, GET);
    http_stream(w.c, 200, NULL, SLICE_NONE);
    http_conn_end(w.c);
    CHECK_UINT(w.gone, 1);
    http_end(w.c);
    http_world_close(&w);
}

/* Two requests, a stream and an end, as far as it gets. */
static void play(struct http_world *w)
{
    static const char piece[1000];

    http_world_feed(w, CHUNKED "3\r\nabc\r\n");
    http_world_feed(w, "0\r\n\r\nGET / HT");
    if (w->requests == 1)
        http_world_ok(w, NULL);
    http_world_feed(w, "TP/1.1\r\n" HOST "\r\n");
    if (w->requests == 2) {
        http_stream(w->c, 200, NULL, SLICE_NONE);
        http_send(w->c, SLICE(piece, sizeof piece));
    }
    http_world_feed(w, "nonsense");
    http_conn_end(w->c);
}

TEST(memory_that_runs_out_ends_the_connection)
{
    for (long n = 0;; n++) {
        struct http_world w;
        int rc;

        check_alloc_fail_from(n);
        rc = http_world_open(&w, NULL);
        if (rc == SYNCLINE_OK) {
            play(&w);
            CHECK(http_conn_is_over(w.c));
        }
        if (!check_alloc_failed()) {
            CHECK_UINT(w.requests, 2);
            CHECK_UINT(w.gone, 1);
            http_world_close(&w);
            break;
        }
        if (rc != SYNCLINE_OK)
            CHECK_INT(rc, SYNCLINE_ENOMEM);
        http_world_close(&w);
    }
    check_alloc_fail_from(-1);
}

/* Refusals too. */
TEST(memory_that_runs_out_while_refusing)
{
    for (long n = 0;; n++) {
        struct http_world w;

        check_alloc_fail_from(-1);
        open_world(&w);
        check_alloc_fail_from(n);
        http_world_feed(&w, "\n");
        CHECK(http_conn_is_over(w.c));
        if (!check_alloc_failed()) {
            CHECK_UINT(http_world_status(&w), 400);
            http_world_close(&w);
            break;
        }
        CHECK_UINT(http_conn_out(w.c)->len, 0);
        http_world_close(&w);
    }
    check_alloc_fail_from(-1);
}
