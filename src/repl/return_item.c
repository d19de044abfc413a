/* What becomes of one item of the old state, after a bootstrap (return.c). */
#include "base/plant.h"
#include "repl/access_impl.h"
#include "repl/collect_impl.h"

#include <stdlib.h>

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
    const struct dot *dot; /* NULL: it is told only */
    bool over;             /* its life is, by what the bootstrap says */
    bool reborn;           /* but nobody there had ever heard of it */
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

/* Would its stamp not do any more? It may have lost to a removed field that is
 * gone; or another one gave what it has replaced a later stamp for that. */
static bool has_aged(
    const struct coming_back *b, const struct change *c, struct slice path)
{
    const struct item *now = &b->st.item;
    const struct cell *there = b->reborn ? NULL : item_find(now, path);
    const struct change *by;

    if (there == NULL)
        return stamp_cmp(&c->stamp, &b->r->floors.fields) <= 0;
    by = &now->changes[there->change];
    return now->length == b->old->length &&
        stamp_cmp(&c->stamp, &by->stamp) < 0 && change_had_seen(c, by);
}

static int write_again(struct coming_back *b, const struct cell *cell)
{
    struct change c = b->old->changes[cell->change];
    uint32_t ix;
    int rc = SYNCLINE_OK;

    if (has_aged(b, &c, cell->path)) {
        b->node->counts.cells_restamped++;
        rc = node_stamp(b->node, &c.stamp);
        if (rc == SYNCLINE_ELIMIT) /* no clock goes further: it stays */
            rc = SYNCLINE_OK;
    }
    c.dot = *b->dot;
    c.proof = SLICE_NONE; /* it was of the old dot */
    if (rc == SYNCLINE_OK)
        rc = item_add_change(&b->row, &c, &ix, &b->node->step);
    return rc == SYNCLINE_OK
        ? item_set(&b->row, cell->path, cell->value, ix, &b->node->step)
        : rc;
}

/* Of who may not write there: what it wrote before, as far as that counts. */
static int tell(struct coming_back *b, const struct cell *cell)
{
    struct dot d = b->old->changes[cell->change].dot;
    uint64_t seq = d.seq;

    (void)access_clamp_dot(b->node, b->r->space, &d);
    return d.seq == seq ? rescue(b, cell) : SYNCLINE_OK;
}

/* It was merged into the item there, and was removed or lost: what took its
 * place, if that is not collected, has an older stamp only since this one was
 * given a new one. */
static bool is_gone_there(const struct coming_back *b, const struct cell *cell)
{
    const struct item *now = &b->st.item;
    const struct change *c = &b->old->changes[cell->change];
    const struct cell *there = item_find(now, cell->path);

    return now->length == b->old->length && item_alive(now) &&
        vv_covers(&now->ctx, &c->first) && !PLANTED(BURIED_FORGOTTEN) &&
        (there == NULL ||
            stamp_cmp(&now->changes[there->change].stamp, &c->stamp) < 0);
}

static int bring_cell(struct coming_back *b, const struct cell *cell)
{
    if (knows(b->r, &b->old->changes[cell->change]) || is_there(b, cell) ||
        is_gone_there(b, cell))
        return SYNCLINE_OK;
    if (b->dot == NULL)
        return tell(b, cell);
    return b->over && !b->reborn ? rescue(b, cell) : write_again(b, cell);
}

static int bring_tomb(struct coming_back *b)
{
    struct change c;
    uint32_t ix;
    int rc;

    if (b->dot == NULL || b->old->tomb < 0 ||
        b->st.item.length > b->old->length ||
        knows(b->r, &b->old->changes[b->old->tomb]))
        return SYNCLINE_OK;
    c = b->old->changes[b->old->tomb];
    c.dot = *b->dot;
    c.proof = SLICE_NONE; /* it was of the old dot */
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
    struct merging m = { n, sp, b->key, &b->st, false, NULL };
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
    n->counts.items_rescued += dot != NULL && b.over && !b.reborn;
    if (rc != SYNCLINE_OK)
        return rc;
    if (b.row.cells_n > 0 || b.row.tomb >= 0)
        return join_row(&b, lsn);
    if (dot != NULL && b.st.item.length == old->length &&
        !vv_geq(&b.st.item.ctx, &old->ctx))
        return join_contexts(&b, lsn);
    return b.st.existed && b.st.revisions != revisions
        ? item_store(n, r->space, key, &b.st, b.st.lsn)
        : SYNCLINE_OK;
}

/* ---- one of which this device's own changes stay ---- */

static bool is_kept(
    struct node *n, const struct space *sp, const struct change *c)
{
    struct dot d = c->dot;

    (void)access_clamp_dot(n, sp, &d);
    return d.seq == c->dot.seq && node_is_mine(n, &c->dot.replica) &&
        !vv_covers(&sp->have, &c->dot);
}

/* Those changes whole, with their dots and signatures. */
static int own_row(struct node *n, const struct space *sp,
    const struct item *old, struct item *row)
{
    uint32_t ix;
    int rc = SYNCLINE_OK;

    item_init(row);
    for (uint32_t i = 0; i < old->changes_n && rc == SYNCLINE_OK; i++)
        if (is_kept(n, sp, &old->changes[i]))
            rc = vv_add(&row->ctx, &old->changes[i].dot, &n->step);
    for (uint32_t i = 0; i < old->cells_n && rc == SYNCLINE_OK; i++) {
        const struct cell *c = &old->cells[i];

        if (!is_kept(n, sp, &old->changes[c->change]))
            continue;
        rc = item_add_change(row, &old->changes[c->change], &ix, &n->step);
        if (rc == SYNCLINE_OK)
            rc = item_set(row, c->path, c->value, ix, &n->step);
    }
    if (rc == SYNCLINE_OK && old->tomb >= 0 &&
        is_kept(n, sp, &old->changes[old->tomb])) {
        rc = item_add_change(row, &old->changes[old->tomb], &ix, &n->step);
        row->tomb = ix;
    }
    row->length = old->length;
    row->version = old->version;
    if (rc == SYNCLINE_OK)
        rc = vv_copy(&row->birth, &old->birth, &n->step);
    return rc == SYNCLINE_OK ? item_normalise(row, &n->step) : rc;
}

