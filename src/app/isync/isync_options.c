#include "app/isync/isync_options.h"

#include "app/isync/isync_conns.h"
#include "io/fetch.h"

#define US UINT64_C(1000000)

static int too_many(struct errmsg *why, const char *name, size_t most)
{
    return errmsg_set(
        why, SYNCLINE_ELIMIT, "%s: more than %zu are named", name, most);
}

static int read_listen(
    struct isync_tuned *out, const struct options *o, struct errmsg *why)
{
    const uint16_t port = (uint16_t)options_int(o, "isync.port");
    const size_t n = options_list_n(o, "isync.bind");

    out->tuning.listen = out->listen;
    if (!options_bool(o, "isync.server"))
        return SYNCLINE_OK;
    if (n > OPTIONS_BIND_MAX)
        return too_many(why, "isync.bind", OPTIONS_BIND_MAX);
    out->tuning.listen_n = n;
    for (size_t i = 0; i < n; i++) {
        const char *text = options_list(o, "isync.bind", i);

        if (netaddr_parse(&out->listen[i], slice_str(text), port, NULL) !=
            SYNCLINE_OK)
            return errmsg_set(why, SYNCLINE_EINVAL,
                "isync.bind: %s: no address; write 127.0.0.1, 0.0.0.0 or ::",
                text);
    }
    return SYNCLINE_OK;
}

static int read_admit(
    struct isync_tuned *out, const struct options *o, struct errmsg *why)
{
    const size_t n = options_list_n(o, "isync.admit");
    struct errmsg what = { "" };

    if (n > OPTIONS_ADMIT_MAX)
        return too_many(why, "isync.admit", OPTIONS_ADMIT_MAX);
    out->tuning.admit = out->admit;
    out->tuning.admit_n = n;
    for (size_t i = 0; i < n; i++)
        if (network_parse(&out->admit[i],
                slice_str(options_list(o, "isync.admit", i)),
                &what) != SYNCLINE_OK)
            return errmsg_set(
                why, SYNCLINE_EINVAL, "isync.admit: %.400s", what.text);
    return SYNCLINE_OK;
}

static int read_names(const char **out, size_t *n, size_t most,
    const struct options *o, const char *name, struct errmsg *why)
{
    *n = options_list_n(o, name);
    if (*n > most)
        return too_many(why, name, most);
    for (size_t i = 0; i < *n; i++)
        out[i] = options_list(o, name, i);
    return SYNCLINE_OK;
}

static int check_peers(
    const struct isync_tuning *t, const struct options *o, struct errmsg *why)
{
    struct errmsg what = { "" };
    int rc = SYNCLINE_OK;

    if (options_list_n(o, "isync.peers") > OPTIONS_INSTANCES_MAX)
        return too_many(why, "isync.peers", OPTIONS_INSTANCES_MAX);
    for (size_t i = 0; rc == SYNCLINE_OK && i < t->peers_n; i++)
        if (isync_url_check(t->peers[i], &what) != SYNCLINE_OK)
            rc = errmsg_set(
                why, SYNCLINE_EINVAL, "isync.peers: %.400s", what.text);
    if (rc == SYNCLINE_OK && t->discovery_url != NULL &&
        fetch_url_check(t->discovery_url, &what) != SYNCLINE_OK)
        rc = errmsg_set(
            why, SYNCLINE_EINVAL, "isync.discovery_url: %.400s", what.text);
    return rc;
}

static const char *or_null(const char *s)
{
    return s[0] != 0 ? s : NULL;
}

static enum isync_pages pages_of(const struct options *o)
{
    const char *text = options_str(o, "isync.pages");

    if (strcmp(text, "admitted") == 0)
        return ISYNC_PAGES_ADMITTED;
    if (strcmp(text, "local") == 0)
        return ISYNC_PAGES_LOCAL;
    return strcmp(text, "none") == 0 ? ISYNC_PAGES_NONE : ISYNC_PAGES_VIEW;
}

int isync_options_tuned(
    struct isync_tuned *out, const struct options *o, struct errmsg *why)
{
    const bool auto_discover = options_bool(o, "isync.auto_discover");
    const size_t n = options_list_n(o, "isync.peers");
    int rc;

    *out = (struct isync_tuned){
        .tuning = { .max_peers = (size_t)options_int(o, "isync.max_peers"),
            .interval_us = (uint64_t)options_int(o, "isync.interval") * US,
            .rotate_s = options_us(o, "isync.rotate") / US,
            .overlap_s = options_us(o, "isync.overlap") / US,
            .is_clear = options_bool(o, "isync.clear"),
            .pages = pages_of(o),
            .peers = out->peers,
            .peers_n = n < OPTIONS_INSTANCES_MAX ? n : OPTIONS_INSTANCES_MAX,
            .hosts = out->hosts,
            .patterns = out->patterns,
            .dial_max_us = options_us(o, "isync.dial_max"),
            .auto_discover = auto_discover,
            .discovery_url = auto_discover
                ? or_null(options_str(o, "isync.discovery_url"))
                : NULL }
    };
    for (size_t i = 0; i < out->tuning.peers_n; i++)
        out->peers[i] = options_list(o, "isync.peers", i);
    rc = read_names(out->hosts, &out->tuning.hosts_n, OPTIONS_HOSTS_MAX, o,
        "isync.hosts", why);
    if (rc == SYNCLINE_OK)
        rc = read_names(out->patterns, &out->tuning.patterns_n,
            OPTIONS_INSTANCES_MAX, o, "isync.patterns", why);
    if (rc == SYNCLINE_OK)
        rc = read_listen(out, o, why);
    return rc == SYNCLINE_OK ? read_admit(out, o, why) : rc;
}

static int make(struct isync_face **out, struct isync_face_options *opt,
    const struct options *o, struct errmsg *why)
{
    struct isync_tuned tuned;
    int rc = isync_options_tuned(&tuned, o, why);

    opt->tuning = tuned.tuning;
    if (rc == SYNCLINE_OK)
        rc = check_peers(&tuned.tuning, o, why);
    return rc == SYNCLINE_OK ? isync_face_new(out, opt) : rc;
}

int isync_options_face(struct isync_face **out, const struct options *o,
    uv_loop_t *loop, struct log log, struct errmsg *why)
{
    struct isync_face_options opt = { .loop = loop,
        .log = log,
        .dir = options_str(o, "dir"),
        .space = options_str(o, "isync.space"),
        .node_id = or_null(options_str(o, "isync.node_id")),
        .token = options_str(o, "isync.token"),
        .token_file = or_null(options_str(o, "isync.token_file")),
        .roots = or_null(options_str(o, "isync.ca")) };

    *out = NULL;
    return options_bool(o, "isync.enabled") ? make(out, &opt, o, why)
                                            : SYNCLINE_OK;
}
