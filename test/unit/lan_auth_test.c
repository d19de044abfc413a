/* How long a session counts, whose the credentials are, who waits how long. */
#include "unit/lan_pair.h"

#include "faces/lansync/token.h"

/* By the time of day, and not by the clock that never goes back. */
/* Members of the payload of what it has said; 0: it has said nothing. */
static uint32_t said_members(struct end *e)
{
    struct arena a = { 0 };
    struct lan_message m;
    uint32_t n = 0;

    if (e->out.len > 0) {
        CHECK_OK(lan_message_read(
            &m, slice_from(buf_slice(&e->out), LAN_FRAME_HEAD), &a, NULL));
        n = m.member[LAN_PAYLOAD]->n;
    }
    arena_free(&a);
    return n;
}

/* Text of so many bytes is with it in the arena. True: the nth allocation was
 * one of those that it takes. */
static bool answers_by(const char *said, size_t fill, long n, uint32_t members)
{
    struct buf text = { 0 };
    struct pair p;
    bool failed;

    pair_init(&p, (struct lan_link_options){ .needs_auth = true },
        (struct lan_link_options){ .auth = LAN_BY_NOTHING }, KEY);
    buf_put(&text, said, strlen(said) - 1);
    buf_put_str(&text, ",\"nonce\":\"\\n");
    for (size_t k = 0; k < fill; k++)
        buf_put_u8(&text, 'x');
    buf_put_str(&text, "\"}");
    buf_put_u8(&text, 0);
    CHECK(buf_reserve(&p.server.out, 8192) != NULL);
    check_alloc_fail_once(n);
    end_feed(&p.server, (const char *)text.ptr);
    failed = check_alloc_failed();
    check_alloc_fail_from(-1);
    CHECK_SAYING(
        said_members(&p.server) == members || (failed && p.server.out.len == 0),
        "%u of %u, by %ld, %zu", said_members(&p.server), members, n, fill);
    pair_close(&p);
    buf_free(&text);
    return failed;
}

/* What is said is whole, or is not said: half an answer would let nobody in
 * and tell nobody why. Each piece is once the one that there is no room for. */
TEST(memory_that_runs_out_makes_no_half_of_an_answer)
{
    static const struct {
        const char *said;
        uint32_t members;
    } rows[] = {
        { SECOND("SYNC_DATA"), 4 },
        { "{\"message_type\":\"HEARTBEAT\",\"payload\":{\"request_id\":\"h\","
          "\"timestamp\":5}}",
            2 },
        { "{\"message_type\":\"AUTH_REQUEST\",\"payload\":{\"token\":\"" KEY
          "\",\"request_id\":\"r\"}}",
            4 },
        { "{\"message_type\":\"AUTH_REQUEST\",\"payload\":{\"token\":\"" KEY
          "\"}}",
            4 },
        { "{\"message_type\":\"AUTH_REQUEST\",\"message_id\":\"m\","
          "\"payload\":{\"token\":\"no\"}}",
            5 },
        { "{\"message_type\":\"AUTH_REQUEST\",\"payload\":{\"method\":"
          "\"challenge\",\"request_id\":\"r\"}}",
            4 },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++)
        for (size_t fill = 0; fill < 4200; fill += 48)
            for (long n = 0; answers_by(rows[i].said, fill, n, rows[i].members);
                 n++)
                CHECK(n < 100);
}

