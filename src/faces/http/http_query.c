/* The query of a request's target, parameter by parameter. */
#include "faces/http/http_conn.h"

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The next byte that s says, or -1. */
static int take_decoded(struct slice *s)
{
    int high, low;

    if (s->ptr[0] != '%') {
        uint8_t c = s->ptr[0];

        *s = slice_from(*s, 1);
        return c == '+' ? ' ' : c;
    }
    if (s->len < 3)
        return -1;
    high = hex_digit(s->ptr[1]);
    low = hex_digit(s->ptr[2]);
    *s = slice_from(*s, 3);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static bool says(struct slice encoded, const char *name)
{
    for (; encoded.len > 0; name++) {
        int c = take_decoded(&encoded);

        if (c <= 0 || c != (uint8_t)*name)
            return false;
    }
    return *name == 0;
}

static int decode(struct slice encoded, struct buf *out)
{
    size_t had = out->len;

    while (encoded.len > 0) {
        int c = take_decoded(&encoded);

        if (c < 0) {
            out->len = had;
            return SYNCLINE_EMALFORMED;
        }
        buf_put_u8(out, (uint8_t)c);
    }
    if (buf_status(out) != SYNCLINE_OK)
        out->len = had;
    return buf_status(out);
}

/* What stands before the byte; s is what stands behind. */
static struct slice cut_at(struct slice *s, uint8_t byte)
{
    struct slice first = *s;

    for (size_t i = 0; i < s->len; i++) {
        if (s->ptr[i] == byte) {
            first.len = i;
            *s = slice_from(*s, i + 1);
            return first;
        }
    }
    *s = SLICE_NONE;
    return first;
}

int http_query(const struct http_request *r, const char *name, struct buf *out)
{
    struct slice rest = r->query, found = SLICE_NONE;
    bool is_found = false;

    while (rest.len > 0) {
        struct slice value = cut_at(&rest, '&');

        if (!says(cut_at(&value, '='), name))
            continue;
        if (is_found)
            return SYNCLINE_EMALFORMED;
        is_found = true;
        found = value;
    }
    return is_found ? decode(found, out) : SYNCLINE_ENOTFOUND;
}

bool http_query_next(struct slice *rest, struct buf *out)
{
    while (rest->len > 0) {
        struct slice one = cut_at(rest, '&');
        const struct slice name = cut_at(&one, '=');

        if (name.len == 0 && one.len == 0)
            continue;
        buf_clear(out);
        if (decode(name, out) != SYNCLINE_OK)
            buf_put_u8(out, 0xff);
        return true;
    }
    return false;
}
