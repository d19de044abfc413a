/* The list of bound files, DIR/bindings.json, and what a person may say of
 * one. */
#include "app/engine/engine_files.h"

#include "app/private_file.h"
#include "base/plant.h"
#include "base/text.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define LIST_MAX ((size_t)8 << 20)
#define TIMEOUT_MS 10000
#define TIMEOUT_MAX_MS 600000
#define VERSIONS 10
#define VERSIONS_MAX 1000
#define LOCAL_MAX 64

void files_record_path(const struct bound_file *f, char *out, size_t size)
{
    (void)snprintf(
        out, size, "%s/bindings/%s.json", f->files->engine->dir, f->id);
}

/* ---- where it is ---- */

/* What of file is below root, or NULL. */
static const char *below(const char *root, const char *file)
{
    size_t n = strlen(root);

    while (n > 1 && root[n - 1] == '/')
        n--;
    if (n == 1 && root[0] == '/')
        return file[0] == '/' ? file + 1 : NULL;
    return strncmp(file, root, n) == 0 && file[n] == '/' ? file + n + 1 : NULL;
}

static const char *keep(struct bound_file *f, const char *text)
{
    return (const char *)arena_dup(&f->text, slice_str(text)).ptr;
}

static int no_root(const struct bound_file *f, struct errmsg *why)
{
    const struct engine_options *opt = &f->files->engine->opt;

    if (opt->files_roots_n == 0)
        return errmsg_set(why, SYNCLINE_EDENIED,
            "%s: no folder is open to bindings yet: name one by hand in the "
            "configuration file (files: root: [/etc/app]) or start the daemon "
            "with --files.root /etc/app",
            f->setup.file);
    return errmsg_set(why, SYNCLINE_EDENIED,
        "%s: not below a folder that files.root names (%.*s%s); links are not "
        "followed",
        f->setup.file, SLICE_FMT(opt->files_roots[0]),
        opt->files_roots_n > 1 ? ", ..." : "");
}

/* ENOTFOUND: it is below none of them. */
static int find_root(struct bound_file *f, const char *file,
    const char **at_root, const char **path)
{
    const struct engine_options *opt = &f->files->engine->opt;
    char real[PATH_MAX], root[PATH_MAX];

    for (size_t i = 0; i < opt->files_roots_n; i++) {
        const char *rest;

        (void)snprintf(
            root, sizeof root, "%.*s", SLICE_FMT(opt->files_roots[i]));
        rest = below(root, file);
        if (rest == NULL && realpath(root, real) != NULL)
            rest = below(real, file);
        if (rest == NULL && PLANTED(R37_ROOTS)) {
            (void)snprintf(root, sizeof root, "/");
            rest = below(root, file);
        }
        if (rest == NULL || !config_path_ok(rest))
            continue;
        *at_root = keep(f, root);
        *path = keep(f, rest);
        return *at_root != NULL && *path != NULL ? SYNCLINE_OK
                                                 : SYNCLINE_ENOMEM;
    }
    return SYNCLINE_ENOTFOUND;
}

int files_place(struct bound_file *f, struct errmsg *why)
{
    struct file_setup *s = &f->setup;
    int rc = find_root(f, s->file, &s->root, &s->path);

    if (rc == SYNCLINE_ENOTFOUND)
        return no_root(f, why);
    if (rc == SYNCLINE_OK && s->versions_at != NULL && s->versions_at[0] == '/')
        rc = find_root(f, s->versions_at, &s->versions_root, &s->versions_path);
    if (rc == SYNCLINE_ENOTFOUND)
        return errmsg_set(why, SYNCLINE_EDENIED,
            "versions_at: %s: not below a folder that files.root names",
            s->versions_at);
    f->at = (struct config_file){
        .root = s->root, .path = s->path, .max = f->files->engine->opt.files_max
    };
    return rc;
}

static bool same_folder(const struct bound_file *a, const struct bound_file *b)
{
    const char *x = strrchr(a->setup.file, '/');
    const char *y = strrchr(b->setup.file, '/');

    return x - a->setup.file == y - b->setup.file &&
        memcmp(a->setup.file, b->setup.file, (size_t)(x - a->setup.file)) == 0;
}