TEST(a_session_is_over_when_its_time_is)
{
    const struct lan_link_options serves = {
        .is_server = true, .needs_auth = true, .session_us = 60 * SEC
    };
    const uint64_t now_us = UINT64_C(1795176000) * SEC;
    struct lan_link_options again = by_token;
    struct buf session = { 0 };
    struct arena a = { 0 };

    CHECK_OK(lan_session_put(&session, slice_str("client"), slice_str("server"),
        slice_str(KEY), now_us, 60 * SEC, &a));
    arena_free(&a);
    again.token = buf_slice(&session);
    for (unsigned late = 0; late < 2; late++) {
        struct pair p = { .now_us = 1000 };
        const uint64_t wall_us = now_us + (59 + 2 * late) * SEC;

        end_make(&p.server, &p, KEY, serves);
        end_make(&p.client, &p, KEY, again);
        lan_protocol_set_wall(p.server.protocol, wall_us, p.now_us);
        lan_protocol_set_wall(p.client.protocol, wall_us, p.now_us);
        lan_link_begin(p.client.link, p.now_us);
        pair_settle(&p, 0);
        CHECK_INT(lan_link_is_open(p.server.link), late == 0);
        pair_close(&p);
    }
    buf_free(&session);
}

/* What is said to one server, and heard by whoever listens there or has it
 * said to him, is of no use at another. */
TEST(a_session_is_of_its_server)
{
    static const struct {
        const char *server;
        bool is_in;
    } of[] = { { "server", true }, { "another", false }, { "", false },
        { "serve", false } };
    const struct lan_link_options serves = {
        .is_server = true, .needs_auth = true, .session_us = 60 * SEC
    };
    const uint64_t now_us = UINT64_C(1795176000) * SEC;

    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        struct lan_link_options by_session = by_token;
        struct pair p = { .now_us = 1000 };
        struct buf session = { 0 };
        struct arena a = { 0 };

        CHECK_OK(lan_session_put(&session, slice_str("client"),
            slice_str(of[i].server), slice_str(KEY), now_us, 60 * SEC, &a));
        arena_free(&a);
        by_session.token = buf_slice(&session);
        end_make(&p.server, &p, KEY, serves);
        end_make(&p.client, &p, KEY, by_session);
        lan_protocol_set_wall(p.server.protocol, now_us, p.now_us);
        lan_protocol_set_wall(p.client.protocol, now_us, p.now_us);
        lan_link_begin(p.client.link, p.now_us);
        pair_settle(&p, 0);
        CHECK_INT(lan_link_is_open(p.server.link), of[i].is_in);
        pair_close(&p);
        buf_free(&session);
    }
}

/* A client that is in already may ask once more, and gets its answer. */
TEST(credentials_are_the_programs_and_may_be_said_again)
{
    struct lan_link_options own = { .auth = LAN_BY_TOKEN,
        .credentials = SLICE_LIT("{\"token\":\"" KEY "\",\"who\":\"me\"}") };
    struct pair p;

    pair_init(&p, (struct lan_link_options){ .needs_auth = true }, own, KEY);
    pair_settle(&p, 0);
    CHECK(lan_link_is_open(p.server.link) && lan_link_is_open(p.client.link));
    pair_ask(&p, LAN_AUTH_REQUEST, "no token");
    pair_settle(&p, 0);
    CHECK_UINT(p.client.answered, 1);
    CHECK_SLICE(buf_slice(&p.client.closed), "");
    CHECK(strstr((const char *)p.client.answer.ptr, "Invalid credentials") !=
        NULL);
    pair_close(&p);
    own.credentials = SLICE_LIT("{\"request_id\":\"x\"}");
    pair_init(&p, (struct lan_link_options){ .needs_auth = true }, own, KEY);
    CHECK(lan_link_is_over(p.client.link));
    pair_close(&p);
}

/* Those who wait less are told before those who have asked first. */
TEST(each_request_waits_as_long_as_it_says)
{
    struct pair p;
    struct arena a = { 0 };
    struct lan_draft draft = { .type = LAN_SYNC_REQUEST,
        .payload = json_new(&a, JSON_OBJECT) };
    uint64_t request;

    pair_init(
        &p, (struct lan_link_options){ .needs_auth = true }, by_token, KEY);
    pair_settle(&p, 0);
    CHECK_OK(lan_link_request(p.client.link, &draft, p.now_us, &request));
    draft.wait_us = SEC;
    CHECK_OK(lan_link_request(p.client.link, &draft, p.now_us, &request));
    CHECK_UINT(lan_link_deadline(p.client.link), p.now_us + SEC);
    p.client.out.len = 0; /* they get lost */
    pair_pass(&p, SEC);
    CHECK_UINT(p.client.answered, 1);
    CHECK_INT(p.client.answer_rc, SYNCLINE_ETIMEOUT);
    pair_pass(&p, 9 * SEC);
    CHECK_UINT(p.client.answered, 2);
    arena_free(&a);
    pair_close(&p);
}

