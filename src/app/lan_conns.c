/* Connections with LAN-sync nodes: those that come, and those that we call. */
#include "app/lan_face_impl.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/plant.h"
#include "base/text.h"
#include "faces/lansync/discovery.h"

#define CONNS_MAX 1024
#define GUESTS_MAX 256 /* of them who were not let in */
#define GUESTS_OF_ONE 32
#define SILENCE_BEATS 3
#define SESSION_US UINT64_C(3600000000)
#define PAUSE_US UINT64_C(5000000)

struct lan_conn {
    struct lan_conn *next;
    struct lan_face *face;
    struct lan_peer *peer; /* that we call; NULL: it has come */
    struct lan_wire *wire;
    struct lan_link *link;
    uint64_t number, since_us;
    struct netaddr remote; /* of who has come */
    bool is_open, is_over;
    char why[200];
};

/* One that was named, or that is near: then it is tried where it says, and
 * where others of its kind are. */
struct lan_peer {
    struct lan_peer *next;
    char *host;
    uint16_t port;
    char node[LAN_NAME_MAX]; /* of one that is near; "": it was named */
    uint16_t said;           /* the port that it says */
    unsigned tries;
    bool is_lost;
    bool is_plain;         /* TLS has failed, and both are to be tried */
    struct lan_conn *conn; /* NULL: it is not called */
    enum lan_dialect dialect;
    uint64_t again_us, pause_us;
    char why[200];
};

/* ---- the end of one ---- */

static void call_later(struct lan_peer *p, const struct lan_face *f)
{
    uint64_t most = f->opt.dial_max_us;
    uint8_t r = 128;

    (void)!crypto_random(&r, 1);
    if (p->pause_us == 0)
        p->pause_us = PAUSE_US;
    if (p->pause_us > most)
        p->pause_us = most;
    p->again_us = clock_mono_us() + p->pause_us * (192u + r / 2u) / 256;
    p->pause_us *= 2;
}

static void peer_left(struct lan_peer *p, const struct lan_conn *c)
{
    const uint16_t ports[] = { p->said, LAN_DISCOVERY_PORT + 1,
        LAN_DISCOVERY_PORT };

    p->dialect = lan_link_dialect(c->link);
    p->conn = NULL;
    if (!c->is_open && c->face->opt.tls == LAN_TLS_BOTH) {
        p->is_plain = !p->is_plain;
        if (p->is_plain) {
            p->again_us = clock_mono_us();
            return;
        }
    }
    if (p->node[0] != 0 && !c->is_open)
        p->port = ports[++p->tries % 3];
    call_later(p, c->face);
}

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
        log_line(&f->log, c->is_open ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
            "lansync", "%s: %s", name_of(c, name), why);
    if (c->peer != NULL)
        (void)snprintf(c->peer->why, sizeof c->peer->why, "%s", why);
}

static void leave(struct lan_conn *c, const char *why)
{
    struct lan_face *f = c->face;
    struct lan_conn **at = &f->conns;

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    tell_end(c, c->why[0] != 0 ? c->why : why);
    if (c->is_open)
        lan_exchange_close(f->exchange, c->number);
    lan_link_end(c->link);
    if (c->peer != NULL)
        peer_left(c->peer, c);
    lan_link_free(c->link);
    free(c);
}

/* What was sent leaves yet; on_end follows. */
static void close_soon(struct lan_conn *c, const char *why)
{
    if (c->is_over)
        return;
    c->is_over = true;
    (void)snprintf(c->why, sizeof c->why, "%s", why);
}

/* ---- events of a link ---- */

static void on_send(void *ctx, struct slice bytes)
{
    struct lan_conn *c = ctx;

    if (lan_wire_queued(c->wire) > LAN_QUEUE_MAX)
        close_soon(c, "it does not read");
    else
        lan_wire_send(c->wire, bytes);
}

static void on_link_close(void *ctx, const char *why)
{
    close_soon(ctx, why);
}

/* Two that call each other keep the connection that the lesser of them has
 * made; who calls himself keeps none. */
static bool is_one_too_many(const struct lan_conn *c)
{
    const struct lan_face *f = c->face;
    const char *node = lan_link_node(c->link);

    if (node[0] == 0)
        return false;
    if (strcmp(node, f->node_id) == 0)
        return true;
    for (const struct lan_conn *o = f->conns; o != NULL; o = o->next)
        if (o != c && o->is_open && !o->is_over &&
            strcmp(lan_link_node(o->link), node) == 0)
            return (c->peer != NULL) != (strcmp(f->node_id, node) < 0) ||
                (c->peer != NULL) == (o->peer != NULL);
    return false;
}

static void on_open(void *ctx)
{
    struct lan_conn *c = ctx;
    struct lan_face *f = c->face;
    char name[320];

    if (is_one_too_many(c)) {
        close_soon(c, "there is a connection with it already");
        return;
    }
    c->is_open = true;
    if (c->peer != NULL) {
        c->peer->pause_us = 0;
        c->peer->why[0] = 0;
    }
    log_line(
        &f->log, LOG_LEVEL_INFO, "lansync", "connected: %s", name_of(c, name));
    if (lan_exchange_open(f->exchange, c->number, c->link, clock_mono_us()) !=
        SYNCLINE_OK) {
        c->is_open = false;
        close_soon(c, "memory ran out");
    }
}

