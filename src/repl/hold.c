/* Rows held back from a peer, since their author delivers them himself. */
#include "repl/send_impl.h"

#include "base/plant.h"

#include <stdlib.h>

struct held *held_new(const struct entry *e, const struct vv *ctx)
{
    struct slice key = e->tail;
    size_t dots = ctx->n * sizeof *ctx->e;
    struct held *h = malloc(sizeof *h + dots + key.len);

    if (h == NULL)
        return NULL;
    *h = (struct held){ .lsn = e->lsn, .kind = e->kind };
    h->ctx = (struct vv){ (struct dot *)(h + 1), ctx->n, ctx->n };
    if (dots > 0)
        memcpy(h->ctx.e, ctx->e, dots);
    memcpy((uint8_t *)(h + 1) + dots, key.ptr, key.len);
    h->key = SLICE((uint8_t *)(h + 1) + dots, key.len);
    return h;
}

void held_remove(struct session *s, uint32_t ix)
{
    free(s->held[ix]);
    s->held_n--;
    memmove(&s->held[ix], &s->held[ix + 1], (s->held_n - ix) * sizeof *s->held);
}

void held_remove_entry(
    struct session *s, enum feed_kind kind, struct slice tail)
{
    for (uint32_t i = s->held_n; i-- > 0;)
        if (s->held[i]->kind == kind && slice_eq(s->held[i]->key, tail))
            held_remove(s, i);
}

int hold_back(struct filling *f, const struct entry *e, const struct vv *ctx,
    bool large, uint64_t due_us)
{
    struct session *s = f->s;
    struct held *h;

    if (PLANTED(FORWARD_DROPS) && !large)
        return SYNCLINE_OK;
    for (uint32_t i = 0; i < s->held_n; i++)
        if (s->held[i]->lsn == e->lsn && s->held[i]->kind == e->kind &&
            slice_eq(s->held[i]->key, e->tail) && (s->held[i]->large || !large))
            return SYNCLINE_OK; /* met again: its time runs on */
    held_remove_entry(s, e->kind, e->tail);
    if (s->held_n >= f->node->opt.held_max) {
        f->stalled = true;
        f->node->counts.rows_no_room++;
        return SYNCLINE_OK;
    }
    if (s->held == NULL) {
        s->held = malloc(f->node->opt.held_max * sizeof *s->held);
        if (s->held == NULL)
            return SYNCLINE_ENOMEM;
    }
    h = held_new(e, ctx);
    if (h == NULL)
        return SYNCLINE_ENOMEM;
    h->large = large;
    h->due_us = due_us;
    s->held[s->held_n++] = h;
    f->node->counts.rows_held++;
    return SYNCLINE_OK;
}

bool authors_deliver(const struct filling *f, const struct item *it)
{
    for (uint32_t i = 0; i < it->ctx.n; i++) {
        const struct dot *d = &it->ctx.e[i];
        const struct device_id *owner;
        bool reached = false;

        if (vv_covers(&f->s->peer_has, d))
            continue;
        owner = owner_of(f->node, &d->replica);
        if (owner == NULL || device_eq(owner, &f->node->device))
            return false;
        for (uint32_t k = 0; k < f->conn->reach_n && !reached; k++)
            reached = device_eq(&f->conn->reach[k].device, owner);
        if (!reached)
            return false;
    }
    return true;
}

bool send_spare(struct node *n, struct session *s)
{
    bool any = false;

    for (uint32_t i = s->held_n; i-- > 0;)
        if (s->held[i]->kind == FEED_ITEM &&
            vv_geq(&s->peer_has, &s->held[i]->ctx)) {
            held_remove(s, i);
            n->counts.rows_spared++;
            any = true;
        }
    return any;
}

int release_held(struct filling *f)
{
    struct session *s = f->s;
    uint32_t i = s->held_n;
    int rc = SYNCLINE_OK;

    while (i-- > 0 && rc == SYNCLINE_OK && !filled(f)) {
        struct held *h = s->held[i];
        bool due = h->large ? f->conn->transfer == NULL : h->ripe;
        struct entry e = { .lsn = h->lsn,
            .kind = h->kind,
            .tail = arena_dup(&f->node->step, h->key) };

        if (h->kind == FEED_ITEM && vv_geq(&s->peer_has, &h->ctx)) {
            held_remove(s, i);
            f->node->counts.rows_spared++;
            continue;
        }
        if (!due || h->lsn > s->space->durable_lsn)
            continue; /* it would go without a mark: durable rows only */
        if (e.tail.ptr == NULL)
            return SYNCLINE_ENOMEM;
        f->node->counts.rows_forwarded += !h->large;
        rc = h->kind == FEED_ITEM ? consider_item(f, &e, true)
                                  : consider_conflict(f, &e);
        if (i > s->held_n)
            i = s->held_n;
    }
    f->stalled = false;
    return rc;
}

void send_tick(struct node *n)
{
    for (struct conn *c = n->conns; c != NULL; c = c->next)
        for (struct session *s = c->sessions; s != NULL; s = s->next)
            for (uint32_t i = 0; i < s->held_n; i++) {
                if (s->held[i]->ripe || s->held[i]->due_us > n->now_us)
                    continue;
                s->held[i]->ripe = n->want_flush = true;
                session_stir(s);
            }
}

uint64_t send_deadline(const struct node *n)
{
    uint64_t due = UINT64_MAX;

    for (const struct conn *c = n->conns; c != NULL; c = c->next)
        for (const struct session *s = c->sessions; s != NULL; s = s->next)
            for (uint32_t i = 0; i < s->held_n; i++)
                if (!s->held[i]->large && !s->held[i]->ripe &&
                    s->held[i]->due_us < due)
                    due = s->held[i]->due_us;
    return due;
}
