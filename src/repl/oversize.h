/* oversize.h - much to write: in pieces where it can be parted, and told where
 * it cannot.
 *
 * Pure. Law: of a step that fails, only the last piece is undone. */
#ifndef SYNCLINE_REPL_OVERSIZE_H
#define SYNCLINE_REPL_OVERSIZE_H

#include "base/arena.h"
#include "base/buf.h"
#include "core/item.h"

struct node;

/* What the store refused for its size; told for a minute. */
struct oversize {
    bool now; /* in this step */
    uint64_t told_until_us;
    size_t bytes, space_len, key_len;
    uint8_t space[64], key[KEY_MAX];
};

/* What can be written in pieces: part of a step, committed apart from the
 * rest, and the memory that it takes. Should the rest fail, that alone is
 * undone. Nothing in the step's arena from after the begin outlives the end,
 * but for effects. */
struct piece {
    struct arena_mark mark;
    size_t fx_n;
};

/* Has the step gathered as much as should be written at once? */
bool node_has_enough(const struct node *n);
void piece_begin(const struct node *n, struct piece *p);
/* Settles what policies are to settle, commits, and begins the next one. */
NODISCARD int piece_end(struct node *n, struct piece *p);
/* The store will not take the step's batch: says of which item it is. */
void oversize_note(struct node *n);
/* The same for `status`: an object, or null. */
void oversize_put(const struct node *n, struct buf *b);

/* The most bytes of a row in fragments. */
size_t receive_row_max(const struct node *n);

#endif
