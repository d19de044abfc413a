/* A write leaves the fields that it does not change as they are. */
#include "sim/check.h"

#include "sim/peek.h"
#include "sim/world.h"

#include <inttypes.h>

/* What the store holds of an item that m's space of this name has. */
static bool load(struct world *w, struct machine *m, struct slice space,
    struct slice key, struct item *out, struct arena *a)
{
    struct view *v = &w->ledger.views[m->ix];

    item_init(out);
    for (uint32_t i = 0; i < w->ledger.spaces_n; i++) {
        const struct view_space *vs = view_by_space(v, i);

        if (vs == NULL || !slice_eq(w->ledger.spaces[i].name, space))
            continue;
        ENSURE(peek_load(&m->port, vs->number, key, out, a) == SYNCLINE_OK);
        return out->length > 0;
    }
    return false;
}

void check_fields_begin(struct world *w, struct machine *m, struct slice space,
    struct slice key, struct item *before, struct arena *a)
{
    (void)load(w, m, space, key, before, a);
    /* The store's bytes are lent until it is written. */
    for (uint32_t i = 0; i < before->cells_n; i++) {
        struct cell *c = &before->cells[i];

        c->path = arena_dup(a, c->path);
        if (c->value.ptr != NULL)
            c->value = arena_dup(a, c->value);
    }
}

/* Does the document show this cell's value at its path? */
static bool shows(
    const struct json *doc, const struct cell *cell, struct arena *a)
{
    struct json *value;
    const struct json *there = json_pointer_get(doc, cell->path, a);

    ENSURE(
        json_parse(&value, cell->value, JSON_STRICT, a, NULL) == SYNCLINE_OK);
    return there != NULL && json_equal(there, value);
}

void check_fields_end(struct world *w, struct machine *m, struct slice space,
    struct slice key, const struct item *before, const struct json *was)
{
    struct arena a = { 0 };
    struct item now;

    if (was == NULL || w->failed || !load(w, m, space, key, &now, &a) ||
        now.length != before->length)
        goto out;
    for (uint32_t i = 0; i < before->cells_n && !w->failed; i++) {
        const struct cell *old = &before->cells[i];
        const struct cell *cell = item_find(&now, old->path);

        if (old->value.ptr == NULL || cell == NULL ||
            !slice_eq(cell->value, old->value) || !shows(was, old, &a))
            continue;
        if (stamp_cmp(&now.changes[cell->change].stamp,
                &before->changes[old->change].stamp) != 0)
            world_fail(w, "fields",
                "node %u: a write of %.*s gave %.*s, which it left as it was, "
                "a new stamp",
                m->ix, SLICE_FMT(key), SLICE_FMT(old->path));
    }
out:
    arena_free(&a);
}
