/* Connections with LAN-sync nodes: those that come, and those that we call. */
#include "app/lan/lan_conns_impl.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/plant.h"
#include "base/text.h"

#define GUEST_MESSAGES 10 /* a second, of who was not let in */
#define SESSION_US UINT64_C(3600000000)

/* ---- the end of one ---- */

static const char *name_of(const struct lan_conn *c, char text[320])
{
    char at[NETADDR_TEXT];

    if (c->peer != NULL)
        (void)snprintf(text, 320, "%s:%u", c->peer->host, c->peer->port);
    else
        netaddr_format(at, &c->remote);
    if (c->peer == NULL)
        (void)snprintf(text, 320, "%s%s%s", lan_link_node(c->link),
            lan_link_node(c->link)[0] != 0 ? " at " : "", at);
    return text;
}

static void tell_end(struct lan_conn *c, const char *why)
{
    struct lan_face *f = c->face;
    bool is_news =
        c->is_open || c->peer == NULL || strcmp(c->peer->why, why) != 0;
    char name[320];

    if (is_news && (c->is_open || c->peer != NULL))
        log_line(&f->log,
            c->is_open                  ? LOG_LEVEL_INFO
                : c->peer->node[0] != 0 ? lan_near_level(f, LOG_LEVEL_WARN)
                                        : LOG_LEVEL_WARN,
            "lansync", "%s: %s", name_of(c, name), why);
    if (c->peer != NULL)
        (void)snprintf(c->peer->why, sizeof c->peer->why, "%s", why);
}

/* Whose TLS, or whose lack of it, has kept him out. */
static void note_tls(struct lan_conn *c, const char *why)
{
    const bool is_tls = lan_wire_is_refused(c->wire) ||
        strncmp(why, "TLS", 3) == 0 || strncmp(why, "its cert", 8) == 0;

    if (c->refused[0] == 0 && !c->is_open && is_tls)
        (void)snprintf(c->refused, sizeof c->refused, "%s", why);
}

/* Of who was not told the secret, and would have let us in then. */
static const char *why_untold(const struct lan_conn *c, const char *why)
{
    const bool is_refused =
        strncmp(why, LAN_REFUSED, sizeof LAN_REFUSED - 1) == 0 ||
        strcmp(why, LAN_UNANSWERED) == 0;

    if (!c->is_untold || c->is_open || !is_refused)
        return why;
    return c->face->opt.say_secret == LAN_SAY_NEVER
        ? "it wants to be told the secret, which lansync.say_secret forbids"
        : "it wants to be told the secret, and is only near: name it in "
          "lansync.peers (lansync.say_secret)";
}

static void leave(struct lan_conn *c, const char *why)
{
    struct lan_face *f = c->face;
    struct lan_conn **at = &f->conns;
    const char *told;

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    if (c->why[0] != 0)
        why = c->why;
    note_tls(c, why);
    told = why_untold(c, why);
    if (c->peer != NULL)
        c->peer->wants_secret =
            c->is_untold && (told != why || c->peer->wants_secret);
    tell_end(c, told);
    if (c->peer == NULL && c->refused[0] != 0)
        lan_refused_note(c);
    if (c->is_open) {
        lan_exchange_close(f->exchange, c->number);
        if (f->engine != NULL && c->has_name)
            lan_kept_here(f, lan_link_node(c->link), false);
    }
    lan_link_end(c->link);
    if (c->peer != NULL)
        lan_peer_left(c->peer, c);
    lan_link_free(c->link);
    free(c);
}

void lan_conn_close_soon(struct lan_conn *c, const char *why)
{
    if (c->is_over)
        return;
    c->is_over = true;
    (void)snprintf(c->why, sizeof c->why, "%.*s",
        SLICE_FMT(utf8_cut(slice_str(why), sizeof c->why - 1)));
}

void lan_conn_close(struct lan_conn *c, const char *why)
{
    lan_conn_close_soon(c, why);
    lan_wire_close(c->wire);
}

/* From within whatever it is: by the next tick it has gone. */
void lan_conn_cut(struct lan_conn *c, const char *why)
{
    lan_conn_close_soon(c, why);
    c->is_cut = true;
    lan_arm(c->face);
}

static void drop_cut(struct lan_face *f)
{
    struct lan_conn *c = f->conns, *next;

    for (; c != NULL; c = next) {
        struct lan_wire *w = c->wire;

        next = c->next;
        if (!c->is_cut)
            continue;
        leave(c, c->why);
        lan_wire_drop(w);
    }
}

/* ---- events of a link ---- */

