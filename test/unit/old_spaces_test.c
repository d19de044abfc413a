/* Spaces and policies of a store of before they had a space of their own. */
#include "unit/lone_node.h"

struct moving {
    struct batch batch;
    uint32_t to, n;
};

static int move_item(void *ctx, struct slice key, struct slice value)
{
    struct moving *m = ctx;
    struct buf made = { 0 };

    put_be32(&made, m->to);
    buf_put_slice(&made, slice_from(key, 4));
    batch_put(&m->batch, TABLE_ITEM, buf_slice(&made), value);
    batch_del(&m->batch, TABLE_ITEM, key);
    buf_free(&made);
    m->n++;
    return SYNCLINE_OK;
}

static uint32_t number_of(const struct lone *w, const char *name)
{
    return space_by_name(w->node, slice_str(name))->id;
}

/* A space, one that is deleted, and a policy, where format 3 had them. */
static void open_old(struct lone *w)
{
    struct buf prefix = { 0 };
    struct moving m = { .to = 0 };
    uint64_t no;

    lone_open(w);
    ask(w, "{\"op\":\"space_add\",\"name\":\"notes\"}");
    ask(w, "{\"op\":\"space_add\",\"name\":\"gone\"}");
    ask(w, "{\"op\":\"space_rm\",\"name\":\"gone\"}");
    ask(w,
        "{\"op\":\"policy_set\",\"space\":\"notes\",\"prefix\":\"k\","
        "\"policy\":\"manual\"}");
    m.to = number_of(w, MESH_SPACE);
    (void)key_space(&prefix, number_of(w, SPACES_SPACE));
    stop(w);
    CHECK_OK(store_scan(
        &w->port, TABLE_ITEM, buf_slice(&prefix), SLICE_NONE, move_item, &m));
    CHECK_UINT(m.n, 3);
    batch_put(&m.batch, TABLE_META, SLICE_LIT(META_FORMAT), SLICE_LIT("\3"));
    CHECK_OK(store_commit(&w->port, buf_slice(&m.batch.ops), &no));
    store_mem_sync(w->disk, no);
    buf_free(&m.batch.ops);
    buf_free(&prefix);
}

static bool shows(const struct lone *w, const char *name)
{
    const struct space *sp = space_by_name(w->node, slice_str(name));

    return sp != NULL && space_shown(sp);
}

static enum policy policy_of(const struct lone *w, const char *key)
{
    return space_policy(
        space_by_name(w->node, SLICE_LIT("notes")), slice_str(key));
}

static int count(void *ctx, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    ++*(uint64_t *)ctx;
    return SYNCLINE_OK;
}

static uint64_t moved(const struct lone *w)
{
    struct buf prefix = { 0 };
    uint64_t n = 0;

    CHECK_OK(store_scan(&w->port, TABLE_ITEM,
        key_space(&prefix, number_of(w, SPACES_SPACE)), SLICE_NONE, count, &n));
    buf_free(&prefix);
    return n;
}

TEST(they_hold_from_the_start)
{
    struct lone w;

    open_old(&w);
    start(&w);
    CHECK(shows(&w, "notes"));
    CHECK(!shows(&w, "gone"));
    CHECK_INT(policy_of(&w, "k1"), POLICY_MANUAL);
    CHECK_INT(policy_of(&w, "other"), POLICY_LWW);
    CHECK_UINT(moved(&w), 0);
    lone_close(&w);
}

TEST(an_admin_writes_them_where_they_belong)
{
    struct lone w;

    open_old(&w);
    start(&w);
    for (int i = 0; i < 9; i++)
        tick(&w);
    CHECK_UINT(moved(&w), 2);
    stop(&w);
    start(&w);
    CHECK(shows(&w, "notes"));
    CHECK(!shows(&w, "gone"));
    CHECK_INT(policy_of(&w, "k1"), POLICY_MANUAL);
    lone_close(&w);
}

/* What is said in `_spaces` goes before, though it be that a space is no more.
 */
TEST(what_was_is_overruled)
{
    struct lone w;

    open_old(&w);
    start(&w);
    for (int i = 0; i < 9; i++)
        tick(&w);
    ask(&w, "{\"op\":\"space_add\",\"name\":\"gone\"}");
    ask(&w, "{\"op\":\"space_rm\",\"name\":\"notes\"}");
    CHECK(shows(&w, "gone"));
    CHECK(!shows(&w, "notes"));
    stop(&w);
    start(&w);
    for (int i = 0; i < 9; i++)
        tick(&w);
    CHECK(shows(&w, "gone"));
    CHECK(!shows(&w, "notes"));
    lone_close(&w);
}
