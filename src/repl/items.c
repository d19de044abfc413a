/* Items in the store: read, put with indexes and counters, dropped; history. */
#include "base/plant.h"
#include "repl/collect_impl.h"
#include "repl/proofs.h"

#define LOOK_EVERY 64 /* versions */

/* They will be written again (adopt.c). */
void stored_drop_old(struct item *it)
{
    for (uint32_t i = 0; i < it->changes_n; i++)
        if (proof_is_old(it->changes[i].proof))
            it->changes[i].proof = SLICE_NONE;
}

/* TABLE_ITEM: be64 lsn, varint revisions, item. */
int stored_decode(struct slice value, struct stored *out, struct arena *a)
{
    struct reader r = reader_of(value);

    *out = (struct stored){ .existed = true };
    out->lsn = get_be64(&r);
    out->revisions = get_varint(&r);
    if (r.err != 0 || get_item(&r, &out->item, a) != SYNCLINE_OK)
        return r.err == SYNCLINE_ENOMEM ? r.err : SYNCLINE_ECORRUPT;
    stored_drop_old(&out->item);
    return reader_end(&r) == SYNCLINE_OK ? SYNCLINE_OK : SYNCLINE_ECORRUPT;
}

static const struct change *last_change(const struct item *it)
{
    const struct change *best = NULL;

    if (it->tomb >= 0)
        return &it->changes[it->tomb];
    for (uint32_t i = 0; i < it->changes_n; i++)
        if (best == NULL || stamp_cmp(&it->changes[i].stamp, &best->stamp) > 0)
            best = &it->changes[i];
    return best;
}

static int remember_before(struct node *n, struct stored *st)
{
    const struct change *last = last_change(&st->item);
    struct buf doc = { 0 };
    int rc;

    st->was_alive = item_alive(&st->item);
    if (last != NULL)
        st->last = *last;
    rc = vv_copy(&st->was, &st->item.ctx, &n->step);
    if (rc != SYNCLINE_OK || !st->was_alive)
        return rc;
    put_document(&doc, &st->item, &n->step);
    st->before = arena_dup(&n->step, buf_slice(&doc));
    rc = buf_status(&doc);
    if (rc == SYNCLINE_OK && st->before.ptr == NULL)
        rc = SYNCLINE_ENOMEM;
    buf_free(&doc);
    return rc;
}

int item_read(
    struct node *n, struct space *sp, struct slice key, struct stored *out)
{
    struct slice value;
    int rc =
        txn_get(&n->txn, TABLE_ITEM, key_item(&n->key, sp->id, key), &value);

    *out = (struct stored){ 0 };
    item_init(&out->item);
    if (rc == SYNCLINE_ENOTFOUND)
        return SYNCLINE_OK;
    if (rc != SYNCLINE_OK)
        return rc;
    value = arena_dup(&n->step, value);
    if (value.ptr == NULL)
        return SYNCLINE_ENOMEM;
    rc = stored_decode(value, out, &n->step);
    out->bytes = value;
    return rc == SYNCLINE_OK ? remember_before(n, out) : rc;
}

int item_load(
    struct node *n, struct space *sp, struct slice key, struct stored *out)
{
    int rc = item_read(n, sp, key, out);

    return rc == SYNCLINE_OK && out->existed
        ? item_print(&out->print, key, &out->item)
        : rc;
}

/* ---- history ---- */

static void put_entry(struct buf *b, const struct history_entry *e)
{
    buf_put_u8(b, e->what);
    put_dot(b, &e->dot);
    put_stamp(b, &e->stamp);
    put_u64(b, e->wall_us);
    put_bytes(b, e->path);
    buf_put_slice(b, e->value);
}

int history_decode(struct slice value, struct history_entry *out)
{
    struct reader r = reader_of(value);
    uint64_t version = out->version;

    *out = (struct history_entry){ .version = version, .what = get_u8(&r) };
    get_dot(&r, &out->dot);
    get_stamp(&r, &out->stamp);
    out->wall_us = get_u64(&r);
    out->path = get_bytes(&r);
    out->value = r.in;
    return r.err == 0 ? SYNCLINE_OK : SYNCLINE_ECORRUPT;
}

struct thinning {
    struct node *node;
    uint64_t keep_from; /* versions below this go */
};

