/* Messages that are compressed between two that have both offered it, and what
 * is refused of them. */
#include "unit/lan_pair.h"

#include <stdlib.h>

#include "faces/deflate.h"

#define LONG 40000 /* bytes of a text; some words of it come again */
#define MARK 0x78

static const struct lan_link_options any = { .needs_auth = true };

static char *words(size_t n)
{
    char *s = malloc(n + 1);
    uint32_t x = 7;

    CHECK(s != NULL);
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        s[i] = i % 8 < 5 ? "words "[i % 8] : (char)('a' + (x >> 24) % 26);
    }
    s[n] = 0;
    return s;
}

/* In, and both have offered it, if so. */
static void begin(struct pair *p, bool server, bool client)
{
    pair_init(p, any, by_token, KEY);
    if (server)
        lan_link_deflate(p->server.link);
    if (client)
        lan_link_deflate(p->client.link);
    pair_settle(p, 0);
    CHECK(lan_link_is_open(p->server.link) && lan_link_is_open(p->client.link));
    CHECK_INT(lan_link_deflates(p->server.link), server);
}

static void feed_body(struct end *e, struct slice body)
{
    const uint8_t head[LAN_FRAME_HEAD] = { (uint8_t)(body.len >> 24),
        (uint8_t)(body.len >> 16), (uint8_t)(body.len >> 8),
        (uint8_t)body.len };

    lan_link_feed(e->link, SLICE(head, sizeof head), *e->now_us);
    lan_link_feed(e->link, body, *e->now_us);
}

static void deflated(struct buf *out, struct slice text)
{
    CHECK_OK(
        deflate_put(out, text, DEFLATE_WHOLE, DEFLATE_SMALL, DEFLATE_BITS_MAX));
    CHECK_UINT(out->ptr[0], MARK);
}

static void check_heard(struct end *e, const char *text)
{
    struct buf want = { 0 };

    buf_printf(&want, "SYNC_REQUEST %s;", text);
    CHECK(slice_eq(buf_slice(&e->heard), buf_slice(&want)));
    buf_free(&want);
}

TEST(both_ends_compress_what_is_long)
{
    char *text = words(LONG);

    for (size_t piece = 0; piece < 2; piece++) {
        struct pair p;

        begin(&p, true, true);
        pair_ask(&p, LAN_SYNC_REQUEST, text);
        CHECK_UINT(p.client.out.ptr[LAN_FRAME_HEAD], MARK);
        CHECK(p.client.out.len < LONG * 3 / 4);
        CHECK_UINT(
            lan_frame_len(p.client.out.ptr), p.client.out.len - LAN_FRAME_HEAD);
        pair_settle(&p, piece);
        check_heard(&p.server, text);
        buf_clear(&p.server.heard);
        pair_ask(&p, LAN_SYNC_REQUEST, "short");
        CHECK_UINT(p.client.out.ptr[LAN_FRAME_HEAD], '{');
        pair_settle(&p, piece);
        check_heard(&p.server, "short");
        pair_close(&p);
    }
    free(text);
}

/* Whoever has offered it may still be called by somebody who has not. */
TEST(nothing_is_compressed_for_who_has_not_offered_it)
{
    char *text = words(LONG);
    struct pair p;

    begin(&p, true, false);
    pair_ask(&p, LAN_SYNC_REQUEST, text);
    CHECK_UINT(p.client.out.ptr[LAN_FRAME_HEAD], '{');
    CHECK(p.client.out.len > LONG);
    pair_settle(&p, 0);
    check_heard(&p.server, text); /* who could read it reads the other, too */
    pair_close(&p);
    free(text);
}

TEST(nothing_is_compressed_before_it_is_open)
{
    char *text = words(LONG);
    struct lan_link_options opt = by_token;
    struct buf own = { 0 };
    struct pair p;

    buf_printf(&own, "{\"token\":\"" KEY "\",\"more\":\"%s\"}", text);
    opt.credentials = buf_slice(&own);
    pair_init(
        &p, any, (struct lan_link_options){ .auth = LAN_BY_NOTHING }, KEY);
    pair_close(&p);
    p = (struct pair){ .now_us = UINT64_C(1795176000) * SEC };
    end_make(&p.server, &p, KEY,
        (struct lan_link_options){ .is_server = true, .needs_auth = true });
    end_make(&p.client, &p, KEY, opt);
    lan_link_deflate(p.server.link);
    lan_link_deflate(p.client.link);
    CHECK(!lan_link_deflates(p.client.link));
    lan_link_begin(p.client.link, p.now_us);
    CHECK_UINT(p.client.out.ptr[LAN_FRAME_HEAD], '{');
    CHECK(p.client.out.len > LONG);
    CHECK(pair_carry(&p.client, &p.server, 0));
    CHECK_UINT(p.server.out.ptr[LAN_FRAME_HEAD], '{');
    CHECK(lan_link_deflates(p.server.link));
    pair_close(&p);
    buf_free(&own);
    free(text);
}

/* As whatever is no JSON, by either end; and it costs nothing to find out. */
TEST(who_never_offered_it_says_no_message)
{
    struct buf b = { 0 };
    struct pair p;

    deflated(&b, SLICE_LIT("{\"message_type\":\"HEARTBEAT\",\"payload\":{}}"));
    begin(&p, false, false);
    feed_body(&p.server, buf_slice(&b));
    end_check_error(&p.server, "Invalid message format", "decode_error");
    CHECK(lan_link_is_open(p.server.link));
    feed_body(&p.client, buf_slice(&b));
    CHECK(lan_link_is_open(p.client.link));
    CHECK_UINT(p.client.heard.len, 0);
    pair_close(&p);
    /* Nor before it is in, though both know how. */
    pair_init(&p, any, by_token, "another");
    lan_link_deflate(p.server.link);
    buf_clear(&p.server.out);
    feed_body(&p.server, buf_slice(&b));
    end_check_error(&p.server, "Invalid message format", "decode_error");
    pair_close(&p);
    buf_free(&b);
}

