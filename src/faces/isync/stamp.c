#include "faces/isync/stamp.h"

#include <float.h>
#include <math.h>

#define INT64_END 9223372036854775808.0 /* the first double beyond */

bool isync_stamp_is_sound(const struct isync_stamp *s)
{
    return s->is_int || (isfinite(s->d) && s->d < DBL_MAX);
}

int isync_stamp_read(struct isync_stamp *out, const struct json *v)
{
    struct isync_stamp made = { .is_int = false };

    if (v == NULL)
        return SYNCLINE_EMALFORMED;
    if (v->type == JSON_INT) {
        *out = (struct isync_stamp){ .is_int = true, .i = v->i };
        return SYNCLINE_OK;
    }
    if (v->type != JSON_DOUBLE)
        return SYNCLINE_EMALFORMED;
    made.d = v->d;
    if (!isync_stamp_is_sound(&made))
        return SYNCLINE_EMALFORMED;
    *out = made;
    return SYNCLINE_OK;
}

struct json *isync_stamp_make(const struct isync_stamp *s, struct arena *a)
{
    struct json *v = json_new(a, s->is_int ? JSON_INT : JSON_DOUBLE);

    if (v != NULL && s->is_int)
        v->i = s->i;
    else if (v != NULL)
        v->d = s->d;
    return v;
}

static int order(double a, double b)
{
    return (a > b) - (a < b);
}

/* Where the double is no integer, what is cut off decides between equals. */
static int cmp_mixed(int64_t i, double d)
{
    int64_t whole;

    if (d >= INT64_END)
        return -1;
    if (d < -INT64_END)
        return 1;
    whole = (int64_t)d;
    if (i != whole)
        return i > whole ? 1 : -1;
    return order((double)whole, d);
}

int isync_stamp_cmp(const struct isync_stamp *a, const struct isync_stamp *b)
{
    if (a->is_int && b->is_int)
        return (a->i > b->i) - (a->i < b->i);
    if (a->is_int)
        return cmp_mixed(a->i, b->d);
    if (b->is_int)
        return -cmp_mixed(b->i, a->d);
    return order(a->d, b->d);
}

struct isync_stamp isync_stamp_of(uint64_t us)
{
    return (struct isync_stamp){ .d = (double)us / 1e6 };
}

uint64_t isync_stamp_us(const struct isync_stamp *s)
{
    double us = (s->is_int ? (double)s->i : s->d) * 1e6 + 0.5;

    if (!(us > 0))
        return 0;
    return us >= 2 * INT64_END ? UINT64_MAX : (uint64_t)us;
}

struct isync_stamp isync_stamp_after(const struct isync_stamp *s)
{
    double d = s->is_int ? (double)s->i : s->d;
    struct isync_stamp next = { .d = d };

    if (isync_stamp_cmp(&next, s) <= 0)
        next.d = nextafter(d, INFINITY);
    return next;
}
