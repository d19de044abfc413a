/* A server of syncline_lan.h. */
#include "app/lib/lib_lan.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/crypto.h"

#define GUEST_MESSAGES 10 /* a second, of who was not let in */

struct syncline_lan_server {
    struct lib_lan_end end; /* first */
    syncline_lan_auth_fn *auth;
    void *auth_ctx;
    bool has_challenge;
    struct attempts attempts;
    struct netaddr bound;
};

static struct syncline_lan_server *server_of(struct lib_lan_end *e)
{
    return (struct syncline_lan_server *)e;
}

static const char *const dialects[] = { "", "v1", "v2" };

/* ---- who may come in ---- */

static bool ask_program(struct syncline_lan_server *s, struct lib_lan_conn *c,
    const struct lan_message *m, struct json **data, struct arena *a)
{
    struct syncline_lan_message view;
    char *text = NULL;
    struct json *said;
    bool is_in = lib_lan_view(&view, c, m, a) == SYNCLINE_OK &&
        s->auth(s->auth_ctx, c->id, &view, &text) > 0;

    if (is_in && text != NULL) {
        if (lib_lan_object(&said, text, "auth_data", a) == SYNCLINE_OK)
            *data = said;
        else
            log_line(&s->end.log, LOG_LEVEL_ERROR, "lansync",
                "the callback for AUTH_REQUEST: %s", syncline_error());
    }
    free(text);
    return is_in;
}

static bool authenticate(struct lib_lan_conn *c, const struct lan_message *m,
    struct json **data, struct arena *a)
{
    struct syncline_lan_server *s = server_of(c->end);

    if (s->auth != NULL)
        return ask_program(s, c, m, data, a);
    return crypto_equal(
        lan_payload_text(m, "token"), buf_slice(&s->end.secret));
}

static bool may_try(const struct lib_lan_conn *c)
{
    return attempts_wait_us(
               &server_of(c->end)->attempts, &c->remote, clock_mono_us()) == 0;
}

static void failed(const struct lib_lan_conn *c)
{
    attempts_failed(&server_of(c->end)->attempts, &c->remote, clock_mono_us());
}

/* ---- who comes ---- */

static bool is_admitted(const struct lib_lan_end *e, const struct netaddr *from)
{
    char text[NETADDR_TEXT];

    if (netaddr_is_loopback(from))
        return true;
    for (size_t i = 0; i < e->admit_n; i++)
        if (network_has(&e->admit[i], from))
            return true;
    netaddr_format(text, from);
    log_line(&e->log, LOG_LEVEL_WARN, "lansync",
        "%s was not let in: it is of no network of `admit`", text);
    return false;
}

static bool is_guest(const struct lib_lan_conn *c)
{
    return !c->is_over && !c->is_open &&
        c->end->config.require_authentication != 0;
}

/* Those who have come in need not care how many stand at the door; whoever asks
 * at once is through it before it is his turn to go. */
static bool has_room(struct lib_lan_end *e)
{
    const uint32_t most = e->config.clients_max;
    struct lib_lan_conn *oldest = NULL;
    uint32_t all = 0, guests = 0;

    for (struct lib_lan_conn *c = e->conns; c != NULL; c = c->next) {
        all++;
        if (!is_guest(c))
            continue;
        guests++;
        oldest = c; /* the list begins with the newest */
    }
    if (all < most && guests <= most / 4)
        return true;
    if (oldest == NULL || all / 2 >= most) {
        log_line(&e->log, LOG_LEVEL_WARN, "lansync",
            "somebody was not let in: there are %u clients", all);
        return false;
    }
    lib_lan_conn_close(oldest, "others want to come in");
    return true;
}

static bool on_come(void *ctx, struct stream *stream,
    const struct netaddr *remote, struct stream_events *events)
{
    struct syncline_lan_server *s = ctx;
    struct lib_lan_end *e = &s->end;
    struct lan_link_options opt = { .is_server = true,
        .needs_auth = e->config.require_authentication != 0,
        .key = s->has_challenge ? buf_slice(&e->secret) : SLICE_NONE,
        .dialect = (enum lan_dialect)e->config.dialect,
        .guest_pace = { GUEST_MESSAGES, 2 * GUEST_MESSAGES },
        .silence_us = e->config.client_timeout_ms * UINT64_C(1000),
        .session_us = e->config.session_ms * UINT64_C(1000) };
    struct lib_lan_conn *c;

    if (e->is_ending || !is_admitted(e, remote) || !has_room(e) ||
        lib_lan_conn_new(&c, e, &opt) != SYNCLINE_OK)
        return false;
    c->stream = stream;
    c->remote = *remote;
    c->next = e->conns;
    e->conns = c;
    lib_lan_conn_events(c, events);
    lib_lan_tell_state(c, SYNCLINE_LAN_CONNECTED, "");
    lib_lan_arm(e);
    return true;
}

