/* Pairing without a code, between whole nodes. */
#include "unit/door_world.h"

#include "unit/check.h"

#include "repl/beacon.h"

#include <stdio.h>

#define SEC_US ((uint64_t)1000000)
#define OPEN "{\"op\":\"pending_open\"}"
#define JOIN "{\"op\":\"join\",\"peer\":\"10.0.0.1\"}"

static uint64_t say(
    struct world *w, unsigned who, const char *op, const char *digits)
{
    char text[100];

    snprintf(text, sizeof text, "{\"op\":\"%s\",\"%s\":\"%s\"}", op,
        who == MEMBER ? "who" : "digits", digits);
    return world_ask(w, who, text);
}

/* Both sides show digits. */
static uint64_t stand_at_the_door(struct world *w)
{
    uint64_t join;

    CHECK_SLICE(
        slice_str(world_result(w, MEMBER, world_ask(w, MEMBER, OPEN))), "OK");
    join = world_ask(w, JOINER, JOIN);
    world_connect(w);
    world_talk(w);
    CHECK_UINT(strlen(world_digits(w, JOINER)), DIGITS_N);
    return join;
}

TEST(equal_digits_let_a_machine_in)
{
    struct world w;
    uint64_t join, approve;
    const char *digits;

    world_init(&w);
    join = stand_at_the_door(&w);
    digits = world_digits(&w, MEMBER);
    CHECK_SLICE(slice_str(world_digits(&w, JOINER)), digits);
    approve = say(&w, MEMBER, "approve", digits);
    world_talk(&w);
    CHECK_SLICE(slice_str(world_result(&w, MEMBER, approve)), "");
    CHECK(!world_is_member(&w, JOINER)); /* one yes is not two */
    CHECK_SLICE(
        slice_str(world_result(&w, JOINER, say(&w, JOINER, "confirm", digits))),
        "OK");
    world_talk(&w);
    CHECK_SLICE(slice_str(world_result(&w, MEMBER, approve)), "OK");
    CHECK_SLICE(slice_str(world_result(&w, JOINER, join)), "OK");
    CHECK(world_is_member(&w, JOINER));
    CHECK(node_admits(
        w.side[JOINER].node, identity_device(w.side[MEMBER].id), false));
    /* One comes in, and the door is shut. */
    CHECK(!node_admits(
        w.side[MEMBER].node, identity_device(w.side[MIDDLE].id), true));
    world_free(&w);
}

TEST(the_other_order_too)
{
    struct world w;
    uint64_t join, approve;
    char spaced[16];
    const char *digits;

    world_init(&w);
    join = stand_at_the_door(&w);
    digits = world_digits(&w, JOINER);
    say(&w, JOINER, "confirm", digits);
    world_talk(&w);
    CHECK(!world_is_member(&w, JOINER));
    snprintf(spaced, sizeof spaced, "%.3s %.3s", digits, digits + 3);
    approve = say(&w, MEMBER, "approve", spaced);
    world_talk(&w);
    CHECK_SLICE(slice_str(world_result(&w, MEMBER, approve)), "OK");
    CHECK_SLICE(slice_str(world_result(&w, JOINER, join)), "OK");
    CHECK(world_is_member(&w, JOINER));
    world_free(&w);
}

/* Nobody is told anything before a person has opened the door. */
TEST(the_door_is_shut)
{
    struct world w;

    world_init(&w);
    CHECK(!node_admits(
        w.side[MEMBER].node, identity_device(w.side[JOINER].id), true));
    world_ask(&w, MEMBER, "{\"op\":\"pending_open\",\"for_s\":60}");
    CHECK(node_admits(
        w.side[MEMBER].node, identity_device(w.side[JOINER].id), true));
    world_ask(&w, MEMBER, "{\"op\":\"pending_open\",\"for_s\":0}");
    CHECK(!node_admits(
        w.side[MEMBER].node, identity_device(w.side[JOINER].id), true));
    world_ask(&w, MEMBER, "{\"op\":\"pending_open\",\"for_s\":60}");
    world_pass(&w, 61 * SEC_US);
    CHECK(!node_admits(
        w.side[MEMBER].node, identity_device(w.side[JOINER].id), true));
    CHECK_SLICE(
        slice_str(world_result(&w, MEMBER,
            world_ask(&w, MEMBER, "{\"op\":\"pending_open\",\"for_s\":3601}"))),
        "EINVAL");
    world_free(&w);
}

