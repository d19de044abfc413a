/* syncline.h: the options of a handle, checked and made the engine's. */
#include "app/lib/lib.h"

#include "app/log_request.h"
#include "base/text.h"
#include "io/sockaddr.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OPTIONS_SIZE_MIN offsetof(struct syncline_options, listen)
#define DEFAULT_PORT 4748
#define DEFAULT_MEMORY ((size_t)64 << 20)
#define CHECKPOINT_MS 1000
#define DEFAULT_FILE ((size_t)1 << 20)

/* ---- addresses ---- */

/* "host:port" or "host", where the host is a name. */
static int look_up(const char *text, struct netaddr *out)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
    const char *colon = strchr(text, ':');
    unsigned long port = DEFAULT_PORT;
    char host[256], *end;
    int rc;

    if (colon == NULL)
        colon = text + strlen(text);
    else
        port = strtoul(colon + 1, &end, 10);
    if (colon == text || (size_t)(colon - text) >= sizeof host ||
        port > UINT16_MAX || (*colon == ':' && (end == colon + 1 || *end != 0)))
        return lib_fail(SYNCLINE_EINVAL,
            "%s: not an address; write 192.0.2.7:4748, [2001:db8::7]:4748 or "
            "name:4748",
            text);
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = 0;
    rc = getaddrinfo(host, NULL, &hints, &found);
    if (rc != 0)
        return lib_fail(
            SYNCLINE_EINVAL, "%s: no such address: %s", text, gai_strerror(rc));
    *out = netaddr_of(found->ai_addr);
    out->port = (uint16_t)port;
    freeaddrinfo(found);
    return SYNCLINE_OK;
}

static int addresses(const char *const *list, struct lib_addrs *out)
{
    for (; list != NULL && *list != NULL; list++) {
        int rc;

        if (out->n == LIB_ADDRS_MAX)
            return lib_fail(SYNCLINE_ELIMIT, "%s: more than %d addresses",
                *list, LIB_ADDRS_MAX);
        rc = netaddr_parse(
            &out->e[out->n], slice_str(*list), DEFAULT_PORT, NULL);
        if (rc != SYNCLINE_OK)
            rc = look_up(*list, &out->e[out->n]);
        if (rc != SYNCLINE_OK)
            return rc;
        out->n++;
    }
    return SYNCLINE_OK;
}

/* ---- callbacks ---- */

/* A callback is no terminal, but what it does with the text may be one. */
static void write_log(
    void *ctx, enum log_level level, const char *module, const char *text)
{
    const struct syncline *s = ctx;
    struct buf inert = { 0 };

    put_inert(&inert, slice_str(text));
    buf_put_u8(&inert, 0);
    if (buf_status(&inert) == SYNCLINE_OK)
        s->log(s->log_ctx, (enum syncline_log_level)level, module,
            (const char *)inert.ptr);
    buf_free(&inert);
}

/* ---- files ---- */

static int keep_roots(struct syncline *s, const char *const *list)
{
    size_t n = 0;

    while (list != NULL && list[n] != NULL)
        n++;
    s->roots = calloc(n + 1, sizeof *s->roots);
    if (s->roots == NULL)
        return lib_fail(SYNCLINE_ENOMEM, "memory ran out");
    for (size_t i = 0; i < n; i++) {
        char *copy;

        if (list[i][0] != '/')
            return lib_fail(SYNCLINE_EINVAL,
                "file_roots: %s: a whole path is needed", list[i]);
        copy = strdup(list[i]);
        if (copy == NULL)
            return lib_fail(SYNCLINE_ENOMEM, "memory ran out");
        s->roots[s->roots_n++] = slice_str(copy);
    }
    return SYNCLINE_OK;
}

static int tell_file(
    void *ctx, const char *file, struct slice changed, bool reverted)
{
    const struct syncline *s = ctx;
    struct buf b = { 0 };
    int rc = 0;

    buf_put_slice(&b, changed);
    buf_put_u8(&b, 0);
    if (buf_status(&b) == SYNCLINE_OK)
        rc = s->on_file(
            s->on_file_ctx, file, (const char *)b.ptr, reverted ? 1 : 0);
    buf_free(&b);
    return rc;
}

/* ---- all of it ---- */

static int keep_name(struct syncline *s, const char *name)
{
    char host[256] = "";

    if (name == NULL) {
        if (gethostname(host, sizeof host - 1) != 0 || host[0] == 0)
            (void)snprintf(host, sizeof host, "unnamed");
        name = host;
    }
    s->name = strdup(name);
    return s->name == NULL ? lib_fail(SYNCLINE_ENOMEM, "memory ran out")
                           : SYNCLINE_OK;
}

