/* hlc.h - hybrid logical clock (Kulkarni et al., OPODIS 2014): orders writes
 * across replicas without trusting any machine's clock.
 *
 * Pure: the caller passes the wall time. 64 bits: 52 of microseconds since
 * the Unix epoch, 12 of counter; a counter that overflows carries into the
 * microseconds.
 * Law: every stamp returned is greater than every stamp seen before, as long
 * as those were not above HLC_FOREIGN_MAX; at the end of its range the clock
 * stands still rather than wrap. */
#ifndef SYNCLINE_CORE_HLC_H
#define SYNCLINE_CORE_HLC_H

#include <stdint.h>

#define HLC_COUNTER_BITS 12

/* The largest stamp that an older face may bring in: it leaves 2^48 stamps of
 * our own to pass it. What members write has no such bound, or the stamps
 * above one that sits on it would be refused in turn; a clock driven to its
 * end stands still there, and ties go by dot until the epoch is raised. */
#define HLC_FOREIGN_MAX (UINT64_MAX - (UINT64_C(1) << 48))
/* A wall clock beyond this (in the year 2112) is taken to show this. */
#define HLC_WALL_MAX (HLC_FOREIGN_MAX >> HLC_COUNTER_BITS)

struct hlc {
    uint64_t last;
};

uint64_t hlc_next(struct hlc *self, uint64_t wall_us);
void hlc_observe(struct hlc *self, uint64_t seen);

static inline uint64_t hlc_wall_us(uint64_t stamp)
{
    return stamp >> HLC_COUNTER_BITS;
}

static inline uint64_t hlc_of_wall(uint64_t wall_us)
{
    uint64_t us = wall_us < HLC_WALL_MAX ? wall_us : HLC_WALL_MAX;

    return us << HLC_COUNTER_BITS;
}

#endif
