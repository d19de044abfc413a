/* fuzz.h - how the targets take an input apart.
 *
 * A target is LLVMFuzzerTestOneInput in NAME_fuzz.c; libFuzzer calls it, and
 * replay.c for what lies in corpus/NAME. Law: it keeps nothing from one input
 * to the next but what it made before the first, so that an input is judged
 * alone. Beyond the end of an input everything is zero: what a prefix of it
 * says, it says too. */
#ifndef SYNCLINE_FUZZ_FUZZ_H
#define SYNCLINE_FUZZ_FUZZ_H

#include "base/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct pieces {
    struct slice in; /* what is left */
};

static inline struct pieces pieces_of(const uint8_t *data, size_t size)
{
    return (struct pieces){ .in = SLICE(data, size) };
}

static inline bool take_more(const struct pieces *p)
{
    return p->in.len > 0;
}

static inline uint8_t take_u8(struct pieces *p)
{
    uint8_t v = p->in.len > 0 ? p->in.ptr[0] : 0;

    p->in = slice_from(p->in, 1);
    return v;
}

/* One of n, which is at most 256. */
static inline unsigned take_below(struct pieces *p, unsigned n)
{
    return take_u8(p) % n;
}

/* Up to n bytes, lent. */
static inline struct slice take_bytes(struct pieces *p, size_t n)
{
    struct slice s = SLICE(p->in.ptr, n < p->in.len ? n : p->in.len);

    p->in = slice_from(p->in, n);
    return s;
}

/* A length of one byte, or 255 and two bytes, then as many. */
static inline struct slice take_piece(struct pieces *p)
{
    size_t n = take_u8(p);

    if (n == 255) {
        n = take_u8(p);
        n |= (size_t)take_u8(p) << 8;
    }
    return take_bytes(p, n);
}

/* Mostly small, sometimes at an edge, sometimes anything. */
static inline uint64_t take_number(struct pieces *p)
{
    static const uint64_t edges[] = { UINT64_MAX, UINT64_MAX - 1,
        UINT64_C(1) << 63, UINT64_C(1) << 62, (UINT64_C(1) << 62) - 1,
        UINT64_C(1) << 32, UINT32_MAX, UINT16_MAX };
    uint8_t how = take_u8(p);
    struct reader r;

    if (how < 240)
        return how;
    if (how < 248)
        return edges[how - 240];
    r = reader_of(take_bytes(p, 8));
    return get_u64(&r);
}

/* The bytes that an encoder has written, and no failure on the way. */
static inline struct slice written(const struct buf *b)
{
    ENSURE(buf_status(b) == SYNCLINE_OK);
    return buf_slice(b);
}

#endif
