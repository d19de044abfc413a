/* I2: what was acknowledged is there when a machine comes back. */
#include "sim/check.h"

#include "sim/world.h"

#include <inttypes.h>

void check_ack(struct world *w, struct machine *m)
{
    struct view *v = &w->ledger.views[m->ix];

    for (uint32_t i = 0; i < w->ledger.changes_n; i++) {
        const struct led_change *c = &w->ledger.changes[i];
        const struct view_space *vs;

        if (c->author != m || !c->acked || c->lost || c->moved || c->void_now ||
            c->anew)
            continue;
        vs = view_by_space(v, c->space);
        if (m->node != NULL &&
            node_bound(m->node, &w->ledger.spaces[c->space].token,
                &c->dot.replica) < c->dot.seq)
            continue; /* it may not write there any more */
        if (vs != NULL && !vv_covers(&vs->have, &c->dot)) {
            world_fail(w, "I2",
                "node %u was told that its change %" PRIu64
                " is safe, and does not cover it now",
                m->ix, c->dot.seq);
            return;
        }
    }
}
