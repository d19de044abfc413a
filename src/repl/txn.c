#include "repl/txn.h"

void txn_free(struct txn *t)
{
    buf_free(&t->batch.ops);
    buf_free(&t->key);
    omap_free(&t->recent);
}

void txn_reset(struct txn *t)
{
    buf_clear(&t->batch.ops);
    t->batch.n = 0;
    if (t->recent.n > 0)
        omap_clear(&t->recent);
}

static bool is_read_back(enum store_table table)
{
    return table == TABLE_ITEM || table == TABLE_CONFLICT;
}

static struct slice recent_key(
    struct txn *t, enum store_table table, struct slice key)
{
    buf_clear(&t->key);
    buf_put_u8(&t->key, (uint8_t)table);
    buf_put_slice(&t->key, key);
    return buf_slice(&t->key);
}

int txn_get(struct txn *t, enum store_table table, struct slice key,
    struct slice *value)
{
    struct omap_node *n = NULL;

    if (t->recent.n > 0 && is_read_back(table))
        n = omap_get(&t->recent, recent_key(t, table, key));
    if (n == NULL)
        return store_get(t->store, table, key, value);
    if (n->value.ptr == NULL)
        return SYNCLINE_ENOTFOUND;
    *value = n->value;
    return SYNCLINE_OK;
}

static void remember(
    struct txn *t, enum store_table table, struct slice key, struct slice v)
{
    int rc;

    if (!is_read_back(table) || t->batch.ops.status != 0)
        return;
    rc = omap_put(&t->recent, recent_key(t, table, key), v);
    if (rc != SYNCLINE_OK)
        t->batch.ops.status = rc;
}

void txn_put(
    struct txn *t, enum store_table table, struct slice key, struct slice v)
{
    batch_put(&t->batch, table, key, v);
    remember(t, table, key, v);
}

void txn_put_buf(struct txn *t, enum store_table table, struct slice key,
    const struct buf *v)
{
    if (buf_status(v) != SYNCLINE_OK && t->batch.ops.status == 0)
        t->batch.ops.status = buf_status(v);
    txn_put(t, table, key, buf_slice(v));
}

void txn_del(struct txn *t, enum store_table table, struct slice key)
{
    batch_del(&t->batch, table, key);
    remember(t, table, key, SLICE_NONE);
}

int txn_status(const struct txn *t)
{
    return buf_status(&t->batch.ops);
}
