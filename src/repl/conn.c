/* Connections: up and down, hello, frames by their numbers, heartbeats. */
#include "base/plant.h"
#include "repl/access_impl.h"
#include "repl/collect_impl.h"
#include "repl/compare.h"
#include "repl/heads.h"
#include "repl/proofs.h"

#include <stdio.h>
#include <stdlib.h>

/*  UP --hello both ways--> GREETED --frames--> ...
 *  any of these --bye, silence, a broken rule--> CLOSING --> gone
 *  UP, pairing --> join.c                                        */

struct conn *conn_by_id(const struct node *n, uint64_t id)
{
    for (struct conn *c = n->conns; c != NULL; c = c->next)
        if (c->id == id)
            return c;
    return NULL;
}

struct conn *conn_of(const struct node *n, const struct device_id *device)
{
    for (struct conn *c = n->conns; c != NULL; c = c->next)
        if (c->greeted && !c->closing && device_eq(&c->device, device))
            return c;
    return NULL;
}

struct session *session_find(const struct conn *c, const struct space *sp)
{
    struct session *s = c->sessions;

    while (s != NULL && s->space != sp)
        s = s->next;
    return s;
}

struct session *session_of(struct conn *c, const struct space *sp)
{
    struct session *s = session_find(c, sp);

    if (s != NULL) {
        session_stir(s); /* whoever asks for it may change it */
        return s;
    }
    s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->space = (struct space *)sp;
    /* `_mesh` is told of before all: who wrote what follows. */
    if (c->sessions == NULL || space_is_open(sp)) {
        s->next = c->sessions;
        c->sessions = s;
    } else {
        s->next = c->sessions->next;
        c->sessions->next = s;
    }
    return s;
}

static void session_free(struct conn *c, struct session *s)
{
    send_forget(c, s);
    arena_free(&s->arena);
    arena_free(&s->acked_arena);
    arena_free(&s->claims_arena);
    arena_free(&s->horizon_arena);
    arena_free(&s->late_arena);
    heads_free(&s->heads);
    free(s->left_out);
    free(s);
}

void session_drop(struct conn *c, struct space *sp)
{
    struct session **at = &c->sessions;

    while (*at != NULL && (*at)->space != sp)
        at = &(*at)->next;
    if (*at != NULL) {
        struct session *s = *at;

        *at = s->next;
        session_free(c, s);
    }
}

static void conn_free(struct conn *c)
{
    early_free(c);
    parked_free(c);
    asks_free(c);
    while (c->sessions != NULL)
        session_drop(c, c->sessions->space);
    buf_free(&c->incoming.row);
    buf_free(&c->spki);
    free(c->reach);
    arena_free(&c->arena);
    free(c);
}

void conns_free(struct node *n)
{
    while (n->conns != NULL) {
        struct conn *c = n->conns;

        n->conns = c->next;
        conn_free(c);
    }
}

int conn_send(struct node *n, struct conn *c, struct frame *f)
{
    struct effect *fx = NULL;
    int rc;

    f->no = c->sent_no + 1;
    buf_clear(&n->frame);
    put_frame(&n->frame, f);
    rc = buf_status(&n->frame);
    if (rc == SYNCLINE_OK)
        fx = fx_add(n, FX_SEND);
    if (rc == SYNCLINE_OK && fx == NULL)
        rc = SYNCLINE_ENOMEM;
    if (rc == SYNCLINE_OK) {
        c->sent_no++;
        fx->conn = c->id;
        rc = fx_bytes(n, fx, buf_slice(&n->frame));
    }
    return rc;
}

void conn_close(struct node *n, struct conn *c, int code, const char *text)
{
    struct frame bye = { .type = FRAME_BYE,
        .bye = { .code = code, .text = slice_str(text) } };
    struct effect *fx;

    if (c->closing)
        return;
    if (!c->pairing)
        (void)!conn_send(n, c, &bye);
    fx = fx_add(n, FX_CLOSE);
    if (fx != NULL) {
        fx->conn = c->id;
        (void)!fx_bytes(n, fx, slice_str(text));
    }
    c->closing = true;
    n->counts.conns_closed++;
    log_line(&n->log, LOG_LEVEL_DEBUG, "conn", "closing %llu: %s",
        (unsigned long long)c->id, text);
}

static int send_hello(struct node *n, struct conn *c)
{
    struct frame f = { .type = FRAME_HELLO,
        .hello = { .version = PROTOCOL_VERSION,
            .mesh = n->mesh,
            .replica = n->replica,
            .wall_us = n->wall_us,
            .port = n->opt.port,
            .name = n->opt.name } };

    return conn_send(n, c, &f);
}

