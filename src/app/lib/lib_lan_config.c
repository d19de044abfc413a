/* What is said of LAN sync: its configuration, a node's hand and its tokens. */
#include "app/lib/lib_lan.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "base/text.h"
#include "crypto/crypto.h"
#include "faces/lansync/token.h"

#define PORT 5000
#define NAME_MAX_LEN 255
#define TYPE_MAX 64
#define SECONDS_MAX 86400
#define CONFIG_SIZE_MIN offsetof(struct syncline_lan_config, host)
#define US_OF_MS UINT64_C(1000)

static int no_memory(void)
{
    return lib_fail(SYNCLINE_ENOMEM, "memory ran out");
}

/* ---- configuration ---- */

void syncline_lan_config_init(struct syncline_lan_config *config)
{
    *config = (struct syncline_lan_config){ .size = sizeof *config,
        .enabled = 1,
        .host = "0.0.0.0",
        .sync_port = PORT,
        .require_authentication = 1,
        .challenge = -1,
        .session_ms = 3600000,
        .use_ssl = 1,
        .verify_ssl = 1,
        .message_ttl_ms = 60000,
        .heartbeat_ms = 30000,
        .heartbeat_timeout_ms = 10000,
        .max_missed_heartbeats = 3,
        .client_timeout_ms = 90000,
        .messages_per_s = 1000,
        .connect_timeout_ms = 30000,
        .request_timeout_ms = 10000,
        .reconnect_ms = 5000,
        .reconnect_max_ms = 300000,
        .clients_max = 1024,
        .message_max = LAN_MESSAGE_MAX,
        .discovery_interval_ms = 30000,
        .device_timeout_ms = 90000,
        .log_level = SYNCLINE_LOG_WARN };
}

/* NULL, too, where it is empty. */
static const char *variable(const char *name)
{
    const char *text = getenv(name);

    return text != NULL && text[0] != 0 ? text : NULL;
}

static int read_switch(const char *name, int *out)
{
    static const char *const words[2][4] = { { "false", "0", "no", "off" },
        { "true", "1", "yes", "on" } };
    const char *text = variable(name);

    if (text == NULL)
        return SYNCLINE_OK;
    for (int is = 0; is < 2; is++)
        for (int i = 0; i < 4; i++)
            if (strcasecmp(text, words[is][i]) == 0) {
                *out = is;
                return SYNCLINE_OK;
            }
    return lib_fail(SYNCLINE_EINVAL, "%s: %s: true or false", name, text);
}

static int read_number(const char *name, long most, long *out)
{
    const char *text = variable(name);
    long n;
    char *end;

    if (text == NULL)
        return SYNCLINE_OK;
    n = strtol(text, &end, 10);
    if (*end != 0 || n < 1 || n > most)
        return lib_fail(
            SYNCLINE_EINVAL, "%s: %s: from 1 to %ld", name, text, most);
    *out = n;
    return SYNCLINE_OK;
}

static int read_seconds(const char *name, uint32_t *out_ms)
{
    long s = 0;
    int rc = read_number(name, SECONDS_MAX, &s);

    if (rc == SYNCLINE_OK && s > 0)
        *out_ms = (uint32_t)s * 1000;
    return rc;
}

