/* clock_impl.h - clocks that are wrong: this machine's, others', and that of
 * the whole mesh. clocks.c keeps the node's own clock and compares it with
 * those of its peers; clock_epochs.c lets all clocks start again.
 *
 * A stamp is (epoch, clock, replica). Within an epoch the clock only rises,
 * above all that it has seen; a new epoch beats all before it, and in it the
 * clock starts from the time of day. Who raises the epoch proves it by a
 * record that an admin has signed (clock_epochs.c), by one at a time.
 *
 * Pure. Law: no clock of a receiver decides what is taken, or in which
 * order. Whoever has been sent a stamp of an epoch has been sent the proof of
 * that epoch before. */
#ifndef SYNCLINE_REPL_CLOCK_IMPL_H
#define SYNCLINE_REPL_CLOCK_IMPL_H

#include "core/vv.h"

struct node;
struct conn;
struct space;

/* So far apart that somebody should see to it, unless options say else. */
#define CLOCK_BOUND_US ((uint64_t)60 * 1000 * 1000)
/* A clock that shows an earlier time was never set: 2025-01-01. */
#define CLOCK_NEVER_SET_US (UINT64_C(1735689600) * 1000 * 1000)
#define CLOCK_SPAN_TEXT 48

#define EPOCH_PREFIX "clock/" /* of keys in `_mesh`: + number, / device */
#define EPOCH_MAX ((uint64_t)1 << 62)
#define EPOCH_RECORD_MAX ((size_t)256 << 10)

/* A place in the order of stamps. */
struct clock_at {
    uint64_t epoch, hlc;
};

/* The farthest stamp of one device's that came in from ahead of our clock. */
struct far_stamp {
    struct rid replica;
    struct clock_at at;
    uint64_t told_us; /* by the log, last */
    char where[96];   /* space/key, cut */
};

#define FAR_MAX 16 /* devices; beyond that one takes another's place */

struct far_stamps {
    struct far_stamp e[FAR_MAX];
    uint32_t n;
};

/* ---- clocks.c ---- */

/* A new stamp of this replica's, greater than all seen. */
NODISCARD int node_stamp(struct node *n, struct stamp *out);
void node_see_stamp(struct node *n, const struct stamp *s);
NODISCARD int clock_load(struct node *n);
/* With the batch of the step: a ceiling above every stamp, if the last one is
 * none any more; exact: the clock itself, for a clean stop. */
NODISCARD int clock_keep(struct node *n, bool exact);
/* What has been committed is not undone. */
void clock_committed(struct node *n);
void clock_undo(struct node *n);
/* The node moves to another mesh, with items of the one it leaves or without.
 */
NODISCARD int clock_leave(struct node *n, bool with_items);
/* From here on stamps are of this epoch, and count from the time of day. */
void clock_enter(struct node *n, uint64_t epoch);
/* Which the node has a proof of. */
bool clock_admits(const struct node *n, const struct stamp *s);

/* Notes a stamp of an item if it is far ahead of the clock here. */
NODISCARD int clock_look_at(struct node *n, const struct space *sp,
    struct slice key, const struct stamp *s);
/* What is far: the option, or what it would be. */
uint64_t clock_bound(const struct node *n);
/* How far the clock of stamps is ahead of the time of day. */
uint64_t clock_lead_us(const struct node *n);
/* Is this machine's clock ahead of most peers' by more than the bound? */
bool clock_is_ahead(const struct node *n);
/* EDENIED if so and the operation is one that people author by. */
NODISCARD int clock_check_op(
    const struct node *n, struct slice op, struct errmsg *why);

/* A PONG has come. */
void clock_measured(
    const struct node *n, struct conn *c, uint64_t sent_us, uint64_t wall_us);
/* How far the peer's clock is ahead of ours now; measured ones only. */
int64_t clock_offset_us(const struct node *n, const struct conn *c);

/* ---- clock_verdict.c ---- */

/* "3 d 4 h", "75 s". */
void clock_span(char out[CLOCK_SPAN_TEXT], uint64_t us);
/* An object: what the clocks say of each other; peers: all of them, too. */
NODISCARD int put_clock_json(struct node *n, struct buf *b, bool peers);

/* ---- clock_epochs.c ---- */

/* A record of `_mesh`, or one that a peer has sent. *raised: it is the next
 * epoch, and counts from now on. EMALFORMED, with a reason: it proves
 * nothing; so does one further ahead, today. */
NODISCARD int epoch_take(
    struct node *n, struct slice record, bool *raised, struct errmsg *why);
/* The epoch after this one, proclaimed by this device. */
NODISCARD int epoch_raise(struct node *n, struct errmsg *why);
/* Those of a mesh that is left. */
NODISCARD int epochs_forget(struct node *n);
/* Before anything else is said in an epoch: which we are in. */
NODISCARD int epochs_greet(struct node *n, struct conn *c);
/* By its own word the peer is in this epoch; 0: it asks for rows, and has not
 * said so. */
void epochs_known(struct node *n, struct conn *c, uint64_t epoch);
/* Sends what proofs the peers lack; comes before rows. */
NODISCARD int epochs_flush(struct node *n);

#endif
