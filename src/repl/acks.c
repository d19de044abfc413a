/* What is durable where: kept, told of our own, passed on of others, heard. */
#include "base/plant.h"
#include "repl/access_impl.h"
#include "repl/collect_impl.h"
#include "repl/receive_impl.h"

#include <stdlib.h>

#define ACKS_BYTES_MAX ((size_t)256 << 20)
#define STRANGE_ACKS_MAX 1024 /* of devices that were no members then */

/* ---- kept ---- */

static void member_ack_free(struct member_ack *a)
{
    arena_free(&a->arena);
    free(a);
}

void acks_free(struct node *n)
{
    while (n->acks != NULL) {
        struct member_ack *next = n->acks->next;

        member_ack_free(n->acks);
        n->acks = next;
    }
}

struct member_ack *acks_of(const struct node *n, const struct device_id *device,
    const struct space *sp)
{
    struct member_ack *a = n->acks;

    while (a != NULL && (a->space != sp || !device_eq(&a->device, device)))
        a = a->next;
    return a;
}

const struct vv *acked_by(const struct node *n, const struct device_id *device,
    const struct space *sp)
{
    static const struct vv none;
    const struct member_ack *a = acks_of(n, device, sp);

    return a != NULL ? &a->durable : &none;
}

/* A store that was rolled back, or bootstrapped, has less than it once had. */
static int ack_replace(struct member_ack *a, const struct vv *durable)
{
    struct arena fresh = { 0 };
    struct vv copy = { 0 };
    int rc = vv_copy(&copy, durable, &fresh);

    if (rc != SYNCLINE_OK) {
        arena_free(&fresh);
        return rc;
    }
    arena_free(&a->arena);
    a->arena = fresh;
    a->durable = copy;
    return SYNCLINE_OK;
}

int ack_lower(struct node *n, const struct device_id *device,
    const struct space *sp, const struct vv *have)
{
    struct member_ack *a = acks_of(n, device, sp);

    if (a == NULL || vv_geq(have, &a->durable))
        return SYNCLINE_OK;
    a->news = n->acks_news = n->want_flush = true;
    vv_meet(&a->durable, have); /* what it has beyond may not be durable */
    return SYNCLINE_OK;
}

int ack_learn(struct node *n, const struct device_id *device, struct space *sp,
    const struct vv *durable, bool anew)
{
    struct member_ack *a = acks_of(n, device, sp);
    int rc;

    if (device_eq(device, &n->device))
        return SYNCLINE_OK;
    if (a == NULL) { /* its membership may be known later than this */
        if (!members_has(n->members, device) &&
            ++n->strange_acks > STRANGE_ACKS_MAX)
            return SYNCLINE_OK;
        a = calloc(1, sizeof *a);
        if (a == NULL)
            return SYNCLINE_ENOMEM;
        a->device = *device;
        a->space = sp;
        a->next = n->acks;
        n->acks = a;
    }
    if (anew ? vv_eq(&a->durable, durable) : vv_geq(&a->durable, durable))
        return SYNCLINE_OK;
    if (a->durable.n > 0) /* else it may have been said long ago */
        silence_heard(n, device);
    rc = anew ? ack_replace(a, durable)
              : vv_join(&a->durable, durable, &a->arena);
    if (rc != SYNCLINE_OK)
        return rc;
    a->news = n->acks_news = true;
    n->want_flush = n->want_flush || acks_are_wanted(n, device);
    return waits_acked(n);
}

void acks_forget(struct node *n, const struct space *sp)
{
    struct member_ack **at = &n->acks;

    while (*at != NULL) {
        struct member_ack *a = *at;

        if (a->space != sp) {
            at = &a->next;
            continue;
        }
        *at = a->next;
        member_ack_free(a);
    }
}

/* ---- told ---- */

/* So long before a row would be forwarded to who has not told of it. */
static uint64_t gather_us(const struct node *n)
{
    return n->opt.forward_us / 2;
}

static int tell(struct node *n, struct conn *c, struct session *s)
{
    struct frame f = { .type = FRAME_ACK,
        .ack = { .space = s->space->token, .device = n->device } };
    uint32_t kept = 0;
    int rc = vv_copy(&f.ack.durable,
        PLANTED(ACKS_EARLY) ? &s->space->have : &s->space->durable, &n->step);

    if (rc != SYNCLINE_OK)
        return rc;
    for (uint32_t i = 0; i < f.ack.durable.n; i++)
        if (!vv_covers(&s->acked, &f.ack.durable.e[i]))
            f.ack.durable.e[kept++] = f.ack.durable.e[i];
    f.ack.durable.n = kept;
    n->counts.acks_sent++;
    rc = vv_join(&s->acked, &f.ack.durable, &s->acked_arena);
    return rc == SYNCLINE_OK ? conn_send(n, c, &f) : rc;
}

void ack_hasten(const struct node *n, struct session *s)
{
    const uint64_t no = n->commit + 1; /* of what is being done */

    if (s->ack_from == 0 || s->ack_from > no)
        s->ack_from = no;
}

/* Who brought something may wait until it is durable here, or tell whom it has
 * it from; the others can do with less frames. */
int ack_tell(struct node *n, struct conn *c, struct session *s)
{
    if (!s->subscribed || vv_geq(&s->acked, &s->space->durable))
        return SYNCLINE_OK;
    if (!s->ack_now && (s->ack_from == 0 || s->ack_from > n->persisted)) {
        s->ack_later = true;
        if (n->acks_due_us == UINT64_MAX)
            n->acks_due_us = n->now_us + gather_us(n);
        return SYNCLINE_OK;
    }
    s->ack_now = s->ack_later = false;
    if (s->ack_from <= n->persisted)
        s->ack_from = n->persisted < n->commit ? n->persisted + 1 : 0;
    return tell(n, c, s);
}

