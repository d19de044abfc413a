#include "files/local.h"

#include "core/item.h"

int local_check(struct slice pointer, struct arena *a, struct errmsg *why)
{
    struct slice rest = pointer, segment;
    int rc = SYNCLINE_OK;

    if (pointer.len == 0)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "the whole document cannot be local: then there is nothing to "
            "keep in sync");
    while (rc == SYNCLINE_OK)
        rc = json_pointer_next(&rest, &segment, a);
    if (rc == SYNCLINE_ENOTFOUND)
        return SYNCLINE_OK;
    if (rc != SYNCLINE_EMALFORMED)
        return rc;
    return errmsg_set(why, SYNCLINE_EINVAL,
        "%.*s: no JSON pointer; one looks like /network/host, with ~1 for / "
        "and ~0 for ~ in a name",
        SLICE_FMT(pointer));
}

/* A pointer below another one says nothing more. */
static bool is_covered(const struct local_parts *l, size_t ix)
{
    for (size_t i = 0; i < l->n; i++)
        if (path_is_above(l->pointers[i], l->pointers[ix]))
            return true;
    return false;
}

static void unlink_member(struct json *obj, const struct json *m)
{
    struct json **at = &obj->first;

    while (*at != m)
        at = &(*at)->next;
    *at = m->next;
    obj->last = NULL;
    obj->n--;
}

static int in_array(struct slice pointer, struct errmsg *why)
{
    return errmsg_set(why, SYNCLINE_EINVAL,
        "%.*s leads into an array, which is one value: it can only be local "
        "as a whole",
        SLICE_FMT(pointer));
}

/* Takes out what pointer names below v, and with `prune` each object on the
 * way that is empty then. */
static int cut(
    struct json *v, struct slice pointer, bool prune, struct arena *a)
{
    struct slice segment;
    struct json *m;
    int rc = json_pointer_next(&pointer, &segment, a);

    if (rc != SYNCLINE_OK)
        return rc;
    m = json_get_slice(v, segment);
    if (m == NULL)
        return v->type == JSON_ARRAY ? SYNCLINE_EINVAL : SYNCLINE_OK;
    if (pointer.len == 0) {
        unlink_member(v, m);
        return SYNCLINE_OK;
    }
    rc = cut(m, pointer, prune, a);
    if (prune && m->type == JSON_OBJECT && m->n == 0)
        unlink_member(v, m);
    return rc;
}

int local_strip(struct json **out, const struct json *doc,
    const struct local_parts *l, struct arena *a, struct errmsg *why)
{
    struct json *v = json_copy(doc, a);

    if (v == NULL)
        return SYNCLINE_ENOMEM;
    for (size_t i = 0; i < l->n; i++) {
        int rc =
            is_covered(l, i) ? SYNCLINE_OK : cut(v, l->pointers[i], true, a);

        if (rc == SYNCLINE_EINVAL)
            return in_array(l->pointers[i], why);
        if (rc != SYNCLINE_OK)
            return rc;
    }
    *out = v;
    return SYNCLINE_OK;
}

/* The part that pointer names, NULL if there is none. */
static int find(const struct json **out, const struct json *v,
    struct slice pointer, struct arena *a)
{
    while (pointer.len > 0 && v != NULL) {
        struct slice segment;
        int rc = json_pointer_next(&pointer, &segment, a);

        if (rc != SYNCLINE_OK)
            return rc;
        if (v->type == JSON_ARRAY)
            return SYNCLINE_EINVAL;
        v = json_get_slice(v, segment);
    }
    *out = v;
    return SYNCLINE_OK;
}

/* Makes of v an object with nothing in it, where it is none. */
static void make_room(struct json *v)
{
    if (v->type == JSON_OBJECT)
        return;
    v->type = JSON_OBJECT;
    v->n = 0;
    v->first = v->last = NULL;
}

static int put(struct json *v, struct slice pointer, const struct json *part,
    struct arena *a)
{
    while (pointer.len > 0) {
        struct slice segment;
        struct json *m;
        int rc = json_pointer_next(&pointer, &segment, a);

        if (rc != SYNCLINE_OK)
            return rc;
        make_room(v);
        m = json_get_slice(v, segment);
        if (m != NULL && pointer.len == 0)
            unlink_member(v, m);
        if (pointer.len == 0)
            m = json_add(v, segment, json_copy(part, a));
        else if (m == NULL)
            m = json_add(v, segment, json_new(a, JSON_OBJECT));
        if (m == NULL)
            return SYNCLINE_ENOMEM;
        v = m;
    }
    return SYNCLINE_OK;
}

/* An array of the remote document makes room later, or has nothing local. */
static int take_out(
    struct json *v, const struct local_parts *l, struct arena *a)
{
    for (size_t i = 0; i < l->n; i++) {
        int rc = cut(v, l->pointers[i], false, a);

        if (rc != SYNCLINE_OK && rc != SYNCLINE_EINVAL)
            return rc;
    }
    return SYNCLINE_OK;
}

int local_keep(struct json **out, const struct json *remote,
    const struct json *file, const struct local_parts *l, struct arena *a,
    struct errmsg *why)
{
    struct json *v = json_copy(remote, a);
    int rc;

    if (v == NULL)
        return SYNCLINE_ENOMEM;
    rc = take_out(v, l, a);
    for (size_t i = 0; i < l->n && rc == SYNCLINE_OK; i++) {
        const struct json *part = NULL;

        if (is_covered(l, i))
            continue;
        rc = find(&part, file, l->pointers[i], a);
        if (rc == SYNCLINE_EINVAL)
            return in_array(l->pointers[i], why);
        if (rc == SYNCLINE_OK && part != NULL)
            rc = put(v, l->pointers[i], part, a);
    }
    if (rc == SYNCLINE_OK)
        *out = v;
    return rc;
}
