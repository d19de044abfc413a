/* I3: what a machine had when it joined is there at quiet, or told of. */
#include "sim/check.h"

#include "sim/model.h"
#include "sim/peek.h"
#include "sim/world.h"

/* Each value is written once in a run, but for these. */
static bool is_common(struct slice value)
{
    return slice_is(value, "{}") || slice_is(value, "null");
}

static struct slice keep(struct world *w, struct slice s)
{
    struct slice copy = arena_dup(&w->ledger.arena, s);

    ENSURE(copy.ptr != NULL);
    return copy;
}

static void note(struct world *w, const struct brought *b)
{
    struct ledger *l = &w->ledger;

    if (l->brought_n == l->brought_cap) {
        l->brought_cap = l->brought_n < 16 ? 32 : l->brought_n * 2;
        l->brought = sim_grow(l->brought, l->brought_cap, sizeof *l->brought);
    }
    l->brought[l->brought_n++] = *b;
}

void check_brought_note(struct world *w, struct machine *m,
    const struct view_space *left, struct slice name, uint64_t commit)
{
    const struct ledger *l = &w->ledger;
    const struct view *v = &l->views[m->ix];

    name = keep(w, name);
    for (uint32_t i = 0; i < l->slots_n; i++) {
        const struct led_cell *c;
        struct brought b = { .machine = m,
            .commit = commit,
            .name = name,
            .from = l->slots[i].item,
            .path = l->slots[i].path };

        if (l->slots[i].is_tomb || l->items[b.from].space != left->space)
            continue;
        c = model_cell(l, v, i);
        if (c == NULL || c->value.ptr == NULL || is_common(c->value) ||
            !model_shows(l, v, i))
            continue;
        b.value = c->value;
        note(w, &b);
    }
}

void check_brought_forget(
    struct world *w, const struct machine *m, uint64_t last)
{
    struct ledger *l = &w->ledger;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < l->brought_n; i++)
        if (l->brought[i].machine != m || l->brought[i].commit <= last)
            l->brought[kept++] = l->brought[i];
    l->brought_n = kept;
}

/* ---- at quiet ---- */

struct looking {
    struct world *world;
    const struct brought *what;
    uint32_t space; /* of the ledger */
    bool found;
};

static int look_at_record(void *ctx, struct slice key, struct slice value)
{
    struct looking *k = ctx;
    const struct ledger *l = &k->world->ledger;
    const struct view_space *vs;
    struct peek_conflict p;
    int rc = peek_conflict(key, value, &p);

    if (rc != SYNCLINE_OK)
        return rc;
    vs = view_by_number((struct view *)&l->views[0], p.number);
    k->found = vs != NULL && vs->space == k->space &&
        slice_eq(p.key, l->items[k->what->from].key) &&
        slice_eq(p.loser.path, k->what->path) &&
        slice_eq(p.loser.value, k->what->value);
    return k->found;
}

/* Written there by anybody: what became of that, check_lost asks. */
static bool was_written(struct looking *k)
{
    struct ledger *l = &k->world->ledger;
    uint32_t item = ledger_find_item(l, k->space, l->items[k->what->from].key);

    for (uint32_t i = 0; i < l->changes_n && item != LEDGER_NONE; i++) {
        struct led_change *c = &l->changes[i];

        for (uint32_t j = 0; j < c->cells_n; j++) {
            const struct led_slot *s = &l->slots[c->cells[j].slot];

            if (s->item != item || s->is_tomb || (c->lost && !c->spread) ||
                !slice_eq(s->path, k->what->path) ||
                !slice_eq(c->cells[j].value, k->what->value))
                continue;
            c->acked = true;
            return true;
        }
    }
    return false;
}

static bool has_arrived(struct world *w, const struct brought *b)
{
    const struct ledger *l = &w->ledger;
    struct looking k = { .world = w, .what = b };

    for (unsigned i = 0; i < SIM_SPACES && !k.found; i++) {
        const struct view_space *vs = &l->views[0].spaces[i];

        if (!vs->used || !slice_eq(l->spaces[vs->space].name, b->name))
            continue;
        k.space = vs->space;
        k.found = was_written(&k);
        if (!k.found)
            ENSURE(store_scan(&w->machines[0].port, TABLE_CONFLICT, SLICE_NONE,
                       SLICE_NONE, look_at_record, &k) == SYNCLINE_OK);
    }
    return k.found;
}

void check_brought(struct world *w)
{
    const struct ledger *l = &w->ledger;

    for (uint32_t i = 0; i < l->brought_n && !w->failed; i++) {
        const struct brought *b = &l->brought[i];

        if (!b->machine->member || b->machine->removed || has_arrived(w, b))
            continue;
        world_fail(w, "I3",
            "what node %u showed when it joined is lost: %.*s/%.*s%.*s, %.*s",
            b->machine->ix, SLICE_FMT(b->name),
            SLICE_FMT(l->items[b->from].key), SLICE_FMT(b->path),
            SLICE_FMT(b->value));
    }
}
