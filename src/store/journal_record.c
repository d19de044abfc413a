#include "store/journal_record.h"

#include "base/codec.h"
#include "base/hash.h"
#include "base/plant.h"

#define MAGIC SLICE_LIT("SYNJRNL\1")
#define CRC_AT 32 /* in the header: over all before it */

uint32_t segment_seed(uint64_t serial)
{
    uint8_t p[8];

    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(serial >> (8 * i));
    return crc32c(0, SLICE(p, sizeof p));
}

void put_segment_header(struct buf *b, const struct segment_header *h)
{
    size_t at = b->len;

    buf_put_slice(b, MAGIC);
    put_u64(b, h->serial);
    put_u64(b, h->first);
    put_u64(b, h->durable);
    if (buf_status(b) == SYNCLINE_OK)
        put_u32(b, crc32c(0, SLICE(b->ptr + at, CRC_AT)));
    put_u32(b, 0);
}

bool get_segment_header(
    struct slice segment, uint64_t serial, struct segment_header *out)
{
    struct reader r = reader_of(segment);
    struct slice magic = get_fixed(&r, MAGIC.len);
    struct segment_header h = { .serial = get_u64(&r) };
    uint32_t crc;

    h.first = get_u64(&r);
    h.durable = get_u64(&r);
    crc = get_u32(&r);
    if (r.err != 0 || !slice_eq(magic, MAGIC) || h.serial != serial)
        return false;
    if (crc != crc32c(0, SLICE(segment.ptr, CRC_AT)))
        return false;
    *out = h;
    return true;
}

/* Over the length and all that follows the checksum's own four bytes. */
static uint32_t checksum(uint32_t seed, const uint8_t *p, size_t payload_len)
{
    seed = crc32c(seed, SLICE(p, 4));
    return crc32c(seed, SLICE(p + 8, RECORD_HEADER_LEN - 8 + payload_len));
}

static void store32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static void store64(uint8_t *p, uint64_t v)
{
    store32(p, (uint32_t)v);
    store32(p + 4, (uint32_t)(v >> 32));
}

static uint32_t load32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
        (uint32_t)p[3] << 24;
}

static uint64_t load64(const uint8_t *p)
{
    return (uint64_t)load32(p) | (uint64_t)load32(p + 4) << 32;
}

void put_record(struct buf *b, uint32_t seed, const struct record *r)
{
    size_t size = record_size(r->payload.len);
    uint8_t *p = buf_reserve(b, size);

    if (p == NULL)
        return;
    store32(p, (uint32_t)r->payload.len);
    store64(p + 8, r->no);
    store64(p + 16, r->durable);
    if (r->payload.len > 0)
        memcpy(p + RECORD_HEADER_LEN, r->payload.ptr, r->payload.len);
    memset(p + RECORD_HEADER_LEN + r->payload.len, 0,
        size - RECORD_HEADER_LEN - r->payload.len);
    store32(p + 4, checksum(seed, p, r->payload.len));
    b->len += size;
}

bool peek_record(struct slice segment, size_t at, struct record *out)
{
    const uint8_t *p;
    struct record r;
    size_t len;

    if (at > segment.len || segment.len - at < RECORD_HEADER_LEN)
        return false;
    p = segment.ptr + at;
    len = load32(p);
    r.no = load64(p + 8);
    r.durable = load64(p + 16);
    if (r.no == 0 || r.durable >= r.no || len > RECORD_PAYLOAD_MAX)
        return false;
    r.size = record_size(len);
    if (segment.len - at < r.size)
        return false;
    r.payload = SLICE(p + RECORD_HEADER_LEN, len);
    *out = r;
    return true;
}

bool get_record(
    struct slice segment, size_t at, uint32_t seed, struct record *out)
{
    struct record r;

    if (!peek_record(segment, at, &r) ||
        (load32(segment.ptr + at + 4) !=
                checksum(seed, segment.ptr + at, r.payload.len) &&
            !PLANTED(CRC_IGNORED)))
        return false;
    *out = r;
    return true;
}
