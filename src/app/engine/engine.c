#include "app/engine/engine.h"

#include "app/answer.h"
#include "app/engine/engine_impl.h"
#include "app/identity_file.h"
#include "app/stop_mark.h"
#include "base/text.h"
#include "io/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FLUSHES_A_TURN 16
#define ANSWERS_HIGH ((size_t)1 << 20)
#define GROUP_MAX 512 /* writes of a turn that share a commit */

/* ---- calls and answers ---- */

struct call *engine_call(const struct engine *e, uint64_t id)
{
    struct call *c =
        e->calls_cap == 0 ? NULL : e->calls[id & (e->calls_cap - 1)];

    while (c != NULL && c->id != id)
        c = c->next;
    return c;
}

static int calls_grow(struct engine *e)
{
    size_t cap = e->calls_cap == 0 ? 256 : e->calls_cap * 2;
    struct call **more = calloc(cap, sizeof *more);

    if (more == NULL)
        return SYNCLINE_ENOMEM;
    for (size_t i = 0; i < e->calls_cap; i++)
        while (e->calls[i] != NULL) {
            struct call *c = e->calls[i];

            e->calls[i] = c->next;
            c->next = more[c->id & (cap - 1)];
            more[c->id & (cap - 1)] = c;
        }
    free(e->calls);
    e->calls = more;
    e->calls_cap = cap;
    return SYNCLINE_OK;
}

struct call *engine_call_new(struct engine *e, engine_reply_fn *fn, void *ctx)
{
    struct call *c = calloc(1, sizeof *c);
    struct call **at;

    if (c == NULL ||
        (e->next_call % 256 == 0 && e->calls_cap < 65536 &&
            calls_grow(e) != SYNCLINE_OK)) {
        free(c);
        return NULL;
    }
    c->id = ++e->next_call;
    c->fn = fn;
    c->ctx = ctx;
    at = &e->calls[c->id & (e->calls_cap - 1)];
    c->next = *at;
    *at = c;
    return c;
}

static void call_end(struct engine *e, uint64_t id)
{
    struct call **at = &e->calls[id & (e->calls_cap - 1)];

    while (*at != NULL && (*at)->id != id)
        at = &(*at)->next;
    if (*at != NULL) {
        struct call *c = *at;

        *at = c->next;
        free(c);
    }
}

/* Answers are given at the turn's end: who gets one may ask again at once,
 * and a step must not begin within a step. */
void engine_answer(
    struct engine *e, uint64_t request, struct slice bytes, bool more)
{
    struct answer *a = malloc(sizeof *a + bytes.len);

    if (a == NULL) {
        engine_fail(e, "memory ran out while an answer was kept");
        return;
    }
    *a = (struct answer){ .request = request, .more = more };
    a->len = bytes.len;
    memcpy(a->bytes, bytes.ptr, bytes.len);
    if (e->answers == NULL)
        e->answers_end = &e->answers;
    *e->answers_end = a;
    e->answers_end = &a->next;
    e->answers_bytes += bytes.len;
}

static void give_answer(struct engine *e, const struct answer *a)
{
    struct call *c = engine_call(e, a->request);
    struct slice json = SLICE(a->bytes, a->len);
    struct buf b = { 0 };
    engine_reply_fn *fn;
    void *ctx;

    if (c == NULL)
        return; /* cancelled */
    fn = c->fn;
    ctx = c->ctx;
    if (c->view != NULL)
        json = c->view(e, c, json, &b);
    if (!a->more)
        engine_errors_refused(e, c, json);
    if (!a->more)
        call_end(e, a->request);
    fn(ctx, json, a->more);
    buf_free(&b);
}

static void give_answers(struct engine *e)
{
    while (e->answers != NULL) {
        struct answer *a = e->answers;

        e->answers = a->next;
        e->answers_bytes -= a->len;
        give_answer(e, a);
        free(a);
    }
}

size_t engine_answers_bytes(const struct engine *e)
{
    return e->answers_bytes;
}

void engine_give(struct engine *e)
{
    give_answers(e);
}

/* ---- effects ---- */

