/* forks.h - replicas that said two things in one breath: two different changes
 * of one space, signed by their device under one dot.
 *
 * Members that were sent one of the two each would differ for ever, since by
 * their vectors neither lacks anything. So whoever meets both writes down a
 * record that proves it by itself: of either change one cell's header and tag,
 * and the proof that leads from there to the signature. It is an item of
 * `_mesh`; every node that has it comes to the same verdict: of that replica,
 * in that space, nothing counts from that dot on. What was merged before that
 * was heard of is dealt with like what a removed device wrote beyond its cut
 * (access.c): it is written again by who may write there.
 *
 * Pure.
 *
 *   forks.c       records: checking them, what follows from all of them
 *   forks_find.c  noticing, and writing one */
#ifndef SYNCLINE_REPL_FORKS_H
#define SYNCLINE_REPL_FORKS_H

#include "base/buf.h"
#include "core/item.h"
#include "repl/audit.h"

#define FORK_PREFIX "fork/"
#define FORKS_FOUND_MAX 16

struct space;

/* Nothing of the replica counts there from this dot on. */
struct fork {
    struct space_token space;
    struct dot from;
};

/* A record that is still to be written. */
struct fork_found {
    struct buf key, value;
};

struct forks {
    struct fork *e; /* by replica, then by space: one each, the lowest */
    uint32_t n, cap;
    bool waiting; /* some are of devices that are not known yet */
    struct fork_found found[FORKS_FOUND_MAX];
    uint32_t found_n;
};

/* ---- forks.c ---- */

bool forks_is_key(struct slice key);
/* EMALFORMED: no node of today writes that under such a key. Signatures are
 * looked at later: their device may not be known here yet. */
NODISCARD int forks_check(
    const struct node *n, struct slice key, struct slice value);
/* A record of `_mesh`, as it is now. *changed: less counts. */
NODISCARD int forks_take(
    struct node *n, struct slice key, struct slice value, bool *changed);
/* Would a record be news, and believed? Else any error. */
NODISCARD int forks_prove(struct node *n, struct slice key, struct slice value);
/* Other devices are known now. */
NODISCARD int forks_retry(struct node *n, bool *changed);
/* The last of a replica's changes that may count. */
uint64_t forks_bound(const struct node *n, const struct space_token *space,
    const struct rid *replica);
bool forks_names(const struct node *n, const struct rid *replica);
/* Another mesh. */
void forks_forget(struct node *n);
void forks_free(struct node *n);
/* Appends a list for `status`. */
void put_forks_json(const struct node *n, struct buf *b);

/* ---- forks_find.c ---- */

/* A row has come: does it say of a dot that is known something else than what
 * is here? */
NODISCARD int forks_look(
    struct node *n, struct space *sp, struct slice key, const struct item *row);
/* The same of what is news in it, and its own item. */
NODISCARD int forks_meet(struct node *n, struct space *sp, struct slice key,
    const struct item *mine, const struct item *row, bool *found);
/* Writes what was found. */
NODISCARD int forks_settle(struct node *n);

#endif
