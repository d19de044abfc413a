/* Proofs are walked as the trees are: from the root, left before right. Which
 * leaves live is read on the way, from the runs. */
#include "crypto/merkle.h"

#include "crypto/merkle_impl.h"

/* That of a store's format 3 began with 0, and had no salt. */
#define PROOF_VERSION 1

/* The kind stands before the header, and both fill whole blocks. */
#define LEAF_COMMON_LEN (ENVELOPE_COMMON_LEN - 1)

int merkle_leaf_begin(struct hash_begun *out, const struct crypto_port *crypto,
    const uint8_t header[ENVELOPE_HEADER_LEN])
{
    static const uint8_t kind = 0;
    struct slice parts[] = { SLICE(&kind, 1), SLICE(header, LEAF_COMMON_LEN) };

    return crypto->hash_begin(crypto->self, out, parts, 2);
}

int merkle_leaf_end(struct merkle_hash *out, const struct crypto_port *crypto,
    const struct hash_begun *begun, const uint8_t header[ENVELOPE_HEADER_LEN],
    const uint8_t tag[ENVELOPE_TAG_LEN])
{
    struct slice parts[] = { slice_from(SLICE(header, ENVELOPE_HEADER_LEN),
                                 LEAF_COMMON_LEN),
        SLICE(tag, ENVELOPE_TAG_LEN) };

    return crypto->hash_end(crypto->self, out->b, begun, parts, 2);
}

int merkle_leaf(struct merkle_hash *out, const struct crypto_port *crypto,
    const uint8_t header[ENVELOPE_HEADER_LEN],
    const uint8_t tag[ENVELOPE_TAG_LEN])
{
    struct hash_begun begun;
    int rc = merkle_leaf_begin(&begun, crypto, header);

    return rc == SYNCLINE_OK ? merkle_leaf_end(out, crypto, &begun, header, tag)
                             : rc;
}

int merkle_inner(struct merkle_hash *out, const struct crypto_port *crypto,
    const struct merkle_hash *left, const struct merkle_hash *right)
{
    static const uint8_t kind = 1;
    struct slice parts[] = { SLICE(&kind, 1), SLICE(left->b, SHA256_LEN),
        SLICE(right->b, SHA256_LEN) };

    return crypto->hash(crypto->self, out->b, parts, 3);
}

int merkle_build(struct merkle_hash *nodes, const struct crypto_port *crypto,
    const struct merkle_hash *leaves, uint32_t n)
{
    uint32_t k;
    int rc;

    if (n == 1) {
        *nodes = *leaves;
        return SYNCLINE_OK;
    }
    k = merkle_left_of(n);
    rc = merkle_build(nodes + 1, crypto, leaves, k);
    if (rc == SYNCLINE_OK)
        rc = merkle_build(nodes + (size_t)2 * k, crypto, leaves + k, n - k);
    return rc == SYNCLINE_OK
        ? merkle_inner(nodes, crypto, nodes + 1, nodes + (size_t)2 * k)
        : rc;
}

static const char about[] = "syncline commit v1\n";

#define ABOUT_LEN (sizeof about - 1)
#define SIGNED_LEN (ABOUT_LEN + MESH_ID_LEN + SHA256_LEN)

static struct slice put_signed(uint8_t out[SIGNED_LEN],
    const struct mesh_id *mesh, const struct merkle_hash *root)
{
    memcpy(out, about, ABOUT_LEN);
    memcpy(out + ABOUT_LEN, mesh->b, MESH_ID_LEN);
    memcpy(out + ABOUT_LEN + MESH_ID_LEN, root->b, SHA256_LEN);
    return SLICE(out, SIGNED_LEN);
}

int merkle_sign(uint8_t sig[ED25519_SIG_LEN], const struct crypto_port *crypto,
    const struct mesh_id *mesh, const struct merkle_hash *root)
{
    uint8_t text[SIGNED_LEN];

    return crypto->sign(crypto->self, sig, put_signed(text, mesh, root));
}

int merkle_verify(const struct crypto_port *crypto, struct slice spki,
    const uint8_t sig[ED25519_SIG_LEN], const struct mesh_id *mesh,
    const struct merkle_hash *root)
{
    uint8_t text[SIGNED_LEN];

    return crypto->verify(crypto->self, spki, SLICE(sig, ED25519_SIG_LEN),
        put_signed(text, mesh, root));
}

/* ---- which leaves live ---- */

