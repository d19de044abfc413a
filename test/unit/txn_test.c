#include "repl/txn.h"

#include "unit/check.h"

#include "repl/keys.h"
#include "store/store_mem.h"

struct bench {
    struct store_mem *store;
    struct store_port port;
    struct txn txn;
};

static void begin(struct bench *t)
{
    *t = (struct bench){ 0 };
    CHECK_OK(store_mem_new(&t->store));
    t->port = store_mem_port(t->store);
    t->txn.store = &t->port;
}

static void end(struct bench *t)
{
    txn_free(&t->txn);
    store_mem_free(t->store);
}

static void commit(struct bench *t)
{
    uint64_t no;

    CHECK_OK(txn_status(&t->txn));
    CHECK_OK(store_commit(&t->port, buf_slice(&t->txn.batch.ops), &no));
    txn_reset(&t->txn);
}

/* Text, or "-" for nothing. */
static void check_read(
    struct bench *t, enum store_table table, const char *key, const char *want)
{
    struct slice value = SLICE_NONE;
    int rc = txn_get(&t->txn, table, slice_str(key), &value);

    if (*want == '-') {
        CHECK_INT(rc, SYNCLINE_ENOTFOUND);
        return;
    }
    CHECK_OK(rc);
    CHECK_SLICE(value, want);
}

static void put(
    struct bench *t, enum store_table table, const char *key, const char *value)
{
    txn_put(&t->txn, table, slice_str(key), slice_str(value));
}

TEST(reads_see_the_batch_before_the_store_does)
{
    static const enum store_table tables[] = { TABLE_ITEM, TABLE_CONFLICT };

    for (size_t i = 0; i < ARRAY_N(tables); i++) {
        struct bench t;
        struct slice value;

        begin(&t);
        put(&t, tables[i], "k", "1");
        check_read(&t, tables[i], "k", "1");
        CHECK_INT(store_get(&t.port, tables[i], SLICE_LIT("k"), &value),
            SYNCLINE_ENOTFOUND);
        put(&t, tables[i], "k", "2");
        check_read(&t, tables[i], "k", "2");
        put(&t, tables[i], "k", "");
        check_read(&t, tables[i], "k", "");
        txn_del(&t.txn, tables[i], SLICE_LIT("k"));
        check_read(&t, tables[i], "k", "-");
        put(&t, tables[i], "k", "3");
        commit(&t);
        check_read(&t, tables[i], "k", "3");
        end(&t);
    }
}

TEST(a_delete_hides_what_is_stored)
{
    struct bench t;

    begin(&t);
    put(&t, TABLE_ITEM, "k", "1");
    put(&t, TABLE_ITEM, "l", "2");
    commit(&t);
    txn_del(&t.txn, TABLE_ITEM, SLICE_LIT("k"));
    check_read(&t, TABLE_ITEM, "k", "-");
    check_read(&t, TABLE_ITEM, "l", "2");
    commit(&t);
    check_read(&t, TABLE_ITEM, "k", "-");
    end(&t);
}

TEST(tables_do_not_mix)
{
    struct bench t;

    begin(&t);
    put(&t, TABLE_ITEM, "k", "item");
    check_read(&t, TABLE_CONFLICT, "k", "-");
    put(&t, TABLE_CONFLICT, "k", "conflict");
    check_read(&t, TABLE_ITEM, "k", "item");
    check_read(&t, TABLE_CONFLICT, "k", "conflict");
    end(&t);
}

/* Tables that are only ever scanned are read from the store alone. */
TEST(the_other_tables_wait_for_the_commit)
{
    struct bench t;

    begin(&t);
    put(&t, TABLE_META, "k", "1");
    check_read(&t, TABLE_META, "k", "-");
    CHECK(!txn_is_empty(&t.txn));
    commit(&t);
    check_read(&t, TABLE_META, "k", "1");
    end(&t);
}

TEST(what_was_reset_never_was)
{
    struct bench t;

    begin(&t);
    CHECK(txn_is_empty(&t.txn));
    put(&t, TABLE_ITEM, "k", "1");
    txn_reset(&t.txn);
    CHECK(txn_is_empty(&t.txn));
    check_read(&t, TABLE_ITEM, "k", "-");
    commit(&t);
    check_read(&t, TABLE_ITEM, "k", "-");
    end(&t);
}

