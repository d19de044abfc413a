/* What is durable with peers and what they have, by their own word. */
#include "repl/access_impl.h"
#include "repl/receive_impl.h"

#define ACKS_BYTES_MAX ((size_t)256 << 20)

int receive_claim(
    struct node *n, struct conn *c, struct space *sp, const struct vv *v)
{
    struct session *s = session_of(c, sp);
    int rc;

    if (s == NULL)
        return SYNCLINE_ENOMEM;
    rc = vv_join(&s->claims, v, &s->claims_arena);
    (void)access_clamp(n, sp, &s->claims);
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
        if (s == NULL || receive_claim(n, c, sp, &durable) != SYNCLINE_OK)
            return SYNCLINE_ENOMEM;
        if (s->bootstrapping == BOOTSTRAP_NONE &&
            vv_join(&s->peer_has, &durable, &s->arena) != SYNCLINE_OK)
            return SYNCLINE_ENOMEM;
        n->want_flush = true;
    }
    if (device_eq(&f->device, &c->device))
        return ack_learn(n, &f->device, sp, &durable, false);
    if (access_is_across(n, c) && !carry_is_relay(n))
        return SYNCLINE_OK; /* a relay's word for what others have */
    if (acks_are_too_large(n))
        return SYNCLINE_ELIMIT;
    /* It tells us itself; else whoever is connected to it knows best. */
    return conn_of(n, &f->device) != NULL
        ? SYNCLINE_OK
        : ack_learn(n, &f->device, sp, &durable, conn_reaches(c, &f->device));
}
