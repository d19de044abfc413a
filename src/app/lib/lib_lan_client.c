/* A client of syncline_lan.h. */
#include "app/lib/lib_lan.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "crypto/crypto.h"

#define HOST_MAX 256

/*  APART --connect--> TRYING --let in--> UP --close--> APART
 *                     TRYING --failure--> FAILED
 * Who is UP is called again when the connection is lost. */
enum standing { APART, TRYING, UP, FAILED };

struct syncline_lan_client {
    struct lib_lan_end end; /* first */
    char host[HOST_MAX];
    uint16_t port;
    enum lan_dialect dialect; /* of the server, once it is known */
    enum lan_auth auth;
    struct buf credentials, session;
    uint64_t pause_us; /* before the next call; 0: the first one */

    /* Under the loop's lock, and for who waits in connect: */
    enum standing standing;
    int failed_rc;
    char why[200];
};

static struct syncline_lan_client *client_of(struct lib_lan_end *e)
{
    return (struct syncline_lan_client *)e;
}

static const char *const dialects[] = { "", "v1", "v2" };

/* For who waits in connect. */
static void set_outcome(
    struct syncline_lan_client *c, enum standing standing, int rc)
{
    (void)pthread_mutex_lock(&c->end.loop.lock);
    if (c->standing == TRYING) {
        c->standing = standing;
        c->failed_rc = rc;
        (void)pthread_cond_broadcast(&c->end.loop.done);
    }
    (void)pthread_mutex_unlock(&c->end.loop.lock);
}

/* ---- calling ---- */

static int call(struct syncline_lan_client *c)
{
    struct lib_lan_end *e = &c->end;
    struct lan_link_options opt = { .auth = c->auth,
        .token = c->auth == LAN_BY_TOKEN && c->credentials.len == 0
            ? buf_slice(&e->secret)
            : SLICE_NONE,
        .credentials = buf_slice(&c->credentials),
        .key = buf_slice(&e->secret),
        .dialect = c->dialect };
    struct stream_events events;
    struct lib_lan_conn *conn;
    int rc = lib_lan_conn_new(&conn, e, &opt);

    if (rc != SYNCLINE_OK)
        return lib_fail(rc, "memory ran out");
    lib_lan_conn_events(conn, &events);
    rc = stream_connect(
        &conn->stream, &e->loop.uv, c->host, c->port, e->tls.rules, &events);
    if (rc != SYNCLINE_OK) {
        lib_lan_conn_free(conn);
        return lib_fail(SYNCLINE_EIO, "%s cannot be called", c->host);
    }
    e->conns = conn;
    lib_lan_arm(e);
    return SYNCLINE_OK;
}

static void call_later(struct syncline_lan_client *c)
{
    uint64_t most = c->end.config.reconnect_max_ms * UINT64_C(1000);
    uint8_t r = 128;

    if (c->pause_us == 0)
        c->pause_us = c->end.config.reconnect_ms * UINT64_C(1000);
    if (c->pause_us == 0)
        return;
    if (c->pause_us > most && most > 0)
        c->pause_us = most;
    (void)!crypto_random(&r, 1);
    c->end.again_us = clock_mono_us() + c->pause_us * (192u + r / 2u) / 256 + 1;
    c->pause_us *= 2;
    lib_lan_arm(&c->end);
}

static void on_tick(void *owner)
{
    struct syncline_lan_client *c = owner;
    const uint64_t now_us = clock_mono_us();

    if (c->end.is_ending) {
        lib_lan_conns_stop(&c->end);
        return;
    }
    lib_lan_conns_tick(&c->end, now_us);
    if (c->end.again_us != 0 && now_us >= c->end.again_us) {
        c->end.again_us = 0;
        if (call(c) != SYNCLINE_OK)
            call_later(c);
    }
    lib_lan_arm(&c->end);
}

/* ---- what becomes of a connection ---- */

