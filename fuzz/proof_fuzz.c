/* proof_fuzz.c - a byte that says how, then a proof as it stands, with leaves
 * made up for it; or a tree, two sets of its leaves, and what is done to a
 * proof of one of them.
 *
 * Holds the law: of one tree and one set there is one proof, by whatever way,
 * and it proves; a proof that was touched proves nothing else. */
#include "crypto/sheaf.h"
#include "fuzz/fuzz.h"

#define LEAVES 64

static struct crypto_port crypto;
static struct crypto_self self;

static void open_house(void)
{
    static const uint8_t seed[IDENTITY_SEED_LEN] = { 1 };
    static struct identity *id;

    if (id == NULL)
        ENSURE(identity_from_seed(&id, seed) == SYNCLINE_OK);
    crypto_port_seeded(&crypto, &self, id, 1);
}

static struct proof read_proof(const struct buf *b)
{
    struct proof p;

    ENSURE(proof_read(&p, written(b)) == SYNCLINE_OK);
    return p;
}

/* Whatever was read can be rebuilt, joined with itself, shrunk to one leaf. */
static void raw(struct pieces *in)
{
    static struct merkle_hash living[LEAVES];
    struct merkle_hash root, same;
    bool keep[LEAVES] = { true };
    struct buf out = { 0 };
    struct proof p, q;

    if (proof_read(&p, in->in) != SYNCLINE_OK || p.living_n > LEAVES)
        return;
    ENSURE(proof_root(&root, &crypto, &p, living, p.living_n) == SYNCLINE_OK);
    ENSURE(proof_join(&out, &p, &p) == SYNCLINE_OK);
    ENSURE(slice_eq(written(&out), in->in));
    buf_clear(&out);
    ENSURE(proof_shrink(&out, &crypto, &p, living, keep, p.living_n) ==
        SYNCLINE_OK);
    q = read_proof(&out);
    ENSURE(proof_root(&same, &crypto, &q, living, 1) == SYNCLINE_OK);
    ENSURE(memcmp(&root, &same, sizeof root) == 0);
    buf_free(&out);
}

struct tree {
    struct merkle_hash leaves[LEAVES], nodes[2 * LEAVES];
    uint32_t n;
    struct buf whole;
};

static void take_tree(struct tree *t, struct pieces *in)
{
    struct proof_head head = { .epoch = take_u8(in) % 2 };

    *t = (struct tree){ .n = 1 + take_below(in, LEAVES) };
    head.sig[0] = head.key_id[3] = 1;
    if (head.epoch == 0)
        memset(head.key_id, 0, sizeof head.key_id);
    for (uint32_t i = 0; i < t->n; i++)
        t->leaves[i].b[0] = (uint8_t)i;
    ENSURE(merkle_build(t->nodes, &crypto, t->leaves, t->n) == SYNCLINE_OK);
    proof_make(&t->whole, &head, t->nodes, t->n, 0, t->n);
}

static void take_set(const struct tree *t, struct pieces *in, bool set[LEAVES])
{
    uint32_t first = take_below(in, t->n);

    for (uint32_t i = 0; i < t->n; i++)
        set[i] = (take_u8(in) & 1) != 0;
    set[first] = true;
}

static uint32_t living_of_set(
    const struct tree *t, const bool *set, struct merkle_hash *out)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < t->n; i++)
        if (set[i])
            out[n++] = t->leaves[i];
    return n;
}

static void shrink(const struct tree *t, const bool *set, struct buf *out)
{
    struct proof p = read_proof(&t->whole);

    ENSURE(proof_shrink(out, &crypto, &p, t->leaves, set, t->n) == SYNCLINE_OK);
}

/* The proof of a set with one byte changed says the same root of no other
 * shape; its signature and key are nobody's here. */