/* Two devices may dial each other at once: the connection that the smaller
 * device id began is kept; of two begun by one side, the newer. */
static bool survives(
    const struct node *n, const struct conn *a, const struct conn *than)
{
    bool smaller = device_cmp(&n->device, &a->device) < 0;
    bool a_right = a->inbound != smaller, b_right = than->inbound != smaller;

    if (a_right != b_right)
        return a_right;
    return a->opened_us >= than->opened_us;
}

void conn_close_doubles(struct node *n, struct conn *c)
{
    for (struct conn *o = n->conns; o != NULL; o = o->next) {
        if (o == c || o->closing || o->pairing || !o->up ||
            !device_eq(&o->device, &c->device) || twins_are_apart(n, c, o))
            continue;
        if (survives(n, c, o))
            conn_close(n, o, SYNCLINE_EEXIST, "a newer connection is kept");
        else
            conn_close(n, c, SYNCLINE_EEXIST, "another connection is kept");
    }
}

/* Before it can drive out a connection that is in order. */
static int let_in(struct node *n, struct conn *c)
{
    uint64_t us = standing_refused_us(n, &c->device);
    struct standing *s;
    char text[96];
    int rc = standing_open(n, &c->device, &s);

    if (rc != SYNCLINE_OK)
        return rc;
    if (us > 0) {
        (void)snprintf(text, sizeof text,
            "refused for %llu s more: it broke the protocol",
            (unsigned long long)(us / 1000000 + 1));
        conn_close(n, c, SYNCLINE_EBUSY, text);
        return SYNCLINE_OK;
    }
    conn_close_doubles(n, c);
    return c->closing ? SYNCLINE_OK : send_hello(n, c);
}

int conn_on_up(struct node *n, const struct event *ev)
{
    struct conn *c = calloc(1, sizeof *c);

    if (c == NULL)
        return SYNCLINE_ENOMEM;
    c->id = ev->conn;
    c->device = ev->device;
    c->remote = ev->remote;
    c->inbound = ev->inbound;
    c->pairing = ev->pairing;
    c->up = true;
    c->heard_us = c->opened_us = n->now_us;
    c->ping_due_us = n->now_us + n->opt.heartbeat_us;
    if (ev->exporter != NULL)
        memcpy(c->exporter, ev->exporter, sizeof c->exporter);
    buf_put_slice(&c->spki, ev->spki);
    c->next = n->conns;
    n->conns = c;
    n->counts.conns_up++;
    if (c->pairing)
        return join_on_conn(n, c);
    if (adopts(n)) {
        conn_close(n, c, SYNCLINE_EBUSY,
            "this node signs what an older version has left, and connects "
            "when that is done");
        return SYNCLINE_OK;
    }
    if (!node_admits(n, &c->device, false)) {
        conn_close(n, c, SYNCLINE_EDENIED, BYE_REMOVED);
        return SYNCLINE_OK;
    }
    return let_in(n, c);
}

int conn_on_down(struct node *n, const struct event *ev)
{
    struct conn **at = &n->conns;
    struct conn *c;
    int rc = SYNCLINE_OK;

    while (*at != NULL && (*at)->id != ev->conn)
        at = &(*at)->next;
    c = *at;
    peers_on_down(n->peers, ev->conn, n->now_us);
    if (c == NULL)
        return join_on_dial_failed(n, ev->conn);
    *at = c->next;
    if (c->pairing)
        rc = join_on_conn_down(n, c);
    else if (ev->broke && !c->closing)
        standing_broke(n, &c->device, "a frame is too long");
    if (c->greeted) {
        n->reach_changed = n->epochs_due = n->want_flush = true;
        log_line(&n->log, LOG_LEVEL_INFO, "conn",
            "%.*s is not connected "
            "any more",
            SLICE_FMT(c->name));
    }
    verifies_conn_gone(n, c);
    if (rc == SYNCLINE_OK)
        rc = bootstrap_conn_gone(n, c);
    conn_free(c);
    return rc;
}

void conns_restart(struct node *n, const char *why)
{
    for (struct conn *c = n->conns; c != NULL; c = c->next)
        if (!c->pairing)
            conn_close(n, c, SYNCLINE_ECLOSED, why);
}

/* ---- frames ---- */

