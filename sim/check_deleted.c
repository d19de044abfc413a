/* I7: what was deleted, or removed, does not come back. */
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

/* By what its node knows. */
static bool removal_counts(const struct world *w, const struct machine *m,
    uint32_t item, uint32_t removal)
{
    const struct ledger *l = &w->ledger;
    const struct dot *d = &l->changes[removal].dot;

    return m->node == NULL ||
        node_bound(m->node, &l->spaces[l->items[item].space].token,
            &d->replica) >= d->seq;
}

/* Had a removal that was held here seen this value, too? */
static bool is_back(struct world *w, const struct machine *m, uint32_t item,
    const struct item *it, const struct cell *cell)
{
    struct ledger *l = &w->ledger;
    const struct view *v = &l->views[m->ix];
    uint32_t slot = ledger_slot(l, item, cell->path, false);
    uint32_t removal = slot < v->slots_n ? v->removals[slot] : LEDGER_NONE;
    const struct led_cell *gone;
    const struct bits *past;
    uint32_t c;

    if (removal == LEDGER_NONE || cell->value.ptr == NULL)
        return false;
    gone = ledger_cell(&l->changes[removal], slot);
    past = ledger_past(&l->changes[removal], item);
    c = ledger_find(l, l->items[item].space, &it->changes[cell->change].first);
    return gone->life == it->length && past != NULL && c != LEDGER_NONE &&
        bits_has(past, c) && removal_counts(w, m, item, removal);
}

static void check_removed(
    struct world *w, struct machine *m, uint32_t item, const struct item *it)
{
    for (uint32_t i = 0; i < it->cells_n; i++)
        if (is_back(w, m, item, it, &it->cells[i])) {
            world_fail(w, "I7",
                "node %u: %.*s%.*s is there although its removal was seen "
                "there",
                m->ix, SLICE_FMT(w->ledger.items[item].key),
                SLICE_FMT(it->cells[i].path));
            return;
        }
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
    else
        check_removed(w, m, item, it);
}
