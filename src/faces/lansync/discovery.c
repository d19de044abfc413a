#include "faces/lansync/discovery.h"

#include "base/text.h"

#define US 1000000
#define PORT_UNSAID (LAN_DISCOVERY_PORT + 1)

int lan_beacon_read(struct lan_beacon *out, struct slice text, struct arena *a)
{
    struct json *v = NULL, *list;
    int64_t port;
    int rc = json_parse(&v, text, JSON_TOLERANT, a, NULL);

    if (rc != SYNCLINE_OK)
        return rc;
    port = json_get_int(v, "port", PORT_UNSAID);
    list = json_get(v, "capabilities");
    if (!slice_is(json_get_str(v, "type"), "discovery") ||
        json_get_str(v, "node_id").len == 0 || port < 1 || port > UINT16_MAX)
        return SYNCLINE_EMALFORMED;
    *out = (struct lan_beacon){ .node_id = json_get_str(v, "node_id"),
        .node_name = json_get_str(v, "node_name"),
        .port = (uint16_t)port,
        .capabilities =
            list != NULL && list->type == JSON_ARRAY ? list : NULL };
    if (out->node_name.len == 0)
        out->node_name = SLICE_LIT("Unknown");
    return SYNCLINE_OK;
}

void lan_beacon_put(
    struct buf *b, const struct lan_beacon *beacon, uint64_t now_us)
{
    buf_put_str(b, "{\"type\": \"discovery\", \"node_id\": ");
    json_print_string(b, beacon->node_id, true);
    buf_put_str(b, ", \"node_name\": ");
    json_print_string(b, beacon->node_name, true);
    buf_put_str(b, ", \"timestamp\": ");
    json_print_double(b, (double)now_us / US);
    buf_printf(b, ", \"port\": %u, \"capabilities\": ", beacon->port);
    if (beacon->capabilities != NULL)
        json_print(b, beacon->capabilities, JSON_PLAIN);
    else
        buf_put_str(b, "[\"sync\"]");
    buf_put_u8(b, '}');
}

/* ---- who was heard ---- */

static void keep(char out[LAN_NAME_MAX], struct slice s)
{
    s = text_is_plain(s) ? utf8_cut(s, LAN_NAME_MAX - 1) : SLICE_NONE;
    if (s.len > 0)
        memcpy(out, s.ptr, s.len);
    out[s.len] = 0;
}

static struct lan_device *place_of(struct lan_devices *d, struct slice id)
{
    struct lan_device *oldest = &d->e[0];

    for (size_t i = 0; i < DEVICES_MAX; i++) {
        if (d->e[i].heard_us != 0 && slice_is(id, d->e[i].node_id))
            return &d->e[i];
        if (d->e[i].heard_us < oldest->heard_us)
            oldest = &d->e[i];
    }
    *oldest = (struct lan_device){ .heard_us = 0 };
    return oldest;
}

struct lan_device *lan_devices_hear(struct lan_devices *d,
    const struct lan_beacon *b, const struct netaddr *from, uint64_t now_us,
    enum lan_heard *what)
{
    struct lan_device *at;

    if (b->node_id.len >= LAN_NAME_MAX || !text_is_plain(b->node_id))
        return NULL;
    at = place_of(d, b->node_id);
    *what = at->heard_us == 0 ? LAN_HEARD_NEW
        : at->is_online       ? LAN_HEARD_AGAIN
                              : LAN_HEARD_BACK;
    keep(at->node_id, b->node_id);
    keep(at->node_name, b->node_name);
    if (from->family == 4)
        at->four_us = now_us;
    if (from->family == 4 || at->four_us == 0 ||
        now_us - at->four_us >= d->timeout_us)
        at->at = *from;
    at->at.port = b->port;
    at->heard_us = now_us;
    at->is_online = true;
    return at;
}

struct lan_device *lan_devices_lost(struct lan_devices *d, uint64_t now_us)
{
    for (size_t i = 0; i < DEVICES_MAX; i++)
        if (d->e[i].is_online && now_us - d->e[i].heard_us >= d->timeout_us) {
            d->e[i].is_online = false;
            return &d->e[i];
        }
    return NULL;
}

uint64_t lan_devices_deadline(const struct lan_devices *d)
{
    uint64_t next = 0;

    for (size_t i = 0; i < DEVICES_MAX; i++) {
        uint64_t at = d->e[i].heard_us + d->timeout_us;

        if (d->e[i].is_online && (next == 0 || at < next))
            next = at;
    }
    return next;
}
