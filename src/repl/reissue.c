/* What leaked and was lost: rows of a replica that ended before it could say
 * that it has them. No vector will ever cover them, so they are written again:
 * by the device whose replica it was, after the MARK that shows what is
 * missing; or, if that is a member no longer, by whoever holds them. Who does
 * it twice writes the same value twice, which is no conflict. */
#include "base/plant.h"
#include "repl/access_impl.h"
#include "repl/collect_impl.h"
#include "repl/proofs.h"

#define TURN_US ((uint64_t)5 * 1000 * 1000)
#define AUTHORS_TURNS 3
#define TURNS_MAX 12

enum whose {
    MINE,    /* of this device's lost replicas */
    LEFT,    /* of devices that are members no longer */
    UNKEYED, /* of both, under keys that do not count any more */
    HELD,    /* the same of anybody */
    FOREIGN, /* of who may not write there */
    LOOKING  /* the same, and nothing is written */
};

static bool is_of_keys(enum whose whose)
{
    return whose == UNKEYED || whose == HELD;
}

struct reissue {
    struct node *node;
    struct space *space;
    struct rid replica; /* at which it is */
    enum whose whose;
    struct author *by;
    bool wrote;
    bool more;      /* some is left for the next time */
    uint64_t until; /* of this replica: what is written from here on is new */
    struct slice keys[256];
    uint64_t seqs[256];
    uint32_t n;
    struct buf at; /* the index goes on from here */
};