/* All that a stranger hears before it is let in is 34 bytes. */
TEST(nothing_is_told_at_the_door)
{
    struct world w;

    world_init(&w);
    (void)stand_at_the_door(&w);
    CHECK_UINT(w.side[MEMBER].said_n, 1);
    CHECK_UINT(w.side[MEMBER].said[0].bytes.len, 2 + DIGITS_NONCE_LEN);
    world_free(&w);
}

TEST(somebody_says_no)
{
    struct world w;
    uint64_t join, approve;

    world_init(&w);
    join = stand_at_the_door(&w);
    CHECK_SLICE(slice_str(world_result(&w, MEMBER,
                    say(&w, MEMBER, "deny", world_digits(&w, MEMBER)))),
        "OK");
    world_talk(&w);
    CHECK_SLICE(slice_str(world_result(&w, JOINER, join)), "EDENIED");
    CHECK_SLICE(slice_str(world_digits(&w, MEMBER)), "");
    world_pass(&w, 2 * SEC_US);
    /* And now the one at the joiner. */
    buf_clear(&w.side[JOINER].event);
    join = stand_at_the_door(&w);
    approve = say(&w, MEMBER, "approve", world_digits(&w, MEMBER));
    CHECK_SLICE(
        slice_str(world_result(&w, JOINER, say(&w, JOINER, "confirm", "no"))),
        "EDENIED");
    world_talk(&w);
    CHECK_SLICE(slice_str(world_result(&w, JOINER, join)), "EDENIED");
    CHECK_SLICE(slice_str(world_result(&w, MEMBER, approve)), "EDENIED");
    CHECK(!world_is_member(&w, JOINER));
    world_free(&w);
}

TEST(wrong_digits_let_nobody_in)
{
    struct world w;
    uint64_t join;

    world_init(&w);
    join = stand_at_the_door(&w);
    CHECK_SLICE(slice_str(world_result(
                    &w, MEMBER, say(&w, MEMBER, "approve", "000000x"))),
        "ENOTFOUND");
    CHECK_SLICE(
        slice_str(world_result(&w, MEMBER, say(&w, MEMBER, "approve", "hall"))),
        "ENOTFOUND");
    CHECK_SLICE(
        slice_str(world_result(&w, MEMBER, say(&w, MEMBER, "approve", ""))),
        "ENOTFOUND");
    world_talk(&w);
    CHECK_SLICE(slice_str(world_result(&w, JOINER, join)), "");
    CHECK(!world_is_member(&w, JOINER));
    world_free(&w);
}

TEST(nobody_decides_in_time)
{
    struct world w;
    uint64_t join, approve;

    world_init(&w);
    join = stand_at_the_door(&w);
    approve = say(&w, MEMBER, "approve", world_digits(&w, MEMBER));
    for (int i = 0; i < 119; i++) {
        world_pass(&w, SEC_US);
        world_talk(&w);
    }
    CHECK_SLICE(slice_str(world_result(&w, MEMBER, approve)), "");
    world_pass(&w, 2 * SEC_US);
    world_talk(&w);
    CHECK_SLICE(slice_str(world_result(&w, MEMBER, approve)), "ETIMEOUT");
    CHECK_SLICE(slice_str(world_result(&w, JOINER, join)), "ETIMEOUT");
    CHECK_SLICE(slice_str(world_digits(&w, MEMBER)), "");
    world_free(&w);
}

