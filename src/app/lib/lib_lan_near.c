/* Who is near, for syncline_lan.h. */
#include "app/lib/lib_lan.h"

#include <stdio.h>
#include <stdlib.h>

#include "faces/lansync/discovery.h"
#include "io/udp.h"

#define US UINT64_C(1000000)

struct syncline_lan_discovery {
    struct lib_lan_end end; /* first; it has no connections */
    char *node_name, *interface;
    uint16_t port; /* 0: nobody is told of us */
    syncline_lan_near_fn *fn;
    void *ctx;
    struct udp *udp;
    struct lan_devices devices;
    uint64_t next_us; /* when we say it again */
};

/* ---- hearing ---- */

static void tell(struct syncline_lan_discovery *n, const struct lan_device *d)
{
    char ip[NETADDR_TEXT];
    const struct syncline_lan_device device = { .node_id = d->node_id,
        .node_name = d->node_name,
        .host = ip,
        .port = d->at.port,
        .is_online = d->is_online ? 1 : 0 };

    netaddr_format_ip(ip, &d->at);
    if (n->fn != NULL)
        n->fn(n->ctx, &device);
}

static void arm(struct syncline_lan_discovery *n)
{
    uint64_t next = lan_devices_deadline(&n->devices);

    if (n->port != 0 && (next == 0 || n->next_us < next))
        next = n->next_us;
    lib_lan_loop_arm(&n->end.loop, next);
}

static void on_datagram(
    void *ctx, const struct netaddr *from, struct slice bytes)
{
    struct syncline_lan_discovery *n = ctx;
    struct arena a = { 0 };
    struct lan_beacon beacon;
    const struct lan_device *d = NULL;
    enum lan_heard what = LAN_HEARD_AGAIN;

    if (lan_beacon_read(&beacon, bytes, &a) == SYNCLINE_OK &&
        !slice_is(beacon.node_id, lan_protocol_node(n->end.protocol)))
        d = lan_devices_hear(
            &n->devices, &beacon, from, clock_mono_us(), &what);
    arena_free(&a);
    if (d != NULL && what != LAN_HEARD_AGAIN)
        tell(n, d);
    arm(n);
}

static void on_warn(void *ctx, const char *text)
{
    const struct syncline_lan_discovery *n = ctx;

    log_line(&n->end.log, LOG_LEVEL_WARN, "lansync", "%s", text);
}

/* ---- saying ---- */

static void announce(struct syncline_lan_discovery *n, uint64_t now_us)
{
    const struct lan_beacon beacon = { .node_id = slice_str(
                                           lan_protocol_node(n->end.protocol)),
        .node_name = slice_str(n->node_name),
        .port = n->port };
    struct buf b = { 0 };

    n->next_us = now_us + n->end.config.discovery_interval_ms * US / 1000;
    lan_beacon_put(&b, &beacon, clock_wall_us());
    if (buf_status(&b) != SYNCLINE_OK ||
        udp_multicast(n->udp, buf_slice(&b)) != SYNCLINE_OK)
        log_line(&n->end.log, LOG_LEVEL_WARN, "lansync",
            "we cannot say that we are here");
    buf_free(&b);
}

static void on_tick(void *owner)
{
    struct syncline_lan_discovery *n = owner;
    const uint64_t now_us = clock_mono_us();
    const struct lan_device *d;

    if (n->port != 0 && n->next_us <= now_us)
        announce(n, now_us);
    while ((d = lan_devices_lost(&n->devices, now_us)) != NULL)
        tell(n, d);
    arm(n);
}

/* ---- beginning and end ---- */

static int begin(void *owner)
{
    struct syncline_lan_discovery *n = owner;
    const struct udp_options opt = { .loop = &n->end.loop.uv,
        .port = LAN_DISCOVERY_PORT,
        .interface = n->interface,
        .group4 = LAN_GROUP,
        .group6 = LAN_GROUP6,
        .advice = "call others by their addresses",
        .ctx = n,
        .on_datagram = on_datagram,
        .on_warn = on_warn };
    struct errmsg why = { "memory ran out" };
    int rc = udp_new(&n->udp, &opt, &why);

    if (rc != SYNCLINE_OK)
        return lib_fail(rc, "%s", why.text);
    memset(&n->devices, 0, sizeof n->devices);
    n->devices.timeout_us = n->end.config.device_timeout_ms * US / 1000;
    n->next_us = clock_mono_us();
    arm(n);
    return SYNCLINE_OK;
}

