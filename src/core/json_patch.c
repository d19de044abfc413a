#include "core/json_patch.h"

#include "base/plant.h"
#include "base/text.h"
#include "core/json_index.h"

struct patching {
    struct json *root, *none; /* the second is NULL */
    struct arena *a;
    struct errmsg *why;
    uint64_t work;
    /* The operation under way. */
    unsigned ix;
    struct slice op, path;
};

/* A place below the root: where it hangs, and by which segment. */
struct place {
    struct json *parent;
    struct slice last;
    unsigned depth;
};

static int wrong(struct patching *p, int rc, struct slice at, const char *what)
{
    const struct slice op = utf8_cut(p->op, 16), place = utf8_cut(at, 200);

    if (op.len == 0)
        return errmsg_set(p->why, rc, "patch[%u]: %s", p->ix, what);
    return errmsg_set(p->why, rc, "patch[%u] %.*s %.*s: %s", p->ix,
        SLICE_FMT(op), SLICE_FMT(place), what);
}

/* ---- what it costs ---- */

static int charge(struct patching *p, uint64_t work)
{
    p->work += work;
    return p->work <= JSON_PATCH_WORK_MAX || PLANTED(R32_BUDGET)
        ? SYNCLINE_OK
        : wrong(p, SYNCLINE_ELIMIT, p->path,
              "the patch is more work than one may be; make several of it");
}

/* Of bytes that are compared: a few at a time. */
static uint64_t compared(size_t len)
{
    return 1 + len / 64;
}

static uint64_t size_of(const struct json *v)
{
    uint64_t size = 1 + v->key.len;

    if (v->type == JSON_STRING || v->type == JSON_BIGINT)
        return size + v->s.len;
    if (v->type == JSON_ARRAY || v->type == JSON_OBJECT)
        for (const struct json *c = v->first; c != NULL; c = c->next)
            size += size_of(c);
    return size;
}

