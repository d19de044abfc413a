/* Who comes to the port of config-sync. */
#include "app/config/config_face_impl.h"

#include "base/plant.h"

#include <stdlib.h>
#include <time.h>

#include "faces/http/http_conn.h"

#define CALLERS_MAX 256
#define CALLERS_OF_ONE 64            /* from one address elsewhere */
#define HELD_MAX ((size_t)128 << 20) /* bytes, by all of them */
#define HELD_MUCH ((size_t)1 << 20)  /* by one: then all are added up */

struct config_caller {
    struct config_caller *next;
    struct config_face *face;
    struct stream *stream;
    struct http_conn *http;
    struct netaddr remote;
    uint64_t link; /* 0: it is no WebSocket */
    bool is_over;
    bool is_cut; /* goes at the next tick */
};

static uint64_t mono_ms(void)
{
    return clock_mono_us() / 1000;
}

/* ---- sending ---- */

static void pump(struct config_caller *c)
{
    struct buf *out = http_conn_out(c->http);

    while (out->len > 0 && stream_queued(c->stream) < FACE_QUEUE_HIGH) {
        size_t n = out->len < FACE_QUEUE_HIGH ? out->len : FACE_QUEUE_HIGH;

        stream_send(c->stream, SLICE(out->ptr, n));
        buf_consume(out, n);
    }
    stream_hold(c->stream, out->len > 0 && !c->is_over);
    if (out->len == 0 && out->cap > HELD_MUCH)
        buf_free(out);
    if (out->len == 0 && http_conn_is_over(c->http) && !c->is_over) {
        c->is_over = true;
        stream_close(c->stream);
    }
}

static size_t held(const struct config_caller *c)
{
    return c->is_cut ? 0 : http_conn_held(c->http) + stream_queued(c->stream);
}

/* Who takes most of it goes: he does not read, or has begun what he does not
 * end. We may be in his feed. */
static void shed(struct config_face *f, const struct config_caller *asks)
{
    char at[NETADDR_TEXT];

    while (held(asks) > HELD_MUCH && !PLANTED(R33_CROWD)) {
        struct config_caller *most = f->callers;
        size_t all = 0;

        for (struct config_caller *c = f->callers; c != NULL; c = c->next) {
            all += held(c);
            most = held(c) > held(most) ? c : most;
        }
        if (all <= HELD_MAX)
            return;
        netaddr_format(at, &most->remote);
        log_line(&f->log, LOG_LEVEL_WARN, "configsync",
            "%s is closed: of the %zu MiB that wait for all callers to read "
            "or to end a message it has most",
            at, HELD_MAX >> 20);
        http_conn_drop(most->http);
        most->is_cut = true;
    }
}

static void leave(struct config_caller *c)
{
    struct config_caller **at = &c->face->callers;

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    if (c->link != 0)
        config_sync_close(c->face->sync, c->link);
    http_conn_free(c->http);
    free(c);
}

static struct config_caller *by_link(struct config_face *f, uint64_t link)
{
    struct config_caller *c = f->callers;

    while (c != NULL && (c->link != link || link == 0))
        c = c->next;
    return c;
}

bool callers_send(struct config_face *f, uint64_t link, struct slice text)
{
    struct config_caller *c = by_link(f, link);

    if (c == NULL)
        return false;
    http_send_message(c->http, true, text);
    pump(c);
    shed(f, c);
    face_arm(f);
    return true;
}

/* ---- requests ---- */

static void say(struct http_conn *c, unsigned status, const char *text)
{
    http_respond(
        c, status, "text/plain; charset=utf-8", SLICE_NONE, slice_str(text));
}

/* A page that a browser shows names where it is from; no instance does. */
static bool is_of_a_page(const struct http_request *r)
{
    for (size_t i = 0; i < r->fields_n; i++)
        if (slice_is(r->fields[i].name, "origin") ||
            (slice_is(r->fields[i].name, "sec-fetch-site") &&
                !slice_is(r->fields[i].value, "none")))
            return true;
    return false;
}

static void refuse_rate(struct http_conn *c, const struct errmsg *why)
{
    struct buf b = { 0 };

    buf_put_str(&b, "{\"error\": \"Too Many Requests\", \"message\": ");
    json_print_string(&b, slice_str(why->text), true);
    buf_put_u8(&b, '}');
    http_respond(c, 429, "application/json", SLICE_LIT("Retry-After: 120\r\n"),
        buf_slice(&b));
    buf_free(&b);
}

