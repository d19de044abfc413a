/* What a syncline_config tells, and whom. */
#include "app/lib/lib_config.h"

#include "app/answer.h"
#include "faces/configsync/message.h"
#include "files/splice.h"

#include <stdio.h>
#include <stdlib.h>

static int no_memory(void)
{
    return lib_fail(SYNCLINE_ENOMEM, "memory ran out");
}

/* ---- the node, while it is there ---- */

struct syncline *config_use(struct syncline_config *c)
{
    struct syncline *s;

    if (c->forks != forks_n())
        return NULL;
    (void)pthread_mutex_lock(&c->lock);
    s = c->node;
    if (s != NULL)
        c->users++;
    (void)pthread_mutex_unlock(&c->lock);
    return s;
}

static void config_done(struct syncline_config *c)
{
    (void)pthread_mutex_lock(&c->lock);
    if (--c->users == 0)
        (void)pthread_cond_broadcast(&c->idle);
    (void)pthread_mutex_unlock(&c->lock);
}

struct syncline *syncline_config_node(struct syncline_config *c)
{
    struct syncline *s;

    if (c->forks != forks_n())
        return NULL;
    (void)pthread_mutex_lock(&c->lock);
    s = c->node;
    (void)pthread_mutex_unlock(&c->lock);
    return s;
}

/* ---- updates ---- */

int syncline_config_on_update(
    struct syncline_config *c, syncline_config_fn *fn, void *ctx)
{
    struct config_listener *l = fn != NULL ? malloc(sizeof *l) : NULL;
    struct config_listener **at = &c->listeners;

    if (l == NULL)
        return fn != NULL ? no_memory()
                          : lib_fail(SYNCLINE_EINVAL, "fn: missing");
    if (c->forks != forks_n()) {
        free(l);
        return lib_check_forks(c->forks);
    }
    *l = (struct config_listener){ .fn = fn, .ctx = ctx };
    (void)pthread_mutex_lock(&c->lock);
    while (*at != NULL)
        at = &(*at)->next;
    *at = l;
    (void)pthread_mutex_unlock(&c->lock);
    return SYNCLINE_OK;
}

static struct config_listener *after(
    struct syncline_config *c, const struct config_listener *l)
{
    struct config_listener *next;

    (void)pthread_mutex_lock(&c->lock);
    next = l != NULL ? l->next : c->listeners;
    (void)pthread_mutex_unlock(&c->lock);
    return next;
}

/* One text for one value, however the file is written. */
static int normal(struct buf *out, struct slice json)
{
    struct arena a = { 0 };
    struct json *v;
    int rc = splice_parse(&v, json, &a, NULL);

    if (rc == SYNCLINE_OK) {
        json_print(out, v, JSON_CANONICAL);
        buf_put_u8(out, 0);
        rc = buf_status(out);
    }
    arena_free(&a);
    return rc;
}

void lib_config_kept(
    struct syncline_config *c, const char *file, struct slice json)
{
    struct config_listener *l = NULL;
    struct buf b = { 0 };

    if (!c->tells || strcmp(file, c->file) != 0)
        return;
    if (normal(&b, json) != SYNCLINE_OK ||
        slice_eq(buf_slice(&b), buf_slice(&c->told))) {
        buf_free(&b);
        return;
    }
    buf_free(&c->told);
    c->told = b;
    while ((l = after(c, l)) != NULL)
        l->fn(l->ctx, (const char *)b.ptr);
}

/* ---- what the face says ---- */

static int ask_face(
    struct syncline *s, const char *op, struct arena *a, struct json **out)
{
    struct json *args = json_new(a, JSON_OBJECT);
    struct errmsg why = { "" };
    struct arena call = { 0 };
    struct buf b = { 0 };
    struct slice text;
    int rc = SYNCLINE_OK;

