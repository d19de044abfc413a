/* Nodes of older systems, for `syncline peers`: rows of one shape, whatever the
 * system, which are what --json prints and what the tables are made of. */
#include "app/cmd/cmd_peers.h"

#include "io/clock.h"

#define NONE SLICE_LIT("-")

struct row {
    struct slice node, name, address; /* "": not known */
    bool called;                      /* by us, or to be */
    const char *state;
    struct slice speaks, trouble; /* "": not known; nothing */
    int64_t heard;                /* us since the epoch; 0: not known */
};

static const struct json *first_of(const struct json *v, const char *name)
{
    const struct json *list = json_get(v, name);

    return list != NULL ? list->first : NULL;
}

static void add_text(
    struct cli *c, struct json *to, const char *name, struct slice s)
{
    cli_set_json(to, name,
        s.len > 0 ? json_new_str(&c->arena, arena_dup(&c->arena, s))
                  : json_new(&c->arena, JSON_NULL));
}

static void add_row(
    struct cli *c, struct json *list, const char *system, const struct row *r)
{
    struct json *v = json_new(&c->arena, JSON_OBJECT);

    cli_set(c, v, "system", system);
    add_text(c, v, "node_id", r->node);
    add_text(c, v, "name", r->name);
    add_text(c, v, "address", r->address);
    cli_set_json(v, "called", json_new_bool(&c->arena, r->called));
    cli_set(c, v, "state", r->state);
    add_text(c, v, "speaks", r->speaks);
    if (r->heard > 0)
        cli_set_int(c, v, "heard", r->heard);
    else
        add_text(c, v, "heard", SLICE_NONE);
    add_text(c, v, "trouble", r->trouble);
    (void)json_append(list, v);
}

static int64_t heard_before(int64_t seconds)
{
    return (int64_t)clock_wall_us() - seconds * 1000000;
}

/* ---- LAN sync ---- */

static bool is_in(const struct json *answer, const char *list, struct slice id)
{
    const struct json *v = first_of(answer, list);

    while (v != NULL && !slice_eq(json_get_str(v, "node_id"), id))
        v = v->next;
    return v != NULL && id.len > 0;
}

/* Who was heard to be near; NULL: nobody of that name. */
static const struct json *device_of(const struct json *answer, struct slice id)
{
    const struct json *d = first_of(answer, "devices");

    while (d != NULL && !slice_eq(json_get_str(d, "node_id"), id))
        d = d->next;
    return d;
}

/* What is wrong with one that is connected. */
static struct slice trouble_of(
    struct cli *c, const struct json *answer, const struct json *link)
{
    const struct slice trouble = json_get_str(link, "trouble");
    const struct slice id = json_get_str(link, "node_id");
    int64_t n = 0;

    for (const struct json *l = first_of(answer, "lacking"); l; l = l->next)
        n += slice_eq(json_get_str(l, "node_id"), id);
    if (trouble.len > 0 || n == 0)
        return trouble;
    return cli_printf(c, "too long to be told: %lld", (long long)n);
}

static struct row row_of_link(
    struct cli *c, const struct json *answer, const struct json *l)
{
    const struct slice speaks = json_get_bool(l, "syncline", false)
        ? SLICE_LIT("syncline")
        : json_get_str(l, "dialect");
    const bool tls = json_get_bool(l, "tls", false);

    return (struct row){ .node = json_get_str(l, "node_id"),
        .name = json_get_str(l, "node_name"),
        .address = json_get_str(l, "address"),
        .called = json_get_bool(l, "called", false),
        .state = "connected",
        .speaks = !tls       ? speaks
            : speaks.len > 0 ? cli_printf(c, "%.*s, TLS", SLICE_FMT(speaks))
                             : SLICE_LIT("TLS"),
        .heard = json_get_int(l, "heard", 0),
        .trouble = trouble_of(c, answer, l) };
}

static const char *state_of(const struct json *p)
{
    const struct slice state = json_get_str(p, "state");

    if (slice_is(state, "mesh"))
        return "member";
    if (slice_is(state, "gone"))
        return "offline";
    return json_get_bool(p, "found", false) ? "near" : "waiting";
}

static struct row row_of_peer(
    struct cli *c, const struct json *answer, const struct json *p)
{
    const struct slice id = json_get_str(p, "node_id");
    const struct slice host = json_get_str(p, "host");
    const bool is_six = memchr(host.ptr, ':', host.len) != NULL;
    const struct json *d = device_of(answer, id);

    return (struct row){ .node = id,
        .name = json_get_str(d, "node_name"),
        .address =
            cli_printf(c, "%s%.*s%s:%lld", is_six ? "[" : "", SLICE_FMT(host),
                is_six ? "]" : "", (long long)json_get_int(p, "port", 0)),
        .called = true,
        .state = state_of(p),
        .heard = d != NULL ? heard_before(json_get_int(d, "heard_s", 0)) : 0,
        .trouble = json_get_str(p, "trouble") };
}

/* Comes again and again, and is not served. */
static struct row row_of_refused(const struct json *r)
{
    return (struct row){ .node = json_get_str(r, "node_id"),
        .address = json_get_str(r, "address"),
        .state = "refused",
        .heard = json_get_int(r, "last", 0),
        .trouble = json_get_str(r, "trouble") };
}

