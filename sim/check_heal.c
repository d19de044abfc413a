/* I14: no node lacks what another has, a while after the faults. */
#include "sim/check.h"

#include "sim/world.h"

/* What has one of them dealt with that the other has not? NULL: nothing. */
static const struct dot *lacking(const struct vv *have, const struct vv *than)
{
    for (uint32_t i = 0; i < than->n; i++)
        if (!vv_covers(have, &than->e[i]))
            return &than->e[i];
    return NULL;
}

static bool is_author(const struct machine *m, const struct dot *dot)
{
    return rid_is_of(&dot->replica, &m->crypto.device);
}

static void say_lacking(struct world *w, const struct machine *m,
    const struct machine *than, uint32_t space, const struct vv *have,
    const struct dot *dot)
{
    int author = -1; /* a device that is not there any more */

    for (unsigned i = 0; i < w->machines_n; i++)
        if (is_author(&w->machines[i], dot))
            author = (int)i;
    world_fail(w, "I14",
        "node %u has dealt with %llu of the %llu changes of replica %02x%02x "
        "of node %d in %.*s that node %u has",
        m->ix, (unsigned long long)vv_get(have, &dot->replica),
        (unsigned long long)dot->seq, dot->replica.b[0], dot->replica.b[1],
        author, SLICE_FMT(w->ledger.spaces[space].name), than->ix);
}

static void compare(struct world *w, uint32_t space, const struct machine *m,
    const struct machine *than)
{
    const struct view_space *mine =
        view_by_space(&w->ledger.views[m->ix], space);
    const struct view_space *theirs =
        view_by_space(&w->ledger.views[than->ix], space);
    const struct dot *dot;

    if (theirs == NULL)
        return;
    if (mine == NULL) {
        world_fail(w, "I14", "node %u lacks the space %.*s that node %u has",
            m->ix, SLICE_FMT(w->ledger.spaces[space].name), than->ix);
        return;
    }
    dot = lacking(&mine->have, &theirs->have);
    if (dot != NULL)
        say_lacking(w, m, than, space, &mine->have, dot);
}

void check_heal(struct world *w)
{
    for (uint32_t s = 0; s < w->ledger.spaces_n; s++)
        for (unsigned i = 0; i < w->machines_n; i++)
            for (unsigned j = 0; j < w->machines_n && !w->failed; j++)
                if (i != j)
                    compare(w, s, &w->machines[i], &w->machines[j]);
}
