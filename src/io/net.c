#include "io/net.h"

#include "io/net_impl.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/plant.h"
#include "io/sockaddr.h"

static void set_defaults(struct net_options *opt)
{
    if (opt->handshake_ms == 0)
        opt->handshake_ms = 5000;
    if (opt->linger_ms == 0)
        opt->linger_ms = 2000;
    if (opt->half_open_max == 0)
        opt->half_open_max = 32;
    if (opt->half_open_per_ip == 0)
        opt->half_open_per_ip = 4;
    if (opt->waiting_max == 0)
        opt->waiting_max = 32;
    if (opt->waiting_per_ip == 0)
        opt->waiting_per_ip = 8;
    if (opt->silent_max == 0)
        opt->silent_max = 64;
    if (opt->silent_per_ip == 0)
        opt->silent_per_ip = 16;
    if (opt->half_open_bytes == 0)
        opt->half_open_bytes = (size_t)64 << 10;
    if (opt->calls_per_s == 0)
        opt->calls_per_s = 200;
    if (opt->calls_per_ip == 0)
        opt->calls_per_ip = 20;
    if (opt->queue_max == 0)
        opt->queue_max = (size_t)4 << 20;
}

static void block_sigpipe(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* Where id stands, or would. */
static uint32_t position(const struct net *n, uint64_t id)
{
    uint32_t lo = 0, hi = n->conns_n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (n->conns[mid]->id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct conn *find(const struct net *n, uint64_t id)
{
    uint32_t at = position(n, id);

    return at < n->conns_n && n->conns[at]->id == id ? n->conns[at] : NULL;
}

static int insert(struct net *n, struct conn *c)
{
    uint32_t at = position(n, c->id);

    if (n->conns_n == n->conns_cap) {
        uint32_t cap = n->conns_cap == 0 ? 16 : n->conns_cap * 2;
        struct conn **p = realloc(n->conns, cap * sizeof *p);

        if (p == NULL)
            return SYNCLINE_ENOMEM;
        n->conns = p;
        n->conns_cap = cap;
    }
    memmove(
        n->conns + at + 1, n->conns + at, (n->conns_n - at) * sizeof *n->conns);
    n->conns[at] = c;
    n->conns_n++;
    return SYNCLINE_OK;
}

/* By its certificate, whatever came of it. */
static const struct device_id *device_shown(const struct conn *c)
{
    static const struct device_id none;
    const struct device_id *d = c->tls != NULL ? tls_device(c->tls) : NULL;

    return d != NULL && !device_eq(d, &none) ? d : NULL;
}

/* Takes a connection out of the table, says so, and closes it. */
static void end(struct net *n, uint32_t at)
{
    const struct net_events *ev = &n->opt.events;
    struct conn *c = n->conns[at];
    char ip[NETADDR_TEXT];

    n->conns_n--;
    memmove(
        n->conns + at, n->conns + at + 1, (n->conns_n - at) * sizeof *n->conns);
    if (c->tls != NULL && tls_is_up(c->tls) && c->told)
        n->stats.sessions--;
    if (c->guest) {
        n->stats.guests--;
        netaddr_format(ip, &c->remote);
        log_line(
            &n->opt.log, LOG_LEVEL_DEBUG, "net", "guest %s: %s", ip, c->reason);
        c->host->on_down(c->host->ctx, c->id);
    } else if (!c->told) {
        n->stats.refused++;
        netaddr_format(ip, &c->remote);
        log_line(&n->opt.log, LOG_LEVEL_DEBUG, "net", "refused %s: %s", ip,
            c->reason);
        if (c->denied && ev->on_refused != NULL)
            ev->on_refused(ev->ctx, &c->remote, device_shown(c), c->reason);
    }
    if (c->told)
        ev->on_down(ev->ctx, c->id, c->reason, c->broke);
    conn_destroy(c);
}

/* Those that callbacks doom or add meanwhile have the next turn. */
static void end_doomed(struct net *n)
{
    uint32_t left = n->conns_n;

    for (uint32_t i = 0; left > 0 && i < n->conns_n; left--) {
        uint64_t id = n->conns[i]->id;

        if (n->conns[i]->state == CONN_DOOMED)
            end(n, i);
        else
            id++;
        i = position(n, id);
    }
}

/* The one that came first is first. */
static void end_waiting(struct net *n)
{
    for (uint32_t i = 0; i < n->conns_n; i++) {
        struct conn *c = n->conns[i];
        uint64_t id = c->id;

        if (c->state == CONN_WAITING && net_room(n, &c->remote) == ROOM_NOW)
            conn_go_on(c);
        i = position(n, id);
    }
}

/* A callback may add connections, so that places move: work goes by id. */
static void on_turn(uv_idle_t *turn)
{
    struct net *n = turn->data;

    uv_idle_stop(turn);
    end_waiting(n);
    for (uint32_t i = 0; i < n->conns_n; i++) {
        uint64_t id = n->conns[i]->id;

        n->conns[i]->rests = false;
        conn_set_reading(n->conns[i]);
        conn_pump(n->conns[i]);
        i = position(n, id);
    }
    for (uint32_t i = 0; i < n->conns_n; i++)
        conn_flush(n->conns[i]);
    end_doomed(n);
}

void net_want_turn(struct net *n)
{
    if (!n->dying)
        (void)uv_idle_start(&n->turn, on_turn);
}

static void on_tick(uv_timer_t *tick)
{
    struct net *n = tick->data;
    uint64_t now = uv_now(n->opt.loop);

    for (uint32_t i = 0; i < n->conns_n; i++) {
        struct conn *c = n->conns[i];

        if (c->wait_ms != 0 && c->wait_ms <= now) {
            c->wait_ms = 0;
            net_want_turn(n);
        }
        if (c->deadline_ms == 0 || c->deadline_ms > now)
            continue;
        c->deadline_ms = 0;
        if (PLANTED(R01_DEADLINE))
            continue;
        conn_doom(c, "no handshake within %llu ms",
            (unsigned long long)n->opt.handshake_ms);
    }
    net_arm(n);
}

void net_arm(struct net *n)
{
    uint64_t now = uv_now(n->opt.loop), first = UINT64_MAX;

    if (n->dying)
        return;
    for (uint32_t i = 0; i < n->conns_n; i++) {
        const struct conn *c = n->conns[i];

        if (c->deadline_ms != 0 && c->deadline_ms < first)
            first = c->deadline_ms;
        if (c->wait_ms != 0 && c->wait_ms < first)
            first = c->wait_ms;
    }
    if (first == UINT64_MAX)
        uv_timer_stop(&n->tick);
    else
        (void)uv_timer_start(
            &n->tick, on_tick, first > now ? first - now : 0, 0);
}

static void free_now(struct net *n)
{
    tls_free(n->tls);
    buf_free(&n->wire);
    free(n->conns);
    free(n);
}

void net_handle_closed(struct net *n)
{
    n->handles--;
    if (n->dying && n->handles == 0)
        free_now(n);
}

int net_new(struct net **out, const struct net_options *opt)
{
    struct net *n = calloc(1, sizeof *n);
    int rc;

    if (n == NULL)
        return SYNCLINE_ENOMEM;
    n->opt = *opt;
    set_defaults(&n->opt);
    rc = tls_new(&n->tls, opt->identity, opt->wall_us, opt->events.admit,
        opt->events.ctx);
    if (rc != SYNCLINE_OK) {
        free(n);
        return rc;
    }
    block_sigpipe();
    (void)uv_idle_init(opt->loop, &n->turn); /* neither can fail */
    (void)uv_timer_init(opt->loop, &n->tick);
    n->turn.data = n->tick.data = n;
    n->handles = 2;
    *out = n;
    return SYNCLINE_OK;
}

int net_set_web(
    struct net *n, struct slice cert, struct slice key, struct errmsg *why)
{
    return tls_set_web(n->tls, cert, key, why);
}

static void on_own_closed(uv_handle_t *handle)
{
    net_handle_closed(handle->data);
}

void net_free(struct net *n)
{
    if (n == NULL)
        return;
    n->dying = true;
    for (uint32_t i = 0; i < n->conns_n; i++)
        conn_destroy(n->conns[i]);
    for (uint32_t i = 0; i < n->listeners_n; i++)
        listener_close(&n->listeners[i]);
    uv_close((uv_handle_t *)&n->turn, on_own_closed);
    uv_close((uv_handle_t *)&n->tick, on_own_closed);
}

/* How many are in that state, in all and from that address. */
struct crowd {
    uint32_t all, same;
};

static struct crowd crowd_of(
    const struct net *n, enum conn_state state, const struct netaddr *remote)
{
    struct crowd k = { 0 };

    for (uint32_t i = 0; i < n->conns_n; i++) {
        const struct conn *c = n->conns[i];

        if (!c->inbound || c->state != state)
            continue;
        k.all++;
        k.same += netaddr_same_ip(&c->remote, remote);
    }
    return k;
}

enum net_room net_room(const struct net *n, const struct netaddr *remote)
{
    struct crowd k = crowd_of(n, CONN_HANDSHAKE, remote);

    if (PLANTED(R01_HALF_OPEN) ||
        (k.all < n->opt.half_open_max && k.same < n->opt.half_open_per_ip))
        return ROOM_NOW;
    k = crowd_of(n, CONN_WAITING, remote);
    return k.all < n->opt.waiting_max && k.same < n->opt.waiting_per_ip
        ? ROOM_LATER
        : ROOM_NONE;
}

/* Has it been given something that we have not come to read yet? */
static bool has_said(const struct conn *c)
{
    uv_os_fd_t fd;
    char b;

    return uv_fileno((const uv_handle_t *)&c->tcp, &fd) == 0 &&
        recv(fd, &b, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* For one more who has said nothing yet. Browsers open some such ahead, so that
 * it must not be them who keep others out, or the next of the same. */
static void make_room(struct net *n, const struct netaddr *remote)
{
    struct crowd k = crowd_of(n, CONN_FIRST, remote);
    bool of_same = k.same >= n->opt.silent_per_ip;

    if ((!of_same && k.all < n->opt.silent_max) || PLANTED(R01_SILENT))
        return;
    for (uint32_t i = 0; i < n->conns_n; i++) {
        struct conn *c = n->conns[i];

        if (c->inbound && c->state == CONN_FIRST &&
            (!of_same || netaddr_same_ip(&c->remote, remote)) && !has_said(c)) {
            conn_doom(c, "it says nothing, and others have come");
            return;
        }
    }
}

static uint64_t network_of(const struct netaddr *a)
{
    uint64_t net = 0;

    for (int i = 0; i < 8; i++)
        net = net << 8 | a->addr[i];
    return net ^ a->family;
}

/* Each handshake costs a signature: only so many a second are begun. */
bool net_is_hasty(struct net *n, const struct netaddr *remote)
{
    const struct pace_rule all = { n->opt.calls_per_s, 2 * n->opt.calls_per_s };
    const struct pace_rule one = { n->opt.calls_per_ip,
        2 * n->opt.calls_per_ip };
    uint64_t net = network_of(remote), now_us = uv_now(n->opt.loop) * 1000;
    struct caller *c = &n->callers[(net * UINT64_C(0x9e3779b97f4a7c15)) >> 56];

    if (PLANTED(R01_RATE))
        return false;
    if (c->net != net && pace_late_us(&c->calls, &one, now_us) == 0)
        *c = (struct caller){ .net = net };
    if (pace_may(&c->calls, &one, 1, now_us) &&
        pace_may(&n->calls, &all, 1, now_us))
        return false;
    n->stats.hasty++;
    return true;
}

static struct netaddr remote_of(const uv_tcp_t *tcp)
{
    struct sockaddr_storage sa = { 0 };
    int len = sizeof sa;

    (void)uv_tcp_getpeername(tcp, (struct sockaddr *)&sa, &len);
    return netaddr_of((struct sockaddr *)&sa);
}

static int on_come(void *ctx, int fd)
{
    struct net *n = ctx;
    struct conn *c;

    if (conn_new(&c, n) != SYNCLINE_OK)
        return SYNCLINE_ENOMEM;
    if (uv_tcp_open(&c->tcp, fd) != 0) {
        (void)close(fd);
        conn_destroy(c);
        return SYNCLINE_OK;
    }
    c->inbound = true;
    c->id = NET_INBOUND | ++n->last_inbound;
    c->remote = remote_of(&c->tcp);
    c->deadline_ms = uv_now(n->opt.loop) + n->opt.handshake_ms;
    make_room(n, &c->remote);
    if (insert(n, c) != SYNCLINE_OK) {
        n->stats.refused++;
        conn_destroy(c);
        return SYNCLINE_OK;
    }
    conn_begin(c);
    net_arm(n);
    return SYNCLINE_OK;
}

static void on_full(void *ctx, int error)
{
    const struct net *n = ctx;

    log_line(&n->opt.log, LOG_LEVEL_WARN, "net", "who calls has to wait: %s",
        strerror(error));
}

static void on_listener_closed(void *ctx)
{
    net_handle_closed(ctx);
}

static int explain_listen(
    int rc, const struct netaddr *addr, struct errmsg *why)
{
    char text[NETADDR_TEXT];

    netaddr_format(text, addr);
    if (rc == UV_EADDRINUSE)
        return errmsg_set(why, SYNCLINE_EBUSY,
            "listen on %s: the port is in use; stop the program that has it "
            "(ss -ltnp shows it) or choose another port",
            text);
    if (rc == UV_EACCES)
        return errmsg_set(why, SYNCLINE_EDENIED,
            "listen on %s: not allowed; ports below 1024 are root's", text);
    return errmsg_set(
        why, SYNCLINE_EIO, "listen on %s: %s", text, uv_strerror(rc));
}

int net_listen(struct net *n, const struct netaddr *addr, struct netaddr *bound,
    struct errmsg *why)
{
    const struct listener_events events = { n, on_come, on_full,
        on_listener_closed };
    int rc;

    if (n->listeners_n == LISTENERS_MAX)
        return errmsg_set(why, SYNCLINE_ELIMIT,
            "more than %d addresses to listen on", LISTENERS_MAX);
    rc = listener_open(
        &n->listeners[n->listeners_n], n->opt.loop, addr, &events, bound);
    if (rc != 0)
        return explain_listen(rc, addr, why);
    n->handles++;
    n->listeners_n++;
    return SYNCLINE_OK;
}

int net_dial(
    struct net *n, uint64_t conn, const struct netaddr *remote, bool pairing)
{
    struct conn *c;
    int rc;

    if ((conn & NET_INBOUND) != 0)
        return SYNCLINE_EINVAL;
    if (find(n, conn) != NULL)
        return SYNCLINE_EEXIST;
    rc = conn_new(&c, n);
    if (rc != SYNCLINE_OK)
        return rc;
    c->id = conn;
    c->remote = *remote;
    c->pairing = pairing;
    rc = insert(n, c);
    if (rc != SYNCLINE_OK) {
        conn_destroy(c);
        return rc;
    }
    c->deadline_ms = uv_now(n->opt.loop) + n->opt.handshake_ms;
    conn_dial(c);
    net_arm(n);
    return SYNCLINE_OK;
}

int net_send(struct net *n, uint64_t conn, struct slice frame)
{
    struct conn *c = find(n, conn);

    if (frame.len > NET_FRAME_MAX)
        return SYNCLINE_EINVAL;
    if (c == NULL || c->state != CONN_UP)
        return SYNCLINE_OK;
    if (c->out.len + c->writing > n->opt.queue_max && !PLANTED(R33_QUEUE)) {
        conn_doom(c, "reads too slowly: %zu bytes were waiting for it",
            c->out.len + c->writing);
        return SYNCLINE_OK;
    }
    put_u32(&c->out, (uint32_t)frame.len);
    buf_put_slice(&c->out, frame);
    if (buf_status(&c->out) != SYNCLINE_OK)
        conn_doom(c, "memory ran out");
    else
        net_want_turn(n);
    return SYNCLINE_OK;
}

void net_send_bytes(struct net *n, uint64_t conn, struct slice bytes)
{
    struct conn *c = find(n, conn);

    if (c == NULL || c->state != CONN_UP || !c->guest)
        return;
    buf_put_slice(&c->out, bytes);
    if (buf_status(&c->out) != SYNCLINE_OK)
        conn_doom(c, "it does not read, or memory ran out");
    else
        net_want_turn(n);
}

size_t net_queued(const struct net *n, uint64_t conn)
{
    const struct conn *c = find(n, conn);

    return c != NULL ? c->out.len + c->writing : 0;
}

void net_hold(struct net *n, uint64_t conn, bool held)
{
    struct conn *c = find(n, conn);

    if (c == NULL || c->held == held)
        return;
    c->held = held;
    conn_set_reading(c);
}

void net_flush(struct net *n)
{
    for (uint32_t i = 0; i < n->conns_n; i++)
        conn_flush(n->conns[i]);
}

void net_close(struct net *n, uint64_t conn, const char *reason)
{
    struct conn *c = find(n, conn);

    if (c == NULL || c->state == CONN_CLOSING || c->state == CONN_DOOMED)
        return;
    if (c->state != CONN_UP) {
        conn_doom(c, "%s", reason);
        return;
    }
    (void)snprintf(c->reason, sizeof c->reason, "%s", reason);
    c->state = CONN_CLOSING;
    c->deadline_ms = uv_now(n->opt.loop) + n->opt.linger_ms;
    net_arm(n);
    net_want_turn(n);
}

void net_drop(struct net *n, uint64_t conn, const char *reason)
{
    struct conn *c = find(n, conn);

    if (c != NULL)
        conn_doom(c, "%s", reason);
}

void net_recheck(struct net *n)
{
    const struct net_events *ev = &n->opt.events;

    for (uint32_t i = 0; i < n->conns_n; i++) {
        struct conn *c = n->conns[i];

        /* One that is closing still says why, and nothing else. */
        if (c->state == CONN_UP && !c->guest && !PLANTED(R14_STAYS) &&
            !ev->admit(ev->ctx, tls_device(c->tls), c->pairing))
            conn_doom(c, "the device is no longer admitted");
    }
}

void net_wait(struct net *n, uint64_t conn, uint64_t wait_us)
{
    struct conn *c = find(n, conn);

    if (c == NULL || c->state != CONN_UP)
        return;
    c->wait_ms = uv_now(n->opt.loop) + (wait_us + 999) / 1000;
    conn_set_reading(c);
    net_arm(n);
}

void net_pause(struct net *n, bool paused)
{
    if (n->paused == paused)
        return;
    n->paused = paused;
    net_want_turn(n);
}

const struct net_stats *net_stats(const struct net *n)
{
    return &n->stats;
}
