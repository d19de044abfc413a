#include "crypto/sheaf.h"

#include <stdlib.h>

/* ---- putting together ---- */

void proof_span(const struct proof *p, uint32_t *from, uint32_t *to)
{
    struct living l = living_of(p);

    *from = (uint32_t)l.from;
    for (*to = 0; l.from < p->leaves_n; living_next(&l))
        *to = (uint32_t)l.to;
}

bool proof_is_of_one(const struct proof *a, const struct proof *b)
{
    return a->leaves_n == b->leaves_n && a->head.epoch == b->head.epoch &&
        memcmp(a->head.key_id, b->head.key_id, KEY_ID_LEN) == 0 &&
        memcmp(a->head.salt, b->head.salt, SALT_LEN) == 0 &&
        memcmp(a->head.sig, b->head.sig, ED25519_SIG_LEN) == 0;
}

struct joined {
    struct living at;
    struct slice hashes;
};

/* Of the parts [lo, hi), each of which has a leaf in [from, from + n). */
static void join(struct joined *lo, struct joined *hi, uint32_t from,
    uint32_t n, struct buf *out)
{
    struct joined *left_end = lo, *right = lo;
    struct merkle_hash dead = { { 0 } };
    uint32_t k, mid;

    if (n == 1)
        return;
    k = merkle_left_of(n);
    mid = from + k;
    /* Parts stand one behind the other, but the middle may be within one. */
    while (left_end < hi && any_lives(&left_end->at, from, mid))
        left_end++;
    for (struct joined *p = left_end; p < hi; p++)
        dead = proof_take_hash(&p->hashes);
    if (left_end == lo)
        buf_put(out, dead.b, SHA256_LEN);
    else
        join(lo, left_end, from, k, out);
    while (right < left_end && !any_lives(&right->at, mid, (uint64_t)from + n))
        dead = proof_take_hash(&right++->hashes);
    if (right == hi)
        buf_put(out, dead.b, SHA256_LEN);
    else
        join(right, hi, mid, n - k, out);
}

static void put_all_runs(
    struct buf *out, const struct proof *const *parts, uint32_t n)
{
    struct runs runs = { .out = out };
    uint64_t at = 0;

    for (uint32_t i = 0; i < n; i++)
        for (struct living l = living_of(parts[i]); l.from < parts[i]->leaves_n;
             living_next(&l)) {
            runs_add(&runs, false, l.from - at);
            runs_add(&runs, true, l.to - l.from);
            at = l.to;
        }
    runs_add(&runs, false, parts[0]->leaves_n - at);
    runs_end(&runs);
}

