#include "crypto/identity.h"

#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <sodium.h>

#include "base/text.h"
#include "crypto/own_cert.h"
#include "crypto/pem.h"

#define DAY_S (24l * 60 * 60)
#define YEARS_DAYS (20 * 365 + 5)

#define ED25519_KEY_LEN 32

/* What stands before the key in DER (RFC 8410, 4). */
static const uint8_t spki_begins[ED25519_SPKI_LEN - ED25519_KEY_LEN] = { 0x30,
    0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };

struct identity {
    EVP_PKEY *key;                              /* NULL: one in name only */
    uint8_t secret[crypto_sign_SECRETKEYBYTES]; /* the same, to sign by */
    struct device_id device;
    uint8_t spki[ED25519_SPKI_LEN];
};

int device_id_of(struct device_id *out, struct slice spki)
{
    return crypto_sha256(out->b, spki);
}

/* What is the same key to the two libraries. */
static int read_key(struct identity *id, EVP_PKEY *key)
{
    uint8_t seed[IDENTITY_SEED_LEN] = { 0 },
            *public = id->spki + sizeof spki_begins;
    size_t len = sizeof seed;
    int rc = SYNCLINE_ENOMEM;

    memcpy(id->spki, spki_begins, sizeof spki_begins);
    if (EVP_PKEY_get_raw_private_key(key, seed, &len) == 1 &&
        len == sizeof seed &&
        crypto_sign_seed_keypair(public, id->secret, seed) == 0)
        rc = device_id_of(&id->device, SLICE(id->spki, sizeof id->spki));
    crypto_wipe(seed, sizeof seed);
    return rc;
}

/* Takes the key, also when it fails. */
static int from_key(struct identity **out, EVP_PKEY *key)
{
    struct identity *id = key != NULL ? calloc(1, sizeof *id) : NULL;
    int rc = id != NULL ? read_key(id, key) : SYNCLINE_ENOMEM;

    if (rc != SYNCLINE_OK) {
        ERR_clear_error();
        EVP_PKEY_free(key);
        identity_free(id);
        return rc;
    }
    id->key = key;
    *out = id;
    return SYNCLINE_OK;
}

int identity_generate(struct identity **out)
{
    return from_key(out, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
}

int identity_from_seed(
    struct identity **out, const uint8_t seed[IDENTITY_SEED_LEN])
{
    return from_key(out,
        EVP_PKEY_new_raw_private_key(
            EVP_PKEY_ED25519, NULL, seed, IDENTITY_SEED_LEN));
}

int identity_nominal(
    struct identity **out, const uint8_t seed[IDENTITY_SEED_LEN])
{
    struct identity *id = calloc(1, sizeof *id);
    int rc;

    if (id == NULL)
        return SYNCLINE_ENOMEM;
    memcpy(id->spki, spki_begins, sizeof spki_begins);
    memcpy(id->spki + sizeof spki_begins, seed, ED25519_KEY_LEN);
    rc = device_id_of(&id->device, SLICE(id->spki, sizeof id->spki));
    if (rc == SYNCLINE_OK)
        *out = id;
    else
        free(id);
    return rc;
}

struct key_text {
    uint8_t seed[IDENTITY_SEED_LEN];
    bool is_other_kind;
};

/* Its parts one after the other: OpenSSL's own reader of keys does not tell
 * that memory ran out from a key that is none. */
static bool read_seed(BIO *bio, void *ctx)
{
    struct key_text *text = ctx;
    const unsigned char *at, *key = NULL;
    const ASN1_OBJECT *kind = NULL;
    ASN1_OCTET_STRING *octets = NULL;
    PKCS8_PRIV_KEY_INFO *info = NULL;
    unsigned char *der = NULL;
    long len = 0;
    int key_len = 0;
    bool good;

    if (PEM_bytes_read_bio(&der, &len, NULL, PEM_STRING_PKCS8INF, bio,
            pem_no_passphrase, NULL) == 1) {
        at = der;
        info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, len);
    }
    if (info != NULL && PKCS8_pkey_get0(&kind, &key, &key_len, NULL, info)) {
        at = key;
        text->is_other_kind = OBJ_obj2nid(kind) != NID_ED25519;
        octets = d2i_ASN1_OCTET_STRING(NULL, &at, key_len);
    }
    good = octets != NULL && !text->is_other_kind &&
        ASN1_STRING_length(octets) == IDENTITY_SEED_LEN;
    if (good)
        memcpy(text->seed, ASN1_STRING_get0_data(octets), IDENTITY_SEED_LEN);
    ASN1_STRING_clear_free(octets);
    PKCS8_PRIV_KEY_INFO_free(info);
    OPENSSL_clear_free(der, (size_t)len);
    return good;
}