/* A message of that type which p makes, to the client who has just asked. */
static void say_to_client(
    struct pair *p, struct lan_protocol *by, struct lan_draft draft)
{
    struct arena a = { 0 };
    struct json *payload = json_new(&a, JSON_OBJECT);
    struct lan_message asked;
    struct buf b = { 0 };

    CHECK_OK(lan_message_read(&asked,
        slice_from(buf_slice(&p->client.out), LAN_FRAME_HEAD), &a, NULL));
    json_add(payload, SLICE_LIT("request_id"),
        json_new_str(&a, lan_payload_text(&asked, "request_id")));
    json_add(payload, SLICE_LIT("challenge"),
        json_new_str(&a,
            SLICE_LIT("00112233445566778899aabbccddeeff"
                      "00112233445566778899aabbccddeeff")));
    json_add(payload, SLICE_LIT("code"),
        json_new_str(&a, SLICE_LIT("internal_error")));
    draft.payload = payload;
    CHECK_OK(lan_protocol_put(by, &b, &draft, LAN_SECOND, p->now_us));
    buf_clear(&p->client.out);
    lan_link_feed(p->client.link, buf_slice(&b), p->now_us);
    buf_free(&b);
    arena_free(&a);
}

/* Who stands between gets them from us, where we let in whoever comes. */
TEST(our_own_challenge_and_answer_are_none)
{
    static const enum lan_type types[] = { LAN_AUTH_CHALLENGE,
        LAN_AUTH_RESPONSE };
    const struct lan_link_options serves = { .needs_auth = true };
    const struct lan_link_options proof = { .auth = LAN_BY_PROOF };

    for (unsigned i = 0; i < 4; i++) {
        const bool is_own = i < 2;
        struct pair p;

        pair_init(&p, serves, proof, KEY);
        say_to_client(&p, is_own ? p.client.protocol : p.server.protocol,
            (struct lan_draft){ .type = types[i % 2] });
        CHECK_INT(p.client.out.len > 0, !is_own && i % 2 == 0);
        if (is_own)
            CHECK_SLICE(buf_slice(&p.client.closed),
                "it is ourselves, or says again what we have said");
        pair_close(&p);
    }
}

/* It counts for yes of a server that was told the secret. */
TEST(an_error_lets_nobody_in_who_proves_the_secret)
{
    const struct lan_link_options serves = { .needs_auth = true };
    const struct lan_link_options proof = { .auth = LAN_BY_PROOF };

    for (unsigned i = 0; i < 2; i++) {
        struct pair p;

        pair_init(&p, serves, i == 0 ? proof : by_token, KEY);
        say_to_client(
            &p, p.server.protocol, (struct lan_draft){ .type = LAN_ERROR });
        CHECK_INT(lan_link_is_open(p.client.link), i == 1);
        CHECK_INT(lan_link_is_over(p.client.link), i == 0);
        pair_close(&p);
    }
}

/* Who stands between two connections of TLS, or makes one of what is in clear
 * at the other end, passes on a proof that is of another one. */
