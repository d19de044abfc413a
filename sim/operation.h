/* operation.h - one thing that a person does at a machine, chosen at random:
 * writes, patches, deletions, new lives, changes of type, batches. */
#ifndef SYNCLINE_SIM_OPERATION_H
#define SYNCLINE_SIM_OPERATION_H

#include <stdint.h>

struct world;
struct machine;

/* Nothing if the machine is down or paused. Checks what can be read right
 * after the write. */
void operation_random(struct world *w, struct machine *m);
/* A commit of the machine has brought these changes of the ledger. */
void operation_place(struct machine *m, uint32_t from, uint32_t to);

#endif
