#include "unit/item_make.h"

struct rid make_rid(unsigned n)
{
    struct rid r = { { 0 } };

    r.b[0] = (uint8_t)(n * 16);
    r.b[RID_LEN - 1] = (uint8_t)n;
    return r;
}

struct dot make_dot(unsigned replica, uint64_t seq)
{
    return (struct dot){ .replica = make_rid(replica), .seq = seq };
}

struct stamp make_stamp(uint64_t hlc, unsigned replica)
{
    return (struct stamp){ .hlc = hlc, .replica = make_rid(replica) };
}

void make_cell(struct item *it, const char *path, const char *value,
    unsigned replica, uint64_t hlc, struct arena *a)
{
    struct change c = { .dot = make_dot(replica, hlc),
        .first = make_dot(replica, hlc),
        .stamp = make_stamp(hlc, replica) };
    uint32_t ix;

    if (it->length == 0)
        it->length = 1;
    CHECK_OK(item_add_change(it, &c, &ix, a));
    CHECK_OK(item_set(it, slice_str(path),
        value == NULL ? SLICE_NONE : slice_str(value), ix, a));
    CHECK_OK(vv_add(&it->ctx, &c.dot, a));
}

struct json *make_json(const char *text, struct arena *a)
{
    struct json *v;

    CHECK_OK(json_parse(&v, slice_str(text), JSON_STRICT, a, NULL));
    return v;
}

static struct slice taken(struct buf *b, struct arena *a)
{
    struct slice s;

    CHECK_OK(buf_status(b));
    s = arena_dup(a, buf_slice(b));
    buf_free(b);
    CHECK(s.ptr != NULL);
    return s;
}

struct slice item_bytes(const struct item *it, struct arena *a)
{
    struct buf b = { 0 };

    put_item(&b, it);
    return taken(&b, a);
}

struct slice item_text(const struct item *it, struct arena *a)
{
    struct buf b = { 0 };

    put_document(&b, it, a);
    return taken(&b, a);
}

struct slice random_segment(struct prng *p)
{
    static const struct slice odd[] = { LIT(""), LIT("~0"), LIT("~1"),
        LIT("a~1b"), LIT("\0z"), LIT("a\0"), LIT("\xc3\xa9"),
        LIT("\xf0\x9f\x8c\x8d"), LIT("a!"), LIT("\""), LIT("~0~1"),
        LIT("\x7f") };
    static const struct slice plain[] = { LIT("a"), LIT("b"), LIT("c") };

    if (prng_one_in(p, 5))
        return odd[prng_below(p, ARRAY_N(odd))];
    return plain[prng_below(p, ARRAY_N(plain))];
}

struct slice random_path(struct prng *p, struct arena *a)
{
    struct buf b = { 0 };

    for (uint64_t n = prng_below(p, 8) == 0 ? 0 : 1 + prng_below(p, 3); n > 0;
         n--) {
        buf_put_u8(&b, '/');
        buf_put_slice(&b, random_segment(p));
    }
    return taken(&b, a);
}

struct slice random_value(struct prng *p, struct arena *a)
{
    static const struct slice some[] = { LIT("{}"), LIT("[]"), LIT("null"),
        LIT("true"), LIT("[{\"a\":1},2]"), LIT("\"\xc3\xa9\"") };
    struct buf b = { 0 };

    if (prng_one_in(p, 3))
        return some[prng_below(p, ARRAY_N(some))];
    buf_printf(&b, "%u", (unsigned)prng_below(p, 30));
    return taken(&b, a);
}

/* The key that an escaped segment means. */
static struct slice meant(struct slice segment, struct arena *a)
{
    struct slice pointer, key;
    struct buf b = { 0 };

    buf_put_u8(&b, '/');
    buf_put_slice(&b, segment);
    pointer = taken(&b, a);
    CHECK_OK(json_pointer_next(&pointer, &key, a));
    return key;
}

static struct json *random_object(
    struct prng *p, unsigned depth, struct arena *a)
{
    struct json *obj = json_new(a, JSON_OBJECT);

