#include "crypto/merkle.h"

#include "unit/check.h"

#include "base/prng.h"

#define LEAVES 70

struct trees {
    struct identity *id;
    struct crypto_port crypto;
    struct crypto_self self;
    struct merkle_hash leaves[LEAVES], nodes[2 * LEAVES];
    struct proof_head head;
    uint32_t n;
};

static void trees_open(struct trees *t, uint32_t n)
{
    static const uint8_t seed[IDENTITY_SEED_LEN] = { 7 };
    const struct mesh_id mesh = { { 1 } };

    *t = (struct trees){ .head.salt = { 9 }, .n = n };
    CHECK_OK(identity_from_seed(&t->id, seed));
    crypto_port_seeded(&t->crypto, &t->self, t->id, 1);
    for (uint32_t i = 0; i < n; i++)
        t->leaves[i] = (struct merkle_hash){ { (uint8_t)i, 0xee } };
    CHECK_OK(merkle_build(t->nodes, &t->crypto, t->leaves, n));
    CHECK_OK(merkle_sign(t->head.sig, &t->crypto, &mesh, t->nodes));
}

/* RFC 6962, 2.1, from its own definition. */
static struct merkle_hash simple(const struct merkle_hash *leaves, uint32_t n)
{
    uint8_t both[1 + 2 * SHA256_LEN] = { 1 };
    struct merkle_hash left, right, out;
    uint32_t k = 1;

    if (n == 1)
        return leaves[0];
    while (k * 2 < n)
        k *= 2;
    left = simple(leaves, k);
    right = simple(leaves + k, n - k);
    memcpy(both + 1, left.b, SHA256_LEN);
    memcpy(both + 1 + SHA256_LEN, right.b, SHA256_LEN);
    CHECK_OK(crypto_sha256(out.b, SLICE(both, sizeof both)));
    return out;
}

/* Does the proof rebuild the root from the living that are given? */
static bool proves(const struct trees *t, struct slice bytes, const bool *lives)
{
    struct merkle_hash living[LEAVES], root;
    struct proof p;
    uint32_t n = 0;

    for (uint32_t i = 0; i < t->n; i++)
        if (lives[i])
            living[n++] = t->leaves[i];
    CHECK_OK(proof_read(&p, bytes));
    CHECK_UINT(p.leaves_n, t->n);
    CHECK_INT(
        proof_root(&root, &t->crypto, &p, living, n + 1), SYNCLINE_EMALFORMED);
    return proof_root(&root, &t->crypto, &p, living, n) == SYNCLINE_OK &&
        memcmp(root.b, t->nodes[0].b, sizeof root) == 0;
}

/* The proof of a subset, by shrinking that of the whole tree. */
static void shrunk(const struct trees *t, const bool *lives, struct buf *out)
{
    struct buf whole = { 0 };
    struct proof p;

    proof_make(&whole, &t->head, t->nodes, t->n, 0, t->n);
    CHECK_OK(proof_read(&p, buf_slice(&whole)));
    CHECK_OK(proof_shrink(out, &t->crypto, &p, t->leaves, lives, t->n));
    buf_free(&whole);
}

TEST(a_root_is_that_of_rfc_6962)
{
    for (uint32_t n = 1; n <= LEAVES; n++) {
        struct trees t;
        struct merkle_hash want;

        trees_open(&t, n);
        want = simple(t.leaves, n);
        CHECK_SAYING(
            memcmp(want.b, t.nodes[0].b, sizeof want) == 0, "%u leaves", n);
        identity_free(t.id);
    }
}

TEST(any_stretch_of_a_tree_proves_itself)
{
    for (uint32_t n = 1; n <= 20; n++) {
        struct trees t;

        trees_open(&t, n);
        for (uint32_t from = 0; from < n; from++)
            for (uint32_t to = from + 1; to <= n; to++) {
                bool lives[LEAVES] = { false };
                struct buf made = { 0 }, less = { 0 };

                for (uint32_t i = from; i < to; i++)
                    lives[i] = true;
                proof_make(&made, &t.head, t.nodes, n, from, to);
                CHECK(proves(&t, buf_slice(&made), lives));
                shrunk(&t, lives, &less);
                CHECK_BYTES(buf_slice(&less), buf_slice(&made));
                buf_free(&made);
                buf_free(&less);
            }
        identity_free(t.id);
    }
}