static void send_datagram(struct engine *e, const struct effect *fx)
{
    if (e->udp == NULL)
        return;
    if (fx->remote.port != 0)
        (void)!udp_send(e->udp, &fx->remote, fx->bytes);
    else
        (void)!udp_multicast(e->udp, fx->bytes);
}

static void dial(struct engine *e, const struct effect *fx)
{
    struct event down = { .type = EV_CONN_DOWN, .conn = fx->conn };

    if (net_dial(e->net, fx->conn, &fx->remote, fx->pairing) != SYNCLINE_OK)
        engine_step(e, &down);
}

static void carry_out(struct engine *e, const struct effect *fx)
{
    char why[200];

    switch (fx->type) {
    case FX_COMMIT:
        e->measured.commits++;
        break; /* the turn's end syncs it */
    case FX_SEND:
        (void)!net_send(e->net, fx->conn, fx->bytes);
        break;
    case FX_CLOSE:
        (void)snprintf(why, sizeof why, "%.*s", SLICE_FMT(fx->bytes));
        net_close(e->net, fx->conn, why);
        break;
    case FX_DIAL:
        dial(e, fx);
        break;
    case FX_DATAGRAM:
        send_datagram(e, fx);
        break;
    case FX_REPLY:
        engine_answer(e, fx->request, fx->bytes, fx->more);
        break;
    case FX_RESOLVE:
        engine_resolve(e, fx);
        break;
    case FX_MEMBERS:
        net_recheck(e->net);
        break;
    case FX_PACE:
        net_wait(e->net, fx->conn, fx->wait_us);
        break;
    case FX_AUDIT:
        engine_on_audit(e, fx);
        break;
    }
}

void engine_step(struct engine *e, struct event *ev)
{
    const struct effect *fx;
    size_t fx_n;

    if (e->failed)
        return;
    ev->now_us = clock_mono_us();
    ev->wall_us = clock_wall_us();
    if (node_step(e->node, ev, &fx, &fx_n) != SYNCLINE_OK) {
        engine_fail(e, "memory ran out amid a step");
        return;
    }
    for (size_t i = 0; i < fx_n; i++)
        carry_out(e, &fx[i]);
}

/* ---- the network's events ---- */

static bool on_admit(void *ctx, const struct device_id *device, bool pairing)
{
    struct engine *e = ctx;

    return e->node != NULL && node_admits(e->node, device, pairing);
}

static void on_up(void *ctx, uint64_t conn, const struct net_peer *peer)
{
    struct event ev = { .type = EV_CONN_UP,
        .conn = conn,
        .device = peer->device,
        .spki = peer->spki,
        .remote = peer->remote,
        .exporter = peer->exporter,
        .inbound = peer->inbound,
        .pairing = peer->pairing };

    engine_step(ctx, &ev);
}

static void on_frame(void *ctx, uint64_t conn, struct slice frame)
{
    struct event ev = { .type = EV_FRAME, .conn = conn, .bytes = frame };

    engine_step(ctx, &ev);
}

static void on_down(void *ctx, uint64_t conn, const char *reason, bool broke)
{
    struct engine *e = ctx;
    struct event ev = { .type = EV_CONN_DOWN, .conn = conn, .broke = broke };

    log_line(&e->opt.log, LOG_LEVEL_DEBUG, "net", "connection %llu ended: %s",
        (unsigned long long)conn, reason);
    engine_step(e, &ev);
}

static void on_plain(
    void *ctx, const struct netaddr *remote, struct slice first)
{
    struct engine *e = ctx;
    char addr[NETADDR_TEXT];

    netaddr_format(addr, remote);
    log_line(&e->opt.log, LOG_LEVEL_INFO, "net",
        "%s speaks %s without TLS: closed", addr,
        first.len > 0 && first.ptr[0] < 2 ? "length-prefixed JSON" : "HTTP");
}

static void on_datagram(
    void *ctx, const struct netaddr *from, struct slice bytes)
{
    struct event ev = { .type = EV_DATAGRAM, .bytes = bytes, .remote = *from };

    if (from->family == 4)
        ev.remote.scope = 0; /* known by its address alone */
    engine_step(ctx, &ev);
}

static void on_warn(void *ctx, const char *text)
{
    struct engine *e = ctx;

    log_line(&e->opt.log, LOG_LEVEL_WARN, "discovery", "%s", text);
}

