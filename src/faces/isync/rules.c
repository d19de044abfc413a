#include "faces/isync/rules.h"

#define TABLE "config."

static bool has(struct slice s, struct slice what)
{
    return s.len >= what.len && what.len > 0 &&
        memmem(s.ptr, s.len, what.ptr, what.len) != NULL;
}

bool isync_path_syncs(struct slice path)
{
    return slice_has_prefix(path, SLICE_LIT(TABLE)) &&
        has(path, SLICE_LIT("._id."));
}

/* A star that takes too little is made to take one more. */
bool isync_pattern_takes(struct slice pattern, struct slice path)
{
    size_t p = 0, at = 0, star = SIZE_MAX, from = 0;

    while (at < path.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = ++p;
            from = at;
        } else if (p < pattern.len &&
            (pattern.ptr[p] == '?' || pattern.ptr[p] == path.ptr[at])) {
            p++;
            at++;
        } else if (star != SIZE_MAX) {
            p = star;
            at = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

/* As Python's str() of it would: the names in it too. */
static bool text_has(const struct json *v, struct slice what)
{
    struct buf b = { 0 };
    bool found;

    if (v->type == JSON_STRING)
        return has(v->s, what);
    if (v->type != JSON_ARRAY && v->type != JSON_OBJECT)
        return false;
    json_print(&b, v, JSON_COMPACT);
    found = buf_status(&b) == SYNCLINE_OK && has(buf_slice(&b), what);
    buf_free(&b);
    return found;
}

bool isync_record_has_id(const struct json *record)
{
    if (record == NULL || record->type != JSON_OBJECT)
        return false;
    for (const struct json *m = record->first; m != NULL; m = m->next)
        if (text_has(m, SLICE_LIT("_id")))
            return true;
    return false;
}

bool isync_record_is_sent(const struct json *record)
{
    return json_get(record, "id") != NULL &&
        (isync_record_has_id(record) || text_has(record, SLICE_LIT("._id.")));
}

bool isync_path_split(
    struct slice path, struct slice *record, struct slice *field)
{
    struct slice rest = slice_from(path, sizeof TABLE - 1);
    const uint8_t *dot;

    if (!slice_has_prefix(path, SLICE_LIT(TABLE)) || rest.len == 0)
        return false;
    dot = memchr(rest.ptr, '.', rest.len);
    if (dot == NULL || dot == rest.ptr)
        return false;
    *record = SLICE(rest.ptr, (size_t)(dot - rest.ptr));
    rest = slice_from(rest, record->len + 1);
    if (rest.len == 0)
        return false;
    dot = memchr(rest.ptr, '.', rest.len);
    *field = dot == NULL ? rest : SLICE(rest.ptr, (size_t)(dot - rest.ptr));
    return field->len > 0;
}

struct slice isync_path_of(
    struct slice record, struct slice field, struct arena *a)
{
    const size_t head = sizeof TABLE - 1, n = head + record.len + 1 + field.len;
    uint8_t *to = arena_alloc(a, n + 1);

    if (to == NULL)
        return SLICE_NONE;
    memcpy(to, TABLE, head);
    if (record.len > 0)
        memcpy(to + head, record.ptr, record.len);
    to[head + record.len] = '.';
    if (field.len > 0)
        memcpy(to + head + record.len + 1, field.ptr, field.len);
    to[n] = 0;
    return SLICE(to, n);
}

bool isync_rules_take(const struct isync_rules *rules, struct slice path,
    const struct json *record)
{
    struct slice id, field;

    if (isync_path_syncs(path))
        return true;
    for (size_t i = 0; i < rules->n; i++)
        if (isync_pattern_takes(slice_str(rules->patterns[i]), path))
            return true;
    /* Each record has its own id in its field `id`. */
    return isync_path_split(path, &id, &field) &&
        (has(id, SLICE_LIT("_id")) || isync_record_has_id(record));
}
