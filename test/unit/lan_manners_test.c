/* What the older nodes say and want to hear, word for word, at either end of a
 * connection. */
#include "unit/lan_pair.h"

#include <stdio.h>

#include "base/text.h"

/* ---- what was said ---- */

/* The so manieth message that has not arrived yet; false: there is none. */
static bool sent(
    const struct end *e, unsigned n, struct lan_message *out, struct arena *a)
{
    struct slice in = buf_slice(&e->out);
    size_t len;

    for (;; n--) {
        if (in.len < LAN_FRAME_HEAD)
            return false;
        len = LAN_FRAME_HEAD + lan_frame_len(in.ptr);
        CHECK(in.len >= len);
        if (n == 0)
            break;
        in = slice_from(in, len);
    }
    CHECK_OK(lan_message_read(out,
        arena_dup(a, SLICE(in.ptr + LAN_FRAME_HEAD, len - LAN_FRAME_HEAD)), a,
        NULL));
    return true;
}

static unsigned sent_n(const struct end *e)
{
    struct arena a = { 0 };
    struct lan_message m;
    unsigned n = 0;

    while (sent(e, n, &m, &a))
        n++;
    arena_free(&a);
    return n;
}

/* In that dialect, and signed. */
static void check_sent(const struct end *e, unsigned n, enum lan_dialect d,
    const char *type, const char *payload)
{
    struct arena a = { 0 };
    struct buf b = { 0 };
    struct lan_message m;
    enum lan_dialect found;
    struct mac_key key;

    CHECK_SAYING(sent(e, n, &m, &a), "no message %u: %s", n, type);
    CHECK_SLICE(m.name, type);
    json_print(&b, m.member[LAN_PAYLOAD], JSON_CANONICAL);
    CHECK_SLICE(buf_slice(&b), payload);
    CHECK_OK(crypto_mac_key(&key, SLICE_LIT(KEY)));
    CHECK_OK(lan_message_verify(&found, &m, LAN_UNDECIDED, &key));
    CHECK_INT(found, d);
    CHECK(m.looks == d || d == LAN_FIRST); /* a whole one has no nulls */
    buf_free(&b);
    arena_free(&a);
}

/* A message that the other end makes, as a frame behind others. */
static void put_made(struct buf *b, struct end *by, enum lan_dialect d,
    const char *type, const char *payload, bool is_unsigned)
{
    struct arena a = { 0 };
    struct json *v = NULL;
    struct lan_draft draft = { .type = lan_type_of(slice_str(type)),
        .name = slice_str(type),
        .is_unsigned = is_unsigned };

    CHECK_OK(json_parse(&v, slice_str(payload), JSON_STRICT, &a, NULL));
    draft.payload = v;
    CHECK_OK(lan_protocol_put(by->protocol, b, &draft, d, *by->now_us));
    arena_free(&a);
}

static void feed_made(struct end *to, struct end *by, enum lan_dialect d,
    const char *type, const char *payload)
{
    struct buf b = { 0 };

    put_made(&b, by, d, type, payload, false);
    lan_link_feed(to->link, buf_slice(&b), *to->now_us);
    buf_free(&b);
}

static const struct lan_link_options serves = { .needs_auth = true };
static const struct lan_link_options asks_nothing = { .auth = LAN_BY_NOTHING };

static void settled(struct pair *p, enum lan_dialect d)
{
    struct lan_link_options client = by_token;

    client.dialect = d;
    pair_init(p, serves, client, KEY);
    pair_settle(p, 0);
    CHECK(lan_link_is_open(p->server.link));
}

/* ---- coming in ---- */

/* One kind of client finds the answer by request_id, another by the id of its
 * message, a third by "status". */
