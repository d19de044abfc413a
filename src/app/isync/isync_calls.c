/* Whom iSync calls: each URL by a machine of its own (sio_client.h), for which
 * connections are made as it asks for them. */
#include "app/isync/isync_conns_impl.h"

#include <stdlib.h>
#include <strings.h>

#include "base/plant.h"
#include "crypto/crypto.h"
#include "faces/http/http_client.h"
#include "faces/http/ws_client.h"
#include "faces/socketio/sio_client.h"
#include "io/sockaddr.h"

#define GET_MS 120000 /* it is held until there is something, or a ping */
#define POST_MS 20000
#define GREETING_MS 10000
#define PING_MS 60000 /* its own pings come sooner */
#define UNREAD_MAX ((size_t)8 << 20)

enum wire_kind { WIRE_GET, WIRE_POST, WIRE_WS };
#define WIRES 3

_Static_assert((int)WIRE_GET == EIO_GET && (int)WIRE_POST == EIO_POST,
    "a request has a wire of the same number");

/* One connection; frees itself when it has ended. */
struct isync_wire {
    struct isync_wire *next;
    struct isync_conns *conns;
    struct isync_call *call; /* NULL: nobody waits for it any more */
    enum wire_kind kind;
    struct stream *stream; /* NULL: it has ended, or could not be */
    struct http_client *http;
    struct ws_client *ws;
    bool is_closing;
};

struct isync_call {
    struct isync_call *next;
    struct isync_conns *conns;
    uint64_t number;
    char *text;
    struct ws_url url;
    struct sio_client *sio;
    struct isync_wire *wires[WIRES];
    bool is_strange; /* isync_conns_guard */
    bool is_hung_up; /* goes at the next tick */
};

static uint64_t mono_ms(void)
{
    return clock_mono_us() / 1000;
}

static int on_random(void *ctx, uint8_t *out, size_t n)
{
    (void)ctx;
    return crypto_random(out, n);
}

static bool is_heard(const struct isync_call *call)
{
    return !call->is_hung_up && !call->conns->is_stopping;
}

/* ---- wires ---- */

static void wire_free(struct isync_wire *w)
{
    struct isync_wire **at = &w->conns->wires;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    http_client_free(w->http);
    ws_client_free(w->ws);
    free(w);
}

static struct buf *out_of(struct isync_wire *w)
{
    return w->ws != NULL ? ws_client_out(w->ws) : http_client_out(w->http);
}

static void pump(struct isync_wire *w)
{
    struct buf *out = out_of(w);

    while (out->len > 0 && w->stream != NULL && stream_is_open(w->stream) &&
        stream_queued(w->stream) < ISYNC_QUEUE_HIGH) {
        size_t n = out->len < ISYNC_QUEUE_HIGH ? out->len : ISYNC_QUEUE_HIGH;

        stream_send(w->stream, SLICE(out->ptr, n));
        buf_consume(out, n);
    }
    if (w->ws != NULL && out->len > UNREAD_MAX)
        ws_client_end(w->ws, "it does not read");
}

static void detach(struct isync_wire *w)
{
    if (w->call != NULL)
        w->call->wires[w->kind] = NULL;
    w->call = NULL;
}

/* What it has been given may leave, but nothing is waited for. A request that
 * has not left yet goes when it is answered. */
static void let_go(struct isync_wire *w)
{
    detach(w);
    isync_arm(w->conns);
    if (w->kind == WIRE_POST || w->is_closing)
        return;
    w->is_closing = true;
    if (w->ws != NULL)
        ws_client_close(w->ws);
    pump(w);
    if (w->stream != NULL)
        stream_close(w->stream);
}

static void tell_over(struct isync_wire *w, struct isync_call *call)
{
    const uint64_t now_us = clock_mono_us();

    if (w->ws != NULL)
        sio_client_ws_end(call->sio, ws_client_why(w->ws), now_us);
    else if (http_client_status(w->http) != 0)
        sio_client_answer(call->sio, (enum eio_ask)w->kind,
            http_client_status(w->http), http_client_body(w->http), now_us);
    else
        sio_client_failed(
            call->sio, (enum eio_ask)w->kind, http_client_why(w->http), now_us);
}

