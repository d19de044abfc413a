#include "app/daemon.h"

#include "app/answer.h"
#include "app/dashboard.h"
#include "app/faces.h"
#include "app/hub_face.h"
#include "app/log_request.h"
#include "app/log_sink.h"
#include "app/options/options_edit.h"
#include "app/passphrase.h"
#include "app/qr.h"
#include "app/control_server.h"
#include "io/sockaddr.h"

#include <netdb.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#define ROOTS_MAX 16
#define FILES_WANTED 4096

struct daemon {
    uv_loop_t loop;
    const struct daemon_options *opt;
    const struct options *options; /* as started */
    struct options *reloaded;      /* since SIGHUP; NULL: never */
    struct log_sink *sink;
    struct log log;
    struct log_levels levels; /* as the options say */
    struct engine *engine;
    struct control_server *control;
    struct hub_face *hub; /* NULL: no HTTP */
    struct faces faces;
    struct slice hosts[OPTIONS_HOSTS_MAX];
    struct slice roots[ROOTS_MAX];
    uv_signal_t signals[3];
    uv_async_t stop;
    bool stopping;
    int status;
    struct netaddr listen[OPTIONS_ADDRS_MAX], peers[OPTIONS_ADDRS_MAX],
        advertise[OPTIONS_ADDRS_MAX];
};

static const struct options *options_now(const struct daemon *d)
{
    return d->reloaded != NULL ? d->reloaded : d->options;
}

/* ---- the log ---- */

static enum log_target log_target(const struct options *o)
{
    const char *to = options_str(o, "log.to");

    if (strcmp(to, "journal") == 0)
        return LOG_TO_JOURNAL;
    return strcmp(to, "stderr") == 0 ? LOG_TO_STDERR : LOG_TO_AUTO;
}

/* What the options say; what was changed since then is over. */
static void set_log(struct daemon *d)
{
    const struct options *o = options_now(d);
    const struct log_sink_options opt = { .to = log_target(o),
        .socket = options_str(o, "log.socket"),
        .json = strcmp(options_str(o, "log.format"), "json") == 0 };
    struct errmsg why = { "" };

    /* The option was read by this before. */
    if (log_levels_parse(&d->levels, slice_str(options_str(o, "log.level")),
            NULL) == SYNCLINE_OK)
        log_levels_copy(log_sink_levels(d->sink), &d->levels);
    if (log_sink_set(d->sink, &opt, &why) != SYNCLINE_OK)
        log_line(&d->log, LOG_LEVEL_ERROR, "options", "%s", why.text);
}

static struct node_limits limits_of(const struct options *o)
{
    return (struct node_limits){
        .frames = (uint64_t)options_int(o, "limits.frames"),
        .rows = (uint64_t)options_int(o, "limits.rows"),
        .bytes = options_size(o, "limits.bytes"),
        .memory = options_size(o, "limits.memory"),
        .strangers = (uint64_t)options_int(o, "limits.strangers"),
        .backoff_us = options_us(o, "limits.backoff"),
        .writes = (uint64_t)options_int(o, "limits.writes"),
        .write_bytes = options_size(o, "limits.write_bytes"),
        .keys = (uint64_t)options_int(o, "limits.keys"),
    };
}

static struct node_tuning tuning_of(const struct options *o)
{
    const uint64_t bound_us = options_us(o, "clock.bound");

    return (struct node_tuning){ .limits = limits_of(o),
        .history_keep = (uint32_t)options_int(o, "history.keep"),
        .history_age_us = options_us(o, "history.age"),
        .retention_us = options_us(o, "retention"),
        .collect_us = options_us(o, "collect.interval"),
        .clock_bound_us = bound_us > 0 ? bound_us : UINT64_MAX };
}

