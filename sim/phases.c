#include "sim/phases.h"

#include "sim/check.h"
#include "sim/world.h"

/* I14: all agree so soon after the last fault, and what was still to be
 * carried has had its time: so long for so many operations. */
#define HEAL_US (30 * SEC_US)
#define TRANSFER_US (5 * SEC_US)
#define TRANSFER_OPS 200
/* Where some have not met until then, they have to tell what they have, and
 * collect what all have, item by item where commits are small. */
#define MEETING_US (60 * SEC_US)
/* What did not open is asked for again so late. */
#define UNOPENED_US (120 * SEC_US)
/* Who differs under one vector compares once a minute, and then writes. */
#define FORKS_US (150 * SEC_US)
/* Who reads no faster than his limits say takes longer for the same, and may be
 * sent what he has already for a while; so does who is sent large rows in many
 * pieces. He has caught up when nothing had to wait, and no piece came, for so
 * long: what goes then is collected and told of at a heartbeat. That is awaited
 * for so long. */
#define CAUGHT_UP_US (16 * SEC_US)
#define CATCH_UP_US (120 * SEC_US)
/* Nothing happens for so long, twice. */
#define QUIET_US (60 * SEC_US)
/* What is written after that is everywhere. */
#define LIVE_US (5 * SEC_US)

static void later(struct world *w, uint64_t us,
    void (*fn)(struct world *, struct happening *))
{
    (void)world_at(w, w->now_us + us, NULL, fn);
}

/* ---- liveness ---- */

static void judge_life(struct world *w, struct happening *h)
{
    (void)h;
    check_alive(w);
    if (!w->failed && !w->opt.lonely)
        check_converge(w);
    check_watches(w);
    check_files_alive(w);
    check_files(w);
    w->work.over = true;
}

static void live(struct world *w)
{
    world_note(w, "liveness: every machine writes once more");
    w->work.phase_us = w->now_us;
    for (unsigned i = 0; i < w->machines_n && !w->failed; i++)
        check_alive_begin(w, &w->machines[i]);
    sim_file_live(w);
    later(w, LIVE_US, judge_life);
}

/* ---- quiet ---- */

static void judge_reunion(struct world *w, struct happening *h)
{
    (void)h;
    check_echo_end(w, true);
    if (!w->opt.lonely)
        check_converge(w);
    check_watches(w);
    live(w);
}

/* What was only in their memory is forgotten; after a crash they are new
 * replicas, whom nobody holds a cursor of. */
static void restart_some(struct world *w)
{
    for (unsigned i = 0; i < w->machines_n && !w->failed; i++) {
        struct machine *m = &w->machines[i];

        if (!prng_one_in(&m->draw, 2))
            continue;
        if (fault_is_on(&w->faults, FAULT_CRASH))
            machine_crash(m);
        else
            machine_stop(m);
        machine_start(m);
        if (!w->failed)
            check_ack(w, m);
    }
}

static void judge_quiet(struct world *w, struct happening *h)
{
    struct link *l;

    (void)h;
    check_echo_end(w, false);
    world_note(w, "reunion: every connection is cut once more");
    for (unsigned i = 0; (l = network_pick(w, i)) != NULL; i++)
        network_cut(w, l);
    if (fault_is_on(&w->faults, FAULT_STOP) ||
        fault_is_on(&w->faults, FAULT_CRASH))
        restart_some(w);
    watchers_resume(w);
    later(w, QUIET_US, judge_reunion);
}

/* ---- heal ---- */

static bool is_late(const struct world *w)
{
    for (unsigned i = 0; i < w->machines_n; i++) {
        uint64_t late_us = w->machines[i].late_us;

        if (late_us > 0 && w->now_us < late_us + CAUGHT_UP_US)
            return true;
    }
    return false;
}

static void judge(struct world *w, struct happening *h)
{
    (void)h;
    world_note(w, "quiet: judgement");
    if (!w->opt.lonely) {
        check_epochs(w);
        if (!w->failed)
            check_forks(w);
        if (!w->failed)
            check_converge(w);
        if (!w->failed)
            check_carried(w);
        if (!w->failed)
            check_members(w);
        if (!w->failed)
            check_brought(w);
        if (!w->failed)
            check_lost(w);
    }
    for (unsigned i = 0; i < w->machines_n && !w->failed; i++)
        check_ack(w, &w->machines[i]);
    check_watches(w);
    check_files(w);
    for (unsigned i = 0; i < w->machines_n && !w->failed; i++) {
        check_limits(w, &w->machines[i]);
        check_history(w, &w->machines[i]);
    }
    if (w->failed)
        return;
    check_echo_begin(w);
    later(w, QUIET_US, judge_quiet);
}

static void catch_up(struct world *w, struct happening *h)
{
    if (is_late(w) && w->now_us < w->work.phase_us + CATCH_UP_US)
        later(w, SEC_US, catch_up);
    else
        judge(w, h);
}

static void judge_soon(struct world *w, struct happening *h)
{
    if (relays_relent(w)) {
        later(w, MEETING_US, judge_soon);
        return;
    }
    w->work.phase_us = w->now_us;
    catch_up(w, h);
}

static void healed(struct world *w)
{
    const uint64_t loads = (w->opt.ops + TRANSFER_OPS - 1) / TRANSFER_OPS;

    sim_file_finish(w);
    clocks_mended(w);
    later(w,
        HEAL_US + loads * TRANSFER_US + (w->relays.n > 0 ? MEETING_US : 0) +
            (w->relays.n > 0 && w->opt.roles ? UNOPENED_US : 0) +
            (fault_is_on(&w->faults, FAULT_FORK) ? FORKS_US : 0),
        judge_soon);
}

/* What each may do is settled when all hear of it again: over a relay that was
 * out, too. */
static void all_are_in(struct world *w)
{
    w->pairing.done = NULL;
    faults_roles_finish(w, healed);
}

void phases_begin(struct world *w)
{
    world_note(w, "heal: the work is done, faults end");
    faults_finish(w);
    clocks_mend(w);
    watchers_resume(w);
    pairing_begin(w, all_are_in);
}
