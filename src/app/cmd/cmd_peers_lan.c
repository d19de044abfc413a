/* LAN-sync nodes, for `syncline peers`. */
#include "app/cmd/cmd_peers.h"

#include "io/clock.h"

#define NONE SLICE_LIT("-")

static const struct json *first_of(const struct json *v, const char *name)
{
    const struct json *list = json_get(v, name);

    return list != NULL ? list->first : NULL;
}

static struct slice or_dash(struct slice s)
{
    return s.len > 0 ? s : NONE;
}

static bool is_in(const struct json *answer, const char *list, struct slice id)
{
    const struct json *v = first_of(answer, list);

    while (v != NULL && !slice_eq(json_get_str(v, "node_id"), id))
        v = v->next;
    return v != NULL && id.len > 0;
}

static struct slice heard_of(struct cli *c, int64_t us)
{
    const int64_t now_us = (int64_t)clock_wall_us();

    return us == 0 ? NONE
                   : cli_span(c, us < now_us ? (now_us - us) / 1000000 : 0);
}

/* Of who is near. */
static struct slice device_heard(
    struct cli *c, const struct json *answer, struct slice id)
{
    const struct json *d = first_of(answer, "devices");

    while (d != NULL && !slice_eq(json_get_str(d, "node_id"), id))
        d = d->next;
    return d != NULL ? cli_span(c, json_get_int(d, "heard_s", 0)) : NONE;
}

/* What is wrong with one that is connected. */
static struct slice lacks_of(
    struct cli *c, const struct json *answer, struct slice id)
{
    int64_t n = 0;

    for (const struct json *l = first_of(answer, "lacking"); l; l = l->next)
        n += slice_eq(json_get_str(l, "node_id"), id);
    return n == 0 ? NONE
                  : cli_printf(c, "too long to be told: %lld", (long long)n);
}

static void put_link(struct cli_table *t, struct cli *c,
    const struct json *answer, const struct json *l)
{
    const struct slice id = json_get_str(l, "node_id");
    const struct slice trouble = json_get_str(l, "trouble");
    const struct slice speaks = json_get_bool(l, "syncline", false)
        ? SLICE_LIT("syncline")
        : or_dash(json_get_str(l, "dialect"));

    cli_table_row(t,
        (const struct slice[]){ or_dash(cli_inert(c, id)),
            cli_printf(c, "%s%.*s",
                json_get_bool(l, "called", false) ? "" : "from ",
                SLICE_FMT(json_get_str(l, "address"))),
            SLICE_LIT("connected"),
            cli_printf(c, "%.*s%s", SLICE_FMT(speaks),
                json_get_bool(l, "tls", false) ? ", TLS" : ""),
            heard_of(c, json_get_int(l, "heard", 0)),
            trouble.len > 0 ? cli_inert(c, trouble)
                            : lacks_of(c, answer, id) });
}

/* Comes again and again, and is not served. */
static void put_refused(
    struct cli_table *t, struct cli *c, const struct json *r)
{
    cli_table_row(t,
        (const struct slice[]){
            or_dash(cli_inert(c, json_get_str(r, "node_id"))),
            cli_printf(c, "from %.*s", SLICE_FMT(json_get_str(r, "address"))),
            SLICE_LIT("refused"), NONE, heard_of(c, json_get_int(r, "last", 0)),
            cli_inert(c, json_get_str(r, "trouble")) });
}

static struct slice state_of(const struct json *p)
{
    const struct slice state = json_get_str(p, "state");

    if (slice_is(state, "mesh"))
        return SLICE_LIT("member");
    if (slice_is(state, "gone"))
        return SLICE_LIT("offline");
    return json_get_bool(p, "found", false) ? SLICE_LIT("near")
                                            : SLICE_LIT("waiting");
}

static void put_peer(struct cli_table *t, struct cli *c,
    const struct json *answer, const struct json *p)
{
    const struct slice id = json_get_str(p, "node_id");

    cli_table_row(t,
        (const struct slice[]){ or_dash(cli_inert(c, id)),
            cli_printf(c, "%.*s:%lld",
                SLICE_FMT(cli_inert(c, json_get_str(p, "host"))),
                (long long)json_get_int(p, "port", 0)),
            state_of(p), NONE, device_heard(c, answer, id),
            or_dash(cli_inert(c, json_get_str(p, "trouble"))) });
}

/* Of a network that is not admitted, or one of too many. */
static void put_device(struct cli_table *t, struct cli *c, const struct json *d)
{
    cli_table_row(t,
        (const struct slice[]){
            or_dash(cli_inert(c, json_get_str(d, "node_id"))),
            json_get_str(d, "address"),
            json_get_bool(d, "online", false) ? SLICE_LIT("near")
                                              : SLICE_LIT("offline"),
            NONE, cli_span(c, json_get_int(d, "heard_s", 0)), NONE });
}

void lansync_print_nodes(struct cli *c, const struct json *answer)
{
    static const char *const heads[] = { "NODE", "ADDRESS", "STATE", "SPEAKS",
        "HEARD", "TROUBLE" };
    struct cli_table t;
    struct cli_row **none;

    cli_table_init(&t, c, "llllrl", heads);
    none = t.last;
    for (const struct json *l = first_of(answer, "connections"); l; l = l->next)
        put_link(&t, c, answer, l);
    for (const struct json *p = first_of(answer, "peers"); p; p = p->next)
        if (!json_get_bool(p, "connected", false))
            put_peer(&t, c, answer, p);
    for (const struct json *r = first_of(answer, "refused"); r; r = r->next)
        put_refused(&t, c, r);
    for (const struct json *d = first_of(answer, "devices"); d; d = d->next) {
        const struct slice id = json_get_str(d, "node_id");

        if (!is_in(answer, "connections", id) && !is_in(answer, "peers", id))
            put_device(&t, c, d);
    }
    if (t.last != none)
        cli_table_print(&t);
    else
        (void)puts("no node is connected or near, and none is named: "
                   "lansync.peers");
}
