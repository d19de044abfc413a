/* txn.h - what one step writes: a batch that is read back while it grows.
 *
 * Pure. Reads of items and conflict records see the batch; scans do not.
 * Law: nothing reaches the store before the one commit at the step's end. */
#ifndef SYNCLINE_REPL_TXN_H
#define SYNCLINE_REPL_TXN_H

#include "base/omap.h"
#include "store/store.h"

struct txn {
    const struct store_port *store;
    struct batch batch;
    struct omap recent; /* table byte + key -> value; NULL: deleted */
    struct omap held;   /* table byte + key -> be64; its value is in recent */
    const void *read;   /* what the one that is held says; NULL: not known */
    struct buf key;
};

void txn_free(struct txn *t);
void txn_reset(struct txn *t);
/* The record, lent until the next call on txn or store; ENOTFOUND. */
NODISCARD int txn_get(struct txn *t, enum store_table table, struct slice key,
    struct slice *value);
/* Was that record written or deleted by this step? */
bool txn_wrote(struct txn *t, enum store_table table, struct slice key);
void txn_put(
    struct txn *t, enum store_table table, struct slice key, struct slice v);
/* A value that memory did not suffice for fails the batch. */
void txn_put_buf(struct txn *t, enum store_table table, struct slice key,
    const struct buf *v);
/* A record that is read back, but is put only after it has been taken. `above`
 * of the first time is kept with it. `read` is the same, for who would decode
 * it again; it has to live until then. */
void txn_hold(struct txn *t, enum store_table table, struct slice key,
    const struct buf *v, uint64_t above, const void *read);
struct txn_held {
    struct txn_held *next;
    struct slice key, value;
    uint64_t above;
    const void *read; /* NULL: the value has to be decoded */
};
/* What is held and was not deleted meanwhile, in the order of keys. */
NODISCARD int txn_take_held(
    struct txn *t, struct txn_held **out, struct arena *a);
static inline bool txn_holds(const struct txn *t)
{
    return t->held.n > 0;
}
void txn_del(struct txn *t, enum store_table table, struct slice key);
/* 0, or the first failure of any write so far. */
int txn_status(const struct txn *t);

static inline bool txn_is_empty(const struct txn *t)
{
    return t->batch.n == 0;
}

#endif
