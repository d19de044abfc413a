/* mesh_make.h - for tests: three machines of one mesh, and nodes like theirs.
 *
 * Pure. */
#ifndef SYNCLINE_TEST_UNIT_MESH_MAKE_H
#define SYNCLINE_TEST_UNIT_MESH_MAKE_H

#include "sim/world.h"

/* They know each other, and nothing was written yet. */
struct world *mesh(void);
void close_mesh(struct world *w);
/* A node like the machine's that is in the midst of nothing. */
void beside(const struct machine *m, struct node *n);
void forget(struct node *n);
struct space *the_space(struct node *n);

#endif
