/* The list of errors of a running node: what is looked for now and then, what
 * happens, and where it is kept (DIR/errors.json). */
#include "app/engine/engine_impl.h"

#include "app/doctor.h"
#include "app/error_list.h"
#include "app/private_file.h"
#include "base/text.h"
#include "io/clock.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define LIST_BYTES_MAX ((size_t)1 << 20)
#define SAVE_SOON_US ((uint64_t)1000 * 1000)
#define SAVE_LATER_US ((uint64_t)60 * 1000 * 1000)
#define LOOK_PAUSE_US ((uint64_t)1000 * 1000)
#define CONFLICT_HOLD_US ((uint64_t)3600 * 1000 * 1000)
#define FULL_HOLD_US ((uint64_t)10 * 1000 * 1000)

struct engine_errors {
    struct error_list *list;
    struct engine *engine;
    uint64_t look_us, looked_us; /* the next examination; the last one */
    uint64_t saved_us;           /* the last writing */
    bool looking, saving, troubled;
    /* The job's, while it is under way. */
    struct helper_job job;
    struct buf text;
    struct errmsg why;
    int rc;
    char path[PATH_MAX];
};

/* ---- examinations ---- */

static uint64_t pause_us(const struct engine *e)
{
    const uint64_t beat = e->opt.heartbeat_us;

    return beat > 0 ? 2 * beat : 10000000;
}

/* Of what is said the list wants what went wrong: not how a node is set up,
 * and nothing that is told as it happens. */
static bool is_for_list(const struct doctor_finding *f)
{
    static const char *const not [] = { "port", "mesh", "relay" };

    for (size_t i = 0; i < sizeof not / sizeof *not ; i++)
        if (strcmp(f->name, not [i]) == 0)
            return false;
    return f->level != NULL && strcmp(f->level, "info") != 0;
}

static void on_finding(void *ctx, const struct doctor_finding *f)
{
    struct engine_errors *x = ctx;
    struct error_report r = { .code = f->name,
        .level = f->level,
        .what = f->what,
        .advice = f->advice,
        .where = f->where };

    if (!is_for_list(f))
        return;
    /* It may just be on its way. */
    if (strcmp(f->name, "peer") == 0 || strcmp(f->name, "isync-peer") == 0 ||
        strcmp(f->name, "lansync-peer") == 0 ||
        strcmp(f->name, "lansync-untold") == 0 ||
        strcmp(f->name, "lansync-refused") == 0 ||
        strcmp(f->name, "lansync-node") == 0)
        r.hold_us = 4 * x->engine->opt.silence_us;
    error_list_condition(x->list, clock_wall_us(), &r);
}

static void look_at_store(struct engine_errors *x)
{
    const struct engine *e = x->engine;

    if (e->stuck)
        error_list_condition(x->list, clock_wall_us(),
            &(const struct error_report){ .code = "checkpoint",
                .level = "error",
                .what = "moving changes into state.db fails",
                .advice = "look at the log and at the disk",
                .where = SLICE_LIT("{\"file\":\"state.db\"}") });
    if (e->full)
        error_list_condition(x->list, clock_wall_us(),
            &(const struct error_report){ .code = "store-full",
                .level = "warn",
                .what = "writers wait for a checkpoint",
                .advice = "a slow disk, or store.overlay is small",
                .where = SLICE_LIT("{}"),
                .hold_us = FULL_HOLD_US });
}

static void look_at_conflicts(struct engine_errors *x, const struct json *space)
{
    const int64_t n = json_get_int(space, "conflicts", 0);
    struct buf where = { 0 };
    char what[200];

    if (n == 0)
        return;
    (void)snprintf(what, sizeof what,
        "%" PRId64 " conflict%s wait%s for somebody to settle", n,
        n == 1 ? "" : "s", n == 1 ? "s" : "");
    buf_put_str(&where, "{\"space\":");
    json_print_string(&where, json_get_str(space, "name"), false);
    buf_put_u8(&where, '}');
    if (buf_status(&where) == SYNCLINE_OK)
        error_list_condition(x->list, clock_wall_us(),
            &(const struct error_report){ .code = "conflicts",
                .level = "warn",
                .what = what,
                .advice = "`syncline conflicts` shows them, `syncline resolve` "
                          "settles one",
                .where = buf_slice(&where),
                .hold_us = CONFLICT_HOLD_US });
    buf_free(&where);
}