static int note_key(void *ctx, struct slice key, struct slice value)
{
    struct reissue *r = ctx;
    struct slice item_key;
    struct dot dot;

    (void)value;
    if (get_seen_key(key, &dot, &item_key) != SYNCLINE_OK)
        return SYNCLINE_ECORRUPT;
    if (!rid_eq(&dot.replica, &r->replica) || r->n == 256 ||
        (rid_eq(&dot.replica, &r->node->replica) && dot.seq > r->until))
        return 1;
    buf_clear(&r->at);
    buf_put_slice(&r->at, key);
    buf_put_u8(&r->at, 0);
    r->seqs[r->n] = dot.seq;
    r->keys[r->n] = arena_dup(&r->node->step, item_key);
    return r->keys[r->n++].ptr != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

/* Will nobody ever say of it that he has it? */
static bool is_lost(const struct reissue *r, const struct rid *replica)
{
    const struct node *n = r->node;

    struct dot any = { *replica, UINT64_MAX };

    if (r->whose >= FOREIGN) {
        (void)access_clamp_dot(n, r->space, &any);
        return any.seq != UINT64_MAX;
    }
    if (r->whose == LEFT)
        return !node_is_mine(n, replica) && owner_of(n, replica) == NULL;
    if (r->whose == UNKEYED)
        return node_is_mine(n, replica) || owner_of(n, replica) == NULL;
    if (r->whose == HELD)
        return true;
    return node_is_mine(n, replica) && !rid_eq(replica, &n->replica);
}

static bool key_of(const struct change *c, uint64_t *epoch, struct key_id *id)
{
    struct proof p;

    if (proof_read(&p, c->proof) != SYNCLINE_OK || p.head.epoch == 0)
        return false;
    *epoch = p.head.epoch;
    memcpy(id->b, p.head.key_id, KEY_ID_LEN);
    return true;
}

/* Who comes new could not open it, nor could others seal it. */
static bool is_unkeyed(const struct node *n, const struct change *c)
{
    struct key_id id;
    uint64_t epoch;

    return key_of(c, &epoch, &id) &&
        keyring_find(&n->keyring, epoch, &id) == NULL;
}

/* The same, and it is known that it will stay so. */
static bool is_voided(const struct node *n, const struct change *c)
{
    struct key_id id;
    uint64_t epoch;

    return n->voided.n > 0 && key_of(c, &epoch, &id) &&
        keyring_find(&n->voided, epoch, &id) != NULL;
}

static bool is_orphan(const struct reissue *r, const struct change *c)
{
    struct dot d = c->dot;

    if (is_of_keys(r->whose))
        return is_lost(r, &d.replica) && is_unkeyed(r->node, c);

    if (r->whose >= FOREIGN) {
        (void)access_clamp_dot(r->node, r->space, &d);
        return d.seq != c->dot.seq;
    }
    return !vv_covers(&r->space->have, &c->dot) && is_lost(r, &c->dot.replica);
}

/* Does it hold any? */
static int look_at_item(struct reissue *r, struct slice key)
{
    struct stored st;
    int rc = item_load(r->node, r->space, key, &st);

    for (uint32_t i = 0; i < st.item.changes_n && rc == SYNCLINE_OK; i++)
        r->wrote = r->wrote || is_orphan(r, &st.item.changes[i]);
    return rc;
}

/* As far above the old one as it takes to beat it, and no further: what stood
 * above or below the value, or beat it elsewhere, does so still. Of what may
 * have lost to a removed field that is gone since nobody can tell: if it shows,
 * it is of now. */
static struct stamp stamp_again(
    const struct reissue *r, const struct stamp *old, bool shows)
{
    struct stamp s = *old;

    if ((shows && space_outlived(r->space, old)) || !rid_raise(&s.replica))
        return r->by->stamp;
    return s;
}

static int write_again(struct reissue *r, struct item *it, uint32_t *ix,
    const struct change *again, bool shows)
{
    struct change c = *again;

    c.stamp = stamp_again(r, &it->changes[*ix].stamp, shows);
    return item_add_change(it, &c, ix, &r->node->step);
}

/* Its cells and its tombstone that are to be; *any: there are some. */
static int reissue_cells(
    struct reissue *r, struct item *it, const struct change *again, bool *any)
{
    uint32_t cells = 0, ix;
    size_t bytes = 0;
    bool *shown;
    int rc = document_visible(it, &shown, &r->node->step);

    for (uint32_t i = 0; i < it->cells_n && rc == SYNCLINE_OK; i++) {
        struct cell *c = &it->cells[i];

        if (!is_orphan(r, &it->changes[c->change]))
            continue;
        bytes += c->path.len + c->value.len;
        if (++cells > CELLS_MAX || bytes > VALUE_MAX) {
            r->more = true; /* no member takes a change of more */
            break;
        }
        *any = true;
        rc = write_again(r, it, &c->change, again, shown[i]);
        if (PLANTED(REISSUE_EMPTIES))
            c->value = SLICE_NONE;
    }
    if (rc != SYNCLINE_OK || it->tomb < 0 ||
        !is_orphan(r, &it->changes[it->tomb]))
        return rc;
    ix = (uint32_t)it->tomb;
    *any = true;
    rc = write_again(r, it, &ix, again, false);
    it->tomb = ix;
    return rc;
}

/* The same values under a new dot, having seen what the item has. */
static int reissue_item(struct reissue *r, struct slice key)
{
    struct node *n = r->node;
    struct space *sp = r->space;
    const struct author *by = r->by;
    struct change again = {
        .dot = by->dot, .first = by->dot, .wall_us = by->wall_us
    };
    struct stored st;
    bool any = false;
    int rc = item_load(n, sp, key, &st);

    /* All that one change may hold of it has been written already. */
    if (rc == SYNCLINE_OK && vv_covers(&st.item.ctx, &by->dot))
        return rc;
    if (rc == SYNCLINE_OK)
        rc = vv_copy(&again.ctx, &st.item.ctx, &n->step);
    if (rc == SYNCLINE_OK)
        rc = vv_copy(&again.birth, &st.item.birth, &n->step);
    if (rc == SYNCLINE_OK)
        rc = reissue_cells(r, &st.item, &again, &any);
    if (rc != SYNCLINE_OK || !any)
        return rc;
    r->wrote = true;
    n->counts.items_reissued += r->whose != FOREIGN;
    n->counts.items_readopted += r->whose == FOREIGN;
    st.item.version = item_next_version(st.item.version);
    rc = vv_add(&st.item.ctx, &by->dot, &n->step);
    if (rc == SYNCLINE_OK)
        rc = item_normalise(&st.item, &n->step);
    return rc == SYNCLINE_OK ? item_store(n, sp, key, &st, space_next_lsn(sp))
                             : rc;
}

/* What has been written so far is a change of its own. */
static int end_piece(struct reissue *r, struct piece *piece)
{
    int rc =
        r->wrote ? space_raise(r->node, r->space, &r->by->dot) : SYNCLINE_OK;

    if (rc == SYNCLINE_OK)
        rc = piece_end(r->node, piece);
    r->wrote = false;
    return rc == SYNCLINE_OK ? write_begin(r->node, r->space, r->by) : rc;
}

static int reissue_some(struct reissue *r, bool *more)
{
    struct node *n = r->node;
    struct buf prefix = { 0 };
    struct piece piece;
    struct slice from;
    uint32_t i = 0;
    int rc;

    piece_begin(n, &piece);
    from = arena_dup(&n->step, buf_slice(&r->at));
    r->n = 0;
    if (from.ptr == NULL)
        return SYNCLINE_ENOMEM;
    rc = store_scan(&n->opt.store, TABLE_SEEN, key_space(&prefix, r->space->id),
        from, note_key, r);
    buf_free(&prefix);
    while (i < r->n && rc == SYNCLINE_OK && (i == 0 || !node_has_enough(n)))
        rc = r->whose == LOOKING ? look_at_item(r, r->keys[i++])
                                 : reissue_item(r, r->keys[i++]);
    *more = i < r->n || r->n == 256;
    if (i > 0 && i < r->n) {
        const struct dot last = { r->replica, r->seqs[i - 1] };

        (void)key_seen(&r->at, r->space->id, &last, r->keys[i - 1]);
        buf_put_u8(&r->at, 0);
    }
    if (rc == SYNCLINE_OK)
        rc = buf_status(&r->at);
    return rc == SYNCLINE_OK && r->whose != LOOKING && node_has_enough(n)
        ? end_piece(r, &piece)
        : rc;
}

static int reissue_replica(struct reissue *r, const struct rid *replica)
{
    struct dot from = { *replica, 0 };
    bool more = false;
    int rc;

    if (r->whose >= FOREIGN) {
        from.seq = UINT64_MAX - 1;
        (void)access_clamp_dot(r->node, r->space, &from);
    } else if (!is_of_keys(r->whose)) {
        from.seq = vv_get(&r->space->have, replica);
    }
    from.seq++;
    r->replica = *replica;
    (void)key_seen(&r->at, r->space->id, &from, SLICE_NONE);
    do
        rc = reissue_some(r, &more);
    while (rc == SYNCLINE_OK && more);
    return rc;
}

static int note_replica(void *ctx, struct slice key, struct slice value)
{
    struct slice item_key;
    struct dot dot;

    (void)value;
    if (get_seen_key(key, &dot, &item_key) != SYNCLINE_OK)
        return SYNCLINE_ECORRUPT;
    *(struct rid *)ctx = dot.replica;
    return 1;
}

/* The first replica, beyond `after`, that has an item here. */
static int next_replica(
    const struct reissue *r, const struct dot *after, struct rid *out)
{
    const struct node *n = r->node;
    struct buf prefix = { 0 }, from = { 0 };
    int rc;

    *out = (struct rid){ { 0 } };
    (void)key_space(&prefix, r->space->id);
    if (r->whose == MINE)
        buf_put(&prefix, n->device.b, RID_DEVICE_LEN);
    rc = store_scan(&n->opt.store, TABLE_SEEN, buf_slice(&prefix),
        key_seen(&from, r->space->id, after, SLICE_NONE), note_replica, out);
    buf_free(&prefix);
    buf_free(&from);
    return rc;
}

int reissue_is_beyond(struct node *n, struct space *sp, bool *is)
{
    const struct reissue r = { .node = n, .space = sp, .whose = MINE };
    struct dot upto = { .seq = 0 };
    int rc;

    for (*is = false; !*is;) {
        struct rid next;

        rc = next_replica(&r, &upto, &next);
        if (rc != SYNCLINE_OK || rid_is_none(&next))
            return rc;
        *is = rid_eq(&next, &upto.replica); /* once more, beyond V */
        upto = (struct dot){ next, vv_get(&sp->have, &next) + 1 };
    }
    return SYNCLINE_OK;
}

/* *any: there is some, if we are looking; else there is more. */
static int reissue(
    struct node *n, struct space *sp, enum whose whose, bool *any)
{
    struct dot after = { .seq = 0 };
    struct author by;
    struct reissue r = { .node = n,
        .space = sp,
        .whose = whose,
        .by = &by,
        .until =
            is_of_keys(whose) ? vv_get(&sp->have, &n->replica) : UINT64_MAX };
    int rc = whose == LOOKING ? SYNCLINE_OK : write_begin(n, sp, &by);

    while (rc == SYNCLINE_OK && !(whose == LOOKING && r.wrote)) {
        struct rid next;

        rc = next_replica(&r, &after, &next);
        if (rc != SYNCLINE_OK || rid_is_none(&next))
            break;
        if (is_lost(&r, &next))
            rc = reissue_replica(&r, &next);
        after = (struct dot){ next, UINT64_MAX }; /* beyond its last */
    }
    buf_free(&r.at);
    *any = whose == LOOKING ? r.wrote : r.more;
    return rc == SYNCLINE_OK && r.wrote && whose != LOOKING
        ? space_raise(n, sp, &by.dot)
        : rc;
}

int reissue_mine(struct node *n, struct space *sp)
{
    bool more = false;
    int rc;

    if (!access_may_write(n, sp))
        return SYNCLINE_OK; /* later, perhaps */
    sp->reissue = false;
    if (PLANTED(NO_REISSUE))
        return SYNCLINE_OK;
    rc = reissue(n, sp, MINE, &more);
    sp->reissue = sp->reissue || more;
    return rc;
}

/* ---- of who may not write ---- */

int reissue_foreign(struct node *n, struct space *sp, bool *more)
{
    return reissue(n, sp, FOREIGN, more);
}

int reissue_would(struct node *n, struct space *sp, bool *any)
{
    return reissue(n, sp, LOOKING, any);
}

/* A relay may have what nobody can open any more; and one that takes a
 * bootstrap may not come to its end before what is sealed for nobody is written
 * again. */
static bool waits_for_us(
    const struct node *n, const struct conn *c, const struct session *s)
{
    return s->unopened || bootstrap_is_disbelieved(n, c, s) ||
        (session_is_behind(s) && access_is_across(n, c));
}

/* All that anybody who is connected claims is here. */
static bool is_at_rest(const struct node *n, const struct space *sp)
{
    bool any = false;

    for (struct conn *c = n->conns; c != NULL; c = c->next) {
        const struct session *s;

        if (!c->greeted || c->closing || !access_is_shared(n, c, sp))
            continue;
        s = session_of(c, sp);
        if (s == NULL || !s->subscribed ||
            (!vv_geq(&sp->have, &s->claims) && !waits_for_us(n, c, s)))
            return false;
        any = true;
    }
    return any;
}

/* ---- under keys that do not count ---- */

static int note_rekeying(struct node *n)
{
    n->rekeying = true;
    txn_put(&n->txn, TABLE_META, SLICE_LIT(META_REKEY), SLICE_NONE);
    return txn_status(&n->txn);
}

/* The author goes first, who may have lost it, or be away; then one after the
 * other of those who have it. */
static uint64_t my_turn_us(const struct node *n)
{
    uint64_t before = 0;

    for (size_t i = 0; i < members_n(n->members) && before < TURNS_MAX; i++) {
        const struct member *m = members_at(n->members, i);

        before += (m->role == ROLE_MEMBER || m->role == ROLE_ADMIN) &&
            device_cmp(&m->device, &n->device) < 0;
    }
    return n->now_us + (AUTHORS_TURNS + before) * TURN_US;
}

int rekey_begin(struct node *n)
{
    for (struct space *sp = n->spaces; sp != NULL; sp = sp->next) {
        sp->untold = sp->unkeyed = !space_is_open(sp);
        sp->held_due_us = space_is_open(sp) ? 0 : my_turn_us(n);
    }
    return note_rekeying(n);
}

int rekey_later(struct node *n, struct space *sp)
{
    if (sp->sealed || space_is_open(sp))
        return SYNCLINE_OK;
    sp->unkeyed = true;
    if (sp->held_due_us == 0 && n->voided.n > 0)
        sp->held_due_us = my_turn_us(n);
    return note_rekeying(n);
}

int rekey_look(struct node *n, struct space *sp, const struct change *c)
{
    const bool is =
        node_is_mine(n, &c->dot.replica) ? is_unkeyed(n, c) : is_voided(n, c);

    return is ? rekey_later(n, sp) : SYNCLINE_OK;
}

int rekey_record(struct node *n, struct space *sp)
{
    sp->untold = true;
    return rekey_later(n, sp);
}

int rekey_load(struct node *n)
{
    struct slice value;
    int rc =
        store_get(&n->opt.store, TABLE_META, SLICE_LIT(META_REKEY), &value);

    if (rc == SYNCLINE_OK)
        return rekey_begin(n);
    return rc == SYNCLINE_ENOTFOUND ? SYNCLINE_OK : rc;
}

static bool has_relay(const struct node *n)
{
    bool has = false;

    for (size_t i = 0; i < members_n(n->members) && !has; i++)
        has = members_at(n->members, i)->role == ROLE_RELAY;
    return has;
}

/* What others wrote matters to relays alone: members have it in clear. */
static int rekey_held(struct node *n, struct space *sp)
{
    bool more = false;
    int rc = SYNCLINE_OK;

    if (!has_relay(n)) {
        sp->held_due_us = 0;
        return rc;
    }
    if (n->now_us < sp->held_due_us)
        return rc;
    rc = reissue(n, sp, HELD, &more);
    if (rc == SYNCLINE_OK)
        rc = node_commit(n);
    if (rc == SYNCLINE_OK && !more)
        sp->held_due_us = 0;
    return rc;
}

static bool may_be_unkeyed(const struct space *sp)
{
    return !sp->sealed && (sp->unkeyed || sp->held_due_us > 0);
}

static int retell(struct node *n, struct space *sp)
{
    int rc = has_relay(n) ? conflicts_tell_again(n, sp) : SYNCLINE_OK;

    if (rc == SYNCLINE_OK)
        rc = node_commit(n);
    sp->untold = rc != SYNCLINE_OK;
    return rc;
}

/* What is done is marked so once it is in the store, which may refuse. */
static int rekey_space(struct node *n, struct space *sp)
{
    bool more = false;
    int rc = SYNCLINE_OK;

    if (!is_at_rest(n, sp))
        return SYNCLINE_OK;
    if (sp->untold)
        rc = retell(n, sp);
    if (rc != SYNCLINE_OK || !access_may_write(n, sp))
        return rc;
    if (!sp->unkeyed)
        return rekey_held(n, sp);
    rc = reissue(n, sp, UNKEYED, &more);
    if (rc == SYNCLINE_OK)
        rc = node_commit(n);
    sp->unkeyed = rc != SYNCLINE_OK || more;
    return rc;
}

static int rekey_end(struct node *n)
{
    int rc;

    txn_del(&n->txn, TABLE_META, SLICE_LIT(META_REKEY));
    rc = txn_status(&n->txn);
    if (rc == SYNCLINE_OK)
        rc = node_commit(n);
    n->rekeying = rc != SYNCLINE_OK;
    return rc;
}

int rekey_tick(struct node *n)
{
    const struct space *mesh = space_by_name(n, SLICE_LIT(MESH_SPACE));
    bool any = false;
    int rc = SYNCLINE_OK;

    if (!n->rekeying || n->now_us < n->collect_due_us || !is_at_rest(n, mesh))
        return SYNCLINE_OK;
    for (struct space *sp = n->spaces; sp != NULL && rc == SYNCLINE_OK;
         sp = sp->next) {
        if (may_be_unkeyed(sp))
            rc = rekey_space(n, sp);
        any = any || may_be_unkeyed(sp);
    }
    if (rc == SYNCLINE_OK && !any)
        rc = rekey_end(n);
    return rc == SYNCLINE_ELIMIT || rc == SYNCLINE_ECLOSED ? SYNCLINE_OK : rc;
}

/* ---- of devices that have been removed ---- */

int orphans_tick(struct node *n)
{
    const struct space *mesh = space_by_name(n, SLICE_LIT(MESH_SPACE));
    int rc = SYNCLINE_OK;

    if (n->now_us < n->collect_due_us || !is_at_rest(n, mesh))
        return SYNCLINE_OK;
    for (struct space *sp = n->spaces; sp != NULL && rc == SYNCLINE_OK;
         sp = sp->next) {
        bool more = false;

        if (!sp->orphans || !access_may_write(n, sp) || !is_at_rest(n, sp))
            continue;
        sp->orphans = false;
        rc = reissue(n, sp, LEFT, &more);
        if (rc == SYNCLINE_OK)
            rc = node_commit(n);
        sp->orphans = sp->orphans || more;
        if (rc != SYNCLINE_OK)
            sp->orphans = true;
    }
    return rc == SYNCLINE_ELIMIT || rc == SYNCLINE_ECLOSED ? SYNCLINE_OK : rc;
}