/* What need not wait for a restart. An error: why says what does not hold. */
static int apply(struct daemon *d, struct errmsg *why)
{
    const struct node_tuning t = tuning_of(options_now(d));
    int rc;

    set_log(d);
    if (d->engine != NULL)
        engine_tune(d->engine, &t);
    errmsg_set(why, SYNCLINE_ENOMEM, "memory ran out");
    rc = faces_tune(&d->faces, options_now(d), why);
    if (rc != SYNCLINE_OK)
        log_line(&d->log, LOG_LEVEL_ERROR, "options",
            "some of it does not hold now: %s", why->text);
    return rc;
}

/* ---- addresses ---- */

static int look_up(const struct daemon *d, const char *option,
    struct option_addr at, struct netaddr *out)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
    int rc = getaddrinfo(at.host, NULL, &hints, &found);

    if (rc != 0) {
        log_line(&d->log, LOG_LEVEL_ERROR, "options",
            "%s: %s: no such address: %s", option, at.host, gai_strerror(rc));
        return SYNCLINE_EINVAL;
    }
    *out = netaddr_of(found->ai_addr);
    out->port = at.port;
    freeaddrinfo(found);
    return SYNCLINE_OK;
}

static int addresses(
    const struct daemon *d, const char *option, struct netaddr *out, size_t *n)
{
    const struct options *o = options_now(d);

    *n = options_list_n(o, option);
    if (*n > OPTIONS_ADDRS_MAX) {
        log_line(&d->log, LOG_LEVEL_ERROR, "options",
            "%s: more than %d addresses", option, OPTIONS_ADDRS_MAX);
        return SYNCLINE_ELIMIT;
    }
    for (size_t i = 0; i < *n; i++) {
        int rc = look_up(d, option, options_addr(o, option, i), &out[i]);

        if (rc != SYNCLINE_OK)
            return rc;
    }
    return SYNCLINE_OK;
}

/* ---- stopping ---- */

static void begin_stop(struct daemon *d, int status)
{
    if (d->stopping)
        return;
    d->stopping = true;
    if (d->status == 0)
        d->status = status;
    (void)uv_async_send(&d->stop);
}

/* In a turn of its own: whoever asked for the stop is done by then. */
static void on_stop(uv_async_t *a)
{
    struct daemon *d = a->data;
    int rc;

#ifdef HAVE_SYSTEMD
    (void)sd_notify(0, "STOPPING=1");
#endif
    rc = engine_close(d->engine);
    d->engine = NULL;
    if (rc != SYNCLINE_OK) {
        log_line(&d->log, LOG_LEVEL_ERROR, "daemon",
            "the stop was not clean (error %d): the next start is that of a "
            "new replica; nothing that was acknowledged is lost",
            rc);
        d->status = 1;
    }
    control_server_close(d->control);
    d->control = NULL;
    hub_face_close(d->hub);
    d->hub = NULL;
    faces_close(&d->faces);
    for (int i = 0; i < 3; i++)
        uv_close((uv_handle_t *)&d->signals[i], NULL);
    uv_close((uv_handle_t *)&d->stop, NULL);
}

static void on_fatal(void *ctx, const char *why)
{
    (void)why; /* the engine has logged it */
    begin_stop(ctx, 1);
}

/* Which of the options that were changed wait for a restart. What else does not
 * hold has been told. */
static void tell_reloaded(const struct daemon *d, bool holds)
{
    struct buf waiting = { 0 };

    options_put_waiting(&waiting, d->options, options_now(d));
    if (buf_status(&waiting) == SYNCLINE_OK && waiting.len > 0)
        log_line(&d->log, LOG_LEVEL_WARN, "options",
            "configuration read again; after a restart only: %.*s",
            SLICE_FMT(buf_slice(&waiting)));
    else if (holds)
        log_line(&d->log, LOG_LEVEL_INFO, "options",
            "configuration read again, and all of it is in force");
    buf_free(&waiting);
}

