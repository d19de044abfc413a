#include "faces/socketio/eio_client.h"

#include <stdlib.h>

#include "base/pace.h"
#include "base/text.h"

#define PAUSE_US 200000 /* after an answer that held nothing */
#define TAKEN_MAX 4096  /* packets of one answer */

enum phase { OPENING, PROBING, OPEN, OVER };

struct eio_client {
    struct eio_client_options opt;
    char *path;
    enum phase phase;
    struct eio_open session; /* sid "": none yet */
    bool has_ws;             /* one is open, or is opening */
    bool is_ws;              /* all goes by it */
    bool is_asked[2];        /* a request is under way */
    bool is_in_answer;       /* whose packets are being told */
    bool is_closed;          /* by us: nothing is told */
    uint64_t now_us, due_us; /* OPENING, PROBING: until when */
    uint64_t heard_us;
    uint64_t poll_us; /* not before */
    struct pace polls;
    uint64_t asked; /* so many requests */
    struct eio_queue queue;
};

static void over(struct eio_client *c, const char *why)
{
    if (c->phase == OVER)
        return;
    c->phase = OVER;
    if (!c->is_closed)
        c->opt.events.on_over(c->opt.events.ctx, why);
}

/* ---- what goes out ---- */

static void put_path(struct eio_client *c, struct buf *b, bool is_ws)
{
    buf_printf(b, "%s%cEIO=4&transport=%s", c->path,
        strchr(c->path, '?') != NULL ? '&' : '?',
        is_ws ? "websocket" : "polling");
    if (c->session.sid[0] != 0)
        buf_printf(b, "&sid=%s", c->session.sid);
    buf_printf(b, "&t=%llx", (unsigned long long)++c->asked);
    buf_put_u8(b, 0);
}

static void ask(struct eio_client *c, enum eio_ask which, struct slice body)
{
    struct buf path = { 0 };

    put_path(c, &path, false);
    if (buf_status(&path) == SYNCLINE_OK) {
        c->is_asked[which] = true;
        c->opt.events.request(
            c->opt.events.ctx, which, (const char *)path.ptr, body);
    } else {
        over(c, "memory ran out");
    }
    buf_free(&path);
}

static void open_ws(struct eio_client *c)
{
    struct buf path = { 0 };

    put_path(c, &path, true);
    if (buf_status(&path) == SYNCLINE_OK) {
        c->has_ws = true;
        c->opt.events.open_ws(c->opt.events.ctx, (const char *)path.ptr);
    } else {
        over(c, "memory ran out");
    }
    buf_free(&path);
}

static void send_text(struct eio_client *c, struct slice text)
{
    c->opt.events.send(c->opt.events.ctx, true, text);
}

/* Asks for what is next, and posts what waits. */
static void go_on(struct eio_client *c)
{
    struct buf body = { 0 };

    if (c->phase != OPEN || c->is_ws)
        return;
    if (c->queue.n > 0 && !c->is_asked[EIO_POST]) {
        eio_queue_body(&c->queue, &body, c->session.payload_max);
        if (buf_status(&body) != SYNCLINE_OK)
            over(c, "memory ran out");
        else
            ask(c, EIO_POST, buf_slice(&body));
        buf_free(&body);
    }
    if (c->phase == OPEN && !c->is_asked[EIO_GET] && !c->is_in_answer &&
        c->now_us >= c->poll_us)
        ask(c, EIO_GET, SLICE_NONE);
}

static void put(struct eio_client *c, const struct eio_packet *p)
{
    struct buf b = { 0 };

    if (c->is_ws) {
        eio_put(&b, p);
        if (buf_status(&b) == SYNCLINE_OK)
            send_text(c, buf_slice(&b));
        else
            over(c, "memory ran out");
        buf_free(&b);
        return;
    }
    eio_queue_put(&c->queue, p);
    if (buf_status(&c->queue.bytes) != SYNCLINE_OK ||
        c->queue.bytes.len > c->opt.queue_max)
        over(c, "it does not take what is posted");
    else
        go_on(c);
}

