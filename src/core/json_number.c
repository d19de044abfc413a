#include "core/json_number.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* What a double can hold exactly: integers up to EXACT_MAX, and these. */
#define EXACT_MAX ((double)(UINT64_C(1) << 53))
static const double tens[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9,
    1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21,
    1e22 };
#define TENS_MAX 22

/* With wider intermediate results one operation may round twice. */
static const bool rounds_once = FLT_EVAL_METHOD == 0;

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static void strip_zeros(struct decimal *d)
{
    while (d->n > 0 && d->digits[d->n - 1] == '0')
        d->n--;
}

/* One division or product of exact operands is correctly rounded. */
static bool to_double_at_once(const struct decimal *d, double *out)
{
    int64_t scale = d->exp - (int64_t)d->n;
    uint64_t w = 0;

    if (!rounds_once || d->n > DBL_DIG || scale < -TENS_MAX || scale > TENS_MAX)
        return false;
    for (size_t i = 0; i < d->n; i++)
        w = w * 10 + (uint64_t)(d->digits[i] - '0');
    *out = scale < 0 ? (double)w / tens[-scale] : (double)w * tens[scale];
    return true;
}

double decimal_to_double(const struct decimal *d)
{
    char text[DECIMAL_DIGITS_MAX + 32];
    double v;

    if (d->n == 0 || d->exp < DBL_MIN_10_EXP - DBL_DIG - 10)
        return 0;
    if (d->exp > DBL_MAX_10_EXP + 2)
        return HUGE_VAL;
    if (to_double_at_once(d, &v))
        return v;
    memcpy(text, d->digits, d->n);
    (void)snprintf(
        text + d->n, sizeof text - d->n, "e%d", (int)(d->exp - (int64_t)d->n));
    return strtod(text, NULL);
}

/* w times ten to the -scale. */
static void decimal_of(struct decimal *d, uint64_t w, int scale)
{
    char text[20];
    size_t n = 0;

    for (; w > 0; w /= 10)
        text[n++] = (char)('0' + w % 10);
    for (size_t i = 0; i < n; i++)
        d->digits[i] = text[n - 1 - i];
    d->n = n;
    d->exp = (int64_t)n - scale;
    strip_zeros(d);
}

/* Most numbers in documents are integers or have few digits. At most DBL_DIG
 * digits that read back as a are the shortest: no other so short text does. */
static bool shortest_at_once(struct decimal *d, double a)
{
    if (!rounds_once)
        return false;
    if (a < EXACT_MAX && (double)(uint64_t)a >= a) {
        decimal_of(d, (uint64_t)a, 0);
        return true;
    }
    for (int k = 1; k <= TENS_MAX && a * tens[k] < 1e15 - 1; k++) {
        uint64_t w = (uint64_t)(a * tens[k] + 0.5);
        double back = (double)w / tens[k];

        if (back >= a && back <= a) {
            decimal_of(d, w, k);
            return true;
        }
    }
    return false;
}

/* a rounded to so many digits, trailing zeros kept. */
static void decimal_round(struct decimal *d, double a, int digits)
{
    char text[64];
    const char *c = text;
    bool minus;
    int e = 0;

    (void)snprintf(text, sizeof text, "%.*e", digits - 1, a);
    for (d->n = 0; *c != 'e'; c++)
        if (is_digit((uint8_t)*c))
            d->digits[d->n++] = *c;
    minus = c[1] == '-';
    for (c += 2; *c != 0; c++)
        e = e * 10 + (*c - '0');
    d->exp = (minus ? -e : e) + 1;
}

/* Adds one to the last digit. */
static void decimal_bump(struct decimal *d)
{
    size_t i = d->n;

    while (i > 0 && d->digits[i - 1] == '9')
        d->digits[--i] = '0';
    if (i > 0) {
        d->digits[i - 1]++;
    } else {
        d->digits[0] = '1';
        d->exp++;
    }
}

static bool reads_back(const struct decimal *d, double a)
{
    double back = decimal_to_double(d);

    return back >= a && back <= a;
}

static bool is_power_of_two(double a)
{
    uint64_t bits;

    memcpy(&bits, &a, sizeof bits);
    return (bits & ((UINT64_C(1) << 52) - 1)) == 0;
}

/* Below the least normal double fewer digits than DBL_DIG may do. Doubles
 * lie closer below a power of two than above it, so there the nearest text of
 * some length may fail where its upper neighbour does not. */
void decimal_shortest(struct decimal *d, double a)
{
    if (shortest_at_once(d, a))
        return;
    for (int n = a < DBL_MIN * 2 ? 1 : DBL_DIG; n < DOUBLE_DIGITS_MAX; n++) {
        decimal_round(d, a, n);
        if (reads_back(d, a))
            goto done;
        if (is_power_of_two(a)) {
            decimal_bump(d);
            if (reads_back(d, a))
                goto done;
        }
    }
    decimal_round(d, a, DOUBLE_DIGITS_MAX);
done:
    strip_zeros(d);
}

/* Digits from at to end, before or behind the point. True if some that do
 * not fit were not zero. */
static bool decimal_take(
    struct decimal *d, const uint8_t *at, const uint8_t *end, bool fraction)
{
    bool more = false;