static void draw(struct prng *r, bool *lives, uint32_t n)
{
    uint64_t one_in = 1 + prng_below(r, 6);

    for (uint32_t i = 0; i < n; i++)
        lives[i] = prng_below(r, one_in) == 0;
    lives[prng_below(r, n)] = true;
}

/* Shrunk at once or in two steps, or joined from two parts: the same bytes. */
TEST(of_one_set_of_living_there_is_one_proof)
{
    struct prng r = { 11 };

    for (int round = 0; round < 600; round++) {
        bool a[LEAVES], b[LEAVES], either[LEAVES], keep[LEAVES];
        struct buf pa = { 0 }, pb = { 0 }, joined = { 0 }, want = { 0 };
        struct merkle_hash living[LEAVES];
        struct proof p, q;
        struct trees t;
        uint32_t n = 0;

        trees_open(&t, 1 + (uint32_t)prng_below(&r, LEAVES));
        draw(&r, a, t.n);
        draw(&r, b, t.n);
        for (uint32_t i = 0; i < t.n; i++)
            either[i] = a[i] || b[i];
        shrunk(&t, a, &pa);
        shrunk(&t, b, &pb);
        shrunk(&t, either, &want);
        CHECK(proves(&t, buf_slice(&pa), a));
        CHECK_OK(proof_read(&p, buf_slice(&pa)));
        CHECK_OK(proof_read(&q, buf_slice(&pb)));
        CHECK_OK(proof_join(&joined, &p, &q));
        CHECK_BYTES(buf_slice(&joined), buf_slice(&want));
        for (uint32_t i = 0; i < t.n; i++)
            if (either[i]) {
                keep[n] = a[i];
                living[n++] = t.leaves[i];
            }
        CHECK_OK(proof_read(&p, buf_slice(&joined)));
        buf_clear(&want);
        CHECK_OK(proof_shrink(&want, &t.crypto, &p, living, keep, n));
        CHECK_BYTES(buf_slice(&want), buf_slice(&pa));
        buf_free(&pa);
        buf_free(&pb);
        buf_free(&joined);
        buf_free(&want);
        identity_free(t.id);
    }
}

TEST(parts_of_two_trees_do_not_join)
{
    bool lives[LEAVES] = { true }, others[LEAVES] = { false, true };
    struct buf pa = { 0 }, pb = { 0 }, out = { 0 };
    struct trees t, u;
    struct proof p, q;

    trees_open(&t, 9);
    trees_open(&u, 9);
    u.leaves[8].b[0] = 99;
    CHECK_OK(merkle_build(u.nodes, &u.crypto, u.leaves, 9));
    shrunk(&t, lives, &pa);
    shrunk(&u, others, &pb);
    CHECK_OK(proof_read(&p, buf_slice(&pa)));
    CHECK_OK(proof_read(&q, buf_slice(&pb)));
    CHECK_INT(proof_join(&out, &p, &q), SYNCLINE_EMALFORMED);
    CHECK_UINT(out.len, 0);
    buf_free(&pa);
    buf_free(&pb);
    buf_free(&out);
    identity_free(t.id);
    identity_free(u.id);
}

