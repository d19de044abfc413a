/* bytes.h - numbers as they stand in bytes.
 *
 * Pure. Spelled out, since compilers make one load of each. */
#ifndef SYNCLINE_BASE_BYTES_H
#define SYNCLINE_BASE_BYTES_H

#include <stdint.h>

static inline uint64_t le64_at(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 |
        (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 |
        (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

static inline uint64_t be64_at(const uint8_t *p)
{
    return (uint64_t)p[0] << 56 | (uint64_t)p[1] << 48 | (uint64_t)p[2] << 40 |
        (uint64_t)p[3] << 32 | (uint64_t)p[4] << 24 | (uint64_t)p[5] << 16 |
        (uint64_t)p[6] << 8 | (uint64_t)p[7];
}

#endif
