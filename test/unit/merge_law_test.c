/* The laws of the join, over histories that are drawn. */
#include "core/merge.h"

#include "unit/merge_world.h"

#define WORLDS_N 1200
#define STEPS_N 40

static void check_laws(const struct merge_world *m, unsigned key)
{
    const struct item *x = &m->w[0].items[key], *y = &m->w[1].items[key],
                      *z = &m->w[m->n - 1].items[key];
    struct arena *a = m->arena;
    struct item xy = joined(x, y, a), yx = joined(y, x, a);
    struct item yz = joined(y, z, a), left = joined(&xy, z, a),
                right = joined(x, &yz, a), again = joined(&xy, y, a);
    struct item self = joined(x, x, a);

    CHECK_BYTES(item_bytes(&xy, a), item_bytes(&yx, a));
    CHECK_BYTES(item_bytes(&left, a), item_bytes(&right, a));
    CHECK_BYTES(item_bytes(&self, a), item_bytes(x, a));
    CHECK_BYTES(item_bytes(&again, a), item_bytes(&xy, a));
    again = joined(&xy, x, a);
    CHECK_BYTES(item_bytes(&again, a), item_bytes(&xy, a));
}

static void check_same_everywhere(const struct merge_world *m)
{
    for (unsigned k = 0; k < KEYS_N; k++)
        for (unsigned i = 1; i < m->n; i++) {
            CHECK_BYTES(item_bytes(&m->w[i].items[k], m->arena),
                item_bytes(&m->w[0].items[k], m->arena));
            CHECK(m->w[i].known[k] == m->w[0].known[k]);
        }
}

static void live_through(uint64_t seed, struct arena *a)
{
    static struct merge_world m;

    merge_world_init(&m, seed, a);
    for (unsigned i = 0; i < STEPS_N; i++) {
        merge_world_step(&m);
        if (i % 8 == 7)
            for (unsigned k = 0; k < KEYS_N; k++)
                check_laws(&m, k);
    }
    merge_world_settle(&m);
    check_same_everywhere(&m);
    merge_world_check_lost(&m);
}

TEST(laws_of_the_join_over_drawn_histories)
{
    struct arena a = { 0 };

    for (uint64_t seed = 1; seed <= WORLDS_N; seed++) {
        live_through(seed, &a);
        arena_reset(&a);
    }
    arena_free(&a);
}
