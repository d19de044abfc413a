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

#endif
