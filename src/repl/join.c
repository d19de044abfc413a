/* Pairing at the door: who may come to it, and who comes in by a code.
 *
 *   the inviter   knock -> JOIN -> certificate durable -> WELCOME
 *
 * door.c has what happens there without a code, joiner.c the other side. */
#include "repl/join_impl.h"

#include "base/text.h"
#include "repl/access_impl.h"

#include <stdlib.h>

#define STRANGERS_MAX 8 /* connected to pair, and silent so far */

/* The inviter's answer, once the certificate is durable. */
struct welcoming {
    struct welcoming *next;
    uint64_t conn, invite, commit;
};

/* ---- the inviter ---- */

struct pair_link pair_link_of(const struct node *n, const struct conn *c)
{
    struct pair_link link = { .exporter = c->exporter };
    struct slice mine = n->opt.crypto->spki, theirs = buf_slice(&c->spki);

    link.joiner_spki = c->inbound ? theirs : mine;
    link.inviter_spki = c->inbound ? mine : theirs;
    return link;
}

int pair_send(struct node *n, struct conn *c, const struct buf *b)
{
    struct effect *fx = fx_add(n, FX_SEND);

    if (fx == NULL || buf_status(b) != SYNCLINE_OK)
        return SYNCLINE_ENOMEM;
    fx->conn = c->id;
    return fx_bytes(n, fx, buf_slice(b));
}

int pair_refuse(struct node *n, struct conn *c, enum pair_refusal why)
{
    const struct audit_field fields[] = {
        AUDIT_TEXT("why", slice_str(pair_refusal_text(why))), AUDIT_END
    };
    struct buf b = { 0 };
    int rc;

    /* Of those a stranger can have as many as it likes. */
    log_line(&n->log,
        why == PAIR_BUSY || why == PAIR_CLOSED ? LOG_LEVEL_DEBUG
                                               : LOG_LEVEL_WARN,
        "join", "a device was refused: %s", pair_refusal_text(why));
    pair_put_refuse(&b, why);
    rc = pair_send(n, c, &b);
    buf_free(&b);
    if (rc == SYNCLINE_OK)
        rc = node_audit_often(n, "pair-refused", fields);
    conn_close(n, c, SYNCLINE_EDENIED, pair_refusal_text(why));
    return rc;
}

static int put_addresses(
    const struct json *args, struct netaddr *out, size_t *out_n)
{
    const struct json *list = json_get(args, "addresses");
    const struct json *v =
        list != NULL && list->type == JSON_ARRAY ? list->first : NULL;

    *out_n = 0;
    for (; v != NULL && *out_n < CODE_ADDRS_MAX; v = v->next)
        if (v->type == JSON_STRING &&
            netaddr_parse(&out[*out_n], v->s, 4748, NULL) == SYNCLINE_OK)
            (*out_n)++;
    return SYNCLINE_OK;
}

int request_invite(struct node *n, uint64_t request, const struct json *args)
{
    int64_t seconds = json_get_int(args, "expires_s", 600);
    struct netaddr addrs[CODE_ADDRS_MAX];
    struct buf code = { 0 }, b = { 0 };
    struct pair_terms terms;
    struct errmsg why = { "" };
    size_t addrs_n;
    int rc = put_addresses(args, addrs, &addrs_n);

    if (rc == SYNCLINE_OK)
        rc = access_read_terms(n, args, &terms, &why);
    if (rc == SYNCLINE_OK && (seconds < 1 || seconds > 86400))
        rc = errmsg_set(&why, SYNCLINE_EINVAL,
            "a code is good for 1 second to 24 hours, not for %lld s",
            (long long)seconds);
    if (rc == SYNCLINE_OK)
        rc = access_check_heeded(n, args, &why);
    if (rc == SYNCLINE_OK && welcome_check(n) == SYNCLINE_ELIMIT)
        rc = errmsg_set(&why, SYNCLINE_ELIMIT,
            "the mesh has so many membership records that none can be let "
            "in; found a new mesh and have its machines join that");
    if (rc == SYNCLINE_OK)
        rc = invite_open(n->invites, n->now_us, (uint64_t)seconds * 1000000,
            addrs, addrs_n, &code);
    if (rc == SYNCLINE_ELIMIT && why.text[0] == 0)
        (void)errmsg_set(&why, rc,
            "%d codes are open already; use one or wait until it expires",
            INVITES_MAX);
    if (rc == SYNCLINE_OK) {
        invite_bind(n->invites, &terms);
        buf_put_str(&b, "{\"ok\":true,\"code\":");
        json_print_string(&b, buf_slice(&code), false);
        buf_printf(&b, ",\"role\":\"%s\"", member_role_name(terms.role));
        buf_printf(&b, ",\"expires\":%llu}",
            (unsigned long long)n->wall_us +
                (unsigned long long)seconds * 1000000);
        rc = buf_status(&b);
    }
    if (rc == SYNCLINE_OK) {
        struct audit_field fields[] = { AUDIT_NUMBER(
                                            "expires_s", (uint64_t)seconds),
            AUDIT_TEXT("role", slice_str(member_role_name(terms.role))),
            AUDIT_END, AUDIT_END };

        rc = audit_spaces(
            n, terms.some_spaces, terms.spaces, terms.spaces_n, &fields[2]);
        if (rc == SYNCLINE_OK)
            rc = node_audit(n, "invite", fields);
    }
    rc = rc == SYNCLINE_OK      ? fx_reply(n, request, buf_slice(&b), false)
        : rc == SYNCLINE_ENOMEM ? rc
                                : fx_error(n, request, rc, &why);
    buf_free(&code);
    buf_free(&b);
    return rc;
}

