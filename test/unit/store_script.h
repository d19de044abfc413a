/* store_script.h - a store on a disk in memory that goes through a script of
 * commits, syncs, checkpoints and reopenings, while the disk fails.
 *
 * Equal seed, equal calls: a fault can be put at each of them in turn. */
#ifndef SYNCLINE_TEST_UNIT_STORE_SCRIPT_H
#define SYNCLINE_TEST_UNIT_STORE_SCRIPT_H

#include "sim/disk.h"
#include "store/store_file.h"
#include "unit/store_contract.h"

#define SCRIPT_STEPS 60
#define SCRIPT_DIR "store"

struct script {
    struct disk disk;
    struct store_file_options opt;
    struct store_file *s; /* NULL: not open */
    struct store_port port;
    struct model model;
    struct prng draw;
    struct errmsg why;
    uint64_t durable; /* what was promised */
    uint64_t now_ms;
    unsigned refused; /* flushes and syncs that failed */
    bool sentences;   /* all failures so far came with one */
};

void script_init(struct script *s, uint64_t seed);
/* One that was killed, with the same disk; or with another. */
void script_copy(struct script *to, const struct script *from);
void script_on(struct script *s, const struct disk *disk);
void script_free(struct script *s);
/* Opens; a success is compared with the model and resumes it. */
int script_open(struct script *s);
/* Runs the steps from..to-1. Goes on after a failure as the daemon would: it
 * ends when the store refuses everything, and is started again. False when
 * the disk is off, or does not let it start again. */
bool script_run(struct script *s, unsigned from, unsigned to);
/* The process ends; the system and what it keeps in memory live on. */
void script_kill(struct script *s);
void script_power_loss(struct script *s, enum disk_loss how, struct prng *p);
/* Opens and fails the test if that fails, or the store is not sound. */
void script_must_open(struct script *s, const char *when);

/* How many seeds a battery shall take: the environment's SYNCLINE_STORE_SEEDS,
 * or one; from SYNCLINE_SEED or 1 on. */
uint64_t script_seeds(uint64_t *first);

/* A battery that is longer than a change can wait for takes a sample: each
 * nth of its cases, counted over the whole program; fewer by the factor of
 * SYNCLINE_SPARSE, from the place on that SYNCLINE_SHIFT says, all with
 * SYNCLINE_WHOLE=1. Is the next case one of them? */
bool script_takes_next(uint64_t nth);

#endif
