#include "core/item.h"

#include "unit/item_make.h"

/* Pointers. */

/* In the order of the canonical form: keys by their bytes, each path followed
 * at once by what is below it. */
static const struct slice ordered[] = {
    LIT(""),
    LIT("/"),
    LIT("/\0"),
    LIT("/ "),
    LIT("/a"),
    LIT("/a/"),
    LIT("/a//"),
    LIT("/a/\0"),
    LIT("/a/~1"),
    LIT("/a/b"),
    LIT("/a/b/c"),
    LIT("/a/\xc3\xa9"),
    LIT("/a\0"),
    LIT("/a\0/b"),
    LIT("/a\x01"),
    LIT("/a!"),
    LIT("/a."),
    LIT("/a~1"),
    LIT("/a~1/x"),
    LIT("/a~1b"),
    LIT("/a0"),
    LIT("/a}"),
    LIT("/a~0"),
    LIT("/a~0/x"),
    LIT("/a~0~1"),
    LIT("/a~01"),
    LIT("/a~0~0"),
    LIT("/a\x7f"),
    LIT("/a\xc3\xa9"),
    LIT("/a\xf0\x9f\x8c\x8d"),
    LIT("/b"),
};

TEST(pointers_are_ordered_as_documents_are)
{
    for (size_t i = 0; i < ARRAY_N(ordered); i++)
        for (size_t j = 0; j < ARRAY_N(ordered); j++) {
            int c = path_cmp(ordered[i], ordered[j]);

            CHECK_SAYING((c > 0) - (c < 0) == (i > j) - (i < j),
                "rows %zu and %zu compare as %d", i, j, c);
        }
}

/* '/' before "~1" and "~0": what the escapes mean counts, not their bytes. */
static int by_meaning(struct slice a, struct slice b, struct arena *arena)
{
    while (a.len > 0 && b.len > 0) {
        struct slice x, y;
        int c;

        CHECK_OK(json_pointer_next(&a, &x, arena));
        CHECK_OK(json_pointer_next(&b, &y, arena));
        c = slice_cmp(x, y);
        if (c != 0)
            return c;
    }
    return (a.len > 0) - (b.len > 0);
}

TEST(law_the_order_is_that_of_the_keys)
{
    struct arena a = { 0 };
    struct prng p = { 1 };

    for (int run = 0; run < 20000; run++) {
        struct slice x = random_path(&p, &a), y = random_path(&p, &a);
        int got = path_cmp(x, y), want = by_meaning(x, y, &a);

        CHECK_SAYING((got > 0) - (got < 0) == (want > 0) - (want < 0),
            "run %d: %.*s and %.*s", run, SLICE_FMT(x), SLICE_FMT(y));
        CHECK((path_cmp(y, x) > 0) == (got < 0));
        arena_reset(&a);
    }
    arena_free(&a);
}

/* Between a path and one below it there is nothing that is not below it. */
TEST(law_descendants_follow_at_once)
{
    struct arena a = { 0 };
    struct prng p = { 2 };

    for (int run = 0; run < 20000; run++) {
        struct slice x = random_path(&p, &a), y = random_path(&p, &a),
                     z = random_path(&p, &a);

        if (path_is_above(x, y))
            CHECK(path_cmp(x, y) < 0);
        if (path_is_above(x, y) && path_cmp(x, z) < 0 && path_cmp(z, y) < 0)
            CHECK_SAYING(path_is_above(x, z), "%.*s < %.*s < %.*s",
                SLICE_FMT(x), SLICE_FMT(z), SLICE_FMT(y));
        arena_reset(&a);
    }
    arena_free(&a);
}

TEST(above_means_whole_segments)
{
    CHECK(path_is_above(SLICE_LIT(""), SLICE_LIT("/")));
    CHECK(path_is_above(SLICE_LIT(""), SLICE_LIT("/a/b")));
    CHECK(path_is_above(SLICE_LIT("/a"), SLICE_LIT("/a/b/c")));
    CHECK(!path_is_above(SLICE_LIT("/a"), SLICE_LIT("/ab")));
    CHECK(!path_is_above(SLICE_LIT("/a"), SLICE_LIT("/a~1b")));
    CHECK(!path_is_above(SLICE_LIT("/a"), SLICE_LIT("/a")));
    CHECK(!path_is_above(SLICE_LIT("/a/b"), SLICE_LIT("/a")));
}

/* Cells and changes. */

TEST(a_cell_is_found_where_it_was_set)
{
    struct arena a = { 0 };
    struct item it;

    item_init(&it);
    CHECK(item_find(&it, SLICE_LIT("/a")) == NULL);
    make_cell(&it, "/b", "2", 1, 1, &a);
    make_cell(&it, "/a", "1", 1, 2, &a);
    make_cell(&it, "/a/b", NULL, 1, 3, &a);
    make_cell(&it, "/b", "3", 1, 4, &a);
    CHECK_INT(it.cells_n, 3);
    CHECK_SLICE(it.cells[0].path, "/a");
    CHECK_SLICE(it.cells[1].path, "/a/b");
    CHECK_SLICE(item_find(&it, SLICE_LIT("/b"))->value, "3");
    CHECK(item_find(&it, SLICE_LIT("/a/b"))->value.ptr == NULL);
    CHECK(item_find(&it, SLICE_LIT("/a/")) == NULL);
    arena_free(&a);
}

