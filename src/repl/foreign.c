/* A write that an older system's face brings: by its author's clock, and in a
 * name that all gateways give it alike, so that two of them do not echo. */
#include "repl/access_impl.h"

#define NAME_MAX_LEN 1024
#define TOLD_US 1000
/* Of what others count; beyond it there is room for all that is written yet. */
#define VERSION_MAX ((uint64_t)1 << 53)

static int read_strategy(
    enum foreign_strategy *out, struct slice name, struct errmsg *why)
{
    static const char *const names[] = { "join", "local", "remote" };

    for (int i = 0; i < 3; i++)
        if (slice_is(name, names[i]) || (i == 0 && name.len == 0)) {
            *out = (enum foreign_strategy)i;
            return SYNCLINE_OK;
        }
    return errmsg_set(why, SYNCLINE_EINVAL,
        "as: strategy: \"join\", \"local\" or \"remote\"");
}

int foreign_read(struct foreign *out, const struct json *as, struct errmsg *why)
{
    int64_t version = json_get_int(as, "version", 0);

    *out = (struct foreign){ .face = json_get_str(as, "face"),
        .node = json_get_str(as, "node") };
    if (out->face.len == 0 || out->face.len > NAME_MAX_LEN ||
        out->node.len > NAME_MAX_LEN || json_get_int(as, "time", -1) < 0)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "as: needs a face, a node (each at most %d bytes) and a time",
            NAME_MAX_LEN);
    out->time_us = (uint64_t)json_get_int(as, "time", 0);
    out->returns = json_get_bool(as, "returns", false);
    if (version > 0)
        out->version =
            (uint64_t)version < VERSION_MAX ? (uint64_t)version : VERSION_MAX;
    return read_strategy(&out->strategy, json_get_str(as, "strategy"), why);
}

int foreign_stamp(
    const struct node *n, const struct foreign *f, struct stamp *out)
{
    const struct slice parts[] = { f->face, SLICE_LIT("\0"), f->node };
    uint8_t sum[SHA256_LEN];
    int rc = n->opt.crypto->hash(n->opt.crypto->self, sum, parts, 3);

    *out = (struct stamp){ .epoch = n->epoch, .hlc = hlc_of_wall(f->time_us) };
    memcpy(out->replica.b, sum, sizeof out->replica.b);
    return rc;
}

static bool is_behind(const struct item *it, const struct stamp *stamp)
{
    for (uint32_t i = 0; i < it->changes_n; i++)
        if (stamp_cmp(&it->changes[i].stamp, stamp) > 0)
            return true;
    return false;
}

/* What is over here stays so: a deletion wins by itself. */
static bool is_ended(const struct item *it, const struct foreign *f)
{
    return f->strategy == FOREIGN_LOSES && !item_alive(it);
}

int foreign_author(struct node *n, const struct space *sp,
    const struct foreign *f, const struct item *it, struct author *by,
    bool *apart, struct errmsg *why)
{
    struct stamp stamp;
    bool is_late;
    int rc = foreign_stamp(n, f, &stamp);

    if (rc != SYNCLINE_OK)
        return rc;
    is_late = is_behind(it, &stamp);
    *apart = f->version > 0 && it->length > 0 &&
        (is_late || f->version <= it->version);
    if (*apart && f->strategy != FOREIGN_JOINS && !is_ended(it, f)) {
        *apart = f->strategy == FOREIGN_LOSES;
        if (by->wall_us <= f->time_us)    /* his clock is ahead: who goes by */
            by->wall_us = f->time_us + 1; /* times shall take it, too */
        return SYNCLINE_OK;
    }
    if (f->version == 0 && is_late)
        return errmsg_set(
            why, SYNCLINE_ECONFLICT, "it was written before what stands");
    by->wall_us = f->time_us;
    /* Had it lost to a removed field that is gone since, nobody here would
     * know: then it is written as of now. */
    if (*apart || !space_outlived(sp, &stamp))
        by->stamp = stamp;
    node_see_stamp(n, &by->stamp);
    return SYNCLINE_OK;
}

/* ---- whoever had not seen what stands ---- */

