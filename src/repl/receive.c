/* Batches in: rows, then their records of conflicts, then the mark. */
#include "base/plant.h"
#include "repl/access_impl.h"
#include "repl/border.h"
#include "repl/collect_impl.h"
#include "repl/receive_impl.h"
#include "repl/proofs.h"
#include "repl/sheaves.h"

#include <stdlib.h>

#define AHEAD_US ((uint64_t)60 * 1000 * 1000)

/* Of a replica that was lost; else somebody writes as this one does. */
static int look_at_own(struct node *n, struct space *sp, const struct change *c)
{
    if (rid_eq(&c->dot.replica, &n->replica))
        return node_doubt(n) == SYNCLINE_OK ? SYNCLINE_OK : SYNCLINE_EDENIED;
    sp->reissue = true;
    return rekey_look(n, sp, c);
}

/* Our clock merges every stamp; rows of our own lost replicas, and dots that
 * we do not know of, are noticed. */
static int look_at_changes(
    struct node *n, struct space *sp, struct slice key, const struct item *row)
{
    for (uint32_t i = 0; i < row->changes_n; i++) {
        const struct change *c = &row->changes[i];
        int rc;

        if (!sp->staged && vv_covers(&sp->have, &c->dot))
            continue; /* nobody has looked at it: it is not taken either */
        if (!clock_admits(n, &c->stamp))
            return SYNCLINE_EMALFORMED;
        node_see_stamp(n, &c->stamp);
        rc = clock_look_at(n, sp, key, &c->stamp);
        if (rc != SYNCLINE_OK)
            return rc;
        if (sp->staged)
            continue;
        if (!sp->orphans)
            sp->orphans = owner_of(n, &c->dot.replica) == NULL;
        rc = node_is_mine(n, &c->dot.replica) ? look_at_own(n, sp, c)
                                              : rekey_look(n, sp, c);
        if (rc != SYNCLINE_OK)
            return rc;
    }
    return SYNCLINE_OK;
}

/* Planted: does a change look wrong by the clock here? */
static bool is_ahead(const struct node *n, const struct item *row)
{
    for (uint32_t i = 0; i < row->changes_n; i++)
        if (row->changes[i].stamp.hlc > hlc_of_wall(n->wall_us + AHEAD_US))
            return true;
    return false;
}

/* Its context may name changes that were lost, which no vector ever covers. */
static bool has_news(const struct space *sp, const struct item *row)
{
    for (uint32_t i = 0; i < row->changes_n; i++)
        if (!vv_covers(&sp->have, &row->changes[i].dot))
            return true;
    return false;
}

/* Of a bootstrap: whole, and later than what came of it before, unless it was
 * large and has been overtaken. */
static int stage_row(
    struct node *n, struct space *sp, struct slice key, const struct item *row)
{
    struct stored st;
    int rc = item_load(n, sp, key, &st);

    if (rc != SYNCLINE_OK ||
        (vv_geq(&st.item.ctx, &row->ctx) && !vv_eq(&st.item.ctx, &row->ctx)))
        return rc;
    st.item = *row;
    return item_store(n, sp, key, &st, space_next_lsn(sp));
}

/* A header alone ends no life: nobody has signed it. */
static void lower_to_proven(
    const struct space *sp, const struct item *mine, struct item *row)
{
    if (row->length <= mine->length || mine->length == 0 || has_news(sp, row) ||
        PLANTED(BARE_DEATH))
        return;
    row->length = mine->length;
    row->changes_n = row->cells_n = 0;
    row->tomb = -1;
}

/* It waits for its author's certificate. */
#define PARKED 2

static int check_row(struct node *n, struct space *sp,
    const struct space_token *token, struct slice key, const struct item *row)
{
    if (!access_allows(n, sp, token, row))
        return REFUSED;
    return space_is_open(sp) ? access_check_record(n, key, row) : SYNCLINE_OK;
}

