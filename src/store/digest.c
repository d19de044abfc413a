#include "store/digest.h"

#include "base/codec.h"

struct digest {
    struct hash128 sum;
    struct buf text;
};

/* The sum of the records so far, then this one, hashed. */
static int add_record(void *ctx, struct slice key, struct slice value)
{
    static const uint8_t no_secret[16];
    struct digest *d = ctx;

    buf_clear(&d->text);
    put_u64(&d->text, d->sum.lo);
    put_u64(&d->text, d->sum.hi);
    put_bytes(&d->text, key);
    put_bytes(&d->text, value);
    if (buf_status(&d->text) != SYNCLINE_OK)
        return buf_status(&d->text);
    d->sum = siphash128(no_secret, buf_slice(&d->text));
    return SYNCLINE_OK;
}

int store_digest(
    const struct store_port *s, enum store_table t, struct hash128 *out)
{
    struct digest d = { 0 };
    int rc = store_scan(s, t, SLICE_NONE, SLICE_NONE, add_record, &d);

    buf_free(&d.text);
    if (rc == SYNCLINE_OK)
        *out = d.sum;
    return rc;
}
