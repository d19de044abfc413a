/* Bound files of a running node: their machines' events and effects. */
#include "app/engine/engine_files.h"

#include "app/answer.h"
#include "app/identity_file.h"
#include "app/private_file.h"
#include "io/clock.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RECORD_MAX ((size_t)16 << 20)
#define LOOK_US ((uint64_t)5 * 1000 * 1000)

static struct engine *engine_of(const struct bound_file *f)
{
    return f->files->engine;
}

/* ---- the item ---- */

static bool parse_answer(struct json **v, struct slice text, struct arena *a)
{
    return json_parse(v, text, JSON_WRAPPED, a, NULL) == SYNCLINE_OK;
}

static void item_failed(
    struct bound_file *f, enum binding_event_type type, int rc, const char *why)
{
    const struct binding_event ev = { .type = type, .rc = rc, .why = why };

    (void)!files_step(f, &ev, NULL);
}

static void on_got(struct bound_file *f, const struct json *v)
{
    struct binding_event ev = { .type = BINDING_ITEM };
    struct errmsg why = { "" };
    struct buf b = { 0 };

    ev.rc = answer_status(v, &why);
    if (ev.rc == SYNCLINE_OK)
        (void)errmsg_set(
            &why, 0, "%.*s", SLICE_FMT(json_get_str(v, "invalid")));
    ev.why = why.text;
    if (ev.rc == SYNCLINE_OK) {
        json_print(&b, json_get(v, "value"), JSON_CANONICAL);
        ev.rc = buf_status(&b);
        ev.text = buf_slice(&b);
        ev.context = json_get_str(v, "context");
    } else if (ev.rc == SYNCLINE_ENOTFOUND) {
        ev.rc = SYNCLINE_OK;
        ev.why = NULL;
    }
    (void)!files_step(f, &ev, NULL);
    buf_free(&b);
}

static void on_put_answer(struct bound_file *f, const struct json *v)
{
    struct binding_event ev = { .type = BINDING_PUT };
    struct errmsg why = { "" };

    ev.rc = answer_status(v, &why);
    ev.why = why.text;
    (void)!files_step(f, &ev, NULL);
}

static void on_answer(void *ctx, struct slice json, bool more)
{
    struct bound_file *f = ctx;
    struct arena a = { 0 };
    struct json *v;

    (void)more;
    f->asking = 0;
    if (!parse_answer(&v, json, &a))
        item_failed(f, f->putting ? BINDING_PUT : BINDING_ITEM, SYNCLINE_ENOMEM,
            "memory ran out");
    else if (f->putting)
        on_put_answer(f, v);
    else
        on_got(f, v);
    arena_free(&a);
}

static struct json *request(
    struct bound_file *f, const char *op, const char *key, struct arena *a)
{
    struct json *v = json_new(a, JSON_OBJECT);

    (void)json_add(v, SLICE_LIT("op"), json_new_str(a, slice_str(op)));
    (void)json_add(
        v, SLICE_LIT("space"), json_new_str(a, slice_str(f->setup.space)));
    if (json_add(v, slice_str(key), json_new_str(a, slice_str(f->setup.key))) ==
        NULL)
        return NULL;
    return v;
}

/* False: nothing will be answered. */
static bool ask(struct bound_file *f, const struct binding_effect *fx)
{
    struct arena a = { 0 };
    struct json *v, *doc;

    f->putting = fx->type == BINDING_FX_PUT;
    v = request(f, f->putting ? "put" : "get", "key", &a);
    if (f->putting && v != NULL) {
        if (json_parse(&doc, fx->text, JSON_STRICT, &a, NULL) != SYNCLINE_OK)
            v = NULL;
        else if (json_add(v, SLICE_LIT("value"), doc) == NULL ||
            json_add(v, SLICE_LIT("if_context"),
                json_new_str(&a, fx->context)) == NULL ||
            json_add(v, SLICE_LIT("unseen"), json_new_bool(&a, fx->unseen)) ==
                NULL)
            v = NULL;
    }
    if (v != NULL)
        f->asking = engine_request(engine_of(f), v, NULL, on_answer, f);
    arena_free(&a);
    return f->asking != 0;
}