/* It waits by itself: what it shares with others may not come again. */
static int park(
    struct node *n, struct conn *c, struct space *sp, const struct row_in *row)
{
    struct buf whole = { 0 };
    int rc;

    if (row->roots == NULL && row->bytes.ptr != NULL)
        return park_row(n, c, sp, row->key, row->bytes);
    put_item(&whole, &row->item);
    rc = buf_status(&whole);
    if (rc == SYNCLINE_OK)
        rc = park_row(n, c, sp, row->key, buf_slice(&whole));
    buf_free(&whole);
    return rc;
}

/* There is no order in which certificates come before what their devices
 * wrote. Where no more rows can be kept, a session waits for the certificate
 * and is asked anew; but that of `_mesh`, by which it comes, goes on. */
static int wait_for_author(
    struct node *n, struct conn *c, struct space *sp, const struct row_in *row)
{
    struct session *s;
    int rc = sp->staged ? SYNCLINE_ELIMIT : park(n, c, sp, row);

    if (rc != SYNCLINE_ELIMIT)
        return rc;
    if (!space_is_open(sp))
        return REFUSED;
    s = session_of(c, sp);
    if (s == NULL)
        return SYNCLINE_ENOMEM;
    s->leaky = true;
    return SYNCLINE_OK;
}

/* All that may keep a row from being taken. */
static int look_at_row(struct node *n, struct conn *c, struct space *sp,
    const struct space_token *token, const struct row_in *row)
{
    int rc = check_row(n, sp, token, row->key, &row->item);

    if (rc == SYNCLINE_OK)
        rc = proofs_check(n, sp, row);
    if (rc == AUTHOR_UNKNOWN) {
        rc = wait_for_author(n, c, sp, row);
        return rc == SYNCLINE_OK ? PARKED : rc;
    }
    if (rc == SYNCLINE_OK)
        rc = look_at_changes(n, sp, row->key, &row->item);
    if (rc == SYNCLINE_OK)
        rc = forks_look(n, sp, row->key, &row->item);
    return rc == SYNCLINE_OK && n->bad_restart
        ? SYNCLINE_ECLOSED /* taken once this is a new replica */
        : rc;
}

static int take_row(struct node *n, struct conn *c, struct space *sp,
    const struct space_token *token, struct row_in *in)
{
    struct item *row = &in->item;
    struct stored st;
    struct merging m = { n, sp, in->key, &st, false, NULL };
    struct merge_sink sink = merging_sink(&m);
    struct merge_result what;
    uint64_t revisions;
    bool forked = false, late = false;
    int rc;

    if (PLANTED(M23A) && is_ahead(n, row))
        return SYNCLINE_OK;
    if (PLANTED(CLOCK_REFUSES) && is_ahead(n, row))
        return SYNCLINE_EMALFORMED;
    rc = look_at_row(n, c, sp, token, in);
    if (rc != SYNCLINE_OK)
        return rc == PARKED ? SYNCLINE_OK : rc;
    if (sp->staged)
        return stage_row(n, sp, in->key, row);
    if (vv_geq(&sp->have, &row->ctx)) {
        n->counts.rows_known++;
        return SYNCLINE_OK;
    }
    rc = item_load(n, sp, in->key, &st);
    if (rc == SYNCLINE_OK && !st.existed && !has_news(sp, row)) {
        n->counts.rows_known++; /* and collected */
        return SYNCLINE_OK;
    }
    if (rc == SYNCLINE_OK)
        rc = forks_meet(n, sp, in->key, &st.item, row, &forked);
    if (rc == SYNCLINE_OK && forked)
        return REFUSED;
    revisions = st.revisions;
    st.row = row;
    lower_to_proven(sp, &st.item, row);
    if (rc == SYNCLINE_OK)
        rc = return_late(n, sp, in->key, &st, row, &late);
    if (rc == SYNCLINE_OK && !late)
        rc = item_join(&st.item, row, &sp->have, &sink, &what, &n->step);
    if (rc == SYNCLINE_OK && !late &&
        (what.state || what.header || st.revisions != revisions)) {
        bool echoed = sp->echoed && !st.existed;

        arrivals_note(n, c, sp, row);
        rc = item_store(n, sp, in->key, &st, space_next_lsn(sp));
        sp->echoed = echoed;
    }
    return rc;
}

