/* port.h - the door through which the pure layers reach cryptography.
 *
 * Law: with crypto_port_seeded every function is one of its arguments and of
 * the calls before; with crypto_port_openssl only `random` is not. Contracts
 * are those of crypto.h and kx.h. */
#ifndef SYNCLINE_CRYPTO_PORT_H
#define SYNCLINE_CRYPTO_PORT_H

#include "crypto/kx.h"

struct crypto_port {
    void *self;
    struct device_id device; /* one's own */
    struct slice spki;       /* one's own, lives as long as the identity */
    int (*sha256)(void *self, uint8_t out[SHA256_LEN], struct slice s);
    int (*hmac_sha256)(
        void *self, uint8_t out[SHA256_LEN], struct slice key, struct slice s);
    int (*hash)(void *self, uint8_t out[SHA256_LEN], const struct slice *parts,
        size_t n);
    int (*hash_begin)(void *self, struct hash_begun *out,
        const struct slice *parts, size_t n);
    int (*hash_end)(void *self, uint8_t out[SHA256_LEN],
        const struct hash_begun *begun, const struct slice *parts, size_t n);
    int (*mac_key)(void *self, struct mac_key *out, struct slice key);
    int (*mac)(void *self, uint8_t out[SHA256_LEN], const struct mac_key *key,
        const struct slice *parts, size_t n);
    int (*mac_begin)(void *self, struct mac_key *out, const struct mac_key *key,
        struct slice blocks);
    int (*hkdf)(void *self, uint8_t *out, size_t out_len, struct slice secret,
        struct slice salt, struct slice info);
    int (*seal)(void *self, struct buf *out, const uint8_t key[KEY_LEN],
        const uint8_t nonce[GCM_NONCE_LEN], struct slice aad,
        struct slice plain);
    int (*open)(void *self, struct buf *out, const uint8_t key[KEY_LEN],
        const uint8_t nonce[GCM_NONCE_LEN], struct slice aad,
        struct slice sealed);
    int (*xseal)(void *self, struct buf *out, const uint8_t key[KEY_LEN],
        const uint8_t nonce[XAES_NONCE_LEN], struct slice aad,
        struct slice plain);
    int (*xopen)(void *self, struct buf *out, const uint8_t key[KEY_LEN],
        const uint8_t nonce[XAES_NONCE_LEN], struct slice aad,
        struct slice sealed);
    int (*random)(void *self, uint8_t *out, size_t n);
    /* By the own identity. */
    int (*sign)(void *self, uint8_t out[ED25519_SIG_LEN], struct slice s);
    int (*verify)(
        void *self, struct slice spki, struct slice sig, struct slice s);
    /* kx_own_key */
    int (*own_key)(void *self, struct slice info, uint8_t out[KEY_LEN]);
    int (*kx_public)(void *self, uint8_t out[KX_LEN]); /* one's own */
    int (*kx_shared)(void *self, const uint8_t peer[KX_LEN], struct slice info,
        uint8_t out[KEY_LEN]);
};

/* What a port's functions work on; the caller's memory, as is the port. */
struct crypto_self {
    const struct identity *identity;
    uint8_t drawn[256]; /* for small wants, the last of them */
    size_t drawn_n;
    uint8_t seed[SHA256_LEN]; /* seeded only */
    uint64_t block;           /* of the stream, the next to be made */
};

/* identity is borrowed and outlives the port. */
void crypto_port_openssl(struct crypto_port *out, struct crypto_self *self,
    const struct identity *identity);
/* For simulations, never for keys that guard anything: `random` is the
 * stream SHA-256(seed || block), in whole blocks a call. */
void crypto_port_seeded(struct crypto_port *out, struct crypto_self *self,
    const struct identity *identity, uint64_t seed);
/* The same with signatures, hashes of trees, tags, seals (of seal, not of
 * xseal) and shared secrets that are quick and prove nothing: sums, of the
 * public keys where there are keys. Only what never goes by this port could
 * forge them. */
void crypto_port_quick(struct crypto_port *out, struct crypto_self *self,
    const struct identity *identity, uint64_t seed);

#endif
