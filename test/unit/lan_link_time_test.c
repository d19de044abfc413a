/* How long a LAN-sync connection waits for a sign of life, and how much may be
 * said by it. */
#include "unit/lan_pair.h"

/* The answer to a heartbeat may take so long; who misses so many is gone. */
TEST(heartbeats_that_are_answered_late)
{
    struct lan_link_options client = by_token;
    struct pair p;

    client.heartbeat_us = 30 * SEC;
    client.heartbeat_wait_us = 5 * SEC;
    client.misses_max = 2;
    pair_init(&p, (struct lan_link_options){ .needs_auth = true }, client, KEY);
    pair_settle(&p, 0);
    for (unsigned i = 0; i < 3; i++) {
        pair_pass(&p, 30 * SEC);
        pair_pass(&p, 4 * SEC);
        pair_settle(&p, 0);
        pair_pass(&p, SEC);
    }
    pair_pass(&p, 30 * SEC);
    CHECK_UINT(lan_link_deadline(p.client.link), p.now_us + 5 * SEC);
    buf_clear(&p.client.out);
    pair_pass(&p, 5 * SEC);
    CHECK(lan_link_is_open(p.client.link));
    pair_pass(&p, 25 * SEC);
    buf_clear(&p.client.out);
    pair_pass(&p, 5 * SEC - 1);
    CHECK(lan_link_is_open(p.client.link));
    pair_pass(&p, 1);
    CHECK_SLICE(
        buf_slice(&p.client.closed), "it answers no heartbeat any more");
    pair_close(&p);
}

/* ---- how much may be said ---- */

/* What is too fast waits, and nothing of it is lost. */
TEST(who_is_in_and_says_too_much)
{
    const struct lan_link_options server = { .needs_auth = true,
        .pace = { .rate = 10, .burst = 20 } };
    struct pair p;
    unsigned turns = 0;

    pair_init(&p, server, by_token, KEY);
    pair_settle(&p, 0);
    for (unsigned i = 0; i < 50; i++)
        (void)pair_ask(&p, LAN_SYNC_ACK, "x");
    pair_settle(&p, 7);
    CHECK_UINT(p.server.held, 1);
    CHECK_UINT(p.server.heard.len, 20 * strlen("SYNC_ACK x;"));
    while (p.server.heard.len < 50 * strlen("SYNC_ACK x;") && turns < 1000) {
        CHECK(lan_link_deadline(p.server.link) > p.now_us);
        pair_pass(&p, lan_link_deadline(p.server.link) - p.now_us);
        turns++;
    }
    CHECK_UINT(turns, 30);
    CHECK_UINT(p.server.heard.len, 50 * strlen("SYNC_ACK x;"));
    pair_pass(&p, SEC);
    CHECK_UINT(p.server.held, 0);
    pair_close(&p);
}

TEST(who_was_not_let_in_and_says_too_much)
{
    for (unsigned first = 0; first < 2; first++) {
        const struct lan_link_options server = { .needs_auth = true,
            .guest_pace = { .rate = 10, .burst = 20 } };
        struct pair p;

        pair_init(&p, server,
            (struct lan_link_options){ .auth = LAN_BY_NOTHING }, KEY);
        for (unsigned i = 0; i < 21; i++)
            end_feed(
                &p.server, first ? FIRST("HEARTBEAT") : SECOND("HEARTBEAT"));
        p.server.out.len = 0; /* the answers to them */
        CHECK(!lan_link_is_over(p.server.link));
        end_feed(&p.server, first ? FIRST("HEARTBEAT") : SECOND("HEARTBEAT"));
        end_check_error(&p.server,
            first ? "Too many messages" : "Invalid message: Too many messages",
            first ? "validation_failed" : "generic_error");
        CHECK_SLICE(buf_slice(&p.server.closed), "Too many messages");
        pair_close(&p);
    }
}