int sheaf_join(struct buf *out, const struct proof *const *parts, uint32_t n)
{
    struct joined *all = calloc(n, sizeof *all);

    if (all == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        all[i] = (struct joined){ .at = living_of(parts[i]),
            .hashes = parts[i]->hashes };
    proof_put_head(out, &parts[0]->head, parts[0]->leaves_n);
    put_all_runs(out, parts, n);
    join(all, all + n, 0, parts[0]->leaves_n, out);
    free(all);
    return buf_status(out);
}

void sheaf_put_part(struct buf *out, const struct proof *p, uint32_t *at)
{
    struct living l = living_of(p);
    uint64_t pos = *at;

    for (; l.from < p->leaves_n; living_next(&l)) {
        put_varint(out, l.from - pos);
        put_varint(out, l.to - l.from);
        pos = l.to;
    }
    *at = (uint32_t)pos;
}

/* ---- taking apart ---- */

int sheaf_read(struct sheaf *out, struct slice bytes)
{
    struct sheaf s = { .at = 0 };
    int rc = proof_read(&s.proof, bytes);

    if (rc != SYNCLINE_OK)
        return rc;
    s.next = living_of(&s.proof);
    *out = s;
    return SYNCLINE_OK;
}

/* The run that lives next, at or behind pos. */
static void go_to(struct living *l, uint64_t pos)
{
    while (l->to <= pos)
        living_next(l);
    if (l->from < pos)
        l->from = pos;
}

/* All that lives up to its end, but what lived before it, is the part's. */
int sheaf_get_part(struct sheaf *s, struct slice bytes, struct sheaf_part *out)
{
    struct reader r = reader_of(bytes);
    struct sheaf_part part = { .from = s->proof.leaves_n };
    uint64_t pos = s->at;
    bool first = true;

    while (r.in.len > 0 && r.err == 0) {
        uint64_t dead = get_varint_max(&r, s->proof.leaves_n - pos), lives;

        if (first)
            part.runs = r.in;
        pos += dead;
        lives = get_varint_max(&r, s->proof.leaves_n - pos);
        if (r.err != 0 || lives == 0 || (dead == 0 && !first))
            return SYNCLINE_EMALFORMED;
        go_to(&s->next, pos - dead);
        if (s->next.from != pos || s->next.to < pos + lives)
            return SYNCLINE_EMALFORMED;
        part.from = first ? (uint32_t)pos : part.from;
        pos += lives;
        part.living_n += (uint32_t)lives;
        first = false;
    }
    if (r.err != 0 || first)
        return SYNCLINE_EMALFORMED;
    part.to = s->at = (uint32_t)pos;
    s->taken += part.living_n;
    *out = part;
    return SYNCLINE_OK;
}

bool sheaf_is_whole(const struct sheaf *s)
{
    return s->taken == s->proof.living_n;
}

/* Each is followed by its left subtree, then by its right one, unless nothing
 * lives in it. */
struct sheaf_node {
    struct merkle_hash hash;
    uint32_t n; /* itself and all below it */
};

struct building {
    const struct crypto_port *crypto;
    struct living at;
    struct slice hashes;
    const struct merkle_hash *leaf;
};

static int build(
    struct building *b, struct sheaf_node *node, uint32_t from, uint32_t n)
{
    struct sheaf_node *right;
    uint32_t k;
    int rc;

    node->n = 1;
    if (!any_lives(&b->at, from, (uint64_t)from + n)) {
        node->hash = proof_take_hash(&b->hashes);
        return SYNCLINE_OK;
    }
    if (n == 1) {
        node->hash = *b->leaf++;
        return SYNCLINE_OK;
    }
    k = merkle_left_of(n);
    rc = build(b, node + 1, from, k);
    right = node + 1 + node[1].n;
    if (rc == SYNCLINE_OK)
        rc = build(b, right, from + k, n - k);
    if (rc != SYNCLINE_OK)
        return rc;
    node->n += node[1].n + right->n;
    return merkle_inner(&node->hash, b->crypto, &node[1].hash, &right->hash);
}

int sheaf_build(
    struct sheaf *s, const struct crypto_port *crypto, struct arena *a)
{
    const struct proof *p = &s->proof;
    size_t ends = p->living_n + p->hashes.len / SHA256_LEN;
    struct building b = { .crypto = crypto,
        .at = living_of(p),
        .hashes = p->hashes,
        .leaf = s->leaves };

    s->nodes = arena_alloc(a, (2 * ends - 1) * sizeof *s->nodes);
    return s->nodes != NULL ? build(&b, s->nodes, 0, p->leaves_n)
                            : SYNCLINE_ENOMEM;
}

const struct merkle_hash *sheaf_root(const struct sheaf *s)
{
    return &s->nodes->hash;
}

static void cut(const struct sheaf_node *node, struct living *l, uint32_t from,
    uint32_t n, struct buf *out)
{
    uint32_t k;

    if (!any_lives(l, from, (uint64_t)from + n)) {
        buf_put(out, node->hash.b, SHA256_LEN);
        return;
    }
    if (n == 1)
        return;
    k = merkle_left_of(n);
    cut(node + 1, l, from, k, out);
    cut(node + 1 + node[1].n, l, from + k, n - k, out);
}

void sheaf_cut(
    struct buf *out, const struct sheaf *s, const struct sheaf_part *part)
{
    struct living l = { .r = reader_of(part->runs), .from = part->from };
    uint32_t n = s->proof.leaves_n;

    proof_put_head(out, &s->proof.head, n);
    put_varint(out, part->from);
    buf_put_slice(out, part->runs);
    if (part->to < n)
        put_varint(out, n - part->to);
    l.to = l.from + get_varint(&l.r);
    cut(s->nodes, &l, 0, n, out);
}
