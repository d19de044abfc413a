/* json.h: trees that are read, copied, compared, built and merged. */
#include "core/json.h"

#include <math.h>

#include "core/json_index.h"

/* Getters. */

struct json *json_get_slice(const struct json *v, struct slice key)
{
    if (v == NULL || v->type != JSON_OBJECT)
        return NULL;
    for (struct json *m = v->first; m != NULL; m = m->next)
        if (slice_eq(m->key, key))
            return m;
    return NULL;
}

int64_t json_get_int(const struct json *v, const char *key, int64_t fallback)
{
    const struct json *m = json_get(v, key);

    return m != NULL && m->type == JSON_INT ? m->i : fallback;
}

bool json_get_bool(const struct json *v, const char *key, bool fallback)
{
    const struct json *m = json_get(v, key);

    if (m == NULL || (m->type != JSON_TRUE && m->type != JSON_FALSE))
        return fallback;
    return m->type == JSON_TRUE;
}

/* Copies. */

static bool copy_slice(struct slice *s, struct arena *a)
{
    if (s->ptr != NULL)
        *s = arena_dup(a, *s);
    return s->ptr != NULL;
}

struct json *json_copy(const struct json *v, struct arena *a)
{
    struct json *out = v != NULL ? arena_alloc(a, sizeof *out) : NULL, **end;

    if (out == NULL)
        return NULL;
    *out = *v;
    out->next = NULL;
    if (v->key.ptr != NULL && !copy_slice(&out->key, a))
        return NULL;
    if ((v->type == JSON_STRING || v->type == JSON_BIGINT) &&
        v->s.ptr != NULL && !copy_slice(&out->s, a))
        return NULL;
    if (v->type != JSON_ARRAY && v->type != JSON_OBJECT)
        return out;
    out->last = NULL;
    end = &out->first;
    for (const struct json *c = v->first; c != NULL; c = c->next) {
        *end = json_copy(c, a);
        if (*end == NULL)
            return NULL;
        out->last = *end;
        end = &(*end)->next;
    }
    *end = NULL;
    return out;
}

/* Equality. */

/* 0.0 and -0.0 print differently, so they are two values. */
static bool double_equal(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    return a >= b && a <= b && signbit(a) == signbit(b);
}

static bool array_equal(const struct json *a, const struct json *b)
{
    const struct json *w = b->first;

    for (const struct json *v = a->first; v != NULL; v = v->next, w = w->next)
        if (w == NULL || !json_equal(v, w))
            return false;
    return w == NULL;
}

/* Members in the same order are found at once, others by an index of what is
 * left; without memory for one the long way still leads there. */
static bool object_equal(const struct json *a, const struct json *b)
{
    const struct json *v = a->first, *w = b->first;
    struct json_index ix;
    bool indexed, equal = true;

    for (; v != NULL && w != NULL && slice_eq(v->key, w->key);
         v = v->next, w = w->next)
        if (!json_equal(v, w))
            return false;
    if (v == NULL)
        return true;
    indexed = json_index_init(&ix, b) == SYNCLINE_OK;
    for (; v != NULL && equal; v = v->next) {
        w = indexed ? json_index_find(&ix, v->key) : json_get_slice(b, v->key);
        equal = w != NULL && json_equal(v, w);
    }
    if (indexed)
        json_index_close(&ix);
    return equal;
}

bool json_equal(const struct json *a, const struct json *b)
{
    if (a == b)
        return true;
    if (a == NULL || b == NULL || a->type != b->type)
        return false;
    switch (a->type) {
    case JSON_INT:
        return a->i == b->i;
    case JSON_DOUBLE:
        return double_equal(a->d, b->d);
    case JSON_BIGINT:
    case JSON_STRING:
        return slice_eq(a->s, b->s);
    case JSON_ARRAY:
        return a->n == b->n && array_equal(a, b);
    case JSON_OBJECT:
        return a->n == b->n && object_equal(a, b);
    default:
        return true;
    }
}