TEST(how_who_asks_to_come_in_is_answered)
{
    static const struct {
        const char *payload, *answer;
    } rows[] = {
        { "{\"token\":\"" KEY "\",\"request_id\":\"r\"}",
            "{\"auth_data\":{},\"request_id\":\"r\",\"status\":\"success\","
            "\"success\":true}" },
        { "{\"token\":\"" KEY "\"}",
            "{\"auth_data\":{},\"request_id\":\"m\",\"status\":\"success\","
            "\"success\":true}" },
        { "{\"token\":\"no\",\"request_id\":\"r\"}",
            "{\"error\":\"Invalid credentials\",\"message\":\"Invalid "
            "credentials\",\"request_id\":\"r\",\"status\":\"error\","
            "\"success\":false}" },
        { "{}",
            "{\"error\":\"Invalid credentials\",\"message\":\"Invalid "
            "credentials\",\"request_id\":\"m\",\"status\":\"error\","
            "\"success\":false}" },
        { "{\"token\":7,\"request_id\":[1]}",
            "{\"error\":\"Invalid credentials\",\"message\":\"Invalid "
            "credentials\",\"request_id\":[1],\"status\":\"error\","
            "\"success\":false}" },
    };

    for (size_t i = 0; i < 2 * ARRAY_N(rows); i++) {
        const enum lan_dialect d = i % 2 == 0 ? LAN_FIRST : LAN_SECOND;
        char text[300];
        struct pair p;

        (void)snprintf(text, sizeof text,
            "{\"message_type\":\"AUTH_REQUEST\",\"message_id\":\"m\","
            "\"payload\":%s%s}",
            rows[i / 2].payload,
            d == LAN_FIRST ? ",\"signature\":null,\"destination\":null" : "");
        pair_init(&p, serves, asks_nothing, KEY);
        end_feed(&p.server, text);
        check_sent(&p.server, 0, d, "AUTH_RESPONSE", rows[i / 2].answer);
        CHECK_UINT(sent_n(&p.server), 1);
        CHECK(!lan_link_is_over(p.server.link));
        CHECK_INT(lan_link_is_open(p.server.link), i / 2 < 2);
        pair_close(&p);
    }
}

/* Of the first generation heartbeats begin at once, before it or behind it; all
 * may come in one piece. */
TEST(who_asks_to_come_in_amid_heartbeats)
{
    for (unsigned i = 0; i < 4; i++) {
        const enum lan_dialect d = i % 2 == 0 ? LAN_FIRST : LAN_SECOND;
        const char *beat = d == LAN_FIRST
            ? "{}"
            : "{\"request_id\":\"h\",\"timestamp\":1795176000}";
        struct buf b = { 0 };
        struct pair p;

        pair_init(&p, serves, asks_nothing, KEY);
        if (i < 2)
            put_made(&b, &p.client, d, "HEARTBEAT", beat, d == LAN_SECOND);
        put_made(&b, &p.client, d, "AUTH_REQUEST",
            "{\"token\":\"" KEY "\",\"request_id\":\"r\"}", false);
        if (i >= 2)
            put_made(&b, &p.client, d, "HEARTBEAT", beat, d == LAN_SECOND);
        lan_link_feed(p.server.link, buf_slice(&b), p.now_us);
        CHECK(lan_link_is_open(p.server.link));
        CHECK_UINT(sent_n(&p.server), d == LAN_FIRST ? 1 : 2);
        check_sent(&p.server, d == LAN_SECOND && i < 2, d, "AUTH_RESPONSE",
            "{\"auth_data\":{},\"request_id\":\"r\",\"status\":\"success\","
            "\"success\":true}");
        if (d == LAN_SECOND)
            check_sent(&p.server, i >= 2, d, "HEARTBEAT", beat);
        buf_free(&b);
        pair_close(&p);
    }
}

