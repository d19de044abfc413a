/* request_admin.h - what the files of the local interface's second half
 * share. */
#ifndef SYNCLINE_REPL_REQUEST_ADMIN_H
#define SYNCLINE_REPL_REQUEST_ADMIN_H

#include "repl/node_impl.h"

struct admin {
    struct node *n;
    uint64_t request;
    const struct json *args;
    struct errmsg *why;
};

/* Answers with b, and frees it. */
NODISCARD int admin_reply(struct admin *q, struct buf *b);
/* Answers once what was written is durable. */
NODISCARD int admin_reply_durable(
    struct admin *q, struct space *sp, uint64_t version);
NODISCARD int admin_find_space(
    struct admin *q, struct slice name, struct space **out);

/* ---- request_conflict.c ---- */

NODISCARD int admin_conflicts(struct admin *q);
NODISCARD int admin_resolve(struct admin *q);
/* Appends `,"siblings":[{id, path, value}]`: values of the item that lost to
 * what is in effect and wait for a person; nothing if there are none. */
NODISCARD int put_siblings(
    struct node *n, struct buf *b, struct space *sp, struct slice key);
/* How many are open in a space. */
NODISCARD int count_conflicts(struct node *n, struct space *sp, uint64_t *out);

#endif
