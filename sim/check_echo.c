/* I10, I11: nothing is written while nothing happens, nor by meeting again. */
#include "sim/check.h"

#include "sim/world.h"
#include "store/digest.h"

static const enum store_table tables[] = { TABLE_ITEM, TABLE_CONFLICT,
    TABLE_HISTORY };

void check_echo_begin(struct world *w)
{
    for (unsigned i = 0; i < w->machines_n; i++) {
        struct machine *m = &w->machines[i];

        m->quiet_commits = m->commits;
        for (unsigned t = 0; t < ECHO_TABLES; t++)
            ENSURE(store_digest(&m->port, tables[t], &m->quiet_digests[t]) ==
                SYNCLINE_OK);
    }
}

void check_echo_end(struct world *w, bool met_again)
{
    for (unsigned i = 0; i < w->machines_n; i++) {
        const struct machine *m = &w->machines[i];

        if (!met_again && m->commits != m->quiet_commits)
            world_fail(w, "I11", "node %u wrote %llu batches after quiet",
                m->ix, (unsigned long long)(m->commits - m->quiet_commits));
        for (unsigned t = 0; t < ECHO_TABLES; t++) {
            struct hash128 h;

            ENSURE(store_digest(&m->port, tables[t], &h) == SYNCLINE_OK);
            if (h.lo != m->quiet_digests[t].lo ||
                h.hi != m->quiet_digests[t].hi)
                world_fail(w, "I10",
                    "node %u: table %u changed although nothing was written",
                    m->ix, (unsigned)tables[t]);
        }
    }
}