/* Builders. */

struct json *json_new(struct arena *a, enum json_type type)
{
    struct json *v = arena_zalloc(a, 1, sizeof *v);

    if (v != NULL)
        v->type = type;
    return v;
}

struct json *json_new_str(struct arena *a, struct slice s)
{
    struct json *v = json_new(a, JSON_STRING);

    if (v != NULL)
        v->s = s;
    return v;
}

struct json *json_new_int(struct arena *a, int64_t i)
{
    struct json *v = json_new(a, JSON_INT);

    if (v != NULL)
        v->i = i;
    return v;
}

struct json *json_new_bool(struct arena *a, bool b)
{
    return json_new(a, b ? JSON_TRUE : JSON_FALSE);
}

struct json *json_append(struct json *arr, struct json *v)
{
    if (arr == NULL || v == NULL)
        return NULL;
    if (arr->last == NULL)
        arr->last = arr->first;
    while (arr->last != NULL && arr->last->next != NULL)
        arr->last = arr->last->next;
    if (arr->last == NULL)
        arr->first = v;
    else
        arr->last->next = v;
    arr->last = v;
    arr->n++;
    v->next = NULL;
    return v;
}

struct json *json_add(struct json *obj, struct slice key, struct json *v)
{
    if (obj == NULL || v == NULL)
        return NULL;
    v->key = key;
    return json_append(obj, v);
}

/* Merge patch. */

static struct json *merge(
    const struct json *target, const struct json *patch, struct arena *a);

/* The node anew, so that it can stand in another list; children shared. */
static struct json *copy(const struct json *v, struct arena *a)
{
    struct json *c = arena_alloc(a, sizeof *c);

    if (c != NULL) {
        *c = *v;
        c->next = NULL;
    }
    return c;
}

/* The target's members as the patch leaves them, then what it adds. */
static bool merge_members(struct json *out, const struct json *target,
    const struct json *patch, const struct json_index *in_target,
    const struct json_index *in_patch, struct arena *a)
{
    const struct json *m = in_target->n > 0 ? target->first : NULL;
    struct json *v;

    for (; m != NULL; m = m->next) {
        const struct json *change = json_index_find(in_patch, m->key);

        if (change != NULL && change->type == JSON_NULL)
            continue;
        v = change == NULL ? copy(m, a) : merge(m, change, a);
        if (json_add(out, m->key, v) == NULL)
            return false;
    }
    for (m = patch->first; m != NULL; m = m->next) {
        if (m->type == JSON_NULL || json_index_find(in_target, m->key) != NULL)
            continue;
        if (json_add(out, m->key, merge(NULL, m, a)) == NULL)
            return false;
    }
    return true;
}

static struct json *merge(
    const struct json *target, const struct json *patch, struct arena *a)
{
    struct json_index in_target, in_patch;
    struct json *out = NULL;

    if (patch->type != JSON_OBJECT)
        return copy(patch, a);
    if (json_index_init(&in_target, target) != SYNCLINE_OK)
        return NULL;
    if (json_index_init(&in_patch, patch) != SYNCLINE_OK)
        goto close_target;
    out = json_new(a, JSON_OBJECT);
    if (out != NULL &&
        !merge_members(out, target, patch, &in_target, &in_patch, a))
        out = NULL;
    json_index_close(&in_patch);
close_target:
    json_index_close(&in_target);
    return out;
}

struct json *json_merge_patch(
    const struct json *target, const struct json *patch, struct arena *a)
{
    struct json *out = merge(target, patch, a);

    if (out != NULL)
        out->key = SLICE_NONE;
    return out;
}

unsigned json_depth(const struct json *v)
{
    unsigned deepest = 0;

    if (v->type != JSON_OBJECT && v->type != JSON_ARRAY)
        return 0;
    for (const struct json *m = v->first; m != NULL; m = m->next) {
        unsigned depth = json_depth(m);

        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}