static void touch(
    const struct tree *t, struct buf *b, const bool *set, struct pieces *in)
{
    struct merkle_hash living[LEAVES], root;
    uint32_t n = living_of_set(t, set, living);
    uint8_t change = take_u8(in);
    size_t where = (size_t)take_number(in) % b->len;
    struct proof p = read_proof(b);
    size_t fixed = b->len - p.hashes.len - p.runs.len;

    if (change == 0)
        return;
    b->ptr[where] ^= change;
    if (proof_read(&p, written(b)) == SYNCLINE_OK && where >= fixed &&
        proof_root(&root, &crypto, &p, living, n) == SYNCLINE_OK)
        ENSURE(memcmp(&root, t->nodes, sizeof root) != 0);
}

/* What stands before `at` and what does not, bound and cut apart again. */
static void bind(
    const struct tree *t, const bool *set, uint32_t at, const struct buf *both)
{
    bool half[2][LEAVES] = { { false } };
    struct buf proofs[2] = { { 0 } }, parts[2] = { { 0 } }, sheaf = { 0 };
    struct merkle_hash living[LEAVES];
    struct proof read[2];
    const struct proof *list[2] = { &read[0], &read[1] };
    struct arena a = { 0 };
    struct sheaf s;
    uint32_t end = 0, n[2] = { 0, 0 };

    for (uint32_t i = 0; i < t->n; i++) {
        half[i >= at][i] = set[i];
        n[i >= at] += set[i];
    }
    if (n[0] == 0 || n[1] == 0)
        return;
    for (int i = 0; i < 2; i++) {
        shrink(t, half[i], &proofs[i]);
        read[i] = read_proof(&proofs[i]);
        sheaf_put_part(&parts[i], &read[i], &end);
    }
    ENSURE(sheaf_join(&sheaf, list, 2) == SYNCLINE_OK);
    ENSURE(slice_eq(written(&sheaf), written(both)));
    ENSURE(sheaf_read(&s, written(&sheaf)) == SYNCLINE_OK);
    (void)living_of_set(t, set, living);
    s.leaves = living;
    ENSURE(sheaf_build(&s, &crypto, &a) == SYNCLINE_OK);
    ENSURE(memcmp(sheaf_root(&s), t->nodes, sizeof *t->nodes) == 0);
    for (int i = 0; i < 2; i++) {
        struct sheaf_part part;
        struct buf cut = { 0 };

        ENSURE(sheaf_get_part(&s, written(&parts[i]), &part) == SYNCLINE_OK);
        sheaf_cut(&cut, &s, &part);
        ENSURE(slice_eq(written(&cut), written(&proofs[i])));
        buf_free(&cut);
        buf_free(&proofs[i]);
        buf_free(&parts[i]);
    }
    ENSURE(sheaf_is_whole(&s));
    buf_free(&sheaf);
    arena_free(&a);
}

static void made(struct pieces *in)
{
    struct merkle_hash living[LEAVES], root;
    bool a[LEAVES], b[LEAVES], either[LEAVES];
    struct buf pa = { 0 }, pb = { 0 }, joined = { 0 }, want = { 0 };
    struct proof p, q;
    struct tree t;

    take_tree(&t, in);
    take_set(&t, in, a);
    take_set(&t, in, b);
    for (uint32_t i = 0; i < t.n; i++)
        either[i] = a[i] || b[i];
    shrink(&t, a, &pa);
    shrink(&t, b, &pb);
    shrink(&t, either, &want);
    p = read_proof(&pa);
    q = read_proof(&pb);
    ENSURE(proof_join(&joined, &p, &q) == SYNCLINE_OK);
    ENSURE(slice_eq(written(&joined), written(&want)));
    ENSURE(proof_root(&root, &crypto, &p, living,
               living_of_set(&t, a, living)) == SYNCLINE_OK);
    ENSURE(memcmp(&root, t.nodes, sizeof root) == 0);
    bind(&t, a, 1 + take_below(in, t.n), &pa);
    touch(&t, &pb, b, in);
    buf_free(&t.whole);
    buf_free(&pa);
    buf_free(&pb);
    buf_free(&joined);
    buf_free(&want);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pieces in = pieces_of(data, size);

    open_house();
    if (take_below(&in, 2) == 0)
        raw(&in);
    else
        made(&in);
    return 0;
}
