/* merkle.h - one signature over many cells, and the proof that a cell is one
 * of them.
 *
 * Pure over the crypto port; no state. The leaves of a commit make a tree as
 * RFC 6962 has it; its author signs the root. A proof shows some of the
 * leaves, the *living*: it holds the signature, how many leaves there are,
 * which of them live, and the hashes of the largest subtrees in which none
 * does. Whoever has the living can rebuild the root.
 * Law: of one tree and one set of the living there is one proof, so that
 * wherever it was shrunk it is the same bytes; what proof_read takes, a
 * builder here could have written. */
#ifndef SYNCLINE_CRYPTO_MERKLE_H
#define SYNCLINE_CRYPTO_MERKLE_H

#include "core/id.h"
#include "crypto/envelope.h"

#define MERKLE_LEAVES_MAX ((uint32_t)1 << 21)

struct merkle_hash {
    uint8_t b[SHA256_LEN];
};

/* SHA-256(0, header, tag). */
NODISCARD int merkle_leaf(struct merkle_hash *out,
    const struct crypto_port *crypto, const uint8_t header[ENVELOPE_HEADER_LEN],
    const uint8_t tag[ENVELOPE_TAG_LEN]);
/* The same in two steps, the first of which serves for all headers that begin
 * as this one. */
NODISCARD int merkle_leaf_begin(struct hash_begun *out,
    const struct crypto_port *crypto,
    const uint8_t header[ENVELOPE_HEADER_LEN]);
NODISCARD int merkle_leaf_end(struct merkle_hash *out,
    const struct crypto_port *crypto, const struct hash_begun *begun,
    const uint8_t header[ENVELOPE_HEADER_LEN],
    const uint8_t tag[ENVELOPE_TAG_LEN]);

/* All nodes of the tree over n leaves, 2n - 1 of them, the root first: each is
 * followed by its left subtree, then by its right one. n is not 0. */
NODISCARD int merkle_build(struct merkle_hash *nodes,
    const struct crypto_port *crypto, const struct merkle_hash *leaves,
    uint32_t n);

/* Under which key the leaves are to be sealed, the salt of their tags, and the
 * signature of the root, "syncline commit v1\n" before the mesh's id and it. */
struct proof_head {
    uint64_t epoch;
    uint8_t key_id[KEY_ID_LEN]; /* zeros in epoch 0 */
    uint8_t salt[SALT_LEN];
    uint8_t sig[ED25519_SIG_LEN];
};

NODISCARD int merkle_sign(uint8_t sig[ED25519_SIG_LEN],
    const struct crypto_port *crypto, const struct mesh_id *mesh,
    const struct merkle_hash *root);
/* EDENIED: not the signature of whose key that is. */
NODISCARD int merkle_verify(const struct crypto_port *crypto, struct slice spki,
    const uint8_t sig[ED25519_SIG_LEN], const struct mesh_id *mesh,
    const struct merkle_hash *root);

/* Borrows from the bytes. */
struct proof {
    struct proof_head head;
    uint32_t leaves_n, living_n;
    struct slice runs; /* varints: dead, living, dead, ... */
    struct slice hashes;
};

/* Stores of format 3 have such, which nobody reads any more. */
static inline bool proof_is_old(struct slice bytes)
{
    return bytes.len > 0 && bytes.ptr[0] == 0;
}
/* EMALFORMED: what no builder could have written. */
NODISCARD int proof_read(struct proof *out, struct slice bytes);
/* The root over the living, in their order, and the hashes of the dead.
 * EMALFORMED: not as many as live. */
NODISCARD int proof_root(struct merkle_hash *out,
    const struct crypto_port *crypto, const struct proof *p,
    const struct merkle_hash *living, uint32_t living_n);

/* Where the living stand in the tree: living_n places. */
void proof_places(const struct proof *p, uint32_t *out);

/* Builders append. What was read, with p's head as it is now. */
void proof_put(struct buf *out, const struct proof *p);
/* Of the leaves [from, to) of a tree that was built. */
void proof_make(struct buf *out, const struct proof_head *head,
    const struct merkle_hash *nodes, uint32_t n, uint32_t from, uint32_t to);
/* Of those that live the ones to be kept, at least one of them; the hashes of
 * the others must be there. */
NODISCARD int proof_shrink(struct buf *out, const struct crypto_port *crypto,
    const struct proof *p, const struct merkle_hash *living, const bool *keep,
    uint32_t living_n);
/* What lives in either: two parts of one tree, whose roots are the same.
 * EMALFORMED: they are not parts of one. The signature is that of a. */
NODISCARD int proof_join(
    struct buf *out, const struct proof *a, const struct proof *b);

#endif