static void check_ends(struct slice body, const char *why)
{
    struct pair p;

    begin(&p, true, true);
    feed_body(&p.server, body);
    CHECK_SLICE(buf_slice(&p.server.closed), why);
    feed_body(&p.client, body);
    CHECK_SLICE(buf_slice(&p.client.closed), why);
    CHECK_UINT(p.server.heard.len + p.client.heard.len, 0);
    pair_close(&p);
}

TEST(what_is_damaged_ends_the_connection)
{
    static const char damaged[] = "what it has compressed is damaged";
    char *text = words(LONG);
    struct buf b = { 0 };

    deflated(&b, slice_str(text));
    for (size_t n = 1; n < b.len; n += n < 16 ? 1 : b.len / 20)
        check_ends(SLICE(b.ptr, n), damaged);
    check_ends(SLICE(b.ptr, b.len - 1), damaged);
    b.ptr[b.len - 1] ^= 1; /* of the checksum */
    check_ends(buf_slice(&b), damaged);
    b.ptr[b.len - 1] ^= 1;
    buf_put_u8(&b, 0); /* behind the end */
    check_ends(buf_slice(&b), damaged);
    b.len--;
    deflated(&b, slice_str(text)); /* another one */
    check_ends(buf_slice(&b), damaged);
    buf_free(&b);
    check_ends(SLICE_LIT("x\xbb of a dictionary"), damaged);
    free(text);
}

/* No text is like that; and there is an end to what it costs. */
TEST(a_bomb_ends_the_connection)
{
    const size_t size = (size_t)32 << 20;
    uint8_t *zeros = calloc(1, size);
    struct buf b = { 0 }, out = { 0 };

    CHECK(zeros != NULL);
    deflated(&b, SLICE(zeros, size));
    CHECK(b.len < 50000);
    check_ends(buf_slice(&b), "what it has compressed is more than is allowed");
    CHECK_INT(
        inflate_put(&out, buf_slice(&b), DEFLATE_WHOLE, size), SYNCLINE_ELIMIT);
    CHECK(out.len <= DEFLATE_FREE + DEFLATE_RATIO * b.len + 1);
    buf_free(&out);
    buf_free(&b);
    free(zeros);
}

/* Who sends it in clear finds it too long; compressed it is no shorter. */
TEST(the_longest_message_is_as_long_in_either_form)
{
    struct lan_link_options little = any;
    struct lan_draft draft = { .type = LAN_SYNC_REQUEST };
    char *text = words(LONG);
    struct arena a = { 0 };
    struct json *payload = json_new(&a, JSON_OBJECT);
    struct buf b = { 0 };
    uint64_t request;
    struct pair p;

    little.message_max = LONG / 2;
    pair_init(&p, little, by_token, KEY);
    lan_link_deflate(p.server.link);
    lan_link_deflate(p.client.link);
    pair_settle(&p, 0);
    json_add(payload, SLICE_LIT("data"), json_new_str(&a, slice_str(text)));
    draft.payload = payload;
    CHECK_INT(lan_link_request(p.server.link, &draft, p.now_us, &request),
        SYNCLINE_ELIMIT);
    deflated(&b, slice_str(text));
    CHECK(b.len < LONG / 2);
    feed_body(&p.server, buf_slice(&b));
    CHECK_SLICE(buf_slice(&p.server.closed),
        "what it has compressed is more than is allowed");
    pair_close(&p);
    arena_free(&a);
    buf_free(&b);
    free(text);
}

/* Nothing is sent that would be refused, or that is longer for it. */
TEST(what_gains_nothing_or_too_much_goes_as_it_is)
{
    char *same = malloc(1000001);
    struct pair p;

    CHECK(same != NULL);
    memset(same, 'x', 1000000);
    same[1000000] = 0;
    begin(&p, true, true);
    pair_ask(&p, LAN_SYNC_REQUEST, same);
    CHECK_UINT(p.client.out.ptr[LAN_FRAME_HEAD], '{');
    pair_settle(&p, 0);
    check_heard(&p.server, same);
    pair_close(&p);
    free(same);
}

/* Whoever says much in little waits as if he had said it all. */
TEST(what_it_says_counts_and_not_how_short_it_came)
{
    struct lan_link_options paced = { .needs_auth = true, .pace = { 1, 10 } };
    struct lan_deflated counts = { 0 };
    struct lan_link_options counting = by_token;
    char *text = words(16 * 65536);
    struct pair p;

    memset(text, 'x', 10 * 65536);
    counting.deflated = &counts;
    pair_init(&p, paced, counting, KEY);
    lan_link_deflate(p.server.link);
    lan_link_deflate(p.client.link);
    pair_settle(&p, 0);
    CHECK_UINT(counts.sent, 0);
    pair_ask(&p, LAN_SYNC_REQUEST, text);
    CHECK(p.client.out.len < 5 * 65536);
    CHECK(counts.sent > 16 * 65536);
    CHECK_UINT(counts.sent_as, p.client.out.len - LAN_FRAME_HEAD);
    pair_settle(&p, 0);
    check_heard(&p.server, text);
    CHECK_UINT(p.server.held, 1);
    pair_close(&p);
    free(text);
}
