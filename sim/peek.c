#include "sim/peek.h"

#include "repl/keys.h"

bool peek_space_number(struct slice key, uint32_t *number, struct slice *tail)
{
    struct reader r = reader_of(key);

    *number = get_be32(&r);
    *tail = r.in;
    return r.err == 0;
}

int peek_row(const struct store_port *s, uint32_t number, struct slice key,
    struct slice *out, struct arena *a)
{
    struct buf name = { 0 };
    struct slice value = SLICE_NONE;
    int rc = store_get(s, TABLE_ITEM, key_item(&name, number, key), &value);
    struct reader r = reader_of(value);

    buf_free(&name);
    *out = SLICE_NONE;
    if (rc != SYNCLINE_OK)
        return rc == SYNCLINE_ENOTFOUND ? SYNCLINE_OK : rc;
    (void)get_be64(&r);   /* lsn */
    (void)get_varint(&r); /* revisions */
    *out = arena_dup(a, r.in);
    return out->ptr == NULL ? SYNCLINE_ENOMEM : r.err;
}

int peek_item(struct slice value, struct item *out, struct arena *a)
{
    struct reader r = reader_of(value);

    (void)get_be64(&r);   /* lsn */
    (void)get_varint(&r); /* revisions */
    if (r.err == 0 && get_item(&r, out, a) == SYNCLINE_OK)
        return reader_end(&r);
    return r.err;
}

int peek_load(const struct store_port *s, uint32_t number, struct slice key,
    struct item *out, struct arena *a)
{
    struct buf name = { 0 };
    struct slice value;
    int rc = store_get(s, TABLE_ITEM, key_item(&name, number, key), &value);

    buf_free(&name);
    item_init(out);
    if (rc == SYNCLINE_ENOTFOUND)
        return SYNCLINE_OK;
    return rc == SYNCLINE_OK ? peek_item(value, out, a) : rc;
}

static int peek_space(struct slice value, struct peek *out)
{
    struct reader r = reader_of(value);

    out->what = PEEK_SPACE;
    if (value.ptr == NULL)
        return SYNCLINE_OK;
    get_into(&r, out->token.b, SPACE_TOKEN_LEN);
    out->name = r.in;
    return r.err;
}

static int peek_seen(struct slice tail, struct slice value, struct peek *out)
{
    struct reader k = reader_of(tail), v = reader_of(value);

    get_into(&k, out->dot.replica.b, RID_LEN);
    if (value.ptr != NULL)
        out->dot.seq = get_varint(&v);
    return k.err != 0 ? k.err : v.err;
}

int peek_meta(struct slice key, struct slice value, struct peek *out)
{
    *out = (struct peek){ .what = PEEK_OTHER };
    if (slice_has_prefix(key, SLICE_LIT(META_SPACE))) {
        key = slice_from(key, sizeof META_SPACE - 1);
        if (!peek_space_number(key, &out->number, &key))
            return SYNCLINE_ESHORT;
        return peek_space(value, out);
    }
    if (slice_has_prefix(key, SLICE_LIT(META_HORIZON))) {
        out->what = PEEK_HORIZON;
        key = slice_from(key, sizeof META_HORIZON - 1);
        if (!peek_space_number(key, &out->number, &key))
            return SYNCLINE_ESHORT;
        return peek_seen(key, value, out);
    }
    if (slice_has_prefix(key, SLICE_LIT(META_SEEN))) {
        out->what = PEEK_SEEN;
        key = slice_from(key, sizeof META_SEEN - 1);
        if (!peek_space_number(key, &out->number, &key))
            return SYNCLINE_ESHORT;
        return peek_seen(key, value, out);
    }
    if (slice_has_prefix(key, SLICE_LIT(META_JOINING))) {
        out->what = PEEK_JOINING;
        out->name = value;
        key = slice_from(key, sizeof META_JOINING - 1);
        return peek_space_number(key, &out->number, &key) ? SYNCLINE_OK
                                                          : SYNCLINE_ESHORT;
    }
    if (slice_has_prefix(key, SLICE_LIT(META_RETURNING))) {
        struct reader r = reader_of(value);
        uint8_t flags;

        out->what = PEEK_RETURNING;
        key = slice_from(key, sizeof META_RETURNING - 1);
        if (!peek_space_number(key, &out->number, &key))
            return SYNCLINE_ESHORT;
        if (value.ptr != NULL) {
            out->into = get_be32(&r);
            flags = get_u8(&r);
            out->mutual = (flags & 1) != 0;
            out->anew = (flags & 2) != 0;
        }
        return r.err;
    }
    return SYNCLINE_OK;
}

static void get_side(struct reader *r, struct peek_side *out)
{
    get_dot(r, &out->dot);
    get_stamp(r, &out->stamp);
    (void)get_u64(r); /* wall clock */
    out->path = get_bytes(r);
    (void)get_u8(r); /* whether there is a value */
    out->value = get_bytes(r);
}

int peek_conflict(
    struct slice key, struct slice value, struct peek_conflict *out)
{
    struct reader r = reader_of(value);
    struct slice tail, path;
    struct dot loser;
    uint8_t state;

    if (!peek_space_number(key, &out->number, &tail) ||
        get_conflict_tail(tail, &out->key, &path, &loser) != SYNCLINE_OK)
        return SYNCLINE_EMALFORMED;
    (void)get_be64(&r); /* lsn */
    state = get_u8(&r);
    out->resolved = (state & CONFLICT_RESOLVED) != 0;
    out->returned = (state & CONFLICT_RETURNED) != 0;
    out->life = get_varint(&r);
    get_side(&r, &out->loser);
    get_side(&r, &out->winner);
    if (r.err == 0 &&
        (!dot_eq(&loser, &out->loser.dot) || !slice_eq(path, out->loser.path)))
        return SYNCLINE_EMALFORMED;
    return r.err;
}

bool peek_past(const struct store_port *s, uint32_t number, uint32_t *past)
{
    struct buf name = { 0 };
    struct slice value = SLICE_NONE;
    struct stamp fields;
    struct reader r;
    int rc = store_get(
        s, TABLE_META, key_meta_space(&name, META_STATE, number), &value);

    buf_free(&name);
    if (rc != SYNCLINE_OK)
        return false;
    r = reader_of(value);
    for (int i = 0; i < 3; i++) /* lsn, alive, deleted */
        (void)get_varint(&r);
    for (int i = 0; i < 4; i++) /* fingerprints */
        (void)get_u64(&r);
    for (int i = 0; i < 2; i++) /* floors */
        (void)get_varint(&r);
    get_stamp(&r, &fields);
    (void)get_varint(&r); /* gone */
    *past = (uint32_t)get_varint_max(&r, UINT32_MAX);
    return reader_end(&r) == SYNCLINE_OK;
}

int peek_versions(const struct store_port *s, uint32_t past, struct slice key,
    store_scan_fn *fn, void *ctx)
{
    struct buf prefix = { 0 };
    int rc = store_scan(s, TABLE_HISTORY, key_history_of(&prefix, past, key),
        SLICE_NONE, fn, ctx);

    buf_free(&prefix);
    return rc;
}
