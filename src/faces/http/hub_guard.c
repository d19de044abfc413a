/* Who may ask at all: hosts, pages of other people, tokens. */
#include "faces/http/hub_impl.h"

#include "base/plant.h"

#include <stdio.h>

#define COOKIES_MAX 16 /* of one name, that are looked at */

static bool same_text(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        uint8_t x = a.ptr[i], y = b.ptr[i];

        x = x >= 'A' && x <= 'Z' ? (uint8_t)(x + 32) : x;
        y = y >= 'A' && y <= 'Z' ? (uint8_t)(y + 32) : y;
        if (x != y)
            return false;
    }
    return true;
}

/* With the port, which may be left out where it is the scheme's own; or word
 * for word, where the name says a port, as of a proxy before this one. */
static bool is_host(
    const struct hub_conn *c, struct slice host, struct slice name)
{
    const uint16_t tcp_port = c->hub->opt.tcp_port;
    char port[8];
    int n = snprintf(port, sizeof port, ":%u", (unsigned)tcp_port);

    if (memchr(name.ptr, ':', name.len) != NULL)
        return same_text(host, name);
    if (host.len >= name.len && same_text(SLICE(host.ptr, name.len), name)) {
        struct slice rest = slice_from(host, name.len);

        return slice_eq(rest, SLICE(port, (size_t)n)) ||
            (rest.len == 0 && tcp_port == (c->who.secure ? 443 : 80));
    }
    return false;
}

/* By number: that is no name which somebody else could let mean us. Beyond
 * loopback by the number that he has really reached. */
static bool is_own_number(const struct hub_conn *c, struct slice host)
{
    struct netaddr addr;

    return netaddr_parse(&addr, host, c->who.secure ? 443 : 80, NULL) ==
        SYNCLINE_OK &&
        addr.port == c->hub->opt.tcp_port &&
        (netaddr_is_loopback(&addr) ||
            (c->who.secure && netaddr_same_ip(&addr, &c->who.local)));
}

static bool is_any_of(const struct hub_conn *c, struct slice host,
    const struct slice *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_host(c, host, names[i]))
            return true;
    return false;
}

/* What this machine is called on its network is ours by TLS alone: there a page
 * that somebody else serves by that name would have to show our certificate. */
static bool is_ours(const struct hub_conn *c, struct slice host)
{
    const struct hub_options *opt = &c->hub->opt;

    return is_host(c, host, SLICE_LIT("localhost")) || is_own_number(c, host) ||
        PLANTED(R07_HOST) || is_any_of(c, host, opt->hosts, opt->hosts_n) ||
        (c->who.secure && is_any_of(c, host, opt->tls_hosts, opt->tls_hosts_n));
}

/* A page of this very address, and of no other. */
static bool is_own_origin(
    const struct hub_conn *c, struct slice origin, struct slice host)
{
    const struct slice scheme =
        c->who.secure ? SLICE_LIT("https://") : SLICE_LIT("http://");

    return slice_has_prefix(origin, scheme) &&
        slice_eq(slice_from(origin, scheme.len), host);
}

size_t hub_count_fields(const struct http_request *r, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < r->fields_n; i++)
        n += slice_is(r->fields[i].name, name);
    return n;
}

bool hub_guard_origin(struct hub_conn *c, const struct http_request *r)
{
    const struct slice origin = http_field(r, "origin");
    const struct slice site = http_field(r, "sec-fetch-site");

    if (PLANTED(R09_SOCKET) && r->is_websocket)
        return true;
    if (!is_ours(c, r->host)) {
        hub_problem(c, 421, "EDENIED", SLICE_NONE,
            "this node does not answer as that host; use "
            "http%s://127.0.0.1:%u, "
            "or name it by http.hosts",
            c->who.secure ? "s" : "", (unsigned)c->hub->opt.tcp_port);
        return false;
    }
    if (PLANTED(R08_ORIGIN))
        return true;
    if ((hub_count_fields(r, "origin") > 0 &&
            !is_own_origin(c, origin, r->host)) ||
        (hub_count_fields(r, "sec-fetch-site") > 0 &&
            !slice_is(site, "same-origin") && !slice_is(site, "none"))) {
        hub_problem(c, 403, "EDENIED", SLICE_NONE,
            "a page of another site may not ask this node anything");
        return false;
    }
    return true;
}

