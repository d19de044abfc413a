/* heap.h - a queue ordered by key: the smallest comes first (a binary heap;
 * Williams, 1964).
 *
 * Pure. Law: equal keys come out in the order in which they went in. */
#ifndef SYNCLINE_BASE_HEAP_H
#define SYNCLINE_BASE_HEAP_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct heap_entry {
    uint64_t key;
    uint64_t order; /* of arrival */
    void *what;
};

struct heap {
    struct heap_entry *e;
    size_t n, cap;
    uint64_t arrivals;
};

/* A zeroed struct heap is a valid empty one. What it holds is not freed. */
void heap_free(struct heap *h);
NODISCARD int heap_push(struct heap *h, uint64_t key, void *what);
/* The first entry, until the next push or pop; NULL if there is none. */
const struct heap_entry *heap_peek(const struct heap *h);
/* Takes the first one out; NULL if there is none. */
void *heap_pop(struct heap *h);

#endif
