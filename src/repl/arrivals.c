/* How long changes were on their way. Told by the clocks of two machines, so
 * it is as good as these agree; it decides nothing. */
#include "repl/node_impl.h"

static uint64_t age_us(const struct node *n, const struct stamp *s)
{
    uint64_t made_us = hlc_wall_us(s->hlc);

    return n->wall_us > made_us ? n->wall_us - made_us : 0;
}

/* What is older than the connection by which it comes could not have come
 * sooner: that says how long somebody was away, and not how fast we are. */
void arrivals_note(struct node *n, const struct conn *c, const struct space *sp,
    const struct item *row)
{
    for (uint32_t i = 0; i < row->changes_n; i++) {
        const struct change *ch = &row->changes[i];
        uint64_t age = age_us(n, &ch->stamp);

        if (vv_covers(&sp->have, &ch->dot) ||
            node_is_mine(n, &ch->dot.replica) || ch->stamp.epoch != n->epoch)
            continue;
        if (age > n->now_us - c->opened_us)
            n->counts.changes_late++;
        else
            histogram_add(&n->arrivals, age);
    }
}

const struct histogram *node_arrivals(const struct node *n)
{
    return &n->arrivals;
}
