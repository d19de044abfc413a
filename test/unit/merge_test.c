#include "core/merge.h"

#include "unit/item_make.h"

/* Two people, A and B, and what each of them does; each write is the next of
 * its author and later than all before it. */
struct person {
    unsigned replica;
    uint64_t seq;
    struct item it;
};

struct story {
    struct arena arena;
    uint64_t now;
    struct person a, b;
    unsigned conflicts_n, lost_n;
    struct conflict last; /* the last conflict */
};

static void begin(struct story *s)
{
    *s = (struct story){ .a = { .replica = 1 }, .b = { .replica = 2 } };
    item_init(&s->a.it);
    item_init(&s->b.it);
}

static struct author author_of(struct story *s, struct person *p)
{
    s->now++;
    p->seq++;
    return (struct author){ .dot = make_dot(p->replica, p->seq),
        .stamp = make_stamp(s->now, p->replica),
        .wall_us = s->now };
}

static bool put(struct story *s, struct person *p, const char *doc)
{
    struct author by = author_of(s, p);
    bool wrote;

    CHECK_OK(
        item_put(&p->it, make_json(doc, &s->arena), &by, &wrote, &s->arena));
    return wrote;
}

static bool del(struct story *s, struct person *p)
{
    struct author by = author_of(s, p);
    bool wrote;

    CHECK_OK(item_delete(&p->it, &by, &wrote, &s->arena));
    return wrote;
}

static int on_conflict(void *ctx, const struct conflict *c)
{
    struct story *s = ctx;

    s->conflicts_n++;
    s->last = *c;
    return SYNCLINE_OK;
}

static int on_lost(void *ctx, const struct change *by, const struct cell *cell,
    uint64_t length)
{
    struct story *s = ctx;

    CHECK(by->dot.seq > 0 && cell->value.ptr != NULL && length > 0);
    s->lost_n++;
    return SYNCLINE_OK;
}

/* B hears of what A has. */
static struct merge_result tell(
    struct story *s, struct person *from, struct person *to)
{
    struct merge_sink sink = { s, on_conflict, on_lost };
    struct merge_result what;
    struct vv seen = { 0 };

    s->conflicts_n = s->lost_n = 0;
    CHECK_OK(item_join(&to->it, &from->it, &seen, &sink, &what, &s->arena));
    return what;
}

#define CHECK_DOC(s, p, doc) CHECK_SLICE(item_text(&(p)->it, &(s)->arena), doc)

/* ---- writes ---- */

TEST(a_write_names_itself)
{
    struct story s;
    const struct change *c;
    struct dot second = make_dot(1, 2);

    begin(&s);
    CHECK(put(&s, &s.a, "{\"a\":1,\"b\":2}"));
    CHECK_UINT(s.a.it.length, 1);
    CHECK_UINT(s.a.it.version, 1);
    CHECK(put(&s, &s.a, "{\"a\":1,\"b\":3}"));
    CHECK_UINT(s.a.it.version, 2);
    CHECK_INT(s.a.it.changes_n, 2);
    c = &s.a.it.changes[item_find(&s.a.it, SLICE_LIT("/b"))->change];
    CHECK(dot_eq(&c->dot, &second) && dot_eq(&c->first, &second));
    CHECK_UINT(c->wall_us, 2);
    /* It saw what was before it, and not itself. */
    CHECK_UINT(vv_get(&c->ctx, &second.replica), 1);
    CHECK_UINT(vv_get(&s.a.it.ctx, &second.replica), 2);
    arena_free(&s.arena);
}

TEST(what_is_there_already_is_not_written)
{
    struct story s;
    struct slice before;

    begin(&s);
    CHECK(put(&s, &s.a, "{\"a\":{\"b\":1},\"c\":[]}"));
    before = item_bytes(&s.a.it, &s.arena);
    CHECK(!put(&s, &s.a, "{\"c\":[],\"a\":{\"b\":1}}"));
    CHECK_BYTES(item_bytes(&s.a.it, &s.arena), before);
    arena_free(&s.arena);
}

