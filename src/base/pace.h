/* pace.h - so many a second, and so many at once: a token bucket.
 *
 * Pure: the caller passes the time, which never goes back.
 * Law: of what pace_may has let pass, and in the long run of what pace_take
 * has taken by those who wait as they are told, no span of time holds more
 * than `burst` and `rate` for each of its seconds. */
#ifndef SYNCLINE_BASE_PACE_H
#define SYNCLINE_BASE_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace_rule {
    uint64_t rate;  /* a second; 0: no limit */
    uint64_t burst; /* at once, after a time of rest */
};

struct pace {
    uint64_t paid_ns; /* what was taken so far is paid for by then */
};

static inline uint64_t pace_late_us(
    const struct pace *p, const struct pace_rule *rule, uint64_t now_us)
{
    uint64_t credit_us =
        rule->rate == 0 ? 0 : rule->burst * 1000000 / rule->rate;
    uint64_t paid_us = p->paid_ns / 1000;

    return rule->rate == 0 || paid_us <= now_us + credit_us
        ? 0
        : paid_us - now_us - credit_us;
}

/* Takes n, there or not: for so many microseconds nothing more should be
 * taken. */
static inline uint64_t pace_take(
    struct pace *p, const struct pace_rule *rule, uint64_t n, uint64_t now_us)
{
    if (rule->rate == 0)
        return 0;
    if (p->paid_ns < now_us * 1000)
        p->paid_ns = now_us * 1000;
    p->paid_ns += n * 1000000000 / rule->rate;
    return pace_late_us(p, rule, now_us);
}

/* Takes n if nothing is owed; false: nothing is taken. */
static inline bool pace_may(
    struct pace *p, const struct pace_rule *rule, uint64_t n, uint64_t now_us)
{
    if (pace_late_us(p, rule, now_us) > 0)
        return false;
    (void)pace_take(p, rule, n, now_us);
    return true;
}

#endif
