/* odd.h - things that nodes send each other, made of an input's bytes: whole
 * in their form and odd in what they say. A mutation of bytes seldom keeps
 * nested lengths and sorted lists, and what comes behind them would not be
 * reached.
 *
 * Law: what is made can be encoded, and, but for odd values, decoded. */
#ifndef SYNCLINE_FUZZ_ODD_H
#define SYNCLINE_FUZZ_ODD_H

#include "core/merge.h"
#include "fuzz/fuzz.h"

#define ODD_RIDS 6

/* Whose changes there may be. */
struct odd {
    struct rid rid[ODD_RIDS];
    struct arena *arena;
};

void odd_init(struct odd *o, struct arena *a);
struct rid odd_rid(const struct odd *o, struct pieces *p);
struct dot odd_dot(const struct odd *o, struct pieces *p);
struct stamp odd_stamp(const struct odd *o, struct pieces *p);
struct vv odd_vv(const struct odd *o, struct pieces *p);
struct slice odd_path(struct pieces *p);
/* ptr NULL: nothing. */
struct slice odd_value(struct pieces *p);
/* An item of some cells, or with a single one of that value (not NULL). */
void odd_item(const struct odd *o, struct pieces *p, const struct slice *only,
    struct item *out);
void odd_contender(
    const struct odd *o, struct pieces *p, struct contender *out);

#endif
