/* The ops of bound files: bind, unbind, bindings, bind_restore, versions,
 * rollback. */
#include "app/engine/engine_files.h"

#include "app/answer.h"
#include "app/error_list.h"
#include "base/plant.h"
#include "io/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WAIT_US ((uint64_t)10 * 1000 * 1000)

static bool is_by_token(const struct call *c)
{
    return c->asker.token[0] != 0;
}

/* ---- what is told of one ---- */

static void put_troubles(struct buf *b, const struct bound_file *f)
{
    bool any = false;

    buf_put_str(b, ",\"troubles\":[");
    for (int i = 0; i < BINDING_TROUBLES_N; i++) {
        const enum binding_trouble which = (enum binding_trouble)i;
        const char *text = binding_trouble(f->machine, which);

        if (text[0] == 0)
            continue;
        buf_printf(b, "%s{\"code\":\"%s\",\"text\":", any ? "," : "",
            binding_trouble_name(which));
        json_print_string(b, slice_str(text), false);
        buf_put_u8(b, '}');
        any = true;
    }
    buf_put_u8(b, ']');
}

static bool is_troubled(const struct bound_file *f)
{
    for (int i = 0; i < BINDING_TROUBLES_N; i++)
        if (binding_trouble(f->machine, (enum binding_trouble)i)[0] != 0)
            return true;
    return false;
}

static const char *state_of(const struct bound_file *f)
{
    if (is_troubled(f))
        return "trouble";
    if (!binding_is_quiet(f->machine))
        return "busy";
    return binding_has_agreed(f->machine) ? "in sync" : "waiting";
}

static void put_one(struct buf *b, const struct bound_file *f, bool shown)
{
    if (shown)
        files_put_shown(b, f);
    else
        files_put_setup(b, f);
    buf_printf(b, ",\"id\":\"%s\",\"state\":\"%s\"", f->id, state_of(f));
    put_troubles(b, f);
}

/* ---- who waits ---- */

static void answer(struct bound_file *f, int rc, const struct errmsg *why)
{
    struct buf b = { 0 };
    const uint64_t asker = f->asker;
    const struct call *c = engine_call(f->files->engine, asker);

    f->asker = 0;
    buf_put_str(&b, "{\"ok\":true,");
    if (f->rolled[0] != 0)
        buf_printf(&b, "\"version\":\"%s\",", f->rolled);
    f->rolled[0] = 0;
    put_one(&b, f, c != NULL && is_by_token(c));
    buf_put_u8(&b, '}');
    engine_answer_buf(f->files->engine, asker, &b, rc, why);
}

/* What of the first meeting is a refusal: then nothing stays bound. */
static int refusal(const struct bound_file *f, struct errmsg *why)
{
    static const struct {
        enum binding_trouble which;
        int rc;
    } all[] = {
        { BINDING_UNDECIDED, SYNCLINE_ECONFLICT },
        { BINDING_FILE_INVALID, SYNCLINE_EMALFORMED },
        { BINDING_FILE_BARRED, SYNCLINE_EDENIED },
        { BINDING_FILE_REFUSED, SYNCLINE_EINVAL },
        { BINDING_ITEM_REFUSED, SYNCLINE_EINVAL },
        { BINDING_WRITE_FAILED, SYNCLINE_EIO },
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const char *text = binding_trouble(f->machine, all[i].which);

        if (text[0] != 0)
            return errmsg_set(
                why, all[i].rc, "%s: %.400s", f->setup.file, text);
    }
    return SYNCLINE_OK;
}

static void answer_bind(struct bound_file *f, bool late)
{
    struct errmsg why = { "" };
    int rc = refusal(f, &why);

    if (rc == SYNCLINE_OK && late)
        rc = errmsg_set(&why, SYNCLINE_ETIMEOUT,
            "%s: file and item did not come to rest in %d s; nothing is bound",
            f->setup.file, (int)(WAIT_US / 1000000));
    f->kept = rc == SYNCLINE_OK;
    if (rc == SYNCLINE_OK) {
        rc = files_save(f->files, &why);
        f->kept = rc == SYNCLINE_OK;
    }
    answer(f, rc, &why);
    if (rc != SYNCLINE_OK)
        files_remove(f);
}

void files_answer(struct bound_file *f, bool late)
{
    struct errmsg why = { "" };

    if (!binding_is_quiet(f->machine) && !late)
        return;
    if (strcmp(f->asked, "bind") == 0)
        answer_bind(f, late);
    else
        answer(f, refusal(f, &why), &why);
}

