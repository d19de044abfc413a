/* What grows with what happens, for whoever watches over it. */
#include "repl/proofs.h"

static void note(uint64_t *most, uint64_t n)
{
    if (n > *most)
        *most = n;
}

static void measure_session(struct node_sizes *z, const struct session *s)
{
    note(&z->held_rows, s->held_n);
    note(&z->session_bytes,
        s->arena.held + s->acked_arena.held + s->claims_arena.held +
            s->horizon_arena.held + s->late_arena.held);
    note(&z->vector, s->peer_has.n);
    note(&z->vector, s->claims.n);
}

static void measure_conn(struct node_sizes *z, const struct conn *c)
{
    uint64_t ranges = 0, early = 0;

    z->conns += !c->closing;
    for (const struct asked_range *a = c->asks; a != NULL; a = a->next)
        ranges++;
    for (const struct early *e = c->early; e != NULL; e = e->next)
        early += e->frame.len;
    note(&z->asked_ranges, ranges);
    note(&z->early_bytes, early);
    note(&z->parked_bytes, parked_bytes(c));
    note(&z->in_flight, c->in_flight);
    note(&z->arriving, c->incoming.row.len);
    for (const struct session *s = c->sessions; s != NULL; s = s->next)
        measure_session(z, s);
}

static void measure_requests(struct node_sizes *z, const struct node *n)
{
    const struct wait *lists[2] = { n->waits, n->acking };

    for (int i = 0; i < 2; i++)
        for (const struct wait *w = lists[i]; w != NULL; w = w->next)
            z->waits++;
    for (const struct watch *w = n->watches; w != NULL; w = w->next)
        z->watches++;
    z->resolving = resolves_n(n);
}

void node_sizes(const struct node *n, struct node_sizes *out)
{
    struct node_sizes z = {
        .pending = n->pending_n,
        .known = copies_n(&n->copies),
        .all_durable = n->commit <= n->persisted,
        .step_bytes = n->step.held,
        .lasting_bytes = n->arena.held,
        .held_rows_max = n->opt.held_max,
        .in_flight_max =
            n->opt.window_bytes + FRAME_MAX + n->opt.fragment_bytes,
        .asked_ranges_max = ASKS_MAX,
        .early_bytes_max = EARLY_MAX + FRAME_MAX,
        .parked_bytes_max = PARKED_MAX + (64 << 10),
        .vector_max = VV_MAX,
    };

    measure_requests(&z, n);
    for (const struct conn *c = n->conns; c != NULL; c = c->next)
        measure_conn(&z, c);
    for (const struct member_ack *a = n->acks; a != NULL; a = a->next) {
        z.acks++;
        note(&z.vector, a->durable.n);
    }
    for (const struct space *sp = n->spaces; sp != NULL; sp = sp->next) {
        z.spaces++;
        note(&z.vector, sp->have.n);
    }
    *out = z;
}