/* ---- the loop ---- */

static void arm_timer(struct engine *e);

static void on_timer(uv_timer_t *t)
{
    struct event ev = { .type = EV_TIMER };

    engine_step(t->data, &ev);
}

static void on_idle(uv_idle_t *idle)
{
    (void)uv_idle_stop(idle);
}

/* Before the loop waits: whatever this turn gathered goes out. */
static void on_turn(uv_prepare_t *p)
{
    struct engine *e = p->data;

    if (e->failed)
        return;
    engine_errors_turn(e);
    engine_series_turn(e);
    engine_sync_turn(e);
    engine_files_turn(e);
    give_answers(e);
    for (int i = 0; i < FLUSHES_A_TURN && node_wants_flush(e->node); i++) {
        struct event ev = { .type = EV_FLUSH };

        engine_step(e, &ev);
        if (e->answers_bytes > ANSWERS_HIGH)
            give_answers(e); /* whoever has enough says so */
    }
    net_flush(e->net);
    give_answers(e);
    if (e->opt.on_turn != NULL)
        e->opt.on_turn(e->opt.turn_ctx);
    engine_audit_turn(e);
    engine_store_turn(e); /* last: waking the helper costs the rest time */
    if (!e->failed && (e->answers != NULL || node_wants_flush(e->node)))
        (void)uv_idle_start(&e->again, on_idle); /* do not wait */
    arm_timer(e);
}

static void arm_timer(struct engine *e)
{
    uint64_t due = node_deadline_us(e->node), now = clock_mono_us();
    uint64_t log_due = audit_log_deadline(e->audit);
    uint64_t errors_due = engine_errors_deadline(e);
    uint64_t series_due = engine_series_deadline(e);
    uint64_t sync_due = engine_sync_deadline(e);
    uint64_t files_due = engine_files_deadline(e);
    uint64_t ms;

    due = log_due < due ? log_due : due;
    due = errors_due < due ? errors_due : due;
    due = series_due < due ? series_due : due;
    due = sync_due < due ? sync_due : due;
    due = files_due < due ? files_due : due;
    ms = due <= now ? 0 : (due - now + 999) / 1000;

    if (ms > 60000)
        ms = 60000;
    /* A checkpoint may fall due by age while nothing else happens. */
    if (e->opt.checkpoint_ms > 0 && ms > e->opt.checkpoint_ms)
        ms = e->opt.checkpoint_ms;
    uv_update_time(e->opt.loop);
    (void)uv_timer_start(&e->timer, on_timer, ms, 0);
}

/* ---- opening ---- */

static int open_handles(struct engine *e)
{
    if (uv_prepare_init(e->opt.loop, &e->turn) != 0 ||
        uv_idle_init(e->opt.loop, &e->again) != 0 ||
        uv_timer_init(e->opt.loop, &e->timer) != 0)
        return SYNCLINE_ENOMEM;
    e->turn.data = e->again.data = e->timer.data = e;
    e->handles_open = true;
    return uv_prepare_start(&e->turn, on_turn) == 0 ? SYNCLINE_OK
                                                    : SYNCLINE_EIO;
}

static int open_net(struct engine *e, struct errmsg *why)
{
    struct net_options opt = { .loop = e->opt.loop,
        .identity = e->identity,
        .events = { e, on_admit, on_up, on_frame, on_down, on_plain,
            engine_on_refused },
        .guests = e->opt.guests,
        .nodes = e->opt.nodes,
        .log = e->opt.log,
        .wall_us = clock_wall_us() };
    int rc = net_new(&e->net, &opt);

    for (size_t i = 0; i < e->opt.listen_n && rc == SYNCLINE_OK; i++) {
        if (e->listening_n == ENGINE_LISTEN_MAX)
            return errmsg_set(why, SYNCLINE_ELIMIT,
                "listen: more than %d addresses", ENGINE_LISTEN_MAX);
        rc = net_listen(
            e->net, &e->opt.listen[i], &e->listening[e->listening_n], why);
        if (rc == SYNCLINE_OK)
            e->listening_n++;
    }
    return rc;
}

