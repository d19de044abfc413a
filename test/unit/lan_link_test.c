/* Two ends of a LAN-sync connection, joined by nothing but memory. */
#include "faces/lansync/link.h"

#include <stdlib.h>

#include "base/text.h"
#include "unit/check.h"

#define SEC UINT64_C(1000000)
#define KEY "test-secret-key-1234567890123456"

struct end {
    struct lan_link *link;
    struct lan_protocol *protocol;
    struct buf out;    /* has not arrived yet */
    struct buf heard;  /* "TYPE text;" of what came to on_message */
    struct buf closed; /* why */
    unsigned opened, answered;
    int answer_rc;
    struct buf answer;
    int on_message_rc;
    bool replies;
    uint64_t *now_us;
};

struct pair {
    struct end server, client;
    uint64_t now_us;
};

static int draw(void *ctx, uint8_t *out, size_t n)
{
    (void)ctx;
    return crypto_random(out, n);
}

static void on_send(void *ctx, struct slice bytes)
{
    buf_put_slice(&((struct end *)ctx)->out, bytes);
}

static void on_close(void *ctx, const char *why)
{
    buf_put_str(&((struct end *)ctx)->closed, why);
}

static void on_open(void *ctx)
{
    ((struct end *)ctx)->opened++;
}

static bool knows(void *ctx, struct slice name)
{
    (void)ctx;
    return slice_is(name, "MODEL_UPDATE");
}

static int on_message(void *ctx, const struct lan_message *m)
{
    struct end *e = ctx;
    struct arena a = { 0 };
    struct json *reply = json_new(&a, JSON_OBJECT);

    buf_printf(&e->heard, "%.*s %.*s;", SLICE_FMT(m->name),
        SLICE_FMT(lan_payload_text(m, "data")));
    if (e->replies) {
        json_add(
            reply, SLICE_LIT("status"), json_new_str(&a, SLICE_LIT("success")));
        CHECK_OK(
            lan_link_reply(e->link, m, LAN_SYNC_RESPONSE, reply, *e->now_us));
    }
    arena_free(&a);
    return e->on_message_rc;
}

static void on_answer(void *ctx, uint64_t request, const struct lan_answer *a)
{
    struct end *e = ctx;

    CHECK(request > 0);
    e->answered++;
    e->answer_rc = a->rc;
    buf_clear(&e->answer);
    if (a->m != NULL)
        json_print(&e->answer, a->m->member[LAN_PAYLOAD], JSON_CANONICAL);
}

static void make(
    struct end *e, struct pair *p, const char *key, struct lan_link_options opt)
{
    const struct lan_protocol_options protocol = {
        .node_id = opt.is_server ? "server" : "client",
        .node_name = "A node",
        .key = slice_str(key),
        .random = draw
    };

    e->now_us = &p->now_us;
    CHECK_OK(lan_protocol_new(&e->protocol, &protocol));
    opt.protocol = e->protocol;
    opt.key = slice_str(key);
    opt.events = (struct lan_link_events){ .ctx = e,
        .send = on_send,
        .close = on_close,
        .on_open = on_open,
        .knows = knows,
        .on_message = on_message,
        .on_answer = on_answer };
    CHECK_OK(lan_link_new(&e->link, &opt, p->now_us));
}

static void pair_init(struct pair *p, struct lan_link_options server,
    struct lan_link_options client, const char *clients_key)
{
    *p = (struct pair){ .now_us = UINT64_C(1795176000) * SEC };
    server.is_server = true;
    make(&p->server, p, KEY, server);
    make(&p->client, p, clients_key, client);
    lan_link_begin(p->client.link, p->now_us);
}

static void end_free(struct end *e)
{
    lan_link_free(e->link);
    lan_protocol_free(e->protocol);
    buf_free(&e->out);
    buf_free(&e->heard);
    buf_free(&e->closed);
    buf_free(&e->answer);
}

static void pair_close(struct pair *p)
{
    end_free(&p->server);
    end_free(&p->client);
}

