#include "faces/http/hub.h"

#include "faces/http/hub_impl.h"

#include "base/plant.h"
#include "base/text.h"

#include <stdlib.h>

/* ---- what a request asks of the node ---- */

static struct json *read_param(
    const struct param *p, struct slice text, struct arena *a)
{
    int64_t i = 0;

    if (p->type == PARAM_STR ||
        (p->type == PARAM_WAIT && slice_is(text, "all")))
        return json_new_str(a, text);
    if (p->type == PARAM_BOOL)
        return text.len == 0 || slice_is(text, "true") || slice_is(text, "1")
            ? json_new_bool(a, true)
            : slice_is(text, "false") || slice_is(text, "0")
            ? json_new_bool(a, false)
            : NULL;
    if (text.len == 0 || text.len > 18)
        return NULL;
    for (size_t k = 0; k < text.len; k++) {
        if (text.ptr[k] < '0' || text.ptr[k] > '9')
            return NULL;
        i = i * 10 + (text.ptr[k] - '0');
    }
    return json_new_int(a, i);
}

/* Nothing that is asked for is passed over. */
static bool check_query(
    struct hub_conn *c, const struct http_request *r, const struct route *route)
{
    struct slice rest = r->query;
    struct buf name = { 0 }, known = { 0 };
    bool all = true;

    for (size_t i = 0; i < ROUTE_PARAMS && route->query[i].name != NULL; i++)
        buf_printf(&known, "%s%s", i > 0 ? ", " : "", route->query[i].name);
    while (all && http_query_next(&rest, &name)) {
        all = route_has_param(route, buf_slice(&name));
        if (!all && utf8_valid(buf_slice(&name)))
            hub_problem(c, 400, "EINVAL", SLICE_NONE,
                "%.*s: there is no such parameter here; %s%.*s",
                SLICE_FMT(utf8_cut(buf_slice(&name), 60)),
                known.len > 0 ? "there are " : "there are none",
                SLICE_FMT(buf_slice(&known)));
        else if (!all)
            hub_problem(c, 400, "EMALFORMED", SLICE_NONE,
                "the query is not percent-encoded UTF-8");
    }
    buf_free(&name);
    buf_free(&known);
    return all;
}

static bool add_query(struct hub_conn *c, const struct http_request *r,
    const struct route *route, struct json *args, struct arena *a)
{
    for (size_t i = 0; i < ROUTE_PARAMS && route->query[i].name != NULL; i++) {
        const struct param *p = &route->query[i];
        struct buf b = { 0 };
        int rc = http_query(r, p->name, &b);
        struct slice text = arena_dup(a, buf_slice(&b));
        struct json *v = rc == SYNCLINE_OK && utf8_valid(text)
            ? read_param(p, text, a)
            : NULL;

        buf_free(&b);
        if (rc == SYNCLINE_ENOTFOUND)
            continue;
        if (v == NULL) {
            hub_problem(c, 400, "EINVAL", SLICE_NONE, "%s: %s", p->name,
                rc != SYNCLINE_OK       ? "there twice, or not percent-encoded"
                    : !utf8_valid(text) ? "not UTF-8"
                                        : "not as /openapi.json describes it");
            return false;
        }
        json_add(args, slice_str(p->name), v);
    }
    return true;
}

static const struct param *find_arg(
    const struct route *route, struct slice name)
{
    for (size_t i = 0; i < ROUTE_PARAMS && route->args[i].name != NULL; i++)
        if (slice_is(name, route->args[i].name))
            return &route->args[i];
    return NULL;
}

static bool is_of_type(const struct json *v, enum param_type type)
{
    switch (type) {
    case PARAM_STR:
        return v->type == JSON_STRING;
    case PARAM_INT:
        return v->type == JSON_INT && v->i >= 0;
    case PARAM_BOOL:
        return v->type == JSON_TRUE || v->type == JSON_FALSE;
    case PARAM_ARRAY:
        return v->type == JSON_ARRAY;
    default:
        return true;
    }
}

