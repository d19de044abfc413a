/* bloom.h - which keys are surely not in a set: a filter after Bloom (1970).
 *
 * Pure. The bits of one key share a line of the processor's cache. Without
 * room (bloom_init was not called, or failed) it knows nothing.
 * Law: of a key that was added bloom_lacks never says true. */
#ifndef SYNCLINE_STORE_BLOOM_H
#define SYNCLINE_STORE_BLOOM_H

#include "base/error.h"
#include "base/slice.h"

struct bloom {
    uint64_t *words; /* NULL: it knows nothing */
};

NODISCARD int bloom_init(struct bloom *b);
void bloom_free(struct bloom *b); /* leaves one that knows nothing */
void bloom_add(struct bloom *b, struct slice key);
bool bloom_lacks(const struct bloom *b, struct slice key);

#endif
