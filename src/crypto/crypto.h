/* crypto.h - the few primitives that Syncline is built from.
 *
 * No state, no files. SHA-256 (FIPS 180-4), HMAC (RFC 2104), HKDF (RFC 5869),
 * AES-256-GCM (SP 800-38D), XAES-256-GCM (C2SP), Ed25519 (RFC 8032), by OpenSSL
 * and libsodium. Law: nothing aborts and nothing is written on failure. ENOMEM
 * stands for any failure of a library itself, which has no other reason here.
 */
#ifndef SYNCLINE_CRYPTO_CRYPTO_H
#define SYNCLINE_CRYPTO_CRYPTO_H

#include "base/buf.h"

#define SHA256_LEN 32
#define KEY_LEN 32
#define GCM_NONCE_LEN 12
#define GCM_TAG_LEN 16
#define XAES_NONCE_LEN 24
#define ED25519_SIG_LEN 64
#define ED25519_SPKI_LEN 44 /* DER of a SubjectPublicKeyInfo (RFC 8410) */
#define HKDF_OUT_MAX (255 * SHA256_LEN)

/* Did what OpenSSL has just failed at fail for want of memory? What it had to
 * say is forgotten. */
bool crypto_ran_out(void);

NODISCARD int crypto_sha256(uint8_t out[SHA256_LEN], struct slice s);
NODISCARD int crypto_hmac_sha256(
    uint8_t out[SHA256_LEN], struct slice key, struct slice s);
/* Of several pieces, as if they were one. */
NODISCARD int crypto_hash_parts(
    uint8_t out[SHA256_LEN], const struct slice *parts, size_t n);
/* A hash that has taken whole blocks of 64 bytes, to be gone on with as often
 * as something begins with them. EINVAL: they are not whole. */
struct hash_begun {
    uint32_t h[8];
    uint64_t taken;
};
NODISCARD int crypto_hash_begin(
    struct hash_begun *out, const struct slice *parts, size_t n);
NODISCARD int crypto_hash_end(uint8_t out[SHA256_LEN],
    const struct hash_begun *begun, const struct slice *parts, size_t n);
/* A key of HMAC that serves often: its two first blocks, hashed. As secret as
 * the key itself. */
struct mac_key {
    struct hash_begun inner, outer;
};
NODISCARD int crypto_mac_key(struct mac_key *out, struct slice key);
NODISCARD int crypto_mac(uint8_t out[SHA256_LEN], const struct mac_key *key,
    const struct slice *parts, size_t n);
/* The same key, for what begins with these whole blocks. */
NODISCARD int crypto_mac_begin(
    struct mac_key *out, const struct mac_key *key, struct slice blocks);
/* Extract and expand. EINVAL beyond HKDF_OUT_MAX. */
NODISCARD int crypto_hkdf(uint8_t *out, size_t out_len, struct slice secret,
    struct slice salt, struct slice info);

/* Appends ciphertext and tag. A nonce must never serve twice under a key. */
NODISCARD int crypto_seal(struct buf *out, const uint8_t key[KEY_LEN],
    const uint8_t nonce[GCM_NONCE_LEN], struct slice aad, struct slice plain);
/* Appends the plaintext; EDENIED, and nothing appended, if key, nonce, aad or
 * bytes are not those of the seal. */
NODISCARD int crypto_open(struct buf *out, const uint8_t key[KEY_LEN],
    const uint8_t nonce[GCM_NONCE_LEN], struct slice aad, struct slice sealed);

/* The same with a nonce of 192 bits, XAES-256-GCM: half of it makes a key of
 * its own, so that nonces may be drawn or derived without end. */
NODISCARD int crypto_xseal(struct buf *out, const uint8_t key[KEY_LEN],
    const uint8_t nonce[XAES_NONCE_LEN], struct slice aad, struct slice plain);
NODISCARD int crypto_xopen(struct buf *out, const uint8_t key[KEY_LEN],
    const uint8_t nonce[XAES_NONCE_LEN], struct slice aad, struct slice sealed);

NODISCARD int crypto_random(uint8_t *out, size_t n);
/* Takes as long whether the bytes agree or not; lengths are no secret. */
bool crypto_equal(struct slice a, struct slice b);
/* Overwrites a secret in a way that the compiler keeps. */
void crypto_wipe(void *p, size_t n);

/* EMALFORMED: no SPKI of an Ed25519 key. EDENIED: not its signature, or a key
 * that names nobody, as one of small order. */
NODISCARD int crypto_verify(
    struct slice spki, struct slice sig, struct slice s);

#endif
