/* Much to write: in pieces, where it can be parted. What the store will not
 * take in one commit even so, and of which item that is: nothing goes on
 * there, so people must hear of it. */
#include "repl/oversize.h"

#include "base/plant.h"
#include "repl/node_impl.h"

/* The longest row, whoever they are: one that must be held in memory as a
 * whole, and fit a commit. */
#define INCOMING_MOST ((size_t)384 << 20)
#define TOLD_US ((uint64_t)60 * 1000 * 1000)

/* ---- in pieces ---- */

/* A step that is larger than a step should be; one item may be that alone. */
#define STEP_BYTES ((size_t)64 << 20)

bool node_has_enough(const struct node *n)
{
    size_t held = n->txn.held.n > 0 ? n->txn.recent.arena.used : 0;

    return !PLANTED(ONE_PIECE) &&
        (n->txn.batch.ops.len + held >= n->opt.commit_bytes ||
            n->step.used >= STEP_BYTES);
}

void piece_begin(const struct node *n, struct piece *p)
{
    *p = (struct piece){ arena_mark(&n->step), n->fx_n };
}

/* Is anything that the caller is to carry out kept behind the mark? */
static bool lends(const struct node *n, const struct piece *p)
{
    for (size_t i = p->fx_n; i < n->fx_n; i++)
        if (n->fx[i].type != FX_COMMIT)
            return true;
    return false;
}

int piece_end(struct node *n, struct piece *p)
{
    int rc = resolve_settle(n);

    if (rc == SYNCLINE_OK)
        rc = node_commit(n);
    if (rc != SYNCLINE_OK)
        return rc;
    n->counts.pieces++;
    if (!lends(n, p))
        arena_rewind(&n->step, &p->mark);
    piece_begin(n, p);
    return SYNCLINE_OK;
}

/* ---- too large ---- */

/* Each member may have written a document of the largest size into one item
 * while it was alone, and a resolver's result holds what it merged; besides
 * there are those who were members once. Memory is taken only as it comes. */
size_t receive_row_max(const struct node *n)
{
    size_t documents = members_n(n->members) + 4;

    return documents < INCOMING_MOST / VALUE_MAX ? documents * VALUE_MAX
                                                 : INCOMING_MOST;
}

static struct slice name_of(
    const struct node *n, enum store_table table, uint32_t id)
{
    for (const struct space *sp = n->spaces; sp != NULL; sp = sp->next)
        if (id == (table == TABLE_HISTORY ? sp->past : sp->id) ||
            (sp->staging != NULL && id == sp->staging->id))
            return sp->name;
    return SLICE_LIT("?");
}

/* The item that an op is about; keys of items hold no zero. */
static bool item_of(const struct node *n, const struct batch_op *op,
    struct slice *space, struct slice *key)
{
    struct reader r = reader_of(op->key);
    const uint8_t *zero;

    if (op->table != TABLE_ITEM && op->table != TABLE_HISTORY &&
        op->table != TABLE_CONFLICT)
        return false;
    *space = name_of(n, op->table, get_be32(&r));
    *key = r.in;
    zero = r.in.len > 0 ? memchr(r.in.ptr, 0, r.in.len) : NULL;
    if (zero != NULL)
        key->len = (size_t)(zero - r.in.ptr);
    return r.err == 0;
}

void oversize_note(struct node *n)
{
    struct slice ops = buf_slice(&n->txn.batch.ops);
    struct oversize *o = &n->oversize;
    struct slice space = SLICE_NONE, key = SLICE_NONE;
    struct batch_op op;
    size_t most = 0;
    int err = 0;

    while (batch_next(&ops, &op, &err)) {
        struct slice s, k;

        if (op.value.len < most || !item_of(n, &op, &s, &k))
            continue;
        most = op.value.len;
        space = s;
        key = k;
    }
    o->bytes = n->txn.batch.ops.len;
    o->space_len = space.len < sizeof o->space ? space.len : sizeof o->space;
    o->key_len = key.len < sizeof o->key ? key.len : sizeof o->key;
    if (o->space_len > 0)
        memcpy(o->space, space.ptr, o->space_len);
    if (o->key_len > 0)
        memcpy(o->key, key.ptr, o->key_len);
    o->now = true;
    if (n->now_us >= o->told_until_us)
        log_line(&n->log, LOG_LEVEL_ERROR, "node",
            "%.*s/%.*s: %zu bytes would have to be written at once, more than "
            "the store takes; it stays as it is here until it is made "
            "smaller, or deleted, on a device that has all of it",
            SLICE_FMT(space), SLICE_FMT(key), o->bytes);
    o->told_until_us = n->now_us + TOLD_US;
}

void oversize_put(const struct node *n, struct buf *b)
{
    const struct oversize *o = &n->oversize;

    if (n->now_us >= o->told_until_us) {
        buf_put_str(b, "null");
        return;
    }
    buf_put_str(b, "{\"space\":");
    json_print_string(b, SLICE(o->space, o->space_len), false);
    buf_put_str(b, ",\"key\":");
    json_print_string(b, SLICE(o->key, o->key_len), false);
    buf_printf(b, ",\"bytes\":%zu}", o->bytes);
}
