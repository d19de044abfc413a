#include "core/vv.h"

#include "unit/check.h"

#include "base/prng.h"

/* Few replicas and small numbers, so that vectors meet. */
#define REPLICAS_N 6
#define SEQS_N 5
#define RUNS_N 3000

static struct rid rid_of(unsigned n)
{
    struct rid r = { { 0 } };

    r.b[0] = (uint8_t)(n * 40);
    r.b[RID_LEN - 1] = (uint8_t)n;
    return r;
}

static struct dot dot_of(unsigned replica, uint64_t seq)
{
    return (struct dot){ .replica = rid_of(replica), .seq = seq };
}

static struct vv random_vv(struct prng *p, struct arena *a)
{
    struct vv v = { 0 };
    uint64_t n = prng_below(p, REPLICAS_N + 1);

    for (uint64_t i = 0; i < n; i++) {
        struct dot d = dot_of(
            (unsigned)prng_below(p, REPLICAS_N), prng_below(p, SEQS_N + 1));

        CHECK_OK(vv_add(&v, &d, a));
    }
    return v;
}

static struct vv joined(const struct vv *x, const struct vv *y, struct arena *a)
{
    struct vv v;

    CHECK_OK(vv_copy(&v, x, a));
    CHECK_OK(vv_join(&v, y, a));
    return v;
}

static void check_form(const struct vv *v)
{
    for (uint32_t i = 0; i < v->n; i++) {
        CHECK(v->e[i].seq > 0);
        CHECK(i == 0 || rid_cmp(&v->e[i - 1].replica, &v->e[i].replica) < 0);
    }
}

TEST(absent_is_zero)
{
    struct arena a = { 0 };
    struct vv v = { 0 };
    struct dot d = dot_of(2, 7), none = dot_of(3, 0);

    CHECK_UINT(vv_get(&v, &d.replica), 0);
    CHECK_OK(vv_add(&v, &none, &a));
    CHECK_UINT(v.n, 0);
    CHECK_OK(vv_add(&v, &d, &a));
    CHECK_UINT(vv_get(&v, &d.replica), 7);
    CHECK_UINT(vv_get(&v, &none.replica), 0);
    CHECK(vv_covers(&v, &none));
    arena_free(&a);
}

TEST(an_entry_never_falls)
{
    struct arena a = { 0 };
    struct vv v = { 0 };
    struct dot high = dot_of(1, 9), low = dot_of(1, 3), next = dot_of(1, 10);

    CHECK_OK(vv_add(&v, &high, &a));
    CHECK_OK(vv_add(&v, &low, &a));
    CHECK(vv_covers(&v, &high) && vv_covers(&v, &low));
    CHECK(!vv_covers(&v, &next));
    CHECK_UINT(v.n, 1);
    arena_free(&a);
}

TEST(law_join_commutes_associates_and_repeats)
{
    struct prng p = { 11 };
    struct arena a = { 0 };

    for (int i = 0; i < RUNS_N; i++) {
        struct vv x = random_vv(&p, &a), y = random_vv(&p, &a);
        struct vv z = random_vv(&p, &a);
        struct vv xy = joined(&x, &y, &a), yx = joined(&y, &x, &a);
        struct vv yz = joined(&y, &z, &a);
        struct vv left = joined(&xy, &z, &a), right = joined(&x, &yz, &a);
        struct vv twice = joined(&xy, &y, &a);

        check_form(&xy);
        CHECK(vv_eq(&xy, &yx));
        CHECK(vv_eq(&left, &right));
        CHECK(vv_eq(&twice, &xy));
        arena_reset(&a);
    }
    arena_free(&a);
}

/* A join covers what either side covered, and not a dot more. */
TEST(law_join_is_the_least_upper_bound)
{
    struct prng p = { 12 };
    struct arena a = { 0 };

    for (int i = 0; i < RUNS_N; i++) {
        struct vv x = random_vv(&p, &a), y = random_vv(&p, &a);
        struct vv xy = joined(&x, &y, &a);

        CHECK(vv_geq(&xy, &x) && vv_geq(&xy, &y));
        for (unsigned r = 0; r < REPLICAS_N; r++)
            for (uint64_t seq = 1; seq <= SEQS_N; seq++) {
                struct dot d = dot_of(r, seq);

                CHECK(vv_covers(&xy, &d) ==
                    (vv_covers(&x, &d) || vv_covers(&y, &d)));
            }
        arena_reset(&a);
    }
    arena_free(&a);
}

