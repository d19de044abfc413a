/* The bytes of an item; doc/store.md has the layout. A replica that stands
 * in the item's context is written as its place there plus one, any other as
 * 0 and its sixteen bytes. */
#include "core/item.h"

#include "base/text.h"

enum change_flag {
    CHANGE_HAS_FIRST = 1, /* first differs from dot */
    CHANGE_HAS_WALL = 2,  /* wall_us is not the stamp's own time */
    CHANGE_HAS_ORIGINALS = 4,
    CHANGE_HAS_PROOF = 8,
    CHANGE_FLAGS = 15
};

#define ORIGINALS_MAX 4096

static uint32_t place(const struct vv *table, const struct rid *replica)
{
    uint32_t lo = 0, hi = table->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (rid_cmp(&table->e[mid].replica, replica) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo < table->n && rid_eq(&table->e[lo].replica, replica))
        return lo + 1;
    return 0;
}

static void put_replica(
    struct buf *b, const struct vv *table, const struct rid *replica)
{
    uint32_t at = place(table, replica);

    put_varint(b, at);
    if (at == 0)
        buf_put(b, replica->b, RID_LEN);
}

static void get_replica(
    struct reader *r, const struct vv *table, struct rid *out)
{
    uint64_t at = get_varint_max(r, table->n);

    if (at > 0) {
        *out = table->e[at - 1].replica;
        return;
    }
    get_into(r, out->b, RID_LEN);
    if (r->err == 0 && place(table, out) != 0)
        r->err = SYNCLINE_EMALFORMED;
}

static void put_short_dot(
    struct buf *b, const struct vv *table, const struct dot *d)
{
    put_replica(b, table, &d->replica);
    put_varint(b, d->seq);
}

static void get_short_dot(
    struct reader *r, const struct vv *table, struct dot *out)
{
    get_replica(r, table, &out->replica);
    out->seq = get_varint_max(r, SEQ_MAX);
    if (r->err == 0 && out->seq == 0)
        r->err = SYNCLINE_EMALFORMED;
}

static void put_short_vv(
    struct buf *b, const struct vv *table, const struct vv *v)
{
    put_varint(b, v->n);
    for (uint32_t i = 0; i < v->n; i++)
        put_short_dot(b, table, &v->e[i]);
}

static void get_short_vv(
    struct reader *r, const struct vv *table, struct vv *out, struct arena *a)
{
    uint64_t n = get_varint_max(r, VV_MAX);
    struct vv v = { 0 };

    if (r->err == 0 && n > r->in.len / 2)
        r->err = SYNCLINE_ESHORT;
    if (r->err == 0 && n > 0) {
        v.e = arena_alloc(a, n * sizeof *v.e);
        v.cap = (uint32_t)n;
        if (v.e == NULL)
            r->err = SYNCLINE_ENOMEM;
    }
    for (; v.n < n && r->err == 0; v.n++) {
        get_short_dot(r, table, &v.e[v.n]);
        if (r->err == 0 && v.n > 0 &&
            rid_cmp(&v.e[v.n - 1].replica, &v.e[v.n].replica) >= 0)
            r->err = SYNCLINE_EMALFORMED;
    }
    *out = v;
}

static void put_short_stamp(
    struct buf *b, const struct vv *table, const struct stamp *s)
{
    put_varint(b, s->epoch);
    put_u64(b, s->hlc);
    put_replica(b, table, &s->replica);
}

static void get_short_stamp(
    struct reader *r, const struct vv *table, struct stamp *out)
{
    out->epoch = get_varint(r);
    out->hlc = get_u64(r);
    get_replica(r, table, &out->replica);
}

/* 0 for nothing, else the length plus one and the bytes. */
static void put_value(struct buf *b, struct slice value)
{
    put_varint(b, value.ptr == NULL ? 0 : value.len + 1);
    buf_put_slice(b, value);
}

static struct slice get_value(struct reader *r)
{
    uint64_t n = get_varint_max(r, VALUE_SEALED_MAX + 1);

    if (n == 0)
        return SLICE_NONE;
    if (n == 1 && r->err == 0)
        r->err = SYNCLINE_EMALFORMED; /* no JSON is that short */
    return get_fixed(r, (size_t)n - 1);
}

static uint8_t change_flags(const struct change *c)
{
    unsigned flags = 0;

    if (!dot_eq(&c->first, &c->dot))
        flags |= CHANGE_HAS_FIRST;
    if (c->wall_us != c->stamp.hlc >> 12)
        flags |= CHANGE_HAS_WALL;
    if (c->originals_n > 0)
        flags |= CHANGE_HAS_ORIGINALS;
    if (c->proof.len > 0)
        flags |= CHANGE_HAS_PROOF;
    return (uint8_t)flags;
}

