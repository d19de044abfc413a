/* json.h: from a tree to text. */
#include "core/json.h"

#include <math.h>

#include "base/text.h"
#include "core/json_index.h"
#include "core/json_number.h"
#include "core/json_plain.h"

struct style {
    bool sorted;
    bool ascii;
    bool spaced;
    bool pretty;
};

static const struct style styles[] = {
    [JSON_CANONICAL] = { .sorted = true },
    [JSON_SORTED_PLAIN] = { .sorted = true, .ascii = true, .spaced = true },
    [JSON_PLAIN] = { .ascii = true, .spaced = true },
    [JSON_COMPACT] = { .ascii = true },
    [JSON_PLAIN_RAW] = { .spaced = true },
    [JSON_PRETTY] = { .spaced = true, .pretty = true },
};

static void print_value(struct buf *b, const struct json *v,
    const struct style *st, unsigned level);

static void fail(struct buf *b, int rc)
{
    if (b->status == SYNCLINE_OK)
        b->status = rc;
}

/* Strings. */

static void put_u_escape(struct buf *b, uint32_t unit)
{
    static const char digits[] = "0123456789abcdef";
    const char text[] = { '\\', 'u', digits[unit >> 12 & 15],
        digits[unit >> 8 & 15], digits[unit >> 4 & 15], digits[unit & 15] };

    buf_put(b, text, sizeof text);
}

