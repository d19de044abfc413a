/* store_mem.h - the store's twin in memory, which can crash.
 *
 * Pure. Keeps an undo log of what is not durable yet, so that a simulation
 * can lose it. Law: after store_mem_crash the store holds exactly the
 * durable commits and the first `keep` of those after them. */
#ifndef SYNCLINE_STORE_STORE_MEM_H
#define SYNCLINE_STORE_STORE_MEM_H

#include "base/error.h"
#include "store/store.h"

struct store_mem; /* opaque */

NODISCARD int store_mem_new(struct store_mem **out);
void store_mem_free(struct store_mem *s); /* NULL is fine */
/* A second store with the same content and numbers, all of it durable: a
 * restored copy, a cloned disk. */
NODISCARD int store_mem_clone(
    struct store_mem **out, const struct store_mem *s);
struct store_port store_mem_port(struct store_mem *s);

uint64_t store_mem_last(const struct store_mem *s);
uint64_t store_mem_durable(const struct store_mem *s);
/* Commits up to this number survive a crash from now on. */
void store_mem_sync(struct store_mem *s, uint64_t upto);
/* Loses what is not durable but for the first keep commits, which then are.
 * ENOMEM leaves the store unusable. */
NODISCARD int store_mem_crash(struct store_mem *s, uint64_t keep);
/* From now on no commit may have more bytes: ELIMIT. 0: as many as it likes. */
void store_mem_limit(struct store_mem *s, size_t bytes);
/* The next n commits return rc and change nothing. */
void store_mem_fail(struct store_mem *s, int rc, uint32_t n);

#endif
