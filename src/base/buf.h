/* buf.h - owned bytes that grow up to a ceiling.
 *
 * Pure. Law: a write that cannot be made (memory, ceiling) makes the buffer
 * fail for good and changes nothing; ask buf_status() once, at the end. */
#ifndef SYNCLINE_BASE_BUF_H
#define SYNCLINE_BASE_BUF_H

#include <stdarg.h>

#include "base/error.h"
#include "base/slice.h"

struct buf {
    uint8_t *ptr;
    size_t len;
    size_t cap;
    size_t max; /* ceiling in bytes; 0 means BUF_MAX_DEFAULT */
    int status; /* 0, or why a write failed */
};

#define BUF_MAX_DEFAULT ((size_t)1 << 30)

static inline struct slice buf_slice(const struct buf *b)
{
    return SLICE(b->ptr, b->len);
}

/* A zeroed struct buf is a valid empty one. buf_free makes it that again. */
void buf_free(struct buf *b);
/* Forgets the content and a failure, keeps the memory. */
void buf_clear(struct buf *b);
/* buf_reserve and buf_put, where it does not fit. */
uint8_t *buf_grow(struct buf *b, size_t n);
void buf_grow_and_put(struct buf *b, const void *p, size_t n);
/* Text of 256 bytes and more needs room for its NUL below the ceiling. */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
/* Drops the first n bytes. */
void buf_consume(struct buf *b, size_t n);

static inline int buf_status(const struct buf *b)
{
    return b->status;
}

/* Makes room for n more bytes: where to write them, or NULL. The caller adds
 * what it wrote to len. */
static inline uint8_t *buf_reserve(struct buf *b, size_t n)
{
    if (b->ptr == NULL || b->status != 0 || n > b->cap - b->len)
        return buf_grow(b, n);
    return b->ptr + b->len;
}

/* What is written is mostly a few bytes, for which there is room. */
static inline void buf_put(struct buf *b, const void *p, size_t n)
{
    if (n == 0 || b->status != 0 || n > b->cap - b->len) {
        buf_grow_and_put(b, p, n);
    } else {
        memcpy(b->ptr + b->len, p, n);
        b->len += n;
    }
}

static inline void buf_put_slice(struct buf *b, struct slice s)
{
    buf_put(b, s.ptr, s.len);
}

static inline void buf_put_str(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}

static inline void buf_put_u8(struct buf *b, uint8_t v)
{
    if (b->len < b->cap && b->status == 0)
        b->ptr[b->len++] = v;
    else
        buf_put(b, &v, 1);
}

#endif
