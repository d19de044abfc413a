/* Keys that are held and count, and those that count no more. */
#include "unit/lone_node.h"

static void rotate(struct lone *w)
{
    tick(w); /* it has a key for exchanges from then on */
    ask(w, "{\"op\":\"rotate\"}");
}

static size_t kept(struct lone *w, const char *name)
{
    struct slice value;
    int rc = store_get(&w->port, TABLE_META, slice_str(name), &value);

    CHECK(rc == SYNCLINE_OK || rc == SYNCLINE_ENOTFOUND);
    return rc == SYNCLINE_OK ? value.len + 1 : 0;
}

static int find_rotation(void *ctx, struct slice key, struct slice value)
{
    struct buf *name = ctx;

    if (memmem(value.ptr, value.len, "rotate", 6) != NULL) {
        buf_clear(name);
        buf_put_slice(name, key);
    }
    return SYNCLINE_OK;
}

/* As the power leaves it between the commit by which the record counts no more
 * and that which acts on it. */
static void forget_rotation(struct lone *w)
{
    const uint32_t mesh = space_by_name(w->node, SLICE_LIT(MESH_SPACE))->id;
    struct buf prefix = { 0 }, name = { 0 };
    struct batch b = { 0 };
    uint64_t no;

    stop(w);
    CHECK_OK(store_scan(&w->port, TABLE_ITEM, key_space(&prefix, mesh),
        SLICE_NONE, find_rotation, &name));
    CHECK(name.len > 0);
    batch_del(&b, TABLE_ITEM, buf_slice(&name));
    CHECK_OK(store_commit(&w->port, buf_slice(&b.ops), &no));
    store_mem_sync(w->disk, no);
    buf_free(&b.ops);
    buf_free(&prefix);
    buf_free(&name);
    start(w);
}

TEST(keys_are_listed_once_there_are_some)
{
    struct lone w;

    lone_open(&w);
    CHECK_UINT(kept(&w, META_KEYS), 0);
    rotate(&w);
    CHECK_UINT(kept(&w, META_KEYS), 1 + 1 + KEY_ID_LEN);
    rotate(&w);
    CHECK_UINT(kept(&w, META_KEYS), 1 + 2 * (1 + KEY_ID_LEN));
    CHECK_UINT(kept(&w, META_REKEY), 0);
    stop(&w);
    start(&w);
    CHECK_UINT(kept(&w, META_REKEY), 0);
    lone_close(&w);
}

TEST(a_key_that_counts_no_more_is_noticed_at_the_start)
{
    struct lone w;

    lone_open(&w);
    rotate(&w);
    forget_rotation(&w);
    CHECK_UINT(w.node->keyring.n, 1);
    CHECK_UINT(kept(&w, META_REKEY), 1);
    CHECK(w.node->rekeying);
    CHECK(space_by_name(w.node, SLICE_LIT(DEFAULT_SPACE))->unkeyed);
    CHECK_UINT(kept(&w, META_KEYS), 1);
    lone_close(&w);
}