static void put_originals(
    struct buf *b, const struct vv *table, const struct change *c)
{
    put_varint(b, c->originals_n);
    for (uint32_t i = 0; i < c->originals_n; i++) {
        put_short_dot(b, table, &c->originals[i].dot);
        put_short_stamp(b, table, &c->originals[i].stamp);
        put_value(b, c->originals[i].value);
    }
}

/* table NULL: names are whole. */
static void get_originals(
    struct reader *r, const struct vv *table, struct change *c, struct arena *a)
{
    uint64_t n = get_varint_max(r, ORIGINALS_MAX);

    if (r->err == 0 && n == 0)
        r->err = SYNCLINE_EMALFORMED;
    if (r->err == 0 && n > r->in.len / 12)
        r->err = SYNCLINE_ESHORT;
    if (r->err != 0)
        return;
    c->originals = arena_zalloc(a, (size_t)n, sizeof *c->originals);
    if (c->originals == NULL)
        r->err = SYNCLINE_ENOMEM;
    for (; c->originals_n < n && r->err == 0; c->originals_n++) {
        struct original *o = &c->originals[c->originals_n];

        if (table != NULL) {
            get_short_dot(r, table, &o->dot);
            get_short_stamp(r, table, &o->stamp);
        } else {
            get_dot(r, &o->dot);
            get_stamp(r, &o->stamp);
        }
        o->value = get_value(r);
        if (r->err == 0 && c->originals_n > 0 &&
            dot_cmp(&o[-1].dot, &o->dot) >= 0)
            r->err = SYNCLINE_EMALFORMED;
    }
}

static void put_change(
    struct buf *b, const struct vv *table, const struct change *c)
{
    uint8_t flags = change_flags(c);

    buf_put_u8(b, flags);
    put_short_dot(b, table, &c->dot);
    if ((flags & CHANGE_HAS_FIRST) != 0)
        put_short_dot(b, table, &c->first);
    put_short_stamp(b, table, &c->stamp);
    if ((flags & CHANGE_HAS_WALL) != 0)
        put_u64(b, c->wall_us);
    put_short_vv(b, table, &c->ctx);
    put_short_vv(b, table, &c->birth);
    if ((flags & CHANGE_HAS_ORIGINALS) != 0)
        put_originals(b, table, c);
    if ((flags & CHANGE_HAS_PROOF) != 0)
        put_bytes(b, c->proof);
}

static void get_change(
    struct reader *r, const struct vv *table, struct change *c, struct arena *a)
{
    uint8_t flags = get_u8(r);

    *c = (struct change){ 0 };
    get_short_dot(r, table, &c->dot);
    c->first = c->dot;
    if ((flags & CHANGE_HAS_FIRST) != 0)
        get_short_dot(r, table, &c->first);
    get_short_stamp(r, table, &c->stamp);
    c->wall_us = c->stamp.hlc >> 12;
    if ((flags & CHANGE_HAS_WALL) != 0)
        c->wall_us = get_u64(r);
    get_short_vv(r, table, &c->ctx, a);
    get_short_vv(r, table, &c->birth, a);
    if ((flags & CHANGE_HAS_ORIGINALS) != 0)
        get_originals(r, table, c, a);
    if ((flags & CHANGE_HAS_PROOF) != 0)
        c->proof = get_bytes(r);
    if (r->err == 0 && (flags > CHANGE_FLAGS || flags != change_flags(c)))
        r->err = SYNCLINE_EMALFORMED;
}

void put_item_changes(struct buf *b, const struct item *it)
{
    put_varint(b, it->length);
    put_varint(b, it->version);
    put_vv(b, &it->ctx);
    put_short_vv(b, &it->ctx, &it->birth);
    put_varint(b, it->changes_n);
    for (uint32_t i = 0; i < it->changes_n; i++)
        put_change(b, &it->ctx, &it->changes[i]);
}

void put_item_cells(struct buf *b, const struct item *it)
{
    put_varint(b, (uint64_t)(it->tomb + 1));
    put_varint(b, it->cells_n);
    for (uint32_t i = 0; i < it->cells_n; i++) {
        put_bytes(b, it->cells[i].path);
        put_varint(b, it->cells[i].change);
        put_value(b, it->cells[i].value);
    }
}

void put_item(struct buf *b, const struct item *it)
{
    put_item_changes(b, it);
    put_item_cells(b, it);
}

void put_change_context(
    struct buf *b, const struct change *c, struct slice originals_tag)
{
    put_vv(b, &c->ctx);
    put_vv(b, &c->birth);
    put_u64(b, c->wall_us);
    buf_put_slice(b, originals_tag);
}

void put_change_originals(struct buf *b, const struct change *c)
{
    put_varint(b, c->originals_n);
    for (uint32_t i = 0; i < c->originals_n; i++) {
        put_dot(b, &c->originals[i].dot);
        put_stamp(b, &c->originals[i].stamp);
        put_value(b, c->originals[i].value);
    }
}

void get_change_originals(struct reader *r, struct change *c, struct arena *a)
{
    get_originals(r, NULL, c, a);
}

