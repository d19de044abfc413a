/* rate.h - how often an address may ask: so many times a minute and a burst
 * more, then nothing for a while.
 *
 * Pure: the caller passes the time, of a clock that never goes back. Law:
 * memory is bounded; of more addresses than RATE_ADDRESSES that have asked
 * lately, who has been silent for longest is forgotten. */
#ifndef SYNCLINE_FACES_CONFIGSYNC_RATE_H
#define SYNCLINE_FACES_CONFIGSYNC_RATE_H

#include "core/netaddr.h"

#define RATE_ADDRESSES 256
#define RATE_BURST 10

struct rate; /* opaque */

struct rate_options {
    uint32_t per_minute; /* 0: no limit */
    uint64_t block_us;
    bool local_is_exempt; /* addresses of private networks of IPv4, loopback */
};

NODISCARD int rate_new(struct rate **out, const struct rate_options *opt);
void rate_free(struct rate *r); /* NULL is fine */

/* May it ask? EBUSY: no, and why says what people of the older system read. */
NODISCARD int rate_ask(struct rate *r, const struct netaddr *from,
    uint64_t now_us, struct errmsg *why);
/* 192.168/16, 10/8, 172.16/12 or 127/8. */
bool rate_is_local(const struct netaddr *addr);

#endif