static int keep_levels(struct syncline *s, const struct syncline_options *o)
{
    struct errmsg why = { "" };
    enum log_level all = (enum log_level)o->log_level;

    if (o->log_levels != NULL) {
        if (log_levels_parse(&s->levels, slice_str(o->log_levels), &why) !=
            SYNCLINE_OK)
            return lib_fail(SYNCLINE_EINVAL, "log_levels: %s", why.text);
    } else {
        all = all > LOG_LEVEL_DEBUG ? LOG_LEVEL_DEBUG : all;
        s->levels = (struct log_levels){ .rest = (uint8_t)all };
    }
    s->first_levels = s->levels;
    return SYNCLINE_OK;
}

int syncline_log_level(
    struct syncline *s, const char *module, const char *level)
{
    struct errmsg why = { "" };
    int rc;

    if (s == NULL || level == NULL || (module != NULL && module[0] == 0))
        return lib_fail(SYNCLINE_EINVAL,
            "a handle and a level are needed, and a module is NULL or named");
    rc = log_levels_change(&s->levels, &s->first_levels,
        module != NULL ? slice_str(module) : SLICE_NONE, slice_str(level),
        &why);
    return rc == SYNCLINE_OK ? rc : lib_fail(rc, "%s", why.text);
}

static int keep(struct syncline *s, const struct syncline_options *o)
{
    int rc = addresses(o->listen, &s->listen);

    if (rc == SYNCLINE_OK)
        rc = addresses(o->peers, &s->peers);
    if (rc == SYNCLINE_OK)
        rc = addresses(o->advertise, &s->advertise);
    if (rc == SYNCLINE_OK)
        rc = keep_name(s, o->name);
    if (rc == SYNCLINE_OK && o->interface != NULL) {
        s->interface = strdup(o->interface);
        if (s->interface == NULL)
            rc = lib_fail(SYNCLINE_ENOMEM, "memory ran out");
    }
    if (rc == SYNCLINE_OK)
        rc = keep_levels(s, o);
    if (rc == SYNCLINE_OK)
        rc = keep_roots(s, o->file_roots);
    s->on_file = o->on_file;
    s->on_file_ctx = o->on_file_ctx;
    s->log = o->log;
    s->log_ctx = o->log_ctx;
    s->resolve = o->resolve;
    s->resolve_ctx = o->resolve_ctx;
    return rc;
}

struct log lib_log(struct syncline *s)
{
    return (struct log){
        .fn = s->log != NULL ? write_log : NULL, .ctx = s, .levels = &s->levels
    };
}

int lib_options(struct syncline *s, const struct syncline_options *given,
    struct engine_options *out)
{
    struct syncline_options o = { 0 };
    int rc;

    if (given == NULL || given->size < OPTIONS_SIZE_MIN ||
        given->size > sizeof o || given->dir == NULL || given->dir[0] == 0)
        return lib_fail(SYNCLINE_EINVAL,
            given != NULL && given->size > sizeof o
                ? "the options are those of a newer version than %s"
                : "the options need a size and a dir (version %s)",
            SYNCLINE_VERSION);
    memcpy(&o, given, given->size);
    rc = keep(s, &o);
    *out = (struct engine_options){ .dir = o.dir,
        .name = s->name,
        .log = lib_log(s),
        .listen = s->listen.e,
        .listen_n = s->listen.n,
        .peers = s->peers.e,
        .peers_n = s->peers.n,
        .advertise = s->advertise.e,
        .advertise_n = s->advertise.n,
        .interface = s->interface,
        .discovery = o.no_discovery == 0,
        .heartbeat_us = o.heartbeat_ms * 1000,
        .silence_us = o.silence_ms * 1000,
        .dial_max_us = o.dial_max_ms * 1000,
        .history_keep = o.history_keep,
        .history_age_us = o.history_age_ms * 1000,
        .retention_us = o.retention_ms * 1000,
        .collect_us = o.collect_ms * 1000,
        .clock_bound_us =
            o.any_clock != 0 ? UINT64_MAX : o.clock_bound_ms * 1000,
        .limits = NODE_LIMITS,
        .overlay_bytes = o.memory_bytes == 0 ? DEFAULT_MEMORY : o.memory_bytes,
        .checkpoint_ms = CHECKPOINT_MS,
        .files_roots = s->roots,
        .files_roots_n = s->roots_n,
        .files_max = o.file_bytes == 0 ? DEFAULT_FILE : o.file_bytes,
        .on_file = o.on_file != NULL ? tell_file : NULL,
        .file_ctx = s,
        .resolve = lib_resolve,
        .resolve_ctx = s };
    return rc;
}
