/* I8: what lost is in the history of its item. */
#include "sim/check.h"

#include "sim/peek.h"
#include "sim/world.h"

#include <stdlib.h>

struct past_check {
    struct world *world;
    const struct machine *machine;
    const struct peek_conflict *what;
    uint32_t versions;
    bool found;
    struct arena arena;
};

/* Each value is written once in a run, but for these. */
static bool is_common(struct slice value)
{
    return value.len < 3 || slice_is(value, "null");
}

/* What is only hidden, by what stands above or below it, is there still. */
static bool is_hidden(const struct peek_conflict *p)
{
    return !slice_eq(p->loser.path, p->winner.path) &&
        (p->winner.path.len > 0 || p->winner.value.len > 0);
}

#define BEGINNING 24 /* of a value: one so long is in few places */

/* By how it begins: to get ready for a long one takes long. */
static bool holds(struct slice text, struct slice value)
{
    const size_t n = value.len < BEGINNING ? value.len : BEGINNING;
    const uint8_t *at;

    while (text.len >= value.len) {
        at = memmem(text.ptr, text.len, value.ptr, n);
        if (at == NULL)
            return false;
        text = slice_from(text, (size_t)(at - text.ptr));
        if (slice_has_prefix(text, value))
            return true;
        text = slice_from(text, 1);
    }
    return false;
}

static int look_at_version(void *ctx, struct slice key, struct slice value)
{
    struct past_check *k = ctx;

    (void)key;
    k->versions++;
    k->found = k->found || holds(value, k->what->loser.value);
    return k->found; /* and no more need be looked at */
}

/* Somebody else wrote the same there. */
static bool is_there(
    const struct machine *m, const struct peek_conflict *p, struct arena *a)
{
    struct slice row;

    return peek_row(&m->port, p->number, p->key, &row, a) == SYNCLINE_OK &&
        row.ptr != NULL && holds(row, p->loser.value);
}

/* Where there was no item there is no past of it. */
static bool is_of_item(
    struct world *w, struct view *v, const struct peek_conflict *p)
{
    const struct view_space *vs = view_by_number(v, p->number);
    uint32_t item = vs != NULL && !vs->returning
        ? ledger_find_item(&w->ledger, vs->space, p->key)
        : LEDGER_NONE;

    return item != LEDGER_NONE && item < v->items_n &&
        v->items[item].length > 0;
}

static bool is_first(struct world *w, const struct machine *m, struct slice key)
{
    struct buf name = { 0 };
    bool first;

    put_be32(&name, m->ix);
    buf_put_slice(&name, key);
    ENSURE(buf_status(&name) == SYNCLINE_OK);
    first = omap_get(&w->told, buf_slice(&name)) == NULL;
    if (first)
        ENSURE(omap_put(&w->told, buf_slice(&name), SLICE_NONE) == SYNCLINE_OK);
    buf_free(&name);
    return first;
}

/* It was told before, under the space's old number, which this commit takes it
 * from: a space is fetched anew, or what a member had alone is replayed. What
 * came with a bootstrap, say, is in no past here. */
static bool is_moved(struct slice ops, struct slice key)
{
    struct batch_op op;
    int err = SYNCLINE_OK;

    while (batch_next(&ops, &op, &err))
        if (op.table == TABLE_CONFLICT && op.value.ptr == NULL &&
            slice_eq(slice_from(op.key, 4), slice_from(key, 4)))
            return true;
    return false;
}

static void look_at_record(struct past_check *k, struct view *v,
    struct slice ops, const struct batch_op *op)
{
    struct peek_conflict p;
    uint32_t past;

    if (peek_conflict(op->key, op->value, &p) != SYNCLINE_OK || is_hidden(&p) ||
        !is_first(k->world, k->machine, op->key) || is_moved(ops, op->key) ||
        p.returned || is_common(p.loser.value) ||
        !is_of_item(k->world, v, &p) ||
        !peek_past(&k->machine->port, p.number, &past))
        return;
    k->what = &p;
    k->versions = 0;
    k->found = is_there(k->machine, &p, &k->arena);
    if (!k->found)
        ENSURE(peek_versions(&k->machine->port, past, p.key, look_at_version,
                   k) == SYNCLINE_OK);
    if (!k->found && k->versions < k->machine->history_least)
        world_fail(k->world, "I8",
            "node %u tells that a value of %.*s%.*s lost, and has it in none "
            "of its %u versions: %.*s",
            k->machine->ix, SLICE_FMT(p.key), SLICE_FMT(p.loser.path),
            k->versions, SLICE_FMT(p.loser.value));
}

void check_past(
    struct world *w, const struct machine *m, struct view *v, struct slice ops)
{
    struct past_check k = { .world = w, .machine = m };
    struct slice rest = ops;
    struct batch_op op;
    int err = SYNCLINE_OK;

    /* Of two things under one dot each tells what it has. */
    while (!m->relay && w->forks.n == 0 && !w->failed &&
        batch_next(&rest, &op, &err))
        if (op.table == TABLE_CONFLICT && op.value.ptr != NULL)
            look_at_record(&k, v, ops, &op);
    arena_free(&k.arena);
}