static int on_hello(struct node *n, struct conn *c, struct frame *f)
{
    struct slice name;
    int rc = SYNCLINE_OK;

    if (c->greeted || !rid_is_of(&f->hello.replica, &c->device))
        return SYNCLINE_EMALFORMED;
    if (memcmp(f->hello.mesh.b, n->mesh.b, MESH_ID_LEN) != 0) {
        conn_close(n, c, SYNCLINE_EDENIED, "it belongs to another mesh");
        return SYNCLINE_OK;
    }
    name = arena_dup(&c->arena, f->hello.name);
    if (name.ptr == NULL)
        return SYNCLINE_ENOMEM;
    c->name = name;
    c->replica = f->hello.replica;
    c->port = f->hello.port;
    rc = twins_on_hello(n, c);
    if (rc != SYNCLINE_OK || c->closing)
        return rc;
    c->greeted = true;
    c->ping_due_us = n->now_us; /* how do our clocks compare? */
    silence_heard(n, &c->device);
    log_line(&n->log, LOG_LEVEL_INFO, "conn", "connected to %.*s",
        SLICE_FMT(c->name));
    n->reach_changed = n->epochs_due = n->want_flush = true;
    /* Not before: who dialled is up before the other has judged it. */
    peers_on_up(n->peers, c->id, &c->device, n->now_us);
    if (c->inbound && c->port != 0) {
        struct netaddr listens = c->remote;

        listens.port = c->port;
        peers_learn(n->peers, &c->device, &listens, PEER_OBSERVED);
    }
    if (rc == SYNCLINE_OK)
        rc = mesh_save_book(n); /* a crash must not make strangers of us */
    if (rc == SYNCLINE_OK)
        rc = epochs_greet(n, c);
    for (struct space *sp = n->spaces; sp != NULL && rc == SYNCLINE_OK;
         sp = sp->next)
        rc = conn_subscribe(n, c, sp);
    return rc;
}

static int on_ping(struct node *n, struct conn *c, struct frame *f)
{
    struct frame pong = { .type = FRAME_PONG,
        .ping = { f->ping.sent_us, n->wall_us } };

    return conn_send(n, c, &pong);
}

static int on_pong(struct node *n, struct conn *c, struct frame *f)
{
    if (f->ping.sent_us > n->now_us)
        return SYNCLINE_EMALFORMED;
    clock_measured(n, c, f->ping.sent_us, f->ping.wall_us);
    return heads_on_pong(n, c, f->ping.sent_us);
}

static int on_reach(struct node *n, struct conn *c, struct frame *f)
{
    struct reader r = reader_of(f->reach.devices);
    struct reach *reach = calloc(f->reach.n + 1, sizeof *reach);

    if (reach == NULL)
        return SYNCLINE_ENOMEM;
    for (uint32_t i = 0; i < f->reach.n; i++) {
        get_into(&r, reach[i].device.b, DEVICE_ID_LEN);
        get_netaddr(&r, &reach[i].addr);
        if (reach[i].addr.family != 0)
            peers_learn(
                n->peers, &reach[i].device, &reach[i].addr, PEER_GOSSIP);
    }
    free(c->reach);
    c->reach = reach;
    c->reach_n = f->reach.n;
    return SYNCLINE_OK;
}

static int on_subscribe(struct node *n, struct conn *c, struct frame *f)
{
    epochs_known(n, c, 0);
    return send_on_subscribe(n, c, &f->subscribe, f->no);
}

static int on_batch(struct node *n, struct conn *c, struct frame *f)
{
    return receive_batch(n, c, &f->batch);
}

static int on_fragment(struct node *n, struct conn *c, struct frame *f)
{
    return receive_fragment(n, c, &f->fragment);
}

static int on_credit(struct node *n, struct conn *c, struct frame *f)
{
    if (f->credit > c->in_flight)
        return SYNCLINE_EMALFORMED;
    n->want_flush = n->want_flush || c->in_flight >= n->opt.window_bytes;
    c->in_flight -= (size_t)f->credit;
    return SYNCLINE_OK;
}

static int on_ack(struct node *n, struct conn *c, struct frame *f)
{
    return receive_ack(n, c, &f->ack);
}

static int on_bootstrap(struct node *n, struct conn *c, struct frame *f)
{
    return bootstrap_on_frame(n, c, &f->bootstrap);
}

