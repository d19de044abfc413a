#include "base/omap.h"

#include "unit/check.h"

#include <stdio.h>

/* The model: an array of what should be in, by number of the key. */
#define KEYS_N 300

struct model {
    bool in[KEYS_N];
    bool none[KEYS_N]; /* its value is SLICE_NONE */
    uint8_t fill[KEYS_N];
    size_t len[KEYS_N];
    size_t n;
};

/* Keys of several lengths, prefixes of each other among them, so that the
 * numeric order is also that of slice_cmp. */
static struct slice key_of(char out[16], size_t ix)
{
    int n = snprintf(out, 16, "k%03zu", ix / 2);

    if (ix % 2 == 1)
        out[n++] = 0;
    return SLICE(out, (size_t)n);
}

static void check_value(
    const struct omap_node *node, const struct model *m, size_t ix)
{
    if (m->none[ix]) {
        CHECK(node->value.ptr == NULL);
        return;
    }
    CHECK(node->value.ptr != NULL);
    CHECK_UINT(node->value.len, m->len[ix]);
    for (size_t i = 0; i < m->len[ix]; i++)
        CHECK(node->value.ptr[i] == m->fill[ix]);
}

static void check_same(const struct omap *map, const struct model *m)
{
    const struct omap_node *node = omap_first(map);
    char text[16];

    CHECK_UINT(map->n, m->n);
    for (size_t ix = 0; ix < KEYS_N; ix++) {
        if (!m->in[ix])
            continue;
        CHECK(node != NULL);
        CHECK_BYTES(node->key, key_of(text, ix));
        check_value(node, m, ix);
        node = omap_next(node);
    }
    CHECK(node == NULL);
}

static void check_lookup(
    const struct omap *map, const struct model *m, size_t ix)
{
    char text[16];
    struct slice key = key_of(text, ix);
    const struct omap_node *node = omap_get(map, key);
    size_t next = ix;

    CHECK((node != NULL) == m->in[ix]);
    if (node != NULL)
        check_value(node, m, ix);
    while (next < KEYS_N && !m->in[next])
        next++;
    node = omap_seek(map, key);
    CHECK((node != NULL) == (next < KEYS_N));
    if (node != NULL)
        CHECK_BYTES(node->key, key_of(text, next));
}

static void put_random(
    struct omap *map, struct model *m, struct prng *p, size_t ix)
{
    uint8_t value[200];
    char text[16];

    m->none[ix] = prng_one_in(p, 8);
    m->fill[ix] = (uint8_t)prng_next(p);
    m->len[ix] = m->none[ix] ? 0 : prng_below(p, sizeof value);
    m->n += !m->in[ix];
    m->in[ix] = true;
    memset(value, m->fill[ix], sizeof value);
    CHECK_OK(omap_put(map, key_of(text, ix),
        m->none[ix] ? SLICE_NONE : SLICE(value, m->len[ix])));
}

static void one_step(struct omap *map, struct model *m, struct prng *p)
{
    size_t ix = prng_below(p, KEYS_N);
    char text[16];

    switch (prng_below(p, 4)) {
    case 0:
        CHECK(omap_del(map, key_of(text, ix)) == m->in[ix]);
        m->n -= m->in[ix];
        m->in[ix] = false;
        break;
    case 1:
        check_lookup(map, m, ix);
        break;
    default:
        put_random(map, m, p, ix);
    }
}

TEST(random_steps_match_a_plain_array)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct prng p = { seed };
        struct omap map = { 0 };
        struct model m = { 0 };

        for (int i = 0; i < 1500; i++) {
            one_step(&map, &m, &p);
            if (i % 50 == 0)
                check_same(&map, &m);
            if (prng_one_in(&p, 700)) {
                omap_clear(&map);
                m = (struct model){ 0 };
            }
        }
        check_same(&map, &m);
        omap_free(&map);
    }
}

TEST(a_zeroed_map_is_empty)
{
    struct omap map = { 0 };

    CHECK(omap_first(&map) == NULL);
    CHECK(omap_get(&map, SLICE_LIT("a")) == NULL);
    CHECK(omap_seek(&map, SLICE_NONE) == NULL);
    CHECK(!omap_del(&map, SLICE_LIT("a")));
    omap_clear(&map);
    omap_free(&map);
}

TEST(the_empty_key_is_a_key_and_comes_first)
{
    struct omap map = { 0 };

    CHECK_OK(omap_put(&map, SLICE_LIT("a"), SLICE_LIT("1")));
    CHECK_OK(omap_put(&map, SLICE_NONE, SLICE_LIT("2")));
    CHECK_SLICE(omap_first(&map)->value, "2");
    CHECK(omap_del(&map, SLICE_NONE));
    CHECK_SLICE(omap_first(&map)->value, "1");
    omap_free(&map);
}

/* An empty value is there; nothing is something else. */
TEST(an_empty_value_is_not_a_tombstone)
{
    struct omap map = { 0 };

    CHECK_OK(omap_put(&map, SLICE_LIT("a"), SLICE_LIT("")));
    CHECK(omap_get(&map, SLICE_LIT("a"))->value.ptr != NULL);
    CHECK_OK(omap_put(&map, SLICE_LIT("a"), SLICE_NONE));
    CHECK(omap_get(&map, SLICE_LIT("a"))->value.ptr == NULL);
    CHECK_UINT(map.n, 1);
    omap_free(&map);
}

TEST(a_value_may_be_replaced_by_a_part_of_itself)
{
    struct omap map = { 0 };
    struct slice v;

    CHECK_OK(omap_put(&map, SLICE_LIT("a"), SLICE_LIT("abcdef")));
    v = omap_get(&map, SLICE_LIT("a"))->value;
    CHECK_OK(omap_put(&map, SLICE_LIT("a"), SLICE(v.ptr + 2, 3)));
    CHECK_SLICE(omap_get(&map, SLICE_LIT("a"))->value, "cde");
    omap_free(&map);
}

/* A key without memory for it is not in, and the rest stays as it was. */
TEST(no_memory_changes_nothing)
{
    static uint8_t large[100000];
    struct omap map = { 0 };

    CHECK_OK(omap_put(&map, SLICE_LIT("a"), SLICE_LIT("1")));
    for (long n = 0;; n++) {
        int rc;

        check_alloc_fail_from(n);
        rc = omap_put(&map, SLICE(large, 5000), SLICE(large, sizeof large));
        if (!check_alloc_failed()) {
            CHECK_OK(rc);
            break;
        }
        CHECK_INT(rc, SYNCLINE_ENOMEM);
        CHECK_UINT(map.n, 1);
        CHECK(omap_next(omap_first(&map)) == omap_seek(&map, SLICE_LIT("b")));
        CHECK(omap_get(&map, SLICE(large, 5000)) == NULL);
    }
    check_alloc_fail_from(-1);
    CHECK_UINT(map.n, 2);
    omap_free(&map);
}
