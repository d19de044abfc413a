/* The connections of the network's guests, for who serves them and knows no
 * network. */
#include "app/engine/engine_impl.h"

void engine_guest_send(struct engine *e, uint64_t conn, struct slice bytes)
{
    net_send_bytes(e->net, conn, bytes);
}

size_t engine_guest_queued(const struct engine *e, uint64_t conn)
{
    return net_queued(e->net, conn);
}

void engine_guest_hold(struct engine *e, uint64_t conn, bool held)
{
    net_hold(e->net, conn, held);
}

void engine_guest_close(struct engine *e, uint64_t conn, const char *reason)
{
    net_close(e->net, conn, reason);
}

void engine_guest_drop(struct engine *e, uint64_t conn, const char *reason)
{
    net_drop(e->net, conn, reason);
}
