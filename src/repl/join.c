/* Pairing, on both sides, and the move from one mesh to another.
 *
 *   the inviter   knock -> JOIN -> certificate durable -> WELCOME
 *   the joiner    dial each address, then search by multicast -> JOIN ->
 *                 WELCOME -> leave the old mesh, enter the new one -> answer
 */
#include "base/text.h"
#include "repl/node_impl.h"

#include <stdlib.h>

#define JOIN_US ((uint64_t)30 * 1000 * 1000)
#define FIND_EVERY_US ((uint64_t)500 * 1000)
#define STRANGERS_MAX 8 /* connected to pair, and silent so far */
#define TARGETS_MAX (CODE_ADDRS_MAX + 2)

/* The joiner's attempt. */
struct joining {
    uint64_t request;
    struct pair_code code;
    struct netaddr targets[TARGETS_MAX];
    size_t targets_n, at;
    uint64_t conn; /* 0: none under way */
    uint64_t deadline_us, find_due_us;
    struct beacon_find find;
    bool searching, discard;
    uint64_t answer_at; /* commit to be durable before the answer; 0: none */
    struct device_id inviter;
    struct buf inviter_name;
    uint64_t kept;
    struct errmsg last; /* why the last try failed */
};

/* The inviter's answer, once the certificate is durable. */
struct welcoming {
    struct welcoming *next;
    uint64_t conn, invite, commit;
};

/* ---- the inviter ---- */

static struct pair_link link_of(const struct node *n, const struct conn *c)
{
    struct pair_link link = { .exporter = c->exporter };
    struct slice mine = n->opt.crypto->spki, theirs = buf_slice(&c->spki);

    link.joiner_spki = c->inbound ? theirs : mine;
    link.inviter_spki = c->inbound ? mine : theirs;
    return link;
}

static int send_raw(struct node *n, struct conn *c, const struct buf *b)
{
    struct effect *fx = fx_add(n, FX_SEND);

    if (fx == NULL || buf_status(b) != SYNCLINE_OK)
        return SYNCLINE_ENOMEM;
    fx->conn = c->id;
    return fx_bytes(n, fx, buf_slice(b));
}

static int refuse(struct node *n, struct conn *c, enum pair_refusal why)
{
    const struct audit_field fields[] = {
        AUDIT_TEXT("why", slice_str(pair_refusal_text(why))), AUDIT_END
    };
    struct buf b = { 0 };
    int rc;

    log_line(&n->log, LOG_LEVEL_WARN, "join", "a device was refused: %s",
        pair_refusal_text(why));
    pair_put_refuse(&b, why);
    rc = send_raw(n, c, &b);
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
    const struct audit_field fields[] = {
        AUDIT_NUMBER("expires_s", (uint64_t)seconds), AUDIT_END
    };
    struct buf code = { 0 }, b = { 0 };
    struct errmsg why = { "" };
    size_t addrs_n;
    int rc = put_addresses(args, addrs, &addrs_n);

    if (seconds < 1 || seconds > 86400)
        rc = errmsg_set(&why, SYNCLINE_EINVAL,
            "a code is good for 1 second to 24 hours, not for %lld s",
            (long long)seconds);
    if (rc == SYNCLINE_OK)
        rc = invite_open(n->invites, n->now_us, (uint64_t)seconds * 1000000,
            addrs, addrs_n, &code);
    if (rc == SYNCLINE_ELIMIT)
        (void)errmsg_set(&why, rc,
            "%d codes are open already; use one or wait until it expires",
            INVITES_MAX);
    if (rc == SYNCLINE_OK) {
        buf_put_str(&b, "{\"ok\":true,\"code\":");
        json_print_string(&b, buf_slice(&code), false);
        buf_printf(&b, ",\"expires\":%llu}",
            (unsigned long long)n->wall_us +
                (unsigned long long)seconds * 1000000);
        rc = buf_status(&b);
    }
    if (rc == SYNCLINE_OK)
        rc = node_audit(n, "invite", fields);
    rc = rc == SYNCLINE_OK      ? fx_reply(n, request, buf_slice(&b), false)
        : rc == SYNCLINE_ENOMEM ? rc
                                : fx_error(n, request, rc, &why);
    buf_free(&code);
    buf_free(&b);
    return rc;
}

