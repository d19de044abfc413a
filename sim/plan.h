/* plan.h - which seeds are run, and how; what came of them.
 *
 * Law: the sum over some seeds does not depend on how many processes shared
 * them. */
#ifndef SYNCLINE_SIM_PLAN_H
#define SYNCLINE_SIM_PLAN_H

#include "sim/world.h"

struct plan {
    struct world_options opt;
    uint64_t first, last;
    uint64_t every;     /* a sample: each so manieth of them; 0, 1: all */
    uint64_t shift;     /* which of the first `every` is the first */
    uint64_t per_point; /* seeds a line of TAP; 0: no TAP */
    uint64_t seconds;   /* no seed is begun after that; 0: all of them */
    unsigned jobs;      /* processes */
    bool hash, twice;
    const char *json; /* a file for the tally; NULL: none */
    bool shrink;      /* of the seeds that fail the first */
    uint64_t shrink_seconds;
};

struct outcome {
    uint64_t seeds, failed, events;
    uint64_t seed; /* at hand */
    uint64_t first_failed;
    struct tally tally;
};

/* Prints each seed that fails, with the line that replays it. */
void plan_run(const struct plan *p, struct outcome *out);
/* Prints the sum; false if something failed. */
bool plan_sum(const struct plan *p, const struct outcome *o, double seconds);

/* The command line that runs one seed with these options. */
void plan_print_line(const struct world_options *opt);

#endif