/* One whose machine has lost its power is not shown for long. */
TEST(the_joiner_goes_silent)
{
    struct world w;
    uint64_t approve;

    world_init(&w);
    (void)stand_at_the_door(&w);
    approve = say(&w, MEMBER, "approve", world_digits(&w, MEMBER));
    world_pass(&w, 16 * SEC_US);
    CHECK_SLICE(slice_str(world_digits(&w, MEMBER)), "");
    CHECK_SLICE(slice_str(world_result(&w, MEMBER, approve)), "EDENIED");
    world_free(&w);
}

TEST(the_joiner_is_broken_off)
{
    struct world w;
    uint64_t join;
    struct event cancel = { .type = EV_CANCEL };

    world_init(&w);
    join = stand_at_the_door(&w);
    cancel.request = join;
    world_step(&w, JOINER, &cancel);
    world_talk(&w);
    CHECK_SLICE(slice_str(world_digits(&w, MEMBER)), "");
    CHECK_SLICE(slice_str(world_result(&w, JOINER, join)), "");
    CHECK_SLICE(slice_str(world_result(
                    &w, JOINER, say(&w, JOINER, "confirm", "123456"))),
        "ENOTFOUND");
    world_free(&w);
}

/* Taking the approval back counts until both have said yes. */
TEST(an_approval_is_taken_back)
{
    struct world w;
    uint64_t join, approve;
    struct event cancel = { .type = EV_CANCEL };

    world_init(&w);
    join = stand_at_the_door(&w);
    approve = say(&w, MEMBER, "approve", world_digits(&w, MEMBER));
    CHECK_SLICE(slice_str(world_result(&w, MEMBER,
                    say(&w, MEMBER, "approve", world_digits(&w, MEMBER)))),
        "EBUSY");
    cancel.request = approve;
    world_step(&w, MEMBER, &cancel);
    say(&w, JOINER, "confirm", world_digits(&w, JOINER));
    world_talk(&w);
    CHECK(!world_is_member(&w, JOINER));
    approve = say(&w, MEMBER, "approve", world_digits(&w, MEMBER));
    world_talk(&w);
    CHECK_SLICE(slice_str(world_result(&w, MEMBER, approve)), "OK");
    CHECK_SLICE(slice_str(world_result(&w, JOINER, join)), "OK");
    world_free(&w);
}

/* ---- strangers ---- */

static void put_made_ask(struct world *w, struct buf *b, uint8_t exporter,
    const uint8_t nonce[DIGITS_NONCE_LEN])
{
    uint8_t bytes[PAIR_EXPORTER_LEN];
    struct pair_link link = { .joiner_spki = identity_spki(w->side[MIDDLE].id),
        .inviter_spki = identity_spki(w->side[MEMBER].id),
        .exporter = bytes };
    struct pair_ask ask = { .name = SLICE_LIT("\x1b[2J\xe2\x80\xae") };

    memset(bytes, exporter, sizeof bytes);
    buf_clear(b);
    CHECK_OK(digits_commit(ask.commit, &w->side[MIDDLE].crypto, &link, nonce));
    CHECK_OK(put_pair_ask(b, &ask));
}

static uint8_t last_said(const struct world *w)
{
    const struct side *s = &w->side[MEMBER];

    return s->said_n == 0 ? 0 : s->said[s->said_n - 1].bytes.ptr[0];
}

/* The reason of the refusal that was said last; 0: it was none. */
static unsigned refused(const struct world *w)
{
    return last_said(w) == PAIR_REFUSE
        ? w->side[MEMBER].said[w->side[MEMBER].said_n - 1].bytes.ptr[2]
        : 0;
}

