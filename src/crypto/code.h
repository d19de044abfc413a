/* code.h - the one-time code that pairs two machines.
 *
 * Pure: no clock, no entropy; the caller brings the secret.
 * The bytes are
 *     1  version (high nibble), kinds of the addresses (low nibble: a one,
 *        then for each address in order 0 for IPv4, 1 for IPv6)
 *    13  secret
 *     4  beginning of the inviter's device id
 *   6|18 each address: IP, port big-endian; no scope
 *     4  CRC-32C of all before, big-endian
 * written as base32 in groups of five joined by dashes. Law: decode(encode(x))
 * is x, scopes aside; a code with a wrong digit is refused, never guessed. */
#ifndef SYNCLINE_CRYPTO_CODE_H
#define SYNCLINE_CRYPTO_CODE_H

#include "base/buf.h"
#include "core/netaddr.h"

#define CODE_VERSION 1
#define CODE_SECRET_LEN 13 /* 104 bits */
#define CODE_PREFIX_LEN 4
#define CODE_ADDRS_MAX 3

struct pair_code {
    uint8_t secret[CODE_SECRET_LEN];
    uint8_t prefix[CODE_PREFIX_LEN];
    struct netaddr addrs[CODE_ADDRS_MAX];
    size_t addrs_n;
};

/* Appends the text. EINVAL: more than three addresses, or one of no family. */
NODISCARD int code_encode(struct buf *out, const struct pair_code *code);
/* Either case; blanks and dashes anywhere or nowhere. EMALFORMED when
 * mistyped, EVERSION when made by a newer program. */
NODISCARD int code_decode(
    struct pair_code *out, struct slice text, struct errmsg *why);

#endif
