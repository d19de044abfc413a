#include "faces/socketio/eio_server.h"

#include <stdlib.h>

#include "base/plant.h"
#include "base/text.h"
#include "core/json.h"
#include "faces/socketio/eio_query.h"

#define NORMAL 1000
#define TEXT "text/plain"
#define TEXT_UTF8 "text/plain; charset=UTF-8"

struct session {
    struct session *next; /* who came before */
    uint64_t number;
    char sid[EIO_SID_LEN + 1];
    struct netaddr from;
    bool is_kept, is_told; /* on_message was called */
    bool is_settled, is_known;
    bool is_gone;   /* freed when the call ends */
    uint64_t poll;  /* connection that waits; 0: none */
    uint64_t ws;    /* that it is; 0: it is polled */
    uint64_t probe; /* that it may become */
    bool is_probed;
    uint64_t probe_due_us, keep_due_us;
    uint64_t ping_us; /* when the next is due, or, if one is out, its pong */
    bool is_pinged;
    struct eio_queue queue;
};

struct eio_server {
    struct eio_server_options opt;
    struct session *sessions;
    size_t n;
    uint64_t last, refused, now_us;
    bool is_known; /* who asks */
};

static uint64_t or_default(uint64_t v, uint64_t otherwise)
{
    return v != 0 ? v : otherwise;
}

int eio_server_new(
    struct eio_server **out, const struct eio_server_options *opt)
{
    const uint64_t s = 1000000;
    struct eio_server *e = calloc(1, sizeof *e);

    if (e == NULL)
        return SYNCLINE_ENOMEM;
    e->opt = *opt;
    e->opt.sessions_max = or_default(opt->sessions_max, 64);
    e->opt.of_a_place_max = or_default(opt->of_a_place_max, 16);
    e->opt.known_max = or_default(opt->known_max, 32);
    e->opt.payload_max = or_default(opt->payload_max, EIO_PAYLOAD_MAX);
    e->opt.queue_max = or_default(opt->queue_max, (size_t)2 << 20);
    e->opt.ping_us = or_default(opt->ping_us, 25 * s);
    e->opt.pong_us = or_default(opt->pong_us, 20 * s);
    e->opt.keep_us = or_default(opt->keep_us, 20 * s);
    e->opt.probe_us = or_default(opt->probe_us, 10 * s);
    *out = e;
    return SYNCLINE_OK;
}

static void session_free(struct session *s)
{
    eio_queue_free(&s->queue);
    free(s);
}

void eio_server_free(struct eio_server *e)
{
    if (e == NULL)
        return;
    while (e->sessions != NULL) {
        struct session *s = e->sessions;

        e->sessions = s->next;
        session_free(s);
    }
    free(e);
}

/* Those that ended in this call. */
static void reap(struct eio_server *e)
{
    struct session **at = &e->sessions;

    while (*at != NULL) {
        struct session *s = *at;

        if (!s->is_gone) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        session_free(s);
    }
}

/* In the same time whatever of it is right. */
static bool is_sid_of(const struct session *s, struct slice sid)
{
    uint8_t odd = 0;

    if (sid.len != EIO_SID_LEN)
        return false;
    for (size_t i = 0; i < EIO_SID_LEN; i++)
        odd |= (uint8_t)(sid.ptr[i] ^ (uint8_t)s->sid[i]);
    return odd == 0;
}

static struct session *by_sid(const struct eio_server *e, struct slice sid)
{
    struct session *found = NULL;

    for (struct session *s = e->sessions; s != NULL; s = s->next)
        if (is_sid_of(s, sid) && !s->is_gone)
            found = s;
    return found;
}

static struct session *by_number(const struct eio_server *e, uint64_t number)
{
    struct session *s = e->sessions;

    while (s != NULL && (s->number != number || s->is_gone))
        s = s->next;
    return s;
}

static struct session *by_conn(const struct eio_server *e, uint64_t conn)
{
    struct session *s = e->sessions;

    while (s != NULL &&
        (s->is_gone || (s->poll != conn && s->ws != conn && s->probe != conn)))
        s = s->next;
    return s;
}

/* ---- what goes out ---- */

