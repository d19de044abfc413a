/* bits.h - a growing set of small numbers. */
#ifndef SYNCLINE_SIM_BITS_H
#define SYNCLINE_SIM_BITS_H

#include <stdbool.h>
#include <stdint.h>

struct bits {
    uint64_t *w;
    uint32_t n; /* words */
};

/* A zeroed struct bits is a valid empty set. */
void bits_free(struct bits *b);
void bits_clear(struct bits *b);
/* True if it was not in. */
bool bits_add(struct bits *b, uint32_t i);
void bits_copy(struct bits *to, const struct bits *from);

static inline bool bits_has(const struct bits *b, uint32_t i)
{
    return i / 64 < b->n && (b->w[i / 64] >> (i % 64) & 1) != 0;
}

#endif
