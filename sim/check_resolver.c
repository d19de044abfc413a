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

/* Values that are written once only; others stand for more than one write, as
 * does what two who held it write again, when its author is found out. */
static bool is_unique(const struct world *w, const struct json *v)
{
    return w->forks.n == 0 && v->type != JSON_NULL &&
        (v->type != JSON_OBJECT || v->n > 0);
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
        if (!is_unique(w, s))
            goto out;
        texts[n++] = arena_dup(&a, print(&text, s));
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
    /* What its author may not have written is written again by others, as a
     * value like any other: it may be a result. */
    if (fault_is_on(&w->faults, FAULT_REMOVE) || w->opt.roles)
        return;
    for (const struct json *s = siblings->first; s != NULL; s = s->next)
        if (omap_get(&w->results, print(&text, s)) != NULL)
            world_fail(w, "I11",
                "node %u asks its resolver to merge what is a result: %.*s",
                m->ix, SLICE_FMT(buf_slice(&text)));
    buf_free(&text);
}
