#include "sim/relays.h"

#include "sim/check.h"
#include "sim/world.h"

#define GAP_US (8 * SEC_US)
#define DOWN_US (4 * SEC_US)
#define LASTS 16 /* times as long: who keeps something back is to be seen */

unsigned relays_all(const struct world *w)
{
    return w->machines_n + w->relays.n;
}

void relays_init(struct world *w)
{
    struct relays *r = &w->relays;

    r->draw = draw_from(w->opt.seed, DRAW_RELAYS, 0);
    for (; r->n < w->opt.relays && relays_all(w) < SIM_MACHINES; r->n++) {
        struct machine *m = &w->machines[relays_all(w)];

        machine_init(m, w, relays_all(w), SIM_MACHINES + r->n);
        m->relay = true;
    }
}

void relays_start(struct world *w)
{
    for (unsigned i = w->machines_n; i < relays_all(w) && !w->failed; i++)
        machine_start(&w->machines[i]);
}

static void later(struct world *w, uint64_t us,
    void (*fn)(struct world *, struct happening *))
{
    (void)world_at(w, w->now_us + us, NULL, fn);
}

/* ---- who is apart ---- */

/* Whoever is parked, for a short retention, has to meet a member once. */
static bool may_be_for_good(const struct world *w)
{
    return !fault_is_on(&w->faults, FAULT_AWAY) &&
        !fault_is_on(&w->faults, FAULT_SMALL) && !w->opt.lonely;
}

static void part(struct world *w)
{
    struct relays *r = &w->relays;

    r->for_good = prng_one_in(&r->draw, 2) && may_be_for_good(w);
    for (unsigned a = 0; a < w->machines_n; a++)
        for (unsigned b = 0; b < a; b++) {
            bool apart = !prng_one_in(&r->draw, 3) || r->for_good;

            r->apart[a][b] = r->apart[b][a] = apart;
            if (apart)
                world_note(w, "machines %u and %u meet over relays only", a, b);
        }
    network_part(w);
}

/* ---- what befalls them ---- */

static void come_back(struct world *w, struct happening *h)
{
    struct machine *m = &w->machines[h->a];

    if (m->node == NULL)
        machine_start(m);
}

static void go_down(struct world *w, struct machine *m)
{
    struct relays *r = &w->relays;
    uint64_t how = prng_below(&r->draw, 8);

    if (how < 2)
        machine_stop(m);
    else
        machine_crash(m);
    if (how == 7 && m->disk.backup.mem != NULL)
        machine_restore(m);
    if (how == 6 && m->member) {
        machine_wipe(m);
        pairing_begin(w, w->pairing.done);
    }
    w->tally.sim.relays_down++;
    world_at(w, w->now_us + prng_below(&r->draw, DOWN_US), NULL, come_back)->a =
        m->ix;
}

static uint64_t gap(struct world *w)
{
    return prng_below(&w->relays.draw,
        fault_is_on(&w->faults, FAULT_WITHHOLD) ? LASTS * GAP_US : GAP_US);
}

static void strike(struct world *w, struct happening *h)
{
    struct relays *r = &w->relays;
    struct machine *m =
        &w->machines[w->machines_n + prng_below(&r->draw, r->n)];

    (void)h;
    if (w->faults.over)
        return;
    later(w, gap(w), strike);
    if (!machine_is_up(m))
        return;
    if (m->disk.backup.mem == NULL && prng_one_in(&r->draw, 3)) {
        m->was_member = m->member;
        m->copied_at = w->pairing.changes;
        if (machine_disk_save(&m->disk))
            view_save(&w->ledger.views[m->ix]);
    } else {
        go_down(w, m);
    }
}

void relays_begin(struct world *w)
{
    if (w->relays.n == 0)
        return;
    part(w);
    if (w->faults.on != 0 && !w->opt.by_alloc)
        later(w, gap(w), strike);
}

void relays_finish(struct world *w)
{
    struct relays *r = &w->relays;

    if (r->n == 0 || r->for_good)
        return;
    memset(r->apart, 0, sizeof r->apart);
}

/* It was restored to before a deletion that was collected; or what it deleted
 * did not count for a while, and was collected when it did; or it came new, as
 * who was removed does, and a relay that had lost its disk told it of something
 * before it had heard itself of what was collected. */
static bool may_miss_what_was_deleted(const struct world *w)
{
    return w->opt.roles || fault_is_on(&w->faults, FAULT_RESTORE) ||
        fault_is_on(&w->faults, FAULT_REPLACE) ||
        fault_is_on(&w->faults, FAULT_REMOVE) ||
        fault_is_on(&w->faults, FAULT_WIPE);
}

bool relays_relent(struct world *w)
{
    struct relays *r = &w->relays;
    bool any = false;

    for (unsigned i = 0; i < w->machines_n && r->for_good; i++) {
        bool was_apart = false;

        if (!may_miss_what_was_deleted(w) || !machine_is_up(&w->machines[i]) ||
            !node_waits_for_member(w->machines[i].node, NULL, NULL))
            continue;
        for (unsigned k = 0; k < w->machines_n; k++) {
            was_apart = was_apart || r->apart[i][k];
            r->apart[i][k] = r->apart[k][i] = false;
        }
        if (was_apart)
            world_note(w, "machine %u is connected to the others", i);
        any = any || was_apart;
    }
    return any;
}
