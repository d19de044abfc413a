/* udp.h - small datagrams to whoever is on the same link.
 *
 * Multicast to 239.255.43.22 and ff02::4748, or to other groups, on
 * every interface that is up and can multicast, or on the one named; interfaces
 * are looked at again every five seconds, so that a link that comes back is
 * joined again. Sent with TTL
 * 1. A datagram is dropped unless its TTL is 1 on arrival and its source lies
 * in a network of the interface it came by, or if there are too many.
 * Law: a machine without multicast is no failure, but is told so. */
#ifndef SYNCLINE_IO_UDP_H
#define SYNCLINE_IO_UDP_H

#include <uv.h>

#include "base/error.h"
#include "base/slice.h"
#include "core/netaddr.h"

#define UDP_DATAGRAM_MAX 512 /* where no other group is named */
#define UDP_LARGEST 4096
#define UDP_GROUP4 "239.255.43.22"
#define UDP_GROUP6 "ff02::4748"

struct udp; /* opaque */

struct udp_options {
    uv_loop_t *loop;       /* borrowed */
    uint64_t per_s;        /* datagrams handed on, in all [1,000] */
    uint64_t per_ip;       /* the same, of one address [20] */
    uint16_t port;         /* 0: 4748 */
    const char *interface; /* NULL: all that can multicast; copied */
    const char *group4;    /* another system's; then datagrams may have
                              UDP_LARGEST; NULL: ours */
    const char *group6;    /* its group of IPv6; NULL: it has none */
    const char *advice;    /* how to name others by hand; NULL: our flag */
    uint64_t rescan_ms;    /* 0: 5,000 */
    void *ctx;
    /* from has a scope only where it is link-local. */
    void (*on_datagram)(
        void *ctx, const struct netaddr *from, struct slice bytes);
    /* Once for each change: what does not work and what to do about it. */
    void (*on_warn)(void *ctx, const char *text);
};

NODISCARD int udp_new(
    struct udp **out, const struct udp_options *opt, struct errmsg *why);
/* The memory goes when the loop has run the closing. NULL is fine. */
void udp_free(struct udp *u);

/* On all interfaces, both families. EINVAL beyond the largest; a
 * datagram that the system does not take is lost, as others are. */
NODISCARD int udp_multicast(struct udp *u, struct slice bytes);
NODISCARD int udp_send(
    struct udp *u, const struct netaddr *to, struct slice bytes);
/* How many (interface, family) pairs are joined now. */
unsigned udp_joined(const struct udp *u);
/* Datagrams that were passed over because there were too many. */
uint64_t udp_dropped(const struct udp *u);

#endif
