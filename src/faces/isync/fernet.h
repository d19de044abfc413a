/* fernet.h - Fernet tokens (the specification of 2013: AES-128-CBC, then
 * HMAC-SHA256), with a key from a token that people share.
 *
 * Pure: time and the initialisation vector are the caller's. Law: nothing is
 * decrypted whose tag is not right, and the tag is compared in constant time.
 * No token is too old: the originals ask for no age. */
#ifndef SYNCLINE_FACES_ISYNC_FERNET_H
#define SYNCLINE_FACES_ISYNC_FERNET_H

#include "base/buf.h"

#define FERNET_HALF_LEN 16
#define FERNET_IV_LEN 16
#define FERNET_KEY_TEXT_LEN 44

struct fernet_key {
    uint8_t sign[FERNET_HALF_LEN], encrypt[FERNET_HALF_LEN];
};

/* SHA-256 of the token. EINVAL: it is empty. */
NODISCARD int fernet_key_of_token(struct fernet_key *out, struct slice token);
/* Base64 with '-' and '_', as Fernet keys are written. */
void fernet_key_put(struct buf *b, const struct fernet_key *key);
NODISCARD int fernet_key_read(struct fernet_key *out, struct slice text);

/* Appends the token's text. An iv must never serve twice under a key. */
NODISCARD int fernet_seal(struct buf *out, const struct fernet_key *key,
    uint64_t time_s, const uint8_t iv[FERNET_IV_LEN], struct slice plain);
/* Appends what was sealed. EMALFORMED: no token; EDENIED: not by this key, or
 * changed. time_s may be NULL. */
NODISCARD int fernet_open(struct buf *out, const struct fernet_key *key,
    struct slice token, uint64_t *time_s);

#endif