struct search {
    const struct stamp *stamp;
    uint64_t time_us;
    struct slice text; /* canonical; ptr NULL: a deletion */
    bool found;
};

static bool is_just_after(uint64_t us, uint64_t than_us)
{
    return us >= than_us && us - than_us <= TOLD_US;
}

/* Our own past, as it was told them: of what had come together by a time that
 * is a little later (doc/lansync.md). */
static bool is_told(const struct search *s, const struct history_entry *e)
{
    return e->what == HISTORY_PUT && s->text.ptr != NULL &&
        (is_just_after(s->time_us, e->wall_us) ||
            is_just_after(s->time_us, hlc_wall_us(e->stamp.hlc))) &&
        slice_eq(e->value, s->text);
}

static int look_at_record(void *ctx, struct slice key, struct slice value)
{
    struct search *s = ctx;
    struct reader r = reader_of(slice_from(value, 8));
    struct conflict_record c;
    int rc = get_conflict_record(&r, &c);

    (void)key;
    s->found = rc == SYNCLINE_OK && stamp_cmp(&c.loser.stamp, s->stamp) == 0;
    return rc == SYNCLINE_OK ? s->found : rc;
}

static int look_at_version(void *ctx, struct slice key, struct slice value)
{
    struct search *s = ctx;
    struct history_entry e;
    int rc = history_decode(value, &e);

    (void)key;
    s->found = rc == SYNCLINE_OK &&
        (stamp_cmp(&e.stamp, s->stamp) == 0 || is_told(s, &e));
    return rc == SYNCLINE_OK ? s->found : rc;
}

/* It is said again and again until somebody has heard it, and by others: then
 * it is among what lost, or was written over by who had seen it. */
static int was_told(struct node *n, const struct space *sp,
    const struct write_op *op, const struct author *by, bool *told)
{
    struct search s = { &by->stamp, by->wall_us, SLICE_NONE, false };
    struct buf prefix = { 0 }, text = { 0 };
    const struct slice key = op->key;
    int rc;

    if (op->doc != NULL) {
        json_print(&text, op->doc, JSON_CANONICAL);
        s.text = buf_slice(&text);
    }

    (void)key_conflict_of(&prefix, sp->id, key);
    rc = buf_status(&prefix) != SYNCLINE_OK ? buf_status(&prefix)
                                            : buf_status(&text);
    if (rc == SYNCLINE_OK)
        rc = store_scan(&n->opt.store, TABLE_CONFLICT, buf_slice(&prefix),
            SLICE_NONE, look_at_record, &s);
    if (rc == SYNCLINE_OK && !s.found)
        rc = store_scan(&n->opt.store, TABLE_HISTORY,
            key_history_of(&prefix, sp->past, key), SLICE_NONE, look_at_version,
            &s);
    buf_free(&prefix);
    buf_free(&text);
    *told = s.found;
    return rc;
}

/* Beyond what either had, so that both take what has become of it. */
static uint64_t version_beyond(const struct item *it, const struct foreign *f)
{
    const uint64_t theirs = f != NULL ? f->version : 0;

    return item_next_version(it->version > theirs ? it->version : theirs);
}

/* The end of its life, by somebody who had seen nothing of it. */
static int join_end(struct node *n, struct space *sp, const struct write_op *op,
    const struct author *by, struct stored *st)
{
    struct merging m = { n, sp, op->key, st, false, NULL };
    struct merge_sink sink = merging_sink(&m);
    const struct change c = { .dot = by->dot,
        .first = by->dot,
        .stamp = by->stamp,
        .wall_us = by->wall_us };
    struct merge_result what;
    struct item row;
    uint32_t ix;
    int rc;

    item_init(&row);
    row.length = st->item.length + 1;
    row.version = version_beyond(&st->item, op->as);
    rc = item_add_change(&row, &c, &ix, &n->step);
    row.tomb = ix;
    if (rc == SYNCLINE_OK)
        rc = vv_add(&row.ctx, &by->dot, &n->step);
    if (rc == SYNCLINE_OK)
        rc = item_normalise(&row, &n->step);
    if (rc == SYNCLINE_OK)
        rc = item_join(&st->item, &row, &sp->have, &sink, &what, &n->step);
    return rc == SYNCLINE_OK
        ? item_store(n, sp, op->key, st, space_next_lsn(sp))
        : rc;
}

