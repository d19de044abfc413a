/* Conflict records in. */
#include "repl/receive_impl.h"

#include "base/plant.h"
#include "repl/access_impl.h"
#include "repl/clock_impl.h"

#include <stdlib.h>

static int check_contender(struct node *n, const struct space *sp,
    struct slice key, const struct contender *c)
{
    struct json *v;
    int rc;

    if (!clock_admits(n, &c->stamp))
        return SYNCLINE_EMALFORMED;
    node_see_stamp(n, &c->stamp);
    rc = clock_look_at(n, sp, key, &c->stamp);
    if (rc != SYNCLINE_OK || c->value.ptr == NULL || sp->sealed)
        return rc; /* what is sealed was looked at */
    return json_parse(&v, c->value, JSON_STRICT, &n->step, NULL);
}

/* The item of the records at hand: it is stored once for all of them. */
struct told {
    struct slice key;
    struct stored st;
    bool loaded, changed;
    bool locked; /* some are under keys that are not held */
    bool again;  /* such have been asked for before */
    bool read;   /* they come from who can read them */
};

static int told_end(struct node *n, struct space *sp, struct told *t)
{
    bool changed = t->changed;

    t->loaded = t->changed = false;
    return changed ? item_store(n, sp, t->key, &t->st, t->st.lsn) : SYNCLINE_OK;
}

/* A value that lost elsewhere, before it ever came here: it belongs into the
 * history all the same. */
static int remember_loser(struct node *n, struct space *sp, struct slice key,
    const struct contender *loser, struct told *t)
{
    struct change by = {
        .first = loser->dot, .stamp = loser->stamp, .wall_us = loser->wall_us
    };
    struct cell cell = { .path = loser->path, .value = loser->value };
    int rc = SYNCLINE_OK;

    if (sp->sealed) /* nobody reads a history here */
        return rc;
    if (!t->loaded || !slice_eq(t->key, key) || PLANTED(ONE_PIECE)) {
        rc = told_end(n, sp, t);
        if (rc == SYNCLINE_OK)
            rc = item_load(n, sp, key, &t->st);
        t->key = key;
        t->loaded = rc == SYNCLINE_OK;
    }
    if (rc != SYNCLINE_OK || !t->st.existed || cell.value.ptr == NULL)
        return rc;
    t->changed = true;
    return history_lost(n, sp, key, &t->st, &by, &cell);
}

static int take_conflict(struct node *n, struct space *sp, struct slice tail,
    struct slice record, bool relayed, struct told *t)
{
    struct reader r = reader_of(record);
    struct conflict_record c;
    struct slice key, path;
    struct dot dot;
    bool changed, known = false;
    int rc = get_conflict_tail(tail, &key, &path, &dot);

    if (rc == SYNCLINE_OK)
        rc = get_conflict_record(&r, &c);
    if (rc == SYNCLINE_OK)
        rc = reader_end(&r);
    if (rc == SYNCLINE_OK)
        rc = key_check(key, NULL);
    if (rc == SYNCLINE_OK &&
        sealed_is_record(key, &c.loser, &c.winner) != sp->sealed)
        return REFUSED;
    if (rc == SYNCLINE_OK && !sp->sealed && (c.state & CONFLICT_TOLD) != 0)
        rc = SYNCLINE_EMALFORMED;
    if (rc == SYNCLINE_OK)
        rc = check_contender(n, sp, key, &c.loser);
    if (rc == SYNCLINE_OK)
        rc = check_contender(n, sp, key, &c.winner);
    if (rc == SYNCLINE_OK &&
        (!dot_eq(&dot, &c.loser.dot) || !slice_eq(path, c.loser.path)))
        rc = SYNCLINE_EMALFORMED;
    if (rc != SYNCLINE_OK)
        return rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_EMALFORMED;
    c.read = t->read;
    rc = conflict_hides(&c) ? conflict_known(n, sp, tail, &known)
                            : conflict_in_past(n, sp, key, tail, &known);
    if (rc == SYNCLINE_OK)
        rc = conflict_join(n, sp, tail, &c, &changed);
    if (rc == SYNCLINE_OK && relayed && !changed)
        rc = conflict_correct(n, sp, tail, &c);
    if (PLANTED(TOLD_AGAIN))
        known = false;
    return rc == SYNCLINE_OK && !known && !sp->staged
        ? remember_loser(n, sp, key, &c.loser, t)
        : rc;
}

