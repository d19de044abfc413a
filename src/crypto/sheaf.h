/* sheaf.h - proofs of one tree that travel as one, and are taken apart again.
 *
 * Pure over the crypto port. A sheaf is the proof of all that its parts
 * prove: one signature, and no hash of what stands in another part. A part is
 * which leaves of the tree are its own, as it follows the part before it.
 * Law: what is cut from a sheaf is the proof that was put into it, to the
 * byte; parts make up the whole of it, or it is refused. */
#ifndef SYNCLINE_CRYPTO_SHEAF_H
#define SYNCLINE_CRYPTO_SHEAF_H

#include "base/arena.h"
#include "crypto/merkle_impl.h"

/* ---- putting together ---- */

/* From the first leaf that lives to behind the last. */
void proof_span(const struct proof *p, uint32_t *from, uint32_t *to);
/* May stand in one sheaf: of one signature. */
bool proof_is_of_one(const struct proof *a, const struct proof *b);
/* The proof of what lives in any of them: n proofs of one tree, the span of
 * each behind that of the one before it. Appends. */
NODISCARD int sheaf_join(
    struct buf *out, const struct proof *const *parts, uint32_t n);
/* The part that p is, behind one that ended at *at, which moves on. */
void sheaf_put_part(struct buf *out, const struct proof *p, uint32_t *at);

/* ---- taking apart ---- */

struct sheaf_part {
    uint32_t from, to; /* its span */
    uint32_t living_n;
    struct slice runs; /* varints: living, dead, living, ... */
};

struct sheaf_node;

struct sheaf {
    struct proof proof;
    struct living next;         /* what lives behind the last part */
    uint32_t at;                /* where that ended */
    uint32_t taken;             /* leaves of parts so far */
    struct merkle_hash *leaves; /* of all that live; the caller's */
    struct sheaf_node *nodes;
};

/* EMALFORMED: no proof. */
NODISCARD int sheaf_read(struct sheaf *out, struct slice bytes);
/* The next part, to the end of the bytes. EMALFORMED: it does not follow. */
NODISCARD int sheaf_get_part(
    struct sheaf *s, struct slice bytes, struct sheaf_part *out);
/* Do the parts make up all of it? */
bool sheaf_is_whole(const struct sheaf *s);
/* The tree, as far as it is known, from s->leaves. */
NODISCARD int sheaf_build(
    struct sheaf *s, const struct crypto_port *crypto, struct arena *a);
const struct merkle_hash *sheaf_root(const struct sheaf *s);
/* Appends the proof that a part is by itself. */
void sheaf_cut(
    struct buf *out, const struct sheaf *s, const struct sheaf_part *part);

#endif
