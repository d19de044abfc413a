/* What a plain word means, and which text may stand as one. */
#include "files/yaml_impl.h"

/* YAML 1.1's words, as its wide-spread reader in Python takes them. */

static const struct {
    const char *word;
    enum json_type type;
} words[] = {
    { "", JSON_NULL },
    { "~", JSON_NULL },
    { "null", JSON_NULL },
    { "Null", JSON_NULL },
    { "NULL", JSON_NULL },
    { "true", JSON_TRUE },
    { "True", JSON_TRUE },
    { "TRUE", JSON_TRUE },
    { "yes", JSON_TRUE },
    { "Yes", JSON_TRUE },
    { "YES", JSON_TRUE },
    { "on", JSON_TRUE },
    { "On", JSON_TRUE },
    { "ON", JSON_TRUE },
    { "false", JSON_FALSE },
    { "False", JSON_FALSE },
    { "FALSE", JSON_FALSE },
    { "no", JSON_FALSE },
    { "No", JSON_FALSE },
    { "NO", JSON_FALSE },
    { "off", JSON_FALSE },
    { "Off", JSON_FALSE },
    { "OFF", JSON_FALSE },
};

/* Reads on in a word. */
struct word {
    const uint8_t *at, *end;
};

static int peek(const struct word *w)
{
    return w->at < w->end ? *w->at : -1;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

/* Skips characters from c to d, and "_"; how many. */
static size_t skip(struct word *w, int c, int d)
{
    const uint8_t *from = w->at;

    while ((peek(w) >= c && peek(w) <= d) || peek(w) == '_')
        w->at++;
    return (size_t)(w->at - from);
}

/* "+" or "-" */
static void skip_sign(struct word *w)
{
    if (peek(w) == '+' || peek(w) == '-')
        w->at++;
}

/* Groups of sixty: ":" and one or two digits below 60; how many. */
static size_t skip_sixties(struct word *w)
{
    size_t n = 0;

    while (peek(w) == ':' && w->end - w->at > 1 && is_digit(w->at[1])) {
        w->at += 2;
        if (w->at[-1] <= '5' && is_digit(peek(w)))
            w->at++;
        n++;
    }
    return n;
}

enum number {
    NO_NUMBER,
    DECIMAL,
    BINARY,
    OCTAL,
    HEX,
    SIXTIES,
    FRACTION,
    FRACTION_SIXTIES,
    NOT_FINITE
};

static bool is_not_finite(struct slice s)
{
    static const char *const table[] = { ".inf", ".Inf", ".INF", ".nan", ".NaN",
        ".NAN" };
    const size_t sign = s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+');

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (slice_is(i < 3 ? slice_from(s, sign) : s, table[i]))
            return true;
    return false;
}

static bool skip_exponent(struct word *w)
{
    const uint8_t *from;

    if (peek(w) != 'e' && peek(w) != 'E')
        return true;
    w->at++;
    if (peek(w) != '+' && peek(w) != '-')
        return false;
    w->at++;
    for (from = w->at; is_digit(peek(w));)
        w->at++;
    return w->at > from;
}

/* w is at the first of its digits. */
static enum number fraction(struct word w, bool sign)
{
    bool sixties = false;

    if (peek(&w) == '.') {
        w.at++;
        if (sign || !is_digit(peek(&w)))
            return NO_NUMBER;
        (void)skip(&w, '0', '9');
    } else {
        (void)skip(&w, '0', '9');
        sixties = skip_sixties(&w) > 0;
        if (peek(&w) != '.')
            return NO_NUMBER;
        w.at++;
        (void)skip(&w, '0', '9');
    }
    if (!sixties && !skip_exponent(&w))
        return NO_NUMBER;
    if (w.at != w.end)
        return NO_NUMBER;
    return sixties ? FRACTION_SIXTIES : FRACTION;
}

static enum number whole(struct word w)
{
    enum number kind = DECIMAL;

    if (peek(&w) == '0' && w.end - w.at > 1) {
        w.at++;
        if (peek(&w) == 'b') {
            w.at++;
            kind = skip(&w, '0', '1') > 0 ? BINARY : NO_NUMBER;
        } else if (peek(&w) == 'x') {
            const uint8_t *from = ++w.at;

            while (skip(&w, '0', '9') > 0 || skip(&w, 'a', 'f') > 0 ||
                skip(&w, 'A', 'F') > 0)
                ;
            kind = w.at > from ? HEX : NO_NUMBER;
        } else {
            kind = skip(&w, '0', '7') > 0 ? OCTAL : NO_NUMBER;
        }
    } else {
        bool zero = peek(&w) == '0';

        (void)skip(&w, '0', '9');
        if (!zero && skip_sixties(&w) > 0)
            kind = SIXTIES;
    }
    return w.at == w.end ? kind : NO_NUMBER;
}

static enum number number_kind(struct slice s)
{
    struct word w = { s.ptr, s.ptr + s.len };
    enum number kind;
    bool sign;

    if (s.len == 0)
        return NO_NUMBER;
    if (is_not_finite(s))
        return NOT_FINITE;
    skip_sign(&w);
    sign = w.at > s.ptr;
    if (!is_digit(peek(&w)) && peek(&w) != '.')
        return NO_NUMBER;
    kind = fraction(w, sign);
    return kind != NO_NUMBER || peek(&w) == '.' ? kind : whole(w);
}

/* v * base + d as long as it fits. */
static bool push_digit(uint64_t *v, uint64_t base, uint64_t d)
{
    if (*v > (UINT64_MAX - d) / base)
        return false;
    *v = *v * base + d;
    return true;
}

static uint64_t digit(uint8_t c)
{
    return (uint64_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
}

static bool magnitude(uint64_t *out, struct word w, enum number kind)
{
    uint64_t base = kind == BINARY ? 2
        : kind == OCTAL            ? 8
        : kind == HEX              ? 16
                                   : 10;
    uint64_t v = 0, part = 0;

    if (kind == BINARY || kind == HEX)
        w.at += 2;
    for (; w.at < w.end; w.at++) {
        if (*w.at == '_')
            continue;
        if (*w.at == ':') {
            if (!push_digit(&v, 60, part))
                return false;
            part = 0;
        } else if (!push_digit(&part, base, digit(*w.at))) {
            return false;
        }
    }
    *out = v;
    return kind == SIXTIES ? push_digit(out, 60, part)
                           : push_digit(out, 1, part);
}

static int read_whole(
    struct json *out, struct slice s, enum number kind, const char **what)
{
    struct word w = { s.ptr, s.ptr + s.len };
    bool negative = s.ptr[0] == '-';
    uint64_t v = 0;

    skip_sign(&w);
    if (!magnitude(&v, w, kind) ||
        v > (uint64_t)INT64_MAX + (negative ? 1 : 0)) {
        *what = "the integer does not fit 64 bits";
        return SYNCLINE_EUNSUPPORTED;
    }
    out->type = JSON_INT;
    out->i = negative ? (int64_t)(0 - v) : (int64_t)v;
    return SYNCLINE_OK;
}

/* As JSON spells it: no "_", no "+" in front, digits on both sides of the
 * point and none too many. */
static void put_fraction(struct buf *b, struct slice s)
{
    size_t i = 0;

    if (s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+')) {
        if (s.ptr[0] == '-')
            buf_put_u8(b, '-');
        i++;
    }
    while (i + 1 < s.len && (s.ptr[i] == '0' || s.ptr[i] == '_') &&
        s.ptr[i + 1] != '.' && s.ptr[i + 1] != 'e' && s.ptr[i + 1] != 'E')
        i++;
    if (i < s.len && s.ptr[i] == '_') /* only before the point */
        i++;
    if (i == s.len || s.ptr[i] == '.')
        buf_put_u8(b, '0');
    for (; i < s.len; i++) {
        if (s.ptr[i] == '_')
            continue;
        buf_put_u8(b, s.ptr[i]);
        if (s.ptr[i] != '.')
            continue;
        while (i + 1 < s.len && s.ptr[i + 1] == '_')
            i++;
        if (i + 1 == s.len || !is_digit(s.ptr[i + 1]))
            buf_put_u8(b, '0');
    }
}

static int read_fraction(
    struct json *out, struct slice s, struct arena *a, const char **what)
{
    struct buf b = { 0 };
    struct json *v = NULL;
    int rc;

    put_fraction(&b, s);
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = json_parse(&v, buf_slice(&b), JSON_STRICT, a, NULL);
    buf_free(&b);
    if (rc == SYNCLINE_OK) {
        out->type = v->type;
        out->d = v->d;
    } else if (rc == SYNCLINE_EMALFORMED) {
        *what = "the number is too large, or has more digits than are kept";
        rc = SYNCLINE_EUNSUPPORTED;
    }
    return rc;
}

/* 1:30.5 is 90.5 */
static int read_sixties(
    struct json *out, struct slice s, struct arena *a, const char **what)
{
    bool negative = s.ptr[0] == '-';
    double v = 0, base = 1;
    size_t end = s.len;

    if (negative || s.ptr[0] == '+')
        s = slice_from(s, 1);
    for (end = s.len; end > 0 || base <= 1;) {
        struct json part;
        size_t from = end;
        int rc;

        while (from > 0 && s.ptr[from - 1] != ':')
            from--;
        rc = read_fraction(&part, SLICE(s.ptr + from, end - from), a, what);
        if (rc != SYNCLINE_OK)
            return rc;
        v += (part.type == JSON_INT ? (double)part.i : part.d) * base;
        base *= 60;
        end = from > 0 ? from - 1 : 0;
    }
    out->type = JSON_DOUBLE;
    out->d = negative ? -v : v;
    return SYNCLINE_OK;
}

int yaml_word(
    struct json *out, struct slice word, struct arena *a, const char **what)
{
    enum number kind = number_kind(word);

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (slice_is(word, words[i].word)) {
            out->type = words[i].type;
            return SYNCLINE_OK;
        }
    switch (kind) {
    case NO_NUMBER:
        out->type = JSON_STRING;
        out->s = word;
        return SYNCLINE_OK;
    case FRACTION:
        return read_fraction(out, word, a, what);
    case FRACTION_SIXTIES:
        return read_sixties(out, word, a, what);
    case NOT_FINITE:
        *what = "JSON has no such number";
        return SYNCLINE_EUNSUPPORTED;
    default:
        return read_whole(out, word, kind, what);
    }
}

/* 2024-01-01 and more would be a date. */
static bool looks_dated(struct slice s)
{
    return s.len >= 6 && is_digit(s.ptr[0]) && is_digit(s.ptr[1]) &&
        is_digit(s.ptr[2]) && is_digit(s.ptr[3]) && s.ptr[4] == '-';
}

static bool is_plain_char(uint8_t c)
{
    static const char more[] = "_./-+@() ";

    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) ||
        memchr(more, c, sizeof more - 1) != NULL;
}

/* Fewer than could be. */
bool yaml_is_plain(struct slice s)
{
    if (s.len == 0 || s.len > 200 || s.ptr[s.len - 1] == ' ' ||
        memchr(" .-+@()", s.ptr[0], 7) != NULL || looks_dated(s) ||
        number_kind(s) != NO_NUMBER)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!is_plain_char(s.ptr[i]) &&
            !(s.ptr[i] == ':' && i + 1 < s.len && s.ptr[i + 1] != ' '))
            return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (slice_is(s, words[i].word))
            return false;
    return true;
}