/* Whatever an older server repeats, its request_id or the id of the message. */
TEST(what_we_say_to_come_in)
{
    for (int d = LAN_UNDECIDED; d <= LAN_SECOND; d++) {
        struct lan_link_options client = by_token;
        struct arena a = { 0 };
        struct lan_message m;
        struct pair p;
        char want[300];

        client.dialect = (enum lan_dialect)d;
        pair_init(&p, serves, client, KEY);
        CHECK(sent(&p.client, 0, &m, &a));
        CHECK_UINT(lan_text(&m, LAN_ID).len, LAN_UUID_LEN);
        CHECK_UINT(lan_text(&m, LAN_NONCE).len, LAN_NONCE_LEN);
        (void)snprintf(want, sizeof want,
            "{\"client_version\":\"1.0.0\",\"request_id\":\"%.*s\","
            "\"timestamp\":1795176000,\"token\":\"" KEY "\"}",
            SLICE_FMT(lan_text(&m, LAN_ID)));
        check_sent(&p.client, 0, d == LAN_FIRST ? LAN_FIRST : LAN_SECOND,
            "AUTH_REQUEST", want);
        CHECK_SLICE(lan_text(&m, LAN_TIMESTAMP), "2026-11-20T12:00:00");
        CHECK_SLICE(lan_sender(&m), "client");
        CHECK_UINT(sent_n(&p.client), 1);
        arena_free(&a);
        pair_close(&p);
    }
}

/* A server that hears one dialect and says nothing to the other; a signature of
 * its own ends the guessing. */
TEST(who_does_not_answer_is_asked_in_the_other_dialect)
{
    for (unsigned i = 0; i < 3; i++) {
        struct lan_link_options client = by_token;
        struct arena a = { 0 };
        struct lan_message m;
        struct pair p;
        char id[LAN_UUID_LEN + 1];

        client.dialect = (enum lan_dialect)i;
        pair_init(&p, serves, client, KEY);
        CHECK(sent(&p.client, 0, &m, &a));
        (void)snprintf(id, sizeof id, "%.*s",
            SLICE_FMT(lan_payload_text(&m, "request_id")));
        buf_clear(&p.client.out);
        CHECK_UINT(lan_link_deadline(p.client.link), p.now_us + 5 * SEC);
        pair_pass(&p, 5 * SEC);
        CHECK_UINT(sent_n(&p.client), 1);
        CHECK(sent(&p.client, 0, &m, &a));
        CHECK_SLICE(lan_payload_text(&m, "request_id"), id);
        CHECK(m.looks == (i == LAN_FIRST ? LAN_SECOND : LAN_FIRST) ||
            i == LAN_FIRST);
        CHECK_INT(lan_link_dialect(p.client.link),
            i == LAN_FIRST ? LAN_SECOND : LAN_FIRST);
        if (i == 2) { /* it answers that */
            pair_settle(&p, 0);
            CHECK(lan_link_is_open(p.client.link));
            CHECK(lan_link_is_told(p.client.link));
        } else {
            buf_clear(&p.client.out);
            pair_pass(&p, 5 * SEC);
            CHECK(lan_link_is_open(p.client.link));
            CHECK(!lan_link_is_told(p.client.link));
        }
        for (unsigned n = 0; n < 3; n++) {
            const enum lan_dialect d = lan_link_dialect(p.client.link);

            (void)pair_ask(&p, LAN_SYNC_DATA, "x");
            buf_clear(&p.client.out);
            pair_pass(&p, 10 * SEC);
            CHECK_INT(p.client.answer_rc, SYNCLINE_ETIMEOUT);
            CHECK((lan_link_dialect(p.client.link) == d) == (i == 2));
        }
        arena_free(&a);
        pair_close(&p);
    }
}

/* ---- errors ---- */

/* One generation prints `error`, the other `message`; both look for the
 * request, if it has said which. */
TEST(errors_name_the_request)
{
    static const char *const rows[][2] = {
        { "{\"message_type\":\"SYNC_DATA\",\"payload\":{\"request_id\":\"r\"}}",
            ",\"request_id\":\"r\"}" },
        { "{\"message_type\":\"SYNC_DATA\",\"payload\":{\"request_id\":7}}",
            ",\"request_id\":7}" },
        { "{\"message_type\":\"SYNC_DATA\",\"message_id\":\"m\"}", "}" },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct pair p;
        char want[200];

        pair_init(&p, serves, asks_nothing, KEY);
        end_feed(&p.server, rows[i][0]);
        (void)snprintf(want, sizeof want,
            "{\"code\":\"generic_error\",\"error\":\"Invalid message: Message "
            "not signed\",\"message\":\"Invalid message: Message not signed\""
            "%s",
            rows[i][1]);
        check_sent(&p.server, 0, LAN_SECOND, "ERROR", want);
        buf_clear(&p.server.out);
        end_feed(&p.server, "");
        check_sent(&p.server, 0, LAN_SECOND, "ERROR",
            "{\"code\":\"decode_error\",\"error\":\"Invalid message format\","
            "\"message\":\"Invalid message format\"}");
        pair_close(&p);
    }
}

