#include "sim/withhold.h"

#include "repl/frames.h"
#include "sim/draw.h"
#include "sim/world.h"

/* ---- what is kept back ---- */

static uint32_t space_of(const struct world *w, const struct space_token *token)
{
    const struct ledger *l = &w->ledger;

    for (uint32_t i = 0; i < l->spaces_n; i++)
        if (space_token_eq(&l->spaces[i].token, token) &&
            l->spaces[i].name.len > 0 && l->spaces[i].name.ptr[0] != '_')
            return i;
    return LEDGER_NONE;
}

/* Of somebody whom that machine does not meet. */
static const struct machine *pick_author(
    const struct world *w, const struct machine *to, const struct vv *mark)
{
    for (uint32_t i = 0; i < mark->n; i++)
        for (unsigned m = 0; m < w->machines_n; m++)
            if (w->relays.apart[to->ix][m] &&
                rid_is_of(&mark->e[i].replica, &w->machines[m].crypto.device))
                return &w->machines[m];
    return NULL;
}

static bool begin(struct machine *relay, struct machine *to,
    const struct frame_batch *f, uint32_t space)
{
    struct world *w = relay->world;
    struct sim_withhold *h = &w->withhold;
    const struct machine *author = pick_author(w, to, &f->mark);

    if (author == NULL || !to->member || to->relay)
        return false;
    h->begun = true;
    h->relay = relay;
    h->from = to;
    h->author = author;
    h->space = space;
    w->tally.struck[FAULT_WITHHOLD]++;
    world_note(w,
        "relay %u keeps back from machine %u what machine %u writes in %.*s",
        relay->ix, to->ix, author->ix, SLICE_FMT(w->ledger.spaces[space].name));
    return true;
}

static bool is_his(const struct sim_withhold *h, const struct rid *r)
{
    return rid_is_of(r, &h->author->crypto.device);
}

static bool is_kept(const struct sim_withhold *h, const struct rid *r)
{
    return is_his(h, r) || vv_get(&h->kept, r) > 0;
}

/* All that is in one of these rows must be in no mark; nor is a row sent of
 * which the relay believes that it has sent some already. */
static bool note_rows(struct sim_withhold *h, const struct frame_batch *f)
{
    struct reader r = reader_of(f->rows);
    struct vv all = { 0 };
    struct arena a = { 0 };
    bool any = false;

    for (uint32_t i = 0; i < f->rows_n; i++) {
        struct item it;
        struct reader row;

        (void)get_bytes(&r);
        row = reader_of(get_bytes(&r));
        ENSURE(get_item(&row, &it, &a) == SYNCLINE_OK);
        ENSURE(vv_join(&all, &it.ctx, &a) == SYNCLINE_OK);
        for (uint32_t k = 0; k < it.ctx.n; k++)
            any = any || is_kept(h, &it.ctx.e[k].replica);
    }
    if (any) {
        ENSURE(vv_join(&h->kept, &all, &h->arena) == SYNCLINE_OK);
        h->rows += f->rows_n;
    }
    arena_free(&a);
    return any;
}

static bool alter(struct sim_withhold *h, struct frame_batch *f)
{
    uint32_t n = 0;
    bool any = note_rows(h, f);

    if (any) {
        f->sheaves = f->rows = f->conflicts = SLICE_NONE;
        f->sheaves_n = f->rows_n = f->conflicts_n = 0;
        f->flags &= (uint8_t)~BATCH_SHEAVES;
    }
    for (uint32_t i = 0; i < f->mark.n; i++)
        if (!is_kept(h, &f->mark.e[i].replica))
            f->mark.e[n++] = f->mark.e[i];
    f->mark.n = n;
    f->flags &= (uint8_t) ~(BATCH_CURSOR | BATCH_WHOLE);
    return true;
}

/* ---- on its way ---- */

bool withhold_frame(struct machine *relay, const struct link *l,
    struct machine *to, struct slice frame, struct buf *out)
{
    struct world *w = relay->world;
    struct sim_withhold *h = &w->withhold;
    struct arena a = { 0 };
    struct frame f;
    uint32_t space = LEDGER_NONE;
    bool ok;

    if (!fault_is_on(&w->faults, FAULT_WITHHOLD) || w->faults.over ||
        !relay->relay || l->pairing || h->honest == l ||
        (h->begun && !withhold_is_between(relay, to)) ||
        get_frame(frame, &f, &a) != SYNCLINE_OK) {
        arena_free(&a);
        return false;
    }
    check_withheld_sent(w, l, &f);
    if (f.type == FRAME_BATCH)
        space = space_of(w, &f.batch.space), ok = space != LEDGER_NONE;
    else
        ok = h->begun && (f.type == FRAME_HEAD || f.type == FRAME_BOOTSTRAP);
    if (ok && f.type == FRAME_BOOTSTRAP)
        h->honest = l; /* what is taken whole cannot be left out of */
    if (ok && f.type == FRAME_HEAD && space_of(w, &f.head.space) == h->space)
        check_withheld_heard(w, l, &f.head);
    ok = ok && f.type == FRAME_BATCH &&
        (h->begun || begin(relay, to, &f.batch, space)) && h->space == space &&
        alter(h, &f.batch);
    if (ok) {
        put_frame(out, &f);
        ENSURE(buf_status(out) == SYNCLINE_OK);
    }
    arena_free(&a);
    return ok;
}

bool withhold_is_between(const struct machine *relay, const struct machine *to)
{
    const struct sim_withhold *h = &relay->world->withhold;

    return h->begun && h->relay == relay && h->from == to;
}

/* It sends what it has sent before where it is asked anew. */
void withhold_finish(struct world *w)
{
    const struct sim_withhold *h = &w->withhold;

    for (struct link *l = w->net.links; l != NULL && h->begun; l = l->next)
        if ((l->end[0].machine == h->relay && l->end[1].machine == h->from) ||
            (l->end[1].machine == h->relay && l->end[0].machine == h->from))
            network_cut(w, l);
}

void withhold_close(struct world *w)
{
    arena_free(&w->withhold.arena);
}