static int on_epoch(struct node *n, struct conn *c, struct frame *f)
{
    struct errmsg why = { "" };
    bool raised = false;
    int rc = SYNCLINE_OK;

    epochs_known(n, c, f->epoch.epoch);
    if (f->epoch.record.len > 0)
        rc = epoch_take(n, f->epoch.record, &raised, &why);
    if (rc == SYNCLINE_EMALFORMED)
        log_line(&n->log, LOG_LEVEL_WARN, "clock",
            "%.*s sent a record of an epoch: %s", SLICE_FMT(c->name), why.text);
    return rc;
}

static int on_ask(struct node *n, struct conn *c, struct frame *f)
{
    return verify_on_ask(n, c, &f->ask);
}

static int on_tell(struct node *n, struct conn *c, struct frame *f)
{
    return verify_on_tell(n, c, &f->tell);
}

static int on_check(struct node *n, struct conn *c, struct frame *f)
{
    return compare_on_check(n, c, &f->check);
}

static int on_show(struct node *n, struct conn *c, struct frame *f)
{
    return compare_on_show(n, c, &f->show);
}

static int on_head(struct node *n, struct conn *c, struct frame *f)
{
    return receive_head(n, c, &f->head);
}

static int on_bye(struct node *n, struct conn *c, struct frame *f)
{
    char text[256];

    (void)snprintf(text, sizeof text, "the peer closed: %.*s",
        (int)(f->bye.text.len > 200 ? 200 : f->bye.text.len),
        (const char *)f->bye.text.ptr);
    if (f->bye.code == SYNCLINE_EEXIST)
        twins_on_bye(n, c, f->bye.text);
    if (f->bye.code == SYNCLINE_EDENIED)
        log_line(&n->log, LOG_LEVEL_WARN, "conn", "%.*s: %s",
            SLICE_FMT(c->name), text);
    conn_close(n, c, SYNCLINE_ECLOSED, text);
    return access_on_bye(n, c, &f->bye);
}

static const struct {
    int (*on)(struct node *n, struct conn *c, struct frame *f);
    bool before_hello;
} handlers[FRAME_END] = {
    [FRAME_HELLO] = { on_hello, true },
    [FRAME_SUBSCRIBE] = { on_subscribe, false },
    [FRAME_BATCH] = { on_batch, false },
    [FRAME_FRAGMENT] = { on_fragment, false },
    [FRAME_CREDIT] = { on_credit, false },
    [FRAME_ACK] = { on_ack, false },
    [FRAME_PING] = { on_ping, true },
    [FRAME_PONG] = { on_pong, true },
    [FRAME_REACH] = { on_reach, false },
    [FRAME_ASK] = { on_ask, false },
    [FRAME_TELL] = { on_tell, false },
    [FRAME_BYE] = { on_bye, true },
    [FRAME_BOOTSTRAP] = { on_bootstrap, false },
    [FRAME_EPOCH] = { on_epoch, false },
    [FRAME_CHECK] = { on_check, false },
    [FRAME_SHOW] = { on_show, false },
    [FRAME_HEAD] = { on_head, false },
};

int conn_on_frame(struct node *n, const struct event *ev)
{
    struct conn *c = conn_by_id(n, ev->conn);
    struct frame f;
    int rc;

    if (c == NULL || c->closing)
        return SYNCLINE_OK;
    c->heard_us = n->now_us;
    if (c->pairing)
        return join_on_frame(n, c, ev->bytes);
    rc = standing_frame(n, c, ev->bytes.len);
    if (rc == SYNCLINE_OK)
        rc = get_frame(ev->bytes, &f, &n->step);
    if (rc == SYNCLINE_EVERSION) {
        conn_close(n, c, rc,
            "this node speaks another version of the protocol; update the "
            "older one");
        return SYNCLINE_OK;
    }
    if (rc != SYNCLINE_OK)
        return rc;
    if (f.no <= c->seen_no)
        return SYNCLINE_OK; /* a double */
    if (f.no != c->seen_no + 1 && !PLANTED(R30_GAP)) {
        conn_close(n, c, SYNCLINE_EMALFORMED, "a frame is missing");
        return SYNCLINE_OK;
    }
    if (!c->greeted && !handlers[f.type].before_hello)
        return SYNCLINE_EMALFORMED;
    c->seen_no = f.no;
    rc = handlers[f.type].on(n, c, &f);
    return rc == SYNCLINE_OK ? conn_check_bytes(n, c) : rc;
}

/* ---- time ---- */

