#include "store/bloom.h"

#include "unit/check.h"

#include <stdio.h>

#define KEYS 100000

static struct slice key_no(char room[32], const char *what, int i)
{
    return SLICE(room, (size_t)snprintf(room, 32, "%s/%08d", what, i));
}

TEST(what_was_added_is_never_lacked)
{
    struct bloom b;
    char room[32];
    int wrong = 0;

    CHECK_OK(bloom_init(&b));
    CHECK(bloom_lacks(&b, SLICE_LIT("")));
    bloom_add(&b, SLICE_LIT(""));
    CHECK(!bloom_lacks(&b, SLICE_LIT("")));
    for (int i = 0; i < KEYS; i++)
        bloom_add(&b, key_no(room, "item", i));
    for (int i = 0; i < KEYS; i++) {
        CHECK(!bloom_lacks(&b, key_no(room, "item", i)));
        wrong += !bloom_lacks(&b, key_no(room, "other", i));
    }
    CHECK(wrong < KEYS / 100); /* or it would be of no use */
    bloom_free(&b);
}

TEST(without_room_it_knows_nothing)
{
    struct bloom b = { 0 };

    bloom_add(&b, SLICE_LIT("k"));
    CHECK(!bloom_lacks(&b, SLICE_LIT("other")));
}
