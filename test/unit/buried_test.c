/* What was deleted and collected here, before a bootstrap whose sender had not
 * heard of it, comes back with somebody else; and so do fields that were
 * removed here. */
#include "unit/lone_node.h"

#include "core/document.h"
#include "repl/access_impl.h"
#include "repl/collect_impl.h"

#define KEY SLICE_LIT("lamp")
#define KNOWN 5 /* sequences up to this one were known before it */

struct coming {
    struct node *node;
    struct space *space;
    struct item row;
};

static struct rid replica_of(uint8_t who)
{
    struct rid r;

    memset(r.b, who, RID_LEN);
    return r;
}

static void coming_begin(struct coming *w, struct lone *l)
{
    const struct dot known = { replica_of(0x20), KNOWN };

    lone_open(l);
    *w = (struct coming){ .node = l->node,
        .space = space_by_name(l->node, SLICE_LIT(DEFAULT_SPACE)) };
    CHECK_OK(vv_add(&w->space->buried, &known, &l->node->arena));
}

/* A value of the row, as the third one wrote it again: under a dot of its own,
 * with the first one beside it. */
static void brings(
    struct coming *w, uint64_t length, const char *path, uint64_t first)
{
    struct change c = { .dot = { replica_of(0x30), 1 },
        .first = { replica_of(0x20), first },
        .stamp = { 0, 1000 + first, replica_of(0x20) } };
    uint32_t ix;

    w->row.length = length;
    CHECK_OK(vv_add(&w->row.ctx, &c.dot, &w->node->step));
    CHECK_OK(item_add_change(&w->row, &c, &ix, &w->node->step));
    CHECK_OK(
        item_set(&w->row, slice_str(path), SLICE_LIT("1"), ix, &w->node->step));
}

static void row_begin(struct coming *w)
{
    item_init(&w->row);
    w->row.tomb = -1;
}

/* Was it of a life that had ended here? */
static bool is_late(struct coming *w)
{
    struct stored st;
    bool late;

    CHECK_OK(item_normalise(&w->row, &w->node->step));
    CHECK_OK(item_load(w->node, w->space, KEY, &st));
    st.row = &w->row;
    CHECK_OK(return_late(w->node, w->space, KEY, &st, &w->row, &late));
    CHECK_OK(node_commit(w->node));
    return late;
}

static void check_now(
    const struct coming *w, uint64_t length, const char *document)
{
    struct buf doc = { 0 };
    struct stored st;

    CHECK_OK(item_read(w->node, w->space, KEY, &st));
    CHECK_UINT(st.item.length, length);
    if (item_alive(&st.item))
        put_document(&doc, &st.item, &w->node->step);
    CHECK_SLICE(buf_slice(&doc), document);
    buf_free(&doc);
}

static int count_record(void *ctx, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    ++*(unsigned *)ctx;
    return SYNCLINE_OK;
}

static unsigned conflicts(const struct coming *w)
{
    struct buf prefix = { 0 };
    unsigned n = 0;

    CHECK_OK(store_scan(&w->node->opt.store, TABLE_CONFLICT,
        key_space(&prefix, w->space->id), SLICE_NONE, count_record, &n));
    buf_free(&prefix);
    return n;
}

/* Its end is told to whoever brought it, by a dot of this node's own. */
TEST(what_had_been_deleted_is_deleted_again)
{
    struct coming w;
    struct lone l;
    uint64_t was;

    coming_begin(&w, &l);
    was = vv_get(&w.space->have, &w.node->replica);
    row_begin(&w);
    brings(&w, 3, "/a", KNOWN);
    CHECK(is_late(&w));
    check_now(&w, 4, "");
    CHECK_UINT(vv_get(&w.space->have, &w.node->replica), was + 1);
    CHECK_UINT(conflicts(&w), 0);
    lone_close(&l);
}

