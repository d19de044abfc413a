#include "faces/socketio/sio_client.h"

#include <stdlib.h>

#include "base/plant.h"
#include "base/prng.h"
#include "base/text.h"

#define CONNECT_US 10000000 /* for 40 to be answered */
#define DIAL_MAX_US 5000000
#define EARLY_MAX ((size_t)8 << 20) /* events before that */

enum phase { WAITING, OPENING, CONNECTED, CLOSED };

struct sio_client {
    struct sio_client_options opt;
    struct eio_client_options eio_opt;
    char *path;
    struct eio_client *eio; /* NULL: it waits */
    enum phase phase;
    bool is_ending; /* this session is over; settled when the call ends */
    struct errmsg why;
    uint64_t due_us; /* WAITING: the next call; OPENING: the last moment */
    uint64_t pause_us, now_us, began_us;
    struct prng prng;
    struct eio_queue early; /* events that came before we were let in */
    struct arena arena;
};

static void end(struct sio_client *c, const char *why)
{
    if (c->is_ending)
        return;
    c->is_ending = true;
    errmsg_set(&c->why, 0, "%s", why);
}

static uint64_t next_pause(struct sio_client *c)
{
    const uint64_t pause = PLANTED(R36_ISYNC) ? 0 : c->pause_us;

    c->pause_us =
        2 * pause < c->opt.dial_max_us ? 2 * pause : c->opt.dial_max_us;
    return pause / 2 + prng_below(&c->prng, pause + 1);
}

/* Whatever was called back may have ended it. */
static void settle(struct sio_client *c)
{
    const bool was_connected = c->phase == CONNECTED;

    if (!c->is_ending || c->phase == CLOSED)
        return;
    c->is_ending = false;
    c->phase = WAITING;
    c->due_us = c->now_us + next_pause(c);
    eio_client_close(c->eio);
    c->opt.reset(c->opt.ctx);
    eio_client_free(c->eio);
    c->eio = NULL;
    eio_queue_free(&c->early);
    if (was_connected)
        c->opt.on_closed(c->opt.ctx, c->why.text);
    else if (c->opt.on_failed != NULL)
        c->opt.on_failed(c->opt.ctx, c->why.text);
}

/* ---- what comes in ---- */

static void tell(struct sio_client *c, const struct sio_packet *p)
{
    struct sio_event ev;
    struct buf b = { 0 };
    int rc = sio_event_read(&ev, p, &c->arena);

    if (rc == SYNCLINE_OK)
        c->opt.on_event(c->opt.ctx, &ev);
    else if (rc == SYNCLINE_EMALFORMED)
        end(c, "it does not speak Socket.IO");
    if (rc == SYNCLINE_OK && ev.wants_ack && !c->is_ending) {
        sio_put(&b,
            &(struct sio_packet){ .type = SIO_ACK,
                .nsp = SLICE_LIT("/"),
                .has_id = true,
                .id = p->id,
                .json = SLICE_LIT("[]") });
        rc = eio_client_send(c->eio, buf_slice(&b));
        buf_free(&b);
    }
    arena_reset(&c->arena);
}

static void on_accepted(struct sio_client *c)
{
    struct eio_packet early;
    struct sio_packet p;

    if (c->phase != OPENING)
        return;
    c->phase = CONNECTED;
    c->why.text[0] = 0;
    c->pause_us = c->opt.pause_us;
    c->opt.on_connected(c->opt.ctx);
    while (!c->is_ending && eio_queue_peek(&c->early, &early)) {
        if (sio_read(&p, early.data) == SYNCLINE_OK)
            tell(c, &p);
        eio_queue_drop(&c->early);
    }
}

static void on_refused(struct sio_client *c, const struct sio_packet *p)
{
    struct errmsg why = { "" };
    struct buf b = { 0 };

    put_inert(&b, utf8_cut(p->json, 100));
    errmsg_set(
        &why, 0, "it does not let us in: %.*s", SLICE_FMT(buf_slice(&b)));
    buf_free(&b);
    end(c, why.text);
}

static void on_event(
    struct sio_client *c, const struct sio_packet *p, struct slice text)
{
    if (c->phase == CONNECTED) {
        tell(c, p);
        return;
    }
    eio_queue_put(
        &c->early, &(struct eio_packet){ .type = EIO_MESSAGE, .data = text });
    if (buf_status(&c->early.bytes) != SYNCLINE_OK ||
        c->early.bytes.len > EARLY_MAX)
        end(c, "it sends much before it lets us in");
}

