#include "store/bloom.h"

#include "base/hash.h"

#include <stdlib.h>

/* 512 KiB: of half a million keys two in a hundred others seem to be there. */
#define LINES 8192u
#define LINE_WORDS 8u
#define BITS 5u /* of a key, each a place among 512 */

struct place {
    size_t line;
    uint64_t bits; /* nine each */
};

static struct place place_of(struct slice key)
{
    struct hash128 h = { 0, 0 };

    hash128_add(&h, key);
    return (
        struct place){ (size_t)(h.lo >> 32) % LINES * LINE_WORDS, h.hi >> 16 };
}

int bloom_init(struct bloom *b)
{
    b->words = calloc(LINES * LINE_WORDS, sizeof *b->words);
    return b->words != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

void bloom_free(struct bloom *b)
{
    free(b->words);
    b->words = NULL;
}

void bloom_add(struct bloom *b, struct slice key)
{
    struct place p;

    if (b->words == NULL)
        return;
    p = place_of(key);
    for (unsigned i = 0; i < BITS; i++, p.bits >>= 9)
        b->words[p.line + (p.bits >> 6 & 7)] |= (uint64_t)1 << (p.bits & 63);
}

bool bloom_lacks(const struct bloom *b, struct slice key)
{
    struct place p;

    if (b->words == NULL)
        return false;
    p = place_of(key);
    for (unsigned i = 0; i < BITS; i++, p.bits >>= 9)
        if ((b->words[p.line + (p.bits >> 6 & 7)] >> (p.bits & 63) & 1) == 0)
            return true;
    return false;
}
