#include "crypto/web_cert.h"

#include <stdio.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "crypto/crypto.h"
#include "crypto/own_cert.h"
#include "crypto/pem.h"

#define DAY_S (24l * 60 * 60)
#define NAME_MAX_LEN 253 /* of a host */

static bool read_x509(BIO *bio, void *ctx)
{
    X509 **cert = ctx;

    *cert = PEM_read_bio_X509(bio, NULL, pem_no_passphrase, NULL);
    return *cert != NULL;
}

/* EMALFORMED: there is none. */
static int read_cert(X509 **out, struct slice pem)
{
    *out = NULL;
    return pem_read(pem, read_x509, out);
}

static bool read_private(BIO *bio, void *ctx)
{
    EVP_PKEY **key = ctx;

    *key = PEM_read_bio_PrivateKey(bio, NULL, pem_no_passphrase, NULL);
    return *key != NULL;
}

/* That which was used until now; NULL: it is not of the kind that we make. */
static int read_key(EVP_PKEY **out, struct slice pem)
{
    int rc;

    *out = NULL;
    rc = pem_read(pem, read_private, out);
    if (*out != NULL && !EVP_PKEY_is_a(*out, "EC")) {
        EVP_PKEY_free(*out);
        *out = NULL;
    }
    return rc == SYNCLINE_EMALFORMED ? SYNCLINE_OK : rc;
}

/* ---- names ---- */

enum kind { KIND_NONE, KIND_HOST, KIND_IP };

/* Copies it with a NUL, and says what it is. */
static enum kind kind_of(char out[NAME_MAX_LEN + 1], struct slice name)
{
    ASN1_OCTET_STRING *ip;

    if (name.len == 0 || name.len > NAME_MAX_LEN)
        return KIND_NONE;
    memcpy(out, name.ptr, name.len);
    out[name.len] = 0;
    ip = a2i_IPADDRESS(out);
    ERR_clear_error();
    if (ip != NULL) {
        ASN1_OCTET_STRING_free(ip);
        return KIND_IP;
    }
    for (size_t i = 0; i < name.len; i++)
        if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                   "0123456789-.",
                out[i]) == NULL)
            return KIND_NONE;
    return KIND_HOST;
}

/* As OpenSSL reads it: "DNS:localhost,IP:127.0.0.1". */
static void put_names(struct buf *b, const struct slice *names, size_t n)
{
    char name[NAME_MAX_LEN + 1];

    for (size_t i = 0; i < n; i++) {
        enum kind kind = kind_of(name, names[i]);

        if (kind != KIND_NONE)
            buf_printf(b, "%s%s:%s", b->len > 0 ? "," : "",
                kind == KIND_IP ? "IP" : "DNS", name);
    }
    buf_put_u8(b, 0);
}

int web_cert_covers(struct slice pem, const struct slice *names, size_t names_n)
{
    X509 *cert;
    int rc = read_cert(&cert, pem);
    char name[NAME_MAX_LEN + 1];

    for (size_t i = 0; rc == SYNCLINE_OK && i < names_n; i++) {
        enum kind kind = kind_of(name, names[i]);
        int covers = 1;

        if (kind == KIND_HOST)
            covers = X509_check_host(cert, name, 0, 0, NULL);
        else if (kind == KIND_IP)
            covers = X509_check_ip_asc(cert, name, 0);
        if (covers != 1)
            rc = covers == 0 ? SYNCLINE_ENOTFOUND : SYNCLINE_ENOMEM;
    }
    X509_free(cert);
    ERR_clear_error();
    return rc;
}

/* ---- making one ---- */

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;
    bool good;

    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    good = ext != NULL && X509_add_ext(cert, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return good;
}

static bool set_dates(X509 *cert, uint64_t wall_us)
{
    time_t now = (time_t)(wall_us / 1000000);

    return X509_time_adj_ex(X509_getm_notBefore(cert), -1, 0, &now) != NULL &&
        X509_time_adj_ex(
            X509_getm_notAfter(cert), WEB_CERT_DAYS - 1, 0, &now) != NULL;
}

static X509 *make_cert(EVP_PKEY *key, const char *names, uint64_t wall_us)
{
    X509 *cert = X509_new();

    if (cert != NULL && own_cert_begin(cert) && set_dates(cert, wall_us) &&
        X509_set_pubkey(cert, key) == 1 &&
        add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(cert, NID_ext_key_usage, "serverAuth") &&
        add_extension(cert, NID_subject_alt_name, names) &&
        X509_sign(cert, key, EVP_sha256()) != 0)
        return cert;
    X509_free(cert);
    return NULL;
}

static int put_pem(struct buf *out, EVP_PKEY *key, X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    char *text;
    long n;

    if (bio == NULL ||
        PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) !=
            1 ||
        PEM_write_bio_X509(bio, cert) != 1) {
        BIO_free(bio);
        return SYNCLINE_ENOMEM;
    }
    n = BIO_get_mem_data(bio, &text);
    buf_put(out, text, (size_t)n);
    BIO_free(bio);
    return buf_status(out);
}

int web_cert_make(struct buf *pem, struct slice old, const struct slice *names,
    size_t names_n, uint64_t wall_us)
{
    EVP_PKEY *key;
    X509 *cert = NULL;
    struct buf list = { 0 };
    int rc = read_key(&key, old);

    if (rc != SYNCLINE_OK)
        return rc;
    rc = SYNCLINE_ENOMEM;
    put_names(&list, names, names_n);
    if (key == NULL)
        key = EVP_EC_gen("P-256");
    if (key != NULL && buf_status(&list) == SYNCLINE_OK)
        cert = make_cert(key, (const char *)list.ptr, wall_us);
    if (cert != NULL)
        rc = put_pem(pem, key, cert);
    X509_free(cert);
    EVP_PKEY_free(key);
    buf_free(&list);
    ERR_clear_error();
    return rc;
}

/* ---- what one says ---- */

static uint64_t time_of(const ASN1_TIME *t)
{
    const time_t epoch = 0;
    ASN1_TIME *zero = ASN1_TIME_set(NULL, epoch);
    int days = 0, seconds = 0;
    bool good = zero != NULL && ASN1_TIME_diff(&days, &seconds, zero, t) == 1;

    ASN1_TIME_free(zero);
    return good && days >= 0 && seconds >= 0
        ? ((uint64_t)days * (uint64_t)DAY_S + (uint64_t)seconds) * 1000000
        : 0;
}

int web_cert_read(
    struct slice pem, struct web_cert_facts *out, struct errmsg *why)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    X509 *cert;
    int rc = read_cert(&cert, pem);

    if (rc == SYNCLINE_EMALFORMED)
        return errmsg_set(why, rc, "there is no PEM of a certificate");
    if (rc != SYNCLINE_OK)
        return rc;
    if (X509_digest(cert, EVP_sha256(), hash, &n) != 1) {
        X509_free(cert);
        ERR_clear_error();
        return SYNCLINE_ENOMEM;
    }
    for (unsigned i = 0; i < n; i++)
        (void)snprintf(out->sha256 + (size_t)i * 3, 4, "%02X%s", hash[i],
            i + 1 < n ? ":" : "");
    out->from_us = time_of(X509_get0_notBefore(cert));
    out->until_us = time_of(X509_get0_notAfter(cert));
    X509_free(cert);
    return SYNCLINE_OK;
}
