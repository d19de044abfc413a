/* operation.h - one thing that a person does at a machine, chosen at random:
 * writes, patches, deletions, new lives, changes of type, batches. */
#ifndef SYNCLINE_SIM_OPERATION_H
#define SYNCLINE_SIM_OPERATION_H

struct world;
struct machine;

/* Nothing if the machine is down or paused. Checks what can be read right
 * after the write. */
void operation_random(struct world *w, struct machine *m);

#endif
