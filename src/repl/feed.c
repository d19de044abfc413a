/* What a session may have to send: the feed, the index of contexts, all items
 * and records, walked from where it stood. */
#include "repl/send_impl.h"

#include "base/plant.h"
#include "repl/access_impl.h"

#define GATHER_MAX 256
#define LIVE_MAX 512 /* with what is not durable, which stays together */

struct gathering {
    struct node *node;
    struct entry *e; /* room for so many, not cleared */
    uint32_t n;
    bool more;      /* stopped by its size */
    uint64_t until; /* records: none that came later; feed: it is durable */
    const struct session *s;
    struct dot skip_to; /* index: go on from here; seq 0: no */
};

static int copy_entry(
    struct gathering *g, struct slice key, const struct entry *e)
{
    struct entry *to = &g->e[g->n];

    *to = *e;
    to->key = arena_dup(&g->node->step, key);
    if (to->key.ptr == NULL)
        return SYNCLINE_ENOMEM;
    to->tail = SLICE(to->key.ptr + (key.len - e->tail.len), e->tail.len);
    g->n++;
    g->node->counts.rows_walked++;
    return SYNCLINE_OK;
}

static int gather_feed(void *ctx, struct slice key, struct slice value)
{
    struct gathering *g = ctx;
    struct entry e = { 0 };
    int rc = get_feed_key(key, &e.lsn, &e.kind, &e.tail);

    (void)value;
    if (rc != SYNCLINE_OK)
        return rc;
    if (g->n >= (e.lsn > g->until ? LIVE_MAX : GATHER_MAX)) {
        g->more = true;
        return 1;
    }
    return copy_entry(g, key, &e);
}

static int gather_index(void *ctx, struct slice key, struct slice value)
{
    struct gathering *g = ctx;
    struct entry e = { 0 };
    struct dot dot;
    uint64_t has;
    int rc = get_seen_key(key, &dot, &e.tail);

    (void)value;
    if (rc != SYNCLINE_OK)
        return rc;
    has = vv_get(&g->s->peer_has, &dot.replica);
    if (dot.seq <= has) {
        g->skip_to = (struct dot){ dot.replica, has + 1 };
        g->more = true;
        return 1;
    }
    if (g->n == GATHER_MAX) {
        g->more = true;
        return 1;
    }
    e.replica = dot.replica;
    return copy_entry(g, key, &e);
}

static int after_key(struct buf *at, struct slice key)
{
    buf_clear(at);
    buf_put_slice(at, key);
    buf_put_u8(at, 0);
    return buf_status(at);
}

/* Where the walk goes on: just after the entry with this key. */
static int walk_after(struct session *s, struct slice key)
{
    s->walked++;
    return after_key(&s->at, key);
}

/* Found under its first replica that the peer lacks? Else it was, or will
 * be, sent under another. */
static bool first_lacking(
    const struct session *s, const struct item *it, const struct rid *r)
{
    for (uint32_t i = 0; i < it->ctx.n; i++)
        if (!vv_covers(&s->peer_has, &it->ctx.e[i]))
            return rid_eq(&it->ctx.e[i].replica, r);
    return false;
}

static int gather_conflicts(void *ctx, struct slice key, struct slice value)
{
    struct gathering *g = ctx;
    struct reader r = reader_of(value);
    struct entry e = {
        .lsn = get_be64(&r), .kind = FEED_CONFLICT, .tail = slice_from(key, 4)
    };

    if (e.lsn > g->until)
        return SYNCLINE_OK;
    if (g->n == GATHER_MAX) {
        g->more = true;
        return 1;
    }
    return copy_entry(g, key, &e);
}

/* A row says what was seen: the records of what lost go before it. *all: none
 * is left; else s->records_at is where the next batch goes on. */
static int walk_records(struct filling *f, struct slice key, bool *all)
{
    struct node *n = f->node;
    struct session *s = f->s;
    struct entry room[GATHER_MAX];
    struct gathering g = {
        .node = n, .e = room, .until = s->space->durable_lsn, .s = s
    };
    struct buf prefix = { 0 };
    int rc;

    (void)key_conflict_of(&prefix, s->space->id, key);
    if (!slice_has_prefix(buf_slice(&s->records_at), buf_slice(&prefix)))
        buf_clear(&s->records_at);
    rc = store_scan(&n->opt.store, TABLE_CONFLICT, buf_slice(&prefix),
        buf_slice(&s->records_at), gather_conflicts, &g);
    buf_free(&prefix);
    *all = false;
    for (uint32_t i = 0; i < g.n && rc == SYNCLINE_OK; i++) {
        if (filled(f))
            return SYNCLINE_OK;
        rc = consider_conflict(f, &g.e[i]);
        if (rc == SYNCLINE_OK && !f->stalled)
            rc = after_key(&s->records_at, g.e[i].key);
    }
    *all = !f->stalled && !g.more;
    return rc;
}