static void on_send(void *ctx, struct slice bytes)
{
    struct lan_conn *c = ctx;

    if (!c->is_cut)
        lan_door_shed(c);
    if (lan_wire_queued(c->wire) >
        (lan_conn_is_guest(c) && !PLANTED(R33_LAN_GUEST) ? 2 * LAN_GUEST_MAX
                                                         : LAN_QUEUE_MAX))
        lan_conn_cut(c, "it does not read");
    if (!c->is_cut)
        lan_wire_send(c->wire, bytes);
}

static void on_link_close(void *ctx, const char *why)
{
    struct lan_conn *c = ctx;

    lan_conn_close_soon(c, why);
    if (strcmp(why, LAN_HALF_SAID) != 0)
        return;
    (void)snprintf(c->refused, sizeof c->refused,
        "it begins messages and does not end them: others needed the room");
    lan_wire_close(c->wire); /* it is another one that is heard just now */
}

static void exchange_with(struct lan_conn *c)
{
    struct lan_face *f = c->face;

    c->has_name = lan_link_node(c->link)[0] != 0;
    if (lan_exchange_open(f->exchange, c->number, c->link, clock_mono_us()) !=
        SYNCLINE_OK) {
        c->is_open = false;
        lan_conn_close_soon(c, "memory ran out");
    } else {
        lan_kept_here(f, lan_link_node(c->link), true);
    }
}

/* A server that lets all in need not say anything until it is told something:
 * then it is found out who it is, and what it has acknowledged before. */
static void note_name(struct lan_conn *c)
{
    if (!c->is_open || c->is_over || c->has_name ||
        lan_link_node(c->link)[0] == 0)
        return;
    if (lan_door_keeps_other(c)) {
        lan_conn_close_soon(c, "there is a connection with it already");
        return;
    }
    lan_exchange_close(c->face->exchange, c->number);
    exchange_with(c);
}

static void on_open(void *ctx)
{
    struct lan_conn *c = ctx;
    struct lan_face *f = c->face;
    char name[320];

    if (lan_kin_parts(c))
        return;
    if (lan_door_keeps_other(c)) {
        lan_conn_close_soon(c, "there is a connection with it already");
        return;
    }
    c->is_open = true;
    if (c->peer != NULL) {
        c->peer->pause_us = 0;
        c->peer->why[0] = 0;
        c->peer->wants_secret = false;
    }
    log_line(
        &f->log, LOG_LEVEL_INFO, "lansync", "connected: %s", name_of(c, name));
    exchange_with(c);
}

static int on_binding(void *ctx, uint8_t out[LAN_BINDING_LEN])
{
    const struct lan_conn *c = ctx;

    return lan_wire_is_secure(c->wire) ? lan_wire_binding(c->wire, out)
                                       : SYNCLINE_ENOTFOUND;
}

/* Something of it counts. */
static void note_heard(struct lan_conn *c)
{
    c->refused[0] = 0;
    if (c->is_heard)
        return;
    c->is_heard = true;
    lan_refused_forget(c);
}

/* Once of each connection: it may say many. */
static void tell_unread(struct lan_conn *c)
{
    char name[320];

    if (!c->is_unread)
        log_line(&c->face->log, LOG_LEVEL_WARN, "lansync", "%s: %s",
            name_of(c, name), c->refused);
    c->is_unread = true;
}

static void on_passed_over(
    void *ctx, int rc, const char *why, struct slice node)
{
    struct lan_conn *c = ctx;

    lan_conn_said_node(c, node);
    (void)snprintf(c->refused, sizeof c->refused,
        rc == SYNCLINE_ETIMEOUT
            ? "what it says is too old for lansync.ttl: is its clock right, "
              "and ours? (%s)"
            : rc == SYNCLINE_EMALFORMED
            ? "a message of it cannot be read, and nothing in it is taken (%s)"
            : "what it says is not signed with the secret that we have (%s)",
        why);
    if (rc == SYNCLINE_EMALFORMED)
        tell_unread(c);
    if (c->peer != NULL && !c->is_open)
        (void)snprintf(c->peer->why, sizeof c->peer->why, "%s", c->refused);
}

static int on_message(void *ctx, const struct lan_message *m)
{
    struct lan_conn *c = ctx;

    note_heard(c);
    note_name(c);
    return c->is_open
        ? lan_exchange_take(c->face->exchange, c->number, m, clock_mono_us())
        : SYNCLINE_EUNSUPPORTED;
}

