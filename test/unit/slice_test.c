#include "base/slice.h"

#include "unit/check.h"

TEST(slices_are_equal_as_bytes)
{
    CHECK(slice_eq(SLICE_LIT("a\0b"), SLICE_LIT("a\0b")));
    CHECK(!slice_eq(SLICE_LIT("a\0b"), SLICE_LIT("a\0c")));
    CHECK(!slice_eq(SLICE_LIT("a"), SLICE_LIT("ab")));
    CHECK(slice_eq(SLICE_NONE, SLICE_LIT("")));
    CHECK(slice_is(SLICE_LIT("name"), "name"));
    CHECK(!slice_is(SLICE_LIT("name\0"), "name"));
}

/* Bytes are unsigned, and a prefix comes before what it begins. */
TEST(slices_are_ordered)
{
    static const char *const rising[] = { "", "A", "AA", "AB", "B", "a", "\x7f",
        "\x80", "\xff", "\xff\xff" };

    for (size_t i = 0; i < ARRAY_N(rising); i++)
        for (size_t j = 0; j < ARRAY_N(rising); j++) {
            int c = slice_cmp(slice_str(rising[i]), slice_str(rising[j]));

            CHECK((c < 0) == (i < j) && (c > 0) == (i > j));
        }
}

TEST(prefixes_and_tails)
{
    CHECK(slice_has_prefix(SLICE_LIT("abc"), SLICE_LIT("ab")));
    CHECK(slice_has_prefix(SLICE_LIT("abc"), SLICE_NONE));
    CHECK(!slice_has_prefix(SLICE_LIT("ab"), SLICE_LIT("abc")));
    CHECK(!slice_has_prefix(SLICE_LIT("abc"), SLICE_LIT("b")));
    CHECK_SLICE(slice_from(SLICE_LIT("abc"), 1), "bc");
    CHECK_UINT(slice_from(SLICE_LIT("abc"), 3).len, 0);
    CHECK_UINT(slice_from(SLICE_LIT("abc"), 9).len, 0);
}
