/* A connection of http_conn.h once it has become a WebSocket. */
#include "faces/http/http_conn_impl.h"

#include "base/plant.h"
#include "faces/http/http_answer.h"

#define ECHO_MAX ((size_t)64 * 1024) /* of a WebSocket that is not read */

bool http_conn_has_websocket(const struct http_conn *c)
{
    return c->phase == PHASE_WEBSOCKET || c->phase == PHASE_CLOSING;
}

/* After what was done with a WebSocket. */
static void settle(struct http_conn *c, int rc)
{
    if (rc != SYNCLINE_OK)
        http_conn_drop(c);
    else if (http_conn_has_websocket(c) && ws_is_over(c->ws))
        http_conn_enter(c, PHASE_OVER);
}

void http_conn_take_frames(struct http_conn *c)
{
    struct slice in = http_conn_rest(c);

    if (c->phase == PHASE_WEBSOCKET)
        c->since_ms = c->now_ms; /* it lives */
    c->has_pinged = false;
    c->taken += in.len;
    c->is_in_frames = true;
    settle(c, ws_feed(c->ws, in));
    c->is_in_frames = false;
}

void http_conn_silence(struct http_conn *c)
{
    if (c->has_pinged) {
        http_conn_drop(c);
        return;
    }
    c->has_pinged = true;
    settle(c, ws_ping(c->ws));
}

static int on_ws_send(void *ctx, struct slice bytes)
{
    struct http_conn *c = ctx;
    size_t had = c->out.len;

    if (c->is_in_frames && !c->is_in_message && c->phase == PHASE_WEBSOCKET)
        c->echoed += bytes.len;
    if (c->echoed > ECHO_MAX)
        return SYNCLINE_ELIMIT;
    buf_put_slice(&c->out, bytes);
    http_conn_written(c, had);
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

struct ws_deflate http_deflate(const struct http_request *r)
{
    struct ws_deflate chosen = { .name = WS_OFFER_NONE };

    for (size_t i = 0; i < r->fields_n && chosen.name == WS_OFFER_NONE; i++)
        if (slice_is(r->fields[i].name, "sec-websocket-extensions"))
            chosen = ws_deflate_choose(r->fields[i].value);
    return chosen;
}

static int put_upgrade(struct http_conn *c, const struct http_socket *as)
{
    struct buf *b = &c->out;
    int rc;

    http_conn_begin_answer(c, 101);
    buf_put_str(b,
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: ");
    rc = ws_accept(b, slice_str(c->key));
    buf_put_str(b, "\r\n");
    if (as->protocol != NULL)
        buf_printf(b, "Sec-WebSocket-Protocol: %s\r\n", as->protocol);
    if (as->deflate.name != WS_OFFER_NONE) {
        buf_put_str(b, "Sec-WebSocket-Extensions: ");
        ws_deflate_put_answer(b, &as->deflate);
        buf_put_str(b, "\r\n");
    }
    buf_put_str(b, "\r\n");
    return rc;
}

void http_upgrade(struct http_conn *c, const struct http_socket *as)
{
    static const struct http_socket plain = { .protocol = NULL };
    const struct ws_events events = {
        .ctx = c, .send = on_ws_send, .on_message = on_ws_message
    };
    size_t had = c->out.len;
    int rc;

    if (!http_conn_is_asked(c, PHASE_BUSY))
        return;
    ENSURE(c->key[0] != 0);
    if (as == NULL)
        as = &plain;
    rc = put_upgrade(c, as);
    if (rc == SYNCLINE_OK)
        rc = ws_new(&c->ws, &events,
            as->message_max > 0 ? as->message_max : c->limits.message_max);
    if (rc == SYNCLINE_OK && as->large_code != 0)
        ws_close_large(c->ws, as->large_code);
    if (rc == SYNCLINE_OK && as->deflate.name != WS_OFFER_NONE)
        ws_compress(c->ws, &as->deflate);
    http_conn_enter(c, PHASE_WEBSOCKET);
    http_conn_written(c, had);
    if (rc != SYNCLINE_OK)
        http_conn_drop(c);
}

void http_send_message(struct http_conn *c, bool text, struct slice message)
{
    if (!http_conn_is_asked(c, PHASE_WEBSOCKET))
        return;
    if (c->out.len > c->limits.queue_max && !PLANTED(R33_CONFIG))
        http_conn_drop(c);
    else
        settle(c, ws_send(c->ws, text, message));
}

void http_close_websocket(
    struct http_conn *c, uint16_t code, const char *reason)
{
    if (http_conn_is_asked(c, PHASE_WEBSOCKET)) {
        http_conn_enter(c, PHASE_CLOSING);
        settle(c, ws_close(c->ws, code, reason));
    }
    c->is_owed = false;
}