TEST(normalising_drops_what_nobody_uses)
{
    struct arena a = { 0 };
    struct item it;

    item_init(&it);
    make_cell(&it, "/a", "1", 2, 9, &a);
    make_cell(&it, "/b", "1", 1, 7, &a);
    make_cell(&it, "/b", "2", 1, 5, &a);
    CHECK_OK(item_normalise(&it, &a));
    CHECK_INT(it.changes_n, 2);
    CHECK_UINT(it.changes[0].stamp.hlc, 5);
    CHECK_UINT(it.changes[1].stamp.hlc, 9);
    CHECK_INT(item_find(&it, SLICE_LIT("/a"))->change, 1);
    CHECK_INT(item_find(&it, SLICE_LIT("/b"))->change, 0);
    arena_free(&a);
}

TEST(a_copy_is_a_thing_of_its_own)
{
    struct arena a = { 0 };
    struct item it, copy;
    struct slice before;

    item_init(&it);
    make_cell(&it, "/a", "1", 1, 1, &a);
    CHECK_OK(item_normalise(&it, &a));
    before = item_bytes(&it, &a);
    CHECK_OK(item_copy(&copy, &it, &a));
    CHECK_BYTES(item_bytes(&copy, &a), before);
    make_cell(&copy, "/a", "2", 2, 2, &a);
    make_cell(&copy, "/b", "2", 2, 3, &a);
    CHECK_BYTES(item_bytes(&it, &a), before);
    arena_free(&a);
}

TEST(an_item_holds_only_so_many_cells)
{
    struct arena a = { 0 };
    struct change c = { .dot = make_dot(1, 1) };
    struct item it;
    struct buf b = { 0 };
    uint32_t ix;

    item_init(&it);
    CHECK_OK(item_add_change(&it, &c, &ix, &a));
    for (unsigned i = 0; i < CELLS_JOINED_MAX; i++) {
        buf_clear(&b);
        buf_printf(&b, "/%07u", i);
        CHECK_OK(item_set(
            &it, arena_dup(&a, buf_slice(&b)), SLICE_LIT("1"), ix, &a));
    }
    CHECK_INT(item_set(&it, SLICE_LIT("/x"), SLICE_LIT("1"), ix, &a),
        SYNCLINE_ELIMIT);
    CHECK_OK(item_set(&it, SLICE_LIT("/0000000"), SLICE_LIT("2"), ix, &a));
    buf_free(&b);
    arena_free(&a);
}

/* Fingerprints. */

static struct item_print print_of(const char *key, const struct item *it)
{
    struct item_print print;

    CHECK_OK(item_print(&print, slice_str(key), it));
    return print;
}

static bool same(struct hash128 x, struct hash128 y)
{
    return x.lo == y.lo && x.hi == y.hi;
}

static bool is_zero(struct hash128 x)
{
    return x.lo == 0 && x.hi == 0;
}

TEST(a_fingerprint_names_what_counts)
{
    struct arena a = { 0 };
    struct item x, y;
    struct item_print px, py;
    struct dot d = make_dot(5, 5);

    item_init(&x);
    item_init(&y);
    CHECK(is_zero(print_of("k", &x).live) && is_zero(print_of("k", &x).dead));
    make_cell(&x, "/a", "1", 1, 1, &a);
    make_cell(&y, "/a", "1", 1, 1, &a);
    px = print_of("k", &x);
    CHECK(!is_zero(px.live) && is_zero(px.dead));
    CHECK(!same(px.live, print_of("l", &x).live));

    y.version = 9; /* neither version nor contexts */
    CHECK_OK(vv_add(&y.ctx, &d, &a));
    CHECK_OK(vv_add(&y.birth, &d, &a));
    CHECK_OK(vv_add(&y.changes[0].ctx, &d, &a));
    CHECK(same(px.live, print_of("k", &y).live));

    make_cell(&y, "/b", NULL, 1, 2, &a); /* a removed field stands apart */
    py = print_of("k", &y);
    CHECK(same(px.live, py.live) && !is_zero(py.dead));

    y.cells[0].value = SLICE_LIT("2");
    CHECK(!same(px.live, print_of("k", &y).live));
    CHECK(same(py.dead, print_of("k", &y).dead));
    y.cells[0].value = SLICE_LIT("1");
    y.changes[0].stamp.hlc++;
    CHECK(!same(px.live, print_of("k", &y).live));
    y.changes[0].stamp.hlc--;
    y.changes[0].dot.seq++;
    CHECK(!same(px.live, print_of("k", &y).live));
    y.changes[0].dot.seq--;
    y.length += 2;
    CHECK(!same(px.live, print_of("k", &y).live));
    arena_free(&a);
}

TEST(a_deleted_item_has_only_a_dead_fingerprint)
{
    struct arena a = { 0 };
    struct item x;
    struct item_print p;

    item_init(&x);
    make_cell(&x, "/a", "1", 1, 1, &a);
    x.cells_n = 0;
    x.length = 2;
    x.tomb = 0;
    p = print_of("k", &x);
    CHECK(is_zero(p.live) && !is_zero(p.dead));
    x.changes[0].stamp.hlc++;
    CHECK(!same(p.dead, print_of("k", &x).dead));
    arena_free(&a);
}

TEST(an_empty_life_is_not_absence)
{
    struct item x;

    item_init(&x);
    x.length = 3;
    CHECK(!is_zero(print_of("k", &x).live));
    CHECK(is_zero(print_of("k", &x).dead));
}
