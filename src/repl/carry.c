/* Relays: which spaces one opens, and in which form a device keeps them.
 *
 * A relay knows a space by its token, which a member tells that subscribes to
 * it, and keeps it sealed (sealed.h). So a device whose role changes between
 * relay and any other forgets what it has of a space, and asks for it anew in
 * the other form (access.c). */
#include "base/hash.h"
#include "base/plant.h"
#include "repl/access_impl.h"
#include "repl/border.h"
#include "repl/proofs.h"

#include <stdlib.h>

/* So long a session waits that brought what does not open. */
#define UNOPENED_MIN_US ((uint64_t)5000 * 1000)
#define UNOPENED_MAX_US ((uint64_t)600 * 1000 * 1000)
#define BACK_BEATS 2
#define LEFT_OUT_MAX 4096 /* items; of more, what opens is taken */

bool carry_is_relay(const struct node *n)
{
    return n->opt.relay || members_role(n->members, &n->device) == ROLE_RELAY;
}

/* Who was removed has what he has. */
bool carry_seals(const struct node *n, const struct space *sp)
{
    if (space_is_open(sp))
        return false;
    if (!n->opt.relay && members_get(n->members, &n->device) == NULL)
        return sp->sealed;
    return carry_is_relay(n);
}

bool carry_is_barred(const struct node *n, const struct space *sp)
{
    if (space_is_open(sp))
        return false;
    if (sp->sealed != carry_seals(n, sp))
        return true; /* until it is in its form */
    return sp->sealed ? !members_carries(n->members, &n->device, &sp->token)
                      : !access_may_read(n, &n->device, sp);
}

static bool opens(
    const struct node *n, const struct conn *c, const struct space_token *token)
{
    return space_by_token(n, token) == NULL && spaces_n(n) < SPACES_MAX &&
        members_carries(n->members, &n->device, token) &&
        (members_may_read(n->members, &c->device, token) ||
            members_carries(n->members, &c->device, token));
}

int carry_open(
    struct node *n, const struct conn *c, const struct space_token *token)
{
    struct space *sp;

    return opens(n, c, token) ? space_open_sealed(n, token, &sp) : SYNCLINE_OK;
}

/* What was asked for before it was known who may have it. */
int carry_open_early(struct node *n)
{
    struct space_token token;
    int rc = SYNCLINE_OK;

    if (!carry_is_relay(n))
        return rc;
    for (struct conn *c = n->conns; c != NULL && rc == SYNCLINE_OK; c = c->next)
        for (uint32_t i = 0; rc == SYNCLINE_OK && early_token(c, i, &token);)
            if (opens(n, c, &token))
                rc = carry_open(n, c, &token); /* which takes it from there */
            else
                i++;
    return rc;
}

/* Another form, of a space that holds nothing yet. What others had asked for is
 * forgotten, since the space was barred until now, and they do not know. */
int carry_reform(struct node *n, struct space *sp)
{
    int rc = carry_rename(n, sp);

    sp->sealed = !sp->sealed;
    sp->unsaved = true;
    sp->barred = carry_is_barred(n, sp);
    if (rc == SYNCLINE_OK)
        conns_restart(n, "this node keeps a space in another form from now on");
    return rc;
}

/* A relay is to know no names but those that every mesh has. */
int carry_rename(struct node *n, struct space *sp)
{
    char name[2 * SPACE_TOKEN_LEN + 1];

    if (sp->sealed || space_is_fixed(sp->name))
        return SYNCLINE_OK;
    space_put_token(&sp->token, name);
    return space_rename(n, sp, slice_str(name));
}

/* ---- what does not open ---- */

/* Nothing of the kind has come for long. */
static bool is_over(const struct node *n, const struct session *s)
{
    return !s->unopened && n->now_us > s->unopened_us + 4 * s->pause_us;
}

bool carry_waited(const struct node *n, const struct session *s, unsigned times)
{
    return !is_over(n, s) &&
        (s->unopened ? s->pause_us / 2 : s->pause_us) >= UNOPENED_MIN_US
            << (times - 1);
}

bool carry_is_stuck(
    const struct node *n, const struct conn *c, const struct session *s)
{
    return s->leaky && s->unopened && access_is_across(n, c) &&
        !carry_is_relay(n) && carry_waited(n, s, 1) &&
        c->incoming.row.len == 0 && !has_parked(c, s->space);
}