void eio_refuse(const struct eio_port *port, uint64_t conn, unsigned status,
    const char *text)
{
    struct buf b = { 0 };

    json_print_string(&b, slice_str(text), true);
    port->respond(port->ctx, conn, status, TEXT, buf_slice(&b));
    buf_free(&b);
}

static void answer(
    struct eio_server *e, uint64_t conn, const char *type, struct slice body)
{
    e->opt.port.respond(e->opt.port.ctx, conn, 200, type, body);
}

static void answer_poll(struct eio_server *e, struct session *s)
{
    const uint64_t conn = s->poll;
    struct buf b = { 0 };

    s->poll = 0;
    eio_queue_body(&s->queue, &b, e->opt.payload_max);
    if (b.len == 0)
        buf_put_u8(&b, '0' + EIO_NOOP);
    answer(e, conn, TEXT_UTF8, buf_slice(&b));
    buf_free(&b);
}

static void send_ws(
    struct eio_server *e, uint64_t conn, const struct eio_packet *p)
{
    struct buf b = { 0 };

    if (p->is_binary) {
        e->opt.port.send(e->opt.port.ctx, conn, false, p->data);
        return;
    }
    eio_put(&b, p);
    if (buf_status(&b) == SYNCLINE_OK)
        e->opt.port.send(e->opt.port.ctx, conn, true, buf_slice(&b));
    buf_free(&b);
}

/* It is told that it is over, where that can be said. */
static void leave(struct eio_server *e, struct session *s)
{
    const struct eio_packet bye = { .type = EIO_CLOSE };
    const struct eio_port *port = &e->opt.port;
    const uint64_t poll = s->poll, ws = s->ws, probe = s->probe;

    s->is_gone = true;
    s->poll = s->ws = s->probe = 0;
    eio_queue_free(&s->queue);
    e->n--;
    if (poll != 0)
        answer(e, poll, TEXT_UTF8, SLICE_LIT("1"));
    if (ws != 0) {
        send_ws(e, ws, &bye);
        port->close(port->ctx, ws, NORMAL);
    }
    if (probe != 0)
        port->close(port->ctx, probe, NORMAL);
}

static void end(struct eio_server *e, struct session *s, const char *why)
{
    const bool is_told = s->is_told || s->is_kept;

    if (s->is_gone)
        return;
    leave(e, s);
    if (is_told)
        e->opt.on_close(e->opt.ctx, s->number, why);
}

static void push(
    struct eio_server *e, struct session *s, const struct eio_packet *p)
{
    if (s->is_gone)
        return;
    if (s->ws != 0) {
        send_ws(e, s->ws, p);
        return;
    }
    eio_queue_put(&s->queue, p);
    if (buf_status(&s->queue.bytes) != SYNCLINE_OK ||
        (s->queue.bytes.len > e->opt.queue_max && !PLANTED(R33_UNPOLLED)))
        end(e, s, "it does not ask for what waits for it");
    else if (s->poll != 0)
        answer_poll(e, s);
}

/* ---- sessions ---- */

static bool is_same_place(const struct netaddr *a, const struct netaddr *b)
{
    return a->family == b->family &&
        memcmp(a->addr, b->addr, a->family == 6 ? 8 : 4) == 0;
}

/* Who has opened a session and kept none makes room first. b came before a. */
static struct session *rather(struct session *a, struct session *b)
{
    const bool stays = b->is_settled || PLANTED(R33_NAMELESS);

    return stays || (a != NULL && b->is_kept && !a->is_kept) ? a : b;
}

/* Who is of no use yet makes room for others, those of his own place first. */
static bool has_room(struct eio_server *e, const struct netaddr *from)
{
    const size_t most = e->is_known ? e->opt.known_max : e->opt.sessions_max;
    struct session *oldest = NULL, *own = NULL;
    size_t same = 0, all = 0;

    for (struct session *s = e->sessions; s != NULL; s = s->next) {
        if (s->is_gone ||
            (s->is_known != e->is_known && !PLANTED(R13_ISYNC_TOKEN)))
            continue;
        all++;
        oldest = rather(oldest, s);
        if (!is_same_place(&s->from, from))
            continue;
        same++;
        own = rather(own, s);
    }
    if (same >= e->opt.of_a_place_max && !netaddr_is_loopback(from))
        oldest = own;
    else if (all < most || PLANTED(R33_ISYNC))
        return true;
    if (oldest == NULL)
        return false;
    end(e, oldest, "others have come");
    return true;
}