static void on_answer(void *ctx, uint64_t request, const struct lan_answer *a)
{
    struct lan_conn *c = ctx;

    if (a->rc != SYNCLINE_ETIMEOUT && a->rc != SYNCLINE_ECLOSED)
        note_heard(c);
    note_name(c);
    if (c->is_open)
        (void)lan_exchange_answered(
            c->face->exchange, c->number, request, a, clock_mono_us());
}

/* It says more than it may: the rest waits at its end. */
static void on_hold(void *ctx, bool held)
{
    struct lan_conn *c = ctx;

    c->is_held = held;
    if (!c->is_over)
        lan_wire_hold(c->wire, held);
}

static void on_log(void *ctx, const char *text)
{
    struct lan_conn *c = ctx;
    char name[320];

    log_line(&c->face->log, LOG_LEVEL_DEBUG, "lansync", "%s: %s",
        name_of(c, name), text);
}

/* ---- events of a wire ---- */

static void settle(struct lan_conn *c)
{
    if (c->is_over)
        lan_wire_close(c->wire);
    lan_arm(c->face);
}

static void on_bytes(void *ctx, struct slice bytes)
{
    struct lan_conn *c = ctx;

    if (!c->is_over)
        lan_link_feed(c->link, bytes, clock_mono_us());
    settle(c);
}

static void on_end(void *ctx, const char *why)
{
    struct lan_conn *c = ctx;
    struct lan_face *f = c->face;

    leave(c, why);
    lan_arm(f);
}

static void on_wire_open(void *ctx)
{
    struct lan_conn *c = ctx;

    c->since_us = clock_mono_us();
    if (c->peer != NULL)
        lan_link_begin(c->link, c->since_us);
    settle(c);
}

/* Who says nothing for so long has gone. Nodes of the first generation say
 * something every 30 s, whatever our own heartbeat. */
static uint64_t silence_us(const struct lan_face *f)
{
    const uint64_t beats = f->opt.misses_max * f->opt.heartbeat_us;

    return beats > f->opt.idle_us ? beats : f->opt.idle_us;
}

static int conn_new(struct lan_conn **out, struct lan_face *f,
    struct lan_peer *peer, const struct netaddr *remote)
{
    struct lan_conn *c = calloc(1, sizeof *c);
    const uint64_t now_us = clock_mono_us();
    const bool is_untold = peer != NULL && !lan_peer_may_be_told(f, peer);
    const struct lan_link_options opt = { .protocol = f->protocol,
        .is_server = peer == NULL,
        .needs_auth = f->opt.needs_auth,
        .auth = is_untold || (peer != NULL && peer->can_challenge)
            ? LAN_BY_PROOF
            : LAN_BY_TOKEN,
        .token = f->opt.secret,
        .key = f->opt.secret,
        .dialect = peer != NULL ? peer->dialect : LAN_UNDECIDED,
        .request_us = f->opt.request_us,
        .heartbeat_us = f->opt.heartbeat_us,
        .auth_us = f->opt.auth_us,
        .heartbeat_wait_us = f->opt.heartbeat_wait_us,
        .misses_max = f->opt.misses_max,
        .silence_us = silence_us(f),
        .guest_pace = { GUEST_MESSAGES, 2 * GUEST_MESSAGES },
        .pace = { f->opt.rate, 4 * f->opt.rate },
        .session_us = SESSION_US,
        .deflated = &f->deflated,
        .halves = &f->halves,
        .events = { .ctx = c,
            .send = on_send,
            .close = on_link_close,
            .may_try = lan_door_may_try,
            .failed = lan_door_failed,
            .hold = on_hold,
            .binding = on_binding,
            .offer = lan_kin_offer,
            .offered = lan_kin_offered,
            .on_open = on_open,
            .on_message = on_message,
            .on_answer = on_answer,
            .passed_over = on_passed_over,
            .log = on_log } };
    int rc = c != NULL ? lan_link_new(&c->link, &opt, now_us) : SYNCLINE_ENOMEM;

    if (rc != SYNCLINE_OK) {
        free(c);
        return rc;
    }
    c->face = f;
    c->peer = peer;
    c->is_untold = is_untold;
    c->number = ++f->next_number;
    c->since_us = now_us;
    if (remote != NULL)
        c->remote = *remote;
    *out = c;
    return SYNCLINE_OK;
}

/* ---- who comes ---- */

/* What events its wire tells; NULL: it is not let in. */
static struct lan_conn *let_in(struct lan_face *f, const struct netaddr *remote,
    struct lan_wire_events *events)
{
    struct lan_conn *c;