static void on_message(void *ctx, bool text, struct slice data)
{
    struct sio_client *c = ctx;
    struct sio_packet p;

    if (c->is_ending || !text)
        return;
    if (sio_read(&p, data) != SYNCLINE_OK) {
        end(c, "it does not speak Socket.IO");
        return;
    }
    if (!slice_is(p.nsp, "/"))
        return;
    switch (p.type) {
    case SIO_CONNECT:
        on_accepted(c);
        break;
    case SIO_CONNECT_ERROR:
        on_refused(c, &p);
        break;
    case SIO_DISCONNECT:
        end(c, "it has sent us away");
        break;
    case SIO_EVENT:
        on_event(c, &p, data);
        break;
    default: /* we ask for no acks, and take no binary data */
        break;
    }
}

static void on_open(void *ctx)
{
    struct sio_client *c = ctx;

    c->due_us = c->now_us + CONNECT_US;
    if (eio_client_send(c->eio, SLICE_LIT("0")) != SYNCLINE_OK)
        end(c, "it cannot be told who we are");
}

static void on_over(void *ctx, const char *why)
{
    end(ctx, why);
}

/* ---- to and from the session ---- */

static void on_request(
    void *ctx, enum eio_ask which, const char *path, struct slice body)
{
    const struct sio_client *c = ctx;

    c->opt.request(c->opt.ctx, which, path, body);
}

static void on_open_ws(void *ctx, const char *path)
{
    const struct sio_client *c = ctx;

    c->opt.open_ws(c->opt.ctx, path);
}

static void on_send(void *ctx, bool text, struct slice message)
{
    const struct sio_client *c = ctx;

    c->opt.send(c->opt.ctx, text, message);
}

static void on_close_ws(void *ctx)
{
    const struct sio_client *c = ctx;

    c->opt.close_ws(c->opt.ctx);
}

void sio_client_answer(struct sio_client *c, enum eio_ask which,
    unsigned status, struct slice body, uint64_t now_us)
{
    c->now_us = now_us;
    if (c->eio != NULL)
        eio_client_answer(c->eio, which, status, body, now_us);
    settle(c);
}

void sio_client_failed(
    struct sio_client *c, enum eio_ask which, const char *why, uint64_t now_us)
{
    c->now_us = now_us;
    if (c->eio != NULL)
        eio_client_failed(c->eio, which, why, now_us);
    settle(c);
}

void sio_client_ws_open(struct sio_client *c, uint64_t now_us)
{
    c->now_us = now_us;
    if (c->eio != NULL)
        eio_client_ws_open(c->eio, now_us);
    settle(c);
}

void sio_client_ws_message(
    struct sio_client *c, bool text, struct slice message, uint64_t now_us)
{
    c->now_us = now_us;
    if (c->eio != NULL)
        eio_client_ws_message(c->eio, text, message, now_us);
    settle(c);
}

void sio_client_ws_end(struct sio_client *c, const char *why, uint64_t now_us)
{
    c->now_us = now_us;
    if (c->eio != NULL)
        eio_client_ws_end(c->eio, why, now_us);
    settle(c);
}

/* ---- time ---- */

static void call(struct sio_client *c)
{
    c->phase = OPENING;
    c->due_us = UINT64_MAX;
    c->began_us = c->now_us;
    if (eio_client_new(&c->eio, &c->eio_opt) != SYNCLINE_OK) {
        c->eio = NULL;
        c->phase = WAITING;
        c->due_us = c->now_us + next_pause(c);
        return;
    }
    eio_client_begin(c->eio, c->now_us);
}

void sio_client_tick(struct sio_client *c, uint64_t now_us)
{
    c->now_us = now_us;
    if (c->phase == WAITING && now_us >= c->due_us)
        call(c);
    else if (c->phase == OPENING && now_us >= c->due_us)
        end(c, "it does not let us in");
    if (c->eio != NULL && !c->is_ending)
        eio_client_tick(c->eio, now_us);
    settle(c);
}

void sio_client_set_dial_max(
    struct sio_client *c, uint64_t dial_max_us, uint64_t now_us)
{
    const uint64_t max = dial_max_us > 0 ? dial_max_us : DIAL_MAX_US;

    c->opt.dial_max_us = max;
    if (c->pause_us > max)
        c->pause_us = max;
    if (c->phase == WAITING && c->due_us > now_us + max)
        c->due_us = now_us + max;
}

uint64_t sio_client_deadline(const struct sio_client *c)
{
    uint64_t at = c->eio != NULL ? eio_client_deadline(c->eio) : 0;

    if (c->phase == CLOSED)
        return 0;
    if (c->is_ending)
        return 1;
    if (c->phase == WAITING)
        return c->due_us != 0 ? c->due_us : 1;
    return c->phase == OPENING && (at == 0 || c->due_us < at) ? c->due_us : at;
}

