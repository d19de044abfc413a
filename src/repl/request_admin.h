/* request_admin.h - what the files of the local interface's second half
 * share. */
#ifndef SYNCLINE_REPL_REQUEST_ADMIN_H
#define SYNCLINE_REPL_REQUEST_ADMIN_H

#include "repl/access_impl.h"

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

/* The most that a page may have, and what it has before it ends. */
#define LS_MAX 10000
#define PAGE_BYTES ((size_t)8 << 20)

/* ---- request_history.c ---- */

/* Who has written something, and when: members of an object. */
void put_author(const struct node *n, struct buf *b, const struct dot *dot,
    const struct stamp *stamp, uint64_t wall_us);
/* The answer to `history`. *any: there are versions, of this page or others.
 * What st says of revisions has been counted. */
NODISCARD int history_tell(struct node *n, const struct space *sp,
    struct slice key, const struct stored *st, const struct json *args,
    struct buf *b, bool *any, struct errmsg *why);
/* One version, the present one too, in the step's memory; ENOTFOUND. */
NODISCARD int history_find(struct node *n, const struct space *sp,
    struct slice key, const struct stored *st, uint64_t version,
    struct history_entry *out);

/* ---- request_context.c ---- */

#define CONTEXT_TEXT_LEN 32

/* What an item has seen, in few digits: it is another one after each change,
 * and the same wherever the same has been seen. */
NODISCARD int context_print(const struct node *n, const struct item *it,
    char out[CONTEXT_TEXT_LEN + 1]);
/* `if_context`: what `get` has told, "*" (there is one), "" (there is none), or
 * NULL. ECONFLICT: it is another by now. */
NODISCARD int context_check(struct node *n, struct space *sp, struct slice key,
    const struct json *want, struct errmsg *why);

/* ---- request_conflict.c ---- */

struct found_conflict {
    struct found_conflict *next;
    struct space *space;
    struct slice tail, key, path;
    struct conflict_record record;
    char id[13];
};

/* What is looked for, and what was found: by space and key. */
struct conflict_scan {
    struct node *n;
    struct slice only_key, only_id; /* empty: any */
    bool rescue;                    /* only what has come back, and is open */
    bool settled;                   /* or settled, too */
    bool open;                      /* only what nobody has resolved */
    struct space *space;
    struct found_conflict *list, **end;
};

/* Empty space: all. What is found lives for the step. */
NODISCARD int conflicts_find(struct conflict_scan *s, struct slice space);
/* Path, value, and whose it is: members of an object. */
/* left_out: it has a value that is not told. */
void put_contender_json(
    struct node *n, struct buf *b, const struct contender *c, bool left_out);
/* The leaves of a document that is put at a path. */
NODISCARD int leaves_at(struct node *n, struct slice path,
    const struct json *value, struct leaves *out);

NODISCARD int admin_conflicts(struct admin *q);
NODISCARD int admin_resolve(struct admin *q);
/* Appends `,"siblings":[{id, path, value}]`: values of the item that lost to
 * what is in effect and wait for a person; nothing if there are none. */
NODISCARD int put_siblings(
    struct node *n, struct buf *b, struct space *sp, struct slice key);
/* brief: as they were lately, where there are many. */
NODISCARD int count_conflicts(
    struct node *n, struct space *sp, bool brief, struct conflict_counts *out);

/* ---- request_members.c ---- */

/* By its name, or by at least seven digits of its id. */
NODISCARD int admin_find_member(
    struct admin *q, struct slice text, const struct member **out);
NODISCARD int admin_members(struct admin *q);
NODISCARD int admin_grant(struct admin *q);
NODISCARD int admin_revoke(struct admin *q);
NODISCARD int admin_remove(struct admin *q);
NODISCARD int admin_rotate(struct admin *q);

/* ---- door.c ---- */

NODISCARD int admin_pending(struct admin *q);
NODISCARD int admin_pending_open(struct admin *q);
NODISCARD int admin_approve(struct admin *q);
NODISCARD int admin_deny(struct admin *q);

/* ---- request_rescue.c ---- */

NODISCARD int admin_rescue(struct admin *q);
NODISCARD int admin_rescue_apply(struct admin *q);

/* ---- request_deleted.c ---- */

NODISCARD int admin_deleted(struct admin *q);

/* ---- write_fields.c ---- */

NODISCARD int admin_put_fields(struct admin *q);

/* ---- request_clock.c ---- */

NODISCARD int admin_clock(struct admin *q);
NODISCARD int admin_clock_reset(struct admin *q);

#endif
