#include "store/store_file.h"

#include "base/plant.h"
#include "store/store_file_impl.h"

/* A checkpoint that failed is tried again after this. */
#define RETRY_MS 1000
/* How many times its bound the overlay may grow if nothing moves down. */
#define OVERLAY_STRETCH 4

static bool has_frozen(const struct store_file *s)
{
    return s->frozen.last != 0;
}

static size_t both_bytes(const struct store_file *s)
{
    return overlay_bytes(&s->active) + overlay_bytes(&s->frozen);
}

static int read_failed(const struct store_file *s, int rc)
{
    if (rc < 0 && rc != SYNCLINE_ENOTFOUND)
        log_line(&s->opt.log, LOG_LEVEL_ERROR, "store",
            "cannot read %s/state.db (%d)", s->dir, rc);
    return rc;
}

static int file_get(
    void *self, enum store_table t, struct slice key, struct slice *value)
{
    struct store_file *s = self;
    const struct omap_node *n = omap_get(&s->active.tables[t], key);

    if (n == NULL && has_frozen(s))
        n = omap_get(&s->frozen.tables[t], key);
    if (n == NULL && t == TABLE_ITEM && bloom_lacks(&s->items, key))
        return SYNCLINE_ENOTFOUND;
    if (n == NULL)
        return read_failed(s, state_get(s->state, t, key, value));
    if (n->value.ptr == NULL)
        return SYNCLINE_ENOTFOUND;
    *value = n->value;
    return SYNCLINE_OK;
}

/* Three sorted rows of records, the upper hiding the lower. */
struct merge {
    struct store_file *s;
    enum store_table table;
    struct slice prefix;
    const struct omap_node *over[2]; /* active, frozen */
    struct slice key, value;         /* of the row below */
    bool below;                      /* there is such a row */
    bool sought;                     /* the file is being read */
};

static int step_below(struct merge *m)
{
    int rc = state_step(m->s->state, m->table, &m->key, &m->value);

    m->below = rc == 1 && slice_has_prefix(m->key, m->prefix);
    return rc < 0 ? rc : SYNCLINE_OK;
}

static void step_over(struct merge *m, int ix)
{
    const struct omap_node *n = omap_next(m->over[ix]);

    m->over[ix] = n != NULL && slice_has_prefix(n->key, m->prefix) ? n : NULL;
}

/* The smallest key's uppermost record; false at the end. */
static bool peek(const struct merge *m, struct slice *key, struct slice *value)
{
    bool any = m->below;

    *key = m->key;
    *value = m->value;
    for (int i = 1; i >= 0; i--) {
        const struct omap_node *n = m->over[i];

        if (n == NULL || (any && slice_cmp(n->key, *key) > 0))
            continue;
        *key = n->key;
        *value = n->value;
        any = true;
    }
    return any;
}

/* Passes by a key in every row. The row below goes last: key may be its. */
static int pass(struct merge *m, struct slice key)
{
    for (int i = 0; i < 2; i++)
        if (m->over[i] != NULL && slice_eq(m->over[i]->key, key))
            step_over(m, i);
    if (m->below && slice_eq(m->key, key))
        return step_below(m);
    return SYNCLINE_OK;
}

static int merge_all(struct merge *m, store_scan_fn *fn, void *ctx)
{
    struct slice key, value;
    int rc = SYNCLINE_OK;

    while (rc == SYNCLINE_OK && peek(m, &key, &value)) {
        if (value.ptr != NULL)
            rc = fn(ctx, key, value);
        if (rc == SYNCLINE_OK)
            rc = read_failed(m->s, pass(m, key));
    }
    return rc > 0 ? SYNCLINE_OK : rc;
}

/* ---- the ends of feeds ---- */

/* NULL: that is no scan of one space's feed. */
static struct feed_end *feed_end_of(const struct merge *m, struct slice start)
{
    return m->table == TABLE_FEED && m->prefix.len == FEED_SPACE_LEN &&
            start.len >= FEED_PLACE_LEN && slice_has_prefix(start, m->prefix)
        ? &m->s->feed_ends[start.ptr[FEED_SPACE_LEN - 1] % FEED_ENDS_N]
        : NULL;
}

static bool is_of(const struct feed_end *e, struct slice start)
{
    return e->known && memcmp(e->place, start.ptr, FEED_SPACE_LEN) == 0;
}

static bool is_behind(const struct feed_end *e, struct slice start)
{
    return e != NULL && is_of(e, start) &&
        memcmp(start.ptr, e->place, FEED_PLACE_LEN) > 0;
}

