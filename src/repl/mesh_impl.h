/* mesh_impl.h - what mesh.c and mesh_spaces.c share.
 *
 * Pure. Law: what a record of `_spaces` does is done by all nodes alike; what
 * `_mesh` held of that kind counts only where `_spaces` has nothing. */
#ifndef SYNCLINE_REPL_MESH_IMPL_H
#define SYNCLINE_REPL_MESH_IMPL_H

#include "repl/node_impl.h"

/* Is it the key of an item of `_spaces`? */
bool mesh_is_of_spaces(struct slice key);
/* The document of an item of `_mesh` or `_spaces`; SLICE_NONE if it is
 * deleted. */
NODISCARD int mesh_document(
    struct node *n, struct slice key, struct slice *out);
/* A space or a policy has changed. */
NODISCARD int mesh_refresh_item(struct node *n, struct slice key);
/* The same of all that a store of before format 4 had in `_mesh`. */
NODISCARD int mesh_refresh_old(struct node *n);

#endif
