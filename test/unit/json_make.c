#include "unit/json_make.h"

#include "unit/check.h"

static const char *const keys[] = { "a", "b", "c", "name", "a/b", "~", "",
    "\xc3\xbc", "say \"so\"", "light.kitchen", "0", "x y" };
static const char *const texts[] = { "", "on", "off", "a longer sentence",
    "line\nline", "\xf0\x9f\x98\x80", "tab\t", "\"\\\"", "12", "null", "\x01" };
static const double doubles[] = { 0.0, -0.0, 1.0, 0.1, 1e300, -2.5e-7, 1e16 };
static const int64_t ints[] = { 0, 1, -1, 42, INT64_MAX, INT64_MIN };

#define ANY(p, table) ((table)[prng_below((p), ARRAY_N(table))])

static struct json *scalar(struct prng *p, struct arena *a)
{
    struct json *v;

    switch (prng_below(p, 5)) {
    case 0:
        v = json_new_int(a, ANY(p, ints));
        break;
    case 1:
        v = json_new(a, JSON_DOUBLE);
        CHECK(v != NULL);
        v->d = ANY(p, doubles);
        break;
    case 2:
        v = json_new(a, (enum json_type)prng_below(p, 3));
        break;
    default:
        v = json_new_str(a, slice_str(ANY(p, texts)));
        break;
    }
    CHECK(v != NULL);
    return v;
}

static struct json *array(struct prng *p, struct arena *a, unsigned depth)
{
    struct json *v = json_new(a, JSON_ARRAY);

    for (uint64_t n = prng_below(p, 5); n > 0; n--)
        CHECK(json_append(v, draw_json(p, a, depth)) != NULL);
    return v;
}

struct json *draw_object(struct prng *p, struct arena *a, unsigned depth)
{
    struct json *v = json_new(a, JSON_OBJECT);

    for (uint64_t n = prng_below(p, 6); n > 0; n--) {
        struct slice key = slice_str(ANY(p, keys));

        if (json_get_slice(v, key) == NULL)
            CHECK(json_add(v, key, draw_json(p, a, depth)) != NULL);
    }
    CHECK(v != NULL);
    return v;
}

struct json *draw_json(struct prng *p, struct arena *a, unsigned depth)
{
    uint64_t kind = prng_below(p, depth > 0 ? 4 : 2);

    if (kind == 3)
        return draw_object(p, a, depth - 1);
    if (kind == 2)
        return array(p, a, depth - 1);
    return scalar(p, a);
}

static struct json *again(struct arena *a, const struct json *v)
{
    struct json *c = arena_alloc(a, sizeof *c);

    CHECK(c != NULL);
    *c = *v;
    c->next = NULL;
    return c;
}

static struct json *change_kids(
    struct prng *p, struct arena *a, const struct json *v)
{
    struct json *out = json_new(a, v->type);
    const bool is_object = v->type == JSON_OBJECT;

    for (const struct json *k = v->first; k != NULL; k = k->next) {
        if (!is_object && prng_one_in(p, 8))
            CHECK(json_append(out, draw_json(p, a, 2)) != NULL);
        if (prng_one_in(p, 5))
            continue;
        CHECK(json_add(out, k->key, draw_change(p, a, k)) != NULL);
    }
    for (uint64_t n = prng_below(p, 3); n > 0; n--) {
        struct slice key = slice_str(ANY(p, keys));

        if (!is_object || json_get_slice(out, key) == NULL)
            CHECK(json_add(out, is_object ? key : SLICE_NONE,
                      draw_json(p, a, 2)) != NULL);
    }
    return out;
}

struct json *draw_change(struct prng *p, struct arena *a, const struct json *v)
{
    if (prng_one_in(p, 2))
        return again(a, v);
    if ((v->type == JSON_OBJECT || v->type == JSON_ARRAY) && !prng_one_in(p, 9))
        return change_kids(p, a, v);
    return draw_json(p, a, 3);
}

