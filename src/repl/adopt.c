/* What a version before signatures has left in the store, or one that signed
 * otherwise: nobody else will take it as it is. This node writes it again as
 * its own, under new dots, with stamps, contexts and first dots as they were;
 * members that do the same to the same write meet as one (merge.md). Bit by
 * bit; until it is done nobody is connected to. */
#include "repl/proofs.h"

#define ITEMS_AT_ONCE 256

bool adopts(const struct node *n)
{
    for (const struct space *sp = n->spaces; sp != NULL; sp = sp->next)
        if (sp->adopting)
            return true;
    return false;
}

int adopt_all(struct node *n)
{
    for (struct space *sp = n->spaces; sp != NULL; sp = sp->next)
        txn_put(&n->txn, TABLE_META,
            key_meta_space(&n->key, META_ADOPT, sp->id), SLICE_LIT(""));
    return txn_status(&n->txn);
}

int adopts_load(struct node *n)
{
    for (struct space *sp = n->spaces; sp != NULL; sp = sp->next) {
        struct slice at;
        int rc = store_get(&n->opt.store, TABLE_META,
            key_meta_space(&n->key, META_ADOPT, sp->id), &at);

        if (rc != SYNCLINE_OK && rc != SYNCLINE_ENOTFOUND)
            return rc;
        sp->adopting = rc == SYNCLINE_OK;
    }
    return SYNCLINE_OK;
}

struct adopting {
    struct node *node;
    struct slice keys[ITEMS_AT_ONCE];
    uint32_t n;
    bool more;
};

static int note_item(void *ctx, struct slice key, struct slice value)
{
    struct adopting *a = ctx;

    (void)value;
    if (a->n == ITEMS_AT_ONCE) {
        a->more = true;
        return 1;
    }
    a->keys[a->n] = arena_dup(&a->node->step, slice_from(key, 4));
    return a->keys[a->n++].ptr != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

/* The change of the old item, in the new one, as ours if it is nobody's. */
static int take(struct node *n, struct item *to, const struct item *from,
    uint32_t change, const struct dot *dot, uint32_t *ix, bool *any)
{
    struct change c = from->changes[change];

    if (c.proof.len == 0) {
        c.dot = *dot;
        *any = true;
    }
    return item_add_change(to, &c, ix, &n->step);
}

static int adopt_item(struct node *n, struct space *sp, struct slice key,
    const struct dot *dot, bool *any)
{
    struct stored st;
    struct item made;
    bool took = false;
    uint32_t ix = 0;
    int rc = item_load(n, sp, key, &st);

    if (rc == SYNCLINE_OK)
        rc = item_copy(&made, &st.item, &n->step);
    if (rc != SYNCLINE_OK)
        return rc;
    made.changes_n = made.changes_cap = 0;
    for (uint32_t i = 0; i < made.cells_n && rc == SYNCLINE_OK; i++) {
        rc = take(n, &made, &st.item, made.cells[i].change, dot, &ix, &took);
        made.cells[i].change = ix;
    }
    if (rc == SYNCLINE_OK && made.tomb >= 0) {
        rc = take(n, &made, &st.item, (uint32_t)made.tomb, dot, &ix, &took);
        made.tomb = ix;
    }
    if (rc != SYNCLINE_OK || !took)
        return rc;
    rc = vv_add(&made.ctx, dot, &n->step);
    if (rc == SYNCLINE_OK)
        rc = item_normalise(&made, &n->step);
    st.item = made;
    *any = true;
    n->counts.items_adopted++;
    return rc == SYNCLINE_OK ? item_store(n, sp, key, &st, space_next_lsn(sp))
                             : rc;
}

static int save_place(struct node *n, struct space *sp, struct adopting *a)
{
    struct buf at = { 0 };

    if (!a->more) {
        txn_del(
            &n->txn, TABLE_META, key_meta_space(&n->key, META_ADOPT, sp->id));
        return txn_status(&n->txn);
    }
    buf_put_slice(&at, a->keys[a->n - 1]);
    buf_put_u8(&at, 0); /* what comes behind it */
    txn_put_buf(
        &n->txn, TABLE_META, key_meta_space(&n->key, META_ADOPT, sp->id), &at);
    buf_free(&at);
    return txn_status(&n->txn);
}

static int adopt_some(struct node *n, struct space *sp)
{
    const struct dot dot = { n->replica, vv_get(&sp->have, &n->replica) + 1 };
    struct adopting a = { .node = n };
    struct buf prefix = { 0 }, from = { 0 };
    struct slice at;
    bool any = false;
    int rc = store_get(&n->opt.store, TABLE_META,
        key_meta_space(&n->key, META_ADOPT, sp->id), &at);

    if (rc == SYNCLINE_OK)
        (void)key_item(&from, sp->id, at);
    if (rc == SYNCLINE_OK)
        rc = buf_status(&from);
    if (rc == SYNCLINE_OK)
        rc = store_scan(&n->opt.store, TABLE_ITEM, key_space(&prefix, sp->id),
            buf_slice(&from), note_item, &a);
    buf_free(&prefix);
    buf_free(&from);
    for (uint32_t i = 0; i < a.n && rc == SYNCLINE_OK; i++)
        rc = adopt_item(n, sp, a.keys[i], &dot, &any);
    if (rc == SYNCLINE_OK && any)
        rc = space_raise(n, sp, &dot);
    if (rc == SYNCLINE_OK)
        rc = save_place(n, sp, &a);
    if (rc == SYNCLINE_OK)
        rc = node_commit(n);
    if (rc == SYNCLINE_OK)
        sp->adopting = a.more;
    return rc;
}

int adopt_tick(struct node *n)
{
    if (n->bad_restart) /* the next dot may be known elsewhere */
        return SYNCLINE_OK;
    for (struct space *sp = n->spaces; sp != NULL; sp = sp->next)
        if (sp->adopting)
            return adopt_some(n, sp);
    return SYNCLINE_OK;
}