TEST(a_proof_counts_for_the_channel_on_which_it_was_asked)
{
    static const struct {
        const char *server, *client;
        bool is_in;
    } rows[] = { { NULL, NULL, true }, { "a", "a", true }, { "a", "b", false },
        { "a", NULL, false }, { NULL, "a", false }, { "", "", false },
        { "a", "", false } };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct pair p;

        pair_init(&p, (struct lan_link_options){ .needs_auth = true },
            (struct lan_link_options){ .auth = LAN_BY_PROOF }, KEY);
        p.server.channel = rows[i].server;
        p.client.channel = rows[i].client;
        pair_settle(&p, 0);
        CHECK_INT(lan_link_is_open(p.server.link), rows[i].is_in);
        CHECK_INT(lan_link_is_open(p.client.link), rows[i].is_in);
        pair_close(&p);
    }
}

/* A server of an earlier version does not say that a proof is to be bound. */
TEST(a_challenge_that_binds_nothing_is_answered_as_before)
{
    struct buf first = { 0 };

    for (unsigned i = 0; i < 2; i++) {
        struct arena a = { 0 };
        struct lan_message m;
        struct pair p;

        pair_init(&p, (struct lan_link_options){ .needs_auth = true },
            (struct lan_link_options){ .auth = LAN_BY_PROOF }, KEY);
        p.client.channel = i == 0 ? NULL : "a";
        say_to_client(&p, p.server.protocol,
            (struct lan_draft){ .type = LAN_AUTH_CHALLENGE });
        CHECK_OK(lan_message_read(&m,
            slice_from(buf_slice(&p.client.out), LAN_FRAME_HEAD), &a, NULL));
        if (i == 0)
            buf_put_slice(&first, lan_payload_text(&m, "response"));
        else
            CHECK(
                slice_eq(buf_slice(&first), lan_payload_text(&m, "response")));
        CHECK_UINT(first.len, 64);
        arena_free(&a);
        pair_close(&p);
    }
    buf_free(&first);
}

/* Both are new, the client's clock is so far ahead. */
static void start_pair(struct pair *p, uint64_t now_us, uint64_t ahead_us)
{
    const struct lan_link_options serves = { .is_server = true,
        .needs_auth = true },
                                  calls = { .auth = LAN_BY_PROOF };

    *p = (struct pair){ .now_us = now_us };
    end_make(&p->server, p, KEY, serves);
    end_make(&p->client, p, KEY, calls);
    lan_protocol_set_wall(
        p->server.protocol, now_us + UINT64_C(1795176000) * SEC, now_us);
    lan_protocol_set_wall(p->client.protocol,
        now_us + UINT64_C(1795176000) * SEC + ahead_us, now_us);
    p->now_us += SEC;
    lan_link_begin(p->client.link, p->now_us);
    pair_settle(p, 0);
    CHECK(lan_link_is_open(p->server.link));
    CHECK(lan_link_is_open(p->client.link));
}

static void say(struct pair *p, bool by_server)
{
    const struct lan_draft draft = { .type = LAN_SYNC_ACK };

    CHECK_OK(lan_link_send(
        by_server ? p->server.link : p->client.link, &draft, p->now_us));
}

/* Of what counted before that nobody knows: whoever comes in by a proof that he
 * passes on could say it again, here or where we have called. */
TEST(what_was_said_before_our_start_does_not_count)
{
    static const uint64_t ahead[] = { 0, 5 * SEC, 30 * SEC };

    for (size_t i = 0; i < 2 * sizeof ahead / sizeof *ahead; i++) {
        const bool by_server = i % 2 == 0;
        struct pair p, q;
        struct end *to = by_server ? &q.client : &q.server;
        struct buf heard;

        start_pair(&p, 100 * SEC, ahead[i / 2]);
        say(&p, by_server);
        heard = by_server ? p.server.out : p.client.out;
        start_pair(&q, 110 * SEC, ahead[i / 2]);
        lan_link_feed(to->link, buf_slice(&heard), q.now_us);
        CHECK_UINT(to->heard.len, 0);
        CHECK_INT(lan_link_is_over(to->link), false);
        say(&q, by_server);
        pair_settle(&q, 0);
        CHECK_SLICE(buf_slice(&to->heard), "SYNC_ACK ;");
        pair_close(&q);
        pair_close(&p);
    }
}
