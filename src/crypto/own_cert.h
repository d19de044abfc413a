/* own_cert.h - what the certificates have in common that this device signs
 * itself: for peers (identity.h) and for the web (web_cert.h). */
#ifndef SYNCLINE_CRYPTO_OWN_CERT_H
#define SYNCLINE_CRYPTO_OWN_CERT_H

#include <stdbool.h>

struct x509_st;

/* Version, a drawn number, and a name that tells nothing. */
bool own_cert_begin(struct x509_st *cert);

#endif
