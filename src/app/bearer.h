/* bearer.h - secrets that let in whoever shows them: 256 drawn bits, as text
 * behind a prefix that says what they are for.
 *
 * Law: only the hash of one is kept, and no copy of it is left in memory. */
#ifndef SYNCLINE_APP_BEARER_H
#define SYNCLINE_APP_BEARER_H

#include "crypto/crypto.h"

#define BEARER_TEXT 43 /* base64url of 256 bits, without the prefix */

/* text: the prefix, BEARER_TEXT characters and a zero. */
NODISCARD int bearer_draw(
    char *text, uint8_t hash[SHA256_LEN], const char *prefix);
/* Of what a text says; EMALFORMED for what cannot be such a secret. */
NODISCARD int bearer_hash(
    uint8_t hash[SHA256_LEN], struct slice text, const char *prefix);

#endif
