/* A value as YAML, in the place and the look of what stood there. */
#include "files/yaml_impl.h"

bool yaml_is_list(const struct json *v)
{
    return (v->type == JSON_OBJECT || v->type == JSON_ARRAY) && v->n > 0;
}

void yaml_print_indent(struct buf *b, unsigned indent)
{
    for (; indent > 0; indent--)
        buf_put_u8(b, ' ');
}

/* Strings. */

/* The code point at the start of s, which is valid UTF-8, and its length. */
static uint32_t code_point(struct slice s, size_t *n)
{
    uint8_t c = s.ptr[0];
    uint32_t cp = c;

    *n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (*n > 1)
        cp = c & (0xffu >> (*n + 1));
    for (size_t i = 1; i < *n; i++)
        cp = cp << 6 | (s.ptr[i] & 0x3fu);
    return cp;
}

/* Not what ends a line, nor what a reader refuses or drops. */
static bool is_printable(uint32_t cp)
{
    return (cp >= 0x20 && cp < 0x7f) || (cp > 0xa0 && cp < 0x2028) ||
        (cp > 0x2029 && cp < 0xd800) ||
        (cp >= 0xe000 && cp < 0xfffe && cp != 0xfeff) || cp >= 0x10000;
}

static bool all_printable(struct slice s, bool lines)
{
    while (s.len > 0) {
        size_t n;
        uint32_t cp = code_point(s, &n);

        if (!is_printable(cp) && !(lines && cp == '\n'))
            return false;
        s = slice_from(s, n);
    }
    return true;
}

static void print_double(struct buf *b, struct slice s)
{
    buf_put_u8(b, '"');
    while (s.len > 0) {
        size_t n;
        uint32_t cp = code_point(s, &n);

        if (cp == '"' || cp == '\\')
            buf_printf(b, "\\%c", (char)cp);
        else if (cp == '\n')
            buf_put_str(b, "\\n");
        else if (cp == '\t')
            buf_put_str(b, "\\t");
        else if (is_printable(cp))
            buf_put(b, s.ptr, n);
        else if (cp < 0x100)
            buf_printf(b, "\\x%02x", cp);
        else
            buf_printf(b, "\\u%04x", cp);
        s = slice_from(s, n);
    }
    buf_put_u8(b, '"');
}

static void print_single(struct buf *b, struct slice s)
{
    buf_put_u8(b, '\'');
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\'')
            buf_put_u8(b, '\'');
        buf_put_u8(b, s.ptr[i]);
    }
    buf_put_u8(b, '\'');
}

static void print_string(
    struct buf *b, struct slice s, enum yaml_look look, bool in_flow)
{
    /* A tag, and what it is for. */
    if (s.len > 0 && s.ptr[0] == '!')
        buf_put_slice(b, s);
    else if (look == LOOK_SINGLE && all_printable(s, false))
        print_single(b, s);
    else if (look != LOOK_DOUBLE && !in_flow && yaml_is_plain(s))
        buf_put_slice(b, s);
    else
        print_double(b, s);
}

void yaml_print_key(struct buf *b, struct slice key)
{
    if (yaml_is_plain(key))
        buf_put_slice(b, key);
    else
        print_double(b, key);
}

/* YAML 1.1 wants a point in a fraction. */
static void print_double_number(struct buf *b, double d)
{
    struct buf text = { 0 };
    const uint8_t *e;

    json_print_double(&text, d);
    e = text.len == 0 ? NULL : memchr(text.ptr, 'e', text.len);
    if (e != NULL && memchr(text.ptr, '.', text.len) == NULL) {
        buf_put(b, text.ptr, (size_t)(e - text.ptr));
        buf_put_str(b, ".0");
        buf_put(b, e, text.len - (size_t)(e - text.ptr));
    } else {
        buf_put_slice(b, buf_slice(&text));
    }
    if (buf_status(&text) != SYNCLINE_OK)
        b->status = buf_status(&text);
    buf_free(&text);
}

