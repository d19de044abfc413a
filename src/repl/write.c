/* Local writes: what one request asks for is one change, with one dot and
 * stamp. */
#include "base/plant.h"
#include "repl/access_impl.h"

int write_begin(struct node *n, struct space *sp, struct author *by)
{
    *by = (struct author){ .dot = { n->replica,
                               vv_get(&sp->have, &n->replica) + 1 },
        .wall_us = n->wall_us,
        .floor = sp->s.floors.length,
        .version_floor = PLANTED(M6) ? 0 : sp->s.floors.version,
        .birth = sp->s.floors.length > 0 ? &sp->have : NULL };
    if (n->bad_restart || n->mint_due) /* its next dot may be known elsewhere */
        return SYNCLINE_ECLOSED;
    if (!access_may_write(n, sp))
        return SYNCLINE_EDENIED;
    return node_stamp(n, &by->stamp);
}

/* What an item holds: close to the size of its document. */
static size_t size_of(const struct item *it)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < it->cells_n; i++)
        bytes += it->cells[i].path.len + it->cells[i].value.len;
    return bytes;
}

/* What members wrote apart may be more together; then it may become less. */
int write_check_size(const struct space *sp, struct slice key,
    const struct item *it, size_t before, struct errmsg *why)
{
    size_t bytes = size_of(it);

    if (bytes <= VALUE_MAX || bytes < before)
        return SYNCLINE_OK;
    return errmsg_set(why, SYNCLINE_ELIMIT,
        "%.*s/%.*s: a document of %zu bytes: at most %zu are allowed",
        SLICE_FMT(sp->name), SLICE_FMT(key), bytes, VALUE_MAX);
}

/* What was joined is part of a document: what has become of it counts. */
static int check_joined(struct node *n, struct space *sp,
    const struct write_op *op, struct errmsg *why)
{
    struct stored st;
    int rc = item_load(n, sp, op->key, &st);

    return rc == SYNCLINE_OK ? schemas_check_item(n, sp, op->key, &st.item, why)
                             : rc;
}

/* By somebody who had not seen what stands: the two are joined. */
static int write_apart(struct node *n, struct space *sp,
    const struct write_op *op, const struct author *by, struct stored *st,
    struct write_result *out, struct errmsg *why)
{
    bool wrote = false;
    int rc =
        op->as != NULL && op->as->strategy == FOREIGN_LOSES && st->was_alive
        ? foreign_outdo(n, sp, op, by, st, &wrote)
        : foreign_join(n, sp, op, by, st, &wrote);

    out->changed += wrote;
    return rc == SYNCLINE_OK && op->unseen ? check_joined(n, sp, op, why) : rc;
}

/* By somebody who had seen what stands: it takes its place. */
static int write_over(struct node *n, struct space *sp,
    const struct write_op *op, const struct author *by, struct stored *st,
    struct write_result *out, struct errmsg *why)
{
    const size_t before = size_of(&st->item);
    bool wrote = false;
    int rc = op->doc != NULL
        ? item_put(&st->item, op->doc, by, &wrote, &n->step)
        : item_delete(&st->item, by, &wrote, &n->step);

    if (rc == SYNCLINE_ELIMIT)
        return errmsg_set(why, rc,
            "%.*s/%.*s: more than %d fields, or a path of more than %d bytes",
            SLICE_FMT(sp->name), SLICE_FMT(op->key), CELLS_MAX, PATH_MAX_LEN);
    if (rc == SYNCLINE_OK && wrote)
        rc = write_check_size(sp, op->key, &st->item, before, why);
    if (rc == SYNCLINE_OK && wrote) {
        if (op->as != NULL && op->as->version > st->item.version)
            st->item.version = op->as->version;
        out->changed++;
        out->dot = by->dot;
        st->lasts = op->as == NULL;
        rc = item_store(n, sp, op->key, st, space_next_lsn(sp));
    }
    if (rc == SYNCLINE_OK && out->changed == 0 && st->existed)
        out->dot = st->last.dot; /* who waits, waits for what is there */
    out->version = st->item.version;
    return rc;
}

/* *apart: its author had not seen what stands; by is whom it is by then. */
static int find_author(struct node *n, struct space *sp,
    const struct write_op *op, const struct stored *st, struct author *by,
    bool *apart, struct errmsg *why)
{
    *apart = op->as == NULL && op->unseen && st->was_alive;
    return op->as == NULL
        ? SYNCLINE_OK
        : foreign_author(n, sp, op->as, &st->item, by, apart, why);
}

