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
/* An item that differs. */
NODISCARD int compare_ask(
    struct node *n, struct conn *c, const struct space *sp, struct slice key);

#endif
