/* house.h - a node on a store in memory, for targets that speak to a whole
 * one, and the mesh it lives in: three devices that have paired, with items,
 * conflicts and policies. Of them `home` is the one spoken to.
 *
 * The mesh is made once, by real nodes that speak to each other; every run
 * begins from a copy of home's store. Law: equal inputs, equal runs. Held
 * against every step: it succeeds; frames sent can be read and are numbered
 * without gaps; answers are JSON; no timer is due again and again. Held in
 * the end: the store can be closed and opened, and answers. */
#ifndef SYNCLINE_FUZZ_HOUSE_H
#define SYNCLINE_FUZZ_HOUSE_H

#include "base/arena.h"
#include "repl/frames.h"
#include "repl/node.h"
#include "store/store_mem.h"

#define DEVICES 4 /* home, two other members, and a stranger */
enum { HOME, KITCHEN, GARAGE, STRANGER };

#define HOUSE_CONNS 8
#define HOUSE_RECORDS 3

struct house;

/* Everything but FX_COMMIT. */
typedef void house_fn(struct house *h, const struct effect *fx);

struct house_conn {
    uint64_t id; /* 0: free */
    unsigned who;
    bool pairing, greeted;
    uint32_t heard_no, said_no;
};

struct house {
    unsigned who;
    struct store_mem *disk;
    struct store_port port;
    struct crypto_port crypto;
    struct crypto_self self;
    struct node *node;
    uint64_t now_us, wall_us;
    uint64_t requests;
    uint64_t conns_made;
    struct house_conn conns[HOUSE_CONNS];
    house_fn *on_effect; /* NULL: nobody looks */
    void *ctx;
    struct errmsg why;
};

const struct identity *house_identity(unsigned who);
/* A copy of home's store, as the mesh was made. */
struct store_mem *house_disk(void);
/* The replica that a device had when the mesh was made. */
const struct rid *house_replica(unsigned who);
const struct mesh_id *house_mesh(void);
/* Membership records that a member has signed and home has not heard: the
 * stranger is one, home is removed, the garage is. The text, and its key. */
struct slice house_record(unsigned ix, struct slice *key);

/* Takes disk. */
void house_open(struct house *h, unsigned who, struct store_mem *disk);
/* Frees without a word, as when the power goes. */
void house_drop(struct house *h);
/* In good order, then once more from the same store, which must answer. */
void house_close(struct house *h);
/* Off and on: whatever is not durable is lost unless it stops cleanly. */
void house_restart(struct house *h, bool clean);

/* One event; the time is added here. */
void house_step(struct house *h, struct event *ev);
/* A request, its number. text must be JSON; false if it is not. */
bool house_ask(struct house *h, struct slice text);
/* What a loop does at the end of its turn, and the disk soon after. */
void house_settle(struct house *h);
/* Lets time go by, with all its timers. */
void house_pass(struct house *h, uint64_t us);

/* A connection that is up; NULL if all are in use. conn 0: inbound. */
struct house_conn *house_up(
    struct house *h, unsigned who, bool pairing, uint64_t conn);
void house_down(struct house *h, struct house_conn *c);
struct house_conn *house_conn(struct house *h, uint64_t id);
/* Bytes as one frame. */
void house_hear(struct house *h, struct house_conn *c, struct slice bytes);
/* A frame with the number that is due. */
void house_hear_frame(struct house *h, struct house_conn *c, struct frame *f);
/* A proper hello of that member. */
void house_greet(struct house *h, struct house_conn *c);
struct space_token house_token(const char *space);

extern const uint8_t house_exporter[32];

#endif
