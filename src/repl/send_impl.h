/* send_impl.h - how a batch is filled: what send.c, feed.c and hold.c share.
 *
 * Pure. feed.c walks the feed or the index of contexts, hold.c keeps back
 * what others will deliver, send_rows.c makes rows of it, send.c marks and
 * batches. */
#ifndef SYNCLINE_REPL_SEND_IMPL_H
#define SYNCLINE_REPL_SEND_IMPL_H

#include "base/plant.h"
#include "repl/border.h"

/* A batch being filled for one session. */
struct filling {
    struct node *node;
    struct conn *conn;
    struct session *s;
    struct row_out *rows; /* in the step's arena */
    uint32_t rows_n, rows_cap, conflicts_n;
    size_t rows_len; /* bytes of them, each with its own proofs */
    struct buf conflicts;
    const struct sealer *by; /* who seals what leaves; NULL: it is clear */
    struct bound bound;      /* the rows as they leave */
    size_t weight;           /* bytes of the items that it is about */
    bool stalled;            /* no room to hold back another row */
};

/* One entry of the feed or the index. */
struct entry {
    uint64_t lsn;
    enum feed_kind kind;
    struct slice tail;  /* an item's key, or a conflict's name */
    struct rid replica; /* index: under which the item was found */
    struct slice key;   /* the whole key of the entry */
};

/* The peer reads and writes a whole item for the smallest row of it. */
#define WEIGHT_MAX 16 /* times the bytes of a batch */

static inline bool filled(const struct filling *f)
{
    return f->stalled ||
        f->rows_len + f->conflicts.len >= f->node->opt.batch_bytes ||
        (f->weight >= WEIGHT_MAX * f->node->opt.batch_bytes &&
            !PLANTED(ONE_PIECE));
}

/* ---- hold.c ---- */

struct held *held_new(const struct entry *e, const struct vv *ctx);
void held_remove(struct session *s, uint32_t ix);
void held_remove_entry(
    struct session *s, enum feed_kind kind, struct slice tail);
/* Keeps a row for later; f->stalled if there is no room. */
NODISCARD int hold_back(struct filling *f, const struct entry *e,
    const struct vv *ctx, bool large, uint64_t due_us);
/* True if everything in the item that the peer lacks was written by devices
 * that reach the peer themselves. */
bool authors_deliver(const struct filling *f, const struct item *it);
/* Held rows whose time has come, or that the peer has got meanwhile. */
NODISCARD int release_held(struct filling *f);

/* ---- send_rows.c ---- */

/* What tells whether an item is to go at all, which mostly it is not: each row
 * is looked at for every peer. The value is lent until something else is read.
 */
NODISCARD int read_head(struct filling *f, struct slice key, struct stored *st,
    struct slice *value);
/* Sends, holds back or skips one item; now: no more holding back. */
NODISCARD int consider_item(struct filling *f, const struct entry *e, bool now);
NODISCARD int consider_conflict(struct filling *f, const struct entry *e);

/* ---- feed.c ---- */

/* Walks the index of contexts, then conflicts: for a peer without a cursor. */
NODISCARD int walk_index(struct filling *f);
/* Walks all items, for a peer that is behind; then conflicts as well. */
NODISCARD int walk_all(struct filling *f);
NODISCARD int walk_conflicts(struct filling *f);
/* Walks the feed from s->pos. *done: the head is reached, so that a mark may
 * follow. Rows that are not durable go out only in that case. */
NODISCARD int walk_feed(struct filling *f, bool *done);

#endif