static int consider_indexed(struct filling *f, struct entry *e, bool *done)
{
    struct session *s = f->s;
    struct slice value;
    struct stored st;
    int rc = read_head(f, e->tail, &st, &value);

    *done = true;
    if (rc != SYNCLINE_OK)
        return rc == SYNCLINE_ENOTFOUND ? SYNCLINE_OK : rc;
    if (st.lsn > s->until || !first_lacking(s, &st.item, &e->replica))
        return SYNCLINE_OK;
    rc = walk_records(f, e->tail, done);
    *done = *done && !filled(f); /* else the row opens the next batch */
    if (rc != SYNCLINE_OK || !*done)
        return rc;
    e->lsn = st.lsn;
    rc = consider_item(f, e, false);
    *done = !f->stalled;
    return rc;
}

int walk_conflicts(struct filling *f)
{
    struct node *n = f->node;
    struct session *s = f->s;
    struct entry room[GATHER_MAX];
    struct gathering g = { .node = n, .e = room, .until = s->until, .s = s };
    struct buf prefix = { 0 };
    int rc = store_scan(&n->opt.store, TABLE_CONFLICT,
        key_space(&prefix, s->space->id), buf_slice(&s->at), gather_conflicts,
        &g);

    buf_free(&prefix);
    for (uint32_t i = 0; i < g.n && rc == SYNCLINE_OK; i++) {
        if (filled(f))
            return SYNCLINE_OK;
        rc = consider_conflict(f, &g.e[i]);
        if (rc == SYNCLINE_OK && !f->stalled)
            rc = walk_after(s, g.e[i].key);
    }
    if (rc != SYNCLINE_OK || f->stalled || g.more)
        return rc;
    s->indexing = INDEXING_DONE;
    s->pos = s->until;
    buf_clear(&s->at);
    return SYNCLINE_OK;
}

static int gather_items(void *ctx, struct slice key, struct slice value)
{
    struct gathering *g = ctx;
    struct reader r = reader_of(value);
    struct entry e = {
        .lsn = get_be64(&r), .kind = FEED_ITEM, .tail = slice_from(key, 4)
    };

    if (e.lsn > g->s->until)
        return SYNCLINE_OK; /* the feed brings it */
    if (g->n == GATHER_MAX) {
        g->more = true;
        return 1;
    }
    return copy_entry(g, key, &e);
}

/* Planted: is it a tombstone? */
static bool is_dead(struct filling *f, struct slice key)
{
    struct slice value;
    struct stored st;

    return read_head(f, key, &st, &value) == SYNCLINE_OK &&
        !item_alive(&st.item);
}

int walk_all(struct filling *f)
{
    struct node *n = f->node;
    struct session *s = f->s;
    struct entry room[GATHER_MAX];
    struct gathering g = { .node = n, .e = room, .s = s };
    struct buf prefix = { 0 };
    int rc = store_scan(&n->opt.store, TABLE_ITEM,
        key_space(&prefix, s->space->id), buf_slice(&s->at), gather_items, &g);

    buf_free(&prefix);
    for (uint32_t i = 0; i < g.n && rc == SYNCLINE_OK; i++) {
        if (filled(f))
            return SYNCLINE_OK;
        if (!PLANTED(M9) || !is_dead(f, g.e[i].tail))
            rc = consider_item(f, &g.e[i], true);
        if (rc == SYNCLINE_OK && !f->stalled)
            rc = walk_after(s, g.e[i].key);
    }
    if (rc != SYNCLINE_OK || f->stalled || g.more)
        return rc;
    s->indexing = INDEXING_CONFLICTS;
    (void)key_space(&s->at, s->space->id);
    s->walked++;
    return buf_status(&s->at);
}