    for (; at < end; at++) {
        if (d->n == 0 && *at == '0') {
            d->exp -= fraction;
            continue;
        }
        if (d->n < DECIMAL_DIGITS_MAX - 1)
            d->digits[d->n++] = (char)*at;
        else
            more |= *at != '0';
        d->exp += !fraction;
    }
    return more;
}

static const uint8_t *digits_end(const uint8_t *at, const uint8_t *end)
{
    while (at < end && is_digit(*at))
        at++;
    return at;
}

/* What follows the "e"; NULL if no digit does. Far beyond any double it
 * stops counting. */
static const uint8_t *read_exponent(
    const uint8_t **at, const uint8_t *end, int64_t *out)
{
    const uint8_t *p = *at + 1;
    bool minus = p < end && *p == '-';
    int64_t e = 0;

    if (p < end && (*p == '-' || *p == '+'))
        p++;
    *at = p;
    for (; p < end && is_digit(*p); p++)
        if (e < INT64_MAX / 100)
            e = e * 10 + (*p - '0');
    if (p == *at)
        return NULL;
    *out += minus ? -e : e;
    *at = p;
    return p;
}

/* Would d, which was read as a, be printed as anything else? */
static const char *why_lost(const struct decimal *d, double a)
{
    struct decimal back;

    if (d->n == 0)
        return NULL;
    if (a > DBL_MAX)
        return "the number is too large for a double";
    if (a <= 0)
        return "the number is too small for a double";
    if (d->n <= DBL_DIG && d->exp > DBL_MIN_10_EXP && d->exp < DBL_MAX_10_EXP)
        return NULL;
    if (d->n <= DOUBLE_DIGITS_MAX) {
        decimal_shortest(&back, a);
        if (back.n == d->n && back.exp == d->exp &&
            memcmp(back.digits, d->digits, d->n) == 0)
            return NULL;
    }
    return "the number has more digits than a double keeps";
}

/* at is behind the integer part, at "." or "e". */
static int read_double(struct json *out, const uint8_t **at, const uint8_t *end,
    const uint8_t *start, enum json_mode mode, const char **what)
{
    struct decimal d;
    const uint8_t *p = *at;
    bool minus = *start == '-', more;
    double a;

    d.n = 0;
    d.exp = 0;
    more = decimal_take(&d, start + minus, p, false);
    *what = "a digit was expected";
    if (*p == '.') {
        *at = p + 1;
        p = digits_end(*at, end);
        if (p == *at)
            return SYNCLINE_EMALFORMED;
        more |= decimal_take(&d, *at, p, true);
        *at = p;
    }
    if (p < end && (*p == 'e' || *p == 'E') &&
        read_exponent(at, end, &d.exp) == NULL)
        return SYNCLINE_EMALFORMED;
    if (more)
        d.digits[d.n++] = '1';
    strip_zeros(&d);
    a = decimal_to_double(&d);
    if (mode != JSON_TOLERANT && (*what = why_lost(&d, a)) != NULL) {
        *at = start;
        return SYNCLINE_EMALFORMED;
    }
    out->type = JSON_DOUBLE;
    out->d = minus ? -a : a;
    return SYNCLINE_OK;
}

/* An integer that does not fit is kept as it is written, if at all. */
static int read_bigint(struct json *out, const uint8_t **at,
    const uint8_t *start, size_t digits, enum json_mode mode, const char **what)
{
    if (mode != JSON_TOLERANT) {
        *what = "the integer does not fit 64 bits";
    } else if (digits > BIGINT_DIGITS_MAX) {
        *what = "the integer has more than 4300 digits";
    } else {
        out->type = JSON_BIGINT;
        out->s = SLICE(start, (size_t)(*at - start));
        return SYNCLINE_OK;
    }
    *at = start;
    return mode != JSON_TOLERANT ? SYNCLINE_EMALFORMED : SYNCLINE_ELIMIT;
}

int json_number_read(struct json *out, const uint8_t **at, const uint8_t *end,
    enum json_mode mode, const char **what)
{
    const uint8_t *start = *at, *p = start + (*start == '-'), *first = p;
    uint64_t most = (uint64_t)INT64_MAX + (*start == '-');
    uint64_t v = 0;

    for (; p < end && is_digit(*p); p++)
        v = v * 10 + (uint64_t)(*p - '0');
    *at = p;
    if (p == first) {
        *what = "a digit was expected";
        return SYNCLINE_EMALFORMED;
    }
    if (*first == '0' && p - first > 1) {
        *at = first;
        *what = "a number must not begin with 0";
        return SYNCLINE_EMALFORMED;
    }
    if (p < end && (*p == '.' || *p == 'e' || *p == 'E'))
        return read_double(out, at, end, start, mode, what);
    if (p - first > 19 || v > most) /* 19 digits cannot wrap around */
        return read_bigint(out, at, start, (size_t)(p - first), mode, what);
    out->type = JSON_INT;
    if (*start == '-' && v > 0)
        out->i = -(int64_t)(v - 1) - 1;
    else
        out->i = (int64_t)v;
    return SYNCLINE_OK;
}