static void put_health(struct config_caller *c)
{
    const struct config_face *f = c->face;
    struct buf b = { 0 };

    buf_put_str(&b, "{\"status\": \"healthy\", \"instance_id\": ");
    json_print_string(&b, slice_str(f->instance), true);
    buf_printf(
        &b, ", \"connected_clients\": %zu, \"timestamp\": ", callers_n(f));
    message_put_time(&b, clock_wall_us());
    buf_put_u8(&b, '}');
    http_respond(c->http, 200, "application/json; charset=utf-8", SLICE_NONE,
        buf_slice(&b));
    buf_free(&b);
}

void callers_say_come(
    struct config_face *f, const struct netaddr *from, bool is_syncline)
{
    char at[NETADDR_TEXT];

    netaddr_format(at, from);
    log_line(&f->log, LOG_LEVEL_INFO, "configsync", "%s has come", at);
    if (is_syncline)
        log_line(&f->log, LOG_LEVEL_INFO, "configsync",
            "%s is a Syncline, too: pair the two (syncline invite), and they "
            "keep all spaces the same, encrypted",
            at);
}

static void open_link(struct config_caller *c, const struct http_request *r)
{
    struct config_face *f = c->face;
    struct http_socket as = { .protocol = NULL };

    if (f->opt.compress != WS_OFFER_NONE)
        as.deflate = http_deflate(r);
    http_upgrade(c->http, &as);
    c->link = ++f->next_link;
    if (config_sync_open(f->sync, c->link, true, NULL, face_now()) !=
        SYNCLINE_OK) {
        c->link = 0;
        http_close_websocket(c->http, 1013, "memory ran out");
        return;
    }
    callers_say_come(f, &c->remote,
        slice_has_prefix(http_field(r, "user-agent"), SLICE_LIT("Syncline/")));
}

static void on_sync(struct config_caller *c, const struct http_request *r)
{
    struct errmsg why = { "" };

    if (r->method != HTTP_GET) {
        http_respond(c->http, 405, "text/plain; charset=utf-8",
            SLICE_LIT("Allow: GET\r\n"), SLICE_LIT("405: Method Not Allowed"));
    } else if (rate_ask(c->face->rate, &c->remote, clock_mono_us(), &why) !=
        SYNCLINE_OK) {
        c->face->counts.refused_rate++;
        refuse_rate(c->http, &why);
    } else if (!r->is_websocket) {
        say(c->http, 400,
            "No WebSocket UPGRADE hdr: None\n Can \"Upgrade\" "
            "only to \"WebSocket\".");
    } else {
        open_link(c, r);
    }
}

static void on_request(
    void *ctx, struct http_conn *http, const struct http_request *r)
{
    struct config_caller *c = http_conn_user(http);

    (void)ctx;
    if (is_of_a_page(r) && !PLANTED(R08_CONFIG)) {
        c->face->counts.refused_origin++;
        say(http, 403, "403: Forbidden: no page of the web may ask here");
    } else if (slice_is(r->path, "/sync")) {
        on_sync(c, r);
    } else if (!slice_is(r->path, "/health")) {
        say(http, 404, "404: Not Found");
    } else if (r->method != HTTP_GET && r->method != HTTP_HEAD) {
        http_respond(http, 405, "text/plain; charset=utf-8",
            SLICE_LIT("Allow: GET, HEAD\r\n"),
            SLICE_LIT("405: Method Not Allowed"));
    } else {
        put_health(c);
    }
}

static void on_message(
    void *ctx, struct http_conn *http, bool text, struct slice message)
{
    struct config_caller *c = http_conn_user(http);

    (void)ctx;
    config_sync_take(c->face->sync, c->link, text, message, face_now());
}

static void on_gone(void *ctx, struct http_conn *http)
{
    struct config_caller *c = http_conn_user(http);

    (void)ctx;
    if (c->link != 0)
        config_sync_close(c->face->sync, c->link);
    c->link = 0;
}

static void put_fields(void *ctx, struct buf *head)
{
    time_t now = time(NULL);
    char date[64] = "";
    struct tm tm;

    (void)ctx;
    if (gmtime_r(&now, &tm) != NULL)
        (void)strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    buf_printf(head, "Date: %s\r\nServer: " FACE_AGENT "\r\n", date);
}

/* ---- connections ---- */

static void on_bytes(void *ctx, struct slice bytes)
{
    struct config_caller *c = ctx;
    struct config_face *f = c->face;

    http_conn_feed(c->http, bytes, mono_ms());
    pump(c);
    shed(f, c);
    face_arm(f);
}

static void on_room(void *ctx)
{
    struct config_caller *c = ctx;

    pump(c);
    face_arm(c->face);
}

static void on_end(void *ctx, const char *why)
{
    struct config_caller *c = ctx;
    char from[NETADDR_TEXT];

    if (c->link != 0) {
        netaddr_format(from, &c->remote);
        log_line(&c->face->log, LOG_LEVEL_INFO, "configsync", "%s is gone: %s",
            from, why);
    }
    http_conn_end(c->http);
    leave(c);
}

