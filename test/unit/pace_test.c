#include "base/pace.h"

#include "base/prng.h"
#include "unit/check.h"

#define SEC UINT64_C(1000000)

TEST(no_rate_is_no_limit)
{
    const struct pace_rule rule = { 0, 0 };
    struct pace p = { 0 };

    for (int i = 0; i < 1000; i++) {
        CHECK_UINT(pace_take(&p, &rule, UINT64_MAX / 2, 5), 0);
        CHECK(pace_may(&p, &rule, 1, 5));
    }
}

/* A burst at once, then one whenever its time has come. */
TEST(a_burst_and_then_the_rate)
{
    const struct pace_rule rule = { 10, 20 };
    struct pace p = { 0 };
    int passed = 0;

    for (int i = 0; i < 100; i++)
        passed += pace_may(&p, &rule, 1, SEC);
    CHECK_INT(passed, 21);
    CHECK(!pace_may(&p, &rule, 1, SEC));
    CHECK(pace_may(&p, &rule, 1, SEC + SEC / 10));
    CHECK(!pace_may(&p, &rule, 1, SEC + SEC / 10));
}

/* Taken all the same, and paid for by waiting. */
TEST(what_is_too_much_has_to_wait)
{
    const struct pace_rule rule = { 100, 100 };
    struct pace p = { 0 };
    uint64_t wait = pace_take(&p, &rule, 300, 7 * SEC);

    CHECK_UINT(wait, 2 * SEC);
    CHECK_UINT(pace_late_us(&p, &rule, 7 * SEC + wait), 0);
    CHECK_UINT(pace_take(&p, &rule, 100, 7 * SEC + wait), SEC);
}

/* Whoever waits as told never has more than burst and rate give him, and who
 * has rested long has no more in hand than a burst. */
TEST(no_span_holds_more_than_burst_and_rate)
{
    struct prng r = { 11 };

    for (int round = 0; round < 200; round++) {
        const struct pace_rule rule = { prng_below(&r, 1000) + 1,
            prng_below(&r, 1000) };
        struct pace p = { 0 };
        uint64_t now = prng_below(&r, 1000 * SEC), began = now, taken = 0;
        uint64_t most = 0;

        for (int i = 0; i < 200; i++) {
            uint64_t n = prng_below(&r, 100) + 1;

            most = n > most ? n : most;
            taken += n;
            now += pace_take(&p, &rule, n, now) + prng_below(&r, 1000);
            CHECK_SAYING(taken <= rule.burst + most + 200 +
                        (now - began + SEC) * rule.rate / SEC,
                "round %d, step %d: %llu", round, i, (unsigned long long)taken);
        }
    }
}
