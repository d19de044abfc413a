/* watcher.h - somebody who watches a space at one machine: opens a watch from
 * now, from the start or from the last cursor seen, reads slowly, goes away,
 * comes back, and believes what he is told.
 *
 * Law: what he believes comes from events, and from what he saw when he began
 * to watch from now on. */
#ifndef SYNCLINE_SIM_WATCHER_H
#define SYNCLINE_SIM_WATCHER_H

#include "base/buf.h"
#include "base/hash.h"
#include "base/omap.h"

struct world;
struct machine;
struct prng;

/* Where a cursor stands in a node's feed; tail.len 0: after all of the lsn. */
struct feed_place {
    uint64_t lsn;
    struct slice tail; /* hex, as it is told */
};

struct watcher {
    struct machine *machine;
    uint64_t request; /* of the open stream; 0: there is none */
    const char *space;
    const char *prefix;
    bool paused;
    bool live;            /* has been told that all was told */
    bool anew;            /* the whole state is being told */
    struct buf cursor;    /* the last one */
    struct feed_place at; /* within it */
    struct omap told;     /* key -> document, canonical */
    uint64_t mark; /* of the space when it was looked at; 0: it was not */
    struct hash128 state; /* what was there */
};

void watcher_free(struct watcher *v);
/* One random thing that a person does about it. */
void watcher_act(struct world *w, struct machine *m, struct prng *p);
/* Who has a cursor watches on from there; nobody reads slowly any more. */
void watchers_resume(struct world *w);

#endif