static int keep_own(struct node *n, struct returning *r, struct slice key,
    const struct item *old, uint64_t lsn)
{
    struct space *sp = r->space;
    struct stored st;
    struct merging m = { n, sp, key, &st, false, NULL };
    struct merge_sink sink = merging_sink(&m);
    struct merge_result what;
    struct item row;
    int rc = own_row(n, sp, old, &row);

    if (rc != SYNCLINE_OK || row.changes_n == 0)
        return rc;
    rc = item_load(n, sp, key, &st);
    if (rc == SYNCLINE_OK)
        rc = item_join(&st.item, &row, &sp->have, &sink, &what, &n->step);
    n->counts.items_kept++;
    return rc == SYNCLINE_OK ? item_store(n, sp, key, &st, lsn) : rc;
}

int return_load_old(
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

/* It stays, to be compared with; but it is not found again. */
static int leave_old(struct node *n, const struct returning *r,
    struct slice key, const struct item *old)
{
    for (uint32_t i = 0; i < old->ctx.n; i++)
        txn_del(&n->txn, TABLE_SEEN,
            key_seen(&n->key, r->from, &old->ctx.e[i], key));
    return txn_status(&n->txn);
}

int return_bring(struct node *n, struct returning *r, struct slice key,
    const struct dot *dot, uint64_t lsn)
{
    struct stored old;
    int rc = return_load_old(n, r->from, key, &old);

    if (rc == SYNCLINE_OK && old.existed)
        rc = bring_item(n, r, key, &old.item, dot, lsn);
    return rc == SYNCLINE_OK ? leave_old(n, r, key, &old.item) : rc;
}

int return_keep(
    struct node *n, struct returning *r, struct slice key, uint64_t lsn)
{
    struct stored old;
    int rc = return_load_old(n, r->from, key, &old);

    if (rc == SYNCLINE_OK && old.existed)
        rc = keep_own(n, r, key, &old.item, lsn);
    return rc == SYNCLINE_OK ? leave_old(n, r, key, &old.item) : rc;
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

        if (vv_knows(&r->had, c))
            return true;
        for (uint32_t k = 0; k < c->ctx.n; k++)
            if (vv_covers(&r->had, &c->ctx.e[k]))
                return true;
    }
    return false;
}

int return_end_again(struct node *n, struct returning *r, struct slice key,
    struct stored *st, const struct author *by, bool *wrote)
{
    struct coming_back b = { .node = n,
        .r = r,
        .key = key,
        .old = &st->item,
        .st = { .revisions = st->revisions } };
    struct item now;
    int rc = item_copy(&now, &st->item, &n->step);

    /* Whoever wrote there meanwhile did not know. */
    for (uint32_t i = 0; i < now.cells_n && rc == SYNCLINE_OK; i++)
        if (!vv_knows(&r->had, &now.changes[now.cells[i].change]))
            rc = rescue(&b, &now.cells[i]);
    st->revisions = b.st.revisions; /* the next one goes behind these */
    if (rc == SYNCLINE_OK)
        rc = item_delete(&st->item, by, wrote, &n->step);
    n->counts.items_ended_again++;
    return rc;
}

/* Fields that were removed here, and collected. In the old state: it had merged
 * what it does not hold. */
static int find_removed(struct node *n, const struct item *old,
    const struct item *now, struct leaves *out)
{
    *out = (struct leaves){ 0 };
    if (old->length != now->length || PLANTED(BURIED_FORGOTTEN))
        return SYNCLINE_OK;
    out->e = arena_alloc(&n->step, (now->cells_n + 1) * sizeof *out->e);
    if (out->e == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < now->cells_n; i++) {
        const struct cell *c = &now->cells[i];

        if (c->value.ptr != NULL && item_find(old, c->path) == NULL &&
            vv_covers(&old->ctx, &now->changes[c->change].first))
            out->e[out->n++] = (struct leaf){ c->path, SLICE_NONE };
    }
    return SYNCLINE_OK;
}

static int remove_again(struct node *n, struct stored *st,
    const struct item *old, const struct author *by, bool *wrote)
{
    struct leaves gone;
    int rc = find_removed(n, old, &st->item, &gone);

    if (rc != SYNCLINE_OK || gone.n == 0)
        return rc;
    n->counts.fields_ended_again += gone.n;
    return item_write(&st->item, &gone, by, wrote, &n->step);
}

int return_look_again(struct node *n, struct returning *r, struct slice key,
    const struct author *by, bool *any)
{
    struct stored st, old;
    bool wrote = false;
    int rc = return_load_old(n, r->from, key, &old);

    if (rc == SYNCLINE_OK)
        rc = item_load(n, r->space, key, &st);
    if (rc != SYNCLINE_OK || !item_alive(&st.item))
        return rc;
    if ((r->mutual && was_gone(r, &st.item, &old.item)) ||
        (!item_alive(&old.item) &&
            return_is_buried(r->space, &old.item, &st.item)))
        rc = return_end_again(n, r, key, &st, by, &wrote);
    else
        rc = remove_again(n, &st, &old.item, by, &wrote);
    *any = *any || wrote;
    return rc == SYNCLINE_OK && wrote
        ? item_store(n, r->space, key, &st, space_next_lsn(r->space))
        : rc;
}