/* Both say the same: nobody has lost anything. */
static int is_same(const struct stored *st, const struct json *doc, bool *same)
{
    struct buf b = { 0 };
    int rc;

    *same = false;
    if (doc == NULL || !st->was_alive)
        return SYNCLINE_OK;
    json_print(&b, doc, JSON_CANONICAL);
    rc = buf_status(&b);
    *same = rc == SYNCLINE_OK && slice_eq(buf_slice(&b), st->before);
    buf_free(&b);
    return rc;
}

/* ---- whoever has missed a deletion ---- */

static int note_end(void *ctx, struct slice key, struct slice value)
{
    struct history_entry *end = ctx, e = { .version = 0 };
    int rc = history_decode(value, &e);

    (void)key;
    if (rc == SYNCLINE_OK &&
        (e.what == HISTORY_DELETE || end->what != HISTORY_DELETE))
        *end = e;
    return rc;
}

/* How it ended here; what 0: nothing is known of it. */
static int find_end(struct node *n, const struct space *sp, struct slice key,
    struct history_entry *end)
{
    struct buf prefix = { 0 };
    int rc;

    *end = (struct history_entry){ .what = 0 };
    rc = store_scan(&n->opt.store, TABLE_HISTORY,
        key_history_of(&prefix, sp->past, key), SLICE_NONE, note_end, end);
    if (buf_status(&prefix) != SYNCLINE_OK)
        rc = buf_status(&prefix);
    buf_free(&prefix);
    return rc;
}

static int rescue_cell(struct node *n, struct space *sp, struct slice key,
    const struct change *c, const struct cell *cell,
    const struct history_entry *end, struct stored *st)
{
    struct conflict_record record = { .state = CONFLICT_RETURNED,
        .length = sp->s.floors.length > 0 ? sp->s.floors.length - 1 : 1,
        .loser = { c->first, c->stamp, c->wall_us, cell->path, cell->value } };
    struct buf tail = { 0 };
    bool changed;
    int rc;

    if (end->what == HISTORY_DELETE)
        record.winner = (struct contender){
            .dot = end->dot, .stamp = end->stamp, .wall_us = end->wall_us
        };
    (void)key_conflict_tail(&tail, key, cell->path, &c->first);
    rc = buf_status(&tail);
    if (rc == SYNCLINE_OK)
        rc = conflict_join(n, sp, buf_slice(&tail), &record, &changed);
    buf_free(&tail);
    return rc == SYNCLINE_OK ? history_lost(n, sp, key, st, c, cell) : rc;
}

/* What had not been heard of here waits to be rescued. */
static int rescue(struct node *n, struct space *sp, const struct write_op *op,
    const struct author *them, const struct history_entry *end,
    struct stored *st)
{
    struct item theirs;
    bool made;
    int rc;

    item_init(&theirs);
    rc = item_put(&theirs, op->doc, them, &made, &n->step);
    for (uint32_t i = 0; i < theirs.cells_n && rc == SYNCLINE_OK; i++)
        rc = rescue_cell(n, sp, op->key,
            &theirs.changes[theirs.cells[i].change], &theirs.cells[i], end, st);
    return rc;
}

/* There is a record again, so that he is told. */
static int end_again(struct node *n, struct space *sp,
    const struct write_op *op, const struct author *by, struct stored *st)
{
    const struct floors *f = &sp->s.floors;
    bool wrote;
    int rc = SYNCLINE_OK;

    st->item.length = f->length - 1;
    st->item.version =
        op->as->version > f->version ? op->as->version : f->version;
    if (by->birth != NULL)
        rc = vv_copy(&st->item.birth, by->birth, &n->step);
    if (rc == SYNCLINE_OK)
        rc = item_delete(&st->item, by, &wrote, &n->step);
    return rc == SYNCLINE_OK
        ? item_store(n, sp, op->key, st, space_next_lsn(sp))
        : rc;
}