bool join_admits(const struct node *n, const struct device_id *device)
{
    if (n->joining != NULL && n->joining->conn != 0 &&
        memcmp(device->b, n->joining->code.prefix, CODE_PREFIX_LEN) == 0)
        return true;
    return invites_expect(n->invites, n->now_us);
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

static int on_join(struct node *n, struct conn *c, struct slice bytes)
{
    struct pair_link link = link_of(n, c);
    struct buf key = { 0 }, value = { 0 };
    enum pair_refusal why;
    struct pair_join j;
    int rc;

    /* The door is for who has something to say. */
    why = invites_knock(n->invites, c->id, n->now_us);
    if (why != PAIR_ACCEPTED)
        return refuse(n, c, why);
    rc = pair_on_join(n->invites, &link, n->now_us, bytes, &j, &why);
    if (rc == SYNCLINE_EDENIED)
        return refuse(n, c, why);
    if (rc == SYNCLINE_OK)
        rc = members_make_member(
            n->members, &key, &value, buf_slice(&c->spki), j.name, n->wall_us);
    if (rc == SYNCLINE_OK)
        rc = mesh_put_text(n, buf_slice(&key), buf_slice(&value));
    buf_free(&key);
    buf_free(&value);
    if (rc == SYNCLINE_EINVAL)
        return refuse(n, c, PAIR_BROKEN);
    if (rc == SYNCLINE_OK && j.port != 0) {
        struct netaddr addr = c->remote;

        addr.port = j.port;
        c->port = j.port;
        c->remote = addr;
    }
    if (rc == SYNCLINE_OK)
        rc = node_audit_device(n, "pair", &c->device, j.name);
    return rc == SYNCLINE_OK ? welcome_later(n, c, j.invite) : rc;
}

struct record_scan {
    struct node *node;
    struct buf out;
    uint32_t n;
};

static int put_record(void *ctx, struct slice key, struct slice value)
{
    struct record_scan *s = ctx;
    struct buf doc = { 0 };
    struct stored st;
    int rc = stored_decode(value, &st, &s->node->step);

    key = slice_from(key, 4);
    if (rc != SYNCLINE_OK || !item_alive(&st.item) ||
        (!slice_has_prefix(key, SLICE_LIT(MEMBER_PREFIX)) &&
            !slice_has_prefix(key, SLICE_LIT(REMOVED_PREFIX))))
        return rc;
    put_document(&doc, &st.item, &s->node->step);
    put_pair_record(&s->out, key, buf_slice(&doc));
    s->n++;
    rc = buf_status(&doc) != 0 ? buf_status(&doc) : buf_status(&s->out);
    buf_free(&doc);
    return rc;
}

static int send_welcome(struct node *n, struct conn *c, uint64_t invite)
{
    struct space *mesh = space_by_name(n, SLICE_LIT(MESH_SPACE));
    struct record_scan scan = { .node = n };
    struct pair_link link = link_of(n, c);
    struct pair_welcome w = { .mesh = n->mesh, .name = n->opt.name };
    struct buf prefix = { 0 }, out = { 0 };
    int rc = store_scan(&n->opt.store, TABLE_ITEM, key_space(&prefix, mesh->id),
        SLICE_NONE, put_record, &scan);

    memcpy(w.secret, n->mesh_secret, MESH_SECRET_LEN);
    w.records = buf_slice(&scan.out);
    w.records_n = scan.n;
    if (rc == SYNCLINE_OK)
        rc = pair_put_welcome(n->invites, invite, &link, &w, &out);
    if (rc == SYNCLINE_OK)
        rc = send_raw(n, c, &out);
    if (rc == SYNCLINE_OK) {
        if (c->port != 0)
            peers_learn(n->peers, &c->device, &c->remote, PEER_OBSERVED);
        conn_close(n, c, SYNCLINE_OK, "paired");
        invites_leave(n->invites, c->id);
        rc = mesh_save_book(n);
    }
    buf_free(&prefix);
    buf_free(&scan.out);
    buf_free(&out);
    return rc == SYNCLINE_ENOTFOUND ? refuse(n, c, PAIR_EXPIRED) : rc;
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
            rc = send_welcome(n, c, w->invite);
        free(w);
    }
    return rc;
}