static void on_open(struct lib_lan_end *e)
{
    struct syncline_lan_client *c = client_of(e);

    c->pause_us = 0;
    buf_clear(&c->session);
    buf_put_str(&c->session, lan_link_session(e->conns->link));
    (void)pthread_mutex_lock(&e->loop.lock);
    c->why[0] = 0;
    (void)pthread_mutex_unlock(&e->loop.lock);
    set_outcome(c, UP, SYNCLINE_OK);
}

/* A stream ends with words alone: these are of its TLS. */
static bool is_distrusted(const struct lib_lan_conn *conn)
{
    static const char words[] = "its certificate";

    return strncmp(conn->why, words, sizeof words - 1) == 0;
}

static int status_of(const struct lib_lan_conn *conn)
{
    if (conn->is_refused || is_distrusted(conn))
        return SYNCLINE_EDENIED;
    if (conn->is_over)
        return SYNCLINE_ETIMEOUT;
    return conn->was_up ? SYNCLINE_ECLOSED : SYNCLINE_EIO;
}

static void on_gone(struct lib_lan_end *e, const struct lib_lan_conn *conn)
{
    struct syncline_lan_client *c = client_of(e);
    bool was_up;

    if (lan_link_dialect(conn->link) != LAN_UNDECIDED)
        c->dialect = lan_link_dialect(conn->link);
    (void)pthread_mutex_lock(&e->loop.lock);
    was_up = c->standing == UP;
    (void)snprintf(c->why, sizeof c->why, "%s", conn->why);
    (void)pthread_mutex_unlock(&e->loop.lock);
    set_outcome(c, FAILED, status_of(conn));
    if (was_up && !e->is_ending)
        call_later(c);
}

/* ---- making and freeing ---- */

static int take_auth(struct syncline_lan_client *c)
{
    const struct syncline_lan_config *o = &c->end.config;
    const struct slice secret = buf_slice(&c->end.secret);

    c->dialect = (enum lan_dialect)o->dialect;
    c->auth = o->auth == SYNCLINE_LAN_AUTH_LATER ? LAN_BY_NOTHING
        : o->auth == SYNCLINE_LAN_AUTH_TOKEN     ? LAN_BY_TOKEN
                                                 : LAN_BY_PROOF;
    if (c->auth == LAN_BY_TOKEN && o->credentials == NULL &&
        (!utf8_valid(secret) || memchr(secret.ptr, 0, secret.len) != NULL))
        return lib_fail(SYNCLINE_EINVAL,
            "the secret is no text that could be said: name credentials, or "
            "have it proved");
    if (o->credentials != NULL)
        buf_put_str(&c->credentials, o->credentials);
    return buf_status(&c->credentials) == SYNCLINE_OK
        ? SYNCLINE_OK
        : lib_fail(SYNCLINE_ENOMEM, "memory ran out");
}

static void wipe(struct buf *b)
{
    if (b->len > 0)
        crypto_wipe(b->ptr, b->len);
    buf_free(b);
}

static void client_free(struct syncline_lan_client *c)
{
    lib_lan_end_close(&c->end);
    wipe(&c->credentials);
    wipe(&c->session);
    free(c);
}

int syncline_lan_client_new(struct syncline_lan_client **out,
    const struct syncline_lan_config *config,
    const struct syncline_lan_handler *h)
{
    struct syncline_lan_client *c = calloc(1, sizeof *c);
    int rc;

    if (c == NULL)
        return lib_fail(SYNCLINE_ENOMEM, "memory ran out");
    rc = lib_lan_end_init(&c->end, config, h);
    if (rc == SYNCLINE_OK)
        rc = take_auth(c);
    if (rc != SYNCLINE_OK) {
        client_free(c);
        return rc;
    }
    c->end.loop.on_tick = on_tick;
    c->end.loop.on_stop = lib_lan_conns_stop;
    c->end.on_open = on_open;
    c->end.on_gone = on_gone;
    *out = c;
    return SYNCLINE_OK;
}

