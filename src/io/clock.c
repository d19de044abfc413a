#include "io/clock.h"

#include <time.h>

static uint64_t read_us(clockid_t clock)
{
    struct timespec t;

    if (clock_gettime(clock, &t) != 0 || t.tv_sec < 0)
        return 0;
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

uint64_t clock_mono_us(void)
{
    /* one more, so that 0 can mean never */
    return read_us(CLOCK_MONOTONIC) + 1;
}
