#include "base/hash.h"

#include "unit/check.h"

#include "base/buf.h"
#include "base/prng.h"
#include "base/text.h"

/* The same checksum as a machine without the instruction computes it. */
#undef __x86_64__
#define crc32c crc32c_portable
uint32_t crc32c_portable(uint32_t crc, struct slice s);
#include "base/crc32c.c" /* NOLINT(bugprone-suspicious-include) */
#undef crc32c

/* RFC 3720, B.4, and the check value of the Rocksoft model. */
TEST(crc32c_known_vectors)
{
    static const struct {
        const char *name, *hex;
        uint32_t crc;
    } rows[] = {
        { "nothing", "", 0 },
        { "digits", "313233343536373839", 0xe3069283 },
        { "32 zeros",
            "0000000000000000000000000000000000000000000000000000000000000000",
            0x8a9136aa },
        { "32 ones",
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            0x62a8ab43 },
        { "rising",
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            0x46dd794e },
        { "falling",
            "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100",
            0x113fdb5c },
        { "an iSCSI read",
            "01c00000000000000000000000000000"
            "14000000000004000000001400000018"
            "28000000000000000200000000000000",
            0xd9963a56 },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        uint8_t bytes[64];
        size_t n = strlen(rows[i].hex) / 2;

        CHECK_OK(hex_decode(bytes, n, slice_str(rows[i].hex)));
        CHECK_SAYING(
            crc32c(0, SLICE(bytes, n)) == rows[i].crc, "%s", rows[i].name);
        CHECK_SAYING(crc32c_portable(0, SLICE(bytes, n)) == rows[i].crc,
            "%s, portable", rows[i].name);
    }
}

TEST(crc32c_continues_wherever_it_is_cut)
{
    uint8_t bytes[300];
    struct prng p = { 1 };
    uint32_t whole;

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)prng_next(&p);
    whole = crc32c(0, SLICE(bytes, sizeof bytes));
    CHECK_UINT(crc32c_portable(0, SLICE(bytes, sizeof bytes)), whole);
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        uint32_t head = crc32c(0, SLICE(bytes, cut));

        CHECK_UINT(crc32c(head, SLICE(bytes + cut, sizeof bytes - cut)), whole);
    }
}

TEST(crc32c_notices_each_flipped_bit)
{
    uint8_t bytes[40] = { 7 };
    uint32_t whole = crc32c(0, SLICE(bytes, sizeof bytes));

    for (size_t bit = 0; bit < sizeof bytes * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(crc32c(0, SLICE(bytes, sizeof bytes)) != whole);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* Key 00..0f, input the first n of 00, 01, 02, ...; the published vectors,
 * also what OpenSSL computes. */
TEST(siphash128_published_vectors)
{
    static const struct {
        size_t n;
        const char *hex;
    } rows[] = {
        { 0, "a3817f04ba25a8e66df67214c7550293" },
        { 1, "da87c1d86b99af44347659119b22fc45" },
        { 7, "a1f1ebbed8dbc153c0b84aa61ff08239" },
        { 8, "3b62a9ba6258f5610f83e264f31497b4" },
        { 15, "5493e99933b0a8117e08ec0f97cfc3d9" },
        { 16, "6ee2a4ca67b054bbfd3315bf85230577" },
        { 63, "5150d1772f50834a503e069a973fbd7c" },
    };
    uint8_t key[16], in[64];

    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)i;
    memcpy(key, in, sizeof key);
    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct hash128 h = siphash128(key, SLICE(in, rows[i].n));
        struct buf b = { 0 };
        uint8_t raw[16];

        for (int j = 0; j < 8; j++) {
            raw[j] = (uint8_t)(h.lo >> (8 * j));
            raw[8 + j] = (uint8_t)(h.hi >> (8 * j));
        }
        put_hex(&b, SLICE(raw, sizeof raw));
        CHECK_SLICE(buf_slice(&b), rows[i].hex);
        buf_free(&b);
    }
}

TEST(siphash128_depends_on_the_key)
{
    uint8_t key[16] = { 0 };
    struct hash128 a = siphash128(key, SLICE_LIT("state"));

    for (size_t i = 0; i < sizeof key; i++) {
        struct hash128 b;

        key[i] = 1;
        b = siphash128(key, SLICE_LIT("state"));
        CHECK(a.lo != b.lo && a.hi != b.hi);
        key[i] = 0;
    }
}
