/* Requests: which of them the node answers, which the engine itself, and what
 * it makes of the node's answer. */
#include "app/engine/engine_impl.h"

#include "app/answer.h"
#include "app/doctor.h"

#include <stdio.h>
#include <unistd.h>

void engine_answer_buf(struct engine *e, uint64_t request, struct buf *b,
    int rc, const struct errmsg *why)
{
    if (rc == SYNCLINE_OK)
        rc = buf_status(b);
    if (rc != SYNCLINE_OK)
        put_refusal(b, rc, why);
    if (buf_status(b) == SYNCLINE_OK)
        engine_answer(e, request, buf_slice(b), false);
    else
        engine_answer(e, request, SLICE_LIT(REFUSAL_NO_MEMORY), false);
    buf_free(b);
}

/* ---- what is made of an answer ---- */

static struct slice view_status(
    struct engine *e, const struct call *c, struct slice answer, struct buf *b)
{
    (void)c;
    if (!slice_has_prefix(answer, SLICE_LIT("{\"ok\":true,")))
        return answer;
    buf_put_str(b, "{\"ok\":true,");
    engine_put_status(e, b);
    buf_put_slice(b, slice_from(answer, 11));
    return buf_slice(b);
}

/* `doctor` is `status` looked at by somebody who knows what is usual. */
static struct slice view_doctor(
    struct engine *e, const struct call *c, struct slice answer, struct buf *b)
{
    struct arena a = { 0 };
    struct json *v = NULL;
    struct buf whole = { 0 };

    answer = view_status(e, c, answer, &whole);
    if (json_parse(&v, answer, JSON_STRICT, &a, NULL) != SYNCLINE_OK)
        v = NULL;
    doctor_examine(e, v, b);
    arena_free(&a);
    buf_free(&whole);
    return buf_slice(b);
}

/* ---- what is asked of the node ---- */

static const struct json *ask_op(struct arena *a, const char *op, bool brief)
{
    struct json *v = json_new(a, JSON_OBJECT);

    (void)json_add(v, SLICE_LIT("op"), json_new_str(a, slice_str(op)));
    if (brief)
        (void)json_add(v, SLICE_LIT("brief"), json_new_bool(a, true));
    return v;
}

static const struct json *ask_status(
    const struct engine *e, const struct json *args, struct arena *a)
{
    (void)e;
    (void)args;
    return ask_op(a, "status", false);
}

static const struct json *ask_brief(
    const struct engine *e, const struct json *args, struct arena *a)
{
    (void)e;
    (void)args;
    return ask_op(a, "status", true);
}

static const struct json *ask_invite(
    const struct engine *e, const struct json *args, struct arena *a)
{
    return json_get(args, "addresses") == NULL
        ? engine_with_addresses(e, args, a)
        : args;
}

/* ---- what the engine answers ---- */

static bool take_audit(
    struct engine *e, struct call *c, const struct json *args)
{
    (void)args;
    engine_audit_answer(e, c->id);
    return true;
}

static bool take_key(struct engine *e, struct call *c, const struct json *args)
{
    (void)args;
    engine_audit_key(e, c);
    return true;
}

struct engine_op {
    const char *op;
    /* True: it is answered, or will be. NULL, or false: the node is asked */
    bool (*take)(struct engine *e, struct call *c, const struct json *args);
    /* for this; NULL: the same. NULL from it: memory has run out. */
    const struct json *(*ask)(
        const struct engine *e, const struct json *args, struct arena *a);
    engine_view_fn *view;
};

static const struct engine_op ops[] = {
    { "status", NULL, NULL, view_status },
    { "doctor", NULL, ask_status, view_doctor },
    { "metrics", engine_metrics_take, ask_brief, engine_metrics_answer },
    { "invite", engine_invite_take, ask_invite, engine_invite_view },
    { "join", engine_join_take, NULL, engine_join_view },
    { "join_state", engine_join_state, NULL, NULL },
    { "join_cancel", engine_join_cancel, NULL, NULL },
    { "audit", take_audit, NULL, NULL },
    { "key_changed", take_key, NULL, NULL },
    { "audit_records", engine_records_take, NULL, NULL },
    { "mesh", NULL, ask_brief, engine_mesh_view },
    { "recent", engine_series_take, NULL, NULL },
    { "sync", engine_sync_take, NULL, NULL },
    { "errors", engine_errors_list, NULL, NULL },
    { "error_ack", engine_errors_ack, NULL, NULL },
    { "bind", engine_files_take, NULL, NULL },
    { "bind_restore", engine_files_take, NULL, NULL },
    { "bindings", engine_files_take, NULL, NULL },
    { "rollback", engine_files_take, NULL, NULL },
    { "unbind", engine_files_take, NULL, NULL },
    { "versions", engine_files_take, NULL, NULL },
    { "session_link", engine_sessions_take, NULL, NULL },
    { "session_open", engine_sessions_take, NULL, NULL },
    { "session_close", engine_sessions_take, NULL, NULL },
    { "session_end_all", engine_sessions_take, NULL, NULL },
    { "token_create", engine_tokens_take, NULL, NULL },
    { "token_list", engine_tokens_take, NULL, NULL },
    { "token_revoke", engine_tokens_take, NULL, NULL },
};

static const struct engine_op *find_op(struct slice op)
{
    for (size_t i = 0; i < sizeof ops / sizeof *ops && op.len > 0; i++)
        if (ops[i].op[0] == op.ptr[0] && slice_is(op, ops[i].op))
            return &ops[i];
    return NULL;
}

static bool answered_outside(
    struct engine *e, const struct call *c, const struct json *args)
{
    struct buf b = { 0 };
    bool is = e->opt.local != NULL &&
        e->opt.local(e->opt.local_ctx, args, &c->asker, &b);

    if (is)
        engine_answer_buf(e, c->id, &b, SYNCLINE_OK, NULL);
    buf_free(&b);
    return is;
}

static void refuse(struct engine *e, const struct call *c, const char *json)
{
    engine_answer(e, c->id, slice_str(json), false);
}

static void carry_out(
    struct engine *e, struct call *c, const struct json *args, struct arena *a)
{
    const struct engine_op *op = find_op(slice_str(c->op));
    struct event ev = { .type = EV_REQUEST, .request = c->id, .args = args };

    if (op != NULL) {
        c->view = op->view;
        if (op->take != NULL && op->take(e, c, args))
            return;
        if (op->ask != NULL)
            ev.args = op->ask(e, args, a);
    }
    if (ev.args == NULL)
        refuse(e, c, REFUSAL_NO_MEMORY);
    else
        engine_step(e, &ev);
}

uint64_t engine_request(struct engine *e, const struct json *args,
    const struct engine_asker *asker, engine_reply_fn *fn, void *ctx)
{
    const struct slice op = json_get_str(args, "op");
    struct call *c = engine_call_new(e, fn, ctx);
    struct arena a = { 0 };
    uint64_t id;

    if (c == NULL)
        return 0;
    id = c->id;
    c->asker = asker != NULL ? *asker : e->self;
    if (op.len > 0 && op.len < sizeof c->op) /* and zeros behind it */
        memcpy(c->op, op.ptr, op.len);
    if (answered_outside(e, c, args)) {
        /* it is */
    } else if (e->failed) {
        refuse(e, c, REFUSAL("EIO", "the store has failed; see the log"));
    } else {
        carry_out(e, c, args, &a);
    }
    arena_free(&a);
    return id;
}