/* ---- tokens ---- */

static struct slice bearer(const struct http_request *r)
{
    const struct slice scheme = SLICE_LIT("bearer ");
    struct slice value = http_field(r, "authorization");

    if (value.len <= scheme.len ||
        !same_text(SLICE(value.ptr, scheme.len), scheme))
        return SLICE_NONE;
    value = slice_from(value, scheme.len);
    while (value.len > 0 && value.ptr[0] == ' ')
        value = slice_from(value, 1);
    return value;
}

/* A page cannot set Authorization for a WebSocket: there it offers, behind the
 * protocol that it wants, one that holds the token (`bearer.TOKEN`). */
static struct slice offered(const struct http_request *r, struct slice mark)
{
    struct slice offer = http_field(r, "sec-websocket-protocol");

    for (; offer.len > mark.len; offer = slice_from(offer, 1))
        if (slice_has_prefix(offer, mark)) {
            size_t n = mark.len;

            while (n < offer.len && offer.ptr[n] != ',' && offer.ptr[n] != ' ')
                n++;
            return SLICE(offer.ptr + mark.len, n - mark.len);
        }
    return SLICE_NONE;
}

static struct slice token_of(const struct http_request *r)
{
    if (!r->is_websocket || http_field(r, "authorization").len > 0)
        return bearer(r);
    return offered(r, SLICE_LIT("bearer."));
}

/* The next value of this node's cookie of what is left of the field. */
static bool next_cookie(
    const struct hub_conn *c, struct slice *left, struct slice *value)
{
    char name[24];
    int n = snprintf(
        name, sizeof name, HUB_COOKIE "=", (unsigned)c->hub->opt.tcp_port);

    while (left->len > 0) {
        const uint8_t *end = memchr(left->ptr, ';', left->len);
        struct slice pair = SLICE(
            left->ptr, end != NULL ? (size_t)(end - left->ptr) : left->len);

        *left = slice_from(*left, end != NULL ? pair.len + 1 : left->len);
        while (left->len > 0 && left->ptr[0] == ' ')
            *left = slice_from(*left, 1);
        if (slice_has_prefix(pair, SLICE(name, (size_t)n))) {
            *value = slice_from(pair, (size_t)n);
            return true;
        }
    }
    return false;
}

static bool has_cookie(const struct hub_conn *c, const struct http_request *r)
{
    struct slice left = http_field(r, "cookie"), value;

    return next_cookie(c, &left, &value);
}

/* What another port of this machine answers may set cookies of this name, too,
 * and a browser sends those of a longer path first: whoever does that shuts
 * nobody out. */
static int find_session(struct hub_conn *c, const struct http_request *r,
    struct slice page, struct hub_grant *grant)
{
    const struct hub_port *port = &c->hub->opt.port;
    struct slice left = http_field(r, "cookie"), value;
    int rc = SYNCLINE_EDENIED;

    for (unsigned i = 0; i < COOKIES_MAX && next_cookie(c, &left, &value);
         i++) {
        int one = port->check_session(port->ctx, value, page, grant);

        if (one == SYNCLINE_OK)
            return one;
        rc = one != SYNCLINE_EDENIED ? one : rc;
        if (PLANTED(R10_TOSSED))
            break;
    }
    return rc;
}

/* By a session: what the browser adds by itself, and what the page says. A
 * write says of which page it is, too; that this is ours was looked at. */
