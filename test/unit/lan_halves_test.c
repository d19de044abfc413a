/* Many links, and what they hold together of messages that do not end. */
#include "unit/lan_pair.h"

#include <stdlib.h>

#define LINKS 6
#define MIB ((size_t)1 << 20)

struct crowd {
    struct pair p; /* its time, and a client whose words let one in */
    struct lan_halves halves;
    struct end ends[LINKS];
};

/* Of whom nobody has to come in, so that all may say much. */
static void crowd_init(struct crowd *c, size_t max)
{
    struct lan_link_options opt = { .is_server = true, .halves = &c->halves };

    *c = (struct crowd){ .p.now_us = UINT64_C(1795176000) * SEC,
        .halves.max = max };
    for (size_t i = 0; i < LINKS; i++)
        end_make(&c->ends[i], &c->p, KEY, opt);
}

static void crowd_close(struct crowd *c)
{
    for (size_t i = 0; i < LINKS; i++)
        end_free(&c->ends[i]);
    CHECK_UINT(c->halves.bytes, 0);
    CHECK(c->halves.first == NULL && c->halves.last == NULL);
}

static void come_in(struct crowd *c, size_t ix)
{
    end_feed(&c->ends[ix], FIRST("SYNC_ACK"));
    end_feed(&c->ends[ix],
        "{\"message_type\":\"AUTH_REQUEST\",\"payload\":{\"token\":\"" KEY
        "\"}}");
}

/* It has begun a message of so many, and says n of it. */
static void say(struct crowd *c, size_t ix, size_t of, size_t n)
{
    const uint8_t head[LAN_FRAME_HEAD] = { (uint8_t)(of >> 24),
        (uint8_t)(of >> 16), (uint8_t)(of >> 8), (uint8_t)of };
    uint8_t *body = calloc(1, n);

    c->p.now_us += SEC;
    if (of > 0)
        lan_link_feed(c->ends[ix].link, SLICE(head, sizeof head), c->p.now_us);
    for (size_t at = 0; at < n; at += MIB / 4)
        lan_link_feed(c->ends[ix].link,
            SLICE(body + at, n - at < MIB / 4 ? n - at : MIB / 4), c->p.now_us);
    free(body);
}

static bool has_gone(const struct crowd *c, size_t ix)
{
    const struct buf *why = &c->ends[ix].closed;

    if (why->len > 0)
        CHECK_SLICE(buf_slice(why), LAN_HALF_SAID);
    return lan_link_is_over(c->ends[ix].link);
}

TEST(who_has_begun_first_goes)
{
    struct crowd c;

    crowd_init(&c, 4 * MIB);
    for (size_t i = 0; i < LINKS; i++)
        say(&c, i, 4 * MIB, MIB - 8);
    for (size_t i = 0; i < LINKS; i++)
        CHECK_UINT(has_gone(&c, i), i < 2);
    CHECK(c.halves.bytes <= 4 * MIB);
    say(&c, 5, 0, MIB);
    CHECK(has_gone(&c, 2));
    CHECK(!has_gone(&c, 3));
    crowd_close(&c);
}

/* It goes on ending what it begins: it is never the one who has begun first. */
TEST(who_ends_what_he_begins_stays)
{
    struct crowd c;

    crowd_init(&c, 4 * MIB);
    say(&c, 0, MIB, MIB / 2);
    for (size_t i = 1; i < LINKS; i++) {
        say(&c, i, 4 * MIB, MIB - 8);
        say(&c, 0, 0, MIB - MIB / 2);
        say(&c, 0, MIB, MIB / 2);
    }
    CHECK(!has_gone(&c, 0));
    CHECK(has_gone(&c, 1));
    CHECK(!has_gone(&c, LINKS - 1));
    crowd_close(&c);
}

/* Even the one who was first. Who is not in goes, however much less it has. */
TEST(who_was_let_in_is_the_last_to_go)
{
    struct crowd c;

    crowd_init(&c, 4 * MIB);
    come_in(&c, 0);
    come_in(&c, 1);
    CHECK(lan_link_is_open(c.ends[0].link));
    CHECK(lan_link_is_open(c.ends[1].link));
    say(&c, 0, 8 * MIB, 2 * MIB);
    say(&c, 2, 4 * MIB, MIB);
    say(&c, 3, 4 * MIB, MIB - 64);
    CHECK(!has_gone(&c, 2));
    say(&c, 0, 0, MIB);
    CHECK(has_gone(&c, 2));
    say(&c, 4, 4 * MIB, 1000); /* little: its end would help nobody */
    say(&c, 1, 8 * MIB, 2 * MIB);
    CHECK(has_gone(&c, 3));
    CHECK(has_gone(&c, 0));
    CHECK(!has_gone(&c, 1));
    CHECK(!has_gone(&c, 4));
    crowd_close(&c);
}

/* He is not heard at present: that what he has begun does not end is not his
 * doing. */
TEST(who_is_held_goes_after_those_who_are_heard)
{
    struct crowd c;

    crowd_init(&c, 4 * MIB);
    for (size_t i = 0; i < 3; i++)
        come_in(&c, i);
    say(&c, 0, 8 * MIB, MIB);
    lan_link_hold(c.ends[0].link, true, c.p.now_us);
    say(&c, 1, 8 * MIB, 2 * MIB);
    say(&c, 2, 8 * MIB, 2 * MIB);
    CHECK(!has_gone(&c, 0));
    CHECK(has_gone(&c, 1));
    lan_link_hold(c.ends[2].link, true, c.p.now_us);
    say(&c, 2, 0, 2 * MIB);
    CHECK(has_gone(&c, 0)); /* there is nobody else */
    crowd_close(&c);
}

/* One alone is bounded by the longest message, and nothing else. */
TEST(what_ends_is_given_back)
{
    struct crowd c;

    crowd_init(&c, 4 * MIB);
    for (size_t i = 0; i < 20; i++)
        for (size_t ix = 0; ix < LINKS; ix++)
            say(&c, ix, 2 * MIB, 2 * MIB);
    CHECK_UINT(c.halves.bytes, 0);
    for (size_t ix = 0; ix < LINKS; ix++)
        CHECK(!has_gone(&c, ix));
    say(&c, 0, 4 * MIB, 4 * MIB - 8);
    CHECK(!has_gone(&c, 0));
    CHECK(c.halves.bytes > 3 * MIB);
    lan_link_end(c.ends[0].link);
    lan_link_tick(c.ends[0].link, c.p.now_us);
    CHECK_UINT(c.halves.bytes, 0);
    crowd_close(&c);
}
