/* Who comes to the port of iSync: HTTP, polled or not, and WebSockets. */
#include "app/isync/isync_conns_impl.h"

#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "base/plant.h"
#include "crypto/crypto.h"

#define CONNS_OF_SESSION 3 /* HTTP connections there may be for each */
#define CONNS_OF_ONE 64    /* from one address elsewhere */
#define HELD_MAX ((size_t)128 << 20) /* bytes, by all of them */
#define HELD_MUCH ((size_t)1 << 20)  /* by one: then all are added up */
#define UNREAD_MAX ((size_t)8 << 20)

struct isync_caller {
    struct isync_caller *next; /* who came before */
    struct isync_conns *conns;
    uint64_t number;
    struct stream *stream;
    struct http_conn *http;
    struct netaddr remote, local;
    bool is_ws;
    bool is_over;
    bool is_cut; /* goes at the next tick */
};

static uint64_t mono_ms(void)
{
    return clock_mono_us() / 1000;
}

static struct eio_server *eio(const struct isync_conns *c)
{
    return sio_server_eio(c->server);
}

static struct isync_caller *by_number(struct isync_conns *c, uint64_t number)
{
    struct isync_caller *at = c->callers;

    while (at != NULL && at->number != number)
        at = at->next;
    return at;
}

/* ---- sending ---- */

static void pump(struct isync_caller *c)
{
    struct buf *out = http_conn_out(c->http);

    while (out->len > 0 && stream_queued(c->stream) < ISYNC_QUEUE_HIGH) {
        size_t n = out->len < ISYNC_QUEUE_HIGH ? out->len : ISYNC_QUEUE_HIGH;

        stream_send(c->stream, SLICE(out->ptr, n));
        buf_consume(out, n);
    }
    stream_hold(c->stream,
        (out->len > 0 || http_conn_has_enough(c->http)) && !c->is_over);
    if (out->len == 0 && out->cap > HELD_MUCH)
        buf_free(out);
    if (out->len == 0 && http_conn_is_over(c->http) && !c->is_over) {
        c->is_over = true;
        stream_close(c->stream);
    }
}

static size_t held(const struct isync_caller *c)
{
    return c->is_cut ? 0 : http_conn_held(c->http) + stream_queued(c->stream);
}

size_t isync_callers_waiting(const struct isync_conns *c, uint64_t conn)
{
    const struct isync_caller *at = c->callers;
    struct hub_conn *guest = isync_guest_of(c, conn);

    while (at != NULL && at->number != conn)
        at = at->next;
    if (at != NULL)
        return http_conn_out(at->http)->len + stream_queued(at->stream);
    return guest != NULL ? http_conn_out(hub_conn_http(guest))->len : 0;
}

static void cut(struct isync_caller *c)
{
    http_conn_drop(c->http);
    c->is_cut = true;
    isync_arm(c->conns);
}

/* Who takes most of it goes: he does not read, or has begun what he does not
 * end. We may be in his feed. */
static void shed(struct isync_conns *c, const struct isync_caller *asks)
{
    while (held(asks) > HELD_MUCH) {
        struct isync_caller *most = c->callers;
        size_t all = 0;

        for (struct isync_caller *at = c->callers; at != NULL; at = at->next) {
            all += held(at);
            most = held(at) > held(most) ? at : most;
        }
        if (all <= HELD_MAX)
            return;
        log_line(&c->opt.log, LOG_LEVEL_WARN, "isync",
            "a caller is closed: of the %zu MiB that wait for all callers to "
            "read or to end a message it has most",
            HELD_MAX >> 20);
        cut(most);
    }
}

static void sent(struct isync_caller *c)
{
    pump(c);
    shed(c->conns, c);
    isync_arm(c->conns);
}

/* ---- what the server asks for ---- */

static int on_random(void *ctx, uint8_t *out, size_t n)
{
    (void)ctx;
    return crypto_random(out, n);
}

/* Of who has called here, or by the hub, which sends when its turn ends. */
static struct http_conn *http_of(struct isync_conns *c, uint64_t conn)
{
    struct isync_caller *caller = by_number(c, conn);
    struct hub_conn *guest = isync_guest_of(c, conn);

    if (caller != NULL)
        return caller->http;
    return guest != NULL ? hub_conn_http(guest) : NULL;
}

static void on_respond(void *ctx, uint64_t conn, unsigned status,
    const char *type, struct slice body)
{
    struct isync_caller *c = by_number(ctx, conn);
    struct http_conn *http = http_of(ctx, conn);

    if (http != NULL)
        http_respond(
            http, status, type, SLICE_LIT("Cache-Control: no-store\r\n"), body);
    if (c != NULL)
        sent(c);
}