/* Of a network that is not admitted, or one of too many. */
static struct row row_of_device(const struct json *d)
{
    return (struct row){ .node = json_get_str(d, "node_id"),
        .name = json_get_str(d, "node_name"),
        .address = json_get_str(d, "address"),
        .called = true,
        .state = json_get_bool(d, "online", false) ? "near" : "offline",
        .heard = heard_before(json_get_int(d, "heard_s", 0)) };
}

void lansync_add_rows(
    struct cli *c, const struct json *answer, struct json *list)
{
    struct row r;

    for (const struct json *l = first_of(answer, "connections"); l;
         l = l->next) {
        r = row_of_link(c, answer, l);
        add_row(c, list, "lansync", &r);
    }
    for (const struct json *p = first_of(answer, "peers"); p; p = p->next)
        if (!json_get_bool(p, "connected", false)) {
            r = row_of_peer(c, answer, p);
            add_row(c, list, "lansync", &r);
        }
    for (const struct json *v = first_of(answer, "refused"); v; v = v->next) {
        r = row_of_refused(v);
        add_row(c, list, "lansync", &r);
    }
    for (const struct json *d = first_of(answer, "devices"); d; d = d->next) {
        const struct slice id = json_get_str(d, "node_id");

        if (is_in(answer, "connections", id) || is_in(answer, "peers", id))
            continue;
        r = row_of_device(d);
        add_row(c, list, "lansync", &r);
    }
}

/* ---- iSync ---- */

/* The connection with one that is called; NULL: there is none. */
static const struct json *isync_link(
    const struct json *answer, struct slice url)
{
    const struct json *l = first_of(answer, "links");

    while (l != NULL && !slice_eq(json_get_str(l, "url"), url))
        l = l->next;
    return l;
}

static struct row row_of_isync_peer(
    const struct json *answer, const struct json *p)
{
    const struct slice url = json_get_str(p, "url");
    const bool is_up = slice_is(json_get_str(p, "state"), "connected");

    return (struct row){ .node = json_get_str(p, "node_id"),
        .address = url,
        .called = true,
        .state = is_up ? "connected" : "waiting",
        .speaks = json_get_str(isync_link(answer, url), "transport"),
        .heard = json_get_int(isync_link(answer, url), "heard", 0),
        .trouble = json_get_str(p, "trouble") };
}

void isync_add_rows(struct cli *c, const struct json *answer, struct json *list)
{
    struct row r;

    for (const struct json *p = first_of(answer, "peers"); p; p = p->next) {
        if (slice_is(json_get_str(p, "state"), "ourselves"))
            continue; /* a list of nodes has us, too */
        r = row_of_isync_peer(answer, p);
        add_row(c, list, "isync", &r);
    }
    for (const struct json *l = first_of(answer, "links"); l; l = l->next) {
        if (json_get(l, "address") == NULL)
            continue;
        r = (struct row){ .node = json_get_str(l, "node_id"),
            .address = json_get_str(l, "address"),
            .state = "connected",
            .speaks = json_get_str(l, "transport"),
            .heard = json_get_int(l, "heard", 0),
            .trouble = isync_trouble_with(l, answer) };
        add_row(c, list, "isync", &r);
    }
}

/* ---- config-sync ---- */

/* Of those who call us it is known how many they are. */
void configsync_add_rows(
    struct cli *c, const struct json *answer, struct json *list)
{
    struct row r;

    for (const struct json *p = first_of(answer, "peers"); p; p = p->next) {
        const bool is_up = json_get_bool(p, "connected", false);

        r = (struct row){ .address = json_get_str(p, "url"),
            .called = true,
            .state = is_up ? "connected" : "waiting",
            .speaks = json_get_bool(p, "syncline", false)
                ? SLICE_LIT("syncline")
                : SLICE_NONE,
            .trouble = is_up ? SLICE_NONE : json_get_str(p, "trouble") };
        add_row(c, list, "configsync", &r);
    }
    r = (struct row){ .state = "connected" };
    for (int64_t n = json_get_int(answer, "callers", 0); n > 0; n--)
        add_row(c, list, "configsync", &r);
}

/* ---- the table ---- */

static struct slice or_dash(
    struct cli *c, const struct json *r, const char *name)
{
    const struct slice s = json_get_str(r, name);

    return s.len > 0 ? cli_inert(c, s) : NONE;
}

static struct slice address_of(struct cli *c, const struct json *r)
{
    const struct slice at = json_get_str(r, "address");
    const bool called = json_get_bool(r, "called", false);

    return cli_printf(c, "%s%.*s", called ? "" : "from ",
        SLICE_FMT(at.len > 0 ? cli_inert(c, at) : SLICE_LIT("elsewhere")));
}

static struct slice heard_of(struct cli *c, const struct json *r)
{
    const int64_t us = json_get_int(r, "heard", 0);
    const int64_t now_us = (int64_t)clock_wall_us();

    return us == 0 ? NONE
                   : cli_span(c, us < now_us ? (now_us - us) / 1000000 : 0);
}

void older_print(struct cli *c, const struct json *rows)
{
    static const char *const heads[] = { "NODE", "ADDRESS", "STATE", "SPEAKS",
        "HEARD", "TROUBLE" };
    struct cli_table t;

    cli_table_init(&t, c, "llllrl", heads);
    for (const struct json *r = rows->first; r != NULL; r = r->next)
        cli_table_row(&t,
            (const struct slice[]){ or_dash(c, r, "node_id"), address_of(c, r),
                json_get_str(r, "state"), or_dash(c, r, "speaks"),
                heard_of(c, r), or_dash(c, r, "trouble") });
    cli_table_print(&t);
}
