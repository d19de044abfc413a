/* record_fuzz.c - a byte that says which kind, then a record or key of a
 * node's store, or the ops of a batch. Conflict records and their tails come
 * from members too.
 *
 * Holds the law: what is read is written the same. */
#include "fuzz/fuzz.h"
#include "repl/node_impl.h"

static void conflict_record(struct slice in)
{
    struct reader r = reader_of(in);
    struct conflict_record c;
    struct buf b = { 0 };

    if (get_conflict_record(&r, &c) == SYNCLINE_OK &&
        reader_end(&r) == SYNCLINE_OK) {
        put_conflict_record(&b, &c);
        ENSURE(slice_eq(written(&b), in));
    }
    buf_free(&b);
}

static void conflict_tail(struct slice in)
{
    struct slice key, path;
    struct buf b = { 0 };
    struct dot dot;

    if (get_conflict_tail(in, &key, &path, &dot) == SYNCLINE_OK)
        ENSURE(slice_eq(key_conflict_tail(&b, key, path, &dot), in));
    buf_free(&b);
}

static uint32_t space_of(struct slice key)
{
    struct reader r = reader_of(key);

    return get_be32(&r);
}

static void feed_key(struct slice in)
{
    enum feed_kind kind;
    struct slice tail;
    struct buf b = { 0 };
    uint64_t lsn;

    if (get_feed_key(in, &lsn, &kind, &tail) == SYNCLINE_OK)
        ENSURE(slice_eq(key_feed(&b, space_of(in), lsn, kind, tail), in));
    buf_free(&b);
}

static void seen_key(struct slice in)
{
    struct slice item;
    struct buf b = { 0 };
    struct dot dot;

    if (get_seen_key(in, &dot, &item) == SYNCLINE_OK)
        ENSURE(slice_eq(key_seen(&b, space_of(in), &dot, item), in));
    buf_free(&b);
}

static void history(struct slice in)
{
    struct history_entry e = { .version = 7 };
    struct buf b = { 0 };

    if (history_decode(in, &e) == SYNCLINE_OK) {
        ENSURE(e.version == 7);
        buf_put_u8(&b, e.what);
        put_dot(&b, &e.dot);
        put_stamp(&b, &e.stamp);
        put_u64(&b, e.wall_us);
        put_bytes(&b, e.path);
        buf_put_slice(&b, e.value);
        ENSURE(slice_eq(written(&b), in));
    }
    buf_free(&b);
}

static void stored_item(struct slice in)
{
    struct arena a = { 0 };
    struct buf b = { 0 };
    struct stored st = { 0 };

    if (stored_decode(in, &st, &a) == SYNCLINE_OK) {
        put_document(&b, &st.item, &a);
        ENSURE(buf_status(&b) == SYNCLINE_OK);
    }
    buf_free(&b);
    arena_free(&a);
}

static void ops(struct slice in)
{
    struct slice rest = in;
    struct batch again = { 0 };
    struct batch_op op;
    int err = 0;

    while (batch_next(&rest, &op, &err)) {
        if (op.value.ptr != NULL)
            batch_put(&again, op.table, op.key, op.value);
        else
            batch_del(&again, op.table, op.key);
    }
    if (err == 0)
        ENSURE(slice_eq(written(&again.ops), in));
    buf_free(&again.ops);
}

static void (*const kinds[])(struct slice in) = { conflict_record,
    conflict_tail, feed_key, seen_key, history, stored_item, ops };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pieces p = pieces_of(data, size);

    kinds[take_below(&p, sizeof kinds / sizeof *kinds)](p.in);
    return 0;
}