/* Whoever wrote there did not know of that end. */
TEST(what_was_new_in_it_waits_to_be_rescued)
{
    struct coming w;
    struct lone l;

    coming_begin(&w, &l);
    row_begin(&w);
    brings(&w, 3, "/a", KNOWN);
    brings(&w, 3, "/b", KNOWN + 1);
    CHECK(is_late(&w));
    check_now(&w, 4, "");
    CHECK_UINT(conflicts(&w), 1);
    lone_close(&l);
}

TEST(what_stood_here_stands_again)
{
    struct coming w;
    struct lone l;

    coming_begin(&w, &l);
    ask(&l, "{\"op\":\"put\",\"key\":\"lamp\",\"value\":{\"mine\":1}}");
    check_now(&w, 1, "{\"mine\":1}");
    row_begin(&w);
    brings(&w, 3, "/a", KNOWN);
    CHECK(is_late(&w));
    check_now(&w, 5, "{\"mine\":1}");
    lone_close(&l);
}

/* Nobody here had known of it. */
TEST(what_is_news_is_no_matter_of_that)
{
    struct coming w;
    struct lone l;

    coming_begin(&w, &l);
    row_begin(&w);
    brings(&w, 3, "/a", KNOWN + 1);
    CHECK(!is_late(&w));
    lone_close(&l);
}

/* It is alive here as well, or has ended in a later life. */
TEST(what_is_in_no_longer_life_is_no_matter_of_that)
{
    struct coming w;
    struct lone l;

    coming_begin(&w, &l);
    ask(&l, "{\"op\":\"put\",\"key\":\"lamp\",\"value\":{\"mine\":1}}");
    row_begin(&w);
    brings(&w, 1, "/a", KNOWN);
    CHECK(!is_late(&w));
    ask(&l, "{\"op\":\"del\",\"key\":\"lamp\"}");
    row_begin(&w);
    brings(&w, 1, "/a", KNOWN);
    CHECK(!is_late(&w));
    check_now(&w, 2, "");
    lone_close(&l);
}

/* Such as what came with that bootstrap, and was kept. */
TEST(what_is_held_here_had_not_been_deleted)
{
    struct coming w;
    struct lone l;
    struct stored st;

    coming_begin(&w, &l);
    row_begin(&w);
    brings(&w, 1, "/a", KNOWN);
    CHECK_OK(item_normalise(&w.row, &w.node->step));
    CHECK_OK(item_load(w.node, w.space, KEY, &st));
    CHECK_OK(item_copy(&st.item, &w.row, &w.node->step));
    CHECK_OK(item_store(w.node, w.space, KEY, &st, space_next_lsn(w.space)));
    CHECK_OK(node_commit(w.node));
    w.row.length = 3;
    CHECK(!is_late(&w));
    lone_close(&l);
}

/* It is remembered with the state that the bootstrap has taken the place of,
 * which is then replayed. */
TEST(it_is_known_after_a_restart)
{
    struct returning old = { .from = 77 }, *r = NULL;
    struct coming w;
    struct lone l;

    coming_begin(&w, &l);
    CHECK_OK(return_begin(w.node, w.space, &old, &r));
    CHECK_OK(node_commit(w.node));
    tick(&l);
    stop(&l);
    start(&l);
    w.node = l.node;
    w.space = space_by_name(l.node, SLICE_LIT(DEFAULT_SPACE));
    CHECK_UINT(w.space->buried.n, 1);
    row_begin(&w);
    brings(&w, 3, "/a", KNOWN);
    CHECK(is_late(&w));
    check_now(&w, 4, "");
    lone_close(&l);
}

/* ---- fields ---- */

/* A cell of an item, under the dot of a replica, that had seen what the first
 * one of 0x20 is, or is that, written again. NULL: a removal. */
