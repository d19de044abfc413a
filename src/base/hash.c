#include "base/hash.h"

#include "base/bytes.h"

struct sip {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotl(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 = rotl(s->v2, 32);
}

static void sip_finish(struct sip *s)
{
    for (int i = 0; i < 4; i++)
        sip_round(s);
}

static inline void sip_absorb(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    sip_round(s);
    s->v0 ^= word;
}

struct hash128 siphash128(const uint8_t key[16], struct slice in)
{
    uint64_t k0 = le64_at(key), k1 = le64_at(key + 8);
    struct sip s = { k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du ^ 0xee,
        k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u };
    uint64_t last = (uint64_t)in.len << 56;
    struct hash128 out;
    size_t i = 0;

    for (; i + 8 <= in.len; i += 8)
        sip_absorb(&s, le64_at(in.ptr + i));
    for (size_t j = 0; i + j < in.len; j++)
        last |= (uint64_t)in.ptr[i + j] << (8 * j);
    sip_absorb(&s, last);
    s.v2 ^= 0xee;
    sip_finish(&s);
    out.lo = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
    s.v1 ^= 0xdd;
    sip_finish(&s);
    out.hi = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
    return out;
}

void hash128_add(struct hash128 *h, struct slice s)
{
    uint8_t last[8] = { 0 };
    size_t i = 0;

    hash128_add_word(h, s.len);
    for (; i + 8 <= s.len; i += 8)
        hash128_add_word(h, le64_at(s.ptr + i));
    if (i < s.len) {
        memcpy(last, s.ptr + i, s.len - i);
        hash128_add_word(h, le64_at(last));
    }
}