static void wait_for_it(struct bound_file *f, const struct call *c)
{
    f->asker = c->id;
    f->asked_until_us = clock_mono_us() + WAIT_US;
    (void)snprintf(f->asked, sizeof f->asked, "%.11s", c->op);
}

/* ---- ops ---- */

static void refuse(
    struct engine *e, const struct call *c, int rc, const struct errmsg *why)
{
    struct buf b = { 0 };

    engine_answer_buf(e, c->id, &b, rc, why);
}

static void audit(struct engine *e, const struct call *c,
    const struct bound_file *f, const char *kind)
{
    struct buf b = { 0 };

    buf_put_str(&b, "{\"file\":");
    json_print_string(&b, slice_str(f->setup.file), false);
    buf_put_str(&b, ",\"space\":");
    json_print_string(&b, slice_str(f->setup.space), false);
    buf_put_u8(&b, '}');
    engine_audit_asked(e, c, kind, &b);
    buf_free(&b);
}

static int take_bind(struct engine *e, struct call *c, const struct json *args,
    struct errmsg *why)
{
    struct bound_file *f = calloc(1, sizeof *f);
    int rc;

    if (f == NULL)
        return SYNCLINE_ENOMEM;
    f->files = e->files;
    rc = files_setup(f, args, why);
    if (rc != SYNCLINE_OK) {
        files_free(f);
        return rc;
    }
    rc = files_add(e->files, f, why);
    if (rc != SYNCLINE_OK)
        return rc;
    audit(e, c, f, "bind");
    wait_for_it(f, c);
    return files_run(f, why);
}

static int take_unbind(
    struct engine *e, struct call *c, struct bound_file *f, struct errmsg *why)
{
    struct buf b = { 0 };
    char record[4096];
    int rc;

    files_record_path(f, record, sizeof record);
    f->kept = false;
    rc = files_save(e->files, why);
    if (rc != SYNCLINE_OK) {
        f->kept = true;
        return rc;
    }
    audit(e, c, f, "unbind");
    (void)unlink(record);
    if (f->asker != 0)
        answer(f, errmsg_set(why, SYNCLINE_ECLOSED, "it was unbound"), why);
    files_remove(f);
    buf_put_str(&b, "{\"ok\":true}");
    engine_answer_buf(e, c->id, &b, SYNCLINE_OK, NULL);
    return SYNCLINE_OK;
}

static void put_all(struct engine *e, const struct call *c)
{
    struct buf b = { 0 };

    buf_put_str(&b, "{\"ok\":true,\"bindings\":[");
    for (const struct bound_file *f = e->files->first; f; f = f->next) {
        buf_put_u8(&b, '{');
        put_one(&b, f, is_by_token(c));
        buf_put_str(&b, f->next != NULL ? "}," : "}");
    }
    buf_put_str(&b, "]}");
    engine_answer_buf(e, c->id, &b, SYNCLINE_OK, NULL);
}

static int take_restore(
    struct call *c, struct bound_file *f, struct errmsg *why)
{
    int rc =
        files_step(f, &(struct binding_event){ .type = BINDING_RESTORE }, why);

    if (rc == SYNCLINE_OK)
        wait_for_it(f, c);
    return rc;
}

/* ---- versions ---- */

static void put_version(struct file_job *j)
{
    const struct local_parts local = { j->file->setup.local,
        j->file->setup.local_n };
    struct arena a = { 0 };
    struct json *v;
    struct buf b = { 0 };

    if (j->rc == SYNCLINE_OK)
        j->rc = json_parse(&v, buf_slice(&j->out), JSON_STRICT, &a, &j->why);
    if (j->rc == SYNCLINE_OK && j->shared)
        j->rc = local_strip(&v, v, &local, &a, &j->why);
    if (j->rc == SYNCLINE_OK) {
        buf_printf(&b, "{\"ok\":true,\"version\":\"%s\",\"value\":", j->name);
        json_print(&b, v, JSON_CANONICAL);
        buf_put_u8(&b, '}');
    }
    arena_free(&a);
    engine_answer_buf(j->file->files->engine, j->request, &b, j->rc, &j->why);
}

