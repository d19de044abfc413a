/* workload.h - what people do in a run: they pair the machines, then write
 * and read; and when it is time to judge. */
#ifndef SYNCLINE_SIM_WORKLOAD_H
#define SYNCLINE_SIM_WORKLOAD_H

#include "base/buf.h"
#include "sim/limits.h"

struct world;

struct workload {
    unsigned keys;
    bool own_items; /* machines hold items of their own when they join */
    bool third_space;
    uint64_t ops; /* begun */
    uint64_t gap_us;
    uint64_t values; /* each written value is new */
    bool over;       /* and judged */
};

void workload_init(struct world *w);
/* Begins with pairing; all else follows. */
void workload_begin(struct world *w);

#endif
