/* A syncline_config from its making to its end. */
#include "app/lib/lib_config.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- making one ---- */

static void config_free(struct syncline_config *c)
{
    while (c->listeners != NULL) {
        struct config_listener *l = c->listeners;

        c->listeners = l->next;
        free(l);
    }
    (void)pthread_cond_destroy(&c->idle);
    (void)pthread_mutex_destroy(&c->lock);
    buf_free(&c->told);
    if (c->tokens_held.cap > 0)
        crypto_wipe(c->tokens_held.ptr, c->tokens_held.cap);
    buf_free(&c->tokens_held);
    arena_free(&c->kept);
    free(c);
}

int syncline_config_new(
    struct syncline_config **out, const struct syncline_config_options *opt)
{
    struct syncline_config *c = calloc(1, sizeof *c);
    int rc;

    if (c == NULL)
        return lib_fail(SYNCLINE_ENOMEM, "memory ran out");
    (void)pthread_mutex_init(&c->lock, NULL);
    (void)pthread_cond_init(&c->idle, NULL);
    c->forks = forks_n();
    (void)snprintf(c->last_sync, sizeof c->last_sync, "0.0");
    rc = config_options(c, opt);
    if (rc != SYNCLINE_OK) {
        config_free(c);
        return rc;
    }
    if (c->face_opt.instance != NULL)
        (void)snprintf(
            c->instance, sizeof c->instance, "%s", c->face_opt.instance);
    *out = c;
    return SYNCLINE_OK;
}

int syncline_config_single(struct syncline_config **out, const char *path,
    const char *base_dir, const struct syncline_options *node)
{
    const struct syncline_config_options opt = {
        .size = sizeof opt, .path = path, .base_dir = base_dir, .node = node
    };

    return syncline_config_new(out, &opt);
}

int syncline_config_development(struct syncline_config **out, const char *path,
    const char *base_dir, const struct syncline_options *node)
{
    const struct syncline_config_options opt = { .size = sizeof opt,
        .path = path,
        .base_dir = base_dir,
        .server = 1,
        .versions = 50,
        .rate = 120,
        .rate_block_s = 30,
        .heartbeat_ms = 10000,
        .dial_max_ms = 2000,
        .node = node };

    return syncline_config_new(out, &opt);
}

/* ---- the options of an add-on ---- */

static int parse_options(
    struct json **out, const char *text, struct arena *a, struct errmsg *why)
{
    const struct slice copy = arena_dup(a, slice_str(text));

    return copy.ptr != NULL ? json_parse(out, copy, JSON_TOLERANT, a, why)
                            : SYNCLINE_ENOMEM;
}

/* An array of strings, or one, NULL-terminated. */
static int strings_of(
    const char *const **out, const struct json *v, struct arena *a)
{
    const struct json *s;
    const char **all;
    size_t n = 0;

    *out = NULL;
    if (v == NULL)
        return SYNCLINE_OK;
    s = v->type == JSON_ARRAY ? v->first : v;
    all = arena_zalloc(
        a, (v->type == JSON_ARRAY ? v->n : 1) + (size_t)1, sizeof *all);
    if (all == NULL)
        return SYNCLINE_ENOMEM;
    for (; s != NULL; s = v->type == JSON_ARRAY ? s->next : NULL) {
        all[n] = (const char *)arena_dup(a, s->s).ptr;
        if (all[n++] == NULL)
            return SYNCLINE_ENOMEM;
    }
    *out = all;
    return SYNCLINE_OK;
}

static int read_addon(struct syncline_config_options *out, const char *text,
    struct arena *a, struct errmsg *why)
{
    struct addon_options o;
    struct json *v = NULL;
    int rc = text != NULL ? parse_options(&v, text, a, why) : SYNCLINE_OK;

    if (rc == SYNCLINE_OK)
        rc = addon_read(&o, v, why);
    if (rc == SYNCLINE_OK)
        rc = strings_of(&out->peers, o.peers, a);
    if (rc == SYNCLINE_OK)
        rc = strings_of(&out->bind, o.bind, a);
    if (rc != SYNCLINE_OK)
        return rc;
    out->server = o.serves;
    out->port = o.port;
    out->rate = o.per_minute;
    out->rate_block_s = o.block_s;
    out->rate_local = !o.local_is_exempt;
    return SYNCLINE_OK;
}

static int told(int rc, const struct errmsg *why)
{
    return lib_fail(
        rc, "%s", rc == SYNCLINE_ENOMEM ? "memory ran out" : why->text);
}

