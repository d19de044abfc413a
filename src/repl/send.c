/* Batches out: a turn of each session, which is filled (feed.c), marked and
 * sent. */
#include "repl/send_impl.h"

#include "base/plant.h"
#include "repl/access_impl.h"
#include "repl/collect_impl.h"

#include <stdlib.h>

#define CURSOR_STRIDE 1000             /* rows */
#define CURSOR_SLACK 16                /* lsns: walked again, at most */
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

/* With rows, or for the first time, the cursor is free. Alone, or with a mark
 * or records of what is known, it costs a commit, but without it a peer that
 * only ever sends would let us walk all that it sent once more after a restart:
 * now and then. */
static bool owes_cursor(const struct session *s, uint64_t cursor)
{
    if (cursor + 1 <= s->told_cursor)
        return false;
    return s->told_cursor == 0 || s->untold > CURSOR_STRIDE ||
        (s->beat && cursor + 1 - s->told_cursor > CURSOR_SLACK);
}

static bool tells_cursor(const struct filling *f, uint64_t cursor, bool done)
{
    const struct session *s = f->s;

    if (s->indexing != INDEXING_DONE || cursor + 1 <= s->told_cursor)
        return false;
    return f->rows_n > 0 || (done && owes_cursor(s, cursor));
}

/* They go with any mark. Alone they wait: what rises above them has been
 * collected, so that the peer either has done the same or holds it still. */
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
    if (done && floors_are_news(s) &&
        (s->beat || (frame.batch.flags & BATCH_MARK) != 0))
        frame.batch.flags |= BATCH_MARK | BATCH_FLOORS;
    if (s->bootstrapping == BOOTSTRAP_NONE && tells_cursor(f, cursor, done)) {
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

/* One after the other: whoever has taken one is a new replica, and begins all
 * its sessions anew. Of several at once only the first would not be in vain. */
static bool waits_its_turn(const struct conn *c, const struct session *s)
{
    if (s->bootstrapping != BOOTSTRAP_NONE || !session_is_behind(s))
        return false;
    for (const struct session *o = c->sessions; o != NULL; o = o->next)
        if (o->bootstrapping == BOOTSTRAP_SENDING)
            return true;
    return false;
}

static int end_bootstrap(struct node *n, struct conn *c, struct session *s)
{
    struct frame f = { .type = FRAME_BOOTSTRAP,
        .bootstrap = { .space = s->space->token,
            .stage = BOOTSTRAP_ENDS,
            .vector = s->space->have,
            .floors = s->space->s.floors } };

    s->bootstrapping = BOOTSTRAP_SENT;
    s->wanted = false;    /* it subscribes anew, as another replica */
    n->want_flush = true; /* unless it was deaf: then others may follow */
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
    struct sealer by;
    int rc = SYNCLINE_OK;

    if (border_is_here(n, c, s->space) && !PLANTED(R25_CLEAR)) {
        rc = border_sealer(n, s->space, &by);
        f.by = &by;
    }
    if (rc == SYNCLINE_OK)
        rc = release_held(&f);
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

bool send_has_news(const struct session *s)
{
    return s->indexing != INDEXING_DONE || s->at.len > 0 ||
        s->pos != s->space->s.lsn || !s->mark_sent ||
        (s->held_n == 0 && !s->whole_sent) ||
        !vv_geq(&s->peer_has, &s->space->have);
}

bool send_has_to_tell(const struct session *s)
{
    return s->wanted &&
        (floors_are_news(s) || s->pos + 1 > s->told_cursor + CURSOR_SLACK);
}

/* Nothing is new to the peer: what pump would find out at some cost. */
static bool is_at_rest(const struct conn *c, const struct session *s)
{
    return s->held_n == 0 && c->transfer == NULL && !send_has_news(s) &&
        !owes_cursor(s, s->pos) && !(s->beat && floors_are_news(s));
}

/* A session's turn: as many batches as the peer's window takes. */
static int flush_session(struct node *n, struct conn *c, struct session *s)
{
    bool more = s->wanted && !s->space->suspect && !c->closing &&
        (session_is_behind(s) || !is_at_rest(c, s));
    int rc = SYNCLINE_OK;

    if (more && s->bootstrapping == BOOTSTRAP_NONE && session_is_behind(s))
        rc = begin_bootstrap(n, c, s);
    if (rc != SYNCLINE_OK)
        return rc;
    for (int turns = 0; more && turns < 64; turns++) {
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
    s->beat = s->beat && more;
    if (!more)
        s->calm_at = s->space->news + 1;
    else if (c->in_flight < n->opt.window_bytes)
        n->want_flush = true;
    return SYNCLINE_OK;
}

int send_flush(struct node *n)
{
    for (struct conn *c = n->conns; c != NULL; c = c->next) {
        if (!c->greeted || c->closing)
            continue;
        if (PLANTED(IDLE_DEAF) && n->now_us - c->opened_us > 55000000)
            continue;
        for (struct session *s = c->sessions; s != NULL; s = s->next) {
            int rc = session_is_calm(s) || waits_its_turn(c, s)
                ? SYNCLINE_OK
                : flush_session(n, c, s);

            if (rc != SYNCLINE_OK)
                return rc;
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

/* From where on the peer is sent what it lacks. */
static void begin_sending(
    struct node *n, struct session *s, const struct frame_subscribe *f)
{
    const struct space *sp = s->space;

    s->wanted = true;
    s->until = sp->durable_lsn;
    s->pos = f->has_cursor ? f->cursor : 0;
    s->told_cursor = f->has_cursor ? f->cursor + 1 : 0;
    s->told_floors = (struct floors){ 0 };
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
}

/* What the peer is told of what is durable, here and elsewhere. */
static void begin_acking(
    struct node *n, struct session *s, const struct frame_subscribe *f)
{
    /* It may have forgotten what it was told, with what did not count. */
    if ((f->flags & SUBSCRIBE_AGAIN) != 0) {
        s->owes_acks = true;
        arena_reset(&s->acked_arena);
        s->acked = (struct vv){ 0 };
    }
    s->owes_acks = s->owes_acks || !s->subscribed;
    n->acks_news = n->acks_news || s->owes_acks;
    s->subscribed = s->ack_now = true;
}

int send_on_subscribe(struct node *n, struct conn *c,
    const struct frame_subscribe *f, uint32_t no)
{
    struct space *sp = space_by_token(n, &f->space);
    struct session *s;
    struct vv have = { 0 };
    bool gave;
    int rc = SYNCLINE_OK;

    if (sp == NULL) {
        rc = carry_open(n, c, &f->space);
        if (rc != SYNCLINE_OK)
            return rc;
        sp = space_by_token(n, &f->space);
    }
    if (sp == NULL || !access_is_shared(n, c, sp))
        return conn_keep_early(c, f, no);
    s = session_of(c, sp);
    if (s == NULL || vv_copy(&have, &f->have, &n->step) != SYNCLINE_OK)
        return SYNCLINE_ENOMEM;
    sp->clipped = access_clamp(n, sp, &have) || sp->clipped;
    if (vv_get(&f->have, &n->replica) > vv_get(&sp->have, &n->replica) ||
        (f->has_cursor && f->cursor > sp->s.lsn)) {
        return node_doubt(n); /* it knows more of us than we do */
    }
    carry_look_back(n, c, sp, &have);
    gave = gives_bootstrap(c, s);
    send_forget(c, s);
    arena_reset(&s->arena);
    s->peer_has = (struct vv){ 0 };
    begin_sending(n, s, f);
    begin_acking(n, s, f);
    arena_reset(&s->claims_arena);
    s->claims = (struct vv){ 0 };
    if (vv_copy(&s->peer_has, &have, &s->arena) != SYNCLINE_OK ||
        vv_copy(&s->claims, &have, &s->claims_arena) != SYNCLINE_OK ||
        (!PLANTED(M14) && !PLANTED(R29_ACKED) &&
            ack_lower(n, &c->device, sp, &have) != SYNCLINE_OK))
        return SYNCLINE_ENOMEM;
    if ((PLANTED(M14) || PLANTED(R29_ACKED)) &&
        vv_join(&s->peer_has, acked_by(n, &c->device, sp), &s->arena) !=
            SYNCLINE_OK)
        return SYNCLINE_ENOMEM;
    if ((f->flags & SUBSCRIBE_DURABLE) != 0)
        rc = ack_learn(n, &c->device, sp, &have, false);
    if (rc == SYNCLINE_OK && (f->flags & SUBSCRIBE_AGAIN) != 0)
        rc = begin_answer(n, c, sp, no);
    return rc == SYNCLINE_OK && gave && !session_is_behind(s)
        ? conn_subscribe(n, c, sp)
        : rc;
}