int walk_index(struct filling *f)
{
    struct node *n = f->node;
    struct session *s = f->s;
    struct entry room[GATHER_MAX];
    struct gathering g = { .node = n, .e = room, .s = s };
    struct buf prefix = { 0 };
    int rc = store_scan(&n->opt.store, TABLE_SEEN,
        key_space(&prefix, s->space->id), buf_slice(&s->at), gather_index, &g);

    buf_free(&prefix);
    for (uint32_t i = 0; i < g.n && rc == SYNCLINE_OK; i++) {
        bool done;

        if (filled(f))
            return SYNCLINE_OK;
        rc = consider_indexed(f, &g.e[i], &done);
        if (rc != SYNCLINE_OK || !done)
            return rc;
        rc = walk_after(s, g.e[i].key);
    }
    if (rc != SYNCLINE_OK || f->stalled)
        return rc;
    if (g.skip_to.seq > 0) {
        (void)key_seen(&s->at, s->space->id, &g.skip_to, SLICE_NONE);
        s->walked++;
        return buf_status(&s->at);
    }
    if (g.more)
        return SYNCLINE_OK;
    s->indexing = INDEXING_CONFLICTS;
    (void)key_space(&s->at, s->space->id);
    return buf_status(&s->at);
}

/* What a batch held when its last durable row was in. */
struct cut {
    size_t rows_len, conflicts;
    uint32_t rows_n, conflicts_n, ix;
};

static struct cut cut_here(const struct filling *f, uint32_t ix)
{
    return (struct cut){ f->rows_len, f->conflicts.len, f->rows_n,
        f->conflicts_n, ix };
}

static void cut_back(struct filling *f, const struct cut *c)
{
    f->rows_len = c->rows_len;
    f->conflicts.len = c->conflicts;
    f->rows_n = c->rows_n;
    f->conflicts_n = c->conflicts_n;
}

/* The key that this node has made is not on its disk yet: what is sealed under
 * it would outlive it, should the power go now. */
static bool may_lose_key(const struct node *n, const struct space *sp)
{
    const struct space *mesh;

    if (n->key_lsn == 0 || space_is_open(sp))
        return false;
    mesh = space_by_name(n, SLICE_LIT(MESH_SPACE));
    return n->key_lsn <= mesh->s.lsn && n->key_lsn > mesh->durable_lsn;
}

int walk_feed(struct filling *f, bool *done)
{
    struct node *n = f->node;
    struct session *s = f->s;
    struct entry room[LIVE_MAX];
    struct gathering g = {
        .node = n, .e = room, .until = s->space->durable_lsn, .s = s
    };
    struct buf prefix = { 0 };
    struct cut cut = cut_here(f, 0);
    uint32_t i = 0;
    int rc;

    if (s->at.len == 0 && s->pos == s->space->s.lsn) {
        *done = true;
        return SYNCLINE_OK;
    }
    if (s->at.len == 0)
        (void)key_feed(
            &s->at, s->space->id, s->pos + 1, FEED_FIRST, SLICE_NONE);
    rc = store_scan(&n->opt.store, TABLE_FEED, key_space(&prefix, s->space->id),
        buf_slice(&s->at), gather_feed, &g);
    buf_free(&prefix);
    for (; i < g.n && rc == SYNCLINE_OK && !f->stalled; i++) {
        bool live = g.e[i].lsn > s->space->durable_lsn;

        if (filled(f) &&
            (!live || f->rows_len + f->conflicts.len > FRAME_MAX / 4))
            break;
        f->stalled = live && may_lose_key(n, s->space);
        if (f->stalled)
            break;
        rc = g.e[i].kind == FEED_ITEM
            ? consider_item(f, &g.e[i], s->bootstrapping != BOOTSTRAP_NONE)
            : consider_conflict(f, &g.e[i]);
        if (!live && !f->stalled)
            cut = cut_here(f, i + 1);
    }
    if (rc != SYNCLINE_OK)
        return rc;
    *done = i == g.n && !g.more && !f->stalled;
    if (*done) {
        s->pos = s->space->s.lsn;
        buf_clear(&s->at);
        return SYNCLINE_OK;
    }
    cut_back(f, &cut);
    if (cut.ix == 0)
        return SYNCLINE_OK;
    s->pos = g.e[cut.ix - 1].lsn - 1;
    if (PLANTED(M13)) {
        s->pos++;
        buf_clear(&s->at);
        return SYNCLINE_OK;
    }
    return walk_after(s, g.e[cut.ix - 1].key);
}
