/* hash.h - checksums and fingerprints that need no key secrecy.
 *
 * Pure. CRC-32C (RFC 3720, B.4) guards what is on disk; SipHash-2-4 with
 * 128 bits of output (Aumasson, Bernstein 2012) names states. */
#ifndef SYNCLINE_BASE_HASH_H
#define SYNCLINE_BASE_HASH_H

#include "base/slice.h"

/* Continues a checksum; start with 0. */
uint32_t crc32c(uint32_t crc, struct slice s);

struct hash128 {
    uint64_t lo, hi;
};

struct hash128 siphash128(const uint8_t key[16], struct slice s);

/* Adds one word, or bytes and their number, to a hash of our own (each word
 * multiplied in): several times as fast, and for what nobody means to deceive:
 * tests, hints. Start with zeros. */
static inline void hash128_add_word(struct hash128 *h, uint64_t word)
{
    const uint64_t mix = 0x9e3779b97f4a7c15; /* 2^64 over the golden ratio */

    h->lo = (h->lo ^ word) * mix;
    h->lo ^= h->lo >> 32;
    h->hi = ((h->hi << 29 | h->hi >> 35) + h->lo) * mix;
}
void hash128_add(struct hash128 *h, struct slice s);

#endif
