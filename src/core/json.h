/* json.h - JSON as this program lives on it (RFC 8259).
 *
 * Pure. A strict parser into an arena and printers in the styles that
 * Syncline and the older systems need. Numbers are 64-bit integers or finite
 * doubles, two distinct types; a literal whose value would not survive is
 * refused, not rounded. The tolerant mode, for the older systems' wire,
 * accepts what Python's json does: integers of any size (kept as literals),
 * the last of doubled keys, lone surrogate escapes, NaN and Infinity.
 * Law: parse(print(parse(t))) equals parse(t), in every style. */
#ifndef SYNCLINE_CORE_JSON_H
#define SYNCLINE_CORE_JSON_H

#include "base/arena.h"
#include "base/buf.h"

#define JSON_DEPTH_MAX 64
#define JSON_MESSAGE_DEPTH_MAX 128

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_INT,    /* i */
    JSON_DOUBLE, /* d; finite unless parsed tolerantly */
    JSON_BIGINT, /* s: the literal, normalised; tolerant mode only */
    JSON_STRING, /* s: unescaped UTF-8 (lone surrogates as if it were) */
    JSON_ARRAY,  /* first, n; who relinks children by hand clears last */
    JSON_OBJECT  /* first, n; members carry key, in the text's order */
};

struct json {
    enum json_type type;
    uint32_t n;        /* children */
    struct slice key;  /* of a member: unescaped UTF-8 */
    struct json *next; /* sibling */
    union {
        int64_t i;
        double d;
        struct slice s;
        struct {
            struct json *first;
            struct json *last; /* where json_add goes on; NULL: not known */
        };
    };
};

enum json_mode {
    JSON_STRICT,
    JSON_TOLERANT,
    JSON_WRAPPED, /* strict; a request, which nests a document a bit deeper */
    JSON_MESSAGE  /* tolerant; of many documents one that is too deep is found
                     by who takes them apart */
};

enum json_style {
    JSON_CANONICAL,    /* sorted by UTF-8 bytes, compact, raw UTF-8 (C) */
    JSON_SORTED_PLAIN, /* sorted, ", " and ": ", ASCII (S) */
    JSON_PLAIN,        /* member order, ", " and ": ", ASCII (P) */
    JSON_COMPACT,      /* member order, compact, ASCII (K) */
    JSON_PLAIN_RAW,    /* member order, ", " and ": ", raw UTF-8 (U) */
    JSON_PRETTY        /* member order, two spaces, raw UTF-8 */
};

/* Parses exactly one document, white space around it allowed. Strings are
 * borrowed from text where they hold no escape. On failure why says what and
 * where (line, column, byte offset). Errors: EMALFORMED, ELIMIT (depth),
 * ENOMEM. */
NODISCARD int json_parse(struct json **out, struct slice text,
    enum json_mode mode, struct arena *a, struct errmsg *why);
/* The same. doubled: a key of the tolerant mode's text occurs twice, so that
 * others may see another value than we do. */
NODISCARD int json_parse_noting(struct json **out, struct slice text,
    enum json_mode mode, struct arena *a, struct errmsg *why, bool *doubled);

/* A failure (memory, a value the style cannot express) fails the buffer. */
void json_print(struct buf *b, const struct json *v, enum json_style style);
/* A string alone, quoted and escaped; ascii escapes all beyond U+007E. */
void json_print_string(struct buf *b, struct slice s, bool ascii);
/* What somebody has said, in raw UTF-8: bytes that are none do not fail the
 * buffer, but are told as put_inert tells them. */
void json_print_said(struct buf *b, struct slice s);
/* The shortest digits that read back as d, in Python's repr form. */
void json_print_double(struct buf *b, double d);

/* Levels of containers; 0 for a scalar. */
unsigned json_depth(const struct json *v);
/* A member's value, or NULL (also if v is NULL or no object). */
struct json *json_get_slice(const struct json *v, struct slice key);

/* Inline, so that a key's length is known where it is written. */
static inline struct json *json_get(const struct json *v, const char *key)
{
    return json_get_slice(v, slice_str(key));
}

/* The member's text, or SLICE_NONE when absent or no string. */
static inline struct slice json_get_str(const struct json *v, const char *key)
{
    const struct json *m = json_get(v, key);

    return m != NULL && m->type == JSON_STRING ? m->s : SLICE_NONE;
}

/* The member's integer, or fallback when absent or no integer. */
int64_t json_get_int(const struct json *v, const char *key, int64_t fallback);
bool json_get_bool(const struct json *v, const char *key, bool fallback);
/* Same type and value; objects regardless of order. 1 and 1.0 differ. */
bool json_equal(const struct json *a, const struct json *b);

/* Builders: NULL in, NULL out, so that one check at the end suffices: of what
 * they return, and, where members could be missing, of a->failed.
 * Strings and keys are borrowed. */
struct json *json_new(struct arena *a, enum json_type type);
struct json *json_new_str(struct arena *a, struct slice s);
struct json *json_new_int(struct arena *a, int64_t i);
struct json *json_new_bool(struct arena *a, bool b);
/* Adds v as obj's member (no check for doubles) or arr's last element, and
 * returns v. */
struct json *json_add(struct json *obj, struct slice key, struct json *v);
struct json *json_append(struct json *arr, struct json *v);
/* All of it, strings too; NULL on memory. Of what was parsed: it goes as deep
 * into calls as the value is nested. */
struct json *json_copy(const struct json *v, struct arena *a);

/* RFC 7396: what target becomes under patch. Shares nodes with both; target
 * may be NULL (absent). NULL on memory. */
struct json *json_merge_patch(
    const struct json *target, const struct json *patch, struct arena *a);

/* RFC 6901: appends "/" and the escaped segment. */
void json_pointer_put(struct buf *b, struct slice segment);
/* Splits off the first segment of pointer (which must be "" or begin with
 * "/"), unescaped into the arena where needed. Errors: ENOTFOUND at "",
 * EMALFORMED, ENOMEM. */
NODISCARD int json_pointer_next(
    struct slice *pointer, struct slice *segment, struct arena *a);
/* The value a pointer names, or NULL. */
struct json *json_pointer_get(
    const struct json *v, struct slice pointer, struct arena *a);

#endif
