#include "crypto/sheaf.h"

#include "unit/check.h"

#include "base/prng.h"

#define LEAVES 70
#define PARTS 5

struct trees {
    struct identity *id;
    struct crypto_port crypto;
    struct crypto_self self;
    struct merkle_hash leaves[LEAVES], nodes[2 * LEAVES];
    struct proof_head head;
    struct arena arena;
    uint32_t n;
};

static void trees_open(struct trees *t, uint32_t n)
{
    static const uint8_t seed[IDENTITY_SEED_LEN] = { 7 };

    *t = (struct trees){ .n = n, .head = { .sig = { 5 } } };
    CHECK_OK(identity_from_seed(&t->id, seed));
    crypto_port_seeded(&t->crypto, &t->self, t->id, 1);
    for (uint32_t i = 0; i < n; i++)
        t->leaves[i] = (struct merkle_hash){ { (uint8_t)i, 0xee } };
    CHECK_OK(merkle_build(t->nodes, &t->crypto, t->leaves, n));
}

static void trees_close(struct trees *t)
{
    arena_free(&t->arena);
    identity_free(t->id);
}

/* Of the leaves that are `which` in `of`; 0: of all that is not. */
static void prove(
    const struct trees *t, const uint8_t *of, uint8_t which, struct buf *out)
{
    bool keep[LEAVES];
    struct buf whole = { 0 };
    struct proof p;

    for (uint32_t i = 0; i < t->n; i++)
        keep[i] = which == 0 ? of[i] != 0 : of[i] == which;
    proof_make(&whole, &t->head, t->nodes, t->n, 0, t->n);
    CHECK_OK(proof_read(&p, buf_slice(&whole)));
    CHECK_OK(proof_shrink(out, &t->crypto, &p, t->leaves, keep, t->n));
    buf_free(&whole);
}

/* Part 1, then 2, ..., with holes of 0; the number of parts. */
static uint8_t draw(struct prng *r, uint8_t *of, uint32_t n)
{
    uint64_t holes = prng_below(r, 4);
    uint8_t part = 0;

    for (uint32_t i = 0; i < n; i++) {
        of[i] = 0;
        if (holes > 0 && prng_below(r, holes + 1) > 0)
            continue;
        if (part == 0 || (part < PARTS && prng_below(r, 6) == 0))
            part++;
        of[i] = part;
    }
    if (part == 0)
        of[0] = part = 1;
    return part;
}

struct bundle {
    struct buf proofs[PARTS], parts[PARTS], sheaf;
    struct proof read[PARTS];
    uint8_t n;
};

static void bind(const struct trees *t, const uint8_t *of, struct bundle *b)
{
    const struct proof *list[PARTS];
    uint32_t at = 0;

    for (uint8_t i = 0; i < b->n; i++) {
        prove(t, of, i + 1, &b->proofs[i]);
        CHECK_OK(proof_read(&b->read[i], buf_slice(&b->proofs[i])));
        sheaf_put_part(&b->parts[i], &b->read[i], &at);
        list[i] = &b->read[i];
    }
    CHECK_OK(sheaf_join(&b->sheaf, list, b->n));
}

static void bundle_free(struct bundle *b)
{
    for (uint8_t i = 0; i < PARTS; i++) {
        buf_free(&b->proofs[i]);
        buf_free(&b->parts[i]);
    }
    buf_free(&b->sheaf);
}

/* A sheaf is the proof of all; what is cut from it is what went in. */
TEST(what_is_cut_from_a_sheaf_is_what_went_in)
{
    struct prng r = { 4 };

    for (int round = 0; round < 600; round++) {
        struct bundle b = { .n = 0 };
        struct merkle_hash living[LEAVES];
        struct sheaf_part parts[PARTS];
        struct buf want = { 0 }, cut = { 0 };
        struct sheaf s;
        struct trees t;
        uint8_t of[LEAVES];
        uint32_t n = 0;

        trees_open(&t, 1 + (uint32_t)prng_below(&r, LEAVES));
        b.n = draw(&r, of, t.n);
        bind(&t, of, &b);
        prove(&t, of, 0, &want);
        CHECK_BYTES(buf_slice(&b.sheaf), buf_slice(&want));
        CHECK_OK(sheaf_read(&s, buf_slice(&b.sheaf)));
        for (uint8_t i = 0; i < b.n; i++) {
            CHECK(!sheaf_is_whole(&s));
            CHECK_OK(sheaf_get_part(&s, buf_slice(&b.parts[i]), &parts[i]));
            CHECK_UINT(parts[i].living_n, b.read[i].living_n);
        }
        CHECK(sheaf_is_whole(&s));
        for (uint32_t i = 0; i < t.n; i++)
            if (of[i] != 0)
                living[n++] = t.leaves[i];
        s.leaves = living;
        CHECK_OK(sheaf_build(&s, &t.crypto, &t.arena));
        CHECK(memcmp(sheaf_root(&s), t.nodes, sizeof *t.nodes) == 0);
        for (uint8_t i = 0; i < b.n; i++) {
            buf_clear(&cut);
            sheaf_cut(&cut, &s, &parts[i]);
            CHECK_BYTES(buf_slice(&cut), buf_slice(&b.proofs[i]));
        }
        buf_free(&want);
        buf_free(&cut);
        bundle_free(&b);
        trees_close(&t);
    }
}

