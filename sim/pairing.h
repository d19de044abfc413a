/* pairing.h - machines come into the mesh of machine 0, one at a time: before
 * the work, and again when one has lost its store. Devices that are gone for
 * good are removed first. */
#ifndef SYNCLINE_SIM_PAIRING_H
#define SYNCLINE_SIM_PAIRING_H

#include "base/buf.h"
#include "base/prng.h"
#include "core/id.h"
#include "sim/limits.h"
#include "sim/middle.h"

struct world;
struct machine;

#define PAIRING_GONE 64 /* devices removed in a run */

struct pairing {
    bool under_way;
    unsigned tries;   /* of the one at hand */
    unsigned changes; /* who is in has changed so often */
    struct machine *who;
    void (*done)(struct world *w); /* once all are in */
    struct device_id gone[PAIRING_GONE];
    unsigned gone_n, removed_n; /* the first of them are removed */
    struct buf code, text;
    /* Without a code, in some runs. */
    struct prng draw;
    bool may_ask;
    struct middle middle;
    uint64_t attempt, joining; /* a number; the request, 0: over */
    uint64_t since_us;
    bool decided;
    struct buf digits, shown; /* at the joiner, at machine 0 */
};

void pairing_init(struct world *w);

void pairing_free(struct pairing *p);
/* Until all are members. While faults last any try may fail; afterwards, and
 * before, one that fails again and again is a failure of the run. */
void pairing_begin(struct world *w, void (*done)(struct world *w));
/* Are all machines members, and nobody but them? */
bool pairing_is_settled(const struct world *w);
/* A device that does not come back. */
void pairing_remove(struct world *w, const struct device_id *device);

#endif