TEST(law_geq_is_a_partial_order)
{
    struct prng p = { 13 };
    struct arena a = { 0 };
    int apart = 0;

    for (int i = 0; i < RUNS_N; i++) {
        struct vv x = random_vv(&p, &a), y = random_vv(&p, &a);
        struct vv z = random_vv(&p, &a);

        CHECK(vv_geq(&x, &x));
        CHECK((vv_geq(&x, &y) && vv_geq(&y, &x)) == vv_eq(&x, &y));
        if (vv_geq(&x, &y) && vv_geq(&y, &z))
            CHECK(vv_geq(&x, &z));
        apart += !vv_geq(&x, &y) && !vv_geq(&y, &x);
        arena_reset(&a);
    }
    CHECK(apart > RUNS_N / 10); /* the runs met concurrent ones */
    arena_free(&a);
}

TEST(a_copy_is_independent)
{
    struct arena a = { 0 };
    struct vv v = { 0 }, copy = { 0 };
    struct dot one = dot_of(1, 1), two = dot_of(2, 2), more = dot_of(1, 5);

    CHECK_OK(vv_add(&v, &one, &a));
    CHECK_OK(vv_copy(&copy, &v, &a));
    CHECK_OK(vv_add(&copy, &two, &a));
    CHECK_OK(vv_add(&copy, &more, &a));
    CHECK_UINT(v.n, 1);
    CHECK_UINT(vv_get(&v, &one.replica), 1);
    arena_free(&a);
}

TEST(the_encoding_comes_back)
{
    struct prng p = { 14 };
    struct arena a = { 0 };

    for (int i = 0; i < RUNS_N; i++) {
        struct vv v = random_vv(&p, &a), back = { 0 };
        struct buf b = { 0 }, again = { 0 };
        struct reader r;

        put_vv(&b, &v);
        r = reader_of(buf_slice(&b));
        CHECK_OK(get_vv(&r, &back, &a));
        CHECK_OK(reader_end(&r));
        CHECK(vv_eq(&v, &back));
        put_vv(&again, &back);
        CHECK_BYTES(buf_slice(&again), buf_slice(&b));
        buf_free(&b);
        buf_free(&again);
        arena_reset(&a);
    }
    arena_free(&a);
}

/* Entries as they would be written, whether or not they may be. */
static void put_entries(struct buf *b, uint64_t n, const struct dot *d)
{
    put_varint(b, n);
    for (uint64_t i = 0; i < n; i++)
        put_dot(b, &d[i]);
}

static void check_refused(struct buf *b, int err)
{
    struct arena a = { 0 };
    struct vv out = { .n = 77 };
    struct reader r = reader_of(buf_slice(b));

    CHECK_INT(get_vv(&r, &out, &a), err);
    CHECK_INT(r.err, err);
    CHECK_UINT(out.n, 77);
    arena_free(&a);
    buf_free(b);
}

TEST(encodings_that_are_refused)
{
    struct dot unsorted[] = { dot_of(2, 1), dot_of(1, 1) };
    struct dot doubled[] = { dot_of(1, 1), dot_of(1, 2) };
    struct dot zero[] = { dot_of(1, 0) };
    struct arena a = { 0 };
    struct vv out;
    struct reader r;
    struct buf b = { 0 };

    put_entries(&b, 2, unsorted);
    check_refused(&b, SYNCLINE_EMALFORMED);
    put_entries(&b, 2, doubled);
    check_refused(&b, SYNCLINE_EMALFORMED);
    put_entries(&b, 1, zero);
    check_refused(&b, SYNCLINE_EMALFORMED);
    put_varint(&b, VV_MAX + 1);
    check_refused(&b, SYNCLINE_EMALFORMED);
    /* A count that the bytes cannot hold takes no memory first. */
    put_varint(&b, VV_MAX);
    check_alloc_fail_from(0);
    r = reader_of(buf_slice(&b));
    CHECK_INT(get_vv(&r, &out, &a), SYNCLINE_ESHORT);
    CHECK(!check_alloc_failed());
    check_alloc_fail_from(-1);
    buf_free(&b);
}

TEST(an_encoding_cut_anywhere_is_short)
{
    struct dot d[] = { dot_of(1, 1), dot_of(2, 300) };
    struct buf b = { 0 };

    put_entries(&b, 2, d);
    for (size_t n = 0; n < b.len; n++) {
        struct buf cut = { 0 };

        buf_put(&cut, b.ptr, n);
        check_refused(&cut, SYNCLINE_ESHORT);
    }
    buf_free(&b);
}