/* A value that may hang in the document. */
static int own(struct patching *p, const struct json *v, struct json **out)
{
    int rc = charge(p, size_of(v));

    if (rc != SYNCLINE_OK)
        return rc;
    *out = json_copy(v, p->a);
    return *out != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

/* ---- places ---- */

/* Decimal without leading zeros, below n; else n + 1. */
static uint64_t index_of(struct slice segment, uint64_t n)
{
    uint64_t ix = 0;

    if (segment.len == 0 || (segment.len > 1 && segment.ptr[0] == '0'))
        return n + 1;
    for (size_t i = 0; i < segment.len; i++) {
        if (segment.ptr[i] < '0' || segment.ptr[i] > '9')
            return n + 1;
        ix = ix * 10 + (uint64_t)(segment.ptr[i] - '0');
        if (ix > n)
            return n + 1;
    }
    return ix;
}

/* The link to a child; *out points at NULL if it is not there. */
static int link_of(struct patching *p, struct json *v, struct slice segment,
    struct json ***out)
{
    struct json **at = &v->first;
    uint64_t wanted;

    *out = &p->none;
    if (v->type != JSON_ARRAY && v->type != JSON_OBJECT)
        return SYNCLINE_OK;
    if (v->type == JSON_OBJECT) {
        uint64_t work = 1;

        while (*at != NULL && !slice_eq((*at)->key, segment)) {
            work += (*at)->key.len == segment.len ? compared(segment.len) : 1;
            at = &(*at)->next;
        }
        *out = at;
        return charge(p, work + compared(segment.len));
    }
    wanted = index_of(segment, v->n);
    if (wanted >= v->n)
        return SYNCLINE_OK;
    for (uint64_t i = 0; i < wanted; i++)
        at = &(*at)->next;
    *out = at;
    return charge(p, wanted + 1);
}

static int find_place(struct patching *p, struct slice at, struct place *out)
{
    const struct slice whole = at;
    int rc = json_pointer_next(&at, &out->last, p->a);

    out->parent = p->root;
    out->depth = 1;
    while (rc == SYNCLINE_OK && at.len > 0) {
        struct json **link;

        rc = link_of(p, out->parent, out->last, &link);
        if (rc != SYNCLINE_OK)
            return rc;
        if (*link == NULL)
            return wrong(p, SYNCLINE_ECONFLICT, whole,
                "there is no such place in the document");
        out->parent = *link;
        out->depth++;
        rc = json_pointer_next(&at, &out->last, p->a);
    }
    return rc == SYNCLINE_EMALFORMED
        ? wrong(p, SYNCLINE_EINVAL, whole, "is no JSON pointer (RFC 6901)")
        : rc;
}

/* The link to what is there. */
static int find_value(struct patching *p, struct slice at, struct place *place,
    struct json ***out)
{
    int rc;

    *place = (struct place){ 0 };
    *out = &p->root;
    if (at.len == 0)
        return SYNCLINE_OK;
    rc = find_place(p, at, place);
    if (rc == SYNCLINE_OK)
        rc = link_of(p, place->parent, place->last, out);
    return rc == SYNCLINE_OK && **out == NULL
        ? wrong(p, SYNCLINE_ECONFLICT, at, "there is no such value")
        : rc;
}

/* ---- changes ---- */

/* Takes the place of another value, in its list and by its name. */
static void become(struct json *old, const struct json *v)
{
    const struct json was = *old;

    *old = *v;
    old->key = was.key;
    old->next = was.next;
}

/* Every value below is looked at, and charged before the next one is. */
static int check_depth_from(
    struct patching *p, unsigned depth, const struct json *v)
{
    int rc = charge(p, 1);

    if (v->type != JSON_ARRAY && v->type != JSON_OBJECT)
        return rc;
    if (rc == SYNCLINE_OK && depth >= JSON_DEPTH_MAX)
        return wrong(p, SYNCLINE_ELIMIT, p->path, "nested too deep");
    for (v = v->first; v != NULL && rc == SYNCLINE_OK; v = v->next)
        rc = check_depth_from(p, depth + 1, v);
    return rc;
}

static int check_depth(
    struct patching *p, const struct place *at, const struct json *v)
{
    return check_depth_from(p, at->depth, v);
}

/* Where the last one is not known it is looked for. */
static int charge_end(struct patching *p, const struct json *list)
{
    return charge(p, 1 + (list->last == NULL ? list->n : 0));
}

static int insert(
    struct patching *p, struct json *arr, struct slice segment, struct json *v)
{
    const bool at_end = slice_is(segment, "-");
    const uint64_t ix = at_end ? arr->n : index_of(segment, arr->n);
    struct json **at = &arr->first;

    if (ix > arr->n)
        return wrong(p, SYNCLINE_ECONFLICT, p->path,
            "no index of this array, nor the one behind its end");
    v->key = SLICE_NONE;
    if (ix == arr->n) {
        int rc = charge_end(p, arr);

        if (rc == SYNCLINE_OK)
            (void)json_append(arr, v);
        return rc;
    }
    for (uint64_t i = 0; i < ix; i++)
        at = &(*at)->next;
    v->next = *at;
    *at = v;
    arr->n++;
    return charge(p, ix + 1);
}

static int add_at(struct patching *p, struct slice path, struct json *v)
{
    struct place at = { 0 };
    struct json **link;
    int rc;

    if (path.len == 0) {
        v->key = SLICE_NONE;
        v->next = NULL;
        p->root = v;
        return check_depth(p, &at, v);
    }
    rc = find_place(p, path, &at);
    if (rc == SYNCLINE_OK)
        rc = check_depth(p, &at, v);
    if (rc != SYNCLINE_OK)
        return rc;
    if (at.parent->type == JSON_ARRAY)
        return insert(p, at.parent, at.last, v);
    if (at.parent->type != JSON_OBJECT)
        return wrong(p, SYNCLINE_ECONFLICT, path,
            "stands below a value that is neither object nor array");
    rc = link_of(p, at.parent, at.last, &link);
    if (rc != SYNCLINE_OK)
        return rc;
    if (*link != NULL) {
        become(*link, v);
        return SYNCLINE_OK;
    }
    rc = charge_end(p, at.parent);
    if (rc == SYNCLINE_OK)
        (void)json_add(at.parent, at.last, v);
    return rc;
}

static int take_from(struct patching *p, struct slice path, struct json **out)
{
    struct place at;
    struct json **link;
    int rc = find_value(p, path, &at, &link);

    if (rc != SYNCLINE_OK)
        return rc;
    if (at.parent == NULL)
        return wrong(p, SYNCLINE_EINVAL, path,
            "the whole document cannot be taken away; delete the item");
    *out = *link;
    *link = (*out)->next;
    at.parent->n--;
    if (*link == NULL)
        at.parent->last = NULL; /* it was the last one */
    return SYNCLINE_OK;
}

/* ---- equality: as json_equal, but numbers are what they are worth ---- */

static bool same_number(const struct json *a, const struct json *b)
{
    const struct json *i = a->type == JSON_INT ? a : b;
    const struct json *d = a->type == JSON_INT ? b : a;

    if (a->type == JSON_INT && b->type == JSON_INT)
        return a->i == b->i;
    if (i->type == JSON_INT)
        return d->d >= -9223372036854775808.0 && d->d < 9223372036854775808.0 &&
            (int64_t)d->d == i->i && (double)(int64_t)d->d >= d->d &&
            (double)(int64_t)d->d <= d->d;
    return a->d >= b->d && a->d <= b->d;
}

static int same(const struct json *a, const struct json *b, bool *out);

static int same_members(const struct json *a, const struct json *b, bool *out)
{
    struct json_index ix;
    int rc = json_index_init(&ix, b);

    if (rc != SYNCLINE_OK)
        return rc;
    for (const struct json *v = a->first; v != NULL && *out && rc == 0;
         v = v->next) {
        const struct json *w = json_index_find(&ix, v->key);

        if (w == NULL)
            *out = false;
        else
            rc = same(v, w, out);
    }
    json_index_close(&ix);
    return rc;
}

static bool is_number(const struct json *v)
{
    return v->type == JSON_INT || v->type == JSON_DOUBLE;
}

static int same(const struct json *a, const struct json *b, bool *out)
{
    const struct json *w;
    int rc = SYNCLINE_OK;

    if (is_number(a) && is_number(b)) {
        *out = same_number(a, b);
        return rc;
    }
    if ((a->type != JSON_ARRAY && a->type != JSON_OBJECT) ||
        a->type != b->type || a->n != b->n) {
        *out = a->type == b->type && a->n == b->n && json_equal(a, b);
        return rc;
    }
    if (a->type == JSON_OBJECT)
        return same_members(a, b, out);
    w = b->first;
    for (const struct json *v = a->first; v != NULL && *out && rc == 0;
         v = v->next, w = w->next)
        rc = same(v, w, out);
    return rc;
}

/* ---- the operations ---- */

static int need_value(
    struct patching *p, const struct json *op, const struct json **out)
{
    *out = json_get(op, "value");
    return *out != NULL ? SYNCLINE_OK
                        : wrong(p, SYNCLINE_EINVAL, p->path, "has no value");
}

static int need_from(
    struct patching *p, const struct json *op, struct slice *out)
{
    const struct json *from = json_get(op, "from");

    if (from == NULL || from->type != JSON_STRING)
        return wrong(p, SYNCLINE_EINVAL, p->path, "has no `from`");
    *out = from->s;
    return SYNCLINE_OK;
}

static int on_add(struct patching *p, const struct json *op)
{
    const struct json *value = NULL;
    struct json *v;
    int rc = need_value(p, op, &value);

    if (rc == SYNCLINE_OK)
        rc = own(p, value, &v);
    return rc == SYNCLINE_OK ? add_at(p, p->path, v) : rc;
}

static int on_remove(struct patching *p, const struct json *op)
{
    struct json *gone;

    (void)op;
    return take_from(p, p->path, &gone);
}

static int on_replace(struct patching *p, const struct json *op)
{
    const struct json *value = NULL;
    struct json *v, **link;
    struct place at;
    int rc = need_value(p, op, &value);

    if (rc == SYNCLINE_OK)
        rc = find_value(p, p->path, &at, &link);
    if (rc == SYNCLINE_OK)
        rc = check_depth(p, &at, value);
    if (rc == SYNCLINE_OK)
        rc = own(p, value, &v);
    if (rc == SYNCLINE_OK)
        become(*link, v);
    return rc;
}

/* Of two pointers that are written the same way where they are the same. */
static bool is_inside(struct slice path, struct slice of)
{
    return path.len > of.len && slice_has_prefix(path, of) &&
        path.ptr[of.len] == '/';
}

static int on_move(struct patching *p, const struct json *op)
{
    struct slice from = SLICE_NONE;
    struct json *v = NULL;
    struct place at;
    struct json **link;
    int rc = need_from(p, op, &from);

    if (rc != SYNCLINE_OK)
        return rc;
    if (is_inside(p->path, from))
        return wrong(
            p, SYNCLINE_EINVAL, p->path, "a value cannot move into itself");
    if (slice_eq(p->path, from))
        return find_value(p, from, &at, &link);
    rc = take_from(p, from, &v);
    return rc == SYNCLINE_OK ? add_at(p, p->path, v) : rc;
}

static int on_copy(struct patching *p, const struct json *op)
{
    struct slice from = SLICE_NONE;
    struct json **link, *v;
    struct place at;
    int rc = need_from(p, op, &from);

    if (rc == SYNCLINE_OK)
        rc = find_value(p, from, &at, &link);
    if (rc == SYNCLINE_OK)
        rc = own(p, *link, &v);
    return rc == SYNCLINE_OK ? add_at(p, p->path, v) : rc;
}

static int on_test(struct patching *p, const struct json *op)
{
    const struct json *value = NULL;
    struct json **link;
    struct place at;
    bool equal = true;
    int rc = need_value(p, op, &value);

    if (rc == SYNCLINE_OK)
        rc = find_value(p, p->path, &at, &link);
    if (rc == SYNCLINE_OK)
        rc = charge(p, size_of(value));
    if (rc == SYNCLINE_OK)
        rc = same(*link, value, &equal);
    return rc == SYNCLINE_OK && !equal
        ? wrong(p, SYNCLINE_ECONFLICT, p->path, "the value is another one")
        : rc;
}

static int carry_out(struct patching *p, const struct json *op)
{
    static const struct {
        const char *name;
        int (*on)(struct patching *p, const struct json *op);
    } all[] = { { "add", on_add }, { "remove", on_remove },
        { "replace", on_replace }, { "move", on_move }, { "copy", on_copy },
        { "test", on_test } };
    const struct json *path = json_get(op, "path");

    p->op = json_get_str(op, "op");
    p->path = path != NULL && path->type == JSON_STRING ? path->s : SLICE_NONE;
    if (charge(p, compared(p->path.len)) != SYNCLINE_OK)
        return SYNCLINE_ELIMIT;
    if (op->type != JSON_OBJECT || path == NULL || path->type != JSON_STRING)
        return wrong(p, SYNCLINE_EINVAL, p->path,
            "an operation is an object with `op` and `path`");
    if (p->path.len > 0 && p->path.ptr[0] != '/')
        return wrong(
            p, SYNCLINE_EINVAL, p->path, "is no JSON pointer (RFC 6901)");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (slice_is(p->op, all[i].name))
            return all[i].on(p, op);
    return wrong(p, SYNCLINE_EINVAL, p->path,
        "`op` is none of add, remove, replace, move, copy and test");
}

int json_patch(struct json **out, const struct json *target,
    const struct json *patch, struct arena *a, struct errmsg *why)
{
    struct patching p = { .a = a, .why = why };
    int rc = SYNCLINE_OK;

    if (patch->type != JSON_ARRAY)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "a JSON Patch (RFC 6902) is an array of operations");
    if (patch->n > JSON_PATCH_OPS_MAX)
        return errmsg_set(why, SYNCLINE_ELIMIT,
            "a patch has at most %d operations", JSON_PATCH_OPS_MAX);
    p.root = json_copy(target, a);
    if (p.root == NULL)
        return SYNCLINE_ENOMEM;
    p.root->key = SLICE_NONE;
    for (const struct json *op = patch->first; op != NULL && rc == 0;
         op = op->next, p.ix++)
        rc = carry_out(&p, op);
    if (rc == SYNCLINE_OK)
        *out = p.root;
    return rc;
}
