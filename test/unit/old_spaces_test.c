/* Spaces and policies of a store of before they had a space of their own. */
#include "repl/node_impl.h"

#include "store/store_mem.h"
#include "unit/check.h"

struct world {
    struct store_mem *disk;
    struct store_port port;
    struct identity *id;
    struct crypto_port crypto;
    struct crypto_self self;
    struct node *node;
    uint64_t now_us;
};

static void start(struct world *w)
{
    struct node_options opt = { .store = w->port,
        .crypto = &w->crypto,
        .name = SLICE_LIT("one"),
        .port = 4748,
        .seed = 1 };

    CHECK_OK(node_new(&w->node, &opt, w->now_us, 1700000000000000, NULL));
    store_mem_sync(w->disk, store_mem_last(w->disk));
}

static void stop(struct world *w)
{
    CHECK_OK(node_close(w->node));
    node_free(w->node);
    w->node = NULL;
    store_mem_sync(w->disk, store_mem_last(w->disk));
}

static void step(struct world *w, struct event ev)
{
    const struct effect *fx;
    size_t n;

    w->now_us += 20000000;
    ev.now_us = w->now_us;
    ev.wall_us = 1700000000000000 + w->now_us;
    CHECK_OK(node_step(w->node, &ev, &fx, &n));
    store_mem_sync(w->disk, store_mem_last(w->disk));
}

static void ask(struct world *w, const char *text)
{
    struct event ev = { .type = EV_REQUEST, .request = 1 };
    struct json *args = NULL;
    struct arena a = { 0 };

    CHECK_OK(json_parse(&args, slice_str(text), JSON_WRAPPED, &a, NULL));
    ev.args = args;
    step(w, ev);
    arena_free(&a);
}

static void world_open(struct world *w)
{
    static const uint8_t seed[IDENTITY_SEED_LEN] = { 7 };

    *w = (struct world){ .now_us = 1000000 };
    CHECK_OK(store_mem_new(&w->disk));
    w->port = store_mem_port(w->disk);
    CHECK_OK(identity_from_seed(&w->id, seed));
    crypto_port_quick(&w->crypto, &w->self, w->id, 1);
    start(w);
}

static void world_close(struct world *w)
{
    node_free(w->node);
    store_mem_free(w->disk);
    identity_free(w->id);
}

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

static uint32_t number_of(const struct world *w, const char *name)
{
    return space_by_name(w->node, slice_str(name))->id;
}

/* A space, one that is deleted, and a policy, where format 3 had them. */
static void world_of_before(struct world *w)
{
    struct buf prefix = { 0 };
    struct moving m = { .to = 0 };
    uint64_t no;

    world_open(w);
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

static bool shows(const struct world *w, const char *name)
{
    const struct space *sp = space_by_name(w->node, slice_str(name));

    return sp != NULL && space_shown(sp);
}

static enum policy policy_of(const struct world *w, const char *key)
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

static uint64_t moved(const struct world *w)
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
    struct world w;

    world_of_before(&w);
    start(&w);
    CHECK(shows(&w, "notes"));
    CHECK(!shows(&w, "gone"));
    CHECK_INT(policy_of(&w, "k1"), POLICY_MANUAL);
    CHECK_INT(policy_of(&w, "other"), POLICY_LWW);
    CHECK_UINT(moved(&w), 0);
    world_close(&w);
}

TEST(an_admin_writes_them_where_they_belong)
{
    struct world w;

    world_of_before(&w);
    start(&w);
    for (int i = 0; i < 9; i++)
        step(&w, (struct event){ .type = EV_TIMER });
    CHECK_UINT(moved(&w), 2);
    stop(&w);
    start(&w);
    CHECK(shows(&w, "notes"));
    CHECK(!shows(&w, "gone"));
    CHECK_INT(policy_of(&w, "k1"), POLICY_MANUAL);
    world_close(&w);
}

/* What is said in `_spaces` goes before, though it be that a space is no more.
 */
TEST(what_was_is_overruled)
{
    struct world w;

    world_of_before(&w);
    start(&w);
    for (int i = 0; i < 9; i++)
        step(&w, (struct event){ .type = EV_TIMER });
    ask(&w, "{\"op\":\"space_add\",\"name\":\"gone\"}");
    ask(&w, "{\"op\":\"space_rm\",\"name\":\"notes\"}");
    CHECK(shows(&w, "gone"));
    CHECK(!shows(&w, "notes"));
    stop(&w);
    start(&w);
    for (int i = 0; i < 9; i++)
        step(&w, (struct event){ .type = EV_TIMER });
    CHECK(shows(&w, "gone"));
    CHECK(!shows(&w, "notes"));
    world_close(&w);
}