/* One commit with several writes of one item: one dot, one change. */
TEST(a_commit_may_write_an_item_more_than_once)
{
    static const char *docs[] = { "{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":3}",
        NULL, "{\"c\":4}", "{\"c\":4,\"d\":5}" };
    struct story s;
    struct author by;

    begin(&s);
    CHECK(put(&s, &s.a, "{\"z\":0}"));
    by = author_of(&s, &s.a);
    for (size_t i = 0; i < ARRAY_N(docs); i++) {
        struct slice bytes;
        struct reader r;
        struct item back;
        bool wrote;

        if (docs[i] != NULL)
            CHECK_OK(item_put(
                &s.a.it, make_json(docs[i], &s.arena), &by, &wrote, &s.arena));
        else
            CHECK_OK(item_delete(&s.a.it, &by, &wrote, &s.arena));
        CHECK(wrote);
        CHECK_UINT(s.a.it.version, 2 + i);
        bytes = item_bytes(&s.a.it, &s.arena);
        r = reader_of(bytes);
        CHECK_OK(get_item(&r, &back, &s.arena));
        CHECK_UINT(
            vv_get(&back.changes[back.changes_n - 1].ctx, &by.dot.replica), 1);
        CHECK_SLICE(item_text(&back, &s.arena), docs[i] ? docs[i] : "");
    }
    CHECK_UINT(s.a.it.length, 3);
    CHECK_INT(s.a.it.changes_n, 1);
    arena_free(&s.arena);
}

TEST(what_is_absent_cannot_be_deleted)
{
    struct story s;

    begin(&s);
    CHECK(!del(&s, &s.a));
    CHECK_UINT(s.a.it.length, 0);
    CHECK(put(&s, &s.a, "1"));
    CHECK(del(&s, &s.a));
    CHECK(!del(&s, &s.a));
    CHECK_UINT(s.a.it.length, 2);
    CHECK_INT(s.a.it.cells_n, 0);
    CHECK_INT(s.a.it.tomb, 0);
    arena_free(&s.arena);
}

static const struct {
    uint64_t length, floor, next;
} lives[] = {
    { 0, 0, 1 },
    { 0, 1, 3 },
    { 0, 2, 3 },
    { 0, 3, 5 },
    { 0, 4, 5 },
    { 2, 0, 3 },
    { 2, 2, 3 },
    { 2, 3, 5 },
    { 2, 6, 7 },
    { 4, 1, 5 },
};

/* Creating takes the next odd length above both the item's and the floor. */
TEST(the_next_life)
{
    struct story s;

    begin(&s);
    for (size_t i = 0; i < ARRAY_N(lives); i++) {
        struct author by = author_of(&s, &s.a);
        struct item it;
        bool wrote;

        item_init(&it);
        it.length = lives[i].length;
        by.floor = lives[i].floor;
        CHECK_OK(
            item_put(&it, make_json("{}", &s.arena), &by, &wrote, &s.arena));
        CHECK_UINT(it.length, lives[i].next);
        CHECK_INT(it.tomb, -1);
    }
    arena_free(&s.arena);
}

/* Where something was collected, who creates has seen what its space had. */
TEST(the_birth_part_says_what_was_seen)
{
    struct story s;
    struct vv have = { 0 };
    struct dot seen = make_dot(2, 7);
    struct author by;
    bool wrote;

    begin(&s);
    s.b.seq = 6;
    CHECK(put(&s, &s.b, "{\"a\":1}"));
    CHECK_OK(vv_add(&have, &seen, &s.arena));
    by = author_of(&s, &s.a);
    by.birth = &have;
    CHECK_OK(item_put(
        &s.a.it, make_json("{\"a\":2}", &s.arena), &by, &wrote, &s.arena));
    CHECK(vv_eq(&s.a.it.birth, &have));
    CHECK(vv_eq(&s.a.it.changes[0].birth, &have));
    CHECK_INT(s.a.it.changes[0].ctx.n, 0);
    CHECK_INT(s.a.it.ctx.n, 1);
    /* Who writes to what is there adds none. */
    by = author_of(&s, &s.a);
    by.birth = &have;
    s.a.it.birth.n = 0;
    CHECK_OK(item_put(&s.a.it, make_json("{\"a\":2,\"b\":3}", &s.arena), &by,
        &wrote, &s.arena));
    CHECK_INT(s.a.it.birth.n, 0);
    (void)tell(&s, &s.b, &s.a);
    CHECK_INT(s.conflicts_n, 0);
    CHECK_DOC(&s, &s.a, "{\"a\":2,\"b\":3}");
    arena_free(&s.arena);
}

