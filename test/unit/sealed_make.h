/* sealed_make.h - for tests: somebody who seals, and signed items.
 *
 * Law: what is drawn depends on the prng alone. */
#ifndef SYNCLINE_TEST_UNIT_SEALED_MAKE_H
#define SYNCLINE_TEST_UNIT_SEALED_MAKE_H

#include "unit/item_make.h"

#include "repl/proofs.h"
#include "repl/sealed.h"

#define SEAL_KEYS 3

/* The keys of epochs 0, 1 and 300 of a space, the last one current. */
void make_sealer(struct sealer *out, struct envelope_keys keys[SEAL_KEYS],
    struct node *n, const struct space *sp);
/* Signs the changes of an item that are not, each in a tree of its own in
 * which some leaves are dead; by the node's device. */
void sign_changes(const struct sealer *s, struct slice key, struct item *it,
    struct prng *p, struct arena *a);
/* The root that a change's proof leads to, as the sealer's node sees it. */
struct merkle_hash root_of(const struct sealer *s, const struct space *sp,
    struct slice key, const struct item *it, uint32_t change, struct arena *a);
/* What put_item wrote. */
struct item item_from(struct slice bytes, struct arena *a);

#endif
