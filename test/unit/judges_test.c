/* The simulator's judges, each shown what it must not let pass. */
#include "unit/check.h"

#include "core/merge.h"
#include "repl/keys.h"
#include "sim/check.h"
#include "sim/model.h"
#include "sim/peek.h"
#include "sim/world.h"

#include <stdlib.h>

#define SPACE 1 /* its local number everywhere */

/* Two machines whose nodes are off: the test writes on their disks what a
 * node would, right or wrong. */
struct scene {
    struct world *w;
    struct machine *a, *b;
    struct arena arena;
    struct batch batch;
    struct buf key, value;
    uint64_t seq[2], hlc;
};

static void commit(struct scene *s, struct machine *m)
{
    uint64_t no;

    CHECK_OK(store_commit(&m->port, buf_slice(&s->batch.ops), &no));
    buf_clear(&s->batch.ops);
}

static struct rid replica_of(const struct machine *m)
{
    struct rid r = { { (uint8_t)(m->ix + 1) } };

    return r;
}

static void scene_init(struct scene *s)
{
    static const uint8_t token[SPACE_TOKEN_LEN] = { 7 };

    *s = (struct scene){ .w = sim_alloc(1, sizeof *s->w), .hlc = 1000 };
    s->w->machines_n = 2;
    for (unsigned i = 0; i < 2; i++) {
        machine_init(&s->w->machines[i], s->w, i, i);
        s->w->machines[i].asked = true;
        buf_clear(&s->value);
        buf_put(&s->value, token, sizeof token);
        buf_put_str(&s->value, "default");
        batch_put(&s->batch, TABLE_META,
            key_meta_space(&s->key, META_SPACE, SPACE), buf_slice(&s->value));
        commit(s, &s->w->machines[i]);
    }
    s->a = &s->w->machines[0];
    s->b = &s->w->machines[1];
}

static void scene_close(struct scene *s)
{
    world_close(s->w);
    free(s->w);
    arena_free(&s->arena);
    buf_free(&s->batch.ops);
    buf_free(&s->key);
    buf_free(&s->value);
}

static struct item load(struct scene *s, struct machine *m, const char *key)
{
    struct item it;

    CHECK_OK(peek_load(&m->port, SPACE, slice_str(key), &it, &s->arena));
    /* Cut loose from the record, which the next commit overwrites. */
    buf_clear(&s->value);
    if (it.length == 0)
        return it;
    put_item(&s->value, &it);
    {
        struct reader r = reader_of(arena_dup(&s->arena, buf_slice(&s->value)));

        CHECK_OK(get_item(&r, &it, &s->arena));
    }
    return it;
}

static void add_item(struct scene *s, const char *key, const struct item *it)
{
    buf_clear(&s->value);
    put_be64(&s->value, 1);
    put_varint(&s->value, 0);
    put_item(&s->value, it);
    batch_put(&s->batch, TABLE_ITEM, key_item(&s->key, SPACE, slice_str(key)),
        buf_slice(&s->value));
}

static void add_seen(struct scene *s, struct dot dot)
{
    buf_clear(&s->value);
    put_varint(&s->value, dot.seq);
    batch_put(&s->batch, TABLE_META,
        key_meta_replica(&s->key, META_SEEN, SPACE, &dot.replica),
        buf_slice(&s->value));
}

static struct author author(struct scene *s, struct machine *m)
{
    struct rid r = replica_of(m);

    return (struct author){ .dot = { r, ++s->seq[m->ix] },
        .stamp = { 0, ++s->hlc, r } };
}

/* A write as an honest node makes it; NULL deletes. Its dot. */
static struct dot put(
    struct scene *s, struct machine *m, const char *key, const char *doc)
{
    struct item it = load(s, m, key);
    struct author by = author(s, m);
    struct json *json;
    bool wrote;

    if (doc != NULL) {
        CHECK_OK(
            json_parse(&json, slice_str(doc), JSON_STRICT, &s->arena, NULL));
        CHECK_OK(item_put(&it, json, &by, &wrote, &s->arena));
    } else {
        CHECK_OK(item_delete(&it, &by, &wrote, &s->arena));
    }
    CHECK(wrote);
    add_item(s, key, &it);
    add_seen(s, by.dot);
    commit(s, m);
    return by.dot;
}

/* The state of an item at one machine joined into the other's. */
static void tell(
    struct scene *s, struct machine *from, struct machine *to, const char *key)
{
    const struct vv nothing = { 0 };
    struct item mine = load(s, to, key), row = load(s, from, key);
    struct merge_result what;

    CHECK_OK(item_join(&mine, &row, &nothing, NULL, &what, &s->arena));
    add_item(s, key, &mine);
}