int foreign_return(struct node *n, struct space *sp, const struct write_op *op,
    const struct author *by, struct stored *st, bool *over, bool *wrote)
{
    struct author them = *by, us = *by;
    struct history_entry end = { .what = 0 };
    bool told = false;
    int rc = SYNCLINE_OK;

    *over = *wrote = false;
    if (op->doc == NULL || op->as->version == 0 || sp->s.floors.length < 2)
        return SYNCLINE_OK;
    them.wall_us = op->as->time_us;
    rc = foreign_stamp(n, op->as, &them.stamp);
    if (rc == SYNCLINE_OK)
        rc = find_end(n, sp, op->key, &end);
    if (rc == SYNCLINE_OK && end.what != 0)
        rc = was_told(n, sp, op, &them, &told);
    if (rc != SYNCLINE_OK || end.what == 0 ||
        (!told && (!op->as->returns || op->as->strategy == FOREIGN_WINS)))
        return rc;
    *over = *wrote = true;
    if (us.wall_us <= them.wall_us)
        us.wall_us = them.wall_us + 1;
    if (!told)
        rc = rescue(n, sp, op, &them, &end, st);
    return rc == SYNCLINE_OK ? end_again(n, sp, op, &us, st) : rc;
}

/* Theirs is in the history only. */
static int note_lost(struct node *n, struct space *sp,
    const struct write_op *op, const struct author *by, struct stored *st)
{
    struct item theirs;
    bool made;
    int rc;

    item_init(&theirs);
    rc = item_put(&theirs, op->doc, by, &made, &n->step);
    for (uint32_t i = 0; i < theirs.cells_n && rc == SYNCLINE_OK; i++)
        rc = history_lost(n, sp, op->key, st,
            &theirs.changes[theirs.cells[i].change], &theirs.cells[i]);
    return rc;
}

int foreign_outdo(struct node *n, struct space *sp, const struct write_op *op,
    const struct author *by, struct stored *st, bool *wrote)
{
    struct author them = *by;
    struct leaves ours;
    struct json *doc = NULL;
    bool same, told = false;
    int rc = is_same(st, op->doc, &same);

    *wrote = false;
    if (rc == SYNCLINE_OK)
        rc = foreign_stamp(n, op->as, &them.stamp);
    them.wall_us = op->as->time_us;
    if (rc == SYNCLINE_OK && !same)
        rc = was_told(n, sp, op, &them, &told);
    if (rc != SYNCLINE_OK || same || told)
        return rc;
    if (op->doc != NULL)
        rc = note_lost(n, sp, op, &them, st);
    if (rc == SYNCLINE_OK)
        rc = json_parse(&doc, st->before, JSON_STRICT, &n->step, NULL);
    if (rc == SYNCLINE_OK)
        rc = document_leaves(doc, &ours, &n->step);
    if (st->item.version < op->as->version)
        st->item.version = op->as->version;
    if (rc == SYNCLINE_OK)
        rc = item_write(&st->item, &ours, by, wrote, &n->step);
    return rc == SYNCLINE_OK
        ? item_store(n, sp, op->key, st, space_next_lsn(sp))
        : rc;
}

int foreign_join(struct node *n, struct space *sp, const struct write_op *op,
    const struct author *by, struct stored *st, bool *wrote)
{
    size_t before = n->txn.batch.ops.len;
    struct item theirs;
    bool made, same, told = false;
    int rc = is_same(st, op->doc, &same);

    *wrote = false;
    /* What was told in this step no scan sees: then it is done by itself. */
    if (txn_wrote(&n->txn, TABLE_ITEM, key_item(&n->key, sp->id, op->key)))
        return SYNCLINE_EBUSY;
    if (rc == SYNCLINE_OK && !same)
        rc = was_told(n, sp, op, by, &told);
    if (rc != SYNCLINE_OK || same || told)
        return rc;
    if (op->doc == NULL) {
        if (item_alive(&st->item))
            rc = join_end(n, sp, op, by, st);
    } else {
        item_init(&theirs);
        rc = item_put(&theirs, op->doc, by, &made, &n->step);
        theirs.version = version_beyond(&st->item, op->as);
        if (rc == SYNCLINE_OK)
            rc = write_replay(n, sp, op->key, &theirs, &by->dot, 0);
    }
    *wrote = n->txn.batch.ops.len > before;
    return rc;
}
