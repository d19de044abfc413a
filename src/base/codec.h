/* codec.h - the few shapes that every record and frame is made of.
 *
 * Pure. Writers append to a struct buf. A struct reader never reads past its
 * slice: the first thing that does not fit sets err, and all later reads
 * return zeros. Numbers are little-endian; varints are LEB128, at most ten
 * bytes, and must be minimal so that a value has one encoding. `be` forms
 * are for keys that must sort as numbers do. */
#ifndef SYNCLINE_BASE_CODEC_H
#define SYNCLINE_BASE_CODEC_H

#include "base/buf.h"

void put_u32(struct buf *b, uint32_t v);
void put_u64(struct buf *b, uint64_t v);
void put_be32(struct buf *b, uint32_t v);
void put_be64(struct buf *b, uint64_t v);
void put_varint(struct buf *b, uint64_t v);
/* A varint of the length, then the bytes. */
void put_bytes(struct buf *b, struct slice s);

struct reader {
    struct slice in; /* what is left */
    int err;         /* 0, SYNCLINE_ESHORT or SYNCLINE_EMALFORMED */
};

static inline struct reader reader_of(struct slice s)
{
    return (struct reader){ .in = s };
}

uint8_t get_u8(struct reader *r);
uint32_t get_u32(struct reader *r);
uint64_t get_u64(struct reader *r);
uint32_t get_be32(struct reader *r);
uint64_t get_be64(struct reader *r);
uint64_t get_varint(struct reader *r);
/* A varint that must not exceed max; else EMALFORMED. */
uint64_t get_varint_max(struct reader *r, uint64_t max);
/* Exactly n bytes, borrowed from the input. */
struct slice get_fixed(struct reader *r, size_t n);
/* Length-prefixed bytes, borrowed from the input. */
struct slice get_bytes(struct reader *r);
/* Copies exactly n bytes; zeros on failure. */
void get_into(struct reader *r, void *out, size_t n);
/* 0 if everything was read and nothing is left over. */
NODISCARD int reader_end(const struct reader *r);

#endif
