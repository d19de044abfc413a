/* What older systems' faces write: by their authors' clocks and counts. */
#include "unit/lone_node.h"

#include "base/text.h"

#define DAY_US UINT64_C(86400000000)
#define THEN_US (UINT64_C(1700000000000000) - DAY_US)

static void check_shows(
    const struct lone *w, const char *key, const char *want, uint64_t version)
{
    struct space *sp = space_by_name(w->node, SLICE_LIT("default"));
    struct stored st;

    CHECK_OK(item_load(w->node, sp, slice_str(key), &st));
    CHECK_SLICE(st.before, want);
    CHECK_UINT(st.item.version, version);
}

struct counting {
    unsigned open, returned;
};

static int count(void *ctx, struct slice key, struct slice value)
{
    struct counting *c = ctx;
    struct reader r = reader_of(slice_from(value, 8));
    struct conflict_record record;

    (void)key;
    CHECK_OK(get_conflict_record(&r, &record));
    c->open += (record.state & (CONFLICT_RETURNED | CONFLICT_RESOLVED)) == 0;
    c->returned += (record.state & CONFLICT_RETURNED) != 0;
    return SYNCLINE_OK;
}

static struct counting conflicts(const struct lone *w)
{
    struct space *sp = space_by_name(w->node, SLICE_LIT("default"));
    struct counting c = { 0 };
    struct buf prefix = { 0 };

    CHECK_OK(store_scan(&w->port, TABLE_CONFLICT, key_space(&prefix, sp->id),
        SLICE_NONE, count, &c));
    buf_free(&prefix);
    return c;
}

static const char *strategy = "join";
static bool returns; /* whoever writes may have missed deletions */

/* In the so manieth tenth of a day, by so many versions. */
static void put(
    struct lone *w, const char *value, unsigned tenth, unsigned version)
{
    struct buf b = { 0 };

    buf_printf(&b,
        "{\"op\":\"%s\",\"key\":\"k\",%s%s%s\"as\":{\"face\":\"lansync\","
        "\"node\":\"n\",\"time\":%llu,\"version\":%u,\"strategy\":\"%s\"%s}}%c",
        value != NULL ? "put" : "del", value != NULL ? "\"value\":" : "",
        value != NULL ? value : "", value != NULL ? "," : "",
        (unsigned long long)(THEN_US + tenth * DAY_US / 10), version, strategy,
        returns ? ",\"returns\":true" : "", 0);
    CHECK_OK(buf_status(&b));
    ask(w, (const char *)b.ptr);
    buf_free(&b);
}

/* Versions go on from where the other side's are, beyond a deletion, too. */
TEST(their_versions_are_ours)
{
    struct lone w;

    lone_open(&w);
    put(&w, "{\"a\":1}", 1, 7);
    check_shows(&w, "k", "{\"a\":1}", 7);
    ask(&w, "{\"op\":\"put\",\"key\":\"k\",\"value\":{\"a\":2}}");
    check_shows(&w, "k", "{\"a\":2}", 8);
    put(&w, "{\"a\":3}", 2, 9); /* a day before what stands */
    check_shows(&w, "k", "{\"a\":2}", 10);
    CHECK_UINT(conflicts(&w).open, 1);
    lone_close(&w);
}

TEST(the_later_of_two_that_saw_each_other_stands)
{
    struct lone w;

    lone_open(&w);
    put(&w, "{\"a\":1,\"b\":1}", 1, 1);
    put(&w, "{\"a\":2}", 2, 2);
    check_shows(&w, "k", "{\"a\":2}", 2);
    CHECK_UINT(conflicts(&w).open, 0);
    put(&w, NULL, 3, 3);
    check_shows(&w, "k", "", 3);
    put(&w, "{\"a\":4}", 4, 4);
    check_shows(&w, "k", "{\"a\":4}", 4);
    CHECK_UINT(conflicts(&w).open + conflicts(&w).returned, 0);
    lone_close(&w);
}

/* Whatever comes first, both fields are there, and of one that both wrote the
 * later value, with a conflict. */