static void on_event(void *ctx, struct slice json, bool more)
{
    struct bound_file *f = ctx;
    struct arena a = { 0 };
    struct json *v;
    const bool parsed = parse_answer(&v, json, &a);
    const bool other = parsed && json_get(v, "key") != NULL &&
        !slice_is(json_get_str(v, "key"), f->setup.key);

    if (!more) {
        f->watch = 0;
        f->rewatch_us = clock_mono_us() + LOOK_US;
    }
    if (!other && !f->files->closing)
        (void)!files_step(
            f, &(struct binding_event){ .type = BINDING_ITEM_TOUCHED }, NULL);
    arena_free(&a);
}

static void watch_item(struct bound_file *f)
{
    struct arena a = { 0 };
    const struct json *v = request(f, "watch", "prefix", &a);

    f->rewatch_us = 0;
    if (v != NULL)
        f->watch = engine_request(engine_of(f), v, NULL, on_event, f);
    if (f->watch == 0)
        f->rewatch_us = clock_mono_us() + LOOK_US;
    arena_free(&a);
}

/* What is forbidden may be another for any item. */
static void on_schema(void *ctx, struct slice json, bool more)
{
    struct engine_files *x = ctx;

    (void)json;
    if (!more)
        x->schemas = 0;
    for (struct bound_file *f = x->first; f != NULL && more; f = f->next)
        (void)!files_step(
            f, &(struct binding_event){ .type = BINDING_ITEM_TOUCHED }, NULL);
}

static void watch_schemas(struct engine_files *x)
{
    struct arena a = { 0 };
    struct json *v = json_new(&a, JSON_OBJECT);

    (void)json_add(v, SLICE_LIT("op"), json_new_str(&a, SLICE_LIT("watch")));
    (void)json_add(
        v, SLICE_LIT("space"), json_new_str(&a, SLICE_LIT("_spaces")));
    if (json_add(v, SLICE_LIT("prefix"),
            json_new_str(&a, SLICE_LIT("schema/"))) != NULL)
        x->schemas = engine_request(x->engine, v, NULL, on_schema, x);
    arena_free(&a);
}

/* ---- the file ---- */

static void touched(struct bound_file *f, enum binding_save save)
{
    (void)!files_step(f,
        &(struct binding_event){ .type = BINDING_TOUCHED, .save = save }, NULL);
}

/* Of the folder; it is looked for again where it is not. */
static void watch_folder(struct bound_file *f)
{
    struct errmsg why;
    int fd, rc;

    f->look_us = 0;
    f->folder = -1;
    if (f->no_place.text[0] != 0)
        return;
    rc = config_file_folder(&f->at, &fd, &why);
    if (rc == SYNCLINE_OK) {
        rc = dir_watch_add(f->files->watch, fd, &f->folder);
        (void)close(fd);
        if (rc != SYNCLINE_OK)
            log_line(&engine_of(f)->opt.log, LOG_LEVEL_ERROR, "files",
                "%s: changes are not seen: the system watches no more folders "
                "(fs.inotify.max_user_watches)",
                f->setup.file);
    }
    if (rc != SYNCLINE_OK)
        f->look_us = clock_mono_us() + LOOK_US;
}

static void unwatch_folder(struct bound_file *f)
{
    const int folder = f->folder;

    f->folder = -1;
    for (const struct bound_file *o = f->files->first; o; o = o->next)
        if (folder >= 0 && o->folder == folder)
            return;
    if (folder >= 0)
        dir_watch_remove(f->files->watch, folder);
}

