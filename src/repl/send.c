#include "repl/send_impl.h"

#include "base/plant.h"
#include "repl/access_impl.h"
#include "repl/collect_impl.h"

#include <stdlib.h>

#define CURSOR_STRIDE 1000             /* rows */
#define NAME_BYTES ((size_t)16 << 10)  /* a record's, with its lengths */
#define FLUSH_BYTES ((size_t)32 << 20) /* read in one turn, or little more */

/* It may be another session's turn now. */
static void end_transfer(struct conn *c)
{
    buf_free(&c->transfer->row);
    free(c->transfer->what);
    free(c->transfer);
    c->transfer = NULL;
    for (struct session *s = c->sessions; s != NULL; s = s->next)
        session_stir(s);
}

void send_forget(struct conn *c, struct session *s)
{
    while (s->held_n > 0)
        held_remove(s, s->held_n - 1);
    free(s->held);
    s->held = NULL;
    buf_free(&s->at);
    buf_free(&s->records_at);
    if (c->transfer != NULL && c->transfer->session == s)
        end_transfer(c);
    session_stir(s);
    s->wanted = s->mark_sent = s->whole_sent = false;
    s->bootstrapping = BOOTSTRAP_NONE;
    s->indexing = INDEXING_DONE;
    s->pos = s->told_cursor = 0;
}

/* ---- rows ---- */

/* The cells that the peer lacks, with the whole header. */
static int find_lacking(struct filling *f, const struct item *it,
    struct slice stored, struct row_out *out)
{
    const struct vv *has = &f->s->peer_has;
    struct arena *a = &f->node->step;
    struct item part = *it;
    struct buf b = { 0 };
    bool all = true;
    int rc;

    for (uint32_t i = 0; i < it->changes_n && all; i++)
        all = !vv_covers(has, &it->changes[i].dot);
    out->item = *it;
    out->bytes = stored;
    if (all)
        return SYNCLINE_OK;
    f->node->counts.rows_part++;
    part.cells = arena_alloc(a, (it->cells_n + 1) * sizeof *part.cells);
    if (part.cells == NULL)
        return SYNCLINE_ENOMEM;
    part.cells_n = 0;
    part.cells_cap = it->cells_n;
    for (uint32_t i = 0; i < it->cells_n; i++)
        if (!vv_covers(has, &it->changes[it->cells[i].change].dot))
            part.cells[part.cells_n++] = it->cells[i];
    if (it->tomb >= 0 && vv_covers(has, &it->changes[it->tomb].dot))
        part.tomb = -1;
    rc = item_normalise(&part, a);
    if (rc != SYNCLINE_OK)
        return rc;
    out->item = part;
    put_item(&b, &part);
    rc = buf_status(&b);
    out->bytes = arena_dup(a, buf_slice(&b));
    buf_free(&b);
    return rc == SYNCLINE_OK && out->bytes.ptr == NULL ? SYNCLINE_ENOMEM : rc;
}

static int start_transfer(struct filling *f, const struct entry *e,
    const struct vv *ctx, struct slice what)
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
    put_bytes(&t->row, e->tail);
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

/* What is too large for a batch goes in fragments, one at a time. */
static int send_large(struct filling *f, const struct entry *e, uint64_t lsn,
    const struct vv *ctx, struct slice what)
{
    if (lsn > f->s->space->durable_lsn) {
        f->stalled = true; /* a piece of a row must not outlive it */
        return SYNCLINE_OK;
    }
    if (f->conn->transfer == NULL)
        return start_transfer(f, e, ctx, what);
    return hold_back(f, e, ctx, true, 0);
}

int read_item(
    struct filling *f, struct slice key, struct stored *st, struct slice *bytes)
{
    struct node *n = f->node;
    struct slice value;
    struct reader r;
    int rc = store_get(&n->opt.store, TABLE_ITEM,
        key_item(&n->key, f->s->space->id, key), &value);