static int open_udp(struct engine *e)
{
    struct udp_options opt = { .loop = e->opt.loop,
        .interface = e->opt.interface,
        .ctx = e,
        .on_datagram = on_datagram,
        .on_warn = on_warn };
    struct errmsg why = { "" };
    int rc;

    if (!e->opt.discovery)
        return SYNCLINE_OK;
    rc = udp_new(&e->udp, &opt, &why);
    if (rc == SYNCLINE_ENOMEM)
        return rc;
    if (rc != SYNCLINE_OK) /* others must be told addresses then */
        log_line(&e->opt.log, LOG_LEVEL_WARN, "discovery", "%s", why.text);
    return SYNCLINE_OK;
}

static int open_node(struct engine *e, struct errmsg *why)
{
    struct node_options opt = { .store = e->port,
        .crypto = &e->crypto,
        .log = e->opt.log,
        .name = slice_str(e->opt.name),
        .relay = e->opt.relay,
        .port = e->listening_n > 0 ? e->listening[0].port : 0,
        .resolve = e->opt.resolve,
        .resolve_ctx = e->opt.resolve_ctx,
        .schema = engine_schema,
        .schema_ctx = e,
        .peers = e->opt.peers,
        .peers_n = e->opt.peers_n,
        .heartbeat_us = e->opt.heartbeat_us,
        .silence_us = e->opt.silence_us,
        .dial_max_us = e->opt.dial_max_us,
        .beacon_us = e->opt.beacon_us,
        .history_keep = e->opt.history_keep,
        .history_age_us = e->opt.history_age_us,
        .retention_us = e->opt.retention_us,
        .collect_us = e->opt.collect_us,
        .clock_bound_us = e->opt.clock_bound_us,
        .limits = e->opt.limits,
        .group_max = GROUP_MAX,
        .copied = e->copied };
    int rc;

    if (e->crypto.random(e->crypto.self, (uint8_t *)&opt.seed,
            sizeof opt.seed) != SYNCLINE_OK)
        return SYNCLINE_EIO;
    rc = node_new(&e->node, &opt, clock_mono_us(), clock_wall_us(), why);
    /* Nothing may leave before the new replica id, or the mark that the last
     * stop was clean, is dealt with on the disk. The node must know, or who
     * asks for what is so already would wait until something else changes. */
    if (rc == SYNCLINE_OK)
        rc = store_file_sync(e->store);
    if (rc == SYNCLINE_OK) {
        struct event ev = { .type = EV_PERSISTED,
            .commit = store_file_durable(e->store) };

        engine_step(e, &ev);
    }
    return rc;
}

int engine_open(
    struct engine **out, const struct engine_options *opt, struct errmsg *why)
{
    struct engine *e = calloc(1, sizeof *e);
    int rc = SYNCLINE_ENOMEM;

    if (e == NULL)
        return rc;
    e->opt = *opt;
    e->self = (struct engine_asker){ .uid = getuid(), .pid = getpid() };
    e->started_us = clock_mono_us();
    e->measured.opened_us = clock_wall_us();
    e->dir = strdup(opt->dir);
    if (e->dir != NULL)
        rc = folder_make(opt->dir, why);
    if (rc == SYNCLINE_OK)
        rc = engine_open_store(e, why);
    if (rc == SYNCLINE_OK) {
        crypto_port_openssl(&e->crypto, &e->crypto_self, e->identity);
        rc = open_handles(e);
    }
    if (rc == SYNCLINE_OK)
        rc = open_net(e, why);
    if (rc == SYNCLINE_OK)
        rc = engine_web_open(e, why);
    if (rc == SYNCLINE_OK)
        rc = engine_store_start(e);
    if (rc == SYNCLINE_OK)
        rc = engine_errors_open(e);
    if (rc == SYNCLINE_OK)
        rc = engine_audit_open(e);
    if (rc == SYNCLINE_OK)
        rc = engine_tokens_open(e, why);
    if (rc == SYNCLINE_OK)
        rc = open_udp(e);
    if (rc == SYNCLINE_OK)
        rc = open_node(e, why);
    if (rc == SYNCLINE_OK)
        rc = engine_files_open(e);
    if (rc != SYNCLINE_OK) {
        if (why != NULL && why->text[0] == 0)
            (void)errmsg_set(why, rc, "%s: opening the node failed", opt->dir);
        e->failed = true; /* no clean stop of what never ran */
        (void)engine_close(e);
        return rc;
    }
    *out = e;
    return SYNCLINE_OK;
}