static bool check_session(
    struct hub_conn *c, const struct http_request *r, struct hub_grant *grant)
{
    const struct slice page = r->is_websocket
        ? offered(r, SLICE_LIT("session."))
        : http_field(r, "syncline-session");
    int rc;

    if (r->method != HTTP_GET && r->method != HTTP_HEAD &&
        hub_count_fields(r, "origin") == 0 && !PLANTED(R10_ORIGIN)) {
        hub_problem(c, 403, "EDENIED", SLICE_NONE,
            "who comes by a cookie says of which page: Origin is missing");
        return false;
    }
    rc = find_session(c, r, page, grant);
    if (rc == SYNCLINE_OK)
        return true;
    hub_problem(c, 401, "EDENIED", SLICE_LIT("WWW-Authenticate: Bearer\r\n"),
        rc == SYNCLINE_ETIMEOUT
            ? "this session is over; sign in by: syncline dashboard"
            : "there is no such session; sign in by: syncline dashboard");
    return false;
}

static bool check_token(
    struct hub_conn *c, const struct http_request *r, struct hub_grant *grant)
{
    const struct hub_port *port = &c->hub->opt.port;
    const struct slice token = token_of(r);
    uint64_t wait_us = 0;
    char fields[64];
    int rc = port->check(port->ctx, &c->who.remote, token, grant, &wait_us);

    if (rc == SYNCLINE_OK)
        return true;
    if (rc == SYNCLINE_EBUSY) {
        (void)snprintf(fields, sizeof fields, "Retry-After: %llu\r\n",
            (unsigned long long)(wait_us / 1000000 + 1));
        hub_problem(c, 429, "ELIMIT", slice_str(fields),
            "too many wrong tokens from this address; wait%s",
            netaddr_is_loopback(&c->who.remote) ? ", or show a good one" : "");
    } else if (token.len == 0) {
        hub_problem(c, 401, "EDENIED",
            SLICE_LIT("WWW-Authenticate: Bearer\r\n"),
            "this wants `Authorization: Bearer TOKEN`; make a token by "
            "syncline token create");
    } else {
        hub_problem(c, 401, "EDENIED",
            SLICE_LIT("WWW-Authenticate: Bearer error=\"invalid_token\"\r\n"),
            rc == SYNCLINE_ETIMEOUT
                ? "this token has expired; make another by syncline token "
                  "create"
                : "there is no such token; see syncline token list");
    }
    return false;
}

/* What a token of some spaces alone is good for must name one of them. */
static bool is_of_space(const struct hub_grant *g, struct slice space)
{
    if (g->spaces == NULL)
        return true;
    for (size_t i = 0; i < g->spaces_n; i++)
        if (space.len > 0 && slice_eq(g->spaces[i], space))
            return true;
    return false;
}

static bool is_of_kind(struct slice type, const char *name)
{
    const struct slice kind = slice_str(name);

    return type.len >= kind.len && same_text(SLICE(type.ptr, kind.len), kind) &&
        (type.len == kind.len || type.ptr[kind.len] == ';' ||
            type.ptr[kind.len] == ' ');
}

bool hub_is_json_patch(const struct http_request *r)
{
    return is_of_kind(
        http_field(r, "content-type"), "application/json-patch+json");
}

static bool is_json(const struct http_request *r, const struct route *route)
{
    const struct slice type = http_field(r, "content-type");

    return is_of_kind(type, "application/json") ||
        (route->body == BODY_PATCH &&
            (is_of_kind(type, "application/merge-patch+json") ||
                hub_is_json_patch(r)));
}

static bool check_type(
    struct hub_conn *c, const struct http_request *r, const struct route *route)
{
    const bool needs = route->body == BODY_VALUE || route->body == BODY_PATCH;