static void on_stop(void *owner)
{
    struct syncline_lan_discovery *n = owner;

    udp_free(n->udp);
    n->udp = NULL;
    lib_lan_loop_ended(&n->end.loop);
}

static void discovery_free(struct syncline_lan_discovery *n)
{
    lib_lan_end_close(&n->end);
    free(n->node_name);
    free(n->interface);
    free(n);
}

static int keep(struct syncline_lan_discovery *n,
    const struct syncline_lan_config *config,
    const struct syncline_lan_handler *h, int port)
{
    int rc = lib_lan_end_init(&n->end, config, h);

    if (rc != SYNCLINE_OK)
        return rc;
    if (port < 0 || port > UINT16_MAX)
        return lib_fail(SYNCLINE_EINVAL, "port: from 0 to 65535");
    if (n->end.config.discovery_interval_ms == 0 ||
        n->end.config.device_timeout_ms == 0)
        return lib_fail(
            SYNCLINE_EINVAL, "discovery_interval_ms, device_timeout_ms: not 0");
    n->port = (uint16_t)port;
    n->node_name = strdup(h->node_name);
    if (n->end.config.interface != NULL)
        n->interface = strdup(n->end.config.interface);
    if (n->node_name == NULL ||
        (n->end.config.interface != NULL && n->interface == NULL))
        return lib_fail(SYNCLINE_ENOMEM, "memory ran out");
    n->end.config.interface = NULL;
    return SYNCLINE_OK;
}

int syncline_lan_discovery_new(struct syncline_lan_discovery **out,
    const struct syncline_lan_config *config,
    const struct syncline_lan_handler *h, int port, syncline_lan_near_fn *fn,
    void *ctx)
{
    struct syncline_lan_discovery *n = calloc(1, sizeof *n);
    int rc;

    if (n == NULL)
        return lib_fail(SYNCLINE_ENOMEM, "memory ran out");
    rc = keep(n, config, h, port);
    if (rc != SYNCLINE_OK) {
        discovery_free(n);
        return rc;
    }
    n->fn = fn;
    n->ctx = ctx;
    n->end.loop.on_tick = on_tick;
    n->end.loop.on_stop = on_stop;
    *out = n;
    return SYNCLINE_OK;
}

int syncline_lan_discovery_start(struct syncline_lan_discovery *n)
{
    if (lib_lan_loop_inside(&n->end.loop))
        return lib_fail(SYNCLINE_EBUSY, "not from a callback");
    return lib_lan_loop_start(&n->end.loop, begin);
}

int syncline_lan_discovery_stop(struct syncline_lan_discovery *n)
{
    return lib_lan_loop_stop(&n->end.loop);
}

int syncline_lan_discovery_free(struct syncline_lan_discovery *n)
{
    int rc;

    if (n == NULL)
        return SYNCLINE_OK;
    rc = lib_lan_loop_stop(&n->end.loop);
    if (rc == SYNCLINE_OK)
        discovery_free(n);
    return rc;
}

/* ---- who is there ---- */

struct listing {
    const struct syncline_lan_discovery *discovery;
    struct buf text;
};

static void put_device(struct buf *b, const struct lan_device *d)
{
    char ip[NETADDR_TEXT];

    netaddr_format_ip(ip, &d->at);
    buf_put_str(b, "{\"node_id\":");
    json_print_said(b, slice_str(d->node_id));
    buf_put_str(b, ",\"node_name\":");
    json_print_said(b, slice_str(d->node_name));
    buf_printf(b,
        ",\"host\":\"%s\",\"port\":%u,\"online\":%s,\"seconds\":%llu}", ip,
        d->at.port, d->is_online ? "true" : "false",
        (unsigned long long)((clock_mono_us() - d->heard_us) / US));
}

static int on_devices(void *arg)
{
    struct listing *q = arg;
    const char *between = "";

    buf_put_u8(&q->text, '[');
    for (size_t i = 0; i < DEVICES_MAX; i++) {
        if (q->discovery->devices.e[i].heard_us == 0)
            continue;
        buf_put_str(&q->text, between);
        put_device(&q->text, &q->discovery->devices.e[i]);
        between = ",";
    }
    buf_put_u8(&q->text, ']');
    return SYNCLINE_OK;
}

int syncline_lan_discovery_devices(
    struct syncline_lan_discovery *n, char **devices)
{
    struct listing q = { .discovery = n };
    int rc = lib_lan_loop_call(&n->end.loop, on_devices, &q);

    return rc == SYNCLINE_OK ? lib_lan_text(devices, &q.text) : rc;
}
