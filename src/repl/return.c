/* After a bootstrap: what this node alone had is replayed from the old state,
 * which stays under its old number meanwhile. Here: in which order, in which
 * steps, and until when; return_item.c: what becomes of one item;
 * return_late.c: what comes back later, from others.
 *
 * - What the bootstrap covers, by new or by first dot, is known.
 * - A value whose life is over there is rescued: told as a conflict that a
 *   person may take back (`syncline rescue`). One that was made while this
 *   node was away is written as a new life instead.
 * - All else is written again under a new dot, with its stamp and contexts,
 *   and its first dot beside the new one: wherever both meet, they are one.
 * - A device that may not write there writes nothing: what counts is rescued.
 *   Where it fetches the space anew (access.c) what it wrote itself stays, as
 *   if a peer had sent it, beyond the vector; others may be without it.
 * - If both sides had collected what the other had not, what was deleted and
 *   collected here, and came back with the bootstrap, is deleted again. So is
 *   what comes back later, from others: of that nothing tells any more but the
 *   vector of the old state, which is *buried* with the space.
 *
 * Law: it can be broken off anywhere and goes on at the next start. */
#include "repl/access_impl.h"
#include "repl/collect_impl.h"

#include <stdlib.h>

#define CHUNK 64  /* items in one commit, if they are small */
#define CHUNKS 16 /* commits in one step */

/* ---- in chunks ---- */

struct keys {
    struct node *node;
    const struct returning *r;
    size_t skip;
    struct slice e[CHUNK];
    uint32_t n;
    bool more;
    struct dot skip_to; /* the index: go on from here; seq 0: no */
};