/* ---- the joiner ---- */

static void joining_free(struct node *n)
{
    if (n->joining == NULL)
        return;
    buf_free(&n->joining->inviter_name);
    free(n->joining);
    n->joining = NULL;
}

/* Until the answer is out, somebody waits for it. */
static int give_up(struct node *n, int rc, const struct errmsg *why)
{
    rc = fx_error(n, n->joining->request, rc, why);
    if (rc == SYNCLINE_OK)
        joining_free(n);
    return rc;
}

/* Once it is in, it is in. */
void join_cancel(struct node *n, uint64_t request)
{
    struct joining *j = n->joining;
    struct conn *c;

    if (j == NULL || j->request != request || j->answer_at != 0)
        return;
    c = j->conn != 0 ? conn_by_id(n, j->conn) : NULL;
    joining_free(n);
    if (c != NULL && !c->closing)
        conn_close(n, c, SYNCLINE_OK, "nobody is joining any more");
}

static int dial_next(struct node *n)
{
    struct joining *j = n->joining;
    struct effect *fx;

    if (j->at < j->targets_n) {
        fx = fx_add(n, FX_DIAL);
        if (fx == NULL)
            return SYNCLINE_ENOMEM;
        fx->conn = j->conn = ++n->next_conn;
        fx->remote = j->targets[j->at++];
        fx->pairing = true;
        return SYNCLINE_OK;
    }
    j->conn = 0;
    if (!j->searching) {
        j->searching = true;
        j->find_due_us = n->now_us;
    }
    return SYNCLINE_OK;
}

static int read_join_args(struct node *n, const struct json *args,
    struct joining *j, struct errmsg *why)
{
    struct slice peer = json_get_str(args, "peer");
    int rc = code_decode(&j->code, json_get_str(args, "code"), why);

    if (rc != SYNCLINE_OK)
        return rc;
    if (memcmp(n->device.b, j->code.prefix, CODE_PREFIX_LEN) == 0)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "this code was made by this very device; give it to another one");
    if (peer.len > 0) {
        rc = netaddr_parse(&j->targets[j->targets_n++], peer, 4748, why);
        if (rc != SYNCLINE_OK)
            return rc;
    }
    for (size_t i = 0; i < j->code.addrs_n; i++)
        j->targets[j->targets_n++] = j->code.addrs[i];
    return SYNCLINE_OK;
}

/* Is this a code of the mesh that we are in? */
static const struct member *maker_of(
    const struct node *n, const struct pair_code *code)
{
    for (size_t i = 0; i < members_n(n->members); i++) {
        const struct member *m = members_at(n->members, i);

        if (memcmp(m->device.b, code->prefix, CODE_PREFIX_LEN) == 0)
            return m;
    }
    return NULL;
}

static int may_join(struct node *n, const struct json *args,
    const struct joining *j, struct errmsg *why)
{
    const struct member *maker = maker_of(n, &j->code);

    if (n->joining != NULL || n->replay != NULL)
        return errmsg_set(why, SYNCLINE_EBUSY,
            "this device is joining a mesh already; wait for it");
    if (maker != NULL && !json_get_bool(args, "leave", false))
        return errmsg_set(why, SYNCLINE_EEXIST,
            "this code was made by %.*s, with whom this device shares a mesh "
            "already; if it was removed there, come back with --leave",
            SLICE_FMT(maker->name));
    if (members_n(n->members) > 1 && !json_get_bool(args, "leave", false))
        return errmsg_set(why, SYNCLINE_EEXIST,
            "this device shares a mesh with %zu other%s; to leave it and "
            "join another one, say --leave",
            members_n(n->members) - 1, members_n(n->members) == 2 ? "" : "s");
    return SYNCLINE_OK;
}

int request_join(struct node *n, uint64_t request, const struct json *args)
{
    struct errmsg why = { "" };
    struct joining *j = calloc(1, sizeof *j);
    int rc;

    if (j == NULL)
        return SYNCLINE_ENOMEM;
    rc = read_join_args(n, args, j, &why);
    if (rc == SYNCLINE_OK)
        rc = may_join(n, args, j, &why);
    if (rc != SYNCLINE_OK) {
        free(j);
        return fx_error(n, request, rc, &why);
    }
    j->request = request;
    j->discard = json_get_bool(args, "discard", false);
    j->deadline_us = n->now_us + JOIN_US;
    n->joining = j;
    return dial_next(n);
}

