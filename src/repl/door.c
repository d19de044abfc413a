/* Who asks at the door without a code, and the person who opens it.
 *
 *   SHUT --pending_open--> OPEN --ASK--> MEETING --REVEAL--> PENDING
 *   PENDING --the joiner's person and ours say yes--> certificate durable
 *           --ADMIT--> SHUT
 *   MEETING, PENDING --denied, gone, too late--> OPEN, or SHUT after the
 *           third who asked; in any case SHUT when its time is over
 *
 * One at a time. Who breaks off once it has seen our nonce knows its digits
 * before people do, so that it counts as a try from ASK on. */
#include "repl/join_impl.h"

#include "base/plant.h"
#include "base/text.h"
#include "repl/request_admin.h"

#include <stdlib.h>

#define OPEN_S_DEFAULT 120
#define OPEN_S_MAX 3600
#define TRIES 3
#define REVEAL_US ((uint64_t)10 * 1000 * 1000)
#define PAUSE_US ((uint64_t)1000 * 1000) /* after the first; then double */
#define FIND_PAUSE_US ((uint64_t)100 * 1000)
#define MESSAGES_MAX 64 /* STILL comes every heartbeat */

/* Who is at the door. */
struct asker {
    uint64_t conn; /* 0: nobody */
    struct device_id device;
    uint8_t name[PAIR_NAME_MAX];
    size_t name_len;
    struct netaddr addr;
    uint16_t port;
    uint64_t asked_us, since_wall_us;
    uint8_t commit[SHA256_LEN], nonce[DIGITS_NONCE_LEN]; /* its, ours */
    struct digits digits; /* "" until it has revealed its nonce */
    unsigned messages;
    bool confirmed, approved; /* by the person there; by the one here */
    uint64_t written_at;      /* the certificate's commit; 0: none yet */
    struct pair_terms terms;  /* on which it is let in */
};

struct door {
    uint64_t open_until_us, lasts_us;
    unsigned tries;
    uint64_t pause_until_us, find_from_us;
    struct asker asker;
    /* Who approved waits for the end of it, and is answered at the next tick
     * once there is one. */
    uint64_t request;
    struct device_id approved;
    bool over;
    enum pair_refusal why; /* PAIR_ACCEPTED: it is in */
};

void door_free(struct node *n)
{
    free(n->door);
    n->door = NULL;
}

static bool is_open(const struct node *n)
{
    return n->door != NULL && n->now_us < n->door->open_until_us;
}

bool door_expects(const struct node *n)
{
    return is_open(n) || (n->door != NULL && n->door->asker.conn != 0);
}

/* ---- who goes ---- */

static void shut(struct node *n, const char *why)
{
    if (n->door->open_until_us != 0)
        log_line(&n->log, LOG_LEVEL_INFO, "join",
            "nobody is let in without a code any more: %s", why);
    n->door->open_until_us = 0;
}

/* Where nobody here has refused it, its person may have: the digits were other
 * ones, perhaps. */
static int tell_end(struct node *n, enum pair_refusal why)
{
    const struct asker *a = &n->door->asker;
    const struct audit_field fields[] = { AUDIT_DEVICE("device", &a->device),
        AUDIT_TEXT("name", SLICE(a->name, a->name_len)),
        AUDIT_TEXT("why", slice_str(pair_refusal_text(why))), AUDIT_END };

    return why == PAIR_UNCONFIRMED && a->digits.text[0] != 0 &&
            a->written_at == 0
        ? node_audit(n, "pair-ended", fields)
        : SYNCLINE_OK;
}

static void leave(struct node *n, uint64_t conn, enum pair_refusal why)
{
    struct door *d = n->door;

    d->asker = (struct asker){ 0 };
    invites_leave(n->invites, conn);
    d->pause_until_us =
        n->now_us + (d->tries > 0 ? PAUSE_US << (d->tries - 1) : 0);
    if (d->request != 0 && !d->over) {
        d->over = true;
        d->why = why;
    }
    if (why == PAIR_ACCEPTED)
        shut(n, "one has come in");
    else if (d->tries >= TRIES && !PLANTED(R05_ASKS))
        shut(n, "three have asked in vain");
}

int door_gone(struct node *n, uint64_t conn, enum pair_refusal why)
{
    int rc;

    if (n->door == NULL || conn == 0 || n->door->asker.conn != conn)
        return SYNCLINE_OK;
    rc = tell_end(n, why);
    if (rc == SYNCLINE_OK)
        leave(n, conn, why);
    return rc;
}

