/* mesh_impl.h - what mesh.c and mesh_spaces.c share, and few others need.
 *
 * Pure. Law: what a record of `_spaces` does is done by all nodes alike; what
 * `_mesh` held of that kind counts only where `_spaces` has nothing. */
#ifndef SYNCLINE_REPL_MESH_IMPL_H
#define SYNCLINE_REPL_MESH_IMPL_H

#include "repl/node_impl.h"

/* A mesh of one's own, in an empty store. */
NODISCARD int mesh_found(struct node *n);
NODISCARD int mesh_load(struct node *n, struct errmsg *why);
NODISCARD int mesh_save_identity(struct node *n);
NODISCARD int mesh_open_spaces(struct node *n);

/* Is it the key of an item of `_spaces`? */
bool mesh_is_of_spaces(struct slice key);
/* Where an item with this key stands. */
struct space *mesh_space_of(const struct node *n, struct slice key);
/* The document of an item of `_mesh` or `_spaces`; SLICE_NONE if it is
 * deleted. */
NODISCARD int mesh_document(
    struct node *n, struct slice key, struct slice *out);
#define SCHEMA_PREFIX "schema/"
#define SCHEMA_TEXT_MAX (128 << 10)

/* A schema has changed: rest is what stands behind the prefix (schemas.c). */
NODISCARD int schemas_refresh(struct node *n, struct slice rest);
/* A space, a policy or a schema has changed. */
NODISCARD int mesh_refresh_item(struct node *n, struct slice key);
/* The same of all that a store of before format 4 had in `_mesh`. */
NODISCARD int mesh_refresh_old(struct node *n);
/* Spaces and policies that a store of before format 4 has in `_mesh` are kept
 * as records of this node; an admin's writes them into `_spaces`; who leaves
 * the mesh lets go of them. */
NODISCARD int mesh_keep_old(struct node *n);
NODISCARD int mesh_move_spaces(struct node *n);
NODISCARD int mesh_forget_old(struct node *n);

#endif