/* In pieces of so many bytes; 0: as they were sent. False: nothing was. */
static bool carry(struct end *from, struct end *to, size_t piece)
{
    struct buf b = from->out;

    from->out = (struct buf){ 0 };
    for (size_t i = 0; i < b.len; i += piece == 0 ? b.len : piece) {
        size_t n = b.len - i;

        lan_link_feed(to->link,
            SLICE(b.ptr + i, piece == 0 || piece > n ? n : piece), *to->now_us);
    }
    piece = b.len;
    buf_free(&b);
    return piece > 0;
}

/* Nobody talks for ever. */
static void settle(struct pair *p, size_t piece)
{
    for (unsigned i = 0; i < 100; i++) {
        bool any = carry(&p->client, &p->server, piece);

        any = carry(&p->server, &p->client, piece) || any;
        if (!any)
            return;
    }
    CHECK_SAYING(false, "they never stop");
}

static void pass(struct pair *p, uint64_t us)
{
    p->now_us += us;
    lan_link_tick(p->server.link, p->now_us);
    lan_link_tick(p->client.link, p->now_us);
}

static const struct lan_link_options by_token = { .auth = LAN_BY_TOKEN,
    .token = { (const uint8_t *)KEY, sizeof KEY - 1 } };

static uint64_t ask(struct pair *p, enum lan_type type, const char *data)
{
    struct arena a = { 0 };
    struct json *payload = json_new(&a, JSON_OBJECT);
    const struct lan_draft draft = { .type = type, .payload = payload };
    uint64_t request = 0;

    json_add(payload, SLICE_LIT("data"), json_new_str(&a, slice_str(data)));
    CHECK_OK(lan_link_request(p->client.link, &draft, p->now_us, &request));
    CHECK_UINT(payload->n, 1);
    arena_free(&a);
    return request;
}

/* In each dialect, however the bytes arrive. */
TEST(a_client_comes_in_asks_and_is_answered)
{
    for (int d = LAN_UNDECIDED; d <= LAN_SECOND; d++)
        for (size_t piece = 0; piece < 4; piece++) {
            struct lan_link_options client = by_token;
            struct pair p;

            client.dialect = (enum lan_dialect)d;
            pair_init(&p, (struct lan_link_options){ .needs_auth = true },
                client, KEY);
            p.server.replies = true;
            settle(&p, piece);
            CHECK(lan_link_is_open(p.server.link));
            CHECK(lan_link_is_open(p.client.link));
            CHECK_UINT(p.server.opened + p.client.opened, 2);
            CHECK(lan_link_dialect(p.server.link) ==
                (d == LAN_FIRST ? LAN_FIRST : LAN_SECOND));
            CHECK(lan_link_dialect(p.client.link) ==
                lan_link_dialect(p.server.link));
            CHECK_SLICE(slice_str(lan_link_node(p.server.link)), "client");
            CHECK_SLICE(slice_str(lan_link_node(p.client.link)), "server");
            (void)ask(&p, LAN_SYNC_REQUEST, "one");
            (void)ask(&p, LAN_SYNC_DATA, "two");
            settle(&p, piece);
            CHECK_SLICE(
                buf_slice(&p.server.heard), "SYNC_REQUEST one;SYNC_DATA two;");
            CHECK_UINT(p.client.answered, 2);
            CHECK_OK(p.client.answer_rc);
            pair_close(&p);
        }
}

TEST(who_has_another_token_stays_out)
{
    struct lan_link_options client = by_token;
    struct pair p;

    client.token = SLICE_LIT("another");
    pair_init(&p, (struct lan_link_options){ .needs_auth = true }, client, KEY);
    settle(&p, 0);
    CHECK(!lan_link_is_open(p.server.link));
    CHECK(!lan_link_is_over(p.server.link));
    CHECK_SLICE(buf_slice(&p.client.closed),
        "it does not let us in: Invalid credentials");
    pair_close(&p);
}

TEST(who_has_another_key_is_told_so)
{
    struct pair p;

    pair_init(&p, (struct lan_link_options){ .needs_auth = true }, by_token,
        "another-key");
    settle(&p, 0);
    CHECK_SLICE(
        buf_slice(&p.client.closed), "it signs with another key than ours");
    pair_close(&p);
}

