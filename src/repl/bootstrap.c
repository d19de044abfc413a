/* The whole state of a space, for one that lacks what others have collected:
 * rows alone would not tell it what went.
 *
 *  (behind) --BEGINS--> staging, under a number of its own --ENDS--> the
 *  space is what was staged; what it was before is replayed (return.c)
 *  staging --the connection ends--> dropped; everybody is asked again
 *  staging --what does not count--> dropped; all others are asked again, and
 *  whose it was once either side has heard more (access_retry)
 *
 * Meanwhile the old state is read and written as ever. */
#include "base/plant.h"
#include "repl/access_impl.h"
#include "repl/collect_impl.h"
#include "repl/heads.h"

struct space *bootstrap_target(struct conn *c, struct space *sp)
{
    struct session *s;

    if (sp->staging != NULL && sp->staging_conn == c->id)
        return sp->staging;
    s = session_of(c, sp);
    if (s == NULL || s->deaf ||
        (session_is_behind(s) && !PLANTED(HEEDS_BEHIND)))
        return NULL;
    return sp;
}

/* Of two that are behind each other one gives way: whose horizon is smaller.
 * Both compare the same two vectors. */
static int horizon_cmp(const struct vv *a, const struct vv *b)
{
    uint64_t sum_a = 0, sum_b = 0;

    for (uint32_t i = 0; i < a->n; i++)
        sum_a += a->e[i].seq;
    for (uint32_t i = 0; i < b->n; i++)
        sum_b += b->e[i].seq;
    if (sum_a != sum_b)
        return sum_a < sum_b ? -1 : 1;
    for (uint32_t i = 0; i < a->n && i < b->n; i++) {
        int c = dot_cmp(&a->e[i], &b->e[i]);

        if (c != 0)
            return c;
    }
    return a->n == b->n ? 0 : a->n < b->n ? -1 : 1;
}

/* Has anybody else told us of the space yet? */
static bool is_new_here(const struct node *n, const struct space *sp)
{
    for (uint32_t i = 0; i < sp->have.n; i++)
        if (!node_is_mine(n, &sp->have.e[i].replica))
            return false;
    return true;
}

static void say_distrust(
    struct node *n, const struct conn *c, const struct space *sp)
{
    log_line(&n->log, LOG_LEVEL_WARN, "bootstrap",
        "%.*s: %.*s is a relay and says that this machine missed what was "
        "deleted; only a member can tell what: connect it to one",
        SLICE_FMT(sp->name), SLICE_FMT(c->name));
}

/* A relay says itself what its horizon and its vector are. Who believed them
 * would let go of what he has; who has nothing cannot lose it. */
static bool distrusts(
    struct node *n, const struct conn *c, const struct space *sp)
{
    if (!access_is_across(n, c) || carry_is_relay(n) || is_new_here(n, sp) ||
        PLANTED(R26_FORGET))
        return false;
    say_distrust(n, c, sp);
    return true;
}

bool bootstrap_is_disbelieved(
    const struct node *n, const struct conn *c, const struct session *s)
{
    return s->deaf && s->space->staging == NULL && !session_is_behind(s) &&
        access_is_across(n, c) && !carry_is_relay(n);
}

bool node_waits_for_member(const struct node *n, const struct device_id *relay,
    const struct space_token *space)
{
    for (const struct conn *c = n->conns; c != NULL; c = c->next)
        for (const struct session *s = c->sessions; s != NULL; s = s->next)
            if (bootstrap_is_disbelieved(n, c, s) &&
                (relay == NULL || device_eq(&c->device, relay)) &&
                (space == NULL || space_token_eq(&s->space->token, space)))
                return true;
    return false;
}

/* Members take no relay's word for what was deleted: were it to insist on its
 * own, nothing would pass here any more. */
static bool gives_in(const struct node *n, const struct conn *c)
{
    return carry_is_relay(n) && access_is_across(n, c);
}

static int begin(
    struct node *n, struct conn *c, struct session *s, const struct vv *horizon)
{
    struct space *sp = s->space;
    int rc = SYNCLINE_OK;

