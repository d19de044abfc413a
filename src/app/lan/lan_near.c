/* LAN-sync nodes that are near: we say where we are, and call whom we hear. */
#include "app/lan/lan_face_impl.h"

#include <stdio.h>
#include <stdlib.h>

#include "faces/lansync/discovery.h"
#include "io/udp.h"

#define US UINT64_C(1000000)

struct lan_near {
    struct lan_face *face;
    struct udp *udp;
    struct lan_devices devices;
    uint64_t next_us; /* when we say it again */
};

static void on_datagram(
    void *ctx, const struct netaddr *from, struct slice bytes)
{
    struct lan_near *n = ctx;
    struct lan_face *f = n->face;
    struct arena a = { 0 };
    struct lan_beacon beacon;
    struct lan_device *d = NULL;
    enum lan_heard what;

    if (!f->is_stopping && lan_beacon_read(&beacon, bytes, &a) == SYNCLINE_OK &&
        !slice_is(beacon.node_id, f->node_id))
        d = lan_devices_hear(
            &n->devices, &beacon, from, clock_mono_us(), &what);
    if (d != NULL) {
        if (what != LAN_HEARD_AGAIN)
            log_line(&f->log, lan_near_level(f, LOG_LEVEL_INFO), "lansync",
                "%s (%s) is near%s", d->node_id, d->node_name,
                what == LAN_HEARD_BACK ? " again" : "");
        lan_peer_found(f, d->node_id, &d->at);
        lan_arm(f);
    }
    arena_free(&a);
}

static void on_warn(void *ctx, const char *text)
{
    struct lan_near *n = ctx;

    log_line(&n->face->log, LOG_LEVEL_WARN, "lansync", "%s", text);
}

int lan_near_open(struct lan_face *f, struct errmsg *why)
{
    struct lan_near *n;
    struct udp_options opt = { .loop = f->opt.loop,
        .port = LAN_DISCOVERY_PORT,
        .interface = f->opt.interface,
        .group4 = LAN_GROUP,
        .group6 = LAN_GROUP6,
        .advice = "name others by lansync.peers",
        .on_datagram = on_datagram,
        .on_warn = on_warn };
    int rc;

    if (!f->opt.discovery)
        return SYNCLINE_OK;
    n = calloc(1, sizeof *n);
    if (n == NULL)
        return SYNCLINE_ENOMEM;
    n->face = f;
    n->devices.timeout_us = f->opt.device_us;
    opt.ctx = n;
    rc = udp_new(&n->udp, &opt, why);
    if (rc != SYNCLINE_OK) {
        free(n);
        return rc;
    }
    f->near = n;
    return SYNCLINE_OK;
}

static void announce(struct lan_near *n, uint64_t now_us)
{
    const struct lan_face *f = n->face;
    const struct lan_beacon beacon = { .node_id = slice_str(f->node_id),
        .node_name = slice_str(f->node_name),
        .port = f->opt.listen_n > 0 ? f->listen[0].port : LAN_DISCOVERY_PORT };
    struct buf b = { 0 };

    n->next_us = now_us + f->opt.discovery_us;
    if (f->opt.listen_n > 0) {
        lan_beacon_put(&b, &beacon, clock_wall_us());
        if (buf_status(&b) != SYNCLINE_OK ||
            udp_multicast(n->udp, buf_slice(&b)) != SYNCLINE_OK)
            log_line(&f->log, LOG_LEVEL_WARN, "lansync",
                "we cannot say that we are here: our name is too long");
    }
    buf_free(&b);
}

uint64_t lan_near_tick(struct lan_face *f, uint64_t now_us)
{
    struct lan_near *n = f->near;
    struct lan_device *d;
    uint64_t next;

    if (n == NULL)
        return 0;
    if (n->next_us <= now_us)
        announce(n, now_us);
    while ((d = lan_devices_lost(&n->devices, now_us)) != NULL) {
        log_line(&f->log, lan_near_level(f, LOG_LEVEL_INFO), "lansync",
            "%s (%s) is offline", d->node_id, d->node_name);
        lan_peer_lost(f, d->node_id);
    }
    next = lan_devices_deadline(&n->devices);
    return next != 0 && next < n->next_us ? next : n->next_us;
}

void lan_near_close(struct lan_face *f)
{
    if (f->near == NULL)
        return;
    udp_free(f->near->udp);
    free(f->near);
    f->near = NULL;
}

void lan_near_put(const struct lan_face *f, struct buf *b)
{
    const char *between = "";
    char at[NETADDR_TEXT];

    for (size_t i = 0; f->near != NULL && i < DEVICES_MAX; i++) {
        const struct lan_device *d = &f->near->devices.e[i];

        if (d->heard_us == 0)
            continue;
        buf_printf(b, "%s{\"node_id\":", between);
        between = ",";
        json_print_said(b, slice_str(d->node_id));
        buf_put_str(b, ",\"node_name\":");
        json_print_said(b, slice_str(d->node_name));
        netaddr_format(at, &d->at);
        buf_printf(b, ",\"address\":\"%s\",\"online\":%s,\"heard_s\":%llu}", at,
            d->is_online ? "true" : "false",
            (unsigned long long)((clock_mono_us() - d->heard_us) / US));
    }
}