/* A type that is no type at all is to each generation one that it does not
 * know. */
TEST(a_type_that_is_no_name)
{
    static const char *const rows[] = { "\"\"", "0", "13", "1.5", "[]",
        "true" };

    for (size_t i = 0; i < 2 * ARRAY_N(rows); i++) {
        const bool is_first = i % 2 == 0;
        struct pair p;
        char text[100];

        (void)snprintf(text, sizeof text, "{\"message_type\":%s%s}",
            rows[i / 2], is_first ? ",\"destination\":null" : "");
        pair_init(&p, serves, asks_nothing, KEY);
        end_feed(&p.server, text);
        end_check_error(&p.server,
            is_first ? "Internal server error" : "Invalid message format",
            is_first ? "internal_error" : "decode_error");
        CHECK(!lan_link_is_over(p.server.link));
        pair_close(&p);
    }
}

/* A client of the first generation that asks and waits adds the id of its
 * request to a message that it has signed already. */
TEST(a_request_id_that_was_added_later)
{
    for (int d = LAN_FIRST; d <= LAN_SECOND; d++) {
        struct arena a = { 0 };
        struct buf b = { 0 };
        struct lan_message m;
        struct pair p;

        settled(&p, (enum lan_dialect)d);
        put_made(&b, &p.client, (enum lan_dialect)d, "SYNC_REQUEST",
            "{\"data\":\"x\"}", false);
        CHECK_OK(lan_message_read(
            &m, slice_from(buf_slice(&b), LAN_FRAME_HEAD), &a, NULL));
        json_add((struct json *)m.member[LAN_PAYLOAD], SLICE_LIT("request_id"),
            json_new_str(&a, SLICE_LIT("r")));
        buf_clear(&p.server.out);
        {
            struct buf frame = { 0 };

            lan_message_put(
                &frame, &m, (enum lan_dialect)d, lan_text(&m, LAN_SIGNATURE));
            lan_link_feed(p.server.link, buf_slice(&frame), p.now_us);
            buf_free(&frame);
        }
        check_sent(&p.server, 0, (enum lan_dialect)d, "ERROR",
            d == LAN_FIRST
                ? "{\"code\":\"validation_failed\",\"error\":\"Invalid message "
                  "signature\",\"message\":\"Invalid message signature\","
                  "\"request_id\":\"r\"}"
                : "{\"code\":\"generic_error\",\"error\":\"Invalid message: "
                  "Invalid message signature\",\"message\":\"Invalid message: "
                  "Invalid message signature\",\"request_id\":\"r\"}");
        CHECK(lan_link_is_over(p.server.link));
        CHECK_UINT(p.server.heard.len, 0);
        buf_free(&b);
        arena_free(&a);
        pair_close(&p);
    }
}

/* ---- heartbeats ---- */

/* Clients of the first generation echo each: who answered that would hear
 * another. */
