/* What of an item or a record of a conflict goes to a peer now. */
#include "base/plant.h"
#include "repl/access_impl.h"
#include "repl/mesh_impl.h"
#include "repl/send_impl.h"

#include <stdlib.h>

#define SEAL_US ((uint64_t)1000 * 1000) /* before it is tried again */

/* A sealed item is called what its changes say: of one that the peer knows all
 * of, one goes along. */
static bool goes(
    const struct filling *f, const struct item *it, uint32_t ix, bool has_all)
{
    return !vv_covers(&f->s->peer_has, &it->changes[ix].dot) ||
        (has_all && ix == 0 && f->s->space->sealed);
}

/* The cells that the peer lacks, with the whole header. */
static int leave_known(struct filling *f, struct row_out *row, bool none)
{
    struct arena *a = &f->node->step;
    const struct item *it = &row->item;
    struct item part = *it;
    int rc;

    f->node->counts.rows_part++;
    part.cells = arena_alloc(a, (it->cells_n + 1) * sizeof *part.cells);
    if (part.cells == NULL)
        return SYNCLINE_ENOMEM;
    part.cells_n = 0;
    part.cells_cap = it->cells_n;
    for (uint32_t i = 0; i < it->cells_n; i++)
        if (goes(f, it, it->cells[i].change, none))
            part.cells[part.cells_n++] = it->cells[i];
    if (it->tomb >= 0 && !goes(f, it, (uint32_t)it->tomb, none))
        part.tomb = -1;
    rc = item_normalise(&part, a);
    return rc == SYNCLINE_OK ? row_out_make(row, &part, a) : rc;
}

/* What the peer lacks of a row, sealed if it is a relay. A row that goes as it
 * is, is not read any further than its changes. */
static int make_row(struct filling *f, struct row_out *row)
{
    const struct item *it = &row->item;
    struct reader r = reader_of(row->rest);
    bool all = true, none = true;
    int rc = SYNCLINE_OK;

    for (uint32_t i = 0; i < it->changes_n; i++) {
        bool known = vv_covers(&f->s->peer_has, &it->changes[i].dot);

        all = all && !known;
        none = none && known;
    }
    if (all && f->by == NULL)
        return SYNCLINE_OK;
    if (get_item_cells(&r, &row->item, &f->node->step) != SYNCLINE_OK)
        return r.err == SYNCLINE_ENOMEM ? r.err : SYNCLINE_ECORRUPT;
    if (!all)
        rc = leave_known(f, row, none);
    return rc == SYNCLINE_OK && f->by != NULL ? border_out(f->by, row) : rc;
}

static int start_transfer(struct filling *f, const struct entry *e,
    const struct vv *ctx, struct slice name, struct slice what)
{
    struct transfer *t = calloc(1, sizeof *t);
    int rc;

    if (t == NULL)
        return SYNCLINE_ENOMEM;
    t->session = f->s;
    t->no = ++f->conn->transfers;
    t->lsn = e->lsn;
    t->what = held_new(e, ctx);
    buf_put_u8(&t->row, (uint8_t)e->kind);
    put_bytes(&t->row, name);
    put_bytes(&t->row, what);
    rc = buf_status(&t->row);
    if (rc != SYNCLINE_OK || t->what == NULL) {
        buf_free(&t->row);
        free(t->what);
        free(t);
        return SYNCLINE_ENOMEM;
    }
    held_remove_entry(f->s, e->kind, e->tail);
    f->conn->transfer = t;
    f->node->counts.larges_sent++;
    f->node->counts.large_conflicts_sent += e->kind == FEED_CONFLICT;
    f->s->mark_sent = false;
    return SYNCLINE_OK;
}

/* What is too large for a batch goes in fragments, one at a time, under the
 * name that it has over there. */
static int send_large(struct filling *f, const struct entry *e, uint64_t lsn,
    const struct vv *ctx, struct slice name, struct slice what)
{
    if (lsn > f->s->space->durable_lsn) {
        f->stalled = true; /* a piece of a row must not outlive it */
        return SYNCLINE_OK;
    }
    if (f->conn->transfer == NULL)
        return start_transfer(f, e, ctx, name, what);
    return hold_back(f, e, ctx, true, 0);
}

int read_head(
    struct filling *f, struct slice key, struct stored *st, struct slice *value)
{
    struct node *n = f->node;
    struct reader r;
    int rc = store_get(&n->opt.store, TABLE_ITEM,
        key_item(&n->key, f->s->space->id, key), value);