static void roll_back(struct file_job *j)
{
    struct bound_file *f = j->file;
    struct engine *e = f->files->engine;
    const struct binding_event ev = { .type = BINDING_REPLACE,
        .text = buf_slice(&j->out) };
    const struct call *c = engine_call(e, j->request);
    struct errmsg why = { "" };
    struct buf b = { 0 };

    if (c == NULL)
        return; /* whoever asked has gone, and meant it perhaps no more */
    if (j->rc == SYNCLINE_OK)
        j->rc = files_step(f, &ev, &why);
    else
        why = j->why;
    if (j->rc == SYNCLINE_OK) {
        audit(e, c, f, "rollback");
        memcpy(f->rolled, j->name, sizeof f->rolled);
        wait_for_it(f, c);
        return;
    }
    engine_answer_buf(e, j->request, &b, j->rc, &why);
}

static void done_version(struct helper_job *job)
{
    struct file_job *j =
        (struct file_job *)((char *)job - offsetof(struct file_job, job));
    struct bound_file *f = j->file;
    struct errmsg gone = { "it was unbound" };
    struct buf b = { 0 };

    f->jobs--;
    if (f->gone)
        engine_answer_buf(
            f->files->engine, j->request, &b, SYNCLINE_ECLOSED, &gone);
    else if (j->kind == JOB_LIST)
        engine_answer_buf(
            f->files->engine, j->request, &j->out, j->rc, &j->why);
    else if (j->shows)
        put_version(j);
    else
        roll_back(j);
    files_job_free(j);
    if (f->gone && f->jobs == 0)
        files_free(f);
}

/* shows: the version is told, not put back. */
static int ask_version(struct bound_file *f, const struct call *c,
    const struct json *args, bool shows, struct errmsg *why)
{
    const struct slice name = json_get_str(args, "version");
    const struct json *to = json_get(args, "to");
    const bool lists = shows && name.len == 0 && to == NULL;
    struct file_job *j;

    if (!lists && (name.len == 0) == (to == NULL || to->type != JSON_INT))
        return errmsg_set(why, SYNCLINE_EINVAL,
            "version: a name, or \"latest\"; or to: a time");
    if (name.len >= VERSION_NAME_SIZE)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "version: no name of one; `syncline versions` lists them");
    j = files_job_new(f, lists ? JOB_LIST : JOB_VERSION);
    if (j == NULL)
        return SYNCLINE_ENOMEM;
    j->shows = shows;
    j->shared = is_by_token(c);
    j->request = c->id;
    j->newest = slice_is(name, "latest");
    j->wall_us = to != NULL ? to->i : (int64_t)clock_wall_us();
    if (!j->newest)
        (void)snprintf(j->name, sizeof j->name, "%.*s", SLICE_FMT(name));
    j->job.done = done_version;
    f->jobs++;
    helper_submit(f->files->helper, &j->job);
    return SYNCLINE_OK;
}

static int take_one(struct engine *e, struct call *c, const struct json *args,
    struct errmsg *why)
{
    const bool by_id = json_get(args, "id") != NULL;
    const struct slice file = json_get_str(args, by_id ? "id" : "file");
    struct bound_file *f =
        by_id ? files_find_id(e->files, file) : files_find(e->files, file);

    if (f == NULL)
        return errmsg_set(why, SYNCLINE_ENOTFOUND,
            "%.*s: is not bound; `syncline bindings` lists what is",
            (int)(file.len < 300 ? file.len : 300),
            file.len > 0 ? (const char *)file.ptr : "");
    if (strcmp(c->op, "versions") == 0)
        return ask_version(f, c, args, true, why);
    if (f->asker != 0)
        return errmsg_set(why, SYNCLINE_EBUSY,
            "%s: somebody else's request is under way", f->setup.file);
    if (strcmp(c->op, "unbind") == 0)
        return take_unbind(e, c, f, why);
    if (strcmp(c->op, "rollback") == 0)
        return ask_version(f, c, args, false, why);
    return take_restore(c, f, why);
}

/* Who has stolen a token must not read and write what files he likes, nor run
 * programs. What is bound already is of an item, which he has anyhow. */
static int check_token(
    struct engine *e, const struct json *args, struct errmsg *why)
{
    static const char *const by_hand[] = { "on_change", "revert", "timeout_ms",
        "versions_at" };

