/* lone_node.h - a node by itself on a store in memory, and its clock. */
#ifndef SYNCLINE_TEST_LONE_NODE_H
#define SYNCLINE_TEST_LONE_NODE_H

#include "repl/node_impl.h"

#include "store/store_mem.h"
#include "unit/check.h"

#define MAYBE_UNUSED __attribute__((unused))
#define LONE_STEP_US ((uint64_t)20 * 1000 * 1000)

struct lone {
    struct store_mem *disk;
    struct store_port port;
    struct identity *id;
    struct crypto_port crypto;
    struct crypto_self self;
    struct node *node;
    uint64_t now_us;
};

static MAYBE_UNUSED void start(struct lone *w)
{
    struct node_options opt = { .store = w->port,
        .crypto = &w->crypto,
        .name = SLICE_LIT("one"),
        .port = 4748,
        .seed = 1 };

    CHECK_OK(node_new(&w->node, &opt, w->now_us, 1700000000000000, NULL));
    store_mem_sync(w->disk, store_mem_last(w->disk));
}

static MAYBE_UNUSED void stop(struct lone *w)
{
    CHECK_OK(node_close(w->node));
    node_free(w->node);
    w->node = NULL;
    store_mem_sync(w->disk, store_mem_last(w->disk));
}

static MAYBE_UNUSED void persisted(struct lone *w)
{
    struct event ev = { .type = EV_PERSISTED, .now_us = w->now_us };
    const struct effect *fx;
    size_t n;

    store_mem_sync(w->disk, store_mem_last(w->disk));
    ev.commit = store_mem_durable(w->disk);
    ev.wall_us = 1700000000000000 + w->now_us;
    CHECK_OK(node_step(w->node, &ev, &fx, &n));
    store_mem_sync(w->disk, store_mem_last(w->disk));
}

/* A while later, on a disk that is fast. */
static MAYBE_UNUSED void step(struct lone *w, struct event ev)
{
    const struct effect *fx;
    size_t n;

    w->now_us += LONE_STEP_US;
    ev.now_us = w->now_us;
    ev.wall_us = 1700000000000000 + w->now_us;
    CHECK_OK(node_step(w->node, &ev, &fx, &n));
    persisted(w);
}

static MAYBE_UNUSED void tick(struct lone *w)
{
    step(w, (struct event){ .type = EV_TIMER });
}

static MAYBE_UNUSED void ask(struct lone *w, const char *text)
{
    struct event ev = { .type = EV_REQUEST, .request = 1 };
    struct json *args = NULL;
    struct arena a = { 0 };

    CHECK_OK(json_parse(&args, slice_str(text), JSON_WRAPPED, &a, NULL));
    ev.args = args;
    step(w, ev);
    step(w, (struct event){ .type = EV_FLUSH });
    arena_free(&a);
}

static MAYBE_UNUSED void lone_open(struct lone *w)
{
    static const uint8_t seed[IDENTITY_SEED_LEN] = { 7 };

    *w = (struct lone){ .now_us = 1000000 };
    CHECK_OK(store_mem_new(&w->disk));
    w->port = store_mem_port(w->disk);
    CHECK_OK(identity_from_seed(&w->id, seed));
    crypto_port_quick(&w->crypto, &w->self, w->id, 1);
    start(w);
}

static MAYBE_UNUSED void lone_close(struct lone *w)
{
    node_free(w->node);
    store_mem_free(w->disk);
    identity_free(w->id);
}

#endif
