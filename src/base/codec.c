#include "base/codec.h"

void put_u32(struct buf *b, uint32_t v)
{
    uint8_t p[4];

    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
    buf_put(b, p, sizeof p);
}

void put_u64(struct buf *b, uint64_t v)
{
    uint8_t p[8];

    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (8 * i));
    buf_put(b, p, sizeof p);
}

void put_be32(struct buf *b, uint32_t v)
{
    uint8_t p[4];

    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
    buf_put(b, p, sizeof p);
}

void put_be64(struct buf *b, uint64_t v)
{
    put_be32(b, (uint32_t)(v >> 32));
    put_be32(b, (uint32_t)v);
}

void put_varint(struct buf *b, uint64_t v)
{
    uint8_t p[10];
    size_t n = 0;

    if (v < 0x80) {
        buf_put_u8(b, (uint8_t)v);
        return;
    }
    while (v >= 0x80) {
        p[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    p[n++] = (uint8_t)v;
    buf_put(b, p, n);
}

void put_bytes(struct buf *b, struct slice s)
{
    put_varint(b, s.len);
    buf_put_slice(b, s);
}

static bool take(struct reader *r, size_t n, const uint8_t **out)
{
    if (r->err == 0 && r->in.len < n)
        r->err = SYNCLINE_ESHORT;
    if (r->err != 0)
        return false;
    *out = r->in.ptr;
    if (n > 0) /* nothing may be added to a NULL, not even nothing */
        r->in = SLICE(r->in.ptr + n, r->in.len - n);
    return true;
}

uint8_t get_u8(struct reader *r)
{
    const uint8_t *p;

    return take(r, 1, &p) ? p[0] : 0;
}

uint32_t get_u32(struct reader *r)
{
    const uint8_t *p;
    uint32_t v = 0;

    if (!take(r, 4, &p))
        return 0;
    for (int i = 0; i < 4; i++)
        v |= (uint32_t)p[i] << (8 * i);
    return v;
}

uint64_t get_u64(struct reader *r)
{
    uint64_t low = get_u32(r), high = get_u32(r);

    return r->err == 0 ? high << 32 | low : 0;
}

uint32_t get_be32(struct reader *r)
{
    const uint8_t *p;
    uint32_t v = 0;

    if (!take(r, 4, &p))
        return 0;
    for (int i = 0; i < 4; i++)
        v = v << 8 | p[i];
    return v;
}

uint64_t get_be64(struct reader *r)
{
    uint64_t high = get_be32(r), low = get_be32(r);

    return r->err == 0 ? high << 32 | low : 0;
}

uint64_t get_varint(struct reader *r)
{
    uint64_t v = 0;

    if (r->err == 0 && r->in.len > 0 && r->in.ptr[0] < 0x80) {
        v = r->in.ptr[0]; /* most are */
        r->in = SLICE(r->in.ptr + 1, r->in.len - 1);
        return v;
    }
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = get_u8(r);

        if (r->err != 0)
            return 0;
        if ((shift == 63 && byte > 1) || (shift > 0 && byte == 0))
            break;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return v;
    }
    r->err = SYNCLINE_EMALFORMED;
    return 0;
}

uint64_t get_varint_max(struct reader *r, uint64_t max)
{
    uint64_t v = get_varint(r);

    if (v <= max)
        return v;
    r->err = SYNCLINE_EMALFORMED;
    return 0;
}

struct slice get_fixed(struct reader *r, size_t n)
{
    const uint8_t *p;

    return take(r, n, &p) ? SLICE(p, n) : SLICE_NONE;
}

struct slice get_bytes(struct reader *r)
{
    uint64_t n = get_varint(r);

    if (r->err == 0 && n > r->in.len)
        r->err = SYNCLINE_ESHORT;
    return r->err == 0 ? get_fixed(r, (size_t)n) : SLICE_NONE;
}

void get_into(struct reader *r, void *out, size_t n)
{
    struct slice s = get_fixed(r, n);

    if (s.len == n && n > 0)
        memcpy(out, s.ptr, n);
    else
        memset(out, 0, n);
}

int reader_end(const struct reader *r)
{
    if (r->err != 0)
        return r->err;
    return r->in.len == 0 ? SYNCLINE_OK : SYNCLINE_EMALFORMED;
}