void living_next(struct living *l)
{
    uint64_t dead = get_varint(&l->r);

    l->from = l->to + dead;
    l->to = l->from + get_varint(&l->r);
    if (l->r.err != 0)
        l->from = l->to = UINT64_MAX;
}

struct living living_of(const struct proof *p)
{
    struct living l = { .r = reader_of(p->runs) };

    living_next(&l);
    return l;
}

bool any_lives(struct living *l, uint64_t from, uint64_t to)
{
    while (l->to <= from)
        living_next(l);
    return l->from < to;
}

void proof_put_head(
    struct buf *out, const struct proof_head *head, uint32_t leaves_n)
{
    buf_put_u8(out, PROOF_VERSION);
    put_varint(out, head->epoch);
    if (head->epoch > 0)
        buf_put(out, head->key_id, KEY_ID_LEN);
    buf_put(out, head->salt, SALT_LEN);
    buf_put(out, head->sig, ED25519_SIG_LEN);
    put_varint(out, leaves_n);
}

void runs_add(struct runs *r, bool lives, uint64_t n)
{
    if (n > 0 && lives != r->lives) {
        put_varint(r->out, r->n);
        r->n = 0;
        r->lives = lives;
    }
    r->n += n;
}

void runs_end(struct runs *r)
{
    if (r->n > 0)
        put_varint(r->out, r->n);
}

/* ---- reading ---- */

/* Sets living_n, and takes the runs' bytes. */
static void get_runs(struct reader *r, struct proof *p)
{
    struct slice from = r->in;
    uint64_t left = p->leaves_n;
    bool first = true;

    while (r->err == 0 && left > 0) {
        uint64_t dead = get_varint_max(r, left), lives;

        left -= dead;
        if (r->err == 0 && dead == 0 && !first)
            r->err = SYNCLINE_EMALFORMED;
        if (left == 0 && !first)
            break; /* dead to the end */
        lives = get_varint_max(r, left);
        left -= lives;
        p->living_n += (uint32_t)lives;
        if (r->err == 0 && lives == 0)
            r->err = SYNCLINE_EMALFORMED;
        first = false;
    }
    p->runs = SLICE(from.ptr, from.len - r->in.len);
}

/* How many hashes of dead subtrees there are in [from, from + n). */
static uint32_t count_dead(struct living *l, uint32_t from, uint32_t n)
{
    uint32_t k, left;

    if (!any_lives(l, from, (uint64_t)from + n))
        return 1;
    if (n == 1 || (l->from <= from && l->to >= (uint64_t)from + n))
        return 0;
    k = merkle_left_of(n);
    left = count_dead(l, from, k);
    return left + count_dead(l, from + k, n - k);
}

/* A subtree begins at a multiple of its size, unless the tree ends within it.
 * So from a place on the largest are as large as its lowest bit. */
static uint32_t count_between(uint64_t from, uint64_t to, uint64_t leaves_n)
{
    uint32_t n = 0;

    for (; from < to; n++) {
        uint64_t size = from > 0 ? from & -from : MERKLE_LEAVES_MAX;

        while (from + size > to && to < leaves_n)
            size /= 2;
        from += size;
    }
    return n;
}

static uint32_t count_hashes(const struct proof *p)
{
    uint64_t at = 0;
    uint32_t n = 0;

    for (struct living l = living_of(p); l.from < p->leaves_n;
         living_next(&l)) {
        n += count_between(at, l.from, p->leaves_n);
        at = l.to;
    }
    return n + count_between(at, p->leaves_n, p->leaves_n);
}

int proof_read(struct proof *out, struct slice bytes)
{
    struct reader r = reader_of(bytes);
    uint8_t version = get_u8(&r);
    struct proof p = { .head.epoch = get_varint(&r) };

    if (p.head.epoch > 0)
        get_into(&r, p.head.key_id, KEY_ID_LEN);
    get_into(&r, p.head.salt, SALT_LEN);
    get_into(&r, p.head.sig, ED25519_SIG_LEN);
    p.leaves_n = (uint32_t)get_varint_max(&r, MERKLE_LEAVES_MAX);
    if (r.err == 0 && p.leaves_n == 0)
        r.err = SYNCLINE_EMALFORMED;
    get_runs(&r, &p);
    if (r.err != 0 || version != PROOF_VERSION || p.living_n == 0)
        return SYNCLINE_EMALFORMED;
    p.hashes = r.in;
    if (p.hashes.len != (size_t)count_hashes(&p) * SHA256_LEN)
        return SYNCLINE_EMALFORMED;
    *out = p;
    return SYNCLINE_OK;
}

