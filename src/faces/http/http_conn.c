#include "faces/http/http_conn.h"

#include <stdlib.h>

#include "faces/http/http_answer.h"
#include "faces/http/http_head.h"
#include "faces/http/ws.h"

#define ECHO_MAX ((size_t)64 * 1024)  /* of a WebSocket that is not read */
#define PENDING_MAX ((size_t)1 << 20) /* behind a request that waits */

/*  HEAD --> BODY --on_request--> BUSY --respond--> HEAD
 *                                  |--stream--> STREAM --end--> HEAD
 *                                  `--upgrade--> WEBSOCKET --close--> CLOSING
 *  any of these --refusal, close, failure--> OVER             */
enum phase {
    PHASE_HEAD,
    PHASE_BODY,
    PHASE_BUSY,
    PHASE_STREAM,
    PHASE_WEBSOCKET,
    PHASE_CLOSING, /* we have said so, the other has not */
    PHASE_OVER,
};

struct http_conn {
    struct http_events events;
    struct http_limits limits;
    void *user;
    enum phase phase;
    bool is_calling; /* feed, end or tick is at work */
    bool is_owed;    /* an on_gone, if it ends now */

    struct http_parse *parse;
    struct buf in, head, body, out;
    size_t taken;   /* of in, dropped when the call ends */
    size_t scanned; /* of what follows, for the end of a head */
    bool has_skipped;
    struct http_head request; /* lends from head: until on_request returns */
    bool is_head, is_old, closes;
    char key[25]; /* of the WebSocket that is asked for, or "" */

    struct ws *ws;
    bool is_in_message; /* on_message is at work */
    bool has_pinged;
    size_t echoed; /* answers to its pings since it last took something */

    uint64_t now_ms;
    uint64_t since_ms; /* in the phase, or for the first byte of a head */
    bool is_stale;     /* since_ms; nobody knew the time */
    uint64_t added;    /* to out, ever */
    uint64_t sent;     /* of that, when it was last looked at */
    uint64_t sent_ms;  /* when that was less, or nothing waited */
    bool is_sent_stale;
};

static uint64_t or_default(uint64_t v, uint64_t otherwise)
{
    return v != 0 ? v : otherwise;
}

static void set_limits(struct http_limits *to, const struct http_limits *l)
{
    static const struct http_limits none = { 0 };

    if (l == NULL)
        l = &none;
    to->head_max = or_default(l->head_max, 16 * 1024);
    to->fields_max = or_default(l->fields_max, 64);
    to->body_max = or_default(l->body_max, 16 << 20);
    to->message_max = or_default(l->message_max, 1 << 20);
    to->queue_max = or_default(l->queue_max, 4 << 20);
    to->head_ms = or_default(l->head_ms, 10000);
    to->body_ms = or_default(l->body_ms, 60000);
    to->idle_ms = or_default(l->idle_ms, 60000);
    to->send_ms = or_default(l->send_ms, 60000);
    to->ping_ms = or_default(l->ping_ms, 30000);
}

int http_conn_new(struct http_conn **out, const struct http_events *events,
    const struct http_limits *limits, uint64_t now_ms)
{
    struct http_conn *c = calloc(1, sizeof *c);

    if (c == NULL)
        return SYNCLINE_ENOMEM;
    c->events = *events;
    set_limits(&c->limits, limits);
    c->now_ms = c->since_ms = c->sent_ms = now_ms;
    if (http_parse_new(&c->parse, c->limits.fields_max) != SYNCLINE_OK) {
        http_conn_free(c);
        return SYNCLINE_ENOMEM;
    }
    *out = c;
    return SYNCLINE_OK;
}

void http_conn_free(struct http_conn *c)
{
    if (c == NULL)
        return;
    http_parse_free(c->parse);
    ws_free(c->ws);
    buf_free(&c->in);
    buf_free(&c->head);
    buf_free(&c->body);
    buf_free(&c->out);
    free(c);
}

void http_conn_set_user(struct http_conn *c, void *user)
{
    c->user = user;
}

