#include "files/versions.h"

#include <stdio.h>
#include <stdlib.h>

#define PREFIX "config_"
#define SUFFIX ".json"
#define NTH_DIGITS 3

static bool is_leap(unsigned year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned days_in(unsigned year, unsigned month)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
        31 };

    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* A minute may have a 61st second. */
static bool is_time(const struct version *v)
{
    return v->year <= 9999 && v->month >= 1 && v->month <= 12 && v->day >= 1 &&
        v->day <= days_in(v->year, v->month) && v->hour <= 23 &&
        v->minute <= 59 && v->second <= 60;
}

int version_name(char out[VERSION_NAME_SIZE], const struct version *v)
{
    int n;

    if (!is_time(v) || v->nth > VERSION_NTH_MAX)
        return SYNCLINE_EINVAL;
    n = snprintf(out, VERSION_NAME_SIZE, PREFIX "%04u%02u%02u%02u%02u%02u",
        v->year, v->month, v->day, v->hour, v->minute, v->second);
    if (v->nth > 0)
        n += snprintf(out + n, VERSION_NAME_SIZE - (size_t)n, "_%03u", v->nth);
    (void)snprintf(out + n, VERSION_NAME_SIZE - (size_t)n, SUFFIX);
    return SYNCLINE_OK;
}

/* The number that exactly n digits say; they are taken off the front. */
static bool digits(struct slice *s, size_t n, unsigned *out)
{
    unsigned v = 0;

    if (s->len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9')
            return false;
        v = v * 10 + (unsigned)(s->ptr[i] - '0');
    }
    *s = slice_from(*s, n);
    *out = v;
    return true;
}

static bool take(struct slice *s, const char *what)
{
    struct slice w = slice_str(what);

    if (!slice_has_prefix(*s, w))
        return false;
    *s = slice_from(*s, w.len);
    return true;
}

int version_parse(struct version *out, struct slice name)
{
    unsigned year, month, day, hour, minute, second, nth = 0;
    struct version v;

    if (!take(&name, PREFIX) || !digits(&name, 4, &year) ||
        !digits(&name, 2, &month) || !digits(&name, 2, &day) ||
        !digits(&name, 2, &hour) || !digits(&name, 2, &minute) ||
        !digits(&name, 2, &second))
        return SYNCLINE_EINVAL;
    if (take(&name, "_") && (!digits(&name, NTH_DIGITS, &nth) || nth == 0))
        return SYNCLINE_EINVAL;
    if (!slice_is(name, SUFFIX))
        return SYNCLINE_EINVAL;
    v = (struct version){ .year = (uint16_t)year,
        .month = (uint8_t)month,
        .day = (uint8_t)day,
        .hour = (uint8_t)hour,
        .minute = (uint8_t)minute,
        .second = (uint8_t)second,
        .nth = (uint16_t)nth };
    if (!is_time(&v))
        return SYNCLINE_EINVAL;
    *out = v;
    return SYNCLINE_OK;
}

/* In the order of the digits of its name. */
static uint64_t number_of(const struct version *v)
{
    uint64_t n = v->year;

    n = n * 100 + v->month;
    n = n * 100 + v->day;
    n = n * 100 + v->hour;
    n = n * 100 + v->minute;
    n = n * 100 + v->second;
    return n * 1000 + v->nth;
}

int version_cmp(const struct version *a, const struct version *b)
{
    uint64_t x = number_of(a), y = number_of(b);

    return (x > y) - (x < y);
}

static int cmp(const void *a, const void *b)
{
    return version_cmp(a, b);
}

void versions_sort(struct version *v, size_t n)
{
    if (n > 1)
        qsort(v, n, sizeof *v, cmp);
}

const struct version *versions_at(
    const struct version *v, size_t n, const struct version *at)
{
    struct version end = *at;

    end.nth = VERSION_NTH_MAX;
    while (n > 0 && version_cmp(&v[n - 1], &end) > 0)
        n--;
    return n > 0 ? &v[n - 1] : NULL;
}

/* Behind the last of its second: a gap that a removed one has left is not
 * filled, or the new one would sort before older ones. */
int versions_next(struct version *out, const struct version *at,
    const struct version *v, size_t n)
{
    const struct version *last = versions_at(v, n, at);
    struct version next = *at;

    if (!is_time(at))
        return SYNCLINE_EINVAL;
    next.nth = 0;
    if (last != NULL && version_cmp(last, &next) >= 0) {
        if (last->nth == VERSION_NTH_MAX)
            return SYNCLINE_ELIMIT;
        next.nth = (uint16_t)(last->nth + 1);
    }
    *out = next;
    return SYNCLINE_OK;
}

size_t versions_excess(
    struct version *v, size_t n, size_t keep, const struct version *just)
{
    size_t i = 0;

    ENSURE(keep > 0);
    while (just != NULL && i < n && version_cmp(&v[i], just) != 0)
        i++;
    if (just != NULL && i < n) {
        struct version moved = v[i];

        memmove(&v[i], &v[i + 1], (n - i - 1) * sizeof *v);
        v[n - 1] = moved;
    }
    return n > keep ? n - keep : 0;
}