/* From a relay. What does not open is left out, and no mark is believed that
 * might be of it: who made it, or whether we lack a key, the relay cannot know.
 * Without a change a row does not say what it is about. */
static int take_sealed(struct node *n, struct conn *c, struct space *sp,
    const struct space_token *token, const struct sealer *by,
    struct row_in *row)
{
    const struct slice name = row->key;
    struct session *s = by != NULL && !sp->staged ? session_of(c, sp) : NULL;
    int rc = by == NULL ? SYNCLINE_OK : border_in(by, row);

    if (rc == SYNCLINE_OK && (s == NULL || !carry_is_left_out(s, name)))
        return take_row(n, c, sp, token, row);
    if (rc == SYNCLINE_ENOMEM || row->item.changes_n == 0)
        return rc == SYNCLINE_ENOTFOUND ? SYNCLINE_OK : rc;
    n->counts.rows_unopened++;
    if (sp->staged)
        return REFUSED;
    return s != NULL ? carry_leave_out(n, s, name) : SYNCLINE_ENOMEM;
}

static int receive_row(struct node *n, struct conn *c, struct space *sp,
    const struct space_token *token, const struct sealer *by, struct slice key,
    struct slice bytes)
{
    struct row_in row;
    int rc = receive_read_row(n, key, bytes, row_form(sp, by), &row);

    return rc == SYNCLINE_OK ? take_sealed(n, c, sp, token, by, &row) : rc;
}

int receive_again(struct node *n, struct conn *c, struct space *sp,
    struct slice key, struct slice row)
{
    struct slice kept_key = arena_dup(&n->step, key);
    struct slice kept = arena_dup(&n->step, row);
    int rc;

    if (kept_key.ptr == NULL || kept.ptr == NULL)
        return SYNCLINE_ENOMEM;
    rc = receive_row(n, c, sp, &sp->token, NULL, kept_key, kept);
    if (rc == REFUSED)
        access_refuse(n, c, sp);
    return rc == REFUSED ? SYNCLINE_OK : rc;
}

/* What came from this peer whole, into an empty place, and nothing else: it
 * need not be looked at when the feed is walked for this peer. */
static void skip_echo(struct conn *c, struct space *sp, uint32_t rows_n)
{
    struct session *s = session_of(c, sp);

    if (sp->echoed && sp->touched && s != NULL && s->wanted &&
        s->bootstrapping == BOOTSTRAP_NONE && !s->indexing && s->at.len == 0 &&
        s->pos == sp->undo.lsn)
        s->pos = sp->s.lsn;
    if (s != NULL)
        s->untold += rows_n;
}

/* What a batch brings may be more here than a commit should hold: a small row
 * writes the whole of its item, and what that was before. */
struct taking {
    struct node *node;
    struct conn *conn;
    struct space *space;
    const struct frame_batch *batch;
    const struct sealer *by; /* who opens what comes; NULL: it is clear */
    struct piece piece;
    bool told; /* the conflicts are in */
};

/* Rows need no mark, and what came before a failure may stay: it comes again,
 * and is known. The records go first, so that none of them is lost when what
 * its row has seen is not. */
static int take_piece(struct taking *t)
{
    int rc = t->told
        ? SYNCLINE_OK
        : receive_conflicts(t->node, t->conn, t->space, t->by, t->batch);

    t->told = true;
    if (rc == SYNCLINE_OK && !t->space->staged)
        skip_echo(t->conn, t->space, 0);
    if (rc == SYNCLINE_OK)
        rc = piece_end(t->node, &t->piece);
    t->space->echoed = true;
    return rc;
}