static void print_list(struct buf *b, const struct json *v)
{
    const bool map = v->type == JSON_OBJECT;

    buf_put_u8(b, map ? '{' : '[');
    for (const struct json *k = v->first; k != NULL; k = k->next) {
        if (k != v->first)
            buf_put_str(b, ", ");
        if (map) {
            print_double(b, k->key);
            buf_put_str(b, ": ");
        }
        yaml_print_flow(b, k, LOOK_PLAIN, true);
    }
    buf_put_u8(b, map ? '}' : ']');
}

void yaml_print_flow(
    struct buf *b, const struct json *v, enum yaml_look look, bool in_flow)
{
    if (v->type == JSON_OBJECT || v->type == JSON_ARRAY)
        print_list(b, v);
    else if (v->type == JSON_STRING)
        print_string(b, v->s, look, in_flow);
    else if (v->type == JSON_DOUBLE)
        print_double_number(b, v->d);
    else
        json_print(b, v, JSON_CANONICAL);
}

/* Lines. */

/* A text of several lines, none of which begins with a space. */
static bool has_lines(const struct json *v)
{
    struct slice s;

    if (v->type != JSON_STRING)
        return false;
    s = v->s;
    if (s.len < 2 || memchr(s.ptr, '\n', s.len - 1) == NULL ||
        s.ptr[0] == '\n' || s.ptr[0] == ' ' || !all_printable(s, true))
        return false;
    return s.ptr[s.len - 1] != '\n' || s.ptr[s.len - 2] != '\n';
}

static void print_text(
    struct buf *b, const struct yaml_style *st, struct slice s, unsigned indent)
{
    const bool ends = s.ptr[s.len - 1] == '\n';

    buf_put_str(b, ends ? "|" : "|-");
    if (ends)
        s.len--;
    while (s.len > 0) {
        const uint8_t *stop = memchr(s.ptr, '\n', s.len);
        size_t n = stop != NULL ? (size_t)(stop - s.ptr) : s.len;

        buf_put_slice(b, st->newline);
        if (n > 0)
            yaml_print_indent(b, indent);
        buf_put(b, s.ptr, n);
        s = slice_from(s, n + 1);
    }
}

void yaml_print_value(struct buf *b, const struct yaml_style *st,
    const struct json *v, enum yaml_look look, unsigned indent)
{
    if (yaml_is_list(v)) {
        indent += v->type == JSON_ARRAY ? st->dash : st->unit;
        buf_put_slice(b, st->newline);
        yaml_print_indent(b, indent);
        yaml_print_lines(b, st, v, indent);
        return;
    }
    buf_put_u8(b, ' ');
    if (!st->no_text && look != LOOK_DOUBLE && look != LOOK_SINGLE &&
        has_lines(v))
        print_text(b, st, v->s, indent + st->unit);
    else
        yaml_print_flow(b, v, look, false);
}

static void print_element(struct buf *b, const struct yaml_style *st,
    const struct json *v, unsigned indent)
{
    buf_put_u8(b, '-');
    if (yaml_is_list(v)) {
        buf_put_u8(b, ' ');
        yaml_print_lines(b, st, v, indent + 2);
    } else {
        yaml_print_value(b, st, v, LOOK_PLAIN, indent);
    }
}

void yaml_print_lines(struct buf *b, const struct yaml_style *st,
    const struct json *v, unsigned indent)
{
    for (const struct json *k = v->first;
         k != NULL && buf_status(b) == SYNCLINE_OK; k = k->next) {
        if (k != v->first) {
            buf_put_slice(b, st->newline);
            yaml_print_indent(b, indent);
        }
        if (v->type == JSON_ARRAY) {
            print_element(b, st, k, indent);
            continue;
        }
        yaml_print_key(b, k->key);
        buf_put_u8(b, ':');
        yaml_print_value(b, st, k, LOOK_PLAIN, indent);
    }
}