/* Everybody who merges what contends tells everybody else of it, in the same
 * words: mostly it is here. */
static int is_here(struct node *n, const struct space *sp, struct slice tail,
    struct slice record, bool *here)
{
    struct slice value;
    int rc = txn_get(
        &n->txn, TABLE_CONFLICT, key_item(&n->key, sp->id, tail), &value);

    *here = rc == SYNCLINE_OK && slice_eq(slice_from(value, 8), record);
    return rc == SYNCLINE_ENOTFOUND ? SYNCLINE_OK : rc;
}

/* Others may not be able to open it. */
static int look_at_keys(struct node *n, struct space *sp,
    const struct sealer *by, const struct sealed_record *record)
{
    bool voided;
    int rc = sealed_record_voided(by, record, &voided);

    return rc == SYNCLINE_OK && voided ? rekey_record(n, sp) : rc;
}

/* One that does not open is nothing to us: it claims no change. But if it is a
 * key that we lack, it has to come again. If nobody holds that any more, it
 * keeps nothing else back; and of what lost all are to hear then, even if only
 * what beat it can be read by nobody. */
static int receive_conflict(struct node *n, struct space *sp,
    const struct sealer *by, struct slice tail, struct slice record,
    struct told *t)
{
    const struct sealed_record sealed = { tail, record };
    struct sealed_record clear = sealed;
    bool here;
    int rc = by != NULL ? sealed_record_open(by, &sealed, &clear, &n->step)
                        : SYNCLINE_OK;

    t->locked = t->locked || rc == SYNCLINE_ENOTFOUND;
    if (rc == SYNCLINE_ENOTFOUND && t->again)
        rc = sealed_record_open_loser(by, &sealed, &clear, &n->step);
    if (rc != SYNCLINE_OK || clear.tail.len == 0)
        return rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_OK;
    n->counts.conflicts_received++;
    rc = is_here(n, sp, clear.tail, clear.bytes, &here);
    if (rc != SYNCLINE_OK || (here && !PLANTED(TOLD_AGAIN)))
        return rc;
    if (by != NULL && !sp->staged)
        rc = look_at_keys(n, sp, by, &sealed);
    if (rc != SYNCLINE_OK)
        return rc;
    return take_conflict(n, sp, clear.tail, clear.bytes, by != NULL, t);
}

static int all_told(
    struct node *n, struct conn *c, struct space *sp, struct told *t)
{
    int rc = told_end(n, sp, t);
    struct session *s;

    if (rc != SYNCLINE_OK || !t->locked)
        return rc;
    if (sp->staged)
        return REFUSED;
    s = session_of(c, sp);
    if (s == NULL)
        return SYNCLINE_ENOMEM;
    carry_unopened(n, s);
    return SYNCLINE_OK;
}

static bool was_asked_again(
    const struct node *n, struct conn *c, struct space *sp)
{
    const struct session *s = sp->staged ? NULL : session_of(c, sp);

    return s != NULL && carry_waited(n, s, 1);
}

static struct told told_begin(
    const struct node *n, struct conn *c, struct space *sp)
{
    return (struct told){ .again = was_asked_again(n, c, sp),
        .read =
            sp->sealed && members_role(n->members, &c->device) != ROLE_RELAY };
}

/* ---- what lost is under a key that is not held ---- */

static const struct item *row_called(
    const struct row_in *rows, uint32_t n, struct slice name)
{
    for (uint32_t i = 0; i < n; i++)
        if (slice_eq(rows[i].key, name))
            return &rows[i].item;
    return NULL;
}

/* Who wrote it can write it again, and does so once he has heard that the key
 * does not count; of who has left others do. */
static bool had_his_turn(
    const struct node *n, const struct conn *c, const struct rid *author)
{
    const struct device_id *device = owner_of(n, author);

    return device == NULL || device_eq(device, &n->device) ||
        conn_reaches(c, device) || conn_of(n, device) != NULL;
}

