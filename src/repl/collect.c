/* What is dead goes once nobody needs to be told of it: a tombstone, or a
 * removed field, that every member has on its disk by its own word, while
 * what we have on ours covers all that they have. Floors and horizon remember
 * it: what rises there again rises above it, and who lacks it is behind.
 *
 * A member parked for its silence is not waited for (silence.c). */
#include "base/plant.h"
#include "repl/access_impl.h"
#include "repl/collect_impl.h"

#define LOOKS 256 /* at items, in one step, if they are small */
#define TELL_US ((uint64_t)60 * 1000 * 1000)

/* Whose word is needed? One who is parked himself waits for everybody, and of
 * those who may not read the space nobody is waited for. */
static bool counts(const struct node *n, const struct device_id *device,
    const struct space *sp)
{
    if (device_eq(device, &n->device) || !access_may_read(n, device, sp))
        return false;
    if (PLANTED(M8))
        return conn_of(n, device) != NULL;
    return silence_is_parked(n, &n->device) || !silence_is_parked(n, device);
}

/* What the peer claims is not here. Will it come, or what of it is on its way
 * yet? A relay may claim for ever what nobody can open. */
static bool is_to_come(
    const struct node *n, const struct conn *c, const struct session *s)
{
    const struct space *sp = s->space;

    return !vv_geq(&sp->durable, &s->claims) &&
        !bootstrap_is_disbelieved(n, c, s) && !carry_is_stuck(n, c, s);
}

/* A peer that is connected must also have said so here: what it sends is
 * judged by that (session_is_behind). Of whom a row is still to come, parked or
 * not, that row may be older than what would go. Nothing goes while somebody is
 * sent the whole state. */
static bool lower_to_sessions(
    const struct node *n, const struct space *sp, struct vv *least)
{
    for (struct conn *c = n->conns; c != NULL; c = c->next) {
        struct session *s = c->sessions;

        if (!c->greeted || c->closing)
            continue;
        while (s != NULL && s->space != sp)
            s = s->next;
        if (s != NULL && s->bootstrapping == BOOTSTRAP_SENDING)
            return false;
        if (s != NULL && !session_is_behind(s) && is_to_come(n, c, s))
            return false;
        if (counts(n, &c->device, sp))
            vv_meet(least, s != NULL ? &s->claims : &(struct vv){ 0 });
    }
    return true;
}

/* What may be collected; false: nothing now. */
static bool find_least(struct node *n, const struct space *sp, struct vv *least)
{
    if (vv_copy(least, &sp->durable, &n->step) != SYNCLINE_OK)
        return false;
    for (size_t i = 0; i < members_n(n->members); i++) {
        const struct device_id *d = &members_at(n->members, i)->device;
        const struct vv *acked = acked_by(n, d, sp);

        if (!counts(n, d, sp))
            continue;
        if (!vv_geq(&sp->durable, acked))
            return false;
        vv_meet(least, acked);
    }
    return lower_to_sessions(n, sp, least);
}

/* ---- one item ---- */

static bool may_go(
    const struct node *n, const struct change *c, const struct vv *least)
{
    if (PLANTED(M7))
        return c->wall_us + n->opt.collect_us < n->wall_us;
    return vv_covers(least, &c->dot);
}

/* Those who are parked, too. */
static bool all_have(
    const struct node *n, const struct space *sp, const struct dot *d)
{
    for (size_t i = 0; i < members_n(n->members); i++) {
        const struct device_id *m = &members_at(n->members, i)->device;

        if (!device_eq(m, &n->device) && access_may_read(n, m, sp) &&
            !vv_covers(acked_by(n, m, sp), d))
            return false;
    }
    return true;
}

/* All that was merged into it must be everywhere: a version, or a write of that
 * life that lost, must not come after the record has gone. What no vector here
 * covers is lost, and nobody waits for it; but who is away may have it, and
 * would bring it back under another name. Nothing but this record tells that it
 * was seen. */
static bool item_may_go(const struct node *n, const struct space *sp,
    const struct item *it, const struct vv *least)
{
    const struct dot *tomb = &it->changes[it->tomb].dot;
    bool lost = false;

    if (!may_go(n, &it->changes[it->tomb], least))
        return false;
    for (uint32_t i = 0; i < it->ctx.n && !PLANTED(M7); i++) {
        struct dot d = it->ctx.e[i];
        uint64_t here = vv_get(&sp->durable, &d.replica);

        lost = lost || d.seq > here;
        d.seq = d.seq < here ? d.seq : here;
        if (d.seq > 0 && !vv_covers(least, &d))
            return false;
    }
    return !lost || all_have(n, sp, tomb);
}