int eio_client_send(struct eio_client *c, struct slice text)
{
    const struct eio_packet p = { .type = EIO_MESSAGE, .data = text };

    if (c->phase != OPEN)
        return SYNCLINE_ECLOSED;
    if (text.len + 1 > c->session.payload_max)
        return SYNCLINE_ELIMIT;
    put(c, &p);
    return c->phase == OPEN ? SYNCLINE_OK : SYNCLINE_ECLOSED;
}

/* ---- what comes in ---- */

static void settle(struct eio_client *c, bool is_ws)
{
    struct eio_packet p;

    c->phase = OPEN;
    c->is_ws = is_ws;
    for (; is_ws && eio_queue_peek(&c->queue, &p); eio_queue_drop(&c->queue))
        put(c, &p);
    c->opt.events.on_open(c->opt.events.ctx);
}

/* It goes on by polling. */
static void give_up_probe(struct eio_client *c)
{
    if (c->has_ws)
        c->opt.events.close_ws(c->opt.events.ctx);
    c->has_ws = false;
    settle(c, false);
}

static void take_open(struct eio_client *c, const struct eio_packet *p)
{
    if (c->session.sid[0] != 0)
        return;
    if (eio_read_open(&c->session, p->data) != SYNCLINE_OK) {
        over(c, "what it says first is not Engine.IO");
        return;
    }
    if (c->has_ws) {
        settle(c, true);
    } else if (c->opt.how == EIO_UPGRADING && c->session.upgrades) {
        c->phase = PROBING;
        c->due_us = c->now_us + c->opt.probe_us;
        open_ws(c);
    } else {
        settle(c, false);
    }
}

static void take_packet(struct eio_client *c, const struct eio_packet *p)
{
    const struct eio_packet pong = { .type = EIO_PONG, .data = p->data };

    c->heard_us = c->now_us;
    switch (p->type) {
    case EIO_OPEN:
        take_open(c, p);
        break;
    case EIO_CLOSE:
        over(c, "it has said that it goes");
        break;
    case EIO_PING:
        if (c->session.sid[0] != 0)
            put(c, &pong);
        break;
    case EIO_MESSAGE:
        if (c->phase == OPEN)
            c->opt.events.on_message(c->opt.events.ctx, !p->is_binary, p->data);
        break;
    default:
        break;
    }
}

/* Who answers at once, always, is asked so often. */
static void take_body(struct eio_client *c, struct slice body)
{
    const struct pace_rule often = { .rate = 50, .burst = 50 };
    struct buf bytes = { 0 };
    struct slice piece;
    struct eio_packet p;
    size_t n = 0;

    if (eio_body_check(body, TAKEN_MAX) != SYNCLINE_OK) {
        over(c, "what it answers is not Engine.IO");
        return;
    }
    c->is_in_answer = true;
    while (c->phase != OVER && eio_body_next(&body, &piece))
        if (eio_read_piece(&p, piece, &bytes) == SYNCLINE_OK) {
            n += p.type != EIO_NOOP;
            take_packet(c, &p);
        }
    c->is_in_answer = false;
    c->poll_us = c->now_us +
        (n > 0 ? pace_take(&c->polls, &often, 1, c->now_us) : PAUSE_US);
    buf_free(&bytes);
}

static void refused(struct eio_client *c, unsigned status, struct slice body)
{
    struct errmsg why = { "" };
    struct buf b = { 0 };

    put_inert(&b, utf8_cut(body, 100));
    errmsg_set(&why, 0, "it answers %u %.*s", status, SLICE_FMT(buf_slice(&b)));
    buf_free(&b);
    over(c, why.text);
}

void eio_client_answer(struct eio_client *c, enum eio_ask which,
    unsigned status, struct slice body, uint64_t now_us)
{
    c->now_us = now_us;
    c->is_asked[which] = false;
    if (c->phase == OVER || c->is_ws)
        return;
    if (status != 200)
        refused(c, status, body);
    else if (which == EIO_GET)
        take_body(c, body);
    if (c->phase == OPENING && c->session.sid[0] == 0)
        over(c, "what it answers is not Engine.IO");
    go_on(c);
}

void eio_client_failed(
    struct eio_client *c, enum eio_ask which, const char *why, uint64_t now_us)
{
    c->now_us = now_us;
    c->is_asked[which] = false;
    if (!c->is_ws)
        over(c, why);
}

/* ---- its WebSocket ---- */

