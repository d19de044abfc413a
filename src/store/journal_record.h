/* journal_record.h - the bytes of a journal's segment: a header, then
 * records at multiples of eight. doc/store.md has the table.
 *
 * Pure. Law: a record or header is read back only from a segment with the
 * serial it was written for, so what is left over in a reused file never
 * passes. */
#ifndef SYNCLINE_STORE_JOURNAL_RECORD_H
#define SYNCLINE_STORE_JOURNAL_RECORD_H

#include "base/buf.h"

#define SEGMENT_HEADER_LEN 40
#define RECORD_HEADER_LEN 24
/* SQLite takes no value of a thousand million bytes, and one commit may have
 * to hold all that one item is made of. */
#define RECORD_PAYLOAD_MAX ((size_t)896 << 20)

struct segment_header {
    uint64_t serial;
    uint64_t first;   /* number of its first commit */
    uint64_t durable; /* last commit known durable when it was begun */
};

struct record {
    uint64_t no;
    uint64_t durable; /* as above, when the record was written */
    struct slice payload;
    size_t size; /* bytes it takes in the segment */
};

/* Where the checksums of a segment begin. */
uint32_t segment_seed(uint64_t serial);

static inline size_t record_size(size_t payload_len)
{
    return (RECORD_HEADER_LEN + payload_len + 7) & ~(size_t)7;
}

void put_segment_header(struct buf *b, const struct segment_header *h);
/* False if the segment does not begin with a header for that serial. */
bool get_segment_header(
    struct slice segment, uint64_t serial, struct segment_header *out);

void put_record(struct buf *b, uint32_t seed, const struct record *r);
/* What may be a record, by its looks: cheap, and proves nothing. */
bool peek_record(struct slice segment, size_t at, struct record *out);
/* The record at an offset of a segment; false if there is none. Its payload
 * is borrowed. */
bool get_record(
    struct slice segment, size_t at, uint32_t seed, struct record *out);

#endif
