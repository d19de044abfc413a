#include "sim/clock.h"

#define MILLION 1000000
/* The world begins on 2026-01-01. */
#define EPOCH_US ((uint64_t)1767225600 * MILLION)
#define HOUR_US ((int64_t)3600 * MILLION)
#define YEAR_US (8766 * HOUR_US)

static int64_t either_way(struct prng *p, int64_t most)
{
    return (int64_t)prng_below(p, 2 * (uint64_t)most + 1) - most;
}

void sim_clock_init(
    struct sim_clock *c, struct prng *p, uint64_t now_us, bool wrong)
{
    *c = (struct sim_clock){ .ppm = either_way(p, 200) };
    c->date_off_us = either_way(p, prng_one_in(p, 2) ? 20000 : 20 * MILLION);
    if (wrong && !prng_one_in(p, 3)) {
        int64_t way = either_way(p, 1);

        c->date_off_us += way * (prng_one_in(p, 2) ? HOUR_US : 10 * YEAR_US);
        c->ppm *= prng_one_in(p, 2) ? 200 : 1; /* up to 4 in 100 */
    }
    sim_clock_reboot(c, p, now_us);
}

static uint64_t drift(const struct sim_clock *c, uint64_t span_us)
{
    return (uint64_t)((int64_t)span_us + (int64_t)span_us * c->ppm / MILLION);
}

void sim_clock_reboot(struct sim_clock *c, struct prng *p, uint64_t now_us)
{
    c->started_us = now_us;
    c->mono_us = MILLION + prng_below(p, 1000 * (uint64_t)MILLION);
}

void sim_clock_freeze(struct sim_clock *c, uint64_t now_us, bool frozen)
{
    if (frozen == c->frozen)
        return;
    if (!frozen)
        c->date_off_us -= (int64_t)(drift(c, now_us) - drift(c, c->frozen_us));
    c->frozen = frozen;
    c->frozen_us = now_us;
}

void sim_clock_set(struct sim_clock *c, uint64_t now_us)
{
    sim_clock_freeze(c, now_us, false);
    c->date_off_us = (int64_t)(now_us - drift(c, now_us));
}

uint64_t sim_clock_mono(const struct sim_clock *c, uint64_t now_us)
{
    return c->mono_us + drift(c, now_us - c->started_us);
}

uint64_t sim_clock_wall(const struct sim_clock *c, uint64_t now_us)
{
    return EPOCH_US + drift(c, c->frozen ? c->frozen_us : now_us) +
        (uint64_t)c->date_off_us;
}

uint64_t sim_clock_when(
    const struct sim_clock *c, uint64_t now_us, uint64_t mono_us)
{
    uint64_t mono_now = sim_clock_mono(c, now_us);
    uint64_t when;

    if (mono_us <= mono_now)
        return now_us;
    if (mono_us - mono_now > (uint64_t)YEAR_US)
        return UINT64_MAX;
    when =
        now_us + (mono_us - mono_now) * MILLION / (uint64_t)(MILLION + c->ppm);
    while (sim_clock_mono(c, when) < mono_us)
        when++;
    return when;
}
