#include "crypto/kx.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#define KX_INFO "syncline x25519 v1\n"
#define ED25519_RAW_LEN 32

int kx_own_key(
    const struct identity *id, struct slice info, uint8_t out[KEY_LEN])
{
    uint8_t raw[ED25519_RAW_LEN];
    size_t len = sizeof raw;
    int rc = SYNCLINE_ENOMEM;

    if (EVP_PKEY_get_raw_private_key(identity_key(id), raw, &len) == 1 &&
        len == sizeof raw)
        rc =
            crypto_hkdf(out, KEY_LEN, SLICE(raw, sizeof raw), SLICE_NONE, info);
    else
        ERR_clear_error();
    crypto_wipe(raw, sizeof raw);
    return rc;
}

/* NULL: memory ran out. */
static EVP_PKEY *derived(const struct identity *id)
{
    uint8_t secret[KX_LEN] = { 0 };
    EVP_PKEY *key = NULL;

    if (kx_own_key(id, SLICE_LIT(KX_INFO), secret) == SYNCLINE_OK)
        key = EVP_PKEY_new_raw_private_key(
            EVP_PKEY_X25519, NULL, secret, sizeof secret);
    crypto_wipe(secret, sizeof secret);
    if (key == NULL)
        ERR_clear_error();
    return key;
}

int kx_public(const struct identity *id, uint8_t out[KX_LEN])
{
    EVP_PKEY *key = derived(id);
    uint8_t made[KX_LEN];
    size_t len = sizeof made;
    int rc = SYNCLINE_ENOMEM;

    if (key != NULL && EVP_PKEY_get_raw_public_key(key, made, &len) == 1 &&
        len == sizeof made) {
        memcpy(out, made, sizeof made);
        rc = SYNCLINE_OK;
    }
    EVP_PKEY_free(key);
    if (rc != SYNCLINE_OK)
        ERR_clear_error();
    return rc;
}

/* OpenSSL refuses the peers' keys that lead to zeros, which anybody knows. */
static int derive(EVP_PKEY *own, EVP_PKEY *peer, uint8_t secret[KX_LEN])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
    size_t len = KX_LEN;
    int rc = SYNCLINE_ENOMEM;

    if (ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
        EVP_PKEY_derive_set_peer(ctx, peer) == 1)
        rc = EVP_PKEY_derive(ctx, secret, &len) == 1 && len == KX_LEN
            ? SYNCLINE_OK
            : SYNCLINE_EDENIED;
    EVP_PKEY_CTX_free(ctx);
    return rc;
}

int kx_shared(const struct identity *id, const uint8_t peer[KX_LEN],
    struct slice info, uint8_t out[KEY_LEN])
{
    EVP_PKEY *own = derived(id);
    EVP_PKEY *theirs =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, peer, KX_LEN);
    uint8_t secret[KX_LEN] = { 0 };
    int rc = own == NULL || theirs == NULL ? SYNCLINE_ENOMEM
                                           : derive(own, theirs, secret);

    if (rc == SYNCLINE_OK)
        rc = crypto_hkdf(
            out, KEY_LEN, SLICE(secret, sizeof secret), SLICE_NONE, info);
    crypto_wipe(secret, sizeof secret);
    EVP_PKEY_free(own);
    EVP_PKEY_free(theirs);
    if (rc != SYNCLINE_OK)
        ERR_clear_error();
    return rc;
}
