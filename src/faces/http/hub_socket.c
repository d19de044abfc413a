/* Watches over a WebSocket: a message asks for one, its events come with its
 * number.
 *   -> {"id":1,"watch":{"space":"default","prefix":"","from":"start"}}
 *   <- {"id":1,"space":"default","key":...}
 *   -> {"id":1,"stop":true}                                             */
#include "faces/http/hub_impl.h"

#include <stdlib.h>

#define WATCHES_MAX 64
#define BAD_MESSAGE 1003 /* RFC 6455, 7.4.1: of no kind that is taken here */
#define NO_MORE 1008     /* it breaks a rule of ours */

struct hub_watch {
    struct hub_watch *next;
    struct hub_conn *conn;
    int64_t id;
    uint64_t request;
};

static void drop(struct hub_watch *w)
{
    struct hub_watch **at = &w->conn->watches;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    free(w);
}

static void tell(struct hub_conn *c, int64_t id, struct slice object)
{
    struct buf b = { 0 };

    buf_printf(&b, "{\"id\":%lld", (long long)id);
    if (object.len > 2)
        buf_put_u8(&b, ',');
    buf_put_slice(&b, slice_from(object, 1));
    if (buf_status(&b) == SYNCLINE_OK)
        http_send_message(c->http, true, buf_slice(&b));
    else
        http_close_websocket(c->http, 1011, "memory ran out");
    buf_free(&b);
    hub_pace_after_send(c);
}

static void on_event(void *ctx, struct slice json, bool more)
{
    struct hub_watch *w = ctx;
    struct hub_conn *c = w->conn;

    tell(c, w->id, json);
    if (!more)
        drop(w);
}

static struct hub_watch *find(struct hub_conn *c, int64_t id)
{
    struct hub_watch *w = c->watches;

    while (w != NULL && w->id != id)
        w = w->next;
    return w;
}

static uint32_t count(const struct hub_conn *c)
{
    uint32_t n = 0;

    for (const struct hub_watch *w = c->watches; w != NULL; w = w->next)
        n++;
    return n;
}

static void refuse(
    struct hub_conn *c, int64_t id, const char *code, const char *text)
{
    struct buf b = { 0 };

    buf_printf(
        &b, "{\"ok\":false,\"code\":\"%s\",\"error\":\"%s\"}", code, text);
    tell(c, id, buf_slice(&b));
    buf_free(&b);
}

/* As the node takes it. */
static struct slice space_of(const struct json *what)
{
    const struct slice space = json_get_str(what, "space");

    return space.len > 0 ? space : SLICE_LIT("default");
}

static void begin(
    struct hub_conn *c, int64_t id, struct json *what, struct arena *a)
{
    const struct hub_port *port = &c->hub->opt.port;
    const struct hub_asker who = { c->token, &c->who.remote };
    struct hub_watch *w;

    if (find(c, id) != NULL || count(c) == WATCHES_MAX) {
        refuse(c, id, "ELIMIT", "this number watches already, or there are 64");
        return;
    }
    if (c->is_stopping) {
        refuse(c, id, "ECLOSED", "the node stops");
        return;
    }
    if (!hub_guard_again(c, space_of(what))) {
        refuse(c, id, "EDENIED", "this token may not watch that space");
        return;
    }
    w = calloc(1, sizeof *w);
    if (w == NULL) {
        refuse(c, id, "ENOMEM", "memory ran out");
        return;
    }
    *w = (struct hub_watch){ c->watches, c, id, 0 };
    c->watches = w;
    json_add(what, SLICE_LIT("op"), json_new_str(a, SLICE_LIT("watch")));
    w->request = port->request(port->ctx, &who, what, on_event, w);
    if (w->request == 0) {
        drop(w);
        refuse(c, id, "ENOMEM", "memory ran out");
    } else if (c->slow) {
        port->pace(port->ctx, w->request, true);
    }
}

static void end(struct hub_conn *c, int64_t id)
{
    struct hub_watch *w = find(c, id);

    if (w == NULL) {
        refuse(c, id, "ENOTFOUND", "nothing is watched by this number");
        return;
    }
    c->hub->opt.port.cancel(c->hub->opt.port.ctx, w->request);
    drop(w);
    tell(c, id, SLICE_LIT("{\"ok\":true}"));
}

/* Only what may be said of a watch goes on to the node. */
static bool is_watch(const struct json *v)
{
    static const char *const names[] = { "space", "prefix", "from" };
    size_t known = 0;

    if (v == NULL || v->type != JSON_OBJECT)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct json *m = json_get(v, names[i]);

        known += m != NULL && m->type == JSON_STRING;
    }
    return known == v->n;
}

void hub_socket_take(struct hub_conn *c, bool text, struct slice message)
{
    struct arena a = { 0 };
    struct json *v = NULL, *id, *watch;

    if (!text ||
        json_parse(&v, message, JSON_STRICT, &a, NULL) != SYNCLINE_OK) {
        http_close_websocket(c->http, BAD_MESSAGE, "a message is JSON");
        arena_free(&a);
        return;
    }
    id = json_get(v, "id");
    watch = json_get(v, "watch");
    if (id == NULL || id->type != JSON_INT)
        http_close_websocket(
            c->http, NO_MORE, "a message is an object with a number, `id`");
    else if (is_watch(watch))
        begin(c, id->i, watch, &a);
    else if (watch == NULL && json_get_bool(v, "stop", false))
        end(c, id->i);
    else
        refuse(c, id->i, "EINVAL",
            "a message has watch: {space, prefix, from}, or stop: true");
    arena_free(&a);
}

void hub_socket_pace(struct hub_conn *c, bool slow)
{
    for (struct hub_watch *w = c->watches; w != NULL; w = w->next)
        c->hub->opt.port.pace(c->hub->opt.port.ctx, w->request, slow);
}

void hub_socket_end(struct hub_conn *c)
{
    while (c->watches != NULL) {
        c->hub->opt.port.cancel(c->hub->opt.port.ctx, c->watches->request);
        drop(c->watches);
    }
}