int files_versions_place(struct engine_files *x, struct bound_file *f)
{
    const char *name = strrchr(f->setup.file, '/') + 1;
    char at[PATH_MAX];

    if (f->setup.versions_at != NULL)
        return SYNCLINE_OK;
    f->setup.versions_at = FILE_VERSIONS_FOLDER;
    for (const struct bound_file *o = x->first; o != NULL; o = o->next)
        if (!o->gone && same_folder(o, f) &&
            strcmp(o->setup.versions_at, FILE_VERSIONS_FOLDER) == 0) {
            (void)snprintf(at, sizeof at, "%s/%s", FILE_VERSIONS_FOLDER, name);
            f->setup.versions_at =
                (const char *)arena_dup(&f->text, slice_str(at)).ptr;
            return f->setup.versions_at != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
        }
    return SYNCLINE_OK;
}

/* ---- what is said of it ---- */

static int take_text(struct bound_file *f, const char **out,
    const struct json *v, const char *name, bool needed, struct errmsg *why)
{
    const struct json *m = json_get(v, name);

    *out = NULL;
    if (m == NULL && !needed)
        return SYNCLINE_OK;
    if (m == NULL || m->type != JSON_STRING || m->s.len == 0 ||
        memchr(m->s.ptr, 0, m->s.len) != NULL)
        return errmsg_set(
            why, SYNCLINE_EINVAL, "%s: missing, or no text", name);
    *out = (const char *)arena_dup(&f->text, m->s).ptr;
    return *out != NULL ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

static int take_number(uint32_t *out, const struct json *v, const char *name,
    int64_t fallback, int64_t max, struct errmsg *why)
{
    const struct json *m = json_get(v, name);
    const int64_t n = json_get_int(v, name, fallback);

    if ((m != NULL && m->type != JSON_INT) || n < 0 || n > max)
        return errmsg_set(
            why, SYNCLINE_EINVAL, "%s: from 0 to %lld", name, (long long)max);
    *out = (uint32_t)n;
    return SYNCLINE_OK;
}

static int take_local(
    struct bound_file *f, const struct json *v, struct errmsg *why)
{
    const struct json *list = json_get(v, "local");
    struct slice *all;
    int rc = SYNCLINE_OK;

    if (list == NULL)
        return rc;
    if (list->type != JSON_ARRAY || list->n > LOCAL_MAX)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "local: a list of at most %d JSON pointers", LOCAL_MAX);
    all = arena_zalloc(&f->text, list->n + 1, sizeof *all);
    if (all == NULL)
        return SYNCLINE_ENOMEM;
    f->setup.local = all;
    for (const struct json *p = list->first; p && rc == SYNCLINE_OK;
         p = p->next) {
        if (p->type != JSON_STRING)
            return errmsg_set(
                why, SYNCLINE_EINVAL, "local: a pointer that is no text");
        rc = local_check(p->s, &f->text, why);
        all[f->setup.local_n] = arena_dup(&f->text, p->s);
        if (all[f->setup.local_n++].ptr == NULL)
            return SYNCLINE_ENOMEM;
    }
    return rc;
}

/* It is kept as text: the file that it came from may change or go. */
static int take_schema(
    struct bound_file *f, const struct json *v, struct errmsg *why)
{
    const struct json *schema = json_get(v, "schema");
    struct errmsg wrong = { "" };
    struct buf b = { 0 };
    int rc;

    if (schema == NULL)
        return SYNCLINE_OK;
    rc = schema_new(&f->schema, schema, &wrong);
    if (rc != SYNCLINE_OK)
        return errmsg_set(why, rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_EINVAL,
            "%.450s", wrong.text);
    json_print(&b, schema, JSON_CANONICAL);
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK) {
        f->setup.schema = arena_dup(&f->text, buf_slice(&b));
        rc = f->setup.schema.ptr != NULL ? rc : SYNCLINE_ENOMEM;
    }
    buf_free(&b);
    return rc;
}

static const char *const prefers[] = { [PREFER_ASK] = "ask",
    [PREFER_FILE] = "file",
    [PREFER_ITEM] = "item",
    [PREFER_MERGE] = "merge" };

