/* nonces.h - which messages have been seen, so that none is taken twice.
 *
 * Pure: the caller passes the time. Two sets take turns, so that what is told
 * stays known for at least a window and for less than two. That is enough as
 * long as the time of day goes on: what is older has expired. It may be set
 * back, and then what had expired would count again; so older sets are kept,
 * too, as long as there is room, and are looked at only where a message says a
 * time of theirs; and of what is forgotten the times are known. Laws: what was
 * new once is not new again, whatever else comes, and however the time of day
 * is set; where nobody knows any more, or where there is no room, nothing is
 * new. */
#ifndef SYNCLINE_FACES_LANSYNC_NONCES_H
#define SYNCLINE_FACES_LANSYNC_NONCES_H

#include "base/error.h"
#include "base/slice.h"

#define NONCES_MAX ((size_t)1 << 22)      /* of a window */
#define NONCES_KEPT_MAX ((size_t)1 << 18) /* of older ones */

struct nonces; /* opaque */

/* seed: 16 bytes that nobody else knows. */
NODISCARD int nonces_new(
    struct nonces **out, uint64_t window_us, const uint8_t seed[16]);
void nonces_free(struct nonces *n); /* NULL is fine */

/* What stands for a nonce. Where it would be is fetched from memory meanwhile:
 * the sooner this is asked, the shorter nonces_see waits for it. */
uint64_t nonces_key(const struct nonces *n, struct slice nonce);
/* at_us: the time that its message says. EEXIST: it was seen; ETIMEOUT: nobody
 * knows any more. */
NODISCARD int nonces_look(const struct nonces *n, uint64_t key, uint64_t at_us);
/* The same; ELIMIT: too many; ENOMEM. Else it is seen now; now_us is of a clock
 * that never goes back. */
NODISCARD int nonces_see(
    struct nonces *n, uint64_t key, uint64_t at_us, uint64_t now_us);
/* What was said of that time is not known any more. */
void nonces_lose(struct nonces *n, uint64_t from_us, uint64_t to_us);

#endif
