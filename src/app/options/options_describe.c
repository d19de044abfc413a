/* options_describe.c - what is in force, for `syncline config`. */
#include "app/options/options_table.h"

void options_print(const struct options *o, const char *name, struct buf *b)
{
    const struct option_row *row = &option_rows[option_index(slice_str(name))];

    if (row->is_secret) {
        buf_put_str(b, options_str(o, name)[0] != 0 ? "(set)" : "");
        return;
    }
    switch (row->type) {
    case OPTION_STR:
    case OPTION_ENUM:
    case OPTION_LOG:
        buf_put_str(b, options_str(o, name));
        break;
    case OPTION_BOOL:
        buf_put_str(b, options_bool(o, name) ? "true" : "false");
        break;
    case OPTION_INT:
        option_print_number(b, row->type, options_int(o, name));
        break;
    case OPTION_DURATION:
        option_print_number(b, row->type, (int64_t)options_us(o, name));
        break;
    case OPTION_SIZE:
        option_print_number(b, row->type, (int64_t)options_size(o, name));
        break;
    case OPTION_NAMES:
    case OPTION_ADDRS:
        for (size_t i = 0; i < options_list_n(o, name); i++)
            buf_printf(b, "%s%s", i > 0 ? "," : "", options_list(o, name, i));
        break;
    }
}

static struct json *describe_list(
    const struct options *o, const char *name, struct arena *a)
{
    struct json *list = json_new(a, JSON_ARRAY);

    for (size_t i = 0; list != NULL && i < options_list_n(o, name); i++)
        if (json_append(list,
                json_new_str(a, slice_str(options_list(o, name, i)))) == NULL)
            return NULL;
    return list;
}

static struct json *describe_value(
    const struct options *o, const struct option_row *row, struct arena *a)
{
    struct buf b = { 0 };
    struct slice text;

    switch (row->type) {
    case OPTION_INT:
        return json_new_int(a, options_int(o, row->name));
    case OPTION_BOOL:
        return json_new_bool(a, options_bool(o, row->name));
    case OPTION_NAMES:
    case OPTION_ADDRS:
        return describe_list(o, row->name, a);
    default:
        break;
    }
    options_print(o, row->name, &b);
    text = buf_status(&b) == SYNCLINE_OK ? arena_dup(a, buf_slice(&b))
                                         : SLICE_NONE;
    buf_free(&b);
    return text.ptr == NULL ? NULL : json_new_str(a, text);
}

static bool add(struct json *obj, const char *name, struct json *v)
{
    return json_add(obj, slice_str(name), v) != NULL;
}

static bool add_str(
    struct json *obj, const char *name, const char *text, struct arena *a)
{
    return text == NULL || add(obj, name, json_new_str(a, slice_str(text)));
}

/* A bound, written as the value is. */
static bool add_bound(struct json *obj, const char *name,
    const struct option_row *row, int64_t number, struct arena *a)
{
    struct buf b = { 0 };
    struct slice text;

    if (row->type == OPTION_INT)
        return add(obj, name, json_new_int(a, number));
    option_print_number(&b, row->type, number);
    text = arena_dup(a, buf_slice(&b));
    buf_free(&b);
    return text.ptr != NULL && add(obj, name, json_new_str(a, text));
}

static bool add_bounds(
    struct json *obj, const struct option_row *row, struct arena *a)
{
    const bool number = row->type == OPTION_INT ||
        row->type == OPTION_DURATION || row->type == OPTION_SIZE;
    struct slice rest = slice_str(row->choices != NULL ? row->choices : "");
    struct json *choices = json_new(a, JSON_ARRAY);

    if (number)
        return add_bound(obj, "min", row, row->min, a) &&
            add_bound(obj, "max", row, row->max, a);
    if (row->choices == NULL)
        return choices != NULL;
    while (rest.len > 0) {
        const uint8_t *end = memchr(rest.ptr, '|', rest.len);
        size_t n = end != NULL ? (size_t)(end - rest.ptr) : rest.len;

        (void)json_append(choices, json_new_str(a, SLICE(rest.ptr, n)));
        rest = slice_from(rest, n + (end != NULL));
    }
    return add(obj, "choices", choices);
}

/* What the row says of itself. */
static bool add_row(
    struct json *obj, const struct option_row *row, struct arena *a)
{
    static const char *const when[] = { [OPTION_ON_RESTART] = "restart",
        [OPTION_AT_ONCE] = "at once",
        [OPTION_BY_HAND] = "restart" };

    return add_str(obj, "type", option_type_name(row->type), a) &&
        add_str(obj, "default", row->fallback, a) && add_bounds(obj, row, a) &&
        add_str(obj, "help", row->help, a) &&
        add_str(obj, "takes_effect", when[row->change], a) &&
        add(obj, "by_hand", json_new_bool(a, row->change == OPTION_BY_HAND));
}

/* What it will be from the next start on, if that is something else. */
static bool add_next(struct json *obj, const struct options *now,
    const struct options *next, const struct option_row *row, struct arena *a)
{
    struct json *v = describe_value(next, row, a), *is = json_get(obj, "value");

    if (v == NULL || now == next || json_equal(v, is))
        return v != NULL;
    return add(obj, "next", v);
}

void options_put_waiting(
    struct buf *b, const struct options *o, const struct options *next)
{
    struct arena a = { 0 };

    for (size_t ix = 0; ix < option_rows_n; ix++) {
        const struct option_row *row = &option_rows[ix];
        const struct json *is, *will;

        if (row->change == OPTION_AT_ONCE)
            continue;
        is = describe_value(o, row, &a);
        will = describe_value(next, row, &a);
        if (is == NULL || will == NULL)
            b->status = SYNCLINE_ENOMEM;
        else if (!json_equal(is, will))
            buf_printf(b, "%s%s", b->len > 0 ? ", " : "", row->name);
    }
    arena_free(&a);
}

struct json *options_describe(
    const struct options *o, const struct options *next, struct arena *a)
{
    struct json *list = json_new(a, JSON_ARRAY);

    for (size_t ix = 0; list != NULL && ix < option_rows_n; ix++) {
        const struct option_row *row = &option_rows[ix];
        const struct options *in_force =
            row->change == OPTION_AT_ONCE ? next : o;
        struct json *one = json_new(a, JSON_OBJECT);

        if (json_append(list, one) == NULL ||
            !add_str(one, "name", row->name, a) ||
            !add(one, "value", describe_value(in_force, row, a)) ||
            !add_str(one, "source", options_source(in_force, row->name), a) ||
            !add_next(one, in_force, next, row, a) || !add_row(one, row, a))
            return NULL;
    }
    return list;
}