TEST(the_key_is_proved_without_being_said)
{
    const struct lan_link_options proof = { .auth = LAN_BY_PROOF };
    struct pair p;
    struct lan_link_options again = by_token;
    struct buf session = { 0 };

    pair_init(&p,
        (struct lan_link_options){
            .needs_auth = true, .session_us = 3600 * SEC },
        proof, KEY);
    settle(&p, 0);
    CHECK(lan_link_is_open(p.server.link) && lan_link_is_open(p.client.link));
    buf_put_str(&session, lan_link_session(p.client.link));
    CHECK(session.len > 100);
    pair_close(&p);

    again.token = buf_slice(&session);
    pair_init(&p,
        (struct lan_link_options){
            .needs_auth = true, .session_us = 3600 * SEC },
        again, KEY);
    settle(&p, 0);
    CHECK(lan_link_is_open(p.server.link));
    pair_close(&p);

    session.ptr[session.len - 1] ^= 1;
    pair_init(&p,
        (struct lan_link_options){
            .needs_auth = true, .session_us = 3600 * SEC },
        again, KEY);
    settle(&p, 0);
    CHECK(!lan_link_is_open(p.server.link));
    pair_close(&p);
    buf_free(&session);
}

/* Each end signs with the key it has, and the proof is of that one. */
TEST(a_proof_of_another_key_stays_out)
{
    const struct lan_link_options proof = { .auth = LAN_BY_PROOF };
    struct pair p;

    pair_init(&p, (struct lan_link_options){ .needs_auth = true }, proof,
        "another-key");
    settle(&p, 0);
    CHECK(!lan_link_is_open(p.server.link));
    CHECK(lan_link_is_over(p.client.link));
    pair_close(&p);
}

/* ---- a server that is told what no client of ours says ---- */

struct frame_of {
    const char *json;
    const char *error, *code; /* NULL: nothing is answered */
    bool closes;
};

static void feed_json(struct end *e, const char *json)
{
    uint8_t head[LAN_FRAME_HEAD] = { 0 };
    size_t n = strlen(json);

    for (unsigned i = 0; i < 4; i++)
        head[i] = (uint8_t)(n >> (24 - 8 * i));
    lan_link_feed(e->link, SLICE(head, sizeof head), *e->now_us);
    lan_link_feed(e->link, SLICE(json, n), *e->now_us);
}

static void check_error(struct end *e, const char *error, const char *code)
{
    struct arena a = { 0 };
    struct lan_message m;

    CHECK(e->out.len > LAN_FRAME_HEAD);
    CHECK_OK(lan_message_read(
        &m, slice_from(buf_slice(&e->out), LAN_FRAME_HEAD), &a, NULL));
    CHECK(m.type == LAN_ERROR);
    CHECK_SLICE(lan_payload_text(&m, "error"), error);
    CHECK_SLICE(lan_payload_text(&m, "code"), code);
    CHECK_UINT(lan_text(&m, LAN_SIGNATURE).len, LAN_SIGNATURE_LEN);
    arena_free(&a);
}

#define SECOND(type) \
    "{\"message_type\":\"" type "\",\"payload\":{\"request_id\":\"r\"}}"
#define FIRST(type)                                                      \
    "{\"message_type\":\"" type "\",\"payload\":{\"request_id\":\"r\"}," \
    "\"signature\":null,\"destination\":null}"