    if (route->answer == ANSWER_SOCKETIO || (!r->has_body && !needs) ||
        (r->has_body && is_json(r, route)) || PLANTED(R10_TYPE))
        return true;
    if (!r->has_body) {
        hub_problem(c, 400, "EINVAL", SLICE_NONE,
            "this wants a body, of JSON; there is none");
        return false;
    }
    hub_problem(c, 415, "EUNSUPPORTED",
        SLICE_LIT("Accept: application/json\r\n"),
        "the body must be JSON and say so: Content-Type: application/json");
    return false;
}

/* Where no space is named: what may be told of those it has alone. */
static bool name_spaces(const struct hub_grant *g, const struct route *route,
    struct json *args, struct arena *a)
{
    struct json *names = json_new(a, JSON_ARRAY);

    if (!route->is_of_spaces || json_get(args, "space") != NULL)
        return false;
    for (size_t i = 0; names != NULL && i < g->spaces_n; i++)
        if (json_append(names, json_new_str(a, g->spaces[i])) == NULL)
            return false;
    return json_add(args, SLICE_LIT("spaces"), names) != NULL;
}

/* One that has a place of this token already keeps it. */
static bool take_place(struct hub_conn *c, const struct hub_grant *grant)
{
    const struct hub_port *port = &c->hub->opt.port;
    int rc = SYNCLINE_OK;

    if (strcmp(c->place, grant->id) != 0)
        rc = port->take_place(port->ctx, c, grant);
    if (rc == SYNCLINE_OK) {
        memcpy(c->place, grant->id, sizeof c->place);
        return true;
    }
    if (rc == SYNCLINE_ELIMIT)
        hub_problem(c, 429, "ELIMIT", SLICE_LIT(HUB_LATER),
            "this token has half of all connections (http.connections), more "
            "are not for one; close some, or watch over one WebSocket");
    else
        hub_problem(c, 503, "EBUSY", SLICE_LIT(HUB_LATER),
            "all connections are taken (http.connections), but those that are "
            "kept for admins");
    return false;
}

bool hub_guard_access(struct hub_conn *c, const struct http_request *r,
    const struct matched *m, struct json *args, struct arena *a)
{
    const struct route *route = m->route;
    struct hub_grant grant = { .scope = HUB_OPEN };

    c->token[0] = 0;
    if (route->scope == HUB_OPEN)
        return check_type(c, r, route);
    if (PLANTED(R12_TOKEN) || (PLANTED(R09_SOCKET) && r->is_websocket))
        grant.scope = HUB_ADMIN;
    else if (token_of(r).ptr == NULL && has_cookie(c, r)
            ? !check_session(c, r, &grant)
            : !check_token(c, r, &grant))
        return false;
    if (grant.scope < route->scope ||
        (route->answer != ANSWER_SOCKET &&
            !is_of_space(&grant, json_get_str(args, "space")) &&
            !name_spaces(&grant, route, args, a))) {
        static const char *const names[] = { "open", "read", "write", "admin" };

        hub_problem(c, 403, "EDENIED", SLICE_NONE,
            "this token may not: it takes the scope %s%s", names[route->scope],
            grant.spaces != NULL ? ", and one of its spaces" : "");
        return false;
    }
    if (!take_place(c, &grant))
        return false;
    memcpy(c->token, grant.id, sizeof c->token);
    return check_type(c, r, route);
}

void hub_guard_place(struct hub_conn *c)
{
    const struct hub_port *port = &c->hub->opt.port;
    struct hub_grant grant;

    if (c->place[0] != 0 && !PLANTED(R13_ENDED) &&
        port->check_again(port->ctx, c->place, &grant) != SYNCLINE_OK)
        c->place[0] = 0;
}

bool hub_guard_again(struct hub_conn *c, struct slice space)
{
    const struct hub_port *port = &c->hub->opt.port;
    struct hub_grant grant;

    if (PLANTED(R10_OUTLIVES))
        return true;
    return port->check_again(port->ctx, c->token, &grant) == SYNCLINE_OK &&
        grant.scope >= HUB_READ &&
        (space.ptr == NULL || is_of_space(&grant, space));
}