    if (rc != SYNCLINE_OK)
        return rc;
    r = reader_of(*value);
    st->lsn = get_be64(&r);
    st->revisions = get_varint(&r);
    if (r.err == 0 && get_item_head(&r, &st->item, &n->step) == SYNCLINE_OK)
        return SYNCLINE_OK;
    return r.err == SYNCLINE_ENOMEM ? r.err : SYNCLINE_ECORRUPT;
}

/* All but its cells. */
static int read_row(struct filling *f, struct slice value, struct row_out *out)
{
    struct reader r = reader_of(value);

    (void)get_be64(&r); /* lsn and revisions */
    (void)get_varint(&r);
    out->bytes = r.in;
    if (get_item_changes(&r, &out->item, &f->node->step) != SYNCLINE_OK)
        return r.err == SYNCLINE_ENOMEM ? r.err : SYNCLINE_ECORRUPT;
    out->rest = r.in;
    stored_drop_old(&out->item);
    return SYNCLINE_OK;
}

static int make_row_room(struct filling *f)
{
    uint32_t cap = f->rows_cap == 0 ? 16 : f->rows_cap * 2;
    struct row_out *room;

    if (f->rows_n < f->rows_cap)
        return SYNCLINE_OK;
    room = arena_alloc(&f->node->step, cap * sizeof *room);
    if (room == NULL)
        return SYNCLINE_ENOMEM;
    if (f->rows_n > 0)
        memcpy(room, f->rows, f->rows_n * sizeof *room);
    f->rows = room;
    f->rows_cap = cap;
    return SYNCLINE_OK;
}

static int add_row(struct filling *f, const struct entry *e, size_t item_bytes,
    const struct row_out *row)
{
    struct slice key;

    if (make_row_room(f) != SYNCLINE_OK)
        return SYNCLINE_ENOMEM;
    key = arena_dup(&f->node->step, row->key); /* what is held goes below */
    if (key.ptr == NULL)
        return SYNCLINE_ENOMEM;
    f->weight += item_bytes;
    f->rows[f->rows_n] = *row;
    f->rows[f->rows_n++].key = key;
    f->rows_len += row->key.len + row->bytes.len + 2 * sizeof(uint32_t);
    f->s->mark_sent = false; /* rows that leave owe a mark, news or not */
    f->node->counts.rows_sent++;
    held_remove_entry(f->s, FEED_ITEM, e->tail);
    return SYNCLINE_OK;
}

static bool is_record_of(const struct held *h, struct slice key)
{
    struct slice of, path;
    struct dot dot;

    return h->kind == FEED_CONFLICT &&
        get_conflict_tail(h->key, &of, &path, &dot) == SYNCLINE_OK &&
        slice_eq(of, key);
}

/* A row says what was seen. Should it come before the record of what lost, and
 * we lose the record meanwhile, nobody tells of the value that lost. */
static bool waits_for_record(const struct filling *f, struct slice key)
{
    const struct transfer *t = f->conn->transfer;

    for (uint32_t i = 0; i < f->s->held_n; i++)
        if (is_record_of(f->s->held[i], key))
            return true;
    return t != NULL && t->session == f->s && is_record_of(t->what, key);
}

/* Yet: a key may come, and what is not signed is written again. */
static bool is_not_for_relays(int rc)
{
    return rc == SYNCLINE_ENOTFOUND || rc == SYNCLINE_ELIMIT;
}

/* What older versions wrote of spaces in `_mesh`, under their names. It means
 * nothing any more, and a relay must not read it. */
static bool is_kept_from(const struct filling *f, struct slice key)
{
    return space_is_open(f->s->space) && mesh_is_of_spaces(key) &&
        access_is_across(f->node, f->conn);
}

int consider_item(struct filling *f, const struct entry *e, bool now)
{
    struct node *n = f->node;
    struct row_out row = { .key = e->tail };
    struct slice value;
    struct stored st;
    size_t weight;
    int rc = is_kept_from(f, e->tail) ? SYNCLINE_ENOTFOUND
                                      : read_head(f, e->tail, &st, &value);

    /* Collected, known, or held back as it was before: the feed brings what it
     * is now, in its turn, which is after the records of what lost. */
    if (rc != SYNCLINE_OK || vv_geq(&f->s->peer_has, &st.item.ctx) ||
        st.lsn > e->lsn) {
        held_remove_entry(f->s, e->kind, e->tail);
        return rc == SYNCLINE_ENOTFOUND ? SYNCLINE_OK : rc;
    }
    if (!now && authors_deliver(f, &st.item))
        return hold_back(
            f, e, &st.item.ctx, false, n->now_us + n->opt.forward_us);
    if (waits_for_record(f, e->tail))
        return hold_back(f, e, &st.item.ctx, true, 0);
    value = arena_dup(&n->step, value); /* nothing was read since */
    rc = value.ptr != NULL ? read_row(f, value, &row) : SYNCLINE_ENOMEM;
    weight = row.bytes.len;
    if (rc == SYNCLINE_OK)
        rc = make_row(f, &row);
    if (is_not_for_relays(rc))
        return hold_back(f, e, &st.item.ctx, false, n->now_us + SEAL_US);
    if (rc != SYNCLINE_OK)
        return rc;
    return row.bytes.len <= n->opt.fragment_above
        ? add_row(f, e, weight, &row)
        : send_large(f, e, st.lsn, &st.item.ctx, row.key, row.bytes);
}