TEST(what_a_server_says_to_what_is_wrong)
{
    static const struct frame_of rows[] = {
        { "", "Invalid message format", "decode_error", false },
        { "[]", "Invalid message format", "decode_error", false },
        { "{", "Invalid message format", "decode_error", false },
        { "{}", "Internal server error", "internal_error", false },
        { SECOND("NONSENSE"), "Invalid message format", "decode_error", false },
        { FIRST("NONSENSE"), "Internal server error", "internal_error", false },
        { SECOND("SYNC_REQUEST"), "Invalid message: Message not signed",
            "generic_error", false },
        { FIRST("SYNC_REQUEST"), "Message not signed", "validation_failed",
            true },
        { "{\"message_type\":\"HEARTBEAT\",\"own\":1,\"signature\":null}",
            "Internal server error", "internal_error", false },
        { "{\"message_type\":\"HEARTBEAT\",\"own\":1}", NULL, NULL, false },
        { "{\"message_type\":\"SYNC_DATA\",\"message_id\":\"a\","
          "\"timestamp\":\"2026-11-20T12:00:00\",\"nonce\":\"n\","
          "\"signature\":"
          "\"00112233445566778899aabbccddeeff00112233445566778899aabbccddee"
          "ff\"}",
            "Invalid message: Invalid message signature", "generic_error",
            true },
        { "{\"message_type\":\"SYNC_DATA\",\"nonce\":\"\",\"message_id\":"
          "\"\"}",
            "Invalid message: Missing required fields: message_id, nonce",
            "generic_error", false },
        { "{\"message_type\":\"HEARTBEAT\",\"payload\":{}}", NULL, NULL,
            false },
        { "{\"message_type\":\"AUTH_REQUEST\",\"payload\":{}}", "", "", false },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct pair p;

        pair_init(&p, (struct lan_link_options){ .needs_auth = true },
            (struct lan_link_options){ .auth = LAN_BY_NOTHING }, KEY);
        feed_json(&p.server, rows[i].json);
        if (rows[i].error == NULL)
            CHECK_UINT(p.server.out.len, 0);
        else if (rows[i].error[0] != 0)
            check_error(&p.server, rows[i].error, rows[i].code);
        CHECK_SAYING(
            lan_link_is_over(p.server.link) == rows[i].closes, "row %zu", i);
        CHECK_UINT(p.server.heard.len, 0);
        pair_close(&p);
    }
}

/* A signed message of who was not let in. */
TEST(nothing_is_heard_of_who_was_not_let_in)
{
    for (int d = LAN_FIRST; d <= LAN_SECOND; d++) {
        struct lan_link_options client = { .auth = LAN_BY_NOTHING,
            .dialect = (enum lan_dialect)d };
        struct pair p;

        pair_init(
            &p, (struct lan_link_options){ .needs_auth = true }, client, KEY);
        (void)ask(&p, LAN_SYNC_REQUEST, "one");
        (void)carry(&p.client, &p.server, 0);
        check_error(&p.server, "Authentication required", "auth_required");
        CHECK_INT(lan_link_is_over(p.server.link), d == LAN_FIRST);
        settle(&p, 0);
        CHECK_UINT(p.client.answered, 1);
        CHECK_INT(p.client.answer_rc, SYNCLINE_EDENIED);
        CHECK_UINT(p.server.heard.len, 0);
        pair_close(&p);
    }
}

TEST(a_server_that_lets_all_in)
{
    for (int d = LAN_FIRST; d <= LAN_SECOND; d++) {
        struct lan_link_options client = { .auth = LAN_BY_NOTHING,
            .dialect = (enum lan_dialect)d };
        struct pair p;

        pair_init(
            &p, (struct lan_link_options){ .needs_auth = false }, client, KEY);
        (void)ask(&p, LAN_SYNC_DATA, "one");
        (void)carry(&p.client, &p.server, 0);
        if (d == LAN_SECOND)
            check_error(&p.server, "Authentication required", "unauthorized");
        else
            CHECK_SLICE(buf_slice(&p.server.heard), "SYNC_DATA one;");
        CHECK_UINT(p.server.opened, d == LAN_FIRST);
        CHECK_INT(lan_link_is_open(p.server.link), d == LAN_FIRST);
        pair_close(&p);
    }
}

TEST(what_the_application_makes_of_a_message)
{
    static const struct {
        int rc;
        const char *error, *code;
    } rows[] = {
        { SYNCLINE_EUNSUPPORTED, "Unsupported message type: SYNC_REQUEST",
            "unsupported_type" },
        { SYNCLINE_EIO, "Internal server error", "internal_error" },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct pair p;

        pair_init(
            &p, (struct lan_link_options){ .needs_auth = true }, by_token, KEY);
        settle(&p, 0);
        p.server.on_message_rc = rows[i].rc;
        (void)ask(&p, LAN_SYNC_REQUEST, "one");
        (void)carry(&p.client, &p.server, 0);
        check_error(&p.server, rows[i].error, rows[i].code);
        settle(&p, 0);
        CHECK_INT(p.client.answer_rc, SYNCLINE_EDENIED);
        pair_close(&p);
    }
}

