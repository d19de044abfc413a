#include "repl/node.h"

#include "store/store_mem.h"
#include "unit/check.h"

#include <stdlib.h>

#define REQUESTS 40
#define GROUP 8

/* A node by itself, whose writes wait for each other. */
struct world {
    struct identity *id;
    struct crypto_port crypto;
    struct crypto_self self;
    struct store_mem *disk;
    struct store_port port;
    struct node *node;
    uint64_t now_us, requests, commits;
    struct buf answers[REQUESTS + 1];
};

static void start(struct world *w)
{
    struct node_options opt = { .store = w->port,
        .crypto = &w->crypto,
        .name = SLICE_LIT("one"),
        .group_max = GROUP };

    CHECK_OK(node_new(&w->node, &opt, w->now_us, 1700000000000000, NULL));
}

static void world_open(struct world *w)
{
    static const uint8_t seed[IDENTITY_SEED_LEN] = { 7 };

    *w = (struct world){ .now_us = 1000000 };
    CHECK_OK(store_mem_new(&w->disk));
    w->port = store_mem_port(w->disk);
    CHECK_OK(identity_from_seed(&w->id, seed));
    crypto_port_seeded(&w->crypto, &w->self, w->id, 1);
    start(w);
}

static void world_close(struct world *w)
{
    node_free(w->node);
    for (int i = 0; i <= REQUESTS; i++)
        buf_free(&w->answers[i]);
    store_mem_free(w->disk);
    identity_free(w->id);
}

static int step(struct world *w, struct event ev)
{
    const struct effect *fx;
    size_t n;
    int rc;

    w->now_us += 1000;
    ev.now_us = w->now_us;
    ev.wall_us = 1700000000000000 + w->now_us;
    rc = node_step(w->node, &ev, &fx, &n);
    for (size_t i = 0; i < n && rc == SYNCLINE_OK; i++) {
        w->commits += fx[i].type == FX_COMMIT;
        if (fx[i].type == FX_REPLY)
            buf_put_slice(&w->answers[fx[i].request], fx[i].bytes);
    }
    return rc;
}

static uint64_t ask(struct world *w, const char *text)
{
    struct event ev = { .type = EV_REQUEST, .request = ++w->requests };
    struct json *args = NULL;
    struct arena a = { 0 };

    CHECK(w->requests <= REQUESTS);
    CHECK_OK(json_parse(&args, slice_str(text), JSON_WRAPPED, &a, NULL));
    ev.args = args;
    CHECK_OK(step(w, ev));
    arena_free(&a); /* nobody borrows from it any more */
    return ev.request;
}

static void turn(struct world *w)
{
    while (node_wants_flush(w->node))
        CHECK_OK(step(w, (struct event){ .type = EV_FLUSH }));
}

static void persist(struct world *w)
{
    store_mem_sync(w->disk, store_mem_last(w->disk));
    CHECK_OK(step(w,
        (struct event){
            .type = EV_PERSISTED, .commit = store_mem_last(w->disk) }));
}

static bool says(const struct world *w, uint64_t request, const char *what)
{
    struct slice s = buf_slice(&w->answers[request]);

    for (size_t i = 0; i + strlen(what) <= s.len; i++)
        if (memcmp(s.ptr + i, what, strlen(what)) == 0)
            return true;
    return false;
}

static bool is_silent(const struct world *w, uint64_t request)
{
    return w->answers[request].len == 0;
}

TEST(writes_of_one_turn_are_one_commit_and_one_signature)
{
    uint64_t signed_before, commits_before, no[3];
    struct world w;

    world_open(&w);
    turn(&w);
    signed_before = node_counts(w.node)->commits_signed;
    commits_before = w.commits;
    no[0] = ask(&w, "{\"op\":\"put\",\"key\":\"a\",\"value\":1}");
    no[1] = ask(&w, "{\"op\":\"put\",\"key\":\"b\",\"value\":{\"x\":2}}");
    no[2] = ask(&w, "{\"op\":\"patch\",\"key\":\"b\",\"patch\":{\"y\":3}}");
    CHECK_UINT(w.commits, commits_before);
    turn(&w);
    CHECK_UINT(w.commits, commits_before + 1);
    CHECK_UINT(node_counts(w.node)->commits_signed, signed_before + 1);
    for (int i = 0; i < 3; i++)
        CHECK(is_silent(&w, no[i]));
    persist(&w);
    for (int i = 0; i < 3; i++)
        CHECK(says(&w, no[i], "\"ok\":true"));
    CHECK(says(&w, no[1], "\"version\":1"));
    CHECK(says(&w, no[2], "\"version\":2"));
    CHECK(says(&w, ask(&w, "{\"op\":\"get\",\"key\":\"b\"}"),
        "\"value\":{\"x\":2,\"y\":3}"));
    world_close(&w);
}