static void on_folder(
    void *ctx, int folder, struct slice name, enum dir_change change)
{
    struct engine_files *x = ctx;

    for (struct bound_file *f = x->first; f != NULL; f = f->next) {
        if (f->gone || (folder >= 0 && f->folder != folder))
            continue;
        if (change ==
            DIR_GONE) { /* or moved: what has its name now is another one */
            unwatch_folder(f);
            watch_folder(f);
            touched(f, BINDING_SAVE_SOMEHOW);
        } else if (folder < 0 || name.len == 0 ||
            slice_is(name, config_file_name(&f->at))) {
            touched(f,
                change == DIR_MOVED        ? BINDING_SAVE_MOVED
                    : change == DIR_CLOSED ? BINDING_SAVE_CLOSED
                                           : BINDING_SAVE_SOMEHOW);
        }
    }
}

/* ---- jobs ---- */

static void log_kept(const struct file_job *j)
{
    if (j->keep_rc != SYNCLINE_OK)
        log_line(&engine_of(j->file)->opt.log, LOG_LEVEL_WARN, "files",
            "%s: no version of it was kept: %s", j->file->setup.file,
            j->keep_why.text);
    if (j->saves && !j->writes && j->rc != SYNCLINE_OK)
        log_line(&engine_of(j->file)->opt.log, LOG_LEVEL_WARN, "files",
            "%s: what it was is not noted: %s", j->file->setup.file,
            j->why.text);
}

/* Once it is there, and is what its item says. */
static void tell_kept(const struct file_job *j)
{
    const struct engine_options *opt = &engine_of(j->file)->opt;

    if (opt->on_kept != NULL && j->keeps && !j->file->gone && j->kept.len > 0)
        opt->on_kept(opt->file_ctx, j->file->setup.file, buf_slice(&j->kept));
}

static void done_job(struct helper_job *job)
{
    struct file_job *j =
        (struct file_job *)((char *)job - offsetof(struct file_job, job));
    struct bound_file *f = j->file;
    struct binding_event ev = { .rc = j->rc,
        .why = j->why.text[0] != 0 ? j->why.text : NULL,
        .text = buf_slice(&j->out),
        .busy = j->use == CONFIG_FILE_BUSY,
        .alone = j->use == CONFIG_FILE_ALONE };

    f->jobs--;
    log_kept(j);
    if (j->versions_n != VERSIONS_UNKNOWN)
        f->versions_n = j->versions_n;
    ev.type = j->writes               ? BINDING_WRITTEN
        : j->rc == SYNCLINE_OK        ? BINDING_READ
        : j->rc == SYNCLINE_ENOTFOUND ? BINDING_GONE
                                      : BINDING_BARRED;
    if (!f->gone && (j->writes || j->reads))
        (void)!files_step(f, &ev, NULL);
    tell_kept(j);
    files_job_free(j);
    if (f->gone && f->jobs == 0)
        files_free(f);
}

static int to_job(struct file_job *j, const struct binding_effect *fx)
{
    switch (fx->type) {
    case BINDING_FX_READ:
        j->reads = true;
        return SYNCLINE_OK;
    case BINDING_FX_SAVE:
        j->saves = true;
        buf_put_slice(&j->record, fx->text);
        return buf_status(&j->record);
    case BINDING_FX_WRITE:
        j->writes = true;
        j->exists = fx->exists;
        buf_put_slice(&j->text, fx->text);
        buf_put_slice(&j->expected, fx->expected);
        return buf_status(&j->text) | buf_status(&j->expected);
    case BINDING_FX_KEEP:
        j->keeps = true;
        buf_put_slice(&j->version, fx->text);
        return buf_status(&j->version);
    default:
        return SYNCLINE_OK;
    }
}

static bool is_of_job(const struct binding_effect *fx)
{
    return fx->type == BINDING_FX_READ || fx->type == BINDING_FX_SAVE ||
        fx->type == BINDING_FX_WRITE || fx->type == BINDING_FX_KEEP;
}

/* ---- steps ---- */