/* The file has nothing of this space from there on. */
static void note_end(struct feed_end *e, struct slice start)
{
    if (e == NULL ||
        (is_of(e, start) && memcmp(e->place, start.ptr, FEED_PLACE_LEN) <= 0))
        return;
    e->known = true;
    memcpy(e->place, start.ptr, FEED_PLACE_LEN);
}

/* What a checkpoint writes is in the frozen overlay until this is called. */
static void forget_ends(struct store_file *s)
{
    for (size_t i = 0; i < FEED_ENDS_N; i++)
        s->feed_ends[i].known = false;
}

static int seek_below(struct merge *m, struct slice start)
{
    struct feed_end *e = feed_end_of(m, start);
    int rc;

    if (is_behind(e, start))
        return SYNCLINE_OK;
    m->s->feeds_read += e != NULL;
    rc = state_seek(m->s->state, m->table, start);
    m->sought = true;
    if (rc == SYNCLINE_OK)
        rc = step_below(m);
    if (rc == SYNCLINE_OK && !m->below)
        note_end(e, start);
    return rc;
}

/* ---- the port ---- */

static int file_scan(void *self, enum store_table t, struct slice prefix,
    struct slice from, store_scan_fn *fn, void *ctx)
{
    struct store_file *s = self;
    struct slice start = slice_cmp(from, prefix) > 0 ? from : prefix;
    const struct overlay *over[2] = { &s->active, &s->frozen };
    struct merge m = { .s = s, .table = t, .prefix = prefix };
    int rc = seek_below(&m, start);

    for (int i = 0; i < 2; i++) {
        const struct omap_node *n = omap_seek(&over[i]->tables[t], start);

        m.over[i] = n != NULL && slice_has_prefix(n->key, prefix) ? n : NULL;
    }
    if (read_failed(s, rc) == SYNCLINE_OK)
        rc = merge_all(&m, fn, ctx);
    if (m.sought)
        state_unseek(s->state, t);
    return rc;
}

void store_file_apply(struct store_file *s, struct slice ops, uint64_t no)
{
    struct slice rest = ops;
    struct batch_op op;
    int err = SYNCLINE_OK;

    overlay_apply(&s->active, ops, no);
    while (batch_next(&rest, &op, &err))
        if (op.table == TABLE_ITEM && op.value.ptr != NULL)
            bloom_add(&s->items, op.key);
}

/* Everything that can fail comes before anything that is seen. */
static int file_commit(void *self, struct slice ops, uint64_t *no)
{
    struct store_file *s = self;
    int rc = s->status;

    if (rc != SYNCLINE_OK)
        return rc;
    if (both_bytes(s) > s->opt.overlay_bytes * OVERLAY_STRETCH)
        return SYNCLINE_EFULL;
    rc = overlay_reserve(&s->active, ops);
    if (rc == SYNCLINE_OK)
        rc = journal_append(s->journal, ops, no);
    if (rc == SYNCLINE_OK)
        store_file_apply(s, ops, *no);
    return rc;
}

struct store_port store_file_port(struct store_file *s)
{
    return (struct store_port){
        .self = s, .get = file_get, .scan = file_scan, .commit = file_commit
    };
}

uint64_t store_file_last(const struct store_file *s)
{
    return journal_last(s->journal);
}

uint64_t store_file_durable(const struct store_file *s)
{
    return journal_synced(s->journal);
}

uint64_t store_file_was_replayed(const struct store_file *s)
{
    return s->replayed;
}

int store_file_status(const struct store_file *s)
{
    return s->status;
}

int store_file_flush(struct store_file *s)
{
    return s->status != SYNCLINE_OK ? s->status : journal_flush(s->journal);
}

bool store_file_sync_begin(
    struct store_file *s, struct store_sync *job, int *rc)
{
    bool dir = false;

    *rc = s->status;
    if (s->syncing || s->status != SYNCLINE_OK)
        return false;
    *job = (struct store_sync){ .os = s->os };
    *rc = journal_sync_begin(
        s->journal, job->fds, STORE_SYNC_FILES, &job->fds_n, &dir, &job->upto);
    if (*rc != SYNCLINE_OK || job->fds_n == 0)
        return false;
    job->dir = dir ? s->dir : NULL;
    s->syncing = true;
    return true;
}

void store_file_sync_run(struct store_sync *job)
{
    const struct os_port *os = job->os;

    job->rc = SYNCLINE_OK;
    for (unsigned i = 0; i < job->fds_n && job->rc == SYNCLINE_OK; i++)
        job->rc = os->sync(os->self, job->fds[i]);
    if (job->rc == SYNCLINE_OK && job->dir != NULL)
        job->rc = os->sync_dir(os->self, job->dir);
}

