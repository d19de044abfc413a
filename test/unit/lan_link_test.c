/* Two ends of a LAN-sync connection, joined by nothing but memory. */
#include "unit/lan_pair.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

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
            pair_settle(&p, piece);
            CHECK(lan_link_is_open(p.server.link));
            CHECK(lan_link_is_open(p.client.link));
            CHECK_UINT(p.server.opened + p.client.opened, 2);
            CHECK(lan_link_dialect(p.server.link) ==
                (d == LAN_FIRST ? LAN_FIRST : LAN_SECOND));
            CHECK(lan_link_dialect(p.client.link) ==
                lan_link_dialect(p.server.link));
            CHECK_SLICE(slice_str(lan_link_node(p.server.link)), "client");
            CHECK_SLICE(slice_str(lan_link_node(p.client.link)), "server");
            (void)pair_ask(&p, LAN_SYNC_REQUEST, "one");
            (void)pair_ask(&p, LAN_SYNC_DATA, "two");
            pair_settle(&p, piece);
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
    pair_settle(&p, 0);
    CHECK(!lan_link_is_open(p.server.link));
    CHECK(!lan_link_is_over(p.server.link));
    CHECK_SLICE(buf_slice(&p.client.closed),
        "it does not let us in: Invalid credentials");
    CHECK_UINT(p.server.failures, 1);
    pair_close(&p);
}

/* Who has failed too often from there, or may not for another reason. */
TEST(who_may_not_try)
{
    struct pair p;

    pair_init(
        &p, (struct lan_link_options){ .needs_auth = true }, by_token, KEY);
    p.server.may_not = true;
    pair_settle(&p, 0);
    CHECK(!lan_link_is_open(p.server.link));
    CHECK_UINT(p.server.tries, 1);
    CHECK_UINT(p.server.failures, 1);
    pair_close(&p);
}

TEST(who_has_another_key_is_told_so)
{
    struct pair p;

    pair_init(&p, (struct lan_link_options){ .needs_auth = true }, by_token,
        "another-key");
    pair_settle(&p, 0);
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
    pair_settle(&p, 0);
    CHECK(lan_link_is_open(p.server.link) && lan_link_is_open(p.client.link));
    buf_put_str(&session, lan_link_session(p.client.link));
    CHECK(session.len > 100);
    pair_close(&p);

    again.token = buf_slice(&session);
    pair_init(&p,
        (struct lan_link_options){
            .needs_auth = true, .session_us = 3600 * SEC },
        again, KEY);
    pair_settle(&p, 0);
    CHECK(lan_link_is_open(p.server.link));
    pair_close(&p);

    session.ptr[session.len - 1] ^= 1;
    pair_init(&p,
        (struct lan_link_options){
            .needs_auth = true, .session_us = 3600 * SEC },
        again, KEY);
    pair_settle(&p, 0);
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
    pair_settle(&p, 0);
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
        end_feed(&p.server, rows[i].json);
        if (rows[i].error == NULL)
            CHECK_UINT(p.server.out.len, 0);
        else if (rows[i].error[0] != 0)
            end_check_error(&p.server, rows[i].error, rows[i].code);
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
        (void)pair_ask(&p, LAN_SYNC_REQUEST, "one");
        (void)pair_carry(&p.client, &p.server, 0);
        end_check_error(&p.server, "Authentication required", "auth_required");
        CHECK_INT(lan_link_is_over(p.server.link), d == LAN_FIRST);
        pair_settle(&p, 0);
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
        (void)pair_ask(&p, LAN_SYNC_DATA, "one");
        (void)pair_carry(&p.client, &p.server, 0);
        if (d == LAN_SECOND)
            end_check_error(
                &p.server, "Authentication required", "unauthorized");
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
        pair_settle(&p, 0);
        p.server.on_message_rc = rows[i].rc;
        (void)pair_ask(&p, LAN_SYNC_REQUEST, "one");
        (void)pair_carry(&p.client, &p.server, 0);
        end_check_error(&p.server, rows[i].error, rows[i].code);
        pair_settle(&p, 0);
        CHECK_INT(p.client.answer_rc, SYNCLINE_EDENIED);
        pair_close(&p);
    }
}

