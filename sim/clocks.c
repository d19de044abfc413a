#include "sim/clocks.h"

#include "sim/world.h"

/* By then every clock has been compared since it was set right. */
#define MEASURED_US (12 * SEC_US)

static bool go_wrong(const struct world *w)
{
    return fault_is_on(&w->faults, FAULT_CLOCK);
}

bool clocks_heedless(const struct world *w, unsigned id)
{
    struct prng p = draw_from(w->opt.seed, DRAW_CLOCK, id);

    return go_wrong(w) && prng_one_in(&p, 2);
}

void clocks_note_date(struct world *w, const struct machine *m)
{
    clocks_note_author(w, m, 0);
}

void clocks_note_author(
    struct world *w, const struct machine *m, uint64_t epoch)
{
    uint64_t date = sim_clock_wall(&m->clock, w->now_us);

    for (uint64_t e = epoch; e <= w->clocks.newest; e++)
        if (date > w->clocks.latest[e])
            w->clocks.latest[e] = date;
}

/* Its own clock may be wrong; the certificates that prove it an admin may not
 * be there yet; the disk or the memory may fail. */
static bool may_refuse(const struct world *w, int rc)
{
    return rc == SYNCLINE_EDENIED || rc == SYNCLINE_ENOTFOUND ||
        rc == SYNCLINE_ECLOSED ||
        (rc == SYNCLINE_EFULL && fault_is_on(&w->faults, FAULT_FULL)) ||
        (rc == SYNCLINE_ENOMEM && fault_is_on(&w->faults, FAULT_MEMORY)) ||
        (rc == SYNCLINE_EIO &&
            (fault_is_on(&w->faults, FAULT_EIO) ||
                fault_is_on(&w->faults, FAULT_LIE)));
}

static void on_reset(
    struct world *w, struct ask *a, int rc, const struct json *answer)
{
    (void)a;
    (void)answer;
    if (rc == SYNCLINE_OK)
        w->tally.sim.resets++;
    else if (!may_refuse(w, rc))
        world_fail(w, "request", "a reset of clocks is refused: %d", rc);
}

static void reset(struct world *w, struct machine *m, ask_fn *fn)
{
    world_note(w, "an admin resets the clocks at machine %u", m->ix);
    machine_ask(m, fn, NULL, SLICE_LIT("{\"op\":\"clock_reset\"}"));
}

void clocks_act(struct world *w, uint64_t no)
{
    struct prng p = draw_from(w->opt.seed, DRAW_RESET, no);
    struct machine *m = world_machine(w, prng_below(&p, w->drawn_n));

    if (go_wrong(w) && !w->failed && prng_one_in(&p, 50) && m != NULL &&
        m->member && machine_is_up(m) && m->paused_until_us <= w->now_us)
        reset(w, m, on_reset);
}

void clocks_mend(struct world *w)
{
    struct prng p = draw_from(w->opt.seed, DRAW_RESET, UINT64_MAX);

    w->clocks.mended = go_wrong(w) && !w->opt.lonely && prng_one_in(&p, 2);
    if (!w->clocks.mended)
        return;
    world_note(w, "all clocks are set right");
    for (unsigned i = 0; i < w->machines_n; i++)
        clocks_note_date(w, &w->machines[i]);
    for (unsigned i = 0; i < w->machines_n; i++)
        sim_clock_set(&w->machines[i].clock, w->now_us);
}

static void on_last_reset(
    struct world *w, struct ask *a, int rc, const struct json *answer)
{
    on_reset(w, a, rc, answer);
    w->clocks.reset = rc == SYNCLINE_OK;
}

static void reset_at_last(struct world *w, struct happening *h)
{
    (void)h;
    if (machine_is_up(&w->machines[0]))
        reset(w, &w->machines[0], on_last_reset);
}

void clocks_mended(struct world *w)
{
    if (w->clocks.mended) /* and everybody has heard of it */
        (void)world_at(w, w->now_us + MEASURED_US, NULL, reset_at_last);
}
