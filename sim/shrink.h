/* shrink.h - cuts a seed that fails to a short story: leaves out operations,
 * strikes, kinds of faults and machines as long as the same judge reports the
 * same rule (delta debugging; Zeller, Hildebrandt 2002). */
#ifndef SYNCLINE_SIM_SHRINK_H
#define SYNCLINE_SIM_SHRINK_H

#include "sim/world.h"

/* Prints what is left, the line that replays it and, in words, the run. What
 * ends by an assertion is cut, too. A seed that holds is said to. */
void shrink_tell(const struct world_options *opt, uint64_t seconds);

#endif