/* What stands after the backslash for c, or 0. */
static char short_escape(uint8_t c)
{
    switch (c) {
    case '"':
    case '\\':
        return (char)c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

static void put_escape(struct buf *b, uint8_t c)
{
    char letter = short_escape(c);

    if (letter == 0) {
        put_u_escape(b, c);
        return;
    }
    buf_put_u8(b, '\\');
    buf_put_u8(b, (uint8_t)letter);
}

/* How long the code point at the start of s is, 0 if it is broken. Halves of
 * surrogate pairs, which the tolerant parser lets in, are code points here. */
static size_t code_point(struct slice s, uint32_t *out)
{
    size_t n = s.ptr[0] < 0xe0 ? 2 : s.ptr[0] < 0xf0 ? 3 : 4;
    bool half = s.len >= 3 && s.ptr[0] == 0xed && s.ptr[1] >= 0xa0 &&
        s.ptr[1] <= 0xbf && (s.ptr[2] & 0xc0) == 0x80;

    if (s.len < n || (!half && !utf8_valid(SLICE(s.ptr, n))))
        return 0;
    *out = s.ptr[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++)
        *out = *out << 6 | (s.ptr[i] & 0x3fu);
    return n;
}

static size_t put_beyond_ascii(struct buf *b, struct slice s)
{
    uint32_t cp = 0;
    size_t n = code_point(s, &cp);

    if (n == 0) {
        fail(b, SYNCLINE_EMALFORMED);
    } else if (cp < 0x10000) {
        put_u_escape(b, cp);
    } else {
        put_u_escape(b, 0xd800 + ((cp - 0x10000) >> 10));
        put_u_escape(b, 0xdc00 + ((cp - 0x10000) & 0x3ff));
    }
    return n;
}

/* The bytes at the start of s that are printed as they are; beyond tells of
 * any that are not ASCII. */
static size_t plain_len(struct slice s, bool ascii, bool *beyond)
{
    uint8_t most = ascii ? 0x7e : 0xff, all = 0;
    size_t i = json_plain_len(s, ascii);

    for (; i < s.len; i++) {
        uint8_t c = s.ptr[i];

        if (c < 0x20 || c == '"' || c == '\\' || c > most)
            break;
        all |= c;
    }
    *beyond = all >= 0x80;
    return i;
}

/* Most of all strings. */
static inline void put_plain(struct buf *b, struct slice s, struct slice after)
{
    uint8_t *to = buf_reserve(b, s.len + 2 + after.len);

    if (to == NULL)
        return;
    to[0] = to[s.len + 1] = '"';
    if (s.len > 0)
        memcpy(to + 1, s.ptr, s.len);
    for (size_t i = 0; i < after.len; i++)
        to[s.len + 2 + i] = after.ptr[i];
    b->len += s.len + 2 + after.len;
}

static NOINLINE void print_odd_string(struct buf *b, struct slice s, bool ascii)
{
    buf_put_u8(b, '"');
    while (s.len > 0 && b->status == SYNCLINE_OK) {
        bool beyond;
        size_t n = plain_len(s, ascii, &beyond);

        /* Raw styles have no way to write half of a surrogate pair. */
        if (beyond && !utf8_valid(SLICE(s.ptr, n)))
            fail(b, SYNCLINE_EMALFORMED);
        buf_put(b, s.ptr, n);
        s = slice_from(s, n);
        if (s.len == 0)
            break;
        n = 1;
        if (s.ptr[0] >= 0x80)
            n = put_beyond_ascii(b, s);
        else
            put_escape(b, s.ptr[0]);
        s = slice_from(s, n);
    }
    buf_put_u8(b, '"');
}

void json_print_string(struct buf *b, struct slice s, bool ascii)
{
    if (json_plain_len(s, ascii) == s.len)
        put_plain(b, s, SLICE_NONE);
    else
        print_odd_string(b, s, ascii);
}

static void print_key(struct buf *b, struct slice key, const struct style *st)
{
    const struct slice after = SLICE(": ", st->spaced ? 2 : 1);

    if (json_plain_len(key, st->ascii) == key.len) {
        put_plain(b, key, after);
    } else {
        print_odd_string(b, key, st->ascii);
        buf_put_slice(b, after);
    }
}

void json_print_said(struct buf *b, struct slice s)
{
    struct buf inert = { 0 };

    if (utf8_valid(s)) {
        json_print_string(b, s, false);
        return;
    }
    put_inert(&inert, s);
    if (buf_status(&inert) != SYNCLINE_OK)
        fail(b, buf_status(&inert));
    else
        json_print_string(b, buf_slice(&inert), false);
    buf_free(&inert);
}

/* Numbers. */

static void print_int(struct buf *b, int64_t i)
{
    char text[20];
    size_t at = sizeof text;
    uint64_t v = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;

    do {
        text[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    if (i < 0)
        text[--at] = '-';
    buf_put(b, text + at, sizeof text - at);
}

static void put_zeros(struct buf *b, int64_t n)
{
    while (n-- > 0)
        buf_put_u8(b, '0');
}

/* 0.0001 up to below 1e16 */
static void print_fixed(struct buf *b, const struct decimal *d)
{
    size_t whole = d->exp <= 0 ? 0 : (size_t)d->exp;

    if (whole == 0) {
        buf_put_str(b, "0.");
        put_zeros(b, -d->exp);
        buf_put(b, d->digits, d->n);
    } else if (whole >= d->n) {
        buf_put(b, d->digits, d->n);
        put_zeros(b, (int64_t)(whole - d->n));
        buf_put_str(b, ".0");
    } else {
        buf_put(b, d->digits, whole);
        buf_put_u8(b, '.');
        buf_put(b, d->digits + whole, d->n - whole);
    }
}

static void print_exponent(struct buf *b, const struct decimal *d)
{
    int64_t e = d->exp - 1;

    buf_put(b, d->digits, 1);
    if (d->n > 1) {
        buf_put_u8(b, '.');
        buf_put(b, d->digits + 1, d->n - 1);
    }
    buf_put_str(b, e < 0 ? "e-" : "e+");
    e = e < 0 ? -e : e;
    if (e < 10)
        buf_put_u8(b, '0');
    print_int(b, e);
}

void json_print_double(struct buf *b, double d)
{
    struct decimal digits;

    if (isnan(d)) {
        buf_put_str(b, "NaN");
        return;
    }
    if (signbit(d)) {
        buf_put_u8(b, '-');
        d = -d;
    }
    if (isinf(d)) {
        buf_put_str(b, "Infinity");
        return;
    }
    if (d <= 0) {
        buf_put_str(b, "0.0");
        return;
    }
    decimal_shortest(&digits, d);
    if (digits.exp > -4 && digits.exp <= 16)
        print_fixed(b, &digits);
    else
        print_exponent(b, &digits);
}

/* Containers. */

static void new_line(struct buf *b, const struct style *st, unsigned level)
{
    if (!st->pretty)
        return;
    buf_put_u8(b, '\n');
    for (; level > 0; level--)
        buf_put_str(b, "  ");
}

static void print_comma(struct buf *b, const struct style *st)
{
    buf_put_u8(b, ',');
    if (st->spaced && !st->pretty)
        buf_put_u8(b, ' ');
}

static void print_member(
    struct buf *b, const struct json *m, const struct style *st, unsigned level)
{
    new_line(b, st, level);
    print_key(b, m->key, st);
    print_value(b, m, st, level);
}

static void print_sorted(struct buf *b, const struct json *obj,
    const struct style *st, unsigned level)
{
    struct json_index ix;

    if (json_index_init(&ix, obj) != SYNCLINE_OK) {
        fail(b, SYNCLINE_ENOMEM);
        return;
    }
    for (size_t i = 0; i < ix.n && b->status == SYNCLINE_OK; i++) {
        if (i > 0)
            print_comma(b, st);
        print_member(b, ix.sorted[i], st, level);
    }
    json_index_close(&ix);
}

static void print_object(struct buf *b, const struct json *obj,
    const struct style *st, unsigned level)
{
    buf_put_u8(b, '{');
    if (st->sorted && obj->n > 1) {
        print_sorted(b, obj, st, level + 1);
    } else {
        for (const struct json *m = obj->first;
             m != NULL && b->status == SYNCLINE_OK; m = m->next) {
            if (m != obj->first)
                print_comma(b, st);
            print_member(b, m, st, level + 1);
        }
    }
    if (obj->n > 0)
        new_line(b, st, level);
    buf_put_u8(b, '}');
}

static void print_array(struct buf *b, const struct json *arr,
    const struct style *st, unsigned level)
{
    buf_put_u8(b, '[');
    for (const struct json *v = arr->first;
         v != NULL && b->status == SYNCLINE_OK; v = v->next) {
        if (v != arr->first)
            print_comma(b, st);
        new_line(b, st, level + 1);
        print_value(b, v, st, level + 1);
    }
    if (arr->n > 0)
        new_line(b, st, level);
    buf_put_u8(b, ']');
}

static void print_value(
    struct buf *b, const struct json *v, const struct style *st, unsigned level)
{
    switch (v->type) {
    case JSON_NULL:
        buf_put_str(b, "null");
        break;
    case JSON_FALSE:
        buf_put_str(b, "false");
        break;
    case JSON_TRUE:
        buf_put_str(b, "true");
        break;
    case JSON_INT:
        print_int(b, v->i);
        break;
    case JSON_DOUBLE:
        json_print_double(b, v->d);
        break;
    case JSON_BIGINT:
        buf_put_slice(b, v->s);
        break;
    case JSON_STRING:
        json_print_string(b, v->s, st->ascii);
        break;
    case JSON_ARRAY:
        print_array(b, v, st, level);
        break;
    case JSON_OBJECT:
        print_object(b, v, st, level);
        break;
    }
}

void json_print(struct buf *b, const struct json *v, enum json_style style)
{
    print_value(b, v, &styles[style], 0);
}
