/* relays.h - blind relays beside the machines of a world, and machines that
 * reach each other only through them.
 *
 * Law: without relays a run is what it was. */
#ifndef SYNCLINE_SIM_RELAYS_H
#define SYNCLINE_SIM_RELAYS_H

#include "base/prng.h"
#include "sim/limits.h"

struct world;
struct machine;
struct slice;

/* They are the machines behind those that are used and judged. */
struct relays {
    unsigned n;
    struct prng draw;
    bool for_good; /* no two machines meet again, unless one needs it */
    bool apart[SIM_MACHINES][SIM_MACHINES];
};

void relays_init(struct world *w);
void relays_start(struct world *w);
/* With the faults, and after them. */
void relays_begin(struct world *w);
void relays_finish(struct world *w);
/* Where machines meet over relays only, does one wait for a member, whom alone
 * it believes what was deleted (doc/relay.md)? Then it meets the others. */
bool relays_relent(struct world *w);

/* The i-th of all that run here, relays last; how many. */
unsigned relays_all(const struct world *w);

/* R25: what a relay writes tells no key, path, value, nor name of a space. */
void check_blind(struct world *w, struct machine *m, struct slice ops);
/* At quiet a relay has dealt with what machine 0 has. */
void check_carried(struct world *w);

#endif
