/* The bytes of an item (doc/store.md). */
#include "core/item.h"

#include "unit/item_make.h"

#define RUNS_N 3000

static int decode(struct slice bytes, struct item *out, struct arena *a)
{
    struct reader r = reader_of(bytes);
    int rc = get_item(&r, out, a);

    return rc == SYNCLINE_OK ? reader_end(&r) : rc;
}

/* Bytes are refused, or they are what put_item would have written. */
static bool decodes_to_itself(struct slice bytes)
{
    struct arena a = { 0 };
    struct item it;
    int rc = decode(bytes, &it, &a);

    if (rc == SYNCLINE_OK)
        CHECK_BYTES(item_bytes(&it, &a), bytes);
    else
        CHECK_SAYING(rc == SYNCLINE_EMALFORMED || rc == SYNCLINE_ESHORT,
            "refused with %d", rc);
    arena_free(&a);
    return rc == SYNCLINE_OK;
}

static bool vv_is(const struct vv *a, const struct vv *b)
{
    return vv_eq(a, b);
}

static bool value_is(struct slice a, struct slice b)
{
    return (a.ptr == NULL) == (b.ptr == NULL) && slice_eq(a, b);
}

static void check_change(const struct change *x, const struct change *y)
{
    CHECK_INT(change_cmp(x, y), 0);
    CHECK_UINT(x->wall_us, y->wall_us);
    CHECK(vv_is(&x->ctx, &y->ctx) && vv_is(&x->birth, &y->birth));
    CHECK_BYTES(x->proof, y->proof);
    CHECK_INT(x->originals_n, y->originals_n);
    for (uint32_t i = 0; i < x->originals_n; i++) {
        CHECK(dot_eq(&x->originals[i].dot, &y->originals[i].dot));
        CHECK_INT(stamp_cmp(&x->originals[i].stamp, &y->originals[i].stamp), 0);
        CHECK(value_is(x->originals[i].value, y->originals[i].value));
    }
}

static void check_item(const struct item *x, const struct item *y)
{
    CHECK_UINT(x->length, y->length);
    CHECK_UINT(x->version, y->version);
    CHECK(vv_is(&x->ctx, &y->ctx) && vv_is(&x->birth, &y->birth));
    CHECK_INT(x->tomb, y->tomb);
    CHECK_INT(x->changes_n, y->changes_n);
    CHECK_INT(x->cells_n, y->cells_n);
    for (uint32_t i = 0; i < x->changes_n; i++)
        check_change(&x->changes[i], &y->changes[i]);
    for (uint32_t i = 0; i < x->cells_n; i++) {
        CHECK_BYTES(x->cells[i].path, y->cells[i].path);
        CHECK(value_is(x->cells[i].value, y->cells[i].value));
        CHECK_INT(x->cells[i].change, y->cells[i].change);
    }
}

TEST(law_what_is_written_is_read)
{
    struct arena a = { 0 };
    struct prng p = { 11 };

    for (int run = 0; run < RUNS_N; run++) {
        struct item it = random_item(&p, &a), back;
        struct slice bytes = item_bytes(&it, &a);

        CHECK_OK(decode(bytes, &back, &a));
        check_item(&back, &it);
        CHECK_BYTES(item_bytes(&back, &a), bytes);
        arena_reset(&a);
    }
    arena_free(&a);
}

TEST(whatever_is_cut_off_is_missed)
{
    struct arena a = { 0 };
    struct prng p = { 12 };

    for (int run = 0; run < 60; run++) {
        struct item it = random_item(&p, &a), back;
        struct slice bytes = item_bytes(&it, &a);

        for (size_t n = 0; n < bytes.len; n++)
            CHECK(decode(SLICE(bytes.ptr, n), &back, &a) < 0);
        arena_reset(&a);
    }
    arena_free(&a);
}

TEST(law_a_byte_changed_is_refused_or_means_something_else)
{
    struct arena a = { 0 };
    struct prng p = { 13 };
    size_t taken = 0, refused = 0;

    for (int run = 0; run < 250; run++) {
        struct item it = random_item(&p, &a);
        struct slice s = item_bytes(&it, &a);
        uint8_t *bytes = (uint8_t *)arena_dup(&a, s).ptr;

        for (size_t i = 0; i < s.len; i++) {
            uint8_t was = bytes[i];

            if (run % 2 == 0)
                bytes[i] = (uint8_t)(was ^ 1u << prng_below(&p, 8));
            else
                bytes[i] = (uint8_t)prng_next(&p);
            if (decodes_to_itself(SLICE(bytes, s.len)))
                taken++;
            else
                refused++;
            bytes[i] = was;
        }
        arena_reset(&a);
    }
    CHECK(taken > 1000 && refused > 1000);
    arena_free(&a);
}

