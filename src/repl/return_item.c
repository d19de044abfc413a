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

static bool had_seen(const struct change *c, const struct change *what)
{
    return vv_covers(&c->ctx, &what->first) ||
        vv_covers(&c->birth, &what->first);
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
        stamp_cmp(&c->stamp, &by->stamp) < 0 && had_seen(c, by);
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

/* It was merged into the item, and removed again, by what is collected. */
static bool is_gone_there(const struct coming_back *b, const struct cell *cell)
{
    const struct item *now = &b->st.item;

    return now->length == b->old->length && item_alive(now) &&
        vv_covers(&now->ctx, &b->old->changes[cell->change].first) &&
        item_find(now, cell->path) == NULL && !PLANTED(BURIED_FORGOTTEN);
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
    int rc = load_old(n, r->from, key, &old);

    if (rc == SYNCLINE_OK && old.existed)
        rc = bring_item(n, r, key, &old.item, dot, lsn);
    return rc == SYNCLINE_OK ? leave_old(n, r, key, &old.item) : rc;
}

int return_keep(
    struct node *n, struct returning *r, struct slice key, uint64_t lsn)
{
    struct stored old;
    int rc = load_old(n, r->from, key, &old);

    if (rc == SYNCLINE_OK && old.existed)
        rc = keep_own(n, r, key, &old.item, lsn);
    return rc == SYNCLINE_OK ? leave_old(n, r, key, &old.item) : rc;
}

/* ---- what was deleted here, and came back ---- */

static bool was_known(const struct vv *had, const struct change *c)
{
    return vv_covers(had, &c->dot) || vv_covers(had, &c->first);
}

/* Was it, in the old state, known and not there: deleted, and collected? A
 * life beyond what had been collected is a new one. */
static bool was_gone(
    const struct returning *r, const struct item *now, const struct item *old)
{
    if (old->length > 0 || now->length > r->had_length)
        return false;
    for (uint32_t i = 0; i < now->changes_n; i++) {
        const struct change *c = &now->changes[i];

        if (was_known(&r->had, c))
            return true;
        for (uint32_t k = 0; k < c->ctx.n; k++)
            if (vv_covers(&r->had, &c->ctx.e[k]))
                return true;
    }
    return false;
}

static bool holds(const struct item *it, const struct dot *first)
{
    for (uint32_t i = 0; i < it->changes_n; i++)
        if (dot_eq(&it->changes[i].first, first))
            return true;
    return false;
}

/* Would it bring in a longer life what had been known here before a bootstrap,
 * and is not in mine? Then that had been deleted. */
static bool is_buried(
    const struct space *sp, const struct item *mine, const struct item *it)
{
    if (sp->buried.n == 0 || !item_alive(it) || it->length <= mine->length ||
        PLANTED(BURIED_FORGOTTEN))
        return false;
    for (uint32_t i = 0; i < it->changes_n; i++)
        if (was_known(&sp->buried, &it->changes[i]) &&
            !holds(mine, &it->changes[i].first))
            return true;
    return false;
}

static int end_again(struct node *n, struct returning *r, struct slice key,
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
        if (!was_known(&r->had, &now.changes[now.cells[i].change]))
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
    int rc = load_old(n, r->from, key, &old);

    if (rc == SYNCLINE_OK)
        rc = item_load(n, r->space, key, &st);
    if (rc != SYNCLINE_OK || !item_alive(&st.item))
        return rc;
    if ((r->mutual && was_gone(r, &st.item, &old.item)) ||
        (!item_alive(&old.item) && is_buried(r->space, &old.item, &st.item)))
        rc = end_again(n, r, key, &st, by, &wrote);
    else
        rc = remove_again(n, &st, &old.item, by, &wrote);
    *any = *any || wrote;
    return rc == SYNCLINE_OK && wrote
        ? item_store(n, r->space, key, &st, space_next_lsn(r->space))
        : rc;
}

/* ---- and what came back later ---- */

/* Is it alive in an old state, from which it is still to be brought? */
static int is_to_come(
    struct node *n, const struct space *sp, struct slice key, bool *is)
{
    struct stored old;
    int rc = SYNCLINE_OK;

    *is = false;
    for (const struct returning *r = n->returning;
         r != NULL && rc == SYNCLINE_OK && !*is; r = r->next) {
        if (r->space != sp)
            continue;
        rc = load_old(n, r->from, key, &old);
        *is = rc == SYNCLINE_OK && item_alive(&old.item);
    }
    return rc;
}

/* What stood here stands again, beyond what has come. */
static int write_over(
    struct node *n, struct stored *st, const struct author *by)
{
    struct json *doc;
    bool wrote;
    int rc = json_parse(&doc, st->before, JSON_STRICT, &n->step, NULL);

    return rc == SYNCLINE_OK ? item_put(&st->item, doc, by, &wrote, &n->step)
                             : rc;
}

static int undo(struct node *n, struct space *sp, struct slice key,
    struct stored *st, const struct item *row, const struct author *by)
{
    struct returning r = { .space = sp, .had = sp->buried };
    struct merge_result what;
    bool wrote;
    int rc = item_join(&st->item, row, &sp->have, NULL, &what, &n->step);

    if (rc == SYNCLINE_OK)
        rc = end_again(n, &r, key, st, by, &wrote);
    if (rc == SYNCLINE_OK && st->was_alive)
        rc = write_over(n, st, by);
    if (rc == SYNCLINE_OK)
        rc = item_store(n, sp, key, st, space_next_lsn(sp));
    return rc == SYNCLINE_OK ? space_raise(n, sp, &by->dot) : rc;
}

/* A value that was merged here once, and lost or was removed, comes back with a
 * later stamp, since somebody has written it again: what it lost to stands. Or
 * a removal comes after such a value that it had seen. */
static bool is_stale(const struct item *mine, const struct item *row,
    const struct cell *cell, struct leaf *out)
{
    const struct change *c = &row->changes[cell->change], *by;
    const struct cell *there;

    if (cell->value.ptr != NULL &&
        (dot_eq(&c->dot, &c->first) || !vv_covers(&mine->ctx, &c->first)))
        return false; /* what an item has merged nobody signs */
    *out = (struct leaf){ cell->path, SLICE_NONE };
    there = item_find(mine, cell->path);
    if (there == NULL)
        return cell->value.ptr != NULL;
    by = &mine->changes[there->change];
    if (cell->value.ptr == NULL)
        return there->value.ptr != NULL && had_seen(c, by) &&
            stamp_cmp(&c->stamp, &by->stamp) < 0;
    out->value = there->value;
    return !dot_eq(&by->first, &c->first) &&
        stamp_cmp(&by->stamp, &c->stamp) < 0;
}

/* rest: the row without them. */
static int find_stale(struct node *n, const struct space *sp,
    const struct item *mine, const struct item *row, struct leaves *out,
    struct item *rest)
{
    int rc = SYNCLINE_OK;

    *out = (struct leaves){ 0 };
    *rest = *row;
    if (!item_alive(row) || mine->length != row->length ||
        PLANTED(BURIED_FORGOTTEN))
        return SYNCLINE_OK;
    for (uint32_t i = 0; i < row->cells_n && rc == SYNCLINE_OK; i++) {
        const struct cell *c = &row->cells[i];
        struct leaf leaf;
        bool is = !vv_covers(&sp->have, &row->changes[c->change].dot) &&
            is_stale(mine, row, c, &leaf);

        if (is && out->n == 0) {
            rc = item_copy(rest, row, &n->step);
            rest->cells_n = i;
            out->e = arena_alloc(&n->step, row->cells_n * sizeof *out->e);
            if (out->e == NULL)
                rc = SYNCLINE_ENOMEM;
        }
        if (rc == SYNCLINE_OK && is)
            out->e[out->n++] = leaf;
        else if (rc == SYNCLINE_OK && out->n > 0)
            rest->cells[rest->cells_n++] = *c;
    }
    return rc == SYNCLINE_OK && out->n > 0 ? item_normalise(rest, &n->step)
                                           : rc;
}

static int take_rest(struct node *n, struct space *sp, struct slice key,
    struct stored *st, const struct item *rest, const struct author *by,
    const struct leaves *stale)
{
    struct merging m = { n, sp, key, st, false, NULL };
    struct merge_sink sink = merging_sink(&m);
    struct merge_result what;
    bool wrote;
    int rc = item_join(&st->item, rest, &sp->have, &sink, &what, &n->step);

    n->counts.fields_ended_again += stale->n;
    if (rc == SYNCLINE_OK)
        rc = item_write(&st->item, stale, by, &wrote, &n->step);
    if (rc == SYNCLINE_OK)
        rc = item_store(n, sp, key, st, space_next_lsn(sp));
    return rc == SYNCLINE_OK ? space_raise(n, sp, &by->dot) : rc;
}

int return_late(struct node *n, struct space *sp, struct slice key,
    struct stored *st, const struct item *row, bool *late)
{
    bool ends = is_buried(sp, &st->item, row), to_come;
    struct leaves stale = { 0 };
    struct item rest;
    struct author by;
    int rc = SYNCLINE_OK;

    *late = false;
    if (!ends)
        rc = find_stale(n, sp, &st->item, row, &stale, &rest);
    if (rc != SYNCLINE_OK || (!ends && stale.n == 0) ||
        !access_may_write(n, sp))
        return rc;
    rc = is_to_come(n, sp, key, &to_come);
    if (rc != SYNCLINE_OK || to_come)
        return rc;
    rc = write_begin(n, sp, &by);
    if (rc == SYNCLINE_ELIMIT) /* nothing can be written any more */
        return SYNCLINE_OK;
    if (rc != SYNCLINE_OK)
        return rc;
    *late = true;
    return ends ? undo(n, sp, key, st, row, &by)
                : take_rest(n, sp, key, st, &rest, &by, &stale);
}
