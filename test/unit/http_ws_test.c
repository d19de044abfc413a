#include "unit/http_world.h"

#define ASKS                                                 \
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n" \
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"    \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

/* First bytes of frames: the last or only one is marked by 0x80. */
enum { GOES_ON = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };
#define LAST 0x80

static void accept(struct http_world *w, const struct http_request *r)
{
    CHECK(r->is_websocket);
    http_upgrade(w->c, NULL);
}

static void open_limited(struct http_world *w, const struct http_limits *limits)
{
    CHECK_OK(http_world_open(w, limits));
    w->answer = accept;
    http_world_feed(w, ASKS);
    CHECK_UINT(w->requests, 1);
    CHECK_UINT(http_world_status(w), 101);
}

static void open_world(struct http_world *w)
{
    open_limited(w, NULL);
}

static void put_frame(
    struct buf *b, unsigned first, const char *text, size_t len)
{
    static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };

    buf_put_u8(b, (uint8_t)first);
    if (len < 126) {
        buf_put_u8(b, (uint8_t)(0x80 | len));
    } else {
        buf_put_u8(b, 0x80 | 126);
        buf_put_u8(b, (uint8_t)(len >> 8));
        buf_put_u8(b, (uint8_t)len);
    }
    buf_put(b, mask, 4);
    for (size_t i = 0; i < len; i++)
        buf_put_u8(b, (uint8_t)text[i] ^ mask[i % 4]);
}

static void feed_frame(struct http_world *w, unsigned first, const char *text)
{
    struct buf b = { 0 };

    put_frame(&b, first, text, strlen(text));
    http_conn_feed(w->c, buf_slice(&b), w->now);
    buf_free(&b);
}

TEST(the_greeting)
{
    struct http_world w;

    CHECK_OK(http_world_open(&w, NULL));
    http_world_feed(&w, ASKS);
    CHECK(w.is_websocket);
    http_upgrade(w.c,
        &(struct http_socket){
            .protocol = "syncline.v1" }); /* later, when the head has gone */
    CHECK_SLICE(http_world_sent(&w),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        "Sec-WebSocket-Protocol: syncline.v1\r\n\r\n");
    CHECK(!http_conn_is_busy(w.c) && !http_conn_is_over(w.c));
    http_world_close(&w);
}

TEST(messages_both_ways_in_pieces_of_any_size)
{
    struct buf in = { 0 };
    static char longer[300];

    memset(longer, 'x', sizeof longer - 1);
    put_frame(&in, LAST | TEXT, "one", 3);
    put_frame(&in, BINARY, "tw", 2);
    put_frame(&in, LAST | PING, "are you there", 13);
    put_frame(&in, GOES_ON, "", 0);
    put_frame(&in, LAST | GOES_ON, "o", 1);
    put_frame(&in, LAST | TEXT, "", 0);
    put_frame(&in, LAST | PONG, "yes", 3);
    put_frame(&in, LAST | TEXT, longer, 299);
    for (size_t step = 1; step <= in.len; step++) {
        struct slice all = buf_slice(&in);
        struct http_world w;

        open_world(&w);
        for (; all.len > 0; all = slice_from(all, step))
            http_conn_feed(
                w.c, SLICE(all.ptr, all.len < step ? all.len : step), w.now);
        CHECK(slice_has_prefix(
            buf_slice(&w.messages), SLICE_LIT("t:one\nb:two\nt:\nt:xxx")));
        CHECK_UINT(w.messages.len, 15 + 2 + 299 + 1);
        CHECK_SLICE(http_world_sent(&w),
            "\x8a\x0d"
            "are you there");
        http_send_message(w.c, true, SLICE_LIT("hello"));
        http_send_message(w.c, false, SLICE_NONE);
        CHECK_BYTES(http_world_sent(&w), SLICE_LIT("\x81\x05hello\x82\x00"));
        http_world_close(&w);
    }
    buf_free(&in);
}

TEST(a_longer_message_goes_out_whole)
{
    static const char large[70000];
    struct http_world w;
    struct slice out;

    open_world(&w);
    http_send_message(w.c, false, SLICE(large, 126));
    http_send_message(w.c, false, SLICE(large, 65536));
    out = buf_slice(http_conn_out(w.c));
    CHECK_UINT(out.len, 4 + 126 + 10 + 65536);
    CHECK_BYTES(SLICE(out.ptr, 4), SLICE_LIT("\x82\x7e\x00\x7e"));
    CHECK_BYTES(SLICE(out.ptr + 130, 10),
        SLICE_LIT("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"));
    http_world_close(&w);
}