    if (rc != SYNCLINE_OK)
        return rc;
    value = arena_dup(&n->step, value);
    if (value.ptr == NULL)
        return SYNCLINE_ENOMEM;
    r = reader_of(value);
    (void)get_be64(&r);
    (void)get_varint(&r);
    *bytes = r.in;
    return stored_decode(value, st, &n->step);
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

static int add_row(
    struct filling *f, size_t item_bytes, const struct row_out *row)
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
    held_remove_entry(f->s, FEED_ITEM, key);
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

int consider_item(struct filling *f, const struct entry *e, bool now)
{
    struct node *n = f->node;
    struct row_out row = { .key = e->tail };
    struct slice bytes;
    struct stored st;
    int rc = read_item(f, e->tail, &st, &bytes);

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
    rc = find_lacking(f, &st.item, bytes, &row);
    if (rc != SYNCLINE_OK)
        return rc;
    return row.bytes.len <= n->opt.fragment_above
        ? add_row(f, bytes.len, &row)
        : send_large(f, e, st.lsn, &st.item.ctx, row.bytes);
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

int consider_conflict(struct filling *f, const struct entry *e)
{
    struct node *n = f->node;
    struct slice value;
    struct reader r;
    struct vv sides;
    uint64_t lsn;
    int rc = store_get(&n->opt.store, TABLE_CONFLICT,
        key_item(&n->key, f->s->space->id, e->tail), &value);

    if (rc != SYNCLINE_OK) {
        held_remove_entry(f->s, e->kind, e->tail);
        return rc == SYNCLINE_ENOTFOUND ? SYNCLINE_OK : rc;
    }
    r = reader_of(value);
    lsn = get_be64(&r);
    if (r.in.len > n->opt.fragment_above) {
        rc = sides_of(r.in, &sides, &n->step);
        return rc == SYNCLINE_OK ? send_large(f, e, lsn, &sides, r.in) : rc;
    }
    put_bytes(&f->conflicts, e->tail);
    put_bytes(&f->conflicts, r.in);
    f->conflicts_n++;
    rc = weigh_item(f, e->tail);
    held_remove_entry(f->s, e->kind, e->tail);
    return rc == SYNCLINE_OK ? buf_status(&f->conflicts) : rc;
}

/* ---- marks and batches ---- */

static int exclude(
    const struct session *s, const struct held *h, struct vv *mark)
{
    for (uint32_t i = 0; i < h->ctx.n; i++) {
        const struct dot *d = &h->ctx.e[i];
        uint32_t kept = 0;

        if (vv_covers(&s->peer_has, d))
            continue;
        for (uint32_t k = 0; k < mark->n; k++)
            if (!rid_eq(&mark->e[k].replica, &d->replica))
                mark->e[kept++] = mark->e[k];
        mark->n = kept;
    }
    return SYNCLINE_OK;
}

/* What the peer will have after this batch: V, but for the replicas of which
 * a row is still held back; only what is news to the peer. */
static int make_mark(struct filling *f, struct vv *out)
{
    struct session *s = f->s;
    struct vv mark = { 0 };
    uint32_t kept = 0;
    int rc = vv_copy(&mark, &s->space->have, &f->node->step);

    if (rc != SYNCLINE_OK)
        return rc;
    for (uint32_t i = 0; i < s->held_n; i++)
        (void)!exclude(s, s->held[i], &mark);
    if (f->conn->transfer != NULL && f->conn->transfer->session == s)
        (void)!exclude(s, f->conn->transfer->what, &mark);
    for (uint32_t i = 0; i < mark.n; i++)
        if (!vv_covers(&s->peer_has, &mark.e[i]))
            mark.e[kept++] = mark.e[i];
    mark.n = kept;
    *out = mark;
    return SYNCLINE_OK;
}

static uint64_t safe_cursor(const struct conn *c, const struct session *s)
{
    uint64_t safe = s->pos;

    for (uint32_t i = 0; i < s->held_n; i++)
        if (s->held[i]->lsn <= safe)
            safe = s->held[i]->lsn - 1;
    if (c->transfer != NULL && c->transfer->session == s &&
        c->transfer->lsn <= safe)
        safe = c->transfer->lsn - 1;
    return safe;
}

/* With rows or a mark, the cursor is free. Alone it costs a frame and a
 * commit, but without it a peer that only ever sends would let us walk all
 * that it sent once more after a restart: now and then. */
static bool tells_cursor(
    const struct filling *f, uint64_t cursor, bool done, uint8_t flags)
{
    const struct session *s = f->s;

    if (s->indexing != INDEXING_DONE || cursor + 1 <= s->told_cursor)
        return false;
    if (f->rows_n > 0 || f->conflicts_n > 0 || flags != 0)
        return true;
    return done && (s->tell_cursor || s->untold > CURSOR_STRIDE);
}

static bool floors_are_news(const struct session *s)
{
    return memcmp(&s->told_floors, &s->space->s.floors,
               sizeof s->told_floors) != 0;
}

/* With a key, a path and a vector it must fit a frame. */
static void check_bytes(const struct filling *f)
{
    size_t most = f->node->opt.batch_bytes;

    if (most < FRAME_MAX / 4)
        most = FRAME_MAX / 4; /* what is not durable yet stays together */
    ENSURE(f->rows_len + f->conflicts.len <=
        most + f->node->opt.fragment_above + NAME_BYTES);
}

static int send_rows(struct filling *f, struct frame *frame)
{
    struct frame_batch *b = &frame->batch;
    int rc = sheaves_bind(&f->bound, f->rows, f->rows_n, &f->node->step);

    if (rc != SYNCLINE_OK)
        return rc;
    b->rows = buf_slice(&f->bound.rows);
    b->sheaves = buf_slice(&f->bound.sheaves);
    b->sheaves_n = f->bound.sheaves_n;
    if (b->sheaves_n > 0)
        b->flags |= BATCH_SHEAVES;
    f->conn->in_flight += batch_bytes(b);
    if (f->conn->in_flight >= f->node->opt.window_bytes / 2)
        b->flags |= BATCH_HURRY;
    rc = conn_send(f->node, f->conn, frame);
    if (rc != SYNCLINE_OK)
        return rc;
    f->node->counts.batches_sent++;
    f->node->counts.sheaves_sent += b->sheaves_n;
    return SYNCLINE_OK;
}

static int send_batch(struct filling *f, bool done, bool *sent)
{
    struct session *s = f->s;
    struct frame frame = { .type = FRAME_BATCH,
        .batch = { .space = s->space->token,
            .floors = s->space->s.floors,
            .rows_n = f->rows_n,
            .conflicts = buf_slice(&f->conflicts),
            .conflicts_n = f->conflicts_n } };
    uint64_t cursor = safe_cursor(f->conn, s);
    bool whole;
    int rc = SYNCLINE_OK;

    check_bytes(f);
    done = (done || PLANTED(M2)) && s->bootstrapping == BOOTSTRAP_NONE;
    if (done)
        rc = make_mark(f, &frame.batch.mark);
    if (rc != SYNCLINE_OK)
        return rc;
    whole = done && s->held_n == 0 &&
        (f->conn->transfer == NULL || f->conn->transfer->session != s);
    if (done &&
        (!s->mark_sent || frame.batch.mark.n > 0 || (whole && !s->whole_sent)))
        frame.batch.flags |= BATCH_MARK;
    if (whole && (frame.batch.flags & BATCH_MARK) != 0)
        frame.batch.flags |= BATCH_WHOLE;
    if (done && floors_are_news(s))
        frame.batch.flags |= BATCH_MARK | BATCH_FLOORS;
    if (s->bootstrapping == BOOTSTRAP_NONE &&
        tells_cursor(f, cursor, done, frame.batch.flags)) {
        frame.batch.flags |= BATCH_CURSOR;
        frame.batch.cursor = cursor;
    }
    *sent = f->rows_n > 0 || f->conflicts_n > 0 || frame.batch.flags != 0;
    if (!*sent)
        return SYNCLINE_OK;
    rc = send_rows(f, &frame);
    if (rc != SYNCLINE_OK)
        return rc;
    if ((frame.batch.flags & BATCH_CURSOR) != 0) {
        s->told_cursor = cursor + 1;
        f->node->counts.cursors_sent++;
    }
    s->tell_cursor = false;
    s->untold = 0;
    if ((frame.batch.flags & BATCH_FLOORS) != 0)
        s->told_floors = frame.batch.floors;
    if ((frame.batch.flags & BATCH_MARK) == 0)
        return SYNCLINE_OK;
    if (whole)
        f->node->counts.marks_whole++;
    else
        f->node->counts.marks_partial++;
    s->mark_sent = true;
    s->whole_sent = s->whole_sent || whole;
    if (PLANTED(SESSION_GROWS))
        (void)arena_alloc(&s->arena, 1024);
    if (PLANTED(M14))
        rc = ack_learn(
            f->node, &f->conn->device, s->space, &frame.batch.mark, false);
    if (rc != SYNCLINE_OK)
        return rc;
    return vv_join(&s->peer_has, &frame.batch.mark, &s->arena);
}

static int send_fragment(struct node *n, struct conn *c)
{
    struct transfer *t = c->transfer;
    size_t left = t->row.len - t->offset;
    size_t len = left < n->opt.fragment_bytes ? left : n->opt.fragment_bytes;
    struct frame frame = { .type = FRAME_FRAGMENT,
        .fragment = { .space = t->session->space->token,
            .transfer = t->no,
            .total = t->row.len,
            .offset = t->offset,
            .bytes = SLICE(t->row.ptr + t->offset, len) } };
    int rc = conn_send(n, c, &frame);

    if (rc != SYNCLINE_OK)
        return rc;
    n->counts.fragments_sent++;
    c->in_flight += len;
    t->offset += len;
    if (t->offset < t->row.len)
        return SYNCLINE_OK;
    end_transfer(c);
    /* Its session may owe a mark now, and another's turn may have sent it. */
    n->want_flush = true;
    return SYNCLINE_OK;
}

/* ---- the whole state ---- */

/* All items and conflict records as they are, then what changed meanwhile;
 * nothing is taken into account of what the peer has. */
static int begin_bootstrap(struct node *n, struct conn *c, struct session *s)
{
    struct frame f = { .type = FRAME_BOOTSTRAP,
        .bootstrap = { .space = s->space->token,
            .stage = BOOTSTRAP_BEGINS,
            .vector = s->space->horizon } };

    send_forget(c, s);
    s->wanted = true;
    s->bootstrapping = BOOTSTRAP_SENDING;
    s->peer_has = (struct vv){ 0 };
    s->until = s->space->durable_lsn;
    s->indexing = INDEXING_ALL;
    (void)key_space(&s->at, s->space->id);
    n->counts.bootstraps_given++;
    return buf_status(&s->at) != 0 ? SYNCLINE_ENOMEM : conn_send(n, c, &f);
}

static int end_bootstrap(struct node *n, struct conn *c, struct session *s)
{
    struct frame f = { .type = FRAME_BOOTSTRAP,
        .bootstrap = { .space = s->space->token,
            .stage = BOOTSTRAP_ENDS,
            .vector = s->space->have,
            .floors = s->space->s.floors } };

    s->bootstrapping = BOOTSTRAP_SENT;
    s->wanted = false; /* it subscribes anew, as another replica */
    return conn_send(n, c, &f);
}

/* One batch, and one fragment beside it; *more if there may be another. */
static int pump(struct node *n, struct conn *c, struct session *s, bool *more)
{
    struct filling f = { .node = n, .conn = c, .s = s };
    bool done = false, sent = false;
    size_t before = c->in_flight;
    uint64_t walked = s->walked;
    enum indexing indexing = s->indexing;
    int rc = release_held(&f);

    if (rc == SYNCLINE_OK && s->indexing == INDEXING_ITEMS)
        rc = walk_index(&f);
    else if (rc == SYNCLINE_OK && s->indexing == INDEXING_ALL)
        rc = walk_all(&f);
    else if (rc == SYNCLINE_OK && s->indexing == INDEXING_CONFLICTS)
        rc = walk_conflicts(&f);
    else if (rc == SYNCLINE_OK && !filled(&f))
        rc = walk_feed(&f, &done);
    if (PLANTED(M10) && indexing != s->indexing)
        done = s->indexing == INDEXING_DONE;
    if (rc == SYNCLINE_OK)
        rc = send_batch(&f, done, &sent);
    if (rc == SYNCLINE_OK && c->transfer != NULL)
        rc = send_fragment(n, c);
    if (rc == SYNCLINE_OK && done && s->bootstrapping == BOOTSTRAP_SENDING &&
        s->held_n == 0 && c->transfer == NULL)
        rc = end_bootstrap(n, c, s);
    bound_free(&f.bound);
    buf_free(&f.conflicts);
    *more = !done && !f.stalled &&
        (sent || walked != s->walked || indexing != s->indexing);
    *more = *more || c->in_flight != before;
    return rc;
}

/* Nothing is new to the peer: what pump would find out at some cost. */
static bool is_at_rest(const struct conn *c, const struct session *s)
{
    bool owes_cursor = s->pos + 1 > s->told_cursor &&
        (s->tell_cursor || s->untold > CURSOR_STRIDE);

    return s->indexing == INDEXING_DONE && s->at.len == 0 &&
        s->pos == s->space->s.lsn && s->held_n == 0 && c->transfer == NULL &&
        s->mark_sent && s->whole_sent && !owes_cursor && !floors_are_news(s) &&
        vv_geq(&s->peer_has, &s->space->have);
}

int send_flush(struct node *n)
{
    for (struct conn *c = n->conns; c != NULL; c = c->next) {
        if (!c->greeted || c->closing)
            continue;
        if (PLANTED(IDLE_DEAF) && n->now_us - c->opened_us > 55000000)
            continue;
        for (struct session *s = c->sessions; s != NULL; s = s->next) {
            bool more;

            if (session_is_calm(s))
                continue;
            more = s->wanted && !s->space->suspect && !c->closing &&
                (session_is_behind(s) || !is_at_rest(c, s));

            if (more && s->bootstrapping == BOOTSTRAP_NONE &&
                session_is_behind(s)) {
                int rc = begin_bootstrap(n, c, s);

                if (rc != SYNCLINE_OK)
                    return rc;
            }
            for (int turns = 0; more && turns < 64; turns++) {
                int rc;

                if (c->in_flight >= n->opt.window_bytes ||
                    (turns > 0 && n->step.used > FLUSH_BYTES))
                    break;
                rc = pump(n, c, s, &more);
                if (rc == SYNCLINE_ENOMEM)
                    return rc;
                if (rc != SYNCLINE_OK) { /* numbers are out of step now */
                    conn_close(n, c, rc, "sending failed");
                    break;
                }
                more = more && !is_at_rest(c, s);
            }
            if (!more)
                s->calm_at = s->space->news + 1;
            else if (c->in_flight < n->opt.window_bytes)
                n->want_flush = true;
        }
    }
    return SYNCLINE_OK;
}

/* An empty batch before all that follows. */
static int begin_answer(
    struct node *n, struct conn *c, const struct space *sp, uint32_t no)
{
    struct frame frame = { .type = FRAME_BATCH,
        .batch = { .space = sp->token, .flags = BATCH_BEGINS, .cursor = no } };

    return conn_send(n, c, &frame);
}

/* Who takes one forgets what we had asked for. It has come to nothing, for it
 * asks anew; if it is given none any more, we have to do so, too. */
static bool gives_bootstrap(const struct conn *c, const struct session *s)
{
    return s->bootstrapping != BOOTSTRAP_NONE &&
        (s->space->staging == NULL || s->space->staging_conn != c->id);
}

int send_on_subscribe(struct node *n, struct conn *c,
    const struct frame_subscribe *f, uint32_t no)
{
    struct space *sp = space_by_token(n, &f->space);
    struct session *s;
    struct vv have = { 0 };
    bool gave;
    int rc;

    if (sp == NULL || !access_is_shared(n, c, sp))
        return conn_keep_early(c, f, no);
    s = session_of(c, sp);
    if (s == NULL || vv_copy(&have, &f->have, &n->step) != SYNCLINE_OK)
        return SYNCLINE_ENOMEM;
    (void)access_clamp(n, sp, &have);
    if (vv_get(&f->have, &n->replica) > vv_get(&sp->have, &n->replica) ||
        (f->has_cursor && f->cursor > sp->s.lsn)) {
        return node_doubt(n); /* it knows more of us than we do */
    }
    gave = gives_bootstrap(c, s);
    send_forget(c, s);
    arena_reset(&s->arena);
    s->peer_has = (struct vv){ 0 };
    s->wanted = true;
    s->until = sp->durable_lsn;
    s->pos = f->has_cursor ? f->cursor : 0;
    if (f->has_cursor)
        n->counts.subscribed_by_cursor++;
    else if (f->have.n == 0)
        n->counts.subscribed_from_start++;
    if (!f->has_cursor && f->have.n > 0) {
        struct dot first = { .seq = 0 };

        n->counts.subscribed_by_index++;
        s->indexing = INDEXING_ITEMS;
        (void)key_seen(&s->at, sp->id, &first, SLICE_NONE);
    }
    n->want_flush = true;
    s->owes_acks = s->owes_acks || !s->subscribed;
    n->acks_news = n->acks_news || s->owes_acks;
    s->subscribed = true;
    s->told_floors = (struct floors){ 0 };
    arena_reset(&s->claims_arena);
    s->claims = (struct vv){ 0 };
    s->deaf = false;
    /* It may have forgotten what it was told, with what did not count. */
    arena_reset(&s->acked_arena);
    s->acked = (struct vv){ 0 };
    if (vv_copy(&s->peer_has, &have, &s->arena) != SYNCLINE_OK ||
        vv_copy(&s->claims, &have, &s->claims_arena) != SYNCLINE_OK ||
        (!PLANTED(M14) && ack_lower(n, &c->device, sp, &have) != SYNCLINE_OK))
        return SYNCLINE_ENOMEM;
    if (PLANTED(M14) &&
        vv_join(&s->peer_has, acked_by(n, &c->device, sp), &s->arena) !=
            SYNCLINE_OK)
        return SYNCLINE_ENOMEM;
    rc = begin_answer(n, c, sp, no);
    return rc == SYNCLINE_OK && gave && !session_is_behind(s)
        ? conn_subscribe(n, c, sp)
        : rc;
}