static void on_tick(void *owner)
{
    struct lib_lan_end *e = owner;

    if (e->is_ending) {
        lib_lan_conns_stop(e);
        return;
    }
    lib_lan_conns_tick(e, clock_mono_us());
    lib_lan_arm(e);
}

/* ---- beginning and end ---- */

int syncline_lan_server_new(struct syncline_lan_server **out,
    const struct syncline_lan_config *config,
    const struct syncline_lan_handler *h, syncline_lan_auth_fn *auth,
    void *auth_ctx)
{
    struct syncline_lan_server *s = calloc(1, sizeof *s);
    int rc;

    if (s == NULL)
        return lib_fail(SYNCLINE_ENOMEM, "memory ran out");
    rc = lib_lan_end_init(&s->end, config, h);
    if (rc != SYNCLINE_OK) {
        lib_lan_end_close(&s->end);
        free(s);
        return rc;
    }
    s->end.is_server = true;
    s->end.authenticate = authenticate;
    s->end.may_try = may_try;
    s->end.failed = failed;
    s->end.loop.on_tick = on_tick;
    s->end.loop.on_stop = lib_lan_conns_stop;
    s->auth = auth;
    s->auth_ctx = auth_ctx;
    s->has_challenge = s->end.config.challenge < 0
        ? auth == NULL
        : s->end.config.challenge != 0;
    *out = s;
    return SYNCLINE_OK;
}

int syncline_lan_server_handle(struct syncline_lan_server *s, const char *type,
    syncline_lan_handle_fn *fn, void *ctx)
{
    return lib_lan_handle(&s->end, type, fn, ctx);
}

int syncline_lan_server_on_state(
    struct syncline_lan_server *s, syncline_lan_state_fn *fn, void *ctx)
{
    return lib_lan_on_state(&s->end, fn, ctx);
}

static int begin(void *owner)
{
    struct syncline_lan_server *s = owner;
    struct errmsg why = { "memory ran out" };
    int rc;

    s->end.is_ending = false;
    rc = lib_lan_tls_open(&s->end);
    if (rc != SYNCLINE_OK)
        return rc;
    rc = stream_listen(&s->end.listener, &s->end.loop.uv, &s->end.listen,
        on_come, s, &s->bound, &why);
    return rc == SYNCLINE_OK ? rc : lib_fail(rc, "%s", why.text);
}

int syncline_lan_server_start(struct syncline_lan_server *s)
{
    if (lib_lan_loop_inside(&s->end.loop))
        return lib_fail(SYNCLINE_EBUSY, "not from a callback");
    return lib_lan_loop_start(&s->end.loop, begin);
}

int syncline_lan_server_stop(struct syncline_lan_server *s)
{
    return lib_lan_loop_stop(&s->end.loop);
}

int syncline_lan_server_free(struct syncline_lan_server *s)
{
    int rc;

    if (s == NULL)
        return SYNCLINE_OK;
    rc = lib_lan_loop_stop(&s->end.loop);
    if (rc != SYNCLINE_OK)
        return rc;
    lib_lan_end_close(&s->end);
    free(s);
    return SYNCLINE_OK;
}

/* ---- questions ---- */

struct question {
    struct syncline_lan_server *server;
    const char *client_id;
    struct buf text;
    int port;
};

static int on_port(void *arg)
{
    struct question *q = arg;

    q->port = q->server->bound.port;
    return SYNCLINE_OK;
}

int syncline_lan_server_port(struct syncline_lan_server *s)
{
    struct question q = { .server = s };
    int rc = lib_lan_loop_call(&s->end.loop, on_port, &q);

    return rc == SYNCLINE_OK ? q.port : rc;
}

static int on_fingerprint(void *arg)
{
    struct question *q = arg;
    const struct lib_lan_end *e = &q->server->end;

    if (e->tls.rules == NULL)
        return lib_fail(SYNCLINE_ENOTFOUND, "use_ssl is 0: there is no TLS");
    buf_put_str(&q->text, e->tls.facts.sha256);
    return SYNCLINE_OK;
}

