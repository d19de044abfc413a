/* Conflict records: what they say, how two of them join, and which a merge
 * makes. */
#include "base/plant.h"
#include "base/text.h"
#include "repl/sealed.h"

#define WINNER_TOLD_MAX 4096 /* bytes of its value */

/* ---- records ---- */

static void put_contender(struct buf *b, const struct contender *c)
{
    put_dot(b, &c->dot);
    put_stamp(b, &c->stamp);
    put_u64(b, c->wall_us);
    put_bytes(b, c->path);
    buf_put_u8(b, c->value.ptr != NULL);
    put_bytes(b, c->value);
}

static void get_contender(struct reader *r, struct contender *c)
{
    uint8_t has;

    get_dot(r, &c->dot);
    get_stamp(r, &c->stamp);
    c->wall_us = get_u64(r);
    c->path = get_bytes(r);
    has = get_u8(r);
    c->value = get_bytes(r);
    if (r->err == 0 && (has > 1 || (has == 1) != (c->value.len > 0)))
        r->err = SYNCLINE_EMALFORMED;
    if (has == 0)
        c->value = SLICE_NONE;
}

void put_conflict_record(struct buf *b, const struct conflict_record *c)
{
    buf_put_u8(b, c->state);
    put_varint(b, c->length);
    put_contender(b, &c->loser);
    put_contender(b, &c->winner);
}

int get_conflict_record(struct reader *r, struct conflict_record *out)
{
    struct conflict_record c = { .state = get_u8(r) };

    c.length = get_varint(r);
    get_contender(r, &c.loser);
    get_contender(r, &c.winner);
    if (r->err == 0 && (c.state > CONFLICT_STATES || c.loser.dot.seq == 0))
        r->err = SYNCLINE_EMALFORMED;
    if (r->err == 0)
        *out = c;
    return r->err;
}

int conflict_id(char out[13], const struct space *sp, struct slice tail)
{
    static const uint8_t key[16] = "syncline-cid-001";
    struct buf name = { 0 };
    struct hash128 h;
    uint8_t bytes[6];
    int rc;

    buf_put(&name, sp->token.b, SPACE_TOKEN_LEN);
    buf_put_slice(&name, tail);
    rc = buf_status(&name);
    h = siphash128(key, buf_slice(&name));
    buf_free(&name);
    for (int i = 0; i < 6; i++)
        bytes[i] = (uint8_t)(h.lo >> (8 * i));
    hex_encode(out, SLICE(bytes, sizeof bytes));
    return rc;
}

static int store_record(struct node *n, struct space *sp, struct slice tail,
    const struct conflict_record *c, uint64_t old_lsn)
{
    struct buf name = { 0 };

    if (old_lsn > 0)
        txn_del(&n->txn, TABLE_FEED,
            key_feed(&n->key, sp->id, old_lsn, FEED_CONFLICT, tail));
    txn_put(&n->txn, TABLE_FEED,
        key_feed(&n->key, sp->id, c->lsn, FEED_CONFLICT, tail), SLICE_LIT(""));
    buf_clear(&n->out);
    put_be64(&n->out, c->lsn);
    put_conflict_record(&n->out, c);
    txn_put_buf(
        &n->txn, TABLE_CONFLICT, key_item(&name, sp->id, tail), &n->out);
    buf_free(&name);
    n->want_flush = true;
    return txn_status(&n->txn);
}

/* Orders winners: one change may beat a value by several of its cells, and
 * every node must tell the same one. */
static int winner_cmp(const struct contender *a, const struct contender *b)
{
    int c = stamp_cmp(&a->stamp, &b->stamp);

    if (c == 0)
        c = dot_cmp(&a->dot, &b->dot);
    if (c == 0)
        c = path_cmp(a->path, b->path);
    return c != 0 ? c : slice_cmp(a->value, b->value);
}

static bool waits_for_rescue(uint8_t state)
{
    return (state & CONFLICT_RETURNED) != 0 && (state & CONFLICT_RESOLVED) == 0;
}

static int number_cmp(uint64_t a, uint64_t b)
{
    return a == b ? 0 : a < b ? -1 : 1;
}

/* Orders what is told of one loser: what a relay has found after what it was
 * told, for it takes equal values for two; by its winner, then by what a member
 * that came back may have given anew, then by its value, for a device may have
 * said two things in one breath (forks.h). */