static int thin(void *ctx, struct slice key, struct slice value)
{
    struct thinning *t = ctx;
    struct node *n = t->node;
    struct reader tail =
        reader_of(slice_from(key, key.len >= 8 ? key.len - 8 : 0));
    struct history_entry e = { .version = get_be64(&tail) };
    bool old = e.version < t->keep_from;

    if (!old && n->opt.history_age_us > 0 &&
        history_decode(value, &e) == SYNCLINE_OK)
        old = e.wall_us + n->opt.history_age_us < n->wall_us;
    if (!old)
        return 1;
    txn_del(&n->txn, TABLE_HISTORY, key);
    return SYNCLINE_OK;
}

static int note_last(void *ctx, struct slice key, struct slice value)
{
    struct reader tail =
        reader_of(slice_from(key, key.len >= 8 ? key.len - 8 : 0));

    (void)value;
    *(uint64_t *)ctx = get_be64(&tail);
    return SYNCLINE_OK;
}

/* An item whose record went, and came again, has a past still. */
int history_count(
    struct node *n, const struct space *sp, struct slice key, struct stored *st)
{
    struct buf name = { 0 };
    int rc;

    if (st->revisions > 0 || (sp->s.floors.length == 0 && sp->past == sp->id))
        return SYNCLINE_OK;
    rc = store_scan(&n->opt.store, TABLE_HISTORY,
        key_history_of(&name, sp->past, key), SLICE_NONE, note_last,
        &st->revisions);
    buf_free(&name);
    return rc;
}

static int history_add(struct node *n, struct space *sp, struct slice key,
    struct stored *st, const struct history_entry *e)
{
    struct thinning t = { n, 0 };
    struct buf name = { 0 };
    int rc = history_count(n, sp, key, st);

    if (rc != SYNCLINE_OK)
        return rc;
    st->revisions++;
    buf_clear(&n->out);
    put_entry(&n->out, e);
    txn_put_buf(&n->txn, TABLE_HISTORY,
        key_history(&n->key, sp->past, key, st->revisions), &n->out);
    if (PLANTED(HISTORY_STAYS))
        return SYNCLINE_OK;
    if (st->revisions > n->opt.history_keep) {
        t.keep_from = st->revisions - n->opt.history_keep + 1;
        txn_del(&n->txn, TABLE_HISTORY,
            key_history(&n->key, sp->past, key, t.keep_from - 1));
    }
    /* One goes for each that comes; what else is too many, or too old, is
     * looked for now and then. */
    if (n->opt.history_age_us == 0 && st->revisions % LOOK_EVERY != 0)
        return SYNCLINE_OK;
    rc = store_scan(&n->opt.store, TABLE_HISTORY,
        key_history_of(&name, sp->past, key), SLICE_NONE, thin, &t);
    buf_free(&name);
    return rc;
}

int history_lost(struct node *n, struct space *sp, struct slice key,
    struct stored *st, const struct change *by, const struct cell *cell)
{
    struct history_entry e = { .what = HISTORY_LOST,
        .dot = by->first,
        .stamp = by->stamp,
        .wall_us = by->wall_us,
        .path = cell->path,
        .value = cell->value };

    return history_add(n, sp, key, st, &e);
}

int history_deleted(
    struct node *n, struct space *sp, struct slice key, struct stored *st)
{
    struct history_entry e = { .what = HISTORY_DELETE,
        .dot = st->last.first,
        .stamp = st->last.stamp,
        .wall_us = st->last.wall_us };

    return history_add(n, sp, key, st, &e);
}

/* What the item was before this step, if people can see the difference. */
static int keep_before(struct node *n, struct space *sp, struct slice key,
    struct stored *st, struct slice after)
{
    struct history_entry e = { .what = HISTORY_PUT,
        .dot = st->last.first,
        .stamp = st->last.stamp,
        .wall_us = st->last.wall_us,
        .value = st->before };

    if (!st->existed || sp->staged || (sp->sealed && !PLANTED(RELAY_PASTS)))
        return SYNCLINE_OK;
    if (st->was_alive == item_alive(&st->item) && slice_eq(st->before, after))
        return SYNCLINE_OK;
    return st->was_alive ? history_add(n, sp, key, st, &e)
                         : history_deleted(n, sp, key, st);
}

/* ---- storing ---- */

static void count(struct space_state *s, const struct stored *st,
    const struct item_print *now)
{
    bool dead = st->existed && !st->was_alive;

    s->alive += (uint64_t)item_alive(&st->item) - (uint64_t)st->was_alive;
    s->deleted += (uint64_t)!item_alive(&st->item) - (uint64_t)dead;
    if (PLANTED(PRINT_DRIFT) && st->was_alive && !item_alive(&st->item))
        return;
    s->live.lo += now->live.lo - st->print.live.lo;
    s->live.hi += now->live.hi - st->print.live.hi;
    s->dead.lo += now->dead.lo - st->print.dead.lo;
    s->dead.hi += now->dead.hi - st->print.dead.hi;
}