static unsigned strangers(const struct node *n)
{
    unsigned count = 0;

    for (const struct conn *c = n->conns; c != NULL; c = c->next)
        count += c->pairing && c->inbound && !c->closing;
    return count;
}

int join_on_conn(struct node *n, struct conn *c)
{
    struct joining *j = n->joining;
    struct pair_link link = link_of(n, c);
    struct buf out = { 0 };
    int rc;

    if (c->inbound) {
        if (strangers(n) > STRANGERS_MAX)
            conn_close(n, c, SYNCLINE_EBUSY, "too many strangers at once");
        return SYNCLINE_OK;
    }
    if (j == NULL || j->conn != c->id) {
        conn_close(n, c, SYNCLINE_OK, "nobody is joining any more");
        return SYNCLINE_OK;
    }
    rc = pair_put_join(n->opt.crypto, &j->code, &link, n->opt.name, n->opt.port,
        &out, &j->last);
    if (rc == SYNCLINE_OK)
        rc = send_raw(n, c, &out);
    else if (rc != SYNCLINE_ENOMEM)
        conn_close(n, c, rc, j->last.text);
    buf_free(&out);
    return rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_OK;
}

int join_on_dial_failed(struct node *n, uint64_t conn)
{
    struct joining *j = n->joining;

    if (j == NULL || j->conn != conn || j->answer_at != 0)
        return SYNCLINE_OK;
    return dial_next(n);
}

int join_on_conn_down(struct node *n, struct conn *c)
{
    invites_leave(n->invites, c->id);
    return join_on_dial_failed(n, c->id);
}

static int enter(struct node *n, struct conn *c, const struct pair_welcome *w)
{
    struct joining *j = n->joining;
    const struct mesh_id left = n->mesh;
    struct netaddr addr = c->remote;
    int rc;

    j->inviter = c->device;
    buf_put_slice(&j->inviter_name, w->name);
    rc = move_to_mesh(n, w, j->discard, &j->kept);
    if (rc != SYNCLINE_OK)
        return rc;
    peers_learn(n->peers, &j->inviter, &addr, PEER_CODE);
    j->conn = 0;
    rc = mesh_save_book(n);
    j->answer_at = txn_is_empty(&n->txn) ? n->commit : n->commit + 1;
    if (rc == SYNCLINE_OK)
        rc = audit_join(
            n, &j->inviter, buf_slice(&j->inviter_name), &left, j->kept);
    return rc == SYNCLINE_OK ? join_persisted(n) : rc;
}

int join_on_frame(struct node *n, struct conn *c, struct slice bytes)
{
    struct joining *j = n->joining;
    struct pair_link link = link_of(n, c);
    struct pair_welcome w;
    int rc;

    if (c->inbound)
        return on_join(n, c, bytes);
    if (j == NULL || j->conn != c->id)
        return SYNCLINE_EMALFORMED;
    rc = pair_on_answer(n->opt.crypto, &j->code, &link, bytes, &w, &j->last);
    if (rc == SYNCLINE_ENOMEM)
        return rc;
    if (rc == SYNCLINE_OK) {
        rc = enter(n, c, &w);
        if (rc != SYNCLINE_OK)
            return give_up(n, rc, NULL);
    } else {
        rc = give_up(n, rc, &j->last); /* no other address, no search */
    }
    conn_close(n, c, SYNCLINE_OK, "pairing is over");
    return rc;
}

static int answer_join(struct node *n)
{
    struct joining *j = n->joining;
    struct buf b = { 0 };
    int rc;

    buf_put_str(&b, "{\"ok\":true,\"mesh\":\"");
    put_hex(&b, SLICE(n->mesh.b, MESH_ID_LEN));
    buf_put_str(&b, "\",\"device\":");
    put_device_hex(&b, &j->inviter);
    buf_put_str(&b, ",\"name\":");
    json_print_string(&b, buf_slice(&j->inviter_name), false);
    buf_printf(&b, ",\"kept\":%llu}", (unsigned long long)j->kept);
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = fx_reply(n, j->request, buf_slice(&b), false);
    buf_free(&b);
    if (rc == SYNCLINE_OK)
        joining_free(n);
    return rc;
}