static void on_upgrade(void *ctx, uint64_t conn)
{
    const struct http_socket as = { .large_code = 1000 }; /* as theirs */
    struct isync_caller *c = by_number(ctx, conn);
    struct hub_conn *guest = isync_guest_of(ctx, conn);

    if (guest != NULL)
        hub_conn_upgrade(guest, EIO_PAYLOAD_MAX);
    if (c == NULL)
        return;
    c->is_ws = true;
    http_upgrade(c->http, &as);
    sent(c);
}

static void on_send(void *ctx, uint64_t conn, bool text, struct slice message)
{
    struct isync_caller *c = by_number(ctx, conn);
    struct hub_conn *guest = isync_guest_of(ctx, conn);

    if (guest != NULL && text)
        hub_conn_tell(guest, message);
    if (c == NULL)
        return;
    http_send_message(c->http, text, message);
    sent(c);
}

static void on_close(void *ctx, uint64_t conn, uint16_t code)
{
    struct isync_caller *c = by_number(ctx, conn);
    struct http_conn *http = http_of(ctx, conn);

    if (http != NULL)
        http_close_websocket(http, code, NULL);
    if (c != NULL)
        sent(c);
}

static void on_connected(void *ctx, uint64_t link, const struct netaddr *from)
{
    struct isync_conns *c = ctx;
    const struct isync_who who = { .remote = *from,
        .transport = sio_server_is_websocket(c->server, link) ? "websocket"
                                                              : "polling" };

    if (!c->is_stopping)
        c->opt.events.on_connected(c->opt.events.ctx, link, &who);
}

static void on_event(void *ctx, uint64_t link, const struct sio_event *ev)
{
    struct isync_conns *c = ctx;

    if (!c->is_stopping)
        c->opt.events.on_event(c->opt.events.ctx, link, ev);
}

static void on_closed(void *ctx, uint64_t link, const char *why)
{
    struct isync_conns *c = ctx;

    if (!c->is_stopping)
        c->opt.events.on_closed(c->opt.events.ctx, link, why);
}

int isync_callers_make(struct isync_conns *c)
{
    const struct sio_server_options opt = {
        .eio = { .port = { .ctx = c,
                     .random = on_random,
                     .respond = on_respond,
                     .upgrade = on_upgrade,
                     .send = on_send,
                     .close = on_close },
            .sessions_max = c->opt.callers_max },
        .ctx = c,
        .on_connected = on_connected,
        .on_event = on_event,
        .on_closed = on_closed,
    };

    return sio_server_new(&c->server, &opt);
}

/* ---- who may ask ---- */

static bool same_text(struct slice a, const char *b)
{
    return a.len == strlen(b) &&
        strncasecmp((const char *)a.ptr, b, a.len) == 0;
}

static struct slice without_port(struct slice host)
{
    for (size_t i = host.len; i > 0; i--)
        if (host.ptr[i - 1] == ':')
            return SLICE(host.ptr, i - 1);
        else if (host.ptr[i - 1] < '0' || host.ptr[i - 1] > '9')
            break;
    return host;
}

/* By a number nobody lets his own name mean us; a name must be one of ours. */
static bool is_ours(const struct isync_conns *c, struct slice host)
{
    const struct slice name = without_port(host);
    struct netaddr addr;

    if (host.len == 0)
        return false;
    if (netaddr_parse(&addr, host, 80, NULL) == SYNCLINE_OK ||
        same_text(name, "localhost") || PLANTED(R07_ISYNC))
        return true;
    for (size_t i = 0; i < c->opt.hosts_n; i++)
        if (same_text(name, c->hosts[i]) || same_text(host, c->hosts[i]))
            return true;
    return false;
}

static bool is_of_host(struct slice origin, struct slice host)
{
    return slice_eq(
               SLICE(origin.ptr, origin.len < host.len ? origin.len : host.len),
               host) &&
        (origin.len == host.len || origin.ptr[host.len] == '/');
}

/* Where only the page is said of which it asks. People may follow links to our
 * pages from elsewhere; nothing is to be changed, or opened, from there. */
static bool is_referred(const struct http_request *r, struct slice referer)
{
    const struct slice scheme = SLICE_LIT("http://");

    if (r->method == HTTP_GET &&
        !slice_has_prefix(r->path, SLICE_LIT(EIO_PATH)))
        return false;
    return !slice_has_prefix(referer, scheme) ||
        !is_of_host(slice_from(referer, scheme.len), r->host);
}

