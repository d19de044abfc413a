/* R27: a relay that keeps back what others have signed that it has is told of,
 * and no other relay is. */
#include "repl/frames.h"
#include "sim/check.h"
#include "sim/world.h"

/* Three heartbeats of a node, and what connections take. */
#define TOLD_US (3 * 5 * SEC_US + 5 * SEC_US)
/* At most from a ping to what answers it. */
#define BEAT_US (SEC_US / 5)
/* Where a connection lives and rests, or machines do, answers to pings are
 * late, and nobody can say how much. */
#define LATE                                                            \
    (1u << FAULT_STALL | 1u << FAULT_SLOW | 1u << FAULT_PAUSE |         \
        1u << FAULT_DELAY | 1u << FAULT_ONEWAY | 1u << FAULT_FLAP |     \
        1u << FAULT_PARTITION | 1u << FAULT_BRIDGE | 1u << FAULT_AWAY | \
        1u << FAULT_MEMORY | 1u << FAULT_FULL | 1u << FAULT_CLOCK)

static bool is_told(struct machine *m)
{
    struct arena a = { 0 };
    int rc;
    const struct json *list =
        json_get(machine_ask_now(m, SLICE_LIT("{\"op\":\"status\"}"), &a, &rc),
            "withheld");
    bool told = false;

    for (const struct json *e = list != NULL ? list->first : NULL; e != NULL;
         e = e->next)
        told = told || slice_is(json_get_str(e, "what"), "missing");
    arena_free(&a);
    return told;
}

static bool lacks(const struct world *w)
{
    const struct sim_withhold *h = &w->withhold;
    const struct view_space *vs = view_by_space(
        &((struct world *)w)->ledger.views[h->from->ix], h->space);

    return vs != NULL && !vv_covers(&vs->have, &h->dot);
}

static bool lives(const struct world *w)
{
    const struct sim_withhold *h = &w->withhold;

    for (const struct link *l = w->net.links; l != NULL; l = l->next)
        if (l == h->over)
            return l->end[0].open && l->end[1].open &&
                l->end[0].life == h->lives[0] && l->end[1].life == h->lives[1];
    return false;
}

static void judge(struct world *w, struct happening *hp)
{
    struct sim_withhold *h = &w->withhold;

    (void)hp;
    if (w->now_us < h->due_us) {
        (void)world_at(w, h->due_us, NULL, judge);
        return;
    }
    h->heard = false;
    if (w->faults.over || !machine_is_up(h->from) || !lives(w) || !lacks(w))
        return;
    w->tally.sim.withheld_told++;
    if (!is_told(h->from))
        world_fail(w, "R27",
            "node %u has a signed word that change %llu of a replica is at "
            "relay %u, which keeps it back, and does not say so",
            h->from->ix, (unsigned long long)h->dot.seq, h->relay->ix);
}

/* What a member says that the relay has, and this one lacks. */
void check_withheld_heard(
    struct world *w, const struct link *l, const struct frame_head *f)
{
    struct sim_withhold *h = &w->withhold;

    if (h->heard || (w->faults.on & LATE) != 0)
        return;
    for (uint32_t i = 0; i < f->durable.n; i++) {
        h->dot = f->durable.e[i];
        if (!rid_is_of(&h->dot.replica, &h->author->crypto.device) || !lacks(w))
            continue;
        h->heard = true;
        h->over = l;
        h->lives[0] = l->end[0].life;
        h->lives[1] = l->end[1].life;
        h->more_us = 0;
        h->due_us = w->now_us + TOLD_US;
        (void)world_at(w, h->due_us, NULL, judge);
        return;
    }
}

/* What is lacking may be among what the relay is about to send: a heartbeat
 * amid such rows does not count, nor do those before it. */
void check_withheld_sent(
    struct world *w, const struct link *l, const struct frame *f)
{
    struct sim_withhold *h = &w->withhold;

    if (!h->heard || h->over != l)
        return;
    if (f->type == FRAME_FRAGMENT ||
        (f->type == FRAME_BATCH && (f->batch.flags & BATCH_MARK) == 0 &&
            f->batch.rows_n + f->batch.conflicts_n > 0))
        h->more_us = w->now_us;
    else if (f->type == FRAME_PONG && w->now_us < h->more_us + BEAT_US)
        h->due_us = w->now_us + TOLD_US;
}

/* A relay that gives all that it has is not accused. */
void check_withheld_note(
    struct world *w, const struct machine *m, const char *kind)
{
    const struct sim_withhold *h = &w->withhold;

    if (strcmp(kind, "head-differs") == 0 && w->forks.n == 0)
        world_fail(
            w, "accused", "node %u says that an honest word differs", m->ix);
    if (strcmp(kind, "relay-withholds") == 0 && (h->rows == 0 || h->from != m))
        world_fail(w, "accused",
            "node %u says that a relay keeps back what it has sent", m->ix);
}