static void look_at_instance(struct engine_errors *x, const struct json *peer)
{
    const struct slice url = json_get_str(peer, "url");
    const struct slice trouble = json_get_str(peer, "trouble");
    struct buf where = { 0 };
    char what[ERROR_WHAT_MAX];

    if (trouble.len == 0)
        return;
    (void)snprintf(what, sizeof what, "%.*s: %.*s",
        (int)(url.len < 150 ? url.len : 150), (const char *)url.ptr,
        (int)(trouble.len < 200 ? trouble.len : 200),
        (const char *)trouble.ptr);
    buf_put_str(&where, "{\"url\":");
    json_print_string(&where, url, false);
    buf_put_u8(&where, '}');
    if (buf_status(&where) == SYNCLINE_OK)
        error_list_condition(x->list, clock_wall_us(),
            &(const struct error_report){ .code = "configsync-peer",
                .level = "warn",
                .what = what,
                .advice = "is that instance up, and the URL in "
                          "configsync.peers right? it is called again and "
                          "again",
                .where = buf_slice(&where),
                .hold_us = 4 * x->engine->opt.silence_us });
    buf_free(&where);
}

/* Of older instances: who is not reached, and what is told to none. */
static void look_at_configsync(struct engine_errors *x, const struct json *sync)
{
    const struct slice trouble =
        utf8_cut(json_get_str(sync, "trouble"), ERROR_WHAT_MAX);
    const struct json *peers = json_get(sync, "peers");
    char what[ERROR_WHAT_MAX + 1];

    for (const struct json *p = peers ? peers->first : NULL; p; p = p->next)
        look_at_instance(x, p);
    if (trouble.len == 0)
        return;
    (void)snprintf(what, sizeof what, "%.*s", SLICE_FMT(trouble));
    error_list_condition(x->list, clock_wall_us(),
        &(const struct error_report){ .code = "configsync",
            .level = "warn",
            .what = what,
            .advice = "write the configuration so that both can hold it",
            .where = SLICE_LIT("{}") });
}

static void on_status(void *ctx, struct slice answer, bool more)
{
    struct engine *e = ctx;
    struct engine_errors *x = e->errors;
    struct arena a = { 0 };
    struct json *v = NULL;

    (void)more;
    if (x == NULL)
        return; /* it is being closed */
    x->looking = false;
    if (!e->failed &&
        json_parse(&v, answer, JSON_STRICT, &a, NULL) == SYNCLINE_OK &&
        json_get_bool(v, "ok", false)) {
        const struct json *spaces = json_get(v, "spaces");

        error_list_begin(x->list);
        doctor_look(e, v, on_finding, x);
        look_at_store(x);
        engine_files_conditions(e, x->list);
        look_at_configsync(x, json_get(v, "configsync"));
        for (const struct json *s = spaces ? spaces->first : NULL; s;
             s = s->next)
            look_at_conflicts(x, s);
        error_list_end(x->list, clock_wall_us());
    }
    arena_free(&a);
}

static void look(struct engine_errors *x)
{
    struct arena a = { 0 };
    struct json *args = json_new(&a, JSON_OBJECT);

    (void)json_add(
        args, SLICE_LIT("op"), json_new_str(&a, SLICE_LIT("status")));
    if (json_add(args, SLICE_LIT("brief"), json_new_bool(&a, true)) != NULL)
        x->looking =
            engine_request(x->engine, args, NULL, on_status, x->engine) != 0;
    arena_free(&a);
}

void engine_errors_soon(struct engine *e)
{
    struct engine_errors *x = e->errors;

    if (x != NULL && x->look_us > x->looked_us + LOOK_PAUSE_US)
        x->look_us = x->looked_us + LOOK_PAUSE_US;
}