static bool has_room(const struct config_face *f, const struct netaddr *from)
{
    size_t all = 0, same = 0;

    for (const struct config_caller *c = f->callers; c != NULL; c = c->next) {
        all++;
        same += netaddr_same_ip(&c->remote, from);
    }
    return all < CALLERS_MAX &&
        (same < CALLERS_OF_ONE || netaddr_is_loopback(from));
}

static bool is_admitted(struct config_face *f, const struct netaddr *from)
{
    char text[NETADDR_TEXT];

    if (netaddr_is_loopback(from) || PLANTED(R13_CONFIG))
        return true;
    for (size_t i = 0; i < f->opt.admit_n; i++)
        if (network_has(&f->admit[i], from))
            return true;
    netaddr_format(text, from);
    if (f->counts.refused_network++ == 0)
        log_line(&f->log, LOG_LEVEL_WARN, "configsync",
            "%s was not let in: it is of no network of configsync.admit", text);
    return false;
}

static bool on_come(void *ctx, struct stream *s, const struct netaddr *remote,
    struct stream_events *events)
{
    static const struct http_limits limits = {
        .body_max = 4096,
        .message_max = CONFIG_MESSAGE_MAX,
        .queue_max = 2 * CONFIG_MESSAGE_MAX,
    };
    struct config_face *f = ctx;
    const struct http_events http = { .ctx = f,
        .on_request = on_request,
        .on_message = on_message,
        .on_gone = on_gone,
        .put_fields = put_fields };
    struct config_caller *c;

    if (f->is_stopping || !is_admitted(f, remote) || !has_room(f, remote))
        return false;
    c = calloc(1, sizeof *c);
    if (c == NULL)
        return false;
    *c = (struct config_caller){
        .next = f->callers, .face = f, .stream = s, .remote = *remote
    };
    if (http_conn_new(&c->http, &http, &limits, mono_ms()) != SYNCLINE_OK) {
        free(c);
        return false;
    }
    http_conn_set_user(c->http, c);
    f->callers = c;
    *events = (struct stream_events){
        .ctx = c, .on_bytes = on_bytes, .on_room = on_room, .on_end = on_end
    };
    face_arm(f);
    return true;
}

/* ---- all of them ---- */

int callers_listen(struct config_face *f, struct errmsg *why)
{
    char at[NETADDR_TEXT];
    int rc = SYNCLINE_OK;

    for (size_t i = 0; i < f->opt.listen_n && rc == SYNCLINE_OK; i++) {
        struct netaddr wanted = f->listen[i];

        rc = stream_listen(&f->listeners[i], f->opt.loop, &wanted, on_come, f,
            &f->listen[i], why);
        if (rc == SYNCLINE_EBUSY) {
            const struct errmsg said = *why;

            errmsg_set(why, rc,
                "%.400s; free it, or choose another port (configsync.port)",
                said.text);
        }
        if (rc != SYNCLINE_OK)
            return rc;
        netaddr_format(at, &f->listen[i]);
        log_line(&f->log, LOG_LEVEL_INFO, "configsync",
            "config-sync instances are served on %s, in clear and without "
            "authentication",
            at);
    }
    return rc;
}

uint64_t callers_tick(struct config_face *f, uint64_t now_ms)
{
    struct config_caller *c = f->callers, *after;
    uint64_t next = 0;

    for (; c != NULL; c = after) {
        uint64_t due = http_conn_deadline_ms(c->http);

        after = c->next;
        if (c->is_cut) {
            stream_drop(c->stream);
            leave(c);
            continue;
        }
        if (due != 0 && due <= now_ms) {
            http_conn_tick(c->http, now_ms);
            pump(c);
            due = http_conn_deadline_ms(c->http);
        }
        if (due != 0 && (next == 0 || due < next))
            next = due;
    }
    return next;
}

void callers_stop(struct config_face *f)
{
    for (struct config_caller *c = f->callers; c != NULL; c = c->next) {
        if (c->link != 0)
            http_close_websocket(c->http, 1001, "the node stops");
        pump(c);
        if (!c->is_over)
            stream_close(c->stream);
        c->is_over = true;
    }
}

void callers_close(struct config_face *f)
{
    for (size_t i = 0; i < FACE_LISTEN_MAX; i++) {
        stream_listener_close(f->listeners[i]);
        f->listeners[i] = NULL;
    }
    while (f->callers != NULL) {
        stream_drop(f->callers->stream);
        leave(f->callers);
    }
}

size_t callers_n(const struct config_face *f)
{
    size_t n = 0;

    for (const struct config_caller *c = f->callers; c != NULL; c = c->next)
        n += c->link != 0;
    return n + guests_n(f);
}
