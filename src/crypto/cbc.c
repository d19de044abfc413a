#include "crypto/cbc.h"

#include <limits.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "crypto/crypto.h"

/* What OpenSSL leaves on its error queue would be found by the next TLS call
 * on this thread and taken for its own. */
static int done(EVP_CIPHER_CTX *ctx, int rc)
{
    EVP_CIPHER_CTX_free(ctx);
    if (rc != SYNCLINE_OK)
        ERR_clear_error();
    return rc;
}

int crypto_cbc_seal(struct buf *out, const uint8_t key[CBC_KEY_LEN],
    const uint8_t iv[CBC_BLOCK_LEN], struct slice plain)
{
    EVP_CIPHER_CTX *ctx;
    uint8_t *to;
    int n = 0, rest = 0;

    if (plain.len > INT_MAX - 2 * CBC_BLOCK_LEN)
        return SYNCLINE_ELIMIT;
    to = buf_reserve(out, plain.len + CBC_BLOCK_LEN);
    if (to == NULL)
        return buf_status(out);
    ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL ||
        EVP_EncryptInit_ex(ctx, EVP_aes_128_cbc(), NULL, key, iv) != 1 ||
        (plain.len > 0 &&
            EVP_EncryptUpdate(ctx, to, &n, plain.ptr, (int)plain.len) != 1) ||
        EVP_EncryptFinal_ex(ctx, to + n, &rest) != 1)
        return done(ctx, SYNCLINE_ENOMEM);
    out->len += (size_t)(n + rest);
    return done(ctx, SYNCLINE_OK);
}

int crypto_cbc_open(struct buf *out, const uint8_t key[CBC_KEY_LEN],
    const uint8_t iv[CBC_BLOCK_LEN], struct slice sealed)
{
    EVP_CIPHER_CTX *ctx;
    uint8_t *to;
    int n = 0, rest = 0, rc = SYNCLINE_ENOMEM;

    if (sealed.len == 0 || sealed.len % CBC_BLOCK_LEN != 0)
        return SYNCLINE_EMALFORMED;
    if (sealed.len > INT_MAX - 2 * CBC_BLOCK_LEN)
        return SYNCLINE_ELIMIT;
    to = buf_reserve(out, sealed.len + CBC_BLOCK_LEN);
    if (to == NULL)
        return buf_status(out);
    ctx = EVP_CIPHER_CTX_new();
    if (ctx != NULL &&
        EVP_DecryptInit_ex(ctx, EVP_aes_128_cbc(), NULL, key, iv) == 1 &&
        EVP_DecryptUpdate(ctx, to, &n, sealed.ptr, (int)sealed.len) == 1)
        rc = EVP_DecryptFinal_ex(ctx, to + n, &rest) == 1 ? SYNCLINE_OK
                                                          : SYNCLINE_EDENIED;
    if (rc == SYNCLINE_OK)
        out->len += (size_t)(n + rest);
    else
        crypto_wipe(to, sealed.len);
    return done(ctx, rc);
}
