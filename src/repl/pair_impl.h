/* pair_impl.h - what both ends of a pairing share: pair.c has the messages and
 * the joiner, invites.c the inviter, digits.c what there is without a code.
 *
 * Pure. */
#ifndef SYNCLINE_REPL_PAIR_IMPL_H
#define SYNCLINE_REPL_PAIR_IMPL_H

#include "repl/pair.h"

/* Of what it is proven that one knows the secret. */
struct pair_proof {
    const uint8_t *secret; /* CODE_SECRET_LEN */
    const struct pair_link *link;
    const uint8_t *welcome; /* the inviter's: SHA-256 of the content */
};

NODISCARD int pair_mac(uint8_t out[SHA256_LEN],
    const struct crypto_port *crypto, const struct pair_proof *p);
/* Takes as long whether they agree or not. */
bool pair_mac_equal(const uint8_t a[SHA256_LEN], const uint8_t b[SHA256_LEN]);

/* EDENIED: *refusal says why. Fills name and port of out. */
NODISCARD int pair_get_join(struct slice bytes, struct pair_join *out,
    uint8_t mac[SHA256_LEN], enum pair_refusal *refusal);
/* WELCOME from behind its mac on. */
void pair_put_content(struct buf *b, const struct pair_welcome *w);
/* out borrows from content. */
NODISCARD int pair_get_content(struct slice content, struct pair_welcome *out);
bool pair_name_fits(struct slice name);
/* Sets the sentence, returns the status. */
int pair_tell_refusal(struct errmsg *why, enum pair_refusal refusal);
/* REFUSE from behind its version on; never OK. */
NODISCARD int pair_get_refuse(struct reader *r, struct errmsg *why);

#endif