TEST(two_that_had_not_seen_each_other_are_joined)
{
    for (unsigned turn = 0; turn < 2; turn++) {
        struct lone w;

        lone_open(&w);
        put(&w, "{\"a\":1,\"n\":0}", 1, 1);
        if (turn == 0)
            put(&w, "{\"a\":2,\"b\":2,\"n\":0}", 2, 2);
        else
            put(&w, "{\"a\":3,\"c\":3,\"n\":0}", 3, 2);
        if (turn == 0)
            put(&w, "{\"a\":3,\"c\":3,\"n\":0}", 3, 2);
        else
            put(&w, "{\"a\":2,\"b\":2,\"n\":0}", 2, 2);
        check_shows(&w, "k", "{\"a\":3,\"b\":2,\"c\":3,\"n\":0}", 3);
        CHECK_UINT(conflicts(&w).open, 1);
        lone_close(&w);
    }
}

/* Even if what it meets is later; and what comes late to a deleted item waits
 * to be rescued. */
TEST(a_deletion_beats_what_had_not_seen_it)
{
    struct lone w;

    lone_open(&w);
    put(&w, "{\"a\":1}", 3, 3);
    put(&w, NULL, 1, 2);
    check_shows(&w, "k", "", 4);
    CHECK_UINT(conflicts(&w).open, 1);
    put(&w, "{\"a\":5}", 5, 3);
    check_shows(&w, "k", "", 5);
    CHECK_UINT(conflicts(&w).returned, 1);
    put(&w, "{\"a\":6}", 6, 6); /* it has seen the deletion */
    check_shows(&w, "k", "{\"a\":6}", 6);
    lone_close(&w);
}

/* Older systems say what they have until somebody acknowledges it, and more
 * than one node of the mesh may hear it. */
TEST(what_is_said_again_is_no_news)
{
    struct lone w;
    uint64_t lsn;

    lone_open(&w);
    put(&w, "{\"a\":2}", 2, 2);
    put(&w, "{\"a\":1,\"b\":1}", 1, 2);
    check_shows(&w, "k", "{\"a\":2,\"b\":1}", 3);
    lsn = space_by_name(w.node, SLICE_LIT("default"))->s.lsn;
    put(&w, "{\"a\":1,\"b\":1}", 1, 2);
    put(&w, "{\"a\":2}", 2, 2);
    CHECK_UINT(conflicts(&w).open, 1);
    CHECK_UINT(space_by_name(w.node, SLICE_LIT("default"))->s.lsn, lsn);
    put(&w, NULL, 3, 3);
    lsn = space_by_name(w.node, SLICE_LIT("default"))->s.lsn;
    put(&w, NULL, 3, 3);
    CHECK_UINT(space_by_name(w.node, SLICE_LIT("default"))->s.lsn, lsn);
    lone_close(&w);
}

TEST(what_was_written_over_by_who_had_seen_it_is_no_news)
{
    struct lone w;

    lone_open(&w);
    put(&w, "{\"a\":1}", 1, 1);
    ask(&w, "{\"op\":\"put\",\"key\":\"k\",\"value\":{\"a\":2}}");
    put(&w, "{\"a\":1}", 1, 1);
    check_shows(&w, "k", "{\"a\":2}", 2);
    CHECK_UINT(conflicts(&w).open, 0);
    ask(&w, "{\"op\":\"del\",\"key\":\"k\"}");
    put(&w, "{\"a\":1}", 1, 1);
    CHECK_UINT(conflicts(&w).returned, 0);
    lone_close(&w);
}

/* What they were told of ours they say again, by the time that it was told
 * by; what we have written since has seen it. */