/* ---- what happens ---- */

static void put_member(struct buf *b, const char *name, const struct json *of)
{
    const struct slice text = json_get_str(of, name);

    if (text.len == 0)
        return;
    buf_printf(b, "%s\"%s\":", b->len > 1 ? "," : "", name);
    json_print_string(b, text, false);
}

struct told {
    const char *kind, *level, *what, *advice;
};

static void note_audited(struct engine_errors *x, const struct told *t,
    const struct json *who, const struct json *details)
{
    struct error_report r = {
        .code = t->kind, .level = t->level, .advice = t->advice
    };
    const struct slice why =
        utf8_cut(json_get_str(details, "why"), ERROR_WHAT_MAX);
    struct buf where = { 0 };
    char what[100 + ERROR_WHAT_MAX];

    (void)snprintf(what, sizeof what, "%s%s%.*s", t->what,
        why.len > 0 ? ": " : "", SLICE_FMT(why));
    buf_put_u8(&where, '{');
    put_member(&where, "address", who);
    put_member(&where, "device", details);
    put_member(&where, "name", details);
    put_member(&where, "space", details);
    buf_put_u8(&where, '}');
    r.what = what;
    r.where = buf_slice(&where);
    if (buf_status(&where) == SYNCLINE_OK)
        error_list_event(x->list, clock_wall_us(), &r);
    buf_free(&where);
}

void engine_errors_audited(struct engine *e, const struct audit_entry *what)
{
    static const struct told all[] = {
        { "stranger", "warn", "a connection was refused",
            "if it is a device of yours, let it join; else see who is in "
            "this network" },
        { "login", "warn", "a token was presented that is not good",
            "a program has an old token, or somebody guesses: `syncline "
            "token`, `syncline audit`" },
        { "pair-refused", "warn", "somebody at the door was not let in",
            "if it was you, make a new code; `syncline audit` says more" },
        { "equivocation", "error", "a device signed two changes under one name",
            "its folder was copied or put back, or its key is in wrong hands" },
        { "relay-back", "warn", "a relay has less than it once had",
            "its disk was lost, or an old one put in; it is sent again what "
            "it lacks" },
        { "replica", "warn", "the store goes on as another replica",
            "after a crash or a power failure that is all; nothing that was "
            "acknowledged is lost" },
    };
    struct arena a = { 0 };
    struct json *who = NULL, *details = NULL;

    for (size_t i = 0; e->errors != NULL && i < sizeof all / sizeof *all; i++) {
        if (strcmp(what->kind, all[i].kind) != 0)
            continue;
        if (json_parse(&who, what->who, JSON_STRICT, &a, NULL) == 0 &&
            json_parse(&details, what->details, JSON_STRICT, &a, NULL) == 0)
            note_audited(e->errors, &all[i], who, details);
        arena_free(&a);
    }
}

static bool is_write(const char *op)
{
    static const char *const writes[] = { "put", "patch", "del", "batch",
        "put_fields", "restore", "resolve", "rescue_apply" };

    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++)
        if (strcmp(op, writes[i]) == 0)
            return true;
    return false;
}

/* Of what is refused that which is not the asker's mistake. */
void engine_errors_refused(
    struct engine *e, const struct call *c, struct slice answer)
{
    static const struct {
        const char *code;
        bool writes; /* of writes alone */
        struct told as;
    } all[] = {
        { "EIO", false,
            { "refused-io", "error", "a request failed",
                "look at the log and at the disk" } },
        { "ECORRUPT", false,
            { "refused-corrupt", "error", "what is on the disk is damaged",
                "look at the log; a member that is whole can be joined "
                "anew" } },
        { "EFULL", false,
            { "refused-full", "error", "there was no room on the disk",
                "make room, a restart is not needed" } },
        { "ELIMIT", true,
            { "refused-limit", "warn", "a write was beyond a limit",
                "write less at once" } },
        { "EDENIED", true,
            { "refused-denied", "warn", "a write was refused",
                "see `syncline members` and `syncline clock`" } },
    };
    const struct slice no = SLICE_LIT("{\"ok\":false,");
    struct arena a = { 0 };
    struct json *v = NULL;