int syncline_lan_config_env(struct syncline_lan_config *config)
{
    struct syncline_lan_config c = *config;
    long port = c.sync_port;
    int rc = read_switch("LAN_SYNC_ENABLED", &c.enabled);

    if (rc == SYNCLINE_OK)
        rc = read_switch("LAN_USE_SSL", &c.use_ssl);
    if (rc == SYNCLINE_OK)
        rc = read_switch("TROSYNC_VERIFY_SSL", &c.verify_ssl);
    if (rc == SYNCLINE_OK)
        rc = read_number("LAN_SYNC_PORT", UINT16_MAX, &port);
    if (rc == SYNCLINE_OK)
        rc = read_seconds(
            "LAN_SYNC_DISCOVERY_INTERVAL", &c.discovery_interval_ms);
    if (rc == SYNCLINE_OK)
        rc = read_seconds("LAN_SYNC_DEVICE_TIMEOUT", &c.device_timeout_ms);
    if (rc != SYNCLINE_OK)
        return rc;
    c.sync_port = (int)port;
    if (variable("LAN_SYNC_NODE_ID") != NULL)
        c.node_id = variable("LAN_SYNC_NODE_ID");
    if (variable("LAN_SYNC_NODE_NAME") != NULL)
        c.node_name = variable("LAN_SYNC_NODE_NAME");
    *config = c;
    return SYNCLINE_OK;
}

/* One of this or an earlier version; NULL: the defaults. */
static int take_config(
    struct syncline_lan_config *out, const struct syncline_lan_config *given)
{
    syncline_lan_config_init(out);
    if (given == NULL)
        return SYNCLINE_OK;
    if (given->size < CONFIG_SIZE_MIN || given->size > sizeof *out)
        return lib_fail(SYNCLINE_EINVAL,
            "the configuration needs syncline_lan_config_init of version %s",
            SYNCLINE_VERSION);
    memcpy(out, given, given->size);
    out->size = sizeof *out;
    if (out->dialect > SYNCLINE_LAN_SECOND ||
        out->auth > SYNCLINE_LAN_AUTH_PROOF)
        return lib_fail(SYNCLINE_EINVAL, "dialect, auth: no such one");
    if (out->message_ttl_ms == 0 || out->connect_timeout_ms == 0 ||
        out->request_timeout_ms == 0 || out->clients_max == 0 ||
        out->heartbeat_timeout_ms == 0 || out->max_missed_heartbeats == 0 ||
        out->message_max == 0 || out->message_max > UINT32_MAX)
        return lib_fail(SYNCLINE_EINVAL,
            "message_ttl_ms, connect_timeout_ms, request_timeout_ms, "
            "heartbeat_timeout_ms, max_missed_heartbeats, clients_max, "
            "message_max: not 0, and not too much");
    return SYNCLINE_OK;
}

/* ---- a node's hand ---- */

static int draw(void *ctx, uint8_t *out, size_t n)
{
    (void)ctx;
    return crypto_random(out, n);
}

static int draw_id(char out[33])
{
    uint8_t bytes[16];

    if (crypto_random(bytes, sizeof bytes) != SYNCLINE_OK)
        return lib_fail(SYNCLINE_EIO, "no random bytes are to be had");
    hex_encode(out, SLICE(bytes, sizeof bytes));
    return SYNCLINE_OK;
}

static int keep_name(
    char **out, const char *what, const char *given, const char *otherwise)
{
    const char *name = given != NULL ? given : otherwise;

    if (name[0] == 0 || strlen(name) > NAME_MAX_LEN ||
        !utf8_valid(slice_str(name)))
        return lib_fail(
            SYNCLINE_EINVAL, "%s: 1 to %d bytes of UTF-8", what, NAME_MAX_LEN);
    *out = strdup(name);
    return *out != NULL ? SYNCLINE_OK : no_memory();
}

static int protocol_of(
    struct lan_protocol **out, const struct syncline_lan_handler *h)
{
    const struct lan_protocol_options opt = { .node_id = h->node_id,
        .node_name = h->node_name,
        .key = buf_slice(&h->secret),
        .ttl_us = h->ttl_us,
        .ahead_us = h->ahead_us,
        .random = draw };

    return lan_protocol_new(out, &opt) == SYNCLINE_OK ? SYNCLINE_OK
                                                      : no_memory();
}

