/* What a page needs to let this device join: the picture of a code (`invite`
 * with `qr`), and how a `join` is getting on (`join_state`), whose digits come
 * before its answer. */
#include "app/engine/engine_impl.h"

#include "app/answer.h"

#include <stdlib.h>

enum join_state { JOIN_NONE, JOIN_ASKING, JOIN_DIGITS, JOIN_DONE, JOIN_FAILED };

struct engine_join {
    enum join_state state;
    uint64_t request;
    struct buf answer; /* the last one, whole */
};

/* ---- invite ---- */

bool engine_invite_take(
    struct engine *e, struct call *c, const struct json *args)
{
    struct errmsg why = { "" };
    struct buf b = { 0 };

    c->picture = json_get_bool(args, "qr", false);
    if (!c->picture || e->opt.picture != NULL)
        return false;
    engine_answer_buf(e, c->id, &b,
        errmsg_set(&why, SYNCLINE_EUNSUPPORTED,
            "qr: pictures are the daemon's; draw the code yourself"),
        &why);
    return true;
}

/* With the picture behind what the node says. */
struct slice engine_invite_view(
    struct engine *e, const struct call *c, struct slice answer, struct buf *b)
{
    struct arena a = { 0 };
    struct json *v = NULL;

    if (c->picture && answer.len > 0 &&
        slice_has_prefix(answer, SLICE_LIT("{\"ok\":true")) &&
        json_parse(&v, answer, JSON_STRICT, &a, NULL) == SYNCLINE_OK) {
        buf_put_slice(b, SLICE(answer.ptr, answer.len - 1));
        buf_put_str(b, ",\"qr\":");
        if (e->opt.picture(b, json_get_str(v, "code")) == SYNCLINE_OK)
            buf_put_u8(b, '}');
        else
            buf_clear(b);
    }
    arena_free(&a);
    return b->len > 0 ? buf_slice(b) : answer;
}

/* ---- join ---- */

bool engine_join_take(struct engine *e, struct call *c, const struct json *args)
{
    struct engine_join *j = e->join;

    (void)args;
    if (j == NULL)
        e->join = j = calloc(1, sizeof *j);
    /* While one waits, another is refused by the node. */
    if (j != NULL &&
        (j->state == JOIN_NONE || engine_call(e, j->request) == NULL)) {
        j->state = JOIN_ASKING;
        j->request = c->id;
        buf_clear(&j->answer);
    }
    return false;
}

struct slice engine_join_view(
    struct engine *e, const struct call *c, struct slice answer, struct buf *b)
{
    struct engine_join *j = e->join;

    (void)b;
    if (j == NULL || j->request != c->id)
        return answer;
    buf_clear(&j->answer);
    buf_put_slice(&j->answer, answer);
    j->state = slice_has_prefix(answer, SLICE_LIT("{\"ok\":true,\"more\":true"))
        ? JOIN_DIGITS
        : slice_has_prefix(answer, SLICE_LIT("{\"ok\":true")) ? JOIN_DONE
                                                              : JOIN_FAILED;
    return answer;
}

bool engine_join_state(
    struct engine *e, struct call *c, const struct json *args)
{
    static const char *const names[] = { "none", "asking", "digits", "joined",
        "failed" };
    struct engine_join *j = e->join;
    struct errmsg why = { "" };
    struct arena a = { 0 };
    struct json *v = NULL;
    struct buf b = { 0 };

    (void)args;
    if (j != NULL && j->state < JOIN_DONE && engine_call(e, j->request) == NULL)
        j->state = JOIN_NONE; /* it was given up */
    buf_printf(&b, "{\"ok\":true,\"state\":\"%s\"",
        names[j != NULL ? j->state : JOIN_NONE]);
    if (j != NULL && j->state != JOIN_NONE &&
        json_parse(&v, buf_slice(&j->answer), JSON_STRICT, &a, NULL) ==
            SYNCLINE_OK)
        for (const struct json *m = v->first; m != NULL; m = m->next) {
            if (slice_is(m->key, "ok") || slice_is(m->key, "more"))
                continue;
            buf_printf(&b, ",\"%.*s\":", SLICE_FMT(m->key));
            json_print(&b, m, JSON_CANONICAL);
        }
    buf_put_u8(&b, '}');
    engine_answer_buf(e, c->id, &b, SYNCLINE_OK, &why);
    arena_free(&a);
    return true;
}

bool engine_join_cancel(
    struct engine *e, struct call *c, const struct json *args)
{
    struct engine_join *j = e->join;
    struct errmsg why = { "" };
    struct buf b = { 0 };
    int rc = SYNCLINE_OK;

    (void)args;
    if (j == NULL || (j->state != JOIN_ASKING && j->state != JOIN_DIGITS) ||
        engine_call(e, j->request) == NULL) {
        rc = errmsg_set(&why, SYNCLINE_ENOTFOUND, "no join waits here");
    } else {
        struct event ev = { .type = EV_CANCEL, .request = j->request };

        engine_answer(e, j->request,
            SLICE_LIT(REFUSAL("ECLOSED", "the join was given up")), false);
        engine_step(e, &ev);
        buf_put_str(&b, "{\"ok\":true}");
    }
    engine_answer_buf(e, c->id, &b, rc, &why);
    return true;
}

void engine_join_close(struct engine *e)
{
    if (e->join != NULL)
        buf_free(&e->join->answer);
    free(e->join);
    e->join = NULL;
}
