/* Faults that strike the network. */
#include "sim/faults_impl.h"

static struct link *some_link(struct world *w)
{
    return network_pick(w, prng_below(&w->fault_draw, network_links(w) + 1));
}

static bool cut(struct world *w)
{
    struct link *l = some_link(w);

    if (l == NULL)
        return false;
    world_note(w, "a connection of machines %u and %u is cut",
        l->end[0].machine->ix, l->end[1].machine->ix);
    network_cut(w, l);
    return true;
}

static bool stall(struct world *w)
{
    struct link *l = some_link(w);
    unsigned way;

    if (l == NULL)
        return false;
    world_note(w, "a connection of machines %u and %u stalls one way",
        l->end[0].machine->ix, l->end[1].machine->ix);
    way = (unsigned)prng_below(&w->fault_draw, 2);
    network_stall(w, l, way, prng_below(&w->fault_draw, 20 * SEC_US));
    return true;
}

static bool delay(struct world *w)
{
    struct link *l = some_link(w);

    if (l == NULL)
        return false;
    l->delay_us = prng_below(&w->fault_draw, 3 * SEC_US);
    world_note(w, "a connection of machines %u and %u takes %llu ms",
        l->end[0].machine->ix, l->end[1].machine->ix,
        (unsigned long long)(l->delay_us / MS_US));
    return true;
}

/* Draws for each machine of the seed, left out or not. */
static void draw_groups(struct world *w, unsigned *groups)
{
    for (unsigned id = 0; id < w->drawn_n; id++) {
        unsigned group = (unsigned)prng_below(&w->fault_draw, 2);
        const struct machine *m = world_machine(w, id);

        if (m != NULL)
            groups[m->ix] = group;
    }
}

static bool partition(struct world *w)
{
    unsigned groups[SIM_MACHINES] = { 0 };
    bool heals = prng_one_in(&w->fault_draw, 2);

    draw_groups(w, groups);
    world_note(w, heals ? "the network is whole" : "the network parts");
    if (heals)
        memset(groups, 0, sizeof groups);
    network_regroup(w, groups, SIM_MACHINES);
    return true;
}

/* Two groups, and one machine that both reach. */
static bool bridge(struct world *w, const struct machine *m)
{
    unsigned groups[SIM_MACHINES] = { 0 };

    draw_groups(w, groups);
    world_note(w, "the network parts; machine %u reaches both sides", m->ix);
    network_regroup(w, groups, m->ix);
    return true;
}

static void both_ways_again(struct world *w, struct happening *h)
{
    network_one_way(w, (unsigned)(h->a / SIM_MACHINES),
        (unsigned)(h->a % SIM_MACHINES), false);
}

static bool one_way(struct world *w, const struct machine *from)
{
    const struct machine *to =
        world_machine(w, prng_below(&w->fault_draw, w->drawn_n));
    uint64_t us = prng_below(&w->fault_draw, 30 * SEC_US);

    if (to == NULL || to == from)
        return false;
    world_note(w, "machine %u does not reach machine %u", from->ix, to->ix);
    network_one_way(w, from->ix, to->ix, true);
    world_at(w, w->now_us + us, NULL, both_ways_again)->a =
        from->ix * SIM_MACHINES + to->ix;
    return true;
}

/* ---- machines that are away ---- */

/* who: a bit a machine. */
static void set_away(struct world *w, uint64_t who, bool away)
{
    for (unsigned i = 0; i < w->machines_n; i++)
        for (unsigned k = 0; k < w->machines_n; k++)
            if ((who >> i & 1) != 0 && (who >> k & 1) == 0) {
                network_one_way(w, i, k, away);
                network_one_way(w, k, i, away);
            }
}

static void are_back(struct world *w, struct happening *h)
{
    if (w->faults.over)
        return;
    world_note(w, "who was away is back");
    set_away(w, h->a, false);
}

/* They are used meanwhile, and so are the others. */
static bool go_away(struct world *w, const struct machine *m)
{
    uint64_t us = 25 * SEC_US + prng_below(&w->fault_draw, 30 * SEC_US);
    uint64_t who = (uint64_t)1 << m->ix;

    for (unsigned id = 0; id < w->drawn_n; id++) {
        bool too = prng_one_in(&w->fault_draw, 3);
        const struct machine *other = world_machine(w, id);

        if (too && other != NULL)
            who |= (uint64_t)1 << other->ix;
    }
    for (unsigned i = 0; i < w->machines_n; i++)
        if ((who >> i & 1) != 0)
            world_note(w, "machine %u is away", i);
    set_away(w, who, true);
    world_at(w, w->now_us + us, NULL, are_back)->a = who;
    return true;
}

/* ---- a cable that comes and goes ---- */

#define FLAPS 20

static void flap_again(struct world *w, struct happening *h)
{
    unsigned a = (unsigned)(h->a / SIM_MACHINES % SIM_MACHINES);
    unsigned b = (unsigned)(h->a % SIM_MACHINES);
    uint64_t left = h->a / (SIM_MACHINES * SIM_MACHINES);
    struct link *l;

    if (w->faults.over)
        return;
    for (unsigned i = 0; (l = network_pick(w, i)) != NULL; i++)
        if ((l->end[0].machine->ix == a && l->end[1].machine->ix == b) ||
            (l->end[0].machine->ix == b && l->end[1].machine->ix == a))
            network_cut(w, l);
    if (left > 0)
        world_at(w, w->now_us + 20 * MS_US * (1 + left), NULL, flap_again)->a =
            h->a - SIM_MACHINES * SIM_MACHINES;
}

static bool flap(struct world *w)
{
    const struct link *l = some_link(w);
    uint64_t times = 2 + prng_below(&w->fault_draw, FLAPS);

    if (l == NULL)
        return false;
    world_note(w, "the cable of machines %u and %u comes and goes",
        l->end[0].machine->ix, l->end[1].machine->ix);
    world_at(w, w->now_us, NULL, flap_again)->a =
        (times * SIM_MACHINES + l->end[0].machine->ix) * SIM_MACHINES +
        l->end[1].machine->ix;
    return true;
}

bool faults_net_strike(struct world *w, enum fault f)
{
    const struct machine *m;

    switch (f) {
    case FAULT_CUT:
        return cut(w);
    case FAULT_STALL:
        return stall(w);
    case FAULT_DELAY:
        return delay(w);
    case FAULT_PARTITION:
        return partition(w);
    case FAULT_FLAP:
        return flap(w);
    default:
        m = world_machine(w, prng_below(&w->fault_draw, w->drawn_n));
        if (m == NULL)
            return false;
        if (f == FAULT_AWAY)
            return go_away(w, m);
        return f == FAULT_BRIDGE ? bridge(w, m) : one_way(w, m);
    }
}