static int record_cmp(
    const struct conflict_record *a, const struct conflict_record *b)
{
    int c = (a->state & CONFLICT_TOLD) - (b->state & CONFLICT_TOLD);

    if (c == 0)
        c = winner_cmp(&a->winner, &b->winner);
    if (c == 0)
        c = stamp_cmp(&a->loser.stamp, &b->loser.stamp);
    if (c == 0)
        c = number_cmp(a->length, b->length);
    if (c == 0)
        c = number_cmp(a->loser.wall_us, b->loser.wall_us);
    if (c == 0)
        c = number_cmp(a->winner.wall_us, b->winner.wall_us);
    return c != 0 || PLANTED(FORK_RECORDS)
        ? c
        : slice_cmp(a->loser.value, b->loser.value);
}

/* Is it sealed under keys that count? Who comes new is given no others. */
static int opens(const struct node *n, const struct contender *c, bool *does)
{
    struct sealed_cell cell;
    struct key_id id;
    int rc = sealed_read_cell(c->value, &cell);

    if (rc == SYNCLINE_OK && cell.seal.epoch != 0) {
        memcpy(id.b, cell.seal.key_id, KEY_ID_LEN);
        *does =
            *does && keyring_find(&n->keyring, cell.seal.epoch, &id) != NULL;
    }
    return rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_OK;
}

/* Of two cells of one change that won who can read their paths tells the one
 * that all members do (conflict_correct), but where he could not open it: then
 * he tells no path, or the same one without the value. */
static bool tells_better(const struct conflict_record *c,
    const struct conflict_record *old, bool larger)
{
    const bool without = sealed_is_removed(&c->winner);

    if (!slice_eq(c->winner.path, old->winner.path))
        return c->read ? c->winner.path.len > 0 : larger;
    return without != sealed_is_removed(&old->winner) ? !without : larger;
}

/* Of two tellings of one conflict a relay keeps the one that can be opened; of
 * these, as whoever reads them does, the one with what won. */
static int is_newer(const struct node *n, const struct space *sp,
    const struct conflict_record *c, const struct conflict_record *old,
    bool *newer)
{
    const int order = record_cmp(c, old);
    bool does = true, did = true;
    int rc = SYNCLINE_OK;

    *newer = order > 0;
    if (order == 0 || !sp->sealed ||
        (c->state & CONFLICT_TOLD) != (old->state & CONFLICT_TOLD))
        return rc;
    rc = opens(n, &c->loser, &does);
    if (rc == SYNCLINE_OK)
        rc = opens(n, &c->winner, &does);
    if (rc == SYNCLINE_OK)
        rc = opens(n, &old->loser, &did);
    if (rc == SYNCLINE_OK)
        rc = opens(n, &old->winner, &did);
    if (does != did)
        *newer = does;
    else if (dot_eq(&c->winner.dot, &old->winner.dot))
        *newer = tells_better(c, old, *newer);
    return rc;
}

/* A union: resolved stays resolved, and of two tellings the larger is kept. */
int conflict_join(struct node *n, struct space *sp, struct slice tail,
    const struct conflict_record *c, bool *changed)
{
    struct conflict_record now = *c, old;
    struct slice value;
    uint64_t old_lsn = 0;
    int rc = txn_get(
        &n->txn, TABLE_CONFLICT, key_item(&n->key, sp->id, tail), &value);

    *changed = false;
    if (rc != SYNCLINE_OK && rc != SYNCLINE_ENOTFOUND)
        return rc;
    if (rc == SYNCLINE_OK) {
        struct reader r;
        bool newer;

        value = arena_dup(&n->step, value);
        r = reader_of(value);
        old_lsn = get_be64(&r);
        rc = get_conflict_record(&r, &old);
        if (rc != SYNCLINE_OK)
            return value.ptr == NULL ? SYNCLINE_ENOMEM : SYNCLINE_ECORRUPT;
        rc = is_newer(n, sp, c, &old, &newer);
        if (rc != SYNCLINE_OK)
            return rc;
        /* By a key that is not heard of yet, perhaps: then it comes again. */
        sp->clipped =
            sp->clipped || (sp->sealed && !newer && record_cmp(c, &old) > 0);
        if (!newer && (c->state | old.state) == old.state)
            return SYNCLINE_OK;
        now = newer ? *c : old;
        now.state = c->state | old.state;
    }
    if (waits_for_rescue(now.state) &&
        (old_lsn == 0 || !waits_for_rescue(old.state)))
        n->rescued++;
    sp->echoed = false;
    now.lsn = space_next_lsn(sp);
    *changed = true;
    return store_record(n, sp, tail, &now, old_lsn);
}

