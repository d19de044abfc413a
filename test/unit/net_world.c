#include "unit/net_world.h"

#include <stdio.h>

#include "io/clock.h"

static bool on_admit(void *ctx, const struct device_id *device, bool pairing)
{
    struct side *s = ctx;

    (void)device;
    s->asked++;
    return pairing ? s->admits_pairing : s->admits;
}

static void on_up(void *ctx, uint64_t conn, const struct net_peer *peer)
{
    struct side *s = ctx;

    s->ups++;
    s->conn = conn;
    s->device = peer->device;
    CHECK_OK(device_id_of(&s->spki_device, peer->spki));
    s->remote = peer->remote;
    memcpy(s->exporter, peer->exporter, sizeof s->exporter);
    s->inbound = peer->inbound;
    s->pairing = peer->pairing;
}

static void on_frame(void *ctx, uint64_t conn, struct slice frame)
{
    struct side *s = ctx;

    s->frames++;
    s->bytes += frame.len;
    buf_clear(&s->last);
    buf_put_slice(&s->last, frame);
    if (s->echo)
        CHECK_OK(net_send(s->net, conn, frame));
    if (s->pause_at_one)
        net_pause(s->net, true);
}

static void on_down(void *ctx, uint64_t conn, const char *reason, bool broke)
{
    struct side *s = ctx;

    s->broke = broke;
    s->downs++;
    s->down_conn = conn;
    snprintf(s->reason, sizeof s->reason, "%s", reason);
}

static void on_plain(
    void *ctx, const struct netaddr *remote, struct slice first)
{
    struct side *s = ctx;

    s->plains++;
    s->remote = *remote;
    s->first = first.ptr[0];
}

static void side_init(struct world *w, struct side *s, uint8_t no,
    const char *listen, const struct net_options *limits)
{
    struct net_options opt = { 0 };
    uint8_t seed[IDENTITY_SEED_LEN] = { no };
    struct netaddr any;
    struct errmsg why;

    if (limits != NULL)
        opt = *limits;
    memset(s, 0, sizeof *s);
    s->admits = s->admits_pairing = true;
    CHECK_OK(identity_from_seed(&s->identity, seed));
    opt.loop = &w->loop;
    opt.identity = s->identity;
    opt.events = (struct net_events){ s, on_admit, on_up, on_frame, on_down,
        on_plain, NULL };
    opt.wall_us = clock_wall_us();
    CHECK_OK(net_new(&s->net, &opt));
    CHECK_OK(netaddr_parse(&any, slice_str(listen), 0, NULL));
    CHECK_OK(net_listen(s->net, &any, &s->at, &why));
}

void world_init(
    struct world *w, const char *listen, const struct net_options *opt)
{
    CHECK_INT(uv_loop_init(&w->loop), 0);
    CHECK_INT(uv_timer_init(&w->loop, &w->limit), 0);
    side_init(w, &w->a, 1, listen, opt);
    side_init(w, &w->b, 2, listen, opt);
}

static void side_close(struct side *s)
{
    net_free(s->net);
    buf_free(&s->last);
}

void world_close(struct world *w)
{
    side_close(&w->a);
    side_close(&w->b);
    uv_close((uv_handle_t *)&w->limit, NULL);
    CHECK_INT(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
    CHECK_INT(uv_loop_close(&w->loop), 0);
    identity_free(w->a.identity);
    identity_free(w->b.identity);
}

static void on_limit(uv_timer_t *timer)
{
    struct world *w = timer->data;

    w->late = true;
}

void world_limit(struct world *w)
{
    w->late = false;
    w->limit.data = w;
    CHECK_INT(uv_timer_start(&w->limit, on_limit, 10000, 0), 0);
}

void world_run_ms(struct world *w, uint64_t ms)
{
    w->late = false;
    w->limit.data = w;
    CHECK_INT(uv_timer_start(&w->limit, on_limit, ms, 0), 0);
    while (!w->late)
        uv_run(&w->loop, UV_RUN_ONCE);
}

void world_connect(struct world *w)
{
    CHECK_OK(net_dial(w->a.net, 7, &w->b.at, false));
    AWAIT(w, w->a.ups == 1 && w->b.ups == 1);
}