static void tell_trouble(
    const struct bound_file *f, const struct binding_effect *fx)
{
    const bool over = fx->text.len == 0;

    log_line(&engine_of(f)->opt.log, over ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
        "files", "%s: %s%.*s", f->setup.file, over ? "mended: " : "",
        SLICE_FMT(
            over ? slice_str(binding_trouble_name(fx->trouble)) : fx->text));
    engine_errors_soon(engine_of(f));
}

/* What cannot be asked for, since memory has run out, has failed. */
static void fail_effect(
    struct binding_event *ev, const struct binding_effect *fx)
{
    *ev = (struct binding_event){ .rc = SYNCLINE_ENOMEM,
        .why = "memory ran out" };
    switch (fx->type) {
    case BINDING_FX_READ:
        ev->type = BINDING_BARRED;
        break;
    case BINDING_FX_WRITE:
        ev->type = BINDING_WRITTEN;
        break;
    case BINDING_FX_GET:
        ev->type = BINDING_ITEM;
        break;
    case BINDING_FX_PUT:
        ev->type = BINDING_PUT;
        break;
    default:
        break;
    }
}

struct carried {
    struct file_job *job;
    const struct binding_effect *run, *failed;
};

static void carry_out(
    struct bound_file *f, struct carried *c, const struct binding_effect *fx)
{
    const bool answers =
        fx->type == BINDING_FX_READ || fx->type == BINDING_FX_WRITE;

    if (is_of_job(fx)) {
        if (c->job == NULL)
            c->job = files_job_new(f, JOB_STEP);
        if ((c->job == NULL || to_job(c->job, fx) != SYNCLINE_OK) && answers)
            c->failed = fx;
    } else if (fx->type == BINDING_FX_TROUBLE) {
        tell_trouble(f, fx);
    } else if (fx->type == BINDING_FX_RUN) {
        c->run = fx;
    } else if (!ask(f, fx)) {
        c->failed = fx;
    }
}

/* First the program that this is part of, then a command. */
static void run(struct bound_file *f, const struct binding_effect *fx)
{
    const struct engine_options *opt = &engine_of(f)->opt;
    struct binding_event ev = { .type = BINDING_RAN };

    if (opt->on_file != NULL &&
        opt->on_file(opt->file_ctx, f->setup.file, fx->text, fx->reverted)) {
        ev.rc = SYNCLINE_EIO;
        ev.why = "the program could not take it";
    } else if (f->setup.on_change != NULL) {
        reload_run(f, fx->text, fx->reverted);
        return;
    }
    (void)!files_step(f, &ev, NULL);
}

int files_step(
    struct bound_file *f, const struct binding_event *ev, struct errmsg *why)
{
    struct binding_event at = *ev;
    struct carried c = { .job = NULL };
    const struct binding_effect *fx;
    size_t fx_n;
    int rc;

    at.now_us = clock_mono_us();
    rc = binding_step(f->machine, &at, &fx, &fx_n, why);
    for (size_t i = 0; i < fx_n; i++)
        carry_out(f, &c, &fx[i]);
    if (c.failed != NULL) {
        files_job_free(c.job);
        fail_effect(&at, c.failed);
        return files_step(f, &at, NULL);
    }
    if (c.job != NULL) {
        c.job->wall_us = (int64_t)clock_wall_us();
        c.job->job.done = done_job;
        f->jobs++;
        helper_submit(f->files->helper, &c.job->job);
    }
    if (c.run != NULL)
        run(f, c.run);
    return rc;
}

/* ---- making and unmaking ---- */

void files_free(struct bound_file *f)
{
    if (f == NULL)
        return;
    binding_free(f->machine);
    schema_free(f->schema);
    arena_free(&f->text);
    free(f);
}

struct bound_file *files_find(struct engine_files *x, struct slice file)
{
    struct bound_file *f = x->first;