    if (f->is_stopping || f->exchange == NULL || !lan_door_admits(f, remote))
        return NULL;
    if (!lan_door_has_room(f, remote)) {
        f->counts.refused_room++;
        return NULL;
    }
    if (conn_new(&c, f, NULL, remote) != SYNCLINE_OK)
        return NULL;
    *events = (struct lan_wire_events){ c, on_wire_open, on_bytes, on_end };
    return c;
}

/* rc: of its wire. */
static bool has_come(struct lan_face *f, struct lan_conn *c, int rc)
{
    if (rc != SYNCLINE_OK) {
        lan_link_free(c->link);
        free(c);
        return false;
    }
    c->next = f->conns;
    f->conns = c;
    lan_arm(f);
    return true;
}

static bool on_come(void *ctx, struct stream *s, const struct netaddr *remote,
    struct stream_events *of_stream)
{
    struct lan_face *f = ctx;
    struct lan_wire_events ev;
    struct lan_conn *c = let_in(f, remote, &ev);

    return c != NULL &&
        has_come(f, c, lan_wire_take(&c->wire, f, s, of_stream, &ev));
}

bool lan_conns_node(
    struct lan_face *f, uint64_t conn, const struct netaddr *remote)
{
    struct lan_wire_events ev;
    struct lan_conn *c = let_in(f, remote, &ev);

    return c != NULL && has_come(f, c, lan_wire_node(&c->wire, f, conn, &ev));
}

/* Where a machine has no IPv6, those of IPv4 are all. */
static bool is_dispensable(
    const struct lan_face *f, const struct netaddr *at, int rc)
{
    static const uint8_t any[16];

    return rc == SYNCLINE_EIO && at->family == 6 && f->opt.listen_n > 1 &&
        memcmp(at->addr, any, sizeof any) == 0;
}

int lan_conns_listen(struct lan_face *f, struct errmsg *why)
{
    char at[NETADDR_TEXT];

    for (size_t i = 0; i < f->opt.listen_n; i++) {
        struct netaddr wanted = f->listen[i];
        int rc;

        if (i > 0 && wanted.port == 0)
            wanted.port = f->listen[0].port; /* that which others are told */
        rc = stream_listen(&f->listeners[i], f->opt.loop, &wanted, on_come, f,
            &f->listen[i], why);

        if (rc == SYNCLINE_EBUSY) {
            const struct errmsg said = *why;

            errmsg_set(why, rc,
                "%.400s; free it, or choose another port (lansync.port)",
                said.text);
        }
        if (is_dispensable(f, &wanted, rc)) {
            log_line(&f->log, LOG_LEVEL_INFO, "lansync", "%s", why->text);
            continue;
        }
        if (rc != SYNCLINE_OK)
            return rc;
        netaddr_format(at, &f->listen[i]);
        log_line(&f->log, LOG_LEVEL_INFO, "lansync",
            "LAN-sync nodes are served at %s", at);
    }
    return SYNCLINE_OK;
}

/* ---- whom we call ---- */

static void call(struct lan_face *f, struct lan_peer *p)
{
    struct lan_conn *c = NULL;
    int rc = conn_new(&c, f, p, NULL);

    if (rc == SYNCLINE_OK)
        rc = lan_wire_call(&c->wire, f, p->host, p->port,
            lan_tls_calls(f, p->is_plain),
            &(struct lan_wire_events){ c, on_wire_open, on_bytes, on_end });
    if (rc == SYNCLINE_OK) {
        p->conn = c;
        c->next = f->conns;
        f->conns = c;
        return;
    }
    if (c != NULL) {
        lan_link_free(c->link);
        free(c);
    }
    (void)snprintf(p->why, sizeof p->why,
        "it cannot be called: memory ran out, or it has no name");
    lan_peer_call_later(p, f);
}

/* ---- all of them ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* By when it is to be up, or to have come in; 0: it is, or needs not. */
static uint64_t due_us(const struct lan_conn *c)
{
    const struct lan_face_options *o = &c->face->opt;

    if (!lan_wire_is_open(c->wire))
        return c->since_us + (c->peer != NULL ? o->connect_us : o->auth_us);
    return lan_conn_is_guest(c) ? c->since_us + o->auth_us : 0;
}

static const char *why_late(const struct lan_conn *c)
{
    if (lan_wire_is_open(c->wire))
        return "it did not ask to come in";
    return c->peer != NULL && lan_wire_remote(c->wire).family != 0 &&
            lan_tls_calls(c->face, c->peer->is_plain)
        ? "it has not answered by TLS: it may speak none (lansync.tls)"
        : "it has not answered in time";
}

