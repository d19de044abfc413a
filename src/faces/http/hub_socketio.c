/* Socket.IO on the node's own port: let in by a token as whoever else comes
 * there; what is said then is the other face's. */
#include "faces/http/hub_impl.h"

#include "base/plant.h"
#include "faces/socketio/engineio.h"

static const struct route route = { .path = EIO_PATH,
    .scope = HUB_WRITE,
    .answer = ANSWER_SOCKETIO,
    .id = "socketio" };

static bool may_come(
    struct hub_conn *c, const struct http_request *r, struct arena *a)
{
    const struct matched m = { .route = &route };
    struct json *args = json_new(a, JSON_OBJECT);

    if (json_add(args, SLICE_LIT("space"),
            json_new_str(a, c->hub->opt.socketio.space)) == NULL) {
        hub_problem(c, 503, "ENOMEM", SLICE_NONE, "memory ran out");
        return false;
    }
    return hub_guard_access(c, r, &m, args, a);
}

bool hub_socketio(
    struct hub_conn *c, const struct http_request *r, bool is_whole)
{
    const struct hub_socketio_port *port = &c->hub->opt.socketio;
    struct arena a = { 0 };
    bool may;

    if (port->space.ptr == NULL ||
        !slice_has_prefix(r->path, SLICE_LIT(EIO_PATH)))
        return false;
    may = may_come(c, r, &a);
    arena_free(&a);
    if (!may)
        return true;
    if (c->socketio == 0 && !c->is_stopping)
        c->socketio = port->open(port->ctx, c);
    if (c->socketio == 0)
        hub_problem(
            c, 503, "ECLOSED", SLICE_LIT(HUB_LATER), "nobody is let in now");
    else
        port->request(port->ctx, c->socketio, r, &c->who.remote, is_whole);
    return true;
}

/* What it says counts as long as it may be said. */
void hub_socketio_take(struct hub_conn *c, bool text, struct slice message)
{
    const struct hub_socketio_port *port = &c->hub->opt.socketio;

    if (hub_guard_again(c, port->space) || PLANTED(R12_INSTANCE)) {
        port->take(port->ctx, c->socketio, text, message);
        return;
    }
    hub_socketio_gone(c);
    http_close_websocket(c->http, 1008, "the token is good no longer");
}

void hub_socketio_gone(struct hub_conn *c)
{
    const struct hub_socketio_port *port = &c->hub->opt.socketio;

    if (c->socketio != 0)
        port->close(port->ctx, c->socketio);
    c->socketio = 0;
    c->is_socketio = false;
}

void hub_conn_upgrade(struct hub_conn *c, size_t message_max)
{
    /* As those that they know end it. */
    const struct http_socket as = { .message_max = message_max,
        .large_code = 1000 };

    c->socket = c->is_socketio = true;
    http_upgrade(c->http, &as);
}
