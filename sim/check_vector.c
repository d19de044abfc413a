/* I1, I4: what a vector covers is there or dominated, and where nothing lies
 * beyond it an item is the fold of that. */
#include "sim/check.h"

#include "sim/world.h"

#include <inttypes.h>

struct vector_check {
    struct world *world;
    struct machine *machine;
    const struct ledger *ledger;
    const struct view *view;
    const struct led_item *item;
    const struct view_item *mine;
    const struct item *it;
};

static void fail(const struct vector_check *k, const char *rule,
    const char *what, const struct led_slot *s, const struct fold_slot *f)
{
    const struct led_change *c =
        f != NULL ? &k->ledger->changes[f->change] : NULL;

    world_fail(k->world, rule,
        "node %u, %.*s/%.*s%.*s: %s; it has life %" PRIu64
        ", its vector claims life %" PRIu64 " and there change %" PRIu64
        " of node %u",
        k->machine->ix, SLICE_FMT(k->ledger->spaces[k->item->space].name),
        SLICE_FMT(k->item->key),
        SLICE_FMT(s != NULL && !s->is_tomb ? s->path : SLICE_NONE), what,
        k->it->length, k->mine->life, c != NULL ? c->dot.seq : 0,
        c != NULL ? c->author->ix : 0);
}

static const struct change *standing(
    const struct item *it, const struct led_slot *s)
{
    const struct cell *cell;

    if (s->is_tomb)
        return it->tomb >= 0 ? &it->changes[it->tomb] : NULL;
    cell = item_find(it, s->path);
    return cell != NULL ? &it->changes[cell->change] : NULL;
}

static bool is_removal(const struct vector_check *k, const struct fold_slot *f)
{
    const struct led_cell *cell = &k->ledger->changes[f->change].cells[f->cell];

    return cell->value.ptr == NULL && !k->ledger->slots[cell->slot].is_tomb;
}

static bool removes(
    const struct led_change *c, uint32_t slot, const struct stamp *than)
{
    for (uint32_t i = 0; i < c->cells_n; i++)
        if (c->cells[i].slot == slot && c->cells[i].value.ptr == NULL &&
            stamp_cmp(&c->cells[i].stamp, than) > 0)
            return true;
    return false;
}

/* Beyond the vector, by what the item has seen, and collected since. So it is
 * where a relay has given what this device wrote itself before it lost its
 * store: for that its word does not raise the vector. */
static bool was_removed(
    const struct vector_check *k, uint32_t slot, const struct fold_slot *f)
{
    const struct stamp *than =
        &k->ledger->changes[f->change].cells[f->cell].stamp;

    for (uint32_t i = 0; i < k->it->ctx.n; i++)
        for (struct dot d = { k->it->ctx.e[i].replica, 1 };
             d.seq <= k->it->ctx.e[i].seq; d.seq++) {
            uint32_t c = ledger_find(k->ledger, k->item->space, &d);

            if (c != LEDGER_NONE && removes(&k->ledger->changes[c], slot, than))
                return true;
        }
    return false;
}

static void check_slot(const struct vector_check *k, uint32_t ix)
{
    const struct led_slot *s = &k->ledger->slots[ix];
    const struct fold_slot *f = &k->view->slots[ix];
    const struct change *c;

    if (f->change == LEDGER_NONE || f->life < k->it->length)
        return;
    c = standing(k->it, s);
    if (c == NULL && (is_removal(k, f) || was_removed(k, ix, f)))
        return; /* collected */
    if (c == NULL)
        fail(k, "I1", "nothing is there", s, f);
    else if (stamp_cmp(&c->stamp,
                 &k->ledger->changes[f->change].cells[f->cell].stamp) < 0)
        fail(k, "I1", "something older is there", s, f);
}

static bool holds_more(const struct vector_check *k)
{
    const struct vv none = { 0 };
    const struct vv *have = &none;

    for (unsigned i = 0; i < SIM_SPACES; i++)
        if (k->view->spaces[i].used &&
            k->view->spaces[i].space == k->item->space)
            have = &k->view->spaces[i].have;
    for (uint32_t i = 0; i < k->it->changes_n; i++)
        if (!vv_covers(have, &k->it->changes[i].dot))
            return true;
    return false;
}

/* Nothing lies beyond the vector: then the item is the fold. */
static void check_equal(const struct vector_check *k, uint32_t ix)
{
    const struct led_slot *s = &k->ledger->slots[ix];
    const struct fold_slot *f = &k->view->slots[ix];
    const struct change *c = standing(k->it, s);
    bool wanted = f->change != LEDGER_NONE && f->life == k->it->length;

    if (c == NULL && (!wanted || is_removal(k, f) || was_removed(k, ix, f)))
        return;
    if (c == NULL || !wanted)
        fail(k, "I4", c == NULL ? "nothing is there" : "nothing belongs there",
            s, wanted ? f : NULL);
    else if (!dot_eq(&c->dot, &k->ledger->changes[f->change].dot))
        fail(k, "I4", "another change is there", s, f);
}

void check_vector(
    struct world *w, struct machine *m, uint32_t item, const struct item *it)
{
    const struct view *v = &w->ledger.views[m->ix];
    struct vector_check k = { .world = w,
        .machine = m,
        .ledger = &w->ledger,
        .view = v,
        .item = &w->ledger.items[item],
        .mine = &v->items[item],
        .it = it };

    if (fork_contests(w, m, item))
        return;
    if (it->length < k.mine->life && k.item->collected < k.mine->life) {
        fail(&k, "I1", "a life is missing", NULL, NULL);
        return;
    }
    if (it->length == 0 || k.item->collected >= k.mine->life)
        return;
    for (uint32_t s = k.item->first_slot; s != LEDGER_NONE && !w->failed;
         s = w->ledger.slots[s].next)
        check_slot(&k, s);
    if (w->failed || holds_more(&k))
        return;
    if (it->length > k.mine->life)
        fail(&k, "I4", "a life that nobody lived", NULL, NULL);
    for (uint32_t s = k.item->first_slot; s != LEDGER_NONE && !w->failed;
         s = w->ledger.slots[s].next)
        check_equal(&k, s);
}
