/* arena.h - memory that is given back all at once.
 *
 * Pure. For what lives as long as one step, one session, one table. Law: what
 * it hands out is aligned for any type and valid until reset or free. */
#ifndef SYNCLINE_BASE_ARENA_H
#define SYNCLINE_BASE_ARENA_H

#include "base/error.h"
#include "base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *head;
    size_t used; /* bytes handed out since the last reset */
    size_t held; /* bytes taken from the heap */
    /* So many bytes of blocks beyond the one may be kept for reuse too; 0:
     * none. The system takes its time to give pages. Set by who has the arena.
     */
    size_t keep;
    struct arena_block *spare;
    size_t spared;
    uint32_t resets; /* since more than one block was needed */
    /* There was none for something, since the last reset: what was built of
     * many pieces may lack one. */
    bool failed;
};

/* A zeroed struct arena is a valid empty one. */
void arena_free(struct arena *a);
/* Forgets everything, keeps one block for reuse, and some more if it may and
 * they were needed not long ago. */
void arena_reset(struct arena *a);
/* What has been handed out so far stays; what is handed out from here on is
 * forgotten by arena_rewind. Not across a reset. */
struct arena_mark {
    struct arena_block *head;
    size_t block_used, used;
};

struct arena_mark arena_mark(const struct arena *a);
void arena_rewind(struct arena *a, const struct arena_mark *m);
/* Takes memory from the heap now, so that the next n bytes, handed out in
 * any number of pieces that are rounded up to alignof(max_align_t), cannot
 * fail. */
NODISCARD int arena_reserve(struct arena *a, size_t n);
/* Uninitialised memory, or NULL if there is none. */
void *arena_alloc(struct arena *a, size_t n);
/* Zeroed memory for n things of a size, or NULL (overflow too). */
void *arena_zalloc(struct arena *a, size_t n, size_t size);
/* A copy of s, NUL-terminated beyond its length; ptr is NULL on failure. */
struct slice arena_dup(struct arena *a, struct slice s);

#endif
