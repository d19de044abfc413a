/* gcm.h - AES-256-GCM (SP 800-38D), by whichever library is faster here.
 *
 * OpenSSL's does most of its work for a cell before the first byte: keys,
 * nonces and lengths go through calls that look them up by name. libsodium's
 * takes a third of that, but wants AES and carry-less multiplication from the
 * processor. Law: both make and refuse the same bytes, and write nothing that
 * outlives a refusal. */
#ifndef SYNCLINE_CRYPTO_GCM_H
#define SYNCLINE_CRYPTO_GCM_H

#include "crypto/crypto.h"

struct gcm {
    /* Ciphertext and tag to `to`, which has room for both. */
    int (*seal)(uint8_t *to, const uint8_t key[KEY_LEN],
        const uint8_t nonce[GCM_NONCE_LEN], struct slice aad,
        struct slice plain);
    /* What is sealed has a tag at its end; room for the rest. EDENIED: it is
     * not of this key, nonce and aad. */
    int (*open)(uint8_t *to, const uint8_t key[KEY_LEN],
        const uint8_t nonce[GCM_NONCE_LEN], struct slice aad,
        struct slice sealed);
};

extern const struct gcm gcm_openssl;

/* NULL where the processor lacks what it needs. */
const struct gcm *gcm_sodium(void);

#endif
