/* What a lost replica wrote is written again, and shows as it did. */
#include "unit/lone_node.h"

#include "core/document.h"
#include "repl/collect_impl.h"

#define KEY SLICE_LIT("lamp")

struct writing {
    struct node *node;
    struct space *space;
    struct stored st;
};

/* Of this device, which has lost it; or of somebody else, and claimed. */
static struct dot dot_of(const struct writing *w, bool lost, uint64_t seq)
{
    struct dot d = { .seq = seq };

    if (lost)
        memcpy(d.replica.b, w->node->device.b, RID_DEVICE_LEN);
    memset(d.replica.b + RID_DEVICE_LEN, lost ? 0x10 : 0x20,
        RID_LEN - RID_DEVICE_LEN);
    return d;
}

static void writing_begin(struct writing *w, struct lone *l)
{
    lone_open(l);
    *w = (struct writing){ .node = l->node,
        .space = space_by_name(l->node, SLICE_LIT(DEFAULT_SPACE)) };
    CHECK_OK(item_load(w->node, w->space, KEY, &w->st));
    w->st.item.length = 1;
}

static void write_cell(struct writing *w, const char *path, const char *value,
    bool lost, uint64_t at)
{
    struct change c = { .dot = dot_of(w, lost, at) };
    uint32_t ix;

    c.first = c.dot;
    c.stamp = (struct stamp){ 0, at, c.dot.replica };
    CHECK_OK(vv_add(&w->st.item.ctx, &c.dot, &w->node->step));
    CHECK_OK(item_add_change(&w->st.item, &c, &ix, &w->node->step));
    CHECK_OK(item_set(
        &w->st.item, slice_str(path), slice_str(value), ix, &w->node->step));
    if (!lost)
        CHECK_OK(space_raise(w->node, w->space, &c.dot));
    node_see_stamp(w->node, &c.stamp);
}

static void check_shows(struct writing *w, const char *text)
{
    struct buf doc = { 0 };

    CHECK_OK(item_load(w->node, w->space, KEY, &w->st));
    put_document(&doc, &w->st.item, &w->node->step);
    CHECK_OK(buf_status(&doc));
    CHECK_SLICE(buf_slice(&doc), text);
    buf_free(&doc);
}

static const struct change *change_at(const struct writing *w, const char *path)
{
    const struct cell *c = item_find(&w->st.item, slice_str(path));

    CHECK(c != NULL);
    return &w->st.item.changes[c->change];
}

/* It shows the same before and after, all of it is claimed then, and done
 * once more it writes nothing. */
static void writing_again(struct writing *w, const char *shows)
{
    struct dot end = { .replica = w->node->replica };

    CHECK_OK(item_normalise(&w->st.item, &w->node->step));
    CHECK_OK(
        item_store(w->node, w->space, KEY, &w->st, space_next_lsn(w->space)));
    CHECK_OK(node_commit(w->node));
    check_shows(w, shows);
    CHECK_OK(reissue_mine(w->node, w->space));
    CHECK_OK(node_commit(w->node));
    check_shows(w, shows);
    for (uint32_t i = 0; i < w->st.item.changes_n; i++)
        CHECK(vv_covers(&w->space->have, &w->st.item.changes[i].dot));
    end.seq = vv_get(&w->space->have, &end.replica);
    CHECK_OK(reissue_mine(w->node, w->space));
    CHECK_UINT(vv_get(&w->space->have, &end.replica), end.seq);
}

TEST(what_was_hidden_does_not_come_up)
{
    struct writing w;
    struct lone l;

    writing_begin(&w, &l);
    write_cell(&w, "/a", "1", true, 5);
    write_cell(&w, "/a/b", "2", false, 6);
    writing_again(&w, "{\"a\":{\"b\":2}}");
    CHECK(rid_eq(&change_at(&w, "/a")->dot.replica, &w.node->replica));
    CHECK(!rid_eq(&change_at(&w, "/a/b")->dot.replica, &w.node->replica));
    lone_close(&l);
}

TEST(what_hid_another_value_hides_it)
{
    struct writing w;
    struct lone l;

    writing_begin(&w, &l);
    write_cell(&w, "/a", "1", true, 6);
    write_cell(&w, "/a/b", "2", true, 5);
    write_cell(&w, "/c", "3", true, 4);
    writing_again(&w, "{\"a\":1,\"c\":3}");
    CHECK(dot_eq(&change_at(&w, "/a")->dot, &change_at(&w, "/a/b")->dot));
    lone_close(&l);
}