/* What a mark may not claim while the record is still on its way: a peer
 * that covers both sides would drop them as known, and if we lose the record
 * meanwhile nobody tells of the value that lost. */
static int sides_of(struct slice record, struct vv *out, struct arena *a)
{
    struct reader r = reader_of(record);
    struct conflict_record c;
    int rc = get_conflict_record(&r, &c);

    *out = (struct vv){ 0 };
    if (rc != SYNCLINE_OK)
        return SYNCLINE_ECORRUPT;
    rc = vv_add(out, &c.loser.dot, a);
    return rc == SYNCLINE_OK && c.winner.dot.seq > 0
        ? vv_add(out, &c.winner.dot, a)
        : rc;
}

/* It becomes a part of the item's history over there. */
static int weigh_item(struct filling *f, struct slice tail)
{
    struct node *n = f->node;
    struct slice key, path, value;
    struct dot dot;
    int rc = get_conflict_tail(tail, &key, &path, &dot);

    if (rc == SYNCLINE_OK)
        rc = store_get(&n->opt.store, TABLE_ITEM,
            key_item(&n->key, f->s->space->id, key), &value);
    if (rc == SYNCLINE_OK)
        f->weight += value.len;
    return rc == SYNCLINE_ENOTFOUND ? SYNCLINE_OK : rc;
}

static bool is_record_kept(const struct filling *f, struct slice tail)
{
    struct slice key, path;
    struct dot dot;

    return get_conflict_tail(tail, &key, &path, &dot) == SYNCLINE_OK &&
        is_kept_from(f, key);
}

/* Where an index is walked, items do not come in the order in which they were
 * written: that a conflict is settled is not told before what was written for
 * that, which would be lost if this node were (all records follow). */
static int unsettle(const struct filling *f, struct slice *record)
{
    uint8_t *open;

    if (f->s->indexing != INDEXING_ITEMS || record->len == 0 ||
        record->ptr[0] != CONFLICT_RESOLVED)
        return SYNCLINE_OK;
    open = arena_alloc(&f->node->step, record->len);
    if (open == NULL)
        return SYNCLINE_ENOMEM;
    memcpy(open, record->ptr, record->len);
    open[0] = CONFLICT_OPEN;
    *record = SLICE(open, record->len);
    return SYNCLINE_OK;
}

int consider_conflict(struct filling *f, const struct entry *e)
{
    struct node *n = f->node;
    struct slice value;
    struct sealed_record out;
    struct reader r;
    struct vv sides;
    uint64_t lsn;
    int rc = is_record_kept(f, e->tail)
        ? SYNCLINE_ENOTFOUND
        : store_get(&n->opt.store, TABLE_CONFLICT,
              key_item(&n->key, f->s->space->id, e->tail), &value);

    if (rc != SYNCLINE_OK) {
        held_remove_entry(f->s, e->kind, e->tail);
        return rc == SYNCLINE_ENOTFOUND ? SYNCLINE_OK : rc;
    }
    r = reader_of(value);
    lsn = get_be64(&r);
    rc = unsettle(f, &r.in);
    if (rc != SYNCLINE_OK)
        return rc;
    out = (struct sealed_record){ e->tail, r.in };
    if (f->by != NULL)
        rc = sealed_record_make(f->by, &out, &out, &n->step);
    if (is_not_for_relays(rc) || out.bytes.len > n->opt.fragment_above) {
        int err = sides_of(r.in, &sides, &n->step);

        if (err != SYNCLINE_OK)
            return err;
        return rc == SYNCLINE_OK
            ? send_large(f, e, lsn, &sides, out.tail, out.bytes)
            : hold_back(f, e, &sides, false, n->now_us + SEAL_US);
    }
    if (rc != SYNCLINE_OK)
        return rc;
    put_bytes(&f->conflicts, out.tail);
    put_bytes(&f->conflicts, out.bytes);
    f->conflicts_n++;
    rc = weigh_item(f, e->tail);
    held_remove_entry(f->s, e->kind, e->tail);
    return rc == SYNCLINE_OK ? buf_status(&f->conflicts) : rc;
}
