/* view.h - what one machine's disk stands for: the changes that its vector
 * claims, folded by the rules of the design and nothing else, and those that
 * it has ever held or heard of through what it held.
 *
 * Law: the fold is a function of the vector and the ledger. */
#ifndef SYNCLINE_SIM_VIEW_H
#define SYNCLINE_SIM_VIEW_H

#include "core/item.h"
#include "sim/bits.h"
#include "sim/limits.h"

struct world;
struct machine;
struct ledger;

/* The best cell among the covered changes; change LEDGER_NONE: none. */
struct fold_slot {
    uint64_t life;
    uint32_t change, cell;
};

struct view_item {
    uint64_t life;    /* longest among the covered changes */
    uint64_t deepest; /* longest life whose end was ever seen here */
    uint32_t end;     /* and the change that ended it */
    bool left;        /* in a state that a bootstrap has taken the place of */
    uint64_t length, version; /* as the store has it */
    struct bits seen;
};

struct view_space {
    bool used;
    uint32_t number; /* local */
    uint32_t space;  /* of the ledger */
    struct vv have;
    bool returning; /* what it held before a bootstrap is being replayed */
    uint32_t from;  /* the number that it had then */
};

enum sight {
    SIGHT_CHANGE,  /* of an item, or heard of through what had seen it */
    SIGHT_REMOVAL, /* what the change removes is held as removed */
    SIGHT_ENDED,   /* what was removed of the item counts no more */
    SIGHT_REPLACE, /* all that was seen of the space `item` is forgotten */
    SIGHT_ANEW     /* and the ends of lives, and what was removed */
};

struct sighting {
    uint64_t commit;
    enum sight what;
    uint32_t item, change;
};

struct view {
    struct view_space spaces[SIM_SPACES];
    uint32_t mutual; /* spaces of the ledger, as bits: what was collected in
                        them here, others had not, and the other way round */
    struct view_item *items;
    uint32_t items_n;
    struct fold_slot *slots;
    uint32_t *removals; /* of each slot the one of the greatest stamp that was
                           ever held here; LEDGER_NONE: none */
    uint32_t slots_n;
    struct sighting *sightings; /* in order of commits */
    uint32_t sightings_n, sightings_cap;
    struct sighting *saved; /* as they were when the disk was copied */
    uint32_t saved_n;
    struct stamp greatest; /* of all that was ever stored */
    struct arena arena;    /* of the vectors */
};

void view_free(struct view *v);
/* Makes room for all that the ledger knows. */
void view_grow(struct view *v, const struct ledger *l);
struct view_space *view_by_number(struct view *v, uint32_t number);
struct view_space *view_by_space(struct view *v, uint32_t space);
void view_map(struct view *v, uint32_t number, uint32_t space);
/* The machine has left it: nothing that it held counts any more. */
void view_unmap(struct view *v, const struct ledger *l, uint32_t number);
/* The same, and it is fetched from the beginning. */
void view_anew(
    struct view *v, const struct ledger *l, uint64_t commit, uint32_t number);
/* A bootstrap takes its place: what was seen counts no more, but the ends of
 * lives still do. */
void view_replace(
    struct view *v, const struct ledger *l, uint64_t commit, uint32_t number);
/* Folds a change in; removals: only what it takes away. */
void view_cover(
    struct view *v, const struct ledger *l, uint32_t change, bool removals);
/* What a replica wrote counts up to there only: all of the space is to be
 * folded in again. */
void view_lower(struct view *v, const struct ledger *l, struct view_space *s,
    const struct dot *to);
/* The machine holds a change in an item, and so all that its author saw. */
void view_see(struct view *v, const struct ledger *l, uint64_t commit,
    uint32_t item, uint32_t change);
/* It holds nothing where the change has removed something. */
void view_see_removal(struct view *v, const struct ledger *l, uint64_t commit,
    uint32_t item, uint32_t change);
/* The life in which that was is over, by a bootstrap that had not heard of it:
 * it is rescued, and what was removed in it is void. */
void view_end_removals(
    struct view *v, const struct ledger *l, uint64_t commit, uint32_t item);
/* Forgets all, but for sightings up to a commit. */
void view_rewind(struct view *v, const struct ledger *l, uint64_t upto);
/* The disk is copied; later it comes back. A number of a commit does not
 * suffice then: after a crash numbers are given again. */
void view_save(struct view *v);
void view_restore(struct view *v, const struct ledger *l);

#endif
