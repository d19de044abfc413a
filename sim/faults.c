#include "sim/faults.h"

#include "sim/check.h"
#include "sim/faults_disk.h"
#include "sim/skip.h"
#include "sim/world.h"

static const char *const names[FAULT_END] = {
    [FAULT_CUT] = "cut",
    [FAULT_LOSS] = "loss",
    [FAULT_DUP] = "dup",
    [FAULT_REORDER] = "reorder",
    [FAULT_PARTITION] = "partition",
    [FAULT_STALL] = "stall",
    [FAULT_SLOW] = "slow",
    [FAULT_CRASH] = "crash",
    [FAULT_STOP] = "stop",
    [FAULT_PAUSE] = "pause",
    [FAULT_RESTORE] = "restore",
    [FAULT_CLOCK] = "clock",
    [FAULT_SYNC] = "sync",
    [FAULT_FULL] = "full",
    [FAULT_SMALL] = "small",
    [FAULT_LIE] = "lie",
    [FAULT_EIO] = "eio",
    [FAULT_TORN] = "torn",
    [FAULT_FLIP] = "flip",
};

const char *fault_name(enum fault f)
{
    return names[f];
}

static bool parse_one(struct slice name, uint32_t *set)
{
    bool but = name.len > 0 && name.ptr[0] == '-';

    if (but)
        name = slice_from(name, 1);
    if (slice_is(name, "all"))
        *set = FAULTS_ALL;
    else if (slice_is(name, "none"))
        *set = 0;
    else {
        for (unsigned f = 0; f < FAULT_END; f++)
            if (slice_is(name, names[f])) {
                *set = but ? *set & ~(1u << f) : *set | 1u << f;
                return true;
            }
        return false;
    }
    return true;
}

bool faults_parse(struct slice text, uint32_t *out)
{
    uint32_t set = text.len > 0 && text.ptr[0] == '-' ? FAULTS_ALL : 0;

    while (text.len > 0) {
        const uint8_t *comma = memchr(text.ptr, ',', text.len);
        size_t n = comma != NULL ? (size_t)(comma - text.ptr) : text.len;

        if (!parse_one(SLICE(text.ptr, n), &set))
            return false;
        text = slice_from(text, n + 1);
    }
    *out = set;
    return true;
}

void faults_print(struct buf *out, uint32_t set)
{
    bool any = false;

    for (unsigned f = 0; f < FAULT_END; f++)
        if ((set >> f & 1) != 0) {
            buf_printf(out, "%s%s", any ? "," : "", names[f]);
            any = true;
        }
    if (!any)
        buf_put_str(out, "none");
}

void faults_draw(struct world *w)
{
    struct prng *p = &w->fault_draw;

    *p = draw_from(w->opt.seed, DRAW_FAULTS, 0);
    for (unsigned f = 0; f < FAULT_END; f++)
        if ((prng_one_in(p, 3) || w->opt.forced) &&
            (w->opt.faults >> f & 1) != 0 &&
            (w->opt.on_file || (FAULTS_OF_FILE >> f & 1) == 0))
            w->faults.on |= 1u << f;
    w->faults.gap_us = 50 * MS_US + prng_below(p, 3 * SEC_US);
}

static unsigned rate(struct world *w, enum fault f, unsigned least)
{
    unsigned n = least + (unsigned)prng_below(&w->fault_draw, 20 * least);

    return fault_is_on(&w->faults, f) ? n : 0;
}

/* ---- what strikes now and then ---- */

static void cut(struct world *w)
{
    struct link *l =
        network_pick(w, prng_below(&w->fault_draw, network_links(w) + 1));

    if (l == NULL)
        return;
    world_note(w, "a connection of machines %u and %u is cut",
        l->end[0].machine->ix, l->end[1].machine->ix);
    network_cut(w, l);
}

static void stall(struct world *w)
{
    struct link *l =
        network_pick(w, prng_below(&w->fault_draw, network_links(w) + 1));
    unsigned way;

    if (l == NULL)
        return;
    world_note(w, "a connection of machines %u and %u stalls one way",
        l->end[0].machine->ix, l->end[1].machine->ix);
    way = (unsigned)prng_below(&w->fault_draw, 2);
    network_stall(w, l, way, prng_below(&w->fault_draw, 20 * SEC_US));
}

static void partition(struct world *w)
{
    unsigned groups[SIM_MACHINES] = { 0 };
    bool heals = prng_one_in(&w->fault_draw, 2);

    for (unsigned id = 0; id < w->drawn_n; id++) {
        unsigned group = (unsigned)prng_below(&w->fault_draw, 2);
        const struct machine *m = world_machine(w, id);

        if (m != NULL && !heals)
            groups[m->ix] = group;
    }
    world_note(w, heals ? "the network is whole" : "the network parts");
    network_regroup(w, groups);
}

