/* fork.h - a device that signs two different changes under one dot, and shows
 * one peer the one, and others the other (R20): its node means well, but what
 * it says is altered on its way out and signed anew, by the real key.
 *
 * The ledger has both halves; only the one that the author keeps is found by
 * its dot. */
#ifndef SYNCLINE_SIM_FORK_H
#define SYNCLINE_SIM_FORK_H

#include "base/buf.h"
#include "base/prng.h"
#include "core/item.h"
#include "crypto/merkle.h"

struct world;
struct machine;

#define SIM_FORKS 4 /* in a run */

struct sim_fork {
    uint32_t space, item; /* of the ledger */
    uint32_t slot;        /* in which the two differ */
    struct dot dot;
    uint8_t sig[ED25519_SIG_LEN]; /* of the other half */
    uint32_t change;              /* and that, in the ledger */
    bool met;                     /* it has been on a disk */
};

struct sim_forks {
    struct sim_fork e[SIM_FORKS];
    unsigned n;
};

/* The frame with another half in the place of a change of the sender's own, or
 * beside it; false: there is none that could be. out is a buffer of its own. */
bool fork_frame(struct machine *from, struct slice frame, struct prng *draw,
    struct buf *out);

/* The other half, if this is one, which has then been met; or NULL. */
const struct sim_fork *fork_of(
    struct world *w, uint32_t space, const struct change *c);
/* Does the dot stand for two things? */
bool fork_names(const struct world *w, uint32_t space, const struct dot *dot);
/* Does the machine's vector claim such a dot of the item, so that the ledger
 * does not know what has to be there? Nor does it where what was collected for
 * one who is found out stays gone by the word of a second, who is, too. */
bool fork_contests(
    const struct world *w, const struct machine *m, uint32_t item);

#endif
