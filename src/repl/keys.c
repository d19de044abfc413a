#include "repl/keys.h"

#include "base/text.h"
#include "core/item.h"
#include "store/store.h"

/* Half a key is the name of something else. */
static struct slice done(const struct buf *b)
{
    return buf_status(b) == SYNCLINE_OK ? buf_slice(b) : STORE_NO_ROOM;
}

static void put_part(struct buf *b, struct slice part)
{
    if (store_had_no_room(part) && b->status == 0)
        b->status = SYNCLINE_ENOMEM;
    buf_put_slice(b, part);
}

struct slice key_meta_space(struct buf *b, const char *name, uint32_t space)
{
    buf_clear(b);
    buf_put_str(b, name);
    put_be32(b, space);
    return done(b);
}

struct slice key_meta_replica(
    struct buf *b, const char *name, uint32_t space, const struct rid *replica)
{
    (void)key_meta_space(b, name, space);
    buf_put(b, replica->b, RID_LEN);
    return done(b);
}

struct slice key_dead(struct buf *b, uint32_t space, struct slice key)
{
    (void)key_meta_space(b, META_DEAD, space);
    put_part(b, key);
    return done(b);
}

struct slice key_space(struct buf *b, uint32_t space)
{
    buf_clear(b);
    put_be32(b, space);
    return done(b);
}

struct slice key_item(struct buf *b, uint32_t space, struct slice key)
{
    (void)key_space(b, space);
    put_part(b, key);
    return done(b);
}

/* In the order of a feed. */
enum { KIND_CONFLICT = 1, KIND_ITEM = 2 };

struct slice key_feed(struct buf *b, uint32_t space, uint64_t lsn,
    enum feed_kind kind, struct slice tail)
{
    (void)key_space(b, space);
    put_be64(b, lsn);
    buf_put_u8(b, kind == FEED_ITEM ? KIND_ITEM : KIND_CONFLICT);
    put_part(b, tail);
    return done(b);
}

struct slice key_seen(
    struct buf *b, uint32_t space, const struct dot *dot, struct slice key)
{
    (void)key_space(b, space);
    buf_put(b, dot->replica.b, RID_LEN);
    put_be64(b, dot->seq);
    put_part(b, key);
    return done(b);
}

struct slice key_history_of(struct buf *b, uint32_t space, struct slice key)
{
    (void)key_item(b, space, key);
    buf_put_u8(b, 0);
    return done(b);
}

struct slice key_history(
    struct buf *b, uint32_t space, struct slice key, uint64_t version)
{
    (void)key_history_of(b, space, key);
    put_be64(b, version);
    return done(b);
}

struct slice key_conflict_of(struct buf *b, uint32_t space, struct slice key)
{
    return key_history_of(b, space, key);
}

struct slice key_conflict_tail(
    struct buf *b, struct slice key, struct slice path, const struct dot *dot)
{
    buf_clear(b);
    put_part(b, key);
    buf_put_u8(b, 0);
    put_be32(b, (uint32_t)path.len);
    put_part(b, path);
    buf_put(b, dot->replica.b, RID_LEN);
    put_be64(b, dot->seq);
    return done(b);
}

int get_feed_key(
    struct slice key, uint64_t *lsn, enum feed_kind *kind, struct slice *tail)
{
    struct reader r = reader_of(key);
    uint8_t k;

    (void)get_be32(&r);
    *lsn = get_be64(&r);
    k = get_u8(&r);
    if (r.err != 0 || (k != KIND_CONFLICT && k != KIND_ITEM))
        return SYNCLINE_ECORRUPT;
    *kind = k == KIND_ITEM ? FEED_ITEM : FEED_CONFLICT;
    *tail = r.in;
    return SYNCLINE_OK;
}

int get_seen_key(struct slice key, struct dot *dot, struct slice *item_key)
{
    struct reader r = reader_of(key);

    (void)get_be32(&r);
    get_into(&r, dot->replica.b, RID_LEN);
    dot->seq = get_be64(&r);
    *item_key = r.in;
    return r.err == 0 ? SYNCLINE_OK : SYNCLINE_ECORRUPT;
}

int get_conflict_tail(
    struct slice tail, struct slice *key, struct slice *path, struct dot *dot)
{
    const uint8_t *zero = tail.len == 0 ? NULL : memchr(tail.ptr, 0, tail.len);
    struct reader r;

    if (zero == NULL)
        return SYNCLINE_EMALFORMED;
    *key = SLICE(tail.ptr, (size_t)(zero - tail.ptr));
    r = reader_of(slice_from(tail, key->len + 1));
    *path = get_fixed(&r, get_be32(&r));
    get_into(&r, dot->replica.b, RID_LEN);
    dot->seq = get_be64(&r);
    if (r.err == 0 && path->len > PATH_MAX_LEN)
        r.err = SYNCLINE_EMALFORMED;
    return reader_end(&r);
}

int key_check(struct slice key, struct errmsg *why)
{
    if (key.len == 0)
        return errmsg_set(why, SYNCLINE_EINVAL, "an item's key is empty");
    if (key.len > KEY_MAX)
        return errmsg_set(why, SYNCLINE_ELIMIT,
            "a key of %zu bytes: at most %d are allowed", key.len, KEY_MAX);
    if (!utf8_valid(key))
        return errmsg_set(
            why, SYNCLINE_EMALFORMED, "a key that is not valid UTF-8");
    for (size_t i = 0; i < key.len; i++)
        if (key.ptr[i] < 0x20 || key.ptr[i] == 0x7f)
            return errmsg_set(why, SYNCLINE_EINVAL,
                "a key with a control character (byte %zu)", i);
    return SYNCLINE_OK;
}
