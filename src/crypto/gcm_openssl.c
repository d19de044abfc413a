/* AES-256-GCM by OpenSSL. */
#include "crypto/gcm.h"

#include <stdatomic.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

/* What OpenSSL leaves on its error queue would be found by the next TLS call
 * on this thread and taken for its own. */
static int failed(int rc)
{
    ERR_clear_error();
    return rc;
}

/* Looked up once: each time it is done by name, it takes longer than a cell
 * does. Kept as long as the program; who comes at the same time loses. */
static const EVP_CIPHER *cipher(void)
{
    static _Atomic(EVP_CIPHER *) known;
    EVP_CIPHER *found = atomic_load(&known), *none = NULL;

    if (found != NULL)
        return found;
    found = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    if (found == NULL || atomic_compare_exchange_strong(&known, &none, found))
        return found;
    EVP_CIPHER_free(found);
    return none;
}

/* Kept from one text to the next, as making one takes longer than what it does.
 * What is in it of a key is as secret as the key, which its owner holds anyhow.
 * Threads that seal or open live as long as the program. */
static _Thread_local EVP_CIPHER_CTX *kept;

/* One that failed is in whatever state, and is not used again. */
static int drop(int rc)
{
    EVP_CIPHER_CTX_free(kept);
    kept = NULL;
    return failed(rc);
}

static bool begin(bool seal, const uint8_t key[KEY_LEN],
    const uint8_t nonce[GCM_NONCE_LEN], struct slice aad)
{
    const EVP_CIPHER *by = cipher();
    bool is_new = kept == NULL;
    int n;

    if (is_new)
        kept = EVP_CIPHER_CTX_new();
    /* Named once more, the cipher would be taken down and set up again. */
    return by != NULL && kept != NULL &&
        EVP_CipherInit_ex2(
            kept, is_new ? by : NULL, key, nonce, seal ? 1 : 0, NULL) == 1 &&
        (aad.len == 0 ||
            EVP_CipherUpdate(kept, NULL, &n, aad.ptr, (int)aad.len) == 1);
}

static int openssl_seal(uint8_t *to, const uint8_t key[KEY_LEN],
    const uint8_t nonce[GCM_NONCE_LEN], struct slice aad, struct slice plain)
{
    int n = 0;

    if (begin(true, key, nonce, aad) &&
        (plain.len == 0 ||
            EVP_EncryptUpdate(kept, to, &n, plain.ptr, (int)plain.len) == 1) &&
        EVP_EncryptFinal_ex(kept, to + n, &n) == 1 &&
        EVP_CIPHER_CTX_ctrl(
            kept, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_LEN, to + plain.len) == 1)
        return SYNCLINE_OK;
    return drop(SYNCLINE_ENOMEM);
}

/* EDENIED only if the tag is wrong: what precedes it cannot be refused. */
static int openssl_open(uint8_t *to, const uint8_t key[KEY_LEN],
    const uint8_t nonce[GCM_NONCE_LEN], struct slice aad, struct slice sealed)
{
    const struct slice text = SLICE(sealed.ptr, sealed.len - GCM_TAG_LEN);
    uint8_t tag[GCM_TAG_LEN]; /* the call wants a pointer to non-const */
    int n = 0, rc = SYNCLINE_ENOMEM;

    memcpy(tag, text.ptr + text.len, sizeof tag);
    if (begin(false, key, nonce, aad) &&
        (text.len == 0 ||
            EVP_DecryptUpdate(kept, to, &n, text.ptr, (int)text.len) == 1) &&
        EVP_CIPHER_CTX_ctrl(kept, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_LEN, tag) == 1)
        rc = EVP_DecryptFinal_ex(kept, to + n, &n) == 1 ? SYNCLINE_OK
                                                        : SYNCLINE_EDENIED;
    if (rc == SYNCLINE_OK)
        return rc;
    crypto_wipe(to, text.len); /* unauthenticated plaintext */
    return drop(rc);
}

const struct gcm gcm_openssl = { openssl_seal, openssl_open };
