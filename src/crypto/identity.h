/* identity.h - who a device is: an Ed25519 key, and the id made from it.
 *
 * The device id is SHA-256 of the public key's SPKI, so certificates can be
 * made afresh at each start without a change of identity. Touches no file:
 * the caller keeps the PEM, mode 0600. Law: the private key leaves only by
 * identity_to_pem and, to TLS, by identity_key. */
#ifndef SYNCLINE_CRYPTO_IDENTITY_H
#define SYNCLINE_CRYPTO_IDENTITY_H

#include "core/id.h"
#include "crypto/crypto.h"

struct identity; /* opaque */
struct evp_pkey_st;
struct x509_st;

#define IDENTITY_SEED_LEN 32

NODISCARD int identity_generate(struct identity **out);
/* The same seed gives the same device: for simulations and tests. */
NODISCARD int identity_from_seed(
    struct identity **out, const uint8_t seed[IDENTITY_SEED_LEN]);
/* One in name only, for crypto_port_quick: its public key is what is given, and
 * it has no private one. */
NODISCARD int identity_nominal(
    struct identity **out, const uint8_t seed[IDENTITY_SEED_LEN]);
/* PKCS#8 without a passphrase. EMALFORMED with a reason. */
NODISCARD int identity_from_pem(
    struct identity **out, struct slice pem, struct errmsg *why);
/* Appends; the caller wipes what he has written out. */
NODISCARD int identity_to_pem(const struct identity *id, struct buf *out);
void identity_free(struct identity *id); /* NULL is fine */

const struct device_id *identity_device(const struct identity *id);
/* DER, lives as long as the identity. */
struct slice identity_spki(const struct identity *id);
NODISCARD int identity_sign(
    const struct identity *id, uint8_t out[ED25519_SIG_LEN], struct slice s);

/* For TLS: the key, lent, and a self-signed certificate (CN "syncline",
 * valid from a day before wall_us for 20 years), the caller's to free. Its
 * dates are for other people's tools: peers judge by the key alone. */
struct evp_pkey_st *identity_key(const struct identity *id);
NODISCARD int identity_certificate(
    const struct identity *id, uint64_t wall_us, struct x509_st **out);

/* The id of the device that has this SPKI. */
NODISCARD int device_id_of(struct device_id *out, struct slice spki);

/* As people copy it: 52 digits of base32 in four groups of 13, each followed
 * by a check digit (Luhn's, modulo 32), joined by '-'. */
#define DEVICE_TEXT 60      /* with its NUL */
#define DEVICE_SHORT_TEXT 8 /* the first seven digits, to tell a few apart */

void device_id_format(char out[DEVICE_TEXT], const struct device_id *id);
void device_id_format_short(
    char out[DEVICE_SHORT_TEXT], const struct device_id *id);
/* Either case; blanks and dashes anywhere or nowhere. EMALFORMED: why names
 * the group that is mistyped. */
NODISCARD int device_id_parse(
    struct device_id *out, struct slice text, struct errmsg *why);

#endif