static int add_key(struct keys *k, struct slice key)
{
    for (uint32_t i = 0; i < k->n; i++)
        if (slice_eq(k->e[i], key))
            return SYNCLINE_OK;
    if (k->n == CHUNK) {
        k->more = true;
        return 1;
    }
    k->e[k->n] = arena_dup(&k->node->step, key);
    return k->e[k->n++].ptr != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

static int note_key(void *ctx, struct slice key, struct slice value)
{
    struct keys *k = ctx;

    (void)value;
    return add_key(k, slice_from(key, k->skip));
}

static int note_unknown(void *ctx, struct slice key, struct slice value)
{
    struct keys *k = ctx;
    struct slice item_key;
    struct dot dot;
    uint64_t known;

    (void)value;
    if (get_seen_key(key, &dot, &item_key) != SYNCLINE_OK)
        return SYNCLINE_ECORRUPT;
    known = vv_get(&k->r->known, &dot.replica);
    if (dot.seq > known)
        return add_key(k, item_key);
    k->skip_to = (struct dot){ dot.replica, known + 1 };
    return 1;
}

/* Items of the old state of which the bootstrap lacks something. */
static int find_unknown(struct keys *k)
{
    struct node *n = k->node;
    struct buf prefix = { 0 }, from = { 0 };
    int rc;

    (void)key_space(&prefix, k->r->from);
    if (k->r->anew)
        buf_put(&prefix, n->device.b, RID_DEVICE_LEN);
    (void)key_space(&from, k->r->from);
    do {
        k->skip_to.seq = 0;
        rc = buf_status(&prefix);
        if (rc == SYNCLINE_OK) /* or it would begin at the start for ever */
            rc = buf_status(&from);
        if (rc == SYNCLINE_OK)
            rc = store_scan(&n->opt.store, TABLE_SEEN, buf_slice(&prefix),
                buf_slice(&from), note_unknown, k);
        if (k->skip_to.seq > 0)
            (void)key_seen(&from, k->r->from, &k->skip_to, SLICE_NONE);
    } while (rc == SYNCLINE_OK && !k->more && k->skip_to.seq > 0);
    buf_free(&prefix);
    buf_free(&from);
    return rc;
}

static void save_buried(struct node *n, const struct space *sp)
{
    if (sp->buried.n == 0)
        return;
    buf_clear(&n->out);
    put_vv(&n->out, &sp->buried);
    txn_put_buf(&n->txn, TABLE_META,
        key_meta_space(&n->key, META_BURIED, sp->id), &n->out);
}

static int load_buried(struct node *n, struct space *sp)
{
    struct slice value;
    struct reader r;
    int rc = store_get(&n->opt.store, TABLE_META,
        key_meta_space(&n->key, META_BURIED, sp->id), &value);

    if (rc != SYNCLINE_OK)
        return rc == SYNCLINE_ENOTFOUND ? SYNCLINE_OK : rc;
    r = reader_of(value);
    rc = get_vv(&r, &sp->buried, &n->arena);
    return rc == SYNCLINE_ENOMEM ? rc : reader_end(&r);
}

/* What is only told is here no more, and has not been deleted. */
static void unbury(struct node *n, struct space *sp)
{
    sp->buried.n = 0;
    txn_del(&n->txn, TABLE_META, key_meta_space(&n->key, META_BURIED, sp->id));
}

static int bring_items(struct node *n, struct returning *r, bool *done)
{
    struct space *sp = r->space;
    struct keys k = { .node = n, .r = r };
    struct dot dot = { n->replica, vv_get(&sp->have, &n->replica) + 1 };
    bool writes = access_may_write(n, sp) && !r->anew;
    uint64_t lsn;
    int rc = find_unknown(&k);

    *done = k.n == 0;
    if (rc != SYNCLINE_OK || *done)
        return rc;
    lsn = space_next_lsn(sp);
    if (!writes && !r->anew)
        unbury(n, sp);
    for (uint32_t i = 0; i < k.n && rc == SYNCLINE_OK; i++) {
        if (i > 0 && node_has_enough(n))
            break; /* the rest is found again */
        rc = r->anew ? return_keep(n, r, k.e[i], lsn)
                     : return_bring(n, r, k.e[i], writes ? &dot : NULL, lsn);
    }
    if (rc == SYNCLINE_OK)
        rc = resolve_settle(n);
    return rc == SYNCLINE_OK && writes ? space_raise(n, sp, &dot) : rc;
}

static int bring_conflict(
    struct node *n, struct returning *r, struct slice tail)
{
    struct conflict_record c;
    struct slice value;
    struct reader in;
    bool changed;
    int rc = store_get(&n->opt.store, TABLE_CONFLICT,
        key_item(&n->key, r->from, tail), &value);

    if (rc != SYNCLINE_OK)
        return rc;
    value = arena_dup(&n->step, value);
    if (value.ptr == NULL)
        return SYNCLINE_ENOMEM;
    in = reader_of(slice_from(value, 8));
    rc = get_conflict_record(&in, &c);
    if (rc == SYNCLINE_OK)
        rc = conflict_join(n, r->space, tail, &c, &changed);
    txn_del(&n->txn, TABLE_CONFLICT, key_item(&n->key, r->from, tail));
    return rc;
}

static int bring_conflicts(struct node *n, struct returning *r, bool *done)
{
    struct keys k = { .node = n, .r = r, .skip = 4 };
    struct buf prefix = { 0 };
    int rc = store_scan(&n->opt.store, TABLE_CONFLICT,
        key_space(&prefix, r->from), SLICE_NONE, note_key, &k);

    buf_free(&prefix);
    for (uint32_t i = 0; i < k.n && rc == SYNCLINE_OK; i++) {
        if (i > 0 && node_has_enough(n))
            break;
        rc = bring_conflict(n, r, k.e[i]);
    }
    *done = k.n == 0;
    return rc;
}

/* All items of the new state, from a key on. */
static int look_at_some(struct node *n, struct returning *r, bool *done)
{
    struct keys k = { .node = n, .r = r, .skip = 4 };
    struct author by = { .dot = { n->replica,
                             vv_get(&r->space->have, &n->replica) + 1 },
        .wall_us = n->wall_us };
    struct buf prefix = { 0 };
    uint32_t looked = 0;
    bool any = false;
    int rc;

    if (r->at.len == 0)
        (void)key_space(&r->at, r->space->id);
    rc = store_scan(&n->opt.store, TABLE_ITEM, key_space(&prefix, r->space->id),
        buf_slice(&r->at), note_key, &k);
    buf_free(&prefix);
    if (rc == SYNCLINE_OK)
        rc = node_stamp(n, &by.stamp);
    if (rc == SYNCLINE_ELIMIT) { /* nothing can be written any more */
        *done = true;
        return SYNCLINE_OK;
    }
    while (looked < k.n && rc == SYNCLINE_OK &&
        (looked == 0 || !node_has_enough(n)))
        rc = return_look_again(n, r, k.e[looked++], &by, &any);
    if (rc == SYNCLINE_OK && any)
        rc = space_raise(n, r->space, &by.dot);
    if (looked > 0) {
        (void)key_item(&r->at, r->space->id, k.e[looked - 1]);
        buf_put_u8(&r->at, 0);
    }
    *done = k.n == 0;
    return rc == SYNCLINE_OK ? buf_status(&r->at) : rc;
}

/* Nothing of the old state is needed any more. */
static int let_go(struct node *n, struct returning *r)
{
    txn_del(
        &n->txn, TABLE_META, key_meta_space(&n->key, META_RETURNING, r->from));
    txn_put(&n->txn, TABLE_META, key_meta_space(&n->key, META_JOINING, r->from),
        SLICE_LIT(""));
    return node_commit(n);
}

static int run_some(struct node *n, struct returning *r, bool *done)
{
    struct piece piece;
    int rc;

    *done = r->drop;
    if (*done)
        return SYNCLINE_OK;
    piece_begin(n, &piece);
    rc = bring_items(n, r, done);
    if (rc == SYNCLINE_OK && *done)
        rc = bring_conflicts(n, r, done);
    if (rc == SYNCLINE_OK && *done && (r->mutual || r->space->buried.n > 0) &&
        access_may_write(n, r->space))
        rc = look_at_some(n, r, done);
    if (rc == SYNCLINE_OK)
        rc = piece_end(n, &piece);
    if (rc != SYNCLINE_OK)
        buf_clear(&r->at); /* looking once more does no harm */
    return rc;
}

bool returns_into(const struct node *n, const struct space *sp)
{
    for (const struct returning *r = n->returning; r != NULL; r = r->next)
        if (r->space == sp)
            return true;
    return false;
}

int returns_run(struct node *n, bool all)
{
    uint32_t chunks = 0;
    int rc = SYNCLINE_OK;

    if (n->bad_restart) /* the next dot may be known elsewhere */
        return all && n->returning != NULL ? SYNCLINE_ECLOSED : SYNCLINE_OK;
    while (n->returning != NULL && rc == SYNCLINE_OK &&
        (all || chunks++ < CHUNKS)) {
        struct returning *r = n->returning;
        uint32_t from = r->from;
        bool done = false;

        rc = run_some(n, r, &done);
        if (rc != SYNCLINE_OK || !done)
            continue;
        rc = let_go(n, r);
        if (rc != SYNCLINE_OK)
            break;
        return_forget(n, r);
        rc = leaving_drop(n, from);
    }
    return rc;
}

bool returns_want_tick(const struct node *n)
{
    return n->returning != NULL;
}

/* ---- the list ---- */

void return_forget(struct node *n, struct returning *r)
{
    struct returning **at = &n->returning;

    while (*at != NULL && *at != r)
        at = &(*at)->next;
    if (*at == NULL)
        return;
    *at = r->next;
    arena_free(&r->arena);
    buf_free(&r->at);
    free(r);
}

void returns_free(struct node *n)
{
    while (n->returning != NULL)
        return_forget(n, n->returning);
}

static int keep(struct node *n, struct returning *r, struct space *sp,
    const struct returning *what)
{
    int rc = vv_copy(&r->known, &what->known, &r->arena);

    if (rc == SYNCLINE_OK)
        rc = vv_copy(&r->had, &what->had, &r->arena);
    r->from = what->from;
    r->floors = what->floors;
    r->had_length = what->had_length;
    r->mutual = what->mutual;
    r->anew = what->anew;
    r->drop = what->drop;
    r->space = sp;
    r->next = n->returning;
    n->returning = r;
    return rc;
}

#define IS_MUTUAL 1
#define IS_ANEW 2
#define IS_DROPPED 4

/* META_RETURNING: be32 the new number, flags, what had been collected here,
 * floors, what is known. */
int return_begin(struct node *n, struct space *sp, const struct returning *what,
    struct returning **out)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL)
        return SYNCLINE_ENOMEM;
    buf_clear(&n->out);
    put_be32(&n->out, sp->id);
    buf_put_u8(&n->out,
        (uint8_t)((what->mutual ? IS_MUTUAL : 0) | (what->anew ? IS_ANEW : 0) |
            (what->drop ? IS_DROPPED : 0)));
    put_varint(&n->out, what->had_length);
    put_floors(&n->out, &what->floors);
    put_vv(&n->out, &what->known);
    txn_put_buf(&n->txn, TABLE_META,
        key_meta_space(&n->key, META_RETURNING, what->from), &n->out);
    save_buried(n, sp);
    return keep(n, *out, sp, what);
}

