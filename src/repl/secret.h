/* secret.h - the mesh's secret as the store holds it: under a key that only
 * the device's private key makes, so that state.db alone tells nothing.
 *
 *   mesh id 16, nonce 12, AES-256-GCM of the secret 32 with its tag 16
 *
 * under HKDF-SHA256(the private key, no salt, "syncline store v1\n"); the
 * nonce is the beginning of HMAC-SHA256(that key, mesh id, secret), and
 * "syncline mesh secret v1\n" and the mesh id are authenticated with it. Until
 * format 2 the secret followed the mesh id as it is. Pure. */
#ifndef SYNCLINE_REPL_SECRET_H
#define SYNCLINE_REPL_SECRET_H

#include "crypto/port.h"

NODISCARD int secret_put(struct buf *out, const struct crypto_port *crypto,
    const struct mesh_id *mesh, const uint8_t secret[KEY_LEN]);
/* *bare: it was not sealed. ECORRUPT; EDENIED: by another device's key. */
NODISCARD int secret_get(struct slice value, const struct crypto_port *crypto,
    struct mesh_id *mesh, uint8_t secret[KEY_LEN], bool *bare);

/* Overwrites in a way that the compiler keeps. */
static inline void secret_wipe(void *p, size_t n)
{
    volatile uint8_t *at = p;

    while (n-- > 0)
        *at++ = 0;
}

#endif
