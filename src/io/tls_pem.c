#include "io/tls_pem.h"

#include <limits.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "crypto/crypto.h"

/* A key with a passphrase is refused, not asked for on the terminal. */
static int no_passphrase(char *to, int room, int writing, void *ctx)
{
    (void)to;
    (void)room;
    (void)writing;
    (void)ctx;
    return -1;
}

static BIO *lend(struct slice pem)
{
    return pem.len > INT_MAX
        ? NULL
        : BIO_new_mem_buf(
              pem.len > 0 ? pem.ptr : (const uint8_t *)"", (int)pem.len);
}

/* The first is the server's own, the others vouch for it. */
static bool use_chain(SSL_CTX *ctx, struct slice pem)
{
    BIO *bio = lend(pem);
    X509 *cert =
        bio != NULL ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
    bool good = cert != NULL && SSL_CTX_use_certificate(ctx, cert) == 1;

    X509_free(cert);
    while (good &&
        (cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
        good = SSL_CTX_add0_chain_cert(ctx, cert) == 1;
        if (!good)
            X509_free(cert);
    }
    BIO_free(bio);
    return good;
}

static bool use_key(SSL_CTX *ctx, struct slice pem)
{
    BIO *bio = lend(pem);
    EVP_PKEY *key = bio != NULL
        ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL)
        : NULL;
    bool good = key != NULL && SSL_CTX_use_PrivateKey(ctx, key) == 1;

    EVP_PKEY_free(key);
    BIO_free(bio);
    return good;
}

int tls_pem_use(
    SSL_CTX *ctx, struct slice cert, struct slice key, struct errmsg *why)
{
    const bool has_chain = use_chain(ctx, cert);
    int rc;

    if (has_chain && use_key(ctx, key))
        rc = SYNCLINE_OK;
    else if (crypto_ran_out())
        rc = SYNCLINE_ENOMEM;
    else if (!has_chain)
        rc = errmsg_set(
            why, SYNCLINE_EMALFORMED, "there is no PEM of a certificate");
    else
        rc = errmsg_set(why, SYNCLINE_EMALFORMED,
            "there is no PEM of a private key without a passphrase, or it is "
            "not the certificate's");
    ERR_clear_error();
    return rc;
}
