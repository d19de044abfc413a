/* sealed_key.h - a device's private key under a passphrase (doc/security.md).
 *
 * A PEM block "SYNCLINE SEALED KEY" whose bytes are: version u8 (1), then the
 * cost of Argon2id (version 0x13): memory in KiB u32, passes u32, lanes u8,
 * then salt 16, nonce 12, and AES-256-GCM of the Ed25519 seed 32 with its tag
 * 16. The key is 32 bytes of Argon2id; what stands before the ciphertext is
 * authenticated with it. Touches no file. Law: what is read asks for no more
 * memory and time than the bounds below. */
#ifndef SYNCLINE_CRYPTO_SEALED_KEY_H
#define SYNCLINE_CRYPTO_SEALED_KEY_H

#include "crypto/identity.h"

#define SEALED_SALT_LEN 16
#define PASSPHRASE_MIN 8 /* of a new one, in bytes */
#define PASSPHRASE_MAX 1024

struct seal_cost {
    uint32_t kib;    /* [65536]; 64 to 1048576 */
    uint32_t passes; /* [3]; times kib 4 Mi at most */
    uint8_t lanes;   /* [1]; 1 to 16 */
};

/* What makes one sealing differ from the next: random, but in tests. */
struct seal_chance {
    uint8_t salt[SEALED_SALT_LEN];
    uint8_t nonce[GCM_NONCE_LEN];
};

/* Appends the PEM; cost and chance may be NULL. EINVAL: a passphrase that is
 * too long or empty, a cost out of bounds. */
NODISCARD int sealed_key_put(struct buf *out, const struct identity *id,
    struct slice passphrase, const struct seal_cost *cost,
    const struct seal_chance *chance);
/* Does a file begin as such a block? */
bool sealed_key_is(struct slice pem);
/* EDENIED: not this passphrase, or the file was changed. EMALFORMED,
 * EVERSION. */
NODISCARD int sealed_key_get(struct identity **out, struct slice pem,
    struct slice passphrase, struct errmsg *why);

#endif