static void count_behind(
    struct node *n, const struct space *sp, const struct dot *d)
{
    for (size_t i = 0; i < members_n(n->members); i++) {
        const struct device_id *m = &members_at(n->members, i)->device;

        if (!device_eq(m, &n->device) && access_may_read(n, m, sp) &&
            !vv_covers(acked_by(n, m, sp), d)) {
            n->counts.collected_behind++;
            return;
        }
    }
}

/* Who has not read its deletion yet will never see it in the feed. */
static void tell_watches(struct node *n, const struct space *sp, uint64_t lsn)
{
    for (struct watch *w = n->watches; w != NULL; w = w->next)
        if (w->space == sp && w->pos < lsn)
            w->resync = n->want_flush = true;
}

static int collect_item(
    struct node *n, struct space *sp, struct slice key, struct stored *st)
{
    const struct floors floors = { .length = st->item.length,
        .version = st->item.version };
    const struct dot *dot = &st->item.changes[st->item.tomb].dot;
    int rc = conflicts_settle(n, sp, key, &st->item);

    if (rc == SYNCLINE_OK)
        rc = history_deleted(n, sp, key, st);
    if (rc == SYNCLINE_OK)
        rc = space_raise_horizon(n, sp, dot);
    if (rc != SYNCLINE_OK)
        return rc;
    space_raise_floors(n, sp, &floors);
    if (sp->s.gone < st->lsn)
        sp->s.gone = st->lsn;
    sp->s.deleted--;
    sp->s.dead.lo -= st->print.dead.lo;
    sp->s.dead.hi -= st->print.dead.hi;
    tell_watches(n, sp, st->lsn);
    count_behind(n, sp, dot);
    n->counts.collected++;
    n->gone.items++;
    txn_del(&n->txn, TABLE_META, key_dead(&n->key, sp->id, key));
    return item_drop(n, sp->id, key, st);
}

static bool field_may_go(const struct node *n, const struct item *it,
    const struct cell *cell, const struct vv *least)
{
    return cell->value.ptr == NULL &&
        may_go(n, &it->changes[cell->change], least);
}

static int collect_fields(struct node *n, struct space *sp, struct slice key,
    struct stored *st, const struct vv *least)
{
    struct floors floors = { .length = 0 };
    struct item *it = &st->item;
    uint32_t first = 0, kept = 0;
    int rc;

    while (
        first < it->cells_n && !field_may_go(n, it, &it->cells[first], least))
        first++;
    if (first == it->cells_n)
        return SYNCLINE_OK;
    rc = conflicts_settle(n, sp, key, it);
    for (uint32_t i = 0; i < it->cells_n && rc == SYNCLINE_OK; i++) {
        const struct change *c = &it->changes[it->cells[i].change];

        if (!field_may_go(n, it, &it->cells[i], least)) {
            it->cells[kept++] = it->cells[i];
            continue;
        }
        rc = space_raise_horizon(n, sp, &c->dot);
        if (stamp_cmp(&c->stamp, &floors.fields) > 0)
            floors.fields = c->stamp;
        n->counts.fields_collected++;
        n->gone.fields++;
    }
    if (rc != SYNCLINE_OK)
        return rc;
    it->cells_n = kept;
    space_raise_floors(n, sp, &floors);
    rc = item_normalise(it, &n->step);
    return rc == SYNCLINE_OK ? item_store(n, sp, key, st, st->lsn) : rc;
}

static int look_at(
    struct node *n, struct space *sp, struct slice key, const struct vv *least)
{
    struct stored st;
    int rc = item_load(n, sp, key, &st);

    if (rc != SYNCLINE_OK || !st.existed)
        return rc;
    if (st.item.tomb < 0)
        return collect_fields(n, sp, key, &st, least);
    return st.lsn <= sp->outsiders_upto && item_may_go(n, sp, &st.item, least)
        ? collect_item(n, sp, key, &st)
        : SYNCLINE_OK;
}

/* ---- the pass ---- */

struct looking {
    struct node *node;
    size_t skip; /* of a key: the name, the space's number */
    struct slice keys[LOOKS];
    uint32_t n;
    bool more;
};

