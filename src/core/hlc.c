#include "core/hlc.h"

uint64_t hlc_next(struct hlc *self, uint64_t wall_us)
{
    uint64_t now = hlc_of_wall(wall_us);

    if (now > self->last)
        self->last = now;
    else if (self->last < UINT64_MAX)
        self->last++;
    return self->last;
}

void hlc_observe(struct hlc *self, uint64_t seen)
{
    if (seen > self->last)
        self->last = seen;
}