static bool judged(const struct scene *s, const char *rule)
{
    if (!s->w->failed)
        return false;
    if (strncmp(s->w->why.text, rule, strlen(rule)) != 0)
        check_fail(
            __FILE__, __LINE__, "%s instead of %s", s->w->why.text, rule);
    return true;
}

TEST(what_is_right_passes)
{
    struct scene s;
    struct dot d;

    scene_init(&s);
    (void)put(&s, s.a, "k", "{\"x\":1,\"y\":{}}");
    d = put(&s, s.a, "k", "{\"x\":2,\"y\":{\"z\":3}}");
    tell(&s, s.a, s.b, "k");
    add_seen(&s, d);
    commit(&s, s.b);
    d = put(&s, s.b, "k", NULL);
    tell(&s, s.b, s.a, "k");
    add_seen(&s, d);
    commit(&s, s.a);
    (void)put(&s, s.a, "k", "[1]");
    check_lost(s.w);
    check_ack(s.w, s.a);
    CHECK(!s.w->failed);
    scene_close(&s);
}

/* Written again by itself it may be, but not as something else. */
TEST(a_write_that_nobody_asked_for)
{
    struct scene s;

    scene_init(&s);
    (void)put(&s, s.a, "k", "{\"x\":1}");
    s.b->asked = false;
    (void)put(&s, s.b, "other", "{\"x\":1}");
    CHECK(!s.w->failed);
    (void)put(&s, s.b, "k", "{\"x\":2}");
    CHECK(judged(&s, "unasked"));
    scene_close(&s);
}

/* M2, M3: the vector is ahead of the rows. */
TEST(a_vector_that_claims_what_is_not_there)
{
    struct scene s;

    scene_init(&s);
    add_seen(&s, put(&s, s.a, "k", "{\"x\":1}"));
    commit(&s, s.b);
    CHECK(judged(&s, "I1"));
    scene_close(&s);
}

TEST(a_vector_that_claims_more_than_an_old_value)
{
    struct scene s;

    scene_init(&s);
    add_seen(&s, put(&s, s.a, "k", "{\"x\":1}"));
    tell(&s, s.a, s.b, "k");
    commit(&s, s.b);
    CHECK(!s.w->failed);
    add_seen(&s, put(&s, s.a, "k", "{\"x\":2}"));
    commit(&s, s.b);
    CHECK(judged(&s, "I1"));
    scene_close(&s);
}

TEST(a_vector_that_goes_back)
{
    struct scene s;
    struct dot first;

    scene_init(&s);
    first = put(&s, s.a, "k", "{\"x\":1}");
    (void)put(&s, s.a, "k", "{\"x\":2}");
    add_seen(&s, first);
    commit(&s, s.a);
    CHECK(judged(&s, "I1"));
    scene_close(&s);
}

TEST(a_node_that_lacks_what_another_has)
{
    struct scene s;

    scene_init(&s);
    (void)put(&s, s.a, "k", "{\"x\":1}");
    check_heal(s.w);
    CHECK(judged(&s, "I14"));
    scene_close(&s);
}

/* M5: a dot used for two things. */
TEST(a_dot_that_is_used_again)
{
    struct scene s;

    scene_init(&s);
    (void)put(&s, s.a, "k", "{\"x\":1}");
    s.seq[0] = 0;
    (void)put(&s, s.a, "k", "{\"x\":2}");
    CHECK(judged(&s, "dot"));
    scene_close(&s);
}

/* M18: the one that came last stays. */
TEST(a_loser_that_stays)
{
    struct scene s;
    struct dot d;

    scene_init(&s);
    d = put(&s, s.a, "k", "{\"x\":1}");
    (void)put(&s, s.b, "k", "{\"x\":2}");
    {
        struct item row = load(&s, s.a, "k");

        row.ctx = load(&s, s.b, "k").ctx;
        CHECK_OK(vv_add(&row.ctx, &d, &s.arena));
        add_item(&s, "k", &row);
    }
    add_seen(&s, d);
    commit(&s, s.b);
    CHECK(judged(&s, "I1"));
    scene_close(&s);
}

/* Nothing lies beyond the vector, and yet something is too new. */
TEST(a_value_that_nobody_wrote_there)
{
    struct scene s;
    struct item old;

    scene_init(&s);
    (void)put(&s, s.a, "k", "{\"x\":1,\"y\":1}");
    old = load(&s, s.a, "k");
    (void)put(&s, s.a, "k", NULL);
    (void)put(&s, s.a, "k", "{\"x\":3}");
    {
        struct item it = load(&s, s.a, "k");
        uint32_t ix;

        CHECK_OK(item_add_change(&it, &old.changes[0], &ix, &s.arena));
        CHECK_OK(item_set(&it, SLICE_LIT("/y"), SLICE_LIT("1"), ix, &s.arena));
        CHECK_OK(item_normalise(&it, &s.arena));
        add_item(&s, "k", &it);
    }
    commit(&s, s.a);
    CHECK(judged(&s, "dot"));
    scene_close(&s);
}