static int apply_op(struct node *n, struct space *sp, const struct write_op *op,
    const struct author *by, struct write_result *out, struct errmsg *why)
{
    struct author self = *by;
    struct stored st;
    bool wrote = false, apart = false, over = false;
    int rc = item_load(n, sp, op->key, &st);

    if (rc != SYNCLINE_OK)
        return errmsg_set(why, rc, "%.*s/%.*s: reading it failed",
            SLICE_FMT(sp->name), SLICE_FMT(op->key));
    if (op->only_new && st.was_alive && !PLANTED(R23_ANEW))
        return SYNCLINE_OK;
    if (op->as != NULL && !st.existed) {
        rc = foreign_return(n, sp, op, by, &st, &over, &wrote);
        out->changed += wrote;
    }
    if (rc != SYNCLINE_OK || over)
        return rc;
    rc = find_author(n, sp, op, &st, &self, &apart, why);
    if (rc == SYNCLINE_OK && op->doc != NULL && !st.was_alive)
        rc = standing_may_make(n, sp, op->key, why);
    if (rc == SYNCLINE_OK && op->doc != NULL && !(apart && op->unseen))
        rc = schemas_check(n, sp, op->key, op->doc, why);
    if (rc != SYNCLINE_OK)
        return rc;
    return apart ? write_apart(n, sp, op, &self, &st, out, why)
                 : write_over(n, sp, op, &self, &st, out, why);
}

int write_local(struct node *n, struct space *sp, const struct write_op *ops,
    uint32_t ops_n, struct write_result *out, struct errmsg *why)
{
    struct author by;
    size_t before = n->txn.batch.ops.len;
    int rc = SYNCLINE_OK;

    for (uint32_t i = 0; i < ops_n && rc == SYNCLINE_OK; i++)
        rc = key_check(ops[i].key, why);
    if (rc == SYNCLINE_OK)
        rc = access_check_write(n, sp, why);
    if (rc == SYNCLINE_OK)
        rc = standing_may_write(n, sp, why);
    if (rc != SYNCLINE_OK)
        return rc;
    rc = write_begin(n, sp, &by);
    if (rc == SYNCLINE_ELIMIT)
        rc = errmsg_set(why, rc,
            "the mesh's clock is at its end: a member wrote with one set to "
            "the end of time. `syncline clock reset` lets it start again");
    if (rc == SYNCLINE_ECLOSED)
        rc = errmsg_set(why, rc,
            "this store was rolled back and is becoming a new replica; try "
            "again");
    if (rc != SYNCLINE_OK)
        return rc;
    *out = (struct write_result){ .dot = by.dot };
    for (uint32_t i = 0; i < ops_n && rc == SYNCLINE_OK; i++)
        rc = apply_op(n, sp, &ops[i], &by, out, why);
    if (rc == SYNCLINE_OK && out->changed > 0) {
        n->counts.changes_written++;
        standing_wrote(n, n->txn.batch.ops.len - before);
        rc = space_raise(n, sp, &by.dot);
    }
    return rc == SYNCLINE_OK ? resolve_settle(n) : rc;
}

/* Cells that are there with equal stamp and value are not written again, so
 * that two who write the same thing for somebody else do not echo. */
static void drop_equal(
    const struct item *it, struct leaves *l, const struct stamp *stamp)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < l->n; i++) {
        const struct cell *c = item_find(it, l->e[i].path);

        if (c != NULL && slice_eq(c->value, l->e[i].value) &&
            stamp_cmp(&it->changes[c->change].stamp, stamp) == 0)
            continue;
        l->e[kept++] = l->e[i];
    }
    l->n = kept;
}

/* Leaves for paths that hold no cell go to `apart`: had they lost to a removed
 * field that is gone since, nobody here would know. */
static int part_outlived(struct node *n, const struct item *it,
    struct leaves *l, struct leaves *apart)
{
    uint32_t kept = 0;

    apart->e = arena_alloc(&n->step, (l->n + 1) * sizeof *apart->e);
    if (apart->e == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < l->n; i++)
        if (item_find(it, l->e[i].path) == NULL)
            apart->e[apart->n++] = l->e[i];
        else
            l->e[kept++] = l->e[i];
    l->n = kept;
    return SYNCLINE_OK;
}

int write_cells(
    struct node *n, struct space *sp, const struct cells_write *w, bool *wrote)
{
    struct leaves leaves = w->leaves, apart = { 0 };
    bool wrote_apart = false;
    struct author by;
    struct stored st;
    int rc = write_begin(n, sp, &by);

