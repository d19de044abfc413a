/* pem.h - what OpenSSL reads of a PEM text. Nobody is asked for a passphrase: a
 * key with one is refused. Only for what includes OpenSSL already. */
#ifndef SYNCLINE_CRYPTO_PEM_H
#define SYNCLINE_CRYPTO_PEM_H

#include <openssl/pem.h>

#include "base/error.h"
#include "base/slice.h"

/* False: OpenSSL, or what it reads, does not let it. It may be called twice. */
typedef bool pem_read_fn(BIO *bio, void *ctx);

/* For whatever of OpenSSL's readers asks for one. */
int pem_no_passphrase(char *to, int room, int writing, void *ctx);

/* EMALFORMED, ENOMEM: as fn has failed. */
NODISCARD int pem_read(struct slice pem, pem_read_fn *fn, void *ctx);

#endif
