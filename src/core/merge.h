/* merge.h - the join of two states of an item, and the writes that feed it.
 *
 * Pure. 1. The larger causal length wins outright. 2. At equal, odd length
 * each path keeps the cell with the larger stamp (at equal stamps the larger
 * dot); at equal, even length so does the tombstone. 3. Contexts are joined
 * entry-wise; the version is the maximum.
 * Laws: the join is commutative, associative and idempotent. Conflicts are
 * exact: one is reported iff what beats a value had not seen it. */
#ifndef SYNCLINE_CORE_MERGE_H
#define SYNCLINE_CORE_MERGE_H

#include "core/document.h"

/* One side of a conflict. */
struct contender {
    struct dot dot; /* when it was first written */
    struct stamp stamp;
    uint64_t wall_us;
    struct slice path;  /* where it stands: relatives can hide each other */
    struct slice value; /* ptr NULL: deleted, or removed */
};

struct conflict {
    uint64_t length; /* the life that the loser belongs to */
    struct contender loser, winner;
    bool deletion; /* what won ended the life of the item */
    /* Both at one path of one life: a resolver may merge them. */
    bool siblings;
    bool stays; /* the loser does, and is hidden by the winner */
    const struct change *loser_change, *winner_change; /* lent; siblings */
};

struct merge_sink {
    void *ctx;
    /* A value was beaten by something that had not seen it. */
    int (*conflict)(void *ctx, const struct conflict *c);
    /* A value that never showed here, or shows no more, was overwritten. */
    int (*lost)(void *ctx, const struct change *by, const struct cell *cell,
        uint64_t length);
};

struct merge_result {
    bool state;  /* length, a cell or the tombstone changed */
    bool header; /* or only a context or the version */
};

/* Joins row into mine (length 0: absent). Cells of row whose dot `seen`
 * covers are left out. Borrows from row; mine must live in arena a. */
NODISCARD int item_join(struct item *mine, const struct item *row,
    const struct vv *seen, const struct merge_sink *sink,
    struct merge_result *out, struct arena *a);

/* Who writes, and what a creation must beat. */
struct author {
    struct dot dot;
    struct stamp stamp;
    uint64_t wall_us;
    uint64_t floor;         /* largest causal length collected in the space */
    uint64_t version_floor; /* and version: a new life goes beyond it */
    const struct vv *birth; /* for an absent item; NULL: nothing collected */
    const struct original *originals; /* of a resolver's result */
    uint32_t originals_n;
};

/* The next odd length above both an item's own and the floor. Beyond LENGTH_MAX
 * there is none. */
static inline uint64_t item_next_life(uint64_t length, uint64_t floor)
{
    uint64_t above = length > floor ? length : floor;

    return above + 1 + (above & 1);
}

/* The same for what somebody else wrote, which must find a place: at the end
 * of all lives it is the last one. */
static inline uint64_t item_replayed_life(uint64_t length, uint64_t floor)
{
    uint64_t next = item_next_life(length, floor);

    return next < LENGTH_MAX ? next : LENGTH_MAX - 1;
}

static inline uint64_t item_next_version(uint64_t version)
{
    return version < LENGTH_MAX ? version + 1 : version;
}

/* Writes leaves into an item, creating it if it is not alive. Leaves where a
 * cell of a later stamp stands are left out (an older system's write may be
 * late); nothing to write leaves it as it is and *wrote false. */
NODISCARD int item_write(struct item *it, const struct leaves *leaves,
    const struct author *by, bool *wrote, struct arena *a);
/* Makes doc the whole document. */
NODISCARD int item_put(struct item *it, const struct json *doc,
    const struct author *by, bool *wrote, struct arena *a);
/* Ends the item's life; *wrote is false if it has none. */
NODISCARD int item_delete(
    struct item *it, const struct author *by, bool *wrote, struct arena *a);

#endif