int identity_from_pem(
    struct identity **out, struct slice pem, struct errmsg *why)
{
    struct key_text text = { 0 };
    int rc;

    if (pem.len > 65536)
        return errmsg_set(
            why, SYNCLINE_EMALFORMED, "the device key is no PEM file");
    rc = pem_read(pem, read_seed, &text);
    if (text.is_other_kind)
        rc = errmsg_set(why, SYNCLINE_EMALFORMED,
            "the device key is of another kind than Ed25519");
    else if (rc == SYNCLINE_EMALFORMED)
        rc = errmsg_set(why, rc,
            "the device key cannot be read: not the PEM of an unencrypted "
            "private key; restore it from a backup");
    else if (rc == SYNCLINE_OK)
        rc = identity_from_seed(out, text.seed);
    crypto_wipe(&text, sizeof text);
    return rc;
}

int identity_to_pem(const struct identity *id, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    char *text;
    long n;
    int rc = SYNCLINE_ENOMEM;

    if (bio == NULL)
        goto out;
    if (PEM_write_bio_PKCS8PrivateKey(
            bio, id->key, NULL, NULL, 0, NULL, NULL) != 1)
        goto out;
    n = BIO_get_mem_data(bio, &text);
    buf_put(out, text, (size_t)n);
    rc = buf_status(out);
out:
    ERR_clear_error();
    BIO_free(bio);
    return rc;
}

void identity_free(struct identity *id)
{
    if (id == NULL)
        return;
    EVP_PKEY_free(id->key);
    crypto_wipe(id->secret, sizeof id->secret);
    free(id);
}

const struct device_id *identity_device(const struct identity *id)
{
    return &id->device;
}

struct slice identity_spki(const struct identity *id)
{
    return SLICE(id->spki, sizeof id->spki);
}

struct evp_pkey_st *identity_key(const struct identity *id)
{
    return id->key;
}

int identity_sign(
    const struct identity *id, uint8_t out[ED25519_SIG_LEN], struct slice s)
{
    ENSURE(id->key != NULL);
    return crypto_sign_detached(out, NULL, s.ptr, s.len, id->secret) == 0
        ? SYNCLINE_OK
        : SYNCLINE_ENOMEM;
}

static bool set_dates(X509 *cert, uint64_t wall_us)
{
    time_t now = (time_t)(wall_us / 1000000);

    return X509_time_adj_ex(X509_getm_notBefore(cert), -1, 0, &now) != NULL &&
        X509_time_adj_ex(X509_getm_notAfter(cert), YEARS_DAYS, -DAY_S, &now) !=
        NULL;
}

int identity_certificate(
    const struct identity *id, uint64_t wall_us, struct x509_st **out)
{
    X509 *cert = X509_new();

    if (cert == NULL || !own_cert_begin(cert) || !set_dates(cert, wall_us) ||
        X509_set_pubkey(cert, id->key) != 1 ||
        X509_sign(cert, id->key, NULL) == 0) {
        X509_free(cert);
        ERR_clear_error();
        return SYNCLINE_ENOMEM;
    }
    *out = cert;
    return SYNCLINE_OK;
}
