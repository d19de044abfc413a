/* tls_pem.h - a certificate and its key, as PEM, put to use. Nobody is asked
 * for a passphrase. Only for what includes OpenSSL already. */
#ifndef SYNCLINE_IO_TLS_PEM_H
#define SYNCLINE_IO_TLS_PEM_H

#include <openssl/ssl.h>

#include "base/buf.h"

/* Of several certificates the first is shown, the others vouch for it.
 * EMALFORMED: why says what is wrong, of which of the two. */
NODISCARD int tls_pem_use(
    SSL_CTX *ctx, struct slice cert, struct slice key, struct errmsg *why);

#endif
