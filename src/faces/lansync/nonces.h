/* nonces.h - which messages have been seen, so that none is taken twice.
 *
 * Pure: the caller passes the time. Two sets take turns, so that what is told
 * stays known for at least a window and for less than two. Law: what was new
 * once is not new again within its window, whatever else comes; where there
 * is no room, nothing is new. */
#ifndef SYNCLINE_FACES_LANSYNC_NONCES_H
#define SYNCLINE_FACES_LANSYNC_NONCES_H

#include "base/error.h"
#include "base/slice.h"

#define NONCES_MAX ((size_t)1 << 22) /* of a window */

struct nonces; /* opaque */

/* seed: 16 bytes that nobody else knows. */
NODISCARD int nonces_new(
    struct nonces **out, uint64_t window_us, const uint8_t seed[16]);
void nonces_free(struct nonces *n); /* NULL is fine */

/* What stands for a nonce. Where it would be is fetched from memory meanwhile:
 * the sooner this is asked, the shorter nonces_see waits for it. */
uint64_t nonces_key(const struct nonces *n, struct slice nonce);
bool nonces_has(const struct nonces *n, uint64_t key);
/* EEXIST: it was seen; ELIMIT: too many; ENOMEM. Else it is seen now. */
NODISCARD int nonces_see(struct nonces *n, uint64_t key, uint64_t now_us);

#endif
