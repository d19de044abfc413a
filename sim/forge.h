/* forge.h - a member that lies: what its node sends is altered on the way out,
 * or it says what another device never wrote. */
#ifndef SYNCLINE_SIM_FORGE_H
#define SYNCLINE_SIM_FORGE_H

#include "base/buf.h"
#include "base/prng.h"

struct machine;

/* The frame with something in a row of it forged; false: it has no row that
 * could be. out is a buffer of its own. */
bool forge_frame(struct machine *from, struct slice frame, struct prng *draw,
    struct buf *out);

#endif
