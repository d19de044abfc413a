/* Connections of a server or a client of syncline_lan.h. */
#include "app/lib/lib_lan.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/crypto.h"

#define QUEUE_MAX ((size_t)64 << 20)
#define TLS_HELLO 0x16
#define TLS_ALERT 0x15
#define SAYS "it says: "
#define OFFER "syncline"
#define LINGER_US UINT64_C(1000000) /* for what was sent before a stop */

static void settle(struct lib_lan_conn *c);

void lib_lan_tell_state(
    struct lib_lan_conn *c, enum syncline_lan_state state, const char *why)
{
    struct lib_lan_end *e = c->end;
    syncline_lan_state_fn *fn;
    void *ctx;

    (void)pthread_mutex_lock(&e->loop.lock);
    fn = e->on_state;
    ctx = e->state_ctx;
    (void)pthread_mutex_unlock(&e->loop.lock);
    if (fn != NULL)
        fn(ctx, c->id, state, why);
}

int lib_lan_on_state(
    struct lib_lan_end *e, syncline_lan_state_fn *fn, void *ctx)
{
    if (e->loop.forks != forks_n())
        return lib_check_forks(e->loop.forks);
    (void)pthread_mutex_lock(&e->loop.lock);
    e->on_state = fn;
    e->state_ctx = ctx;
    (void)pthread_mutex_unlock(&e->loop.lock);
    return SYNCLINE_OK;
}

/* ---- the end of one ---- */

static void close_soon(struct lib_lan_conn *c, const char *why)
{
    if (c->is_over)
        return;
    c->is_over = true;
    (void)snprintf(c->why, sizeof c->why, "%s", why);
}

void lib_lan_conn_close(struct lib_lan_conn *c, const char *why)
{
    close_soon(c, why);
    settle(c);
}

void lib_lan_conn_free(struct lib_lan_conn *c)
{
    if (c == NULL)
        return;
    lib_lan_waits_free(c);
    lan_link_free(c->link);
    free(c);
}

static void leave(struct lib_lan_conn *c, const char *why)
{
    struct lib_lan_end *e = c->end;
    struct lib_lan_conn **at = &e->conns;

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    c->is_refused = c->is_refused || (!c->is_over && c->said[0] != 0);
    if (c->why[0] == 0)
        (void)snprintf(
            c->why, sizeof c->why, "%s", c->said[0] != 0 ? c->said : why);
    log_line(&e->log, c->is_open ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "lansync",
        "%s: %s", c->id[0] != 0 ? c->id : "the server", c->why);
    lan_link_end(c->link);
    if (e->is_server || c->is_open)
        lib_lan_tell_state(c, SYNCLINE_LAN_GONE, c->why);
    if (e->on_gone != NULL)
        e->on_gone(e, c);
    lib_lan_conn_free(c);
}

/* ---- events of a link ---- */

static bool is_guest(const struct lib_lan_conn *c)
{
    return c->end->is_server && !c->is_open &&
        c->end->config.require_authentication != 0;
}

static void on_send(void *ctx, struct slice bytes)
{
    struct lib_lan_conn *c = ctx;

    if (stream_queued(c->stream) >
        (is_guest(c) ? 2 * LAN_GUEST_MAX : QUEUE_MAX))
        close_soon(c, "it does not read");
    else
        stream_send(c->stream, bytes);
}

static void on_link_close(void *ctx, const char *why)
{
    struct lib_lan_conn *c = ctx;

    c->is_refused = !c->is_open && !c->is_over;
    close_soon(c, why);
    if (strcmp(why, LAN_HALF_SAID) == 0)
        stream_close(c->stream); /* it is another one that is heard just now */
}

static bool may_try(void *ctx)
{
    const struct lib_lan_conn *c = ctx;

    return c->end->may_try(c);
}

static void failed(void *ctx, struct slice node)
{
    const struct lib_lan_conn *c = ctx;

    (void)node;
    if (c->end->failed != NULL)
        c->end->failed(c);
}

static void on_hold(void *ctx, bool held)
{
    const struct lib_lan_conn *c = ctx;

    if (!c->is_over)
        stream_hold(c->stream, held);
}

static bool on_auth(
    void *ctx, const struct lan_message *m, struct json **data, struct arena *a)
{
    struct lib_lan_conn *c = ctx;

    return c->end->authenticate(c, m, data, a);
}

static void on_open(void *ctx)
{
    struct lib_lan_conn *c = ctx;
    struct lib_lan_end *e = c->end;

    if (c->is_over)
        return;
    c->is_open = true;
    log_line(&e->log, LOG_LEVEL_INFO, "lansync", "open: %s %s",
        c->id[0] != 0 ? c->id : "the server", lan_link_node(c->link));
    if (e->on_open != NULL)
        e->on_open(e);
    lib_lan_tell_state(c, SYNCLINE_LAN_OPEN, "");
}

static int on_binding(void *ctx, uint8_t out[LAN_BINDING_LEN])
{
    const struct lib_lan_conn *c = ctx;

    return stream_is_secure(c->stream) ? stream_binding(c->stream, out)
                                       : SYNCLINE_ENOTFOUND;
}

