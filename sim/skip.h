/* skip.h - sets of numbers as people write them: "3,5-9". They say which
 * operations and strikes of a run are left out. */
#ifndef SYNCLINE_SIM_SKIP_H
#define SYNCLINE_SIM_SKIP_H

#include "base/buf.h"
#include "sim/bits.h"

#define SKIP_MAX 1000000

/* Adds to the set; false if that is no list. */
bool skip_parse(struct bits *set, const char *text);
/* Nothing for the empty set. */
void skip_print(struct buf *out, const struct bits *set);

static inline bool skip_has(const struct bits *set, uint64_t i)
{
    return set != NULL && i < SKIP_MAX && bits_has(set, (uint32_t)i);
}

#endif
