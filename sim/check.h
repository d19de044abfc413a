/* check.h - the judges: what must hold of every run, by the numbers of the
 * invariants that they prove. Each speaks through world_fail. */
#ifndef SYNCLINE_SIM_CHECK_H
#define SYNCLINE_SIM_CHECK_H

#include "core/item.h"
#include "repl/node.h"
#include "sim/middle.h"
#include "sim/watcher.h"

struct world;
struct machine;
struct json;
struct arena;
struct view;
struct view_space;

/* Of an item that a commit touched, or that its vector now claims more of.
 * I1: what the vector covers is there or dominated. I4: where nothing lies
 * beyond the vector, the item is the fold of what it covers. */
void check_vector(
    struct world *w, struct machine *m, uint32_t item, const struct item *it);
/* I7: a life that was seen to end does not come back. */
void check_deleted(
    struct world *w, struct machine *m, uint32_t item, const struct item *it);
/* I5: an item's version never goes back on one node. */
void check_version(
    struct world *w, struct machine *m, uint32_t item, const struct item *it);
/* I6: a stamp of one's own exceeds all that was visible. */
void check_stamp(struct world *w, struct machine *m, const struct change *c,
    const struct stamp *greatest);
/* R19: a stamp is never further ahead than somebody's date was in its epoch;
 * what comes from far ahead is told while it is; and at quiet all are in one
 * epoch, and where the clocks were set right and reset, nothing is ahead. */
void check_far_note(struct world *w, struct machine *m, const struct change *c);
void check_far(struct world *w, struct machine *m);
void check_epochs(struct world *w);

/* R18, R26: what is kept of a change bears its author's signature. */
void check_signed(struct world *w, struct machine *m,
    const struct space_token *space, struct slice key, struct slice row,
    const struct item *it);

/* I17: what a bound file is made is a whole document; what is published of one
 * somebody has saved; at rest it is what its item is, or somebody is told why
 * not; and what is saved then is in all of them. */
void check_files_written(
    struct world *w, const struct machine *m, struct slice text);
void check_files_published(struct world *w, struct machine *m, bool changed);
void check_files(struct world *w);
void check_files_alive(struct world *w);

/* R20: of what a device has said twice under one dot all know, and nothing
 * counts from there on; or one half is gone; nobody else is accused. */
void check_forks(struct world *w);

/* What nobody asked for, a replay, a copy, a reissue, brings what somebody
 * wrote once; resolvers are asked. */
void check_unasked(struct world *w, const struct machine *m, uint32_t change);

/* A machine between two others is no member, nor shown where it chose its
 * nonce at will. */
void check_middle(struct world *w);
void check_joined(
    struct world *w, const struct machine *m, enum middle_way way);
void check_digits(struct world *w, enum middle_way way, struct slice digits);

/* I2: a machine that came back covers all that it was ever told is safe. */
void check_ack(struct world *w, struct machine *m);
/* I2: a write that was to wait for others, and is answered, is on the disks of
 * as many as the answer says. Noted as a commit makes a vector claim it, and
 * as a disk loses commits, or goes back. */
void check_reached(struct world *w, const struct machine *m, uint32_t from,
    uint32_t to, uint64_t acks);
void check_reached_note(
    struct world *w, const struct machine *m, uint32_t change, uint64_t commit);
void check_reached_rewind(
    struct world *w, const struct machine *m, bool restored);
/* I16: a machine that came back holds what a prefix of its commits left, with
 * all that was durable, and its store finds no fault with itself. */
void check_store(struct world *w, struct machine *m);
/* I5: what `get` answers right after a write. doc ptr NULL: deleted. */
void check_read(struct world *w, struct machine *m, struct slice space,
    struct slice key, struct slice doc);

/* A write leaves fields that it does not change as they are, stamps and all:
 * before it, and after; `was` is the document that showed, NULL: none. */
void check_fields_begin(struct world *w, struct machine *m, struct slice space,
    struct slice key, struct item *before, struct arena *a);
void check_fields_end(struct world *w, struct machine *m, struct slice space,
    struct slice key, const struct item *before, const struct json *was);

/* I12: each event of a watch once, in order; if it begins anew it says so. */
void check_watch_event(
    struct world *w, const struct watcher *v, const struct json *event);
/* I12: who was told everything believes what is there. Nothing is said of one
 * who is still being told, or does not read. */
void check_watch(struct world *w, struct watcher *v);
void check_watches(struct world *w);
/* What a cursor says, and what there is to watch; NULL: no such space. */
struct feed_place check_watch_place(struct slice cursor);
const struct json *check_watch_list(const struct watcher *v, struct arena *a);

/* I13: what a node keeps, and of the past of an item, stays within limits. */
void check_limits(struct world *w, struct machine *m);
void check_sizes(
    struct world *w, const struct machine *m, const struct node_sizes *z);
void check_history(struct world *w, struct machine *m);
/* I8: what a commit tells for the first time that it lost is in the past of its
 * item, too. */
void check_past(
    struct world *w, const struct machine *m, struct view *v, struct slice ops);
/* And what it writes at once, so that there is always a way on. */
void check_commit(struct world *w, const struct machine *m, struct slice ops);

/* I11: what a resolver is asked to merge are things that people wrote, never
 * its own results, and whoever asks gives them in the same order. */
void check_siblings(
    struct world *w, struct machine *m, const struct json *siblings);
void check_siblings_note(struct world *w, const struct json *result);
/* And what comes of it takes the place of nothing else. */
void check_merged(
    struct world *w, const struct machine *m, uint32_t change, uint32_t item);

/* R38: whoever lets a device in or removes one tells the audit log. */
void check_audit_note(
    struct world *w, const struct machine *m, const struct effect *fx);
void check_audit(struct world *w, const struct machine *m, const char *kind,
    const struct device_id *device);

/* R15, R18: once a node has acted on what it heard, it holds no change of a
 * device that may not write there. */
void check_rights(struct world *w, struct machine *m);
/* An item that a commit of this machine touched: it is looked at next. */
void check_rights_note(struct machine *m, uint32_t item);
/* At quiet: all agree on who is a member, as what, and hold one key that no
 * removed device holds. */
void check_members(struct world *w);
/* R15: of a device that is removed, before it goes. */
void check_leaves_without_key(struct world *w, const struct machine *m);

/* I14: no node lacks what another has, a while after the faults. Is the first
 * thing that check_converge looks at. */
void check_heal(struct world *w);
/* After quiet, what a node writes reaches every other: each is asked to
 * write; who does not show what another wrote? */
void check_alive_begin(struct world *w, struct machine *m);
void check_alive(struct world *w);

/* At quiet. I4: one document, fingerprint, vector and set of conflicts
 * on all machines, and the document is the fold of the ledger. */
void check_converge(struct world *w);
/* I3, I8: no acknowledged write is lost without a word; no conflict is
 * told of what was no conflict. */
void check_lost(struct world *w);
/* I3: what showed on a machine that joined is there, or told of; what it was
 * written as, check_lost is to follow. Noted as it leaves its old space for the
 * one of that name; forgotten with the commits that its disk has lost. */
void check_brought_note(struct world *w, struct machine *m,
    const struct view_space *left, struct slice name, uint64_t commit);
void check_brought_forget(
    struct world *w, const struct machine *m, uint64_t last);
void check_brought(struct world *w);
/* I10, I11: nothing is written while nothing happens, nor by meeting
 * again. */
void check_echo_begin(struct world *w);
void check_echo_end(struct world *w, bool met_again);

#endif