static bool is_over(const struct isync_wire *w)
{
    return w->ws != NULL ? ws_client_is_over(w->ws)
                         : http_client_is_over(w->http);
}

/* Whoever waits for it is told, once; then it closes. */
static void go_on(struct isync_wire *w)
{
    struct isync_call *call = w->call;

    pump(w);
    if (!is_over(w) || w->is_closing)
        return;
    isync_arm(w->conns);
    detach(w);
    w->is_closing = true;
    if (w->stream != NULL)
        stream_close(w->stream);
    if (call != NULL)
        tell_over(w, call);
}

static void on_open(void *ctx)
{
    struct isync_wire *w = ctx;

    isync_arm(w->conns);
    go_on(w);
}

static void on_bytes(void *ctx, struct slice bytes)
{
    struct isync_wire *w = ctx;

    if (w->ws != NULL)
        ws_client_feed(w->ws, bytes, mono_ms());
    else
        http_client_feed(w->http, bytes);
    isync_arm(w->conns);
    go_on(w);
}

static void on_end(void *ctx, const char *why)
{
    struct isync_wire *w = ctx;

    w->stream = NULL; /* it frees itself */
    if (w->ws != NULL)
        ws_client_end(w->ws, why);
    else
        http_client_end(w->http, why);
    go_on(w);
    wire_free(w);
}

/* ---- where a name leads ---- */

static bool is_any(const struct netaddr *a)
{
    static const uint8_t none[sizeof a->addr] = { 0 };

    return memcmp(a->addr, none, sizeof none) == 0;
}

/* Nothing is at any address but this machine. */
static bool is_of_loopback(const struct netaddr *a)
{
    return netaddr_is_loopback(a) || is_any(a);
}

static bool is_of_this_machine(const struct netaddr *a)
{
    uv_interface_address_t *list = NULL;
    bool found = is_of_loopback(a);
    int n = 0;

    if (found || uv_interface_addresses(&list, &n) != 0)
        return found;
    for (int i = 0; i < n && !found; i++) {
        const struct netaddr own =
            netaddr_of((const struct sockaddr *)&list[i].address);

        found = netaddr_same_ip(&own, a);
    }
    uv_free_interface_addresses(list, n);
    return found;
}

/* Do we listen there? */
static bool is_ours(const struct isync_conns *c, const struct netaddr *at)
{
    for (size_t i = 0; i < c->listeners_n; i++) {
        const struct netaddr *l = &c->bound[i];

        if (l->family == at->family && l->port == at->port &&
            (netaddr_same_ip(l, at) || (is_any(l) && is_of_this_machine(at)) ||
                (is_any(at) && netaddr_is_loopback(l))))
            return true;
    }
    return false;
}

static const char *on_address(void *ctx, const struct netaddr *at)
{
    const struct isync_wire *w = ctx;
    const struct isync_events *up = &w->conns->opt.events;

    if (is_ours(w->conns, at)) {
        if (w->call != NULL && is_heard(w->call) && up->on_ourselves != NULL)
            up->on_ourselves(up->ctx, w->call->number);
        return "it is ourselves";
    }
    if (w->call != NULL && w->call->is_strange && !PLANTED(R13_INWARDS) &&
        (is_of_loopback(at) || netaddr_is_link_local(at)))
        return "a list from elsewhere calls nothing of this machine";
    return NULL;
}

static void on_ws_open(void *ctx, struct slice server)
{
    const struct isync_wire *w = ctx;

    (void)server;
    if (w->call != NULL)
        sio_client_ws_open(w->call->sio, clock_mono_us());
}

static void on_ws_message(void *ctx, bool text, struct slice message)
{
    const struct isync_wire *w = ctx;

    if (w->call != NULL)
        sio_client_ws_message(w->call->sio, text, message, clock_mono_us());
}

static int make_http(struct isync_wire *w, const struct isync_call *call,
    const char *path, struct slice body)
{
    const struct http_client_options opt = { .host = call->url.named,
        .path = path,
        .agent = ISYNC_AGENT,
        .is_post = w->kind == WIRE_POST,
        .type = "text/plain;charset=UTF-8",
        .body = body,
        .body_max = w->conns->opt.message_max,
        .time_ms = w->kind == WIRE_POST ? POST_MS : GET_MS };

    return http_client_new(&w->http, &opt, mono_ms());
}

