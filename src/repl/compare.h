/* compare.h - members that have the same by their vectors, and hold something
 * else: noticing it, and looking closer (compare.c).
 *
 * Pure. Law: nothing that is told or shown so changes an item. */
#ifndef SYNCLINE_REPL_COMPARE_H
#define SYNCLINE_REPL_COMPARE_H

#include "repl/node_impl.h"

#define SHOWS_MAX 8 /* of one peer, asked for and still to come */

/* At a heartbeat. */
NODISCARD int compare_tick(struct node *n, struct conn *c);
NODISCARD int compare_on_check(
    struct node *n, struct conn *c, const struct frame_check *f);
NODISCARD int compare_on_show(
    struct node *n, struct conn *c, const struct frame_show *f);
/* Like a person's `verify`, of one member and one space (verify.c). */
NODISCARD int verify_between(struct node *n, struct conn *c, struct space *sp);
/* An item that differs. */
NODISCARD int compare_ask(
    struct node *n, struct conn *c, const struct space *sp, struct slice key);

#endif
