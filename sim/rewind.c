/* rewind.c - what the ledger makes of a disk that has lost commits, or is an
 * old copy: it is read as one batch. */
#include "sim/ledger.h"

#include "sim/check.h"
#include "sim/world.h"

static int put_again(void *ctx, struct slice key, struct slice value)
{
    struct batch *b = ctx;

    batch_put(b, TABLE_META, key, value);
    return buf_status(&b->ops);
}

static int item_again(void *ctx, struct slice key, struct slice value)
{
    struct batch *b = ctx;

    (void)value;
    batch_put(b, TABLE_ITEM, key, SLICE_LIT(""));
    return buf_status(&b->ops);
}

/* The disk's content as one batch, observed as if it had just come. */
static void read_all(struct world *w, struct machine *m)
{
    struct batch all = { .n = 0 };
    int rc = store_scan(
        &m->port, TABLE_META, SLICE_NONE, SLICE_NONE, put_again, &all);

    if (rc == SYNCLINE_OK)
        rc = store_scan(
            &m->port, TABLE_ITEM, SLICE_NONE, SLICE_NONE, item_again, &all);
    ENSURE(rc == SYNCLINE_OK);
    ledger_commit(w, m, buf_slice(&all.ops), machine_disk_last(&m->disk));
    buf_free(&all.ops);
}

/* What an author's disk does not cover any more is lost; if he was told that
 * it was safe, only an old copy excuses that. */
static void note_lost(struct world *w, struct machine *m, bool restored)
{
    struct ledger *l = &w->ledger;

    for (uint32_t i = 0; i < l->changes_n; i++) {
        struct led_change *c = &l->changes[i];
        const struct view_space *vs = view_by_space(&l->views[m->ix], c->space);

        if (c->author == m && c->moved_at > machine_disk_last(&m->disk))
            c->moved = false; /* that has been lost */
        if (c->author != m || c->lost || (vs == NULL && !restored) ||
            (vs != NULL && vv_covers(&vs->have, &c->dot)) ||
            ((c->moved || c->anew || c->void_now) && !restored))
            continue; /* an old copy may not even know the space */
        c->lost = true;
        if (c->acked && !restored)
            world_fail(w, "I2",
                "node %u was told that change %llu is safe, and lost it", m->ix,
                (unsigned long long)c->dot.seq);
    }
}

void ledger_rewind(struct world *w, struct machine *m, bool restored)
{
    struct view *v = &w->ledger.views[m->ix];

    if (restored)
        view_restore(v, &w->ledger);
    else
        view_rewind(v, &w->ledger, machine_disk_last(&m->disk));
    check_reached_rewind(w, m, restored);
    check_brought_forget(w, m, restored ? 0 : machine_disk_last(&m->disk));
    read_all(w, m);
    note_lost(w, m, restored);
}

void ledger_wipe(struct world *w, struct machine *m)
{
    struct ledger *l = &w->ledger;

    view_rewind(&l->views[m->ix], l, 0);
    check_reached_rewind(w, m, true);
    check_brought_forget(w, m, 0);
    for (uint32_t i = 0; i < l->changes_n; i++)
        if (l->changes[i].author == m)
            l->changes[i].lost = true;
}
