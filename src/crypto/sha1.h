/* sha1.h - SHA-1 (FIPS 180-4), for the greeting of a WebSocket (RFC 6455),
 * where it guards nothing. Nothing else may rest on it.
 *
 * No state. Contract: that of crypto.h. */
#ifndef SYNCLINE_CRYPTO_SHA1_H
#define SYNCLINE_CRYPTO_SHA1_H

#include "base/error.h"
#include "base/slice.h"

#define SHA1_LEN 20

NODISCARD int crypto_sha1(uint8_t out[SHA1_LEN], struct slice s);

#endif