    s->deaf = (sp->staging != NULL && sp->staging_conn != c->id) ||
        distrusts(n, c, sp);
    if (!s->deaf && session_is_behind(s)) {
        n->counts.bootstraps_mutual++;
        s->deaf = !gives_in(n, c) && horizon_cmp(horizon, &sp->horizon) <= 0;
    }
    if (s->deaf)
        return SYNCLINE_OK;
    if (sp->staging != NULL) /* one a SUBSCRIBE */
        return SYNCLINE_EMALFORMED;
    send_forget(c, s); /* what we have to say is not wanted */
    s->bootstrapping = BOOTSTRAP_SENT;
    if (rc == SYNCLINE_OK)
        rc = space_stage(n, sp);
    sp->staging_conn = c->id;
    sp->staging_us = n->now_us;
    n->counts.bootstraps_begun++;
    log_line(&n->log, LOG_LEVEL_INFO, "bootstrap",
        "%.*s: %.*s sends its whole state: what was deleted meanwhile is "
        "forgotten there",
        SLICE_FMT(sp->name), SLICE_FMT(c->name));
    return rc;
}

/* What becomes of the records: one commit, or none of it. */
static int save_switch(struct node *n, struct space *sp, uint32_t from)
{
    for (uint32_t i = 0; i < sp->have.n; i++) {
        buf_clear(&n->out);
        put_varint(&n->out, sp->have.e[i].seq);
        txn_put_buf(&n->txn, TABLE_META,
            key_meta_replica(
                &n->key, META_SEEN, sp->id, &sp->have.e[i].replica),
            &n->out);
    }
    for (uint32_t i = 0; i < sp->horizon.n; i++) {
        buf_clear(&n->out);
        put_varint(&n->out, sp->horizon.e[i].seq);
        txn_put_buf(&n->txn, TABLE_META,
            key_meta_replica(
                &n->key, META_HORIZON, sp->id, &sp->horizon.e[i].replica),
            &n->out);
    }
    txn_del(&n->txn, TABLE_META, key_meta_space(&n->key, META_SPACE, from));
    txn_del(&n->txn, TABLE_META, key_meta_space(&n->key, META_JOINING, sp->id));
    sp->unsaved = true;
    return txn_status(&n->txn);
}

/* The parts of a space that a bootstrap replaces. */
struct replaced {
    uint32_t id;
    struct space_state s;
    struct vv have, durable, horizon, buried;
    uint64_t durable_lsn;
};

static struct replaced parts_of(const struct space *sp)
{
    return (struct replaced){ sp->id, sp->s, sp->have, sp->durable, sp->horizon,
        sp->buried, sp->durable_lsn };
}

static void set_parts(struct space *sp, const struct replaced *p)
{
    sp->id = p->id;
    sp->s = p->s;
    sp->have = p->have;
    sp->durable = p->durable;
    sp->horizon = p->horizon;
    sp->buried = p->buried;
    sp->durable_lsn = p->durable_lsn;
    sp->touched = false;
    space_stir(sp);
}

/* A relay's word is not enough for what this device wrote itself, nor for what
 * is of nobody. */
static void leave_out_unproven(
    const struct node *n, const struct space *sp, struct vv *v)
{
    const struct conn *c = conn_by_id(n, sp->staging_conn);
    uint32_t kept = 0;

    if (sp->sealed || c == NULL || !access_is_across(n, c) || PLANTED(R26_OWN))
        return;
    for (uint32_t i = 0; i < v->n; i++) {
        struct dot d = v->e[i];

        if (!node_is_mine(n, &d.replica) && access_clamp_dot(n, sp, &d))
            v->e[kept++] = d;
    }
    v->n = kept;
}

static int staged_parts(struct node *n, struct space *sp,
    const struct frame_bootstrap *f, struct replaced *out)
{
    struct session *s = NULL;
    int rc;

    for (struct conn *c = n->conns; c != NULL && s == NULL; c = c->next)
        if (c->id == sp->staging_conn)
            s = session_of(c, sp);
    if (s == NULL)
        return SYNCLINE_ENOMEM;
    *out = (struct replaced){ .id = sp->staging->id, .s = sp->staging->s };
    rc = vv_copy(&out->have, &f->vector, &n->arena);
    leave_out_unproven(n, sp, &out->have);
    if (rc == SYNCLINE_OK)
        rc = vv_copy(&out->horizon, &s->horizon, &n->arena);
    leave_out_unproven(n, sp, &out->horizon);
    (void)access_clamp(n, sp, &out->have);
    (void)access_clamp(n, sp, &out->horizon);
    /* Our own floors are not forgotten, should they be higher. */
    out->s.floors = sp->s.floors;
    return rc;
}

