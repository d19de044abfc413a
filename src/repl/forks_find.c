/* A replica that said two things under one dot, found in what comes. */
#include "base/plant.h"
#include "base/text.h"
#include "repl/access_impl.h"
#include "repl/proofs.h"

#include <stdlib.h>

/* Where a change stands. */
struct place {
    struct slice key;
    const struct item *item;
    uint32_t change;
};

/* What a device signs once it signs once: another signature is looked into.
 * Of one commit there may be two, if it likes. */
static bool differ(const struct change *a, const struct change *b)
{
    struct proof p, q;

    return proof_read(&p, a->proof) == SYNCLINE_OK &&
        proof_read(&q, b->proof) == SYNCLINE_OK &&
        (memcmp(p.head.sig, q.head.sig, sizeof p.head.sig) != 0 ||
            (PLANTED(FORK_ACCUSES) && !slice_eq(a->proof, b->proof)));
}

/* ---- evidence ---- */

static int put_half(struct buf *out, struct leaf_maker *m,
    const struct cell *cell, const struct proof *p,
    const struct merkle_hash *leaves, uint32_t n)
{
    struct node *node = m->node;
    bool *keep = arena_zalloc(&node->step, n + 1, sizeof *keep);
    uint8_t header[ENVELOPE_HEADER_LEN], tag[ENVELOPE_TAG_LEN];
    int rc = keep == NULL ? SYNCLINE_ENOMEM : leaf_parts(m, cell, header, tag);

    if (rc != SYNCLINE_OK)
        return rc;
    keep[0] = true;
    buf_put(out, header, sizeof header);
    buf_put(out, tag, sizeof tag);
    return proof_shrink(out, node->opt.crypto, p, leaves, keep, n);
}

/* Its first cell, and how its author's signature follows from it. */
static int make_half(
    struct node *n, struct space *sp, const struct place *at, struct buf *out)
{
    const struct change *c = &at->item->changes[at->change];
    struct leaf_maker m = { .node = n };
    struct merkle_hash *leaves;
    struct cells_of of;
    struct proof p;
    uint32_t leaves_in;
    int rc = proof_read(&p, c->proof);

    if (rc == SYNCLINE_OK)
        rc = cells_of_changes(&of, at->item, sp->sealed, &n->step);
    if (rc != SYNCLINE_OK)
        return rc;
    leaves_in = leaves_n(at->item, &of, at->change);
    leaves = arena_alloc(&n->step, (leaves_in + 1) * sizeof *leaves);
    if (leaves == NULL)
        return SYNCLINE_ENOMEM;
    if (leaves_in == 0 || leaves_in != p.living_n)
        return SYNCLINE_EMALFORMED;
    rc = leaf_maker_init(&m, n, sp, at->key, at->item->length, &p.head);
    memset(p.head.salt, 0, SALT_LEN); /* it would open the tag */
    if (rc == SYNCLINE_OK)
        rc = leaves_make(&m, at->item, &of, at->change, leaves);
    if (rc == SYNCLINE_OK)
        rc = put_half(out, &m,
            at->item->tomb == (int64_t)at->change
                ? NULL
                : &at->item->cells[of.cell[of.from[at->change]]],
            &p, leaves, leaves_in);
    leaf_maker_free(&m);
    return rc == SYNCLINE_OK ? buf_status(out) : rc;
}

static int put_record(
    const struct node *n, struct fork_found *f, struct slice a, struct slice b)
{
    const struct crypto_port *crypto = n->opt.crypto;
    uint8_t hash[SHA256_LEN];
    bool swap = slice_cmp(a, b) > 0;
    int rc;

    buf_put_str(&f->value, "[\"");
    put_hex(&f->value, swap ? b : a);
    buf_put_str(&f->value, "\",\"");
    put_hex(&f->value, swap ? a : b);
    buf_put_str(&f->value, "\"]");
    rc = buf_status(&f->value);
    if (rc == SYNCLINE_OK)
        rc = crypto->sha256(crypto->self, hash, buf_slice(&f->value));
    buf_put_str(&f->key, FORK_PREFIX);
    put_hex(&f->key, SLICE(hash, sizeof hash));
    return rc == SYNCLINE_OK ? buf_status(&f->key) : rc;
}

static bool is_found(const struct forks *l, struct slice key)
{
    for (uint32_t i = 0; i < l->found_n; i++)
        if (slice_eq(buf_slice(&l->found[i].key), key))
            return true;
    return false;
}

/* What cannot be proven is not told: nobody could believe it. */
static int note(struct node *n, struct space *sp, const struct place *mine,
    const struct place *theirs, bool *proven)
{
    struct fork_found f = { 0 };
    struct buf a = { 0 }, b = { 0 };
    int rc = make_half(n, sp, mine, &a);

    if (rc == SYNCLINE_OK)
        rc = make_half(n, sp, theirs, &b);
    if (rc == SYNCLINE_OK)
        rc = put_record(n, &f, buf_slice(&a), buf_slice(&b));
    if (rc == SYNCLINE_OK)
        rc = forks_prove(n, buf_slice(&f.key), buf_slice(&f.value));
    buf_free(&a);
    buf_free(&b);
    *proven = *proven || rc == SYNCLINE_OK;
    if (rc == SYNCLINE_OK && n->forks.found_n < FORKS_FOUND_MAX &&
        !is_found(&n->forks, buf_slice(&f.key))) {
        n->forks.found[n->forks.found_n++] = f;
        n->counts.forks_found++;
        return SYNCLINE_OK;
    }
    buf_free(&f.key);
    buf_free(&f.value);
    return rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_OK;
}

