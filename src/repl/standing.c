/* How each device that has connected behaves: how much it sends, and whether
 * it keeps to the protocol.
 *
 * Who sends faster than is allowed is not read for a while, which loses
 * nothing and changes nobody's state; who breaks a rule is closed, and refused
 * for one second, then two, up to limits.backoff. Neither needs the disk, and
 * both outlive connections: a restart forgives. */
#include "base/plant.h"
#include "base/text.h"
#include "repl/heads.h"

#include <stdio.h>
#include <stdlib.h>

#define PAUSE_FIRST_US ((uint64_t)1000 * 1000)
/* So long without breaking a rule, and the next pause is the first again. */
#define FORGIVEN_US ((uint64_t)600 * 1000 * 1000)
#define TELL_US ((uint64_t)60 * 1000 * 1000)
/* Delays shorter than this are let pass and add up. */
#define WAIT_LEAST_US 1000
#define BURST_S 5 /* what may come at once, in seconds of the rate */

struct standing *standing_of(
    const struct node *n, const struct device_id *device)
{
    for (struct standing *s = n->standings; s != NULL; s = s->next)
        if (device_eq(&s->device, device))
            return s;
    return NULL;
}

/* Members only come so far, so there are no more of them than of these. */
int standing_open(
    struct node *n, const struct device_id *device, struct standing **out)
{
    struct standing *s = standing_of(n, device);

    if (s == NULL) {
        s = calloc(1, sizeof *s);
        if (s == NULL)
            return SYNCLINE_ENOMEM;
        s->device = *device;
        s->next = n->standings;
        n->standings = s;
    }
    *out = s;
    return SYNCLINE_OK;
}

void standings_free(struct node *n)
{
    while (n->standings != NULL) {
        struct standing *next = n->standings->next;

        free(n->standings);
        n->standings = next;
    }
}

uint64_t standing_refused_us(
    const struct node *n, const struct device_id *device)
{
    const struct standing *s = standing_of(n, device);

    return s == NULL || s->refused_until_us <= n->now_us
        ? 0
        : s->refused_until_us - n->now_us;
}

void standing_broke(
    struct node *n, const struct device_id *device, const char *why)
{
    char hex[2 * DEVICE_ID_LEN + 1];
    struct standing *s = standing_of(n, device);
    uint64_t most = n->opt.limits.backoff_us;

    if (s == NULL)
        return;
    s->pause_us =
        s->broke == 0 || n->now_us >= s->refused_until_us + FORGIVEN_US
        ? PAUSE_FIRST_US
        : 2 * s->pause_us;
    if (s->pause_us > most)
        s->pause_us = most;
    s->broke++;
    s->refused_until_us = PLANTED(R36_BACKOFF) ? 0 : n->now_us + s->pause_us;
    (void)snprintf(s->why, sizeof s->why, "%s", why);
    hex_encode(hex, device_slice(device));
    log_line(&n->log, LOG_LEVEL_WARN, "peer",
        "device %s: %s (%u times so far); it is refused for %.0f s", hex, why,
        s->broke, (double)s->pause_us / 1e6);
}

/* ---- how fast ---- */

static int make_wait(
    struct node *n, struct conn *c, struct standing *s, uint64_t wait_us)
{
    struct effect *fx;

    if (wait_us < WAIT_LEAST_US)
        return SYNCLINE_OK;
    fx = fx_add(n, FX_PACE);
    if (fx == NULL)
        return SYNCLINE_ENOMEM;
    fx->conn = c->id;
    fx->wait_us = wait_us;
    s->delays++;
    c->heard_us = n->now_us + wait_us; /* it is we who do not listen */
    n->counts.peers_paced++;
    if (n->now_us >= s->told_us + TELL_US || s->told_us == 0) {
        char hex[2 * DEVICE_ID_LEN + 1];

        s->told_us = n->now_us;
        hex_encode(hex, device_slice(&c->device));
        log_line(&n->log, LOG_LEVEL_INFO, "peer",
            "device %s sends more than limits.frames, .rows or .bytes let "
            "pass: it is read more slowly",
            hex);
    }
    return SYNCLINE_OK;
}

static uint64_t charge(
    struct node *n, struct pace *p, uint64_t rate, size_t much)
{
    const struct pace_rule rule = { rate, rate * BURST_S };

    return PLANTED(R21_PACE) ? 0 : pace_take(p, &rule, much, n->now_us);
}

int standing_frame(struct node *n, struct conn *c, size_t bytes)
{
    struct standing *s = standing_of(n, &c->device);
    uint64_t frames, sent;

    if (s == NULL)
        return SYNCLINE_OK;
    frames = charge(n, &s->frames, n->opt.limits.frames, 1);
    sent = charge(n, &s->bytes, n->opt.limits.bytes, bytes);
    return make_wait(n, c, s, frames > sent ? frames : sent);
}

int standing_rows(struct node *n, struct conn *c, uint32_t rows)
{
    struct standing *s = standing_of(n, &c->device);

    return s == NULL
        ? SYNCLINE_OK
        : make_wait(n, c, s, charge(n, &s->rows, n->opt.limits.rows, rows));
}

/* ---- how much ---- */

static size_t vector_bytes(const struct session *s)
{
    return s->arena.held + s->acked_arena.held + s->claims_arena.held +
        s->horizon_arena.held;
}