    if (e->errors == NULL || !slice_has_prefix(answer, no) ||
        json_parse(&v, answer, JSON_STRICT, &a, NULL) != SYNCLINE_OK) {
        arena_free(&a);
        return;
    }
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct error_report r = { .code = all[i].as.kind,
            .level = all[i].as.level,
            .advice = all[i].as.advice };
        const struct slice said =
            utf8_cut(json_get_str(v, "error"), ERROR_WHAT_MAX);
        char what[100 + ERROR_WHAT_MAX], where[64];

        if (!slice_is(json_get_str(v, "code"), all[i].code) ||
            (all[i].writes && !is_write(c->op)))
            continue;
        (void)snprintf(
            what, sizeof what, "%s: %.*s", all[i].as.what, SLICE_FMT(said));
        (void)snprintf(where, sizeof where, "{\"op\":\"%s\"}", c->op);
        if (strstr(what, "limits.") != NULL)
            r.advice = "write less at once, or raise the option that it names";
        r.what = what;
        r.where = slice_str(where);
        error_list_event(e->errors->list, clock_wall_us(), &r);
    }
    arena_free(&a);
}

unsigned engine_errors_n(const struct engine *e)
{
    return e->errors != NULL ? error_list_open(e->errors->list) : 0;
}

/* ---- requests ---- */

bool engine_errors_list(
    struct engine *e, struct call *c, const struct json *args)
{
    struct buf b = { 0 };

    buf_printf(&b, "{\"ok\":true,\"open\":%u,\"errors\":", engine_errors_n(e));
    error_list_print(e->errors->list, &b, json_get_bool(args, "all", false));
    buf_put_u8(&b, '}');
    engine_answer_buf(e, c->id, &b, SYNCLINE_OK, NULL);
    return true;
}

/* "Anna (token 1a2b3c4d)" */
static void put_by(
    char *out, size_t room, const struct call *c, const struct json *args)
{
    struct slice name = json_get_str(args, "by");
    const char *open = name.len > 0 ? " (" : "";
    const char *close = name.len > 0 ? ")" : "";

    name = utf8_cut(name, 40);
    if (c->asker.token[0] != 0)
        (void)snprintf(out, room, "%.*s%stoken %s%s", SLICE_FMT(name), open,
            c->asker.token, close);
    else
        (void)snprintf(out, room, "%.*s%suid %lu%s", SLICE_FMT(name), open,
            (unsigned long)c->asker.uid, close);
}

bool engine_errors_ack(
    struct engine *e, struct call *c, const struct json *args)
{
    const struct slice id = json_get_str(args, "id");
    const struct json *by_whom = json_get(args, "by");
    struct errmsg why = { "" };
    struct buf b = { 0 };
    unsigned n = 0;
    char by[96];
    int rc = SYNCLINE_OK;

    put_by(by, sizeof by, c, args);
    if (id.len == 0 ||
        (by_whom != NULL &&
            (by_whom->type != JSON_STRING || by_whom->s.len > 40)))
        rc = errmsg_set(&why, SYNCLINE_EINVAL,
            "id: of an entry that `syncline errors` shows, or \"all\"; by: a "
            "name of at most 40 bytes");
    else if (error_list_ack(e->errors->list, clock_wall_us(), id,
                 json_get_bool(args, "ack", true), by, &n) != SYNCLINE_OK)
        rc = errmsg_set(&why, SYNCLINE_ENOTFOUND,
            "%.*s: there is no such entry; `syncline errors --all` shows them",
            (int)(id.len > 40 ? 40 : id.len), (const char *)id.ptr);
    buf_printf(
        &b, "{\"ok\":true,\"changed\":%u,\"open\":%u}", n, engine_errors_n(e));
    engine_answer_buf(e, c->id, &b, rc, &why);
    return true;
}

/* ---- keeping ---- */