static void on_offer(
    void *ctx, struct slice id, struct json *payload, struct arena *a)
{
    const struct lib_lan_conn *c = ctx;
    struct json *offer;

    (void)id;
    if (c->end->config.compress == 0 || json_get(payload, OFFER) != NULL)
        return; /* the program's own credentials may have it */
    offer = json_new(a, JSON_OBJECT);
    json_add(offer, SLICE_LIT("deflate"), json_new_bool(a, true));
    json_add(payload, SLICE_LIT(OFFER), offer);
}

static void on_offered(void *ctx, struct slice id, const struct lan_message *m)
{
    const struct lib_lan_conn *c = ctx;
    const struct json *offer = json_get(m->member[LAN_PAYLOAD], OFFER);

    (void)id;
    if (c->end->config.compress != 0 && json_get_bool(offer, "deflate", false))
        lan_link_deflate(c->link);
}

static bool knows(void *ctx, struct slice name)
{
    struct lib_lan_conn *c = ctx;

    return lib_lan_knows(c->end, name);
}

static int on_message(void *ctx, const struct lan_message *m)
{
    struct lib_lan_conn *c = ctx;

    c->said[0] = 0;
    return c->is_over ? SYNCLINE_OK : lib_lan_take(c, m);
}

static void on_answer(void *ctx, uint64_t request, const struct lan_answer *a)
{
    struct lib_lan_conn *c = ctx;

    if (a->rc == SYNCLINE_OK)
        c->said[0] = 0;
    lib_lan_answered(c, request, a);
}

/* What a server says before it closes is why it does. */
static void on_log(void *ctx, const char *text)
{
    struct lib_lan_conn *c = ctx;

    if (strncmp(text, SAYS, sizeof SAYS - 1) == 0)
        (void)snprintf(c->said, sizeof c->said, "%s", text);
    log_line(&c->end->log, LOG_LEVEL_DEBUG, "lansync", "%s: %s",
        c->id[0] != 0 ? c->id : "the server", text);
}

/* ---- events of a stream ---- */

static uint64_t set_time(struct lib_lan_end *e)
{
    const uint64_t now_us = clock_mono_us();

    lan_protocol_set_wall(e->protocol, clock_wall_us(), now_us);
    return now_us;
}

static void settle(struct lib_lan_conn *c)
{
    if (c->is_over)
        stream_close(c->stream);
    else
        lib_lan_arm_for(c);
}

/* Of who comes by TLS it says that this has begun. */
static void on_stream_open(void *ctx)
{
    struct lib_lan_conn *c = ctx;

    if (c->end->is_server)
        return;
    c->was_up = true;
    lan_link_begin(c->link, set_time(c->end));
    settle(c);
}

/* In clear, so that who does not speak TLS can read it. */
static void say_tls_is_needed(struct lib_lan_conn *c)
{
    const struct slice text = SLICE_LIT("TLS is needed here (use_ssl)");
    struct arena a = { 0 };
    struct json *payload = json_new(&a, JSON_OBJECT);
    const struct lan_draft draft = { .type = LAN_ERROR, .payload = payload };

    json_add(payload, SLICE_LIT("error"), json_new_str(&a, text));
    json_add(payload, SLICE_LIT("message"), json_new_str(&a, text));
    json_add(payload, SLICE_LIT("code"),
        json_new_str(&a, SLICE_LIT("tls_required")));
    if (payload != NULL)
        (void)!lan_link_send(c->link, &draft, clock_mono_us());
    arena_free(&a);
    close_soon(c, "it does not speak TLS, and use_ssl is 1 here");
}

/* Is the first that has come for the link? */
static bool is_for_link(struct lib_lan_conn *c, struct slice bytes)
{
    static const uint8_t no_tls[] = { TLS_ALERT, 3, 1, 0, 2, 2, 70 };
    struct tls_rules *rules = c->end->tls.rules;

    if (!c->end->is_server && rules == NULL && bytes.ptr[0] == TLS_ALERT) {
        close_soon(c, "it speaks TLS: set use_ssl to 1");
    } else if (!c->end->is_server) {
        return true;
    } else if (bytes.ptr[0] == TLS_HELLO && rules == NULL) {
        stream_send(c->stream, SLICE(no_tls, sizeof no_tls));
        close_soon(c, "it speaks TLS, and use_ssl is 0 here");
    } else if (bytes.ptr[0] == TLS_HELLO) {
        if (stream_secure(c->stream, rules, bytes) != SYNCLINE_OK)
            close_soon(c, "memory ran out");
    } else if (rules != NULL) {
        say_tls_is_needed(c);
    } else {
        return true;
    }
    return false;
}

static void on_bytes(void *ctx, struct slice bytes)
{
    struct lib_lan_conn *c = ctx;
    const uint64_t now_us = set_time(c->end);
    bool is_first = !c->is_begun;

    c->is_begun = true;
    if (!c->is_over && (!is_first || is_for_link(c, bytes)))
        lan_link_feed(c->link, bytes, now_us);
    settle(c);
}