static void reload(struct daemon *d)
{
    struct errmsg why = { "" };
    struct options *o;
    bool holds;

    if (options_reload(&o, options_now(d), &why) != SYNCLINE_OK) {
        log_line(&d->log, LOG_LEVEL_ERROR, "options",
            "%s; the old configuration stays in force", why.text);
        return;
    }
    options_free(d->reloaded);
    d->reloaded = o;
    holds = apply(d, &why) == SYNCLINE_OK;
    if (faces_files(&d->faces, o, &why) != SYNCLINE_OK) {
        log_line(&d->log, LOG_LEVEL_WARN, "options", "%s", why.text);
        holds = false;
    }
    tell_reloaded(d, holds);
}

static void on_signal(uv_signal_t *s, int signum)
{
    struct daemon *d = s->data;

    if (signum == SIGHUP) {
        if (!d->stopping)
            reload(d);
        return;
    }
    log_line(&d->log, LOG_LEVEL_INFO, "daemon", "stopping");
    begin_stop(d, 0);
}

/* ---- requests that only the daemon can answer ---- */

static bool answer_config(struct daemon *d, struct buf *out)
{
    struct arena a = { 0 };
    struct json *list = options_describe(d->options, options_now(d), &a);

    buf_put_str(out, "{\"ok\":true,\"options\":");
    if (list != NULL)
        json_print(out, list, JSON_CANONICAL);
    else
        out->status = SYNCLINE_ENOMEM;
    buf_put_u8(out, '}');
    arena_free(&a);
    return true;
}

static void audit_config(struct daemon *d, const struct engine_asker *who,
    const struct option_edit *edits, size_t n)
{
    struct arena a = { 0 };
    struct json *told = json_new(&a, JSON_OBJECT);
    struct buf b = { 0 };

    for (size_t i = 0; i < n; i++)
        (void)json_add(told, slice_str(edits[i].name),
            edits[i].unset
                ? json_new(&a, JSON_NULL)
                : json_new_str(&a,
                      options_is_text(edits[i].name) ? SLICE_LIT("changed")
                                                     : edits[i].text));
    if (told != NULL)
        json_print(&b, told, JSON_CANONICAL);
    if (told != NULL && buf_status(&b) == SYNCLINE_OK)
        engine_audit_by(d->engine, who, "setting", buf_slice(&b));
    buf_free(&b);
    arena_free(&a);
}

/* The file is changed, and what can be is in force at once. */
static bool set_config(struct daemon *d, const struct json *request,
    const struct engine_asker *who, struct buf *out)
{
    struct option_edit edits[OPTION_CHANGES_MAX];
    struct errmsg why = { "" };
    struct arena a = { 0 };
    struct options *o = NULL;
    bool restart = false;
    size_t n = 0;
    int applied,
        rc = options_edits_of(edits, &n, json_get(request, "value"), &a, &why);

    if (rc == SYNCLINE_OK)
        rc = options_change(&o, options_now(d), edits, n, &why);
    if (rc == SYNCLINE_OK) {
        options_free(d->reloaded);
        d->reloaded = o;
        applied = apply(d, &why);
        audit_config(d, who, edits, n);
        for (size_t i = 0; i < n; i++)
            restart = restart || !options_is_live(edits[i].name);
        buf_printf(out, "{\"ok\":true,\"changed\":%zu,\"restart\":%s", n,
            restart ? "true" : "false");
        if (applied != SYNCLINE_OK) {
            buf_put_str(out, ",\"trouble\":");
            json_print_string(out, slice_str(why.text), false);
        }
        buf_put_u8(out, '}');
    } else {
        put_refusal(out, rc, &why);
    }
    arena_free(&a);
    return true;
}

static bool answer_log(
    struct daemon *d, const struct json *request, struct buf *out)
{
    struct log_levels *levels = log_sink_levels(d->sink);
    struct buf now = { 0 };
    bool changed;

    if (!log_request(levels, &d->levels, request, out, &changed))
        return false;
    log_levels_print(levels, &now);
    if (changed && buf_status(&now) == SYNCLINE_OK)
        log_line(&d->log, LOG_LEVEL_INFO, "daemon",
            "log.level is %.*s, until the next start or SIGHUP",
            SLICE_FMT(buf_slice(&now)));
    buf_free(&now);
    return true;
}