static int fill(struct syncline_lan_handler *h,
    const struct syncline_lan_config *given, struct slice secret)
{
    struct syncline_lan_config c;
    char id[33] = "", host[NAME_MAX_LEN + 1] = "";
    int rc = take_config(&c, given);

    if (rc == SYNCLINE_OK && c.node_id == NULL)
        rc = draw_id(id);
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == 0)
        (void)snprintf(host, sizeof host, "unnamed");
    if (rc == SYNCLINE_OK)
        rc = keep_name(&h->node_id, "node_id", c.node_id, id);
    if (rc == SYNCLINE_OK)
        rc = keep_name(&h->node_name, "node_name", c.node_name, host);
    if (rc != SYNCLINE_OK)
        return rc;
    h->dialect = (enum lan_dialect)c.dialect;
    h->ttl_us = c.message_ttl_ms * US_OF_MS;
    h->ahead_us = c.ahead_ms * US_OF_MS;
    buf_put_slice(&h->secret, secret);
    return buf_status(&h->secret) == SYNCLINE_OK ? protocol_of(&h->protocol, h)
                                                 : no_memory();
}

int syncline_lan_handler_new(struct syncline_lan_handler **out,
    const struct syncline_lan_config *config, const void *secret,
    size_t secret_len)
{
    struct syncline_lan_handler *h;
    int rc;

    if (secret == NULL || secret_len == 0 || secret_len > LIB_LAN_SECRET_MAX)
        return lib_fail(
            SYNCLINE_EINVAL, "secret: from 1 to %d bytes", LIB_LAN_SECRET_MAX);
    h = calloc(1, sizeof *h);
    if (h == NULL)
        return no_memory();
    (void)pthread_mutex_init(&h->lock, NULL);
    h->forks = forks_n();
    rc = fill(h, config, SLICE(secret, secret_len));
    if (rc != SYNCLINE_OK) {
        syncline_lan_handler_free(h);
        return rc;
    }
    *out = h;
    return SYNCLINE_OK;
}

static void wipe(struct buf *b)
{
    if (b->len > 0)
        crypto_wipe(b->ptr, b->len);
    buf_free(b);
}

void syncline_lan_handler_free(struct syncline_lan_handler *h)
{
    if (h == NULL)
        return;
    lan_protocol_free(h->protocol);
    wipe(&h->secret);
    free(h->node_id);
    free(h->node_name);
    (void)pthread_mutex_destroy(&h->lock);
    free(h);
}

const char *syncline_lan_handler_node_id(const struct syncline_lan_handler *h)
{
    return h->node_id;
}

/* ---- messages ---- */

bool lib_lan_type_ok(const char *type)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    size_t len = type != NULL ? strlen(type) : 0;

    return len > 0 && len <= TYPE_MAX && strchr(letters, type[0]) != NULL &&
        strspn(type, letters) +
            strspn(type + strspn(type, letters),
                "0123456789_"
                "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                "abcdefghijklmnopqrstuvwxyz") ==
        len;
}

int lib_lan_object(
    struct json **out, const char *text, const char *what, struct arena *a)
{
    struct errmsg why = { "memory ran out" };
    struct slice copy;
    int rc = SYNCLINE_ENOMEM;

    if (text == NULL) {
        *out = json_new(a, JSON_OBJECT);
        return *out != NULL ? SYNCLINE_OK : no_memory();
    }
    copy = arena_dup(a, slice_str(text));
    if (copy.ptr != NULL)
        rc = json_parse(out, copy, JSON_STRICT, a, &why);
    if (rc == SYNCLINE_OK && (*out)->type != JSON_OBJECT)
        rc = errmsg_set(&why, SYNCLINE_EMALFORMED, "no JSON object");
    if (rc == SYNCLINE_OK && json_depth(*out) >= JSON_DEPTH_MAX)
        rc = errmsg_set(&why, SYNCLINE_ELIMIT,
            "nested deeper than %d levels, and a message is one more",
            JSON_DEPTH_MAX - 1);
    return rc == SYNCLINE_OK ? rc : lib_fail(rc, "%s: %.400s", what, why.text);
}

