/* json.h: from text to a tree. */
#include "core/json.h"

#include <math.h>

#include "base/text.h"
#include "core/json_index.h"
#include "core/json_number.h"
#include "core/json_plain.h"

/* Up to here a new key is compared with all before it; longer objects are
 * looked through at their end. */
#define FEW_MEMBERS 16

struct parser {
    const uint8_t *at, *end;
    struct arena *arena;
    struct json *spare; /* nodes not yet handed out */
    size_t spare_n;
    enum json_mode mode;
    unsigned depth, depth_max;
    bool doubled; /* a key that was let in */
    int rc;       /* the first failure: code, sentence, place */
    const char *what;
    const uint8_t *where;
};

static bool value(struct parser *p, struct json *out);

static bool fail(
    struct parser *p, int rc, const uint8_t *where, const char *what)
{
    p->rc = rc;
    p->where = where;
    p->what = what;
    return false;
}

static bool malformed(struct parser *p, const uint8_t *where, const char *what)
{
    return fail(p, SYNCLINE_EMALFORMED, where,
        where < p->end ? what : "the text ends too early");
}

static bool no_memory(struct parser *p)
{
    return fail(p, SYNCLINE_ENOMEM, p->at, "memory ran out");
}

/* Nodes are taken from the arena in handfuls, fewer near the end. */
static struct json *new_node(struct parser *p)
{
    struct json *v;

    if (p->spare_n == 0) {
        size_t n = (size_t)(p->end - p->at) / 8 + 1;

        p->spare_n = n < 64 ? n : 64;
        p->spare = arena_alloc(p->arena, p->spare_n * sizeof *p->spare);
        if (p->spare == NULL) {
            p->spare_n = 0;
            (void)no_memory(p);
            return NULL;
        }
    }
    p->spare_n--;
    v = p->spare++;
    v->n = 0;
    v->key = SLICE_NONE;
    v->next = NULL;
    return v;
}

static void skip_space(struct parser *p)
{
    while (p->at < p->end && *p->at <= ' ' &&
        (*p->at == ' ' || *p->at == '\n' || *p->at == '\r' || *p->at == '\t'))
        p->at++;
}

static bool next_is(const struct parser *p, uint8_t c)
{
    return p->at < p->end && *p->at == c;
}

/* Strings. */

/* Where s, which is not valid UTF-8, stops being so. */
static const uint8_t *utf8_end(struct slice s)
{
    size_t n = 1;

    while (n <= 4 && n <= s.len) {
        if (utf8_valid(SLICE(s.ptr, n))) {
            s = slice_from(s, n);
            n = 1;
        } else {
            n++;
        }
    }
    return s.ptr;
}

/* Four hex digits, or -1. */
static int32_t hex4(const uint8_t *at, const uint8_t *end)
{
    uint8_t b[2];

    if (end - at < 4 || hex_decode(b, 2, SLICE(at, 4)) != SYNCLINE_OK)
        return -1;
    return (int32_t)b[0] << 8 | b[1];
}

/* Encodes a code point, a surrogate too, as UTF-8 does. */
static uint8_t *put_utf8(uint8_t *to, uint32_t cp)
{
    if (cp < 0x80) {
        *to++ = (uint8_t)cp;
    } else if (cp < 0x800) {
        *to++ = (uint8_t)(0xc0 | cp >> 6);
        *to++ = (uint8_t)(0x80 | (cp & 0x3f));
    } else if (cp < 0x10000) {
        *to++ = (uint8_t)(0xe0 | cp >> 12);
        *to++ = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
        *to++ = (uint8_t)(0x80 | (cp & 0x3f));
    } else {
        *to++ = (uint8_t)(0xf0 | cp >> 18);
        *to++ = (uint8_t)(0x80 | (cp >> 12 & 0x3f));
        *to++ = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
        *to++ = (uint8_t)(0x80 | (cp & 0x3f));
    }
    return to;
}

/* What stands after "\u", and after that perhaps the pair's other half. */
static bool unescape_u(
    struct parser *p, const uint8_t **at, const uint8_t *end, uint8_t **to)
{
    int32_t hi = hex4(*at, end), lo = -1;

