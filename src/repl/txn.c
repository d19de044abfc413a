#include "repl/txn.h"

#include "base/codec.h"

void txn_free(struct txn *t)
{
    buf_free(&t->batch.ops);
    buf_free(&t->key);
    omap_free(&t->recent);
    omap_free(&t->held);
}

void txn_reset(struct txn *t)
{
    buf_clear(&t->batch.ops);
    t->batch.n = 0;
    t->read = NULL;
    if (t->recent.n > 0)
        omap_clear(&t->recent);
    if (t->held.n > 0)
        omap_clear(&t->held);
}

static bool is_read_back(enum store_table table)
{
    return table == TABLE_ITEM || table == TABLE_CONFLICT;
}

/* Half a key would be that of something else. */
static int recent_key(
    struct txn *t, enum store_table table, struct slice key, struct slice *out)
{
    buf_clear(&t->key);
    buf_put_u8(&t->key, (uint8_t)table);
    buf_put_slice(&t->key, key);
    *out = buf_slice(&t->key);
    return buf_status(&t->key);
}

bool txn_wrote(struct txn *t, enum store_table table, struct slice key)
{
    struct slice recent;

    return t->recent.n > 0 && is_read_back(table) &&
        recent_key(t, table, key, &recent) == SYNCLINE_OK &&
        omap_get(&t->recent, recent) != NULL;
}

int txn_get(struct txn *t, enum store_table table, struct slice key,
    struct slice *value)
{
    struct omap_node *n = NULL;
    struct slice recent;

    if (t->recent.n > 0 && is_read_back(table)) {
        int rc = recent_key(t, table, key, &recent);

        if (rc != SYNCLINE_OK)
            return rc;
        n = omap_get(&t->recent, recent);
    }
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
    struct slice recent;
    int rc;

    t->read = is_read_back(table) ? NULL : t->read;
    if (!is_read_back(table) || t->batch.ops.status != 0)
        return;
    rc = recent_key(t, table, key, &recent);
    if (rc == SYNCLINE_OK)
        rc = omap_put(&t->recent, recent, v);
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

void txn_hold(struct txn *t, enum store_table table, struct slice key,
    const struct buf *v, uint64_t above, const void *read)
{
    struct slice recent;
    uint8_t number[8];
    int rc = buf_status(v);

    for (size_t i = 0; i < sizeof number; i++)
        number[i] = (uint8_t)(above >> (56 - 8 * i));
    if (rc == SYNCLINE_OK)
        rc = recent_key(t, table, key, &recent);
    if (rc == SYNCLINE_OK && omap_get(&t->held, recent) == NULL)
        rc = omap_put(&t->held, recent, SLICE(number, sizeof number));
    if (rc != SYNCLINE_OK && t->batch.ops.status == 0)
        t->batch.ops.status = rc;
    remember(t, table, key, buf_slice(v));
    t->read = t->held.n == 1 ? read : NULL;
}

int txn_take_held(struct txn *t, struct txn_held **out, struct arena *a)
{
    struct txn_held *first = NULL, **end = &first;

    for (struct omap_node *n = omap_first(&t->held); n != NULL;
         n = omap_next(n)) {
        const struct omap_node *recent = omap_get(&t->recent, n->key);
        struct reader above = reader_of(n->value);
        struct txn_held *h;

        if (recent == NULL || recent->value.ptr == NULL)
            continue;
        h = arena_zalloc(a, 1, sizeof *h);
        if (h == NULL)
            return SYNCLINE_ENOMEM;
        h->key = arena_dup(a, slice_from(n->key, 1));
        h->value = arena_dup(a, recent->value);
        h->above = get_be64(&above);
        h->read = t->read;
        if (h->key.ptr == NULL || h->value.ptr == NULL)
            return SYNCLINE_ENOMEM;
        *end = h;
        end = &h->next;
    }
    omap_clear(&t->held);
    t->read = NULL;
    *out = first;
    return SYNCLINE_OK;
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