/* The mesh was left: nobody can be let into it any more. */
void door_forget(struct node *n)
{
    struct door *d = n->door;
    struct conn *c =
        d != NULL && d->asker.conn != 0 ? conn_by_id(n, d->asker.conn) : NULL;

    if (d == NULL)
        return;
    if (c != NULL)
        conn_close(n, c, SYNCLINE_OK, "the mesh was left");
    if (d->asker.conn != 0)
        leave(n, d->asker.conn, PAIR_FAILED);
    shut(n, "the mesh was left");
}

static int turn_away(struct node *n, struct conn *c, enum pair_refusal why)
{
    int rc = pair_refuse(n, c, why);

    return rc == SYNCLINE_OK ? door_gone(n, c->id, why) : rc;
}

/* ---- who comes ---- */

static enum pair_refusal may_ask(struct node *n, const struct conn *c)
{
    const struct door *d = n->door;

    if (!is_open(n) || (d->tries >= TRIES && !PLANTED(R05_ASKS)))
        return PAIR_CLOSED;
    if (PLANTED(R05_ONE))
        return PAIR_ACCEPTED;
    if (d->asker.conn != 0 || n->now_us < d->pause_until_us)
        return d->asker.conn == c->id ? PAIR_BROKEN : PAIR_BUSY;
    return invites_knock(n->invites, c->id, n->now_us);
}

static int on_ask(struct node *n, struct conn *c, struct slice bytes)
{
    const struct crypto_port *crypto = n->opt.crypto;
    struct asker a = { .conn = c->id,
        .device = c->device,
        .addr = c->remote,
        .asked_us = n->now_us,
        .since_wall_us = n->wall_us };
    struct pair_ask ask;
    enum pair_refusal why = may_ask(n, c);
    struct buf b = { 0 };
    int rc;

    if (why == PAIR_ACCEPTED && get_pair_ask(bytes, &ask) != SYNCLINE_OK)
        why = PAIR_BROKEN;
    if (why != PAIR_ACCEPTED)
        return turn_away(n, c, why);
    rc = crypto->random(crypto->self, a.nonce, sizeof a.nonce);
    if (rc == SYNCLINE_OK)
        rc = put_pair_nonce(&b, PAIR_NONCE, a.nonce);
    if (rc == SYNCLINE_OK)
        rc = pair_send(n, c, &b);
    buf_free(&b);
    if (rc != SYNCLINE_OK)
        return rc;
    memcpy(a.commit, ask.commit, sizeof a.commit);
    memcpy(a.name, ask.name.ptr, ask.name.len);
    a.name_len = ask.name.len;
    a.port = ask.port;
    n->door->asker = a;
    n->door->tries++;
    invites_stay(n->invites, c->id, n->now_us + REVEAL_US);
    return SYNCLINE_OK;
}

/* Was the nonce fixed before it could know ours? */
static int check_commit(
    struct node *n, const struct pair_link *link, const uint8_t *nonce)
{
    uint8_t commit[SHA256_LEN];
    int rc = digits_commit(commit, n->opt.crypto, link, nonce);

    if (rc != SYNCLINE_OK || PLANTED(COMMIT_UNCHECKED))
        return rc;
    return memcmp(commit, n->door->asker.commit, sizeof commit) == 0
        ? SYNCLINE_OK
        : SYNCLINE_EMALFORMED;
}

static uint64_t door_us(const struct door *d)
{
    return d->lasts_us < ASK_US ? d->lasts_us : ASK_US;
}

static int on_reveal(struct node *n, struct conn *c, struct slice bytes)
{
    struct asker *a = &n->door->asker;
    struct pair_link link = pair_link_of(n, c);
    uint8_t theirs[DIGITS_NONCE_LEN];
    struct digits_seen seen = { a->commit, theirs, a->nonce };
    struct digits digits;
    int rc = a->digits.text[0] == 0 ? get_pair_nonce(bytes, PAIR_REVEAL, theirs)
                                    : SYNCLINE_EMALFORMED;

    if (rc == SYNCLINE_OK)
        rc = check_commit(n, &link, theirs);
    if (rc == SYNCLINE_OK)
        rc = digits_make(&digits, n->opt.crypto, &link, &seen);
    if (rc == SYNCLINE_OK)
        rc = node_audit_device(
            n, "pair-asked", &a->device, SLICE(a->name, a->name_len));
    if (rc != SYNCLINE_OK)
        return rc;
    a->digits = digits;
    invites_stay(n->invites, c->id, a->asked_us + door_us(n->door));
    log_line(&n->log, LOG_LEVEL_INFO, "join",
        "a device asks to be let in: see `syncline pending`");
    return SYNCLINE_OK;
}