static int read_rows(struct taking *t, struct row_in **out)
{
    const struct frame_batch *f = t->batch;
    struct node *n = t->node;
    struct reader r = reader_of(f->rows);
    struct row_in *rows;
    const enum row_form form = row_form(t->space, t->by);
    int rc = SYNCLINE_OK;

    if (f->rows_n > f->rows.len)
        return SYNCLINE_EMALFORMED;
    rows = arena_alloc(&n->step, (f->rows_n + 1) * sizeof *rows);
    if (rows == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < f->rows_n && rc == SYNCLINE_OK; i++) {
        struct slice key = get_bytes(&r), item = get_bytes(&r);

        rc = r.err != 0 ? SYNCLINE_EMALFORMED
                        : receive_read_row(n, key, item, form, &rows[i]);
    }
    if (rc == SYNCLINE_OK)
        rc = reader_end(&r);
    if (rc == SYNCLINE_OK && (f->flags & BATCH_SHEAVES) != 0)
        rc = sheaves_open(n, t->space, form != ROW_CLEAR, f, rows);
    *out = rows;
    return rc;
}

/* NULL: there is no border here. */
static int opener(struct node *n, const struct conn *c, const struct space *sp,
    struct sealer *made, const struct sealer **out)
{
    bool here = border_is_here(n, c, sp);

    *out = here ? made : NULL;
    return here ? border_sealer(n, sp, made) : SYNCLINE_OK;
}

static int receive_rows(struct taking *t)
{
    const struct frame_batch *f = t->batch;
    struct row_in *rows;
    struct sealer by;
    int rc = opener(t->node, t->conn, t->space, &by, &t->by);

    if (rc == SYNCLINE_OK)
        rc = read_rows(t, &rows);
    if (rc == SYNCLINE_OK && t->by != NULL && !t->space->staged)
        rc =
            receive_conflicts_ahead(t->node, t->conn, t->space, t->by, f, rows);
    if (rc != SYNCLINE_OK)
        return rc;
    piece_begin(t->node, &t->piece);
    for (uint32_t i = 0; i < f->rows_n && rc == SYNCLINE_OK; i++) {
        if (i > 0 && node_has_enough(t->node))
            rc = take_piece(t);
        if (rc == SYNCLINE_OK)
            rc = take_sealed(
                t->node, t->conn, t->space, &f->space, t->by, &rows[i]);
    }
    if ((rc == SYNCLINE_OK || rc == REFUSED) && !t->told) {
        /* Rows before one that is refused stay, and so must what they beat. */
        int told = receive_conflicts(t->node, t->conn, t->space, t->by, f);

        if (told != SYNCLINE_OK)
            return told;
    }
    return rc;
}

/* Asked anew, a relay tells all its cursors once more. */
static bool is_stored(
    struct node *n, const struct conn *c, struct space *sp, uint64_t cursor)
{
    struct slice value;
    struct reader r;

    if (!access_is_across(n, c) ||
        store_get(&n->opt.store, TABLE_META,
            key_meta_replica(&n->key, META_CURSOR, sp->id, &c->replica),
            &value) != SYNCLINE_OK)
        return false;
    r = reader_of(value);
    return get_varint(&r) >= cursor && reader_end(&r) == SYNCLINE_OK;
}

static int store_cursor(
    struct node *n, struct conn *c, struct space *sp, uint64_t cursor)
{
    if (is_stored(n, c, sp, cursor))
        return SYNCLINE_OK;
    buf_clear(&n->out);
    put_varint(&n->out, cursor);
    txn_put_buf(&n->txn, TABLE_META,
        key_meta_replica(&n->key, META_CURSOR, sp->id, &c->replica), &n->out);
    return txn_status(&n->txn);
}