    while (f != NULL && (f->gone || !slice_is(file, f->setup.file)))
        f = f->next;
    return f;
}

struct bound_file *files_find_id(struct engine_files *x, struct slice id)
{
    struct bound_file *f = x->first;

    while (f != NULL && (f->gone || !slice_is(id, f->id)))
        f = f->next;
    return f;
}

/* What of the engine is needed once there is a file. */
static int wake(struct engine_files *x, struct errmsg *why)
{
    char dir[PATH_MAX];
    int rc = SYNCLINE_OK;

    if (x->watch == NULL)
        rc = dir_watch_new(&x->watch, x->engine->opt.loop, on_folder, x);
    if (rc == SYNCLINE_OK && x->helper == NULL)
        rc = helper_start(&x->helper, x->engine->opt.loop, "syncline-files");
    if (rc != SYNCLINE_OK)
        return errmsg_set(why, rc,
            "no file can be watched: the system has no "
            "more of what that takes (fs.inotify.max_user_instances)");
    if (x->schemas == 0)
        watch_schemas(x);
    (void)snprintf(dir, sizeof dir, "%s/bindings", x->engine->dir);
    return folder_make(dir, why);
}

static int make_machine(struct bound_file *f)
{
    const struct binding_options opt = { .yaml = f->setup.yaml,
        .prefer = f->setup.prefer,
        .max = engine_of(f)->opt.files_max,
        .local = { f->setup.local, f->setup.local_n },
        .schema = f->schema,
        .runs = f->setup.on_change != NULL || engine_of(f)->opt.on_file != NULL,
        .reverts = f->setup.reverts,
        .ascii = f->setup.ascii };

    return binding_new(&f->machine, &opt);
}

int files_add(struct engine_files *x, struct bound_file *f, struct errmsg *why)
{
    struct errmsg no_place = { "" };
    int rc = wake(x, why);

    f->files = x;
    f->folder = -1;
    if (rc == SYNCLINE_OK && x->n >= FILES_BOUND_MAX)
        rc = errmsg_set(why, SYNCLINE_ELIMIT, "%d files are bound, no more are",
            FILES_BOUND_MAX);
    if (rc == SYNCLINE_OK && files_find(x, slice_str(f->setup.file)) != NULL)
        rc = errmsg_set(why, SYNCLINE_EEXIST,
            "%s: is bound already; `syncline unbind` ends that", f->setup.file);
    if (rc == SYNCLINE_OK)
        rc = files_place(f, &no_place);
    if (rc == SYNCLINE_EDENIED && f->kept) {
        f->no_place = no_place;
        rc = SYNCLINE_OK;
    } else if (rc != SYNCLINE_OK && no_place.text[0] != 0 && why != NULL) {
        *why = no_place;
    }
    if (rc == SYNCLINE_OK)
        rc = files_versions_place(x, f);
    if (rc == SYNCLINE_OK)
        rc = make_machine(f);
    if (rc != SYNCLINE_OK) {
        files_free(f);
        return rc;
    }
    f->next = x->first;
    x->first = f;
    x->n++;
    return SYNCLINE_OK;
}

static int load_record(struct bound_file *f, struct errmsg *why)
{
    char path[PATH_MAX];
    const struct private_file file = {
        .path = path, .what = "record of a bound file", .max = RECORD_MAX
    };
    struct errmsg said = { "" };
    struct buf b = { 0 };
    int rc;

    files_record_path(f, path, sizeof path);
    rc = private_file_read(&b, &file, &said);
    if (rc == SYNCLINE_OK)
        rc = binding_load(f->machine, buf_slice(&b));
    buf_free(&b);
    if (rc == SYNCLINE_ENOMEM)
        return rc;
    if (rc == SYNCLINE_EIO) /* it is there, and is read by the next start */
        return errmsg_set(why, rc, "%s", said.text);
    if (rc != SYNCLINE_OK && rc != SYNCLINE_ENOTFOUND)
        log_line(&engine_of(f)->opt.log, LOG_LEVEL_WARN, "files",
            "%s: it is not known any more what it was (%s): if it is not what "
            "its item is, somebody must say which counts",
            f->setup.file, said.text[0] != 0 ? said.text : path);
    return SYNCLINE_OK;
}