TEST(frames_behind_the_request_are_not_lost)
{
    struct http_world w;
    struct buf in = { 0 };

    CHECK_OK(http_world_open(&w, NULL));
    buf_put_str(&in, ASKS);
    put_frame(&in, LAST | TEXT, "early", 5);
    http_conn_feed(w.c, buf_slice(&in), w.now);
    CHECK(http_conn_is_busy(w.c));
    http_upgrade(w.c, NULL);
    CHECK(http_conn_deadline_ms(w.c) - 1 < w.now);
    http_conn_tick(w.c, w.now);
    CHECK_SLICE(buf_slice(&w.messages), "t:early\n");
    buf_free(&in);
    http_world_close(&w);
}

TEST(the_other_closes)
{
    struct http_world w;

    open_world(&w);
    feed_frame(&w, LAST | CLOSE,
        "\x03\xe8"
        "bye");
    CHECK_SLICE(http_world_sent(&w),
        "\x88\x05\x03\xe8"
        "bye");
    CHECK(http_conn_is_over(w.c));
    CHECK_UINT(w.gone, 1);
    http_send_message(w.c, true, SLICE_LIT("too late"));
    CHECK_UINT(http_conn_out(w.c)->len, 0);
    http_world_close(&w);
}

TEST(we_close)
{
    struct http_world w;

    open_world(&w);
    http_close_websocket(w.c, 1001, "going");
    CHECK_SLICE(http_world_sent(&w), "\x88\x07\x03\xe9going");
    CHECK(!http_conn_is_over(w.c));
    feed_frame(&w, LAST | TEXT, "on the way");
    feed_frame(&w, LAST | CLOSE, "\x03\xe9");
    CHECK(http_conn_is_over(w.c));
    CHECK_UINT(w.gone, 0);
    CHECK_UINT(w.messages.len, 0);
    http_world_close(&w);
}

TEST(we_close_and_nobody_answers)
{
    struct http_world w;

    open_world(&w);
    w.now += 100000;
    http_close_websocket(w.c, 1000, NULL);
    http_conn_tick(w.c, w.now); /* which learns the time only here */
    CHECK(!http_conn_is_over(w.c));
    CHECK_UINT(http_conn_deadline_ms(w.c), w.now + 30000);
    http_conn_tick(w.c, w.now + 30000);
    CHECK(http_conn_is_over(w.c));
    CHECK_UINT(w.gone, 0);
    http_world_close(&w);
}

TEST(the_network_ends)
{
    struct http_world w;

    open_world(&w);
    http_conn_end(w.c);
    CHECK_UINT(w.gone, 1);
    http_close_websocket(w.c, 1000, NULL);
    http_world_close(&w);
}

/* Frames that break the protocol, and the code they are closed with. */
TEST(what_breaks_the_protocol)
{
    static const struct {
        const char *what, *bytes;
        size_t n;
        unsigned code;
    } rows[] = {
        { "no mask",
            "\x81\x01"
            "a",
            3, 1002 },
        { "a reserved bit", "\xc1\x80\0\0\0\0", 6, 1002 },
        { "a reserved opcode", "\x83\x80\0\0\0\0", 6, 1002 },
        { "a reserved control opcode", "\x8b\x80\0\0\0\0", 6, 1002 },
        { "a ping in fragments", "\x09\x80\0\0\0\0", 6, 1002 },
        { "a ping of 126", "\x89\xfe\0\x7e\0\0\0\0", 8, 1002 },
        { "the middle of nothing", "\x80\x80\0\0\0\0", 6, 1002 },
        { "a beginning in a message", "\x01\x80\0\0\0\0\x01\x80\0\0\0\0", 12,
            1002 },
        { "a length said too long", "\x81\xfe\0\x05\0\0\0\0", 8, 1002 },
        { "a length beyond 63 bits", "\x81\xff\xff\0\0\0\0\0\0\0\0\0\0\0", 14,
            1002 },
        { "a close with a reserved code", "\x88\x82\0\0\0\0\x03\xed", 8, 1002 },
        { "no UTF-8", "\x81\x81\0\0\0\0\xff", 7, 1007 },
        { "half a letter", "\x81\x81\0\0\0\0\xc3", 7, 1007 },
        { "a large message", "\x82\xff\0\0\0\0\0\x10\0\x01\0\0\0\0a", 15,
            1009 },
        { "a huge message", "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0a",
            15, 1009 },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct http_world w;
        struct slice sent;

        open_world(&w);
        http_conn_feed(w.c, SLICE(rows[i].bytes, rows[i].n), w.now);
        sent = http_world_sent(&w);
        CHECK_SAYING(sent.len >= 4 && sent.ptr[0] == 0x88 &&
                (sent.ptr[2] << 8 | sent.ptr[3]) == (int)rows[i].code,
            "%s: %zu bytes, code %d", rows[i].what, sent.len,
            sent.len >= 4 ? sent.ptr[2] << 8 | sent.ptr[3] : 0);
        CHECK(http_conn_is_over(w.c));
        CHECK_UINT(w.gone, 1);
        CHECK_UINT(w.messages.len, 0);
        http_world_close(&w);
    }
}