/* All 255 others at each place of a small one that has every part. */
TEST(every_byte_in_every_place)
{
    struct arena a = { 0 };
    struct prng p = { 17 };
    struct item it;
    struct slice s;
    uint8_t *bytes;

    do {
        it = random_item(&p, &a);
        s = item_bytes(&it, &a);
    } while (it.changes_n < 2 || it.cells_n < 2 || s.len > 200 ||
        it.changes[0].originals_n == 0);
    bytes = (uint8_t *)arena_dup(&a, s).ptr;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t was = bytes[i];

        for (unsigned v = 0; v < 256; v++) {
            bytes[i] = (uint8_t)v;
            CHECK(decodes_to_itself(SLICE(bytes, s.len)) || v != was);
        }
        bytes[i] = was;
    }
    arena_free(&a);
}

TEST(noise_is_no_item)
{
    struct prng p = { 14 };
    uint8_t bytes[64];

    for (int run = 0; run < 20000; run++) {
        size_t n = prng_below(&p, sizeof bytes + 1);

        for (size_t i = 0; i < n; i++)
            bytes[i] = prng_one_in(&p, 2) ? (uint8_t)prng_below(&p, 4)
                                          : (uint8_t)prng_next(&p);
        (void)decodes_to_itself(SLICE(bytes, n));
    }
}

/* Vectors. R1 and R2 are replica ids of sixteen 0x11 and 0x22. */
#define R1 "\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11"
#define R2 "\x22\x22\x22\x22\x22\x22\x22\x22\x22\x22\x22\x22\x22\x22\x22\x22"
/* length 1, version 1, context { R1: 3 }, birth {}, one change: dot R1 3,
 * stamp 0, hlc 0x1000, R1; no context, no birth; no tombstone */
#define HEADER "\1\1\1" R1 "\3\0"
#define CHANGE "\0\1\3\0\0\x10\0\0\0\0\0\0\1\0\0"
#define START HEADER "\1" CHANGE "\0"

