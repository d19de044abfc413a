#include "core/hlc.h"

#include "unit/check.h"

#include "base/prng.h"

#define HOUR_US UINT64_C(3600000000)

TEST(follows_the_wall_clock)
{
    struct hlc c = { 0 };
    uint64_t a = hlc_next(&c, HOUR_US);

    CHECK_UINT(hlc_wall_us(a), HOUR_US);
    CHECK_UINT(a, hlc_of_wall(HOUR_US));
}

/* A clock set back by an hour still produces growing stamps. */
TEST(wall_clock_set_back)
{
    struct hlc c = { 0 };
    uint64_t a = hlc_next(&c, 2 * HOUR_US);
    uint64_t b = hlc_next(&c, HOUR_US);

    CHECK(a < b);
    CHECK_UINT(hlc_wall_us(b), 2 * HOUR_US);
}

TEST(one_microsecond_holds_many_writes)
{
    struct hlc c = { 0 };
    uint64_t last = 0;

    for (int i = 0; i < 10000; i++) {
        uint64_t now = hlc_next(&c, HOUR_US);

        CHECK(now > last);
        last = now;
    }
    /* The counter carried into the microseconds. */
    CHECK_UINT(hlc_wall_us(last), HOUR_US + 2);
}

TEST(what_was_seen_is_passed)
{
    struct hlc c = { 0 };
    uint64_t foreign = hlc_of_wall(5 * HOUR_US) + 17;

    hlc_observe(&c, foreign);
    CHECK_UINT(hlc_next(&c, HOUR_US), foreign + 1);
    hlc_observe(&c, hlc_of_wall(HOUR_US));
    CHECK_UINT(hlc_next(&c, HOUR_US), foreign + 2);
}

TEST(law_every_stamp_is_greater_than_all_before)
{
    struct prng p = { 77 };

    for (int run = 0; run < 200; run++) {
        struct hlc c = { 0 };
        uint64_t greatest = 0;

        for (int i = 0; i < 50; i++) {
            uint64_t wall = prng_below(&p, 1000);

            if (prng_one_in(&p, 3)) {
                uint64_t seen = hlc_of_wall(wall) + prng_below(&p, 4096);

                hlc_observe(&c, seen);
                greatest = seen > greatest ? seen : greatest;
            } else {
                uint64_t now = hlc_next(&c, wall);

                CHECK(now > greatest);
                CHECK(now >= hlc_of_wall(wall));
                greatest = now;
            }
        }
    }
}

/* A clock that shows nonsense does not wrap into the past. */
TEST(wall_clock_beyond_its_range)
{
    static const uint64_t walls[] = { HLC_WALL_MAX, HLC_WALL_MAX + 1,
        (UINT64_C(1) << 52) - 1, UINT64_C(1) << 52, (UINT64_C(1) << 52) + 1,
        UINT64_MAX };

    for (size_t i = 0; i < ARRAY_N(walls); i++) {
        struct hlc c = { 0 };
        uint64_t a = hlc_next(&c, HOUR_US);
        uint64_t b = hlc_next(&c, walls[i]);

        CHECK(b > a);
        CHECK_UINT(hlc_wall_us(b), HLC_WALL_MAX);
        CHECK(b <= HLC_FOREIGN_MAX);
        CHECK(hlc_next(&c, HOUR_US) > b);
    }
}

TEST(the_largest_foreign_stamp_is_passed)
{
    struct hlc c = { 0 };
    uint64_t last = HLC_FOREIGN_MAX;

    hlc_observe(&c, HLC_FOREIGN_MAX);
    for (int i = 0; i < 10000; i++) {
        uint64_t now = hlc_next(&c, i % 2 == 0 ? HOUR_US : UINT64_MAX);

        CHECK(now > last);
        last = now;
    }
}

/* Should one above it be let in all the same: still no way back. */
TEST(the_end_of_the_range_holds)
{
    struct hlc c = { 0 };

    hlc_observe(&c, UINT64_MAX);
    CHECK_UINT(hlc_next(&c, HOUR_US), UINT64_MAX);
    CHECK_UINT(hlc_next(&c, UINT64_MAX), UINT64_MAX);
}