    for (uint64_t n = prng_below(p, 4); n > 0; n--) {
        struct slice key = meant(random_segment(p), a);
        struct slice text = random_value(p, a);
        struct json *v;

        if (json_get_slice(obj, key) != NULL)
            continue;
        if (depth < 3 && prng_one_in(p, 3))
            v = random_object(p, depth + 1, a);
        else
            CHECK_OK(json_parse(&v, text, JSON_STRICT, a, NULL));
        CHECK(json_add(obj, key, v) != NULL);
    }
    return obj;
}

struct json *random_doc(struct prng *p, struct arena *a)
{
    struct slice text = random_value(p, a);
    struct json *v;

    if (!prng_one_in(p, 8))
        return random_object(p, 1, a);
    CHECK_OK(json_parse(&v, text, JSON_STRICT, a, NULL));
    return v;
}

static struct dot random_dot(struct prng *p)
{
    return make_dot((unsigned)prng_below(p, 6),
        1 + (prng_next(p) >> prng_below(p, 64)) / 4);
}

static struct vv random_vv(struct prng *p, struct arena *a)
{
    struct vv v = { 0 };

    for (uint64_t n = prng_below(p, 4); n > 0; n--) {
        struct dot d = random_dot(p);

        CHECK_OK(vv_add(&v, &d, a));
    }
    return v;
}

static struct stamp random_stamp(struct prng *p)
{
    return (struct stamp){ .epoch = prng_below(p, 3),
        .hlc = prng_next(p) >> prng_below(p, 64),
        .replica = make_rid((unsigned)prng_below(p, 9)) };
}

static void random_originals(struct prng *p, struct change *c, struct arena *a)
{
    struct original *o;

    c->originals_n = 1 + (uint32_t)prng_below(p, 3);
    c->originals = o = arena_zalloc(a, c->originals_n, sizeof *o);
    CHECK(o != NULL);
    for (uint32_t i = 0; i < c->originals_n; i++) {
        o[i].dot = make_dot(i + 1, 1 + prng_below(p, 300));
        o[i].stamp = random_stamp(p);
        o[i].value = prng_one_in(p, 3) ? SLICE_NONE : random_value(p, a);
    }
}

static struct change random_change(struct prng *p, struct arena *a)
{
    struct change c = { .dot = random_dot(p),
        .stamp = random_stamp(p),
        .ctx = random_vv(p, a),
        .birth = random_vv(p, a) };

    c.first = prng_one_in(p, 4) ? random_dot(p) : c.dot;
    c.wall_us = prng_one_in(p, 2) ? prng_next(p) : c.stamp.hlc >> 12;
    if (prng_one_in(p, 4))
        random_originals(p, &c, a);
    if (prng_one_in(p, 4))
        c.proof = SLICE_LIT("signature");
    return c;
}

struct item random_item(struct prng *p, struct arena *a)
{
    struct item it;
    uint32_t n = (uint32_t)prng_below(p, 5), ix;

    item_init(&it);
    it.length = 1 + prng_below(p, 4);
    it.version = prng_next(p) % LENGTH_MAX >> prng_below(p, 62);
    it.ctx = random_vv(p, a);
    it.birth = random_vv(p, a);
    for (uint32_t i = 0; i < n; i++) {
        struct change c = random_change(p, a);

        CHECK_OK(item_add_change(&it, &c, &ix, a));
    }
    for (uint64_t i = n == 0 || !item_alive(&it) ? 0 : prng_below(p, 8); i > 0;
         i--)
        CHECK_OK(item_set(&it, random_path(p, a),
            prng_one_in(p, 4) ? SLICE_NONE : random_value(p, a),
            (uint32_t)prng_below(p, n), a));
    if (!item_alive(&it) && n > 0 && !prng_one_in(p, 3))
        it.tomb = (int64_t)prng_below(p, n);
    CHECK_OK(item_normalise(&it, a));
    return it;
}

void arena_with_room(struct arena *a, size_t n)
{
    arena_free(a);
    CHECK_OK(arena_reserve(a, n + 1));
    CHECK(arena_alloc(a, a->held - n) != NULL);
}