static void get_changes(struct reader *r, struct item *it, struct arena *a)
{
    uint64_t n = get_varint_max(r, CELLS_JOINED_MAX + 1);

    if (r->err == 0 && n > r->in.len / 13)
        r->err = SYNCLINE_ESHORT;
    if (r->err != 0)
        return;
    it->changes = arena_alloc(a, n * sizeof *it->changes);
    it->changes_cap = (uint32_t)n;
    if (it->changes == NULL)
        r->err = SYNCLINE_ENOMEM;
    for (; it->changes_n < n && r->err == 0; it->changes_n++) {
        struct change *c = &it->changes[it->changes_n];

        get_change(r, &it->ctx, c, a);
        if (r->err == 0 && it->changes_n > 0 && change_cmp(&c[-1], c) >= 0)
            r->err = SYNCLINE_EMALFORMED;
    }
}

static bool pointer_valid(struct slice p)
{
    unsigned depth = 0;

    if (p.len > PATH_MAX_LEN || (p.len > 0 && p.ptr[0] != '/'))
        return false;
    for (size_t i = 0; i < p.len; i++) {
        depth += p.ptr[i] == '/';
        if (p.ptr[i] == '~' &&
            (i + 1 == p.len || (p.ptr[i + 1] != '0' && p.ptr[i + 1] != '1')))
            return false;
    }
    return depth <= JSON_DEPTH_MAX && utf8_valid(p);
}

static void get_cells(struct reader *r, struct item *it, struct arena *a)
{
    uint64_t n = get_varint_max(r, CELLS_JOINED_MAX);

    if (r->err == 0 && n > r->in.len / 3)
        r->err = SYNCLINE_ESHORT;
    if (r->err != 0)
        return;
    it->cells = arena_alloc(a, n * sizeof *it->cells);
    it->cells_cap = (uint32_t)n;
    if (it->cells == NULL)
        r->err = SYNCLINE_ENOMEM;
    for (; it->cells_n < n && r->err == 0; it->cells_n++) {
        struct cell *c = &it->cells[it->cells_n];

        c->path = get_bytes(r);
        c->change = (uint32_t)get_varint_max(r, it->changes_n);
        c->value = get_value(r);
        if (r->err == 0 &&
            (c->change >= it->changes_n || !pointer_valid(c->path) ||
                (it->cells_n > 0 && path_cmp(c[-1].path, c->path) >= 0)))
            r->err = SYNCLINE_EMALFORMED;
    }
}

/* Every change is used, and only a deleted item has a tombstone. */
static int check_shape(const struct item *it, struct arena *a)
{
    uint8_t *used = arena_zalloc(a, it->changes_n + 1, 1);
    uint32_t n = 0;

    if (used == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < it->cells_n; i++)
        used[it->cells[i].change] = 1;
    if (it->tomb >= 0)
        used[it->tomb] = 1;
    for (uint32_t i = 0; i < it->changes_n; i++)
        n += used[i];
    if (n != it->changes_n || it->length == 0 ||
        (item_alive(it) ? it->tomb >= 0 : it->cells_n > 0))
        return SYNCLINE_EMALFORMED;
    return SYNCLINE_OK;
}

int item_check_cells(const struct item *it)
{
    for (uint32_t i = 0; i < it->cells_n; i++) {
        const struct cell *c = &it->cells[i];

        if (!pointer_valid(c->path) || c->value.len > VALUE_SEALED_MAX ||
            (c->value.ptr != NULL && c->value.len == 0) ||
            (i > 0 && path_cmp(c[-1].path, c->path) >= 0))
            return SYNCLINE_EMALFORMED;
    }
    return SYNCLINE_OK;
}

int get_item_head(struct reader *r, struct item *out, struct arena *a)
{
    item_init(out);
    out->length = get_varint_max(r, LENGTH_MAX);
    out->version = get_varint_max(r, LENGTH_MAX);
    return get_vv(r, &out->ctx, a);
}

int get_item_changes(struct reader *r, struct item *out, struct arena *a)
{
    struct item it;

    if (get_item_head(r, &it, a) != SYNCLINE_OK)
        return r->err;
    get_short_vv(r, &it.ctx, &it.birth, a);
    get_changes(r, &it, a);
    if (r->err == 0)
        *out = it;
    return r->err;
}

int get_item_cells(struct reader *r, struct item *it, struct arena *a)
{
    it->tomb = (int64_t)get_varint_max(r, it->changes_n) - 1;
    get_cells(r, it, a);
    if (r->err == 0)
        r->err = check_shape(it, a);
    return r->err;
}

int get_item(struct reader *r, struct item *out, struct arena *a)
{
    struct item it;

    if (get_item_changes(r, &it, a) == SYNCLINE_OK &&
        get_item_cells(r, &it, a) == SYNCLINE_OK)
        *out = it;
    return r->err;
}
