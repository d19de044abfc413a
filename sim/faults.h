/* faults.h - what goes wrong in a run. Each seed draws a random few kinds
 * and how often they strike. */
#ifndef SYNCLINE_SIM_FAULTS_H
#define SYNCLINE_SIM_FAULTS_H

#include "base/buf.h"

struct world;
struct machine;

enum fault {
    FAULT_CUT,       /* a connection ends */
    FAULT_LOSS,      /* frames vanish within a connection */
    FAULT_DUP,       /* or come twice */
    FAULT_REORDER,   /* or overtake each other */
    FAULT_PARTITION, /* machines fall into groups for a while */
    FAULT_STALL,     /* one direction of a connection rests */
    FAULT_SLOW,      /* little bandwidth */
    FAULT_CRASH,     /* a machine loses power and comes back */
    FAULT_STOP,      /* is shut down and comes back */
    FAULT_PAUSE,     /* does nothing for a while */
    FAULT_RESTORE,   /* comes back with an old copy of its disk */
    FAULT_CLOCK,     /* clocks are far off, or jump */
    FAULT_SYNC,      /* the disk takes long to sync */
    FAULT_FULL,      /* the disk refuses a few batches */
    FAULT_SMALL,     /* batches, windows and fragments are tiny */
    FAULT_LIE,       /* a sync fails, and the next ones lie */
    FAULT_EIO,       /* a write fails */
    FAULT_TORN,      /* the power goes, or the process, amid a write */
    FAULT_FLIP,      /* a bit flips on the disk of a machine that is off */
    FAULT_DELAY,     /* a connection takes seconds */
    FAULT_BRIDGE,    /* two groups, and a machine that reaches both */
    FAULT_ONEWAY,    /* nothing gets through from one machine to another */
    FAULT_FLAP,      /* a cable comes and goes */
    FAULT_AWAY,      /* a machine is alone for longer than the retention */
    FAULT_UPGRADE,   /* a machine restarts with other limits */
    FAULT_MEMORY,    /* an allocation of a node fails */
    FAULT_WIPE,      /* a machine loses its store, not its identity */
    FAULT_REPLACE,   /* that too: a new device comes, the old is removed */
    FAULT_REMOVE,    /* a member is removed while it runs */
    FAULT_STRIKES,   /* of these one strikes now and then */
    FAULT_FORGE = FAULT_STRIKES, /* a member alters what it sends */
    FAULT_FORK,     /* or says two things in one breath, by its own key */
    FAULT_WITHHOLD, /* a relay keeps something back (withhold.h) */
    FAULT_END
};

#define FAULTS_ALL ((1u << FAULT_FORK) - 1)
#define FAULTS_KNOWN (UINT32_MAX >> (32 - FAULT_END))
/* What only the real store can meet. */
#define FAULTS_OF_FILE (1u << FAULT_TORN | 1u << FAULT_FLIP)

struct faults {
    uint32_t on; /* a bit a kind */
    uint64_t gap_us;
    uint64_t strikes; /* chances that there were */
    bool begun, over;
};

const char *fault_name(enum fault f);
/* "cut,loss", "all", "none", or with a '-' before a name: all but that. */
bool faults_parse(struct slice text, uint32_t *out);
/* The same set as names. */
void faults_print(struct buf *out, uint32_t set);

void faults_draw(struct world *w);
/* Lets the first one strike after a while. */
void faults_begin(struct world *w);
/* Ends them all and mends what is broken. */
void faults_finish(struct world *w);

/* A machine that is off comes back after a while. */
void faults_plan_return(struct world *w, struct machine *m);

static inline bool fault_is_on(const struct faults *f, enum fault kind)
{
    return (f->on >> kind & 1) != 0;
}

#endif