static uint64_t conn_tick(struct lan_conn *c, uint64_t now_us)
{
    const bool is_up = lan_wire_is_open(c->wire);
    uint64_t due;

    if (c->is_over)
        return 0;
    if (is_up)
        lan_link_tick(c->link, now_us);
    due = due_us(c);
    if (due != 0 && now_us >= due && !PLANTED(R01_LAN))
        lan_conn_close_soon(c, why_late(c));
    if (c->is_over) {
        lan_wire_close(c->wire);
        return 0;
    }
    return least(lan_link_deadline(c->link), due);
}

uint64_t lan_conns_tick(struct lan_face *f, uint64_t now_us)
{
    uint64_t next = 0;

    drop_cut(f);
    lan_kin_look(f);
    for (struct lan_peer *p = f->peers; p != NULL; p = p->next) {
        if (!lan_peer_is_wanted(f, p))
            continue;
        if (lan_peer_is_due(f, p, now_us))
            call(f, p);
        if (p->conn == NULL)
            next = least(next, p->again_us);
    }
    for (struct lan_conn *c = f->conns; c != NULL; c = c->next)
        next = least(next, conn_tick(c, now_us));
    return next;
}

void lan_conns_stop(struct lan_face *f)
{
    for (struct lan_conn *c = f->conns; c != NULL; c = c->next) {
        lan_conn_close_soon(c, "we are stopping");
        lan_wire_close(c->wire);
    }
}

void lan_conns_close(struct lan_face *f)
{
    for (size_t i = 0; i < f->opt.listen_n; i++) {
        stream_listener_close(f->listeners[i]);
        f->listeners[i] = NULL;
    }
    while (f->conns != NULL) {
        struct lan_conn *c = f->conns;

        f->conns = c->next;
        lan_wire_drop(c->wire);
        if (c->is_open)
            lan_exchange_close(f->exchange, c->number);
        lan_link_free(c->link);
        free(c);
    }
    while (f->peers != NULL) {
        struct lan_peer *p = f->peers;

        f->peers = p->next;
        free(p->host);
        free(p);
    }
}

static const char *dialect_name(enum lan_dialect d)
{
    return d == LAN_FIRST ? "\"v1\"" : d == LAN_SECOND ? "\"v2\"" : "null";
}

bool lan_conns_is_syncline(const struct lan_face *f, uint64_t number)
{
    const struct lan_conn *c = f->conns;

    while (c != NULL && c->number != number)
        c = c->next;
    return c != NULL && c->is_syncline;
}

/* When, since the epoch. */
static uint64_t heard_us(const struct lan_conn *c)
{
    return clock_wall_us() - (clock_mono_us() - lan_link_heard_us(c->link));
}

static void put_trouble(const struct lan_conn *c, struct buf *b)
{
    const char *trouble = c->refused[0] != 0
        ? c->refused
        : lan_exchange_trouble(c->face->exchange, c->number);

    buf_put_str(b, ",\"trouble\":");
    if (trouble != NULL)
        json_print_said(b, slice_str(trouble));
    else
        buf_put_str(b, "null");
    buf_put_u8(b, '}');
}

void lan_conns_put(const struct lan_face *f, struct buf *b)
{
    const char *between = "";
    char at[NETADDR_TEXT];
    struct netaddr from;

    for (const struct lan_conn *c = f->conns; c != NULL; c = c->next) {
        if (!c->is_open)
            continue;
        buf_printf(b, "%s{\"node_id\":", between);
        between = ",";
        json_print_said(b, slice_str(lan_link_node(c->link)));
        buf_put_str(b, ",\"node_name\":");
        json_print_said(b, slice_str(lan_link_name(c->link)));
        from = c->peer != NULL ? lan_wire_remote(c->wire) : c->remote;
        netaddr_format(at, &from);
        buf_printf(b, ",\"address\":\"%s\",\"called\":%s,\"dialect\":%s", at,
            c->peer != NULL ? "true" : "false",
            dialect_name(lan_link_dialect(c->link)));
        buf_printf(b, ",\"heard\":%llu", (unsigned long long)heard_us(c));
        buf_printf(b,
            ",\"syncline\":%s,\"compressed\":%s,\"tls\":%s,"
            "\"fingerprint\":\"%s\"",
            c->is_syncline ? "true" : "false",
            lan_link_deflates(c->link) ? "true" : "false",
            lan_wire_is_secure(c->wire) ? "true" : "false",
            lan_wire_print(c->wire));
        put_trouble(c, b);
    }
}
