#include "app/lan/lan_options.h"

#include "app/private_file.h"
#include "crypto/crypto.h"
#include "io/sockaddr.h"

#define SECRET_MAX 4096
#define US UINT64_C(1000000)
#define PEERS_MAX OPTIONS_ADDRS_MAX
#define LAN_PINS_MAX 64

struct lists {
    struct netaddr listen[OPTIONS_BIND_MAX];
    struct network admit[OPTIONS_ADMIT_MAX];
    struct option_addr peers[PEERS_MAX];
    struct tls_pin pins[LAN_PINS_MAX];
    struct buf secret, path;
};

static int too_many(struct errmsg *why, const char *name, size_t most)
{
    return errmsg_set(
        why, SYNCLINE_ELIMIT, "%s: more than %zu are named", name, most);
}

static int read_listen(struct lan_face_options *out, struct lists *l,
    const struct options *o, struct errmsg *why)
{
    uint16_t port = (uint16_t)options_int(o, "lansync.port");

    out->listen = l->listen;
    out->listen_n = options_list_n(o, "lansync.bind");
    if (out->listen_n > OPTIONS_BIND_MAX)
        return too_many(why, "lansync.bind", OPTIONS_BIND_MAX);
    for (size_t i = 0; i < out->listen_n; i++) {
        const char *text = options_list(o, "lansync.bind", i);

        if (netaddr_parse_here(&l->listen[i], slice_str(text), port, NULL) !=
            SYNCLINE_OK)
            return errmsg_set(why, SYNCLINE_EINVAL,
                "lansync.bind: %s: no address; write 127.0.0.1, 0.0.0.0, :: or "
                "fe80::1%%eth0",
                text);
    }
    return SYNCLINE_OK;
}

static int read_admit(struct lan_face_options *out, struct lists *l,
    const struct options *o, struct errmsg *why)
{
    struct errmsg what = { "" };

    out->admit = l->admit;
    out->admit_n = options_list_n(o, "lansync.admit");
    if (out->admit_n > OPTIONS_ADMIT_MAX)
        return too_many(why, "lansync.admit", OPTIONS_ADMIT_MAX);
    for (size_t i = 0; i < out->admit_n; i++)
        if (network_parse(&l->admit[i],
                slice_str(options_list(o, "lansync.admit", i)),
                &what) != SYNCLINE_OK)
            return errmsg_set(
                why, SYNCLINE_EINVAL, "lansync.admit: %.400s", what.text);
    return SYNCLINE_OK;
}

static int read_peers(struct lan_face_options *out, struct lists *l,
    const struct options *o, struct errmsg *why)
{
    out->peers = l->peers;
    out->peers_n = options_list_n(o, "lansync.peers");
    if (out->peers_n > PEERS_MAX)
        return too_many(why, "lansync.peers", PEERS_MAX);
    for (size_t i = 0; i < out->peers_n; i++)
        l->peers[i] = options_addr(o, "lansync.peers", i);
    return SYNCLINE_OK;
}

static enum lan_say say_of(const char *text)
{
    return strcmp(text, "always") == 0 ? LAN_SAY_ALWAYS
        : strcmp(text, "never") == 0   ? LAN_SAY_NEVER
                                       : LAN_SAY_KNOWN;
}

static const char *or_null(const char *s)
{
    return s[0] != 0 ? s : NULL;
}

static int read_pins(struct lan_face_options *out, struct lists *l,
    const struct options *o, struct errmsg *why)
{
    out->tls_pins = l->pins;
    out->tls_pins_n = options_list_n(o, "lansync.tls_pins");
    if (out->tls_pins_n > LAN_PINS_MAX)
        return too_many(why, "lansync.tls_pins", LAN_PINS_MAX);
    for (size_t i = 0; i < out->tls_pins_n; i++) {
        const char *text = options_list(o, "lansync.tls_pins", i);

        if (tls_pin_parse(&l->pins[i], slice_str(text)) != SYNCLINE_OK)
            return errmsg_set(why, SYNCLINE_EINVAL,
                "lansync.tls_pins: %.100s: no fingerprint; write the SHA-256 "
                "of a certificate, as the other node's status shows it",
                text);
    }
    return SYNCLINE_OK;
}

/* What is named for HTTPS is good for this, too. A file may hold both. */
static int read_tls(struct lan_face_options *out, struct lists *l,
    const struct options *o, struct errmsg *why)
{
    const char *mode = options_str(o, "lansync.tls");

    out->tls = strcmp(mode, "true") == 0 ? LAN_TLS_ON
        : strcmp(mode, "both") == 0      ? LAN_TLS_BOTH
                                         : LAN_TLS_OFF;
    out->tls_ca = or_null(options_str(o, "lansync.tls_ca"));
    out->tls_cert = or_null(options_str(o, "lansync.tls_cert"));
    out->tls_key = or_null(options_str(o, "lansync.tls_key"));
    if (out->tls_cert == NULL && out->tls_key != NULL)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "lansync.tls_key is named without lansync.tls_cert: name both, or "
            "neither");
    if (out->tls_cert == NULL) {
        out->tls_cert = or_null(options_str(o, "tls.cert"));
        out->tls_key = or_null(options_str(o, "tls.key"));
    }
    if (out->tls_key == NULL)
        out->tls_key = out->tls_cert;
    if (out->tls == LAN_TLS_OFF &&
        (out->tls_ca != NULL || options_list_n(o, "lansync.tls_pins") > 0))
        return errmsg_set(why, SYNCLINE_EINVAL,
            "lansync.tls_ca and lansync.tls_pins say whom to trust by TLS, but "
            "lansync.tls is false: set it to true");
    return read_pins(out, l, o, why);
}

