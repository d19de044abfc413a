/* attempts.h - how often somebody from an address has failed to say who he
 * is: five times within a minute, then nothing from there is looked at until
 * the first of the five is a minute old.
 *
 * Pure. An IPv6 address counts with all of its /64, which one machine has for
 * itself. Law: what it holds is bounded; where more addresses fail than it
 * has room for, the one that has been quiet for longest is forgotten. */
#ifndef SYNCLINE_APP_ATTEMPTS_H
#define SYNCLINE_APP_ATTEMPTS_H

#include "core/netaddr.h"

#define ATTEMPTS_MAX 5
#define ATTEMPTS_US UINT64_C(60000000)
#define ATTEMPTS_ADDRESSES 1024

struct attempts {
    struct attempts_of {
        uint8_t family; /* 0: nobody */
        uint8_t from[16];
        uint64_t at_us[ATTEMPTS_MAX]; /* the newest first; 0: none */
    } of[ATTEMPTS_ADDRESSES];
    size_t n;
};

/* How long until an address may try again; 0: it may now. Times never go
 * back and are not 0. A zeroed struct attempts is a valid empty one. What is
 * said there meanwhile is not looked at, and does not count: it may be right,
 * and who says it again and again would shut himself out for ever. */
uint64_t attempts_wait_us(
    const struct attempts *a, const struct netaddr *from, uint64_t now_us);
void attempts_failed(
    struct attempts *a, const struct netaddr *from, uint64_t now_us);

#endif