/* Three in vain, with pauses that grow, and the door is shut. */
TEST(three_may_ask_in_vain)
{
    const uint8_t nonce[DIGITS_NONCE_LEN] = { 9 };
    struct world w;
    struct buf b = { 0 };

    world_init(&w);
    world_ask(&w, MEMBER, OPEN);
    for (uint64_t i = 0; i < 3; i++) {
        world_up(&w, MEMBER, MIDDLE, 9100 + 2 * i, 1);
        put_made_ask(&w, &b, 1, nonce);
        world_hear(&w, MEMBER, 9100 + 2 * i, buf_slice(&b));
        CHECK_UINT(last_said(&w), PAIR_NONCE);
        world_down(&w, MEMBER, 9100 + 2 * i); /* it has seen the digits */
        if (i == 2)
            break;
        world_up(&w, MEMBER, MIDDLE, 9101 + 2 * i, 1);
        world_hear(&w, MEMBER, 9101 + 2 * i, buf_slice(&b));
        CHECK_UINT(refused(&w), PAIR_BUSY); /* not at once */
        world_down(&w, MEMBER, 9101 + 2 * i);
        world_pass(&w, SEC_US << i);
    }
    CHECK(!node_admits(
        w.side[MEMBER].node, identity_device(w.side[MIDDLE].id), true));
    /* A person can open it again. */
    world_ask(&w, MEMBER, OPEN);
    world_up(&w, MEMBER, MIDDLE, 9200, 1);
    world_hear(&w, MEMBER, 9200, buf_slice(&b));
    CHECK_UINT(last_said(&w), PAIR_NONCE);
    buf_free(&b);
    world_free(&w);
}

TEST(one_at_a_time)
{
    const uint8_t nonce[DIGITS_NONCE_LEN] = { 9 };
    struct world w;
    struct buf b = { 0 };

    world_init(&w);
    (void)stand_at_the_door(&w);
    world_up(&w, MEMBER, MIDDLE, 9100, 1);
    put_made_ask(&w, &b, 1, nonce);
    world_hear(&w, MEMBER, 9100, buf_slice(&b));
    CHECK_UINT(refused(&w), PAIR_BUSY);
    CHECK_UINT(strlen(world_digits(&w, MEMBER)), DIGITS_N);
    buf_free(&b);
    world_free(&w);
}

/* What breaks the order, the format or the commitment. */
TEST(messages_out_of_order)
{
    static const struct {
        const char *bytes;
        size_t len;
        bool after_ask;
        unsigned reason;
    } rows[] = {
        { "\x07\x02", 2, false, PAIR_BROKEN },
        { "\x08\x02", 2, false, PAIR_BROKEN },
        { "\x09\x02", 2, false, PAIR_BROKEN },
        { "\x04\x02", 2, false, PAIR_BROKEN },
        { "\x04\x03", 2, false, PAIR_OTHER_VERSION },
        { "\x04", 1, false, PAIR_BROKEN },
        { "", 0, false, PAIR_BROKEN },
        { "\x07\x02", 2, true, PAIR_BROKEN }, /* before it has revealed */
        { "\x05\x02", 2, true, PAIR_BROKEN },
        { "\x06\x02", 2, true, PAIR_BROKEN },
        { "\xff\x02", 2, true, PAIR_BROKEN },
        { "\x07\x09", 2, true, PAIR_OTHER_VERSION },
    };
    const uint8_t nonce[DIGITS_NONCE_LEN] = { 9 };
    struct buf b = { 0 };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct world w;

        world_init(&w);
        world_ask(&w, MEMBER, OPEN);
        world_up(&w, MEMBER, MIDDLE, 9100, 1);
        put_made_ask(&w, &b, 1, nonce);
        if (rows[i].after_ask)
            world_hear(&w, MEMBER, 9100, buf_slice(&b));
        world_hear(&w, MEMBER, 9100, SLICE(rows[i].bytes, rows[i].len));
        CHECK_SAYING(
            refused(&w) == rows[i].reason, "row %zu: %u", i, refused(&w));
        CHECK(w.side[MEMBER].closed == 9100);
        CHECK_SLICE(slice_str(world_digits(&w, MEMBER)), "");
        world_free(&w);
    }
    buf_free(&b);
}