/* Whatever byte of a proof is another, it does not prove. */
TEST(a_bent_proof_proves_nothing)
{
    const struct mesh_id mesh = { { 1 } };
    bool lives[LEAVES] = { false, true, true, false, false, true };
    struct merkle_hash living[3], root;
    struct buf b = { 0 };
    struct trees t;
    struct proof p;

    trees_open(&t, 11);
    for (uint32_t i = 0, n = 0; i < t.n; i++)
        if (lives[i])
            living[n++] = t.leaves[i];
    shrunk(&t, lives, &b);
    for (size_t i = 0; i < 8 * b.len; i++) {
        bool ok;

        b.ptr[i / 8] ^= (uint8_t)(1 << i % 8);
        ok = proof_read(&p, buf_slice(&b)) == SYNCLINE_OK &&
            proof_root(&root, &t.crypto, &p, living, 3) == SYNCLINE_OK &&
            merkle_verify(&t.crypto, t.crypto.spki, p.head.sig, &mesh, &root) ==
                SYNCLINE_OK;
        /* Of the salt, that is for the leaves to say. */
        CHECK_SAYING(
            !ok || (i >= 16 && i < 8 * (2 + (size_t)SALT_LEN)), "bit %zu", i);
        b.ptr[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t n = 0; n < b.len; n++)
        CHECK_INT(proof_read(&p, SLICE(b.ptr, n)), SYNCLINE_EMALFORMED);
    buf_free(&b);
    identity_free(t.id);
}

TEST(a_proof_is_written_in_one_way_only)
{
    static const struct {
        const char *what;
        uint8_t tail[8]; /* after the head */
        size_t n, hashes;
        int rc;
    } rows[] = {
        { "one, alive", { 1, 0, 1 }, 3, 0, SYNCLINE_OK },
        { "no leaves", { 0 }, 1, 0, SYNCLINE_EMALFORMED },
        { "none alive", { 1, 1 }, 2, 1, SYNCLINE_EMALFORMED },
        { "none alive, told twice", { 2, 1, 0, 1 }, 4, 2, SYNCLINE_EMALFORMED },
        { "the first of two", { 2, 0, 1, 1 }, 4, 1, SYNCLINE_OK },
        { "the second of two", { 2, 1, 1 }, 3, 1, SYNCLINE_OK },
        { "too few hashes", { 2, 1, 1 }, 3, 0, SYNCLINE_EMALFORMED },
        { "too many", { 2, 1, 1 }, 3, 2, SYNCLINE_EMALFORMED },
        { "two runs for one", { 2, 0, 1, 0, 1 }, 5, 0, SYNCLINE_EMALFORMED },
        { "more alive than there are", { 2, 0, 3 }, 3, 0, SYNCLINE_EMALFORMED },
        { "the middle two of four", { 4, 1, 2, 1 }, 4, 2, SYNCLINE_OK },
        { "two dead are one hash", { 4, 2, 2 }, 3, 1, SYNCLINE_OK },
        { "not two", { 4, 2, 2 }, 3, 2, SYNCLINE_EMALFORMED },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        static const uint8_t zeros[2 * SHA256_LEN];
        struct buf b = { 0 };
        struct proof p;

        buf_put(&b, "\1\0", 2);
        buf_put(&b, zeros, SALT_LEN);
        buf_put(&b, zeros, ED25519_SIG_LEN);
        buf_put(&b, rows[i].tail, rows[i].n);
        buf_put(&b, zeros, rows[i].hashes * SHA256_LEN);
        CHECK_SAYING(
            proof_read(&p, buf_slice(&b)) == rows[i].rc, "%s", rows[i].what);
        buf_free(&b);
    }
}

TEST(memory_that_runs_out_is_told)
{
    bool lives[LEAVES] = { true, false, true };
    struct buf whole = { 0 }, out = { 0 };
    struct trees t;
    struct proof p;
    int rc;

    trees_open(&t, 40);
    proof_make(&whole, &t.head, t.nodes, 40, 0, 40);
    CHECK_OK(proof_read(&p, buf_slice(&whole)));
    for (long n = 0;; n++) {
        check_alloc_fail_from(n);
        rc = proof_shrink(&out, &t.crypto, &p, t.leaves, lives, 40);
        if (!check_alloc_failed())
            break;
        CHECK_INT(rc, SYNCLINE_ENOMEM);
        buf_free(&out);
    }
    check_alloc_fail_from(-1);
    CHECK_OK(rc);
    buf_free(&out);
    for (long n = 0;; n++) {
        check_alloc_fail_from(n);
        rc = proof_join(&out, &p, &p);
        if (!check_alloc_failed())
            break;
        CHECK_INT(rc, SYNCLINE_ENOMEM);
        buf_free(&out);
    }
    check_alloc_fail_from(-1);
    CHECK_OK(rc);
    CHECK_BYTES(buf_slice(&out), buf_slice(&whole));
    buf_free(&out);
    buf_free(&whole);
    identity_free(t.id);
}
