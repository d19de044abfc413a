/* proofs.h - what bears whose signature: signing what this device writes,
 * checking what others send, keeping proofs as small as what is alive.
 *
 * Pure. Law: a change that reaches the store bears the signature of the device
 * that its dot names, over every cell of it that is there; what does not is
 * refused before anything of its row is merged.
 *
 *   sign.c    a commit's new changes, under one signature
 *   proofs.c  checking and shrinking
 *   leaves.c  the leaves that an item's cells are
 *   adopt.c   what a version before signatures has left
 *   parked.c  rows of authors whose certificate has not come yet */
#ifndef SYNCLINE_REPL_PROOFS_H
#define SYNCLINE_REPL_PROOFS_H

#include "crypto/merkle.h"
#include "repl/node_impl.h"
#include "repl/sheaves.h"

/* ---- leaves.c ---- */

/* The cells of each change of an item, in the order of their leaves: of their
 * paths or, where these are sealed, of the places that they tell. */
struct cells_of {
    uint32_t *from; /* of change i: [from[i], from[i + 1]) */
    uint32_t *cell; /* places in the item's cells */
};
NODISCARD int cells_of_changes(
    struct cells_of *out, const struct item *it, bool sealed, struct arena *a);
/* By the place that a sealed cell tells. */
int sealed_place_cmp(const struct cell *a, const struct cell *b);

/* An item, about to be made into leaves of one commit. There are two ways to a
 * tag: it is made, or a sealed item shows it. */
struct leaf_maker {
    struct node *node;
    bool sealed; /* as its space, unless it is set to something else */
    struct mac_key salt;
    struct slice key;
    struct envelope_header h;
    /* What the cells of the change share, once it was needed. */
    struct mac_key tag_begun;
    struct hash_begun leaf_begun;
    bool has_tag_begun, has_leaf_begun;
    struct buf context;
    uint8_t originals[ENVELOPE_TAG_LEN]; /* of the change, if it has any */
    uint8_t tombstone[ENVELOPE_TAG_LEN];
    bool has_tombstone; /* sealed only */
};
NODISCARD int leaf_maker_init(struct leaf_maker *m, struct node *n,
    const struct space *sp, struct slice key, uint64_t length,
    const struct proof_head *head);
/* The same where the head's salt is worked up already, as it serves for all
 * rows of a commit. */
void leaf_maker_init_salted(struct leaf_maker *m, struct node *n,
    const struct space *sp, struct slice key, uint64_t length,
    const struct proof_head *head, const struct mac_key *salt);
NODISCARD int leaf_salt(
    struct mac_key *out, struct node *n, const struct proof_head *head);
void leaf_maker_free(struct leaf_maker *m);
/* The change that the next leaves are of. EMALFORMED: it is not sealed as it
 * should be; so of leaf_parts, leaf_make. */
NODISCARD int leaf_maker_turn(struct leaf_maker *m, const struct change *c);
/* cell NULL: its tombstone. What a leaf is the hash of. */
NODISCARD int leaf_parts(struct leaf_maker *m, const struct cell *cell,
    uint8_t header[ENVELOPE_HEADER_LEN], uint8_t tag[ENVELOPE_TAG_LEN]);
NODISCARD int leaf_make(
    struct leaf_maker *m, const struct cell *cell, struct merkle_hash *out);
/* All leaves of a change of an item: as many as it has cells, or one. */
NODISCARD int leaves_make(struct leaf_maker *m, const struct item *it,
    const struct cells_of *of, uint32_t change, struct merkle_hash *out);
static inline uint32_t leaves_n(
    const struct item *it, const struct cells_of *of, uint32_t change)
{
    return of->from[change + 1] - of->from[change] +
        (it->tomb == (int64_t)change);
}

/* ---- sign.c ---- */

/* A change that this step has made and not signed yet? */
bool is_to_sign(
    const struct node *n, const struct space *sp, const struct change *c);
/* The record of an item that holds such changes, and what it is the record of:
 * it is kept out of the batch until they are signed. */
void sign_later(struct node *n, struct space *sp, struct slice key,
    const struct buf *record, const struct stored *st, uint64_t lsn);
/* Before a commit. */
NODISCARD int sign_step(struct node *n);

/* ---- proofs.c ---- */

/* The author of something is not known here, or not yet. */
#define AUTHOR_UNKNOWN SYNCLINE_EBUSY

/* Whatever of a row is news bears its author's signature: 0, EDENIED with
 * n->refusal, AUTHOR_UNKNOWN. */
NODISCARD int proofs_check(
    struct node *n, struct space *sp, const struct row_in *row);
/* Before an item is stored: proofs cover what is left of their changes. */
NODISCARD int proofs_settle(
    struct node *n, struct space *sp, struct slice key, struct stored *st);

/* ---- adopt.c ---- */

/* The store is of a version before signatures: all of it, from now on. */
NODISCARD int adopt_all(struct node *n);
NODISCARD int adopts_load(struct node *n);
bool adopts(const struct node *n);
NODISCARD int adopt_tick(struct node *n);

/* ---- parked.c ---- */

/* Keeps a row until its author is known. ELIMIT: no more. */
NODISCARD int park_row(struct node *n, struct conn *c, struct space *sp,
    struct slice key, struct slice row);
bool has_parked(const struct conn *c, const struct space *sp);
/* A mark that must not be believed before the rows that are parked. */
NODISCARD int park_mark(struct node *n, struct conn *c, struct space *sp,
    const struct frame_batch *f);
bool any_parked(const struct node *n);
/* The membership has changed: who is known now? */
NODISCARD int parked_retry(struct node *n);
void parked_free(struct conn *c);
size_t parked_bytes(const struct conn *c);

#endif