static struct session *session_new(
    struct eio_server *e, const struct netaddr *from)
{
    uint8_t bytes[EIO_SID_LEN / 4 * 3];
    struct buf sid = { 0 };
    struct session *s;

    if (!has_room(e, from)) {
        e->refused++;
        return NULL;
    }
    s = calloc(1, sizeof *s);
    if (s == NULL ||
        e->opt.port.random(e->opt.port.ctx, bytes, sizeof bytes) !=
            SYNCLINE_OK) {
        free(s);
        return NULL;
    }
    put_base64url(&sid, SLICE(bytes, sizeof bytes));
    if (buf_status(&sid) != SYNCLINE_OK || sid.len != EIO_SID_LEN) {
        buf_free(&sid);
        free(s);
        return NULL;
    }
    memcpy(s->sid, sid.ptr, sid.len);
    buf_free(&sid);
    s->from = *from;
    s->is_known = e->is_known;
    s->number = ++e->last;
    s->keep_due_us = e->now_us + e->opt.keep_us;
    s->ping_us = e->now_us + e->opt.ping_us;
    s->next = e->sessions;
    e->sessions = s;
    e->n++;
    return s;
}

static void push_open(struct eio_server *e, struct session *s)
{
    struct eio_open o = { .upgrades = s->ws == 0,
        .interval_ms = e->opt.ping_us / 1000,
        .timeout_ms = e->opt.pong_us / 1000,
        .payload_max = e->opt.payload_max };
    struct buf b = { 0 };

    memcpy(o.sid, s->sid, sizeof s->sid);
    eio_put_open(&b, &o);
    push(e, s, &(struct eio_packet){ .type = EIO_OPEN, .data = buf_slice(&b) });
    buf_free(&b);
}

static void open_session(struct eio_server *e, uint64_t conn,
    const struct http_request *r, const struct netaddr *from, bool is_ws)
{
    const struct eio_port *port = &e->opt.port;
    struct session *s;

    if (is_ws && !r->is_websocket) {
        eio_refuse(port, conn, 400, "Invalid websocket upgrade");
        return;
    }
    s = session_new(e, from);
    if (s == NULL) {
        eio_refuse(port, conn, 503, "Too many sessions");
        return;
    }
    if (is_ws) {
        s->ws = conn;
        port->upgrade(port->ctx, conn);
    } else {
        s->poll = conn;
    }
    push_open(e, s);
}

/* ---- what comes in ---- */

static void take_packet(
    struct eio_server *e, struct session *s, const struct eio_packet *p)
{
    switch (p->type) {
    case EIO_MESSAGE:
        s->is_told = true;
        e->opt.on_message(e->opt.ctx, s->number, !p->is_binary, p->data);
        break;
    case EIO_PONG:
        if (!s->is_pinged)
            break;
        s->is_pinged = false;
        s->ping_us = e->now_us + e->opt.ping_us;
        break;
    case EIO_CLOSE:
        end(e, s, "it has said that it goes");
        break;
    default: /* is passed over, as it is by the originals */
        break;
    }
}

static void take_body(
    struct eio_server *e, struct session *s, uint64_t conn, struct slice body)
{
    const uint64_t number = s->number;
    struct buf bytes = { 0 };
    struct slice piece;
    struct eio_packet p;
    int rc = body.len > e->opt.payload_max
        ? SYNCLINE_ELIMIT
        : eio_body_check(body, EIO_PACKETS_TAKEN);

    if (rc != SYNCLINE_OK) {
        eio_refuse(&e->opt.port, conn, rc == SYNCLINE_ELIMIT ? 413 : 400,
            rc == SYNCLINE_ELIMIT ? "Too much in one body" : "Invalid body");
        end(e, s, "what it sent is more, or other, than is taken");
        return;
    }
    answer(e, conn, TEXT, SLICE_LIT("OK"));
    while (eio_body_next(&body, &piece) && by_number(e, number) == s)
        if (eio_read_piece(&p, piece, &bytes) == SYNCLINE_OK)
            take_packet(e, s, &p);
    buf_free(&bytes);
}

