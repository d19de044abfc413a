/* tokens_impl.h - the inside of tokens.h, for tokens.c and tokens_file.c. */
#ifndef SYNCLINE_APP_TOKENS_IMPL_H
#define SYNCLINE_APP_TOKENS_IMPL_H

#include "app/tokens.h"
#include "crypto/crypto.h"

#define TOKENS_FORMAT 1

struct token {
    struct token_info info;
    uint8_t hash[SHA256_LEN]; /* of its 256 bits */
    struct slice *spaces;     /* one piece of memory with their names */
};

struct tokens {
    char *path, *local_path;
    struct token local;
    struct token *list[TOKENS_MAX];
    size_t n;
    bool local_is_new;
};

void token_free(struct token *k); /* NULL is fine */
/* Copies what is asked for; the hash and the times are the caller's. EINVAL
 * with a sentence, ENOMEM. */
NODISCARD int token_new(struct token **out, const struct token_request *r,
    const uint8_t hash[SHA256_LEN], struct errmsg *why);
/* Draws a secret, and its text and hash. */
NODISCARD int token_draw(
    char text[TOKEN_TEXT_LEN + 1], uint8_t hash[SHA256_LEN]);
/* The hash of what a text says; EMALFORMED. */
NODISCARD int token_hash(uint8_t hash[SHA256_LEN], struct slice text);
/* Of all, with which to tell it apart; not from the secret alone. */
NODISCARD int token_set_id(struct token *k);

/* ---- tokens_file.c ---- */

NODISCARD int tokens_load(struct tokens *t, struct errmsg *why);
NODISCARD int tokens_save(const struct tokens *t, struct errmsg *why);
/* Reads DIR/token; ENOTFOUND. */
NODISCARD int tokens_load_local(struct tokens *t, struct errmsg *why);
/* Makes it, in the place of one that is there. */
NODISCARD int tokens_make_local(
    struct tokens *t, uint64_t now_us, struct errmsg *why);

#endif
