/* ledger.h - the truth: what each change wrote and what its author had seen,
 * taken down when it first reached a disk, apart from every vector and
 * context that the nodes keep.
 *
 * A slot is (item, path) or an item's tombstone; changes, items and slots
 * are numbered from 0 as they turn up. */
#ifndef SYNCLINE_SIM_LEDGER_H
#define SYNCLINE_SIM_LEDGER_H

#include "base/omap.h"
#include "core/item.h"
#include "sim/bits.h"
#include "sim/limits.h"
#include "sim/view.h"

struct world;
struct machine;

#define LEDGER_NONE UINT32_MAX

struct led_item {
    uint32_t space;
    struct slice key;
    uint32_t first_slot;
    uint64_t collected; /* longest life whose tombstone somebody collected */
};

struct led_slot {
    uint32_t item, next;
    struct slice path;
    bool is_tomb;
};

struct led_cell {
    uint32_t slot;
    uint64_t life;
    struct slice value; /* ptr NULL: nothing, or a tombstone */
    struct stamp stamp;
    struct dot first;
};

/* Which changes the author had seen in an item that it wrote. */
struct led_past {
    uint32_t item;
    struct bits seen;
    struct vv told; /* and what it says itself: of what lost, too */
};

struct led_change {
    uint32_t space;
    struct dot dot;
    struct machine *author;
    uint64_t commit; /* on the author's disk */
    struct led_cell *cells;
    uint32_t cells_n, cells_cap;
    struct led_past *past;
    uint32_t past_n, past_cap;
    struct dot *merges; /* of a resolver's result: what it was made of */
    uint32_t merges_n;
    uint64_t held_at[SIM_MACHINES]; /* the commit by which its vector claims
                                       it; 0: none */
    bool acked;                     /* somebody was told that it is safe */
    bool lost;                      /* the author's disk lost it */
    bool void_now;     /* and its author knows that it does not count */
    bool gone;         /* and what it removed is collected: it stays so */
    bool anew;         /* its author fetches the space anew */
    bool spread;       /* somebody else has held it */
    bool heard;        /* or an item that it was merged into */
    bool moved;        /* it is replayed by its author, after a bootstrap */
    uint64_t moved_at; /* by this commit */
    bool returned;     /* by anybody; or it was known then, or its life over */
};

struct led_space {
    struct space_token token;
    struct slice name;
};

/* What showed on a machine in a mesh that it left, to join another. */
struct brought {
    struct machine *machine;
    uint64_t commit; /* in which it left */
    struct slice name;
    uint32_t from; /* item, of the space that it left */
    struct slice path, value;
};

/* What changes that do not count have removed stays gone for whoever has the
 * mark, a change that says nothing. */
struct led_loss {
    uint32_t space;
    struct dot mark;
    struct dot from; /* of a replica */
    uint64_t upto;
};

struct ledger {
    struct arena arena;
    struct led_space spaces[SIM_SPACES_EVER];
    uint32_t spaces_n;
    struct led_item *items;
    uint32_t items_n, items_cap;
    struct led_slot *slots;
    uint32_t slots_n, slots_cap;
    struct led_change *changes;
    uint32_t changes_n, changes_cap;
    struct omap item_ix, slot_ix, change_ix;
    struct led_loss *losses;
    uint32_t losses_n, losses_cap;
    struct brought *brought;
    uint32_t brought_n, brought_cap;
    bool collected; /* somebody, something */
    struct view views[SIM_MACHINES];
};

void ledger_free(struct ledger *l);
/* A batch that is about to be observed: does it mark what is lost? */
void losses_note(struct ledger *l, struct view *v, const struct machine *m,
    struct slice ops);
/* Each change that a mark stands for, if it is one: that may be such a mark, of
 * somebody who then did not count any more, too. */
void losses_each(const struct ledger *l, uint32_t space, const struct dot *mark,
    void (*fn)(void *ctx, uint32_t change), void *ctx);

/* A batch has reached a machine's disk: takes it down and judges it. */
void ledger_commit(
    struct world *w, struct machine *m, struct slice ops, uint64_t no);
/* The disk has lost commits, by a crash, or since an old copy was made. */
void ledger_rewind(struct world *w, struct machine *m, bool restored);
/* The disk is empty, and all that it held excused. */
void ledger_wipe(struct world *w, struct machine *m);
/* The write that made these changes was acknowledged. */
void ledger_ack(struct ledger *l, uint32_t from, uint32_t to);

uint32_t ledger_space(
    struct ledger *l, const struct space_token *token, struct slice name);
uint32_t ledger_item(struct ledger *l, uint32_t space, struct slice key);
/* LEDGER_NONE if it never turned up. */
uint32_t ledger_find_item(
    const struct ledger *l, uint32_t space, struct slice key);
uint32_t ledger_slot(
    struct ledger *l, uint32_t item, struct slice path, bool is_tomb);
uint32_t ledger_find(
    const struct ledger *l, uint32_t space, const struct dot *dot);
/* Its author, set back to an old copy, may give the dot once more: it was lost,
 * and nobody else ever saw it. From here on the dot stands for nothing. */
void ledger_free_dot(
    struct ledger *l, const struct machine *author, uint32_t ix);
uint32_t ledger_new_change(struct ledger *l, uint32_t space,
    const struct dot *dot, struct machine *author, uint64_t commit);
/* A change that says something else under the dot of another one, and is not
 * found by it. */
uint32_t ledger_new_half(struct ledger *l, uint32_t of);
struct led_cell *ledger_cell(struct led_change *c, uint32_t slot);
void ledger_add_cell(struct led_change *c, const struct led_cell *cell);
/* What the author had seen of an item; NULL if it did not write it. */
const struct bits *ledger_past(const struct led_change *c, uint32_t item);
void ledger_set_past(
    struct led_change *c, uint32_t item, const struct bits *seen);
/* Somebody has it in an item of that context. */
void ledger_note_heard(struct ledger *l, uint32_t space, const struct vv *ctx,
    const struct machine *by);
/* By its own contexts, which are signed; and what it was made of. */
void ledger_set_told(
    struct ledger *l, uint32_t change, uint32_t item, const struct change *c);
bool ledger_was_told(
    const struct led_change *c, uint32_t item, const struct dot *d);
/* It is a write that was made before, as `first` (LEDGER_NONE: unknown), and
 * has seen that and what that had seen. */
void ledger_inherit_past(
    struct ledger *l, uint32_t change, uint32_t item, uint32_t first);

#endif