/* Is somebody waited for here? Else strangers hear nothing. */
static bool expects(const struct node *n)
{
    return invites_expect(n->invites, n->now_us) || door_expects(n);
}

bool join_admits(const struct node *n, const struct device_id *device)
{
    if (device_eq(device, &n->device)) /* to be told so */
        return joiner_expects(n, device);
    return joiner_expects(n, device) || expects(n);
}

static int welcome_later(struct node *n, struct conn *c, uint64_t invite)
{
    struct welcoming *w = calloc(1, sizeof *w);

    if (w == NULL)
        return SYNCLINE_ENOMEM;
    *w = (struct welcoming){ n->welcoming, c->id, invite,
        txn_is_empty(&n->txn) ? n->commit : n->commit + 1 };
    n->welcoming = w;
    return SYNCLINE_OK;
}

int pair_admit(struct node *n, struct conn *c, struct slice name, uint16_t port,
    const struct pair_terms *terms, struct cert_id *made)
{
    int rc = welcome_check(n);

    if (rc == SYNCLINE_OK)
        rc = access_admit(n, buf_slice(&c->spki), name, terms, made);
    if (rc == SYNCLINE_OK)
        rc = node_audit_terms(n, "pair", &c->device, name, terms);
    if (rc == SYNCLINE_OK && port != 0)
        c->port = c->remote.port = port;
    return rc;
}

/* A code speaks once. What was said of the device since stands, so there is no
 * more than another WELCOME for it, and none if it is in by another word. */
static int admit_by_code(
    struct node *n, struct conn *c, const struct pair_join *j)
{
    struct cert_id made;
    int rc;

    if (j->is_signed)
        return members_stands_by(n->members, &j->device, &j->cert)
            ? SYNCLINE_OK
            : SYNCLINE_EEXIST;
    rc = pair_admit(n, c, j->name, j->port, &j->terms, &made);
    if (rc == SYNCLINE_OK)
        invite_signed(n->invites, j->invite, &made);
    return rc;
}

static int on_join(struct node *n, struct conn *c, struct slice bytes)
{
    struct pair_link link = pair_link_of(n, c);
    enum pair_refusal why;
    struct pair_join j;
    int rc;

    /* The door is for who has something to say. */
    why = invites_knock(n->invites, c->id, n->now_us);
    if (why != PAIR_ACCEPTED)
        return pair_refuse(n, c, why);
    rc = pair_on_join(n->invites, &link, n->now_us, bytes, &j, &why);
    if (rc == SYNCLINE_EDENIED)
        return pair_refuse(n, c, why);
    if (rc == SYNCLINE_OK)
        rc = admit_by_code(n, c, &j);
    if (rc == SYNCLINE_EEXIST)
        return pair_refuse(n, c, PAIR_USED);
    if (rc == SYNCLINE_EINVAL)
        return pair_refuse(n, c, PAIR_BROKEN);
    if (rc == SYNCLINE_EDENIED || rc == SYNCLINE_ELIMIT)
        return pair_refuse(n, c, PAIR_FAILED); /* it is an admin no more */
    return rc == SYNCLINE_OK ? welcome_later(n, c, j.invite) : rc;
}

static int send_welcomes(struct node *n)
{
    struct welcoming **at = &n->welcoming;
    int rc = SYNCLINE_OK;

    while (*at != NULL && rc == SYNCLINE_OK) {
        struct welcoming *w = *at;
        struct conn *c = conn_by_id(n, w->conn);

        if (w->commit > n->persisted) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        if (c != NULL && !c->closing)
            rc = pair_welcome(n, c, w->invite);
        free(w);
    }
    return rc;
}

/* ---- connections ---- */

static unsigned strangers(const struct node *n)
{
    unsigned count = 0;

    for (const struct conn *c = n->conns; c != NULL; c = c->next)
        count += c->pairing && c->inbound && !c->closing;
    return count;
}