static int write_list(struct engine_errors *x, struct errmsg *why)
{
    const struct private_file file = { .path = x->path,
        .what = "list of errors" };

    return buf_status(&x->text) != SYNCLINE_OK
        ? buf_status(&x->text)
        : private_file_write(&file, buf_slice(&x->text), true, why);
}

static void run_save(struct helper_job *job)
{
    struct engine_errors *x = (struct engine_errors *)((char *)job -
        offsetof(struct engine_errors, job));

    x->rc = write_list(x, &x->why);
}

static void done_save(struct helper_job *job)
{
    struct engine_errors *x = (struct engine_errors *)((char *)job -
        offsetof(struct engine_errors, job));

    x->saving = false;
    buf_free(&x->text);
    if (x->rc != SYNCLINE_OK && !x->troubled)
        log_line(
            &x->engine->opt.log, LOG_LEVEL_WARN, "store", "%s", x->why.text);
    x->troubled = x->rc != SYNCLINE_OK;
}

static uint64_t save_due(const struct engine_errors *x)
{
    const unsigned changed = error_list_changed(x->list);

    if (x->saving || changed == 0)
        return UINT64_MAX;
    return x->saved_us +
        (changed == 2 && !x->troubled ? SAVE_SOON_US : SAVE_LATER_US);
}

uint64_t engine_errors_deadline(const struct engine *e)
{
    const struct engine_errors *x = e->errors;
    const uint64_t save = save_due(x);
    const uint64_t next = x->looking ? UINT64_MAX : x->look_us;

    return save < next ? save : next;
}

void engine_errors_turn(struct engine *e)
{
    struct engine_errors *x = e->errors;
    const uint64_t now = clock_mono_us();

    if (!x->looking && now >= x->look_us) {
        x->looked_us = now;
        x->look_us = now + pause_us(e);
        look(x);
    }
    if (now >= save_due(x)) {
        x->saved_us = now;
        x->saving = true;
        error_list_save(x->list, &x->text);
        helper_submit(e->checkpoint_helper, &x->job);
    }
}

/* A list that cannot be read is no reason not to start. */
static void load(struct engine_errors *x)
{
    const struct private_file file = {
        .path = x->path, .what = "list of errors", .max = LIST_BYTES_MAX
    };
    struct errmsg why = { "" };
    struct buf b = { 0 };
    int rc = private_file_read(&b, &file, &why);

    if (rc == SYNCLINE_OK)
        rc = error_list_load(x->list, clock_wall_us(), buf_slice(&b));
    if (rc != SYNCLINE_OK && rc != SYNCLINE_ENOTFOUND)
        log_line(&x->engine->opt.log, LOG_LEVEL_WARN, "store",
            "%s: %s; the list begins anew", x->path,
            why.text[0] != 0            ? why.text
                : rc == SYNCLINE_ENOMEM ? "memory ran out"
                                        : "this is no list of errors");
    buf_free(&b);
}

int engine_errors_open(struct engine *e)
{
    struct engine_errors *x = calloc(1, sizeof *x);
    int n;

    if (x == NULL)
        return SYNCLINE_ENOMEM;
    x->engine = e;
    x->job = (struct helper_job){ .run = run_save, .done = done_save };
    x->look_us = x->saved_us = clock_mono_us();
    n = snprintf(x->path, sizeof x->path, "%s/errors.json", e->dir);
    if (n < 0 || (size_t)n >= sizeof x->path ||
        error_list_new(&x->list) != SYNCLINE_OK) {
        free(x);
        return SYNCLINE_ENOMEM;
    }
    load(x);
    e->errors = x;
    return SYNCLINE_OK;
}

void engine_errors_close(struct engine *e)
{
    struct engine_errors *x = e->errors;
    struct errmsg why = { "" };

    if (x == NULL)
        return;
    e->errors = NULL;
    if (error_list_changed(x->list) > 0) {
        error_list_save(x->list, &x->text);
        if (write_list(x, &why) != SYNCLINE_OK)
            log_line(&e->opt.log, LOG_LEVEL_WARN, "store", "%s", why.text);
    }
    buf_free(&x->text);
    error_list_free(x->list);
    free(x);
}