/* M7, M9: what was deleted comes back. */
TEST(a_deleted_item_that_comes_back)
{
    struct scene s;
    struct item old;

    scene_init(&s);
    (void)put(&s, s.a, "k", "{\"x\":1}");
    old = load(&s, s.a, "k");
    tell(&s, s.a, s.b, "k");
    commit(&s, s.b); /* rows, no mark yet */
    (void)put(&s, s.a, "k", NULL);
    tell(&s, s.a, s.b, "k");
    commit(&s, s.b);
    batch_del(&s.batch, TABLE_ITEM, key_item(&s.key, SPACE, SLICE_LIT("k")));
    commit(&s, s.b); /* collected */
    CHECK(!s.w->failed);
    add_item(&s, "k", &old);
    commit(&s, s.b);
    CHECK(judged(&s, "I7"));
    scene_close(&s);
}

TEST(an_item_that_vanishes_alive)
{
    struct scene s;

    scene_init(&s);
    (void)put(&s, s.a, "k", "{\"x\":1}");
    batch_del(&s.batch, TABLE_ITEM, key_item(&s.key, SPACE, SLICE_LIT("k")));
    commit(&s, s.a);
    CHECK(judged(&s, "I1"));
    scene_close(&s);
}

/* M16, M17: a stamp below what was visible. */
TEST(a_clock_that_went_back)
{
    struct scene s;

    scene_init(&s);
    (void)put(&s, s.a, "k", "{\"x\":1}");
    s.hlc = 10;
    (void)put(&s, s.a, "j", "{\"x\":1}");
    CHECK(judged(&s, "I6"));
    scene_close(&s);
}

/* M6. */
TEST(a_version_that_went_back)
{
    struct scene s;
    struct item it;

    scene_init(&s);
    (void)put(&s, s.a, "k", "{\"x\":1}");
    (void)put(&s, s.a, "k", "{\"x\":2}");
    it = load(&s, s.a, "k");
    it.version = 1;
    add_item(&s, "k", &it);
    commit(&s, s.a);
    CHECK(judged(&s, "I5"));
    scene_close(&s);
}

/* M4: told that it is safe, before it was. */
TEST(an_acknowledged_write_that_a_crash_takes)
{
    struct scene s;

    scene_init(&s);
    store_mem_sync(s.a->disk.mem, store_mem_last(s.a->disk.mem));
    (void)put(&s, s.a, "k", "{\"x\":1}");
    ledger_ack(&s.w->ledger, 0, s.w->ledger.changes_n);
    CHECK_OK(store_mem_crash(s.a->disk.mem, 0));
    ledger_rewind(s.w, s.a, false);
    CHECK(judged(&s, "I2"));
    scene_close(&s);
}

/* A crash that takes only what nobody was promised. */
TEST(a_crash_that_keeps_its_promise)
{
    struct scene s;
    struct item it;

    scene_init(&s);
    (void)put(&s, s.a, "k", "{\"x\":1}");
    ledger_ack(&s.w->ledger, 0, s.w->ledger.changes_n);
    store_mem_sync(s.a->disk.mem, store_mem_last(s.a->disk.mem));
    (void)put(&s, s.a, "k", NULL);
    CHECK_OK(store_mem_crash(s.a->disk.mem, 0));
    ledger_rewind(s.w, s.a, false);
    check_ack(s.w, s.a);
    /* The end of life 1 is forgotten: it was never seen to last. */
    it = load(&s, s.a, "k");
    add_item(&s, "k", &it);
    commit(&s, s.a);
    CHECK(!s.w->failed);
    scene_close(&s);
}

static void put_side(struct buf *b, const struct dot *dot, uint64_t hlc)
{
    struct stamp stamp = { 0, hlc, dot->replica };

    put_dot(b, dot);
    put_stamp(b, &stamp);
    put_u64(b, 0);
    put_bytes(b, SLICE_LIT("/x"));
    buf_put_u8(b, 1);
    put_bytes(b, SLICE_LIT("1"));
}

static void add_conflict(
    struct scene *s, const struct dot *loser, const struct dot *winner)
{
    struct buf name = { 0 };