TEST(a_frame_that_was_said_before)
{
    struct pair p;
    struct buf again = { 0 };

    pair_init(
        &p, (struct lan_link_options){ .needs_auth = true }, by_token, KEY);
    settle(&p, 0);
    (void)ask(&p, LAN_SYNC_DATA, "one");
    buf_put_slice(&again, buf_slice(&p.client.out));
    buf_put_slice(&p.client.out, buf_slice(&again));
    (void)carry(&p.client, &p.server, 0);
    CHECK_SLICE(buf_slice(&p.server.heard), "SYNC_DATA one;");
    CHECK(!lan_link_is_over(p.server.link));
    pair_close(&p);
    buf_free(&again);
}

TEST(a_frame_of_four_gigabytes)
{
    static const uint8_t head[] = { 0xff, 0xff, 0xff, 0xff };
    struct pair p;

    pair_init(&p, (struct lan_link_options){ .needs_auth = true },
        (struct lan_link_options){ .auth = LAN_BY_NOTHING }, KEY);
    lan_link_feed(p.server.link, SLICE(head, sizeof head), p.now_us);
    CHECK_SLICE(
        buf_slice(&p.server.closed), "a message longer than is allowed");
    pair_close(&p);
}

/* All that a node needs to say before it is let in is less. */
TEST(a_long_frame_of_who_was_not_let_in)
{
    for (unsigned is_in = 0; is_in < 2; is_in++) {
        static const uint8_t head[] = { 0x00, 0x01, 0x00, 0x01 };
        struct pair p;

        pair_init(
            &p, (struct lan_link_options){ .needs_auth = true }, by_token, KEY);
        if (is_in)
            settle(&p, 0);
        lan_link_feed(p.server.link, SLICE(head, sizeof head), p.now_us);
        CHECK_SLICE(buf_slice(&p.server.closed),
            is_in ? "" : "a message longer than is allowed");
        pair_close(&p);
    }
}

/* ---- dialects ---- */

static void feed_error(struct pair *p, enum lan_dialect d, const char *text,
    const char *code, const char *id)
{
    struct arena a = { 0 };
    struct json *payload = json_new(&a, JSON_OBJECT);
    const struct lan_draft draft = { .type = LAN_ERROR, .payload = payload };
    struct buf b = { 0 };

    json_add(payload, SLICE_LIT("error"), json_new_str(&a, slice_str(text)));
    json_add(payload, SLICE_LIT("code"), json_new_str(&a, slice_str(code)));
    if (id != NULL)
        json_add(
            payload, SLICE_LIT("request_id"), json_new_str(&a, slice_str(id)));
    CHECK_OK(lan_protocol_put(p->server.protocol, &b, &draft, d, p->now_us));
    lan_link_feed(p->client.link, buf_slice(&b), p->now_us);
    buf_free(&b);
    arena_free(&a);
}

/* A server that cannot read what we say tells so in its own dialect. */
TEST(an_error_tells_the_dialect)
{
    for (int d = LAN_FIRST; d <= LAN_SECOND; d++)
        for (int before = LAN_UNDECIDED; before <= LAN_SECOND; before++) {
            struct lan_link_options client = { .auth = LAN_BY_NOTHING,
                .dialect = (enum lan_dialect)before };
            struct pair p;

            pair_init(&p, (struct lan_link_options){ .needs_auth = true },
                client, KEY);
            feed_error(&p, (enum lan_dialect)d,
                d == LAN_FIRST ? "Invalid message signature"
                               : "Invalid message: Invalid message signature",
                d == LAN_FIRST ? "validation_failed" : "generic_error", NULL);
            CHECK_INT(lan_link_dialect(p.client.link), d);
            pair_close(&p);
        }
}

/* A server of the second generation fails whatever it wanted to say: what it
 * says next tells. */