int syncline_lan_client_handle(struct syncline_lan_client *c, const char *type,
    syncline_lan_handle_fn *fn, void *ctx)
{
    return lib_lan_handle(&c->end, type, fn, ctx);
}

int syncline_lan_client_on_state(
    struct syncline_lan_client *c, syncline_lan_state_fn *fn, void *ctx)
{
    return lib_lan_on_state(&c->end, fn, ctx);
}

/* ---- connecting ---- */

static int begin(void *owner)
{
    struct syncline_lan_client *c = owner;

    int rc = lib_lan_tls_open(&c->end);

    c->end.is_ending = false;
    c->end.again_us = c->pause_us = 0;
    return rc == SYNCLINE_OK ? call(c) : rc;
}

static int wait_for_outcome(struct syncline_lan_client *c, char why[200])
{
    struct lib_lan_loop *l = &c->end.loop;
    int rc;

    (void)pthread_mutex_lock(&l->lock);
    while (c->standing == TRYING)
        (void)pthread_cond_wait(&l->done, &l->lock);
    rc = c->standing == UP ? SYNCLINE_OK : c->failed_rc;
    (void)snprintf(why, 200, "%s", c->why);
    (void)pthread_mutex_unlock(&l->lock);
    return rc;
}

static int keep_place(struct syncline_lan_client *c, const char *host, int port)
{
    if (port == 0)
        port = c->end.config.sync_port;
    if (host == NULL || host[0] == 0 || strlen(host) >= sizeof c->host)
        return lib_fail(SYNCLINE_EINVAL, "host: a name or an address");
    if (port < 1 || port > UINT16_MAX)
        return lib_fail(SYNCLINE_EINVAL, "port: from 1 to 65535");
    (void)snprintf(c->host, sizeof c->host, "%s", host);
    c->port = (uint16_t)port;
    return SYNCLINE_OK;
}

/* False: somebody is connected, or connects. */
static bool claim(struct syncline_lan_client *c)
{
    bool is_free;

    (void)pthread_mutex_lock(&c->end.loop.lock);
    is_free = c->standing == APART;
    if (is_free)
        c->standing = TRYING;
    (void)pthread_mutex_unlock(&c->end.loop.lock);
    return is_free;
}

static void release(struct syncline_lan_client *c)
{
    (void)pthread_mutex_lock(&c->end.loop.lock);
    c->standing = APART;
    (void)pthread_mutex_unlock(&c->end.loop.lock);
}

/* It is claimed. */
static int connect_to(struct syncline_lan_client *c, const char *host, int port)
{
    char why[200];
    int rc = keep_place(c, host, port);

    if (rc == SYNCLINE_OK)
        rc = lib_lan_loop_start(&c->end.loop, begin);
    if (rc != SYNCLINE_OK)
        return rc;
    rc = wait_for_outcome(c, why);
    if (rc == SYNCLINE_OK)
        return rc;
    (void)!lib_lan_loop_stop(&c->end.loop);
    return lib_fail(rc, "%s:%u: %s", c->host, c->port, why);
}

int syncline_lan_client_connect(
    struct syncline_lan_client *c, const char *host, int port)
{
    struct lib_lan_loop *before;
    int rc;

    if (lib_lan_loop_inside(&c->end.loop))
        return lib_fail(SYNCLINE_EBUSY, "not from a callback");
    rc = lib_lan_wait_begin(&c->end.loop, &before);
    if (rc != SYNCLINE_OK)
        return rc;
    if (claim(c)) {
        rc = connect_to(c, host, port);
        if (rc != SYNCLINE_OK)
            release(c);
    } else {
        rc = lib_fail(SYNCLINE_EBUSY, "it is connected already");
    }
    lib_lan_wait_end(before);
    return rc;
}

int syncline_lan_client_close(struct syncline_lan_client *c)
{
    int rc = lib_lan_loop_stop(&c->end.loop);

    if (rc == SYNCLINE_OK)
        release(c);
    return rc;
}