/* ---- joins ---- */

TEST(fields_of_two_people_come_together)
{
    struct story s;
    struct merge_result what;

    begin(&s);
    CHECK(put(&s, &s.a, "{\"a\":1,\"b\":2}"));
    what = tell(&s, &s.a, &s.b);
    CHECK(what.state && what.header);
    CHECK(put(&s, &s.a, "{\"a\":5,\"b\":2}"));
    CHECK(put(&s, &s.b, "{\"a\":1,\"b\":6,\"c\":7}"));
    (void)tell(&s, &s.a, &s.b);
    CHECK_INT(s.conflicts_n, 0);
    CHECK_DOC(&s, &s.b, "{\"a\":5,\"b\":6,\"c\":7}");
    what = tell(&s, &s.a, &s.b);
    CHECK(!what.state && !what.header);
    arena_free(&s.arena);
}

/* Both wrote the same field: the later stays, the earlier is on record. */
TEST(one_field_of_two_people)
{
    struct story s;

    begin(&s);
    CHECK(put(&s, &s.a, "{\"a\":0}"));
    (void)tell(&s, &s.a, &s.b);
    CHECK(put(&s, &s.a, "{\"a\":1}"));
    CHECK(put(&s, &s.b, "{\"a\":2}"));
    (void)tell(&s, &s.b, &s.a);
    CHECK_DOC(&s, &s.a, "{\"a\":2}");
    CHECK_INT(s.conflicts_n, 1);
    CHECK_INT(s.lost_n, 1);
    CHECK(s.last.siblings);
    CHECK_UINT(s.last.length, 1);
    CHECK_SLICE(s.last.loser.path, "/a");
    CHECK_SLICE(s.last.loser.value, "1");
    CHECK_UINT(s.last.loser.dot.seq, 2);
    CHECK_UINT(s.last.loser.wall_us, 2);
    CHECK_SLICE(s.last.winner.value, "2");
    CHECK_UINT(s.last.winner.stamp.hlc, 3);
    CHECK_UINT(s.last.loser_change->stamp.hlc, 2);
    CHECK_UINT(s.last.winner_change->stamp.hlc, 3);
    arena_free(&s.arena);
}

TEST(the_same_value_twice_is_no_conflict)
{
    struct story s;

    begin(&s);
    CHECK(put(&s, &s.a, "{\"a\":1}"));
    CHECK(put(&s, &s.b, "{\"a\":1}"));
    (void)tell(&s, &s.b, &s.a);
    CHECK_INT(s.conflicts_n, 0);
    arena_free(&s.arena);
}

/* The loser of two values may also be the one that comes. */
TEST(an_older_value_that_comes_late)
{
    struct story s;

    begin(&s);
    CHECK(put(&s, &s.a, "{\"a\":1}"));
    CHECK(put(&s, &s.b, "{\"a\":2}"));
    (void)tell(&s, &s.a, &s.b);
    CHECK_INT(s.conflicts_n, 1);
    CHECK_SLICE(s.last.loser.value, "1");
    CHECK_DOC(&s, &s.b, "{\"a\":2}");
    arena_free(&s.arena);
}

TEST(a_removed_field_loses_nothing_and_beats_what_it_did_not_see)
{
    struct story s;

    begin(&s);
    CHECK(put(&s, &s.a, "{\"a\":1,\"b\":2}"));
    (void)tell(&s, &s.a, &s.b);
    CHECK(put(&s, &s.a, "{\"a\":3,\"b\":2}"));
    CHECK(put(&s, &s.b, "{\"b\":2}"));
    (void)tell(&s, &s.a, &s.b);
    CHECK_INT(s.conflicts_n, 1);
    CHECK_SLICE(s.last.loser.value, "3");
    CHECK(s.last.winner.value.ptr == NULL);
    CHECK_DOC(&s, &s.b, "{\"b\":2}");
    CHECK(put(&s, &s.a, "{\"a\":4,\"b\":2}"));
    (void)tell(&s, &s.a, &s.b);
    CHECK_INT(s.conflicts_n, 0);
    CHECK_DOC(&s, &s.b, "{\"a\":4,\"b\":2}");
    arena_free(&s.arena);
}