static bool owes_answer(const struct node *n)
{
    return n->joining != NULL && n->joining->answer_at != 0 &&
        n->joining->answer_at <= n->persisted;
}

int join_persisted(struct node *n)
{
    int rc = send_welcomes(n);

    return rc == SYNCLINE_OK && owes_answer(n) ? answer_join(n) : rc;
}

/* ---- datagrams ---- */

static int send_datagram(
    struct node *n, const struct buf *b, const struct netaddr *to)
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

    /* Multicast too: the asker may hear no unicast on this port. */
    if (rc == SYNCLINE_OK)
        rc = send_datagram(n, &b, NULL);
    buf_free(&b);
    return rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_OK;
}

static int on_here(struct node *n, const struct event *ev)
{
    struct joining *j = n->joining;
    struct beacon b;

    if (j == NULL || !j->searching || j->conn != 0 || j->answer_at != 0 ||
        beacon_get_here(&b, n->opt.crypto,
            SLICE(j->code.secret, CODE_SECRET_LEN), &j->find,
            ev->bytes) != SYNCLINE_OK)
        return SYNCLINE_OK;
    j->targets[0] = ev->remote;
    j->targets[0].port = b.port;
    j->targets_n = 1;
    j->at = 0;
    return dial_next(n);
}

static int on_announce(struct node *n, const struct event *ev)
{
    struct netaddr addr = ev->remote;
    struct beacon b;

    if (beacon_get_announce(&b, n->opt.crypto, &n->beacon_key, ev->bytes) !=
        SYNCLINE_OK)
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
        return on_here(n, ev);
    default:
        return SYNCLINE_OK;
    }
}

/* ---- time ---- */

static int search(struct node *n)
{
    struct joining *j = n->joining;
    struct buf b = { 0 };
    int rc;

    j->find_due_us = n->now_us + FIND_EVERY_US;
    j->find.port = n->opt.port;
    rc = beacon_put_find(
        &b, n->opt.crypto, SLICE(j->code.secret, CODE_SECRET_LEN), &j->find);
    if (rc == SYNCLINE_OK)
        rc = send_datagram(n, &b, NULL);
    buf_free(&b);
    return rc;
}

static int tick_joining(struct node *n)
{
    struct joining *j = n->joining;
    struct errmsg why = { "" };

    if (owes_answer(n))
        return answer_join(n);
    if (j == NULL || j->answer_at != 0)
        return SYNCLINE_OK;
    if (n->now_us >= j->deadline_us) {
        if (j->last.text[0] == 0)
            (void)errmsg_set(&j->last, SYNCLINE_ETIMEOUT,
                "the inviting device was not found, neither at the code's "
                "addresses nor on this network; say where it is with --peer "
                "ADDRESS:PORT");
        why = j->last;
        return give_up(n, SYNCLINE_ETIMEOUT, &why);
    }
    if (j->searching && j->conn == 0 && n->now_us >= j->find_due_us)
        return search(n);
    return SYNCLINE_OK;
}

int join_tick(struct node *n)
{
    uint64_t late = invites_overdue(n->invites, n->now_us);
    struct conn *c = late != 0 ? conn_by_id(n, late) : NULL;
    int rc = SYNCLINE_OK;

    if (c != NULL && !c->closing)
        rc = refuse(n, c, PAIR_TOO_LATE);
    if (late != 0)
        invites_leave(n->invites, late);
    if (rc == SYNCLINE_OK)
        rc = tick_joining(n);
    return rc;
}

uint64_t join_deadline(const struct node *n)
{
    uint64_t due = invites_deadline(n->invites);
    const struct joining *j = n->joining;

    if (owes_answer(n) && n->now_us < due)
        due = n->now_us;
    if (j != NULL && j->answer_at == 0) {
        if (j->deadline_us < due)
            due = j->deadline_us;
        if (j->searching && j->conn == 0 && j->find_due_us < due)
            due = j->find_due_us;
    }
    return due;
}

void join_free(struct node *n)
{
    joining_free(n);
    replay_free(n);
    while (n->welcoming != NULL) {
        struct welcoming *next = n->welcoming->next;

        free(n->welcoming);
        n->welcoming = next;
    }
}