/* Who could choose its nonce after ours could choose the digits. */
TEST(a_nonce_that_was_not_committed_to)
{
    uint8_t nonce[DIGITS_NONCE_LEN] = { 9 };
    struct world w;
    struct buf b = { 0 };

    world_init(&w);
    world_ask(&w, MEMBER, OPEN);
    world_up(&w, MEMBER, MIDDLE, 9100, 1);
    put_made_ask(&w, &b, 1, nonce);
    world_hear(&w, MEMBER, 9100, buf_slice(&b));
    buf_clear(&b);
    nonce[0] ^= 1;
    CHECK_OK(put_pair_nonce(&b, PAIR_REVEAL, nonce));
    world_hear(&w, MEMBER, 9100, buf_slice(&b));
    CHECK_UINT(refused(&w), PAIR_BROKEN);
    CHECK_SLICE(slice_str(world_digits(&w, MEMBER)), "");
    buf_free(&b);
    world_free(&w);
}

/* It speaks to each with its own key, and passes on what it can. */
TEST(somebody_in_between)
{
    const uint8_t nonce[DIGITS_NONCE_LEN] = { 9 };
    struct world w;
    struct buf b = { 0 };
    struct slice theirs;

    world_init(&w);
    world_ask(&w, MEMBER, OPEN);
    world_ask(&w, JOINER, JOIN);
    world_up(&w, JOINER, MIDDLE, w.side[JOINER].dialled, 2);
    world_up(&w, MEMBER, MIDDLE, 9100, 1);
    put_made_ask(&w, &b, 1, nonce);
    world_hear(&w, MEMBER, 9100, buf_slice(&b));
    theirs = world_next(&w, MEMBER);
    CHECK_UINT(theirs.ptr[0], PAIR_NONCE);
    world_hear(&w, JOINER, w.side[JOINER].dialled, theirs);
    buf_clear(&b);
    CHECK_OK(put_pair_nonce(&b, PAIR_REVEAL, nonce));
    world_hear(&w, MEMBER, 9100, buf_slice(&b));
    CHECK_UINT(strlen(world_digits(&w, MEMBER)), DIGITS_N);
    CHECK_UINT(strlen(world_digits(&w, JOINER)), DIGITS_N);
    CHECK(strcmp(world_digits(&w, MEMBER), world_digits(&w, JOINER)) != 0);
    buf_free(&b);
    world_free(&w);
}

/* A message of the joiner, as it is, on the other connection: of no use. */
TEST(a_reveal_that_was_passed_on)
{
    struct world w;
    struct slice ask, reveal;

    world_init(&w);
    world_ask(&w, MEMBER, OPEN);
    world_ask(&w, JOINER, JOIN);
    world_up(&w, JOINER, MIDDLE, w.side[JOINER].dialled, 2);
    world_up(&w, MEMBER, MIDDLE, 9100, 1);
    ask = world_next(&w, JOINER);
    world_hear(&w, MEMBER, 9100, ask);
    world_hear(&w, JOINER, w.side[JOINER].dialled, world_next(&w, MEMBER));
    reveal = world_next(&w, JOINER);
    CHECK_UINT(reveal.ptr[0], PAIR_REVEAL);
    world_hear(&w, MEMBER, 9100, reveal);
    CHECK_UINT(refused(&w), PAIR_BROKEN);
    world_free(&w);
}

/* A member that lets nobody in yet is believed nothing. */
TEST(admitted_before_the_person_said_yes)
{
    struct pair_welcome welcome = { .name = SLICE_LIT("trap") };
    struct world w;
    struct buf b = { 0 };
    uint64_t join;

    world_init(&w);
    join = stand_at_the_door(&w);
    CHECK_OK(put_pair_admit(&b, &welcome));
    world_hear(&w, JOINER, w.side[JOINER].dialled, buf_slice(&b));
    CHECK_SLICE(slice_str(world_result(&w, JOINER, join)), "EMALFORMED");
    buf_free(&b);
    world_free(&w);
}

