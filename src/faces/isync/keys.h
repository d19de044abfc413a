/* keys.h - the tokens that an iSync node seals and opens by: the one in force,
 * and those beside it that still count while they are replaced.
 *
 * Pure: which token is in force is a function of the time of day alone, so
 * that all who hold the secret turn at once without a word. Laws:
 * - Without rotation the token is the secret itself, as the originals have it.
 * - With rotation the token of a period is derived from the secret; who has
 *   one token has no other. The tokens of the periods on both sides of a turn
 *   count from `overlap` before it until `overlap` after it.
 * - A secret that was replaced by hand (`before`) opens, and never seals. */
#ifndef SYNCLINE_FACES_ISYNC_KEYS_H
#define SYNCLINE_FACES_ISYNC_KEYS_H

#include "faces/isync/fernet.h"

#define ISYNC_KEYS_MAX 6
#define ISYNC_TOKEN_RANDOM 32
#define ISYNC_TOKEN_LEN 44 /* base64 of that */

struct isync_secret {
    struct slice token;    /* empty: there is none */
    struct slice before;   /* what it has replaced; empty: nothing */
    uint64_t before_until; /* seconds since 1970; 0: for ever */
    uint64_t period_s;     /* 0: it does not rotate */
    uint64_t overlap_s;    /* at most half a period counts */
};

struct isync_keys {
    size_t n; /* 0: nothing can be sealed or opened */
    bool can_seal;
    struct fernet_key key[ISYNC_KEYS_MAX]; /* the first one seals */
    uint64_t turns_s; /* when it is to be asked again; 0: never */
};

/* A token as people are shown it, once: base64. */
void isync_token_put(struct buf *out, const uint8_t random[ISYNC_TOKEN_RANDOM]);
/* The token in force, as it would be typed into an original: appended. */
NODISCARD int isync_token_at(
    struct buf *out, const struct isync_secret *secret, uint64_t now_s);

NODISCARD int isync_keys_at(
    struct isync_keys *out, const struct isync_secret *secret, uint64_t now_s);
void isync_keys_wipe(struct isync_keys *keys);

/* `encrypted_data`: base64 of the Fernet token. */
NODISCARD int isync_seal(struct buf *out, const struct isync_keys *keys,
    uint64_t time_s, const uint8_t iv[FERNET_IV_LEN], struct slice plain);
/* By whichever key. EDENIED: by none of them. EMALFORMED. */
NODISCARD int isync_open(
    struct buf *out, const struct isync_keys *keys, struct slice text);

#endif