int syncline_config_ha_addon(struct syncline_config **out, const char *path,
    const char *base_dir, const char *options,
    const struct syncline_options *node)
{
    struct syncline_config_options opt = {
        .size = sizeof opt, .path = path, .base_dir = base_dir, .node = node
    };
    struct errmsg why = { "" };
    struct arena a = { 0 };
    int rc = read_addon(&opt, options, &a, &why);

    rc = rc == SYNCLINE_OK ? syncline_config_new(out, &opt) : told(rc, &why);
    arena_free(&a);
    return rc;
}

int syncline_config_check(const char *options)
{
    struct errmsg why = { "" };
    struct arena a = { 0 };
    struct json *v = NULL;
    int rc = options == NULL ? SYNCLINE_EINVAL
                             : parse_options(&v, options, &a, &why);

    if (rc == SYNCLINE_OK)
        rc = addon_check(v, &why);
    arena_free(&a);
    return rc == SYNCLINE_OK ? rc : told(rc, &why);
}

/* ---- starting ---- */

static void put_how(const struct syncline_config *c, struct buf *b)
{
    buf_printf(b,
        "{\"prefer\":\"file\",\"ascii\":true,\"versions\":%u,"
        "\"versions_at\":",
        c->versions.keep);
    json_print_string(b, slice_str(c->versions_at), false);
    if (c->schema != NULL) {
        buf_put_str(b, ",\"schema\":");
        json_print(b, c->schema, JSON_CANONICAL);
    }
    buf_put(b, "}", 2); /* and the NUL */
}

static bool is_ours(const struct syncline_config *c, const struct json *v)
{
    const struct json *schema = json_get(v, "schema");

    if ((schema == NULL) != (c->schema == NULL) ||
        (schema != NULL && !json_equal(schema, c->schema)))
        return false;
    return slice_is(json_get_str(v, "file"), c->file) &&
        slice_is(json_get_str(v, "space"), CONFIG_SPACE) &&
        slice_is(json_get_str(v, "key"), CONFIG_KEY) &&
        slice_is(json_get_str(v, "versions_at"), c->versions_at) &&
        json_get_int(v, "versions", -1) == c->versions.keep;
}

/* The item has this file and no other; another one is of an earlier time, when
 * something else was said. */
static int drop_others(
    struct syncline_config *c, struct syncline *s, bool *bound)
{
    struct arena a = { 0 };
    struct json *list = NULL;
    char *text = NULL;
    int rc = syncline_bindings(s, &text);

    *bound = false;
    if (rc == SYNCLINE_OK &&
        json_parse(&list, slice_str(text), JSON_STRICT, &a, NULL) !=
            SYNCLINE_OK)
        rc = lib_fail(SYNCLINE_ENOMEM, "memory ran out");
    for (const struct json *v = list != NULL ? list->first : NULL;
         v != NULL && rc == SYNCLINE_OK; v = v->next) {
        struct slice file = arena_dup(&a, json_get_str(v, "file"));

        if (is_ours(c, v))
            *bound = true;
        else if (slice_is(file, c->file) ||
            (slice_is(json_get_str(v, "space"), CONFIG_SPACE) &&
                slice_is(json_get_str(v, "key"), CONFIG_KEY)))
            rc = file.ptr != NULL ? syncline_unbind(s, (const char *)file.ptr)
                                  : lib_fail(SYNCLINE_ENOMEM, "memory ran out");
    }
    arena_free(&a);
    syncline_free(text);
    return rc;
}

static int bind_file(struct syncline_config *c, struct syncline *s)
{
    struct buf how = { 0 };
    bool bound;
    int rc = drop_others(c, s, &bound);

    if (rc != SYNCLINE_OK || bound)
        return rc;
    put_how(c, &how);
    rc = buf_status(&how) == SYNCLINE_OK
        ? syncline_bind(
              s, c->file, CONFIG_SPACE, CONFIG_KEY, (const char *)how.ptr)
        : lib_fail(SYNCLINE_ENOMEM, "memory ran out");
    buf_free(&how);
    return rc;
}

/* The loop does not run just now: what is the loop's is ours. */
static int start_face(struct syncline_config *c, struct syncline *s)
{
    struct config_face_options opt = c->face_opt;
    struct errmsg why = { "memory ran out" };
    struct config_face *f;
    int rc;

    opt.loop = &s->loop;
    opt.log = lib_log(s);
    rc = config_face_new(&f, &opt);
    if (rc == SYNCLINE_OK)
        rc = config_face_start(f, s->engine, &why);
    else
        f = NULL;
    if (rc == SYNCLINE_OK)
        s->face = f;
    else
        config_face_close(f);
    return rc == SYNCLINE_OK ? rc : lib_fail(rc, "%s", why.text);
}