TEST(a_server_that_fails_to_say_no)
{
    struct arena a = { 0 };
    struct lan_message m;
    struct pair p;
    char id[LAN_UUID_LEN + 1] = "";

    pair_init(
        &p, (struct lan_link_options){ .needs_auth = true }, by_token, KEY);
    CHECK_OK(lan_message_read(
        &m, slice_from(buf_slice(&p.client.out), LAN_FRAME_HEAD), &a, NULL));
    memcpy(id, lan_payload_text(&m, "request_id").ptr, LAN_UUID_LEN);
    feed_error(&p, LAN_SECOND, "Internal server error", "internal_error", id);
    CHECK(lan_link_is_open(p.client.link));
    (void)ask(&p, LAN_SYNC_REQUEST, "one");
    feed_error(
        &p, LAN_SECOND, "Authentication required", "auth_required", NULL);
    CHECK_SLICE(buf_slice(&p.client.closed),
        "it does not let us in: Authentication required");
    CHECK_UINT(p.client.answered, 1);
    CHECK_INT(p.client.answer_rc, SYNCLINE_ECLOSED);
    pair_close(&p);
    arena_free(&a);
}

/* ---- time ---- */

TEST(an_answer_that_does_not_come)
{
    struct pair p;

    pair_init(
        &p, (struct lan_link_options){ .needs_auth = true }, by_token, KEY);
    settle(&p, 0);
    (void)ask(&p, LAN_SYNC_REQUEST, "one");
    settle(&p, 0);
    CHECK_UINT(lan_link_deadline(p.client.link), p.now_us + 10 * SEC);
    pass(&p, 10 * SEC);
    CHECK_UINT(p.client.answered, 1);
    CHECK_INT(p.client.answer_rc, SYNCLINE_ETIMEOUT);
    (void)ask(&p, LAN_SYNC_REQUEST, "two");
    lan_link_end(p.client.link);
    CHECK_UINT(p.client.answered, 2);
    CHECK_INT(p.client.answer_rc, SYNCLINE_ECLOSED);
    pair_close(&p);
}

/* Each end has a heart, and nobody echoes; a server that answered once and
 * does not any more is gone. */
TEST(hearts_beat_and_stop)
{
    for (int d = LAN_FIRST; d <= LAN_SECOND; d++) {
        struct lan_link_options client = by_token;
        struct lan_link_options server = {
            .needs_auth = true, .heartbeat_us = 30 * SEC, .silence_us = 90 * SEC
        };
        struct pair p;

        client.dialect = (enum lan_dialect)d;
        client.heartbeat_us = 30 * SEC;
        pair_init(&p, server, client, KEY);
        settle(&p, 0);
        for (unsigned i = 0; i < 10; i++) {
            pass(&p, 30 * SEC);
            settle(&p, 0);
        }
        CHECK(lan_link_is_open(p.server.link));
        CHECK(lan_link_is_open(p.client.link));
        for (unsigned i = 0; i < 3; i++) {
            pass(&p, 30 * SEC);
            buf_clear(&p.client.out);
            buf_clear(&p.server.out);
        }
        CHECK_SLICE(
            buf_slice(&p.server.closed), "it has said nothing for too long");
        pass(&p, 30 * SEC);
        CHECK_INT(lan_link_is_over(p.client.link), d == LAN_SECOND);
        pair_close(&p);
    }
}

/* It says nothing about whether we are in: an older server that asks for
 * nothing. */
TEST(a_server_that_says_nothing)
{
    struct pair p;

    pair_init(
        &p, (struct lan_link_options){ .needs_auth = true }, by_token, KEY);
    buf_clear(&p.client.out);
    pass(&p, 10 * SEC);
    CHECK(lan_link_is_open(p.client.link));
    pair_close(&p);
}

TEST(memory_that_runs_out_ends_the_connection_or_nothing)
{
    for (long n = 0;; n++) {
        struct pair p;
        bool failed;

        pair_init(
            &p, (struct lan_link_options){ .needs_auth = true }, by_token, KEY);
        check_alloc_fail_from(n);
        for (unsigned i = 0; i < 4; i++) {
            (void)carry(&p.client, &p.server, 0);
            (void)carry(&p.server, &p.client, 0);
        }
        failed = check_alloc_failed();
        check_alloc_fail_from(-1);
        CHECK(lan_link_is_open(p.client.link) || failed);
        pair_close(&p);
        if (!failed)
            break;
    }
}