/* Planted: a part of the batch reaches the disk before the rest. */
static int save_early(struct node *n, struct conn *c, struct space *sp,
    const struct frame_batch *f)
{
    int rc = SYNCLINE_OK;

    if (PLANTED(M1) && (f->flags & BATCH_CURSOR) != 0)
        rc = store_cursor(n, c, sp, f->cursor);
    for (uint32_t i = 0; PLANTED(M3) && i < f->mark.n; i++) {
        if (vv_covers(&sp->have, &f->mark.e[i]))
            continue;
        buf_clear(&n->out);
        put_varint(&n->out, f->mark.e[i].seq);
        txn_put_buf(&n->txn, TABLE_META,
            key_meta_replica(&n->key, META_SEEN, sp->id, &f->mark.e[i].replica),
            &n->out);
    }
    return rc == SYNCLINE_OK ? node_commit(n) : rc;
}

/* The rows up to the mark are in: now, and only now, V may say so. */
static int receive_mark(struct node *n, struct conn *c, struct space *sp,
    const struct frame_batch *f, bool *unknown)
{
    struct session *s = session_of(c, sp);
    int rc = s == NULL ? SYNCLINE_ENOMEM : standing_vector(n, c, sp, &f->mark);

    if (PLANTED(RELAY_DEAF) && sp->sealed)
        return rc;
    if (rc == SYNCLINE_OK && (f->flags & BATCH_FLOORS) != 0) {
        if (!clock_admits(n, &f->floors.fields))
            return SYNCLINE_EMALFORMED;
        space_raise_floors(n, sp, &f->floors);
    }
    for (uint32_t i = 0; i < f->mark.n && rc == SYNCLINE_OK; i++) {
        struct dot d = f->mark.e[i];

        if (rid_eq(&d.replica, &n->replica) && !vv_covers(&sp->have, &d)) {
            rc = node_doubt(n);
            return rc == SYNCLINE_OK ? SYNCLINE_ECLOSED : rc;
        }
        *unknown = !access_clamp_dot(n, sp, &d) || *unknown;
        sp->clipped = sp->clipped || d.seq != f->mark.e[i].seq;
        if (!vv_covers(&sp->have, &d))
            ack_hasten(n, s);
        rc = space_raise(n, sp, &d);
    }
    sp->reissue_due = rc == SYNCLINE_OK && sp->reissue;
    /* Not before all is here: items of ours that the mesh has would be made
     * anew beside them. */
    if (rc == SYNCLINE_OK && (f->flags & BATCH_WHOLE) != 0)
        rc = join_on_mark(n, sp);
    return rc;
}

static int receive_staged(struct node *n, struct conn *c, struct space *sp,
    const struct frame_batch *f)
{
    struct taking t = { .node = n, .conn = c, .space = sp, .batch = f };

    if ((f->flags & ~(unsigned)(BATCH_HURRY | BATCH_SHEAVES)) != 0)
        return SYNCLINE_EMALFORMED;
    if (f->rows_n == 0 && f->conflicts_n == 0)
        return SYNCLINE_OK;
    return receive_rows(&t);
}

/* Cursor and mark: what comes before them is in, or they wait for it. */
static int receive_end(struct node *n, struct conn *c, struct space *sp,
    const struct frame_batch *f, bool *unknown)
{
    const struct session *s = session_of(c, sp);
    int rc = SYNCLINE_OK;

    if (s == NULL)
        return SYNCLINE_ENOMEM;
    if (s->leaky)
        return SYNCLINE_OK;
    if (has_parked(c, sp) && !PLANTED(PARKED_FORGOTTEN))
        return (f->flags & BATCH_MARK) != 0 ? park_mark(n, c, sp, f) : rc;
    if ((f->flags & BATCH_CURSOR) != 0)
        rc = store_cursor(n, c, sp, f->cursor);
    if (rc == SYNCLINE_OK && (f->flags & BATCH_MARK) != 0)
        rc = receive_mark(n, c, sp, f, unknown);
    return rc;
}