int lib_lan_text(char **out, struct buf *b)
{
    buf_put_u8(b, 0);
    if (buf_status(b) != SYNCLINE_OK) {
        buf_free(b);
        return no_memory();
    }
    *out = (char *)b->ptr;
    *b = (struct buf){ 0 };
    return SYNCLINE_OK;
}

static void set_time(struct syncline_lan_handler *h)
{
    lan_protocol_set_wall(h->protocol, clock_wall_us(), clock_mono_us());
}

/* What goes over the wire but for its length. */
static int put_text(struct syncline_lan_handler *h,
    const struct lan_draft *draft, char **message)
{
    struct buf b = { 0 };
    int rc = lib_check_forks(h->forks);

    if (rc != SYNCLINE_OK)
        return rc;
    (void)pthread_mutex_lock(&h->lock);
    set_time(h);
    rc = lan_protocol_put(h->protocol, &b, draft, h->dialect, clock_mono_us());
    (void)pthread_mutex_unlock(&h->lock);
    if (rc != SYNCLINE_OK) {
        buf_free(&b);
        return lib_fail(rc, "%s",
            rc == SYNCLINE_ENOMEM ? "memory ran out"
                                  : "the message cannot be said");
    }
    buf_consume(&b, LAN_FRAME_HEAD);
    return lib_lan_text(message, &b);
}

int syncline_lan_create_message(struct syncline_lan_handler *h,
    const char *type, const char *payload, int sign, char **message)
{
    struct lan_draft draft = { .is_unsigned = sign == 0 };
    struct arena a = { 0 };
    struct json *value;
    int rc;

    if (!lib_lan_type_ok(type))
        return lib_fail(SYNCLINE_EINVAL, "type: no name of one");
    rc = lib_lan_object(&value, payload, "payload", &a);
    draft.type = lan_type_of(slice_str(type));
    draft.name = slice_str(type);
    if (rc == SYNCLINE_OK) {
        draft.payload = value;
        rc = put_text(h, &draft, message);
    }
    arena_free(&a);
    return rc;
}

/* Reads a message in the older module's words for what is wrong with it. */
static int read_message(
    struct lan_message *m, const char *message, struct arena *a)
{
    struct slice copy =
        message != NULL ? arena_dup(a, slice_str(message)) : SLICE_NONE;
    int rc;

    if (message == NULL)
        return lib_fail(SYNCLINE_EINVAL, "message: missing");
    rc =
        copy.ptr != NULL ? lan_message_read(m, copy, a, NULL) : SYNCLINE_ENOMEM;
    if (rc == SYNCLINE_ENOMEM)
        return no_memory();
    if (rc == SYNCLINE_EINVAL)
        return lib_fail(rc, "Missing message type");
    return rc == SYNCLINE_OK
        ? rc
        : lib_fail(SYNCLINE_EMALFORMED, "Invalid message format");
}

static int sign(
    struct syncline_lan_handler *h, const struct lan_message *m, struct buf *b)
{
    enum lan_dialect d = h->dialect != LAN_UNDECIDED ? h->dialect : LAN_SECOND;
    char signature[LAN_SIGNATURE_LEN + 1];
    struct mac_key key;
    int rc = crypto_mac_key(&key, buf_slice(&h->secret));

    if (rc == SYNCLINE_OK)
        rc = lan_message_sign(signature, m, d, &key);
    crypto_wipe(&key, sizeof key);
    if (rc != SYNCLINE_OK)
        return rc;
    lan_message_put(b, m, d, SLICE(signature, LAN_SIGNATURE_LEN));
    return buf_status(b);
}

int syncline_lan_sign_message(
    struct syncline_lan_handler *h, const char *message, char **signed_message)
{
    struct arena a = { 0 };
    struct buf b = { 0 };
    struct lan_message m;
    int rc = read_message(&m, message, &a);