int syncline_lan_server_fingerprint(struct syncline_lan_server *s, char **print)
{
    struct question q = { .server = s };
    int rc = lib_lan_loop_call(&s->end.loop, on_fingerprint, &q);

    return rc == SYNCLINE_OK ? lib_lan_text(print, &q.text) : rc;
}

static void put_client(struct buf *b, const struct lib_lan_conn *c)
{
    char at[NETADDR_TEXT];

    netaddr_format(at, &c->remote);
    buf_printf(b, "{\"client_id\":\"%s\",\"node_id\":", c->id);
    json_print_said(b, slice_str(lan_link_node(c->link)));
    buf_put_str(b, ",\"node_name\":");
    json_print_said(b, slice_str(lan_link_name(c->link)));
    buf_printf(b,
        ",\"address\":\"%s\",\"authenticated\":%s,\"dialect\":\"%s\","
        "\"compressed\":%s,\"tls\":%s,\"fingerprint\":\"%s\","
        "\"seconds\":%llu}",
        at, c->is_open ? "true" : "false", dialects[lan_link_dialect(c->link)],
        lan_link_deflates(c->link) ? "true" : "false",
        stream_is_secure(c->stream) ? "true" : "false", stream_print(c->stream),
        (unsigned long long)((clock_mono_us() - c->since_us) / 1000000));
}

static int on_clients(void *arg)
{
    struct question *q = arg;
    const char *between = "";

    buf_put_u8(&q->text, '[');
    for (const struct lib_lan_conn *c = q->server->end.conns; c != NULL;
         c = c->next) {
        if (c->is_over)
            continue;
        buf_put_str(&q->text, between);
        put_client(&q->text, c);
        between = ",";
    }
    buf_put_u8(&q->text, ']');
    return SYNCLINE_OK;
}

int syncline_lan_server_clients(struct syncline_lan_server *s, char **clients)
{
    struct question q = { .server = s };
    int rc = lib_lan_loop_call(&s->end.loop, on_clients, &q);

    if (rc == SYNCLINE_OK)
        return lib_lan_text(clients, &q.text);
    buf_free(&q.text);
    return rc;
}

static int on_drop(void *arg)
{
    const struct question *q = arg;
    struct lib_lan_conn *c = q->server->end.conns;

    while (c != NULL && (c->is_over || strcmp(c->id, q->client_id) != 0))
        c = c->next;
    if (c == NULL)
        return lib_fail(SYNCLINE_ENOTFOUND, "%s: no such client", q->client_id);
    lib_lan_conn_close(c, "dropped");
    return SYNCLINE_OK;
}

int syncline_lan_server_drop(
    struct syncline_lan_server *s, const char *client_id)
{
    struct question q = { .server = s, .client_id = client_id };

    if (client_id == NULL)
        return lib_fail(SYNCLINE_EINVAL, "client_id: missing");
    return lib_lan_loop_call(&s->end.loop, on_drop, &q);
}

/* ---- saying ---- */

int syncline_lan_server_send(struct syncline_lan_server *s,
    const char *client_id, const char *type, const char *payload,
    unsigned *sent)
{
    struct lib_lan_saying say = {
        .end = &s->end, .client_id = client_id, .type = type, .payload = payload
    };
    int rc = lib_lan_say(&say);

    if (rc == SYNCLINE_OK && sent != NULL)
        *sent = say.sent;
    return rc;
}

int syncline_lan_server_request(struct syncline_lan_server *s,
    const char *client_id, const char *type, const char *payload,
    uint32_t timeout_ms, char **answer)
{
    struct lib_lan_saying say = { .end = &s->end,
        .client_id = client_id,
        .type = type,
        .payload = payload,
        .timeout_ms = timeout_ms };

    if (client_id == NULL)
        return lib_fail(SYNCLINE_EINVAL, "client_id: missing");
    return lib_lan_ask(&say, NULL, answer);
}

int syncline_lan_server_ask(struct syncline_lan_server *s,
    const char *client_id, const char *type, const char *payload,
    uint32_t timeout_ms, syncline_lan_answer_fn *fn, void *ctx)
{
    struct lib_lan_saying say = { .end = &s->end,
        .client_id = client_id,
        .type = type,
        .payload = payload,
        .timeout_ms = timeout_ms,
        .fn = fn,
        .ctx = ctx };

    if (client_id == NULL || fn == NULL)
        return lib_fail(SYNCLINE_EINVAL, "client_id, fn: missing");
    return lib_lan_say(&say);
}