static bool on_local(void *ctx, const struct json *request,
    const struct engine_asker *who, struct buf *out)
{
    struct daemon *d = ctx;
    struct slice op = json_get_str(request, "op");

    if (slice_is(op, "config"))
        return answer_config(d, out);
    if (slice_is(op, "config_set"))
        return set_config(d, request, who, out);
    if (answer_log(d, request, out))
        return true;
    if (faces_answer(&d->faces, request, who, out))
        return true;
    if (!slice_is(op, "stop"))
        return false;
    log_line(&d->log, LOG_LEVEL_INFO, "daemon", "stopping, as told");
    begin_stop(d, 0);
    buf_put_str(out, "{\"ok\":true}");
    return true;
}

static void on_turn(void *ctx)
{
    struct daemon *d = ctx;

    if (d->control != NULL)
        control_server_flush(d->control);
    if (d->hub != NULL)
        hub_face_turn(d->hub);
    faces_turn(&d->faces);
}

static void on_closing(void *ctx)
{
    struct daemon *d = ctx;

    if (d->hub != NULL)
        hub_face_stop(d->hub);
    faces_stop(&d->faces);
}

static void put_status(void *ctx, struct buf *b)
{
    struct daemon *d = ctx;

    faces_put_status(&d->faces, b);
}

static void on_room(void *ctx)
{
    struct daemon *d = ctx;

    if (d->control != NULL)
        control_server_room(d->control);
}

/* ---- starting ---- */

static int make_hub(struct daemon *d, struct errmsg *why)
{
    const struct options *o = options_now(d);
    struct hub_face_options opt = { .loop = &d->loop,
        .hosts = d->hosts,
        .hosts_n = options_list_n(o, "http.hosts"),
        .connections = (size_t)options_int(o, "http.connections"),
        .stall_us = options_us(o, "http.stall"),
        .pages = dashboard_pages,
        .pages_n = dashboard_pages_n,
        .instances = config_face_instances(d->faces.configsync),
        .socketio = isync_face_hub(d->faces.isync) };

    if (!options_bool(o, "http.enabled"))
        return SYNCLINE_OK;
    if (opt.hosts_n > OPTIONS_HOSTS_MAX)
        return errmsg_set(why, SYNCLINE_ELIMIT,
            "http.hosts: more than %d names", OPTIONS_HOSTS_MAX);
    for (size_t i = 0; i < opt.hosts_n; i++)
        d->hosts[i] = slice_str(options_list(o, "http.hosts", i));
    return hub_face_new(&d->hub, &opt);
}

static const char *or_null(const char *s)
{
    return s[0] != 0 ? s : NULL;
}

static struct engine_web_options web_of(const struct daemon *d)
{
    const struct options *o = options_now(d);

    return (struct engine_web_options){ .enabled = d->hub != NULL,
        .cert = or_null(options_str(o, "tls.cert")),
        .key = or_null(options_str(o, "tls.key")),
        .hosts = d->hosts,
        .hosts_n = d->hub != NULL ? options_list_n(o, "http.hosts") : 0 };
}

static int roots_of(struct daemon *d, size_t *n, struct errmsg *why)
{
    const struct options *o = options_now(d);

    *n = options_list_n(o, "files.root");
    if (*n > ROOTS_MAX)
        return errmsg_set(why, SYNCLINE_ELIMIT,
            "files.root: more than %d folders", ROOTS_MAX);
    for (size_t i = 0; i < *n; i++) {
        d->roots[i] = slice_str(options_list(o, "files.root", i));
        if (d->roots[i].ptr[0] != '/')
            return errmsg_set(why, SYNCLINE_EINVAL,
                "files.root: %.*s: a whole path is needed",
                SLICE_FMT(d->roots[i]));
    }
    return SYNCLINE_OK;
}