static void on_end(void *ctx, const char *why)
{
    struct lib_lan_conn *c = ctx;
    struct lib_lan_end *e = c->end;

    leave(c, why);
    if (e->is_ending)
        lib_lan_conns_stop(e);
    else
        lib_lan_arm(e);
}

void lib_lan_conn_events(struct lib_lan_conn *c, struct stream_events *events)
{
    *events = (struct stream_events){ .ctx = c,
        .on_open = on_stream_open,
        .on_bytes = on_bytes,
        .on_end = on_end };
}

int lib_lan_conn_new(struct lib_lan_conn **out, struct lib_lan_end *e,
    struct lan_link_options *opt)
{
    struct lib_lan_conn *c = calloc(1, sizeof *c);
    int rc;

    if (c == NULL)
        return SYNCLINE_ENOMEM;
    c->end = e;
    c->since_us = set_time(e);
    c->was_up = e->is_server;
    opt->protocol = e->protocol;
    opt->message_max = e->config.message_max;
    opt->halves = &e->halves;
    opt->request_us = e->config.request_timeout_ms * UINT64_C(1000);
    opt->auth_us = opt->request_us;
    opt->heartbeat_us = e->config.heartbeat_ms * UINT64_C(1000);
    opt->heartbeat_wait_us = e->config.heartbeat_timeout_ms * UINT64_C(1000);
    opt->misses_max = e->config.max_missed_heartbeats;
    opt->pace.rate = e->config.messages_per_s;
    opt->pace.burst = 4 * opt->pace.rate;
    opt->events = (struct lan_link_events){ .ctx = c,
        .send = on_send,
        .close = on_link_close,
        .authenticate = on_auth,
        .may_try = e->may_try != NULL ? may_try : NULL,
        .failed = failed,
        .hold = on_hold,
        .binding = on_binding,
        .offer = on_offer,
        .offered = on_offered,
        .on_open = on_open,
        .knows = knows,
        .on_message = on_message,
        .on_answer = on_answer,
        .log = on_log };
    rc = lan_link_new(&c->link, opt, c->since_us);
    if (rc == SYNCLINE_OK && e->is_server)
        rc = lan_uuid(e->protocol, c->id);
    if (rc != SYNCLINE_OK) {
        lib_lan_conn_free(c);
        return rc;
    }
    *out = c;
    return SYNCLINE_OK;
}

/* ---- all of them ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* Who is not let in does not stay. */
static uint64_t patience_ends(const struct lib_lan_conn *c)
{
    const struct lib_lan_end *e = c->end;

    if (c->is_open || (e->is_server && e->config.require_authentication == 0))
        return 0;
    return c->since_us + e->config.connect_timeout_ms * UINT64_C(1000);
}

static void conn_tick(struct lib_lan_conn *c, uint64_t now_us)
{
    const uint64_t ends_us = patience_ends(c);

    if (c->is_over)
        return;
    if (c->was_up)
        lan_link_tick(c->link, now_us);
    if (ends_us != 0 && now_us >= ends_us && !c->is_open)
        close_soon(c,
            c->end->is_server ? "it did not ask to come in"
                              : "it did not answer in time");
    if (c->is_over)
        stream_close(c->stream);
}

void lib_lan_conns_tick(struct lib_lan_end *e, uint64_t now_us)
{
    (void)set_time(e);
    for (struct lib_lan_conn *c = e->conns; c != NULL; c = c->next)
        conn_tick(c, now_us);
}

static uint64_t due_us(const struct lib_lan_conn *c)
{
    if (c->is_over)
        return 0;
    return least(patience_ends(c), c->was_up ? lan_link_deadline(c->link) : 0);
}

void lib_lan_arm(struct lib_lan_end *e)
{
    uint64_t next = e->again_us;

    if (e->is_ending)
        return;
    for (const struct lib_lan_conn *c = e->conns; c != NULL; c = c->next)
        next = least(next, due_us(c));
    lib_lan_loop_arm(&e->loop, next);
}

void lib_lan_arm_for(const struct lib_lan_conn *c)
{
    if (!c->end->is_ending)
        lib_lan_loop_arm_by(&c->end->loop, due_us(c));
}

/* ---- stopping ---- */

static void drop_all(struct lib_lan_end *e)
{
    while (e->conns != NULL) {
        struct stream *stream = e->conns->stream;

        leave(e->conns, "stopped");
        stream_drop(stream);
    }
}

/* First all are closed; what is open after LINGER_US is dropped. */
void lib_lan_conns_stop(void *end)
{
    struct lib_lan_end *e = end;

    stream_listener_close(e->listener);
    e->listener = NULL;
    if (!e->is_ending)
        e->linger_us = clock_mono_us() + LINGER_US;
    e->is_ending = true;
    for (struct lib_lan_conn *c = e->conns; c != NULL; c = c->next) {
        lan_link_end(c->link);
        close_soon(c, "stopped");
        stream_close(c->stream);
    }
    if (clock_mono_us() >= e->linger_us)
        drop_all(e);
    if (e->conns == NULL)
        lib_lan_loop_ended(&e->loop);
    else
        lib_lan_loop_arm(&e->loop, e->linger_us);
}