void *http_conn_user(const struct http_conn *c)
{
    return c->user;
}

struct buf *http_conn_out(struct http_conn *c)
{
    return &c->out;
}

bool http_conn_is_over(const struct http_conn *c)
{
    return c->phase == PHASE_OVER;
}

bool http_conn_is_busy(const struct http_conn *c)
{
    return c->phase == PHASE_BUSY;
}

static void enter(struct http_conn *c, enum phase phase)
{
    c->phase = phase;
    c->since_ms = c->now_ms;
    c->is_stale = !c->is_calling;
}

/* Without another word: there is no memory for one, or nobody to read it. */
static void drop(struct http_conn *c)
{
    enter(c, PHASE_OVER);
    c->added -= c->out.len;
    buf_free(&c->out);
}

/* Every function that writes ends with it: had is the length before. */
static void written(struct http_conn *c, size_t had)
{
    c->added += c->out.len - had;
    if (had == 0)
        c->is_sent_stale = !c->is_calling;
    if (buf_status(&c->out) != SYNCLINE_OK)
        drop(c);
}

static void put_type(struct buf *b, const char *type)
{
    if (type != NULL)
        buf_printf(b, "Content-Type: %s\r\n", type);
}

static void put_close(struct http_conn *c)
{
    if (c->closes)
        buf_put_str(&c->out, "Connection: close\r\n");
}

static void put_answer(struct http_conn *c, unsigned status, const char *type,
    struct slice fields, struct slice body)
{
    bool is_empty = status == 204 || status == 304; /* by what it means */
    struct buf *b = &c->out;

    put_status_line(b, status);
    if (!is_empty)
        put_type(b, type);
    buf_put_slice(b, fields);
    put_close(c);
    if (!is_empty)
        buf_printf(b, "Content-Length: %zu\r\n", body.len);
    buf_put_str(b, "\r\n");
    if (!is_empty && !c->is_head)
        buf_put_slice(b, body);
}

static void refuse(struct http_conn *c, unsigned status, const char *detail)
{
    struct buf problem = { 0 };
    size_t had = c->out.len;

    c->closes = true;
    put_problem(&problem, status, detail);
    put_answer(c, status, "application/problem+json",
        status == 415 ? SLICE_LIT("Accept-Encoding: identity\r\n") : SLICE_NONE,
        buf_slice(&problem));
    enter(c, PHASE_OVER);
    written(c, had);
    if (buf_status(&problem) != SYNCLINE_OK)
        drop(c);
    buf_free(&problem);
}

static struct slice rest(const struct http_conn *c)
{
    return slice_from(buf_slice(&c->in), c->taken);
}

static void skip_empty_line(struct http_conn *c)
{
    if (c->has_skipped || !slice_has_prefix(rest(c), SLICE_LIT("\r\n")))
        return;
    c->has_skipped = true;
    c->taken += 2;
    c->scanned = 0;
}

/* True if there was a whole head. */
static bool take_head(struct http_conn *c)
{
    struct slice in;
    int rc;

    skip_empty_line(c);
    in = rest(c);
    rc = http_head_scan(in, &c->scanned);
    if (c->scanned > c->limits.head_max) {
        refuse(c, memchr(in.ptr, '\n', c->limits.head_max) == NULL ? 414 : 431,
            "The head of the request is larger than is taken here.");
        return false;
    }
    if (rc < 0)
        refuse(c, 400, "The lines of the head are malformed.");
    if (rc <= 0)
        return false;
    buf_put(&c->head, in.ptr, c->scanned);
    c->taken += c->scanned;
    if (buf_status(&c->head) == SYNCLINE_OK)
        return true;
    drop(c);
    return false;
}

/* A WebSocket may be accepted when the head has gone. */
static void keep_key(struct http_conn *c)
{
    const struct http_head *h = &c->request;

    c->key[0] = 0;
    if (!h->request.is_websocket)
        return;
    ENSURE(h->key.len < sizeof c->key);
    memcpy(c->key, h->key.ptr, h->key.len);
    c->key[h->key.len] = 0;
}