static int on_confirm(struct node *n, struct slice bytes)
{
    struct asker *a = &n->door->asker;
    int rc = get_pair_word(bytes, PAIR_CONFIRM);

    if (a->digits.text[0] == 0 || rc != SYNCLINE_OK)
        return SYNCLINE_EMALFORMED;
    a->confirmed = true;
    return SYNCLINE_OK;
}

static int on_word(
    struct node *n, struct conn *c, uint8_t kind, struct slice bytes)
{
    switch (kind) {
    case PAIR_REVEAL:
        return on_reveal(n, c, bytes);
    case PAIR_CONFIRM:
        return on_confirm(n, bytes);
    case PAIR_STILL:
        return get_pair_word(bytes, PAIR_STILL);
    default:
        return SYNCLINE_EMALFORMED;
    }
}

int door_on_frame(struct node *n, struct conn *c, struct slice bytes)
{
    struct asker *a = n->door != NULL ? &n->door->asker : NULL;
    uint8_t kind = 0;
    int rc = digits_kind(bytes, &kind);

    if (rc == SYNCLINE_EVERSION && kind != PAIR_REFUSE)
        return turn_away(n, c, PAIR_OTHER_VERSION);
    if (rc != SYNCLINE_EMALFORMED && kind == PAIR_ASK)
        return on_ask(n, c, bytes);
    if (a == NULL || a->conn != c->id)
        return pair_refuse(n, c, PAIR_BROKEN);
    if (kind == PAIR_REFUSE) {
        log_line(&n->log, LOG_LEVEL_INFO, "join", "%s",
            pair_refusal_text(PAIR_UNCONFIRMED));
        conn_close(n, c, SYNCLINE_OK, "the other side has given up");
        return door_gone(n, c->id, PAIR_UNCONFIRMED);
    }
    if (rc == SYNCLINE_OK)
        rc = ++a->messages > MESSAGES_MAX ? SYNCLINE_EMALFORMED
                                          : on_word(n, c, kind, bytes);
    return rc == SYNCLINE_OK || rc == SYNCLINE_ENOMEM
        ? rc
        : turn_away(n, c, PAIR_BROKEN);
}

int door_answer_find(struct node *n, struct slice datagram, struct buf *out)
{
    struct beacon me = { .device = n->device, .port = n->opt.port };
    struct beacon_find find;
    int rc;

    if (!is_open(n) || n->door->asker.conn != 0 ||
        n->now_us < n->door->find_from_us)
        return SYNCLINE_EDENIED;
    rc = beacon_get_find(&find, n->opt.crypto, OPEN_SECRET, datagram);
    if (rc == SYNCLINE_OK)
        rc = beacon_put_here(out, n->opt.crypto, OPEN_SECRET, &find, &me);
    if (rc == SYNCLINE_OK)
        n->door->find_from_us = n->now_us + FIND_PAUSE_US;
    return rc;
}

/* ---- what people say ---- */

int admin_pending_open(struct admin *q)
{
    int64_t seconds = json_get_int(q->args, "for_s", OPEN_S_DEFAULT);
    const struct audit_field fields[] = {
        AUDIT_NUMBER("for_s", (uint64_t)seconds), AUDIT_END
    };
    struct node *n = q->n;
    struct buf b = { 0 };
    int rc = access_check_admin(n, q->why);

    if (rc == SYNCLINE_OK && seconds > 0)
        rc = access_check_heeded(n, q->args, q->why);
    if (rc != SYNCLINE_OK)
        return rc;
    if (seconds < 0 || seconds > OPEN_S_MAX)
        return errmsg_set(q->why, SYNCLINE_EINVAL,
            "devices may ask for up to %d s, not for %lld s", OPEN_S_MAX,
            (long long)seconds);
    if (n->door == NULL)
        n->door = calloc(1, sizeof *n->door);
    if (n->door == NULL)
        return SYNCLINE_ENOMEM;
    buf_printf(&b, "{\"ok\":true,\"open_s\":%lld}", (long long)seconds);
    rc = admin_reply(q, &b);
    if (rc == SYNCLINE_OK)
        rc = node_audit(n, "pair-open", fields);
    if (rc != SYNCLINE_OK)
        return rc;
    n->door->lasts_us = (uint64_t)seconds * 1000000;
    n->door->open_until_us = n->now_us + n->door->lasts_us;
    n->door->tries = n->door->asker.conn != 0 ? 1 : 0;
    n->door->pause_until_us = 0;
    return SYNCLINE_OK;
}

