/* Checking a signature, which is done most often of all, by libsodium. */
#include "crypto/crypto.h"

#include <sodium.h>

_Static_assert(ED25519_SIG_LEN == crypto_sign_BYTES, "of one length");

/* libsodium's check, which takes less than half as long as OpenSSL 3.0's, and
 * is stricter: it refuses keys of small order, under which one signature fits
 * many texts, and keys and signatures that are written in another than their
 * one way. All members have to judge alike, so that no second library may
 * answer here. */
int crypto_verify(struct slice spki, struct slice sig, struct slice s)
{
    /* As RFC 8410 has it, and no other way. */
    static const uint8_t start[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b,
        0x65, 0x70, 0x03, 0x21, 0x00 };

    if (sig.len != ED25519_SIG_LEN)
        return SYNCLINE_EDENIED;
    if (spki.len != ED25519_SPKI_LEN ||
        !slice_has_prefix(spki, SLICE(start, sizeof start)))
        return SYNCLINE_EMALFORMED;
    return crypto_sign_verify_detached(
               sig.ptr, s.ptr, s.len, spki.ptr + sizeof start) == 0
        ? SYNCLINE_OK
        : SYNCLINE_EDENIED;
}