TEST(so_many_fragments_and_no_more)
{
    for (unsigned n = 64; n <= 65; n++) {
        struct http_world w;

        open_world(&w);
        feed_frame(&w, TEXT, "a");
        for (unsigned i = 2; i < n; i++)
            feed_frame(&w, GOES_ON, "");
        feed_frame(&w, LAST | GOES_ON, "");
        CHECK_SLICE(buf_slice(&w.messages), n <= 64 ? "t:a\n" : "");
        CHECK_SLICE(http_world_sent(&w), n <= 64 ? "" : "\x88\x02\x03\xf0");
        CHECK_UINT(w.gone, n > 64);
        http_world_close(&w);
    }
}

TEST(a_message_that_is_too_large_in_its_sum)
{
    const struct http_limits limits = { .message_max = 10 };
    struct http_world w;

    open_limited(&w, &limits);
    feed_frame(&w, LAST | TEXT, "0123456789");
    feed_frame(&w, TEXT, "012345");
    CHECK_UINT(w.gone, 0);
    feed_frame(&w, LAST | GOES_ON, "01234");
    CHECK_SLICE(http_world_sent(&w), "\x88\x02\x03\xf1");
    CHECK_UINT(w.gone, 1);
    CHECK_SLICE(buf_slice(&w.messages), "t:0123456789\n");
    http_world_close(&w);
}

TEST(who_says_nothing_is_asked_and_then_left)
{
    struct http_world w;

    open_world(&w);
    CHECK_UINT(http_conn_deadline_ms(w.c), w.now + 30000);
    w.now += 30000;
    http_conn_tick(w.c, w.now);
    CHECK_BYTES(http_world_sent(&w), SLICE_LIT("\x89\x00"));
    CHECK_UINT(http_conn_deadline_ms(w.c), w.now + 30000);
    w.now += 29999;
    feed_frame(&w, LAST | PONG, "");
    CHECK_UINT(http_conn_deadline_ms(w.c), w.now + 30000);
    w.now += 30000;
    http_conn_tick(w.c, w.now);
    CHECK_BYTES(http_world_sent(&w), SLICE_LIT("\x89\x00"));
    w.now += 30000;
    CHECK_UINT(w.gone, 0);
    http_conn_tick(w.c, w.now);
    CHECK_UINT(w.gone, 1);
    CHECK(http_conn_is_over(w.c));
    http_world_close(&w);
}

TEST(a_reader_that_stalls_is_left)
{
    const struct http_limits limits = { .queue_max = 1000 };
    static const char piece[500];
    struct http_world w;

    open_limited(&w, &limits);
    http_send_message(w.c, false, SLICE(piece, sizeof piece));
    http_send_message(w.c, false, SLICE(piece, sizeof piece));
    CHECK(!http_conn_is_over(w.c));
    http_send_message(w.c, false, SLICE(piece, sizeof piece));
    CHECK(http_conn_is_over(w.c));
    CHECK_UINT(http_conn_out(w.c)->len, 0);
    CHECK_UINT(w.gone, 0);
    http_conn_tick(w.c, w.now);
    CHECK_UINT(w.gone, 1);
    http_world_close(&w);
}

