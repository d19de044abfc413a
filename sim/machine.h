/* machine.h - one simulated computer: a disk, a clock, an identity, and the
 * node while it is switched on. Carries out the node's effects.
 *
 * Law: every batch that reaches the disk passes the ledger. */
#ifndef SYNCLINE_SIM_MACHINE_H
#define SYNCLINE_SIM_MACHINE_H

#include "base/hash.h"
#include "core/vv.h"
#include "crypto/port.h"
#include "repl/node.h"
#include "sim/bits.h"
#include "sim/files.h"
#include "sim/clock.h"
#include "sim/machine_disk.h"
#include "sim/watcher.h"

#define ECHO_TABLES 3

struct world;
struct ask;

struct machine {
    struct world *world;
    unsigned ix; /* in the world */
    unsigned id; /* as the seed numbers it, with those that are left out */
    struct prng draw, net_draw;
    uint32_t dials;
    struct node *node; /* NULL: switched off */
    uint32_t life;     /* counts the times that it was switched on */
    struct machine_disk disk;
    struct store_port port; /* the disk, seen through the ledger */
    struct identity *identity;
    struct crypto_port crypto;
    struct crypto_self crypto_self; /* its stream goes on over restarts */
    struct sim_clock clock;
    uint64_t timer_us; /* when a wake-up is planned; UINT64_MAX: none */
    uint64_t paused_until_us;
    bool flush_planned, syncing, checkpointing;
    bool relay;             /* used and judged as such (relays.h) */
    bool member;            /* shares the mesh of machine 0 */
    bool was_member;        /* when its disk was copied */
    unsigned copied_at;     /* so many changes of who is in */
    bool copied;            /* its disk is such a copy, which the shell sees */
    bool spared;            /* a reader is not refused for want of memory */
    bool asked;             /* what it does is somebody's wish */
    bool was_asked;         /* by the event before it */
    bool removed;           /* it is being removed, or was */
    bool role_changed;      /* it may be no admin */
    bool odd_limits;        /* of another version */
    uint32_t memory_fails;  /* which of its next allocations; 0: none */
    bool wiped;             /* and the ledger does not know */
    bool failing;           /* goes down at this very moment */
    bool rewound, restored; /* the ledger does not know yet what it lost */
    struct stamp far;  /* the farthest that came from ahead of its clock, */
    uint32_t far_life; /* in this of its lives */
    uint64_t spins_from_us;
    uint32_t timer_spins; /* wake-ups since then */
    size_t commit_most;   /* what it may write at once; 0: anything */
    uint64_t late_us;     /* when it last read slower than it was sent, or was
                             sent a piece of a row */
    uint64_t requests;
    struct ask *asks;       /* not answered yet */
    struct write *unplaced; /* that wait in the node; see operation.c */
    struct watcher watcher;
    struct sim_file file;
    uint32_t resolving;     /* questions of its node */
    uint32_t history_keep;  /* the most of its lives on this store */
    uint32_t history_least; /* and the least */
    uint32_t history_late;  /* that may still be to go */
    uint64_t steps;
    struct bits changed; /* items whose rights are to be looked at */
    bool all_changed, some_changed;
    uint64_t looks;
    uint64_t commits; /* made on it, ever */
    uint64_t alive;   /* what it wrote after quiet; 0: nothing */
    /* As it was when the world came to rest (check_echo). */
    uint64_t quiet_commits;
    struct hash128 quiet_digests[ECHO_TABLES];
};

void machine_init(struct machine *m, struct world *w, unsigned ix, unsigned id);
void machine_close(struct machine *m);

/* Switches on; the disk is as it was left. */
void machine_start(struct machine *m);
/* Without warning: a random part of what is not durable is lost. */
void machine_crash(struct machine *m);
/* The process ends by itself, as the daemon does when its disk fails it. */
void machine_fall(struct machine *m);
/* In good order. */
void machine_stop(struct machine *m);
/* A machine that is off loses its store, the copy of it too. */
void machine_wipe(struct machine *m);
/* And its identity: it is another device. */
void machine_renew(struct machine *m);
/* Is there one, and of use? Machine 0 lets the others in: a copy of it must
 * know those who are. */
bool machine_has_copy(const struct machine *m);
/* Puts the backup in the place of the disk of a machine that is off. */
void machine_restore(struct machine *m);

static inline bool machine_is_up(const struct machine *m)
{
    return m->node != NULL && !m->failing;
}

/* One event for the node, and all that follows at once. The caller fills in
 * what its type needs; the time is added here. */
void machine_step(struct machine *m, struct event *ev);
/* Plans what its node and its disk want next. */
void machine_settle(struct machine *m);

/* A local request. The answer comes to fn (which may not step the node),
 * then or later, once: rc is 0, the code of the answer, or ECLOSED when the
 * machine went down. */
typedef void ask_fn(
    struct world *w, struct ask *a, int rc, const struct json *answer);

struct ask {
    struct ask *next;
    struct machine *machine;
    uint64_t request;
    ask_fn *fn;
    bool stream; /* answers with "more" come to fn, too */
    /* The asker's. */
    void *ctx;
    struct arena *arena; /* where the answer is kept; NULL: for the call */
};

void machine_ask(struct machine *m, ask_fn *fn, void *ctx, struct slice json);
/* The same for a stream of answers: rc is of use with the last one only,
 * which has no "more". Its request is numbered m->requests + 1. */
void machine_watch(struct machine *m, ask_fn *fn, void *ctx, struct slice json);
/* The asker goes away: no answer comes any more, but ECLOSED at once. */
void machine_cancel(struct machine *m, uint64_t request);
/* The same for what is answered at once, which this takes for granted. NULL
 * if the answer was an error (*rc). The answer lives in a. */
const struct json *machine_ask_now(
    struct machine *m, struct slice json, struct arena *a, int *rc);

#endif
