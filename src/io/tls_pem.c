#include "io/tls_pem.h"

#include <openssl/err.h>

#include "crypto/pem.h"

/* The first is the server's own, the others vouch for it. */
static bool use_chain(BIO *bio, void *ctx)
{
    X509 *cert = PEM_read_bio_X509(bio, NULL, pem_no_passphrase, NULL);
    bool good = cert != NULL && SSL_CTX_use_certificate(ctx, cert) == 1 &&
        SSL_CTX_clear_chain_certs((SSL_CTX *)ctx) == 1;

    X509_free(cert);
    while (good &&
        (cert = PEM_read_bio_X509(bio, NULL, pem_no_passphrase, NULL)) !=
            NULL) {
        good = SSL_CTX_add0_chain_cert((SSL_CTX *)ctx, cert) == 1;
        if (!good)
            X509_free(cert);
    }
    return good && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
}

static bool use_key(BIO *bio, void *ctx)
{
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, pem_no_passphrase, NULL);
    bool good = key != NULL && SSL_CTX_use_PrivateKey(ctx, key) == 1;

    EVP_PKEY_free(key);
    return good;
}

int tls_pem_use(
    SSL_CTX *ctx, struct slice cert, struct slice key, struct errmsg *why)
{
    int rc = pem_read(cert, use_chain, ctx);

    if (rc == SYNCLINE_EMALFORMED)
        return errmsg_set(why, rc,
            "there is no PEM of a certificate, or a block after it is damaged");
    if (rc == SYNCLINE_OK)
        rc = pem_read(key, use_key, ctx);
    if (rc == SYNCLINE_EMALFORMED)
        return errmsg_set(why, rc,
            "there is no PEM of a private key without a passphrase, or it is "
            "not the certificate's");
    return rc;
}