    if (hi < 0)
        return malformed(p, *at - 2, "\\u needs four hexadecimal digits");
    *at += 4;
    if (hi >= 0xd800 && hi < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' &&
        (*at)[1] == 'u')
        lo = hex4(*at + 2, end);
    if (lo >= 0xdc00 && lo < 0xe000) {
        *at += 6;
        hi = 0x10000 + ((hi - 0xd800) << 10) + (lo - 0xdc00);
    } else if (hi >= 0xd800 && hi < 0xe000 && p->mode != JSON_TOLERANT) {
        return malformed(p, *at - 6, "half of a surrogate pair");
    }
    *to = put_utf8(*to, (uint32_t)hi);
    return true;
}

/* What a backslash and c stand for, or 0. */
static uint8_t short_escape(uint8_t c)
{
    switch (c) {
    case '"':
    case '\\':
    case '/':
        return c;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return 0;
    }
}

/* No escape is shorter than what it stands for. */
static bool unescape(struct parser *p, struct slice raw, struct slice *out)
{
    const uint8_t *at = raw.ptr, *end = raw.ptr + raw.len;
    uint8_t *to = arena_alloc(p->arena, raw.len);
    uint8_t *start = to;

    if (to == NULL)
        return no_memory(p);
    while (at < end) {
        const uint8_t *stop = memchr(at, '\\', (size_t)(end - at));
        size_t n = (size_t)((stop != NULL ? stop : end) - at);

        memcpy(to, at, n);
        to += n;
        at += n;
        if (stop == NULL)
            break;
        at += 2;
        if (at[-1] == 'u') {
            if (!unescape_u(p, &at, end, &to))
                return false;
        } else if ((*to++ = short_escape(at[-1])) == 0) {
            return malformed(p, at - 2, "unknown escape");
        }
    }
    *out = SLICE(start, (size_t)(to - start));
    return true;
}

/* The same as string(), of whose characters the first n are plain. */
static NOINLINE bool odd_string(struct parser *p, struct slice *out, size_t n)
{
    const uint8_t *open = p->at, *at = open + 1 + n;
    bool escapes = false, beyond_ascii = false;
    struct slice raw;

    for (;;) {
        at += json_plain_len(SLICE(at, (size_t)(p->end - at)), false);
        if (at >= p->end || (*at == '\\' && p->end - at < 2))
            return fail(p, SYNCLINE_EMALFORMED, open, "the string has no end");
        if (*at == '"')
            break;
        if (*at < 0x20)
            return malformed(p, at, "a control character in a string");
        if (*at == '\\') {
            escapes = true;
            at += 2;
        } else {
            beyond_ascii = true;
            while (at < p->end && *at >= 0x80)
                at++;
        }
    }
    raw = SLICE(open + 1, (size_t)(at - open - 1));
    p->at = at + 1;
    if (beyond_ascii && !utf8_valid(raw))
        return malformed(p, utf8_end(raw), "not valid UTF-8");
    if (escapes)
        return unescape(p, raw, out);
    *out = raw;
    return true;
}

/* p is at the opening quote. */
static bool string(struct parser *p, struct slice *out)
{
    const uint8_t *at = p->at + 1;
    const size_t n = json_plain_len(SLICE(at, (size_t)(p->end - at)), false);

    if ((size_t)(p->end - at) == n || at[n] != '"')
        return odd_string(p, out, n);
    *out = SLICE(at, n);
    p->at = at + n + 1;
    return true;
}

/* Objects and arrays. */

static void take_value(struct json *to, const struct json *from)
{
    to->type = from->type;
    to->n = from->n;
    if (from->type == JSON_OBJECT || from->type == JSON_ARRAY) {
        to->first = from->first;
        to->last = from->last;
    } else {
        to->s = from->s; /* the widest of the rest */
    }
}

/* What a colon and a value follow; p->at is left behind the value. */
static bool member(struct parser *p, struct json *m)
{
    if (!next_is(p, '"'))
        return malformed(p, p->at, "a key in quotes was expected");
    if (!string(p, &m->key))
        return false;
    skip_space(p);
    if (!next_is(p, ':'))
        return malformed(p, p->at, "\":\" was expected");
    p->at++;
    skip_space(p);
    return value(p, m);
}

/* Finds the key of obj's member number ix in the text again, which only a
 * failure needs: the place is worth more than the time. */
static bool doubled_at(struct parser *p, const uint8_t *open, size_t ix)
{
    struct json m;

    for (p->at = open + 1; p->rc == 0; p->at++) {
        skip_space(p);
        if (ix-- == 0)
            return malformed(p, p->at, "the key occurs twice");
        if (!member(p, &m))
            return false;
        skip_space(p);
    }
    return false;
}