    *wrote = false;
    if (rc == SYNCLINE_OK)
        rc = item_load(n, sp, w->key, &st);
    if (rc != SYNCLINE_OK)
        return rc;
    by.originals = w->originals;
    by.originals_n = w->originals_n;
    if (w->stamp != NULL && space_outlived(sp, w->stamp))
        rc = part_outlived(n, &st.item, &leaves, &apart);
    if (rc == SYNCLINE_OK && apart.n > 0)
        rc = item_write(&st.item, &apart, &by, &wrote_apart, &n->step);
    if (rc != SYNCLINE_OK)
        return rc;
    if (w->stamp != NULL) {
        by.stamp = *w->stamp;
        by.wall_us = w->wall_us;
        drop_equal(&st.item, &leaves, w->stamp);
    }
    rc = item_write(&st.item, &leaves, &by, wrote, &n->step);
    *wrote = *wrote || wrote_apart;
    if (rc == SYNCLINE_OK && *wrote && !w->was_tried)
        rc = schemas_check_item(n, sp, w->key, &st.item, w->why);
    if (rc == SYNCLINE_OK && *wrote)
        rc = item_store(n, sp, w->key, &st, space_next_lsn(sp));
    if (rc == SYNCLINE_OK && *wrote)
        rc = space_raise(n, sp, &by.dot);
    return rc;
}

/* ---- replay (joining) ---- */

/* The standing cells of old as a row of our own: original stamps, no
 * context, so that whatever loses on either side is a conflict. */
static int replay_row(struct node *n, const struct space *sp,
    const struct item *old, const struct item *now, const struct dot *dot,
    struct item *row)
{
    bool *marks;
    int rc = document_visible(old, &marks, &n->step);

    for (uint32_t i = 0; i < old->cells_n && rc == SYNCLINE_OK; i++) {
        const struct cell *cell = &old->cells[i];
        const struct cell *there = item_find(now, cell->path);
        struct change c = { .dot = *dot, .first = *dot };
        uint32_t ix;

        if (!marks[i])
            continue;
        c.stamp = old->changes[cell->change].stamp;
        if (c.stamp.epoch > n->epoch) /* of another mesh: it says nothing */
            c.stamp.epoch = n->epoch;
        node_see_stamp(n, &c.stamp);
        c.wall_us = old->changes[cell->change].wall_us;
        if (there != NULL && slice_eq(there->value, cell->value) &&
            stamp_cmp(&now->changes[there->change].stamp, &c.stamp) == 0)
            continue;
        if (there == NULL && space_outlived(sp, &c.stamp))
            rc = node_stamp(n, &c.stamp);
        if (rc == SYNCLINE_OK)
            rc = item_add_change(row, &c, &ix, &n->step);
        if (rc == SYNCLINE_OK)
            rc = item_set(row, cell->path, cell->value, ix, &n->step);
    }
    return rc;
}

int write_replay(struct node *n, struct space *sp, struct slice key,
    const struct item *old, const struct dot *dot, uint64_t lsn)
{
    struct stored st;
    struct merging m = { n, sp, key, &st, false, NULL };
    struct merge_sink sink = merging_sink(&m);
    struct merge_result what;
    struct item row;
    int rc = item_load(n, sp, key, &st);

    item_init(&row);
    m.returned = st.existed && !st.was_alive;
    if (PLANTED(JOIN_DROPS))
        return rc;
    if (rc == SYNCLINE_OK)
        rc = replay_row(n, sp, old, &st.item, dot, &row);
    if (rc != SYNCLINE_OK || row.cells_n == 0)
        return rc;
    if (item_alive(&st.item))
        row.length = st.item.length;
    else if (st.item.length > 0)
        row.length = st.item.length - 1; /* deleted there: it loses */
    else
        row.length = item_replayed_life(0, sp->s.floors.length);
    row.version = old->version;
    if (!item_alive(&st.item) && row.version <= sp->s.floors.version)
        row.version = item_next_version(sp->s.floors.version);
    if (st.item.length == 0 && sp->s.floors.length > 0)
        rc = vv_copy(&row.birth, &sp->have, &n->step);
    if (rc == SYNCLINE_OK)
        rc = vv_add(&row.ctx, dot, &n->step);
    if (rc == SYNCLINE_OK)
        rc = item_normalise(&row, &n->step);
    if (rc == SYNCLINE_OK)
        rc = item_join(&st.item, &row, &sp->have, &sink, &what, &n->step);
    n->counts.items_replayed++;
    if (rc != SYNCLINE_OK)
        return rc;
    return item_store(n, sp, key, &st, lsn > 0 ? lsn : space_next_lsn(sp));
}
