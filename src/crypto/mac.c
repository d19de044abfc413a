/* SHA-256 over pieces, and HMAC under a key that is worked up once. The calls
 * of OpenSSL that look an algorithm up by name take several times as long as
 * the hashing of a leaf itself; those used here do not, and take no memory. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "crypto/crypto.h"

#include <openssl/sha.h>

#define BLOCK_LEN 64

_Static_assert(sizeof(SHA256_CTX) <= sizeof((struct mac_key *)0)->inner,
    "a state of SHA-256 fits");

static int add_parts(SHA256_CTX *ctx, const struct slice *parts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (parts[i].len > 0 &&
            SHA256_Update(ctx, parts[i].ptr, parts[i].len) != 1)
            return SYNCLINE_ENOMEM;
    return SYNCLINE_OK;
}

static int end(SHA256_CTX *ctx, uint8_t out[SHA256_LEN])
{
    uint8_t made[SHA256_LEN];
    int ok = SHA256_Final(made, ctx);

    if (ok == 1)
        memcpy(out, made, sizeof made);
    return ok == 1 ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

int crypto_hash(uint8_t out[SHA256_LEN], const struct slice *parts, size_t n)
{
    SHA256_CTX ctx;
    int rc = SHA256_Init(&ctx) == 1 ? SYNCLINE_OK : SYNCLINE_ENOMEM;

    if (rc == SYNCLINE_OK)
        rc = add_parts(&ctx, parts, n);
    return rc == SYNCLINE_OK ? end(&ctx, out) : rc;
}

/* RFC 2104: the key, padded, xored with a byte, is the first block. */
static int begin(void *out, const uint8_t padded[BLOCK_LEN], uint8_t byte)
{
    uint8_t block[BLOCK_LEN];
    SHA256_CTX ctx;
    int rc = SYNCLINE_ENOMEM;

    for (size_t i = 0; i < BLOCK_LEN; i++)
        block[i] = padded[i] ^ byte;
    if (SHA256_Init(&ctx) == 1 && SHA256_Update(&ctx, block, BLOCK_LEN) == 1)
        rc = SYNCLINE_OK;
    if (rc == SYNCLINE_OK)
        memcpy(out, &ctx, sizeof ctx);
    crypto_wipe(block, sizeof block);
    crypto_wipe(&ctx, sizeof ctx);
    return rc;
}

int crypto_mac_key(struct mac_key *out, struct slice key)
{
    uint8_t padded[BLOCK_LEN] = { 0 };
    struct mac_key made = { { 0 }, { 0 } };
    int rc = SYNCLINE_OK;

    if (key.len > BLOCK_LEN)
        rc = crypto_hash(padded, &key, 1);
    else if (key.len > 0)
        memcpy(padded, key.ptr, key.len);
    if (rc == SYNCLINE_OK)
        rc = begin(made.inner, padded, 0x36);
    if (rc == SYNCLINE_OK)
        rc = begin(made.outer, padded, 0x5c);
    if (rc == SYNCLINE_OK)
        *out = made;
    crypto_wipe(padded, sizeof padded);
    crypto_wipe(&made, sizeof made);
    return rc;
}

int crypto_mac(uint8_t out[SHA256_LEN], const struct mac_key *key,
    const struct slice *parts, size_t n)
{
    uint8_t inner[SHA256_LEN];
    struct slice sum = SLICE(inner, sizeof inner);
    SHA256_CTX ctx;
    int rc;

    memcpy(&ctx, key->inner, sizeof ctx);
    rc = add_parts(&ctx, parts, n);
    if (rc == SYNCLINE_OK)
        rc = end(&ctx, inner);
    memcpy(&ctx, key->outer, sizeof ctx);
    if (rc == SYNCLINE_OK)
        rc = add_parts(&ctx, &sum, 1);
    return rc == SYNCLINE_OK ? end(&ctx, out) : rc;
}