static size_t position(const struct json *obj, const struct json *m)
{
    size_t n = 0;

    for (const struct json *v = obj->first; v != m; v = v->next)
        n++;
    return n;
}

/* Takes the members out that drop_doubled marked. */
static void unlink_marked(struct json *obj)
{
    struct json **to = &obj->first;

    for (struct json *m = obj->first; m != NULL; m = m->next) {
        if (m->key.ptr == NULL) {
            obj->n--;
            continue;
        }
        *to = m;
        to = &m->next;
        obj->last = m;
    }
    *to = NULL;
}

/* Refuses doubled keys, or lets the last value win at the first place. */
static bool drop_doubled(
    struct parser *p, struct json *obj, const uint8_t *open)
{
    struct json_index ix;
    struct json *first, *second = NULL;
    bool any = false;

    if (json_index_init(&ix, obj) != SYNCLINE_OK)
        return no_memory(p);
    for (size_t i = 0; i + 1 < ix.n && second == NULL;) {
        first = ix.sorted[i++];
        for (; i < ix.n && slice_eq(first->key, ix.sorted[i]->key); i++) {
            if (p->mode != JSON_TOLERANT) {
                second = ix.sorted[i];
                break;
            }
            take_value(first, ix.sorted[i]);
            ix.sorted[i]->key = SLICE_NONE;
            any = true;
        }
    }
    json_index_close(&ix);
    p->doubled = p->doubled || any;
    if (second != NULL)
        return doubled_at(p, open, position(obj, second));
    if (any)
        unlink_marked(obj);
    return true;
}

static void link_last(struct json *parent, struct json *v)
{
    if (parent->last != NULL)
        parent->last->next = v;
    else
        parent->first = v;
    parent->last = v;
    parent->n++;
}

/* Members as they come. One with a key above all others is new; one of the
 * first few is compared with the others; later ones wait for the end. */
struct members {
    struct slice largest;
    bool unsure; /* is the whole to be looked through at the end? */
};

static bool add_member(struct parser *p, struct json *obj, struct members *seen,
    struct json *m, const uint8_t *where)
{
    struct json *same = obj->first;

    if (obj->n == 0 || slice_cmp(m->key, seen->largest) > 0) {
        seen->largest = m->key;
    } else if (obj->n >= FEW_MEMBERS) {
        seen->unsure = true;
    } else {
        while (same != NULL && !slice_eq(same->key, m->key))
            same = same->next;
        if (same != NULL && p->mode != JSON_TOLERANT)
            return malformed(p, where, "the key occurs twice");
        if (same != NULL) {
            p->doubled = true;
            take_value(same, m);
            return true;
        }
    }
    link_last(obj, m);
    return true;
}

static bool object(struct parser *p, struct json *obj)
{
    const uint8_t *open = p->at++;
    struct members seen = { .unsure = false };

    skip_space(p);
    if (next_is(p, '}')) {
        p->at++;
        return true;
    }
    for (;; p->at++) {
        struct json *m = new_node(p);
        const uint8_t *where;

        skip_space(p);
        where = p->at;
        if (m == NULL || !member(p, m) || !add_member(p, obj, &seen, m, where))
            return false;
        skip_space(p);
        if (!next_is(p, ','))
            break;
    }
    if (!next_is(p, '}'))
        return malformed(p, p->at, "\",\" or \"}\" was expected");
    p->at++;
    return !seen.unsure || drop_doubled(p, obj, open);
}

static bool array(struct parser *p, struct json *arr)
{
    p->at++;
    skip_space(p);
    if (next_is(p, ']')) {
        p->at++;
        return true;
    }
    for (;; p->at++) {
        struct json *v = new_node(p);

        skip_space(p);
        if (v == NULL || !value(p, v))
            return false;
        link_last(arr, v);
        skip_space(p);
        if (!next_is(p, ','))
            break;
    }
    if (!next_is(p, ']'))
        return malformed(p, p->at, "\",\" or \"]\" was expected");
    p->at++;
    return true;
}

/* On a failure p->at does not matter any more. */
static bool container(struct parser *p, struct json *out, bool is_object)
{
    bool ok;

    if (p->depth == p->depth_max)
        return fail(p, SYNCLINE_ELIMIT, p->at,
            p->depth_max == JSON_MESSAGE_DEPTH_MAX
                ? "nested deeper than 128 levels"
                : "nested deeper than 64 levels");
    p->depth++;
    out->type = is_object ? JSON_OBJECT : JSON_ARRAY;
    out->n = 0;
    out->first = NULL;
    out->last = NULL;
    ok = is_object ? object(p, out) : array(p, out);
    p->depth--;
    return ok;
}

