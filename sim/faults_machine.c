/* Faults that strike machines: crashes, restores, copies, clocks. */
#include "sim/faults_impl.h"

#include "sim/check.h"
#include "sim/memory.h"

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

static void switch_off(struct world *w, struct machine *m)
{
    if (prng_one_in(&w->fault_draw, 2))
        machine_stop(m);
    else
        machine_crash(m);
}

/* An old copy comes back; the first time it is made, of a machine that is in
 * use or was stopped in good order. */
static bool restore(struct world *w, struct machine *m)
{
    bool cold = prng_one_in(&w->fault_draw, 3) && m->ix != 0;

    if (m->ix == 0 && w->pairing.under_way)
        return false;
    if (machine_has_copy(m)) {
        machine_crash(m);
        machine_restore(m);
        faults_plan_return(w, m);
        return true;
    }
    if (cold)
        machine_stop(m);
    if (w->failed || !machine_disk_save(&m->disk))
        return false;
    m->was_member = m->member;
    sim_file_backup(m);
    m->copied_at = w->pairing.changes;
    view_save(&w->ledger.views[m->ix]);
    world_note(w, "the disk of machine %u is copied", m->ix);
    if (cold)
        faults_plan_return(w, m);
    return true;
}

/* ---- clocks ---- */

static void thaw(struct world *w, struct happening *h)
{
    sim_clock_freeze(&w->machines[h->a].clock, w->now_us, false);
}

static bool turn_clock(struct world *w, struct machine *m)
{
    int64_t us = (int64_t)prng_below(&w->fault_draw, 7200 * SEC_US);
    uint64_t which = prng_below(&w->fault_draw, 4);
    uint64_t for_us = prng_below(&w->fault_draw, 20 * SEC_US);

    clocks_note_date(w, m);
    us -= (int64_t)(3600 * SEC_US);
    if (which == 0) {
        world_note(w, "the date of machine %u stands still", m->ix);
        sim_clock_freeze(&m->clock, w->now_us, true);
        world_at(w, w->now_us + for_us, NULL, thaw)->a = m->ix;
    } else if (which == 1 && machine_is_up(m)) {
        world_note(w, "machine %u restarts with an earlier date", m->ix);
        switch_off(w, m);
        m->clock.date_off_us -= us < 0 ? -us : us;
        faults_plan_return(w, m);
    } else {
        world_note(w, "the clock of machine %u jumps", m->ix);
        m->clock.date_off_us += us;
    }
    return true;
}

/* ---- stores and devices that are lost for good ---- */

/* Machine 0 stays: it lets the others in again. */
static bool wipe(struct world *w, struct machine *m)
{
    if (m->ix == 0 || !m->member)
        return false;
    machine_crash(m);
    machine_wipe(m);
    faults_plan_return(w, m);
    pairing_begin(w, w->pairing.done);
    return true;
}

static bool replace(struct world *w, struct machine *m)
{
    struct device_id old = m->crypto.device;

    if (m->ix == 0 || !m->member || w->pairing.gone_n == PAIRING_GONE)
        return false;
    if (machine_is_up(m))
        machine_crash(m);
    machine_wipe(m);
    machine_renew(m);
    m->role_changed = false;
    faults_plan_return(w, m);
    pairing_remove(w, &old);
    return true;
}

/* What was removed while it ran is of no use any more. */
static void leave_for_good(struct world *w, struct happening *h)
{
    struct machine *m = &w->machines[h->a];

    if (!m->removed)
        return; /* it had to go before its time, with the faults */
    m->removed = m->role_changed = false;
    check_leaves_without_key(w, m);
    if (machine_is_up(m))
        machine_crash(m);
    machine_wipe(m);
    machine_renew(m);
    faults_plan_return(w, m);
    pairing_begin(w, w->pairing.done);
}

static bool remove_member(struct world *w, struct machine *m)
{
    uint64_t us = prng_below(&w->fault_draw, 10 * SEC_US);

    if (m->ix == 0 || !m->member || m->removed ||
        w->pairing.gone_n == PAIRING_GONE)
        return false;
    m->removed = true;
    pairing_remove(w, &m->crypto.device);
    world_at(w, w->now_us + us, NULL, leave_for_good)->a = m->ix;
    return true;
}

void faults_machine_finish(struct world *w, struct machine *m)
{
    struct happening now = { .a = m->ix };

    sim_clock_freeze(&m->clock, w->now_us, false);
    m->paused_until_us = 0;
    m->memory_fails = 0;
    machine_disk_mend(&m->disk);
    leave_for_good(w, &now);
    come_back(w, &now);
}

/* ---- */

static bool upgrade(struct world *w, struct machine *m)
{
    m->odd_limits = !m->odd_limits;
    world_note(w, "machine %u gets another version", m->ix);
    machine_stop(m);
    faults_plan_return(w, m);
    return true;
}

static bool strike_one(struct world *w, enum fault f, struct machine *m)
{
    switch (f) {
    case FAULT_PAUSE:
        m->paused_until_us =
            w->now_us + prng_below(&w->fault_draw, 20 * SEC_US);
        world_note(w, "machine %u pauses", m->ix);
        return true;
    case FAULT_RESTORE:
        return restore(w, m);
    case FAULT_STOP:
        machine_stop(m);
        break;
    case FAULT_UPGRADE:
        return upgrade(w, m);
    case FAULT_MEMORY:
        m->memory_fails = 1 + (uint32_t)prng_below(&w->fault_draw, 400);
        world_note(w, "memory of machine %u will run out", m->ix);
        return memory_can_fail();
    default:
        machine_crash(m);
        break;
    }
    faults_plan_return(w, m);
    return true;
}

bool faults_machine_strike(struct world *w, enum fault f, struct machine *m)
{
    if (f == FAULT_CLOCK)
        return turn_clock(w, m);
    if (f == FAULT_REPLACE)
        return !m->removed && replace(w, m);
    if (!machine_is_up(m))
        return false;
    if (f == FAULT_REMOVE)
        return remove_member(w, m);
    if (f == FAULT_WIPE)
        return !m->removed && wipe(w, m);
    return strike_one(w, f, m);
}