/* As much of it as is whole characters. */
TEST(a_long_type_that_nobody_takes)
{
    static const char name[] = "MODEL_UPDATE_"
                               "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                               "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                               "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                               "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                               "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                               "\xc3\xa9";
    const struct lan_draft draft = { .type = LAN_OTHER,
        .name = slice_str(name) };
    char want[128];
    struct pair p;

    pair_init(
        &p, (struct lan_link_options){ .needs_auth = true }, by_token, KEY);
    pair_settle(&p, 0);
    p.server.on_message_rc = SYNCLINE_EUNSUPPORTED;
    CHECK_OK(lan_link_send(p.client.link, &draft, p.now_us));
    (void)pair_carry(&p.client, &p.server, 0);
    (void)snprintf(
        want, sizeof want, "Unsupported message type: %.*s", 63, name);
    end_check_error(&p.server, want, "unsupported_type");
    pair_close(&p);
}

TEST(a_frame_that_was_said_before)
{
    struct pair p;
    struct buf again = { 0 };

    pair_init(
        &p, (struct lan_link_options){ .needs_auth = true }, by_token, KEY);
    pair_settle(&p, 0);
    (void)pair_ask(&p, LAN_SYNC_DATA, "one");
    buf_put_slice(&again, buf_slice(&p.client.out));
    buf_put_slice(&p.client.out, buf_slice(&again));
    (void)pair_carry(&p.client, &p.server, 0);
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
            pair_settle(&p, 0);
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
    (void)pair_ask(&p, LAN_SYNC_REQUEST, "one");
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
    pair_settle(&p, 0);
    (void)pair_ask(&p, LAN_SYNC_REQUEST, "one");
    pair_settle(&p, 0);
    CHECK_UINT(lan_link_deadline(p.client.link), p.now_us + 10 * SEC);
    pair_pass(&p, 10 * SEC);
    CHECK_UINT(p.client.answered, 1);
    CHECK_INT(p.client.answer_rc, SYNCLINE_ETIMEOUT);
    (void)pair_ask(&p, LAN_SYNC_REQUEST, "two");
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
        pair_settle(&p, 0);
        for (unsigned i = 0; i < 10; i++) {
            pair_pass(&p, 30 * SEC);
            pair_settle(&p, 0);
        }
        CHECK(lan_link_is_open(p.server.link));
        CHECK(lan_link_is_open(p.client.link));
        for (unsigned i = 0; i < 3; i++) {
            pair_pass(&p, 30 * SEC);
            buf_clear(&p.client.out);
            buf_clear(&p.server.out);
        }
        CHECK_SLICE(
            buf_slice(&p.server.closed), "it has said nothing for too long");
        pair_pass(&p, 30 * SEC);
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
    pair_pass(&p, 10 * SEC);
    CHECK(lan_link_is_open(p.client.link));
    pair_close(&p);
}

/* No older server is asked for a proof: who answers nothing has no secret. */
TEST(a_server_that_says_nothing_to_a_proof)
{
    struct pair p;

    pair_init(&p, (struct lan_link_options){ .needs_auth = true },
        (struct lan_link_options){ .auth = LAN_BY_PROOF }, KEY);
    buf_clear(&p.client.out);
    pair_pass(&p, 10 * SEC);
    CHECK(lan_link_is_over(p.client.link));
    CHECK_UINT(p.client.opened, 0);
    CHECK_SLICE(buf_slice(&p.client.closed),
        "it answers nothing to who would prove the secret");
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
            (void)pair_carry(&p.client, &p.server, 0);
            (void)pair_carry(&p.server, &p.client, 0);
        }
        failed = check_alloc_failed();
        check_alloc_fail_from(-1);
        CHECK(lan_link_is_open(p.client.link) || failed);
        pair_close(&p);
        if (!failed)
            break;
    }
}