/* What stands is told first, if it is not by then. */
static void on_first(void *ctx, const char *answer, int more)
{
    struct syncline_config *c = ctx;
    struct arena a = { 0 };
    struct json *v = NULL;
    struct buf b = { 0 };

    (void)more;
    if (json_parse(&v, slice_str(answer), JSON_STRICT, &a, NULL) ==
            SYNCLINE_OK &&
        json_get(v, "value") != NULL && c->told.len == 0) {
        json_print(&b, json_get(v, "value"), JSON_CANONICAL);
        if (buf_status(&b) == SYNCLINE_OK)
            lib_config_kept(c, c->file, buf_slice(&b));
    }
    buf_free(&b);
    arena_free(&a);
}

static int run(struct syncline_config *c, struct syncline *s)
{
    int rc;

    buf_clear(&c->told);
    c->tells = true;
    rc = syncline_send(s,
        "{\"op\":\"get\",\"space\":\"" CONFIG_SPACE "\",\"key\":\"" CONFIG_KEY
        "\"}",
        on_first, c, NULL);
    /* Who calls us back meanwhile waits for the lock. */
    (void)pthread_mutex_lock(&c->lock);
    if (rc == SYNCLINE_OK)
        rc = syncline_start(s);
    if (rc == SYNCLINE_OK)
        c->node = s;
    (void)pthread_mutex_unlock(&c->lock);
    return rc;
}

static int start(struct syncline_config *c)
{
    struct syncline *s;
    int rc = syncline_open(&s, &c->node_opt);

    if (rc != SYNCLINE_OK)
        return rc;
    c->tells = false;
    s->config = c;
    rc = bind_file(c, s);
    if (rc == SYNCLINE_OK)
        rc = start_face(c, s);
    if (rc == SYNCLINE_OK)
        rc = run(c, s);
    if (rc != SYNCLINE_OK) {
        char why[ERRMSG_MAX];

        (void)snprintf(why, sizeof why, "%s", syncline_error());
        c->tells = false;
        (void)syncline_close(s);
        return lib_fail(rc, "%s", why);
    }
    return SYNCLINE_OK;
}

static void release(struct syncline_config *c)
{
    (void)pthread_mutex_lock(&c->lock);
    c->is_busy = false;
    (void)pthread_mutex_unlock(&c->lock);
}

int syncline_config_start(struct syncline_config *c)
{
    bool is_free;
    int rc = lib_check_forks(c->forks);

    if (rc != SYNCLINE_OK)
        return rc;
    (void)pthread_mutex_lock(&c->lock);
    is_free = c->node == NULL && !c->is_busy;
    c->is_busy = c->is_busy || is_free;
    (void)pthread_mutex_unlock(&c->lock);
    if (!is_free)
        return lib_fail(SYNCLINE_EBUSY, "it runs already");
    rc = start(c);
    release(c);
    return rc;
}

/* ---- stopping ---- */

/* From then on no callback can do it, whatever its node is just about. */
static bool claim(struct syncline_config *c)
{
    bool is_free;

    (void)pthread_mutex_lock(&c->lock);
    is_free = !c->is_busy && (c->node == NULL || !lib_inside(c->node));
    c->is_busy = c->is_busy || is_free;
    (void)pthread_mutex_unlock(&c->lock);
    return is_free;
}

int syncline_config_stop(struct syncline_config *c)
{
    struct syncline *s;
    int rc = lib_check_forks(c->forks);

    if (rc != SYNCLINE_OK)
        return rc;
    if (!claim(c))
        return lib_fail(
            SYNCLINE_EBUSY, "not from a callback, nor amid a start or a stop");
    config_remember(c);
    (void)pthread_mutex_lock(&c->lock);
    s = c->node;
    c->node = NULL;
    while (c->users > 0)
        (void)pthread_cond_wait(&c->idle, &c->lock);
    (void)pthread_mutex_unlock(&c->lock);
    rc = syncline_close(s);
    release(c);
    return rc;
}

int syncline_config_free(struct syncline_config *c)
{
    int rc;

    if (c == NULL)
        return SYNCLINE_OK;
    rc = syncline_config_stop(c);
    if (rc != SYNCLINE_EBUSY && c->forks == forks_n())
        config_free(c);
    return rc;
}
