#include "app/import_line.h"

#include "repl/keys.h"

/* Of what is wrong with a member of a record, or NULL. */
static const char *odd_member(const struct json *record)
{
    for (const struct json *m = record->first; m != NULL; m = m->next)
        if (!slice_is(m->key, "key") && !slice_is(m->key, "value"))
            return "a record holds \"key\" and \"value\" and nothing else";
    return NULL;
}

static int take_record(
    struct import_line *out, const struct json *record, struct errmsg *why)
{
    const struct json *key = json_get(record, "key");
    const struct json *value = json_get(record, "value");

    if (record->type != JSON_OBJECT || key == NULL || value == NULL ||
        key->type != JSON_STRING)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "not a record of the form {\"key\":\"...\",\"value\":...}");
    if (odd_member(record) != NULL)
        return errmsg_set(why, SYNCLINE_EINVAL, "%s", odd_member(record));
    *out = (struct import_line){ .key = key->s, .value = value };
    return key_check(key->s, why);
}

int import_line_read(struct import_line *out, struct slice text,
    struct arena *a, struct errmsg *why)
{
    struct json *record;
    int rc;

    *out = (struct import_line){ 0 };
    if (text.len > 0 && text.ptr[text.len - 1] == '\r')
        text.len--;
    if (text.len == 0)
        return SYNCLINE_OK;
    rc = json_parse(&record, text, JSON_STRICT, a, why);
    return rc == SYNCLINE_OK ? take_record(out, record, why) : rc;
}

void import_line_put(struct buf *b, const struct import_line *line)
{
    buf_put_str(b, "{\"key\":");
    json_print_string(b, line->key, false);
    buf_put_str(b, ",\"value\":");
    json_print(b, line->value, JSON_CANONICAL);
    buf_put_u8(b, '}');
}