/* The ops arrive in order, so that the last of several holds. */
TEST(ops_are_kept_in_order)
{
    struct bench t;
    struct slice ops;
    struct batch_op op;
    int err = 0;

    begin(&t);
    put(&t, TABLE_ITEM, "k", "1");
    txn_del(&t.txn, TABLE_FEED, SLICE_LIT("f"));
    put(&t, TABLE_ITEM, "k", "2");
    CHECK_INT(t.txn.batch.n, 3);
    ops = buf_slice(&t.txn.batch.ops);
    CHECK(batch_next(&ops, &op, &err));
    CHECK_SLICE(op.value, "1");
    CHECK(batch_next(&ops, &op, &err));
    CHECK_INT(op.table, TABLE_FEED);
    CHECK(op.value.ptr == NULL);
    CHECK(batch_next(&ops, &op, &err));
    CHECK_SLICE(op.value, "2");
    CHECK(!batch_next(&ops, &op, &err));
    CHECK_INT(err, 0);
    end(&t);
}

/* A write that failed is not forgotten by those that follow, and the batch is
 * never half of what was meant. */
TEST(memory_that_runs_out_sticks)
{
    for (long n = 0;; n++) {
        struct bench t;
        bool out;

        begin(&t);
        check_alloc_fail_from(n);
        for (int i = 0; i < 40; i++) {
            char key[16] = "key";

            key[3] = (char)('0' + i);
            put(&t, TABLE_ITEM, key, "a value of some length, to fill pages");
        }
        out = check_alloc_failed();
        check_alloc_fail_from(-1);
        CHECK_INT(txn_status(&t.txn), out ? SYNCLINE_ENOMEM : SYNCLINE_OK);
        put(&t, TABLE_ITEM, "more", "1");
        CHECK_INT(txn_status(&t.txn), out ? SYNCLINE_ENOMEM : SYNCLINE_OK);
        txn_reset(&t.txn);
        CHECK_OK(txn_status(&t.txn));
        put(&t, TABLE_ITEM, "after", "1");
        check_read(&t, TABLE_ITEM, "after", "1");
        check_read(&t, TABLE_ITEM, "key0", "-");
        end(&t);
        if (!out)
            break;
        CHECK(n < 100);
    }
}

/* A key or a value that memory did not suffice for is nobody's: the batch
 * fails, and so does whoever reads or scans by it. */
TEST(half_a_key_is_no_key)
{
    struct buf key = { 0 }, value = { .status = SYNCLINE_ENOMEM };
    struct bench t;
    struct slice k, out;

    begin(&t);
    check_alloc_fail_from(0);
    k = key_item(&key, 1, SLICE_LIT("lamp"));
    check_alloc_fail_from(-1);
    CHECK(store_had_no_room(k));
    CHECK(txn_get(&t.txn, TABLE_ITEM, k, &out) == SYNCLINE_ENOMEM);
    CHECK(store_scan(&t.port, TABLE_ITEM, k, SLICE_NONE, NULL, NULL) ==
        SYNCLINE_ENOMEM);
    txn_del(&t.txn, TABLE_ITEM, k);
    CHECK(txn_status(&t.txn) == SYNCLINE_ENOMEM);
    txn_reset(&t.txn);
    txn_put_buf(&t.txn, TABLE_META, SLICE_LIT("x"), &value);
    CHECK(txn_status(&t.txn) == SYNCLINE_ENOMEM);
    buf_free(&key);
    end(&t);
}

static void hold(struct bench *t, const char *key, const void *read)
{
    struct buf value = { 0 };

    buf_put_str(&value, "value");
    txn_hold(&t->txn, TABLE_ITEM, slice_str(key), &value, 7, read);
    buf_free(&value);
}

static void check_held(struct bench *t, uint32_t n, const void *read)
{
    struct arena a = { 0 };
    struct txn_held *held;
    uint32_t found = 0;

    CHECK_OK(txn_take_held(&t->txn, &held, &a));
    for (; held != NULL; held = held->next, found++) {
        CHECK(held->read == read);
        CHECK_SLICE(held->value, "value");
        CHECK_UINT(held->above, 7);
    }
    CHECK_UINT(found, n);
    arena_free(&a);
}

/* What a held record says is given with it only while nothing may have changed
 * it and it is the one. */
TEST(who_holds_one_record_need_not_decode_it)
{
    static const int first = 1, second = 2;
    struct bench t;

    begin(&t);
    hold(&t, "a", &first);
    put(&t, TABLE_FEED, "f", "");
    put(&t, TABLE_META, "m", "1");
    check_held(&t, 1, &first);
    hold(&t, "a", &first);
    hold(&t, "a", &second); /* written again */
    check_held(&t, 1, &second);
    hold(&t, "a", &first);
    hold(&t, "b", &second);
    check_held(&t, 2, NULL);
    hold(&t, "a", &first);
    put(&t, TABLE_ITEM, "a", "value"); /* not held this time */
    check_held(&t, 1, NULL);
    hold(&t, "a", &first);
    txn_del(&t.txn, TABLE_ITEM, SLICE_LIT("a"));
    check_held(&t, 0, NULL);
    hold(&t, "a", &first);
    txn_reset(&t.txn);
    hold(&t, "b", NULL);
    check_held(&t, 1, NULL);
    end(&t);
}
