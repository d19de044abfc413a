#include "store/overlay.h"

void overlay_free(struct overlay *o)
{
    for (int t = 0; t < TABLE_END; t++)
        omap_free(&o->tables[t]);
    o->last = 0;
}

size_t overlay_bytes(const struct overlay *o)
{
    size_t n = 0;

    for (int t = 0; t < TABLE_END; t++)
        n += omap_bytes(&o->tables[t]);
    return n;
}

int overlay_reserve(struct overlay *o, struct slice ops)
{
    size_t n[TABLE_END] = { 0 }, bytes[TABLE_END] = { 0 };
    struct batch_op op;
    int rc = SYNCLINE_OK;

    while (batch_next(&ops, &op, &rc)) {
        n[op.table]++;
        bytes[op.table] += op.key.len + op.value.len;
    }
    for (int t = 0; t < TABLE_END && rc == SYNCLINE_OK; t++)
        if (n[t] > 0)
            rc = omap_reserve(&o->tables[t], n[t], bytes[t]);
    return rc;
}

void overlay_apply(struct overlay *o, struct slice ops, uint64_t no)
{
    struct batch_op op;
    int err = SYNCLINE_OK;

    while (batch_next(&ops, &op, &err))
        ENSURE(omap_put(&o->tables[op.table], op.key, op.value) == SYNCLINE_OK);
    ENSURE(err == SYNCLINE_OK);
    o->last = no;
}
