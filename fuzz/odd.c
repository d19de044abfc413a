#include "fuzz/odd.h"

#define HLC_BASE (UINT64_C(1700000000000000) << 12)

void odd_init(struct odd *o, struct arena *a)
{
    *o = (struct odd){ .arena = a };
    for (uint8_t i = 0; i < ODD_RIDS; i++)
        o->rid[i].b[0] = (uint8_t)(i + 1);
}

struct rid odd_rid(const struct odd *o, struct pieces *p)
{
    return o->rid[take_below(p, ODD_RIDS)];
}

struct dot odd_dot(const struct odd *o, struct pieces *p)
{
    struct dot d = { .replica = odd_rid(o, p), .seq = take_number(p) };

    if (d.seq == 0)
        d.seq = 1;
    return d;
}

/* Mostly near to each other. */
struct stamp odd_stamp(const struct odd *o, struct pieces *p)
{
    uint8_t how = take_u8(p);
    struct stamp s = { .epoch = how == 255, .replica = odd_rid(o, p) };

    s.hlc = how < 240 ? HLC_BASE + how : take_number(p);
    return s;
}

struct vv odd_vv(const struct odd *o, struct pieces *p)
{
    struct vv v = { 0 };

    for (unsigned n = take_below(p, ODD_RIDS); n > 0; n--) {
        struct dot d = odd_dot(o, p);

        ENSURE(vv_add(&v, &d, o->arena) == SYNCLINE_OK);
    }
    return v;
}

struct slice odd_path(struct pieces *p)
{
    static const char *const paths[] = { "", "/a", "/a/b", "/a/b/c", "/b", "/c",
        "/d/e", "/d", "/a~1b", "/\xc3\xa9", "/a/" };
    const unsigned n = sizeof paths / sizeof *paths;
    unsigned ix = take_below(p, n + 1);

    return ix < n ? slice_str(paths[ix]) : take_piece(p);
}

struct slice odd_value(struct pieces *p)
{
    static const char *const values[] = { "{}", "1", "2", "\"x\"", "[1,2]",
        "null", "true", "1.5", "\"a longer text, for fragments of it\"", "[]",
        "-3" };
    const unsigned n = sizeof values / sizeof *values;
    unsigned ix = take_below(p, n + 4);
    struct slice s;

    if (ix < n)
        return slice_str(values[ix]);
    if (ix > n)
        return SLICE_NONE;
    s = take_piece(p);
    return s.len > 0 ? s : SLICE_NONE;
}

static uint32_t add_change(
    const struct odd *o, struct pieces *p, struct item *it)
{
    struct change c = { .dot = odd_dot(o, p) };
    uint8_t how = take_u8(p);
    uint32_t ix;

    c.first = (how & 1) != 0 ? odd_dot(o, p) : c.dot;
    c.stamp = odd_stamp(o, p);
    c.wall_us = (how & 2) != 0 ? take_number(p) : c.stamp.hlc >> 12;
    c.ctx = odd_vv(o, p);
    if ((how & 4) != 0)
        c.birth = odd_vv(o, p);
    if ((how & 8) != 0)
        c.proof = take_piece(p);
    if ((how & 48) == 48) {
        struct original *one = arena_zalloc(o->arena, 1, sizeof *one);

        ENSURE(one != NULL);
        one->dot = odd_dot(o, p);
        one->stamp = odd_stamp(o, p);
        one->value = odd_value(p);
        c.originals = one;
        c.originals_n = 1;
    }
    ENSURE(item_add_change(it, &c, &ix, o->arena) == SYNCLINE_OK);
    return ix;
}

/* A node's context covers what it holds, unless how says otherwise. */
static void cover(const struct odd *o, struct item *it)
{
    for (uint32_t i = 0; i < it->changes_n; i++) {
        const struct change *c = &it->changes[i];

        ENSURE(vv_add(&it->ctx, &c->dot, o->arena) == SYNCLINE_OK);
        ENSURE(vv_join(&it->ctx, &c->ctx, o->arena) == SYNCLINE_OK);
        ENSURE(vv_join(&it->birth, &c->birth, o->arena) == SYNCLINE_OK);
    }
}

void odd_item(const struct odd *o, struct pieces *p, const struct slice *only,
    struct item *out)
{
    uint8_t how = take_u8(p);
    unsigned cells = only != NULL ? 1 : how % 5;
    struct slice path = SLICE_NONE;

    item_init(out);
    out->length = only != NULL || (how & 32) == 0 ? 1 : take_number(p);
    if (out->length == 0 || out->length > LENGTH_MAX)
        out->length = 2;
    out->version = take_number(p) >> 2;
    if (!item_alive(out)) {
        out->tomb = add_change(o, p, out);
        cells = 0;
    }
    for (; cells > 0; cells--) {
        uint32_t ix = out->changes_n > 0 && take_below(p, 2) == 0
            ? out->changes_n - 1
            : add_change(o, p, out);
        struct slice value = only != NULL ? *only : odd_value(p);

        if (only == NULL)
            path = odd_path(p);
        ENSURE(item_set(out, path, value, ix, o->arena) == SYNCLINE_OK);
    }
    if ((how & 64) == 0)
        cover(o, out);
    else
        out->ctx = odd_vv(o, p);
    ENSURE(item_normalise(out, o->arena) == SYNCLINE_OK);
}

void odd_contender(const struct odd *o, struct pieces *p, struct contender *out)
{
    out->dot = odd_dot(o, p);
    out->stamp = odd_stamp(o, p);
    out->wall_us = take_number(p);
    out->path = odd_path(p);
    out->value = odd_value(p);
}