int syncline_lan_client_free(struct syncline_lan_client *c)
{
    int rc;

    if (c == NULL)
        return SYNCLINE_OK;
    rc = syncline_lan_client_close(c);
    if (rc == SYNCLINE_OK)
        client_free(c);
    return rc;
}

/* ---- coming in ---- */

struct entry {
    struct syncline_lan_client *client;
    const char *credentials; /* NULL: those that are there, or the secret */
    struct buf payload;
};

static int on_entry(void *arg)
{
    struct entry *y = arg;
    const struct syncline_lan_client *c = y->client;

    if (y->credentials != NULL) {
        buf_put_str(&y->payload, y->credentials);
    } else if (c->credentials.len > 0) {
        buf_put_slice(&y->payload, buf_slice(&c->credentials));
    } else {
        buf_put_str(&y->payload, "{\"token\":");
        json_print_string(&y->payload, buf_slice(&c->end.secret), false);
        buf_put_u8(&y->payload, '}');
    }
    buf_put_u8(&y->payload, 0);
    return buf_status(&y->payload) == SYNCLINE_OK
        ? SYNCLINE_OK
        : lib_fail(SYNCLINE_EINVAL, "the secret is no text that can be said");
}

/* What was good for once is said again after a reconnect. */
static int on_entered(void *arg)
{
    struct entry *y = arg;
    struct syncline_lan_client *c = y->client;

    c->auth = LAN_BY_TOKEN;
    wipe(&c->credentials);
    c->credentials = y->payload;
    c->credentials.len--; /* the NUL */
    y->payload = (struct buf){ 0 };
    return SYNCLINE_OK;
}

static int judge_entry(int status, const struct syncline_lan_message *m,
    struct buf *answer, struct errmsg *why)
{
    struct arena a = { 0 };
    struct json *v = NULL;
    struct slice error;
    int rc = SYNCLINE_OK;

    if (m == NULL && why->text[0] != 0)
        return status;
    if (m == NULL)
        return errmsg_set(why, status, "%s",
            status == SYNCLINE_ETIMEOUT
                ? "it does not say whether it lets us in: has it this secret, "
                  "and the right time?"
                : "the connection was closed");
    (void)!json_parse(&v, slice_str(m->payload), JSON_TOLERANT, &a, NULL);
    error = json_get_str(v, "error");
    if (json_get_bool(v, "success", false) && json_get(v, "auth_data") != NULL)
        json_print(answer, json_get(v, "auth_data"), JSON_COMPACT);
    else if (json_get_bool(v, "success", false) ||
        slice_is(json_get_str(v, "code"), "internal_error"))
        buf_put_str(answer, "null");
    else
        rc = errmsg_set(why, SYNCLINE_EDENIED, "%.*s",
            SLICE_FMT(utf8_cut(
                error.len > 0 ? error : slice_str("it says no"), 400)));
    arena_free(&a);
    return rc;
}

static int enter(struct entry *y, char **data)
{
    struct lib_lan_end *e = &y->client->end;
    struct lib_lan_saying say = { .end = e, .type = SYNCLINE_LAN_AUTH_REQUEST };
    int rc;

    if (lib_lan_loop_inside(&e->loop))
        return lib_fail(SYNCLINE_EBUSY, "not from a callback");
    rc = lib_lan_loop_call(&e->loop, on_entry, y);
    say.payload = (const char *)y->payload.ptr;
    if (rc == SYNCLINE_OK)
        rc = lib_lan_ask(&say, judge_entry, data);
    if (rc == SYNCLINE_OK)
        rc = lib_lan_loop_call(&e->loop, on_entered, y);
    return rc;
}

int syncline_lan_authenticate(
    struct syncline_lan_client *c, const char *credentials, char **auth_data)
{
    struct entry y = { .client = c, .credentials = credentials };
    struct arena a = { 0 };
    struct json *v;
    char *data = NULL;
    int rc = lib_lan_object(&v, credentials, "credentials", &a);

