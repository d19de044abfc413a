/* Who stands between two machines that pair does not get in. */
#include "sim/check.h"

#include "sim/world.h"

/* Whoever asked for it, what came of it. */
void check_middle(struct world *w)
{
    const struct machine *m = &w->machines[0];

    if (machine_is_up(m) &&
        node_admits(m->node, &w->pairing.middle.crypto.device, false))
        world_fail(w, "between",
            "node 0: a machine that stood between it and another one is a "
            "member");
}

/* Who has joined without a code; way: who stands there. */
void check_joined(struct world *w, const struct machine *m, enum middle_way way)
{
    if (way != MIDDLE_NONE)
        world_fail(w, "between",
            "node %u has joined through a machine in between", m->ix);
}

/* What machine 0 shows of one at the door; way: who stands there. */
void check_digits(struct world *w, enum middle_way way, struct slice digits)
{
    if (way == MIDDLE_CHOOSES && digits.len > 0)
        world_fail(w, "commitment",
            "node 0 shows digits for a nonce that was chosen after its own");
}