static struct space *space_by_id(const struct node *n, uint32_t id)
{
    for (struct space *sp = n->spaces; sp != NULL; sp = sp->next)
        if (sp->id == id)
            return sp;
    return NULL;
}

static int load_one(void *ctx, struct slice key, struct slice value)
{
    struct node *n = ctx;
    struct reader k = reader_of(slice_from(key, sizeof META_RETURNING - 1));
    struct reader v = reader_of(value);
    struct returning what = { .from = get_be32(&k) };
    struct space *sp = space_by_id(n, get_be32(&v));
    struct returning *r;
    uint8_t flags;

    flags = get_u8(&v);
    what.mutual = (flags & IS_MUTUAL) != 0;
    what.anew = (flags & IS_ANEW) != 0;
    what.drop = (flags & IS_DROPPED) != 0;
    what.had_length = get_varint(&v);
    get_floors(&v, &what.floors);
    (void)!get_vv(&v, &what.known, &n->step);
    if (reader_end(&k) != SYNCLINE_OK || reader_end(&v) != SYNCLINE_OK ||
        sp == NULL)
        return SYNCLINE_ECORRUPT;
    r = calloc(1, sizeof *r);
    return r != NULL ? keep(n, r, sp, &what) : SYNCLINE_ENOMEM;
}

int returns_load(struct node *n)
{
    int rc = store_scan(&n->opt.store, TABLE_META, SLICE_LIT(META_RETURNING),
        SLICE_NONE, load_one, n);

    for (struct returning *r = n->returning; r != NULL && rc == SYNCLINE_OK;
         r = r->next)
        rc = space_load_vector(n, META_SEEN, r->from, &r->had);
    for (struct space *sp = n->spaces; sp != NULL && rc == SYNCLINE_OK;
         sp = sp->next)
        rc = load_buried(n, sp);
    return rc;
}
