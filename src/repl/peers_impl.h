/* peers_impl.h - the inside of the address book: peers.c decides whom to
 * dial, peers_book.c which addresses are worth knowing.
 *
 * Pure. */
#ifndef SYNCLINE_REPL_PEERS_IMPL_H
#define SYNCLINE_REPL_PEERS_IMPL_H

#include "base/prng.h"
#include "repl/peers.h"

#define PEER_CONNS 4

/* One way to reach a device. */
struct candidate {
    struct netaddr addr;
    enum peer_source source;
    bool worked;   /* at some time */
    uint8_t fails; /* in a row since; stays at its maximum */
};

/* A device, or a static address whose device may not be known. */
struct peer {
    struct device_id device;
    bool fixed; /* a static address */
    bool known; /* device holds: of a fixed one, who answered last */
    struct candidate addrs[PEER_ADDRS_MAX]; /* what worked last is first */
    size_t addrs_n;
    size_t next;                /* which one is to be tried next */
    uint64_t dial;              /* the connection that is being made; 0: none */
    size_t dialled;             /* by which address */
    uint64_t conns[PEER_CONNS]; /* those that are up; 0: none */
    uint64_t up_us;             /* since when one is */
    uint64_t due_us;
    uint64_t urged_us; /* when a beacon last brought a dial forward */
    bool urged;
    uint32_t rounds; /* without success */
};

struct peers {
    struct peers_options opt;
    struct prng prng;
    struct peer **table; /* sorted by device */
    size_t n;
    struct peer *statics[PEERS_STATIC_MAX];
    size_t statics_n;
    size_t dials; /* under way */
    bool changed;
};

/* The member's entry, or NULL. */
struct peer *peers_find(const struct peers *p, const struct device_id *device);

/* Where addr stands in the list, or addrs_n. */
size_t peer_addr_ix(const struct peer *e, const struct netaddr *addr);
/* Adds an address if it is of use and there is room, or one that is worth
 * less. Its place in the list, or addrs_n. */
size_t peer_addr_add(
    struct peer *e, const struct netaddr *addr, enum peer_source source);
void peer_addr_drop(struct peer *e, size_t ix);
/* It worked just now, so it is the first choice. True if it was not. */
bool peer_addr_worked(struct peer *e, size_t ix);

#endif
