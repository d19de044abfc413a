#include "store/digest.h"

static int add_record(void *ctx, struct slice key, struct slice value)
{
    hash128_add(ctx, key);
    hash128_add(ctx, value);
    return SYNCLINE_OK;
}

int store_digest(
    const struct store_port *s, enum store_table t, struct hash128 *out)
{
    struct hash128 sum = { 0 };
    int rc = store_scan(s, t, SLICE_NONE, SLICE_NONE, add_record, &sum);

    if (rc == SYNCLINE_OK)
        *out = sum;
    return rc;
}
