#include "crypto/verifier.h"

#include "base/text.h"

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/evp.h>

/* What OpenSSL leaves on its error queue would be found by the next TLS call
 * on this thread and taken for its own. */
static int failed(int rc)
{
    ERR_clear_error();
    return rc;
}

/* Points of small order, and other ways to write them: under such a key one
 * signature fits many texts, so that it names none of them. Of the last byte's
 * high bit each has both. */
static bool is_small(const uint8_t point[32])
{
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    char text[2 * 32 + 1];
    uint8_t plain[32];

    memcpy(plain, point, sizeof plain);
    plain[31] &= 0x7f;
    hex_encode(text, SLICE(plain, sizeof plain));
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        if (strcmp(text, points[i]) == 0)
            return true;
    return false;
}

/* The key in an SPKI that is exactly as RFC 8410 has it. */
static int read_spki(EVP_PKEY **out, struct slice spki)
{
    static const uint8_t start[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b,
        0x65, 0x70, 0x03, 0x21, 0x00 };
    EVP_PKEY *key;

    if (spki.len != ED25519_SPKI_LEN ||
        !slice_has_prefix(spki, SLICE(start, sizeof start)))
        return SYNCLINE_EMALFORMED;
    if (is_small(spki.ptr + sizeof start))
        return SYNCLINE_EDENIED;
    key = EVP_PKEY_new_raw_public_key(
        EVP_PKEY_ED25519, NULL, spki.ptr + sizeof start, 32);
    if (key == NULL)
        return failed(SYNCLINE_ENOMEM);
    *out = key;
    return SYNCLINE_OK;
}

/* A context that is ready to verify by the key, and stays so: who verifies
 * copies it. */
static int make_ready(EVP_MD_CTX **out, struct slice spki)
{
    EVP_PKEY *key = NULL;
    EVP_MD_CTX *ctx;
    int rc = read_spki(&key, spki);

    if (rc != SYNCLINE_OK)
        return rc;
    ctx = EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) != 1) {
        EVP_MD_CTX_free(ctx);
        ctx = NULL;
    }
    EVP_PKEY_free(key); /* the context holds it */
    if (ctx == NULL)
        return failed(SYNCLINE_ENOMEM);
    *out = ctx;
    return SYNCLINE_OK;
}

static int verify_by(EVP_MD_CTX *ctx, struct slice sig, struct slice s)
{
    static const uint8_t nothing[1];

    return EVP_DigestVerify(
               ctx, sig.ptr, sig.len, s.len > 0 ? s.ptr : nothing, s.len) == 1
        ? SYNCLINE_OK
        : failed(SYNCLINE_EDENIED);
}

int crypto_verify(struct slice spki, struct slice sig, struct slice s)
{
    EVP_MD_CTX *ctx = NULL;
    int rc;

    if (sig.len != ED25519_SIG_LEN)
        return SYNCLINE_EDENIED;
    rc = make_ready(&ctx, spki);
    if (rc == SYNCLINE_OK)
        rc = verify_by(ctx, sig, s);
    EVP_MD_CTX_free(ctx);
    return rc;
}

/* ---- keys that were read ---- */

struct verifier {
    struct known {
        EVP_MD_CTX *ready; /* NULL: none is kept here */
        uint8_t spki[ED25519_SPKI_LEN];
    } known[VERIFIER_KEYS];
    EVP_MD_CTX *at_work;
};

int verifier_new(struct verifier **out)
{
    struct verifier *v = calloc(1, sizeof *v);

    if (v == NULL)
        return SYNCLINE_ENOMEM;
    v->at_work = EVP_MD_CTX_new();
    if (v->at_work == NULL) {
        free(v);
        return failed(SYNCLINE_ENOMEM);
    }
    *out = v;
    return SYNCLINE_OK;
}

void verifier_free(struct verifier *v)
{
    if (v == NULL)
        return;
    for (size_t i = 0; i < VERIFIER_KEYS; i++)
        EVP_MD_CTX_free(v->known[i].ready);
    EVP_MD_CTX_free(v->at_work);
    free(v);
}

/* By the key itself, of which any byte but its last is as good as drawn. */
static struct known *place_of(struct verifier *v, struct slice spki)
{
    return &v->known[spki.ptr[ED25519_SPKI_LEN - 2] % VERIFIER_KEYS];
}

int verifier_check(
    struct verifier *v, struct slice spki, struct slice sig, struct slice s)
{
    struct known *k;

    if (sig.len != ED25519_SIG_LEN || spki.len != ED25519_SPKI_LEN)
        return crypto_verify(spki, sig, s);
    k = place_of(v, spki);
    if (k->ready == NULL || memcmp(k->spki, spki.ptr, sizeof k->spki) != 0) {
        EVP_MD_CTX *ready;
        int rc = make_ready(&ready, spki);

        if (rc != SYNCLINE_OK)
            return rc;
        EVP_MD_CTX_free(k->ready);
        k->ready = ready;
        memcpy(k->spki, spki.ptr, sizeof k->spki);
    }
    if (EVP_MD_CTX_copy_ex(v->at_work, k->ready) != 1)
        return failed(SYNCLINE_ENOMEM);
    return verify_by(v->at_work, sig, s);
}
