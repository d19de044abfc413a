/* I11: resolvers are asked for what people wrote, in one order, and what they
 * make of it replaces nothing else. */
#include "sim/check.h"

#include "sim/world.h"

#include <stdlib.h>

static struct slice print(struct buf *b, const struct json *v)
{
    buf_clear(b);
    json_print(b, v, JSON_CANONICAL);
    ENSURE(buf_status(b) == SYNCLINE_OK);
    return buf_slice(b);
}

void check_siblings_note(struct world *w, const struct json *result)
{
    struct buf text = { 0 };

    ENSURE(omap_put(&w->results, print(&text, result), SLICE_LIT("")) ==
        SYNCLINE_OK);
    buf_free(&text);
}

static int text_cmp(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static struct slice join(struct buf *b, const struct slice *texts, size_t n)
{
    buf_clear(b);
    for (size_t i = 0; i < n; i++)
        buf_printf(b, "%.*s,", SLICE_FMT(texts[i]));
    ENSURE(buf_status(b) == SYNCLINE_OK);
    return buf_slice(b);
}

static bool is_of_one_write(const struct world *w, struct slice value)
{
    const struct dot *first = NULL;

    for (uint32_t i = 0; i < w->ledger.changes_n; i++) {
        const struct led_change *c = &w->ledger.changes[i];

        for (uint32_t j = 0; j < c->cells_n; j++) {
            if (!slice_eq(c->cells[j].value, value))
                continue;
            if (first != NULL && !dot_eq(first, &c->cells[j].first))
                return false;
            first = &c->cells[j].first;
        }
    }
    return true;
}

/* Values that are written once only; others stand for more than one write, as
 * does what who held it writes again, when its author is found out, was
 * removed, or may not write there. */
static bool is_unique(
    const struct world *w, const struct json *v, struct slice text)
{
    return w->forks.n == 0 && v->type != JSON_NULL &&
        (v->type != JSON_OBJECT || v->n > 0) &&
        ((!w->opt.roles && !fault_is_on(&w->faults, FAULT_REMOVE)) ||
            is_of_one_write(w, text));
}

static void check_order(
    struct world *w, const struct machine *m, const struct json *siblings)
{
    struct buf text = { 0 }, given = { 0 }, set = { 0 };
    struct arena a = { 0 };
    struct slice *texts = sim_alloc(siblings->n + 1, sizeof *texts);
    const struct omap_node *known;
    size_t n = 0;

    for (const struct json *s = siblings->first; s != NULL; s = s->next) {
        if (!is_unique(w, s, print(&text, s)))
            goto out;
        texts[n++] = arena_dup(&a, buf_slice(&text));
    }
    (void)join(&given, texts, n);
    qsort(texts, n, sizeof *texts, text_cmp);
    known = omap_get(&w->siblings, join(&set, texts, n));
    if (known == NULL)
        ENSURE(omap_put(&w->siblings, buf_slice(&set), buf_slice(&given)) ==
            SYNCLINE_OK);
    else if (!slice_eq(known->value, buf_slice(&given)))
        world_fail(w, "I11",
            "node %u asks its resolver for %.*s, another asked for %.*s", m->ix,
            SLICE_FMT(buf_slice(&given)), SLICE_FMT(known->value));
out:
    free(texts);
    arena_free(&a);
    buf_free(&text);
    buf_free(&given);
    buf_free(&set);
}

void check_siblings(
    struct world *w, struct machine *m, const struct json *siblings)
{
    struct buf text = { 0 };

    check_order(w, m, siblings);
    /* What its author may not have written, or wrote as two at once, is written
     * again by others, as a value like any other: it may be a result. So may
     * what a file still says of an item that was deleted; and what a device
     * that is an older copy of itself has said before it knew, and writes
     * again; and what one had said that another one has replaced. */
    if (fault_is_on(&w->faults, FAULT_REMOVE) || w->opt.roles || w->opt.files ||
        w->forks.n > 0)
        return;
    for (const struct json *s = siblings->first; s != NULL; s = s->next)
        if (omap_get(&w->results, print(&text, s)) != NULL &&
            ((!fault_is_on(&w->faults, FAULT_RESTORE) &&
                 !fault_is_on(&w->faults, FAULT_REPLACE)) ||
                is_of_one_write(w, buf_slice(&text))))
            world_fail(w, "I11",
                "node %u asks its resolver to merge what is a result: %.*s",
                m->ix, SLICE_FMT(buf_slice(&text)));
    buf_free(&text);
}

static bool is_one_of(const struct led_change *c, const struct dot *d)
{
    for (uint32_t i = 0; i < c->merges_n; i++)
        if (dot_eq(&c->merges[i], d))
            return true;
    return false;
}

/* A result of before, made of some of it: of several that were written again
 * as one change it is not told which cell came of what. */
static bool is_of_the_same(
    const struct led_change *c, const struct led_change *before)
{
    for (uint32_t i = 0; i < before->merges_n; i++)
        if (is_one_of(c, &before->merges[i]))
            return true;
    return false;
}

static bool counts(
    const struct world *w, const struct machine *m, const struct led_change *c)
{
    return m->node == NULL ||
        node_bound(m->node, &w->ledger.spaces[c->space].token,
            &c->dot.replica) >= c->dot.seq;
}

/* What stood there on the machine that writes a result. */
static const struct led_change *replaced_by(struct world *w,
    const struct machine *m, uint32_t change, uint32_t item,
    const struct led_cell *result, const struct led_cell **what)
{
    const struct bits *seen = &w->ledger.views[m->ix].items[item].seen;
    const struct led_change *best = NULL;

    for (uint32_t i = 0; i < w->ledger.changes_n; i++) {
        struct led_change *c = &w->ledger.changes[i];
        const struct led_cell *cell =
            bits_has(seen, i) ? ledger_cell(c, result->slot) : NULL;

        if (i == change || cell == NULL || cell->life != result->life ||
            !counts(w, m, c) ||
            (best != NULL && stamp_cmp(&cell->stamp, &(*what)->stamp) <= 0))
            continue;
        best = c;
        *what = cell;
    }
    return best;
}

void check_merged(
    struct world *w, const struct machine *m, uint32_t change, uint32_t item)
{
    const struct led_change *c = &w->ledger.changes[change];

    if (c->merges_n == 0 || w->forks.n > 0)
        return;
    for (uint32_t i = 0; i < c->cells_n; i++) {
        const struct led_cell *old = NULL;
        const struct led_change *by =
            replaced_by(w, m, change, item, &c->cells[i], &old);

        if (by == NULL || !dot_eq(&c->cells[i].first, &c->dot) ||
            is_one_of(c, &old->first) || is_of_the_same(c, by))
            continue;
        world_fail(w, "I11",
            "node %u: the result of a resolver takes the place of %.*s at "
            "%.*s%.*s, which it was not made of",
            m->ix, SLICE_FMT(old->value), SLICE_FMT(w->ledger.items[item].key),
            SLICE_FMT(w->ledger.slots[old->slot].path));
    }
}