/* It polls: an older request of it has been given up, or will be. */
static void hold(struct eio_server *e, struct session *s, uint64_t conn)
{
    if (s->poll != 0) {
        answer(e, s->poll, TEXT_UTF8, SLICE_LIT("6"));
        s->poll = 0;
    }
    s->poll = conn;
    if (s->queue.n > 0 || s->is_probed || s->ws != 0)
        answer_poll(e, s);
}

static void begin_probe(struct eio_server *e, struct session *s, uint64_t conn)
{
    const struct eio_port *port = &e->opt.port;

    if (s->ws != 0 || s->probe != 0) {
        eio_refuse(port, conn, 400, "Invalid websocket upgrade");
        return;
    }
    s->probe = conn;
    s->is_probed = false;
    s->probe_due_us = e->now_us + e->opt.probe_us;
    port->upgrade(port->ctx, conn);
}

static const char *fault_of(const struct eio_server *e,
    const struct eio_query *q, const struct http_request *r)
{
    const bool needs = r->method == HTTP_POST || q->has_sid;

    if (!q->is_known)
        return "Invalid transport";
    if (!q->has_sid && !q->is_ours)
        return "The client is using an unsupported version of the Socket.IO "
               "or Engine.IO protocols";
    if ((r->method == HTTP_GET || r->method == HTTP_POST) && needs &&
        by_sid(e, slice_str(q->sid)) == NULL)
        return "Invalid session";
    return NULL;
}

static void take_request(struct eio_server *e, uint64_t conn,
    const struct http_request *r, const struct eio_query *q,
    const struct netaddr *from)
{
    struct session *s = by_sid(e, slice_str(q->sid));

    if (r->method == HTTP_OPTIONS)
        answer(e, conn, TEXT, SLICE_LIT("OK"));
    else if (r->method == HTTP_POST)
        take_body(e, s, conn, r->body);
    else if (r->method != HTTP_GET)
        e->opt.port.respond(
            e->opt.port.ctx, conn, 405, TEXT, SLICE_LIT("Method Not Found"));
    else if (s == NULL)
        open_session(e, conn, r, from, q->is_ws);
    else if (r->is_websocket)
        begin_probe(e, s, conn);
    else if (q->is_ws)
        eio_refuse(&e->opt.port, conn, 400, "Invalid websocket upgrade");
    else
        hold(e, s, conn);
}

void eio_server_request(struct eio_server *e, uint64_t conn,
    const struct http_request *r, const struct netaddr *from, uint64_t now_us)
{
    struct eio_query q;
    const char *fault;

    e->now_us = now_us;
    eio_query_read(&q, r);
    fault = fault_of(e, &q, r);
    if (fault != NULL)
        eio_refuse(&e->opt.port, conn, 400, fault);
    else
        take_request(e, conn, r, &q, from);
    reap(e);
}

void eio_server_let_in(struct eio_server *e, uint64_t conn,
    const struct http_request *r, const struct netaddr *from, uint64_t now_us)
{
    e->is_known = true;
    eio_server_request(e, conn, r, from, now_us);
    e->is_known = false;
}

bool eio_server_head(
    struct eio_server *e, uint64_t conn, const struct http_request *r)
{
    struct eio_query q;
    const char *fault;

    eio_query_read(&q, r);
    fault = fault_of(e, &q, r);
    if (fault != NULL)
        eio_refuse(&e->opt.port, conn, 400, fault);
    return fault != NULL;
}

/* ---- WebSockets ---- */

static void probe_message(
    struct eio_server *e, struct session *s, bool text, struct slice message)
{
    const struct eio_packet pong = { .type = EIO_PONG,
        .data = SLICE_LIT("probe") };
    const uint64_t conn = s->probe;
    struct eio_packet p;

    if (text && slice_is(message, "2probe")) {
        send_ws(e, conn, &pong);
        s->is_probed = true;
        if (s->poll != 0)
            answer_poll(e, s);
        return;
    }
    s->probe = 0;
    if (!text || !slice_is(message, "5") || !s->is_probed) {
        s->is_probed = false;
        e->opt.port.close(e->opt.port.ctx, conn, NORMAL);
        return;
    }
    s->ws = conn;
    if (s->poll != 0)
        answer_poll(e, s);
    while (eio_queue_peek(&s->queue, &p)) {
        send_ws(e, conn, &p);
        eio_queue_drop(&s->queue);
    }
}

