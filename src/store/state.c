#include "store/state.h"

#include "store/state_impl.h"

#include <stdlib.h>

#define WAL_TRUNCATE_BYTES ((uint64_t)64 << 20)

uint64_t state_checkpointed(const struct state *st)
{
    return st->checkpointed;
}

uint64_t state_wal_bytes(const struct state *st)
{
    return st->wal_bytes;
}

/* What stands in the first column is copied. */
static int keep_first(sqlite3_stmt *q, struct buf *keep, struct slice *value)
{
    buf_clear(keep);
    if (buf_reserve(keep, 1) != NULL)
        buf_put_slice(keep, state_column(q, 0));
    if (buf_status(keep) == SYNCLINE_OK)
        *value = buf_slice(keep);
    return buf_status(keep);
}

/* Steps a query for one row. */
static int get_one(
    sqlite3_stmt *q, struct slice key, struct buf *keep, struct slice *value)
{
    int rc = state_bind(q, 1, key);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(q);
    rc = rc == SQLITE_ROW   ? keep_first(q, keep, value)
        : rc == SQLITE_DONE ? SYNCLINE_ENOTFOUND
                            : SYNCLINE_EIO;
    (void)sqlite3_reset(q);
    return rc;
}

#define IN_ROW 3 /* from then on the next is looked for behind the last */

/* Who follows the feed reads items as they stand, one behind the other: to look
 * there takes less than to search the tree of keys, which are as good as random
 * at a relay. ENOTFOUND: it is elsewhere, if anywhere. */
static int get_next_item(
    struct state *st, struct slice key, struct slice *value)
{
    int rc = SYNCLINE_ENOTFOUND;

    if (st->in_row < IN_ROW)
        return rc;
    if (sqlite3_bind_int64(st->get_id, 1, st->last_id + 1) == SQLITE_OK &&
        sqlite3_step(st->get_id) == SQLITE_ROW &&
        slice_eq(state_column(st->get_id, 1), key)) {
        rc = keep_first(st->get_id, &st->value, value);
        st->last_id++;
    } else {
        st->in_row = 0;
    }
    (void)sqlite3_reset(st->get_id);
    return rc;
}

static int get_item(struct state *st, struct slice key, struct slice *value)
{
    sqlite3_stmt *q = st->get[TABLE_ITEM];
    int64_t id;
    int rc = get_next_item(st, key, value);

    if (rc != SYNCLINE_ENOTFOUND)
        return rc;
    rc = state_bind(q, 1, key);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(q);
    if (rc == SQLITE_ROW) {
        id = sqlite3_column_int64(q, 1);
        st->in_row = id == st->last_id + 1 ? st->in_row + 1 : 0;
        st->last_id = id;
        rc = keep_first(q, &st->value, value);
    } else {
        rc = rc == SQLITE_DONE ? SYNCLINE_ENOTFOUND : SYNCLINE_EIO;
    }
    (void)sqlite3_reset(q);
    return rc;
}

/* A failure leaves each read to its own transaction, which is only slower. */
void state_hold(struct state *st)
{
    (void)sqlite3_exec(st->reader, "BEGIN", NULL, NULL, NULL);
}

void state_let_go(struct state *st)
{
    if (sqlite3_get_autocommit(st->reader) == 0)
        (void)sqlite3_exec(st->reader, "COMMIT", NULL, NULL, NULL);
}

int state_get(
    struct state *st, enum store_table t, struct slice key, struct slice *value)
{
    int rc = t == TABLE_ITEM ? get_item(st, key, value)
                             : get_one(st->get[t], key, &st->value, value);

    return rc == SYNCLINE_EIO ? state_failed(st, st->reader, NULL, "read") : rc;
}

int state_seek(struct state *st, enum store_table t, struct slice from)
{
    if (state_bind(st->scan[t], 1, from) != SQLITE_OK)
        return state_failed(st, st->reader, NULL, "read");
    return SYNCLINE_OK;
}