static int on_message(void *ctx, const struct lan_message *m)
{
    struct lan_conn *c = ctx;

    return c->is_open
        ? lan_exchange_take(c->face->exchange, c->number, m, clock_mono_us())
        : SYNCLINE_EUNSUPPORTED;
}

static void on_answer(void *ctx, uint64_t request, const struct lan_answer *a)
{
    struct lan_conn *c = ctx;

    if (c->is_open)
        (void)lan_exchange_answered(
            c->face->exchange, c->number, request, a, clock_mono_us());
}

static void on_log(void *ctx, const char *text)
{
    struct lan_conn *c = ctx;
    char name[320];

    log_line(&c->face->log, LOG_LEVEL_DEBUG, "lansync", "%s: %s",
        name_of(c, name), text);
}

static bool on_auth(
    void *ctx, const struct lan_message *m, struct json **data, struct arena *a)
{
    struct lan_conn *c = ctx;
    struct lan_face *f = c->face;
    bool is_in =
        (attempts_wait_us(&f->attempts, &c->remote, clock_mono_us()) == 0 ||
            PLANTED(R12_LAN_GUESS)) &&
        crypto_equal(lan_payload_text(m, "token"), f->opt.secret);

    (void)data;
    (void)a;
    if (!is_in) {
        f->counts.failures++;
        attempts_failed(&f->attempts, &c->remote, clock_mono_us());
    }
    return is_in;
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

static int conn_new(struct lan_conn **out, struct lan_face *f,
    struct lan_peer *peer, const struct netaddr *remote)
{
    struct lan_conn *c = calloc(1, sizeof *c);
    const uint64_t now_us = clock_mono_us();
    const struct lan_link_options opt = { .protocol = f->protocol,
        .is_server = peer == NULL,
        .needs_auth = f->opt.needs_auth,
        .auth = LAN_BY_TOKEN,
        .token = f->opt.secret,
        .key = f->opt.secret,
        .dialect = peer != NULL ? peer->dialect : LAN_UNDECIDED,
        .request_us = f->opt.request_us,
        .heartbeat_us = f->opt.heartbeat_us,
        .silence_us = SILENCE_BEATS * f->opt.heartbeat_us,
        .session_us = SESSION_US,
        .events = { .ctx = c,
            .send = on_send,
            .close = on_link_close,
            .authenticate = on_auth,
            .on_open = on_open,
            .on_message = on_message,
            .on_answer = on_answer,
            .log = on_log } };
    int rc = c != NULL ? lan_link_new(&c->link, &opt, now_us) : SYNCLINE_ENOMEM;

    if (rc != SYNCLINE_OK) {
        free(c);
        return rc;
    }
    c->face = f;
    c->peer = peer;
    c->number = ++f->next_number;
    c->since_us = now_us;
    if (remote != NULL)
        c->remote = *remote;
    *out = c;
    return SYNCLINE_OK;
}

/* ---- who comes ---- */

static bool has_room(const struct lan_face *f, const struct netaddr *from)
{
    size_t all = 0, guests = 0, same = 0;

    for (const struct lan_conn *c = f->conns; c != NULL; c = c->next) {
        bool is_guest = !lan_link_is_open(c->link) && f->opt.needs_auth;

        all++;
        guests += is_guest;
        same += is_guest && netaddr_same_ip(&c->remote, from);
    }
    return all < CONNS_MAX && guests < GUESTS_MAX &&
        (same < GUESTS_OF_ONE || netaddr_is_loopback(from));
}

static bool is_admitted(struct lan_face *f, const struct netaddr *from)
{
    char text[NETADDR_TEXT];

    if (netaddr_is_loopback(from) || PLANTED(R13_LAN))
        return true;
    for (size_t i = 0; i < f->opt.admit_n; i++)
        if (network_has(&f->admit[i], from))
            return true;
    netaddr_format(text, from);
    if (f->counts.refused_network++ == 0)
        log_line(&f->log, LOG_LEVEL_WARN, "lansync",
            "%s was not let in: it is of no network of lansync.admit", text);
    return false;
}

/* What events its wire tells; NULL: it is not let in. */
static struct lan_conn *let_in(struct lan_face *f, const struct netaddr *remote,
    struct lan_wire_events *events)
{
    struct lan_conn *c;

    if (f->is_stopping || f->exchange == NULL || !is_admitted(f, remote))
        return NULL;
    if (!has_room(f, remote)) {
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
    call_later(p, f);
}

int lan_conns_make(struct lan_face *f)
{
    struct lan_peer **at = &f->peers;

    for (size_t i = 0; i < f->opt.peers_n; i++) {
        struct lan_peer *p = calloc(1, sizeof *p);

        if (p == NULL)
            return SYNCLINE_ENOMEM;
        *at = p;
        at = &p->next;
        p->port = f->opt.peers[i].port;
        p->host = strdup(f->opt.peers[i].host);
        if (p->host == NULL)
            return SYNCLINE_ENOMEM;
    }
    f->opt.peers = NULL;
    return SYNCLINE_OK;
}

/* Whoever is near and has called us is not called. */
static bool is_wanted(const struct lan_face *f, const struct lan_peer *p)
{
    if (p->conn != NULL || p->is_lost)
        return false;
    for (const struct lan_conn *c = f->conns; c != NULL && p->node[0] != 0;
         c = c->next)
        if (c->is_open && strcmp(lan_link_node(c->link), p->node) == 0)
            return false;
    return true;
}

static struct lan_peer *peer_near(const struct lan_face *f, const char *node)
{
    struct lan_peer *p = f->peers;

    while (p != NULL && strcmp(p->node, node) != 0)
        p = p->next;
    return p;
}

static struct lan_peer *peer_new(struct lan_face *f, const char *node)
{
    struct lan_peer *p = calloc(1, sizeof *p);

    if (p == NULL)
        return NULL;
    (void)snprintf(p->node, sizeof p->node, "%s", node);
    p->next = f->peers;
    f->peers = p;
    return p;
}

void lan_peer_found(
    struct lan_face *f, const char *node, const struct netaddr *at)
{
    struct lan_peer *p = peer_near(f, node);
    char ip[NETADDR_TEXT];
    char *host;

    netaddr_format_ip(ip, at);
    if (p != NULL && p->said == at->port && strcmp(p->host, ip) == 0) {
        p->is_lost = false;
        return;
    }
    host = strdup(ip);
    if (host != NULL && p == NULL)
        p = peer_new(f, node);
    if (host == NULL || p == NULL) {
        free(host);
        return;
    }
    free(p->host);
    p->host = host;
    p->said = p->port = at->port;
    p->tries = 0;
    p->is_lost = false;
    p->again_us = p->pause_us = 0;
}

void lan_peer_lost(struct lan_face *f, const char *node)
{
    struct lan_peer *p = peer_near(f, node);

    if (p != NULL)
        p->is_lost = true;
}

/* ---- all of them ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static uint64_t conn_tick(struct lan_conn *c, uint64_t now_us)
{
    const bool is_up = lan_wire_is_open(c->wire);
    const bool is_guest = !is_up ||
        (c->peer == NULL && c->face->opt.needs_auth &&
            !lan_link_is_open(c->link));
    uint64_t next;

    if (c->is_over)
        return 0;
    if (is_up)
        lan_link_tick(c->link, now_us);
    if (is_guest && !PLANTED(R01_LAN) &&
        now_us >= c->since_us + c->face->opt.request_us)
        close_soon(c,
            is_up ? "it did not ask to come in"
                  : "it has not answered in time");
    if (c->is_over) {
        lan_wire_close(c->wire);
        return 0;
    }
    next = lan_link_deadline(c->link);
    return is_guest ? least(next, c->since_us + c->face->opt.request_us) : next;
}

uint64_t lan_conns_tick(struct lan_face *f, uint64_t now_us)
{
    uint64_t next = 0;

    for (struct lan_peer *p = f->peers; p != NULL; p = p->next) {
        if (!is_wanted(f, p))
            continue;
        if (p->again_us <= now_us)
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
        close_soon(c, "we are stopping");
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

void lan_conns_put(const struct lan_face *f, struct buf *b)
{
    const char *between = "";
    char at[NETADDR_TEXT];

    for (const struct lan_conn *c = f->conns; c != NULL; c = c->next) {
        if (!c->is_open)
            continue;
        buf_printf(b, "%s{\"node_id\":", between);
        between = ",";
        json_print_string(b, slice_str(lan_link_node(c->link)), false);
        buf_put_str(b, ",\"node_name\":");
        json_print_string(b, slice_str(lan_link_name(c->link)), false);
        netaddr_format(at, &c->remote);
        buf_printf(b, ",\"address\":\"%s\",\"called\":%s,\"dialect\":%s", at,
            c->peer != NULL ? "true" : "false",
            dialect_name(lan_link_dialect(c->link)));
        buf_printf(b, ",\"tls\":%s,\"fingerprint\":\"%s\"}",
            lan_wire_is_secure(c->wire) ? "true" : "false",
            lan_wire_print(c->wire));
    }
}

void lan_peers_put(const struct lan_face *f, struct buf *b)
{
    for (const struct lan_peer *p = f->peers; p != NULL; p = p->next) {
        buf_printf(b, "%s{\"found\":%s,\"host\":", p != f->peers ? "," : "",
            p->node[0] != 0 ? "true" : "false");
        json_print_string(b, slice_str(p->host), false);
        buf_printf(b, ",\"port\":%u,\"connected\":%s,\"trouble\":", p->port,
            p->conn != NULL && p->conn->is_open ? "true" : "false");
        if (p->why[0] != 0)
            json_print_string(b, slice_str(p->why), false);
        else
            buf_put_str(b, "null");
        buf_put_u8(b, '}');
    }
}