static bool add_members(struct hub_conn *c, const struct route *route,
    const struct json *body, struct json *args)
{
    if (body->type != JSON_OBJECT) {
        hub_problem(c, 400, "EINVAL", SLICE_NONE, "the body must be an object");
        return false;
    }
    for (struct json *v = body->first, *next; v != NULL; v = next) {
        const struct param *p = find_arg(route, v->key);

        next = v->next;
        if (p == NULL || !is_of_type(v, p->type)) {
            hub_problem(c, 400, "EINVAL", SLICE_NONE, "%.*s: %s",
                SLICE_FMT(v->key),
                p == NULL ? "no member of this body; see /openapi.json"
                          : "of another type than /openapi.json says");
            return false;
        }
        json_add(args, v->key, v);
    }
    return true;
}

static bool add_body(struct hub_conn *c, const struct http_request *r,
    const struct route *route, struct json *args, struct arena *a)
{
    struct errmsg why = { "" };
    struct json *body = NULL;

    if (route->body == BODY_NONE)
        return true;
    if (route->body == BODY_ARGS && r->body.len == 0)
        return true; /* all of it may be left out */
    if (json_parse(&body, r->body, JSON_WRAPPED, a, &why) != SYNCLINE_OK) {
        hub_problem(c, 400, "EMALFORMED", SLICE_NONE, "the body: %s", why.text);
        return false;
    }
    if (route->body == BODY_ARGS)
        return add_members(c, route, body, args);
    json_add(args,
        route->body != BODY_PATCH  ? SLICE_LIT("value")
            : hub_is_json_patch(r) ? SLICE_LIT("json_patch")
                                   : SLICE_LIT("patch"),
        body);
    return true;
}

/* A strong entity tag's inside, or "*"; NONE: it is neither. */
static struct slice tag_in(struct slice field)
{
    if (slice_is(field, "*"))
        return field;
    if (field.len < 3 || field.ptr[0] != '"' ||
        field.ptr[field.len - 1] != '"' ||
        memchr(field.ptr + 1, '"', field.len - 2) != NULL)
        return SLICE_NONE;
    return SLICE(field.ptr + 1, field.len - 2);
}

/* May the request have a condition? */
static bool is_conditional(const struct route *r)
{
    return r->answer == ANSWER_VALUE || slice_is(slice_str(r->op), "put") ||
        slice_is(slice_str(r->op), "patch") ||
        slice_is(slice_str(r->op), "del");
}

/* Of a GET: what he has is kept until it is known what there is. */
static bool keep_known(struct hub_conn *c, const struct http_request *r)
{
    for (size_t i = 0; i < r->fields_n; i++) {
        if (!slice_is(r->fields[i].name, "if-none-match"))
            continue;
        if (c->known.len > 0)
            buf_put_u8(&c->known, ',');
        buf_put_slice(&c->known, r->fields[i].value);
    }
    return hub_tags_hold(buf_slice(&c->known), SLICE_NONE) >= 0 &&
        buf_status(&c->known) == SYNCLINE_OK;
}

/* If-Match, If-None-Match (RFC 9110, 13.1): of a GET the tags that are there
 * already, of a write one of them, once, with one tag. A condition that is not
 * understood is refused, never passed over. */
static bool add_condition(struct hub_conn *c, const struct http_request *r,
    const struct route *route, struct json *args, struct arena *a)
{
    const size_t matches = hub_count_fields(r, "if-match");
    const size_t nones = hub_count_fields(r, "if-none-match");
    const bool is_get = r->method == HTTP_GET || r->method == HTTP_HEAD;
    struct slice tag;

    buf_free(&c->known);
    if (matches + nones == 0)
        return true;
    if (is_get && matches == 0 && is_conditional(route) && keep_known(c, r))
        return true;
    buf_free(&c->known);
    tag = tag_in(http_field(r, matches > 0 ? "if-match" : "if-none-match"));
    if (is_get || matches + nones > 1 || tag.ptr == NULL ||
        !is_conditional(route) || (nones > 0 && !slice_is(tag, "*"))) {
        hub_problem(c, 400, "EINVAL", SLICE_NONE,
            "of one item: If-None-Match takes ETags or * of a GET, and * of a "
            "write; If-Match takes one strong ETag or * of a write");
        return false;
    }
    json_add(args, SLICE_LIT("if_context"),
        json_new_str(a, nones > 0 ? SLICE_LIT("") : arena_dup(a, tag)));
    return true;
}