TEST(a_span_is_from_the_first_to_behind_the_last)
{
    uint8_t of[LEAVES] = { 0, 0, 1, 0, 1, 1 };
    struct buf b = { 0 };
    uint32_t from, to;
    struct trees t;
    struct proof p;

    trees_open(&t, 9);
    prove(&t, of, 1, &b);
    CHECK_OK(proof_read(&p, buf_slice(&b)));
    proof_span(&p, &from, &to);
    CHECK_UINT(from, 2);
    CHECK_UINT(to, 6);
    buf_free(&b);
    trees_close(&t);
}

/* Of seven leaves live 1, 2, 4, 6. */
TEST(a_part_that_does_not_follow_is_refused)
{
    static const struct {
        const char *what;
        uint8_t first[8], second[8];
        size_t first_n, second_n;
        int rc;
        bool whole;
    } rows[] = {
        { "two parts", { 1, 2 }, { 1, 1, 1, 1 }, 2, 4, SYNCLINE_OK, true },
        { "within a run", { 1, 1 }, { 0, 1, 1, 1, 1, 1 }, 2, 6, SYNCLINE_OK,
            true },
        { "not all", { 1, 2 }, { 1, 1 }, 2, 2, SYNCLINE_OK, false },
        { "one is left out", { 1, 1 }, { 2, 1 }, 2, 2, SYNCLINE_EMALFORMED,
            false },
        { "of the dead", { 1, 2 }, { 0, 1 }, 2, 2, SYNCLINE_EMALFORMED, false },
        { "longer than what lives", { 1, 2 }, { 1, 2 }, 2, 2,
            SYNCLINE_EMALFORMED, false },
        { "beyond the end", { 1, 2 }, { 9, 1 }, 2, 2, SYNCLINE_EMALFORMED,
            false },
        { "nothing", { 1, 2 }, { 0 }, 2, 0, SYNCLINE_EMALFORMED, false },
        { "none that lives", { 1, 2 }, { 1, 0 }, 2, 2, SYNCLINE_EMALFORMED,
            false },
        { "cut off", { 1, 2 }, { 1 }, 2, 1, SYNCLINE_EMALFORMED, false },
        { "two runs for one", { 1, 2 }, { 1, 1, 0, 1 }, 2, 4,
            SYNCLINE_EMALFORMED, false },
        { "the dead at its end", { 1, 2 }, { 1, 1, 1 }, 2, 3,
            SYNCLINE_EMALFORMED, false },
    };
    uint8_t of[LEAVES] = { 0, 1, 1, 0, 1, 0, 1 };
    struct buf b = { 0 };
    struct trees t;

    trees_open(&t, 7);
    prove(&t, of, 1, &b);
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct sheaf_part part;
        struct sheaf s;
        int rc;

        CHECK_OK(sheaf_read(&s, buf_slice(&b)));
        CHECK_OK(
            sheaf_get_part(&s, SLICE(rows[i].first, rows[i].first_n), &part));
        rc = sheaf_get_part(&s, SLICE(rows[i].second, rows[i].second_n), &part);
        CHECK_SAYING(rc == rows[i].rc, "%s: %d", rows[i].what, rc);
        CHECK_SAYING(sheaf_is_whole(&s) == rows[i].whole, "%s", rows[i].what);
    }
    buf_free(&b);
    trees_close(&t);
}

TEST(without_memory_nothing_is_bound)
{
    uint8_t of[LEAVES] = { 1, 1, 2, 2 };
    struct bundle b = { .n = 2 };
    const struct proof *list[2] = { &b.read[0], &b.read[1] };
    struct trees t;
    int rc = SYNCLINE_ENOMEM;

    trees_open(&t, 6);
    bind(&t, of, &b);
    for (int i = 0; i < 20 && rc != SYNCLINE_OK; i++) {
        struct buf out = { 0 };

        check_alloc_fail_from(i);
        rc = sheaf_join(&out, list, 2);
        check_alloc_fail_from(-1);
        CHECK(rc == SYNCLINE_OK || rc == SYNCLINE_ENOMEM);
        buf_free(&out);
    }
    CHECK_OK(rc);
    bundle_free(&b);
    trees_close(&t);
}
