/* merge_world.h - a few writers of a few items, who trade states as the feed
 * does, and a ground truth beside them: for each change, the set of changes
 * that its author had absorbed, kept without any vector or context.
 *
 * Every join is judged as it is made (merge_world.c says how). */
#ifndef SYNCLINE_TEST_UNIT_MERGE_WORLD_H
#define SYNCLINE_TEST_UNIT_MERGE_WORLD_H

#include "unit/item_make.h"

#include "core/merge.h"

#define WRITERS_MAX 4
#define KEYS_N 2
#define CHANGES_MAX 64 /* bits of a set */
#define CELLS_WRITTEN_MAX 2048
#define REPORTS_MAX 4096

struct writer {
    struct item items[KEYS_N];
    struct vv have;
    uint64_t known[KEYS_N]; /* the set of changes that the item holds */
    uint64_t clock;
    uint64_t skew;
};

struct made {
    struct dot dot;
    unsigned key;
    uint64_t past; /* what its author had absorbed of the item */
    uint64_t length;
};

/* A cell that was written once, wherever it is now. */
struct written {
    unsigned change, key;
    uint64_t length;
    struct slice path, value;
};

struct report {
    unsigned key, loser, winner; /* indices of changes */
    uint64_t length;
    struct slice path;
    bool siblings;
};

struct merge_world {
    struct prng prng;
    struct arena *arena;
    struct writer w[WRITERS_MAX];
    struct made made[CHANGES_MAX];
    struct written written[CELLS_WRITTEN_MAX];
    struct report reports[REPORTS_MAX];
    unsigned n, made_n, written_n, reports_n;
    unsigned key;   /* of the join under way */
    bool same_life; /* and whether its sides are of one life */
    uint64_t tick;
    bool births;  /* something was collected once: creations have a birth */
    bool foreign; /* older systems write too, with times of their own */
};

void merge_world_init(struct merge_world *m, uint64_t seed, struct arena *a);
/* One writer does something, or sends something to another. */
void merge_world_step(struct merge_world *m);
/* Everybody sends everything to everybody, until nothing moves. */
void merge_world_settle(struct merge_world *m);
/* Every value written shows, or was seen by what replaced it, or stands in a
 * report. */
void merge_world_check_lost(const struct merge_world *m);
struct item joined(const struct item *x, const struct item *y, struct arena *a);

#endif
