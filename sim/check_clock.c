#include "sim/check.h"

#include "sim/world.h"

#include <inttypes.h>

/* Is something in it the machine's own? */
static bool has_written(const struct world *w, const struct machine *m,
    uint32_t item, const struct item *it)
{
    for (uint32_t i = 0; i < it->changes_n; i++) {
        uint32_t c = ledger_find(
            &w->ledger, w->ledger.items[item].space, &it->changes[i].dot);

        if (c != LEDGER_NONE && w->ledger.changes[c].author == m)
            return true;
    }
    return false;
}

void check_version(
    struct world *w, struct machine *m, uint32_t item, const struct item *it)
{
    struct view_item *vi = &w->ledger.views[m->ix].items[item];

    /* Whoever made it anew elsewhere need not have known how far it had come
     * where it has been collected. */
    if (vi->length == 0 && !has_written(w, m, item, it))
        vi->version = 0;
    if (item_alive(it) && it->version < vi->version)
        world_fail(w, "I5",
            "node %u: the version of %.*s goes back from %" PRIu64
            " to %" PRIu64,
            m->ix, SLICE_FMT(w->ledger.items[item].key), vi->version,
            it->version);
}

/* A policy writes what lost once more, under the stamp that it had. */
static bool has_been(const struct world *w, const struct change *c)
{
    for (uint32_t i = 0; i < w->ledger.changes_n; i++) {
        const struct led_change *old = &w->ledger.changes[i];

        for (uint32_t j = 0; j < old->cells_n; j++)
            if (!dot_eq(&old->dot, &c->dot) &&
                stamp_cmp(&old->cells[j].stamp, &c->stamp) == 0)
                return true;
    }
    return false;
}

void check_stamp(struct world *w, struct machine *m, const struct change *c,
    const struct stamp *greatest)
{
    /* A replayed write keeps the stamp that it had. */
    if (!rid_eq(&c->stamp.replica, &c->dot.replica))
        return;
    if (stamp_cmp(&c->stamp, greatest) <= 0 && !has_been(w, c))
        world_fail(w, "I6",
            "node %u writes with clock %" PRIx64 ", and %" PRIx64
            " was visible there",
            m->ix, c->stamp.hlc, greatest->hlc);
}
