/* tally.h - what runs have met: how often each fault struck, and how often
 * the nodes did each thing that they count. A run that never meets a thing
 * proves nothing about it. */
#ifndef SYNCLINE_SIM_TALLY_H
#define SYNCLINE_SIM_TALLY_H

#include "repl/node.h"
#include "sim/faults.h"

#include <stdio.h>

/* What the simulator itself counts. */
#define SIM_COUNTS(X)                              \
    X(writes)                                      \
    X(acked)                                       \
    X(removals)                                    \
    X(resets) /* of clocks */                      \
    X(roles)  /* changed, and keys made by hand */ \
    X(digits_equal)                                \
    X(digits_differ)                               \
    X(lost_under_void)                             \
    X(relays_down)                                 \
    X(withheld_told)                               \
    X(forks_met)                                   \
    X(forks_frozen)                                \
    X(forks_gone)                                  \
    X(files_saved)                                 \
    X(files_torn)                                  \
    X(files_written)                               \
    X(files_published)                             \
    X(files_reverted)                              \
    X(conflicts) /* records at rest */

struct sim_counts {
#define SIM_COUNT_FIELD(name) uint64_t name;
    SIM_COUNTS(SIM_COUNT_FIELD)
#undef SIM_COUNT_FIELD
};

struct tally {
    struct sim_counts sim;
    struct node_counts node;
    uint64_t struck[FAULT_END];
};

void tally_add(struct tally *to, const struct tally *from);
void tally_add_node(struct tally *to, const struct node_counts *from);
/* A line each, mark before it: name and number. */
void tally_print(const struct tally *t, FILE *to, const char *mark);
/* One JSON object, for script/met. */
void tally_print_json(const struct tally *t, FILE *to);

#endif
