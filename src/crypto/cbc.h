/* cbc.h - AES-128-CBC (SP 800-38A) with the padding of PKCS#7, for Fernet.
 * It guards nothing by itself: what is opened must have been authenticated.
 *
 * No state. Contract: that of crypto.h. */
#ifndef SYNCLINE_CRYPTO_CBC_H
#define SYNCLINE_CRYPTO_CBC_H

#include "base/buf.h"

#define CBC_BLOCK_LEN 16
#define CBC_KEY_LEN 16

/* Appends the blocks. */
NODISCARD int crypto_cbc_seal(struct buf *out, const uint8_t key[CBC_KEY_LEN],
    const uint8_t iv[CBC_BLOCK_LEN], struct slice plain);
/* Appends what was sealed. EMALFORMED: no whole blocks; EDENIED: the padding is
 * wrong. */
NODISCARD int crypto_cbc_open(struct buf *out, const uint8_t key[CBC_KEY_LEN],
    const uint8_t iv[CBC_BLOCK_LEN], struct slice sealed);

#endif
