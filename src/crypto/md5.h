/* md5.h - MD5 (RFC 1321), by which config-sync instances name what a
 * configuration says, and nothing is guarded. Nothing else may rest on it.
 *
 * No state. Contract: that of crypto.h. */
#ifndef SYNCLINE_CRYPTO_MD5_H
#define SYNCLINE_CRYPTO_MD5_H

#include "base/error.h"
#include "base/slice.h"

#define MD5_LEN 16

NODISCARD int crypto_md5(uint8_t out[MD5_LEN], struct slice s);

#endif