int state_step(struct state *st, enum store_table t, struct slice *key,
    struct slice *value)
{
    int rc = sqlite3_step(st->scan[t]);

    if (rc == SQLITE_DONE)
        return 0;
    if (rc != SQLITE_ROW)
        return state_failed(st, st->reader, NULL, "read");
    *key = state_column(st->scan[t], 0);
    *value = state_column(st->scan[t], 1);
    return 1;
}

void state_unseek(struct state *st, enum store_table t)
{
    (void)sqlite3_reset(st->scan[t]);
}

/* The projector's view of TABLE_META: what is being written, then the
 * file. */
static int meta_look(struct state *st, struct slice key, struct slice *value)
{
    const struct omap_node *n = omap_get(st->meta_over, key);

    if (n == NULL)
        return get_one(st->meta_get, key, &st->meta_value, value);
    if (n->value.ptr == NULL)
        return SYNCLINE_ENOTFOUND;
    *value = n->value;
    return SYNCLINE_OK;
}

static int meta_get(void *self, struct slice key, struct slice *value)
{
    struct state *st = self;
    int rc = SYNCLINE_OK;

    if (!st->has_looked || !slice_eq(buf_slice(&st->meta_key), key)) {
        st->has_looked = false;
        rc = meta_look(st, key, &st->meta_seen);
        buf_clear(&st->meta_key);
        buf_put_slice(&st->meta_key, key);
        st->has_looked =
            rc == SYNCLINE_OK && buf_status(&st->meta_key) == SYNCLINE_OK;
    }
    if (rc == SYNCLINE_OK)
        *value = st->meta_seen;
    return rc;
}

static int bind_text(sqlite3_stmt *q, int ix, struct slice s)
{
    return sqlite3_bind_text64(q, ix, s.ptr != NULL ? (const char *)s.ptr : "",
        s.len, SQLITE_STATIC, SQLITE_UTF8);
}

/* The columns for people. Left NULL where the projector cannot say. */
static int bind_row(struct state *st, const struct omap_node *n)
{
    const struct store_meta meta = { st, meta_get };
    sqlite3_stmt *q = st->put[TABLE_ITEM];
    struct store_row row = { 0 };
    int rc;

    if (st->opt.project == NULL ||
        st->opt.project(st->opt.project_ctx, &meta, n->key, n->value, &row) !=
            0)
        return SQLITE_OK;
    if (row.space.len > 0)
        rc = bind_text(q, 3, row.space);
    else if (n->key.len >= 4)
        rc = sqlite3_bind_int64(q, 3,
            (int64_t)((uint32_t)n->key.ptr[0] << 24 |
                (uint32_t)n->key.ptr[1] << 16 | (uint32_t)n->key.ptr[2] << 8 |
                n->key.ptr[3]));
    else
        rc = SQLITE_OK;
    if (rc == SQLITE_OK)
        rc = bind_text(q, 4, row.key);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int(q, 5, row.alive);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(q, 6, (int64_t)row.lsn);
    if (rc == SQLITE_OK && row.value.ptr != NULL)
        rc = bind_text(q, 7, row.value);
    return rc;
}

static int write_one(
    struct state *st, enum store_table t, const struct omap_node *n)
{
    sqlite3_stmt *q = n->value.ptr == NULL ? st->del[t] : st->put[t];
    int rc = state_bind(q, 1, n->key);

