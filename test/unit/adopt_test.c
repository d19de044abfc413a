/* What a store of before signatures becomes. */
#include "repl/proofs.h"

#include "store/store_mem.h"
#include "unit/check.h"

#define ITEMS 600 /* more than are taken at once */

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
    store_mem_sync(w->disk, store_mem_last(w->disk));
}

static void step(struct world *w, struct event ev)
{
    const struct effect *fx;
    size_t n;

    w->now_us += 1000;
    ev.now_us = w->now_us;
    ev.wall_us = 1700000000000000 + w->now_us;
    CHECK_OK(node_step(w->node, &ev, &fx, &n));
    store_mem_sync(w->disk, store_mem_last(w->disk));
}

static void put(struct world *w, int i)
{
    struct event ev = { .type = EV_REQUEST, .request = 1 };
    struct json *args = NULL;
    struct arena a = { 0 };
    struct buf b = { 0 };

    buf_printf(&b,
        "{\"op\":\"put\",\"space\":\"default\",\"key\":\"k%04d\","
        "\"value\":{\"a\":%d,\"b\":1}}",
        i, i);
    CHECK_OK(json_parse(&args, buf_slice(&b), JSON_WRAPPED, &a, NULL));
    ev.args = args;
    step(w, ev);
    buf_free(&b);
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

struct pass {
    struct arena arena;
    struct batch batch;
    enum strip { KEPT, BARE, OLD } strip;
    uint32_t items, signed_n, own_first, changes;
};

static int on_item(void *ctx, struct slice key, struct slice value)
{
    struct pass *p = ctx;
    struct stored st;
    struct buf b = { 0 };

    CHECK_OK(stored_decode(value, &st, &p->arena));
    p->items++;
    for (uint32_t i = 0; i < st.item.changes_n; i++) {
        struct change *c = &st.item.changes[i];

        p->changes++;
        p->signed_n += c->proof.len > 0;
        p->own_first += dot_eq(&c->first, &c->dot);
        c->proof = p->strip == OLD ? SLICE_LIT("\0old proof") : SLICE_NONE;
    }
    put_be64(&b, st.lsn);
    put_varint(&b, st.revisions);
    put_item(&b, &st.item);
    if (p->strip != KEPT)
        batch_put(&p->batch, TABLE_ITEM, key, buf_slice(&b));
    buf_free(&b);
    return SYNCLINE_OK;
}

static struct pass look(struct world *w, enum strip strip)
{
    struct pass p = { .strip = strip };
    uint64_t no;

    CHECK_OK(
        store_scan(&w->port, TABLE_ITEM, SLICE_NONE, SLICE_NONE, on_item, &p));
    if (strip != KEPT) {
        batch_put(&p.batch, TABLE_META, SLICE_LIT(META_FORMAT),
            strip == OLD ? SLICE_LIT("\3") : SLICE_LIT("\2"));
        CHECK_OK(store_commit(&w->port, buf_slice(&p.batch.ops), &no));
        store_mem_sync(w->disk, no);
    }
    buf_free(&p.batch.ops);
    arena_free(&p.arena);
    return p;
}

/* A store of format 2, without proofs, or of 3, with such that nobody reads. */
static void world_of_format(struct world *w, enum strip strip)
{
    world_open(w);
    for (int i = 0; i < ITEMS; i++)
        put(w, i);
    stop(w);
    (void)look(w, strip);
}

static void world_of_before(struct world *w)
{
    world_of_format(w, BARE);
}

TEST(whatever_is_written_is_signed)
{
    struct world w;
    struct pass p;

    world_open(&w);
    put(&w, 1);
    p = look(&w, KEPT);
    CHECK(p.items >= 2);
    CHECK_UINT(p.signed_n, p.changes);
    world_close(&w);
}

static void check_adoption(enum strip strip)
{
    struct world w;
    struct pass p;
    uint32_t turns = 0;

    world_of_format(&w, strip);
    start(&w);
    put(&w, 1); /* over what is still to be signed */
    CHECK(adopts(w.node));
    while (adopts(w.node) && turns++ < 100)
        step(&w, (struct event){ .type = EV_TIMER });
    CHECK(turns > 2 && turns < 20);
    p = look(&w, KEPT);
    CHECK_UINT(p.signed_n, p.changes);
    CHECK(p.own_first <= 1);
    stop(&w);
    start(&w);
    CHECK(!adopts(w.node));
    world_close(&w);
}

TEST(a_store_without_signatures_is_written_again)
{
    check_adoption(BARE);
}

TEST(a_store_with_signatures_of_before_is_written_again)
{
    check_adoption(OLD);
}

/* A stop in the midst goes on at the next start. */
TEST(it_goes_on_after_a_stop)
{
    struct world w;
    struct pass p;

    world_of_before(&w);
    start(&w);
    step(&w, (struct event){ .type = EV_TIMER });
    node_free(w.node);
    CHECK_OK(store_mem_crash(w.disk, 0));
    start(&w);
    for (int i = 0; i < 20; i++)
        step(&w, (struct event){ .type = EV_TIMER });
    CHECK(!adopts(w.node));
    p = look(&w, KEPT);
    CHECK_UINT(p.signed_n, p.changes);
    world_close(&w);
}

TEST(nobody_is_spoken_to_meanwhile)
{
    struct event up = { .type = EV_CONN_UP, .conn = 1, .inbound = true };
    const struct effect *fx;
    struct world w;
    size_t n;

    world_of_before(&w);
    start(&w);
    up.device = *node_device(w.node);
    up.device.b[0]++;
    up.now_us = w.now_us;
    up.wall_us = 1700000000000000;
    CHECK(adopts(w.node));
    CHECK_OK(node_step(w.node, &up, &fx, &n));
    CHECK(n > 0 && fx[n - 1].type == FX_CLOSE);
    world_close(&w);
}
