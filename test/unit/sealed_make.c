#include "unit/sealed_make.h"

static struct envelope_secret secret_of(uint64_t epoch)
{
    struct envelope_secret s = { .epoch = epoch };

    if (epoch != 0)
        memset(s.id, (int)(epoch & 0xff), KEY_ID_LEN);
    memset(s.key, 0x60 + (int)(epoch & 0xf), KEY_LEN);
    memset(s.first, 0x60, KEY_LEN);
    return s;
}

void make_sealer(struct sealer *out, struct envelope_keys keys[SEAL_KEYS],
    struct node *n, const struct space *sp)
{
    static const uint64_t epochs[SEAL_KEYS] = { 0, 1, 300 };

    for (uint32_t i = 0; i < SEAL_KEYS; i++) {
        struct envelope_secret secret = secret_of(epochs[i]);

        CHECK_OK(envelope_keys_make(
            &keys[i], n->opt.crypto, &n->mesh, &sp->token, &secret));
    }
    *out = (struct sealer){ .node = n,
        .space = sp,
        .keys = keys,
        .keys_n = SEAL_KEYS,
        .current = SEAL_KEYS - 1 };
}

static void leaves_of(const struct sealer *s, const struct space *sp,
    struct slice key, const struct item *it, uint32_t change,
    const struct proof_head *head, struct merkle_hash *out, struct arena *a)
{
    struct leaf_maker m;
    struct cells_of of;

    CHECK_OK(cells_of_changes(&of, it, sp->sealed, a));
    CHECK_OK(leaf_maker_init(&m, s->node, sp, key, it->length, head));
    CHECK_OK(leaves_make(&m, it, &of, change, out));
    leaf_maker_free(&m);
}

static uint32_t count(const struct item *it, uint32_t change, struct arena *a)
{
    struct cells_of of;

    CHECK_OK(cells_of_changes(&of, it, false, a));
    return leaves_n(it, &of, change);
}

static void sign_change(const struct sealer *s, struct slice key,
    struct item *it, uint32_t ix, struct prng *p, struct arena *a)
{
    const uint32_t n = count(it, ix, a), all = n + (uint32_t)prng_below(p, 9);
    const struct crypto_port *crypto = s->node->opt.crypto;
    const struct envelope_keys *keys = &s->keys[prng_below(p, s->keys_n)];
    struct proof_head head = { .epoch = keys->epoch };
    struct merkle_hash *living = arena_zalloc(a, n + 1, sizeof *living);
    struct merkle_hash *leaves = arena_zalloc(a, all, sizeof *leaves);
    struct merkle_hash *nodes = arena_zalloc(a, 2 * (size_t)all, sizeof *nodes);
    bool *keep = arena_zalloc(a, all, sizeof *keep);
    struct buf whole = { 0 }, kept = { 0 };
    struct proof proof;
    uint32_t next = 0;

    if (keys->epoch != 0)
        memcpy(head.key_id, keys->id, KEY_ID_LEN);
    for (size_t i = 0; i < SALT_LEN; i++)
        head.salt[i] = (uint8_t)(1 + prng_below(p, 255));
    leaves_of(s, s->space, key, it, ix, &head, living, a);
    for (uint32_t i = 0; i < all; i++) {
        keep[i] = next < n &&
            (all - i == n - next || prng_below(p, all - i) < n - next);
        leaves[i] = (struct merkle_hash){ { (uint8_t)i, 0xde, 0xad } };
        if (keep[i])
            leaves[i] = living[next++];
    }
    CHECK_OK(merkle_build(nodes, crypto, leaves, all));
    CHECK_OK(merkle_sign(head.sig, crypto, &s->node->mesh, nodes));
    proof_make(&whole, &head, nodes, all, 0, all);
    CHECK_OK(proof_read(&proof, buf_slice(&whole)));
    CHECK_OK(proof_shrink(&kept, crypto, &proof, leaves, keep, all));
    it->changes[ix].proof = arena_dup(a, buf_slice(&kept));
    buf_free(&whole);
    buf_free(&kept);
}

void sign_changes(const struct sealer *s, struct slice key, struct item *it,
    struct prng *p, struct arena *a)
{
    struct proof read;

    for (uint32_t i = 0; i < it->changes_n; i++)
        if (proof_read(&read, it->changes[i].proof) != SYNCLINE_OK)
            sign_change(s, key, it, i, p, a);
}

struct merkle_hash root_of(const struct sealer *s, const struct space *sp,
    struct slice key, const struct item *it, uint32_t change, struct arena *a)
{
    const uint32_t n = count(it, change, a);
    struct merkle_hash *leaves = arena_zalloc(a, n + 1, sizeof *leaves), root;
    struct proof p;

    CHECK_OK(proof_read(&p, it->changes[change].proof));
    leaves_of(s, sp, key, it, change, &p.head, leaves, a);
    CHECK_OK(proof_root(&root, s->node->opt.crypto, &p, leaves, n));
    return root;
}

struct item item_from(struct slice bytes, struct arena *a)
{
    struct reader r = reader_of(bytes);
    struct item it;

    CHECK_OK(get_item(&r, &it, a));
    CHECK_OK(reader_end(&r));
    return it;
}