static void ours_once_is_no_news(uint64_t ahead_us)
{
    struct stamp fast = { 0 };
    struct lone w;
    struct buf b = { 0 };
    struct stored st;
    uint64_t told_us;

    lone_open(&w);
    fast.hlc = hlc_of_wall(1700000000000000 + w.now_us + ahead_us);
    node_see_stamp(w.node, &fast);
    ask(&w, "{\"op\":\"put\",\"key\":\"k\",\"value\":{\"a\":1}}");
    CHECK_OK(item_load(w.node, space_by_name(w.node, SLICE_LIT("default")),
        SLICE_LIT("k"), &st));
    told_us =
        ahead_us > 0 ? hlc_wall_us(st.last.stamp.hlc) + 1 : st.last.wall_us;
    CHECK(told_us >= st.last.wall_us + ahead_us / 2);
    for (unsigned turn = 0; turn < 3; turn++) {
        unsigned long long late = turn == 2 ? 2000 : 7 * turn;

        ask(&w,
            turn == 0 ? "{\"op\":\"put\",\"key\":\"k\",\"value\":{\"b\":2}}"
                      : "{\"op\":\"del\",\"key\":\"k\"}");
        buf_clear(&b);
        buf_printf(&b,
            "{\"op\":\"put\",\"key\":\"k\",\"value\":{\"a\":1},\"as\":{"
            "\"face\":\"lansync\",\"node\":\"ours\",\"time\":%llu,"
            "\"version\":1}}%c",
            (unsigned long long)told_us + late, 0);
        ask(&w, (const char *)b.ptr);
        CHECK_UINT(conflicts(&w).open, 0);
        CHECK_UINT(conflicts(&w).returned, turn == 2);
    }
    buf_free(&b);
    lone_close(&w);
}

/* By the clock, or by its stamp, which may be ahead of it. */
TEST(what_was_ours_once_is_no_news)
{
    ours_once_is_no_news(0);
    ours_once_is_no_news(UINT64_C(3600000000));
}

/* Is that in the answer? */
static bool tells(struct lone *w, const char *text, const char *what)
{
    struct event ev = { .type = EV_REQUEST, .request = 1, .now_us = w->now_us };
    const struct effect *fx;
    struct json *args = NULL;
    struct arena a = { 0 };
    bool found = false;
    size_t n;

    CHECK_OK(json_parse(&args, slice_str(text), JSON_WRAPPED, &a, NULL));
    ev.args = args;
    ev.wall_us = 1700000000000000 + w->now_us;
    CHECK_OK(node_step(w->node, &ev, &fx, &n));
    for (size_t i = 0; i < n; i++)
        found = found ||
            (fx[i].type == FX_REPLY &&
                memmem(fx[i].bytes.ptr, fx[i].bytes.len, what, strlen(what)) !=
                    NULL);
    arena_free(&a);
    return found;
}

/* By whatever op it is told, and after a start; of who was refused nothing is
 * kept. */
TEST(people_are_told_who_has_written_it_there)
{
    static const char *const ops[] = { "{\"op\":\"get\",\"key\":\"k\"}",
        "{\"op\":\"history\",\"key\":\"k\"}", "{\"op\":\"conflicts\"}" };
    const char *author =
        "\"author\":{\"system\":\"lansync\",\"node_id\":\"n\"}";
    struct lone w;

    lone_open(&w);
    put(&w, "{\"a\":1}", 2, 1);
    for (int turn = 0; turn < 2; turn++) {
        if (turn == 1) {
            stop(&w);
            start(&w);
        }
        for (size_t i = 0; i < (turn == 0 ? 2 : 3); i++)
            CHECK(tells(&w, ops[i], author));
        if (turn == 0)
            put(&w, "{\"a\":2}", 3, 1);
    }
    CHECK_UINT(w.node->authors_n, 1);
    ask(&w,
        "{\"op\":\"put\",\"key\":\"k\",\"value\":1,\"as\":{\"face\":"
        "\"lansync\",\"node\":\"late\",\"time\":1}}");
    CHECK_UINT(w.node->authors_n, 1);
    ask(&w, "{\"op\":\"put\",\"key\":\"k\",\"value\":1}");
    CHECK(tells(&w, ops[0], "\"name\""));
    CHECK(!tells(&w, ops[0], "author"));
    lone_close(&w);
}

