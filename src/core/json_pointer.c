/* json.h: pointers (RFC 6901). */
#include "core/json.h"

void json_pointer_put(struct buf *b, struct slice segment)
{
    buf_put_u8(b, '/');
    for (size_t i = 0; i < segment.len; i++) {
        if (segment.ptr[i] == '~')
            buf_put_str(b, "~0");
        else if (segment.ptr[i] == '/')
            buf_put_str(b, "~1");
        else
            buf_put_u8(b, segment.ptr[i]);
    }
}

/* "~0" is "~" and "~1" is "/"; no other may follow a "~". */
static int unescape(struct slice *out, struct slice raw, struct arena *a)
{
    uint8_t *to, *start;

    for (size_t i = 0; i < raw.len; i++)
        if (raw.ptr[i] == '~' &&
            (i + 1 == raw.len ||
                (raw.ptr[i + 1] != '0' && raw.ptr[i + 1] != '1')))
            return SYNCLINE_EMALFORMED;
    to = start = arena_alloc(a, raw.len);
    if (start == NULL)
        return SYNCLINE_ENOMEM;
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.ptr[i] == '~')
            *to++ = raw.ptr[++i] == '0' ? '~' : '/';
        else
            *to++ = raw.ptr[i];
    }
    *out = SLICE(start, (size_t)(to - start));
    return SYNCLINE_OK;
}

int json_pointer_next(
    struct slice *pointer, struct slice *segment, struct arena *a)
{
    const uint8_t *slash;
    struct slice raw;

    if (pointer->len == 0)
        return SYNCLINE_ENOTFOUND;
    if (pointer->ptr[0] != '/')
        return SYNCLINE_EMALFORMED;
    raw = SLICE(pointer->ptr + 1, pointer->len - 1);
    slash = raw.len == 0 ? NULL : memchr(raw.ptr, '/', raw.len);
    if (slash != NULL)
        raw.len = (size_t)(slash - raw.ptr);
    if (raw.len > 0 && memchr(raw.ptr, '~', raw.len) != NULL) {
        int rc = unescape(segment, raw, a);

        if (rc != SYNCLINE_OK)
            return rc;
    } else {
        *segment = raw;
    }
    *pointer = slice_from(*pointer, raw.len + 1);
    return SYNCLINE_OK;
}

/* Decimal without leading zeros; anything else, "-" too, names nothing. */
static struct json *element(const struct json *arr, struct slice segment)
{
    struct json *v = arr->first;
    uint64_t ix = 0;

    if (segment.len == 0 || (segment.len > 1 && segment.ptr[0] == '0'))
        return NULL;
    for (size_t i = 0; i < segment.len; i++) {
        if (segment.ptr[i] < '0' || segment.ptr[i] > '9')
            return NULL;
        ix = ix * 10 + (uint64_t)(segment.ptr[i] - '0');
        if (ix >= arr->n)
            return NULL;
    }
    while (ix-- > 0)
        v = v->next;
    return v;
}

/* Who may change v may change what is found in it; hence the cast. */
struct json *json_pointer_get(
    const struct json *v, struct slice pointer, struct arena *a)
{
    struct json *found = (struct json *)v;
    struct slice segment;

    while (found != NULL && pointer.len > 0) {
        if (json_pointer_next(&pointer, &segment, a) != SYNCLINE_OK)
            return NULL;
        if (found->type == JSON_ARRAY)
            found = element(found, segment);
        else
            found = json_get_slice(found, segment);
    }
    return found;
}
