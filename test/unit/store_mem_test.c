#include "store/store_mem.h"

#include "store/digest.h"
#include "unit/check.h"
#include "unit/store_contract.h"

static void mem_sync(struct contract_store *c)
{
    store_mem_sync(c->self, store_mem_last(c->self));
}

static uint64_t mem_last(struct contract_store *c)
{
    return store_mem_last(c->self);
}

static uint64_t mem_durable(struct contract_store *c)
{
    return store_mem_durable(c->self);
}

static void mem_settle(struct contract_store *c)
{
    (void)c;
}

static void mem_crash(struct contract_store *c, struct prng *p)
{
    uint64_t lost = store_mem_last(c->self) - store_mem_durable(c->self);

    CHECK_OK(store_mem_crash(c->self, p != NULL ? prng_below(p, lost + 1) : 0));
}

static void mem_setup(struct contract_store *c)
{
    struct store_mem *s;

    CHECK_OK(store_mem_new(&s));
    *c = (struct contract_store){ s, store_mem_port(s), mem_sync, mem_last,
        mem_durable, mem_settle, mem_crash };
}

static void mem_teardown(struct contract_store *c)
{
    store_mem_free(c->self);
}

CONTRACT_STORIES(mem_setup, mem_teardown)

/* Three commits are durable, four more are not; two of those survive. */
TEST(a_crash_keeps_as_much_as_it_is_told)
{
    static struct model m;
    struct contract_store c;

    mem_setup(&c);
    model_init(&m, 3);
    for (int i = 0; i < 7; i++) {
        CHECK_OK(model_commit(&m, &c.port));
        if (i == 2)
            mem_sync(&c);
    }
    CHECK_OK(store_mem_crash(c.self, 2));
    CHECK_UINT(store_mem_last(c.self), 5);
    CHECK_UINT(store_mem_durable(c.self), 5);
    model_check(&m, &c.port, 5);
    CHECK_OK(store_mem_crash(c.self, 9));
    CHECK_UINT(store_mem_last(c.self), 5);
    mem_teardown(&c);
}

TEST(a_clone_is_equal_and_apart)
{
    static struct model m;
    struct contract_store c;
    struct store_mem *copy;
    struct store_port port;

    mem_setup(&c);
    model_init(&m, 4);
    for (int i = 0; i < 50; i++)
        CHECK_OK(model_commit(&m, &c.port));
    CHECK_OK(store_mem_clone(&copy, c.self));
    port = store_mem_port(copy);
    CHECK_OK(model_commit(&m, &c.port));
    CHECK_UINT(store_mem_durable(copy), 50);
    model_check(&m, &port, 50);
    store_mem_free(copy);
    mem_teardown(&c);
}

TEST(it_fails_as_often_as_it_is_told)
{
    static struct model m;
    struct contract_store c;

    mem_setup(&c);
    model_init(&m, 5);
    CHECK_OK(model_commit(&m, &c.port));
    store_mem_fail(c.self, SYNCLINE_EFULL, 2);
    CHECK_INT(model_commit(&m, &c.port), SYNCLINE_EFULL);
    CHECK_INT(model_commit(&m, &c.port), SYNCLINE_EFULL);
    CHECK_OK(model_commit(&m, &c.port));
    model_check(&m, &c.port, 2);
    mem_teardown(&c);
}

TEST(a_commit_beyond_the_limit_is_refused)
{
    struct contract_store c;
    struct batch b = { 0 };
    struct slice value;
    uint64_t no;

    mem_setup(&c);
    batch_put(&b, TABLE_ITEM, SLICE_LIT("k1"), SLICE_LIT("abc"));
    store_mem_limit(c.self, b.ops.len - 1);
    CHECK_INT(store_commit(&c.port, buf_slice(&b.ops), &no), SYNCLINE_ELIMIT);
    CHECK_INT(store_get(&c.port, TABLE_ITEM, SLICE_LIT("k1"), &value),
        SYNCLINE_ENOTFOUND);
    store_mem_limit(c.self, b.ops.len);
    CHECK_OK(store_commit(&c.port, buf_slice(&b.ops), &no));
    CHECK_UINT(no, 1);
    buf_free(&b.ops);
    mem_teardown(&c);
}

/* Whichever allocation fails, the batch is in whole or not at all. */
TEST(memory_that_runs_out_leaves_the_store_as_it_was)
{
    static struct model m;
    struct contract_store c;
    int failures = 0;

    mem_setup(&c);
    model_init(&m, 6);
    for (long i = 0; i < 600; i++) {
        int rc = model_commit_short(&m, &c.port, i % 3);

        CHECK(rc == SYNCLINE_OK || rc == SYNCLINE_ENOMEM);
        failures += rc != SYNCLINE_OK;
        if (rc != SYNCLINE_OK)
            model_check(&m, &c.port, m.last);
    }
    CHECK(failures > 5);
    CHECK_OK(store_mem_crash(c.self, 10));
    model_check(&m, &c.port, 10);
    mem_teardown(&c);
}

/* The bytes of a batch; doc/store.md. */
TEST(a_batch_is_these_bytes)
{
    static const uint8_t want[] = { 0x01, 2, 'k', '1', 3, 'a', 'b', 'c', 0x82,
        1, 'x', 0x00, 0, 0 };
    struct batch b = { 0 };
    struct slice ops;
    struct batch_op op;
    int err = 0;

    batch_put(&b, TABLE_ITEM, SLICE_LIT("k1"), SLICE_LIT("abc"));
    batch_del(&b, TABLE_FEED, SLICE_LIT("x"));
    batch_put(&b, TABLE_META, SLICE_NONE, SLICE_NONE);
    CHECK_INT(b.n, 3);
    CHECK_BYTES(buf_slice(&b.ops), SLICE(want, sizeof want));
    ops = buf_slice(&b.ops);
    CHECK(batch_next(&ops, &op, &err) && op.table == TABLE_ITEM);
    CHECK_SLICE(op.value, "abc");
    CHECK(batch_next(&ops, &op, &err) && op.table == TABLE_FEED);
    CHECK(op.value.ptr == NULL);
    CHECK(batch_next(&ops, &op, &err) && op.table == TABLE_META);
    CHECK(op.value.ptr != NULL && op.value.len == 0);
    CHECK(!batch_next(&ops, &op, &err) && err == 0);
    buf_free(&b.ops);
}

/* Cut anywhere inside an op, it is refused and not read beyond. */
TEST(a_cut_batch_is_refused)
{
    struct batch b = { 0 };

    batch_put(&b, TABLE_ITEM, SLICE_LIT("key"), SLICE_LIT("value"));
    for (size_t n = 1; n < b.ops.len; n++) {
        struct slice ops = SLICE(b.ops.ptr, n);
        struct batch_op op;
        int err = 0;

        CHECK(!batch_next(&ops, &op, &err));
        CHECK_INT(err, SYNCLINE_EMALFORMED);
    }
    buf_free(&b.ops);
}