TEST(a_delete_beats_edits_that_it_did_not_see)
{
    struct story s;

    begin(&s);
    CHECK(put(&s, &s.a, "{\"a\":1}"));
    (void)tell(&s, &s.a, &s.b);
    CHECK(del(&s, &s.a));
    CHECK(put(&s, &s.b, "{\"a\":2}")); /* later, and of no avail */
    (void)tell(&s, &s.b, &s.a);
    CHECK_INT(s.conflicts_n, 1);
    CHECK(!s.last.siblings);
    CHECK_SLICE(s.last.loser.value, "2");
    CHECK(s.last.winner.value.ptr == NULL);
    CHECK_UINT(s.last.winner.dot.seq, 2);
    CHECK(!item_alive(&s.a.it));
    (void)tell(&s, &s.a, &s.b);
    CHECK_INT(s.conflicts_n, 1);
    CHECK(!item_alive(&s.b.it));
    arena_free(&s.arena);
}

TEST(a_delete_that_saw_the_edit_is_no_conflict)
{
    struct story s;

    begin(&s);
    CHECK(put(&s, &s.a, "{\"a\":1}"));
    (void)tell(&s, &s.a, &s.b);
    CHECK(del(&s, &s.b));
    (void)tell(&s, &s.b, &s.a);
    CHECK_INT(s.conflicts_n, 0);
    CHECK_INT(s.lost_n, 1);
    CHECK_UINT(s.a.it.length, 2);
    arena_free(&s.arena);
}

TEST(who_saw_the_delete_may_create_again)
{
    struct story s;

    begin(&s);
    CHECK(put(&s, &s.a, "{\"a\":1}"));
    CHECK(del(&s, &s.a));
    (void)tell(&s, &s.a, &s.b);
    CHECK(put(&s, &s.b, "{\"b\":2}"));
    (void)tell(&s, &s.b, &s.a);
    CHECK_INT(s.conflicts_n, 0);
    CHECK_UINT(s.a.it.length, 3);
    CHECK_DOC(&s, &s.a, "{\"b\":2}");
    arena_free(&s.arena);
}

/* Two delete at once: one tombstone stays, the same on both sides. */
TEST(two_deletes)
{
    struct story s;

    begin(&s);
    CHECK(put(&s, &s.a, "1"));
    (void)tell(&s, &s.a, &s.b);
    CHECK(del(&s, &s.a));
    CHECK(del(&s, &s.b));
    (void)tell(&s, &s.a, &s.b);
    (void)tell(&s, &s.b, &s.a);
    CHECK_INT(s.conflicts_n, 0);
    CHECK_BYTES(item_bytes(&s.a.it, &s.arena), item_bytes(&s.b.it, &s.arena));
    CHECK_UINT(s.a.it.changes[s.a.it.tomb].stamp.hlc, 3);
    arena_free(&s.arena);
}

static const struct {
    const char *name, *first, *second;
    unsigned conflicts;
    const char *loser, *doc;
} relatives[] = {
    { "a scalar above", "{\"a\":{\"b\":1}}", "{\"a\":2}", 1, "/a/b",
        "{\"a\":2}" },
    { "an array above", "{\"a\":{\"b\":1}}", "{\"a\":[]}", 1, "/a/b",
        "{\"a\":[]}" },
    { "a field below", "{\"a\":1}", "{\"a\":{\"b\":2}}", 1, "/a",
        "{\"a\":{\"b\":2}}" },
    { "{} below", "{\"a\":1}", "{\"a\":{\"b\":{}}}", 1, "/a",
        "{\"a\":{\"b\":{}}}" },
    { "{} above", "{\"a\":{\"b\":1}}", "{\"a\":{}}", 0, NULL,
        "{\"a\":{\"b\":1}}" },
    { "the opaque value above two", "{\"a\":1,\"b\":{\"c\":2}}", "7", 2, "/b/c",
        "7" },
    { "two below the opaque value", "7", "{\"a\":1,\"b\":{\"c\":2}}", 2, "",
        "{\"a\":1,\"b\":{\"c\":2}}" },
    { "neighbours", "{\"a\":1}", "{\"ab\":{\"c\":2}}", 0, NULL,
        "{\"a\":1,\"ab\":{\"c\":2}}" },
};