int item_drop(
    struct node *n, uint32_t id, struct slice key, const struct stored *st)
{
    txn_del(&n->txn, TABLE_ITEM, key_item(&n->key, id, key));
    txn_del(
        &n->txn, TABLE_FEED, key_feed(&n->key, id, st->lsn, FEED_ITEM, key));
    for (uint32_t i = 0; i < st->item.ctx.n; i++)
        txn_del(&n->txn, TABLE_SEEN,
            key_seen(&n->key, id, &st->item.ctx.e[i], key));
    return txn_status(&n->txn);
}

/* What waits for collection is found by a mark of its own. */
static void mark_dead(struct node *n, const struct space *sp, struct slice key,
    const struct stored *st, const struct item_print *now)
{
    bool was = st->existed && print_has_dead(&st->print);
    bool is = print_has_dead(now);
    struct slice mark;

    if (was == is || (!space_collects(sp) && !sp->staged))
        return;
    mark = key_dead(&n->key, sp->id, key);
    if (is)
        txn_put(&n->txn, TABLE_META, mark, SLICE_LIT(""));
    else
        txn_del(&n->txn, TABLE_META, mark);
}

/* The index of context entries follows the item's merged context. */
static void index_context(
    struct node *n, struct space *sp, struct slice key, const struct stored *st)
{
    const struct vv *ctx = &st->item.ctx;

    for (uint32_t i = 0; i < ctx->n; i++) {
        struct dot old = { ctx->e[i].replica,
            vv_get(&st->was, &ctx->e[i].replica) };

        if (old.seq == ctx->e[i].seq)
            continue;
        if (old.seq > 0)
            txn_del(&n->txn, TABLE_SEEN, key_seen(&n->key, sp->id, &old, key));
        txn_put(&n->txn, TABLE_SEEN, key_seen(&n->key, sp->id, &ctx->e[i], key),
            SLICE_LIT(""));
    }
}

static int put_record(struct node *n, struct space *sp, struct slice key,
    const struct stored *st, uint64_t lsn)
{
    bool to_sign = false;

    for (uint32_t i = 0; i < st->item.changes_n && !to_sign; i++)
        to_sign = is_to_sign(n, sp, &st->item.changes[i]);
    buf_clear(&n->out);
    put_be64(&n->out, lsn);
    put_varint(&n->out, st->revisions);
    put_item(&n->out, &st->item);
    if (buf_status(&n->out) != SYNCLINE_OK)
        return buf_status(&n->out);
    if (to_sign)
        sign_later(n, sp, key, &n->out, st, lsn);
    else
        txn_put_buf(
            &n->txn, TABLE_ITEM, key_item(&n->key, sp->id, key), &n->out);
    return txn_status(&n->txn);
}

int item_store(struct node *n, struct space *sp, struct slice key,
    struct stored *st, uint64_t lsn)
{
    struct item_print now;
    struct buf doc = { 0 };
    int rc = item_print(&now, key, &st->item);

    space_touch(sp);
    sp->echoed = false;
    if (st->was_alive && item_alive(&st->item))
        put_document(&doc, &st->item, &n->step);
    if (rc == SYNCLINE_OK)
        rc = buf_status(&doc);
    if (rc == SYNCLINE_OK)
        rc = proofs_settle(n, sp, key, st);
    if (rc == SYNCLINE_OK)
        rc = keep_before(n, sp, key, st, buf_slice(&doc));
    buf_free(&doc);
    if (rc != SYNCLINE_OK)
        return rc;
    if (st->existed)
        txn_del(&n->txn, TABLE_FEED,
            key_feed(&n->key, sp->id, st->lsn, FEED_ITEM, key));
    txn_put(&n->txn, TABLE_FEED, key_feed(&n->key, sp->id, lsn, FEED_ITEM, key),
        SLICE_LIT(""));
    index_context(n, sp, key, st);
    mark_dead(n, sp, key, st, &now);
    rc = put_record(n, sp, key, st, lsn);
    if (rc != SYNCLINE_OK)
        return rc;
    count(&sp->s, st, &now);
    if (space_is_inner(sp))
        n->mesh_changed = true;
    n->want_flush = true;
    return txn_status(&n->txn);
}