static int make_ws(
    struct isync_wire *w, const struct isync_call *call, const char *path)
{
    const struct ws_client_options opt = { .host = call->url.named,
        .path = path,
        .agent = ISYNC_AGENT,
        .message_max = w->conns->opt.message_max,
        .greeting_ms = GREETING_MS,
        .ping_ms = PING_MS,
        .ctx = w,
        .on_open = on_ws_open,
        .on_message = on_ws_message,
        .random = on_random };

    return ws_client_new(&w->ws, &opt, mono_ms());
}

/* One that cannot be made is over, and the next tick says so. */
static void wire_new(struct isync_call *call, enum wire_kind kind,
    const char *path, struct slice body)
{
    struct isync_conns *c = call->conns;
    struct isync_wire *w = calloc(1, sizeof *w);
    const struct stream_events events = { .ctx = w,
        .on_open = on_open,
        .on_bytes = on_bytes,
        .on_room = on_open,
        .on_end = on_end,
        .on_address = on_address };

    isync_arm(c);
    if (w == NULL)
        return;
    *w = (struct isync_wire){
        .next = c->wires, .conns = c, .call = call, .kind = kind
    };
    if ((kind == WIRE_WS ? make_ws(w, call, path)
                         : make_http(w, call, path, body)) != SYNCLINE_OK) {
        free(w);
        return;
    }
    c->wires = w;
    call->wires[kind] = w;
    if (stream_connect(&w->stream, c->opt.loop, call->url.host, call->url.port,
            call->url.is_secure ? c->roots : NULL, &events) != SYNCLINE_OK) {
        const char *why = "it cannot be called: memory ran out, or it has no "
                          "name";

        w->stream = NULL;
        if (kind == WIRE_WS)
            ws_client_end(w->ws, why);
        else
            http_client_end(w->http, why);
    }
}

static void wire_tick(struct isync_wire *w, uint64_t now_us, uint64_t *next)
{
    if (w->ws != NULL)
        ws_client_tick(w->ws, now_us / 1000);
    else
        http_client_tick(w->http, now_us / 1000);
    go_on(w);
    if (!w->is_closing)
        isync_sooner(next,
            1000 *
                (w->ws != NULL ? ws_client_deadline_ms(w->ws)
                               : http_client_deadline_ms(w->http)));
}

/* ---- what a machine asks for ---- */

static void on_request(
    void *ctx, enum eio_ask which, const char *path, struct slice body)
{
    wire_new(ctx, (enum wire_kind)which, path, body);
}

static void on_open_ws(void *ctx, const char *path)
{
    wire_new(ctx, WIRE_WS, path, SLICE_NONE);
}

static void on_send(void *ctx, bool text, struct slice message)
{
    const struct isync_call *call = ctx;
    struct isync_wire *w = call->wires[WIRE_WS];

    if (w == NULL || !text)
        return;
    ws_client_send(w->ws, message);
    pump(w);
    isync_arm(w->conns);
}

static void on_close_ws(void *ctx)
{
    const struct isync_call *call = ctx;

    if (call->wires[WIRE_WS] != NULL)
        let_go(call->wires[WIRE_WS]);
}

static void on_reset(void *ctx)
{
    const struct isync_call *call = ctx;

    for (int i = 0; i < WIRES; i++)
        if (call->wires[i] != NULL)
            let_go(call->wires[i]);
}

static void on_connected(void *ctx)
{
    const struct isync_call *call = ctx;
    const struct isync_who who = { .is_called = true,
        .url = call->text,
        .transport =
            sio_client_is_websocket(call->sio) ? "websocket" : "polling",
        .began_us = sio_client_began_us(call->sio) };
    const struct isync_events *up = &call->conns->opt.events;

    if (is_heard(call))
        up->on_connected(up->ctx, call->number, &who);
}

static void on_event(void *ctx, const struct sio_event *ev)
{
    const struct isync_call *call = ctx;
    const struct isync_events *up = &call->conns->opt.events;

    if (is_heard(call))
        up->on_event(up->ctx, call->number, ev);
}