int conflict_known(
    struct node *n, struct space *sp, struct slice tail, bool *known)
{
    struct slice value;
    int rc = txn_get(
        &n->txn, TABLE_CONFLICT, key_item(&n->key, sp->id, tail), &value);

    *known = rc == SYNCLINE_OK;
    return rc == SYNCLINE_ENOTFOUND ? SYNCLINE_OK : rc;
}

/* What lost stays where it is, by what is told of it. */
bool conflict_hides(const struct conflict_record *c)
{
    return !slice_eq(c->loser.path, c->winner.path) &&
        (c->winner.path.len > 0 || c->winner.value.ptr != NULL);
}

struct looking_back {
    const struct contender *loser;
    bool found;
};

static int look_back(void *ctx, struct slice key, struct slice value)
{
    struct looking_back *l = ctx;
    struct history_entry e = { .version = 0 };
    int rc = history_decode(value, &e);

    (void)key;
    l->found = rc == SYNCLINE_OK && e.what == HISTORY_LOST &&
        dot_eq(&e.dot, &l->loser->dot) && slice_eq(e.path, l->loser->path);
    return rc == SYNCLINE_OK ? l->found : rc;
}

int conflict_in_past(struct node *n, struct space *sp, struct slice key,
    struct slice tail, bool *is)
{
    struct looking_back l = { .found = false };
    struct conflict_record c;
    struct slice value;
    struct reader r;
    struct buf name = { 0 };
    int rc = txn_get(
        &n->txn, TABLE_CONFLICT, key_item(&n->key, sp->id, tail), &value);

    *is = rc == SYNCLINE_OK;
    if (rc != SYNCLINE_OK)
        return rc == SYNCLINE_ENOTFOUND ? SYNCLINE_OK : rc;
    value = arena_dup(&n->step, value);
    r = reader_of(slice_from(value, 8));
    if (get_conflict_record(&r, &c) != SYNCLINE_OK)
        return value.ptr == NULL ? SYNCLINE_ENOMEM : SYNCLINE_ECORRUPT;
    if (!conflict_hides(&c))
        return SYNCLINE_OK;
    l.loser = &c.loser;
    rc = store_scan(&n->opt.store, TABLE_HISTORY,
        key_history_of(&name, sp->past, key), SLICE_NONE, look_back, &l);
    buf_free(&name);
    *is = l.found;
    return rc;
}

/* ---- told once more ---- */

struct telling {
    struct node *node;
    struct buf at; /* it goes on from here */
    struct slice tails[256];
    uint32_t n;
};