/* The first is written by A, the second, later, by B, unseen by each other. */
TEST(values_above_and_below_each_other)
{
    for (size_t i = 0; i < ARRAY_N(relatives); i++) {
        for (int way = 0; way < 2; way++) {
            struct story s;

            begin(&s);
            CHECK(put(&s, &s.a, relatives[i].first));
            CHECK(put(&s, &s.b, relatives[i].second));
            (void)tell(&s, way == 0 ? &s.a : &s.b, way == 0 ? &s.b : &s.a);
            CHECK_SAYING(s.conflicts_n == relatives[i].conflicts,
                "%s: %u conflicts", relatives[i].name, s.conflicts_n);
            if (s.conflicts_n > 0) {
                CHECK(!s.last.siblings);
                CHECK_SLICE(s.last.loser.path, relatives[i].loser);
            }
            CHECK_SLICE(item_text(&(way == 0 ? &s.b : &s.a)->it, &s.arena),
                relatives[i].doc);
            arena_free(&s.arena);
        }
    }
}

/* Two gateways pass on what one older system wrote: one time, two dots. */
TEST(equal_stamps_are_decided_by_the_dots)
{
    struct story s;

    begin(&s);
    make_cell(&s.a.it, "/a", "1", 1, 5, &s.arena);
    make_cell(&s.b.it, "/a", "2", 2, 5, &s.arena);
    s.a.it.changes[0].stamp = make_stamp(5, 9);
    s.b.it.changes[0].stamp = make_stamp(5, 9);
    (void)tell(&s, &s.a, &s.b);
    CHECK_INT(s.conflicts_n, 1);
    (void)tell(&s, &s.b, &s.a);
    CHECK_DOC(&s, &s.a, "{\"a\":2}");
    CHECK_DOC(&s, &s.b, "{\"a\":2}");
    arena_free(&s.arena);
}

/* A replayed write has a new dot and keeps its first: it is one write. */
TEST(a_replayed_write_is_no_second_one)
{
    struct story s;

    begin(&s);
    make_cell(&s.a.it, "/a", "1", 1, 5, &s.arena);
    make_cell(&s.b.it, "/a", "1", 1, 5, &s.arena);
    s.b.it.changes[0].dot = make_dot(2, 1);
    (void)tell(&s, &s.b, &s.a);
    CHECK_INT(s.conflicts_n, 0);
    CHECK_INT(s.lost_n, 0);
    CHECK_INT(s.a.it.changes[0].dot.seq, 1);
    arena_free(&s.arena);
}

/* Rows whose dots the vector covers are left out, even of a later stamp. */
TEST(what_was_seen_does_not_come_back)
{
    struct story s;
    struct merge_result what;
    struct vv seen = { 0 };
    struct dot d = make_dot(2, 1);

    begin(&s);
    CHECK(put(&s, &s.a, "{\"a\":1}"));
    CHECK(put(&s, &s.b, "{\"a\":2,\"b\":2}"));
    CHECK_OK(vv_add(&seen, &d, &s.arena));
    CHECK_OK(item_join(&s.a.it, &s.b.it, &seen, NULL, &what, &s.arena));
    CHECK(!what.state && what.header);
    CHECK_DOC(&s, &s.a, "{\"a\":1}");
    CHECK_UINT(vv_get(&s.a.it.ctx, &d.replica), 1);
    arena_free(&s.arena);
}

/* An older time never replaces a newer one, or this node would show what no
 * other one does. */