TEST(which_heartbeats_are_answered)
{
    static const struct {
        const char *payload;
        bool is_answered;
    } rows[] = { { "{}", false },
        { "{\"request_id\":\"h\",\"timestamp\":5}", true },
        { "{\"request_id\":\"h\"}", true }, { "{\"timestamp\":5}", false },
        { "{\"request_id\":\"\"}", false }, { "{\"request_id\":7}", true },
        { "{\"request_id\":{}}", false }, { "{\"request_id\":true}", false } };

    for (size_t i = 0; i < 4 * ARRAY_N(rows); i++) {
        const enum lan_dialect d = i % 2 == 0 ? LAN_FIRST : LAN_SECOND;
        const bool to_server = i / 2 % 2 == 0;
        const char *payload = rows[i / 4].payload;
        struct pair p;
        struct end *to, *by;

        settled(&p, d);
        to = to_server ? &p.server : &p.client;
        by = to_server ? &p.client : &p.server;
        feed_made(to, by, d, "HEARTBEAT", payload);
        CHECK_UINT(sent_n(to), to_server && rows[i / 4].is_answered);
        if (sent_n(to) > 0)
            check_sent(to, 0, d, "HEARTBEAT", payload);
        CHECK_UINT(to->heard.len, 0);
        pair_close(&p);
    }
}

/* Ours say nothing to a client, whether it is in or not; a server of the second
 * generation is asked for an answer. Who has said nothing has no dialect. */
TEST(what_our_heartbeats_say)
{
    for (unsigned i = 0; i < 3; i++) {
        const enum lan_dialect d = i == 0 ? LAN_FIRST : LAN_SECOND;
        struct lan_link_options server = serves, client = by_token;
        struct arena a = { 0 };
        struct lan_message m;
        struct pair p;
        char want[100];

        server.heartbeat_us = client.heartbeat_us = 30 * SEC;
        client.dialect = d;
        if (i == 2)
            client.auth = LAN_BY_NOTHING;
        pair_init(&p, server, client, KEY);
        pair_settle(&p, 0);
        pair_pass(&p, 30 * SEC);
        if (i == 2) { /* it speaks first */
            CHECK_UINT(sent_n(&p.server), 0);
            (void)pair_carry(&p.client, &p.server, 0);
            buf_clear(&p.server.out);
            pair_pass(&p, 30 * SEC);
            CHECK(!lan_link_is_open(p.server.link));
        }
        CHECK_UINT(sent_n(&p.server), 1);
        check_sent(&p.server, 0, d, "HEARTBEAT", "{}");
        CHECK(sent(&p.client, 0, &m, &a));
        (void)snprintf(want, sizeof want,
            "{\"request_id\":\"%.*s\",\"timestamp\":%llu}",
            SLICE_FMT(lan_payload_text(&m, "request_id")),
            (unsigned long long)(p.now_us / SEC));
        check_sent(&p.client, 0, d, "HEARTBEAT", d == LAN_FIRST ? "{}" : want);
        arena_free(&a);
        pair_close(&p);
    }
}

/* ---- answers ---- */

/* By the id of the request, of the exchange, of the data, or of the message. */
TEST(how_answers_are_found)
{
    static const struct {
        const char *type, *payload;
        int rc;
    } rows[] = {
        { "SYNC_RESPONSE", "{\"request_id\":\"%s\",\"status\":\"success\"}",
            SYNCLINE_OK },
        { "SYNC_RESPONSE", "{\"sync_id\":\"%s\",\"status\":\"success\"}",
            SYNCLINE_OK },
        { "SYNC_RESPONSE", "{\"request_id\":\"%s\"}", SYNCLINE_OK },
        { "SYNC_RESPONSE",
            "{\"sync_id\":\"%s\",\"status\":\"error\",\"error\":\"no\"}",
            SYNCLINE_EDENIED },
        { "SYNC_ACK", "{\"ack_id\":\"%s\"}", SYNCLINE_OK },
        { "SYNC_ACK", "{\"data_id\":\"%s\",\"status\":\"processed\"}",
            SYNCLINE_OK },
        { "SYNC_ACK", "{\"request_id\":\"%s\",\"status\":\"received\"}",
            SYNCLINE_OK },
        { "ERROR", "{\"request_id\":\"%s\",\"error\":\"no\"}",
            SYNCLINE_EDENIED },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct arena a = { 0 };
        struct lan_message m;
        struct pair p;
        char payload[200], id[LAN_UUID_LEN + 1];

        settled(&p, LAN_SECOND);
        (void)pair_ask(&p, LAN_SYNC_DATA, "x");
        CHECK(sent(&p.client, 0, &m, &a));
        (void)snprintf(id, sizeof id, "%.*s", SLICE_FMT(lan_text(&m, LAN_ID)));
        CHECK_SLICE(lan_payload_text(&m, "request_id"), id);
        CHECK_SLICE(lan_payload_text(&m, "data_id"), id);
        feed_made(&p.client, &p.server, LAN_SECOND, rows[i].type,
            "{\"request_id\":\"another\",\"status\":\"success\"}");
        CHECK_UINT(p.client.answered, 0);
        (void)snprintf(payload, sizeof payload, rows[i].payload, id);
        feed_made(&p.client, &p.server, LAN_SECOND, rows[i].type, payload);
        CHECK_UINT(p.client.answered, 1);
        CHECK_INT(p.client.answer_rc, rows[i].rc);
        arena_free(&a);
        pair_close(&p);
    }
}

