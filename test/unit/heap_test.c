#include "unit/check.h"

#include "base/heap.h"
#include "base/prng.h"

TEST(the_smallest_comes_first)
{
    struct heap h = { 0 };
    uint64_t last = 0;
    struct prng p = { 7 };

    for (int i = 0; i < 1000; i++)
        CHECK_OK(heap_push(&h, prng_below(&p, 300), NULL));
    for (int i = 0; i < 1000; i++) {
        CHECK(heap_peek(&h)->key >= last);
        last = heap_peek(&h)->key;
        (void)heap_pop(&h);
    }
    CHECK(heap_peek(&h) == NULL);
    CHECK(heap_pop(&h) == NULL);
    heap_free(&h);
}

/* Pushes and pops in turn, as an event queue does. */
TEST(equal_keys_keep_their_order)
{
    struct heap h = { 0 };
    int things[90];
    int want = 0;

    for (int i = 0; i < 90; i++)
        CHECK_OK(heap_push(&h, (uint64_t)(i / 30), &things[i]));
    for (int i = 0; i < 45; i++)
        CHECK(heap_pop(&h) == &things[want++]);
    CHECK_OK(heap_push(&h, 1, NULL));
    for (int i = 45; i < 60; i++)
        CHECK(heap_pop(&h) == &things[want++]);
    CHECK(heap_pop(&h) == NULL);
    CHECK(heap_pop(&h) == &things[60]);
    heap_free(&h);
}

TEST(without_memory_a_push_changes_nothing)
{
    struct heap h = { 0 };
    int thing;

    check_alloc_fail_from(0);
    CHECK_INT(heap_push(&h, 1, &thing), SYNCLINE_ENOMEM);
    CHECK(heap_pop(&h) == NULL);
    check_alloc_fail_from(-1);
    for (int i = 0; i < 16; i++)
        CHECK_OK(heap_push(&h, 1, &thing));
    check_alloc_fail_from(0);
    CHECK_INT(heap_push(&h, 0, NULL), SYNCLINE_ENOMEM);
    check_alloc_fail_from(-1);
    CHECK_UINT(h.n, 16);
    CHECK(heap_pop(&h) == &thing);
    heap_free(&h);
}
