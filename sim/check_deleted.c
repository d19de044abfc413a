#include "sim/check.h"

#include "sim/world.h"

#include <inttypes.h>

void check_deleted(
    struct world *w, struct machine *m, uint32_t item, const struct item *it)
{
    const struct view_item *vi = &w->ledger.views[m->ix].items[item];

    if (item_alive(it) && it->length < vi->deepest)
        world_fail(w, "I7",
            "node %u: %.*s is alive in life %" PRIu64
            " although the end of life %" PRIu64 " was seen there",
            m->ix, SLICE_FMT(w->ledger.items[item].key), it->length,
            vi->deepest);
}