static int make_faces(struct daemon *d, struct errmsg *why)
{
    int rc = faces_make(&d->faces, options_now(d), &d->loop, d->log, why);

    return rc == SYNCLINE_OK ? make_hub(d, why) : rc;
}

static int start_faces(struct daemon *d, struct errmsg *why)
{
    int rc = d->hub != NULL ? hub_face_start(d->hub, d->engine) : SYNCLINE_OK;

    return rc == SYNCLINE_OK ? faces_start(&d->faces, d->engine, why) : rc;
}

static int other_addresses(struct daemon *d, struct engine_options *opt)
{
    int rc = addresses(d, "peer", d->peers, &opt->peers_n);

    return rc == SYNCLINE_OK
        ? addresses(d, "advertise", d->advertise, &opt->advertise_n)
        : rc;
}

static void name_guests(struct daemon *d, struct engine_options *opt)
{
    if (d->hub != NULL)
        opt->guests = hub_face_guests(d->hub);
    if (d->faces.lansync != NULL)
        opt->nodes = lan_face_nodes(d->faces.lansync);
}

static int open_engine(struct daemon *d, struct errmsg *why)
{
    const struct options *o = options_now(d);
    const struct node_tuning tune = tuning_of(o);
    char credential[PATH_MAX];
    struct passphrase_source source = { d->opt->passphrase_file, true, true };
    struct engine_options opt = { .loop = &d->loop,
        .dir = options_str(o, "dir"),
        .identity =
            credential_path(credential, sizeof credential, "syncline.identity")
            ? credential
            : NULL,
        .passphrase = passphrase_find,
        .passphrase_ctx = &source,
        .name = options_str(o, "name"),
        .tokens = true,
        .relay = strcmp(options_str(o, "role"), "relay") == 0,
        .log = d->log,
        .listen = d->listen,
        .peers = d->peers,
        .advertise = d->advertise,
        .interface = options_list_n(o, "interface") > 0
            ? options_list(o, "interface", 0)
            : NULL,
        .discovery = options_bool(o, "discovery"),
        .beacon_us = options_us(o, "beacon.interval"),
        .heartbeat_us = options_us(o, "heartbeat.interval"),
        .silence_us = options_us(o, "heartbeat.silence"),
        .dial_max_us = options_us(o, "dial.max"),
        .limits = tune.limits,
        .history_keep = tune.history_keep,
        .history_age_us = tune.history_age_us,
        .retention_us = tune.retention_us,
        .collect_us = tune.collect_us,
        .clock_bound_us = tune.clock_bound_us,
        .files_roots = d->roots,
        .files_http = options_bool(o, "files.http"),
        .files_max = options_size(o, "files.max"),
        .overlay_bytes = options_size(o, "store.overlay"),
        .checkpoint_ms = options_us(o, "store.checkpoint_age") / 1000,
        .resolve_command = or_null(options_str(o, "resolve.command")),
        .on_fatal = on_fatal,
        .fatal_ctx = d,
        .on_turn = on_turn,
        .turn_ctx = d,
        .picture = put_qr_json,
        .local = on_local,
        .local_ctx = d,
        .put_status = put_status,
        .status_ctx = d,
        .on_closing = on_closing,
        .closing_ctx = d,
        .on_room = on_room,
        .room_ctx = d };
    int rc = make_faces(d, why);

    if (rc == SYNCLINE_OK)
        name_guests(d, &opt);
    opt.web = web_of(d);
    if (rc == SYNCLINE_OK)
        rc = roots_of(d, &opt.files_roots_n, why);
    if (rc == SYNCLINE_OK)
        rc = addresses(d, "listen", d->listen, &opt.listen_n);
    if (rc == SYNCLINE_OK && options_list_n(o, "interface") > 1)
        rc = errmsg_set(why, SYNCLINE_EINVAL,
            "interface: only one can be named; name none for all");
    if (rc == SYNCLINE_OK)
        rc = other_addresses(d, &opt);
    return rc == SYNCLINE_OK ? engine_open(&d->engine, &opt, why) : rc;
}

