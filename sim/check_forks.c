/* R20: of a replica that said two things under one dot all know, and nobody
 * else is accused. */
#include "sim/check.h"

#include "base/text.h"
#include "sim/fork.h"
#include "sim/peek.h"
#include "sim/world.h"

/* What a node says of replicas that count no more, by its `status`. */
static const struct json *forks_told(struct machine *m, struct arena *a)
{
    int rc;

    return json_get(
        machine_ask_now(m, SLICE_LIT("{\"op\":\"status\"}"), a, &rc), "forks");
}

static bool is_about(
    const struct world *w, const struct json *told, const struct sim_fork *f)
{
    struct rid replica;

    return slice_eq(
               json_get_str(told, "space"), w->ledger.spaces[f->space].name) &&
        hex_decode(replica.b, RID_LEN, json_get_str(told, "replica")) ==
        SYNCLINE_OK &&
        rid_eq(&replica, &f->dot.replica);
}

static uint64_t change_told(const struct json *told)
{
    return (uint64_t)json_get_int(told, "change", 0);
}

static bool is_told(
    const struct world *w, const struct json *list, const struct sim_fork *f)
{
    for (const struct json *e = list->first; e != NULL; e = e->next)
        if (is_about(w, e, f) && change_told(e) <= f->dot.seq)
            return true;
    return false;
}

/* A replica whose device says everything once is not accused. */
static void check_innocent(
    struct world *w, const struct machine *m, const struct json *list)
{
    for (const struct json *e = list->first; e != NULL && !w->failed;
         e = e->next) {
        bool any = false;

        for (unsigned i = 0; i < w->forks.n; i++)
            any = any ||
                (is_about(w, e, &w->forks.e[i]) &&
                    change_told(e) == w->forks.e[i].dot.seq);
        if (!any)
            world_fail(w, "accused",
                "node %u says that %.*s has signed two things in %.*s, which "
                "it has not",
                m->ix, SLICE_FMT(json_get_str(e, "name")),
                SLICE_FMT(json_get_str(e, "space")));
    }
}

/* Whoever knows of it lets nothing count from there on, and tells the audit
 * log. */
static void check_frozen(
    struct world *w, const struct machine *m, const struct sim_fork *f)
{
    const struct led_change *c = &w->ledger.changes[f->change];

    w->tally.sim.forks_frozen++;
    if (node_bound(m->node, &w->ledger.spaces[c->space].token,
            &f->dot.replica) >= f->dot.seq)
        world_fail(w, "R20",
            "node %u knows that change %llu of a replica stands for two "
            "things, and lets it count",
            m->ix, (unsigned long long)f->dot.seq);
}

/* What stands where the two differ: 1, the half that its author kept; 2, the
 * other one; 0, neither. */
static unsigned half_at(struct machine *m, const struct sim_fork *f)
{
    struct ledger *l = &m->world->ledger;
    const struct view_space *vs = view_by_space(&l->views[m->ix], f->space);
    const struct change *c = NULL;
    const struct cell *cell;
    struct arena a = { 0 };
    struct item it;
    unsigned half = 0;

    if (vs == NULL)
        return 0;
    ENSURE(peek_load(&m->port, vs->number, l->items[f->item].key, &it, &a) ==
        SYNCLINE_OK);
    cell = item_find(&it, l->slots[f->slot].path);
    if (cell != NULL)
        c = &it.changes[cell->change];
    if (c != NULL && dot_eq(&c->dot, &f->dot))
        half = fork_of(m->world, f->space, c) == f ? 2 : 1;
    arena_free(&a);
    return half;
}

/* Nobody has found it: then one half is gone, by what was written since, and
 * all are the same, which others judge. */
static void check_unfound(struct world *w, const struct sim_fork *f)
{
    int at[3] = { -1, -1, -1 };

    for (unsigned i = 0; i < w->machines_n; i++)
        at[half_at(&w->machines[i], f)] = (int)i;
    if (at[1] >= 0 && at[2] >= 0)
        world_fail(w, "R20",
            "nodes %d and %d hold two things as change %llu of one replica, "
            "at %.*s, and nobody tells",
            at[1], at[2], (unsigned long long)f->dot.seq,
            SLICE_FMT(w->ledger.items[f->item].key));
    w->tally.sim.forks_gone++;
}

/* All say the same of it. */
static void check_fork(struct world *w, const struct sim_fork *f,
    const struct json *const lists[SIM_MACHINES])
{
    bool any = is_told(w, lists[0], f);

    if (!f->met)
        return; /* it got nowhere */
    for (unsigned i = 1; i < w->machines_n && !w->failed; i++)
        if (is_told(w, lists[i], f) != any)
            world_fail(w, "R20",
                "change %llu of a replica stands for two things, says node "
                "%u, and node %u does not",
                (unsigned long long)f->dot.seq, any ? 0 : i, any ? i : 0);
    for (unsigned i = 0; i < w->machines_n && any && !w->failed; i++)
        check_frozen(w, &w->machines[i], f);
    if (!any && !w->failed)
        check_unfound(w, f);
}

void check_forks(struct world *w)
{
    const struct json *lists[SIM_MACHINES];
    struct arena a = { 0 };

    for (unsigned i = 0; i < w->machines_n; i++) {
        lists[i] = forks_told(&w->machines[i], &a);
        if (lists[i] == NULL) {
            world_fail(
                w, "R20", "node %u does not say what it knows of forks", i);
            break;
        }
        check_innocent(w, &w->machines[i], lists[i]);
    }
    for (unsigned i = 0; i < w->forks.n && !w->failed; i++)
        check_fork(w, &w->forks.e[i], lists);
    arena_free(&a);
}
