/* border.h - where rows and records pass between a relay and whoever may read
 * them: they go out sealed and come in clear.
 *
 * Pure over the crypto port. Between relays, and between members, nothing is
 * translated; of `_mesh` nothing is. */
#ifndef SYNCLINE_REPL_BORDER_H
#define SYNCLINE_REPL_BORDER_H

#include "repl/sealed.h"
#include "repl/sheaves.h"

/* The other side is a relay and keeps the space sealed, and we do not. */
bool border_is_here(
    const struct node *n, const struct conn *c, const struct space *sp);
/* Can this node make the names under which relays keep what is in it? */
bool border_opens(const struct node *n, const struct space *sp);
/* All that this node can seal and open of a space, in the step's arena. It may
 * be nothing: then whatever is asked of it is ENOTFOUND. */
NODISCARD int border_sealer(
    struct node *n, const struct space *sp, struct sealer *out);

/* ENOTFOUND: it is not held. */
NODISCARD int border_first_key(
    struct node *n, const struct space_token *token, uint8_t first[KEY_LEN]);

/* A row on its way out, in place. Codes as of sealed_make. */
NODISCARD int border_out(const struct sealer *s, struct row_out *row);
/* And in, where it has been read: whatever is known of its roots stays true.
 * Codes as of sealed_open. */
NODISCARD int border_in(const struct sealer *s, struct row_in *row);

#endif
