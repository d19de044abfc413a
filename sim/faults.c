#include "sim/faults.h"

#include "sim/faults_disk.h"
#include "sim/faults_impl.h"
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
    [FAULT_DELAY] = "delay",
    [FAULT_BRIDGE] = "bridge",
    [FAULT_ONEWAY] = "oneway",
    [FAULT_FLAP] = "flap",
    [FAULT_AWAY] = "away",
    [FAULT_UPGRADE] = "upgrade",
    [FAULT_MEMORY] = "memory",
    [FAULT_WIPE] = "wipe",
    [FAULT_REPLACE] = "replace",
    [FAULT_REMOVE] = "remove",
    [FAULT_FORGE] = "forge",
    [FAULT_FORK] = "fork",
    [FAULT_WITHHOLD] = "withhold",
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
    struct prng fork = draw_from(w->opt.seed, DRAW_FORK, 0);
    struct prng *p = &w->fault_draw;

    *p = draw_from(w->opt.seed, DRAW_FAULTS, 0);
    for (unsigned f = 0; f < FAULT_STRIKES; f++)
        if ((prng_one_in(p, 3) || w->opt.forced) &&
            (w->opt.faults >> f & 1) != 0 &&
            (w->opt.on_file || (FAULTS_OF_FILE >> f & 1) == 0))
            w->faults.on |= 1u << f;
    if (w->opt.by_alloc) /* that, and nothing else */
        w->faults.on = 1u << FAULT_MEMORY;
    w->faults.gap_us = 50 * MS_US + prng_below(p, 3 * SEC_US);
    if ((prng_one_in(p, 3) || w->opt.forced) && !w->opt.by_alloc &&
        (w->opt.faults >> FAULT_FORGE & 1) != 0)
        w->faults.on |= 1u << FAULT_FORGE;
    if ((prng_one_in(&fork, 3) || w->opt.forced) && !w->opt.by_alloc &&
        (w->opt.faults >> FAULT_FORK & 1) != 0)
        w->faults.on |= 1u << FAULT_FORK;
    if ((w->opt.faults >> FAULT_WITHHOLD & 1) != 0 && w->opt.relays > 0 &&
        !fault_is_on(&w->faults, FAULT_SMALL) && !w->opt.by_alloc)
        w->faults.on |= 1u << FAULT_WITHHOLD;
    if (w->opt.files) /* what it refuses is tried again, minutes later */
        w->faults.on &= ~(1u << FAULT_CLOCK);
    w->net.fork = 10 + (unsigned)prng_below(&fork, 100);
}

static unsigned rate(struct world *w, enum fault f, unsigned least)
{
    unsigned n = least + (unsigned)prng_below(&w->fault_draw, 20 * least);

    return fault_is_on(&w->faults, f) ? n : 0;
}

/* ---- what strikes now and then ---- */

static bool strike(struct world *w, enum fault f, struct machine *m)
{
    switch (f) {
    case FAULT_CUT:
    case FAULT_STALL:
    case FAULT_PARTITION:
    case FAULT_DELAY:
    case FAULT_BRIDGE:
    case FAULT_ONEWAY:
    case FAULT_FLAP:
    case FAULT_AWAY:
        return faults_net_strike(w, f);
    case FAULT_FULL:
        faults_disk_full(w, m);
        return true;
    case FAULT_LIE:
    case FAULT_EIO:
    case FAULT_TORN:
    case FAULT_FLIP:
        return faults_disk_strike(w, f, m);
    case FAULT_LOSS:
    case FAULT_DUP:
    case FAULT_REORDER:
    case FAULT_SLOW:
    case FAULT_SYNC:
    case FAULT_SMALL:
    case FAULT_FORGE:
    case FAULT_FORK:
    case FAULT_WITHHOLD:
    case FAULT_END:
        return false; /* these work all the time */
    default:
        return faults_machine_strike(w, f, m);
    }
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
    f = (enum fault)prng_below(&w->fault_draw, FAULT_STRIKES);
    m = world_machine(w, prng_below(&w->fault_draw, w->drawn_n));
    if (m != NULL && fault_is_on(&w->faults, f) &&
        !skip_has(w->opt.skip_strikes, no) && strike(w, f, m))
        w->tally.struck[f]++;
    world_at(w, w->now_us + gap_us, NULL, next);
}

void faults_begin(struct world *w)
{
    w->net.frame_loss = rate(w, FAULT_LOSS, 20);
    w->faults.begun = true;
    w->net.datagram_loss = rate(w, FAULT_LOSS, 2);
    w->net.datagram_dup = rate(w, FAULT_DUP, 2);
    w->net.frame_dup = rate(w, FAULT_DUP, 5);
    w->net.frame_reorder = rate(w, FAULT_REORDER, 20);
    w->net.us_per_kib = 100 + prng_below(&w->fault_draw, 20 * MS_US);
    if (!fault_is_on(&w->faults, FAULT_SLOW))
        w->net.us_per_kib = 0;
    w->net.forge = rate(w, FAULT_FORGE, 10);
    w->tally.struck[FAULT_SLOW] += fault_is_on(&w->faults, FAULT_SLOW);
    w->tally.struck[FAULT_SMALL] += fault_is_on(&w->faults, FAULT_SMALL);
    if (w->faults.on != 0 && !w->opt.by_alloc)
        next(w, NULL);
    faults_roles_begin(w);
    relays_begin(w);
}

void faults_finish(struct world *w)
{
    w->faults.over = true;
    w->net.us_per_kib = 0;
    for (struct link *l = w->net.links; l != NULL; l = l->next)
        network_mend(w, l);
    for (unsigned i = 0; i < w->machines_n && !w->failed; i++)
        faults_machine_finish(w, &w->machines[i]);
    relays_finish(w);
    network_heal(w);
    withhold_finish(w);
}