void acks_tick(struct node *n)
{
    if (n->now_us < n->acks_due_us)
        return;
    n->acks_due_us = UINT64_MAX;
    for (struct conn *c = n->conns; c != NULL; c = c->next)
        for (struct session *s = c->sessions; s != NULL; s = s->next) {
            if (!s->ack_later)
                continue;
            s->ack_later = false;
            s->ack_now = n->want_flush = true;
            session_stir(s);
        }
}

bool acks_are_wanted(const struct node *n, const struct device_id *d)
{
    for (const struct conn *c = n->conns; c != NULL; c = c->next)
        if (c->greeted && !c->closing && !device_eq(&c->device, d) &&
            !conn_reaches(c, d))
            return true;
    return false;
}

static bool is_owed(const struct conn *c, const struct member_ack *a)
{
    const struct session *s = session_find(c, a->space);

    return c->greeted && !c->closing && s != NULL && s->subscribed &&
        (a->news || s->owes_acks) && !device_eq(&c->device, &a->device) &&
        !conn_reaches(c, &a->device);
}

static int pass_on(struct node *n, const struct member_ack *a, struct conn *c)
{
    struct frame f = { .type = FRAME_ACK,
        .ack = { a->space->token, a->device, a->durable } };

    n->counts.acks_forwarded++;
    return conn_send(n, c, &f);
}

/* A session that has just begun is told all. */
static bool any_owes(const struct node *n)
{
    for (const struct conn *c = n->conns; c != NULL; c = c->next)
        for (const struct session *s = c->sessions; s != NULL; s = s->next)
            if (s->subscribed && s->owes_acks)
                return true;
    return false;
}

int acks_pass_on(struct node *n)
{
    const bool owed = any_owes(n);

    for (struct member_ack *a = n->acks; a != NULL; a = a->next) {
        if (!a->news && !owed)
            continue;
        for (struct conn *c = n->conns; c != NULL; c = c->next) {
            int rc = is_owed(c, a) ? pass_on(n, a, c) : SYNCLINE_OK;

            if (rc != SYNCLINE_OK)
                return rc;
        }
        a->news = false;
    }
    for (struct conn *c = n->conns; c != NULL; c = c->next)
        for (struct session *s = c->sessions; s != NULL; s = s->next)
            if (s->subscribed)
                s->owes_acks = false;
    n->acks_news = false;
    return SYNCLINE_OK;
}

/* ---- what a relay may have forgotten ---- */

void acks_excuse(struct node *n, const struct device_id *device,
    const struct space *sp, bool stale)
{
    for (struct member_ack *a = n->acks; a != NULL; a = a->next)
        if (device_eq(&a->device, device) && (sp == NULL || a->space == sp)) {
            a->stale = stale;
            a->back = 0;
        }
}

/* ---- heard ---- */

int receive_claim(
    struct node *n, struct conn *c, struct space *sp, const struct vv *v)
{
    struct session *s = session_of(c, sp);
    int rc;

    if (s == NULL)
        return SYNCLINE_ENOMEM;
    if (vv_geq(&s->claims, v) && !session_is_behind(s))
        return SYNCLINE_OK;
    rc = vv_join(&s->claims, v, &s->claims_arena);
    (void)access_clamp(n, sp, &s->claims);
    if (rc == SYNCLINE_OK && s->bootstrapping == BOOTSTRAP_NONE)
        rc = vv_join(&s->peer_has, &s->claims, &s->arena);
    /* It may end a wait; else there is less to say than before. */
    if (rc == SYNCLINE_OK &&
        (session_is_behind(s) || (send_spare(n, s) && send_has_news(s))))
        n->want_flush = true;
    return rc;
}

/* What is told of others comes from any member. */
static bool acks_are_too_large(const struct node *n)
{
    size_t bytes = 0;

    for (const struct member_ack *a = n->acks; a != NULL; a = a->next)
        bytes += a->arena.held;
    return bytes > ACKS_BYTES_MAX;
}

int receive_ack(struct node *n, struct conn *c, const struct frame_ack *f)
{
    struct space *sp = space_by_token(n, &f->space);
    struct vv durable = { 0 };
    struct session *s;

    if (sp == NULL || !access_is_shared(n, c, sp))
        return SYNCLINE_OK;
    if (vv_copy(&durable, &f->durable, &n->step) != SYNCLINE_OK)
        return SYNCLINE_ENOMEM;
    sp->clipped = access_clamp(n, sp, &durable) || sp->clipped;
    if (device_eq(&f->device, &c->device)) {
        s = session_of(c, sp);
        if (s == NULL)
            return SYNCLINE_ENOMEM;
        if (receive_claim(n, c, sp, &durable) != SYNCLINE_OK)
            return SYNCLINE_ENOMEM;
    }
    if (device_eq(&f->device, &c->device))
        return ack_learn(n, &f->device, sp, &durable, false);
    if (access_is_across(n, c) && !carry_is_relay(n) && !PLANTED(R26_ACKS))
        return SYNCLINE_OK; /* a relay's word for what others have */
    if (acks_are_too_large(n))
        return SYNCLINE_ELIMIT;
    /* It tells us itself; else whoever is connected to it knows best. */
    return conn_of(n, &f->device) != NULL
        ? SYNCLINE_OK
        : ack_learn(n, &f->device, sp, &durable, conn_reaches(c, &f->device));
}
