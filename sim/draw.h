/* draw.h - where a run's chance comes from: each operation, each strike of a
 * fault, each machine and each connection draws from a stream of its own.
 *
 * Law: a stream is a function of the seed and its name, so that leaving one
 * thing out of a run leaves the draws of all others as they were. */
#ifndef SYNCLINE_SIM_DRAW_H
#define SYNCLINE_SIM_DRAW_H

#include "base/prng.h"

enum draw_name {
    DRAW_WORLD,
    DRAW_FAULTS, /* which there are */
    DRAW_STRIKE, /* the n-th of them */
    DRAW_WORK,   /* what kind of work, and pairing */
    DRAW_OWN,    /* what machine n holds before it joins */
    DRAW_OP,     /* the n-th operation */
    DRAW_MACHINE,
    DRAW_CAST, /* datagrams of machine n */
    DRAW_LINK,
    DRAW_CLIENT,
    DRAW_WATCH,  /* beside the n-th operation */
    DRAW_DOOR,   /* who comes in without a code */
    DRAW_ROLES,  /* who may what */
    DRAW_SIZES,  /* how much machine n writes at once */
    DRAW_CLOCK,  /* is that of machine n heeded? */
    DRAW_RESET,  /* of clocks, beside the n-th operation */
    DRAW_RELAYS, /* what befalls them, and who meets only there */
    DRAW_FORK,
    DRAW_FILES /* machine n's, and who edits one */
};

static inline struct prng draw_from(
    uint64_t seed, enum draw_name name, uint64_t n)
{
    struct prng p = { seed };

    p.state = prng_next(&p) + (uint64_t)name;
    p.state = prng_next(&p) + n;
    p.state = prng_next(&p);
    return p;
}

#endif
