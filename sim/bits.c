#include "sim/bits.h"

#include "sim/world.h"

#include <stdlib.h>

void bits_free(struct bits *b)
{
    free(b->w);
    *b = (struct bits){ 0 };
}

void bits_clear(struct bits *b)
{
    if (b->n > 0)
        memset(b->w, 0, b->n * sizeof *b->w);
}

static void grow(struct bits *b, uint32_t n)
{
    if (n <= b->n)
        return;
    b->w = sim_grow(b->w, n, sizeof *b->w);
    memset(b->w + b->n, 0, (n - b->n) * sizeof *b->w);
    b->n = n;
}

bool bits_add(struct bits *b, uint32_t i)
{
    uint64_t mask = (uint64_t)1 << (i % 64);
    bool was;

    if (i / 64 >= b->n)
        grow(b, i / 64 + 1 + i / 128);
    was = (b->w[i / 64] & mask) != 0;
    b->w[i / 64] |= mask;
    return !was;
}

void bits_copy(struct bits *to, const struct bits *from)
{
    grow(to, from->n); /* and no more: copies go to and fro */
    bits_clear(to);
    if (from->n > 0)
        memcpy(to->w, from->w, from->n * sizeof *from->w);
}