/* ---- noticing ---- */

static int64_t change_of(const struct item *it, const struct dot *d)
{
    for (uint32_t i = 0; i < it->changes_n; i++)
        if (dot_eq(&it->changes[i].dot, d))
            return i;
    return -1;
}

/* *proven: they are two, whether that is still to be written down or is not
 * news. */
static int compare(struct node *n, struct space *sp, const struct place *theirs,
    struct slice key, const struct item *mine, bool *proven)
{
    const struct change *c = &theirs->item->changes[theirs->change];
    int64_t ix = vv_covers(&mine->ctx, &c->dot) ? change_of(mine, &c->dot) : -1;
    const struct place at = { key, mine, (uint32_t)ix };

    return ix >= 0 && c->proof.len > 0 && differ(&mine->changes[ix], c)
        ? note(n, sp, &at, theirs, proven)
        : SYNCLINE_OK;
}

struct looking {
    struct node *node;
    struct slice key;
};

static int note_item_key(void *ctx, struct slice key, struct slice value)
{
    struct looking *l = ctx;
    struct slice found;
    struct dot dot;

    (void)value;
    if (get_seen_key(key, &dot, &found) != SYNCLINE_OK)
        return SYNCLINE_ECORRUPT;
    l->key = arena_dup(&l->node->step, found);
    return l->key.ptr != NULL ? 1 : SYNCLINE_ENOMEM;
}

/* Some other item that knows of the dot. What it heard of since stands in the
 * index in its place, so that not every one is found. */
static int find_other(
    struct node *n, struct space *sp, const struct dot *d, struct slice *key)
{
    struct looking l = { .node = n };
    struct buf prefix = { 0 };
    int rc;

    (void)key_seen(&prefix, sp->id, d, SLICE_NONE);
    rc = store_scan(&n->opt.store, TABLE_SEEN, buf_slice(&prefix), SLICE_NONE,
        note_item_key, &l);
    buf_free(&prefix);
    *key = l.key;
    return rc;
}

static int look_elsewhere(
    struct node *n, struct space *sp, const struct place *theirs)
{
    const struct dot *d = &theirs->item->changes[theirs->change].dot;
    struct stored st;
    struct slice key;
    bool proven = false;
    int rc = find_other(n, sp, d, &key);

    if (rc != SYNCLINE_OK || key.ptr == NULL || slice_eq(key, theirs->key))
        return rc;
    rc = item_read(n, sp, key, &st);
    return rc == SYNCLINE_OK ? compare(n, sp, theirs, key, &st.item, &proven)
                             : rc;
}

int forks_look(
    struct node *n, struct space *sp, struct slice key, const struct item *row)
{
    struct stored st;
    bool loaded = false, proven = false;
    int rc = SYNCLINE_OK;

    if (sp->staged || space_is_open(sp) || PLANTED(R20_UNSEEN))
        return rc;
    for (uint32_t i = 0; i < row->changes_n && rc == SYNCLINE_OK; i++) {
        const struct place theirs = { key, row, i };
        const struct dot *d = &row->changes[i].dot;

        if (!vv_covers(&sp->have, d) || row->changes[i].proof.len == 0)
            continue;
        if (!loaded)
            rc = item_read(n, sp, key, &st);
        loaded = true;
        if (rc == SYNCLINE_OK)
            rc = compare(n, sp, &theirs, key, &st.item, &proven);
        if (rc == SYNCLINE_OK && !vv_covers(&st.item.ctx, d))
            rc = look_elsewhere(n, sp, &theirs);
    }
    return rc;
}

int forks_meet(struct node *n, struct space *sp, struct slice key,
    const struct item *mine, const struct item *row, bool *found)
{
    int rc = SYNCLINE_OK;

    if (space_is_open(sp) || PLANTED(R20_UNSEEN))
        return rc;
    for (uint32_t i = 0; i < row->changes_n && rc == SYNCLINE_OK; i++) {
        const struct place theirs = { key, row, i };

        if (!vv_covers(&sp->have, &row->changes[i].dot))
            rc = compare(n, sp, &theirs, key, mine, found);
    }
    return rc;
}

int forks_settle(struct node *n)
{
    int rc = SYNCLINE_OK;

    while (n->forks.found_n > 0 && n->now_us >= n->chores_from_us) {
        struct fork_found *f = &n->forks.found[n->forks.found_n - 1];

        rc = PLANTED(FORK_UNSAID)
            ? SYNCLINE_OK
            : mesh_put_text(n, buf_slice(&f->key), buf_slice(&f->value));
        if (rc == SYNCLINE_OK)
            rc = node_commit(n);
        if (rc != SYNCLINE_OK && rc != SYNCLINE_EDENIED)
            return rc; /* once more, later */
        buf_free(&f->key);
        buf_free(&f->value);
        n->forks.found_n--;
    }
    return SYNCLINE_OK;
}