TEST(a_full_vector_refuses_one_more)
{
    struct arena a = { 0 };
    struct vv v = { 0 };
    struct dot d = { .seq = 1 };

    for (uint32_t i = 0; i <= VV_MAX; i++) {
        for (int j = 0; j < 4; j++)
            d.replica.b[j] = (uint8_t)(i >> (24 - 8 * j));
        CHECK_INT(
            vv_add(&v, &d, &a), i < VV_MAX ? SYNCLINE_OK : SYNCLINE_ELIMIT);
    }
    CHECK_UINT(v.n, VV_MAX);
    arena_free(&a);
}

TEST(no_memory_changes_no_entry)
{
    struct arena a = { 0 }, fresh = { 0 };
    struct vv v = { 0 };
    struct dot one = dot_of(1, 1), two = dot_of(2, 2), three = dot_of(3, 3);

    CHECK_OK(vv_add(&v, &two, &a));
    CHECK_OK(vv_add(&v, &three, &a));
    check_alloc_fail_from(0);
    CHECK_INT(vv_add(&v, &one, &fresh), SYNCLINE_ENOMEM);
    check_alloc_fail_from(-1);
    CHECK_UINT(v.n, 2);
    CHECK(vv_covers(&v, &two) && vv_covers(&v, &three));
    arena_free(&a);
}

TEST(dots_and_stamps_come_back)
{
    struct dot d = dot_of(3, SEQ_MAX), d2;
    struct stamp s = { .epoch = 300, .hlc = UINT64_MAX, .replica = rid_of(4) };
    struct stamp s2;
    struct buf b = { 0 };
    struct reader r;

    put_dot(&b, &d);
    put_stamp(&b, &s);
    r = reader_of(buf_slice(&b));
    get_dot(&r, &d2);
    get_stamp(&r, &s2);
    CHECK_OK(reader_end(&r));
    CHECK(dot_eq(&d, &d2));
    CHECK_INT(stamp_cmp(&s, &s2), 0);
    buf_free(&b);
}

/* One more would not fit what is told of vectors, nor leave room to count. */
TEST(numbers_that_nobody_reaches_are_refused)
{
    struct dot d = dot_of(3, SEQ_MAX + 1), d2;
    struct arena a = { 0 };
    struct buf b = { 0 };
    struct reader r;
    struct vv v;

    put_varint(&b, 1);
    put_dot(&b, &d);
    r = reader_of(buf_slice(&b));
    CHECK_INT(get_vv(&r, &v, &a), SYNCLINE_EMALFORMED);
    r = reader_of(slice_from(buf_slice(&b), 1));
    get_dot(&r, &d2);
    CHECK_INT(r.err, SYNCLINE_EMALFORMED);
    buf_free(&b);
    arena_free(&a);
}

/* First the epoch, then the clock, then the replica. */
TEST(stamps_are_ordered)
{
    static const struct {
        uint64_t epoch, hlc;
        unsigned replica;
    } rising[] = { { 0, 0, 0 }, { 0, 0, 1 }, { 0, 5, 0 }, { 0, 5, 5 },
        { 0, UINT64_MAX, 0 }, { 1, 0, 0 }, { 1, 0, 2 }, { UINT64_MAX, 0, 0 } };

    for (size_t i = 0; i < ARRAY_N(rising); i++)
        for (size_t j = 0; j < ARRAY_N(rising); j++) {
            struct stamp x = { rising[i].epoch, rising[i].hlc,
                rid_of(rising[i].replica) };
            struct stamp y = { rising[j].epoch, rising[j].hlc,
                rid_of(rising[j].replica) };
            int c = stamp_cmp(&x, &y);

            CHECK((c < 0) == (i < j) && (c > 0) == (i > j));
        }
}

TEST(dots_are_ordered_by_replica_first)
{
    struct dot a = dot_of(1, 9), b = dot_of(2, 1), c = dot_of(2, 2);

    CHECK(dot_cmp(&a, &b) < 0 && dot_cmp(&b, &a) > 0);
    CHECK(dot_cmp(&b, &c) < 0 && dot_cmp(&c, &b) > 0);
    CHECK_INT(dot_cmp(&c, &c), 0);
}