/* Pings cost memory here only while they are read there. */
TEST(pings_without_end)
{
    struct http_world w;

    open_world(&w);
    for (unsigned i = 0; i < 5000; i++) {
        feed_frame(&w, LAST | PING, "0123456789012345678901234567890123456789");
        (void)http_world_sent(&w);
    }
    CHECK_UINT(w.gone, 0);
    for (unsigned i = 0; i < 5000 && w.gone == 0; i++)
        feed_frame(&w, LAST | PING, "0123456789012345678901234567890123456789");
    CHECK_UINT(w.gone, 1);
    http_world_close(&w);
}

static void echo(
    void *ctx, struct http_conn *c, bool text, struct slice message)
{
    (void)ctx;
    http_send_message(c, text, message);
    if (slice_is(message, "bye"))
        http_close_websocket(c, 1000, "bye");
}

static void accept_plainly(
    void *ctx, struct http_conn *c, const struct http_request *r)
{
    (void)ctx;
    (void)r;
    http_upgrade(c, NULL);
}

static void count_gone(void *ctx, struct http_conn *c)
{
    unsigned *gone = ctx;

    (void)c;
    (*gone)++;
}

/* From the message's own call back. */
TEST(an_answer_and_a_close_while_a_message_is_heard)
{
    unsigned gone = 0;
    const struct http_events events = { .ctx = &gone,
        .on_request = accept_plainly,
        .on_message = echo,
        .on_gone = count_gone };
    struct http_conn *c;
    struct buf in = { 0 };

    CHECK_OK(http_conn_new(&c, &events, NULL, 1));
    http_conn_feed(c, SLICE_LIT(ASKS), 1);
    buf_clear(http_conn_out(c));
    put_frame(&in, LAST | TEXT, "one", 3);
    put_frame(&in, LAST | BINARY, "bye", 3);
    put_frame(&in, LAST | TEXT, "two", 3);
    put_frame(&in, LAST | CLOSE, "", 0);
    http_conn_feed(c, buf_slice(&in), 1);
    CHECK_SLICE(buf_slice(http_conn_out(c)),
        "\x81\x03one\x82\x03"
        "bye\x88\x05\x03\xe8"
        "bye");
    CHECK(http_conn_is_over(c));
    CHECK_UINT(gone, 0);
    buf_free(&in);
    http_conn_free(c);
}

TEST(memory_that_runs_out_ends_a_websocket)
{
    struct buf in = { 0 };

    put_frame(&in, TEXT, "one", 3);
    put_frame(&in, LAST | GOES_ON, "two", 3);
    for (long n = 0;; n++) {
        struct http_world w;

        CHECK_OK(http_world_open(&w, NULL));
        w.answer = accept;
        check_alloc_fail_from(n);
        http_world_feed(&w, ASKS);
        http_conn_feed(w.c, buf_slice(&in), w.now);
        if (w.requests == 1)
            http_send_message(w.c, true, SLICE_LIT("three"));
        if (check_alloc_failed())
            http_conn_tick(w.c, w.now);
        if (!check_alloc_failed()) {
            CHECK_UINT(w.messages.len, 9);
            CHECK_UINT(w.gone, 0);
            http_world_close(&w);
            break;
        }
        check_alloc_fail_from(-1);
        CHECK_SAYING(w.gone <= w.requests, "allocation %ld", n);
        http_world_close(&w);
    }
    check_alloc_fail_from(-1);
    buf_free(&in);
}

static void accept_and_tell(struct http_world *w, const struct http_request *r)
{
    struct buf b = { 0 };

    (void)r;
    memset(buf_reserve(&b, 300000), 'a', 300000);
    b.len = 300000;
    http_upgrade(w->c, NULL);
    http_send_message(w->c, true, buf_slice(&b));
    buf_free(&b);
}

/* What is told at once is no echo of what has come. */
TEST(much_is_told_with_the_greeting)
{
    struct http_world w;

    CHECK_OK(http_world_open(&w, NULL));
    w.answer = accept_and_tell;
    http_world_feed(&w, ASKS);
    CHECK(!http_conn_is_over(w.c));
    CHECK(http_conn_out(w.c)->len > 300000);
    http_world_close(&w);
}
