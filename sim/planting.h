/* planting.h - which bug is planted in this run (base/plant.h), and which
 * judge is blind.
 *
 * M30 is the bug in the judge: one that is always content. It is planted by
 * the name of a judge (check_lost), of a rule (I3), or both (check_lost/I3).
 * In a build without planted bugs nobody is blind. */
#ifndef SYNCLINE_SIM_PLANTING_H
#define SYNCLINE_SIM_PLANTING_H

#include "base/slice.h"

/* An id, "M30:JUDGE", or "list", which prints them all and ends the program.
 * False, after saying why: no such bug, or not in this build. */
bool planting_take(const char *text);
/* As options, for the line that replays a seed. */
void planting_print(void);
bool planting_blinds(struct slice judge, const char *rule);

#endif