/* Both ids that a request has are in the answer, unless it says others. */
TEST(what_an_answer_repeats)
{
    struct pair p;

    settled(&p, LAN_FIRST);
    p.server.replies = true;
    feed_made(&p.server, &p.client, LAN_FIRST, "SYNC_REQUEST",
        "{\"request_id\":\"r\",\"sync_id\":5}");
    check_sent(&p.server, 0, LAN_FIRST, "SYNC_RESPONSE",
        "{\"request_id\":\"r\",\"status\":\"success\",\"sync_id\":5}");
    pair_close(&p);
}

/* ---- what a client does not hear ---- */

/* Nor does it say so: no older client does. */
TEST(a_client_passes_over_what_does_not_count)
{
    for (unsigned i = 0; i < 6; i++) {
        struct buf b = { 0 };
        struct pair p;

        settled(&p, LAN_SECOND);
        if (i == 1)
            p.now_us -= 61 * SEC;
        put_made(&b, &p.server, LAN_SECOND, i == 4 ? "HEARTBEAT" : "SYNC_DATA",
            "{\"data\":\"x\"}", i == 0 || i == 4);
        if (i == 1)
            p.now_us += 61 * SEC;
        if (i == 2) /* a bit of the signature */
            b.ptr[b.len - 3] = b.ptr[b.len - 3] == '0' ? '1' : '0';
        if (i == 3) { /* said again */
            lan_link_feed(p.client.link, buf_slice(&b), p.now_us);
            buf_clear(&p.client.heard);
        }
        lan_link_feed(p.client.link, buf_slice(&b), p.now_us);
        CHECK_SLICE(buf_slice(&p.client.heard), i == 5 ? "SYNC_DATA x;" : "");
        CHECK_UINT(sent_n(&p.client), 0);
        CHECK(lan_link_is_open(p.client.link));
        buf_free(&b);
        pair_close(&p);
    }
}

/* ---- names ---- */

/* In the name of somebody else anybody can say what need not be signed. */
TEST(names_are_of_who_has_signed)
{
    static const struct {
        const char *type, *payload;
        bool needs_auth, is_unsigned, is_bad, is_named;
    } rows[] = { { "HEARTBEAT", "{}", true, true, false, false },
        { "HEARTBEAT", "{}", true, false, true, false },
        { "HEARTBEAT", "{}", true, false, false, true },
        { "HEARTBEAT", "{}", false, true, false, true },
        { "AUTH_REQUEST", "{\"token\":\"" KEY "\"}", true, true, false, true },
        { "AUTH_REQUEST", "{\"token\":\"" KEY "\"}", true, false, false, true },
        { "AUTH_REQUEST", "{\"token\":\"no\"}", true, true, false, false },
        { "AUTH_REQUEST", "{\"method\":\"challenge\"}", true, true, false,
            false } };

    for (size_t i = 0; i < 2 * ARRAY_N(rows); i++) {
        const bool to_server = i % 2 == 0;
        struct lan_link_options server = serves;
        struct buf b = { 0 };
        struct pair p;
        struct end *to, *by;

        server.needs_auth = rows[i / 2].needs_auth;
        pair_init(&p, server, asks_nothing, KEY);
        to = to_server ? &p.server : &p.client;
        by = to_server ? &p.client : &p.server;
        put_made(&b, by, LAN_SECOND, rows[i / 2].type, rows[i / 2].payload,
            rows[i / 2].is_unsigned);
        if (rows[i / 2].is_bad)
            b.ptr[b.len - 3] = b.ptr[b.len - 3] == '0' ? '1' : '0';
        lan_link_feed(to->link, buf_slice(&b), p.now_us);
        if (to_server)
            CHECK_SAYING(strcmp(lan_link_node(to->link),
                             rows[i / 2].is_named ? "client" : "") == 0,
                "row %zu: %s", i / 2, lan_link_node(to->link));
        else
            CHECK_SAYING((lan_link_node(to->link)[0] != 0) ==
                    (!rows[i / 2].is_unsigned && !rows[i / 2].is_bad),
                "row %zu: %s", i / 2, lan_link_node(to->link));
        buf_free(&b);
        pair_close(&p);
    }
}