    buf_clear(&s->value);
    put_be64(&s->value, 9);
    buf_put_u8(&s->value, 0);
    put_varint(&s->value, 1);
    put_side(&s->value, loser, 1);
    put_side(&s->value, winner, 2);
    batch_put(&s->batch, TABLE_CONFLICT,
        key_item(&name, SPACE,
            key_conflict_tail(&s->key, SLICE_LIT("k"), SLICE_LIT("/x"), loser)),
        buf_slice(&s->value));
    buf_free(&name);
}

/* Two write at once; all that differs is whether anybody is told. */
static void lose(struct scene *s, bool told)
{
    struct dot a, b;

    scene_init(s);
    a = put(s, s->a, "k", "{\"x\":1}");
    b = put(s, s->b, "k", "{\"x\":2}");
    ledger_ack(&s->w->ledger, 0, s->w->ledger.changes_n);
    tell(s, s->b, s->a, "k");
    add_seen(s, b);
    if (told)
        add_conflict(s, &a, &b);
    commit(s, s->a);
    CHECK(!s->w->failed);
    check_lost(s->w);
}

TEST(a_write_that_is_lost_without_a_word)
{
    struct scene s;

    lose(&s, false);
    CHECK(judged(&s, "I3"));
    scene_close(&s);
}

TEST(a_write_that_is_lost_and_told)
{
    struct scene s;

    lose(&s, true);
    CHECK(!s.w->failed);
    scene_close(&s);
}

TEST(a_conflict_that_was_none)
{
    struct scene s;
    struct dot first, second;

    scene_init(&s);
    first = put(&s, s.a, "k", "{\"x\":1}");
    second = put(&s, s.a, "k", "{\"x\":2}");
    add_conflict(&s, &first, &second);
    commit(&s, s.a);
    check_lost(s.w);
    CHECK(judged(&s, "conflict"));
    scene_close(&s);
}

/* ---- the model ---- */

/* A random write at m, or none. */
static void write_any(struct scene *s, struct prng *p, struct machine *m)
{
    static const char *const docs[] = { "{\"a\":1}", "{\"a\":{\"b\":1}}", "{}",
        "{\"a\":{\"b\":{\"c\":[1]},\"d\":2}}", "5", "{\"a\":{},\"c\":3}" };
    struct item it = load(s, m, "k");
    struct author by = author(s, m);
    struct leaf leaf = { SLICE_LIT("/a/d"), SLICE_LIT("7") };
    struct leaves one = { &leaf, 1, 1 };
    const char *doc = docs[prng_below(p, ARRAY_N(docs))];
    struct json *json;
    bool wrote;

    CHECK_OK(json_parse(&json, slice_str(doc), JSON_STRICT, &s->arena, NULL));
    if (prng_one_in(p, 6))
        CHECK_OK(item_delete(&it, &by, &wrote, &s->arena));
    else if (prng_one_in(p, 3))
        CHECK_OK(item_write(&it, &one, &by, &wrote, &s->arena));
    else
        CHECK_OK(item_put(&it, json, &by, &wrote, &s->arena));
    if (!wrote) {
        s->seq[m->ix]--;
        return;
    }
    add_item(s, "k", &it);
    add_seen(s, by.dot);
    commit(s, m);
}

static void meet(struct scene *s, struct machine *from, struct machine *to)
{
    struct dot d = { replica_of(from), s->seq[from->ix] };

    tell(s, from, to, "k");
    if (d.seq > 0)
        add_seen(s, d);
    commit(s, to);
}

static void compare(struct scene *s, struct machine *m)
{
    struct item it = load(s, m, "k");
    struct buf core = { 0 }, model = { 0 };
    struct json *shown;

    put_document(&core, &it, &s->arena);
    shown =
        model_document(&s->w->ledger, &s->w->ledger.views[m->ix], 0, &s->arena);
    if (shown != NULL)
        json_print(&model, shown, JSON_CANONICAL);
    CHECK_BYTES(buf_slice(&model), buf_slice(&core));
    buf_free(&core);
    buf_free(&model);
}

/* It knows nothing of the merge, and shows what the core shows. */
TEST(the_model_agrees_with_the_core)
{
    struct scene s;
    struct prng p = { 11 };

    scene_init(&s);
    (void)put(&s, s.a, "k", "{}");
    meet(&s, s.a, s.b);
    for (int i = 0; i < 300; i++) {
        struct machine *m = prng_one_in(&p, 2) ? s.a : s.b;

        write_any(&s, &p, m);
        if (prng_one_in(&p, 2)) {
            meet(&s, s.a, s.b);
            meet(&s, s.b, s.a);
        }
        if (s.w->failed)
            check_fail(__FILE__, __LINE__, "%d: %s", i, s.w->why.text);
        compare(&s, m);
    }
    scene_close(&s);
}