TEST(a_write_with_an_old_time_leaves_newer_values)
{
    struct story s;
    struct leaf e[2] = { { SLICE_LIT("/a"), SLICE_LIT("7") },
        { SLICE_LIT("/b"), SLICE_LIT("8") } };
    struct leaves l = { e, 2, 2 };
    struct author by;
    bool wrote;

    begin(&s);
    CHECK(put(&s, &s.a, "{\"a\":1}"));
    CHECK(put(&s, &s.a, "{\"a\":2}"));
    by = author_of(&s, &s.a);
    by.stamp = make_stamp(1, 0);
    CHECK_OK(item_write(&s.a.it, &l, &by, &wrote, &s.arena));
    CHECK(wrote);
    CHECK_DOC(&s, &s.a, "{\"a\":2,\"b\":8}");
    l.n = 1;
    by.dot.seq++;
    CHECK_OK(item_write(&s.a.it, &l, &by, &wrote, &s.arena));
    CHECK(!wrote);
    CHECK_UINT(s.a.it.version, 3);
    arena_free(&s.arena);
}

static int refuse(void *ctx, const struct conflict *c)
{
    (void)ctx;
    (void)c;
    return SYNCLINE_EFULL;
}

TEST(a_sink_that_fails_ends_the_join)
{
    struct merge_sink sink = { .conflict = refuse };
    struct merge_result what = { false, false };
    struct vv seen = { 0 };

    for (size_t i = 0; i < ARRAY_N(relatives); i++) {
        struct story s;

        begin(&s);
        CHECK(put(&s, &s.a, relatives[i].first));
        CHECK(put(&s, &s.b, relatives[i].second));
        CHECK_INT(item_join(&s.a.it, &s.b.it, &seen, &sink, &what, &s.arena),
            relatives[i].conflicts > 0 ? SYNCLINE_EFULL : SYNCLINE_OK);
        arena_free(&s.arena);
    }
}

/* ---- memory ---- */

static int join_copy(const struct item *x, const struct item *y,
    const struct json *doc, struct arena *a)
{
    struct author by = { .dot = make_dot(3, 1), .stamp = make_stamp(99, 3) };
    struct merge_result what;
    struct vv seen = { 0 };
    struct item it;
    bool wrote;
    int rc = item_copy(&it, x, a);

    if (rc == SYNCLINE_OK)
        rc = item_join(&it, y, &seen, NULL, &what, a);
    if (rc == SYNCLINE_OK)
        rc = item_put(&it, doc, &by, &wrote, a);
    if (rc == SYNCLINE_OK)
        rc = item_delete(&it, &by, &wrote, a);
    return rc;
}

/* Whatever fails, both sides are as they were. */
TEST(memory_that_runs_out_at_each_place)
{
    struct arena small = { 0 };

    for (size_t i = 0; i < ARRAY_N(relatives); i++) {
        struct story s;
        struct slice x, y;
        struct json *doc;
        int rc;

        begin(&s);
        CHECK(put(&s, &s.a, relatives[i].first));
        CHECK(put(&s, &s.b, relatives[i].second));
        doc = make_json("{\"n\":[1],\"o\":{\"p\":1}}", &s.arena);
        x = item_bytes(&s.a.it, &s.arena);
        y = item_bytes(&s.b.it, &s.arena);
        for (size_t room = 0; room < 16384; room += 16) {
            bool out;

            arena_with_room(&small, room);
            check_alloc_fail_from(0);
            rc = join_copy(&s.a.it, &s.b.it, doc, &small);
            out = check_alloc_failed();
            check_alloc_fail_from(-1);
            CHECK(out ? rc == SYNCLINE_ENOMEM : rc == SYNCLINE_OK);
            CHECK_BYTES(item_bytes(&s.a.it, &s.arena), x);
            CHECK_BYTES(item_bytes(&s.b.it, &s.arena), y);
        }
        /* The heap's: the buffers in which leaves are written. */
        for (long n = 0;; n++) {
            arena_with_room(&small, 16384);
            check_alloc_fail_from(n);
            rc = join_copy(&s.a.it, &s.b.it, doc, &small);
            if (!check_alloc_failed())
                break;
            check_alloc_fail_from(-1);
            CHECK_INT(rc, SYNCLINE_ENOMEM);
        }
        check_alloc_fail_from(-1);
        CHECK_OK(rc);
        arena_free(&s.arena);
    }
    arena_free(&small);
}
