/* histogram.h - how long something took, counted by spans of time.
 *
 * Pure. The spans are the same for all: from a disk's tenth of a millisecond
 * to the hour that somebody was away.
 * Law: count is the sum of n; what is counted stays counted. */
#ifndef SYNCLINE_BASE_HISTOGRAM_H
#define SYNCLINE_BASE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_SPANS 20

struct histogram {
    uint64_t n[HISTOGRAM_SPANS + 1]; /* the last: longer than all bounds */
    uint64_t count, sum_us;
};

/* The longest time that the ith span holds. */
static inline uint64_t histogram_bound_us(size_t i)
{
    static const uint64_t bounds[HISTOGRAM_SPANS] = { 100, 250, 500, 1000, 2500,
        5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000,
        5000000, 10000000, 30000000, 60000000, 300000000, 3600000000 };

    return i < HISTOGRAM_SPANS ? bounds[i] : UINT64_MAX;
}

static inline void histogram_add(struct histogram *h, uint64_t us)
{
    size_t i = 0;

    while (us > histogram_bound_us(i))
        i++;
    h->n[i]++;
    h->count++;
    h->sum_us += us;
}

#endif