static void catch_signals(struct daemon *d)
{
    static const int wanted[3] = { SIGTERM, SIGINT, SIGHUP };

    for (int i = 0; i < 3; i++) {
        (void)uv_signal_init(&d->loop, &d->signals[i]);
        d->signals[i].data = d;
        (void)uv_signal_start(&d->signals[i], on_signal, wanted[i]);
    }
    (void)uv_async_init(&d->loop, &d->stop, on_stop);
    d->stop.data = d;
}

static void say_ready(const struct daemon *d)
{
    const struct netaddr *list;
    char addr[NETADDR_TEXT];
    size_t n;

    list = engine_listening(d->engine, &n);
    for (size_t i = 0; i < n; i++) {
        netaddr_format(addr, &list[i]);
        log_line(&d->log, LOG_LEVEL_INFO, "daemon", "listening on %s", addr);
    }
    log_line(&d->log, LOG_LEVEL_INFO, "daemon", "ready in %s",
        engine_dir(d->engine));
#ifdef HAVE_SYSTEMD
    (void)sd_notify(0, "READY=1");
#endif
}

/* A core would hold the device's key, the mesh's secret and everybody's
 * items. */
static void forbid_cores(const struct daemon *d)
{
    if (!d->opt->core_dumps && prctl(PR_SET_DUMPABLE, 0) != 0)
        log_line(&d->log, LOG_LEVEL_WARN, "daemon",
            "core dumps cannot be turned off: %s", strerror(errno));
}

/* Each caller is one, and so is each peer: what this system starts programs
 * with is too few for some. */
static void raise_files(const struct daemon *d)
{
    const uint64_t wanted =
        256 + (uint64_t)options_int(d->options, "http.connections");
    const uint64_t enough = wanted > FILES_WANTED ? wanted : FILES_WANTED;
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) != 0)
        return;
    if (r.rlim_cur < enough) {
        r.rlim_cur = r.rlim_max < enough ? r.rlim_max : enough;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < wanted)
        log_line(&d->log, LOG_LEVEL_WARN, "daemon",
            "this system lets it open %llu files; http.connections may take "
            "%llu: raise it (ulimit -n, LimitNOFILE)",
            (unsigned long long)r.rlim_cur, (unsigned long long)wanted);
}

static void tell_cores(const struct daemon *d)
{
    if (d->opt->core_dumps)
        engine_audit(
            d->engine, "setting", SLICE_LIT("{\"core_dumps\":\"allowed\"}"));
}

int daemon_run(const struct options *o, const struct daemon_options *start)
{
    struct daemon *d = calloc(1, sizeof *d);
    struct errmsg why = { "" };
    int rc, status;

    if (d == NULL || log_sink_new(&d->sink) != SYNCLINE_OK ||
        uv_loop_init(&d->loop) != 0) {
        log_sink_free(d != NULL ? d->sink : NULL);
        free(d);
        return SYNCLINE_ENOMEM;
    }
    d->options = o;
    d->opt = start;
    d->log = log_sink_log(d->sink);
    set_log(d);
    forbid_cores(d);
    raise_files(d);
    catch_signals(d);
    rc = open_engine(d, &why);
    if (rc == SYNCLINE_OK)
        rc = start_faces(d, &why);
    if (rc == SYNCLINE_OK) {
        struct control_server_options opt = {
            .loop = &d->loop, .engine = d->engine, .log = d->log
        };

        rc = control_server_open(&d->control, &opt, &why);
    }
    if (rc != SYNCLINE_OK) {
        if (why.text[0] != 0)
            log_line(&d->log, LOG_LEVEL_ERROR, "daemon", "%s", why.text);
        begin_stop(d, 1);
    } else {
        tell_cores(d);
        say_ready(d);
    }
    (void)uv_run(&d->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&d->loop);
    options_free(d->reloaded);
    status = d->status;
    log_sink_free(d->sink);
    free(d);
    return status == 0 ? SYNCLINE_OK : SYNCLINE_EIO;
}
