/* sheaves.h - the proofs of a batch's rows, one signature a commit.
 *
 * Pure. A commit of which a batch brings several changes goes as a sheaf
 * (crypto/sheaf.h), and each of these changes says, in place of its proof,
 * which sheaf it is of and which of its leaves are its own.
 * Law: who opens a batch has each row as it stood with who sent it. */
#ifndef SYNCLINE_REPL_SHEAVES_H
#define SYNCLINE_REPL_SHEAVES_H

#include "core/item.h"
#include "crypto/merkle.h"
#include "repl/node_impl.h"

/* ---- sending ---- */

struct row_out {
    struct slice key, bytes; /* as put_item wrote it */
    struct slice rest;       /* of bytes: what follows the changes */
    struct item item;        /* its changes; the cells need not be here */
};

/* Sets all but the key, in the arena. */
NODISCARD int row_out_make(
    struct row_out *out, const struct item *it, struct arena *a);

struct bound {
    struct buf rows, sheaves;
    uint32_t sheaves_n; /* 0: the rows are as they were */
};

NODISCARD int sheaves_bind(struct bound *out, const struct row_out *rows,
    uint32_t rows_n, struct arena *a);
void bound_free(struct bound *b);

/* ---- receiving ---- */

struct row_in {
    struct slice key, bytes; /* ptr NULL: they would have to be made */
    struct item item;
    /* Of each change: the root that its proof leads to, if that is known. */
    const struct merkle_hash **roots;
};

/* The rows are read, sealed or not, their proofs are as they came. EMALFORMED:
 * they are not what sheaves_bind could have made; EDENIED, with n->refusal. */
NODISCARD int sheaves_open(struct node *n, struct space *sp, bool sealed,
    const struct frame_batch *f, struct row_in *rows);

#endif
