/* The op `mesh`: what a picture of the mesh takes, from the node's `status`.
 * Of links it knows those of its own; others' are theirs to tell. */
#include "app/engine/engine_impl.h"

#include "io/clock.h"

static void put_text(
    struct buf *b, const char *name, const struct json *of, const char *member)
{
    const struct json *v = json_get(of, member);

    buf_printf(b, "\"%s\":", name);
    if (v != NULL && v->type == JSON_STRING)
        json_print_string(b, v->s, false);
    else
        buf_put_str(b, "null");
}

static void put_other(struct buf *b, const char *name, const struct json *of)
{
    const struct json *v = json_get(of, name);

    buf_printf(b, "\"%s\":", name);
    if (v != NULL)
        json_print(b, v, JSON_CANONICAL);
    else
        buf_put_str(b, "null");
}

static void put_node(struct buf *b, const struct json *of, bool self)
{
    buf_put_u8(b, '{');
    put_text(b, "device", of, "device");
    buf_put_u8(b, ',');
    put_text(b, "name", of, "name");
    buf_put_u8(b, ',');
    put_text(b, "role", of, "role");
    buf_printf(b, ",\"self\":%s,\"connected\":%s,", self ? "true" : "false",
        self || slice_is(json_get_str(of, "state"), "connected") ? "true"
                                                                 : "false");
    put_other(b, "copies", of);
    if (!self) {
        buf_put_u8(b, ',');
        put_other(b, "parked", of);
    }
    buf_put_u8(b, '}');
}

static void put_link(
    struct buf *b, const struct json *self, const struct json *peer)
{
    static const char *const members[] = { "state", "address", "rtt_us",
        "offset_us", "lag", "behind", "delays", "broke", "broke_last",
        "refused_ms" };

    buf_put_u8(b, '{');
    put_text(b, "from", self, "device");
    buf_put_u8(b, ',');
    put_text(b, "to", peer, "device");
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        buf_put_u8(b, ',');
        put_other(b, members[i], peer);
    }
    buf_put_u8(b, '}');
}

struct slice engine_mesh_view(
    struct engine *e, const struct call *c, struct slice answer, struct buf *b)
{
    struct arena a = { 0 };
    struct json *v = NULL;
    const struct json *peers, *clock;

    (void)e;
    (void)c;
    if (json_parse(&v, answer, JSON_STRICT, &a, NULL) != SYNCLINE_OK ||
        !json_get_bool(v, "ok", false)) {
        arena_free(&a);
        return answer; /* why there is none */
    }
    peers = json_get(v, "peers");
    clock = json_get(v, "clock");
    buf_put_str(b, "{\"ok\":true,");
    put_text(b, "mesh", v, "mesh");
    buf_printf(b, ",\"time\":%llu,", (unsigned long long)clock_wall_us());
    buf_put_str(b, "\"clock\":{");
    put_other(b, "ok", clock);
    buf_put_u8(b, ',');
    put_text(b, "verdict", clock, "verdict");
    buf_put_str(b, "},\"nodes\":[");
    put_node(b, v, true);
    for (const struct json *p = peers ? peers->first : NULL; p; p = p->next) {
        buf_put_u8(b, ',');
        put_node(b, p, false);
    }
    buf_put_str(b, "],\"links\":[");
    for (const struct json *p = peers ? peers->first : NULL; p; p = p->next) {
        buf_put_str(b, p != peers->first ? "," : "");
        put_link(b, v, p);
    }
    buf_put_str(b, "]}");
    arena_free(&a);
    return buf_slice(b);
}