TEST(one_side_may_be_right_always)
{
    struct lone w;

    lone_open(&w);
    strategy = "local";
    put(&w, "{\"a\":1}", 1, 2);
    put(&w, "{\"a\":2}", 2, 2); /* ours is beyond it then */
    check_shows(&w, "k", "{\"a\":1}", 3);
    put(&w, "{\"a\":2}", 2, 2); /* it was heard */
    check_shows(&w, "k", "{\"a\":1}", 3);
    put(&w, NULL, 3, 3);
    check_shows(&w, "k", "{\"a\":1}", 4);
    put(&w, "{\"a\":2}", 20, 5);
    check_shows(&w, "k", "{\"a\":2}", 5);
    ask(&w, "{\"op\":\"del\",\"key\":\"k\"}");
    put(&w, "{\"a\":4}", 21, 6);
    check_shows(&w, "k", "", 7);
    CHECK_UINT(conflicts(&w).returned, 1);
    strategy = "remote";
    put(&w, "{\"a\":3}", 1, 1);
    check_shows(&w, "k", "{\"a\":3}", 8);
    CHECK_UINT(conflicts(&w).open, 0);
    strategy = "join";
    lone_close(&w);
}

/* ---- whoever has missed a deletion whose record has gone ---- */

static void collect(struct lone *w)
{
    for (int i = 0; i < 30; i++)
        tick(w);
    CHECK_UINT(w->node->counts.collected, 1);
}

/* `k` of version 2 was theirs, then ours; only the history tells of it. */
static void open_past(struct lone *w)
{
    strategy = "join";
    returns = false;
    lone_open(w);
    put(w, "{\"a\":1}", 1, 1);
    ask(w, "{\"op\":\"put\",\"key\":\"k\",\"value\":{\"a\":2}}");
    ask(w, "{\"op\":\"del\",\"key\":\"k\"}");
    collect(w);
}

static void check_past(struct lone *w, const char *want, uint64_t version,
    bool existed, unsigned returned)
{
    struct space *sp = space_by_name(w->node, SLICE_LIT("default"));
    struct stored st;

    CHECK_OK(item_load(w->node, sp, SLICE_LIT("k"), &st));
    CHECK_SLICE(st.before, want);
    CHECK_UINT(st.item.version, version);
    CHECK_INT(st.existed, existed);
    CHECK_UINT(conflicts(w).returned, returned);
    CHECK_UINT(conflicts(w).open, 0);
    lone_close(w);
    strategy = "join";
    returns = false;
}

/* He need not say that he was away: the history knows that version. A record
 * tells him, beyond his version, and nothing has lost. */
TEST(what_the_history_knows_as_deleted_stays_so)
{
    static const char *const strategies[] = { "join", "local", "remote" };

    for (unsigned i = 0; i < 6; i++) {
        struct lone w;

        open_past(&w);
        check_shows(&w, "k", "", 0);
        strategy = strategies[i % 3];
        returns = i >= 3;
        put(&w, "{\"a\":1}", 1, 7);
        check_past(&w, "", 8, true, 0);
    }
}

/* Whoever was away cannot have seen the deletion; who was not makes it anew. */
TEST(an_edit_of_who_was_away_waits_to_be_rescued)
{
    static const struct {
        const char *strategy;
        bool returns, stands;
    } rows[] = { { "join", true, false }, { "local", true, false },
        { "remote", true, true }, { "join", false, true },
        { "local", false, true }, { "remote", false, true } };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct lone w;

        open_past(&w);
        strategy = rows[i].strategy;
        returns = rows[i].returns;
        put(&w, "{\"a\":\"old\"}", 2, 3);
        if (rows[i].stands)
            check_past(&w, "{\"a\":\"old\"}", 4, true, 0); /* beyond it */
        else
            check_past(&w, "", 4, true, 1);
    }
}

/* It is said again until it is acknowledged: that is one thing to rescue. */
TEST(an_edit_of_who_was_away_is_rescued_once)
{
    struct lone w;

    open_past(&w);
    returns = true;
    for (unsigned i = 0; i < 3; i++)
        put(&w, "{\"a\":\"old\"}", 2, 3);
    check_past(&w, "", 4, true, 1);
}

/* An item that was never here, or nobody counted, or is deleted there, too. */
TEST(who_was_away_and_brings_what_is_new_is_heard)
{
    struct lone w;

    open_past(&w);
    returns = true;
    put(&w, "{\"a\":1}", 1, 0);
    check_past(&w, "{\"a\":1}", 4, true, 0);
    open_past(&w);
    returns = true;
    put(&w, NULL, 2, 3);
    check_past(&w, "", 0, false, 0);
    lone_open(&w);
    ask(&w, "{\"op\":\"put\",\"key\":\"z\",\"value\":{}}");
    ask(&w, "{\"op\":\"del\",\"key\":\"z\"}");
    collect(&w);
    returns = true;
    put(&w, "{\"a\":1}", 1, 5);
    check_past(&w, "{\"a\":1}", 5, true, 0);
}