TEST(one_that_is_refused_leaves_the_others)
{
    uint64_t no[3];
    struct world w;

    world_open(&w);
    no[0] = ask(&w, "{\"op\":\"put\",\"key\":\"a\",\"value\":1}");
    no[1] = ask(&w, "{\"op\":\"del\",\"key\":\"never\"}");
    no[2] = ask(&w, "{\"op\":\"put\",\"key\":\"b\",\"value\":2}");
    turn(&w);
    CHECK_UINT(node_counts(w.node)->groups_parted, 1);
    CHECK(says(&w, no[1], "\"code\":\"ENOTFOUND\""));
    CHECK(is_silent(&w, no[0]) && is_silent(&w, no[2]));
    persist(&w);
    CHECK(says(&w, no[0], "\"ok\":true"));
    CHECK(says(&w, no[2], "\"ok\":true"));
    world_close(&w);
}

/* What one has seen in a turn another has too. */
TEST(whoever_reads_sees_what_waits)
{
    struct world w;

    world_open(&w);
    (void)ask(&w, "{\"op\":\"put\",\"key\":\"a\",\"value\":\"new\"}");
    CHECK(says(&w, ask(&w, "{\"op\":\"get\",\"key\":\"a\"}"), "\"new\""));
    CHECK(says(&w, ask(&w, "{\"op\":\"ls\"}"), "\"key\":\"a\""));
    world_close(&w);
}

TEST(a_full_group_waits_no_longer)
{
    uint64_t before;
    struct world w;

    world_open(&w);
    turn(&w);
    before = w.commits;
    for (int i = 0; i < GROUP; i++) {
        CHECK_UINT(w.commits, before);
        (void)ask(&w, "{\"op\":\"put\",\"key\":\"a\",\"value\":1}");
    }
    CHECK_UINT(w.commits, before + 1);
    world_close(&w);
}

/* Nobody is told that it is safe before that on which it stands is. */
TEST(what_changes_nothing_waits_for_what_it_stands_on)
{
    uint64_t no;
    struct world w;

    world_open(&w);
    turn(&w);
    persist(&w);
    (void)ask(&w, "{\"op\":\"put\",\"key\":\"a\",\"value\":1}");
    no = ask(&w, "{\"op\":\"put\",\"key\":\"a\",\"value\":1}");
    turn(&w);
    CHECK(is_silent(&w, no));
    persist(&w);
    CHECK(says(&w, no, "\"ok\":true"));
    world_close(&w);
}

TEST(a_stop_does_what_waits)
{
    struct world w;

    world_open(&w);
    (void)ask(&w, "{\"op\":\"put\",\"key\":\"a\",\"value\":\"kept\"}");
    (void)ask(&w, "{\"op\":\"put\",\"key\":\"b\",\"value\":\"kept\"}");
    CHECK_OK(node_close(w.node));
    node_free(w.node);
    start(&w);
    CHECK(says(&w, ask(&w, "{\"op\":\"get\",\"key\":\"b\"}"), "kept"));
    world_close(&w);
}

/* All are answered, or the step says that memory ran out. */
TEST(without_memory_nobody_is_forgotten)
{
    bool failed = true;

    for (long nth = 0; failed; nth++) {
        uint64_t no[2];
        struct world w;
        int rc;

        world_open(&w);
        turn(&w);
        no[0] = ask(&w, "{\"op\":\"put\",\"key\":\"a\",\"value\":1}");
        no[1] = ask(&w, "{\"op\":\"put\",\"key\":\"b\",\"value\":2}");
        check_alloc_fail_from(nth);
        rc = step(&w, (struct event){ .type = EV_FLUSH });
        failed = check_alloc_failed();
        check_alloc_fail_from(-1);
        CHECK(rc == SYNCLINE_OK || rc == SYNCLINE_ENOMEM);
        if (rc == SYNCLINE_OK) {
            turn(&w);
            persist(&w);
            CHECK_SAYING(
                !is_silent(&w, no[0]) && !is_silent(&w, no[1]), "%ld", nth);
        }
        world_close(&w);
    }
}
