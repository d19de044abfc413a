/* cut.h - where one frame ends and the next begins in what a connection has
 * brought: each is its length, little-endian, and as many bytes.
 *
 * Pure. Law: which frames are found does not depend on the pieces in which
 * the bytes arrive. */
#ifndef SYNCLINE_IO_CUT_H
#define SYNCLINE_IO_CUT_H

#include "base/codec.h"
#include "base/plant.h"
#include "io/net.h"

#define CUT_PREFIX_LEN 4

/* 1 if a whole frame stands at the beginning, 0 if some of it has yet to
 * come, -1 if it is too long. *len is without the prefix. */
static inline int cut_frame(struct slice in, size_t *len)
{
    struct reader r = reader_of(in);

    if (r.in.len < CUT_PREFIX_LEN)
        return 0;
    *len = get_u32(&r);
    if (*len > (PLANTED(R30_LENGTH) ? 64 * NET_FRAME_MAX : NET_FRAME_MAX))
        return -1;
    return *len <= r.in.len ? 1 : 0;
}

#endif
