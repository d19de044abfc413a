#include "faces/http/http_conn.h"

#include <stdlib.h>

#include "base/plant.h"
#include "faces/http/http_answer.h"
#include "faces/http/http_conn_impl.h"

#define ANSWERS_MAX ((size_t)64 << 10) /* unsent, beyond which none is made */
#define PENDING_MAX ((size_t)1 << 20)  /* behind a request that waits */

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

bool http_conn_has_enough(const struct http_conn *c)
{
    return c->phase == PHASE_BUSY &&
        (c->in.len > PENDING_MAX / 4 || PLANTED(R13_GONE));
}

void http_conn_enter(struct http_conn *c, enum phase phase)
{
    c->phase = phase;
    c->since_ms = c->now_ms;
    c->is_stale = !c->is_calling;
}

void http_conn_drop(struct http_conn *c)
{
    http_conn_enter(c, PHASE_OVER);
    c->added -= c->out.len;
    buf_free(&c->out);
}

size_t http_conn_held(const struct http_conn *c)
{
    return c->in.cap + c->body.cap + c->out.cap +
        (c->ws != NULL ? ws_held(c->ws) : 0);
}

void http_conn_written(struct http_conn *c, size_t had)
{
    c->added += c->out.len - had;
    if (had == 0)
        c->is_sent_stale = !c->is_calling;
    if (buf_status(&c->out) != SYNCLINE_OK)
        http_conn_drop(c);
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

void http_conn_begin_answer(struct http_conn *c, unsigned status)
{
    put_status_line(&c->out, status);
    if (c->events.put_fields != NULL)
        c->events.put_fields(c->events.ctx, &c->out);
}

static void put_answer(struct http_conn *c, unsigned status, const char *type,
    struct slice fields, struct slice body)
{
    bool is_empty = status == 204 || status == 304; /* by what it means */
    struct buf *b = &c->out;

    http_conn_begin_answer(c, status);
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
    http_conn_enter(c, PHASE_OVER);
    http_conn_written(c, had);
    if (buf_status(&problem) != SYNCLINE_OK)
        http_conn_drop(c);
    buf_free(&problem);
}

struct slice http_conn_rest(const struct http_conn *c)
{
    return slice_from(buf_slice(&c->in), c->taken);
}

static void skip_empty_line(struct http_conn *c)
{
    if (c->has_skipped ||
        !slice_has_prefix(http_conn_rest(c), SLICE_LIT("\r\n")))
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
    in = http_conn_rest(c);
    /* What is beyond the limit decides nothing, in whatever pieces it comes. */
    if (in.len > c->limits.head_max)
        in.len = c->limits.head_max + 1;
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
    http_conn_drop(c);
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

    if (no.status != 0) {
        refuse(c, no.status, no.detail);
        return;
    }
    c->is_head = c->request.request.method == HTTP_HEAD;
    c->is_old = c->request.is_old;
    c->closes = c->request.closes;
    keep_key(c);
    c->is_shown = false;
    http_conn_enter(c, PHASE_BODY);
}

/* True if the body is whole. */
static bool take_body(struct http_conn *c)
{
    size_t used = 0;
    int rc = http_parse_body(
        c->parse, http_conn_rest(c), &used, &c->body, c->limits.body_max);

    c->taken += used;
    if (rc == SYNCLINE_ELIMIT)
        refuse(c, 413, "The body is larger than is taken here.");
    else if (rc == SYNCLINE_EMALFORMED)
        refuse(c, 400, "The chunks of the body are malformed.");
    else if (rc < 0)
        http_conn_drop(c);
    return rc > 0;
}

static void ask_for_body(struct http_conn *c)
{
    size_t had = c->out.len;

    if (!c->request.awaits_continue || c->body.len > 0 ||
        http_conn_rest(c).len > 0)
        return;
    put_status_line(&c->out, 100);
    buf_put_str(&c->out, "\r\n");
    http_conn_written(c, had);
}

/* More of the body is to come, if it is wanted. Where an answer is given now, a
 * body follows that is nobody's: nothing can come after it. */
static void show_head(struct http_conn *c)
{
    const bool closes = c->closes;

    c->is_shown = true;
    if (c->events.on_head != NULL) {
        c->closes = true;
        c->phase = PHASE_BUSY;
        c->is_owed = true;
        c->events.on_head(c->events.ctx, c, &c->request.request);
        if (c->phase != PHASE_BUSY) {
            buf_free(&c->head);
            buf_free(&c->body);
            return;
        }
        c->phase = PHASE_BODY;
        c->is_owed = false;
        c->closes = closes;
    }
    ask_for_body(c);
}

static void deliver(struct http_conn *c)
{
    struct http_request *r = &c->request.request;

    http_conn_enter(c, PHASE_BUSY);
    c->is_owed = true;
    r->body = buf_slice(&c->body);
    c->events.on_request(c->events.ctx, c, r);
    buf_free(&c->head);
    buf_free(&c->body);
}

/* Whoever does not read his answers is given no more of them for now. */
static bool has_room(const struct http_conn *c)
{
    return c->out.len < ANSWERS_MAX;
}

/* Goes on with what has come as far as it can. */
static void pump(struct http_conn *c)
{
    bool goes_on = true;

    while (goes_on) {
        goes_on = false;
        if (c->phase == PHASE_HEAD && has_room(c) && take_head(c)) {
            judge_head(c);
            goes_on = true;
        } else if (c->phase == PHASE_BODY && take_body(c)) {
            deliver(c);
            goes_on = true;
        } else if (c->phase == PHASE_BODY && !c->is_shown) {
            show_head(c);
        } else if (http_conn_has_websocket(c) && http_conn_rest(c).len > 0) {
            http_conn_take_frames(c);
        }
    }
    c->is_held = c->phase == PHASE_HEAD && !has_room(c);
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
        http_conn_drop(c);
}

void http_conn_feed(struct http_conn *c, struct slice in, uint64_t now_ms)
{
    begin(c, now_ms);
    if (c->phase != PHASE_OVER && in.len > 0)
        keep(c, in);
    pump(c);
    if (c->in.len > PENDING_MAX &&
        (c->phase == PHASE_BUSY || c->phase == PHASE_STREAM || !has_room(c)))
        http_conn_drop(c);
    end(c);
}

void http_conn_end(struct http_conn *c)
{
    c->is_calling = true;
    if (c->phase != PHASE_OVER)
        http_conn_enter(c, PHASE_OVER);
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
        return c->in.len > 0 && has_room(c) && (c->is_stale || c->is_held);
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
    if (c->phase == PHASE_WEBSOCKET) {
        http_conn_silence(c);
    } else if (c->phase == PHASE_CLOSING ||
        (c->phase == PHASE_HEAD && c->in.len == 0)) {
        http_conn_enter(c, PHASE_OVER);
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
        http_conn_drop(c);
    else if (limit != 0 && now_ms >= c->since_ms + limit)
        too_late(c);
    end(c);
}

bool http_conn_is_asked(const struct http_conn *c, enum phase phase)
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
        http_conn_enter(c, c->closes ? PHASE_OVER : PHASE_HEAD);
}

void http_respond(struct http_conn *c, unsigned status, const char *type,
    struct slice fields, struct slice body)
{
    size_t had = c->out.len;

    ENSURE(status >= 200 && status <= 599);
    if (http_conn_is_asked(c, PHASE_BUSY)) {
        put_answer(c, status, type, fields, type != NULL ? body : SLICE_NONE);
        http_conn_written(c, had);
    }
    answered(c);
}

void http_stream(
    struct http_conn *c, unsigned status, const char *type, struct slice fields)
{
    size_t had = c->out.len;

    ENSURE(status >= 200 && status <= 599 && status != 204 && status != 304);
    if (!http_conn_is_asked(c, PHASE_BUSY))
        return;
    c->closes = c->closes || c->is_old;
    http_conn_begin_answer(c, status);
    put_type(&c->out, type);
    buf_put_slice(&c->out, fields);
    put_close(c);
    if (!c->is_old)
        buf_put_str(&c->out, "Transfer-Encoding: chunked\r\n");
    buf_put_str(&c->out, "\r\n");
    http_conn_enter(c, PHASE_STREAM);
    http_conn_written(c, had);
}

void http_send(struct http_conn *c, struct slice piece)
{
    size_t had = c->out.len;

    if (!http_conn_is_asked(c, PHASE_STREAM) || piece.len == 0 || c->is_head)
        return;
    if (had > c->limits.queue_max) {
        http_conn_drop(c);
        return;
    }
    if (!c->is_old)
        buf_printf(&c->out, "%zx\r\n", piece.len);
    buf_put_slice(&c->out, piece);
    if (!c->is_old)
        buf_put_str(&c->out, "\r\n");
    http_conn_written(c, had);
}

void http_close_after(struct http_conn *c)
{
    c->closes = true;
}

void http_end(struct http_conn *c)
{
    size_t had = c->out.len;

    if (http_conn_is_asked(c, PHASE_STREAM)) {
        if (!c->is_old && !c->is_head)
            buf_put_str(&c->out, "0\r\n\r\n");
        http_conn_written(c, had);
    }
    answered(c);
}