static void holds(struct coming *w, struct item *it, const char *path,
    const char *value, struct dot dot, uint64_t at, bool saw)
{
    const struct dot first = { replica_of(0x20), 1 };
    struct change c = {
        .dot = dot, .first = saw ? dot : first, .stamp = { 0, at, dot.replica }
    };
    uint32_t ix;

    it->length = 1;
    if (saw)
        CHECK_OK(vv_add(&c.ctx, &first, &w->node->step));
    CHECK_OK(vv_add(&it->ctx, &first, &w->node->step));
    CHECK_OK(vv_add(&it->ctx, &dot, &w->node->step));
    CHECK_OK(item_add_change(it, &c, &ix, &w->node->step));
    CHECK_OK(item_set(it, slice_str(path),
        value != NULL ? slice_str(value) : SLICE_NONE, ix, &w->node->step));
    node_see_stamp(w->node, &c.stamp);
}

static struct dot dot_of(uint8_t who)
{
    return (struct dot){ replica_of(who), 1 };
}

static void mine_begin(struct coming *w, struct lone *l, struct stored *st)
{
    lone_open(l);
    *w = (struct coming){ .node = l->node,
        .space = space_by_name(l->node, SLICE_LIT(DEFAULT_SPACE)) };
    CHECK_OK(item_load(w->node, w->space, KEY, st));
    holds(w, &st->item, "/b", "2", dot_of(0x10), 5, true);
    row_begin(w);
}

static void mine_end(struct coming *w, struct stored *st)
{
    CHECK_OK(item_normalise(&st->item, &w->node->step));
    CHECK_OK(item_store(w->node, w->space, KEY, st, space_next_lsn(w->space)));
    CHECK_OK(node_commit(w->node));
}

TEST(a_value_that_was_seen_to_be_removed_stays_so_whatever_its_stamp)
{
    struct coming w;
    struct stored st;
    struct lone l;

    mine_begin(&w, &l, &st);
    holds(&w, &st.item, "/a", NULL, dot_of(0x10), 5, true);
    mine_end(&w, &st);
    holds(&w, &w.row, "/a", "1", dot_of(0x30), 9, false);
    CHECK(is_late(&w));
    check_now(&w, 1, "{\"b\":2}");
    CHECK_UINT(conflicts(&w), 0);
    lone_close(&l);
}

/* It had been merged, and is not there. */
TEST(so_it_does_once_the_removal_is_collected)
{
    struct coming w;
    struct stored st;
    struct lone l;

    mine_begin(&w, &l, &st);
    mine_end(&w, &st);
    holds(&w, &w.row, "/a", "1", dot_of(0x30), 9, false);
    holds(&w, &w.row, "/c", "3", dot_of(0x31), 7, true);
    CHECK(is_late(&w));
    check_now(&w, 1, "{\"b\":2,\"c\":3}");
    lone_close(&l);
}

TEST(what_it_had_lost_to_stands)
{
    struct coming w;
    struct stored st;
    struct lone l;

    mine_begin(&w, &l, &st);
    mine_end(&w, &st);
    holds(&w, &w.row, "/b", "1", dot_of(0x30), 9, false);
    CHECK(is_late(&w));
    check_now(&w, 1, "{\"b\":2}");
    CHECK_UINT(conflicts(&w), 0);
    lone_close(&l);
}

TEST(a_removal_that_comes_after_it_removes_it)
{
    struct coming w;
    struct stored st;
    struct lone l;

    mine_begin(&w, &l, &st);
    holds(&w, &st.item, "/a", "1", dot_of(0x30), 9, false);
    mine_end(&w, &st);
    holds(&w, &w.row, "/a", NULL, dot_of(0x31), 5, true);
    CHECK(is_late(&w));
    check_now(&w, 1, "{\"b\":2}");
    lone_close(&l);
}

/* What nobody had written before, or is the very value that is here. */
TEST(other_fields_come_as_they_are)
{
    struct coming w;
    struct stored st;
    struct lone l;

    mine_begin(&w, &l, &st);
    holds(&w, &st.item, "/a", "1", dot_of(0x30), 9, false);
    mine_end(&w, &st);
    holds(&w, &w.row, "/a", "1", dot_of(0x31), 11, false);
    holds(&w, &w.row, "/b", "3", dot_of(0x31), 11, true);
    holds(&w, &w.row, "/c", "4", dot_of(0x31), 11, true);
    CHECK(!is_late(&w));
    lone_close(&l);
}