/* ---- who need not ask ---- */

TEST(a_member_asks)
{
    const uint8_t nonce[DIGITS_NONCE_LEN] = { 9 };
    struct world w;
    struct buf b = { 0 };
    struct pair_ask ask = { .name = SLICE_LIT("kitchen") };

    world_init(&w);
    (void)stand_at_the_door(&w);
    say(&w, JOINER, "confirm", world_digits(&w, JOINER));
    say(&w, MEMBER, "approve", world_digits(&w, MEMBER));
    world_talk(&w);
    CHECK(world_is_member(&w, JOINER));
    CHECK_SLICE(
        slice_str(world_result(&w, JOINER, world_ask(&w, JOINER, JOIN))),
        "EEXIST");
    world_ask(&w, MEMBER, OPEN);
    world_up(&w, MEMBER, JOINER, 9100, 1);
    memcpy(ask.commit, nonce, sizeof nonce);
    CHECK_OK(put_pair_ask(&b, &ask));
    world_hear(&w, MEMBER, 9100, buf_slice(&b));
    /* It may have lost its store; a person is told what it is. */
    CHECK_UINT(last_said(&w), PAIR_NONCE);
    buf_free(&b);
    world_free(&w);
}

TEST(it_dials_itself)
{
    struct world w;
    uint64_t join;

    world_init(&w);
    join = world_ask(&w, JOINER, JOIN);
    world_up(&w, JOINER, JOINER, 9100, 1);
    CHECK_UINT(w.side[JOINER].closed, 9100);
    world_up(&w, JOINER, JOINER, w.side[JOINER].dialled, 1);
    CHECK_SLICE(slice_str(world_result(&w, JOINER, join)), "EINVAL");
    CHECK_UINT(w.side[JOINER].said_n, 0);
    world_free(&w);
}

/* Whom the joiner dials is let in to answer; whoever dials it, is not. */
TEST(a_stranger_dials_the_joiner)
{
    struct world w;

    world_init(&w);
    world_ask(&w, JOINER, JOIN);
    world_up(&w, JOINER, MIDDLE, 9100, 1);
    CHECK_UINT(w.side[JOINER].closed, 9100);
    CHECK_UINT(w.side[JOINER].said_n, 0);
    world_free(&w);
}

TEST(nobody_is_found)
{
    struct world w;
    uint64_t join;

    world_init(&w);
    join = world_ask(&w, JOINER, JOIN);
    for (int i = 0; i < 31; i++) {
        uint64_t dialled = w.side[JOINER].dialled;

        world_down(&w, JOINER, dialled);
        world_pass(&w, SEC_US);
        CHECK(i > 25 || w.side[JOINER].dialled > dialled); /* once a second */
    }
    CHECK_SLICE(slice_str(world_result(&w, JOINER, join)), "ETIMEOUT");
    world_free(&w);
}

/* ---- by multicast ---- */

