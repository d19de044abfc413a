/* verifier.h - verifies as crypto_verify does, and remembers keys.
 *
 * To read a key and to make ready for it takes OpenSSL a third of the time of
 * the check itself, if that has not been done for a moment. Law: the answer is
 * that of crypto_verify, but that ENOMEM may be more or less frequent. One
 * thread at a time. */
#ifndef SYNCLINE_CRYPTO_VERIFIER_H
#define SYNCLINE_CRYPTO_VERIFIER_H

#include "crypto/crypto.h"

#define VERIFIER_KEYS 64 /* remembered at most */

struct verifier; /* opaque */

NODISCARD int verifier_new(struct verifier **out);
void verifier_free(struct verifier *v); /* NULL is fine */
NODISCARD int verifier_check(
    struct verifier *v, struct slice spki, struct slice sig, struct slice s);

#endif