/* ---- fields, each by its own time ---- */

static void put_field(
    struct lone *w, const char *name, const char *value, unsigned tenth)
{
    struct buf b = { 0 };

    buf_printf(&b,
        "{\"op\":\"put_fields\",\"key\":\"k\",\"face\":\"isync\",\"fields\":"
        "[{\"name\":\"%s\",\"value\":%s,\"node\":\"n\",\"time\":%llu}]}%c",
        name, value, (unsigned long long)(THEN_US + tenth * DAY_US / 10), 0);
    CHECK_OK(buf_status(&b));
    ask(w, (const char *)b.ptr);
    buf_free(&b);
}

static uint64_t time_of(const struct lone *w, const char *path)
{
    struct space *sp = space_by_name(w->node, SLICE_LIT("default"));
    const struct cell *c;
    struct stored st;

    CHECK_OK(item_load(w->node, sp, SLICE_LIT("k"), &st));
    c = item_find(&st.item, slice_str(path));
    CHECK(c != NULL);
    return hlc_wall_us(st.item.changes[c->change].stamp.hlc);
}

TEST(fields_keep_the_times_of_those_who_wrote_them)
{
    struct lone w;

    lone_open(&w);
    put_field(&w, "a", "1", 5);
    put_field(&w, "b", "{\"x\":1,\"y\":2}", 2);
    check_shows(&w, "k", "{\"a\":1,\"b\":{\"x\":1,\"y\":2}}", 2);
    put_field(&w, "b", "{\"x\":3}", 3); /* older than a, and newer than b */
    check_shows(&w, "k", "{\"a\":1,\"b\":{\"x\":3}}", 3);
    put_field(&w, "a", "2", 4);
    check_shows(&w, "k", "{\"a\":1,\"b\":{\"x\":3}}", 3);
    CHECK_UINT(time_of(&w, "/a"), THEN_US + 5 * DAY_US / 10);
    CHECK_UINT(time_of(&w, "/b/x"), THEN_US + 3 * DAY_US / 10);
    CHECK_UINT(conflicts(&w).open, 0);
    lone_close(&w);
}

TEST(a_field_does_not_undo_what_was_done_after_it)
{
    struct lone w;

    lone_open(&w);
    put_field(&w, "a", "1", 1);
    ask(&w, "{\"op\":\"put\",\"key\":\"k\",\"value\":{\"b\":2}}");
    put_field(&w, "a", "3", 9);
    put_field(&w, "b", "3", 9);
    put_field(&w, "c", "3", 9);
    check_shows(&w, "k", "{\"b\":2,\"c\":3}", 3);
    ask(&w, "{\"op\":\"del\",\"key\":\"k\"}");
    put_field(&w, "d", "3", 9);
    check_shows(&w, "k", "", 4);
    ask(&w, "{\"op\":\"put\",\"key\":\"k\",\"value\":7}");
    put_field(&w, "d", "3", 11); /* it is no object */
    check_shows(&w, "k", "7", 5);
    CHECK_UINT(conflicts(&w).open + conflicts(&w).returned, 0);
    lone_close(&w);
}

/* All in one commit, and each by its own clock. */
TEST(many_fields_are_one_change_of_the_item)
{
    struct space *sp;
    struct buf b = { 0 };
    struct stored st;
    struct lone w;

    lone_open(&w);
    buf_put_str(&b,
        "{\"op\":\"put_fields\",\"key\":\"k\",\"face\":\"isync\",\"fields\":"
        "[");
    for (unsigned i = 0; i < 300; i++)
        buf_printf(&b,
            "%s{\"name\":\"f%u\",\"value\":%u,\"node\":\"n%u\",\"time\":%llu}",
            i > 0 ? "," : "", i, i, i % 3,
            (unsigned long long)(THEN_US + i * 1000));
    buf_printf(&b, "]}%c", 0);
    CHECK_OK(buf_status(&b));
    ask(&w, (const char *)b.ptr);
    sp = space_by_name(w.node, SLICE_LIT("default"));
    CHECK_OK(item_load(w.node, sp, SLICE_LIT("k"), &st));
    CHECK_UINT(st.item.cells_n, 300);
    CHECK_UINT(st.item.changes_n, 300);
    CHECK_UINT(st.item.version, 1);
    CHECK_UINT(time_of(&w, "/f7"), THEN_US + 7000);
    ask(&w, (const char *)b.ptr); /* that is no news */
    CHECK_OK(item_load(w.node, sp, SLICE_LIT("k"), &st));
    CHECK_UINT(st.item.version, 1);
    stop(&w);
    start(&w); /* the record is read as it was written */
    CHECK_UINT(time_of(&w, "/f299"), THEN_US + 299000);
    buf_free(&b);
    lone_close(&w);
}

