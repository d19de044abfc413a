#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CAP_MIN 256 /* a record, a frame: mostly the last time it grows */

void buf_free(struct buf *b)
{
    free(b->ptr);
    *b = (struct buf){ .max = b->max };
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->status = 0;
}

static int widen(struct buf *b, size_t need)
{
    size_t max = b->max != 0 ? b->max : BUF_MAX_DEFAULT;
    size_t cap = b->cap < CAP_MIN ? CAP_MIN : b->cap;
    uint8_t *p;

    if (need > max)
        return SYNCLINE_ELIMIT;
    while (cap < need)
        cap *= 2;
    if (cap > max)
        cap = max;
    p = realloc(b->ptr, cap);
    if (p == NULL)
        return SYNCLINE_ENOMEM;
    b->ptr = p;
    b->cap = cap;
    return SYNCLINE_OK;
}

uint8_t *buf_grow(struct buf *b, size_t n)
{
    if (b->status != 0)
        return NULL;
    if (n > SIZE_MAX - b->len)
        b->status = SYNCLINE_ELIMIT;
    else
        b->status = widen(b, b->len + n);
    return b->status == 0 ? b->ptr + b->len : NULL;
}

void buf_grow_and_put(struct buf *b, const void *p, size_t n)
{
    uint8_t *to;

    if (n == 0)
        return;
    to = buf_reserve(b, n);
    if (to == NULL)
        return;
    memcpy(to, p, n);
    b->len += n;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    char small[256];
    va_list again;
    uint8_t *to;
    int n;

    va_copy(again, ap);
    n = vsnprintf(small, sizeof small, fmt, ap);
    if (n < 0) {
        b->status = b->status != 0 ? b->status : SYNCLINE_EINVAL;
    } else if ((size_t)n < sizeof small) {
        buf_put(b, small, (size_t)n);
    } else if ((to = buf_reserve(b, (size_t)n + 1)) != NULL) {
        (void)vsnprintf((char *)to, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void buf_consume(struct buf *b, size_t n)
{
    ENSURE(n <= b->len);
    if (n == 0)
        return;
    memmove(b->ptr, b->ptr + n, b->len - n);
    b->len -= n;
}
