/* store.h - what a replica keeps: ordered tables of records, changed only in
 * whole batches.
 *
 * Two implementations pass the same contract tests: store_file (journal,
 * overlay, SQLite; files through an os port) and store_mem (memory, and able
 * to crash). doc/store.md describes keys, records and files.
 *
 * Laws.
 * - Reads see every batch committed before, durable or not, at once.
 * - After a crash the store holds exactly a prefix of the committed batches
 *   that contains every durable one.
 * - No batch is ever seen in part.
 * Threads: all calls from the loop's thread, except where a job says so. */
#ifndef SYNCLINE_STORE_STORE_H
#define SYNCLINE_STORE_STORE_H

#include "base/buf.h"

enum store_table {
    TABLE_META,     /* text -> record */
    TABLE_ITEM,     /* be32 space, key -> be64 lsn, item */
    TABLE_FEED,     /* be32 space, be64 lsn, kind, key -> "" */
    TABLE_SEEN,     /* be32 space, replica, be64 seq, key -> "" */
    TABLE_HISTORY,  /* be32 space, key, 0, be64 version -> record */
    TABLE_CONFLICT, /* be32 space, key, 0, path, 0, dot -> record */
    TABLE_END
};

/* In the place of a key that memory did not suffice for: whoever is given it
 * answers ENOMEM. An empty key would be somebody else's. */
extern const uint8_t store_no_room[1];
#define STORE_NO_ROOM SLICE(store_no_room, 0)

static inline bool store_had_no_room(struct slice key)
{
    return key.ptr == store_no_room;
}

/* A batch under construction: a sequence of puts and deletes. */
struct batch {
    struct buf ops;
    uint32_t n;
};

void batch_put(
    struct batch *b, enum store_table t, struct slice key, struct slice value);
void batch_del(struct batch *b, enum store_table t, struct slice key);

struct batch_op {
    enum store_table table;
    struct slice key;
    struct slice value; /* ptr NULL: delete */
};

/* Splits the next op off; false at the end. A malformed op sets *err. */
bool batch_next(struct slice *ops, struct batch_op *op, int *err);

/* Called with each record, in key order; the slices are lent until it
 * returns. Return 0 to go on, 1 to stop the scan, or an error. */
typedef int store_scan_fn(void *ctx, struct slice key, struct slice value);

/* The port through which everything above reaches a store. */
struct store_port {
    void *self;
    /* The record, lent until the next call on this store; ENOTFOUND. */
    int (*get)(
        void *self, enum store_table t, struct slice key, struct slice *value);
    /* Records with from <= key and key beginning with prefix, in order. The
     * callback must not touch the store. */
    int (*scan)(void *self, enum store_table t, struct slice prefix,
        struct slice from, store_scan_fn *fn, void *ctx);
    /* Applies a batch at once; *no is its number, counted from 1 without
     * gaps. Errors leave the store as it was: EFULL, EIO, ENOMEM. */
    int (*commit)(void *self, struct slice ops, uint64_t *no);
};

static inline int store_get(const struct store_port *s, enum store_table t,
    struct slice key, struct slice *value)
{
    if (store_had_no_room(key))
        return SYNCLINE_ENOMEM;
    return s->get(s->self, t, key, value);
}

static inline int store_scan(const struct store_port *s, enum store_table t,
    struct slice prefix, struct slice from, store_scan_fn *fn, void *ctx)
{
    if (store_had_no_room(prefix) || store_had_no_room(from))
        return SYNCLINE_ENOMEM;
    return s->scan(s->self, t, prefix, from, fn, ctx);
}

static inline int store_commit(
    const struct store_port *s, struct slice ops, uint64_t *no)
{
    return s->commit(s->self, ops, no);
}

#endif
