/* slice.h - borrowed bytes: a pointer and a length, owned by somebody else.
 *
 * Pure. Law: a slice is never freed and never written through. */
#ifndef SYNCLINE_BASE_SLICE_H
#define SYNCLINE_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *ptr; /* NULL only if len is 0 */
    size_t len;
};

#define SLICE(p, n) ((struct slice){ .ptr = (const uint8_t *)(p), .len = (n) })
#define SLICE_LIT(s) SLICE("" s, sizeof(s) - 1)
#define SLICE_NONE ((struct slice){ NULL, 0 })

static inline struct slice slice_str(const char *s)
{
    return SLICE(s, strlen(s));
}

/* Most differ in their lengths, or at once. */
static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len &&
        (a.len == 0 ||
            (a.ptr[0] == b.ptr[0] && memcmp(a.ptr, b.ptr, a.len) == 0));
}

static inline bool slice_is(struct slice a, const char *s)
{
    return slice_eq(a, slice_str(s));
}

/* Bytewise order; a prefix sorts before what it begins. */
static inline int slice_cmp(struct slice a, struct slice b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n == 0 ? 0 : a.ptr[0] - b.ptr[0];

    if (c == 0 && n > 0)
        c = memcmp(a.ptr, b.ptr, n);
    if (c != 0)
        return c;
    return (a.len > b.len) - (a.len < b.len);
}

static inline bool slice_has_prefix(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len &&
        (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static inline struct slice slice_from(struct slice s, size_t off)
{
    return off >= s.len ? SLICE_NONE : SLICE(s.ptr + off, s.len - off);
}

/* For printf("%.*s", SLICE_FMT(s)). */
#define SLICE_FMT(s) (int)(s).len, (s).len ? (const char *)(s).ptr : ""

#endif