static void come_back(struct world *w, struct happening *h)
{
    struct machine *m = &w->machines[h->a];

    if (m->node != NULL)
        return;
    machine_start(m);
    if (!w->failed)
        check_ack(w, m);
}

void faults_plan_return(struct world *w, struct machine *m)
{
    uint64_t us = prng_below(
        &w->fault_draw, prng_one_in(&w->fault_draw, 3) ? 20 * SEC_US : SEC_US);

    world_at(w, w->now_us + us, NULL, come_back)->a = m->ix;
}

static void strike_machine(struct world *w, enum fault f, struct machine *m)
{
    if (!machine_is_up(m))
        return;
    if (f == FAULT_PAUSE) {
        m->paused_until_us =
            w->now_us + prng_below(&w->fault_draw, 20 * SEC_US);
        world_note(w, "machine %u pauses", m->ix);
        return;
    }
    if (f == FAULT_RESTORE && m->disk.backup.mem == NULL) {
        if (!machine_disk_save(&m->disk))
            return;
        view_save(&w->ledger.views[m->ix]);
        world_note(w, "the disk of machine %u is copied", m->ix);
        return;
    }
    if (f == FAULT_STOP)
        machine_stop(m);
    else
        machine_crash(m);
    if (f == FAULT_RESTORE)
        machine_restore(m);
    faults_plan_return(w, m);
}

static void turn_clock(struct world *w, struct machine *m)
{
    int64_t us = (int64_t)prng_below(&w->fault_draw, 7200 * SEC_US);

    m->clock.date_off_us += us - (int64_t)(3600 * SEC_US);
    world_note(w, "the clock of machine %u jumps", m->ix);
}

static void strike(struct world *w, enum fault f, struct machine *m)
{
    switch (f) {
    case FAULT_CUT:
        cut(w);
        break;
    case FAULT_STALL:
        stall(w);
        break;
    case FAULT_PARTITION:
        partition(w);
        break;
    case FAULT_CLOCK:
        turn_clock(w, m);
        break;
    case FAULT_FULL:
        faults_disk_full(w, m);
        break;
    case FAULT_LIE:
    case FAULT_EIO:
    case FAULT_TORN:
    case FAULT_FLIP:
        if (!faults_disk_strike(w, f, m))
            return;
        break;
    case FAULT_CRASH:
    case FAULT_STOP:
    case FAULT_PAUSE:
    case FAULT_RESTORE:
        strike_machine(w, f, m);
        break;
    default: /* the others work all the time */
        return;
    }
    w->tally.struck[f]++;
}

static void next(struct world *w, struct happening *h)
{
    uint64_t gap_us, no = w->faults.strikes;
    struct machine *m;
    enum fault f;

    (void)h;
    if (w->faults.over)
        return;
    w->faults.strikes++;
    w->fault_draw = draw_from(w->opt.seed, DRAW_STRIKE, no);
    gap_us = prng_below(&w->fault_draw, w->faults.gap_us);
    f = (enum fault)prng_below(&w->fault_draw, FAULT_END);
    m = world_machine(w, prng_below(&w->fault_draw, w->drawn_n));
    if (m != NULL && fault_is_on(&w->faults, f) &&
        !skip_has(w->opt.skip_strikes, no))
        strike(w, f, m);
    world_at(w, w->now_us + gap_us, NULL, next);
}

void faults_begin(struct world *w)
{
    w->net.frame_loss = rate(w, FAULT_LOSS, 20);
    w->net.datagram_loss = rate(w, FAULT_LOSS, 2);
    w->net.frame_dup = rate(w, FAULT_DUP, 5);
    w->net.frame_reorder = rate(w, FAULT_REORDER, 20);
    w->net.us_per_kib = 100 + prng_below(&w->fault_draw, 20 * MS_US);
    if (!fault_is_on(&w->faults, FAULT_SLOW))
        w->net.us_per_kib = 0;
    w->tally.struck[FAULT_SLOW] += fault_is_on(&w->faults, FAULT_SLOW);
    w->tally.struck[FAULT_SMALL] += fault_is_on(&w->faults, FAULT_SMALL);
    if (w->faults.on != 0)
        next(w, NULL);
}

void faults_finish(struct world *w)
{
    w->faults.over = true;
    w->net.us_per_kib = 0;
    for (struct link *l = w->net.links; l != NULL; l = l->next)
        l->us_per_kib = 0;
    for (unsigned i = 0; i < w->machines_n && !w->failed; i++) {
        struct machine *m = &w->machines[i];

        m->paused_until_us = 0;
        machine_disk_mend(&m->disk);
        if (m->node != NULL)
            continue;
        machine_start(m);
        if (!w->failed)
            check_ack(w, m);
    }
    network_heal(w);
}
