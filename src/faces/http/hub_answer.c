/* What the hub answers: the node's answers, streams and refusals as HTTP. */
#include "faces/http/hub_impl.h"

#include "base/plant.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

/* R11: nothing here may be framed, run, guessed or kept. */
#define FIELDS                                                                \
    "Cache-Control: no-store\r\n"                                             \
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n" \
    "Cross-Origin-Resource-Policy: same-origin\r\n"                           \
    "Referrer-Policy: no-referrer\r\n"                                        \
    "X-Content-Type-Options: nosniff\r\n"

/* RFC 9110, 5.6.7, in whatever language this machine speaks. */
void hub_put_date(void *ctx, struct buf *head)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const struct hub *h = ctx;
    const time_t now = (time_t)(h->opt.port.wall_us(h->opt.port.ctx) / 1000000);
    struct tm t;

    if (gmtime_r(&now, &t) != NULL)
        buf_printf(head, "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n",
            days + 3 * t.tm_wday, t.tm_mday, months + 3 * t.tm_mon,
            t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

static void all_fields(struct buf *b, struct slice more)
{
    if (PLANTED(R11_CORS))
        buf_put_str(b, "Access-Control-Allow-Origin: *\r\n");
    if (!PLANTED(R11_INERT))
        buf_put_str(b, FIELDS);
    buf_put_slice(b, more);
}

void hub_respond(struct hub_conn *c, unsigned status, const char *type,
    struct slice fields, struct slice body)
{
    struct buf b = { 0 };

    all_fields(&b, fields);
    c->request = 0;
    c->route = NULL;
    http_respond(c->http, status, type, buf_slice(&b), body);
    buf_free(&b);
}

static const char *title_of(unsigned status)
{
    static const struct {
        unsigned status;
        const char *title;
    } titles[] = { { 400, "Bad Request" }, { 401, "Unauthorized" },
        { 403, "Forbidden" }, { 404, "Not Found" },
        { 405, "Method Not Allowed" }, { 408, "Request Timeout" },
        { 409, "Conflict" }, { 412, "Precondition Failed" },
        { 413, "Content Too Large" }, { 415, "Unsupported Media Type" },
        { 421, "Misdirected Request" }, { 426, "Upgrade Required" },
        { 422, "Unprocessable Content" }, { 429, "Too Many Requests" },
        { 500, "Internal Server Error" }, { 501, "Not Implemented" },
        { 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
        { 507, "Insufficient Storage" } };

    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        if (titles[i].status == status)
            return titles[i].title;
    return "Error";
}

void hub_problem(struct hub_conn *c, unsigned status, const char *code,
    struct slice fields, const char *fmt, ...)
{
    struct buf text = { 0 }, body = { 0 };
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    buf_printf(&body,
        "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,\"detail\":",
        title_of(status), status);
    json_print_string(&body, buf_slice(&text), false);
    if (code != NULL)
        buf_printf(&body, ",\"code\":\"%s\"", code);
    buf_put_str(&body, "}\n");
    hub_respond(
        c, status, "application/problem+json", fields, buf_slice(&body));
    buf_free(&text);
    buf_free(&body);
}

static unsigned status_of(struct slice code)
{
    static const struct {
        const char *code;
        unsigned status;
    } all[] = { { "EINVAL", 400 }, { "EMALFORMED", 400 }, { "ELIMIT", 413 },
        { "ENOTFOUND", 404 }, { "EEXIST", 409 }, { "ECONFLICT", 412 },
        { "EFULL", 507 }, { "EBUSY", 409 }, { "EDENIED", 403 },
        { "ECLOSED", 503 }, { "ETIMEOUT", 504 }, { "ENOMEM", 503 },
        { "EUNSUPPORTED", 501 } };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (slice_is(code, all[i].code))
            return all[i].status;
    return 500;
}

/* As wrong tokens are: who signs in by wrong links is told to wait. */
static bool is_of_many_tries(const struct hub_conn *c, struct slice code)
{
    return c->route->answer == ANSWER_SESSION && slice_is(code, "ELIMIT");
}

/* `EDENIED` of the node is a refusal of what was asked, not of who asked. */
static void put_problem(struct hub_conn *c, const struct json *answer)
{
    const struct slice code = json_get_str(answer, "code");
    const struct json *acks = json_get(answer, "acks");
    const int64_t again_ms = json_get_int(answer, "again_ms", 0);
    unsigned status =
        again_ms > 0 || is_of_many_tries(c, code) ? 429 : status_of(code);
    char text[16], later[48] = "";

    (void)snprintf(text, sizeof text, "%.*s", SLICE_FMT(code));
    if (again_ms > 0)
        (void)snprintf(later, sizeof later, "Retry-After: %lld\r\n",
            (long long)((again_ms + 999) / 1000));
    else if (status == 429)
        (void)snprintf(later, sizeof later, "Retry-After: 60\r\n");
    else if (status == 503)
        (void)snprintf(later, sizeof later, HUB_LATER);
    if (acks != NULL && acks->type == JSON_INT)
        hub_problem(c, status, text, slice_str(later), "%.*s (acks: %lld)",
            SLICE_FMT(json_get_str(answer, "error")), (long long)acks->i);
    else
        hub_problem(c, status, text, slice_str(later), "%.*s",
            SLICE_FMT(json_get_str(answer, "error")));
}

/* What stands in a URL as it is, and all else percent-encoded. */
static void put_encoded(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((s.ptr[i] >= '0' && s.ptr[i] <= '9') ||
            ((s.ptr[i] | 0x20) >= 'a' && (s.ptr[i] | 0x20) <= 'z') ||
            memchr("-._~", s.ptr[i], 4) != NULL)
            buf_put_u8(b, s.ptr[i]);
        else
            buf_printf(b, "%%%02X", s.ptr[i]);
}

/* What is told of an item beside its document. */
static void put_item_fields(struct buf *b, const struct json *answer)
{
    const struct slice device = json_get_str(answer, "device");
    const struct json *author = json_get(answer, "author");

    buf_printf(b, "ETag: \"%.*s\"\r\nSyncline-Version: %lld\r\n",
        SLICE_FMT(json_get_str(answer, "context")),
        (long long)json_get_int(answer, "version", 0));
    if (device.len > 0)
        buf_printf(b, "Syncline-Device: %.*s\r\n", SLICE_FMT(device));
    if (author != NULL) {
        buf_put_str(b, "Syncline-Author: ");
        put_encoded(b, json_get_str(author, "system"));
        buf_put_u8(b, '/');
        put_encoded(b, json_get_str(author, "node_id"));
        buf_put_str(b, "\r\n");
    }
    buf_printf(b, "Syncline-Time: %lld\r\n",
        (long long)json_get_int(answer, "time", 0));
}

static struct slice without_blanks(struct slice s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = slice_from(s, 1);
    return s;
}

/* A weak one says the same here: documents are not altered on their way. */
int hub_tags_hold(struct slice list, struct slice tag)
{
    int held = 0;

    list = without_blanks(list);
    if (slice_is(list, "*"))
        return 1;
    while (list.len > 0) {
        const uint8_t *end;

        if (slice_has_prefix(list, SLICE_LIT("W/")))
            list = slice_from(list, 2);
        if (list.len == 0 || list.ptr[0] != '"')
            return -1;
        list = slice_from(list, 1);
        end = list.len > 0 ? memchr(list.ptr, '"', list.len) : NULL;
        if (end == NULL)
            return -1;
        held |= slice_eq(SLICE(list.ptr, (size_t)(end - list.ptr)), tag);
        list = without_blanks(slice_from(list, (size_t)(end - list.ptr) + 1));
        if (list.len == 0)
            break;
        if (list.ptr[0] != ',')
            return -1;
        list = without_blanks(slice_from(list, 1));
    }
    return held;
}

static void put_value(struct hub_conn *c, const struct json *answer)
{
    struct buf fields = { 0 }, body = { 0 };
    const struct slice context = json_get_str(answer, "context");

    put_item_fields(&fields, answer);
    json_print(&body, json_get(answer, "value"), JSON_CANONICAL);
    buf_put_str(&body, "\n");
    if (buf_status(&body) != SYNCLINE_OK)
        hub_problem(c, 503, "ENOMEM", SLICE_NONE, "memory ran out");
    else if (hub_tags_hold(buf_slice(&c->known), context) > 0)
        hub_respond(c, 304, NULL, buf_slice(&fields), SLICE_NONE);
    else
        hub_respond(
            c, 200, "application/json", buf_slice(&fields), buf_slice(&body));
    buf_free(&fields);
    buf_free(&body);
}

static void put_metrics(struct hub_conn *c, const struct json *answer)
{
    char type[128];

    (void)snprintf(type, sizeof type, "%.*s",
        SLICE_FMT(json_get_str(answer, "content_type")));
    hub_respond(c, 200, type, SLICE_NONE, json_get_str(answer, "text"));
}

static bool is_connected(const struct json *peer)
{
    return slice_is(json_get_str(peer, "state"), "connected");
}

/* With the names that older programs look for. */
static void put_health(struct hub_conn *c, const struct json *answer)
{
    const struct json *peers = json_get(answer, "peers");
    const struct json *audit = json_get(answer, "audit");
    const struct json *trouble = json_get(audit, "trouble");
    const int64_t us = json_get_int(json_get(answer, "clock"), "time", 0);
    const bool ready = trouble == NULL || trouble->type == JSON_NULL;
    const struct json *face = json_get(answer, "configsync");
    struct slice name = json_get_str(answer, "device");
    struct buf b = { 0 };
    uint64_t n = 0;

    if (face != NULL)
        name = json_get_str(face, "instance_id");
    for (const struct json *p = peers != NULL ? peers->first : NULL; p != NULL;
         p = p->next)
        n += is_connected(p);
    if (face != NULL)
        n = (uint64_t)json_get_int(face, "callers", 0);
    buf_printf(&b, "{\"status\":\"%s\",\"live\":true,\"ready\":%s",
        ready ? "healthy" : "unhealthy", ready ? "true" : "false");
    /* It wants no token, so that who is elsewhere hears no more. */
    if (netaddr_is_loopback(&c->who.remote)) {
        buf_put_str(&b, ",\"instance_id\":");
        json_print_string(&b, name, true);
        buf_printf(&b,
            ",\"connected_clients\":%llu,"
            "\"timestamp\":%lld.%06lld,\"model_loaded\":false,\"model\":null,"
            "\"version\":\"%s\"",
            (unsigned long long)n, (long long)(us / 1000000),
            (long long)(us % 1000000), c->hub->opt.version);
    }
    buf_put_str(&b, "}\n");
    hub_respond(
        c, ready ? 200 : 503, "application/json", SLICE_NONE, buf_slice(&b));
    buf_free(&b);
}

/* The cookie is the browser's alone: no script reads it, no other site's page
 * has it sent. It takes the other secret to be of use. */
static void put_session(struct hub_conn *c, const struct json *answer)
{
    const struct slice cookie = json_get_str(answer, "cookie");
    const unsigned port = c->hub->opt.tcp_port;
    struct buf fields = { 0 }, body = { 0 };

    buf_printf(&fields,
        "Set-Cookie: " HUB_COOKIE "=%.*s; Path=/; HttpOnly; SameSite=Strict; "
        "Max-Age=%lld%s\r\n",
        port, SLICE_FMT(cookie),
        (long long)json_get_int(answer, "expires_s", 0),
        c->who.secure ? "; Secure" : "");
    buf_printf(&body, "{\"expires_s\":%lld,\"session\":",
        (long long)json_get_int(answer, "expires_s", 0));
    json_print_string(&body, json_get_str(answer, "session"), false);
    buf_put_str(&body, "}\n");
    hub_respond(
        c, 200, "application/json", buf_slice(&fields), buf_slice(&body));
    buf_free(&fields);
    buf_free(&body);
}

static void put_object(struct hub_conn *c, struct slice json)
{
    struct buf b = { 0 };
    const struct slice ok = SLICE_LIT("{\"ok\":true");

    buf_put_u8(&b, '{');
    json = slice_from(json, ok.len);
    if (json.len > 0 && json.ptr[0] == ',')
        json = slice_from(json, 1);
    buf_put_slice(&b, json);
    buf_put_u8(&b, '\n');
    hub_respond(c, 200, "application/json", SLICE_NONE, buf_slice(&b));
    buf_free(&b);
}

/* ---- streams ---- */

/* Its socket is asked at the turn's end whether it takes more. Until then the
 * node may have much to tell. */
void hub_pace_after_send(struct hub_conn *c)
{
    if (http_conn_out(c->http)->len > HUB_SLOW)
        hub_conn_pace(c, true);
}

static const char *event_of(const struct json *v)
{
    return json_get_bool(v, "live", false)  ? "live"
        : json_get_bool(v, "resync", false) ? "resync"
                                            : "change";
}

static void put_event(struct hub_conn *c, struct slice json)
{
    const struct slice more = SLICE_LIT("{\"more\":true,");
    struct arena a = { 0 };
    struct json *v = NULL;
    struct buf b = { 0 };

    if (json_parse(&v, json, JSON_WRAPPED, &a, NULL) == SYNCLINE_OK) {
        if (!c->streams) {
            struct buf fields = { 0 };

            all_fields(&fields, SLICE_LIT("X-Accel-Buffering: no\r\n"));
            c->streams = true;
            http_stream(c->http, 200, "text/event-stream", buf_slice(&fields));
            buf_free(&fields);
        }
        buf_printf(&b, "id: %.*s\nevent: %s\ndata: {",
            SLICE_FMT(json_get_str(v, "cursor")), event_of(v));
        buf_put_slice(&b, slice_from(json, more.len));
        buf_put_str(&b, "\n\n");
        http_send(c->http, buf_slice(&b));
        c->beat_us = c->now_us + HUB_BEAT_US;
        hub_pace_after_send(c);
    }
    buf_free(&b);
    arena_free(&a);
}

static void end_stream(struct hub_conn *c, struct slice json)
{
    struct buf b = { 0 };

    buf_put_str(&b, "event: end\ndata: ");
    buf_put_slice(&b, json);
    buf_put_str(&b, "\n\n");
    http_send(c->http, buf_slice(&b));
    buf_free(&b);
    c->streams = false;
    c->request = 0;
    c->route = NULL;
    http_end(c->http);
}

/* Of an older system, which says all of it; without scripts, and its forms go
 * to this very node. */
static void put_older_page(struct hub_conn *c, const struct json *v)
{
    const struct slice type = json_get_str(v, "type");
    const struct slice to = json_get_str(v, "location");
    struct buf fields = { 0 }, name = { 0 };

    buf_printf(&name, "%.*s%c", SLICE_FMT(type), 0);
    if (to.len > 0)
        buf_printf(&fields, "Location: %.*s\r\n", SLICE_FMT(to));
    buf_put_slice(&fields, json_get_str(v, "policy"));
    hub_respond(c, (unsigned)json_get_int(v, "status", 500),
        type.len > 0 && buf_status(&name) == SYNCLINE_OK
            ? (const char *)name.ptr
            : NULL,
        buf_slice(&fields), json_get_str(v, "body"));
    buf_free(&fields);
    buf_free(&name);
}

/* More than a browser, or a small machine, makes anything of. */
static bool is_too_much(struct hub_conn *c, struct slice json)
{
    if (json.len <= HUB_ANSWER_MAX || PLANTED(R33_ANSWER))
        return false;
    hub_problem(c, 413, "ELIMIT", SLICE_NONE,
        "the answer has %zu MiB, and %zu are told by HTTP; ask for pages, or "
        "by "
        "the command line",
        json.len >> 20, HUB_ANSWER_MAX >> 20);
    return true;
}

void hub_on_reply(void *ctx, struct slice json, bool more)
{
    struct hub_conn *c = ctx;
    const struct route *route = c->route;
    struct arena a = { 0 };
    struct json *v = NULL;

    if (more) {
        if (route->answer == ANSWER_STREAM)
            put_event(c, json);
    } else if (c->streams) {
        end_stream(c, json);
    } else if (is_too_much(c, json)) {
        /* and it has been told so */
    } else if (json_parse(&v, json, JSON_WRAPPED, &a, NULL) != SYNCLINE_OK) {
        hub_problem(c, 503, "ENOMEM", SLICE_NONE, "memory ran out");
    } else if (!json_get_bool(v, "ok", false)) {
        put_problem(c, v);
    } else if (route->answer == ANSWER_VALUE) {
        put_value(c, v);
    } else if (route->answer == ANSWER_PAGE) {
        put_older_page(c, v);
    } else if (route->answer == ANSWER_METRICS) {
        put_metrics(c, v);
    } else if (route->answer == ANSWER_SESSION) {
        put_session(c, v);
    } else if (route->answer == ANSWER_HEALTH) {
        put_health(c, v);
    } else {
        put_object(c, json);
    }
    arena_free(&a);
}
