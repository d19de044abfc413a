/* kx.h - secrets that two devices share and nobody else: X25519 (RFC 7748)
 * with a key that is derived from the device's own, so that there is none to
 * be kept beside it.
 *
 * private = HKDF-SHA256(the Ed25519 private key, no salt,
 * "syncline x25519 v1\n"). Law: what leaves is a public key, or HKDF of a
 * shared secret; a peer's key that would give a known secret is refused. */
#ifndef SYNCLINE_CRYPTO_KX_H
#define SYNCLINE_CRYPTO_KX_H

#include "crypto/identity.h"

#define KX_LEN 32

NODISCARD int kx_public(const struct identity *id, uint8_t out[KX_LEN]);
/* HKDF-SHA256(the shared secret, no salt, info). EDENIED: that peer's key is
 * of small order. */
NODISCARD int kx_shared(const struct identity *id, const uint8_t peer[KX_LEN],
    struct slice info, uint8_t out[KEY_LEN]);

/* A key for what this device keeps for itself: HKDF-SHA256(the Ed25519
 * private key, no salt, info). */
NODISCARD int kx_own_key(
    const struct identity *id, struct slice info, uint8_t out[KEY_LEN]);

#endif