/* One that is bound anew knows of nothing. */
int files_run(struct bound_file *f, struct errmsg *why)
{
    int rc = f->kept ? load_record(f, why) : SYNCLINE_OK;

    if (rc != SYNCLINE_OK)
        return rc;
    watch_folder(f);
    watch_item(f);
    (void)!files_step(
        f, &(struct binding_event){ .type = BINDING_START }, NULL);
    return SYNCLINE_OK;
}

static void cancel(struct bound_file *f)
{
    struct engine *e = engine_of(f);

    if (f->watch != 0)
        engine_cancel(e, f->watch);
    if (f->asking != 0)
        engine_cancel(e, f->asking);
    f->watch = f->asking = 0;
}

void files_remove(struct bound_file *f)
{
    struct engine_files *x = f->files;
    struct bound_file **at = &x->first;

    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    x->n--;
    f->gone = true;
    unwatch_folder(f);
    cancel(f);
    reload_forget(f->reload);
    if (f->jobs == 0)
        files_free(f);
}

/* ---- the engine's ---- */

int engine_files_open(struct engine *e)
{
    struct engine_files *x = calloc(1, sizeof *x);
    int rc;

    if (x == NULL)
        return SYNCLINE_ENOMEM;
    x->engine = e;
    e->files = x;
    /* A list that cannot be read is no reason not to start, and none to write
     * over it. */
    rc = files_load(x, &x->trouble);
    if (rc != SYNCLINE_OK && rc != SYNCLINE_ENOMEM)
        log_line(&e->opt.log, LOG_LEVEL_ERROR, "files",
            "%s: no file is kept in sync before that is mended and the daemon "
            "started again",
            x->trouble.text);
    return rc == SYNCLINE_ENOMEM ? rc : SYNCLINE_OK;
}

void engine_files_close(struct engine *e)
{
    struct engine_files *x = e->files;

    if (x == NULL)
        return;
    x->closing = true;
    while (x->first != NULL)
        files_remove(x->first);
    reload_close(x);
    if (x->schemas != 0)
        engine_cancel(e, x->schemas);
    dir_watch_free(x->watch);
    helper_stop(x->helper);
    free(x);
    e->files = NULL;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return b != 0 && b < a ? b : a;
}

static uint64_t deadline_of(const struct bound_file *f)
{
    uint64_t due = binding_deadline_us(f->machine);

    due = sooner(due, f->look_us);
    due = sooner(due, f->rewatch_us);
    return f->asker != 0 ? sooner(due, f->asked_until_us) : due;
}

uint64_t engine_files_deadline(const struct engine *e)
{
    const struct bound_file *f = e->files != NULL ? e->files->first : NULL;
    uint64_t due = UINT64_MAX;

    for (; f != NULL; f = f->next)
        due = sooner(due, deadline_of(f));
    return due;
}

void engine_files_turn(struct engine *e)
{
    const uint64_t now = clock_mono_us();
    struct bound_file *f = e->files != NULL ? e->files->first : NULL, *next;

    for (; f != NULL; f = next) {
        next = f->next;
        if (f->look_us != 0 && now >= f->look_us) {
            watch_folder(f);
            if (f->folder >= 0)
                touched(f, BINDING_SAVE_SOMEHOW);
        }
        if (f->rewatch_us != 0 && now >= f->rewatch_us)
            watch_item(f);
        if (binding_deadline_us(f->machine) <= now)
            (void)!files_step(
                f, &(struct binding_event){ .type = BINDING_TIMER }, NULL);
        if (f->asker != 0)
            files_answer(f, now >= f->asked_until_us);
    }
}
