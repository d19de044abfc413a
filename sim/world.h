/* world.h - virtual time, the queue of what is to happen, and everything
 * that one seed draws: machines, network, faults, work, and the judges.
 *
 * Law: a run is a function of its options; nothing of the real world gets
 * in. Memory that runs out ends the program: this is a tool. */
#ifndef SYNCLINE_SIM_WORLD_H
#define SYNCLINE_SIM_WORLD_H

#include "base/heap.h"
#include "sim/bits.h"
#include "sim/clocks.h"
#include "sim/draw.h"
#include "sim/faults.h"
#include "sim/faults_roles.h"
#include "sim/fork.h"
#include "sim/ledger.h"
#include "sim/limits.h"
#include "sim/machine.h"
#include "sim/network.h"
#include "sim/relays.h"
#include "sim/pairing.h"
#include "sim/resolver.h"
#include "sim/tally.h"
#include "sim/trace.h"
#include "sim/withhold.h"
#include "sim/workload.h"

struct world_options {
    uint64_t seed;
    unsigned machines;  /* 0: the seed draws 2 to 5 */
    unsigned ops;       /* of the workload */
    unsigned keys;      /* that it writes to; 0: the seed draws a few */
    const char *policy; /* of all spaces; NULL: the seed draws */
    uint32_t faults;    /* which may be drawn; see faults.h */
    bool forced;        /* and all of them are, not a random few */
    bool lonely;        /* no pairing: each machine stays by itself */
    bool by_alloc;      /* seed is the number of an allocation that fails */
    uint64_t alloc_of;  /* and this the seed */
    bool roles;         /* who may what changes for certain */
    unsigned relays;    /* beside the machines */
    bool grouped;       /* writes of one turn share a commit */
    bool files;         /* machines have one bound to an item */
    bool on_file;       /* machines keep the real store, on disks in memory */
    FILE *trace;        /* NULL: none */
    bool story;         /* in words, and less of it */
    bool numbered;      /* the number of the run is of interest */
    /* What is left out; the rest is as it would have been. NULL: nothing. */
    const struct bits *skip_ops, *skip_strikes;
    uint32_t skip_nodes; /* a bit each; never machine 0 */
};

struct world {
    struct world_options opt;
    uint64_t now_us;
    struct heap queue;
    struct happening *spare; /* what is over, for use again */
    struct prng draw;
    struct prng fault_draw,
        work_draw; /* of the strike, the operation at hand */
    struct machine machines[SIM_MACHINES];
    unsigned machines_n;
    unsigned drawn_n; /* with those that are left out */
    uint64_t alloc;   /* that fails; 0: none */
    struct network net;
    struct faults faults;
    struct sim_forks forks;
    struct roles roles;
    struct relays relays;
    struct sim_withhold withhold;
    struct workload work;
    struct sim_clocks clocks;
    struct pairing pairing;
    struct ledger ledger;
    struct omap results;  /* of resolvers, where they can be told apart */
    struct omap devices;  /* beginning of the id -> public key */
    struct omap audited;  /* what each node has told its audit log */
    struct omap told;     /* what each machine has told of, that lost */
    struct omap judged;   /* rows whose signatures are good, by their hash */
    struct omap siblings; /* sets of them -> the order they were given in */
    struct trace trace;
    struct tally tally;
    uint32_t converged; /* so often */
    bool failed;
    struct errmsg why; /* the first thing that was wrong */
    char verdict[48];  /* the rule and the judge, and nothing else */
};

/* Something that will happen. Freed by the world afterwards. */
struct happening {
    void (*fn)(struct world *w, struct happening *h);
    struct machine *machine; /* NULL, or whose business it is */
    uint32_t life;           /* a machine that went down since misses it */
    uint64_t a;
    void *what;
    struct buf bytes;
    struct happening *next; /* of those that are over, for use again */
};

/* Draws the world and switches the machines on. */
void world_init(struct world *w, const struct world_options *opt);
void world_close(struct world *w);
/* Runs until the work is done and judged, or something is wrong. */
void world_run(struct world *w);

/* The machine of that number, or NULL if it is left out. */
struct machine *world_machine(struct world *w, uint64_t id);

/* Plans a happening; a machine's own waits while that is paused and is
 * dropped when it goes down. */
struct happening *world_at(struct world *w, uint64_t when_us,
    struct machine *machine, void (*fn)(struct world *, struct happening *));

/* The verdict: what rule was broken, and how. Only the first one counts. */
#define world_fail(w, rule, ...) world_fail_at(w, __FILE__, rule, __VA_ARGS__)
void world_fail_at(struct world *w, const char *file, const char *rule,
    const char *fmt, ...) PRINTF_LIKE(4, 5);
void world_note(struct world *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Memory that is there: ends the program otherwise. */
void *sim_alloc(size_t n, size_t size);
void *sim_grow(void *p, size_t n, size_t size);

#endif