    if (rc == SYNCLINE_OK) {
        rc = sign(h, &m, &b);
        if (rc != SYNCLINE_OK)
            rc = lib_fail(rc, "%s",
                rc == SYNCLINE_ENOMEM
                    ? "memory ran out"
                    : "the message cannot be said in that dialect");
    }
    arena_free(&a);
    if (rc != SYNCLINE_OK) {
        buf_free(&b);
        return rc;
    }
    buf_consume(&b, LAN_FRAME_HEAD);
    return lib_lan_text(signed_message, &b);
}

int syncline_lan_validate_message(
    struct syncline_lan_handler *h, const char *message, int require_signature)
{
    enum lan_dialect d = h->dialect;
    struct errmsg why = { "memory ran out" };
    struct arena a = { 0 };
    struct lan_message m;
    int rc = read_message(&m, message, &a);

    if (rc == SYNCLINE_OK)
        rc = lib_check_forks(h->forks);
    if (rc == SYNCLINE_OK) {
        (void)pthread_mutex_lock(&h->lock);
        set_time(h);
        rc = lan_protocol_check(
            h->protocol, &m, require_signature != 0, clock_mono_us(), &d, &why);
        (void)pthread_mutex_unlock(&h->lock);
        if (rc != SYNCLINE_OK)
            rc = lib_fail(rc == SYNCLINE_ENOTFOUND ? SYNCLINE_EDENIED : rc,
                "%s", why.text);
    }
    arena_free(&a);
    return rc;
}

/* ---- tokens ---- */

int syncline_lan_token(struct syncline_lan_handler *h, const char *node_id,
    uint32_t lasts_ms, char **token)
{
    struct arena a = { 0 };
    struct buf b = { 0 };
    int rc;

    if (node_id == NULL || node_id[0] == 0 || lasts_ms == 0 ||
        !utf8_valid(slice_str(node_id)))
        return lib_fail(
            SYNCLINE_EINVAL, "node_id, lasts_ms: not empty, and not 0");
    rc = lan_session_put(&b, slice_str(node_id), slice_str(h->node_id),
        buf_slice(&h->secret), clock_wall_us(), lasts_ms * US_OF_MS, &a);
    arena_free(&a);
    if (rc == SYNCLINE_OK)
        return lib_lan_text(token, &b);
    buf_free(&b);
    return no_memory();
}

int syncline_lan_token_check(
    struct syncline_lan_handler *h, const char *token, char **claims)
{
    struct arena a = { 0 };
    struct buf b = { 0 };
    struct json *v = NULL;
    int rc = token == NULL ? SYNCLINE_EINVAL
                           : lan_session_read(&v, slice_str(token),
                                 buf_slice(&h->secret), clock_wall_us(), &a);

    if (rc == SYNCLINE_OK)
        json_print(&b, v, JSON_COMPACT);
    arena_free(&a);
    if (rc == SYNCLINE_OK)
        return lib_lan_text(claims, &b);
    return lib_fail(rc, "%s",
        rc == SYNCLINE_EDENIED        ? "signed by somebody else"
            : rc == SYNCLINE_ETIMEOUT ? "it is over"
            : rc == SYNCLINE_ENOMEM   ? "memory ran out"
                                      : "no token");
}

/* ---- what a server and a client have in common ---- */

/* What strangers say may be in it. */
static void write_log(
    void *ctx, enum log_level level, const char *module, const char *text)
{
    const struct syncline_lan_config *c = ctx;
    struct buf inert = { 0 };

    put_inert(&inert, slice_str(text));
    buf_put_u8(&inert, 0);
    if (buf_status(&inert) == SYNCLINE_OK)
        c->log(c->log_ctx, (enum syncline_log_level)level, module,
            (const char *)inert.ptr);
    buf_free(&inert);
}