void eio_client_ws_open(struct eio_client *c, uint64_t now_us)
{
    c->now_us = now_us;
    if (c->phase == PROBING)
        send_text(c, SLICE_LIT("2probe"));
}

/* What came by polling while this went on has been told before. */
static void take_probe(struct eio_client *c, bool text, struct slice message)
{
    if (!text || !slice_is(message, "3probe")) {
        give_up_probe(c);
        go_on(c);
        return;
    }
    send_text(c, SLICE_LIT("5"));
    settle(c, true);
}

void eio_client_ws_message(
    struct eio_client *c, bool text, struct slice message, uint64_t now_us)
{
    struct eio_packet p = {
        .type = EIO_MESSAGE, .is_binary = true, .data = message
    };

    c->now_us = now_us;
    if (c->phase == OVER || !c->has_ws)
        return;
    if (c->phase == PROBING && text && slice_is(message, "6"))
        return;
    if (c->phase == PROBING)
        take_probe(c, text, message);
    else if (!text || eio_read(&p, message) == SYNCLINE_OK)
        take_packet(c, &p);
    if (c->phase == OPENING)
        over(c, "what it says first is not Engine.IO");
}

void eio_client_ws_end(struct eio_client *c, const char *why, uint64_t now_us)
{
    c->now_us = now_us;
    if (!c->has_ws)
        return;
    c->has_ws = false;
    if (c->phase != PROBING) {
        over(c, why);
        return;
    }
    give_up_probe(c);
    go_on(c);
}

/* ---- time ---- */

void eio_client_begin(struct eio_client *c, uint64_t now_us)
{
    c->now_us = c->heard_us = now_us;
    c->due_us = now_us + c->opt.open_us;
    if (c->opt.how == EIO_WEBSOCKET)
        open_ws(c);
    else
        ask(c, EIO_GET, SLICE_NONE);
}

static uint64_t silence_us(const struct eio_client *c)
{
    return c->heard_us +
        (c->session.interval_ms + c->session.timeout_ms) * 1000;
}

void eio_client_tick(struct eio_client *c, uint64_t now_us)
{
    c->now_us = now_us;
    if (c->phase == OPENING && now_us >= c->due_us)
        over(c, "it does not answer");
    else if (c->phase == PROBING && now_us >= c->due_us)
        give_up_probe(c);
    else if (c->phase == OPEN && now_us >= silence_us(c))
        over(c, "it is silent");
    go_on(c);
}

uint64_t eio_client_deadline(const struct eio_client *c)
{
    uint64_t at;

    if (c->phase == OVER)
        return 0;
    if (c->phase != OPEN)
        return c->due_us;
    at = silence_us(c);
    if (!c->is_ws && !c->is_asked[EIO_GET] && c->poll_us < at)
        at = c->poll_us > 0 ? c->poll_us : 1;
    return at;
}

void eio_client_close(struct eio_client *c)
{
    const struct eio_packet bye = { .type = EIO_CLOSE };

    c->is_closed = true;
    if (c->phase == OPEN)
        put(c, &bye);
    c->phase = OVER;
}

bool eio_client_is_websocket(const struct eio_client *c)
{
    return c->is_ws;
}

/* ---- beginning and end ---- */

int eio_client_new(
    struct eio_client **out, const struct eio_client_options *opt)
{
    struct eio_client *c = calloc(1, sizeof *c);

    if (c == NULL)
        return SYNCLINE_ENOMEM;
    c->opt = *opt;
    if (c->opt.open_us == 0)
        c->opt.open_us = 10000000;
    if (c->opt.probe_us == 0)
        c->opt.probe_us = 5000000;
    if (c->opt.queue_max == 0)
        c->opt.queue_max = (size_t)8 << 20;
    c->opt.path = NULL;
    c->path = strdup(opt->path != NULL ? opt->path : EIO_PATH);
    if (c->path == NULL) {
        free(c);
        return SYNCLINE_ENOMEM;
    }
    *out = c;
    return SYNCLINE_OK;
}

void eio_client_free(struct eio_client *c)
{
    if (c == NULL)
        return;
    eio_queue_free(&c->queue);
    free(c->path);
    free(c);
}

size_t eio_client_waiting(const struct eio_client *c)
{
    return c->queue.bytes.len;
}
