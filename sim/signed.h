/* signed.h - signatures as the simulator itself understands them
 * (doc/protocol.md), apart from the code of the nodes: for the judge of them,
 * and for whoever forges some. */
#ifndef SYNCLINE_SIM_SIGNED_H
#define SYNCLINE_SIM_SIGNED_H

#include "core/item.h"
#include "crypto/merkle.h"

struct world;
struct machine;

/* A device that there is, or was; the judge knows no other. */
void signed_know(struct world *w, const struct identity *id);

/* What leaves are made with: the mesh, as the store of a machine has it, the
 * space, and key and salt of the proof. */
struct signing_as {
    struct mesh_id mesh;
    struct space_token space;
    struct proof_head head;
};
NODISCARD int signed_mesh(struct machine *m, struct mesh_id *out);
/* The leaves of one change of an item; as many as live. The caller frees. */
struct merkle_hash *signed_leaves(const struct crypto_port *crypto,
    const struct signing_as *as, struct slice key, const struct item *it,
    uint32_t change, uint32_t *n);

#endif
