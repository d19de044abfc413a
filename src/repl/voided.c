/* What was collected here for changes that do not count any more. Nobody can
 * take that back: what they had overwritten is in no item. So it stays gone,
 * everywhere: a change of our own, that says nothing, takes their place in the
 * horizon, and whoever lacks it is behind, and is sent the whole state.
 *
 * It comes about only if who takes a device's rights has been away for so long
 * that he was not waited for: of what he knows all is in the cut. Who may not
 * write begins the space anew instead (access.c). */
#include "repl/access_impl.h"

bool voided_in(
    const struct node *n, const struct space *sp, const struct vv *horizon)
{
    if (space_is_open(sp))
        return false;
    for (uint32_t i = 0; i < horizon->n; i++) {
        struct dot d = horizon->e[i];

        /* Of whom nothing is known yet, something may come to be known. */
        if (access_clamp_dot(n, sp, &d) && d.seq != horizon->e[i].seq)
            return true;
    }
    return false;
}

/* One commit: before it V claims what does not count, after it the horizon is
 * covered by V again. */
int voided_mark(struct node *n, struct space *sp)
{
    const struct dot mark = { n->replica, vv_get(&sp->have, &n->replica) + 1 };
    int rc = access_lower(n, sp, &sp->have, false);

    if (rc == SYNCLINE_OK)
        rc = access_lower(n, sp, &sp->horizon, true);
    if (rc == SYNCLINE_OK)
        rc = space_raise(n, sp, &mark);
    if (rc == SYNCLINE_OK)
        rc = space_raise_horizon(n, sp, &mark);
    if (rc == SYNCLINE_OK)
        rc = node_commit(n);
    if (rc != SYNCLINE_OK)
        return rc;
    n->counts.losses_marked++;
    n->want_flush = true;
    log_line(&n->log, LOG_LEVEL_WARN, "access",
        "%.*s: what was deleted by a device that may not write there stays "
        "deleted, since it has been collected; others are sent the whole state",
        SLICE_FMT(sp->name));
    return SYNCLINE_OK;
}
