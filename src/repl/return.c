/* After a bootstrap: what this node alone had is replayed from the old state,
 * which stays under its old number meanwhile.
 *
 * - What the bootstrap covers, by new or by first dot, is known.
 * - A value whose life is over there is rescued: told as a conflict that a
 *   person may take back (`syncline rescue`). One that was made while this
 *   node was away is written as a new life instead.
 * - All else is written again under a new dot, with its stamp and contexts,
 *   and its first dot beside the new one: wherever both meet, they are one.
 * - If both sides had collected what the other had not, what was deleted and
 *   collected here, and came back with the bootstrap, is deleted again.
 *
 * Law: it can be broken off anywhere and goes on at the next start. */
#include "repl/collect_impl.h"

#include <stdlib.h>

#define CHUNK 64  /* items in one commit */
#define CHUNKS 16 /* commits in one step */

/* By the bootstrap, or from a peer since. */
static bool covers(const struct returning *r, const struct dot *d)
{
    return vv_covers(&r->known, d) || vv_covers(&r->space->have, d);
}

static bool knows(const struct returning *r, const struct change *c)
{
    return covers(r, &c->dot) || covers(r, &c->first);
}

/* ---- one item ---- */

struct coming_back {
    struct node *node;
    struct returning *r;
    struct slice key;
    const struct item *old;
    struct stored st; /* what is there now */
    struct item row;
    const struct dot *dot;
    bool over;   /* its life is, by what the bootstrap says */
    bool reborn; /* but nobody there had ever heard of it */
};

/* Nothing of it is known there, nor anything that it was made upon. */
static bool is_all_new(const struct returning *r, const struct item *it)
{
    for (uint32_t i = 0; i < it->changes_n; i++) {
        const struct change *c = &it->changes[i];

        if (knows(r, c))
            return false;
        for (uint32_t k = 0; k < c->ctx.n; k++)
            if (covers(r, &c->ctx.e[k]))
                return false;
    }
    return true;
}

static void judge_life(struct coming_back *b)
{
    const struct item *now = &b->st.item;
    /* A tombstone of an earlier life may have come late, after a later one was
     * collected; what is alive there has never been ended beyond it. */
    bool gone = !item_alive(now) && now->length < b->old->length &&
        item_alive(b->old) && b->old->length <= b->r->floors.length;

    b->over = gone || now->length > b->old->length;
    b->reborn = gone && is_all_new(b->r, b->old);
}

static int rescue(struct coming_back *b, const struct cell *cell)
{
    struct node *n = b->node;
    struct space *sp = b->r->space;
    const struct change *c = &b->old->changes[cell->change];
    const struct change *by = b->st.existed ? &b->st.last : NULL;
    struct conflict_record record = { .state = CONFLICT_RETURNED,
        .length = b->old->length,
        .loser = { c->first, c->stamp, c->wall_us, cell->path, cell->value } };
    struct buf tail = { 0 };
    bool changed;
    int rc;

    if (cell->value.ptr == NULL)
        return SYNCLINE_OK;
    if (by != NULL &&
        (vv_covers(&by->ctx, &c->first) || vv_covers(&by->birth, &c->first)))
        return SYNCLINE_OK; /* overwritten knowingly */
    if (by != NULL)
        record.winner = (struct contender){
            .dot = by->first, .stamp = by->stamp, .wall_us = by->wall_us
        };
    (void)key_conflict_tail(&tail, b->key, cell->path, &c->first);
    rc = buf_status(&tail);
    if (rc == SYNCLINE_OK)
        rc = conflict_join(n, sp, buf_slice(&tail), &record, &changed);
    buf_free(&tail);
    return rc == SYNCLINE_OK ? history_lost(n, sp, b->key, &b->st, c, cell)
                             : rc;
}

/* The same write, by way of another who came back. */
static bool is_there(const struct coming_back *b, const struct cell *cell)
{
    const struct cell *there = item_find(&b->st.item, cell->path);

    return there != NULL &&
        dot_eq(&b->st.item.changes[there->change].first,
            &b->old->changes[cell->change].first);
}