static void on_closed(void *ctx, const char *why)
{
    const struct isync_call *call = ctx;
    const struct isync_events *up = &call->conns->opt.events;

    if (is_heard(call))
        up->on_closed(up->ctx, call->number, why);
}

static void on_failed(void *ctx, const char *why)
{
    const struct isync_call *call = ctx;
    const struct isync_events *up = &call->conns->opt.events;

    if (is_heard(call) && up->on_failed != NULL)
        up->on_failed(up->ctx, call->number, why);
}

/* ---- URLs ---- */

static struct isync_call *by_number(
    const struct isync_conns *c, uint64_t number)
{
    struct isync_call *call = c->calls;

    while (call != NULL && (call->number != number || call->is_hung_up))
        call = call->next;
    return call;
}

static void call_free(struct isync_call *call)
{
    if (call == NULL)
        return;
    sio_client_free(call->sio);
    free(call->text);
    free(call);
}

int isync_url_check(const char *url, struct errmsg *why)
{
    enum eio_how how = EIO_UPGRADING;
    struct ws_url u;

    return sio_url_parse(&u, &how, slice_str(url), why);
}

bool isync_url_is_here(const char *url)
{
    enum eio_how how = EIO_UPGRADING;
    struct netaddr addr;
    struct ws_url u;

    if (sio_url_parse(&u, &how, slice_str(url), NULL) != SYNCLINE_OK)
        return false;
    if (strcasecmp(u.host, "localhost") == 0)
        return true;
    /* 127.1, 0x7f000001: addresses to those who look names up. */
    if (netaddr_parse(&addr, slice_str(u.host), 80, NULL) != SYNCLINE_OK)
        return u.host[0] >= '0' && u.host[0] <= '9' &&
            u.host[strspn(u.host, "0123456789abcdefxABCDEFX.")] == 0;
    return netaddr_is_loopback(&addr) || netaddr_is_link_local(&addr) ||
        addr.addr[0] == 0; /* any address, and IPv4 written as IPv6 */
}

static int make_sio(struct isync_call *call, enum eio_how how)
{
    struct sio_client_options opt = { .ctx = call,
        .request = on_request,
        .open_ws = on_open_ws,
        .send = on_send,
        .close_ws = on_close_ws,
        .reset = on_reset,
        .on_connected = on_connected,
        .on_event = on_event,
        .on_closed = on_closed,
        .on_failed = on_failed,
        .path = call->url.path,
        .how = how,
        .dial_max_us = call->conns->opt.dial_max_us };
    uint8_t seed[8];
    int rc = crypto_random(seed, sizeof seed);

    memcpy(&opt.seed, seed, sizeof opt.seed);
    return rc == SYNCLINE_OK ? sio_client_new(&call->sio, &opt) : rc;
}

static int make_call(struct isync_call **out, struct isync_conns *c,
    const char *url, enum eio_how how, struct errmsg *why)
{
    const struct tls_rules_options trust = { .authorities = true,
        .ca = c->roots_file };
    struct isync_call *call = calloc(1, sizeof *call);
    int rc;

    if (call == NULL)
        return errmsg_set(why, SYNCLINE_ENOMEM, "memory ran out");
    call->conns = c;
    rc = sio_url_parse(&call->url, &how, slice_str(url), why);
    if (rc == SYNCLINE_OK && call->url.is_secure && c->roots == NULL)
        rc = tls_rules_new(&c->roots, &trust, why);
    if (rc == SYNCLINE_OK) {
        call->text = strdup(url);
        rc = call->text != NULL ? make_sio(call, how) : SYNCLINE_ENOMEM;
    }
    if (rc != SYNCLINE_OK) {
        call_free(call);
        return rc;
    }
    *out = call;
    return SYNCLINE_OK;
}

int isync_conns_dial(struct isync_conns *c, const char *url,
    enum isync_transport how, uint64_t *link, struct errmsg *why)
{
    static const enum eio_how hows[] = { [ISYNC_UPGRADE] = EIO_UPGRADING,
        [ISYNC_WEBSOCKET] = EIO_WEBSOCKET,
        [ISYNC_POLLING] = EIO_POLLING };
    struct isync_call *call = NULL;
    size_t n = 0;
    int rc;

