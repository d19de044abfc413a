/* I2: a write that waits for others is answered when so many of them have it
 * on their disks. */
#include "sim/check.h"

#include "sim/world.h"

#include <inttypes.h>

/* A disk that was put back, or lost, had it once, perhaps. */
#define ONCE UINT64_MAX

void check_reached_note(
    struct world *w, const struct machine *m, uint32_t change, uint64_t commit)
{
    uint64_t *at = change != LEDGER_NONE
        ? &w->ledger.changes[change].held_at[m->ix]
        : NULL;

    if (at != NULL && *at == 0)
        *at = commit;
}

/* A commit that was lost was on no disk, and its number is given again. */
void check_reached_rewind(
    struct world *w, const struct machine *m, bool restored)
{
    const uint64_t last = machine_disk_last(&m->disk);

    for (uint32_t i = 0; i < w->ledger.changes_n; i++) {
        uint64_t *at = &w->ledger.changes[i].held_at[m->ix];

        if (*at != 0 && restored)
            *at = ONCE;
        else if (*at != ONCE && *at > last)
            *at = 0;
    }
}

/* Where a device was replaced by another, both may have said so. */
static uint64_t times_held(const struct machine *m, const struct led_change *c)
{
    const uint64_t at = c->held_at[m->ix];

    if (at == 0)
        return 0;
    if (at == ONCE || m->wiped || m->restored)
        return 2;
    return at <= machine_disk_durable(&m->disk);
}

static uint64_t holders(
    const struct world *w, const struct machine *m, const struct led_change *c)
{
    uint64_t n = 0;

    for (unsigned k = 0; k < w->machines_n; k++)
        if (&w->machines[k] != m)
            n += times_held(&w->machines[k], c);
    return n;
}

/* What else its node wrote in the same step was waited for by nobody. */
void check_reached(struct world *w, const struct machine *m, uint32_t from,
    uint32_t to, uint64_t acks)
{
    uint64_t most = 0;

    for (uint32_t i = from; i < to; i++) {
        uint64_t n = holders(w, m, &w->ledger.changes[i]);

        most = n > most ? n : most;
    }
    if (from < to && most < acks)
        world_fail(w, "I2",
            "node %u was told that %" PRIu64 " others have its change %" PRIu64
            " on their disks; %" PRIu64 " have",
            m->ix, acks, w->ledger.changes[from].dot.seq, most);
}
