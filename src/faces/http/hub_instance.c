/* Config-sync instances on the node's own port: let in by a token as whoever
 * else comes there, then messages both ways, which are the other face's. */
#include "faces/http/hub_impl.h"

#include "base/plant.h"

#define UNREAD_MAX ((size_t)8 << 20) /* of one that does not read */

void hub_instance_open(struct hub_conn *c, const struct http_request *r)
{
    const struct hub_instances *port = &c->hub->opt.instances;
    struct http_socket as = {
        .protocol = http_list_has(r, "sec-websocket-protocol", "config-sync")
            ? "config-sync"
            : NULL,
        .message_max = port->message_max,
    };

    if (port->compresses)
        as.deflate = http_deflate(r);
    http_upgrade(c->http, &as);
    if (!c->is_stopping)
        c->instance = port->open(port->ctx, c, &c->who.remote,
            slice_has_prefix(
                http_field(r, "user-agent"), SLICE_LIT("Syncline/")));
    if (c->instance == 0)
        http_close_websocket(c->http, 1013, "it cannot be let in now");
}

/* What it says counts as long as it may be said. */
void hub_instance_take(struct hub_conn *c, bool text, struct slice message)
{
    const struct hub_instances *port = &c->hub->opt.instances;

    if (hub_guard_again(c, port->space) || PLANTED(R12_INSTANCE)) {
        port->take(port->ctx, c->instance, text, message);
        return;
    }
    hub_instance_end(c);
    http_close_websocket(c->http, 1008, "the token is good no longer");
}

void hub_instance_end(struct hub_conn *c)
{
    const struct hub_instances *port = &c->hub->opt.instances;

    if (c->instance != 0)
        port->close(port->ctx, c->instance);
    c->instance = 0;
}

void hub_conn_tell(struct hub_conn *c, struct slice text)
{
    if (http_conn_out(c->http)->len > UNREAD_MAX)
        http_close_websocket(c->http, 1008, "it does not read");
    else
        http_send_message(c->http, true, text);
    hub_pace_after_send(c);
}