void proof_places(const struct proof *p, uint32_t *out)
{
    for (struct living l = living_of(p); l.from < p->leaves_n; living_next(&l))
        for (uint64_t at = l.from; at < l.to; at++)
            *out++ = (uint32_t)at;
}

/* ---- walking ---- */

struct walk {
    const struct crypto_port *crypto;
    struct living at;
    struct slice hashes;
    const struct merkle_hash *leaf; /* the next of the living */
};

static struct walk walk_of(const struct proof *p)
{
    return (struct walk){ .at = living_of(p), .hashes = p->hashes };
}

struct merkle_hash proof_take_hash(struct slice *hashes)
{
    struct merkle_hash h;

    ENSURE(hashes->len >= sizeof h); /* proof_read has counted them */
    memcpy(h.b, hashes->ptr, sizeof h);
    *hashes = slice_from(*hashes, sizeof h);
    return h;
}

static struct merkle_hash take_hash(struct walk *w)
{
    return proof_take_hash(&w->hashes);
}

static int walk_root(
    struct walk *w, uint32_t from, uint32_t n, struct merkle_hash *out)
{
    struct merkle_hash left, right;
    uint32_t k;
    int rc;

    if (!any_lives(&w->at, from, (uint64_t)from + n)) {
        *out = take_hash(w);
        return SYNCLINE_OK;
    }
    if (n == 1) {
        *out = *w->leaf++;
        return SYNCLINE_OK;
    }
    k = merkle_left_of(n);
    rc = walk_root(w, from, k, &left);
    if (rc == SYNCLINE_OK)
        rc = walk_root(w, from + k, n - k, &right);
    return rc == SYNCLINE_OK ? merkle_inner(out, w->crypto, &left, &right) : rc;
}

int proof_root(struct merkle_hash *out, const struct crypto_port *crypto,
    const struct proof *p, const struct merkle_hash *living, uint32_t living_n)
{
    struct walk w = walk_of(p);
    struct merkle_hash root;
    int rc;

    if (living_n != p->living_n)
        return SYNCLINE_EMALFORMED;
    w.crypto = crypto;
    w.leaf = living;
    rc = walk_root(&w, 0, p->leaves_n, &root);
    if (rc == SYNCLINE_OK)
        *out = root;
    return rc;
}

/* ---- making ---- */

static void put_outside(struct buf *out, const struct merkle_hash *node,
    uint32_t n, uint32_t from, uint32_t to)
{
    uint32_t k;

    if (from >= n || to == 0 || from >= to) {
        buf_put(out, node->b, SHA256_LEN);
        return;
    }
    if (from == 0 && to >= n)
        return;
    k = merkle_left_of(n);
    put_outside(out, node + 1, k, from, to < k ? to : k);
    put_outside(out, node + (size_t)2 * k, n - k, from > k ? from - k : 0,
        to > k ? to - k : 0);
}

void proof_put(struct buf *out, const struct proof *p)
{
    proof_put_head(out, &p->head, p->leaves_n);
    buf_put_slice(out, p->runs);
    buf_put_slice(out, p->hashes);
}

void proof_make(struct buf *out, const struct proof_head *head,
    const struct merkle_hash *nodes, uint32_t n, uint32_t from, uint32_t to)
{
    proof_put_head(out, head, n);
    put_varint(out, from);
    put_varint(out, to - from);
    if (to < n)
        put_varint(out, n - to);
    put_outside(out, nodes, n, from, to);
}

struct shrinking {
    struct walk w;
    const bool *keep;
    struct buf *out;
    int rc;
};

/* Appends the hashes of what is dead in [from, from + n), unless all of it is:
 * then false, and its hash is in *dead. */
static bool shrink(
    struct shrinking *s, uint32_t from, uint32_t n, struct merkle_hash *dead)
{
    struct merkle_hash left, right;
    size_t at = s->out->len;
    bool l, r;
    uint32_t k;

    if (!any_lives(&s->w.at, from, (uint64_t)from + n)) {
        *dead = take_hash(&s->w);
        return false;
    }
    if (n == 1) {
        *dead = *s->w.leaf++;
        return *s->keep++;
    }
    k = merkle_left_of(n);
    l = shrink(s, from, k, &left);
    if (!l)
        buf_put(s->out, left.b, SHA256_LEN);
    r = shrink(s, from + k, n - k, &right);
    if (!l && !r) {
        if (buf_status(s->out) == SYNCLINE_OK)
            s->out->len = at;
        if (s->rc == SYNCLINE_OK)
            s->rc = merkle_inner(dead, s->w.crypto, &left, &right);
        return false;
    }
    if (!r)
        buf_put(s->out, right.b, SHA256_LEN);
    return true;
}