static bool has_instances(const struct hub_conn *c)
{
    return c->hub->opt.instances.space.ptr != NULL;
}

/* NULL: it has been answered. */
static struct json *make_args(struct hub_conn *c, const struct http_request *r,
    const struct matched *m, struct arena *a)
{
    struct json *args = json_new(a, JSON_OBJECT);
    struct slice last = http_field(r, "last-event-id");

    if (args == NULL) {
        hub_problem(c, 503, "ENOMEM", SLICE_NONE, "memory ran out");
        return NULL;
    }
    if (m->route->answer == ANSWER_INSTANCE && has_instances(c))
        json_add(args, SLICE_LIT("space"),
            json_new_str(a, c->hub->opt.instances.space));
    if (m->route->op != NULL)
        json_add(
            args, SLICE_LIT("op"), json_new_str(a, slice_str(m->route->op)));
    for (size_t i = 0; i < m->n; i++)
        json_add(args, m->names[i], json_new_str(a, m->values[i]));
    if (m->route->answer == ANSWER_PAGE)
        json_add(
            args, SLICE_LIT("path"), json_new_str(a, arena_dup(a, r->path)));
    if (!check_query(c, r, m->route) || !add_query(c, r, m->route, args, a))
        return NULL;
    if (m->route->answer == ANSWER_STREAM && last.len > 0 &&
        json_get(args, "from") == NULL)
        json_add(args, SLICE_LIT("from"), json_new_str(a, arena_dup(a, last)));
    return args;
}

/* ---- requests ---- */

/* Which of the two formats a reader of figures wants (`Accept`). */
static const char *format_wanted(const struct http_request *r)
{
    const struct slice want = SLICE_LIT("application/openmetrics-text");
    struct slice accept = http_field(r, "accept");

    for (; accept.len >= want.len; accept = slice_from(accept, 1))
        if (slice_has_prefix(accept, want))
            return "openmetrics";
    return "prometheus";
}

static void put_openapi(struct hub_conn *c)
{
    struct buf b = { 0 };

    route_put_openapi(&b, c->hub->opt.version);
    hub_respond(c, 200, "application/json", SLICE_NONE, buf_slice(&b));
    buf_free(&b);
}

static void ask(struct hub_conn *c, const struct json *args)
{
    const struct hub_port *port = &c->hub->opt.port;
    const struct hub_asker who = { c->token, &c->who.remote };

    if (c->is_stopping) {
        hub_problem(c, 503, "ECLOSED", SLICE_LIT(HUB_LATER), "the node stops");
        return;
    }
    c->request = port->request(port->ctx, &who, args, hub_on_reply, c);
    if (c->request == 0)
        hub_problem(c, 503, "ENOMEM", SLICE_LIT(HUB_LATER), "memory ran out");
    else if (c->slow && c->route->answer == ANSWER_STREAM)
        port->pace(port->ctx, c->request, true);
}

static void upgrade(
    struct hub_conn *c, const struct http_request *r, bool is_instance)
{
    const struct http_socket as = {
        .protocol = http_list_has(r, "sec-websocket-protocol", "syncline.v1")
            ? "syncline.v1"
            : NULL,
    };

    if (!r->is_websocket) {
        hub_problem(c, 426, "EUNSUPPORTED",
            SLICE_LIT("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"),
            "this is spoken to by WebSocket");
        return;
    }
    c->route = NULL;
    c->socket = true;
    if (is_instance)
        hub_instance_open(c, r);
    else
        http_upgrade(c->http, &as);
}

