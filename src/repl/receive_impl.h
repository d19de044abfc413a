/* receive_impl.h - what receive.c, receive_row.c and receive_conflict.c
 * share.
 *
 * Pure. */
#ifndef SYNCLINE_REPL_RECEIVE_IMPL_H
#define SYNCLINE_REPL_RECEIVE_IMPL_H

#include "repl/sealed.h"
#include "repl/sheaves.h"

/* A row none of which is taken: REFUSED instead of a status. */
#define REFUSED 1

/* As members have it, as a relay has it, and the same for somebody who opens
 * it: of that every value is judged then, by the only form that it may have. */
enum row_form { ROW_CLEAR, ROW_SEALED, ROW_TO_OPEN };

static inline enum row_form row_form(
    const struct space *sp, const struct sealer *by)
{
    return by != NULL ? ROW_TO_OPEN : sp->sealed ? ROW_SEALED : ROW_CLEAR;
}

/* Reads what can be read of a row by itself. REFUSED: it is of the other form,
 * so one of us has not heard yet who is a relay. */
NODISCARD int receive_read_row(struct node *n, struct slice key,
    struct slice bytes, enum row_form form, struct row_in *out);
/* The same of what came out of one: its key and its item are set, its bytes are
 * those that it came out of. */
NODISCARD int receive_opened_row(struct node *n, struct row_in *row);

/* What the peer has, it says itself. */
NODISCARD int receive_claim(
    struct node *n, struct conn *c, struct space *sp, const struct vv *v);

/* All records of a batch; and one that came in fragments. With somebody who
 * opens them, or NULL. */
NODISCARD int receive_conflicts(struct node *n, struct conn *c,
    struct space *sp, const struct sealer *by, const struct frame_batch *f);
/* Before the rows of a batch that is to be opened: which of them have to wait
 * for their records. */
NODISCARD int receive_conflicts_ahead(struct node *n, struct conn *c,
    struct space *sp, const struct sealer *by, const struct frame_batch *f,
    const struct row_in *rows);
NODISCARD int receive_conflict_whole(struct node *n, struct conn *c,
    struct space *sp, const struct sealer *by, struct slice tail,
    struct slice record);

#endif