static int take_words(
    struct bound_file *f, const struct json *v, struct errmsg *why)
{
    const struct json *format = json_get(v, "format");
    const struct json *prefer = json_get(v, "prefer");
    const struct slice file = slice_str(f->setup.file);
    const struct slice word =
        prefer != NULL ? json_get_str(v, "prefer") : SLICE_LIT("ask");
    bool known = false;

    f->setup.yaml =
        (file.len > 5 && slice_is(slice_from(file, file.len - 5), ".yaml")) ||
        (file.len > 4 && slice_is(slice_from(file, file.len - 4), ".yml"));
    if (format != NULL)
        f->setup.yaml = slice_is(json_get_str(v, "format"), "yaml");
    if (format != NULL && !f->setup.yaml &&
        !slice_is(json_get_str(v, "format"), "json"))
        return errmsg_set(why, SYNCLINE_EINVAL, "format: json or yaml");
    for (int i = 0; i < 4; i++)
        if (slice_is(word, prefers[i])) {
            f->setup.prefer = (enum binding_prefer)i;
            known = true;
        }
    return known
        ? SYNCLINE_OK
        : errmsg_set(why, SYNCLINE_EINVAL, "prefer: file, item or merge");
}

/* Of one that is bound the newest versions are where they always were. */
static int take_versions_at(
    struct bound_file *f, const struct json *v, struct errmsg *why)
{
    int rc = take_text(f, &f->setup.versions_at, v, "versions_at", false, why);

    if (rc == SYNCLINE_OK && f->setup.versions_at != NULL &&
        !config_path_ok(
            f->setup.versions_at + (f->setup.versions_at[0] == '/')))
        return errmsg_set(why, SYNCLINE_EINVAL, "versions_at: no such folder");
    return rc;
}

static int name_it(struct bound_file *f)
{
    const struct engine *e = f->files->engine;
    const struct slice file = slice_str(f->setup.file);
    uint8_t sum[SHA256_LEN];
    int rc = e->crypto.hash(e->crypto.self, sum, &file, 1);

    if (rc == SYNCLINE_OK)
        hex_encode(f->id, SLICE(sum, FILES_ID_LEN / 2));
    return rc;
}

int files_setup(struct bound_file *f, const struct json *v, struct errmsg *why)
{
    int rc = take_text(f, &f->setup.file, v, "file", true, why);

    if (rc == SYNCLINE_OK && f->setup.file[0] != '/')
        rc = errmsg_set(why, SYNCLINE_EINVAL,
            "%s: the file's whole path is needed", f->setup.file);
    if (rc == SYNCLINE_OK)
        rc = take_text(f, &f->setup.space, v, "space", false, why);
    if (rc == SYNCLINE_OK && f->setup.space == NULL)
        f->setup.space = "default";
    if (rc == SYNCLINE_OK)
        rc = take_text(f, &f->setup.key, v, "key", true, why);
    if (rc == SYNCLINE_OK)
        rc = take_text(f, &f->setup.on_change, v, "on_change", false, why);
    if (rc == SYNCLINE_OK)
        rc = take_number(&f->setup.timeout_ms, v, "timeout_ms", TIMEOUT_MS,
            TIMEOUT_MAX_MS, why);
    if (rc == SYNCLINE_OK)
        rc = take_number(
            &f->setup.versions, v, "versions", VERSIONS, VERSIONS_MAX, why);
    f->setup.reverts = json_get_bool(v, "revert", false);
    f->setup.ascii = json_get_bool(v, "ascii", false);
    if (rc == SYNCLINE_OK)
        rc = take_local(f, v, why);
    if (rc == SYNCLINE_OK)
        rc = take_words(f, v, why);
    if (rc == SYNCLINE_OK)
        rc = take_schema(f, v, why);
    if (rc == SYNCLINE_OK)
        rc = take_versions_at(f, v, why);
    return rc == SYNCLINE_OK ? name_it(f) : rc;
}

static void put_text(struct buf *b, const char *name, const char *text)
{
    if (text == NULL)
        return;
    buf_printf(b, ",\"%s\":", name);
    json_print_string(b, slice_str(text), false);
}