    if (!e->opt.files_http && !PLANTED(R37_HTTP))
        return errmsg_set(why, SYNCLINE_EDENIED,
            "files are bound on this machine itself, by `syncline bind`; over "
            "HTTP only where files.http says so, which is set by hand in the "
            "configuration file (files: http: true)");
    for (size_t i = 0; i < sizeof by_hand / sizeof *by_hand; i++)
        if (json_get(args, by_hand[i]) != NULL)
            return errmsg_set(why, SYNCLINE_EDENIED,
                "%s: is said on this machine itself, by `syncline bind`",
                by_hand[i]);
    return SYNCLINE_OK;
}

static int take(struct engine *e, struct call *c, const struct json *args,
    struct errmsg *why)
{
    if (strcmp(c->op, "bind") == 0)
        return take_bind(e, c, args, why);
    if (strcmp(c->op, "bindings") != 0)
        return take_one(e, c, args, why);
    put_all(e, c);
    return SYNCLINE_OK;
}

bool engine_files_take(
    struct engine *e, struct call *c, const struct json *args)
{
    struct errmsg why = { "" };
    int rc = SYNCLINE_OK;

    if (is_by_token(c) && strcmp(c->op, "bind") == 0)
        rc = check_token(e, args, &why);
    if (rc == SYNCLINE_OK && e->files->trouble.text[0] != 0)
        rc = errmsg_set(&why, SYNCLINE_EIO, "%s", e->files->trouble.text);
    if (rc == SYNCLINE_OK)
        rc = take(e, c, args, &why);
    if (rc != SYNCLINE_OK)
        refuse(e, c, rc, &why);
    return true;
}

/* ---- what others are told ---- */

size_t engine_versions_n(
    const struct engine *e, struct slice space, struct slice key)
{
    const struct bound_file *f = e->files != NULL ? e->files->first : NULL;
    size_t n = 0;

    for (; f != NULL; f = f->next)
        if (!f->gone && slice_is(space, f->setup.space) &&
            slice_is(key, f->setup.key))
            n += f->versions_n;
    return n;
}

void engine_put_files(const struct engine *e, struct buf *b)
{
    unsigned troubled = 0, n = 0;

    for (const struct bound_file *f = e->files->first; f; f = f->next) {
        n++;
        troubled += is_troubled(f);
    }
    buf_printf(b, "\"files\":{\"bound\":%u,\"troubled\":%u},", n, troubled);
}

static const char *advice(enum binding_trouble which)
{
    static const char *const all[BINDING_TROUBLES_N] = {
        [BINDING_UNDECIDED] = "`syncline unbind`, and `syncline bind --prefer "
                              "...` anew",
        [BINDING_NEITHER] = "make the file, or put the item",
        [BINDING_FILE_INVALID] = "mend the file, or `syncline bind --restore`",
        [BINDING_FILE_MISSING] = "`syncline bind --restore`, or `syncline "
                                 "unbind` if it is not wanted any more",
        [BINDING_FILE_BARRED] = "see what the file is",
        [BINDING_FILE_REFUSED] = "change the file so that it is taken, or "
                                 "`syncline bind --restore`",
        [BINDING_ITEM_REFUSED] = "mend the value where it was written, or here",
        [BINDING_ITEM_MISSING] = "`syncline unbind`, or change the file",
        [BINDING_WRITE_FAILED] = "see to the disk and the folder's rights",
        [BINDING_RUN_FAILED] = "see what the command says in the log",
    };

    return all[which];
}

void engine_files_conditions(const struct engine *e, struct error_list *l)
{
    const struct bound_file *f = e->files != NULL ? e->files->first : NULL;

    for (; f != NULL; f = f->next)
        for (int i = 0; i < BINDING_TROUBLES_N; i++) {
            const enum binding_trouble which = (enum binding_trouble)i;
            const char *text = binding_trouble(f->machine, which);
            struct error_report r = { .code = binding_trouble_name(which),
                .level = "warn",
                .advice = advice(which) };
            struct buf where = { 0 };
            char what[700];

            if (text[0] == 0)
                continue;
            (void)snprintf(
                what, sizeof what, "%.180s: %s", f->setup.file, text);
            buf_put_str(&where, "{\"file\":");
            json_print_string(&where, slice_str(f->setup.file), false);
            buf_put_u8(&where, '}');
            r.what = what;
            r.where = buf_slice(&where);
            if (buf_status(&where) == SYNCLINE_OK)
                error_list_condition(l, clock_wall_us(), &r);
            buf_free(&where);
        }
}
