#include "core/hlc.h"

uint64_t hlc_next(struct hlc *self, uint64_t wall_us)
{
    uint64_t now = hlc_of_wall(wall_us);

    self->last = now > self->last ? now : self->last + 1;
    return self->last;
}

void hlc_observe(struct hlc *self, uint64_t seen)
{
    if (seen > self->last)
        self->last = seen;
}