static void judge_head(struct http_conn *c)
{
    struct http_refusal no =
        http_head_read(&c->request, c->parse, &c->head, c->limits.body_max);
    size_t had = c->out.len;

    if (no.status != 0) {
        refuse(c, no.status, no.detail);
        return;
    }
    c->is_head = c->request.request.method == HTTP_HEAD;
    c->is_old = c->request.is_old;
    c->closes = c->request.closes;
    keep_key(c);
    enter(c, PHASE_BODY);
    if (c->request.awaits_continue && rest(c).len == 0) {
        put_status_line(&c->out, 100);
        buf_put_str(&c->out, "\r\n");
        written(c, had);
    }
}

/* True if the body is whole. */
static bool take_body(struct http_conn *c)
{
    size_t used = 0;
    int rc =
        http_parse_body(c->parse, rest(c), &used, &c->body, c->limits.body_max);

    c->taken += used;
    if (rc == SYNCLINE_ELIMIT)
        refuse(c, 413, "The body is larger than is taken here.");
    else if (rc == SYNCLINE_EMALFORMED)
        refuse(c, 400, "The chunks of the body are malformed.");
    else if (rc < 0)
        drop(c);
    return rc > 0;
}

static void deliver(struct http_conn *c)
{
    struct http_request *r = &c->request.request;

    enter(c, PHASE_BUSY);
    c->is_owed = true;
    r->body = buf_slice(&c->body);
    c->events.on_request(c->events.ctx, c, r);
    buf_free(&c->head);
    buf_free(&c->body);
}

static bool has_websocket(const struct http_conn *c)
{
    return c->phase == PHASE_WEBSOCKET || c->phase == PHASE_CLOSING;
}

/* After what was done with a WebSocket. */
static void settle(struct http_conn *c, int rc)
{
    if (rc != SYNCLINE_OK)
        drop(c);
    else if (has_websocket(c) && ws_is_over(c->ws))
        enter(c, PHASE_OVER);
}

static void take_frames(struct http_conn *c)
{
    struct slice in = rest(c);

    if (c->phase == PHASE_WEBSOCKET)
        c->since_ms = c->now_ms; /* it lives */
    c->has_pinged = false;
    c->taken += in.len;
    settle(c, ws_feed(c->ws, in));
}

/* Goes on with what has come as far as it can. */
static void pump(struct http_conn *c)
{
    bool goes_on = true;

    while (goes_on) {
        goes_on = false;
        if (c->phase == PHASE_HEAD && take_head(c)) {
            judge_head(c);
            goes_on = true;
        } else if (c->phase == PHASE_BODY && take_body(c)) {
            deliver(c);
            goes_on = true;
        } else if (has_websocket(c) && rest(c).len > 0) {
            take_frames(c);
        }
    }
    buf_consume(&c->in, c->taken);
    c->taken = 0;
    if (c->in.len == 0 || c->phase == PHASE_OVER)
        buf_free(&c->in);
}

/* Every call from outside that knows the time begins with it. */
static void begin(struct http_conn *c, uint64_t now_ms)
{
    uint64_t sent = c->added - c->out.len;

    c->is_calling = true;
    c->now_ms = now_ms;
    if (c->is_stale)
        c->since_ms = now_ms;
    c->is_stale = false;
    if (sent != c->sent || c->out.len == 0)
        c->echoed = 0;
    if (sent != c->sent || c->out.len == 0 || c->is_sent_stale)
        c->sent_ms = now_ms;
    c->is_sent_stale = false;
    c->sent = sent;
}

static void end(struct http_conn *c)
{
    c->is_calling = false;
    if (c->phase == PHASE_OVER && c->is_owed) {
        c->is_owed = false;
        c->events.on_gone(c->events.ctx, c);
    }
}

static void keep(struct http_conn *c, struct slice in)
{
    if (c->phase == PHASE_HEAD && c->in.len == 0)
        c->since_ms = c->now_ms;
    buf_put_slice(&c->in, in);
    if (buf_status(&c->in) != SYNCLINE_OK)
        drop(c);
}