/* ---- messages ---- */

static int draw(void *ctx, uint8_t *out, size_t n)
{
    (void)ctx;
    return crypto_random(out, n);
}

TEST(messages_count_for_as_long_as_is_said)
{
    const uint64_t now_us = UINT64_C(1795176000) * SEC;
    const struct lan_protocol_options opt = { .node_id = "n",
        .node_name = "n",
        .key = SLICE_LIT(KEY),
        .ttl_us = 5 * SEC,
        .random = draw };
    const struct lan_draft draft = { .type = LAN_SYNC_DATA };
    struct lan_protocol *p = NULL;

    CHECK_OK(lan_protocol_new(&p, &opt));
    for (unsigned late = 0; late < 2; late++) {
        struct arena a = { 0 };
        struct buf b = { 0 };
        struct lan_message m;
        struct errmsg why = { "" };
        enum lan_dialect d = LAN_FIRST;

        CHECK_OK(lan_protocol_put(p, &b, &draft, d, now_us));
        CHECK_OK(lan_message_read(
            &m, slice_from(buf_slice(&b), LAN_FRAME_HEAD), &a, NULL));
        CHECK_INT(
            lan_protocol_check(p, &m, true, now_us + 5 * SEC + late, &d, &why),
            late == 0 ? SYNCLINE_OK : SYNCLINE_ETIMEOUT);
        CHECK_SLICE(slice_str(why.text), late == 0 ? "" : "Message expired");
        buf_free(&b);
        arena_free(&a);
    }
    lan_protocol_free(p);
}

/* The first generation can say it, the second cannot: there it is a signature
 * that does not count, and nothing worse. */
TEST(half_of_a_surrogate_pair)
{
    for (int d = LAN_FIRST; d <= LAN_SECOND; d++) {
        struct arena a = { 0 };
        char signature[LAN_SIGNATURE_LEN + 1] = "00112233445566778899aabbccddee"
                                                "ff00112233445566778899aabbccdd"
                                                "eeff";
        enum lan_dialect found = LAN_FIRST;
        struct lan_message m;
        struct mac_key key;

        CHECK_OK(crypto_mac_key(&key, SLICE_LIT(KEY)));
        CHECK_OK(lan_message_read(&m,
            SLICE_LIT("{\"message_type\":\"SYNC_DATA\",\"message_id\":\"m\","
                      "\"nonce\":\"n\",\"timestamp\":\"2026-11-20T12:00:00\","
                      "\"payload\":{\"half\":\"\\ud800\",\"\\udfff\":1}}"),
            &a, NULL));
        CHECK_INT(lan_message_sign(signature, &m, (enum lan_dialect)d, &key) ==
                SYNCLINE_OK,
            d == LAN_FIRST);
        m.member[LAN_SIGNATURE] = json_new_str(&a, slice_str(signature));
        CHECK_OK(lan_message_verify(&found, &m, LAN_UNDECIDED, &key));
        CHECK_INT(found, d == LAN_FIRST ? LAN_FIRST : LAN_UNDECIDED);
        arena_free(&a);
    }
}
