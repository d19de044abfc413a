/* copies.h - one device as two: copies of a folder that run at once.
 *
 * They hold one key and are two replicas, so each drives the other's
 * connection out, for ever. A device alone never comes back under a replica id
 * that it has left, but for a snapshot that was put back; so who comes back
 * again and again within a short time runs more than once. So does one whose
 * other replica is heard in between, each time that it knocks.
 *
 * Pure: the time is passed in. Best effort: without memory nobody is noticed.
 * Law: who mints a new id at every start is never taken for two. */
#ifndef SYNCLINE_REPL_COPIES_H
#define SYNCLINE_REPL_COPIES_H

#include "core/id.h"

#include <stdbool.h>
#include <stddef.h>

#define COPIES_RETURNS 3                      /* so many ... */
#define COPIES_WINDOW_US ((uint64_t)60000000) /* within this time */
#define COPIES_KEPT_US ((uint64_t)600000000)  /* believed for so long */
#define COPIES_TURN_US ((uint64_t)120000000)  /* who is let in stays so long */
#define COPIES_FACES 4

struct copies_of {
    struct copies_of *next;
    struct device_id device;
    struct {
        struct rid replica;
        uint64_t seen_us;
        bool told;
    } faces[COPIES_FACES]; /* the newest first */
    size_t n;
    uint32_t returns;
    uint64_t since_us; /* of the first return that counts */
    uint64_t until_us; /* it is believed to be more than one; 0: it is not */
};

struct copies {
    struct copies_of *list;
    uint64_t self_until_us; /* this device is, by a peer's word */
};

void copies_free(struct copies *c);
/* A device has come as that replica, maybe beside another one that is
 * connected and was last heard at a time (0: there is none). True: from now on
 * it is known to be more than one. */
bool copies_note(struct copies *c, const struct device_id *device,
    const struct rid *replica, uint64_t beside_us, uint64_t now_us);
/* Is it known to run more than once? */
bool copies_known(
    const struct copies *c, const struct device_id *device, uint64_t now_us);
/* True once for each replica of a device that is known to be several. */
bool copies_tell(struct copies *c, const struct device_id *device,
    const struct rid *replica);
/* The replica that came before this one; NULL: none that is known. */
const struct rid *copies_other(const struct copies *c,
    const struct device_id *device, const struct rid *replica);
/* Forgets who is not among ids, which are sorted. */
void copies_keep(struct copies *c, const struct device_id *ids, size_t n);
size_t copies_n(const struct copies *c);

#endif