/* A line's end behind it is the editor's. */
static int read_secret(struct lan_face_options *out, struct lists *l,
    const struct options *o, struct errmsg *why)
{
    const char *named = options_str(o, "lansync.secret_file");
    struct private_file file = { .what = "secret of LAN sync",
        .max = SECRET_MAX };
    int rc;

    if (named[0] != 0)
        buf_printf(&l->path, "%s%c", named, 0);
    else
        buf_printf(&l->path, "%s/lansync.secret%c", options_str(o, "dir"), 0);
    file.path = (const char *)l->path.ptr;
    rc = buf_status(&l->path);
    if (rc == SYNCLINE_OK)
        rc = private_file_read(&l->secret, &file, why);
    while (l->secret.len > 0 &&
        (l->secret.ptr[l->secret.len - 1] == '\n' ||
            l->secret.ptr[l->secret.len - 1] == '\r'))
        l->secret.len--;
    if (rc == SYNCLINE_ENOTFOUND || (rc == SYNCLINE_OK && l->secret.len == 0))
        return errmsg_set(why, SYNCLINE_ENOTFOUND,
            "lansync.enabled: the nodes' shared secret is missing: write it "
            "into %s, mode 0600, or set lansync.enabled: false",
            file.path);
    if (rc == SYNCLINE_OK && memchr(l->secret.ptr, 0, l->secret.len) != NULL)
        return errmsg_set(
            why, SYNCLINE_EINVAL, "%s: a secret is a text", file.path);
    out->secret = buf_slice(&l->secret);
    return rc;
}

static int make(struct lan_face **out, struct lan_face_options *opt,
    struct lists *l, const struct options *o, struct errmsg *why)
{
    int rc = read_listen(opt, l, o, why);

    if (rc == SYNCLINE_OK)
        rc = read_admit(opt, l, o, why);
    if (rc == SYNCLINE_OK)
        rc = read_peers(opt, l, o, why);
    if (rc == SYNCLINE_OK)
        rc = read_tls(opt, l, o, why);
    if (rc == SYNCLINE_OK)
        rc = read_secret(opt, l, o, why);
    return rc == SYNCLINE_OK ? lan_face_new(out, opt) : rc;
}

static void lists_free(struct lists *l)
{
    if (l->secret.cap > 0)
        crypto_wipe(l->secret.ptr, l->secret.cap);
    buf_free(&l->secret);
    buf_free(&l->path);
}

int lan_options_secret(
    const struct lan_face *f, const struct options *o, struct errmsg *why)
{
    struct lists l = { .secret = { .max = SECRET_MAX } };
    struct lan_face_options opt = { 0 };
    int rc = read_secret(&opt, &l, o, why);

    if (rc == SYNCLINE_OK && !lan_face_has_secret(f, opt.secret))
        rc = errmsg_set(why, SYNCLINE_EINVAL,
            "lansync.secret_file: %s holds another secret than at the start, "
            "which is used after a restart only",
            (const char *)l.path.ptr);
    lists_free(&l);
    return rc;
}

int lan_options_face(struct lan_face **out, const struct options *o,
    uv_loop_t *loop, struct log log, struct errmsg *why)
{
    struct lists l = { .secret = { .max = SECRET_MAX } };
    struct lan_face_options opt = { .loop = loop,
        .log = log,
        .space = options_str(o, "lansync.space"),
        .node_id = or_null(options_str(o, "lansync.node_id")),
        .node_name = options_str(o, "name"),
        .strategy = options_str(o, "lansync.strategy"),
        .say_secret = say_of(options_str(o, "lansync.say_secret")),
        .needs_auth = options_bool(o, "lansync.auth"),
        .discovery = options_bool(o, "lansync.discovery"),
        .interface = or_null(options_list_n(o, "interface") > 0
                ? options_list(o, "interface", 0)
                : ""),
        .discovery_us =
            (uint64_t)options_int(o, "lansync.discovery_interval") * US,
        .device_us = (uint64_t)options_int(o, "lansync.device_timeout") * US,
        .ttl_us = options_us(o, "lansync.ttl"),
        .ahead_us = options_us(o, "lansync.ahead"),
        .connect_us = options_us(o, "lansync.connect_timeout"),
        .auth_us = options_us(o, "lansync.auth_timeout"),
        .heartbeat_us = options_us(o, "lansync.heartbeat"),
        .heartbeat_wait_us = options_us(o, "lansync.heartbeat_timeout"),
        .misses_max = (unsigned)options_int(o, "lansync.heartbeat_misses"),
        .idle_us = options_us(o, "lansync.idle"),
        .rate = (uint64_t)options_int(o, "lansync.rate"),
        .compress = options_bool(o, "lansync.compress"),
        .request_us = options_us(o, "lansync.timeout"),
        .dial_max_us = options_us(o, "lansync.dial_max") };
    int rc;

    *out = NULL;
    if (!options_bool(o, "lansync.enabled"))
        return SYNCLINE_OK;
    rc = make(out, &opt, &l, o, why);
    lists_free(&l);
    return rc;
}
