#include "base/prng.h"

#include "unit/check.h"

/* What the authors' reference program prints for seed 1234567. */
TEST(reference_numbers)
{
    static const uint64_t want[] = { 6457827717110365317u, 3203168211198807973u,
        9817491932198370423u, 4593380528125082431u, 16408922859458223821u };
    struct prng p = { 1234567 };

    for (size_t i = 0; i < ARRAY_N(want); i++)
        CHECK_UINT(prng_next(&p), want[i]);
}

TEST(below_stays_below_and_reaches_everything)
{
    struct prng p = { 1 };
    unsigned seen[7] = { 0 };

    for (int i = 0; i < 7000; i++)
        seen[prng_below(&p, 7)]++;
    for (size_t i = 0; i < ARRAY_N(seen); i++)
        CHECK(seen[i] > 800 && seen[i] < 1200);
}

TEST(below_nothing_is_zero)
{
    struct prng p = { 1 };

    CHECK_UINT(prng_below(&p, 0), 0);
    CHECK_UINT(prng_below(&p, 1), 0);
}

TEST(one_in_n_is_about_that)
{
    struct prng p = { 9 };
    int hits = 0;

    for (int i = 0; i < 10000; i++)
        hits += prng_one_in(&p, 10);
    CHECK(hits > 900 && hits < 1100);
    CHECK(prng_one_in(&p, 1));
}

TEST(seeds_differ)
{
    struct prng a = { 1 }, b = { 2 };

    for (int i = 0; i < 100; i++)
        CHECK(prng_next(&a) != prng_next(&b));
}