static int write_again(struct coming_back *b, const struct cell *cell)
{
    struct change c = b->old->changes[cell->change];
    bool empty = b->reborn || item_find(&b->st.item, cell->path) == NULL;
    uint32_t ix;
    int rc = SYNCLINE_OK;

    c.dot = *b->dot;
    if (empty && stamp_cmp(&c.stamp, &b->r->floors.fields) <= 0) {
        b->node->counts.cells_restamped++;
        rc = node_stamp(b->node, &c.stamp);
        if (rc == SYNCLINE_ELIMIT) /* no clock goes further: it stays */
            rc = SYNCLINE_OK;
    }
    if (rc == SYNCLINE_OK)
        rc = item_add_change(&b->row, &c, &ix, &b->node->step);
    return rc == SYNCLINE_OK
        ? item_set(&b->row, cell->path, cell->value, ix, &b->node->step)
        : rc;
}

static int bring_cell(struct coming_back *b, const struct cell *cell)
{
    if (knows(b->r, &b->old->changes[cell->change]) || is_there(b, cell))
        return SYNCLINE_OK;
    return b->over && !b->reborn ? rescue(b, cell) : write_again(b, cell);
}

static int bring_tomb(struct coming_back *b)
{
    struct change c;
    uint32_t ix;
    int rc;

    if (b->old->tomb < 0 || b->st.item.length > b->old->length ||
        knows(b->r, &b->old->changes[b->old->tomb]))
        return SYNCLINE_OK;
    c = b->old->changes[b->old->tomb];
    c.dot = *b->dot;
    rc = item_add_change(&b->row, &c, &ix, &b->node->step);
    b->row.tomb = ix;
    return rc;
}

struct aged {
    const struct cell *cell;
    struct stamp stamp;
};

/* Stamps that are given anew keep the order of the old ones. */
static int by_age(const void *a, const void *b)
{
    const struct aged *x = a, *y = b;
    int c = stamp_cmp(&x->stamp, &y->stamp);

    return c != 0 ? c : path_cmp(x->cell->path, y->cell->path);
}

static int bring_cells(struct coming_back *b)
{
    const struct item *old = b->old;
    struct aged *e =
        arena_alloc(&b->node->step, (old->cells_n + 1) * sizeof *e);
    int rc = e == NULL ? SYNCLINE_ENOMEM : SYNCLINE_OK;

    for (uint32_t i = 0; i < old->cells_n && rc == SYNCLINE_OK; i++)
        e[i] = (struct aged){ &old->cells[i],
            old->changes[old->cells[i].change].stamp };
    if (rc == SYNCLINE_OK)
        qsort(e, old->cells_n, sizeof *e, by_age);
    for (uint32_t i = 0; i < old->cells_n && rc == SYNCLINE_OK; i++)
        rc = bring_cell(b, e[i].cell);
    return rc;
}

static int finish_row(struct coming_back *b)
{
    struct node *n = b->node;
    struct space *sp = b->r->space;
    const struct floors *floors = &sp->s.floors;
    int rc = vv_copy(&b->row.ctx, &b->old->ctx, &n->step);

    b->row.length = b->reborn
        ? item_replayed_life(b->st.item.length, floors->length)
        : b->old->length;
    b->row.version = b->old->version;
    /* Somebody may have known it by a higher version, and collected it. */
    if (!item_alive(&b->st.item) && b->row.version <= floors->version)
        b->row.version = item_next_version(floors->version);
    if (rc == SYNCLINE_OK)
        rc = vv_add(&b->row.ctx, b->dot, &n->step);
    if (rc == SYNCLINE_OK)
        rc = vv_copy(&b->row.birth, &b->old->birth, &n->step);
    if (rc == SYNCLINE_OK && b->reborn)
        rc = vv_join(&b->row.birth, &sp->have, &n->step);
    return rc == SYNCLINE_OK ? item_normalise(&b->row, &n->step) : rc;
}

static int join_row(struct coming_back *b, uint64_t lsn)
{
    struct node *n = b->node;
    struct space *sp = b->r->space;
    struct merging m = { n, sp, b->key, &b->st, false };
    struct merge_sink sink = merging_sink(&m);
    struct merge_result what;
    int rc = finish_row(b);

    if (rc == SYNCLINE_OK)
        rc = item_join(&b->st.item, &b->row, &sp->have, &sink, &what, &n->step);
    n->counts.items_returned++;
    n->counts.items_reborn += b->reborn;
    return rc == SYNCLINE_OK ? item_store(n, sp, b->key, &b->st, lsn) : rc;
}

/* All its values are known, but not all that it had seen. */
static int join_contexts(struct coming_back *b, uint64_t lsn)
{
    struct node *n = b->node;
    struct item *now = &b->st.item;
    int rc = vv_join(&now->ctx, &b->old->ctx, &n->step);

    if (rc == SYNCLINE_OK)
        rc = vv_join(&now->birth, &b->old->birth, &n->step);
    return rc == SYNCLINE_OK ? item_store(n, b->r->space, b->key, &b->st, lsn)
                             : rc;
}

