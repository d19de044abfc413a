/* Batches of store.h: operations one after the other, written and read. */
#include "base/codec.h"
#include "store/store.h"

/* Set in an op's first byte, beside the table: a delete, without a value. */
#define OP_DELETE 0x80u

const uint8_t store_no_room[1];

static void put_key(struct batch *b, struct slice key)
{
    if (store_had_no_room(key) && b->ops.status == 0)
        b->ops.status = SYNCLINE_ENOMEM;
    put_bytes(&b->ops, key);
}

void batch_put(
    struct batch *b, enum store_table t, struct slice key, struct slice value)
{
    buf_put_u8(&b->ops, (uint8_t)t);
    put_key(b, key);
    put_bytes(&b->ops, value);
    b->n++;
}

void batch_del(struct batch *b, enum store_table t, struct slice key)
{
    buf_put_u8(&b->ops, (uint8_t)((unsigned)t | OP_DELETE));
    put_key(b, key);
    b->n++;
}

bool batch_next(struct slice *ops, struct batch_op *op, int *err)
{
    struct reader r = reader_of(*ops);
    uint8_t first;

    if (ops->len == 0)
        return false;
    first = get_u8(&r);
    op->table = (enum store_table)(first & ~OP_DELETE);
    op->key = get_bytes(&r);
    op->value = (first & OP_DELETE) != 0 ? SLICE_NONE : get_bytes(&r);
    if (r.err == 0 && op->table >= TABLE_END)
        r.err = SYNCLINE_EMALFORMED;
    if (r.err != 0) {
        *err = SYNCLINE_EMALFORMED;
        return false;
    }
    *ops = r.in;
    return true;
}