    for (call = c->calls; call != NULL; call = call->next)
        n += !call->is_hung_up;
    if (n >= ISYNC_URLS_MAX)
        return errmsg_set(
            why, SYNCLINE_ELIMIT, "at most %d URLs", ISYNC_URLS_MAX);
    rc = make_call(&call, c, url, hows[how], why);
    if (rc != SYNCLINE_OK)
        return rc;
    call->number = ISYNC_CALLED | ++c->last_call;
    call->next = c->calls;
    c->calls = call;
    *link = call->number;
    isync_arm(c);
    return SYNCLINE_OK;
}

void isync_conns_guard(struct isync_conns *c, uint64_t link, bool is_strange)
{
    struct isync_call *call = by_number(c, link);

    if (call != NULL)
        call->is_strange = is_strange;
}

const char *isync_conns_trouble(const struct isync_conns *c, uint64_t link)
{
    const struct isync_call *call = by_number(c, link);

    return call != NULL ? sio_client_why(call->sio) : "";
}

int isync_calls_emit(
    struct isync_conns *c, uint64_t link, struct slice name, struct slice args)
{
    struct isync_call *call = by_number(c, link);

    return call != NULL ? sio_client_emit(call->sio, name, args)
                        : SYNCLINE_ECLOSED;
}

size_t isync_calls_waiting(const struct isync_conns *c, uint64_t link)
{
    const struct isync_call *call = by_number(c, link);
    size_t n = 0;

    if (call == NULL)
        return 0;
    for (int i = 0; i < WIRES; i++)
        if (call->wires[i] != NULL)
            n += out_of(call->wires[i])->len +
                (call->wires[i]->stream != NULL
                        ? stream_queued(call->wires[i]->stream)
                        : 0);
    return n + sio_client_waiting(call->sio);
}

void isync_calls_hang_up(struct isync_conns *c, uint64_t link)
{
    struct isync_call *call = by_number(c, link);

    if (call == NULL)
        return;
    sio_client_close(call->sio);
    on_reset(call);
    call->is_hung_up = true;
}

void isync_calls_hurry(struct isync_conns *c, uint64_t now_us)
{
    for (struct isync_call *call = c->calls; call != NULL; call = call->next)
        sio_client_set_dial_max(call->sio, c->opt.dial_max_us, now_us);
}

size_t isync_calls_connected(const struct isync_conns *c)
{
    size_t n = 0;

    for (const struct isync_call *call = c->calls; call != NULL;
         call = call->next)
        n += !call->is_hung_up && sio_client_is_connected(call->sio);
    return n;
}

/* ---- all of them ---- */

static void bury(struct isync_conns *c)
{
    struct isync_call **at = &c->calls;

    while (*at != NULL) {
        struct isync_call *call = *at;

        if (!call->is_hung_up) {
            at = &call->next;
            continue;
        }
        *at = call->next;
        call_free(call);
    }
}

uint64_t isync_calls_tick(struct isync_conns *c, uint64_t now_us)
{
    struct isync_wire *w = c->wires, *after;
    uint64_t next = 0;

    for (; w != NULL; w = after) {
        after = w->next;
        wire_tick(w, now_us, &next);
        if (w->stream == NULL)
            wire_free(w);
    }
    for (struct isync_call *call = c->calls; call != NULL; call = call->next)
        if (!call->is_hung_up && !c->is_stopping)
            sio_client_tick(call->sio, now_us);
    bury(c);
    for (struct isync_call *call = c->calls; call != NULL; call = call->next)
        isync_sooner(&next, sio_client_deadline(call->sio));
    return next;
}

void isync_calls_stop(struct isync_conns *c)
{
    for (struct isync_call *call = c->calls; call != NULL; call = call->next)
        if (!call->is_hung_up) {
            sio_client_close(call->sio);
            on_reset(call);
            call->is_hung_up = true;
        }
}

void isync_calls_close(struct isync_conns *c)
{
    while (c->wires != NULL) {
        if (c->wires->stream != NULL)
            stream_drop(c->wires->stream);
        wire_free(c->wires);
    }
    while (c->calls != NULL) {
        struct isync_call *call = c->calls;

        c->calls = call->next;
        call_free(call);
    }
}
