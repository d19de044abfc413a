/* merkle_impl.h - how proofs are walked: what merkle.c and sheaf.c share.
 *
 * Pure over the crypto port. */
#ifndef SYNCLINE_CRYPTO_MERKLE_IMPL_H
#define SYNCLINE_CRYPTO_MERKLE_IMPL_H

#include "crypto/merkle.h"

/* How many of n > 1 leaves stand on the left: the largest power of two that
 * is below n. */
static inline uint32_t merkle_left_of(uint32_t n)
{
    n -= 1;
    for (unsigned by = 1; by < 32; by *= 2)
        n |= n >> by;
    return (n >> 1) + 1; /* n is all ones below its highest by now */
}

NODISCARD int merkle_inner(struct merkle_hash *out,
    const struct crypto_port *crypto, const struct merkle_hash *left,
    const struct merkle_hash *right);

/* The run of the living at hand, [from, to); far behind all at the end. */
struct living {
    struct reader r;
    uint64_t from, to;
};

struct living living_of(const struct proof *p);
void living_next(struct living *l);
/* Does any live in [from, to)? Asked from left to right. */
bool any_lives(struct living *l, uint64_t from, uint64_t to);

/* The first of the hashes of a proof, which must hold one. */
struct merkle_hash proof_take_hash(struct slice *hashes);
void proof_put_head(
    struct buf *out, const struct proof_head *head, uint32_t leaves_n);

/* Runs on their way out: neighbours of one kind are one. */
struct runs {
    struct buf *out;
    bool lives;
    uint64_t n;
};

void runs_add(struct runs *r, bool lives, uint64_t n);
void runs_end(struct runs *r);

#endif