size_t conn_bytes(const struct conn *c)
{
    size_t bytes = sizeof *c + c->arena.held + c->incoming.row.cap +
        c->reach_n * sizeof *c->reach;

    for (const struct session *s = c->sessions; s != NULL; s = s->next) {
        bytes += sizeof *s + vector_bytes(s) + s->at.cap + s->records_at.cap;
        bytes += heads_bytes(s->heads);
        for (uint32_t i = 0; i < s->held_n; i++)
            bytes += sizeof *s->held[i] + s->held[i]->key.len +
                s->held[i]->ctx.cap * sizeof(struct dot);
    }
    for (const struct early *e = c->early; e != NULL; e = e->next)
        bytes += sizeof *e + e->frame.cap;
    for (const struct asked_range *a = c->asks; a != NULL; a = a->next)
        bytes += sizeof *a + a->from.cap + a->to.cap;
    return bytes;
}

/* A row that is on its way has its own limit, which no option lowers: what
 * members have written must come through. */
int conn_check_bytes(const struct node *n, const struct conn *c)
{
    return n->opt.limits.memory != 0 && !PLANTED(R30_MEMORY) &&
            conn_bytes(c) - c->incoming.row.cap > n->opt.limits.memory
        ? SYNCLINE_ELIMIT
        : SYNCLINE_OK;
}

/* ---- whose replicas ---- */

static bool is_news(const struct space *sp, const struct dot *d)
{
    return vv_get(&sp->have, &d->replica) == 0;
}

/* How many replicas of a device the space's vector holds. */
static uint32_t replicas_of(const struct vv *v, const struct device_id *device)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < v->n; i++)
        count += rid_is_of(&v->e[i].replica, device);
    return count;
}

/* A vector only grows, and is everybody's: whoever makes names up would fill
 * it for all. So a device may bring only so many replicas of its own, and so
 * many of devices that nobody has admitted; some of these there may be, since
 * its membership may be on its way still. Half of what a vector can hold is
 * kept for what is written here. */
int standing_vector(struct node *n, const struct conn *c,
    const struct space *sp, const struct vv *v)
{
    struct standing *s = standing_of(n, &c->device);
    uint32_t fresh = 0, own = 0, strange = 0;

    for (uint32_t i = 0; i < v->n; i++) {
        if (!is_news(sp, &v->e[i]))
            continue;
        fresh++;
        own += rid_is_of(&v->e[i].replica, &c->device);
        strange += !node_is_mine(n, &v->e[i].replica) &&
            owner_of(n, &v->e[i].replica) == NULL;
    }
    if (fresh == 0 || s == NULL || PLANTED(R21_VECTOR))
        return SYNCLINE_OK;
    if (sp->have.n + fresh > VECTOR_MAX)
        return SYNCLINE_ELIMIT;
    if (own > 0 && replicas_of(&sp->have, &c->device) + own > REPLICAS_OWN_MAX)
        return SYNCLINE_ELIMIT;
    if (n->opt.limits.strangers != 0 &&
        s->strangers + strange > n->opt.limits.strangers)
        return SYNCLINE_ELIMIT;
    s->strangers += strange;
    return SYNCLINE_OK;
}

/* ---- what is written here ---- */

int standing_may_write(
    struct node *n, const struct space *sp, struct errmsg *why)
{
    const struct pace_rule writes = { n->opt.limits.writes,
        n->opt.limits.writes * 2 };
    const struct pace_rule bytes = { n->opt.limits.write_bytes,
        n->opt.limits.write_bytes * 2 };

    n->again_us = 0;
    if (space_is_inner(sp) || PLANTED(R21_WRITES))
        return SYNCLINE_OK;
    n->again_us = pace_late_us(&n->wrote_bytes, &bytes, n->now_us);
    if (n->again_us > 0)
        return errmsg_set(why, SYNCLINE_ELIMIT,
            "this device writes more than %llu bytes a second: wait, or raise "
            "limits.write_bytes",
            (unsigned long long)bytes.rate);
    if (!pace_may(&n->wrote, &writes, 1, n->now_us)) {
        n->again_us = pace_late_us(&n->wrote, &writes, n->now_us);
        return errmsg_set(why, SYNCLINE_ELIMIT,
            "this device writes more than %llu changes a second: wait, or "
            "raise limits.writes",
            (unsigned long long)writes.rate);
    }
    return SYNCLINE_OK;
}

void standing_wrote(struct node *n, size_t bytes)
{
    const struct pace_rule rule = { n->opt.limits.write_bytes,
        n->opt.limits.write_bytes * 2 };

    (void)pace_take(&n->wrote_bytes, &rule, bytes, n->now_us);
}

int standing_may_make(struct node *n, const struct space *sp, struct slice key,
    struct errmsg *why)
{
    if (n->opt.limits.keys == 0 || sp->s.alive < n->opt.limits.keys ||
        space_is_inner(sp) || PLANTED(R21_WRITES))
        return SYNCLINE_OK;
    return errmsg_set(why, SYNCLINE_ELIMIT,
        "%.*s/%.*s: the space holds %llu items, as many as limits.keys lets "
        "this device make; delete some, or raise it",
        SLICE_FMT(sp->name), SLICE_FMT(key), (unsigned long long)sp->s.alive);
}
