/* What is said of a syncline_config. */
#include "app/lib/lib_config.h"

#include "app/config/config_tokens.h"
#include "base/text.h"
#include "files/schema.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define SIZE_MIN offsetof(struct syncline_config_options, base_dir)
#define NODE_SIZE_MIN offsetof(struct syncline_options, listen)
#define FILE_MAX ((size_t)4 << 20)
#define VERSIONS 10
#define VERSIONS_MAX 1000
#define PER_MINUTE 60
#define BLOCK_S 120
#define HEARTBEAT_MS 30000
#define DIAL_MAX_MS 60000
#define BATCH_US 100000

static int no_memory(void)
{
    return lib_fail(SYNCLINE_ENOMEM, "memory ran out");
}

static size_t count(const char *const *list)
{
    size_t n = 0;

    while (list != NULL && list[n] != NULL)
        n++;
    return n;
}

/* ---- copies ---- */

static int copy(struct syncline_config *c, const char **text)
{
    if (*text == NULL)
        return SYNCLINE_OK;
    *text = (const char *)arena_dup(&c->kept, slice_str(*text)).ptr;
    return *text != NULL ? SYNCLINE_OK : no_memory();
}

/* With room for two more. */
static int copy_list(struct syncline_config *c, const char *const **list)
{
    const size_t n = count(*list);
    const char **all;
    int rc = SYNCLINE_OK;

    if (*list == NULL)
        return rc;
    all = arena_zalloc(&c->kept, n + 1, sizeof *all);
    if (all == NULL)
        return no_memory();
    for (size_t i = 0; i < n && rc == SYNCLINE_OK; i++) {
        all[i] = (*list)[i];
        rc = copy(c, &all[i]);
    }
    *list = all;
    return rc;
}

static int join(struct syncline_config *c, const char **out, const char *dir,
    const char *it)
{
    char path[PATH_MAX];
    const int n = snprintf(
        path, sizeof path, "%s/%s", strcmp(dir, "/") == 0 ? "" : dir, it);

    if (n < 0 || (size_t)n >= sizeof path)
        return lib_fail(SYNCLINE_EINVAL, "%s: too long", it);
    *out = (const char *)arena_dup(&c->kept, slice_str(path)).ptr;
    return *out != NULL ? SYNCLINE_OK : no_memory();
}

/* ---- where things are ---- */

static int real(struct syncline_config *c, const char **out, const char *dir)
{
    char path[PATH_MAX];

    if (realpath(dir, path) == NULL)
        return lib_fail(errno == ENOENT ? SYNCLINE_ENOTFOUND : SYNCLINE_EDENIED,
            "%s: %s", dir, strerror(errno));
    *out = path;
    return copy(c, out);
}

static int place(struct syncline_config *c, const char *path, const char *base)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    char dir[PATH_MAX];
    int n = slash == NULL ? snprintf(dir, sizeof dir, ".")
                          : snprintf(dir, sizeof dir, "%.*s",
                                (int)(slash - path) + (slash == path), path);
    int rc;

    if (n < 0 || (size_t)n >= sizeof dir || !config_path_ok(name))
        return lib_fail(SYNCLINE_EINVAL, "path: %s: no file's name", path);
    rc = real(c, &c->at.root, dir);
    c->at.path = name;
    if (rc == SYNCLINE_OK)
        rc = copy(c, &c->at.path);
    if (rc == SYNCLINE_OK)
        rc = join(c, &c->file, c->at.root, c->at.path);
    c->base = c->at.root;
    if (rc == SYNCLINE_OK && base != NULL)
        rc = real(c, &c->base, base);
    if (rc == SYNCLINE_OK)
        rc = join(c, &c->versions_at, c->base, FILE_VERSIONS_FOLDER);
    c->versions = (struct file_versions){
        .file = &c->at, .root = c->base, .folder = FILE_VERSIONS_FOLDER
    };
    return rc;
}