static int note_dead(void *ctx, struct slice key, struct slice value)
{
    struct looking *l = ctx;

    (void)value;
    if (l->n == LOOKS) {
        l->more = true;
        return 1;
    }
    l->keys[l->n] = arena_dup(&l->node->step, slice_from(key, l->skip));
    return l->keys[l->n++].ptr != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

/* Some more of the pass over what is dead; it ends with collect_at empty. */
static int go_on(struct node *n, struct space *sp, const struct vv *least)
{
    struct looking l = { .node = n, .skip = sizeof META_DEAD - 1 + 4 };
    struct buf prefix = { 0 };
    uint32_t looked = 0;
    int rc = store_scan(&n->opt.store, TABLE_META,
        key_meta_space(&prefix, META_DEAD, sp->id), buf_slice(&sp->collect_at),
        note_dead, &l);

    buf_free(&prefix);
    while (looked < l.n && rc == SYNCLINE_OK &&
        (looked == 0 || !node_has_enough(n)))
        rc = look_at(n, sp, l.keys[looked++], least);
    if (rc != SYNCLINE_OK)
        return rc;
    buf_clear(&sp->collect_at);
    if (!l.more && looked == l.n)
        return SYNCLINE_OK;
    (void)key_dead(&sp->collect_at, sp->id, l.keys[looked - 1]);
    buf_put_u8(&sp->collect_at, 0);
    return buf_status(&sp->collect_at);
}

static bool has_dead(const struct space *sp)
{
    return sp->s.dead.lo != 0 || sp->s.dead.hi != 0;
}

static int collect_space(struct node *n, struct space *sp)
{
    struct vv least = { 0 };
    const uint64_t upto = outsiders_upto(n, sp);

    if (upto > sp->outsiders_upto && sp->collect_at.len == 0)
        sp->collected_upto = (struct vv){ 0 }; /* what was held may go */
    if (upto < sp->outsiders_upto || sp->collect_at.len == 0)
        sp->outsiders_upto = upto;
    /* A relay is to take no horizon with it: others would be behind it. */
    if (!space_collects(sp) || sp->sealed || !has_dead(sp) ||
        returns_into(n, sp) || !find_least(n, sp, &least)) {
        if (sp->collect_at.len > 0) /* the pass was not over */
            sp->collected_upto = (struct vv){ 0 };
        buf_clear(&sp->collect_at);
        return SYNCLINE_OK;
    }
    if (sp->collect_at.len > 0)
        vv_meet(&sp->collected_upto, &least);
    else {
        if (vv_geq(&sp->collected_upto, &least) && !PLANTED(M7))
            return SYNCLINE_OK; /* what can go has gone */
        arena_reset(&sp->collect_arena);
        sp->collected_upto = (struct vv){ 0 };
        if (vv_copy(&sp->collected_upto, &least, &sp->collect_arena) !=
            SYNCLINE_OK)
            return SYNCLINE_ENOMEM;
        (void)key_meta_space(&sp->collect_at, META_DEAD, sp->id);
    }
    return go_on(n, sp, &least);
}

/* A sum of some rounds; what is not told when the node stops is not told. */
static int tell_gone(struct node *n)
{
    const struct audit_field fields[] = { AUDIT_NUMBER("items", n->gone.items),
        AUDIT_NUMBER("fields", n->gone.fields), AUDIT_END };

    if ((n->gone.items == 0 && n->gone.fields == 0) ||
        n->now_us < n->gone_due_us)
        return SYNCLINE_OK;
    n->gone_due_us = n->now_us + TELL_US;
    n->gone = (struct gone){ 0 };
    return node_audit(n, "collect", fields);
}

int collect_tick(struct node *n)
{
    bool more = false;
    int rc = SYNCLINE_OK;

    if (n->now_us < n->collect_due_us)
        return SYNCLINE_OK;
    n->collect_due_us = n->now_us + n->opt.collect_us;
    for (struct space *sp = n->spaces; sp != NULL && rc == SYNCLINE_OK;
         sp = sp->next) {
        if (!node_has_enough(n))
            rc = collect_space(n, sp);
        more = more || sp->collect_at.len > 0 || node_has_enough(n);
    }
    if (more)
        n->collect_due_us = n->now_us;
    return rc == SYNCLINE_OK && !more ? tell_gone(n) : rc;
}

uint64_t collect_deadline(const struct node *n)
{
    return n->collect_due_us;
}
