#include "crypto/own_cert.h"

#include <openssl/x509.h>

#include "crypto/crypto.h"

static bool set_name(X509 *cert)
{
    X509_NAME *name = X509_get_subject_name(cert); /* the certificate's */

    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
               (const uint8_t *)"syncline", -1, -1, 0) == 1 &&
        X509_set_issuer_name(cert, name) == 1;
}

static bool set_serial(X509 *cert)
{
    uint64_t serial = 0;

    if (crypto_random((uint8_t *)&serial, sizeof serial) != SYNCLINE_OK)
        return false;
    serial = (serial >> 1) | 1; /* positive, as RFC 5280 wants it */
    return ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial) == 1;
}

bool own_cert_begin(X509 *cert)
{
    return X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
        set_name(cert);
}