/* ---- closing ---- */

static void free_engine(struct engine *e)
{
    for (size_t i = 0; i < e->calls_cap; i++)
        while (e->calls[i] != NULL) {
            struct call *next = e->calls[i]->next;

            free(e->calls[i]);
            e->calls[i] = next;
        }
    while (e->answers != NULL) {
        struct answer *next = e->answers->next;

        free(e->answers);
        e->answers = next;
    }
    project_free(&e->project);
    free(e->calls);
    free(e->dir);
    free(e);
}

static void on_closed(uv_handle_t *h)
{
    struct engine *e = h->data;

    if (--e->handles == 0)
        free_engine(e);
}

/* Whoever still waits is told that there will be nothing more. */
static void answer_all(struct engine *e)
{
    struct slice gone = SLICE_LIT(REFUSAL("ECLOSED", "the node has stopped"));

    give_answers(e);
    for (size_t i = 0; i < e->calls_cap; i++)
        while (e->calls[i] != NULL) {
            struct call *c = e->calls[i];

            e->calls[i] = c->next;
            c->fn(c->ctx, gone, false);
            free(c);
        }
}

int engine_close(struct engine *e)
{
    int rc = SYNCLINE_OK;

    if (e == NULL)
        return rc;
    engine_files_close(e);
    udp_free(e->udp);
    engine_store_stop(e);
    engine_audit_close(e);
    engine_tokens_close(e);
    engine_errors_close(e);
    engine_series_close(e);
    engine_sync_close(e);
    engine_join_close(e);
    engine_web_close(e);
    if (!e->failed) {
        rc = node_close(e->node);
        answer_all(e);
    }
    /* As far as they read it: nothing waits for them. */
    if (e->net != NULL && e->opt.on_closing != NULL) {
        e->opt.on_closing(e->opt.closing_ctx);
        net_flush(e->net);
    }
    net_free(e->net);
    node_free(e->node);
    e->node = NULL;
    engine_schemas_close(e);
    if (e->failed && e->store != NULL) {
        store_file_abandon(e->store);
    } else if (e->store != NULL) {
        int closed = store_file_close(e->store);

        rc = rc == SYNCLINE_OK ? closed : rc;
        if (rc == SYNCLINE_OK)
            stop_mark_leave(e->dir);
    }
    identity_free(e->identity);
    if (!e->handles_open) {
        free_engine(e);
        return rc;
    }
    e->handles = 3;
    uv_close((uv_handle_t *)&e->turn, on_closed);
    uv_close((uv_handle_t *)&e->again, on_closed);
    uv_close((uv_handle_t *)&e->timer, on_closed);
    return rc;
}

/* ---- requests ---- */

void engine_cancel(struct engine *e, uint64_t request)
{
    struct event ev = { .type = EV_CANCEL, .request = request };

    if (engine_call(e, request) == NULL)
        return;
    call_end(e, request);
    engine_step(e, &ev);
}

void engine_pace(struct engine *e, uint64_t request, bool paused)
{
    struct event ev = { .type = paused ? EV_PAUSE : EV_RESUME,
        .request = request };

    engine_step(e, &ev);
}

void engine_outsider(struct engine *e, const struct json *args)
{
    struct event ev = { .type = EV_OUTSIDER, .args = args };

    engine_step(e, &ev);
}

bool engine_is_full(const struct engine *e)
{
    return e->full;
}

void engine_tune(struct engine *e, const struct node_tuning *t)
{
    if (e->node != NULL)
        node_tune(e->node, t);
}

const char *engine_dir(const struct engine *e)
{
    return e->dir;
}

const struct netaddr *engine_listening(const struct engine *e, size_t *n)
{
    *n = e->listening_n;
    return e->listening;
}

unsigned engine_multicast(const struct engine *e)
{
    return e->udp == NULL ? 0 : udp_joined(e->udp);
}

int engine_store_status(const struct engine *e)
{
    return e->failed ? SYNCLINE_EIO : store_file_status(e->store);
}