static const struct {
    const char *name;
    struct slice bytes;
    int rc;
} vectors[] = {
    { "a cell",
        LIT(START "\1\2/a\0\x02"
                  "1"),
        SYNCLINE_OK },
    { "a removed field", LIT(START "\1\2/a\0\0"), SYNCLINE_OK },
    { "two cells",
        LIT(START "\2\2/a\0\x02"
                  "1\4/a/b\0\x02"
                  "2"),
        SYNCLINE_OK },
    { "an opaque value", LIT(START "\1\0\0\5null"), SYNCLINE_OK },
    { "a header alone", LIT(HEADER "\0\0\0"), SYNCLINE_OK },
    { "deleted", LIT("\2\2\1" R1 "\3\0\1" CHANGE "\1\0"), SYNCLINE_OK },
    { "deleted, its tombstone known", LIT("\2\2\1" R1 "\3\0\0\0\0"),
        SYNCLINE_OK },
    { "a replica that the context lacks",
        LIT(HEADER "\1\0\0" R2 "\3\0\0\x10\0\0\0\0\0\0\1\0\0\0\1\2/a\0"
                   "\0"),
        SYNCLINE_OK },
    { "a replica written out although the context has it",
        LIT(HEADER "\1\0\0" R1 "\3\0\0\x10\0\0\0\0\0\0\1\0\0\0\1\2/a\0"
                   "\0"),
        SYNCLINE_EMALFORMED },
    { "first dot, wall time, contexts, proof",
        LIT(HEADER "\1\x0b\1\3\1\2\0\0\x10\0\0\0\0\0\0\1"
                   "\7\0\0\0\0\0\0\0\1\1\2\1\1\1\2pf\0\1\2/a\0\0"),
        SYNCLINE_OK },
    { "an original",
        LIT(HEADER "\1\4\1\3\0\0\x10\0\0\0\0\0\0\1\0\0"
                   "\1\1\2\0\1\0\0\0\0\0\0\0\1\2"
                   "5\0\1\2/a\0\0"),
        SYNCLINE_OK },
    { "no originals, but said to have some",
        LIT(HEADER "\1\4\1\3\0\0\x10\0\0\0\0\0\0\1\0\0\0\0\1\2/a\0\0"),
        SYNCLINE_EMALFORMED },
    { "a first dot that is the dot",
        LIT(HEADER "\1\1\1\3\1\3\0\0\x10\0\0\0\0\0\0\1\0\0\0\1\2/a\0\0"),
        SYNCLINE_EMALFORMED },
    { "a wall time that is the stamp's",
        LIT(HEADER "\1\2\1\3\0\0\x10\0\0\0\0\0\0\1\1\0\0\0\0\0\0\0\0\0\0"
                   "\1\2/a\0\0"),
        SYNCLINE_EMALFORMED },
    { "an unknown flag",
        LIT(HEADER "\1\x10\1\3\0\0\x10\0\0\0\0\0\0\1\0\0\0\1\2/a\0\0"),
        SYNCLINE_EMALFORMED },
    { "length 0", LIT("\0\1\0\0\0\0\0"), SYNCLINE_EMALFORMED },
    { "alive with a tombstone", LIT(HEADER "\1" CHANGE "\1\0"),
        SYNCLINE_EMALFORMED },
    { "deleted with a cell", LIT("\2\2\1" R1 "\3\0\1" CHANGE "\1\1\2/a\0\0"),
        SYNCLINE_EMALFORMED },
    { "a change that nobody uses", LIT(START "\0"), SYNCLINE_EMALFORMED },
    { "a change twice", LIT(HEADER "\2" CHANGE CHANGE "\0\2\2/a\0\0\2/b\1\0"),
        SYNCLINE_EMALFORMED },
    { "a change that is not there", LIT(START "\1\2/a\1\0"),
        SYNCLINE_EMALFORMED },
    { "a tombstone that is not there", LIT("\2\2\0\0\0\1\0"),
        SYNCLINE_EMALFORMED },
    { "cells out of order", LIT(START "\2\2/b\0\0\2/a\0\0"),
        SYNCLINE_EMALFORMED },
    { "a cell twice", LIT(START "\2\2/a\0\0\2/a\0\0"), SYNCLINE_EMALFORMED },
    { "a path without a slash", LIT(START "\1\2a/\0\0"), SYNCLINE_EMALFORMED },
    { "a bad escape", LIT(START "\1\3/~2\0\0"), SYNCLINE_EMALFORMED },
    { "half an escape", LIT(START "\1\2/~\0\0"), SYNCLINE_EMALFORMED },
    { "a path that is no UTF-8", LIT(START "\1\2/\xff\0\0"),
        SYNCLINE_EMALFORMED },
    { "a value of no bytes", LIT(START "\1\2/a\0\1"), SYNCLINE_EMALFORMED },
    { "a dot 0", LIT(HEADER "\1\0\1\0\0\0\x10\0\0\0\0\0\0\1\0\0\0\0"),
        SYNCLINE_EMALFORMED },
    { "a context out of order", LIT("\1\1\2" R2 "\1" R1 "\1\0\0\0\0"),
        SYNCLINE_EMALFORMED },
    { "a birth out of order", LIT("\1\1\2" R1 "\1" R2 "\1\2\2\1\1\1\0\0\0"),
        SYNCLINE_EMALFORMED },
    { "a length that is not minimal", LIT("\x81\0\1\0\0\0\0\0"),
        SYNCLINE_EMALFORMED },
    { "more cells than bytes", LIT(START "\x10\2/a\0\0"), SYNCLINE_ESHORT },
    { "more cells than may be", LIT(START "\xff\xff\x7f\2/a\0\0"),
        SYNCLINE_EMALFORMED },
    { "something behind it", LIT(START "\1\2/a\0\0\0"), SYNCLINE_EMALFORMED },
};

TEST(vectors_are_read_as_the_page_says)
{
    struct arena a = { 0 };

    for (size_t i = 0; i < ARRAY_N(vectors); i++) {
        struct item it;
        int rc = decode(vectors[i].bytes, &it, &a);

        CHECK_SAYING(rc == vectors[i].rc, "%s: %d, not %d", vectors[i].name, rc,
            vectors[i].rc);
        if (rc == SYNCLINE_OK)
            CHECK_BYTES(item_bytes(&it, &a), vectors[i].bytes);
        arena_reset(&a);
    }
    arena_free(&a);
}