static int take_schema(struct syncline_config *c, const char *text)
{
    struct errmsg why = { "memory ran out" };
    struct schema *schema = NULL;
    struct json *v;
    struct slice copied;
    int rc = SYNCLINE_ENOMEM;

    if (text == NULL)
        return SYNCLINE_OK;
    copied = arena_dup(&c->kept, slice_str(text));
    if (copied.ptr != NULL)
        rc = json_parse(&v, copied, JSON_STRICT, &c->kept, &why);
    if (rc == SYNCLINE_OK)
        rc = schema_new(&schema, v, &why);
    schema_free(schema);
    if (rc != SYNCLINE_OK)
        return lib_fail(rc, "schema: %.400s", why.text);
    c->schema = v;
    return SYNCLINE_OK;
}

/* ---- the node ---- */

static int open_roots(struct syncline_config *c)
{
    struct syncline_options *o = &c->node_opt;
    const size_t n = count(o->file_roots);
    const char **all = arena_zalloc(&c->kept, n + 3, sizeof *all);

    if (all == NULL)
        return no_memory();
    all[0] = c->at.root;
    all[1] = c->base;
    for (size_t i = 0; i < n; i++)
        all[i + 2] = o->file_roots[i];
    o->file_roots = all;
    return SYNCLINE_OK;
}

static int node_options(
    struct syncline_config *c, const struct syncline_options *given)
{
    struct syncline_options *o = &c->node_opt;
    int rc;

    if (given == NULL)
        *o = (struct syncline_options){ .no_discovery = 1 };
    else if (given->size < NODE_SIZE_MIN || given->size > sizeof *o)
        return lib_fail(SYNCLINE_EINVAL, "node: its size is none of version %s",
            SYNCLINE_VERSION);
    else
        memcpy(o, given, given->size);
    o->size = sizeof *o;
    rc = o->dir != NULL ? copy(c, &o->dir)
                        : join(c, &o->dir, c->base, "syncline");
    if (rc == SYNCLINE_OK)
        rc = copy(c, &o->name);
    if (rc == SYNCLINE_OK)
        rc = copy(c, &o->interface);
    if (rc == SYNCLINE_OK)
        rc = copy(c, &o->log_levels);
    if (rc == SYNCLINE_OK)
        rc = copy_list(c, &o->listen);
    if (rc == SYNCLINE_OK)
        rc = copy_list(c, &o->peers);
    if (rc == SYNCLINE_OK)
        rc = copy_list(c, &o->advertise);
    if (rc == SYNCLINE_OK)
        rc = copy_list(c, &o->file_roots);
    if (rc == SYNCLINE_OK)
        rc = open_roots(c);
    if (o->file_bytes == 0)
        o->file_bytes = FILE_MAX;
    c->at.max = o->file_bytes;
    return rc;
}

/* ---- the face ---- */

static int too_many(const char *what, size_t most)
{
    return lib_fail(SYNCLINE_ELIMIT, "%s: more than %zu are named", what, most);
}

static int take_bind(struct syncline_config *c, const char *const *list)
{
    static const char *const loopback[] = { "127.0.0.1", NULL };
    struct errmsg why = { "" };
    const size_t n = count(list != NULL ? list : (list = loopback));

    if (n > CONFIG_LISTEN_MAX)
        return too_many("bind", CONFIG_LISTEN_MAX);
    for (size_t i = 0; i < n; i++)
        if (netaddr_parse(&c->listen[i], slice_str(list[i]), c->port, &why) !=
            SYNCLINE_OK)
            return lib_fail(SYNCLINE_EINVAL, "bind: %.300s", why.text);
    c->face_opt.listen = c->listen;
    c->face_opt.listen_n = n;
    return SYNCLINE_OK;
}

static int take_admit(struct syncline_config *c, const char *const *list)
{
    static const char *const local[] = { "local", NULL };
    struct errmsg why = { "" };
    const size_t n = count(list != NULL ? list : (list = local));

    if (n > CONFIG_ADMIT_MAX)
        return too_many("admit", CONFIG_ADMIT_MAX);
    for (size_t i = 0; i < n; i++)
        if (network_parse(&c->admit[i], slice_str(list[i]), &why) !=
            SYNCLINE_OK)
            return lib_fail(SYNCLINE_EINVAL, "admit: %.300s", why.text);
    c->face_opt.admit = c->admit;
    c->face_opt.admit_n = n;
    return SYNCLINE_OK;
}