/* The runs as they are, less those that are not kept. */
static void put_kept(struct buf *out, const struct proof *p, const bool *keep)
{
    struct runs runs = { .out = out };
    struct living l = living_of(p);
    uint64_t at = 0;

    while (l.from < p->leaves_n) {
        runs_add(&runs, false, l.from - at);
        for (at = l.from; at < l.to; at++)
            runs_add(&runs, *keep++, 1);
        living_next(&l);
    }
    runs_add(&runs, false, p->leaves_n - at);
    runs_end(&runs);
}

int proof_shrink(struct buf *out, const struct crypto_port *crypto,
    const struct proof *p, const struct merkle_hash *living, const bool *keep,
    uint32_t living_n)
{
    struct shrinking s = { .w = walk_of(p), .keep = keep, .out = out };
    struct merkle_hash dead;
    size_t before = out->len;
    bool any = false;

    for (uint32_t i = 0; i < living_n; i++)
        any = any || keep[i];
    if (living_n != p->living_n || !any)
        return SYNCLINE_EMALFORMED;
    s.w.crypto = crypto;
    s.w.leaf = living;
    proof_put_head(out, &p->head, p->leaves_n);
    put_kept(out, p, keep);
    (void)shrink(&s, 0, p->leaves_n, &dead);
    if (s.rc == SYNCLINE_OK)
        s.rc = buf_status(out);
    if (s.rc != SYNCLINE_OK && buf_status(out) == SYNCLINE_OK)
        out->len = before;
    return s.rc;
}

/* ---- joining ---- */

struct joining {
    struct walk a, b;
    struct buf *out;
    bool differ;
};

/* Appends what is dead in [from, from + n) in both. */
static void join(struct joining *j, uint32_t from, uint32_t n)
{
    bool in_a = any_lives(&j->a.at, from, (uint64_t)from + n);
    bool in_b = any_lives(&j->b.at, from, (uint64_t)from + n);
    uint32_t k;

    if (!in_a && !in_b) {
        struct merkle_hash h = take_hash(&j->a), other = take_hash(&j->b);

        j->differ = j->differ || memcmp(h.b, other.b, sizeof h) != 0;
        buf_put(j->out, h.b, sizeof h);
    } else if (!in_a || !in_b) {
        struct walk *w = in_a ? &j->a : &j->b;
        struct living at = w->at;
        size_t len = (size_t)count_dead(&at, from, n) * SHA256_LEN;

        (void)take_hash(in_a ? &j->b : &j->a);
        buf_put(j->out, w->hashes.ptr, len);
        w->hashes = slice_from(w->hashes, len);
    } else if (n > 1) {
        k = merkle_left_of(n);
        join(j, from, k);
        join(j, from + k, n - k);
    }
}

/* The runs of both, as one. */
static void put_either(
    struct buf *out, const struct proof *a, const struct proof *b)
{
    struct runs runs = { .out = out };
    struct living la = living_of(a), lb = living_of(b);
    uint64_t at = 0;

    while (at < a->leaves_n) {
        bool in_a = any_lives(&la, at, at + 1),
             in_b = any_lives(&lb, at, at + 1);
        uint64_t to = a->leaves_n;
        const uint64_t edges[] = { in_a ? la.to : la.from,
            in_b ? lb.to : lb.from };

        for (size_t i = 0; i < 2; i++)
            to = edges[i] < to ? edges[i] : to;
        runs_add(&runs, in_a || in_b, to - at);
        at = to;
    }
    runs_end(&runs);
}

int proof_join(struct buf *out, const struct proof *a, const struct proof *b)
{
    struct joining j = { .a = walk_of(a), .b = walk_of(b), .out = out };
    size_t before = out->len;

    if (a->leaves_n != b->leaves_n || a->head.epoch != b->head.epoch ||
        memcmp(a->head.key_id, b->head.key_id, KEY_ID_LEN) != 0 ||
        memcmp(a->head.salt, b->head.salt, SALT_LEN) != 0)
        return SYNCLINE_EMALFORMED;
    proof_put_head(out, &a->head, a->leaves_n);
    put_either(out, a, b);
    join(&j, 0, a->leaves_n);
    if (buf_status(out) != SYNCLINE_OK)
        return buf_status(out);
    if (j.differ)
        out->len = before;
    return j.differ ? SYNCLINE_EMALFORMED : SYNCLINE_OK;
}