static void put_asker(
    const struct node *n, struct buf *b, const struct asker *a)
{
    char addr[NETADDR_TEXT];

    netaddr_format(addr, &a->addr);
    buf_put_str(b, "{\"device\":");
    put_device_hex(b, &a->device);
    buf_put_str(b, ",\"name\":");
    json_print_string(b, SLICE(a->name, a->name_len), false);
    buf_printf(b,
        ",\"address\":\"%s\",\"since\":%llu,\"digits\":\"%s\","
        "\"confirmed\":%s,\"approved\":%s,\"member\":%s}",
        addr, (unsigned long long)a->since_wall_us, a->digits.text,
        a->confirmed ? "true" : "false", a->approved ? "true" : "false",
        members_has(n->members, &a->device) ? "true" : "false");
}

/* The one at the door, once it has digits; NULL: nobody. */
static struct asker *asker_shown(const struct node *n)
{
    return n->door != NULL && n->door->asker.conn != 0 &&
            n->door->asker.digits.text[0] != 0
        ? &n->door->asker
        : NULL;
}

int admin_pending(struct admin *q)
{
    struct node *n = q->n;
    const struct asker *a = asker_shown(n);
    struct buf b = { 0 };
    uint64_t open_us = is_open(n) ? n->door->open_until_us - n->now_us : 0;

    buf_printf(&b, "{\"ok\":true,\"open_s\":%llu,\"pending\":[",
        (unsigned long long)((open_us + 999999) / 1000000));
    if (a != NULL)
        put_asker(n, &b, a);
    buf_put_str(&b, "]}");
    return admin_reply(q, &b);
}

/* By its digits, or its whole id, since one that begins alike can be found by
 * trying; never by the name that it gives itself. */
static int find_asker(struct admin *q, struct asker **out)
{
    struct slice who = json_get_str(q->args, "who");
    struct asker *a = asker_shown(q->n);
    char hex[2 * DEVICE_ID_LEN + 1];

    if (a == NULL)
        return errmsg_set(q->why, SYNCLINE_ENOTFOUND,
            "nobody is at the door; `syncline pending` shows who is");
    hex_encode(hex, device_slice(&a->device));
    if (digits_are(&a->digits, who) || slice_eq(slice_str(hex), who)) {
        *out = a;
        return SYNCLINE_OK;
    }
    return errmsg_set(q->why, SYNCLINE_ENOTFOUND,
        "%.*s: the device at the door shows other digits; unless this was "
        "mistyped, somebody may stand between the two machines: `syncline "
        "deny` it",
        SLICE_FMT(who));
}

int admin_approve(struct admin *q)
{
    struct pair_terms terms;
    struct asker *a = NULL;
    int rc = access_read_terms(q->n, q->args, &terms, q->why);

    if (rc == SYNCLINE_OK)
        rc = find_asker(q, &a);
    if (rc == SYNCLINE_OK && (a->approved || q->n->door->request != 0))
        rc = errmsg_set(q->why, SYNCLINE_EBUSY,
            "it has been approved already, and waits for the person at the "
            "other machine");
    if (rc == SYNCLINE_OK)
        rc = node_audit_terms(q->n, "pair-approved", &a->device,
            SLICE(a->name, a->name_len), &terms);
    if (rc != SYNCLINE_OK)
        return rc;
    a->approved = true;
    a->terms = terms;
    q->n->door->request = q->request;
    q->n->door->approved = a->device;
    q->n->door->over = false;
    return SYNCLINE_OK;
}

int admin_deny(struct admin *q)
{
    struct asker *a = NULL;
    struct conn *c;
    struct buf b = { 0 };
    int rc = find_asker(q, &a);

    if (rc != SYNCLINE_OK)
        return rc;
    if (a->written_at != 0)
        return errmsg_set(q->why, SYNCLINE_EBUSY,
            "it is a member already; `syncline remove` it");
    buf_put_str(&b, "{\"ok\":true,\"device\":");
    put_device_hex(&b, &a->device);
    buf_put_u8(&b, '}');
    rc = admin_reply(q, &b);
    if (rc == SYNCLINE_OK)
        rc = node_audit_device(
            q->n, "pair-denied", &a->device, SLICE(a->name, a->name_len));
    c = conn_by_id(q->n, a->conn);
    if (rc == SYNCLINE_OK && c != NULL && !c->closing)
        rc = turn_away(q->n, c, PAIR_DENIED);
    else if (rc == SYNCLINE_OK)
        rc = door_gone(q->n, a->conn, PAIR_DENIED);
    return rc;
}

