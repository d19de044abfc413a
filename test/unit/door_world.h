/* door_world.h - two nodes, a member that is asked and a device that asks,
 * and somebody who may stand between them.
 *
 * Frames wait until they are passed on, so that a test can look at them,
 * change or hold them. Answers: of each request the last, events apart. */
#ifndef SYNCLINE_TEST_UNIT_DOOR_WORLD_H
#define SYNCLINE_TEST_UNIT_DOOR_WORLD_H

#include "base/arena.h"
#include "core/json.h"
#include "repl/digits.h"
#include "repl/node.h"
#include "store/store_mem.h"

enum { MEMBER, JOINER, MIDDLE, PEOPLE };

#define REQUESTS_MAX 64
#define FRAMES_MAX 64

struct frame_said {
    uint64_t conn;
    struct buf bytes;
};

struct side {
    struct identity *id;
    struct crypto_port crypto;
    struct crypto_self self;
    /* Not of MIDDLE, who has no node. */
    struct store_mem *disk;
    struct store_port port;
    struct node *node;
    struct buf answers[REQUESTS_MAX]; /* by request; empty: none yet */
    struct buf event;                 /* the last with `more` */
    uint64_t requests;
    struct frame_said said[FRAMES_MAX];
    size_t said_n, passed_n;
    uint64_t dialled, closed; /* the last connection; 0: none */
    struct buf datagram;
};

struct world {
    struct side side[PEOPLE];
    uint64_t now_us;
    struct arena arena;
    /* Memory runs out in one step, from an allocation on. */
    long steps, fail_step, fail_alloc; /* fail_step -1: in none */
    bool failed;                       /* it did */
    bool broken; /* and a node could not even say so: it is over */
};

void world_init(struct world *w);
void world_free(struct world *w);

/* One event, and the disk after it. */
void world_step(struct world *w, unsigned who, struct event *ev);
/* Lets time go by, with all timers. */
void world_pass(struct world *w, uint64_t us);
/* The number of the request. */
uint64_t world_ask(struct world *w, unsigned who, const char *text);
/* Its answer, or NULL if there is none yet. */
const struct json *world_answer(struct world *w, unsigned who, uint64_t no);
/* "" as long as there is none, else "OK", or the code of a refusal. */
const char *world_result(struct world *w, unsigned who, uint64_t no);

/* A connection that is up on the side of who, to the device of whom. The
 * exporter is a byte. */
void world_up(struct world *w, unsigned who, unsigned whom, uint64_t conn,
    uint8_t exporter);
void world_down(struct world *w, unsigned who, uint64_t conn);
void world_hear(
    struct world *w, unsigned who, uint64_t conn, struct slice bytes);
/* The next frame that who has said; SLICE_NONE: it has said no more. */
struct slice world_next(struct world *w, unsigned who);

/* Member and joiner, connected by what the joiner has dialled: passes on all
 * that they say, and tells when either closes. */
void world_connect(struct world *w);
void world_talk(struct world *w);

/* The digits that a side shows: on the joiner's terminal, on the member's
 * list. "" if there are none. */
const char *world_digits(struct world *w, unsigned who);
bool world_is_member(struct world *w, unsigned who);

#endif
