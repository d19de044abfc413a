#include "unit/mesh_make.h"

#include "repl/proofs.h"
#include "unit/check.h"

#include <stdlib.h>

struct world *mesh(void)
{
    struct world_options opt = { .seed = 1, .machines = 3, .ops = 0 };
    struct world *w = sim_alloc(1, sizeof *w);

    world_init(w, &opt);
    world_run(w);
    CHECK_SAYING(!w->failed, "%s", w->why.text);
    return w;
}

void close_mesh(struct world *w)
{
    world_close(w);
    free(w);
}

void beside(const struct machine *m, struct node *n)
{
    *n = *m->node;
    n->txn = (struct txn){ .store = &n->opt.store };
    n->step = (struct arena){ 0 };
    n->key = n->out = (struct buf){ 0 };
    n->forks = (struct forks){ .n = 0 };
    n->fx = NULL;
    n->fx_n = n->fx_cap = 0;
}

void forget(struct node *n)
{
    forks_free(n);
    txn_free(&n->txn);
    arena_free(&n->step);
    buf_free(&n->key);
    buf_free(&n->out);
    free(n->fx);
}

struct space *the_space(struct node *n)
{
    return space_by_name(n, SLICE_LIT(DEFAULT_SPACE));
}