void http_conn_feed(struct http_conn *c, struct slice in, uint64_t now_ms)
{
    begin(c, now_ms);
    if (c->phase != PHASE_OVER && in.len > 0)
        keep(c, in);
    pump(c);
    if (c->in.len > PENDING_MAX &&
        (c->phase == PHASE_BUSY || c->phase == PHASE_STREAM))
        drop(c);
    end(c);
}

void http_conn_end(struct http_conn *c)
{
    c->is_calling = true;
    if (c->phase != PHASE_OVER)
        enter(c, PHASE_OVER);
    end(c);
}

static uint64_t limit_ms(const struct http_conn *c)
{
    switch (c->phase) {
    case PHASE_HEAD:
        return c->in.len == 0 ? c->limits.idle_ms : c->limits.head_ms;
    case PHASE_BODY:
        return c->limits.body_ms;
    case PHASE_WEBSOCKET:
        return c->has_pinged ? 2 * c->limits.ping_ms : c->limits.ping_ms;
    case PHASE_CLOSING:
        return c->limits.ping_ms;
    default:
        return 0;
    }
}

/* An end that nobody has been told of, or bytes that wait to be taken up. */
static bool is_due(const struct http_conn *c)
{
    switch (c->phase) {
    case PHASE_OVER:
        return c->is_owed;
    case PHASE_HEAD:
        return c->is_stale && c->in.len > 0;
    case PHASE_WEBSOCKET:
        return c->in.len > 0;
    default:
        return false;
    }
}

uint64_t http_conn_deadline_ms(const struct http_conn *c)
{
    uint64_t limit = limit_ms(c);
    uint64_t at = limit != 0 ? c->since_ms + limit : 0;
    uint64_t send_at = c->sent_ms + c->limits.send_ms;

    if (is_due(c))
        return c->now_ms != 0 ? c->now_ms : 1;
    if (c->out.len > 0 && (at == 0 || send_at < at))
        return send_at;
    return at;
}

static void too_late(struct http_conn *c)
{
    if (c->phase == PHASE_WEBSOCKET && !c->has_pinged) {
        c->has_pinged = true;
        settle(c, ws_ping(c->ws));
    } else if (c->phase == PHASE_WEBSOCKET) {
        drop(c);
    } else if (c->phase == PHASE_CLOSING ||
        (c->phase == PHASE_HEAD && c->in.len == 0)) {
        enter(c, PHASE_OVER);
    } else {
        refuse(c, 408, "The request did not come in time.");
    }
}

void http_conn_tick(struct http_conn *c, uint64_t now_ms)
{
    uint64_t limit;

    begin(c, now_ms);
    pump(c);
    limit = limit_ms(c);
    if (c->out.len > 0 && now_ms >= c->sent_ms + c->limits.send_ms)
        drop(c);
    else if (limit != 0 && now_ms >= c->since_ms + limit)
        too_late(c);
    end(c);
}

/* May an answer of this phase be given? Not, if it comes too late. */
static bool is_asked(const struct http_conn *c, enum phase phase)
{
    ENSURE(c->phase == phase || c->phase == PHASE_CLOSING ||
        c->phase == PHASE_OVER);
    return c->phase == phase;
}

static void answered(struct http_conn *c)
{
    c->is_owed = false;
    c->is_head = false;
    c->scanned = 0;
    c->has_skipped = false;
    if (c->phase != PHASE_OVER)
        enter(c, c->closes ? PHASE_OVER : PHASE_HEAD);
}

void http_respond(struct http_conn *c, unsigned status, const char *type,
    struct slice fields, struct slice body)
{
    size_t had = c->out.len;

    ENSURE(status >= 200 && status <= 599);
    if (is_asked(c, PHASE_BUSY)) {
        put_answer(c, status, type, fields, type != NULL ? body : SLICE_NONE);
        written(c, had);
    }
    answered(c);
}