/* Who knows nothing of what was deleted here cannot keep others from bringing
 * it back: that is remembered, by who can write that it is deleted. */
static int bury(
    struct node *n, struct space *sp, bool mutual, struct replaced *after)
{
    int rc = vv_copy(&after->buried, &sp->buried, &n->arena);

    return rc == SYNCLINE_OK && mutual && access_may_write(n, sp)
        ? vv_join(&after->buried, &sp->have, &n->arena)
        : rc;
}

/* The space is what was staged from here on. Undone if it cannot be stored. */
static int switch_over(
    struct node *n, struct space *sp, const struct frame_bootstrap *f)
{
    const struct replaced before = parts_of(sp);
    const struct rid replica = n->replica;
    struct returning old = { .from = before.id,
        .drop = sp->sealed,
        .had = before.have,
        .had_length = before.s.floors.length,
        .floors = f->floors,
        .mutual = !vv_geq(&f->vector, &before.horizon) };
    struct returning *r = NULL;
    struct replaced after;
    int rc = staged_parts(n, sp, f, &after);

    if (rc == SYNCLINE_OK)
        rc = bury(n, sp, old.mutual && !old.drop, &after);
    if (rc == SYNCLINE_OK)
        rc = vv_copy(&old.known, &f->vector, &n->step);
    leave_out_unproven(n, sp, &old.known);
    if (rc != SYNCLINE_OK)
        return rc;
    set_parts(sp, &after);
    space_raise_floors(n, sp, &f->floors);
    (void)space_next_lsn(sp);
    rc = node_mint_replica(n);
    if (rc == SYNCLINE_OK)
        rc = save_switch(n, sp, before.id);
    if (rc == SYNCLINE_OK)
        rc = return_begin(n, sp, &old, &r);
    if (rc == SYNCLINE_OK)
        rc = node_commit(n);
    if (rc != SYNCLINE_OK) {
        set_parts(sp, &before);
        sp->unsaved = false;
        n->replica = replica;
        return_forget(n, r);
    }
    return rc;
}

static int end(
    struct node *n, struct space *sp, const struct frame_bootstrap *f)
{
    int rc;

    if (!clock_admits(n, &f->floors.fields))
        return SYNCLINE_EMALFORMED;
    rc = returns_run(n, true); /* of an earlier one */
    if (rc == SYNCLINE_OK)
        rc = switch_over(n, sp, f);
    if (rc != SYNCLINE_OK)
        return rc;
    n->counts.bootstraps_taken++;
    n->new_replica = "bootstrap";
    space_unstage(n, sp);
    space_forget_pending(n, sp);
    sp->reissue = true;
    sp->suspect = n->access_due = true; /* less may count than when it began */
    acks_forget(n, sp);
    heads_free(&sp->heads); /* a relay has not what they say it has */
    buf_clear(&sp->collect_at);
    sp->collected_upto = (struct vv){ 0 };
    watches_space_gone(n, sp);
    conns_restart(n, "this node has taken a bootstrap, and is a new replica");
    log_line(&n->log, LOG_LEVEL_INFO, "bootstrap",
        "%.*s: complete, %llu items; what this node alone had is replayed",
        SLICE_FMT(sp->name), (unsigned long long)sp->s.alive);
    rc = rekey_later(n, sp);
    if (rc == SYNCLINE_OK)
        rc = space_pend_all(n, sp);
    return rc == SYNCLINE_OK ? join_on_mark(n, sp) : rc;
}

static void hear_all(struct node *n, const struct space *sp)
{
    for (struct conn *c = n->conns; c != NULL; c = c->next)
        for (struct session *s = c->sessions; s != NULL; s = s->next)
            if (s->space == sp)
                s->deaf = false;
}

/* It held what does not count, by what is known here. */
static int drop_refused(struct node *n, struct conn *from, struct session *s)
{
    struct space *sp = s->space;
    int rc = leaving_drop(n, sp->staging->id);

    if (rc != SYNCLINE_OK)
        return rc;
    space_unstage(n, sp);
    s->bootstrapping = BOOTSTRAP_NONE;
    session_stir(s);
    hear_all(n, sp);
    for (struct conn *c = n->conns; c != NULL && rc == SYNCLINE_OK; c = c->next)
        if (c != from && c->greeted && !c->closing)
            rc = conn_open_session(n, c, sp);
    return rc;
}

