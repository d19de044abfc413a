#include "faces/lansync/moment.h"

#define US UINT64_C(1000000)
#define DAY_S UINT64_C(86400)
#define YEAR_MAX 9999

struct reader {
    const uint8_t *at, *end;
};

static bool take(struct reader *r, char c)
{
    if (r->at == r->end || *r->at != (uint8_t)c)
        return false;
    r->at++;
    return true;
}

static bool take_digits(struct reader *r, int n, unsigned *out)
{
    *out = 0;
    for (int i = 0; i < n; i++, r->at++) {
        if (r->at == r->end || *r->at < '0' || *r->at > '9')
            return false;
        *out = *out * 10 + (unsigned)(*r->at - '0');
    }
    return true;
}

static bool is_leap(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned days_in(unsigned year, unsigned month)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
        31 };

    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

static unsigned leaps_before(unsigned year)
{
    year--;
    return year / 4 - year / 100 + year / 400;
}

static uint64_t days_before_year(unsigned year)
{
    return (uint64_t)(year - 1970) * 365 + leaps_before(year) -
        leaps_before(1970);
}

static bool take_day(struct reader *r, uint64_t *out_days)
{
    unsigned year, month, day;
    bool apart;

    if (!take_digits(r, 4, &year))
        return false;
    apart = take(r, '-');
    if (!take_digits(r, 2, &month) || (apart && !take(r, '-')) ||
        !take_digits(r, 2, &day) || year < 1970 || month < 1 || month > 12 ||
        day < 1 || day > days_in(year, month))
        return false;
    *out_days = days_before_year(year) + day - 1;
    for (unsigned m = 1; m < month; m++)
        *out_days += days_in(year, m);
    return true;
}

static bool take_fraction(struct reader *r, uint64_t *out_us)
{
    uint64_t unit = US / 10;

    if (r->at == r->end)
        return false;
    for (; r->at < r->end; r->at++, unit /= 10) {
        if (*r->at < '0' || *r->at > '9')
            return false;
        *out_us += unit * (uint64_t)(*r->at - '0');
    }
    return true;
}

/* "12", "12:34", "12:34:56", "12:34:56.7"; the colons all or none. */
static bool take_hours(struct reader *r, uint64_t *out_us)
{
    unsigned hour, minute = 0, second = 0;
    bool apart;

    *out_us = 0;
    if (!take_digits(r, 2, &hour) || hour > 23)
        return false;
    apart = take(r, ':');
    if (r->at < r->end || apart) {
        if (!take_digits(r, 2, &minute) || minute > 59)
            return false;
        if (r->at < r->end &&
            ((apart && !take(r, ':')) || !take_digits(r, 2, &second) ||
                second > 59))
            return false;
    }
    if ((take(r, '.') || take(r, ',')) && !take_fraction(r, out_us))
        return false;
    *out_us += ((hour * 60 + minute) * 60 + second) * US;
    return r->at == r->end;
}

int moment_read(uint64_t *out_us, struct slice text)
{
    struct reader r;
    uint64_t days, us = 0;

    if (text.len == 0)
        return SYNCLINE_EMALFORMED;
    r = (struct reader){ text.ptr, text.ptr + text.len };
    if (!take_day(&r, &days))
        return SYNCLINE_EMALFORMED;
    if (r.at < r.end) {
        r.at++;
        if (!take_hours(&r, &us))
            return SYNCLINE_EMALFORMED;
    }
    *out_us = days * DAY_S * US + us;
    return SYNCLINE_OK;
}

/* Where it goes on. */
static char *digits(char *to, char before, unsigned v, unsigned n)
{
    if (before != 0)
        *to++ = before;
    for (unsigned i = n; i > 0; i--, v /= 10)
        to[i - 1] = (char)('0' + v % 10);
    return to + n;
}

size_t moment_text(char out[MOMENT_MAX], uint64_t us)
{
    const uint64_t last = (days_before_year(YEAR_MAX) + 365) * DAY_S * US - 1;
    unsigned year, of_day, month = 1;
    uint64_t days;
    char *to = out;

    us = us < last ? us : last;
    days = us / US / DAY_S;
    of_day = (unsigned)(us / US % DAY_S);
    year = 1970 + (unsigned)(days / 366);
    while (days_before_year(year + 1) <= days)
        year++;
    days -= days_before_year(year);
    for (; days >= days_in(year, month); month++)
        days -= days_in(year, month);
    to = digits(to, 0, year, 4);
    to = digits(to, '-', month, 2);
    to = digits(to, '-', (unsigned)days + 1, 2);
    to = digits(to, 'T', of_day / 3600, 2);
    to = digits(to, ':', of_day / 60 % 60, 2);
    to = digits(to, ':', of_day % 60, 2);
    if (us % US != 0)
        to = digits(to, '.', (unsigned)(us % US), 6);
    return (size_t)(to - out);
}