static void carry_out(struct hub_conn *c, const struct http_request *r,
    const struct matched *m, struct json *args, struct arena *a)
{
    if (!add_body(c, r, m->route, args, a) ||
        !add_condition(c, r, m->route, args, a))
        return;
    if (m->route->answer == ANSWER_INSTANCE && !has_instances(c)) {
        hub_problem(c, 404, "ENOTFOUND", SLICE_NONE,
            "no config-sync instances are served; see configsync.server");
        return;
    }
    c->route = m->route;
    if (m->route->answer == ANSWER_SOCKET ||
        m->route->answer == ANSWER_INSTANCE) {
        upgrade(c, r, m->route->answer == ANSWER_INSTANCE);
        return;
    }
    if (m->route->answer == ANSWER_STREAM && r->method == HTTP_HEAD) {
        hub_problem(c, 405, "EUNSUPPORTED", SLICE_LIT("Allow: GET\r\n"),
            "a stream has no end, and so no HEAD");
        return;
    }
    if (m->route->answer == ANSWER_OPENAPI) {
        put_openapi(c);
        return;
    }
    if (m->route->answer == ANSWER_METRICS)
        json_add(args, SLICE_LIT("format"),
            json_new_str(a, slice_str(format_wanted(r))));
    ask(c, args);
}

/* Where it leads. False: nowhere, and that has been answered. */
static bool find_route(struct hub_conn *c, const struct http_request *r,
    struct matched *m, struct arena *a)
{
    struct buf allow = { 0 }, field = { 0 };
    int rc = route_match(m, r->method, r->path, &allow, a);

    if (rc == SYNCLINE_EUNSUPPORTED) {
        buf_printf(&field, "Allow: %.*s\r\n", (int)allow.len, allow.ptr);
        hub_problem(
            c, 405, "EUNSUPPORTED", buf_slice(&field), "not with this method");
    } else if (rc == SYNCLINE_ENOTFOUND) {
        hub_problem(c, 404, "ENOTFOUND", SLICE_NONE,
            "there is no such path; /openapi.json lists them");
    } else if (rc != SYNCLINE_OK) {
        hub_problem(c, rc == SYNCLINE_ENOMEM ? 503 : 400,
            rc == SYNCLINE_ENOMEM ? "ENOMEM" : "EMALFORMED", SLICE_NONE,
            "the path is not percent-encoded UTF-8");
    }
    buf_free(&allow);
    buf_free(&field);
    return rc == SYNCLINE_OK;
}

/* All that is judged by the head alone. NULL: it has been answered. */
static struct json *judge_head(struct hub_conn *c, const struct http_request *r,
    bool is_whole, struct matched *m, struct arena *a)
{
    struct json *args;

    if (!hub_guard_origin(c, r) || hub_socketio(c, r, is_whole) ||
        hub_page(c, r) || !find_route(c, r, m, a))
        return NULL;
    args = make_args(c, r, m, a);
    return args != NULL && hub_guard_access(c, r, m, args, a) ? args : NULL;
}

/* Before a body is taken in. */
static void on_head(
    void *ctx, struct http_conn *http, const struct http_request *r)
{
    struct matched m = { .n = 0 };
    struct arena a = { 0 };

    (void)ctx;
    if (!PLANTED(R30_BODY))
        (void)judge_head(http_conn_user(http), r, false, &m, &a);
    arena_free(&a);
}

/* All of it again: a token may have gone while its body came. */
static void on_request(
    void *ctx, struct http_conn *http, const struct http_request *r)
{
    struct hub_conn *c = http_conn_user(http);
    struct matched m = { .n = 0 };
    struct arena a = { 0 };
    struct json *args = judge_head(c, r, true, &m, &a);

    (void)ctx;
    if (args != NULL)
        carry_out(c, r, &m, args, &a);
    arena_free(&a);
}

static void end_socket(struct hub_conn *c)
{
    hub_socket_end(c);
    hub_instance_end(c);
    hub_socketio_gone(c);
}

static void give_up(struct hub_conn *c)
{
    if (c->request != 0)
        c->hub->opt.port.cancel(c->hub->opt.port.ctx, c->request);
    c->request = 0;
    c->streams = false;
    end_socket(c);
}

static void on_gone(void *ctx, struct http_conn *http)
{
    (void)ctx;
    give_up(http_conn_user(http));
}