static void release(struct store_file *s)
{
    if (!s->may_release || s->syncing || s->replaying)
        return;
    journal_release(s->journal, s->checkpointed);
    s->may_release = false;
}

/* After a failed fdatasync the system may have dropped the pages and will
 * call the next one a success, so there is no next one. */
int store_file_sync_end(
    struct store_file *s, struct store_sync *job, uint64_t *durable)
{
    bool ok = job->rc == SYNCLINE_OK || PLANTED(SYNC_TRUSTED);

    ENSURE(s->syncing);
    s->syncing = false;
    journal_sync_end(s->journal, ok, job->dir != NULL, job->upto);
    if (!ok) {
        s->status = SYNCLINE_EIO;
        log_line(&s->opt.log, LOG_LEVEL_ERROR, "store",
            "cannot sync the journal in %s; no more writes until the store "
            "is opened again",
            s->dir);
        return SYNCLINE_EIO;
    }
    release(s);
    *durable = journal_synced(s->journal);
    return SYNCLINE_OK;
}

bool store_file_full(const struct store_file *s)
{
    return both_bytes(s) > s->opt.overlay_bytes;
}

bool store_file_wants_checkpoint(const struct store_file *s, uint64_t now_ms)
{
    uint64_t since = now_ms > s->begun_ms ? now_ms - s->begun_ms : 0;

    if (s->running || s->status != SYNCLINE_OK)
        return false;
    if (has_frozen(s))
        return since >= RETRY_MS;
    if (s->active.last == 0)
        return false;
    return since >= s->opt.checkpoint_ms ||
        overlay_bytes(&s->active) > s->opt.checkpoint_bytes;
}

bool store_file_checkpoint_begin(struct store_file *s, uint64_t now_ms)
{
    if (s->running || s->status != SYNCLINE_OK)
        return false;
    if (!has_frozen(s)) {
        if (s->active.last == 0)
            return false;
        s->frozen = s->active;
        s->active = (struct overlay){ 0 };
    }
    state_let_go(s->state);
    s->begun_ms = now_ms;
    s->running = true;
    return true;
}

void store_file_checkpoint_run(struct store_file *s)
{
    s->run_rc =
        state_write(s->state, s->frozen.tables, s->frozen.last, &s->run_why);
}

int store_file_checkpoint_end(struct store_file *s, struct errmsg *why)
{
    ENSURE(s->running);
    s->running = false;
    forget_ends(s);
    state_hold(s->state);
    if (s->run_rc != SYNCLINE_OK) {
        s->checkpoints_failed++;
        return errmsg_set(why, s->run_rc, "%s", s->run_why.text);
    }
    s->checkpoints++;
    s->checkpointed = s->frozen.last;
    overlay_free(&s->frozen);
    s->may_release = true;
    release(s);
    return SYNCLINE_OK;
}

/* A sync covers a limited number of files, hence the loop. */
int store_file_sync(struct store_file *s)
{
    struct store_sync job;
    uint64_t durable;
    int rc = SYNCLINE_OK;

    while (rc == SYNCLINE_OK && store_file_sync_begin(s, &job, &rc)) {
        store_file_sync_run(&job);
        rc = store_file_sync_end(s, &job, &durable);
    }
    return rc;
}

/* Twice, where an earlier attempt left a frozen overlay behind. */
int store_file_checkpoint(
    struct store_file *s, uint64_t now_ms, struct errmsg *why)
{
    int rc = SYNCLINE_OK;

    while (rc == SYNCLINE_OK && store_file_checkpoint_begin(s, now_ms)) {
        store_file_checkpoint_run(s);
        rc = store_file_checkpoint_end(s, why);
    }
    return rc;
}

int store_file_verify(struct store_file *s, struct errmsg *why)
{
    return state_verify(s->state, why);
}

void store_file_stats(const struct store_file *s, struct store_file_stats *out)
{
    *out = (struct store_file_stats){
        .active_bytes = overlay_bytes(&s->active),
        .frozen_bytes = overlay_bytes(&s->frozen),
        .checkpointed = s->checkpointed,
        .wal_bytes = s->running ? 0 : state_wal_bytes(s->state),
        .checkpoints = s->checkpoints,
        .checkpoints_failed = s->checkpoints_failed,
        .feeds_read = s->feeds_read,
    };
    journal_count(s->journal, &out->segments, &out->spares);
}