/* The approval is withdrawn, unless it is in already. */
void door_cancel(struct node *n, uint64_t request)
{
    struct door *d = n->door;

    if (d == NULL || d->request != request || request == 0)
        return;
    d->request = 0;
    d->over = false;
    if (d->asker.written_at == 0)
        d->asker.approved = false;
}

/* ---- in ---- */

/* In a step of its own: should the store refuse, nobody's request is undone
 * by halves. */
static int write_certificate(struct node *n, struct conn *c)
{
    struct asker *a = &n->door->asker;
    struct cert_id made;
    int rc = pair_admit(
        n, c, SLICE(a->name, a->name_len), a->port, &a->terms, &made);

    if (rc == SYNCLINE_EDENIED || rc == SYNCLINE_ELIMIT)
        return turn_away(n, c, PAIR_FAILED); /* it is an admin no more */
    if (rc == SYNCLINE_EINVAL)
        return turn_away(n, c, PAIR_BROKEN);
    if (rc == SYNCLINE_OK)
        a->written_at = txn_is_empty(&n->txn) ? n->commit : n->commit + 1;
    return rc;
}

/* The commit may have been refused, or its number be another one's by now:
 * what counts is whether the mesh takes the device for a member. */
static int welcome(struct node *n, struct conn *c)
{
    struct asker *a = &n->door->asker;
    int rc;

    if (n->commit >= a->written_at && a->written_at > n->persisted)
        return SYNCLINE_OK;
    if (n->mesh_changed)
        return SYNCLINE_OK; /* not folded yet */
    if (n->commit < a->written_at || !members_has(n->members, &a->device))
        return turn_away(n, c, PAIR_FAILED);
    rc = pair_welcome(n, c, 0);
    return rc == SYNCLINE_OK ? door_gone(n, c->id, PAIR_ACCEPTED) : rc;
}

static int go_on(struct node *n)
{
    struct asker *a = &n->door->asker;
    struct conn *c = a->conn != 0 ? conn_by_id(n, a->conn) : NULL;

    if (a->conn == 0)
        return SYNCLINE_OK;
    if (c == NULL || c->closing)
        return door_gone(n, a->conn, PAIR_UNCONFIRMED);
    if (a->written_at != 0)
        return welcome(n, c);
    return a->approved && a->confirmed ? write_certificate(n, c) : SYNCLINE_OK;
}

static int answer_approval(struct node *n)
{
    struct door *d = n->door;
    struct errmsg why = { "" };
    struct buf b = { 0 };
    int rc = pair_refusal_status(d->why);

    if (rc != SYNCLINE_OK) {
        (void)errmsg_set(&why, rc, "%s", pair_refusal_text(d->why));
        rc = fx_error(n, d->request, rc, &why);
    } else {
        buf_put_str(&b, "{\"ok\":true,\"device\":");
        put_device_hex(&b, &d->approved);
        buf_put_u8(&b, '}');
        rc = buf_status(&b);
        if (rc == SYNCLINE_OK)
            rc = fx_reply(n, d->request, buf_slice(&b), false);
        buf_free(&b);
    }
    if (rc == SYNCLINE_OK) {
        d->request = 0;
        d->over = false;
    }
    return rc;
}

int door_persisted(struct node *n)
{
    int rc = SYNCLINE_OK;

    if (n->door == NULL)
        return rc;
    if (n->door->asker.written_at != 0)
        rc = go_on(n);
    if (rc == SYNCLINE_OK && n->door->over)
        rc = answer_approval(n);
    return rc;
}

int door_tick(struct node *n)
{
    int rc = n->door != NULL ? go_on(n) : SYNCLINE_OK;

    if (n->door != NULL && !is_open(n))
        shut(n, "the time is over");
    if (rc == SYNCLINE_OK && n->door != NULL && n->door->over)
        rc = answer_approval(n);
    return rc;
}

uint64_t door_deadline(const struct node *n)
{
    const struct door *d = n->door;
    const struct asker *a = d != NULL ? &d->asker : NULL;

    if (d == NULL)
        return UINT64_MAX;
    if (d->over || (a->written_at != 0 && n->commit < a->written_at) ||
        (a->written_at != 0 && a->written_at <= n->persisted) ||
        (a->conn != 0 && a->approved && a->confirmed && a->written_at == 0))
        return n->now_us;
    return d->open_until_us != 0 ? d->open_until_us : UINT64_MAX;
}
