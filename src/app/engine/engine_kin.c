/* Members that are met on another system's connections. */
#include "app/engine/engine_impl.h"

int engine_kin_tag(
    const struct engine *e, struct slice of, uint8_t out[NODE_KIN_LEN])
{
    return node_kin_tag(e->node, of, out);
}

bool engine_is_kin(const struct engine *e, struct slice of, struct slice tag)
{
    return node_is_kin(e->node, of, tag);
}

uint64_t engine_mesh_mark(const struct engine *e)
{
    struct node_key key;
    uint64_t id;

    node_key(e->node, &key);
    memcpy(&id, key.id, sizeof id);
    return (id ^ key.epoch) | 1;
}

uint64_t engine_watch_mark(const struct engine *e, struct slice space)
{
    return node_watch_mark(e->node, space);
}

int engine_put_beacon(struct engine *e, struct buf *out)
{
    return node_put_beacon(e->node, out);
}

void engine_hear(
    struct engine *e, const struct netaddr *from, struct slice beacon)
{
    struct event ev = { .type = EV_DATAGRAM, .bytes = beacon, .remote = *from };

    engine_step(e, &ev);
}