static int bring_item(struct node *n, struct returning *r, struct slice key,
    const struct item *old, const struct dot *dot, uint64_t lsn)
{
    struct coming_back b = {
        .node = n, .r = r, .key = key, .old = old, .dot = dot
    };
    uint64_t revisions;
    int rc = item_load(n, r->space, key, &b.st);

    if (rc != SYNCLINE_OK)
        return rc;
    item_init(&b.row);
    judge_life(&b);
    revisions = b.st.revisions;
    rc = bring_cells(&b);
    if (rc == SYNCLINE_OK)
        rc = bring_tomb(&b);
    n->counts.items_rescued += b.over && !b.reborn;
    if (rc != SYNCLINE_OK)
        return rc;
    if (b.row.cells_n > 0 || b.row.tomb >= 0)
        return join_row(&b, lsn);
    if (b.st.item.length == old->length && !vv_geq(&b.st.item.ctx, &old->ctx))
        return join_contexts(&b, lsn);
    return b.st.existed && b.st.revisions != revisions
        ? item_store(n, r->space, key, &b.st, b.st.lsn)
        : SYNCLINE_OK;
}

/* ---- what was deleted here, and came back ---- */

/* Was it, in the old state, known and not there: deleted, and collected? A
 * life beyond what had been collected is a new one. */
static bool was_gone(
    const struct returning *r, const struct item *now, const struct item *old)
{
    if (old->length > 0 || now->length > r->had_length)
        return false;
    for (uint32_t i = 0; i < now->changes_n; i++) {
        const struct change *c = &now->changes[i];

        if (vv_covers(&r->had, &c->dot) || vv_covers(&r->had, &c->first))
            return true;
        for (uint32_t k = 0; k < c->ctx.n; k++)
            if (vv_covers(&r->had, &c->ctx.e[k]))
                return true;
    }
    return false;
}

static int end_again(struct node *n, struct returning *r, struct slice key,
    struct stored *st, const struct author *by, bool *wrote)
{
    struct coming_back b = {
        .node = n, .r = r, .key = key, .old = &st->item, .st = { .lsn = 0 }
    };
    struct item now;
    int rc = item_copy(&now, &st->item, &n->step);

    /* Whoever wrote there meanwhile did not know. */
    for (uint32_t i = 0; i < now.cells_n && rc == SYNCLINE_OK; i++)
        if (!vv_covers(&r->had, &now.changes[now.cells[i].change].dot))
            rc = rescue(&b, &now.cells[i]);
    if (rc == SYNCLINE_OK)
        rc = item_delete(&st->item, by, wrote, &n->step);
    n->counts.items_ended_again++;
    return rc;
}

/* Fields that were removed here, and collected. */
static int remove_again(struct node *n, struct returning *r, struct stored *st,
    const struct item *old, const struct author *by, bool *wrote)
{
    struct leaves gone = { 0 };

    gone.e = arena_alloc(&n->step, (st->item.cells_n + 1) * sizeof *gone.e);
    if (gone.e == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < st->item.cells_n; i++) {
        const struct cell *c = &st->item.cells[i];

        if (c->value.ptr != NULL && old->length == st->item.length &&
            vv_covers(&r->had, &st->item.changes[c->change].dot) &&
            item_find(old, c->path) == NULL)
            gone.e[gone.n++] = (struct leaf){ c->path, SLICE_NONE };
    }
    return gone.n > 0 ? item_write(&st->item, &gone, by, wrote, &n->step)
                      : SYNCLINE_OK;
}

static int load_old(
    struct node *n, uint32_t number, struct slice key, struct stored *out)
{
    struct slice value;
    int rc = store_get(
        &n->opt.store, TABLE_ITEM, key_item(&n->key, number, key), &value);

    *out = (struct stored){ .existed = false };
    item_init(&out->item);
    if (rc != SYNCLINE_OK)
        return rc == SYNCLINE_ENOTFOUND ? SYNCLINE_OK : rc;
    value = arena_dup(&n->step, value);
    return value.ptr != NULL ? stored_decode(value, out, &n->step)
                             : SYNCLINE_ENOMEM;
}