/* What a vector means, field by field. */
TEST(the_parts_of_a_change)
{
    struct arena a = { 0 };
    struct item it;
    const struct change *c;

    CHECK_OK(decode(SLICE_LIT(HEADER "\1\x0f\1\3\1\2\5\0\x10\0\0\0\0\0\0\1"
                                     "\7\0\0\0\0\0\0\0\1\1\2\1\1\1"
                                     "\1\1\2\0\1\0\0\0\0\0\0\0\1\2"
                                     "5\2pf\0\1\2/a\0\0"),
        &it, &a));
    c = &it.changes[0];
    CHECK_INT(it.changes_n, 1);
    CHECK_UINT(c->dot.seq, 3);
    CHECK_INT(c->dot.replica.b[0], 0x11);
    CHECK_UINT(c->first.seq, 2);
    CHECK_UINT(c->stamp.epoch, 5);
    CHECK_UINT(c->stamp.hlc, 0x1000);
    CHECK_UINT(c->wall_us, 7);
    CHECK_UINT(vv_get(&c->ctx, &c->dot.replica), 2);
    CHECK_UINT(vv_get(&c->birth, &c->dot.replica), 1);
    CHECK_INT(c->originals_n, 1);
    CHECK_UINT(c->originals[0].dot.seq, 2);
    CHECK_UINT(c->originals[0].stamp.hlc, 1);
    CHECK_SLICE(c->originals[0].value, "5");
    CHECK_SLICE(c->proof, "pf");
    arena_free(&a);
}

/* Deeper than any document, or longer than any pointer. */
TEST(a_path_is_bounded)
{
    struct arena a = { 0 };
    struct buf path = { 0 };

    for (unsigned depth = 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
        struct item it, back;

        buf_put_str(&path, "/a");
        item_init(&it);
        make_cell(&it, "", "1", 1, 1, &a);
        it.cells[0].path = buf_slice(&path);
        CHECK_INT(decode(item_bytes(&it, &a), &back, &a),
            depth <= JSON_DEPTH_MAX ? SYNCLINE_OK : SYNCLINE_EMALFORMED);
    }
    buf_clear(&path);
    buf_put_u8(&path, '/');
    for (size_t n = 1; n <= PATH_MAX_LEN + 1; n++) {
        struct item it, back;

        if (n >= PATH_MAX_LEN) {
            item_init(&it);
            make_cell(&it, "", "1", 1, 1, &a);
            it.cells[0].path = buf_slice(&path);
            CHECK_INT(decode(item_bytes(&it, &a), &back, &a),
                n == PATH_MAX_LEN ? SYNCLINE_OK : SYNCLINE_EMALFORMED);
        }
        buf_put_u8(&path, 'x');
    }
    buf_free(&path);
    arena_free(&a);
}

TEST(memory_that_runs_out_while_reading)
{
    struct arena a = { 0 }, small = { 0 };
    struct prng p = { 15 };

    for (int run = 0; run < 15; run++) {
        struct item it = random_item(&p, &a), back;
        struct slice bytes = item_bytes(&it, &a);
        int rc;

        for (size_t room = 0;; room += 16) {
            arena_with_room(&small, room);
            check_alloc_fail_from(0);
            rc = decode(bytes, &back, &small);
            if (!check_alloc_failed())
                break;
            check_alloc_fail_from(-1);
            CHECK_INT(rc, SYNCLINE_ENOMEM);
        }
        check_alloc_fail_from(-1);
        CHECK_OK(rc);
        arena_reset(&a);
    }
    arena_free(&small);
    arena_free(&a);
}

/* What is hashed into headers does not depend on the item it stands in. */
TEST(a_context_is_told_with_whole_names)
{
    struct dot dots[] = { { { { 0x11 } }, 5 } };
    struct original originals[] = { { { { { 0x22 } }, 300 },
        { 1, 2, { { 0x22 } } }, SLICE_LIT("7") } };
    struct change c = { .ctx = { dots, 1, 1 },
        .wall_us = 9,
        .originals = originals,
        .originals_n = 1 };
    struct buf b = { 0 }, want = { 0 };

    put_change_context(&b, &c, SLICE_LIT("tag"));
    buf_put(&want, "\1\x11", 2);
    buf_put(&want, (uint8_t[15]){ 0 }, 15);
    buf_put(&want, "\5\0\x9\0\0\0\0\0\0\0tag", 13);
    CHECK_BYTES(buf_slice(&b), buf_slice(&want));
    buf_clear(&b);
    buf_clear(&want);
    put_change_originals(&b, &c);
    buf_put(&want, "\1\x22", 2);
    buf_put(&want, (uint8_t[15]){ 0 }, 15);
    buf_put(&want, "\xac\2\1\2\0\0\0\0\0\0\0\x22", 12);
    buf_put(&want, (uint8_t[15]){ 0 }, 15);
    buf_put(&want,
        "\2"
        "7",
        2);
    CHECK_BYTES(buf_slice(&b), buf_slice(&want));
    buf_free(&b);
    buf_free(&want);
}