static int take_peers(struct syncline_config *c, const char *const *list)
{
    struct errmsg why = { "" };
    const size_t n = count(list);
    int rc = SYNCLINE_OK;

    if (n > CONFIG_PEERS_MAX)
        return too_many("peers", CONFIG_PEERS_MAX);
    for (size_t i = 0; i < n && rc == SYNCLINE_OK; i++) {
        if (ws_url_parse(&c->peers[i], slice_str(list[i]), &why) != SYNCLINE_OK)
            return lib_fail(SYNCLINE_EINVAL, "peers: %.300s", why.text);
        c->peer_texts[i] = list[i];
        rc = copy(c, &c->peer_texts[i]);
    }
    c->face_opt.peers = c->peers;
    c->face_opt.peer_texts = c->peer_texts;
    c->face_opt.peers_n = n;
    return rc;
}

static int take_tokens(struct syncline_config *c, const char *path)
{
    struct errmsg why = { "memory ran out" };
    int rc;

    if (path == NULL)
        return SYNCLINE_OK;
    rc = config_tokens_read(c->peer_tokens, &c->tokens_held, "tokens", path,
        c->peer_texts, c->peers, c->face_opt.peers_n, &why);
    c->face_opt.peer_tokens = c->peer_tokens;
    return rc == SYNCLINE_OK ? rc : lib_fail(rc, "%.500s", why.text);
}

static uint64_t or_else(uint64_t value, uint64_t fallback)
{
    return value > 0 ? value : fallback;
}

static int face_options(
    struct syncline_config *c, const struct syncline_config_options *o)
{
    struct config_face_options *f = &c->face_opt;
    int rc;

    *f = (struct config_face_options){ .space = CONFIG_SPACE,
        .key = CONFIG_KEY,
        .instance = o->instance,
        .serves = o->server != 0,
        .roots = o->ca,
        .rate = { (uint32_t)or_else(o->rate, PER_MINUTE),
            or_else(o->rate_block_s, BLOCK_S) * 1000000, o->rate_local == 0 },
        .batch_us = BATCH_US,
        .heartbeat_us = or_else(o->heartbeat_ms, HEARTBEAT_MS) * 1000,
        .dial_max_us = or_else(o->dial_max_ms, DIAL_MAX_MS) * 1000,
        .compress = WS_OFFER_OWN,
        .adopts = o->no_adopt == 0 };
    if (o->instance != NULL && strlen(o->instance) >= sizeof c->instance)
        return lib_fail(SYNCLINE_EINVAL, "instance: too long");
    rc = copy(c, &f->instance);
    if (rc == SYNCLINE_OK)
        rc = copy(c, &f->roots);
    if (rc == SYNCLINE_OK)
        rc = take_bind(c, o->bind);
    if (rc == SYNCLINE_OK)
        rc = take_admit(c, o->admit);
    if (rc == SYNCLINE_OK)
        rc = take_peers(c, o->peers);
    return rc == SYNCLINE_OK ? take_tokens(c, o->tokens) : rc;
}

/* ---- all of it ---- */

int config_options(
    struct syncline_config *c, const struct syncline_config_options *given)
{
    struct syncline_config_options o = { 0 };
    int rc;

    if (given == NULL || given->size < SIZE_MIN || given->size > sizeof o)
        return lib_fail(SYNCLINE_EINVAL,
            "the options need the size of version %s", SYNCLINE_VERSION);
    memcpy(&o, given, given->size);
    if (o.path == NULL || o.path[0] == 0 || !utf8_valid(slice_str(o.path)))
        return lib_fail(SYNCLINE_EINVAL, "path: missing, or no UTF-8");
    if (o.port < SYNCLINE_ANY_PORT || o.port > UINT16_MAX)
        return lib_fail(SYNCLINE_EINVAL, "port: from 1 to 65535");
    if (o.versions > VERSIONS_MAX)
        return lib_fail(SYNCLINE_EINVAL, "versions: %d at most", VERSIONS_MAX);
    c->port = o.port > 0 ? (uint16_t)o.port : o.port == 0 ? ADDON_PORT : 0;
    rc = place(c, o.path, o.base_dir);
    c->versions.keep = o.versions > 0 ? o.versions : VERSIONS;
    if (rc == SYNCLINE_OK)
        rc = take_schema(c, o.schema);
    if (rc == SYNCLINE_OK)
        rc = node_options(c, o.node);
    return rc == SYNCLINE_OK ? face_options(c, &o) : rc;
}
