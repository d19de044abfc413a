#include "app/config/config_options.h"

#include "app/config/config_tokens.h"
#include "crypto/crypto.h"

#define LISTEN_MAX OPTIONS_BIND_MAX
#define ADMIT_MAX OPTIONS_ADMIT_MAX
#define PEERS_MAX OPTIONS_INSTANCES_MAX
#define US UINT64_C(1000000)

struct lists {
    struct netaddr listen[LISTEN_MAX];
    struct network admit[ADMIT_MAX];
    struct ws_url peers[PEERS_MAX];
    const char *texts[PEERS_MAX], *tokens[PEERS_MAX];
    struct buf held; /* what tokens are in */
};

static int too_many(struct errmsg *why, const char *name, size_t most)
{
    return errmsg_set(
        why, SYNCLINE_ELIMIT, "%s: more than %zu are named", name, most);
}

static int read_listen(struct config_face_options *out, struct lists *l,
    const struct options *o, struct errmsg *why)
{
    uint16_t port = (uint16_t)options_int(o, "configsync.port");

    out->listen = l->listen;
    out->listen_n = options_list_n(o, "configsync.bind");
    if (out->listen_n > LISTEN_MAX)
        return too_many(why, "configsync.bind", LISTEN_MAX);
    for (size_t i = 0; i < out->listen_n; i++) {
        const char *text = options_list(o, "configsync.bind", i);

        if (netaddr_parse(&l->listen[i], slice_str(text), port, NULL) !=
            SYNCLINE_OK)
            return errmsg_set(why, SYNCLINE_EINVAL,
                "configsync.bind: %s: no address; write 127.0.0.1, 0.0.0.0 "
                "or ::",
                text);
    }
    return SYNCLINE_OK;
}

static int read_admit(struct config_face_options *out, struct lists *l,
    const struct options *o, struct errmsg *why)
{
    struct errmsg what = { "" };

    out->admit = l->admit;
    out->admit_n = options_list_n(o, "configsync.admit");
    if (out->admit_n > ADMIT_MAX)
        return too_many(why, "configsync.admit", ADMIT_MAX);
    for (size_t i = 0; i < out->admit_n; i++)
        if (network_parse(&l->admit[i],
                slice_str(options_list(o, "configsync.admit", i)),
                &what) != SYNCLINE_OK)
            return errmsg_set(
                why, SYNCLINE_EINVAL, "configsync.admit: %.400s", what.text);
    return SYNCLINE_OK;
}

static int read_peers(struct config_face_options *out, struct lists *l,
    const struct options *o, struct errmsg *why)
{
    struct errmsg what = { "" };

    out->peers = l->peers;
    out->peer_texts = l->texts;
    out->peers_n = options_list_n(o, "configsync.peers");
    if (out->peers_n > PEERS_MAX)
        return too_many(why, "configsync.peers", PEERS_MAX);
    for (size_t i = 0; i < out->peers_n; i++) {
        l->texts[i] = options_list(o, "configsync.peers", i);
        if (ws_url_parse(&l->peers[i], slice_str(l->texts[i]), &what) !=
            SYNCLINE_OK)
            return errmsg_set(
                why, SYNCLINE_EINVAL, "configsync.peers: %.400s", what.text);
    }
    return SYNCLINE_OK;
}

static int read_tokens(struct config_face_options *out, struct lists *l,
    const struct options *o, struct errmsg *why)
{
    const char *path = options_str(o, "configsync.tokens");

    if (path[0] == 0)
        return SYNCLINE_OK;
    out->peer_tokens = l->tokens;
    return config_tokens_read(l->tokens, &l->held, "configsync.tokens", path,
        l->texts, l->peers, out->peers_n, why);
}

static void wipe(struct buf *b)
{
    if (b->ptr != NULL)
        crypto_wipe(b->ptr, b->cap);
    buf_free(b);
}

/* auto: as what else is said would have it. */
static bool is_on(const struct options *o, const char *name, bool otherwise)
{
    const char *text = options_str(o, name);

    return strcmp(text, "auto") == 0 ? otherwise : strcmp(text, "true") == 0;
}

static const char *or_null(const char *s)
{
    return s[0] != 0 ? s : NULL;
}

static bool is_enabled(const struct options *o)
{
    bool has_peers = options_list_n(o, "configsync.peers") > 0;

    return is_on(o, "configsync.enabled",
        is_on(o, "configsync.server", has_peers) || has_peers);
}

/* Who switched it on and named nobody to call wants to be called. */
static bool serves(const struct options *o)
{
    return is_on(o, "configsync.server",
        options_list_n(o, "configsync.peers") > 0 ||
            is_on(o, "configsync.enabled", false));
}

static enum ws_offer compress_of(const struct options *o)
{
    const char *text = options_str(o, "configsync.compress");

    if (strcmp(text, "all") == 0)
        return WS_OFFER_ALL;
    return strcmp(text, "none") == 0 ? WS_OFFER_NONE : WS_OFFER_OWN;
}

int config_options_face(struct config_face **out, const struct options *o,
    uv_loop_t *loop, struct log log, struct errmsg *why)
{
    struct lists l = { .held = { 0 } };
    struct config_face_options opt = { .loop = loop,
        .log = log,
        .space = options_str(o, "configsync.space"),
        .key = options_str(o, "configsync.key"),
        .instance = or_null(options_str(o, "configsync.instance")),
        .serves = serves(o),
        .roots = or_null(options_str(o, "configsync.ca")),
        .rate = { (uint32_t)options_int(o, "configsync.rate"),
            (uint64_t)options_int(o, "configsync.block") * US,
            options_bool(o, "configsync.local_exempt") },
        .batch_us = options_us(o, "configsync.batch"),
        .heartbeat_us = options_us(o, "configsync.heartbeat"),
        .dial_max_us = options_us(o, "configsync.dial_max"),
        .compress = compress_of(o),
        .adopts = options_bool(o, "configsync.adopt") };
    int rc;

    *out = NULL;
    if (!is_enabled(o))
        return SYNCLINE_OK;
    rc = read_listen(&opt, &l, o, why);
    if (rc == SYNCLINE_OK)
        rc = read_admit(&opt, &l, o, why);
    if (rc == SYNCLINE_OK)
        rc = read_peers(&opt, &l, o, why);
    if (rc == SYNCLINE_OK)
        rc = read_tokens(&opt, &l, o, why);
    if (rc == SYNCLINE_OK)
        rc = config_face_new(out, &opt);
    wipe(&l.held);
    return rc;
}
