/* collect_impl.h - what goes for good, and what becomes of those who missed
 * it: collection, silence, bootstrap, return (doc/protocol.md).
 *
 * Pure. Law: nothing that a deletion saw shows again where it was known, and
 * nothing that was acknowledged is lost by it. */
#ifndef SYNCLINE_REPL_COLLECT_IMPL_H
#define SYNCLINE_REPL_COLLECT_IMPL_H

#include "repl/node_impl.h"

/* ---- collect.c ---- */

/* `_mesh` is small, and who was a member must be known for ever. */
static inline bool space_collects(const struct space *sp)
{
    return sp->name.len > 0 && !space_is_inner(sp);
}
NODISCARD int collect_tick(struct node *n);
uint64_t collect_deadline(const struct node *n);

/* ---- outsiders.c ---- */

struct outsider;

/* EV_OUTSIDER. */
NODISCARD int outsider_on(struct node *n, const struct event *ev);
void outsiders_free(struct node *n);
/* Records of deletions beyond that lsn have to stay. */
uint64_t outsiders_upto(struct node *n, const struct space *sp);

/* ---- silence.c ---- */

/* How long a member has been silent while we were there to listen. */
struct silence {
    struct silence *next;
    struct device_id device;
    uint64_t heard_us;  /* monotonic; or since when we listen */
    uint64_t before_us; /* silent already, when that began */
    uint64_t saved_us;
    bool parked;         /* it holds up nobody who collects */
    uint32_t bootstraps; /* taken from it, since then */
    uint64_t bootstraps_from_us;
};

NODISCARD int silences_load(struct node *n);
NODISCARD int silences_save(struct node *n, bool all);
void silences_free(struct node *n);
/* Something of a member has come, through whomever. */
void silence_heard(struct node *n, const struct device_id *device);
/* An item `parked/<device>` of `_mesh` says so now. */
NODISCARD int silence_parked(struct node *n, struct slice device, bool parked);
bool silence_is_parked(const struct node *n, const struct device_id *device);
/* Each one makes a new replica of us: no member sends one after the other. */
bool silence_may_bootstrap(struct node *n, const struct device_id *device);
/* Parks who has been silent for too long, and takes back who is here. */
NODISCARD int silences_tick(struct node *n);

/* ---- bootstrap.c ---- */

/* Does the peer lack what has been collected here? */
static inline bool session_is_behind(const struct session *s)
{
    return s->space->horizon.n > 0 && !vv_geq(&s->claims, &s->space->horizon);
}
/* Where what a connection brings of a space goes: the space, what is staged
 * of it, or NULL: nothing is accepted. */
struct space *bootstrap_target(struct conn *c, struct space *sp);
NODISCARD int bootstrap_on_frame(
    struct node *n, struct conn *c, const struct frame_bootstrap *f);
NODISCARD int bootstrap_conn_gone(struct node *n, const struct conn *c);
/* Has a relay told of what was deleted, and is believed by no member? Nothing
 * comes of it. */
bool bootstrap_is_disbelieved(
    const struct node *n, const struct conn *c, const struct session *s);
/* Those whose sessions take nothing any more. */
NODISCARD int bootstraps_drop_refused(struct node *n);
/* Has one begun to come that does not come on? Meanwhile we are deaf to all
 * others. */
bool bootstrap_has_stalled(const struct node *n, const struct conn *c);

/* ---- return.c ---- */

/* A space as it was before a bootstrap, under its old number. */
struct returning {
    struct returning *next;
    uint32_t from;        /* its number */
    struct space *space;  /* what it is to be replayed into */
    struct vv known;      /* what the bootstrap covered */
    struct vv had;        /* and the old state */
    uint64_t had_length;  /* the longest life that was collected in that */
    struct floors floors; /* those of the bootstrap */
    bool anew;     /* no bootstrap: it is fetched, and fills bit by bit */
    bool drop;     /* nothing of it is: it is a relay's, or was */
    bool mutual;   /* something that was collected here came back with it */
    struct buf at; /* the look at what came back */
    struct arena arena;
};
NODISCARD int returns_load(struct node *n);
/* What a space held under its old number `from` is to be replayed into it. */
NODISCARD int return_begin(struct node *n, struct space *sp,
    const struct returning *what, struct returning **out);
void return_forget(struct node *n, struct returning *r);
/* Some of it, in commits of its own; all: to the end. */
NODISCARD int returns_run(struct node *n, bool all);
bool returns_want_tick(const struct node *n);
/* Is something still to be replayed into it? */
bool returns_into(const struct node *n, const struct space *sp);
void returns_free(struct node *n);

/* ---- return_item.c ---- */

/* What the old state has of an item and the bootstrap lacks, as the change
 * `dot`; NULL: this device may not write there, and tells of it. */
NODISCARD int return_bring(struct node *n, struct returning *r,
    struct slice key, const struct dot *dot, uint64_t lsn);
/* What this device wrote of an item, and counts, stays beyond the vector. */
NODISCARD int return_keep(
    struct node *n, struct returning *r, struct slice key, uint64_t lsn);
/* What was deleted here, and came back with the bootstrap, is deleted again.
 * *any becomes true if something was. */
NODISCARD int return_look_again(struct node *n, struct returning *r,
    struct slice key, const struct author *by, bool *any);
/* As it is in an old state. */
NODISCARD int return_load_old(
    struct node *n, uint32_t number, struct slice key, struct stored *out);
/* Deletes it again; what a vector had not known of it is rescued. */
NODISCARD int return_end_again(struct node *n, struct returning *r,
    struct slice key, struct stored *st, const struct author *by, bool *wrote);

/* ---- return_late.c ---- */

/* By the dot that it has, or had first. */
static inline bool vv_knows(const struct vv *v, const struct change *c)
{
    return vv_covers(v, &c->dot) || vv_covers(v, &c->first);
}

static inline bool change_had_seen(
    const struct change *c, const struct change *what)
{
    return vv_covers(&c->ctx, &what->first) ||
        vv_covers(&c->birth, &what->first);
}

/* Would it bring in a longer life what had been known here before a bootstrap,
 * and is not in mine? Then that had been deleted. */
bool return_is_buried(
    const struct space *sp, const struct item *mine, const struct item *it);
/* A row brings what was deleted here before some bootstrap, whose sender did
 * not know; or fields that were removed. *late: it was that, and has been
 * stored. */
NODISCARD int return_late(struct node *n, struct space *sp, struct slice key,
    struct stored *st, const struct item *row, bool *late);

#endif
