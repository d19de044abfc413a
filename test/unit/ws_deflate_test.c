/* Messages that are compressed: what is agreed on, the bytes, and what is
 * refused of them. */
#include "faces/http/ws_deflate.h"

#include <stdlib.h>

#include "faces/deflate.h"
#include "faces/http/ws.h"
#include "unit/check.h"

TEST(what_a_server_makes_of_offers)
{
    static const struct {
        const char *offers, *answer; /* NULL: none is taken */
    } rows[] = {
        { "", NULL },
        { "x-syncline-deflate", "x-syncline-deflate" },
        { "x-syncline-deflate; a=1", NULL },
        { "permessage-deflate",
            "permessage-deflate; server_no_context_takeover; "
            "client_no_context_takeover" },
        { "bzip, , Permessage-Deflate;client_max_window_bits",
            "permessage-deflate; server_no_context_takeover; "
            "client_no_context_takeover" },
        { "permessage-deflate; server_max_window_bits=12; "
          "client_max_window_bits=12",
            "permessage-deflate; server_no_context_takeover; "
            "client_no_context_takeover; server_max_window_bits=12" },
        { "permessage-deflate; server_max_window_bits=\"10\"",
            "permessage-deflate; server_no_context_takeover; "
            "client_no_context_takeover; server_max_window_bits=10" },
        { "permessage-deflate; server_max_window_bits=8, x-syncline-deflate",
            "x-syncline-deflate" },
        { "permessage-deflate; server_max_window_bits", NULL },
        { "permessage-deflate; server_max_window_bits=16", NULL },
        { "permessage-deflate; server_max_window_bits=012", NULL },
        { "permessage-deflate; server_no_context_takeover=1", NULL },
        { "permessage-deflate; server_no_context_takeover; "
          "server_no_context_takeover",
            NULL },
        { "permessage-deflate; more", NULL },
        { "permessage-deflate;", NULL },
        { "permessage-deflate-x", NULL },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct ws_deflate d = ws_deflate_choose(slice_str(rows[i].offers));
        struct buf b = { 0 };

        CHECK_SAYING((d.name != WS_OFFER_NONE) == (rows[i].answer != NULL),
            "%s", rows[i].offers);
        if (d.name != WS_OFFER_NONE) {
            ws_deflate_put_answer(&b, &d);
            CHECK_SLICE(buf_slice(&b), rows[i].answer);
        }
        buf_free(&b);
    }
}

TEST(what_a_client_takes_for_an_answer)
{
    static const struct {
        const char *answer;
        enum ws_offer least; /* that must have been offered; NONE: no use */
    } rows[] = {
        { "x-syncline-deflate", WS_OFFER_OWN },
        { "permessage-deflate; server_no_context_takeover", WS_OFFER_ALL },
        { "permessage-deflate; server_no_context_takeover; "
          "client_no_context_takeover; server_max_window_bits=8",
            WS_OFFER_ALL },
        { "permessage-deflate", WS_OFFER_NONE }, /* it would keep a context */
        { "permessage-deflate; server_no_context_takeover; "
          "client_max_window_bits=9",
            WS_OFFER_NONE }, /* that was not offered */
        { "x-syncline-deflate, x-syncline-deflate", WS_OFFER_NONE },
        { "gzip", WS_OFFER_NONE },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++)
        for (int offer = WS_OFFER_NONE; offer <= WS_OFFER_ALL; offer++) {
            struct ws_deflate d = { .name = WS_OFFER_NONE };
            int rc = ws_deflate_agree(
                &d, slice_str(rows[i].answer), (enum ws_offer)offer);

            CHECK_INT(rc,
                rows[i].least != WS_OFFER_NONE && offer >= (int)rows[i].least
                    ? SYNCLINE_OK
                    : SYNCLINE_EMALFORMED);
            CHECK((d.name != WS_OFFER_NONE) == (rc == SYNCLINE_OK));
        }
}

