/* workload.h - what people do in a run: they pair the machines, then write
 * and read. */
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
    uint64_t values;   /* each written value is new */
    uint64_t waits;    /* for so many others, of what is written next */
    uint64_t phase_us; /* when the phase at hand began; see phases.h */
    bool over;         /* and judged */
};

void workload_init(struct world *w);
/* Begins with pairing; all else follows. */
void workload_begin(struct world *w);

#endif