    (void)json_add(args, SLICE_LIT("op"), json_new_str(a, slice_str(op)));
    if (args == NULL)
        return no_memory();
    if (!lib_inside(s))
        rc = lib_call(s, &call, args, &b);
    else if (s->face == NULL)
        rc = lib_fail(SYNCLINE_ECLOSED, "the node has stopped");
    else if (!config_face_answer(s->face, args, &b) ||
        buf_status(&b) != SYNCLINE_OK)
        rc = no_memory();
    text = rc == SYNCLINE_OK ? arena_dup(a, buf_slice(&b)) : SLICE_NONE;
    buf_free(&b);
    if (rc != SYNCLINE_OK)
        return rc;
    if (text.ptr == NULL ||
        json_parse(out, text, JSON_STRICT, a, NULL) != SYNCLINE_OK)
        return no_memory();
    rc = answer_status(*out, &why);
    return rc == SYNCLINE_OK ? rc : lib_fail(rc, "%s", why.text);
}

int syncline_config_force(struct syncline_config *c)
{
    struct syncline *s = config_use(c);
    struct arena a = { 0 };
    struct json *v;
    int rc;

    if (s == NULL)
        return lib_fail(SYNCLINE_ECLOSED, "it does not run");
    rc = ask_face(s, "configsync_force", &a, &v);
    config_done(c);
    arena_free(&a);
    return rc;
}

void config_remember(struct syncline_config *c)
{
    struct syncline *s = config_use(c);
    struct arena a = { 0 };
    struct json *v;

    if (s != NULL && ask_face(s, "configsync", &a, &v) == SYNCLINE_OK) {
        const struct json *last = json_get(v, "last_sync_time");
        struct buf b = { 0 };

        (void)pthread_mutex_lock(&c->lock);
        (void)snprintf(c->instance, sizeof c->instance, "%.*s",
            SLICE_FMT(json_get_str(v, "instance_id")));
        if (last != NULL)
            json_print(&b, last, JSON_CANONICAL);
        if (buf_status(&b) == SYNCLINE_OK)
            (void)snprintf(c->last_sync, sizeof c->last_sync, "%.*s",
                SLICE_FMT(buf_slice(&b)));
        (void)pthread_mutex_unlock(&c->lock);
        buf_free(&b);
    }
    if (s != NULL)
        config_done(c);
    arena_free(&a);
}

/* ---- status ---- */

static void put_peers(const struct syncline_config *c, struct buf *b)
{
    buf_printf(b, ",\"peer_count\":%zu,\"peer_urls\":[", c->face_opt.peers_n);
    for (size_t i = 0; i < c->face_opt.peers_n; i++) {
        buf_put_str(b, i > 0 ? "," : "");
        json_print_string(b, slice_str(c->peer_texts[i]), false);
    }
    buf_put_u8(b, ']');
}

/* Of one that does not run. */
static void put_at_rest(struct syncline_config *c, struct buf *b)
{
    (void)pthread_mutex_lock(&c->lock);
    buf_put_str(b, "{\"running\":false,\"instance_id\":");
    if (c->instance[0] != 0)
        json_print_string(b, slice_str(c->instance), false);
    else
        buf_put_str(b, "null");
    buf_printf(b, ",\"server_enabled\":%s,\"server_port\":",
        c->face_opt.serves ? "true" : "false");
    if (c->face_opt.serves)
        buf_printf(b, "%u", c->port);
    else
        buf_put_str(b, "null");
    put_peers(c, b);
    buf_printf(b, ",\"last_sync_time\":%s", c->last_sync);
    (void)pthread_mutex_unlock(&c->lock);
}

static void put_running(
    const struct syncline_config *c, struct buf *b, const struct json *v)
{
    static const char *const names[] = { "instance_id", "server_enabled",
        "server_port" };

    buf_put_str(b, "{\"running\":true");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        buf_printf(b, ",\"%s\":", names[i]);
        json_print(b, json_get(v, names[i]), JSON_CANONICAL);
    }
    put_peers(c, b);
    buf_put_str(b, ",\"last_sync_time\":");
    json_print(b, json_get(v, "last_sync_time"), JSON_CANONICAL);
}