/* RFC 7692, 7.2.3: all these say Hello. */
TEST(what_the_standard_shows)
{
    static const struct slice rows[] = {
        { (const uint8_t *)"\xf2\x48\xcd\xc9\xc9\x07\x00", 7 },
        { (const uint8_t *)"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11 },
        { (const uint8_t *)"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8 },
        { (const uint8_t *)"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07"
                           "\x00",
            13 },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct buf b = { 0 };

        CHECK_OK(ws_inflate(&b, rows[i], 5));
        CHECK_SLICE(buf_slice(&b), "Hello");
        buf_free(&b);
        CHECK_INT(ws_inflate(&b, rows[i], 4), SYNCLINE_ELIMIT);
        buf_free(&b);
        CHECK_INT(ws_inflate(&b, SLICE(rows[i].ptr, rows[i].len - 1), 9),
            SYNCLINE_EMALFORMED);
        buf_free(&b);
    }
}

static void put_noise(struct buf *b, size_t n)
{
    uint32_t x = 7;

    for (size_t i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        buf_put_u8(b, (uint8_t)('a' + (x >> 24) % 26));
    }
}

TEST(what_is_deflated_comes_back_by_any_window)
{
    for (uint8_t bits = 9; bits <= 15; bits++)
        for (size_t n = 0; n < 200000; n = n * 3 + 1) {
            struct buf in = { 0 }, mid = { 0 }, out = { 0 };

            put_noise(&in, n);
            CHECK_OK(ws_deflate(&mid, buf_slice(&in), bits));
            CHECK_OK(ws_inflate(&out, buf_slice(&mid), n));
            CHECK(slice_eq(buf_slice(&in), buf_slice(&out)));
            buf_free(&in);
            buf_free(&mid);
            buf_free(&out);
        }
}

/* A few bytes that would become many. */
TEST(a_bomb_is_refused)
{
    const size_t size = (size_t)64 << 20, max = (size_t)4 << 20;
    uint8_t *zeros = calloc(1, size);
    struct buf mid = { 0 }, out = { 0 };

    CHECK(zeros != NULL);
    CHECK_OK(ws_deflate(&mid, SLICE(zeros, size), 15));
    CHECK(mid.len < 100000);
    CHECK_INT(ws_inflate(&out, buf_slice(&mid), max), SYNCLINE_ELIMIT);
    CHECK(out.len <= max + 1 && out.cap < 2 * max + 200000);
    buf_free(&mid);
    buf_free(&out);
    /* Below the bound, but no text is like that. */
    CHECK_OK(ws_deflate(&mid, SLICE(zeros, max), 15));
    CHECK_INT(ws_inflate(&out, buf_slice(&mid), max), SYNCLINE_ELIMIT);
    CHECK(out.len <= DEFLATE_FREE + mid.len * DEFLATE_RATIO + 1);
    buf_free(&mid);
    buf_free(&out);
    CHECK_OK(ws_deflate(&mid, SLICE(zeros, DEFLATE_FREE), 15));
    CHECK_OK(ws_inflate(&out, buf_slice(&mid), max));
    buf_free(&mid);
    buf_free(&out);
    free(zeros);
}

/* ---- in frames ---- */

struct end {
    struct ws *w;
    struct buf sent, told;
    unsigned n;
};

static int on_send(void *ctx, struct slice bytes)
{
    struct end *e = ctx;

    buf_put_slice(&e->sent, bytes);
    return buf_status(&e->sent);
}

static int on_mask(void *ctx, uint8_t *out, size_t n)
{
    (void)ctx;
    memset(out, 0, n); /* the bytes show as they are */
    return SYNCLINE_OK;
}

static void on_message(void *ctx, bool text, struct slice message)
{
    struct end *e = ctx;

    (void)text;
    e->n++;
    buf_clear(&e->told);
    buf_put_slice(&e->told, message);
}

static void end_open(struct end *e, bool is_client, bool compresses)
{
    const struct ws_events events = { .ctx = e,
        .send = on_send,
        .mask = is_client ? on_mask : NULL,
        .on_message = on_message };
    const struct ws_deflate d = { WS_OFFER_OWN, 15 };

    *e = (struct end){ .n = 0 };
    CHECK_OK(ws_new(&e->w, &events, 1 << 20));
    if (compresses)
        ws_compress(e->w, &d);
}

static void end_close(struct end *e)
{
    ws_free(e->w);
    buf_free(&e->sent);
    buf_free(&e->told);
}

TEST(large_messages_go_compressed_and_small_ones_as_ever)
{
    struct end client, server;
    struct buf text = { 0 };

    end_open(&client, true, true);
    end_open(&server, false, true);
    CHECK_OK(ws_send(server.w, true, SLICE_LIT("Hello")));
    CHECK_BYTES(buf_slice(&server.sent), SLICE_LIT("\x81\x05Hello"));
    buf_clear(&server.sent);
    put_noise(&text, 300000);
    CHECK_OK(ws_send(client.w, true, buf_slice(&text)));
    CHECK_UINT(client.sent.ptr[0], 0xc1);
    CHECK(client.sent.len < text.len * 3 / 4);
    CHECK_OK(ws_feed(server.w, buf_slice(&client.sent)));
    CHECK(slice_eq(buf_slice(&server.told), buf_slice(&text)));
    CHECK_OK(ws_send(server.w, true, buf_slice(&text)));
    for (size_t i = 0; i < server.sent.len; i++)
        CHECK_OK(ws_feed(client.w, SLICE(server.sent.ptr + i, 1)));
    CHECK(slice_eq(buf_slice(&client.told), buf_slice(&text)));
    CHECK(!ws_is_over(client.w) && !ws_is_over(server.w));
    /* What would be taken for a bomb is not sent as one. */
    buf_clear(&client.sent);
    memset(text.ptr, 'a', text.len);
    CHECK_OK(ws_send(client.w, true, buf_slice(&text)));
    CHECK_UINT(client.sent.ptr[0], 0x81);
    CHECK_OK(ws_feed(server.w, buf_slice(&client.sent)));
    CHECK_UINT(server.n, 2);
    buf_free(&text);
    end_close(&client);
    end_close(&server);
}

/* Frames to a server, masked by zeros; how it closes. */
TEST(what_breaks_the_rules_ends_it)
{
    const struct {
        struct slice in;
        bool compresses;
        uint16_t code; /* 0: it is a message */
    } rows[] = {
#define M "\0\0\0\0"
#define HELLO "\xf2\x48\xcd\xc9\xc9\x07\x00"
        { SLICE_LIT("\xc1\x87" M HELLO), true, 0 },
        { SLICE_LIT("\x41\x83" M "\xf2\x48\xcd"
                    "\x80\x84" M "\xc9\xc9\x07\x00"),
            true, 0 },
        { SLICE_LIT("\xc1\x87" M HELLO), false, 1002 },
        { SLICE_LIT("\x41\x83" M "\xf2\x48\xcd"
                    "\xc0\x84" M "\xc9\xc9\x07\x00"),
            true, 1002 }, /* once more, on the second frame */
        { SLICE_LIT("\xc9\x80" M), true, 1002 }, /* a ping */
        { SLICE_LIT("\xe1\x87" M HELLO), true, 1002 },
        { SLICE_LIT("\xc1\x83" M "\xff\xff\xff"), true, 1007 },
        { SLICE_LIT("\xc1\x82" M "\xf2\x48"), true, 1007 },
        { SLICE_LIT("\xc1\x87" M "\x00\x01\x00\xfe\xff\xff\x00"), true,
            1007 }, /* no UTF-8 */
        { SLICE_LIT("\xc2\x87" M "\x00\x01\x00\xfe\xff\xff\x00"), true, 0 },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct end e;

        end_open(&e, false, rows[i].compresses);
        CHECK_OK(ws_feed(e.w, rows[i].in));
        CHECK_UINT(e.n, rows[i].code == 0);
        CHECK_SAYING(
            (rows[i].code == 0) == (e.sent.len == 0), "row %u", (unsigned)i);
        if (e.sent.len > 0) {
            CHECK_UINT(e.sent.ptr[0], 0x88);
            CHECK_UINT(e.sent.ptr[2] * 256u + e.sent.ptr[3], rows[i].code);
        }
        end_close(&e);
    }
}
