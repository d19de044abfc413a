/* hlc.h - hybrid logical clock (Kulkarni et al., OPODIS 2014): orders writes
 * across replicas without trusting any machine's clock.
 *
 * Pure: the caller passes the wall time. 64 bits: 52 of microseconds since
 * the Unix epoch, 12 of counter; a counter that overflows carries into the
 * microseconds.
 * Law: every stamp returned is greater than every stamp seen before. */
#ifndef SYNCLINE_CORE_HLC_H
#define SYNCLINE_CORE_HLC_H

#include <stdint.h>

#define HLC_COUNTER_BITS 12

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
    return wall_us << HLC_COUNTER_BITS;
}

#endif
