/* clock.h - the clock of one simulated machine: it starts anywhere, runs a
 * little fast or slow, and its idea of the date may be wrong. */
#ifndef SYNCLINE_SIM_CLOCK_H
#define SYNCLINE_SIM_CLOCK_H

#include "base/prng.h"

struct sim_clock {
    uint64_t started_us; /* the world's time when the machine did */
    uint64_t mono_us;    /* what its monotonic clock said then */
    int64_t ppm;         /* how much it is too fast */
    int64_t date_off_us; /* how far its date is ahead */
    bool frozen;         /* the date stands still */
    uint64_t frozen_us;  /* since then, in the world's time */
};

/* A clock right to within 20 s; `wrong` ones may be off by an hour or ten
 * years. */
void sim_clock_init(
    struct sim_clock *c, struct prng *p, uint64_t now_us, bool wrong);
/* A reboot: monotonic time starts anew, the date stays. */
void sim_clock_reboot(struct sim_clock *c, struct prng *p, uint64_t now_us);
/* The date stands still, or goes on from where it stood. */
void sim_clock_freeze(struct sim_clock *c, uint64_t now_us, bool frozen);
/* The date is set right. */
void sim_clock_set(struct sim_clock *c, uint64_t now_us);
uint64_t sim_clock_mono(const struct sim_clock *c, uint64_t now_us);
uint64_t sim_clock_wall(const struct sim_clock *c, uint64_t now_us);
/* The world's time at which the monotonic clock will say mono_us; not before
 * now_us. UINT64_MAX stays what it is. */
uint64_t sim_clock_when(
    const struct sim_clock *c, uint64_t now_us, uint64_t mono_us);

#endif
