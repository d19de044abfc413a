/* I5, I6, R19: versions and stamps only rise, none is further ahead than
 * somebody's date was, and at quiet all are in one epoch. */
#include "sim/check.h"

#include "core/hlc.h"
#include "sim/world.h"

#include <inttypes.h>

/* Is something in it the machine's own? */
static bool has_written(const struct world *w, const struct machine *m,
    uint32_t item, const struct item *it)
{
    for (uint32_t i = 0; i < it->changes_n; i++) {
        uint32_t c = ledger_find(
            &w->ledger, w->ledger.items[item].space, &it->changes[i].dot);

        if (c != LEDGER_NONE && w->ledger.changes[c].author == m)
            return true;
    }
    return false;
}

void check_version(
    struct world *w, struct machine *m, uint32_t item, const struct item *it)
{
    struct view_item *vi = &w->ledger.views[m->ix].items[item];

    /* Whoever made it anew elsewhere need not have known how far it had come
     * where it has been collected. */
    if (vi->length == 0 && !has_written(w, m, item, it))
        vi->version = 0;
    if (item_alive(it) && it->version < vi->version)
        world_fail(w, "I5",
            "node %u: the version of %.*s goes back from %" PRIu64
            " to %" PRIu64,
            m->ix, SLICE_FMT(w->ledger.items[item].key), vi->version,
            it->version);
}

/* A policy writes what lost once more, under the stamp that it had. */
static bool has_been(const struct world *w, const struct change *c)
{
    for (uint32_t i = 0; i < w->ledger.changes_n; i++) {
        const struct led_change *old = &w->ledger.changes[i];

        for (uint32_t j = 0; j < old->cells_n; j++)
            if (!dot_eq(&old->dot, &c->dot) &&
                stamp_cmp(&old->cells[j].stamp, &c->stamp) == 0)
                return true;
    }
    return false;
}

#define FAR_US (60 * SEC_US)
/* A start may put the clock so far ahead of where it was. */
#define STRIDE_US (11 * SEC_US)

static uint64_t date_of(const struct world *w, const struct machine *m)
{
    return sim_clock_wall(&m->clock, w->now_us);
}

/* The clock of stamps goes by dates that somebody has, of that epoch. */
static void check_date(
    struct world *w, const struct machine *m, const struct stamp *s)
{
    uint64_t epoch = s->epoch < SIM_EPOCHS ? s->epoch : SIM_EPOCHS - 1;
    uint64_t *latest = &w->clocks.latest[epoch], date = date_of(w, m);
    uint64_t slack = SEC_US;

    for (unsigned i = 0; i < w->machines_n; i++)
        slack += w->machines[i].life * STRIDE_US;
    if (epoch > w->clocks.newest)
        w->clocks.newest = epoch;
    if (date > *latest)
        *latest = date;
    if (hlc_wall_us(s->hlc) > *latest + slack)
        world_fail(w, "R19",
            "node %u writes in epoch %" PRIu64 " with a stamp that is %" PRIu64
            " s ahead of every date that was written by there",
            m->ix, s->epoch, (hlc_wall_us(s->hlc) - *latest) / SEC_US);
}

void check_far_note(struct world *w, struct machine *m, const struct change *c)
{
    uint64_t us = hlc_wall_us(c->stamp.hlc);

    if (us <= date_of(w, m) + FAR_US ||
        (m->far_life == m->life && stamp_cmp(&c->stamp, &m->far) <= 0))
        return;
    m->far = c->stamp;
    m->far_life = m->life;
}

static const struct json *ask_clock(struct machine *m, struct arena *a)
{
    int rc;
    const struct json *answer =
        machine_ask_now(m, SLICE_LIT("{\"op\":\"clock\"}"), a, &rc);

    if (rc != SYNCLINE_OK)
        world_fail(m->world, "R19", "node %u does not tell of its clock: %d",
            m->ix, rc);
    return rc == SYNCLINE_OK ? json_get(answer, "clock") : NULL;
}

void check_far(struct world *w, struct machine *m)
{
    uint64_t us = hlc_wall_us(m->far.hlc);
    struct arena arena = { 0 };
    const struct json *clock;

    if (!machine_is_up(m) || m->paused_until_us > w->now_us ||
        m->far_life != m->life || us <= date_of(w, m) + FAR_US)
        return;
    clock = ask_clock(m, &arena);
    if (clock != NULL &&
        (uint64_t)json_get_int(clock, "epoch", 0) == m->far.epoch &&
        (json_get(clock, "stamped")->n == 0 ||
            !json_get_bool(clock, "far", false)))
        world_fail(w, "R19",
            "node %u holds a stamp that is %" PRIu64
            " s ahead of its clock, and does not tell",
            m->ix, (us - date_of(w, m)) / SEC_US);
    arena_free(&arena);
}

void check_epochs(struct world *w)
{
    int64_t first = -1;

    for (unsigned i = 0; i < w->machines_n && !w->failed; i++) {
        struct arena arena = { 0 };
        const struct json *clock = ask_clock(&w->machines[i], &arena);
        int64_t epoch = clock != NULL ? json_get_int(clock, "epoch", -1) : -1;

        if (first < 0)
            first = epoch;
        if (clock != NULL && epoch != first)
            world_fail(w, "epoch",
                "node %u is in epoch %" PRId64 ", node 0 in %" PRId64, i, epoch,
                first);
        if (clock != NULL && w->clocks.reset &&
            json_get_bool(clock, "far", true))
            world_fail(w, "reset",
                "node %u: all clocks were set right and reset, and stamps are "
                "%" PRId64 " us ahead",
                i, json_get_int(clock, "ahead_us", 0));
        arena_free(&arena);
    }
}

void check_stamp(struct world *w, struct machine *m, const struct change *c,
    const struct stamp *greatest)
{
    /* A replayed write keeps the stamp that it had. */
    if (!rid_eq(&c->stamp.replica, &c->dot.replica))
        return;
    check_date(w, m, &c->stamp);
    if (stamp_cmp(&c->stamp, greatest) <= 0 && !has_been(w, c))
        world_fail(w, "I6",
            "node %u writes with clock %" PRIx64 ", and %" PRIx64
            " was visible there",
            m->ix, c->stamp.hlc, greatest->hlc);
}