/* Whoever holds the first one still takes the second. */
TEST(what_is_written_again_beats_what_it_was)
{
    const struct change *c;
    struct writing w;
    struct stamp was;
    struct lone l;

    writing_begin(&w, &l);
    write_cell(&w, "/a", "1", true, 5);
    was = change_at(&w, "/a")->stamp;
    writing_again(&w, "{\"a\":1}");
    c = change_at(&w, "/a");
    CHECK(stamp_cmp(&c->stamp, &was) > 0);
    CHECK_UINT(c->stamp.hlc, was.hlc);
    CHECK(dot_eq(&c->dot, &c->first));
    CHECK_UINT(c->ctx.n, 1);
    lone_close(&l);
}

/* Nobody can say any more whether it had lost. */
TEST(what_may_have_lost_to_what_was_collected_is_of_now)
{
    struct writing w;
    struct lone l;

    writing_begin(&w, &l);
    write_cell(&w, "/a", "1", true, 5);
    write_cell(&w, "/b", "2", true, 7);
    write_cell(&w, "/b/c", "3", true, 6);
    w.space->s.floors.fields.hlc = 9;
    writing_again(&w, "{\"a\":1,\"b\":2}");
    CHECK(
        stamp_cmp(&change_at(&w, "/a")->stamp, &w.space->s.floors.fields) > 0);
    CHECK(
        stamp_cmp(&change_at(&w, "/b")->stamp, &w.space->s.floors.fields) > 0);
    CHECK_UINT(change_at(&w, "/b/c")->stamp.hlc, 6);
    lone_close(&l);
}

/* ---- what a version before this one gave one stamp ---- */

static int find_lost(void *ctx, struct slice key, struct slice value)
{
    struct history_entry e = { .version = 0 };
    struct buf *found = ctx;

    (void)key;
    CHECK_OK(history_decode(value, &e));
    if (e.what == HISTORY_LOST)
        buf_put_slice(found, e.path);
    return SYNCLINE_OK;
}

/* Somebody who had seen nothing of it has made it anew. */
static void writing_loses(struct writing *w)
{
    struct merging m = { w->node, w->space, KEY, &w->st, false, NULL };
    struct merge_sink sink = merging_sink(&m);
    struct merge_result what;
    struct writing other = { .node = w->node, .space = w->space };

    item_init(&other.st.item);
    other.st.item.length = 3;
    write_cell(&other, "/z", "9", true, 9);
    CHECK_OK(item_load(w->node, w->space, KEY, &w->st));
    CHECK_OK(item_join(&w->st.item, &other.st.item, &w->space->have, &sink,
        &what, &w->node->step));
    CHECK_OK(
        item_store(w->node, w->space, KEY, &w->st, space_next_lsn(w->space)));
    CHECK_OK(node_commit(w->node));
}

TEST(what_did_not_show_is_in_the_past_once_it_has_lost)
{
    struct buf found = { 0 }, prefix = { 0 };
    struct writing w;
    struct lone l;

    writing_begin(&w, &l);
    write_cell(&w, "/a", "1", false, 5);
    write_cell(&w, "/a/b", "2", false, 5);
    CHECK_OK(item_store(w.node, w.space, KEY, &w.st, space_next_lsn(w.space)));
    CHECK_OK(node_commit(w.node));
    check_shows(&w, "{\"a\":{\"b\":2}}");
    writing_loses(&w);
    check_shows(&w, "{\"z\":9}");
    CHECK_OK(store_scan(&l.port, TABLE_HISTORY,
        key_history_of(&prefix, w.space->past, KEY), SLICE_NONE, find_lost,
        &found));
    CHECK_SLICE(buf_slice(&found), "/a");
    buf_free(&found);
    buf_free(&prefix);
    lone_close(&l);
}

TEST(replicas_have_an_order)
{
    struct rid a = { { 0 } }, was = a;

    CHECK(rid_raise(&a));
    CHECK_UINT(a.b[RID_LEN - 1], 1);
    CHECK(rid_cmp(&a, &was) > 0);
    a.b[RID_LEN - 1] = a.b[RID_LEN - 2] = 0xff;
    was = a;
    CHECK(rid_raise(&a));
    CHECK_UINT(a.b[RID_LEN - 3], 1);
    CHECK_UINT(a.b[RID_LEN - 2], 0);
    CHECK(rid_cmp(&a, &was) > 0);
    memset(a.b, 0xff, RID_LEN);
    was = a;
    CHECK(!rid_raise(&a));
    CHECK(rid_eq(&a, &was));
}