/* Fields of it, by somebody who had not seen what stands. */
TEST(what_stands_may_be_unseen)
{
    struct lone w;

    lone_open(&w);
    ask(&w, "{\"op\":\"put\",\"key\":\"k\",\"value\":{\"a\":1,\"b\":1}}");
    ask(&w,
        "{\"op\":\"put\",\"key\":\"k\",\"value\":{\"a\":2},"
        "\"unseen\":true}");
    check_shows(&w, "k", "{\"a\":2,\"b\":1}", 2);
    CHECK_UINT(conflicts(&w).open, 1);
    ask(&w,
        "{\"op\":\"put\",\"key\":\"new\",\"value\":{\"a\":2},"
        "\"unseen\":true}");
    check_shows(&w, "new", "{\"a\":2}", 1);
    CHECK_UINT(conflicts(&w).open, 1);
    lone_close(&w);
}

/* What a policy makes of a conflict is made at once. */
TEST(a_conflict_with_what_stands_goes_to_its_policy)
{
    struct lone w;

    lone_open(&w);
    ask(&w,
        "{\"op\":\"policy_set\",\"space\":\"default\",\"prefix\":\"\","
        "\"policy\":\"keep-both\"}");
    ask(&w, "{\"op\":\"put\",\"key\":\"k\",\"value\":{\"a\":1}}");
    ask(&w,
        "{\"op\":\"put\",\"key\":\"k\",\"value\":{\"a\":2},"
        "\"unseen\":true}");
    check_shows(&w, "k", "{\"a\":2}", 2);
    CHECK_UINT(space_by_name(w.node, SLICE_LIT("default"))->s.alive, 2);
    CHECK_UINT(conflicts(&w).open, 0);
    lone_close(&w);
}

static int wants_one_field(
    void *ctx, struct slice schema, const struct json *doc, struct errmsg *why)
{
    (void)ctx;
    (void)schema;
    return doc == NULL || doc->n < 2
        ? SYNCLINE_OK
        : errmsg_set(why, SYNCLINE_EINVAL, "more than one field");
}

/* Nor is what a write that is refused would have made of a conflict. */
TEST(a_conflict_of_a_refused_write_goes_to_no_policy)
{
    struct lone w;

    lone_open(&w);
    w.node->opt.schema = wants_one_field;
    ask(&w,
        "{\"op\":\"policy_set\",\"space\":\"default\",\"prefix\":\"\","
        "\"policy\":\"keep-both\"}");
    ask(&w, "{\"op\":\"put\",\"key\":\"k\",\"value\":{\"a\":1,\"b\":1}}");
    ask(&w,
        "{\"op\":\"schema_set\",\"space\":\"default\",\"prefix\":\"\","
        "\"schema\":{}}");
    ask(&w,
        "{\"op\":\"put\",\"key\":\"k\",\"value\":{\"a\":2},"
        "\"unseen\":true}");
    check_shows(&w, "k", "{\"a\":1,\"b\":1}", 1);
    ask(&w, "{\"op\":\"put\",\"key\":\"other\",\"value\":1}");
    CHECK_UINT(space_by_name(w.node, SLICE_LIT("default"))->s.alive, 2);
    CHECK_UINT(conflicts(&w).open, 0);
    lone_close(&w);
}

/* ---- what is removed as it stands ---- */