/* A browser says of which page it asks; clients in Python name the address that
 * they call. */
static bool is_of_a_stranger(const struct http_request *r)
{
    const struct slice scheme = SLICE_LIT("http://");

    for (size_t i = 0; i < r->fields_n; i++) {
        const struct slice name = r->fields[i].name, v = r->fields[i].value;

        if (slice_is(name, "origin") &&
            (!slice_has_prefix(v, scheme) ||
                !slice_eq(slice_from(v, scheme.len), r->host)))
            return true;
        if (slice_is(name, "referer") && !PLANTED(R08_REFERER) &&
            is_referred(r, v))
            return true;
        if (slice_is(name, "sec-fetch-site") && !slice_is(v, "none") &&
            !slice_is(v, "same-origin"))
            return true;
    }
    return false;
}

static bool is_for_us(const struct http_request *r)
{
    return slice_has_prefix(r->path, SLICE_LIT(EIO_PATH));
}

/* False: it has been answered. */
static bool guard(struct isync_caller *c, const struct http_request *r)
{
    const struct eio_port port = { .ctx = c->conns, .respond = on_respond };
    const char *no = NULL;

    if (!is_ours(c->conns, r->host))
        no = "Not an accepted host.";
    else if (is_of_a_stranger(r) && !PLANTED(R08_ISYNC))
        no = "Not an accepted origin.";
    if (no == NULL)
        return true;
    c->conns->counts.refused_page++;
    eio_refuse(&port, c->number, 400, no);
    return false;
}

static void on_request(
    void *ctx, struct http_conn *http, const struct http_request *r)
{
    struct isync_caller *c = http_conn_user(http);
    struct isync_conns *all = ctx;

    if (!guard(c, r))
        return;
    if (is_for_us(r))
        eio_server_request(eio(all), c->number, r, &c->remote, clock_mono_us());
    else if (all->opt.events.on_request != NULL && !all->is_stopping)
        all->opt.events.on_request(all->opt.events.ctx, http, r, &c->remote);
    else
        http_respond(http, 404, "text/plain; charset=utf-8", SLICE_NONE,
            SLICE_LIT("404: Not Found"));
}

static void on_head(
    void *ctx, struct http_conn *http, const struct http_request *r)
{
    struct isync_caller *c = http_conn_user(http);

    if (guard(c, r) && is_for_us(r))
        (void)eio_server_head(eio(ctx), c->number, r);
}

static void on_message(
    void *ctx, struct http_conn *http, bool text, struct slice message)
{
    const struct isync_caller *c = http_conn_user(http);

    eio_server_message(eio(ctx), c->number, text, message, clock_mono_us());
}

static void on_gone(void *ctx, struct http_conn *http)
{
    const struct isync_caller *c = http_conn_user(http);

    eio_server_gone(eio(ctx), c->number, clock_mono_us());
}

static void put_fields(void *ctx, struct buf *head)
{
    time_t now = time(NULL);
    char date[64] = "";
    struct tm tm;

    (void)ctx;
    if (gmtime_r(&now, &tm) != NULL)
        (void)strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    buf_printf(head, "Date: %s\r\nServer: " ISYNC_AGENT "\r\n", date);
}

/* ---- connections ---- */

static void leave(struct isync_caller *c)
{
    struct isync_caller **at = &c->conns->callers;

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    http_conn_free(c->http);
    free(c);
}

static void on_bytes(void *ctx, struct slice bytes)
{
    struct isync_caller *c = ctx;

    http_conn_feed(c->http, bytes, mono_ms());
    sent(c);
}

static void on_room(void *ctx)
{
    sent(ctx);
}

static void on_end(void *ctx, const char *why)
{
    struct isync_caller *c = ctx;

    (void)why;
    isync_arm(c->conns);
    http_conn_end(c->http);
    leave(c);
}

/* Who neither waits for an answer nor has a WebSocket makes room. */
static bool has_room(struct isync_conns *c, const struct netaddr *from)
{
    const size_t most =
        CONNS_OF_SESSION * (c->opt.callers_max > 0 ? c->opt.callers_max : 64);
    struct isync_caller *idle = NULL;
    size_t all = 0, same = 0;

    for (struct isync_caller *at = c->callers; at != NULL; at = at->next) {
        if (at->is_cut)
            continue;
        all++;
        same += netaddr_same_ip(&at->remote, from);
        if (!at->is_ws && !http_conn_is_busy(at->http))
            idle = at;
    }
    if (same >= CONNS_OF_ONE && !netaddr_is_loopback(from))
        return false;
    if (all < most)
        return true;
    if (idle != NULL)
        cut(idle);
    return idle != NULL;
}