int receive_late(struct node *n, struct conn *c, const struct frame_batch *f)
{
    struct space *sp = space_by_token(n, &f->space);
    bool unknown = false;
    int rc = sp != NULL ? receive_mark(n, c, sp, f, &unknown) : SYNCLINE_OK;

    if (rc == SYNCLINE_OK && unknown)
        access_refuse(n, c, sp);
    return rc;
}

/* What came before the row that is refused may stay: it claims nothing. The
 * connection stays, too, whatever the row was part of: what makes it count, or
 * tells the peer that it does not, is an item of `_mesh` that may be on its
 * way on it. */
static int refuse(struct node *n, struct conn *c, struct space *sp)
{
    access_refuse(n, c, sp);
    return resolve_settle(n);
}

static bool is_refused(
    const struct node *n, struct conn *c, const struct space *sp)
{
    const struct session *s;

    if (!access_is_shared(n, c, sp))
        return true;
    s = session_of(c, sp);
    return s != NULL && s->refusing;
}

/* What follows answers our SUBSCRIBE of that number. */
static int answer_begins(struct node *n, struct conn *c, struct space *sp,
    const struct frame_batch *f)
{
    struct session *s;

    if (f->flags != BATCH_BEGINS || f->rows_n > 0 || f->conflicts_n > 0)
        return SYNCLINE_EMALFORMED;
    if (!access_is_shared(n, c, sp))
        return SYNCLINE_OK;
    s = session_of(c, sp);
    if (s == NULL)
        return SYNCLINE_ENOMEM;
    if (s->awaits != 0 && f->cursor == s->awaits) {
        s->awaits = 0;
        s->refusing = false;
    }
    return SYNCLINE_OK;
}

/* What comes from a peer that is behind is let go. Should it be so no more, by
 * its own word and without a bootstrap, it goes on from what it believes that
 * we have: missed, until we have told it. */
static struct space *target_of(struct conn *c, struct space *sp)
{
    struct space *into = bootstrap_target(c, sp);
    struct session *s = session_of(c, sp);

    if (into == NULL && s != NULL && !s->deaf)
        s->missed = true;
    return into;
}

static bool has_missed(struct conn *c, struct space *sp)
{
    const struct session *s = session_of(c, sp);

    return s != NULL && s->missed;
}

static int ask_again(struct node *n, struct conn *c, struct space *sp)
{
    session_of(c, sp)->missed = false;
    return conn_subscribe_anew(n, c, sp);
}

int receive_batch(struct node *n, struct conn *c, const struct frame_batch *f)
{
    struct space *sp = space_by_token(n, &f->space), *into;
    struct taking t = { .node = n, .conn = c, .space = sp, .batch = f };
    bool unknown = false;
    int rc;

    c->owed += batch_bytes(f);
    if ((f->flags & BATCH_HURRY) != 0)
        c->hurry = true;
    if ((f->flags & BATCH_MARK) == 0 && f->rows_n + f->conflicts_n > 0)
        c->rows_us = n->now_us;
    n->want_flush = n->want_flush || c->hurry;
    rc = standing_rows(n, c, f->rows_n + f->conflicts_n);
    if (rc == SYNCLINE_OK && sp != NULL && (f->flags & BATCH_BEGINS) != 0)
        return answer_begins(n, c, sp, f);
    if (rc != SYNCLINE_OK || sp == NULL || is_refused(n, c, sp))
        return rc;
    into = target_of(c, sp);
    if (into == NULL) {
        n->counts.batches_refused++;
        return SYNCLINE_OK;
    }
    if (into == sp && has_missed(c, sp))
        return ask_again(n, c, sp);
    if (into->staged) {
        sp->staging_us = n->now_us;
        rc = receive_staged(n, c, into, f);
        return rc == REFUSED ? refuse(n, c, sp) : rc;
    }
    rc = PLANTED(M1) || PLANTED(M3) ? save_early(n, c, sp, f) : SYNCLINE_OK;
    sp->echoed = true;
    if (rc == SYNCLINE_OK)
        rc = receive_rows(&t);
    if (rc == REFUSED)
        return refuse(n, c, sp);
    if (rc == SYNCLINE_OK)
        rc = resolve_settle(n);
    if (rc == SYNCLINE_OK)
        rc = receive_end(n, c, sp, f, &unknown);
    if (rc == SYNCLINE_OK)
        rc = receive_claim(n, c, sp, &f->mark);
    if (rc == SYNCLINE_OK && unknown)
        access_refuse(n, c, sp);
    if (rc == SYNCLINE_OK)
        skip_echo(c, sp, f->rows_n);
    return rc;
}