void carry_unopened(const struct node *n, struct session *s)
{
    if (s->unopened)
        return;
    if (is_over(n, s))
        s->pause_us = 0;
    s->unopened = true;
    s->unopened_us = n->now_us;
    s->pause_us = s->pause_us == 0 ? UNOPENED_MIN_US : 2 * s->pause_us;
    if (s->pause_us > UNOPENED_MAX_US)
        s->pause_us = UNOPENED_MAX_US;
}

/* Nobody has waited, so that it is none of the times that somebody has. */
void carry_cut_short(struct session *s)
{
    s->leaky = s->unopened = false;
    s->pause_us = s->pause_us > UNOPENED_MIN_US ? s->pause_us / 2 : 0;
}

static uint64_t print_of(struct slice name)
{
    static const uint8_t key[16] = "syncline-left-01";

    return siphash128(key, name).lo;
}

bool carry_is_left_out(const struct session *s, struct slice name)
{
    const uint64_t print = s->left_out_n > 0 ? print_of(name) : 0;

    for (uint32_t i = 0; i < s->left_out_n; i++)
        if (s->left_out[i] == print)
            return true;
    return false;
}

int carry_leave_out(const struct node *n, struct session *s, struct slice name)
{
    s->leaky = true;
    carry_unopened(n, s);
    if (s->left_out_n == LEFT_OUT_MAX || carry_is_left_out(s, name))
        return SYNCLINE_OK;
    if (s->left_out_n == s->left_out_cap) {
        uint32_t cap = s->left_out_cap == 0 ? 16 : 2 * s->left_out_cap;
        uint64_t *more = realloc(s->left_out, cap * sizeof *more);

        if (more == NULL)
            return SYNCLINE_ENOMEM;
        s->left_out = more;
        s->left_out_cap = cap;
    }
    s->left_out[s->left_out_n++] = print_of(name);
    return SYNCLINE_OK;
}

/* It may be overwritten by now, or was spoiled on its way. */
int carry_ask_unopened(struct node *n, struct conn *c, struct session *s)
{
    if (!s->unopened || s->awaits != 0 || c->closing ||
        s->space->staging != NULL || !access_is_across(n, c) ||
        n->now_us < s->unopened_us + s->pause_us)
        return SYNCLINE_OK;
    s->leaky = s->unopened = false;
    return conn_subscribe_anew(n, c, s->space);
}

/* ---- what it once had ---- */

/* Its disk was lost, or somebody put an old one in: it is sent again what it
 * lacks, and whoever comes new to it meanwhile is told less. */
void carry_look_back(struct node *n, const struct conn *c,
    const struct space *sp, const struct vv *have)
{
    struct member_ack *a = acks_of(n, &c->device, sp);

    if (a == NULL || members_role(n->members, &c->device) != ROLE_RELAY ||
        sp->sealed || space_is_open(sp))
        return;
    if (vv_geq(have, &a->durable))
        a->stale = false;
    else if (!a->stale && a->back == 0 && !PLANTED(R27_BACK))
        a->back = 1;
}

static int tell_back(struct node *n, const struct conn *c, struct member_ack *a)
{
    const struct member *m = members_get(n->members, &c->device);
    const struct audit_field fields[] = { AUDIT_DEVICE("device", &c->device),
        AUDIT_TEXT("name", m != NULL ? m->name : SLICE_LIT("")),
        AUDIT_TEXT("space", a->space->name), AUDIT_END };

    if (m == NULL || m->role != ROLE_RELAY)
        return SYNCLINE_OK;
    n->counts.relays_back++;
    log_line(&n->log, LOG_LEVEL_WARN, "relay",
        "%.*s: the relay %.*s has less than it once had on its disk, which "
        "was lost, or is an old one",
        SLICE_FMT(a->space->name), SLICE_FMT(m->name));
    return node_audit_often(n, "relay-back", fields);
}

int carry_tick(struct node *n, const struct conn *c)
{
    int rc = SYNCLINE_OK;

    for (struct member_ack *a = n->acks; a != NULL && rc == SYNCLINE_OK;
         a = a->next) {
        if (a->back == 0 || !device_eq(&a->device, &c->device) ||
            ++a->back < BACK_BEATS + 1)
            continue;
        a->back = 0;
        rc = tell_back(n, c, a);
    }
    return rc;
}
