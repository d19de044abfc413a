/* What a node writes again by itself brings what somebody wrote, once. */
#include "sim/check.h"

#include "sim/world.h"

/* A removed field may only be where it was one before, or where the item was
 * deleted: what comes back of that in a later life is removed from it. */
static bool is_end(const struct ledger *l, uint32_t slot, uint32_t of)
{
    return l->slots[of].is_tomb && l->slots[of].item == l->slots[slot].item;
}

static bool was_there(
    const struct ledger *l, uint32_t change, uint32_t slot, struct slice value)
{
    for (uint32_t i = 0; i < l->changes_n; i++) {
        const struct led_change *c = &l->changes[i];

        for (uint32_t j = 0; i != change && j < c->cells_n; j++)
            if ((value.ptr != NULL || c->cells[j].slot == slot ||
                    is_end(l, slot, c->cells[j].slot)) &&
                (value.ptr == NULL) == (c->cells[j].value.ptr == NULL) &&
                slice_eq(c->cells[j].value, value))
                return true;
    }
    return false;
}

void check_unasked(struct world *w, const struct machine *m, uint32_t change)
{
    const struct ledger *l = &w->ledger;
    const struct led_change *c = &l->changes[change];

    if (m->asked || slice_is(l->spaces[c->space].name, "_mesh"))
        return;
    for (uint32_t i = 0; i < c->cells_n; i++) {
        const struct led_slot *s = &l->slots[c->cells[i].slot];

        if (s->is_tomb ||
            was_there(l, change, c->cells[i].slot, c->cells[i].value))
            continue;
        world_fail(w, "unasked",
            "node %u writes at %.*s%.*s what nobody ever wrote: %.*s", m->ix,
            SLICE_FMT(l->items[s->item].key), SLICE_FMT(s->path),
            SLICE_FMT(c->cells[i].value));
        return;
    }
}