static int begin_incoming(
    const struct node *n, struct incoming *in, const struct frame_fragment *f)
{
    if (f->total == 0 || f->total > receive_row_max(n) || f->offset != 0)
        return SYNCLINE_EMALFORMED;
    buf_free(&in->row);
    in->row.max = (size_t)f->total;
    in->no = f->transfer;
    in->total = f->total;
    in->space = f->space;
    return SYNCLINE_OK;
}

/* All fragments are here. */
static int take_whole(
    struct node *n, struct conn *c, struct space *sp, struct incoming *in)
{
    struct slice row = arena_dup(&n->step, buf_slice(&in->row));
    struct reader r = reader_of(row);
    uint8_t kind = get_u8(&r);
    struct slice key = get_bytes(&r), what = get_bytes(&r);
    const struct sealer *by;
    struct sealer made;
    int rc;

    n->counts.larges_received++;
    buf_free(&in->row);
    if (row.ptr == NULL)
        return SYNCLINE_ENOMEM;
    if (reader_end(&r) != SYNCLINE_OK || kind > FEED_CONFLICT)
        return SYNCLINE_EMALFORMED;
    rc = opener(n, c, sp, &made, &by);
    if (rc == SYNCLINE_OK)
        rc = kind == FEED_ITEM
            ? receive_row(n, c, sp, &in->space, by, key, what)
            : receive_conflict_whole(n, c, sp, by, key, what);
    return rc == SYNCLINE_OK ? resolve_settle(n) : rc;
}

int receive_fragment(
    struct node *n, struct conn *c, const struct frame_fragment *f)
{
    struct incoming *in = &c->incoming;
    struct space *sp = space_by_token(n, &f->space), *into;
    int rc;

    c->owed += f->bytes.len;
    c->hurry = true;
    c->rows_us = n->now_us;
    n->want_flush = true;
    if (sp != NULL && sp->staging_conn == c->id)
        sp->staging_us = n->now_us;
    if (sp == NULL) { /* nor would the whole of it be taken */
        buf_free(&in->row);
        in->no = 0;
        return SYNCLINE_OK;
    }
    if (f->transfer != in->no) {
        rc = begin_incoming(n, in, f);
        if (rc != SYNCLINE_OK)
            return rc;
    }
    if (f->offset != in->row.len || f->total != in->total ||
        f->bytes.len == 0 || f->bytes.len > f->total - f->offset ||
        !space_token_eq(&f->space, &in->space))
        return SYNCLINE_EMALFORMED;
    buf_put_slice(&in->row, f->bytes);
    if (buf_status(&in->row) != SYNCLINE_OK)
        return buf_status(&in->row);
    if (in->row.len < in->total)
        return SYNCLINE_OK;
    into = is_refused(n, c, sp) ? NULL : target_of(c, sp);
    if (into == sp && has_missed(c, sp))
        into = NULL;
    if (into == NULL) {
        buf_free(&in->row);
        return SYNCLINE_OK;
    }
    rc = take_whole(n, c, into, in);
    return rc == REFUSED ? refuse(n, c, sp) : rc;
}
