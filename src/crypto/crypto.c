#include "crypto/crypto.h"

#include "crypto/gcm.h"

#include <limits.h>
#include <stdatomic.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#define AES_BLOCK 16

/* A program that returns from main takes OpenSSL down while our threads are
 * still in it: what it holds goes with the process anyway. Only who asks first
 * is heard, so before main. */
__attribute__((constructor)) static void keep_to_the_end(void)
{
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
}

/* What OpenSSL leaves on its error queue would be found by the next TLS call
 * on this thread and taken for its own. */
static int failed(int rc)
{
    ERR_clear_error();
    return rc;
}

/* Where it has nothing to say it had not even the memory for that. */
bool crypto_ran_out(void)
{
    bool ran_out = ERR_peek_error() == 0;
    unsigned long e;

    while ((e = ERR_get_error()) != 0)
        ran_out = ran_out || ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE ||
            ERR_GET_REASON(e) == ERR_R_INIT_FAIL;
    return ran_out;
}

int crypto_sha256(uint8_t out[SHA256_LEN], struct slice s)
{
    return crypto_hash_parts(out, &s, 1);
}

int crypto_hmac_sha256(
    uint8_t out[SHA256_LEN], struct slice key, struct slice s)
{
    struct mac_key k;
    int rc = crypto_mac_key(&k, key);

    if (rc == SYNCLINE_OK)
        rc = crypto_mac(out, &k, &s, 1);
    crypto_wipe(&k, sizeof k);
    return rc;
}

/* T(i) = HMAC(prk, T(i-1) || info || i), RFC 5869, 2.3. */
static int hkdf_block(uint8_t block[SHA256_LEN], uint8_t no,
    const uint8_t prk[SHA256_LEN], struct slice info)
{
    struct buf in = { 0 };
    int rc;

    /* At once, so that growing leaves no copy of the secret behind. */
    (void)buf_reserve(&in, SHA256_LEN + info.len + 1);
    if (no > 1)
        buf_put(&in, block, SHA256_LEN);
    buf_put_slice(&in, info);
    buf_put_u8(&in, no);
    rc = buf_status(&in);
    if (rc == SYNCLINE_OK)
        rc = crypto_hmac_sha256(block, SLICE(prk, SHA256_LEN), buf_slice(&in));
    if (in.len > 0)
        crypto_wipe(in.ptr, in.len);
    buf_free(&in);
    return rc;
}

int crypto_hkdf(uint8_t *out, size_t out_len, struct slice secret,
    struct slice salt, struct slice info)
{
    uint8_t prk[SHA256_LEN], block[SHA256_LEN] = { 0 };
    int rc;

    if (out_len > HKDF_OUT_MAX)
        return SYNCLINE_EINVAL;
    /* No salt is a salt of zeros, which HMAC pads an empty key to. */
    rc = crypto_hmac_sha256(prk, salt, secret);
    for (size_t at = 0; at < out_len && rc == SYNCLINE_OK; at += SHA256_LEN) {
        size_t n = out_len - at < SHA256_LEN ? out_len - at : SHA256_LEN;

        rc = hkdf_block(block, (uint8_t)(at / SHA256_LEN + 1), prk, info);
        if (rc == SYNCLINE_OK)
            memcpy(out + at, block, n);
    }
    if (rc != SYNCLINE_OK)
        crypto_wipe(out, out_len);
    crypto_wipe(prk, sizeof prk);
    crypto_wipe(block, sizeof block);
    return rc;
}

int crypto_seal(struct buf *out, const uint8_t key[KEY_LEN],
    const uint8_t nonce[GCM_NONCE_LEN], struct slice aad, struct slice plain)
{
    const struct gcm *gcm = gcm_sodium();
    uint8_t *to;
    int rc;

    if (plain.len > INT_MAX - GCM_TAG_LEN || aad.len > INT_MAX)
        return SYNCLINE_ELIMIT;
    to = buf_reserve(out, plain.len + GCM_TAG_LEN);
    if (to == NULL)
        return buf_status(out);
    gcm = gcm != NULL ? gcm : &gcm_openssl;
    rc = gcm->seal(to, key, nonce, aad, plain);
    if (rc == SYNCLINE_OK)
        out->len += plain.len + GCM_TAG_LEN;
    return rc;
}

int crypto_open(struct buf *out, const uint8_t key[KEY_LEN],
    const uint8_t nonce[GCM_NONCE_LEN], struct slice aad, struct slice sealed)
{
    const struct gcm *gcm = gcm_sodium();
    uint8_t *to;
    int rc;

    if (sealed.len < GCM_TAG_LEN)
        return SYNCLINE_EDENIED;
    if (sealed.len > INT_MAX || aad.len > INT_MAX)
        return SYNCLINE_ELIMIT;
    to = buf_reserve(out, sealed.len - GCM_TAG_LEN);
    if (to == NULL)
        return buf_status(out);
    gcm = gcm != NULL ? gcm : &gcm_openssl;
    rc = gcm->open(to, key, nonce, aad, sealed);
    if (rc == SYNCLINE_OK)
        out->len += sealed.len - GCM_TAG_LEN;
    return rc;
}

/* One block at a time: what other modes are made of. Looked up once, since by
 * name it takes longer than a cell does, and kept as long as the program; who
 * comes at the same time loses. */