/* Texts. */

struct hand {
    struct prng *p;
    const char *newline, *unit, *colon, *gap, *pad;
    bool many, ascii;
};

static void write_value(
    struct buf *b, struct hand *h, const struct json *v, unsigned level);

static void write_space(
    struct buf *b, struct hand *h, unsigned level, const char *one_line)
{
    if (prng_one_in(h->p, 20)) {
        static const char *const odd[] = { " ", "\t", "\n", "\r\n\r\n", "" };

        buf_put_str(b, ANY(h->p, odd));
        return;
    }
    if (one_line != NULL) {
        buf_put_str(b, one_line);
        return;
    }
    if (prng_one_in(h->p, 10))
        buf_put_str(b, h->newline);
    buf_put_str(b, h->newline);
    for (; level > 0; level--)
        buf_put_str(b, h->unit);
}

static void write_kids(
    struct buf *b, struct hand *h, const struct json *v, unsigned level)
{
    const bool one_line = !h->many || prng_one_in(h->p, 4);

    for (const struct json *k = v->first; k != NULL; k = k->next) {
        if (k != v->first && prng_one_in(h->p, 20))
            buf_put_str(b, " ");
        if (k != v->first)
            buf_put_u8(b, ',');
        write_space(b, h, level + 1,
            !one_line           ? NULL
                : k == v->first ? h->pad
                                : h->gap);
        if (v->type == JSON_OBJECT) {
            json_print_string(b, k->key, h->ascii);
            buf_put_str(b, h->colon);
        }
        write_value(b, h, k, level + 1);
    }
    write_space(b, h, level, one_line ? h->pad : NULL);
}

static void write_value(
    struct buf *b, struct hand *h, const struct json *v, unsigned level)
{
    if (v->type == JSON_OBJECT || v->type == JSON_ARRAY) {
        buf_put_u8(b, v->type == JSON_OBJECT ? '{' : '[');
        if (v->n > 0 || prng_one_in(h->p, 6))
            write_kids(b, h, v, level);
        buf_put_u8(b, v->type == JSON_OBJECT ? '}' : ']');
        return;
    }
    if (v->type == JSON_DOUBLE && v->d >= 1 && v->d <= 1)
        buf_put_str(b, prng_one_in(h->p, 2) ? "1e0" : "1.00");
    else
        json_print(b, v, h->ascii ? JSON_COMPACT : JSON_CANONICAL);
}

void put_written(struct buf *b, struct prng *p, const struct json *v)
{
    static const char *const newlines[] = { "\n", "\n", "\r\n" };
    static const char *const units[] = { "  ", "    ", "\t", "" };
    static const char *const colons[] = { ": ", ":", " : ", ":\t" };
    static const char *const gaps[] = { " ", "", "  " };
    static const char *const pads[] = { "", " " };
    static const char *const ends[] = { "", "\n", "\n\n", " " };
    struct hand h = { .p = p };

    h.newline = ANY(p, newlines);
    h.unit = ANY(p, units);
    h.colon = ANY(p, colons);
    h.gap = ANY(p, gaps);
    h.pad = ANY(p, pads);
    h.many = !prng_one_in(p, 4);
    h.ascii = prng_one_in(p, 3);
    if (prng_one_in(p, 10))
        buf_put_str(b, "\xef\xbb\xbf");
    if (prng_one_in(p, 10))
        buf_put_str(b, h.newline);
    write_value(b, &h, v, 0);
    buf_put_str(b, ANY(p, ends));
}

struct json *json_of(struct slice text, struct arena *a)
{
    struct json *v = NULL;
    struct errmsg why = { "" };
    int rc = json_parse(&v, text, JSON_STRICT, a, &why);

    CHECK_SAYING(rc == SYNCLINE_OK, "%.*s: %s", SLICE_FMT(text), why.text);
    return v;
}