static int note_tail(void *ctx, struct slice key, struct slice value)
{
    struct telling *t = ctx;

    (void)value;
    if (t->n == 256)
        return 1;
    t->tails[t->n] = arena_dup(&t->node->step, slice_from(key, 4));
    return t->tails[t->n++].ptr != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

static int tell_again(struct node *n, struct space *sp, struct slice tail)
{
    struct conflict_record c;
    struct slice value;
    struct reader r;
    uint64_t old_lsn;
    int rc = txn_get(
        &n->txn, TABLE_CONFLICT, key_item(&n->key, sp->id, tail), &value);

    if (rc != SYNCLINE_OK)
        return rc == SYNCLINE_ENOTFOUND ? SYNCLINE_OK : rc;
    value = arena_dup(&n->step, value);
    r = reader_of(value);
    old_lsn = get_be64(&r);
    if (get_conflict_record(&r, &c) != SYNCLINE_OK)
        return value.ptr == NULL ? SYNCLINE_ENOMEM : SYNCLINE_ECORRUPT;
    c.lsn = space_next_lsn(sp);
    return store_record(n, sp, tail, &c, old_lsn);
}

int conflict_correct(struct node *n, struct space *sp, struct slice tail,
    const struct conflict_record *told)
{
    struct conflict_record c;
    struct slice value;
    struct reader r;
    int rc;

    rc = txn_get(
        &n->txn, TABLE_CONFLICT, key_item(&n->key, sp->id, tail), &value);
    if (rc != SYNCLINE_OK)
        return rc == SYNCLINE_ENOTFOUND ? SYNCLINE_OK : rc;
    r = reader_of(slice_from(value, 8));
    if (get_conflict_record(&r, &c) != SYNCLINE_OK)
        return SYNCLINE_ECORRUPT;
    return dot_eq(&c.winner.dot, &told->winner.dot) &&
            (path_cmp(c.winner.path, told->winner.path) > 0 ||
                (told->winner.value.ptr == NULL && c.winner.value.ptr != NULL))
        ? tell_again(n, sp, tail)
        : SYNCLINE_OK;
}

static int tell_some(struct telling *t, struct space *sp, bool *more)
{
    struct node *n = t->node;
    struct buf key = { 0 };
    struct slice from = arena_dup(&n->step, buf_slice(&t->at));
    struct piece piece;
    uint32_t i = 0;
    int rc;

    if (from.ptr == NULL)
        return SYNCLINE_ENOMEM;
    t->n = 0;
    piece_begin(n, &piece);
    rc = store_scan(&n->opt.store, TABLE_CONFLICT, key_space(&key, sp->id),
        from, note_tail, t);
    while (i < t->n && rc == SYNCLINE_OK && (i == 0 || !node_has_enough(n)))
        rc = tell_again(n, sp, t->tails[i++]);
    *more = i < t->n || t->n == 256;
    if (rc == SYNCLINE_OK && i > 0) {
        buf_clear(&t->at);
        buf_put_slice(&t->at, key_item(&key, sp->id, t->tails[i - 1]));
        buf_put_u8(&t->at, 0);
        rc = buf_status(&t->at);
    }
    buf_free(&key);
    return rc == SYNCLINE_OK && node_has_enough(n) ? piece_end(n, &piece) : rc;
}

int conflicts_tell_again(struct node *n, struct space *sp)
{
    struct telling t = { .node = n };
    bool more = true;
    int rc = SYNCLINE_OK;

    (void)key_space(&t.at, sp->id);
    while (rc == SYNCLINE_OK && more)
        rc = tell_some(&t, sp, &more);
    buf_free(&t.at);
    return rc;
}

/* ---- before what settled them is collected ---- */

struct settling {
    struct node *node;
    const struct item *item;
    struct settled {
        struct settled *next;
        struct slice tail;
    } * list;
};

static int note_settled(void *ctx, struct slice key, struct slice value)
{
    struct settling *s = ctx;
    struct reader r = reader_of(slice_from(value, 8));
    struct conflict_record c;
    struct settled *e;

    if (get_conflict_record(&r, &c) != SYNCLINE_OK)
        return SYNCLINE_ECORRUPT;
    /* What is there still can lose once more, to somebody who has not seen it.
     */
    if (c.state != CONFLICT_OPEN || conflict_loser_is_there(s->item, &c) ||
        (!PLANTED(SETTLES_ALL) && !conflict_superseded(s->item, &c)))
        return SYNCLINE_OK;
    e = arena_zalloc(&s->node->step, 1, sizeof *e);
    if (e == NULL)
        return SYNCLINE_ENOMEM;
    e->tail = arena_dup(&s->node->step, slice_from(key, 4));
    e->next = s->list;
    s->list = e;
    return e->tail.ptr != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

int conflicts_settle(
    struct node *n, struct space *sp, struct slice key, const struct item *it)
{
    struct settling s = { .node = n, .item = it };
    struct buf prefix = { 0 };
    int rc = store_scan(&n->opt.store, TABLE_CONFLICT,
        key_conflict_of(&prefix, sp->id, key), SLICE_NONE, note_settled, &s);

    buf_free(&prefix);
    for (struct settled *e = s.list; e != NULL && rc == SYNCLINE_OK;
         e = e->next)
        rc = conflict_mark_resolved(n, sp, e->tail);
    return rc;
}

/* ---- found while merging ---- */

static int on_lost(void *ctx, const struct change *by, const struct cell *cell,
    uint64_t length)
{
    struct merging *m = ctx;
    struct buf tail = { 0 };
    bool in_past = false;
    int rc;

    (void)length;
    /* What showed here goes into the history as a whole document. */
    if (m->space->sealed || PLANTED(HISTORY_SILENT) ||
        (m->stored->existed && item_find(&m->stored->item, cell->path) == cell))
        return SYNCLINE_OK;
    rc = conflict_in_past(m->node, m->space, m->key,
        key_conflict_tail(&tail, m->key, cell->path, &by->first), &in_past);
    buf_free(&tail);
    if (rc != SYNCLINE_OK || in_past)
        return rc;
    return history_lost(m->node, m->space, m->key, m->stored, by, cell);
}

/* The item as it was: what is merged changes it where it stands. */
static int load_before(struct merging *m)
{
    struct merged_before *before;
    struct stored st;
    int rc;

    if (m->before != NULL)
        return SYNCLINE_OK;
    before = arena_alloc(&m->node->step, sizeof *before);
    if (before == NULL)
        return SYNCLINE_ENOMEM;
    rc = stored_decode(m->stored->bytes, &st, &m->node->step);
    before->item = st.item;
    if (rc == SYNCLINE_OK)
        rc = document_visible(&st.item, &before->shown, &m->node->step);
    if (rc == SYNCLINE_OK)
        m->before = before;
    return rc;
}

/* Not in the document that goes into the history, and gone from here on. */
static int remember_hidden(struct merging *m, const struct conflict *c)
{
    const struct item *it;
    const struct change *by;
    const struct cell *cell;
    int rc;

    if (c->stays || m->space->sealed || !m->stored->existed ||
        PLANTED(HISTORY_HIDES))
        return SYNCLINE_OK;
    rc = load_before(m);
    if (rc != SYNCLINE_OK)
        return rc;
    it = &m->before->item;
    cell = item_find(it, c->loser.path);
    if (cell == NULL || cell->value.ptr == NULL || it->length != c->length ||
        m->before->shown[cell - it->cells])
        return SYNCLINE_OK;
    by = &it->changes[cell->change];
    return dot_eq(&by->first, &c->loser.dot)
        ? history_lost(m->node, m->space, m->key, m->stored, by, cell)
        : SYNCLINE_OK;
}

static void count_kind(struct node_counts *counts, const struct conflict *c)
{
    if (c->siblings && c->winner.value.ptr != NULL)
        counts->conflicts_same_path++;
    else if (c->siblings)
        counts->conflicts_removed++;
    else if (c->deletion)
        counts->conflicts_deleted++;
    else if (c->winner.value.ptr == NULL)
        counts->conflicts_lives++;
    else if (path_is_above(c->winner.path, c->loser.path))
        counts->conflicts_above++;
    else
        counts->conflicts_below++;
}

/* One large value may hide thousands of others, or replace what stood above
 * them: each record holds what lost, not each what won. It is told of whole
 * where the two stood at one path. */
static struct contender winner_told(const struct conflict *c)
{
    struct contender w = c->winner;

    if (w.value.len > WINNER_TOLD_MAX && !slice_eq(w.path, c->loser.path))
        w.value = SLICE_NONE;
    return w;
}

static int on_conflict(void *ctx, const struct conflict *c)
{
    struct merging *m = ctx;
    struct node *n = m->node;
    struct conflict_record record = { .state = m->returned ? CONFLICT_RETURNED
                                                           : CONFLICT_OPEN,
        .length = c->length,
        .loser = c->loser,
        .winner = winner_told(c) };
    struct buf tail = { 0 };
    struct slice name =
        key_conflict_tail(&tail, m->key, c->loser.path, &c->loser.dot);
    enum policy policy = space_policy(m->space, m->key);
    bool changed, in_past;
    int rc = buf_status(&tail);

    if (PLANTED(RECORD_ALTERS) && c->siblings && c->winner.value.ptr != NULL)
        record.loser.value = c->winner.value;
    if (m->space->sealed && sealed_is_removed(&c->loser)) {
        buf_free(&tail);
        return rc;
    }

    if (rc == SYNCLINE_OK)
        rc = conflict_in_past(n, m->space, m->key, name, &in_past);
    if (rc == SYNCLINE_OK)
        rc = conflict_join(n, m->space, name, &record, &changed);
    if (rc == SYNCLINE_OK && changed)
        count_kind(&n->counts, c);
    if (rc == SYNCLINE_OK && !in_past)
        rc = remember_hidden(m, c);
    if (rc == SYNCLINE_OK && changed &&
        (policy == POLICY_KEEP_BOTH ||
            (policy == POLICY_CUSTOM && c->siblings)))
        rc = resolve_later(n, m->space, m->key, c, policy);
    buf_free(&tail);
    return rc;
}

struct merge_sink merging_sink(struct merging *m)
{
    return (struct merge_sink){ m, on_conflict, on_lost };
}