static bool may_come(const struct isync_conns *c, const struct netaddr *from)
{
    if (netaddr_is_loopback(from) || PLANTED(R13_ISYNC))
        return true;
    for (size_t i = 0; i < c->opt.admit_n; i++)
        if (network_has(&c->admit[i], from))
            return true;
    return false;
}

/* Is our end of it still an address that is served? */
static bool is_served(const struct isync_conns *c, const struct netaddr *local)
{
    for (size_t i = 0; i < c->listeners_n; i++) {
        struct netaddr any = { .family = c->bound[i].family };

        if (c->bound[i].family == local->family &&
            (netaddr_same_ip(&c->bound[i], local) ||
                netaddr_same_ip(&c->bound[i], &any)))
            return true;
    }
    return false;
}

void isync_callers_judge(struct isync_conns *c)
{
    for (struct isync_caller *at = c->callers; at != NULL; at = at->next)
        if (!at->is_cut &&
            (!may_come(c, &at->remote) || !is_served(c, &at->local)))
            cut(at);
}

static bool is_admitted(struct isync_conns *c, const struct netaddr *from)
{
    char text[NETADDR_TEXT];

    if (may_come(c, from))
        return true;
    netaddr_format(text, from);
    if (c->counts.refused_network++ == 0)
        log_line(&c->opt.log, LOG_LEVEL_WARN, "isync",
            "%s was not let in: it is of no network that is admitted", text);
    return false;
}

bool isync_callers_accept(void *ctx, struct stream *s,
    const struct netaddr *remote, struct stream_events *events)
{
    static const struct http_limits limits = {
        .body_max = EIO_PAYLOAD_MAX,
        .message_max = EIO_PAYLOAD_MAX,
        .queue_max = UNREAD_MAX,
    };
    struct isync_conns *all = ctx;
    const struct http_events http = { .ctx = all,
        .on_request = on_request,
        .on_head = on_head,
        .on_message = on_message,
        .on_gone = on_gone,
        .put_fields = put_fields };
    struct isync_caller *c;

    if (all->is_stopping || !is_admitted(all, remote))
        return false;
    if (!has_room(all, remote)) {
        all->counts.refused_room++;
        return false;
    }
    c = calloc(1, sizeof *c);
    if (c == NULL)
        return false;
    *c = (struct isync_caller){ .next = all->callers,
        .conns = all,
        .number = ++all->last_conn,
        .stream = s,
        .remote = *remote };
    if (stream_local(s, &c->local) != SYNCLINE_OK ||
        http_conn_new(&c->http, &http, &limits, mono_ms()) != SYNCLINE_OK) {
        free(c);
        return false;
    }
    http_conn_set_user(c->http, c);
    all->callers = c;
    *events = (struct stream_events){
        .ctx = c, .on_bytes = on_bytes, .on_room = on_room, .on_end = on_end
    };
    isync_arm(all);
    return true;
}

/* ---- all of them ---- */

static void drop(struct isync_caller *c)
{
    http_conn_end(c->http);
    stream_drop(c->stream);
    leave(c);
}

uint64_t isync_callers_tick(struct isync_conns *c, uint64_t now_us)
{
    struct isync_caller *at = c->callers, *after;
    uint64_t next = 0;

    eio_server_tick(eio(c), now_us);
    for (; at != NULL; at = after) {
        uint64_t due = http_conn_deadline_ms(at->http);

        after = at->next;
        if (at->is_cut) {
            drop(at);
            continue;
        }
        if (due != 0 && due <= now_us / 1000) {
            http_conn_tick(at->http, now_us / 1000);
            pump(at);
            due = http_conn_deadline_ms(at->http);
        }
        isync_sooner(&next, due * 1000);
    }
    isync_sooner(&next, eio_server_deadline(eio(c)));
    return next;
}

void isync_callers_stop(struct isync_conns *c)
{
    sio_server_stop(c->server);
    for (struct isync_caller *at = c->callers; at != NULL; at = at->next) {
        pump(at);
        if (!at->is_over)
            stream_close(at->stream);
        at->is_over = true;
    }
}

void isync_callers_close(struct isync_conns *c)
{
    while (c->callers != NULL) {
        stream_drop(c->callers->stream);
        leave(c->callers);
    }
}