TEST(a_door_that_is_open_can_be_found)
{
    struct world w;
    struct event ev = { .type = EV_DATAGRAM,
        .remote = { .family = 4, .addr = { 10, 0, 0, 1 }, .port = 4748 } };
    struct buf find = { 0 };
    uint64_t join;

    world_init(&w);
    join = world_ask(&w, JOINER, "{\"op\":\"join\"}");
    world_pass(&w, 1000);
    CHECK_UINT(beacon_kind(buf_slice(&w.side[JOINER].datagram)), BEACON_FIND);
    buf_put_slice(&find, buf_slice(&w.side[JOINER].datagram));
    ev.bytes = buf_slice(&find);
    buf_clear(&w.side[MEMBER].datagram);
    world_step(&w, MEMBER, &ev);
    CHECK_UINT(w.side[MEMBER].datagram.len, 0); /* shut */
    world_ask(&w, MEMBER, OPEN);
    world_step(&w, MEMBER, &ev);
    CHECK_UINT(w.side[MEMBER].datagram.len, find.len); /* never larger */
    ev.bytes = buf_slice(&w.side[MEMBER].datagram);
    world_step(&w, JOINER, &ev);
    world_connect(&w);
    world_talk(&w);
    CHECK_SLICE(slice_str(world_digits(&w, JOINER)), world_digits(&w, MEMBER));
    CHECK_SLICE(slice_str(world_result(&w, JOINER, join)), "");
    /* Who is busy, or was asked just now, does not answer. */
    ev.bytes = buf_slice(&find);
    buf_clear(&w.side[MEMBER].datagram);
    world_step(&w, MEMBER, &ev);
    CHECK_UINT(w.side[MEMBER].datagram.len, 0);
    buf_free(&find);
    world_free(&w);
}

/* ---- what may fail ---- */

TEST(the_disk_is_full)
{
    struct world w;
    uint64_t join, approve;

    world_init(&w);
    join = stand_at_the_door(&w);
    say(&w, JOINER, "confirm", world_digits(&w, JOINER));
    world_talk(&w);
    store_mem_fail(w.side[MEMBER].disk, SYNCLINE_EFULL, 1);
    approve = say(&w, MEMBER, "approve", world_digits(&w, MEMBER));
    world_talk(&w);
    CHECK_SLICE(slice_str(world_result(&w, MEMBER, approve)), "EIO");
    CHECK_SLICE(slice_str(world_result(&w, JOINER, join)), "EIO");
    CHECK(!world_is_member(&w, JOINER));
    world_free(&w);
}

/* From an allocation of a step on memory runs out: it ends well, or both are
 * told, and nobody is half in. *steps: how many there are. */
static bool story_without(long step, long alloc, long *steps)
{
    struct world w;
    uint64_t join, approve = 0;
    bool failed;

    world_init(&w);
    w.steps = 0;
    w.fail_step = step;
    w.fail_alloc = alloc;
    world_ask(&w, MEMBER, OPEN);
    join = world_ask(&w, JOINER, JOIN);
    if (!w.broken && w.side[JOINER].dialled != 0 &&
        world_result(&w, JOINER, join)[0] == 0 &&
        node_admits(
            w.side[MEMBER].node, identity_device(w.side[JOINER].id), true)) {
        world_connect(&w);
        world_talk(&w);
        say(&w, JOINER, "confirm", world_digits(&w, JOINER));
        approve = say(&w, MEMBER, "approve", "123456");
        approve = say(&w, MEMBER, "approve", world_digits(&w, JOINER));
        world_talk(&w);
    }
    for (int i = 0; i < 14 && !w.broken; i++) {
        world_pass(&w, 10 * SEC_US);
        world_talk(&w);
    }
    failed = w.failed;
    CHECK_SAYING(w.broken || world_result(&w, JOINER, join)[0] != 0,
        "step %ld, allocation %ld: the joiner is not told", step, alloc);
    CHECK_SAYING(
        w.broken || approve == 0 || world_result(&w, MEMBER, approve)[0] != 0,
        "step %ld, allocation %ld: who approved is not told", step, alloc);
    if (!failed)
        CHECK_SLICE(slice_str(world_result(&w, JOINER, join)), "OK");
    *steps = w.steps;
    world_free(&w);
    return failed;
}

TEST(memory_that_runs_out)
{
    long steps = 1, ignored;

    (void)story_without(-1, 0, &steps);
    CHECK(steps > 20 && steps < 200);
    for (long step = 0; step < steps; step++)
        for (long n = 0; story_without(step, n, &ignored); n++)
            CHECK(n < 1000);
}
