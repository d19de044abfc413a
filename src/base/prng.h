/* prng.h - a small reproducible random source (SplitMix64, Steele et al.,
 * OOPSLA 2014). For jitter, skip lists and simulations, never for keys.
 *
 * Pure. Law: the same seed gives the same numbers everywhere. */
#ifndef SYNCLINE_BASE_PRNG_H
#define SYNCLINE_BASE_PRNG_H

#include <stdbool.h>
#include <stdint.h>

struct prng {
    uint64_t state;
};

uint64_t prng_next(struct prng *p);
/* Uniform in [0, n); 0 if n is 0. */
uint64_t prng_below(struct prng *p, uint64_t n);
/* True once in `n` calls on average. */
bool prng_one_in(struct prng *p, uint64_t n);

#endif
