/* Keys that are held and count, and those that count no more. */
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
    struct buf lost; /* the name of the record that made the key */
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

static void rotate(struct world *w)
{
    struct event ev = { .type = EV_REQUEST, .request = 1 };
    struct json *args = NULL;
    struct arena a = { 0 };

    step(w, (struct event){ .type = EV_TIMER }); /* has a key for exchanges */
    CHECK_OK(json_parse(
        &args, SLICE_LIT("{\"op\":\"rotate\"}"), JSON_WRAPPED, &a, NULL));
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
    buf_free(&w->lost);
}

static size_t kept(struct world *w, const char *name)
{
    struct slice value;
    int rc = store_get(&w->port, TABLE_META, slice_str(name), &value);

    CHECK(rc == SYNCLINE_OK || rc == SYNCLINE_ENOTFOUND);
    return rc == SYNCLINE_OK ? value.len + 1 : 0;
}

static int find_rotation(void *ctx, struct slice key, struct slice value)
{
    struct world *w = ctx;

    if (memmem(value.ptr, value.len, "rotate", 6) != NULL) {
        buf_clear(&w->lost);
        buf_put_slice(&w->lost, key);
    }
    return SYNCLINE_OK;
}

/* As the power leaves it between the commit by which the record counts no more
 * and that which acts on it. */
static void forget_rotation(struct world *w)
{
    const uint32_t mesh = space_by_name(w->node, SLICE_LIT(MESH_SPACE))->id;
    struct buf prefix = { 0 };
    struct batch b = { 0 };
    uint64_t no;

    stop(w);
    CHECK_OK(store_scan(&w->port, TABLE_ITEM, key_space(&prefix, mesh),
        SLICE_NONE, find_rotation, w));
    CHECK(w->lost.len > 0);
    batch_del(&b, TABLE_ITEM, buf_slice(&w->lost));
    CHECK_OK(store_commit(&w->port, buf_slice(&b.ops), &no));
    store_mem_sync(w->disk, no);
    buf_free(&b.ops);
    buf_free(&prefix);
    start(w);
}

TEST(keys_are_listed_once_there_are_some)
{
    struct world w;

    world_open(&w);
    CHECK_UINT(kept(&w, META_KEYS), 0);
    rotate(&w);
    CHECK_UINT(kept(&w, META_KEYS), 1 + 1 + KEY_ID_LEN);
    rotate(&w);
    CHECK_UINT(kept(&w, META_KEYS), 1 + 2 * (1 + KEY_ID_LEN));
    CHECK_UINT(kept(&w, META_REKEY), 0);
    stop(&w);
    start(&w);
    CHECK_UINT(kept(&w, META_REKEY), 0);
    world_close(&w);
}

TEST(a_key_that_counts_no_more_is_noticed_at_the_start)
{
    struct world w;

    world_open(&w);
    rotate(&w);
    forget_rotation(&w);
    CHECK_UINT(w.node->keyring.n, 1);
    CHECK_UINT(kept(&w, META_REKEY), 1);
    CHECK(w.node->rekeying);
    CHECK(space_by_name(w.node, SLICE_LIT(DEFAULT_SPACE))->unkeyed);
    CHECK_UINT(kept(&w, META_KEYS), 1);
    world_close(&w);
}