/* A row's context tells of what lost as seen. Taken without its record, what is
 * written next here would beat it knowingly. So the row waits: for the key; or
 * if that does not count, for somebody who tells of it under another one, or
 * until it is told without what won. */
static int wait_for_loser(struct node *n, struct conn *c, struct space *sp,
    const struct sealed_lock *lock, const struct item *row)
{
    struct session *s = session_of(c, sp);

    if (s == NULL)
        return SYNCLINE_ENOMEM;
    if ((row != NULL && conflict_superseded(row, &lock->record)) ||
        (!lock->counts && !lock->lost && carry_waited(n, s, 1)) ||
        (!lock->counts && carry_waited(n, s, 2) &&
            had_his_turn(n, c, &lock->record.loser.dot.replica)))
        return SYNCLINE_OK;
    return carry_leave_out(n, s, lock->name);
}

int receive_conflicts_ahead(struct node *n, struct conn *c, struct space *sp,
    const struct sealer *by, const struct frame_batch *f,
    const struct row_in *rows)
{
    struct reader r = reader_of(f->conflicts);
    struct sealed_lock lock;
    bool locked;
    int rc = SYNCLINE_OK;

    for (uint32_t i = 0; i < f->conflicts_n && rc == SYNCLINE_OK; i++) {
        struct slice tail = get_bytes(&r);
        const struct sealed_record record = { tail, get_bytes(&r) };

        rc = r.err != 0 ? SYNCLINE_EMALFORMED
                        : sealed_record_lock(by, &record, &lock, &locked);
        if (locked)
            rc = wait_for_loser(
                n, c, sp, &lock, row_called(rows, f->rows_n, lock.name));
    }
    return rc;
}

int receive_conflict_whole(struct node *n, struct conn *c, struct space *sp,
    const struct sealer *by, struct slice tail, struct slice record)
{
    struct told told = told_begin(n, c, sp);
    const struct sealed_record whole = { tail, record };
    struct sealed_lock lock;
    bool locked = false;
    int rc = by != NULL && !sp->staged
        ? sealed_record_lock(by, &whole, &lock, &locked)
        : SYNCLINE_OK;

    if (locked)
        rc = wait_for_loser(n, c, sp, &lock, NULL);
    if (rc == SYNCLINE_OK)
        rc = receive_conflict(n, sp, by, tail, record, &told);
    return rc == SYNCLINE_OK ? all_told(n, c, sp, &told) : rc;
}

/* Those of one item stand together, or it would be stored for each. */
static int by_item(const void *a, const void *b)
{
    const struct sealed_record *x = a, *y = b;

    return slice_cmp(x->tail, y->tail);
}

/* out: NULL, or room for all of them. */
static int read_records(
    const struct frame_batch *f, struct sealed_record *out, uint32_t *count)
{
    struct reader r = reader_of(f->conflicts);
    uint32_t n = 0;

    while (n < f->conflicts_n && r.err == 0) {
        struct slice tail = get_bytes(&r);
        const struct sealed_record record = { tail, get_bytes(&r) };

        if (out != NULL && r.err == 0)
            out[n] = record;
        n += r.err == 0;
    }
    *count = n;
    return r.err != 0 ? SYNCLINE_EMALFORMED : reader_end(&r);
}

int receive_conflicts(struct node *n, struct conn *c, struct space *sp,
    const struct sealer *by, const struct frame_batch *f)
{
    struct told told = told_begin(n, c, sp);
    struct sealed_record *records;
    uint32_t count;
    int rc = read_records(f, NULL, &count);

    if (rc != SYNCLINE_OK)
        return rc;
    records = arena_alloc(&n->step, (count + 1) * sizeof *records);
    if (records == NULL)
        return SYNCLINE_ENOMEM;
    (void)read_records(f, records, &count);
    qsort(records, count, sizeof *records, by_item);
    for (uint32_t i = 0; i < count && rc == SYNCLINE_OK; i++)
        rc = receive_conflict(
            n, sp, by, records[i].tail, records[i].bytes, &told);
    return rc == SYNCLINE_OK ? all_told(n, c, sp, &told) : rc;
}
