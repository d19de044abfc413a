#include "sim/check.h"

#include "sim/world.h"

#include <inttypes.h>

/* Had the end of that life seen something that is here now? */
static bool had_seen(
    const struct ledger *l, uint32_t end, uint32_t item, const struct item *it)
{
    const struct bits *past = ledger_past(&l->changes[end], item);

    for (uint32_t i = 0; i < it->changes_n && past != NULL; i++) {
        uint32_t c =
            ledger_find(l, l->items[item].space, &it->changes[i].first);

        if (c != LEDGER_NONE && bits_has(past, c))
            return true;
    }
    return false;
}

/* Where two sides had both collected what the other had not, lives cannot be
 * compared any more: only what the deletion saw must not show. Nor can they
 * where a bootstrap has taken the place of what was here: of lives beyond those
 * that it tells of, which had been ended and begun here alone, values are
 * rescued, and nothing is left that would say how many there were. */
static bool is_undone(const struct world *w, const struct machine *m,
    uint32_t item, const struct item *it)
{
    const struct view *v = &w->ledger.views[m->ix];
    const struct view_item *vi = &v->items[item];

    return item_alive(it) && it->length < vi->deepest &&
        (((v->mutual >> w->ledger.items[item].space & 1) == 0 && !vi->left) ||
            had_seen(&w->ledger, vi->end, item, it));
}

void check_deleted(
    struct world *w, struct machine *m, uint32_t item, const struct item *it)
{
    const struct view_item *vi = &w->ledger.views[m->ix].items[item];

    if (is_undone(w, m, item, it))
        world_fail(w, "I7",
            "node %u: %.*s is alive in life %" PRIu64
            " although the end of life %" PRIu64 " was seen there",
            m->ix, SLICE_FMT(w->ledger.items[item].key), it->length,
            vi->deepest);
}
