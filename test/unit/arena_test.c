#include "base/arena.h"

#include "unit/check.h"

#include <stdalign.h>

#include "base/prng.h"

TEST(a_zeroed_arena_is_empty_and_can_be_freed)
{
    struct arena a = { 0 };

    arena_reset(&a);
    arena_free(&a);
    arena_free(&a);
    CHECK_UINT(a.held, 0);
}

/* Each piece is aligned, and writing it all touches no other piece. */
TEST(pieces_are_aligned_and_apart)
{
    struct prng p = { 1 };
    struct arena a = { 0 };
    uint8_t *at[500];
    size_t len[500];

    for (size_t i = 0; i < 500; i++) {
        len[i] = prng_below(&p, prng_one_in(&p, 20) ? 20000 : 100);
        at[i] = arena_alloc(&a, len[i]);
        CHECK(at[i] != NULL);
        CHECK_UINT((uintptr_t)at[i] % alignof(max_align_t), 0);
        memset(at[i], (int)(i & 0xff), len[i]);
    }
    for (size_t i = 0; i < 500; i++)
        for (size_t j = 0; j < len[i]; j++)
            CHECK(at[i][j] == (i & 0xff));
    CHECK(a.used <= a.held);
    arena_free(&a);
}

/* What was there before the mark stays, whatever came after it. */
TEST(a_mark_is_gone_back_to)
{
    struct prng p = { 2 };
    struct arena a = { 0 };

    for (int round = 0; round < 200; round++) {
        size_t before = prng_below(&p, 3000);
        uint8_t *kept = arena_alloc(&a, before);
        struct arena_mark mark = arena_mark(&a);
        size_t used = a.used, held = a.held;

        CHECK(kept != NULL);
        memset(kept, round, before);
        for (uint64_t n = prng_below(&p, 20); n > 0; n--) {
            size_t len = prng_below(&p, 5000);
            uint8_t *gone = arena_alloc(&a, len);

            CHECK(gone != NULL);
            memset(gone, 0xee, len);
        }
        arena_rewind(&a, &mark);
        CHECK_UINT(a.used, used);
        CHECK_UINT(a.held, held);
        for (size_t i = 0; i < before; i++)
            CHECK_UINT(kept[i], round);
    }
    arena_free(&a);
    a = (struct arena){ 0 };
    {
        struct arena_mark empty = arena_mark(&a);

        CHECK(arena_alloc(&a, 10) != NULL);
        arena_rewind(&a, &empty);
        CHECK_UINT(a.held, 0);
    }
    arena_free(&a);
}

TEST(zeroed_memory_is_zero_after_reuse)
{
    struct arena a = { 0 };
    uint8_t *p = arena_alloc(&a, 1000);

    CHECK(p != NULL);
    memset(p, 0xff, 1000);
    arena_reset(&a);
    CHECK_UINT(a.used, 0);
    p = arena_zalloc(&a, 100, 10);
    CHECK(p != NULL);
    for (int i = 0; i < 1000; i++)
        CHECK_UINT(p[i], 0);
    arena_free(&a);
}

TEST(sizes_that_wrap_are_refused)
{
    struct arena a = { 0 };

    CHECK(arena_alloc(&a, SIZE_MAX) == NULL);
    CHECK(arena_alloc(&a, SIZE_MAX - 8) == NULL);
    CHECK(arena_zalloc(&a, SIZE_MAX / 2, 3) == NULL);
    CHECK(arena_zalloc(&a, SIZE_MAX / 8 + 2, 8) == NULL);
    CHECK(arena_zalloc(&a, 7, 0) != NULL);
    CHECK(arena_zalloc(&a, 0, 7) != NULL);
    arena_free(&a);
}

/* After a reset the same work takes no new memory, but one enormous block
 * is not kept for ever. */
TEST(reset_keeps_one_block_of_a_sane_size)
{
    struct arena a = { 0 };
    size_t held;

    for (int i = 0; i < 100; i++)
        CHECK(arena_alloc(&a, 1000) != NULL);
    arena_reset(&a);
    held = a.held;
    CHECK(held > 0);
    CHECK(arena_alloc(&a, held / 2) != NULL);
    CHECK_UINT(a.held, held);
    CHECK(arena_alloc(&a, (size_t)8 << 20) != NULL);
    arena_reset(&a);
    CHECK(a.held < (size_t)2 << 20);
    arena_free(&a);
}

TEST(a_copy_is_followed_by_nul)
{
    struct arena a = { 0 };
    struct slice s = arena_dup(&a, SLICE_LIT("abc"));
    struct slice none = arena_dup(&a, SLICE_NONE);

    CHECK_SLICE(s, "abc");
    CHECK_UINT(s.ptr[3], 0);
    CHECK(none.ptr != NULL);
    CHECK_UINT(none.len, 0);
    CHECK_UINT(none.ptr[0], 0);
    arena_free(&a);
}

TEST(no_memory_leaves_what_was_there)
{
    struct arena a = { 0 };
    struct slice kept;

    check_alloc_fail_from(0);
    CHECK(arena_alloc(&a, 1) == NULL);
    check_alloc_fail_from(-1);
    CHECK_UINT(a.held, 0);
    kept = arena_dup(&a, SLICE_LIT("kept"));
    check_alloc_fail_from(0);
    CHECK(arena_zalloc(&a, 1000, 1000) == NULL);
    CHECK(arena_dup(&a, SLICE(kept.ptr, 0)).ptr != NULL);
    check_alloc_fail_from(-1);
    CHECK_SLICE(kept, "kept");
    arena_free(&a);
}

/* What was built of many pieces need not be looked through. */
TEST(whether_memory_ran_out_is_known)
{
    struct arena a = { 0 };

    CHECK(arena_alloc(&a, 100) != NULL);
    CHECK(!a.failed);
    check_alloc_fail_from(0);
    CHECK(arena_alloc(&a, (size_t)1 << 20) == NULL);
    check_alloc_fail_from(-1);
    CHECK(arena_alloc(&a, 100) != NULL);
    CHECK(a.failed);
    arena_reset(&a);
    CHECK(!a.failed);
    CHECK(arena_alloc(&a, SIZE_MAX) == NULL);
    CHECK(a.failed);
    arena_free(&a);
    CHECK(!a.failed);
}

/* What is needed again and again is not given back each time. */
TEST(blocks_are_spared_as_long_as_they_are_needed)
{
    struct arena a = { .keep = (size_t)3 << 20 };
    size_t held = 0;

    for (int round = 0; round < 10; round++) {
        struct arena_mark mark;

        for (int i = 0; i < 40; i++)
            CHECK(arena_alloc(&a, 100000) != NULL);
        CHECK(round == 0 || a.held <= held + ((size_t)1 << 20));
        mark = arena_mark(&a);
        CHECK(arena_alloc(&a, (size_t)5 << 20) != NULL);
        arena_rewind(&a, &mark);
        held = a.held;
        arena_reset(&a);
        CHECK(a.held > (size_t)2 << 20 && a.held <= (size_t)4 << 20);
        CHECK_UINT(a.used, 0);
    }
    for (int i = 0; i < 300; i++) {
        CHECK(arena_alloc(&a, 100) != NULL);
        arena_reset(&a);
    }
    CHECK(a.held <= (size_t)1 << 20);
    arena_free(&a);
    CHECK_UINT(a.held, 0);
    CHECK(a.head == NULL && a.spare == NULL);
}