/* Values. */

static const struct {
    const char *word;
    enum json_type type;
    double d;
    bool tolerant; /* in the tolerant mode only */
} words[] = {
    { "null", JSON_NULL, 0, false },
    { "true", JSON_TRUE, 0, false },
    { "false", JSON_FALSE, 0, false },
    { "NaN", JSON_DOUBLE, (double)NAN, true },
    { "Infinity", JSON_DOUBLE, HUGE_VAL, true },
    { "-Infinity", JSON_DOUBLE, -HUGE_VAL, true },
};

static bool word(struct parser *p, struct json *out)
{
    struct slice rest = SLICE(p->at, (size_t)(p->end - p->at));

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct slice w = slice_str(words[i].word);

        if (!slice_has_prefix(rest, w))
            continue;
        if (words[i].tolerant && p->mode != JSON_TOLERANT)
            return malformed(p, p->at, "NaN and Infinity are not JSON");
        p->at += w.len;
        out->type = words[i].type;
        out->d = words[i].d;
        return true;
    }
    return malformed(p, p->at, "a value was expected");
}

static bool number(struct parser *p, struct json *out)
{
    const char *what = "";
    int rc;

    if (*p->at == '-' && p->end - p->at > 1 && p->at[1] == 'I')
        return word(p, out);
    rc = json_number_read(out, &p->at, p->end, p->mode, &what);
    if (rc == SYNCLINE_EMALFORMED)
        return malformed(p, p->at, what);
    return rc == SYNCLINE_OK || fail(p, rc, p->at, what);
}

static bool value(struct parser *p, struct json *out)
{
    if (p->at == p->end)
        return malformed(p, p->at, "");
    switch (*p->at) {
    case '"':
        out->type = JSON_STRING;
        return string(p, &out->s);
    case '{':
        return container(p, out, true);
    case '[':
        return container(p, out, false);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return number(p, out);
    default:
        return word(p, out);
    }
}

static bool document(struct parser *p, struct json *out)
{
    static const uint8_t mark[] = { 0xef, 0xbb, 0xbf };

    if (slice_has_prefix(
            SLICE(p->at, (size_t)(p->end - p->at)), SLICE(mark, sizeof mark)))
        return malformed(p, p->at, "a byte order mark is not allowed");
    skip_space(p);
    if (!value(p, out))
        return false;
    skip_space(p);
    return p->at == p->end ||
        malformed(p, p->at, "something follows the document");
}

/* Columns count code points from 1, as editors do. */
static int explain(
    const struct parser *p, struct slice text, struct errmsg *why)
{
    size_t line = 1, column = 1, offset = (size_t)(p->where - text.ptr);

    for (size_t i = 0; i < offset; i++) {
        if (text.ptr[i] == '\n') {
            line++;
            column = 1;
        } else if ((text.ptr[i] & 0xc0) != 0x80) {
            column++;
        }
    }
    return errmsg_set(why, p->rc, "%s at line %zu, column %zu (byte %zu)",
        p->what, line, column, offset);
}

int json_parse(struct json **out, struct slice text, enum json_mode mode,
    struct arena *a, struct errmsg *why)
{
    bool doubled;

    return json_parse_noting(out, text, mode, a, why, &doubled);
}

static unsigned depth_of(enum json_mode mode)
{
    return mode == JSON_MESSAGE ? JSON_MESSAGE_DEPTH_MAX
        : mode == JSON_WRAPPED  ? JSON_DEPTH_MAX + 4
                                : JSON_DEPTH_MAX;
}

int json_parse_noting(struct json **out, struct slice text, enum json_mode mode,
    struct arena *a, struct errmsg *why, bool *doubled)
{
    struct parser p = { .arena = a,
        .mode = mode == JSON_MESSAGE ? JSON_TOLERANT : mode,
        .depth_max = depth_of(mode) };
    struct json *v;

    if (text.ptr == NULL)
        text = SLICE_LIT("");
    p.at = text.ptr;
    p.end = text.ptr + text.len;
    v = new_node(&p);
    if (v == NULL || !document(&p, v))
        return explain(&p, text, why);
    *out = v;
    *doubled = p.doubled;
    return SYNCLINE_OK;
}