static const EVP_CIPHER *aes(void)
{
    static _Atomic(EVP_CIPHER *) known;
    EVP_CIPHER *found = atomic_load(&known), *none = NULL;

    if (found != NULL)
        return found;
    found = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
    if (found == NULL || atomic_compare_exchange_strong(&known, &none, found))
        return found;
    EVP_CIPHER_free(found);
    return none;
}

/* What derives the keys of messages is kept from one to the next, as making it
 * takes longer than what it does. It is as secret as the key, which its owner
 * holds anyhow. Threads that seal or open live as long as the program. */
struct kept {
    EVP_CIPHER_CTX *aes; /* under `key` if it is known */
    bool known;
    uint8_t key[KEY_LEN];
    uint8_t sub[AES_BLOCK]; /* CMAC's subkey */
};
static _Thread_local struct kept kept;

/* One that failed is in whatever state, and is not used again. */
static int drop_key(void)
{
    EVP_CIPHER_CTX_free(kept.aes);
    kept.aes = NULL;
    kept.known = false;
    return failed(SYNCLINE_ENOMEM);
}

/* The subkey of CMAC for whole blocks: a block, as a number with its high end
 * first, doubled in the field of 2^128. */
static void double_block(uint8_t b[AES_BLOCK])
{
    const uint8_t carry = (uint8_t)(-(b[0] >> 7) & 0x87);

    for (size_t i = 0; i < 15; i++)
        b[i] = (uint8_t)(b[i] << 1 | b[i + 1] >> 7);
    b[15] = (uint8_t)(b[15] << 1 ^ carry);
}

/* kept.aes and kept.sub are of this key from now on. */
static int keep_key(const uint8_t key[KEY_LEN])
{
    const EVP_CIPHER *cipher = aes();
    int n;

    if (kept.known && CRYPTO_memcmp(kept.key, key, KEY_LEN) == 0)
        return SYNCLINE_OK;
    kept.known = false;
    if (kept.aes == NULL)
        kept.aes = EVP_CIPHER_CTX_new();
    memset(kept.sub, 0, sizeof kept.sub);
    if (cipher == NULL || kept.aes == NULL ||
        EVP_EncryptInit_ex2(kept.aes, cipher, key, NULL, NULL) != 1 ||
        EVP_EncryptUpdate(kept.aes, kept.sub, &n, kept.sub, AES_BLOCK) != 1)
        return drop_key();
    double_block(kept.sub);
    memcpy(kept.key, key, KEY_LEN);
    kept.known = true;
    return SYNCLINE_OK;
}

/* C2SP's XAES-256-GCM: the message's key is two blocks of the key derivation
 * in counter mode of SP 800-108, with CMAC over AES-256, over the label 'X' and
 * the first half of the nonce. Each is CMAC of one whole block, which is AES of
 * it and the subkey: OpenSSL's own CMAC takes ten times as long to begin. */
static int xaes_key(uint8_t out[KEY_LEN], const uint8_t key[KEY_LEN],
    const uint8_t nonce[XAES_NONCE_LEN])
{
    uint8_t blocks[KEY_LEN] = { 0, 1, 'X', 0 };
    int n, rc = keep_key(key);

    if (rc != SYNCLINE_OK)
        return rc;
    memcpy(blocks + 4, nonce, 12);
    memcpy(blocks + AES_BLOCK, blocks, AES_BLOCK);
    blocks[AES_BLOCK + 1] = 2;
    for (size_t i = 0; i < AES_BLOCK; i++) {
        blocks[i] ^= kept.sub[i];
        blocks[AES_BLOCK + i] ^= kept.sub[i];
    }
    if (EVP_EncryptUpdate(kept.aes, out, &n, blocks, sizeof blocks) == 1)
        return SYNCLINE_OK;
    return drop_key();
}

int crypto_xseal(struct buf *out, const uint8_t key[KEY_LEN],
    const uint8_t nonce[XAES_NONCE_LEN], struct slice aad, struct slice plain)
{
    uint8_t made[KEY_LEN] = { 0 };
    int rc = xaes_key(made, key, nonce);

    if (rc == SYNCLINE_OK)
        rc = crypto_seal(out, made, nonce + 12, aad, plain);
    crypto_wipe(made, sizeof made);
    return rc;
}

int crypto_xopen(struct buf *out, const uint8_t key[KEY_LEN],
    const uint8_t nonce[XAES_NONCE_LEN], struct slice aad, struct slice sealed)
{
    uint8_t made[KEY_LEN] = { 0 };
    int rc = xaes_key(made, key, nonce);

    if (rc == SYNCLINE_OK)
        rc = crypto_open(out, made, nonce + 12, aad, sealed);
    crypto_wipe(made, sizeof made);
    return rc;
}

int crypto_random(uint8_t *out, size_t n)
{
    if (n > INT_MAX)
        return SYNCLINE_EINVAL;
    return RAND_bytes(out, (int)n) == 1 ? SYNCLINE_OK : failed(SYNCLINE_ENOMEM);
}

bool crypto_equal(struct slice a, struct slice b)
{
    return a.len == b.len &&
        (a.len == 0 || CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0);
}

void crypto_wipe(void *p, size_t n)
{
    if (n > 0)
        OPENSSL_cleanse(p, n);
}