static int give(struct buf *b, char **out)
{
    buf_put_u8(b, 0);
    if (buf_status(b) != SYNCLINE_OK) {
        buf_free(b);
        return no_memory();
    }
    *out = (char *)b->ptr;
    return SYNCLINE_OK;
}

static int list(
    struct syncline_config *c, struct version **all, size_t *n, struct arena *a)
{
    struct errmsg why = { "memory ran out" };
    int rc = file_versions_list(&c->versions, all, n, a, &why);

    return rc == SYNCLINE_OK ? rc : lib_fail(rc, "%s", why.text);
}

int syncline_config_status(struct syncline_config *c, char **status)
{
    struct syncline *s = config_use(c);
    struct version *all;
    struct arena a = { 0 };
    struct buf b = { 0 };
    struct json *v;
    size_t n;
    int rc = lib_check_forks(c->forks);

    if (rc == SYNCLINE_OK)
        rc = list(c, &all, &n, &a);
    if (rc == SYNCLINE_OK && s != NULL)
        rc = ask_face(s, "configsync", &a, &v);
    if (s != NULL)
        config_done(c);
    if (rc == SYNCLINE_OK) {
        if (s != NULL)
            put_running(c, &b, v);
        else
            put_at_rest(c, &b);
        buf_printf(&b, ",\"config_versions\":%zu}", n);
        rc = give(&b, status);
    }
    arena_free(&a);
    return rc;
}

/* ---- versions ---- */

int syncline_config_versions(struct syncline_config *c, char **names)
{
    struct version *all;
    struct arena a = { 0 };
    struct buf b = { 0 };
    size_t n;
    int rc = list(c, &all, &n, &a);

    if (rc == SYNCLINE_OK) {
        buf_put_u8(&b, '[');
        for (size_t i = 0; i < n && rc == SYNCLINE_OK; i++) {
            char name[VERSION_NAME_SIZE];

            rc = version_name(name, &all[i]);
            buf_printf(&b, "%s\"%s\"", i > 0 ? "," : "", name);
        }
        buf_put_u8(&b, ']');
        rc = give(&b, names);
    }
    arena_free(&a);
    return rc;
}

static int pick(struct syncline_config *c, const char *name,
    struct version *out, struct arena *a)
{
    struct version *all;
    size_t n;
    int rc;

    if (name == NULL)
        return lib_fail(SYNCLINE_EINVAL, "name: missing");
    if (strcmp(name, "latest") != 0) {
        rc = version_parse(out, slice_str(name));
        return rc == SYNCLINE_OK
            ? rc
            : lib_fail(rc, "%.200s: no name of a version", name);
    }
    rc = list(c, &all, &n, a);
    if (rc == SYNCLINE_OK && n == 0)
        rc = lib_fail(SYNCLINE_ENOTFOUND, "no version is kept yet");
    if (rc == SYNCLINE_OK)
        *out = all[n - 1];
    return rc;
}

int syncline_config_version(
    struct syncline_config *c, const char *name, char **value)
{
    struct errmsg why = { "" };
    struct buf text = { 0 }, said = { 0 };
    struct arena a = { 0 };
    struct version which;
    int rc = pick(c, name, &which, &a);

    if (rc == SYNCLINE_OK) {
        rc = file_versions_read(&text, &c->versions, &which, &why);
        if (rc != SYNCLINE_OK)
            rc = lib_fail(rc, "%.200s: %s", name,
                why.text[0] != 0 ? why.text : "there is no such version");
    }
    if (rc == SYNCLINE_OK) {
        rc = normal(&said, buf_slice(&text));
        if (rc != SYNCLINE_OK)
            rc = lib_fail(rc, "%.200s: it is no JSON any more", name);
    }
    if (rc == SYNCLINE_OK)
        *value = (char *)said.ptr;
    else
        buf_free(&said);
    buf_free(&text);
    arena_free(&a);
    return rc;
}