void http_stream(
    struct http_conn *c, unsigned status, const char *type, struct slice fields)
{
    size_t had = c->out.len;

    ENSURE(status >= 200 && status <= 599 && status != 204 && status != 304);
    if (!is_asked(c, PHASE_BUSY))
        return;
    c->closes = c->closes || c->is_old;
    put_status_line(&c->out, status);
    put_type(&c->out, type);
    buf_put_slice(&c->out, fields);
    put_close(c);
    if (!c->is_old)
        buf_put_str(&c->out, "Transfer-Encoding: chunked\r\n");
    buf_put_str(&c->out, "\r\n");
    enter(c, PHASE_STREAM);
    written(c, had);
}

void http_send(struct http_conn *c, struct slice piece)
{
    size_t had = c->out.len;

    if (!is_asked(c, PHASE_STREAM) || piece.len == 0 || c->is_head)
        return;
    if (had > c->limits.queue_max) {
        drop(c);
        return;
    }
    if (!c->is_old)
        buf_printf(&c->out, "%zx\r\n", piece.len);
    buf_put_slice(&c->out, piece);
    if (!c->is_old)
        buf_put_str(&c->out, "\r\n");
    written(c, had);
}

void http_end(struct http_conn *c)
{
    size_t had = c->out.len;

    if (is_asked(c, PHASE_STREAM)) {
        if (!c->is_old && !c->is_head)
            buf_put_str(&c->out, "0\r\n\r\n");
        written(c, had);
    }
    answered(c);
}

static int on_ws_send(void *ctx, struct slice bytes)
{
    struct http_conn *c = ctx;
    size_t had = c->out.len;

    if (c->is_calling && !c->is_in_message && c->phase == PHASE_WEBSOCKET)
        c->echoed += bytes.len;
    if (c->echoed > ECHO_MAX)
        return SYNCLINE_ELIMIT;
    buf_put_slice(&c->out, bytes);
    written(c, had);
    return c->phase == PHASE_OVER ? SYNCLINE_ENOMEM : SYNCLINE_OK;
}

static void on_ws_message(void *ctx, bool text, struct slice message)
{
    struct http_conn *c = ctx;

    if (c->phase != PHASE_WEBSOCKET)
        return;
    c->is_in_message = true;
    c->events.on_message(c->events.ctx, c, text, message);
    c->is_in_message = false;
}

static int put_upgrade(struct http_conn *c, const char *protocol)
{
    struct buf *b = &c->out;
    int rc;

    put_status_line(b, 101);
    buf_put_str(b,
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: ");
    rc = ws_accept(b, slice_str(c->key));
    buf_put_str(b, "\r\n");
    if (protocol != NULL)
        buf_printf(b, "Sec-WebSocket-Protocol: %s\r\n", protocol);
    buf_put_str(b, "\r\n");
    return rc;
}

void http_upgrade(struct http_conn *c, const char *protocol)
{
    const struct ws_events events = {
        .ctx = c, .send = on_ws_send, .on_message = on_ws_message
    };
    size_t had = c->out.len;
    int rc;

    if (!is_asked(c, PHASE_BUSY))
        return;
    ENSURE(c->key[0] != 0);
    rc = put_upgrade(c, protocol);
    if (rc == SYNCLINE_OK)
        rc = ws_new(&c->ws, &events, c->limits.message_max);
    enter(c, PHASE_WEBSOCKET);
    written(c, had);
    if (rc != SYNCLINE_OK)
        drop(c);
}

void http_send_message(struct http_conn *c, bool text, struct slice message)
{
    if (!is_asked(c, PHASE_WEBSOCKET))
        return;
    if (c->out.len > c->limits.queue_max)
        drop(c);
    else
        settle(c, ws_send(c->ws, text, message));
}

void http_close_websocket(
    struct http_conn *c, uint16_t code, const char *reason)
{
    if (is_asked(c, PHASE_WEBSOCKET)) {
        enter(c, PHASE_CLOSING);
        settle(c, ws_close(c->ws, code, reason));
    }
    c->is_owed = false;
}