int join_on_conn(struct node *n, struct conn *c)
{
    if (!c->inbound)
        return joiner_on_conn(n, c);
    /* Whom a joiner dials may not come in by the same word. */
    if (device_eq(&c->device, &n->device) || !expects(n))
        conn_close(n, c, SYNCLINE_EDENIED, "nobody is expected here");
    else if (strangers(n) > STRANGERS_MAX)
        conn_close(n, c, SYNCLINE_EBUSY, "too many strangers at once");
    return SYNCLINE_OK;
}

int join_on_dial_failed(struct node *n, uint64_t conn)
{
    return joiner_on_down(n, conn);
}

int join_on_conn_down(struct node *n, struct conn *c)
{
    int rc = door_gone(n, c->id, PAIR_UNCONFIRMED);

    invites_leave(n->invites, c->id);
    return rc == SYNCLINE_OK ? joiner_on_down(n, c->id) : rc;
}

int join_on_frame(struct node *n, struct conn *c, struct slice bytes)
{
    if (!c->inbound)
        return joiner_on_frame(n, c, bytes);
    return bytes.len > 0 && bytes.ptr[0] > PAIR_WELCOME
        ? door_on_frame(n, c, bytes)
        : on_join(n, c, bytes);
}

int join_persisted(struct node *n)
{
    int rc = send_welcomes(n);

    if (rc == SYNCLINE_OK)
        rc = door_persisted(n);
    return rc == SYNCLINE_OK ? joiner_persisted(n) : rc;
}

void join_cancel(struct node *n, uint64_t request)
{
    joiner_cancel(n, request);
    door_cancel(n, request);
}

/* ---- datagrams ---- */

int pair_cast(struct node *n, const struct buf *b, const struct netaddr *to)
{
    struct effect *fx = fx_add(n, FX_DATAGRAM);

    if (fx == NULL || buf_status(b) != SYNCLINE_OK)
        return SYNCLINE_ENOMEM;
    if (to != NULL)
        fx->remote = *to;
    return fx_bytes(n, fx, buf_slice(b));
}

static int on_find(struct node *n, const struct event *ev)
{
    struct buf b = { 0 };
    int rc =
        invites_answer_find(n->invites, n->now_us, ev->bytes, n->opt.port, &b);

    if (rc == SYNCLINE_EDENIED)
        rc = door_answer_find(n, ev->bytes, &b);

    /* Multicast too: the asker may hear no unicast on this port. */
    if (rc == SYNCLINE_OK)
        rc = pair_cast(n, &b, NULL);
    buf_free(&b);
    return rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_OK;
}

static int on_announce(struct node *n, const struct event *ev)
{
    struct netaddr addr = ev->remote;
    struct beacon b;

    if (epochs_get_beacon(n, ev->bytes, &b) != SYNCLINE_OK)
        return SYNCLINE_OK;
    addr.port = b.port;
    peers_on_beacon(n->peers, &b.device, &addr, n->now_us);
    return SYNCLINE_OK;
}

int join_on_datagram(struct node *n, const struct event *ev)
{
    switch (beacon_kind(ev->bytes)) {
    case BEACON_ANNOUNCE:
        return on_announce(n, ev);
    case BEACON_FIND:
        return on_find(n, ev);
    case BEACON_HERE:
        return joiner_on_here(n, ev);
    default:
        return SYNCLINE_OK;
    }
}

/* ---- time ---- */

int join_tick(struct node *n)
{
    uint64_t late = invites_overdue(n->invites, n->now_us);
    struct conn *c = late != 0 ? conn_by_id(n, late) : NULL;
    int rc = SYNCLINE_OK;

    if (c != NULL && !c->closing)
        rc = pair_refuse(n, c, PAIR_TOO_LATE);
    if (rc == SYNCLINE_OK)
        rc = door_gone(n, late, PAIR_TOO_LATE);
    if (late != 0)
        invites_leave(n->invites, late);
    if (rc == SYNCLINE_OK)
        rc = door_tick(n);
    return rc == SYNCLINE_OK ? joiner_tick(n) : rc;
}

uint64_t join_deadline(const struct node *n)
{
    const uint64_t due[] = { invites_deadline(n->invites), door_deadline(n),
        joiner_deadline(n) };
    uint64_t first = UINT64_MAX;

    for (size_t i = 0; i < sizeof due / sizeof *due; i++)
        if (due[i] < first)
            first = due[i];
    return first;
}

void join_free(struct node *n)
{
    joiner_free(n);
    door_free(n);
    replay_free(n);
    while (n->welcoming != NULL) {
        struct welcoming *next = n->welcoming->next;

        free(n->welcoming);
        n->welcoming = next;
    }
}