static void on_message(
    void *ctx, struct http_conn *http, bool text, struct slice message)
{
    struct hub_conn *c = http_conn_user(http);

    (void)ctx;
    if (c->is_socketio)
        hub_socketio_take(c, text, message);
    else if (c->instance != 0)
        hub_instance_take(c, text, message);
    else
        hub_socket_take(c, text, message);
}

/* ---- connections ---- */

int hub_new(struct hub **out, const struct hub_options *opt)
{
    struct hub *h = calloc(1, sizeof *h);

    if (h == NULL)
        return SYNCLINE_ENOMEM;
    h->opt = *opt;
    h->events = (struct http_events){ .ctx = h,
        .on_request = on_request,
        .on_head = on_head,
        .on_message = on_message,
        .on_gone = on_gone,
        .put_fields = hub_put_date };
    *out = h;
    return SYNCLINE_OK;
}

void hub_free(struct hub *h)
{
    free(h);
}

int hub_accept(struct hub_conn **out, struct hub *h,
    const struct hub_caller *who, uint64_t now_us)
{
    /* A turn tells what it tells, and only then hears that it is too much. */
    static const struct http_limits limits = { .queue_max = (size_t)64 << 20 };
    struct hub_conn *c = calloc(1, sizeof *c);
    int rc;

    if (c == NULL)
        return SYNCLINE_ENOMEM;
    *c = (struct hub_conn){ .hub = h, .who = *who, .now_us = now_us };
    rc = http_conn_new(&c->http, &h->events, &limits, now_us / 1000);
    if (rc != SYNCLINE_OK) {
        free(c);
        return rc;
    }
    http_conn_set_user(c->http, c);
    *out = c;
    return SYNCLINE_OK;
}

void hub_conn_free(struct hub_conn *c)
{
    if (c == NULL)
        return;
    give_up(c);
    http_conn_free(c->http);
    buf_free(&c->known);
    free(c);
}

void hub_conn_feed(struct hub_conn *c, struct slice in, uint64_t now_us)
{
    c->now_us = now_us;
    http_conn_feed(c->http, in, now_us / 1000);
}

void hub_conn_end(struct hub_conn *c)
{
    http_conn_end(c->http);
}

/* A token that is good no longer ends what it has begun. */
static void look_at_token(struct hub_conn *c)
{
    if (c->token[0] == 0 || (!c->streams && !c->socket) ||
        hub_guard_again(c, SLICE_NONE))
        return;
    c->token[0] = 0;
    if (c->socket) {
        end_socket(c);
        http_close_websocket(c->http, 1008, "the token is good no longer");
    } else {
        c->hub->opt.port.cancel(c->hub->opt.port.ctx, c->request);
        if (!PLANTED(R13_ENDED))
            http_close_after(c->http);
        hub_on_reply(c,
            SLICE_LIT(
                "{\"ok\":false,\"code\":\"EDENIED\",\"error\":\"the token "
                "is good no longer\"}"),
            false);
    }
}

/* Whoever reads a stream learns so that it lives, and we that he does. */
void hub_conn_tick(struct hub_conn *c, uint64_t now_us)
{
    c->now_us = now_us;
    look_at_token(c);
    hub_guard_place(c);
    if (c->streams && now_us >= c->beat_us && !c->slow) {
        http_send(c->http, SLICE_LIT(":\n\n"));
        c->beat_us = now_us + HUB_BEAT_US;
    }
    http_conn_tick(c->http, now_us / 1000);
}

void hub_conn_stop(struct hub_conn *c)
{
    c->is_stopping = true;
    end_socket(c);
    if (c->socket)
        http_close_websocket(c->http, 1001, "the node stops");
}

void hub_conn_pace(struct hub_conn *c, bool slow)
{
    if (c->slow == slow)
        return;
    c->slow = slow;
    if (c->request != 0 && c->route != NULL &&
        c->route->answer == ANSWER_STREAM)
        c->hub->opt.port.pace(c->hub->opt.port.ctx, c->request, slow);
    hub_socket_pace(c, slow);
}

const char *hub_conn_place(const struct hub_conn *c)
{
    return c->place;
}

struct http_conn *hub_conn_http(struct hub_conn *c)
{
    return c->http;
}