/* ---- from above ---- */

int sio_client_emit(struct sio_client *c, struct slice name, struct slice args)
{
    struct buf b = { 0 };
    int rc;

    if (c->phase != CONNECTED || c->is_ending)
        return SYNCLINE_ECLOSED;
    sio_put_event(&b, name, args, NULL);
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = eio_client_send(c->eio, buf_slice(&b));
    buf_free(&b);
    return rc;
}

void sio_client_close(struct sio_client *c)
{
    if (c->phase == CONNECTED && !c->is_ending)
        (void)!eio_client_send(c->eio, SLICE_LIT("1"));
    c->phase = CLOSED;
    if (c->eio != NULL)
        eio_client_close(c->eio);
}

bool sio_client_is_connected(const struct sio_client *c)
{
    return c->phase == CONNECTED && !c->is_ending;
}

bool sio_client_is_websocket(const struct sio_client *c)
{
    return c->eio != NULL && eio_client_is_websocket(c->eio);
}

uint64_t sio_client_began_us(const struct sio_client *c)
{
    return c->began_us;
}

size_t sio_client_waiting(const struct sio_client *c)
{
    return c->eio != NULL ? eio_client_waiting(c->eio) : 0;
}

const char *sio_client_why(const struct sio_client *c)
{
    return c->why.text;
}

int sio_url_parse(struct ws_url *out, enum eio_how *how, struct slice text,
    struct errmsg *why)
{
    const bool is_http = slice_has_prefix(text, SLICE_LIT("http://"));
    const bool is_https = slice_has_prefix(text, SLICE_LIT("https://"));
    struct buf b = { 0 };
    int rc;

    if (!is_http && !is_https && !slice_has_prefix(text, SLICE_LIT("ws://")) &&
        !slice_has_prefix(text, SLICE_LIT("wss://")))
        return errmsg_set(why, SYNCLINE_EINVAL,
            "%.*s: it should be like http://192.0.2.7:5342 (or https, ws, wss)",
            SLICE_FMT(utf8_cut(
                text.len == 0 || memchr(text.ptr, '@', text.len) == NULL
                    ? text
                    : SLICE_LIT("(a URL)"),
                100)));
    if (is_http || is_https) {
        buf_put_str(&b, is_https ? "wss" : "ws");
        buf_put_slice(&b, slice_from(text, is_https ? 5 : 4));
        rc = buf_status(&b);
        if (rc == SYNCLINE_OK)
            rc = ws_url_parse(out, buf_slice(&b), why);
        buf_free(&b);
    } else {
        rc = ws_url_parse(out, text, why);
    }
    if (rc != SYNCLINE_OK)
        return rc;
    if (!is_http && !is_https)
        *how = EIO_WEBSOCKET;
    if (strcmp(out->path, "/") == 0)
        memcpy(out->path, EIO_PATH, sizeof EIO_PATH);
    return SYNCLINE_OK;
}

/* ---- beginning and end ---- */

int sio_client_new(
    struct sio_client **out, const struct sio_client_options *opt)
{
    struct sio_client *c = calloc(1, sizeof *c);

    if (c == NULL)
        return SYNCLINE_ENOMEM;
    c->opt = *opt;
    c->opt.path = NULL;
    c->path = strdup(opt->path != NULL ? opt->path : EIO_PATH);
    if (c->path == NULL) {
        free(c);
        return SYNCLINE_ENOMEM;
    }
    if (c->opt.pause_us == 0)
        c->opt.pause_us = 1000000;
    if (c->opt.dial_max_us == 0)
        c->opt.dial_max_us = DIAL_MAX_US;
    c->pause_us = c->opt.pause_us;
    c->prng.state = opt->seed;
    c->eio_opt = (struct eio_client_options){ .events = { .ctx = c,
                                                  .request = on_request,
                                                  .open_ws = on_open_ws,
                                                  .send = on_send,
                                                  .close_ws = on_close_ws,
                                                  .on_open = on_open,
                                                  .on_message = on_message,
                                                  .on_over = on_over },
        .path = c->path,
        .how = opt->how };
    *out = c;
    return SYNCLINE_OK;
}

void sio_client_free(struct sio_client *c)
{
    if (c == NULL)
        return;
    eio_client_free(c->eio);
    eio_queue_free(&c->early);
    arena_free(&c->arena);
    free(c->path);
    free(c);
}
