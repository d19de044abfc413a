#include "repl/copies.h"

#include "unit/check.h"

#define SECOND ((uint64_t)1000000)

static struct device_id device_of(uint8_t i)
{
    return (struct device_id){ { i } };
}

static struct rid replica_of(uint8_t i, uint8_t incarnation)
{
    struct rid r = { { i } };

    r.b[RID_LEN - 1] = incarnation;
    return r;
}

/* The device `1` comes as its replica `as`. */
static bool comes(struct copies *c, uint8_t as, bool beside, uint64_t at_us)
{
    struct device_id d = device_of(1);
    struct rid r = replica_of(1, as);

    return copies_note(c, &d, &r, beside ? 1 : 0, at_us);
}

static bool known(const struct copies *c, uint64_t at_us)
{
    struct device_id d = device_of(1);

    return copies_known(c, &d, at_us);
}

static bool tells(struct copies *c, uint8_t replica)
{
    struct device_id d = device_of(1);
    struct rid r = replica_of(1, replica);

    return copies_tell(c, &d, &r);
}

TEST(two_that_take_turns_are_found_soon)
{
    struct copies c = { 0 };
    struct device_id d = device_of(1), other = device_of(2);
    struct rid r = replica_of(1, 1), before = replica_of(1, 2);
    bool found = false;

    for (uint8_t i = 0; i < 5; i++) {
        CHECK(!found && !known(&c, i * SECOND));
        found = comes(&c, (uint8_t)(1 + i % 2), true, i * SECOND);
    }
    CHECK(found);
    CHECK(known(&c, 4 * SECOND));
    CHECK(!copies_known(&c, &other, 4 * SECOND));
    CHECK(rid_eq(copies_other(&c, &d, &r), &before));
    CHECK(!comes(&c, 2, true, 5 * SECOND)); /* found once */
    copies_free(&c);
}

TEST(three_that_take_turns_are_found_too)
{
    struct copies c = { 0 };
    bool found = false;

    for (uint8_t i = 0; i < 6; i++)
        found = comes(&c, (uint8_t)(1 + i % 3), true, i * SECOND) || found;
    CHECK(found);
    copies_free(&c);
}

/* One stays connected and is heard, the other one is never let in. */
TEST(one_that_knocks_in_vain_is_found)
{
    struct copies c = { 0 };
    struct device_id d = device_of(1);
    struct rid r = replica_of(1, 2);
    int knocks = 1;

    CHECK(!comes(&c, 1, false, SECOND));
    CHECK(!copies_note(&c, &d, &r, SECOND, 2 * SECOND));
    for (uint64_t at = 3; !known(&c, at * SECOND); at++, knocks++)
        (void)copies_note(&c, &d, &r, at * SECOND - 1, at * SECOND);
    CHECK_INT(knocks, 1 + COPIES_RETURNS);
    copies_free(&c);
}

/* The other connection is of the life before, and nothing comes from it. */
TEST(a_connection_that_lingers_is_no_copy)
{
    struct copies c = { 0 };
    struct device_id d = device_of(1);
    struct rid r = replica_of(1, 2);

    CHECK(!comes(&c, 1, false, SECOND));
    for (uint64_t at = 3; at < 100; at++)
        CHECK(!copies_note(&c, &d, &r, SECOND, at * SECOND));
    CHECK(!known(&c, 100 * SECOND));
    copies_free(&c);
}

/* It crashes and starts, over and over, and its old connections linger. */
TEST(one_that_crashes_again_and_again_is_one)
{
    struct copies c = { 0 };

    for (uint8_t i = 1; i < 200; i++) {
        CHECK(!comes(&c, i, true, i * SECOND / 10));
        CHECK(!comes(&c, i, true, i * SECOND / 10 + 1));
    }
    CHECK(!known(&c, 20 * SECOND));
    copies_free(&c);
}

/* Somebody goes back to a snapshot now and then. */
TEST(returns_that_are_rare_prove_nothing)
{
    struct copies c = { 0 };

    for (uint8_t i = 0; i < 100; i++)
        CHECK(!comes(
            &c, (uint8_t)(1 + i % 2), false, (uint64_t)i * COPIES_WINDOW_US));
    copies_free(&c);
}

static uint64_t find_two(struct copies *c)
{
    uint64_t at = 0;

    for (uint8_t i = 0; !comes(c, (uint8_t)(1 + i % 2), true, at); i++)
        at += SECOND;
    return at;
}

TEST(each_replica_is_told_once)
{
    struct copies c = { 0 };
    uint64_t at = find_two(&c);

    CHECK(tells(&c, 1));
    CHECK(!tells(&c, 1));
    CHECK(!comes(&c, 2, true, at + 1));
    CHECK(tells(&c, 2));
    CHECK(!comes(&c, 1, true, at + 2));
    CHECK(!tells(&c, 1));
    CHECK(!tells(&c, 3)); /* who never came */
    copies_free(&c);
}

TEST(who_is_one_again_is_forgotten)
{
    struct copies c = { 0 };
    uint64_t at = find_two(&c), end = at + COPIES_KEPT_US;

    CHECK(known(&c, end - 1));
    CHECK(!known(&c, end));
    /* As long as the other one knocks it is not. */
    CHECK(!comes(&c, 2, true, end - 2));
    CHECK(!comes(&c, 2, true, end - 1));
    CHECK(known(&c, end));
    CHECK(!comes(&c, 2, false, end + SECOND));
    CHECK(!known(&c, end - 1 + COPIES_KEPT_US));
    /* And it may happen once more. */
    at = end + 2 * COPIES_KEPT_US;
    for (uint8_t i = 0; !comes(&c, (uint8_t)(1 + i % 2), true, at); i++)
        at += SECOND;
    CHECK(known(&c, at));
    CHECK(tells(&c, 1));
    copies_free(&c);
}

TEST(who_is_no_member_is_forgotten)
{
    struct copies c = { 0 };
    struct device_id ids[] = { device_of(2), device_of(4) };

    for (uint8_t i = 1; i < 6; i++) {
        struct device_id d = device_of(i);
        struct rid r = replica_of(i, 1);

        (void)copies_note(&c, &d, &r, 0, 0);
    }
    CHECK_UINT(copies_n(&c), 5);
    copies_keep(&c, ids, 2);
    CHECK_UINT(copies_n(&c), 2);
    copies_free(&c);
    CHECK_UINT(copies_n(&c), 0);
}

TEST(without_memory_nobody_is_noticed)
{
    struct copies c = { 0 };

    check_alloc_fail_from(0);
    CHECK(!comes(&c, 1, false, 0));
    check_alloc_fail_from(-1);
    CHECK(!known(&c, 1));
    CHECK(!tells(&c, 1));
    copies_free(&c);
}