static int look_again(struct node *n, struct returning *r, struct slice key,
    const struct author *by, bool *any)
{
    struct stored st, old;
    bool wrote = false;
    int rc = load_old(n, r->from, key, &old);

    if (rc == SYNCLINE_OK)
        rc = item_load(n, r->space, key, &st);
    if (rc != SYNCLINE_OK || !item_alive(&st.item))
        return rc;
    rc = was_gone(r, &st.item, &old.item)
        ? end_again(n, r, key, &st, by, &wrote)
        : remove_again(n, r, &st, &old.item, by, &wrote);
    *any = *any || wrote;
    return rc == SYNCLINE_OK && wrote
        ? item_store(n, r->space, key, &st, space_next_lsn(r->space))
        : rc;
}

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
    int rc = SYNCLINE_OK;

    (void)key_space(&prefix, k->r->from);
    (void)key_space(&from, k->r->from);
    do {
        k->skip_to.seq = 0;
        rc = store_scan(&n->opt.store, TABLE_SEEN, buf_slice(&prefix),
            buf_slice(&from), note_unknown, k);
        if (k->skip_to.seq > 0)
            (void)key_seen(&from, k->r->from, &k->skip_to, SLICE_NONE);
    } while (rc == SYNCLINE_OK && !k->more && k->skip_to.seq > 0);
    buf_free(&prefix);
    buf_free(&from);
    return rc;
}

static int bring_one(struct node *n, struct returning *r, struct slice key,
    const struct dot *dot, uint64_t lsn)
{
    struct stored old;
    int rc = load_old(n, r->from, key, &old);

    if (rc == SYNCLINE_OK && old.existed)
        rc = bring_item(n, r, key, &old.item, dot, lsn);
    /* It stays, to be compared with; but it is not found again. */
    for (uint32_t i = 0; i < old.item.ctx.n && rc == SYNCLINE_OK; i++)
        txn_del(&n->txn, TABLE_SEEN,
            key_seen(&n->key, r->from, &old.item.ctx.e[i], key));
    return rc == SYNCLINE_OK ? txn_status(&n->txn) : rc;
}

static int bring_items(struct node *n, struct returning *r, bool *done)
{
    struct space *sp = r->space;
    struct keys k = { .node = n, .r = r };
    struct dot dot = { n->replica, vv_get(&sp->have, &n->replica) + 1 };
    uint64_t lsn;
    int rc = find_unknown(&k);

    *done = k.n == 0;
    if (rc != SYNCLINE_OK || *done)
        return rc;
    lsn = space_next_lsn(sp);
    for (uint32_t i = 0; i < k.n && rc == SYNCLINE_OK; i++)
        rc = bring_one(n, r, k.e[i], &dot, lsn);
    if (rc == SYNCLINE_OK)
        rc = resolve_settle(n);
    return rc == SYNCLINE_OK ? space_raise(n, sp, &dot) : rc;
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
    for (uint32_t i = 0; i < k.n && rc == SYNCLINE_OK; i++)
        rc = bring_conflict(n, r, k.e[i]);
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
    for (uint32_t i = 0; i < k.n && rc == SYNCLINE_OK; i++)
        rc = look_again(n, r, k.e[i], &by, &any);
    if (rc == SYNCLINE_OK && any)
        rc = space_raise(n, r->space, &by.dot);
    if (k.n > 0) {
        (void)key_item(&r->at, r->space->id, k.e[k.n - 1]);
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
    int rc = bring_items(n, r, done);

    if (rc == SYNCLINE_OK && *done)
        rc = bring_conflicts(n, r, done);
    if (rc == SYNCLINE_OK && *done && r->mutual)
        rc = look_at_some(n, r, done);
    if (rc == SYNCLINE_OK)
        rc = node_commit(n);
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
    r->space = sp;
    r->next = n->returning;
    n->returning = r;
    return rc;
}

/* META_RETURNING: be32 the new number, mutual, what had been collected here,
 * floors, what is known. */
int return_begin(struct node *n, struct space *sp, const struct returning *what,
    struct returning **out)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL)
        return SYNCLINE_ENOMEM;
    buf_clear(&n->out);
    put_be32(&n->out, sp->id);
    buf_put_u8(&n->out, what->mutual);
    put_varint(&n->out, what->had_length);
    put_floors(&n->out, &what->floors);
    put_vv(&n->out, &what->known);
    txn_put_buf(&n->txn, TABLE_META,
        key_meta_space(&n->key, META_RETURNING, what->from), &n->out);
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

    what.mutual = get_u8(&v) != 0;
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
    return rc;
}