static int tell_reach(struct node *n, struct conn *to)
{
    struct frame f = { .type = FRAME_REACH };
    struct buf b = { 0 };
    int rc;

    for (struct conn *c = n->conns; c != NULL; c = c->next) {
        struct netaddr addr = c->remote;

        if (!c->greeted || c->closing || c == to || f.reach.n == REACH_MAX)
            continue;
        addr.port = c->port;
        if (c->port == 0)
            addr = (struct netaddr){ 0 };
        buf_put(&b, c->device.b, DEVICE_ID_LEN);
        put_netaddr(&b, &addr);
        f.reach.n++;
    }
    f.reach.devices = buf_slice(&b);
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = conn_send(n, to, &f);
    buf_free(&b);
    return rc;
}

/* Before what others have is passed on: it is weighed by who reaches whom. */
static int tell_all_reach(struct node *n)
{
    int rc = SYNCLINE_OK;

    for (struct conn *c = n->conns; c != NULL && rc == SYNCLINE_OK; c = c->next)
        if (c->greeted && !c->closing)
            rc = tell_reach(n, c);
    n->reach_changed = false;
    return rc;
}

bool conn_reaches(const struct conn *c, const struct device_id *d)
{
    for (uint32_t i = 0; i < c->reach_n; i++)
        if (device_eq(&c->reach[i].device, d))
            return true;
    return false;
}

/* Not before the sender asks for it: each frame wakes it. */
static int give_credit(struct node *n, struct conn *c)
{
    struct frame f = { .type = FRAME_CREDIT, .credit = c->owed };

    c->owed = 0;
    c->hurry = false;
    return conn_send(n, c, &f);
}

/* What a turn of the loop has gathered, but for the rows. */
int conns_flush(struct node *n)
{
    int rc = epochs_flush(n);

    if (rc == SYNCLINE_OK && n->reach_changed)
        rc = tell_all_reach(n);
    if (rc == SYNCLINE_OK)
        rc = access_retry(n);
    if (rc == SYNCLINE_OK && n->acks_news)
        rc = acks_pass_on(n);
    for (struct conn *c = n->conns; c != NULL && rc == SYNCLINE_OK;
         c = c->next) {
        if (!c->greeted || c->closing)
            continue;
        for (struct session *s = c->sessions; s != NULL && rc == SYNCLINE_OK;
             s = s->next)
            if (!session_is_calm(s))
                rc = ack_tell(n, c, s);
        if (rc == SYNCLINE_OK)
            rc = heads_pass_on(n, c, false);
        if (rc == SYNCLINE_OK && c->hurry)
            rc = give_credit(n, c);
    }
    return rc;
}

/* The same for all connections, so that one wake-up does for all. */
static uint64_t next_beat(const struct node *n)
{
    return n->now_us - n->now_us % n->opt.heartbeat_us + n->opt.heartbeat_us;
}

/* What can wait has waited. */
static void session_beat(struct node *n, struct session *s)
{
    if (!s->refusing && !s->unopened && !send_has_to_tell(s))
        return;
    s->beat = n->want_flush = true;
    session_stir(s);
}

int conns_tick(struct node *n)
{
    for (struct conn *c = n->conns; c != NULL; c = c->next) {
        int rc = SYNCLINE_OK;

        if (c->closing || (c->pairing && !c->inbound))
            continue;
        if (n->now_us >= c->heard_us + n->opt.silence_us) {
            conn_close(n, c, SYNCLINE_ETIMEOUT, "the peer has gone silent");
        } else if (bootstrap_has_stalled(n, c)) {
            conn_close(n, c, SYNCLINE_ETIMEOUT, "its bootstrap has stalled");
        } else if (!c->pairing && n->now_us >= c->ping_due_us) {
            c->ping_due_us = next_beat(n);
            rc = conn_ping(n, c);
            if (rc == SYNCLINE_OK && c->greeted)
                rc = compare_tick(n, c);
            if (rc == SYNCLINE_OK && c->greeted)
                rc = heads_tick(n, c);
            if (rc == SYNCLINE_OK && c->greeted)
                rc = carry_tick(n, c);
            for (struct session *s = c->sessions; s != NULL; s = s->next)
                session_beat(n, s);
        }
        if (rc != SYNCLINE_OK)
            return rc;
    }
    return SYNCLINE_OK;
}

uint64_t conns_deadline(const struct node *n)
{
    uint64_t due = UINT64_MAX;

    for (const struct conn *c = n->conns; c != NULL; c = c->next) {
        if (c->closing || (c->pairing && !c->inbound))
            continue;
        if (!c->pairing && c->ping_due_us < due)
            due = c->ping_due_us;
        if (c->heard_us + n->opt.silence_us < due)
            due = c->heard_us + n->opt.silence_us;
    }
    return due;
}
