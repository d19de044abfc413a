#include "faces/lansync/item.h"

#include "faces/lansync/moment.h"

#define US UINT64_C(1000000)
#define VALUE_TYPE "value"

/* ---- the space's ---- */

/* {"value": 7}, which a value of another type than an object becomes. */
static bool is_bare(struct slice type, const struct json *data)
{
    const struct json *v = json_get(data, "value");

    return slice_is(type, VALUE_TYPE) && data->n == 1 && v != NULL &&
        v->type != JSON_OBJECT;
}

/* Is it what lan_item_value has made of something else? */
static bool is_wrapped(const struct json *v)
{
    const struct json *data = json_get(v, "data");
    struct slice type = json_get_str(v, "item_type");

    if (v->type != JSON_OBJECT || v->n != 2 || data == NULL ||
        data->type != JSON_OBJECT || type.len == 0 || is_bare(type, data))
        return false;
    return !slice_is(type, LAN_ITEM_TYPE) || is_wrapped(data);
}

static struct json *wrap(
    const struct json *data, const char *name, struct arena *a)
{
    struct json *copy = json_new(a, data->type);
    struct json *v = json_new(a, JSON_OBJECT);

    if (copy == NULL)
        return NULL;
    *copy = *data;
    copy->next = NULL;
    return json_add(v, slice_str(name), copy) != NULL ? v : NULL;
}

const struct json *lan_item_value(const struct lan_item *item, struct arena *a)
{
    struct json *v;

    if (is_bare(item->type, item->data))
        return json_get(item->data, "value");
    if (slice_is(item->type, LAN_ITEM_TYPE) && !is_wrapped(item->data))
        return item->data;
    v = wrap(item->data, "data", a);
    if (json_add(v, SLICE_LIT("item_type"), json_new_str(a, item->type)) ==
        NULL)
        return NULL;
    return v;
}

int lan_item_of(
    struct lan_item *item, const struct json *value, struct arena *a)
{
    if (value->type != JSON_OBJECT) {
        item->type = SLICE_LIT(VALUE_TYPE);
        item->data = wrap(value, "value", a);
    } else if (is_wrapped(value)) {
        item->type = json_get_str(value, "item_type");
        item->data = json_get(value, "data");
    } else {
        item->type = SLICE_LIT(LAN_ITEM_TYPE);
        item->data = value;
    }
    return item->data != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

/* ---- the wire's ---- */

static int read_time(uint64_t *out, const struct json *v, struct errmsg *why)
{
    static const char *const names[] = { "created_at", "timestamp",
        "last_modified" };

    for (size_t i = 0; i < 3; i++) {
        const struct json *t = json_get(v, names[i]);

        if (t == NULL || t->type == JSON_NULL)
            continue;
        if (t->type == JSON_STRING && moment_read(out, t->s) == SYNCLINE_OK)
            return SYNCLINE_OK;
        if (t->type == JSON_INT && t->i >= 0 &&
            (uint64_t)t->i < UINT64_MAX / US / 2) {
            *out = (uint64_t)t->i * US;
            return SYNCLINE_OK;
        }
        if (t->type == JSON_DOUBLE && t->d >= 0 && t->d < 1e12) {
            *out = (uint64_t)(t->d * (double)US + 0.5);
            return SYNCLINE_OK;
        }
        return errmsg_set(why, SYNCLINE_EMALFORMED,
            "%s: no time in UTC such as 2026-11-20T12:34:56.789012", names[i]);
    }
    return errmsg_set(why, SYNCLINE_EMALFORMED, "created_at: missing");
}

static struct slice text_of(
    const struct json *v, const char *name, const char *older)
{
    struct slice s = json_get_str(v, name);

    return s.len > 0 ? s : json_get_str(v, older);
}

/* Where data is a text, it is JSON, as their database has it. */
static int read_data(struct lan_item *out, const struct json *v,
    struct arena *a, struct errmsg *why)
{
    struct json *data = json_get(v, "data");
    struct json *parsed = NULL;
    int rc = SYNCLINE_OK;

    if (data != NULL && data->type == JSON_STRING)
        rc = json_parse(&parsed, data->s, JSON_TOLERANT, a, NULL);
    if (rc == SYNCLINE_ENOMEM)
        return rc;
    if (rc == SYNCLINE_OK && parsed != NULL)
        data = parsed;
    if (data == NULL || data->type != JSON_OBJECT)
        return errmsg_set(why, SYNCLINE_EMALFORMED, "data: no object");
    out->data = data;
    return SYNCLINE_OK;
}

int lan_item_read(struct lan_item *out, const struct json *v, struct arena *a,
    struct errmsg *why)
{
    struct lan_item it = { .id = text_of(v, "item_id", "id"),
        .type = text_of(v, "item_type", "type"),
        .node = text_of(v, "node_id", "last_modified_by") };
    int64_t version = json_get_int(v, "version", 1);
    int rc;

    if (v->type != JSON_OBJECT || it.id.len == 0)
        return errmsg_set(why, SYNCLINE_EMALFORMED, "item_id: missing");
    if (it.type.len == 0)
        it.type = SLICE_LIT(LAN_ITEM_TYPE);
    it.is_deleted = slice_is(json_get_str(v, "action"), "delete") ||
        json_get_bool(v, "is_deleted", false);
    it.version = version > 0 ? (uint64_t)version : 1;
    if (it.node.len == 0)
        it.node = json_get_str(json_get(v, "metadata"), "node_id");
    rc = read_time(&it.time_us, v, why);
    if (rc == SYNCLINE_OK && !it.is_deleted)
        rc = read_data(&it, v, a, why);
    if (rc == SYNCLINE_OK)
        *out = it;
    return rc;
}

struct json *lan_item_make(const struct lan_item *item, struct arena *a)
{
    struct json *v = json_new(a, JSON_OBJECT), *data;
    char time[MOMENT_MAX];
    const struct slice at =
        arena_dup(a, SLICE(time, moment_text(time, item->time_us)));

    data = json_new(a, JSON_OBJECT);
    if (data == NULL || at.ptr == NULL)
        return NULL;
    if (item->data != NULL)
        *data = *item->data;
    data->next = NULL;
    json_add(v, SLICE_LIT("item_id"), json_new_str(a, item->id));
    json_add(v, SLICE_LIT("item_type"), json_new_str(a, item->type));
    json_add(v, SLICE_LIT("action"),
        json_new_str(a,
            item->is_deleted        ? SLICE_LIT("delete")
                : item->version > 1 ? SLICE_LIT("update")
                                    : SLICE_LIT("create")));
    json_add(v, SLICE_LIT("data"), data);
    json_add(v, SLICE_LIT("created_at"), json_new_str(a, at));
    json_add(v, SLICE_LIT("node_id"), json_new_str(a, item->node));
    json_add(v, SLICE_LIT("version"), json_new_int(a, (int64_t)item->version));
    return a->failed ? NULL : v;
}