void eio_server_message(struct eio_server *e, uint64_t conn, bool text,
    struct slice message, uint64_t now_us)
{
    struct session *s = by_conn(e, conn);
    struct eio_packet p = {
        .type = EIO_MESSAGE, .is_binary = true, .data = message
    };

    e->now_us = now_us;
    if (s == NULL)
        return;
    if (conn == s->probe)
        probe_message(e, s, text, message);
    else if (!text || eio_read(&p, message) == SYNCLINE_OK)
        take_packet(e, s, &p);
    reap(e);
}

void eio_server_gone(struct eio_server *e, uint64_t conn, uint64_t now_us)
{
    struct session *s = by_conn(e, conn);

    e->now_us = now_us;
    if (s == NULL)
        return;
    if (conn == s->poll) {
        s->poll = 0;
    } else if (conn == s->probe) {
        s->probe = 0;
        s->is_probed = false;
    } else {
        s->ws = 0;
        end(e, s, "its connection has ended");
    }
    reap(e);
}

/* ---- time ---- */

static void tick(struct eio_server *e, struct session *s)
{
    const struct eio_packet ping = { .type = EIO_PING };

    if (!s->is_kept && e->now_us >= s->keep_due_us) {
        end(e, s, "it has not connected in time");
        return;
    }
    if (s->probe != 0 && e->now_us >= s->probe_due_us) {
        e->opt.port.close(e->opt.port.ctx, s->probe, NORMAL);
        s->probe = 0;
        s->is_probed = false;
    }
    if (e->now_us < s->ping_us)
        return;
    if (s->is_pinged) {
        end(e, s, "it does not answer pings");
        return;
    }
    s->is_pinged = true;
    s->ping_us = e->now_us + e->opt.pong_us;
    push(e, s, &ping);
}

void eio_server_tick(struct eio_server *e, uint64_t now_us)
{
    e->now_us = now_us;
    for (struct session *s = e->sessions; s != NULL; s = s->next)
        if (!s->is_gone)
            tick(e, s);
    reap(e);
}

uint64_t eio_server_deadline(const struct eio_server *e)
{
    uint64_t at = 0;

    for (const struct session *s = e->sessions; s != NULL; s = s->next) {
        if (s->is_gone)
            continue;
        if (at == 0 || s->ping_us < at)
            at = s->ping_us;
        if (!s->is_kept && s->keep_due_us < at)
            at = s->keep_due_us;
        if (s->probe != 0 && s->probe_due_us < at)
            at = s->probe_due_us;
    }
    return at;
}

/* ---- from above ---- */

void eio_server_send(
    struct eio_server *e, uint64_t session, bool text, struct slice data)
{
    struct session *s = by_number(e, session);

    if (s != NULL)
        push(e, s,
            &(struct eio_packet){
                .type = EIO_MESSAGE, .is_binary = !text, .data = data });
}

void eio_server_keep(struct eio_server *e, uint64_t session, bool kept)
{
    struct session *s = by_number(e, session);

    if (s == NULL)
        return;
    s->is_kept = kept;
    s->is_settled = s->is_settled && kept;
    s->keep_due_us = e->now_us + e->opt.keep_us;
}

void eio_server_settle(struct eio_server *e, uint64_t session)
{
    struct session *s = by_number(e, session);

    if (s != NULL)
        s->is_settled = true;
}

void eio_server_end(struct eio_server *e, uint64_t session)
{
    struct session *s = by_number(e, session);

    if (s != NULL)
        leave(e, s);
}

void eio_server_stop(struct eio_server *e)
{
    for (struct session *s = e->sessions; s != NULL; s = s->next)
        if (!s->is_gone)
            leave(e, s);
}

const struct netaddr *eio_server_from(
    const struct eio_server *e, uint64_t session)
{
    const struct session *s = by_number(e, session);

    return s != NULL ? &s->from : NULL;
}

struct eio_reach eio_server_reach(const struct eio_server *e, uint64_t session)
{
    const struct session *s = by_number(e, session);

    return s != NULL ? (struct eio_reach){ s->ws, s->queue.bytes.len }
                     : (struct eio_reach){ .ws = 0 };
}

size_t eio_server_n(const struct eio_server *e)
{
    return e->n;
}

uint64_t eio_server_refused(const struct eio_server *e)
{
    return e->refused;
}