static void write_k(struct lone *w, const char *fields)
{
    struct buf b = { 0 };

    buf_printf(&b,
        "{\"op\":\"put_fields\",\"face\":\"isync\",\"key\":\"k\",\"fields\":["
        "%s]}%c",
        fields, 0);
    CHECK_OK(buf_status(&b));
    ask(w, (const char *)b.ptr);
    buf_free(&b);
}

#define FIELD_X                                                         \
    "{\"name\":\"x\",\"value\":1,\"node\":\"n\",\"time\":1600000000000" \
    "000}"
#define FIELD_Y                                                         \
    "{\"name\":\"y\",\"value\":2,\"node\":\"n\",\"time\":1600000000000" \
    "001}"
#define REMOVE_X "{\"name\":\"x\",\"remove\":true,\"node\":\"\"}"
#define REMOVE_Y "{\"name\":\"y\",\"remove\":true,\"node\":\"\"}"

TEST(a_field_is_removed_as_it_stands)
{
    struct lone w;
    struct space *sp;
    struct stored st;

    lone_open(&w);
    write_k(&w, REMOVE_X); /* there is none, nor an item */
    check_shows(&w, "k", "", 0);
    write_k(&w, FIELD_X "," FIELD_Y);
    write_k(&w, REMOVE_X);
    check_shows(&w, "k", "{\"y\":2}", 2);
    write_k(&w, REMOVE_X); /* once more is nothing */
    check_shows(&w, "k", "{\"y\":2}", 2);
    write_k(&w, FIELD_X); /* older than what was removed */
    check_shows(&w, "k", "{\"y\":2}", 2);
    write_k(&w, REMOVE_Y);
    check_shows(&w, "k", "{}", 3);
    sp = space_by_name(w.node, SLICE_LIT("default"));
    CHECK_OK(item_load(w.node, sp, SLICE_LIT("k"), &st));
    CHECK_UINT(
        st.item.changes[item_find(&st.item, SLICE_LIT("/x"))->change].stamp.hlc,
        hlc_of_wall(1600000000000000) + 1);
    ask(&w, "{\"op\":\"put\",\"key\":\"k\",\"value\":\"text\"}");
    write_k(&w, REMOVE_X); /* it has no fields */
    check_shows(&w, "k", "\"text\"", 4);
    lone_close(&w);
}

/* Two gateways remove it; at the one it was made anew before the other heard of
 * the deletion: it stays, in whichever order they hear of each other. */
TEST(what_was_made_anew_outlives_who_removes_it_late)
{
    for (int turn = 0; turn < 2; turn++) {
        struct lone one, other;
        struct stored a, b;
        struct merge_result result;
        const struct vv nothing = { 0 };
        struct arena mem = { 0 };
        struct buf doc = { 0 };

        lone_open(&one);
        lone_open(&other);
        for (int i = 0; i < 4; i++) { /* so that their dots are not the same */
            ask(&other, "{\"op\":\"put\",\"key\":\"z\",\"value\":{}}");
            ask(&other, "{\"op\":\"del\",\"key\":\"z\"}");
        }
        write_k(&one, FIELD_X "," FIELD_Y);
        write_k(&other, FIELD_X "," FIELD_Y);
        write_k(&one, REMOVE_X);
        ask(&one,
            "{\"op\":\"patch\",\"key\":\"k\",\"patch\":{\"x\":\"anew\"}}");
        for (int i = 0; i < 4; i++) /* much later */
            tick(&other);
        write_k(&other, REMOVE_X);
        CHECK_OK(item_load(one.node,
            space_by_name(one.node, SLICE_LIT("default")), SLICE_LIT("k"), &a));
        CHECK_OK(item_load(other.node,
            space_by_name(other.node, SLICE_LIT("default")), SLICE_LIT("k"),
            &b));
        CHECK_OK(item_join(turn == 0 ? &a.item : &b.item,
            turn == 0 ? &b.item : &a.item, &nothing, NULL, &result, &mem));
        put_document(&doc, turn == 0 ? &a.item : &b.item, &mem);
        CHECK_SLICE(buf_slice(&doc), "{\"x\":\"anew\",\"y\":2}");
        buf_free(&doc);
        arena_free(&mem);
        lone_close(&one);
        lone_close(&other);
    }
}