    if (rc == SQLITE_OK && n->value.ptr != NULL)
        rc = state_bind(q, 2, n->value);
    if (rc == SQLITE_OK && n->value.ptr != NULL && t == TABLE_ITEM)
        rc = bind_row(st, n);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(q);
    (void)sqlite3_reset(q);
    if (t == TABLE_ITEM)
        (void)sqlite3_clear_bindings(q);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int run(sqlite3_stmt *q)
{
    int rc = sqlite3_step(q);

    (void)sqlite3_reset(q);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* A record on its way to where it stands. */
struct placed {
    uint64_t place;
    size_t ix;
    const struct omap_node *node;
};

static int by_place(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;

    return x->place != y->place ? (x->place > y->place) - (x->place < y->place)
                                : (x->ix > y->ix) - (x->ix < y->ix);
}

/* They stand in the tree in the order in which they are written first, and who
 * reads them does so one after the other. */
static int write_items(struct state *st, const struct omap *items)
{
    struct placed *all;
    size_t n = 0;
    int rc = SQLITE_OK;

    for (const struct omap_node *at = omap_first(items); at != NULL;
         at = omap_next(at))
        n++;
    all = calloc(n + 1, sizeof *all);
    if (all == NULL)
        return SQLITE_NOMEM;
    n = 0;
    for (const struct omap_node *at = omap_first(items); at != NULL;
         at = omap_next(at)) {
        all[n] = (struct placed){ .ix = n, .node = at };
        if (at->value.ptr != NULL && st->opt.place != NULL)
            all[n].place = st->opt.place(at->value);
        n++;
    }
    qsort(all, n, sizeof *all, by_place);
    for (size_t i = 0; i < n && rc == SQLITE_OK; i++)
        rc = write_one(st, TABLE_ITEM, all[i].node);
    free(all);
    return rc;
}

/* In key order, so that SQLite walks each tree once, but items. */
static int write_all(struct state *st, const struct omap *tables, uint64_t upto)
{
    int rc = run(st->begin);

    if (rc == SQLITE_OK)
        rc = write_items(st, &tables[TABLE_ITEM]);
    for (int t = 0; t < TABLE_END; t++)
        for (const struct omap_node *n = omap_first(&tables[t]);
             n != NULL && rc == SQLITE_OK && t != TABLE_ITEM; n = omap_next(n))
            rc = write_one(st, (enum store_table)t, n);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(st->upto, 1, (int64_t)upto);
    if (rc == SQLITE_OK)
        rc = run(st->upto);
    return rc == SQLITE_OK ? run(st->commit) : rc;
}

/* Folds the log into the file as far as readers allow. Failing is no harm:
 * what was written is durable in the log, and the next time tries again. */
static void fold_log(struct state *st)
{
    int frames = 0, done = 0;

    (void)sqlite3_wal_checkpoint_v2(
        st->writer, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &done);
    st->wal_bytes = frames > 0 ? (uint64_t)(frames * st->page) : 0;
    if (st->wal_bytes > WAL_TRUNCATE_BYTES &&
        sqlite3_wal_checkpoint_v2(st->writer, NULL, SQLITE_CHECKPOINT_TRUNCATE,
            &frames, &done) == SQLITE_OK)
        st->wal_bytes = 0;
}

int state_write(struct state *st, const struct omap *tables, uint64_t upto,
    struct errmsg *why)
{
    int rc;

    st->meta_over = &tables[TABLE_META];
    st->has_looked = false;
    rc = write_all(st, tables, upto);
    st->meta_over = NULL;
    if (rc != SQLITE_OK) {
        rc = state_failed(
            st, rc == SQLITE_NOMEM ? NULL : st->writer, why, "write");
        if (sqlite3_get_autocommit(st->writer) == 0)
            (void)run(st->rollback);
        return rc;
    }
    st->checkpointed = upto;
    fold_log(st);
    return SYNCLINE_OK;
}

int state_verify(struct state *st, struct errmsg *why)
{
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(
        st->reader, "PRAGMA integrity_check(1)", -1, &q, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(q);
    if (rc != SQLITE_ROW)
        rc = state_failed(st, st->reader, why, "examine");
    else if (strcmp((const char *)sqlite3_column_text(q, 0), "ok") != 0)
        rc = errmsg_set(why, SYNCLINE_ECORRUPT,
            "%s is damaged: %s; restore this folder from a backup, or set "
            "it aside and join again",
            st->path, (const char *)sqlite3_column_text(q, 0));
    else
        rc = SYNCLINE_OK;
    sqlite3_finalize(q);
    return rc;
}