/* Nothing of its vector would be believed: it is of what this device wrote
 * itself. Who has lost that may have it back so, once; after that he would be
 * as new here as he was, and take it again and again. */
static int tells_nothing(struct node *n, const struct space *sp,
    const struct frame_bootstrap *f, bool *nothing)
{
    struct vv v = { 0 };
    int rc = vv_copy(&v, &f->vector, &n->step);

    leave_out_unproven(n, sp, &v);
    *nothing = v.n == 0 && f->vector.n > 0 && sp->past != sp->id;
    return rc;
}

static int leave_it(struct node *n, struct conn *c, struct session *s)
{
    int rc = drop_refused(n, c, s);

    say_distrust(n, c, s->space);
    s->deaf = true;
    return rc;
}

int bootstrap_on_frame(
    struct node *n, struct conn *c, const struct frame_bootstrap *f)
{
    struct space *sp = space_by_token(n, &f->space);
    struct session *s = sp == NULL ? NULL : session_of(c, sp);
    bool nothing;
    int rc;

    if (sp == NULL || !access_is_shared(n, c, sp))
        return SYNCLINE_OK;
    if (s == NULL)
        return SYNCLINE_ENOMEM;
    if (s->refusing)
        return SYNCLINE_OK; /* of its rows we would take none */
    if (!space_collects(sp))
        return SYNCLINE_EMALFORMED;
    if (f->stage == BOOTSTRAP_BEGINS) {
        arena_reset(&s->horizon_arena);
        s->horizon = (struct vv){ 0 };
        rc = vv_copy(&s->horizon, &f->vector, &s->horizon_arena);
        if (rc == SYNCLINE_OK && voided_in(n, sp, &s->horizon))
            access_refuse(n, c, sp);
        else if (rc == SYNCLINE_OK)
            rc = begin(n, c, s, &f->vector);
        return rc;
    }
    if (sp->staging == NULL || sp->staging_conn != c->id)
        return SYNCLINE_OK; /* we were deaf to it */
    if (!vv_geq(&f->vector, &s->horizon) || voided_in(n, sp, &s->horizon)) {
        access_refuse(n, c, sp); /* it has come to know more meanwhile */
        return SYNCLINE_OK;
    }
    rc = standing_vector(n, c, sp, &f->vector);
    if (rc == SYNCLINE_OK)
        rc = tells_nothing(n, sp, f, &nothing);
    if (rc != SYNCLINE_OK)
        return rc;
    if (nothing)
        return leave_it(n, c, s);
    return silence_may_bootstrap(n, &c->device) ? end(n, sp, f)
                                                : SYNCLINE_EDENIED;
}

#define STALLED_US ((uint64_t)60 * 1000 * 1000)

bool bootstrap_has_stalled(const struct node *n, const struct conn *c)
{
    for (const struct space *sp = n->spaces; sp != NULL; sp = sp->next)
        if (sp->staging != NULL && sp->staging_conn == c->id &&
            n->now_us >= sp->staging_us + STALLED_US)
            return true;
    return false;
}

int bootstraps_drop_refused(struct node *n)
{
    int rc = SYNCLINE_OK;

    for (struct conn *c = n->conns; c != NULL; c = c->next)
        for (struct session *s = c->sessions; s != NULL && rc == SYNCLINE_OK;
             s = s->next)
            if (s->refusing && s->space->staging != NULL &&
                s->space->staging_conn == c->id)
                rc = drop_refused(n, c, s);
    return rc;
}

int bootstrap_conn_gone(struct node *n, const struct conn *c)
{
    int rc = SYNCLINE_OK;

    for (struct space *sp = n->spaces; sp != NULL && rc == SYNCLINE_OK;
         sp = sp->next) {
        if (sp->staging == NULL || sp->staging_conn != c->id)
            continue;
        rc = leaving_drop(n, sp->staging->id);
        space_unstage(n, sp);
        hear_all(n, sp);
        if (rc == SYNCLINE_OK) /* others may have one for us, too */
            rc = conns_subscribe_all(n, sp);
    }
    return rc;
}