static int take_admit(struct lib_lan_end *e, const char *const *list)
{
    static const char *const local[] = { "local", NULL };
    struct errmsg why = { "" };

    for (list = list != NULL ? list : local; *list != NULL; list++) {
        if (e->admit_n == LIB_LAN_ADMIT_MAX)
            return lib_fail(SYNCLINE_EINVAL, "admit: more than %d networks",
                LIB_LAN_ADMIT_MAX);
        if (network_parse(&e->admit[e->admit_n++], slice_str(*list), &why) !=
            SYNCLINE_OK)
            return lib_fail(SYNCLINE_EINVAL, "admit: %.400s", why.text);
    }
    e->config.admit = NULL;
    return SYNCLINE_OK;
}

static int take_listen(struct lib_lan_end *e)
{
    const struct syncline_lan_config *c = &e->config;
    struct errmsg why = { "" };
    int port = c->sync_port == SYNCLINE_ANY_PORT ? 0 : c->sync_port;

    if (port < 0 || port > UINT16_MAX || c->sync_port == 0)
        return lib_fail(SYNCLINE_EINVAL, "sync_port: from 1 to 65535");
    if (c->host == NULL || c->host[0] == 0)
        return lib_fail(SYNCLINE_EINVAL, "host: missing");
    if (netaddr_parse(&e->listen, slice_str(c->host), (uint16_t)port, &why) !=
            SYNCLINE_OK ||
        e->listen.port != port)
        return lib_fail(
            SYNCLINE_EINVAL, "host: %s: an address without a port", c->host);
    e->config.host = NULL;
    return SYNCLINE_OK;
}

static int take_credentials(struct lib_lan_end *e)
{
    const char *text = e->config.credentials;
    struct json *v;
    int rc;

    if (text == NULL)
        return SYNCLINE_OK;
    rc = lib_lan_object(&v, text, "credentials", &e->kept);
    if (rc == SYNCLINE_OK && json_get(v, "request_id") != NULL)
        rc = lib_fail(
            SYNCLINE_EINVAL, "credentials: request_id is the library's");
    if (rc != SYNCLINE_OK)
        return rc;
    e->config.credentials =
        (const char *)arena_dup(&e->kept, slice_str(text)).ptr;
    return e->config.credentials != NULL ? rc : no_memory();
}

int lib_lan_end_init(struct lib_lan_end *e,
    const struct syncline_lan_config *config,
    const struct syncline_lan_handler *h)
{
    int rc;

    lib_lan_loop_init(&e->loop);
    e->loop.owner = e;
    e->scratch.keep = LIB_LAN_SCRATCH;
    if (h == NULL)
        return lib_fail(SYNCLINE_EINVAL, "a handler is needed");
    rc = take_config(&e->config, config);
    if (rc != SYNCLINE_OK)
        return rc;
    e->config.node_id = e->config.node_name = NULL;
    e->halves.max = e->config.message_max > LAN_HALVES_MAX / 2
        ? 2 * e->config.message_max
        : LAN_HALVES_MAX;
    e->log = (struct log){ .fn = e->config.log != NULL ? write_log : NULL,
        .ctx = &e->config,
        .level = (enum log_level)e->config.log_level };
    buf_put_slice(&e->secret, buf_slice(&h->secret));
    rc = buf_status(&e->secret) == SYNCLINE_OK ? take_listen(e) : no_memory();
    if (rc == SYNCLINE_OK)
        rc = take_admit(e, e->config.admit);
    if (rc == SYNCLINE_OK)
        rc = take_credentials(e);
    if (rc == SYNCLINE_OK)
        rc = lib_lan_tls_take(e);
    return rc == SYNCLINE_OK ? protocol_of(&e->protocol, h) : rc;
}

void lib_lan_end_close(struct lib_lan_end *e)
{
    lib_lan_handles_free(e);
    lib_lan_tls_close(e);
    lan_protocol_free(e->protocol);
    wipe(&e->secret);
    arena_free(&e->kept);
    arena_free(&e->scratch);
    buf_free(&e->payload);
    lib_lan_loop_close(&e->loop);
}
