/* What was collected for changes that do not count any more: it stays gone, and
 * the node that notices says so by a mark (voided.c). */
#include "sim/peek.h"
#include "sim/world.h"

/* The mark of a loss is the one change of its own that a node has in its
 * horizon before its vector claims it. */
static const struct view_space *find_mark(
    struct view *v, const struct machine *m, struct slice ops, struct dot *mark)
{
    struct batch_op op;
    int err = 0;

    while (batch_next(&ops, &op, &err)) {
        const struct view_space *vs;
        struct peek p;

        if (op.table != TABLE_META || m->node == NULL ||
            peek_meta(op.key, op.value, &p) != SYNCLINE_OK ||
            p.what != PEEK_HORIZON ||
            !rid_eq(&p.dot.replica, node_replica(m->node)))
            continue;
        *mark = p.dot;
        vs = view_by_number(v, p.number);
        if (vs != NULL && !vv_covers(&vs->have, &p.dot))
            return vs;
    }
    return NULL;
}

/* They have their effect still, for whoever has the mark. */
static void add(struct ledger *l, const struct led_loss *loss)
{
    struct dot d = loss->from;

    if (l->losses_n == l->losses_cap) {
        l->losses_cap = l->losses_cap == 0 ? 8 : 2 * l->losses_cap;
        l->losses = sim_grow(l->losses, l->losses_cap, sizeof *l->losses);
    }
    l->losses[l->losses_n++] = *loss;
    for (; d.seq <= loss->upto; d.seq++) {
        uint32_t ix = ledger_find(l, loss->space, &d);

        if (ix != LEDGER_NONE)
            l->changes[ix].gone = true;
    }
}

void losses_note(
    struct ledger *l, struct view *v, const struct machine *m, struct slice ops)
{
    struct dot mark;
    const struct view_space *vs = find_mark(v, m, ops, &mark);
    struct batch_op op;
    int err = 0;

    while (vs != NULL && batch_next(&ops, &op, &err)) {
        struct peek p;

        if (op.table != TABLE_META ||
            peek_meta(op.key, op.value, &p) != SYNCLINE_OK ||
            p.what != PEEK_HORIZON || p.number != vs->number ||
            rid_eq(&p.dot.replica, &mark.replica) ||
            node_bound(m->node, &l->spaces[vs->space].token, &p.dot.replica) >
                p.dot.seq)
            continue;
        add(l,
            &(struct led_loss){ vs->space, mark,
                { p.dot.replica, p.dot.seq + 1 },
                vv_get(&vs->have, &p.dot.replica) });
    }
}

void losses_each(const struct ledger *l, uint32_t space, const struct dot *mark,
    void (*fn)(void *ctx, uint32_t change), void *ctx)
{
    for (uint32_t i = 0; i < l->losses_n; i++) {
        const struct led_loss *loss = &l->losses[i];
        struct dot d = loss->from;

        if (loss->space != space || !dot_eq(&loss->mark, mark))
            continue;
        for (; d.seq <= loss->upto; d.seq++) {
            uint32_t ix = ledger_find(l, space, &d);

            if (ix != LEDGER_NONE)
                fn(ctx, ix);
            if (!dot_eq(&d, mark))
                losses_each(l, space, &d, fn, ctx);
        }
    }
}