    if (rc == SYNCLINE_OK && json_get(v, "request_id") != NULL)
        rc = lib_fail(
            SYNCLINE_EINVAL, "credentials: request_id is the library's");
    arena_free(&a);
    if (rc == SYNCLINE_OK)
        rc = enter(&y, &data);
    wipe(&y.payload);
    if (rc == SYNCLINE_OK && auth_data != NULL)
        *auth_data = data;
    else
        free(data);
    return rc;
}

/* ---- saying ---- */

int syncline_lan_client_send(
    struct syncline_lan_client *c, const char *type, const char *payload)
{
    struct lib_lan_saying say = {
        .end = &c->end, .type = type, .payload = payload
    };

    return lib_lan_say(&say);
}

int syncline_lan_client_request(struct syncline_lan_client *c, const char *type,
    const char *payload, uint32_t timeout_ms, char **answer)
{
    struct lib_lan_saying say = { .end = &c->end,
        .type = type,
        .payload = payload,
        .timeout_ms = timeout_ms };

    return lib_lan_ask(&say, NULL, answer);
}

int syncline_lan_client_ask(struct syncline_lan_client *c, const char *type,
    const char *payload, uint32_t timeout_ms, syncline_lan_answer_fn *fn,
    void *ctx)
{
    struct lib_lan_saying say = { .end = &c->end,
        .type = type,
        .payload = payload,
        .timeout_ms = timeout_ms,
        .fn = fn,
        .ctx = ctx };

    if (fn == NULL)
        return lib_fail(SYNCLINE_EINVAL, "fn: missing");
    return lib_lan_say(&say);
}

/* ---- status ---- */

struct status {
    struct syncline_lan_client *client;
    struct buf text;
};

static void put_status(struct status *q, const struct lib_lan_conn *conn)
{
    const struct lan_link *link =
        conn != NULL && !conn->is_over ? conn->link : NULL;
    struct buf *b = &q->text;

    buf_printf(b, ",\"connected\":%s,\"authenticated\":%s,\"node_id\":",
        link != NULL && conn->was_up ? "true" : "false",
        link != NULL && conn->is_open && q->client->auth != LAN_BY_NOTHING
            ? "true"
            : "false");
    json_print_said(b, slice_str(link != NULL ? lan_link_node(link) : ""));
    buf_put_str(b, ",\"node_name\":");
    json_print_said(b, slice_str(link != NULL ? lan_link_name(link) : ""));
    buf_printf(b, ",\"dialect\":\"%s\",\"session_token\":",
        dialects[link != NULL ? lan_link_dialect(link) : q->client->dialect]);
    json_print_said(b, buf_slice(&q->client->session));
    buf_put_str(b, ",\"error\":");
    json_print_said(b, slice_str(q->client->why));
    buf_put_u8(b, '}');
}

static int on_status(void *arg)
{
    struct status *q = arg;

    buf_put_str(&q->text, "{\"running\":true");
    put_status(q, q->client->end.conns);
    return SYNCLINE_OK;
}

int syncline_lan_client_status(struct syncline_lan_client *c, char **status)
{
    struct status q = { .client = c };
    int rc = lib_lan_loop_call(&c->end.loop, on_status, &q);

    if (rc == SYNCLINE_ECLOSED) {
        buf_clear(&q.text);
        buf_put_str(&q.text,
            "{\"running\":false,\"connected\":false,\"authenticated\":false,"
            "\"node_id\":\"\",\"node_name\":\"\",\"dialect\":\"\","
            "\"session_token\":\"\",\"error\":\"\"}");
        rc = SYNCLINE_OK;
    }
    if (rc == SYNCLINE_OK)
        return lib_lan_text(status, &q.text);
    buf_free(&q.text);
    return rc;
}