static void put_where(struct buf *b, const struct file_setup *s)
{
    buf_put_str(b, "\"file\":");
    json_print_string(b, slice_str(s->file), false);
    put_text(b, "space", s->space);
    put_text(b, "key", s->key);
    put_text(b, "versions_at", s->versions_at);
    buf_printf(b, ",\"format\":\"%s\",\"versions\":%u,\"local\":[",
        s->yaml ? "yaml" : "json", s->versions);
    for (size_t i = 0; i < s->local_n; i++) {
        buf_put_str(b, i > 0 ? "," : "");
        json_print_string(b, s->local[i], false);
    }
    buf_put_u8(b, ']');
    if (s->schema.len > 0)
        buf_printf(b, ",\"schema\":%.*s", SLICE_FMT(s->schema));
}

void files_put_setup(struct buf *b, const struct bound_file *f)
{
    const struct file_setup *s = &f->setup;

    put_where(b, s);
    put_text(b, "on_change", s->on_change);
    buf_printf(b,
        ",\"prefer\":\"%s\",\"revert\":%s,\"timeout_ms\":%u,\"ascii\":%s",
        prefers[s->prefer], s->reverts ? "true" : "false", s->timeout_ms,
        s->ascii ? "true" : "false");
}

void files_put_shown(struct buf *b, const struct bound_file *f)
{
    put_where(b, &f->setup);
    buf_printf(
        b, ",\"runs\":%s", f->setup.on_change != NULL ? "true" : "false");
}

/* ---- the list ---- */

static struct private_file list_file(
    const struct engine_files *x, char *path, size_t size)
{
    (void)snprintf(path, size, "%s/bindings.json", x->engine->dir);
    return (struct private_file){
        .path = path, .what = "list of bound files", .max = LIST_MAX
    };
}

int files_save(const struct engine_files *x, struct errmsg *why)
{
    char path[PATH_MAX];
    const struct private_file file = list_file(x, path, sizeof path);
    struct buf b = { 0 };
    bool any = false;
    int rc;

    buf_put_str(&b, "{\"format\":1,\"bindings\":[");
    for (const struct bound_file *f = x->first; f; f = f->next) {
        if (f->gone || !f->kept)
            continue;
        buf_put_str(&b, any ? ",\n{" : "\n{");
        files_put_setup(&b, f);
        buf_put_u8(&b, '}');
        any = true;
    }
    buf_put_str(&b, "\n]}\n");
    rc = buf_status(&b);
    if (rc == SYNCLINE_OK)
        rc = private_file_write(&file, buf_slice(&b), true, why);
    buf_free(&b);
    return rc;
}

static int load_one(struct engine_files *x, const struct json *v)
{
    struct errmsg why = { "" };
    struct bound_file *f = calloc(1, sizeof *f);
    int rc;

    if (f == NULL)
        return SYNCLINE_ENOMEM;
    f->files = x;
    f->kept = true;
    rc = files_setup(f, v, &why);
    if (rc == SYNCLINE_OK)
        rc = files_add(x, f, &why);
    else
        files_free(f);
    if (rc == SYNCLINE_OK)
        rc = files_run(f, &why);
    if (rc != SYNCLINE_OK)
        log_line(&x->engine->opt.log, LOG_LEVEL_ERROR, "files",
            "a binding is not taken up again: %s", why.text);
    return rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_OK;
}

int files_load(struct engine_files *x, struct errmsg *why)
{
    char path[PATH_MAX];
    const struct private_file file = list_file(x, path, sizeof path);
    struct arena a = { 0 };
    struct buf b = { 0 };
    struct json *v = NULL;
    const struct json *list;
    int rc = private_file_read(&b, &file, why);

    if (rc == SYNCLINE_ENOTFOUND) {
        buf_free(&b);
        return SYNCLINE_OK;
    }
    if (rc == SYNCLINE_OK)
        rc = json_parse(&v, buf_slice(&b), JSON_WRAPPED, &a, why);
    if (rc == SYNCLINE_OK && json_get_int(v, "format", 0) != 1)
        rc = errmsg_set(why, SYNCLINE_EVERSION,
            "%s: made by a newer version, or damaged", path);
    list = rc == SYNCLINE_OK ? json_get(v, "bindings") : NULL;
    for (const struct json *one = list ? list->first : NULL;
         one != NULL && rc == SYNCLINE_OK; one = one->next)
        rc = load_one(x, one);
    arena_free(&a);
    buf_free(&b);
    return rc;
}
