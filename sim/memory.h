/* memory.h - memory that runs out under a node: the linker sends the
 * allocator's calls here (--wrap, memory_wrap.c, in programs that want it),
 * and one of them fails while it is armed.
 *
 * One counter for the process, which runs one world at a time. */
#ifndef SYNCLINE_SIM_MEMORY_H
#define SYNCLINE_SIM_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* The nth allocation from now fails. 0: none does. */
void memory_arm(uint32_t n);
/* How many are left before that; 0: it has failed, or is not armed. */
uint32_t memory_disarm(void);
/* What is not the node's: the simulator's, the store's. Nest. */
void memory_spare(void);
void memory_spare_end(void);

/* For memory_wrap.c: true if this one fails. */
bool memory_fails(void);
void memory_wrapped(void);
/* Is this program linked so that it can? */
bool memory_can_fail(void);

#endif
