/* options_describe.c - what is in force, for `syncline config`. */
#include "app/options_table.h"

void options_print(const struct options *o, const char *name, struct buf *b)
{
    const struct option_row *row = &option_rows[option_index(slice_str(name))];

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

struct json *options_describe(const struct options *o, struct arena *a)
{
    struct json *list = json_new(a, JSON_ARRAY);

    for (size_t ix = 0; list != NULL && ix < option_rows_n; ix++) {
        const struct option_row *row = &option_rows[ix];
        struct json *one = json_new(a, JSON_OBJECT);
        const char *source = options_source(o, row->name);

        if (json_append(list, one) == NULL ||
            json_add(one, SLICE_LIT("name"),
                json_new_str(a, slice_str(row->name))) == NULL ||
            json_add(one, SLICE_LIT("value"), describe_value(o, row, a)) ==
                NULL ||
            json_add(one, SLICE_LIT("source"),
                json_new_str(a, slice_str(source))) == NULL)
            return NULL;
    }
    return list;
}
